"""Fits the log-linear model of which words of a request a parameter holds (agent/slot_model.h): slot_weights.npz.

python slot_fit.py --facet FACET [--cases 240000] [--bits 18] [--check FILE.jsonl ...]

Draws requests for tools of the training split, in its phrasings: calls, some two at once, and requests that lack an argument.
`facet debug slots` says which spans each parameter may hold and the features of each; the table is fitted by gradient descent on
the probability of the right span, beside some of the others drawn anew each time, and rounded to 8 bits. No held-out case is read but to --check: how many arguments
are right by the words alone, and how probable the right ones are.
"""

import argparse
import json
import pathlib
import random
import subprocess
import tempfile

import numpy as np
import torch

import talk_cases
import tool_talk

HERE = pathlib.Path(__file__).resolve().parent
KINDS = {"call": 60, "ask": 25, "parallel": 8, "sequence": 7}
TURNS_PER_TALK = 4
OTHERS_MAX = 20  # Wrong spans of a parameter that one pass compares with the right one.
PASSES, BATCH, RATE = 5, 256, 0.02
SHARE = 1.0  # What the logarithm of a span's probability counts beside the model's.


def draw(rng, count):
    """Cases of `facet eval calls`, of the called tools alone."""
    made = 0
    while made < count:
        talk = tool_talk.ToolTalk(rng, "train", 4, 0, rng.choice([2, 3, 3, 4]))
        for _ in range(TURNS_PER_TALK):
            turn = talk.turn(rng.choices(list(KINDS), list(KINDS.values()))[0])
            if not turn:
                continue
            yield talk_cases.case(made, talk, turn, only_called=True)
            made += 1


class Slots:
    """Parameters with their spans, as arrays: a span's features are those of `crossed`, alone and with each of the
    parameter's, and those of `own`."""

    def __init__(self):
        self.all = []

    def read(self, facet, path):
        with subprocess.Popen([facet, "debug", "slots", str(path)], stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                for slot in json.loads(line)["slots"]:
                    if slot["right"]:
                        self.add(slot)
        if process.returncode:
            raise SystemExit("facet debug slots failed")
        return self

    def add(self, slot):
        crossed = [np.array(s[0], np.uint32) for s in slot["spans"]]
        own = [np.array(s[1], np.uint32) for s in slot["spans"]]
        self.all.append((np.array(slot["features"], np.uint32), crossed, own, slot["right"]))


def pairs(parameter, spans):
    """crossed_feature() of each pair."""
    with np.errstate(over="ignore"):
        out = (parameter[:, None] * np.uint32(0x9E3779B1)) ^ spans[None, :]
        out *= np.uint32(0x85EBCA6B)
        return (out ^ (out >> np.uint32(15))).ravel()


def batch(slots, size, rng=None):
    """(feature numbers, where each span begins, the parameter of each span, the right span of each parameter)."""
    ids, begins, of, right, at = [], [], [], [], 0
    for n, (parameter, crossed, own, is_right) in enumerate(slots):
        nothing = len(crossed) - 1
        chosen = [i for i in range(len(crossed)) if i not in is_right and i != nothing]
        if rng and len(chosen) > OTHERS_MAX:
            chosen = rng.sample(chosen, OTHERS_MAX)
        chosen += [is_right[0]] + ([nothing] if is_right[0] != nothing else [])
        for i in chosen:
            begins.append(at)
            of.append(n)
            if i == is_right[0]:
                right.append(len(of) - 1)
            ids += [own[i], crossed[i], pairs(parameter, crossed[i])]
            at += len(own[i]) + len(crossed[i]) * (1 + len(parameter))
    flat = np.concatenate(ids).astype(np.int64) % size
    return torch.from_numpy(flat), torch.tensor(begins), torch.tensor(of), torch.tensor(right)


def log_p(table, slots, rng=None):
    """The logarithm of the probability of each right span, and whether it is the most probable one."""
    ids, begins, of, right = batch(slots, len(table), rng)
    scores = torch.nn.functional.embedding_bag(ids, table[:, None], begins, mode="sum")[:, 0]
    most = torch.full((len(slots),), -1e30).scatter_reduce(0, of, scores.detach(), "amax")
    total = torch.zeros(len(slots)).index_add(0, of, torch.exp(scores - most[of]))
    return scores[right] - most - total.log(), scores[right] >= most


def fit(slots, size, rng):
    table = torch.zeros(size, requires_grad=True)
    steps = PASSES * (len(slots) // BATCH + 1)
    adam = torch.optim.Adam([table], lr=RATE)
    schedule = torch.optim.lr_scheduler.LambdaLR(adam, lambda n: 1 - n / steps)
    for n in range(PASSES):
        rng.shuffle(slots)
        total = 0.0
        for i in range(0, len(slots), BATCH):
            adam.zero_grad()
            loss = -log_p(table, slots[i : i + BATCH], rng)[0].mean()
            loss.backward()
            adam.step()
            schedule.step()
            total += float(loss.detach()) * len(slots[i : i + BATCH])
        print(f"pass {n + 1}: {total / len(slots):.3f} nats", flush=True)
    return table.detach()


def show(title, table, slots):
    with torch.no_grad():
        parts = [log_p(table, slots[i : i + BATCH]) for i in range(0, len(slots), BATCH)]
    found = torch.cat([p[1] for p in parts]).float()
    print(f"{title}: {len(slots)} arguments, {100 * found.mean():.1f} % right by the words alone, {-torch.cat([p[0] for p in parts]).mean():.3f} nats")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--facet", required=True)
    parser.add_argument("--cases", type=int, default=240000)
    parser.add_argument("--bits", type=int, default=18, help="the table has two to the power of this")
    parser.add_argument("--seed", type=int, default=71)
    parser.add_argument("--check", nargs="*", default=[])
    parser.add_argument("--out", default=str(HERE / "slot_weights.npz"))
    args = parser.parse_args()
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "cases.jsonl"
        path.write_text("".join(json.dumps(c, ensure_ascii=False) + "\n" for c in draw(rng, args.cases)))
        slots = Slots().read(args.facet, path).all
    exact = fit(slots, 1 << args.bits, rng)
    scale = float(exact.abs().max()) / 127
    table = torch.round(exact / scale).to(torch.int8)
    for path in args.check:
        found = Slots().read(args.facet, path).all
        if found:  # Cases that ask back expect no call.
            show(pathlib.Path(path).name, table.float() * scale, found)
    np.savez_compressed(args.out, table=table.numpy(), scale=np.float32(scale), share=np.float32(SHARE))


if __name__ == "__main__":
    main()
