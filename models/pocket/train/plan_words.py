"""Fits how much a generator's own plan and the words of request and tool count (agent/weighed_plan.h): plan_weights.json.

python plan_words.py --facet FACET --model FILE [--cases 2280] [--check FILE.jsonl ...]

Draws requests of the training split's tools, in its phrasings (export_held_out.py --split train): that one of four tools
fits, one of twenty (of which six are shown), and, a fifth of all, none. `facet debug plans` says what the model makes of them. The weights are a regression: the steps'
scores as logarithms of probabilities, with a small penalty on the words' weights. No held-out case is read but to --check
them: how many first steps are right as the model says, and weighed.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
NAMES = ("model", "answer", "words", "cover", "parameters")
SHARES = {"1 of 4": 8.0, "1 of 20": 7.5, "no tool fits": 8.0}
COUNTS = {"1 of 4": 150, "1 of 20": 80, "no tool fits": 60}  # What export_held_out.py calls a share of 1.
PENALTY = 1e-3
ANSWER = "answer"


def draw(folder, cases):
    """Files of cases; together about `cases`."""
    total = sum(COUNTS[kind] * share for kind, share in SHARES.items())
    for n, (kind, share) in enumerate(SHARES.items()):
        out = folder / f"{n}.jsonl"
        subprocess.run([sys.executable, str(HERE / "export_held_out.py"), "--set", "bank", "--split", "train", "--seed", "51", "--kind", kind,
                        "--share", str(share * cases / total), "--out", str(out)], check=True, cwd=HERE)
        yield out


def read(facet, model, path):
    """[(features of the steps as rows, which one is right)]; `answer` has the constant instead of words."""
    out = subprocess.run([facet, "debug", "plans", str(path), "--model", model], check=True, capture_output=True, text=True).stdout
    found = []
    for line in out.splitlines():
        case = json.loads(line)
        names = [step["name"] for step in case["steps"]]
        right = case["expected"] or ANSWER
        if case["kind"] == "asks back" or right not in names:
            continue
        rows = [[s["log_p"], s["name"] == ANSWER, s["words"], s["cover"], s["parameters"]] for s in case["steps"]]
        found.append((case["kind"], np.array(rows, float), names.index(right)))
    return found


def fit(cases, steps=60):
    """Newton's method: the likelihood of a softmax is concave in its weights."""
    weights = np.array([0.5, 0, 0, 0, 0], float)
    penalty = 2 * PENALTY * len(cases) * np.array([0, 0, 1, 1, 1])
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
        said = [100 * np.mean([(rows @ w).argmax() == right for rows, right in own]) for w in (np.array([1, 0, 0, 0, 0]), weights)]
        print(f"{title:30} {kind:14} {len(own):4}  first step right as the model says {said[0]:5.1f} %, weighed {said[1]:5.1f} %")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--facet", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--cases", type=int, default=2280)
    parser.add_argument("--check", nargs="*", default=[])
    parser.add_argument("--out", default=str(HERE / "plan_weights.json"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cases = [case for path in draw(pathlib.Path(folder), args.cases) for case in read(args.facet, args.model, path)]
    weights = np.round(fit(cases), 2)
    show("training split", cases, weights)
    for path in args.check:
        show(pathlib.Path(path).name, read(args.facet, args.model, path), weights)
    text = json.dumps(dict(zip(NAMES, weights.tolist())))
    pathlib.Path(args.out).write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
