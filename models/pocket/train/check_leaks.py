"""Checks that the training and held-out splits stay apart and that nothing reserved appears in either.

Counts, over generated conversations of both splits: whole conversations in common (must be none), reserved tool
names (must be none), words of a folder of documents' distinctive sentences (must be none), and how many held-out
calls use a tool name that training also produced. Usage: python check_leaks.py [--documents FOLDER] [--count N]
"""

import argparse
import pathlib
import random
import re
import sys

import data
import evaluate
import tools_bank as tb


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--documents")
    args = parser.parse_args()
    tokens, bad = data.Tokens(), 0
    train_names, train_params, train_users, texts = set(), set(), set(), []
    for n in range(args.count):
        rng = random.Random(f"leak/{n}")
        c = data.Conversation(rng, "train", False)
        turns = [c.turn() for _ in range(3)]
        texts.append("".join(t for t, _ in c.render(turns, False)))
        train_names |= {t.name for t in c.tools}
        train_params |= {p for t in c.tools for p in t.props}
        train_users |= {t["user"] for t in turns}
    held = evaluate.conversations(args.count // 2, 1)
    held_text = ["".join(t for t, _ in parts) for _, _, _, parts in held]
    for text in texts + held_text:
        for name in tb.RESERVED:
            if re.search(rf"(declaration|call):{name}\b", text):
                bad += 1
                print("reserved name", name)
    names = [t.name for tools, _, _, _ in held for t in tools]
    params = [p for tools, _, _, _ in held for t in tools for p in t.props]
    users = [t["user"] for _, turns, _, _ in held for t in turns]
    print(f"held-out tool names also seen in {args.count} training conversations: {100 * sum(n in train_names for n in names) / len(names):.1f} %")
    print(f"held-out argument names also seen: {100 * sum(p in train_params for p in params) / len(params):.1f} %")
    print(f"held-out user texts also seen: {100 * sum(u in train_users for u in users) / len(users):.1f} %")
    same = len(set(texts) & set(held_text))
    print("whole conversations in common:", same)
    bad += same
    if args.documents:
        everything = "\n".join(texts + held_text)
        for path in sorted(pathlib.Path(args.documents).iterdir()):
            if path.suffix in (".md", ".txt", ".csv", ".html"):
                for sentence in re.split(r"(?<=[.!?])\s+|\n+", re.sub(r"<[^>]+>", " ", path.read_text(errors="ignore"))):
                    if len(sentence.split()) >= 5 and sentence.strip() in everything:
                        bad += 1
                        print("document sentence in the data:", sentence)
    print("problems:", bad)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
