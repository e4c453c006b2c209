"""Tokenizer (only if missing), shards, training, export, scores: the pocket generator from nothing.

python reproduce.py --work FOLDER [--tokens 21000000]
"""

import argparse
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent


def run(*args):
    print("+", *args, flush=True)
    subprocess.run([sys.executable, *map(str, args)], cwd=HERE, check=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", required=True)
    parser.add_argument("--tokens", type=float, default=21e6)
    args = parser.parse_args()
    work = pathlib.Path(args.work).resolve()
    shards, train = work / "shards", work / "run"
    if not (HERE / "tokenizer.model").exists():
        run("tokenizer.py")
    # The trainer reads the stages in this order, each shard of a million tokens once.
    millions = int(args.tokens / 1e6)
    for stage, count in (("short", 3), ("mid", max(1, millions // 3)), ("dense", max(1, millions // 4)), ("main", max(1, millions // 2))):
        have = len(list(shards.glob(f"{stage}_*.npz")))
        if have < count:
            run("data.py", "--out", shards, "--stage", stage, "--first", have, "--shards", count - have, "--tokens", 1_000_000, "--seed", 1)
    run("train.py", "--shards", shards, "--run", train, "--stages", "short,mid,dense,main", "--tokens", args.tokens, "--decay-at", args.tokens * 0.5)
    checkpoint = train / "checkpoint.pt"
    run("export.py", "--checkpoint", checkpoint, "--gguf", work / "generator.gguf", "--hf", work / "hf")
    run("evaluate.py", "--checkpoint", checkpoint, "--json", work / "scores.json")
    run("evaluate.py", "--checkpoint", checkpoint, "--constrain", "--json", work / "scores_constrained.json")
    run("evaluate.py", "--checkpoint", checkpoint, "--constrain", "--natural", "--json", work / "scores_natural.json")
    run("plot.py", "--loss", train / "loss.csv", "--out", work / "loss.png")


if __name__ == "__main__":
    main()
