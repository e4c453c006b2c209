"""Draws the smoothed training loss and the learning rate over tokens. Usage: python plot.py --loss loss.csv --out loss.png"""

import argparse
import csv

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--loss", required=True)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    with open(args.loss) as f:
        rows = [[float(x) for x in row] for row in csv.reader(f)]
    tokens = [r[1] / 1e6 for r in rows]
    figure, left = plt.subplots(figsize=(7, 3.5), dpi=90)
    left.plot(tokens, [r[2] for r in rows], color="0.8", linewidth=0.6)
    left.plot(tokens, [r[3] for r in rows], color="tab:blue")
    left.set(xlabel="million tokens", ylabel="loss per emitted token", yscale="log")
    right = left.twinx()
    right.plot(tokens, [r[4] for r in rows], color="tab:orange", linestyle=":")
    right.set(ylabel="relative learning rate", ylim=(0, 1.05))
    figure.tight_layout()
    figure.savefig(args.out)


if __name__ == "__main__":
    main()
