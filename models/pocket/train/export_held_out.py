"""Writes the held-out files of `facet eval`: conversations of one user turn each (agent/call_eval.h, agent/answer_eval.h).

python export_held_out.py --set calls --out ../held_out/calls.jsonl      # the first generator; names as people give them
python export_held_out.py --set bank --out ../held_out/bank.jsonl        # the bank of templates: 1 of 4, 1 of 20, chains, ...
python export_held_out.py --set answers --out ../held_out/answers.jsonl  # passages, answers, citations, refusals
python export_held_out.py --set bank --split train --sayings eval --kind "1 of 4" --out /tmp/known.jsonl   # what of a gap is whose
The number of cases of each kind is fixed, so that no easy kind hides a hard one. Both splits are made of different
tools, names, nouns and phrasings; a case of these files is never trained on (data.py --check).
"""

import argparse
import json
import pathlib
import random

import data
import document_turns
import shards
import templates
import tool_talk
import tools_bank as tb

COUNTS = {"call": 160, "parallel": 30, "sequence": 30, "chain": 30, "calc": 30, "search": 60, "two_lookups": 20, "compute": 60, "no_tool": 40, "ask": 30}
# Kind of the file: (turn, tools declared, length of a chain), count.
BANK = {"1 of 4": (("call", 4, 0), 150), "1 of 20": (("call", 20, 0), 80), "no tool fits": (("no_tool", 4, 0), 60), "asks back": (("ask", 4, 0), 60),
        "chain of 2": (("chain", 4, 2), 40), "chain of 3": (("chain", 4, 3), 40), "chain of 4": (("chain", 5, 4), 20),
        "parallel": (("parallel", 4, 0), 40), "sequence": (("sequence", 4, 0), 30), "retry": (("retry", 3, 0), 20)}
ANSWERS = {"fact": 80, "near miss": 60, "table": 40, "conflict": 40, "not said": 60, "not in table": 20}
TOKENS_MAX = {"1 of 20": 2600}
TOKENS = None
# Whose tools and whose phrasings the cases are made of; anything but "eval" is no held-out file.
SPLIT = {"tools": "eval", "sayings": "eval"}


def length(parts):
    global TOKENS
    TOKENS = TOKENS or shards.Tokens()
    return sum(len(TOKENS.encode(t)) for t, _ in parts)


def as_case(kind, conversation, turn, tokens_max):
    if turn.get("lacks"):
        turn = dict(turn, steps=[])  # What is expected is a question back, by whatever way.
    if length(conversation.render([turn], True)) > tokens_max:
        return None
    steps = [{"calls": [{"name": n, "arguments": a} for n, a, _ in step], "outputs": [r if isinstance(r, dict) else {"value": r} for _, _, r in step]}
             for step in turn["steps"]]
    case = {"kind": kind, "tools": [t.schema() for t in conversation.tools], "user": turn["user"], "steps": steps}
    # Who asks back names what is missing.
    return dict(case, reply_holds=turn["missing"]) if "missing" in turn else case


def call_case(rng, kind):
    """One case of the kind, or None where this draw of tools cannot make one."""
    conversation = data.Conversation(rng, "eval", False)
    turn = conversation.turn(kind)
    if turn is None or turn["kind"] != kind:
        return None
    return as_case(kind, conversation, turn, 1024)


def bank_case(rng, kind):
    turn_kind, declared, chain = BANK[kind][0]
    talk = tool_talk.ToolTalk(rng, SPLIT["tools"], max(1, declared - chain), chain, 3)
    turn = talk.turn(turn_kind)
    if turn is None or turn["kind"] != turn_kind:
        return None
    return as_case(kind, talk, turn, TOKENS_MAX.get(kind, 1024))


MAKERS = {"calls": (call_case, COUNTS), "bank": (bank_case, {k: n for k, (_, n) in BANK.items()}), "answers": (document_turns.answer_case, ANSWERS)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--set", choices=list(MAKERS), default="calls")
    parser.add_argument("--out", required=True)
    parser.add_argument("--random", action="store_true", help="many names are random dictionary words")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--share", type=float, default=1.0, help="of the cases of every kind")
    parser.add_argument("--split", choices=["eval", "train"], default="eval", help="of the bank: whose tools; train: how the model does what it was trained on")
    parser.add_argument("--sayings", choices=["eval", "train"], help="of the bank: whose phrasings (those of --split)")
    parser.add_argument("--kind", help="of the bank: this one alone")
    args = parser.parse_args()
    SPLIT.update(tools=args.split, sayings=args.sayings or args.split)
    if args.kind:
        MAKERS["bank"] = (bank_case, {args.kind: BANK[args.kind][1]})
    if SPLIT["sayings"] != SPLIT["tools"]:
        own = templates.sayings
        templates.sayings = lambda template, _: own(template, SPLIT["sayings"])
    tb.STYLE["random_names"] = args.random
    out = pathlib.Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    make, counts = MAKERS[args.set]
    seed = f"held-out/{args.seed}" if args.set == "calls" else f"held-out/{args.set}/{args.seed}"
    with open(out, "w") as f:
        for kind, count in counts.items():
            made, n = 0, 0
            while made < max(1, round(count * args.share)):
                c = make(random.Random(f"{seed}/{kind}/{n}"), kind)
                n += 1
                if c:
                    f.write(json.dumps({"id": f"{kind}-{n}", **c}, ensure_ascii=False) + "\n")
                    made += 1


if __name__ == "__main__":
    main()
