"""Compares dialect.py with what Facet renders: with fixtures, and with `facet prompt render` on generated conversations.

python check_dialect.py --fixtures FOLDER      # JSON files with messages, tools and the rendered prompt
python check_dialect.py --facet ../../../build/facet [--count 200]
"""

import argparse
import json
import pathlib
import random
import subprocess
import sys

import dialect
import tool_rows
from conversation import Conversation
from document_turns import DocumentTalk


def render(messages, tools):
    out = "<bos>"
    i = 0
    if messages[0]["role"] in ("developer", "system"):
        out += f"<start_of_turn>developer\n{messages[0]['content']}"
        i = 1
    out += "".join(dialect.declaration(t["function"]) for t in tools) + "<end_of_turn>\n"
    ends_in_call = False
    for m in messages[i:]:
        if m["role"] == "user":
            if out.endswith("<end_function_response>"):
                out += "<end_of_turn>\n"
            out += f"<start_of_turn>user\n{m['content']}<end_of_turn>\n<start_of_turn>model\n"
        elif m["role"] == "assistant" and m.get("tool_calls"):
            for c in m["tool_calls"]:
                out += dialect.call(c["function"]["name"], c["function"]["arguments"])
        elif m["role"] == "assistant":
            out += m["content"] + "<end_of_turn>\n"
        else:
            content = m["content"]
            entries = content if isinstance(content, list) else [{"name": m.get("name"), "response": content}]
            for e in entries:
                out += "<start_function_response>" + dialect.response(e["name"], e["response"])
        ends_in_call = bool(m.get("tool_calls"))
    return out + ("<start_function_response>" if ends_in_call else "")


def check_fixtures(folder):
    bad = 0
    for path in sorted(pathlib.Path(folder).glob("*.json")):
        case = json.loads(path.read_text())
        if case.get("error"):
            continue
        got = render(case["messages"], case["kwargs"].get("tools", []))
        same = got == case["rendered"]
        bad += not same
        print("ok  " if same else "DIFF", path.name)
        if not same:
            print(" want", case["rendered"][-300:], "\n got ", got[-300:])
    return bad


def messages_of(turns):
    """The turns as messages without plan lines, up to the last answer."""
    out = [{"role": "developer", "content": dialect.PLAIN}]
    for turn in turns:
        out.append({"role": "user", "content": turn["user"]})
        for step in turn["steps"]:
            out.append({"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": n, "arguments": a}} for n, a, _ in step]})
            out.append({"role": "tool", "content": [{"name": n, "response": r} for n, _, r in step]})
        out.append({"role": "assistant", "content": turn["answer"]})
    return out


def conversations(count):
    for n in range(count):
        rng = random.Random(f"dialect/{n}")
        talk = tool_rows.conversation(rng, "train")[0] if n % 2 else rng.choice([Conversation, DocumentTalk])(rng, "train", False)
        yield talk, [t for t in (talk.turn() for _ in range(3)) if t]


def check_facet(facet, count):
    """Whether Facet renders a generated conversation to the very text that a model is trained on."""
    bad = 0
    for talk, turns in conversations(count):
        tools = [t.schema() for t in talk.tools]
        want = "".join(text for text, _ in dialect.conversation(tools, turns, False))
        request = {"messages": messages_of(turns), "tools": [{"type": "function", "function": t} for t in tools], "add_generation_prompt": False}
        ran = subprocess.run([facet, "prompt", "render"], input=json.dumps(request), capture_output=True, text=True, timeout=60)
        got = ran.stdout
        if ran.returncode != 0 or got.rstrip("\n") != want.rstrip("\n"):
            bad += 1
            at = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b), min(len(got), len(want)))
            print("DIFF at", at, "\n want", want[max(0, at - 60) : at + 120], "\n got ", got[max(0, at - 60) : at + 120], ran.stderr)
    print(count - bad, "of", count, "conversations are rendered alike")
    return bad


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fixtures")
    parser.add_argument("--facet")
    parser.add_argument("--count", type=int, default=200)
    args = parser.parse_args()
    bad = check_fixtures(args.fixtures) if args.fixtures else 0
    bad += check_facet(args.facet, args.count) if args.facet else 0
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
