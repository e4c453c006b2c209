"""Mean loss of the emitted tokens on shards that no run has read: of files, checkpoints and averages of them.

python fresh_loss.py --shards FRESH --batches 16 ../generator.gguf RUN/checkpoint.pt 0.25:../generator.gguf+0.75:RUN/checkpoint.pt@ema

All are given the same batches, so a difference of one in a hundred is no chance; the held-out files need several points.
Names as for export.py. CPU only.
"""

import argparse

import torch

import train
from export import average


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--shards", required=True)
    parser.add_argument("--stages", default="blend")
    parser.add_argument("--batches", type=int, default=16, help="of 8192 tokens")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("models", nargs="+")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    shards = train.Shards(args.shards, 8192, args.stages.split(","), seed=5)
    batches = [shards.batch() for _ in range(args.batches)]
    for spec in args.models:
        model, total, parts = average(spec)[0], 0.0, {}
        model.compile()
        for ids, mask, branches, _ in batches:
            with torch.no_grad():
                loss = train.loss_of(model, ids, mask, branches, 0.0, None)[1].item()
            total += loss
            parts.setdefault(f"rows of {ids.shape[1]}" if branches is None else f"trees of {ids.shape[1]}", []).append(loss)
        print(f"{total / len(batches):.5f}", spec, {k: round(sum(v) / len(v), 4) for k, v in sorted(parts.items())}, flush=True)


if __name__ == "__main__":
    main()
