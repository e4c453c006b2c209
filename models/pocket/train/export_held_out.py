"""Writes held-out conversations of one user turn each as cases of `facet eval calls` (agent/call_eval.h).

python export_held_out.py --out ../held_out/calls.jsonl            # names as people give them
python export_held_out.py --out ../held_out/calls_random.jsonl --random
The number of cases of each kind is fixed, so that no easy kind hides a hard one. Both splits of data.py are made of
different tools, names, nouns and phrasings; a case of this file is never trained on.
"""

import argparse
import json
import pathlib
import random

import data
import evaluate

COUNTS = {"call": 160, "parallel": 30, "sequence": 30, "chain": 30, "calc": 30, "search": 60, "two_lookups": 20, "compute": 60, "no_tool": 40, "ask": 30}
TOKENS_MAX = 1024


def case(rng, kind):
    """One case of the kind, or None where this draw of tools cannot make one."""
    conversation = data.Conversation(rng, "eval", False)
    turn = conversation.turn(kind)
    if turn is None or turn["kind"] != kind:
        return None
    parts = conversation.render([turn], True)
    if sum(len(evaluate.tokens().encode(t)) for t, _ in parts) > TOKENS_MAX:
        return None
    steps = [{"calls": [{"name": n, "arguments": a} for n, a, _ in step], "outputs": [r if isinstance(r, dict) else {"value": r} for _, _, r in step]}
             for step in turn["steps"]]
    return {"kind": kind, "tools": [t.schema() for t in conversation.tools], "user": turn["user"], "steps": steps}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    parser.add_argument("--random", action="store_true", help="many names are random dictionary words")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--share", type=float, default=1.0, help="of the cases of every kind")
    args = parser.parse_args()
    data.tb.STYLE["random_names"] = args.random
    out = pathlib.Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with open(out, "w") as f:
        for kind, count in COUNTS.items():
            made, n = 0, 0
            while made < max(1, round(count * args.share)):
                c = case(random.Random(f"held-out/{args.seed}/{kind}/{n}"), kind)
                n += 1
                if c:
                    f.write(json.dumps({"id": f"{kind}-{n}", **c}, ensure_ascii=False) + "\n")
                    made += 1


if __name__ == "__main__":
    main()
