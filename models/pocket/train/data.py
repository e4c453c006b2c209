"""Seeded generator of tool-calling conversations, and the writer of tokenised shards.

python data.py --show 3                       prints three conversations
python data.py --check                        proves that the held-out files are held out (leaks.py)
python data.py --out DIR --shards 4 --tokens 2000000 --stage blend --seed 1
"""

import argparse
import pathlib
import random
import sys
import time

import document_trees
import facts
import leaks
import shards
import tool_rows
import tool_trees
from conversation import Conversation
from document_turns import DocumentTalk

STAGES = ["short", "mid", "dense", "main", "mix", "docs", "tools", "trees", "doctrees", "pairs", "plans", "blend", "long", "all"]
# What the rows of the stage "blend" are, in shares; --blend sets others.
BLEND = {"trees": 0.5, "doctrees": 0.26, "tools": 0.02, "mix": 0.15, "docs": 0.07, "pairs": 0.0, "plans": 0.0}


def sample(rng, tokens, stage, split="train"):
    """One shards.Row. Turns are added until the length of the stage is reached."""
    if stage == "all":
        stage = rng.choices(["blend", "short", "long"], [92, 4, 4])[0]
    if stage == "long":
        return tool_rows.sample(rng, tokens, split, rng.choice(tool_rows.LONG))
    if stage == "blend":
        stage = rng.choices(list(BLEND), list(BLEND.values()))[0]
    if stage == "trees":
        return tool_trees.sample(rng, tokens, split)
    if stage == "doctrees":
        return document_trees.sample(rng, tokens, split)
    if stage == "pairs":
        return document_trees.sample_pairs(rng, tokens, split)
    if stage == "plans":
        return tool_trees.sample_plans(rng, tokens, split)
    if stage == "tools":
        return tool_rows.sample(rng, tokens, split)
    if stage == "mix":
        stage = rng.choice(["mid", "dense", "main"])
    small = stage == "short"
    mid, dense = stage in ("mid", "dense"), stage == "dense"
    limit = 256 if small else 512 if mid else 896
    c = (DocumentTalk if stage == "docs" else Conversation)(rng, split, small, mid, dense)
    planning = rng.random() < 0.5
    turns, best, too_long = [], None, 0
    goal = rng.choice([180, 230]) if small else rng.choice([300, 370, 450, 490]) if mid else rng.choice([450, 540, 620, 740])
    for _ in range(16):
        ids_before = c.next_id
        turns.append(c.turn())
        ids, mask = tokens.parts(c.render(turns, planning))
        if len(ids) > limit:
            turns.pop()
            c.next_id = ids_before
            too_long += 1
            if too_long > 3:
                break
            continue
        best = ids, mask
        if len(ids) >= goal:
            break
    # A row that is nearly all prompt teaches little for what it costs.
    if best is None or sum(best[1]) < len(best[1]) * (0.14 if mid else 0.07):
        return None
    return shards.Row(best[0], best[1], turns)


def printed(tokens, made):
    """A row with what the model emits in green; a branch of a tree begins on a line of its own."""
    pieces, last, branch = [], 0, 0
    for i, m, b in zip(made.ids, made.mask, made.branches or [0] * len(made.ids)):
        if b != branch:
            pieces.append("\n")
            branch = b
        if m != last:
            pieces.append("\x1b[32m" if m else "\x1b[0m")
            last = m
        pieces.append(tokens.sp.id_to_piece(i).replace("▁", " "))
    return "".join(pieces) + "\x1b[0m"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--show", type=int, default=0)
    parser.add_argument("--check", action="store_true", help="compare the held-out files with generated training conversations")
    parser.add_argument("--documents", help="a folder whose sentences --check also looks for")
    parser.add_argument("--count", type=int, default=3000, help="conversations of each generator that --check looks at")
    parser.add_argument("--out")
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--tokens", type=int, default=2_000_000)
    parser.add_argument("--stage", choices=STAGES, default="main")
    parser.add_argument("--blend", help="shares of the rows of the stage blend: trees,doctrees,tools,mix,docs,pairs,plans")
    parser.add_argument("--cells", action="store_true", help="answers from tables are cells, not rows")
    parser.add_argument("--split", choices=["train", "eval"], default="train")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shards-waiting-max", type=int, default=0, help="write no more while so many lie unread (0: write on)")
    parser.add_argument("--tokenizer", default=str(shards.HERE / "tokenizer.model"))
    args = parser.parse_args()
    if args.check:
        sys.exit(1 if leaks.check(args.count, args.documents) else 0)
    facts.CELLS = args.cells
    if args.blend:
        BLEND.update(zip(BLEND, map(float, args.blend.split(",")), strict=True))
    tokens = shards.Tokens(args.tokenizer)
    for n in range(args.show):
        made = sample(random.Random(f"{args.seed}/show/{n}"), tokens, args.stage, args.split)
        if made:
            print(len(made.ids), sum(made.mask), [t["kind"] for t in made.turns])
            print(printed(tokens, made))
    if args.out:
        out = pathlib.Path(args.out)
        out.mkdir(parents=True, exist_ok=True)
        for n in range(args.first, args.first + args.shards):
            while args.shards_waiting_max and len(list(out.glob(f"{args.stage}_*.npz"))) >= args.shards_waiting_max:
                time.sleep(0.5)
            start, rng = time.time(), random.Random(f"{args.seed}/{args.stage}/{n}")
            shards.write_shard(out / f"{args.stage}_{n:04d}.npz", lambda: sample(rng, tokens, args.stage), args.tokens)
            print(f"shard {n}: {args.tokens / (time.time() - start):.0f} tokens/s", flush=True)


if __name__ == "__main__":
    main()
