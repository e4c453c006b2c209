"""Fits how much a generator's own plan, the words of request and tool, and what the request fills count
(agent/weighed_plan.h): plan_weights.json.

python plan_words.py --facet FACET --model FILE [--cases 7500] [--check FILE.jsonl ...]

Draws requests of the training split's tools, in its phrasings: that one of four tools fits, one of twenty (of which six are
shown), none, that one fits but an argument lacks, and those of everyday tools (searches and sums among them). `facet debug plans` says what speaks for each step. The weights are a regression: the steps'
scores as logarithms of probabilities, with a small penalty on what is not the model's, where the plan is not left to the model. No held-out case is read but to
--check them: how many first steps are right as the model says, and weighed. FILE must have the slots and the thesaurus that ship
(export.py).
"""

import argparse
import json
import pathlib
import random
import subprocess
import tempfile

import numpy as np

import talk_cases
import tool_talk
from conversation import Conversation

HERE = pathlib.Path(__file__).resolve().parent
# Of a step, as `facet debug plans` prints it: the key in the model's file, and what it weighs.
FEATURES = {"model": lambda s: s["log_p"], "answer": lambda s: s["name"] == ANSWER, "words": lambda s: s["words"], "cover": lambda s: s["cover"],
            "parameters": lambda s: s["parameters"], "filled": lambda s: s["filled"], "open": lambda s: s["open"],
            "number": lambda s: s["leaves_number"], "name": lambda s: s["leaves_name"],
            "left": lambda s: s["left"]}
FREE = 2  # The first two have no penalty.
# (turn, tools declared, how many of 2,500 cases)
KINDS = (("call", 4, 1000), ("call", 20, 400), ("no_tool", 4, 700), ("ask", 4, 400))
# Of everyday tools (conversation.py), how many beside 7,500.
EVERYDAY = {"call": 600, "calc": 120, "search": 250, "no_tool": 150}
SURE = 0.99  # kSureTool
PENALTY = 1e-3
ANSWER = "answer"


def draw(cases, seed):
    """About so many cases."""
    for kind, declared, share in KINDS:
        made = n = 0
        while made < cases * share / 2500:
            talk = tool_talk.ToolTalk(random.Random(f"{seed}/{kind}/{declared}/{n}"), "train", declared, 0, 3)
            n += 1
            turn = talk.turn(kind)
            if turn and turn["kind"] == kind:
                yield dict(talk_cases.case(n, talk, turn), kind=f"{kind}, {declared} tools")
                made += 1
    for kind, share in EVERYDAY.items():
        made = n = 0
        while made < cases * share / 7500:
            talk = Conversation(random.Random(f"{seed}/everyday/{kind}/{n}"), "train", False)
            n += 1
            turn = talk.turn(kind)
            if turn and turn["kind"] == kind and not turn.get("lacks"):
                yield dict(talk_cases.case(n, talk, turn), kind=f"everyday {kind}")
                made += 1


def left_to_model(rows):
    """Whether the model is sure of a tool."""
    best = rows[rows[:, 0].argmax()]
    return not best[1] and best[0] >= np.log(SURE)


def read(facet, model, path):
    """[(kind, features of the steps as rows, which one is right)]."""
    out = subprocess.run([facet, "debug", "plans", str(path), "--model", model], check=True, capture_output=True, text=True).stdout
    found = []
    for line in out.splitlines():
        case = json.loads(line)
        names = [step["name"] for step in case["steps"]]
        right = case["expected"] or ANSWER
        if case["kind"] == "asks back" or right not in names:
            continue  # Held-out cases do not say which tool lacks an argument.
        rows = [[feature(s) for feature in FEATURES.values()] for s in case["steps"]]
        found.append((case["kind"], np.array(rows, float), names.index(right)))
    return found


def fit(cases, steps=60):
    """Newton's method: the likelihood of a softmax is concave in its weights."""
    weights = np.zeros(len(FEATURES))
    weights[0] = 0.5
    penalty = 2 * PENALTY * len(cases) * np.array([0] * FREE + [1] * (len(FEATURES) - FREE))
    for _ in range(steps):
        slope, bend = penalty * weights, np.diag(penalty)
        for _, rows, right in cases:
            scores = rows @ weights
            p = np.exp(scores - scores.max())
            p /= p.sum()
            mean = p @ rows
            slope = slope + mean - rows[right]
            bend = bend + (rows * p[:, None]).T @ rows - np.outer(mean, mean)
        step = np.linalg.solve(bend, slope)
        weights = weights - step * min(1.0, 1.0 / np.abs(step).max())
        if np.abs(step).max() < 1e-6:
            return weights
    raise SystemExit("the regression does not settle")


def show(title, cases, weights):
    for kind in dict.fromkeys(kind for kind, _, _ in cases):
        own = [(rows, right) for k, rows, right in cases if k == kind]
        model = np.eye(len(FEATURES))[0]
        said = [100 * np.mean([(rows @ (model if left_to_model(rows) else w)).argmax() == right for rows, right in own]) for w in (model, weights)]
        print(f"{title:30} {kind:14} {len(own):4}  first step right as the model says {said[0]:5.1f} %, weighed {said[1]:5.1f} %")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--facet", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--cases", type=int, default=7500)
    parser.add_argument("--seed", default="plans")
    parser.add_argument("--check", nargs="*", default=[])
    parser.add_argument("--out", default=str(HERE / "plan_weights.json"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "cases.jsonl"
        path.write_text("".join(json.dumps(c, ensure_ascii=False) + "\n" for c in draw(args.cases, args.seed)))
        cases = read(args.facet, args.model, path)
    weights = np.round(fit([case for case in cases if not left_to_model(case[1])]), 2)
    show("training split", cases, weights)
    for path in args.check:
        show(pathlib.Path(path).name, read(args.facet, args.model, path), weights)
    text = json.dumps(dict(zip(FEATURES, weights.tolist())))
    pathlib.Path(args.out).write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
