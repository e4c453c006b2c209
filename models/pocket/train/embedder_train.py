"""Trains the pocket embedder: a bag-of-tokens stage, then the whole network.

InfoNCE both ways over the batch, mined hard negatives added to the documents, the loss summed over
several leading widths of the vector (Matryoshka). Texts are grouped by length before padding. Muon
for matrices, AdamW for the rest. The learning rate is constant after warm-up and falls to zero over
the last `--decay` share of the time, so a run is planned by `--minutes`. Resumes from its checkpoint.

  python3 embedder_train.py --work WORK --stage bag --batch 1024 --tokens 128 --lr-table 5e-3 \
      --lr-heads 1e-3 --minutes 15
  python3 embedder_train.py --work WORK --stage full --init WORK/bag.pt --tokens 72 --minutes 40
"""

import argparse
import csv
import os
import time

import numpy as np
import torch
import torch.nn.functional as F

from embedder_model import Embedder, EmbedderConfig

SOURCE_WEIGHT = {"heading": 1.2, "package": 1.2, "package_sentence": 0.9, "policy": 1.0, "sentence": 1.6}
WIDTHS = (256, 128, 64)
WIDTH_WEIGHT = (1.0, 0.5, 0.25)
SCALE = 20.0  # The inverse of the softmax temperature.


class Pairs:
    """tokens.npz in memory; draws batches of token lists."""

    def __init__(self, path, seed):
        data = np.load(path)
        self.ids, self.offsets, self.first = data["ids"], data["offsets"], data["first"]
        self.negatives, self.source = data["negatives"], data["source"]
        self.rng = np.random.default_rng(seed)
        names = list(data["sources"])
        train = ~data["held_out"]
        self.by_source = [np.flatnonzero(train & (self.source == i)) for i in range(len(names))]
        weight = np.array([SOURCE_WEIGHT[n] for n in names])
        self.weight = weight / weight.sum()
        self.held_out = np.flatnonzero(data["held_out"])

    def text(self, index, tokens_max):
        ids = self.ids[self.offsets[index] : self.offsets[index + 1]]
        if len(ids) > tokens_max:
            ids = np.append(ids[: tokens_max - 1], ids[-1])
        return ids.astype(np.int64)

    def draw(self, count, tokens_max, with_negatives, one_source):
        if one_source:
            source = self.rng.choice(len(self.weight), p=self.weight)
            rows = self.rng.choice(self.by_source[source], count, replace=False)
        else:
            shares = self.rng.multinomial(count, self.weight)
            rows = np.concatenate(
                [self.rng.choice(r, n, replace=False) for r, n in zip(self.by_source, shares)]
            )
        return self.texts(rows, tokens_max, with_negatives)

    def texts(self, rows, tokens_max, with_negatives):
        queries = [self.text(self.first[r], 64) for r in rows]
        documents = [self.text(self.first[r] + 1, tokens_max) for r in rows]
        hard = []
        if with_negatives:
            for row in rows[self.negatives[rows] > 0]:
                pick = self.rng.integers(self.negatives[row])
                hard.append(self.text(self.first[row] + 2 + pick, tokens_max))
        return queries, documents, hard


def bag_encode(model, texts, device):
    flat = torch.from_numpy(np.concatenate(texts)).to(device)
    offsets = torch.from_numpy(np.cumsum([0] + [len(t) for t in texts])[:-1]).to(device)
    return model.bag(flat, offsets)


def full_encode(model, texts, groups, device):
    """Embeds texts in `groups` batches of similar length, each padded to a multiple of 16."""
    order = np.argsort([len(t) for t in texts], kind="stable")
    parts = []
    for group in np.array_split(order, groups):
        longest = max(len(texts[i]) for i in group)
        width = (longest + 15) // 16 * 16
        ids = np.zeros((len(group), width), dtype=np.int64)
        for row, i in enumerate(group):
            ids[row, : len(texts[i])] = texts[i]
        lengths = torch.tensor([len(texts[i]) for i in group])
        parts.append(model(torch.from_numpy(ids).to(device), lengths.to(device)))
    back = np.empty(len(texts), dtype=np.int64)
    back[order] = np.arange(len(texts))
    return torch.cat(parts)[torch.from_numpy(back).to(device)]


def contrastive_loss(queries, documents, keys):
    """InfoNCE, query to document and back, at each Matryoshka width; equal texts do not compete."""
    count = len(queries)
    same = torch.from_numpy(keys[:count, None] == keys[None, :])
    same[torch.arange(count), torch.arange(count)] = False
    same, target = same.to(queries.device), torch.arange(count, device=queries.device)
    total = 0.0
    for width, weight in zip(WIDTHS, WIDTH_WEIGHT):
        q = F.normalize(queries[:, :width], dim=-1)
        d = F.normalize(documents[:, :width], dim=-1)
        scores = (SCALE * q @ d.T).masked_fill(same, -1e4)
        back = scores[:, :count].T
        total = total + weight * (F.cross_entropy(scores, target) + 0.3 * F.cross_entropy(back, target))
    return total / (1.3 * sum(WIDTH_WEIGHT))


def text_keys(texts):
    return np.array([hash(t[:40].tobytes()) for t in texts])


def evaluate(encode, pairs, count=1000):
    """Share of held-out queries whose text ranks first, and in the first 10, among `count`."""
    rows = pairs.held_out[:count]
    queries, documents, _ = pairs.texts(rows, 128, False)
    with torch.no_grad():
        q = torch.cat([encode(queries[i : i + 200]) for i in range(0, len(rows), 200)])
        d = torch.cat([encode(documents[i : i + 200]) for i in range(0, len(rows), 200)])
    rank = (q @ d.T > (q * d).sum(-1, keepdim=True) + 1e-6).sum(-1)
    return (rank == 0).float().mean().item(), (rank < 10).float().mean().item()


def optimizers(model, args):
    layers = [(n, p) for n, p in model.named_parameters() if n.startswith("layers.")]
    matrices = [p for _, p in layers if p.ndim == 2]
    norms = [p for _, p in layers if p.ndim == 1] + [model.norm.weight]
    heads = [model.dense_2.weight, model.dense_3.weight]
    adam = [
        {"params": [model.embed_tokens.weight], "lr": args.lr_table, "weight_decay": 0.0},
        {"params": norms, "lr": args.lr_norms, "weight_decay": 0.0},
        {"params": heads, "lr": args.lr_heads, "weight_decay": 0.0},
    ]
    if args.stage == "bag":
        return [torch.optim.AdamW(adam, betas=(0.9, 0.98))]
    muon = torch.optim.Muon(
        matrices, lr=args.lr_muon, weight_decay=0.02, adjust_lr_fn="match_rms_adamw"
    )
    return [torch.optim.AdamW(adam, betas=(0.9, 0.98)), muon]


def rate(elapsed, step, args):
    decay_from = args.minutes * 60 * (1 - args.decay)
    warm = min(1.0, (step + 1) / args.warmup)
    if elapsed <= decay_from:
        return warm
    return warm * max(0.0, (args.minutes * 60 - elapsed) / (args.minutes * 60 * args.decay))


def save(path, model, opts, state):
    blob = {"model": model.state_dict(), "opts": [o.state_dict() for o in opts], "state": state}
    torch.save(blob, path + ".tmp")
    os.replace(path + ".tmp", path)


def train(args):
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(args.seed)
    pairs = Pairs(os.path.join(args.work, "tokens.npz"), args.seed)
    model = Embedder(EmbedderConfig()).to(args.device)
    path = os.path.join(args.work, f"{args.stage}.pt")
    state = {"elapsed": 0.0, "step": 0, "tokens": 0}
    opts = optimizers(model, args)
    if os.path.exists(path) and not args.restart:
        blob = torch.load(path, weights_only=False, map_location=args.device)
        model.load_state_dict(blob["model"])
        for opt, saved in zip(opts, blob["opts"]):
            opt.load_state_dict(saved)
        state = blob["state"]
        pairs.rng = np.random.default_rng(args.seed + state["step"])
    elif args.init:
        # The bag stage never touches the layers; they keep their own start.
        saved = torch.load(args.init, weights_only=False, map_location=args.device)["model"]
        bag = {k: v for k, v in saved.items() if not k.startswith("layers.")}
        model.load_state_dict(bag, strict=False)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters, step {state['step']}", flush=True)
    base = [[g["lr"] for g in o.param_groups] for o in opts] if state["step"] == 0 else state["base"]
    state["base"] = base
    forward = torch.compile(model, dynamic=True) if args.compile and args.stage == "full" else model

    def encode(texts, groups=1):
        if args.stage == "bag":
            return bag_encode(model, texts, args.device)
        with torch.autocast(args.device, dtype=torch.bfloat16, enabled=args.bf16):
            return full_encode(forward, texts, groups, args.device)

    log = csv.writer(open(os.path.join(args.work, f"{args.stage}.csv"), "a", newline=""))
    last, recent = time.time(), []
    while state["elapsed"] < args.minutes * 60:
        full = args.stage == "full"
        long_texts = full and pairs.rng.random() < args.long_share
        count = args.batch // 2 if long_texts else args.batch
        queries, documents, hard = pairs.draw(
            count, 256 if long_texts else args.tokens, True, pairs.rng.random() < args.one_source
        )
        for opt, rates in zip(opts, base):
            for group, lr in zip(opt.param_groups, rates):
                group["lr"] = lr * rate(state["elapsed"], state["step"], args)
        texts = documents + hard
        loss = contrastive_loss(encode(queries), encode(texts, args.groups), text_keys(texts))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for opt in opts:
            opt.step()
            opt.zero_grad(set_to_none=True)
        now = time.time()
        state["elapsed"] += now - last
        last = now
        state["step"] += 1
        state["tokens"] += sum(len(t) for t in queries + texts)
        recent.append(loss.item())
        if state["step"] % args.log == 0:
            row = [state["step"], round(state["elapsed"], 1), state["tokens"], round(np.mean(recent), 4)]
            log.writerow(row)
            print("step %d, %.0f s, %d tokens, loss %.4f" % tuple(row), flush=True)
            recent = []
        if state["step"] % args.save == 0:
            save(path, model, opts, state)
            print("held out: first %.3f, in 10 %.3f" % evaluate(encode, pairs), flush=True)
    save(path, model, opts, state)
    print("finished; held out: first %.3f, in 10 %.3f" % evaluate(encode, pairs), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", default="build/pocket/embedder")
    parser.add_argument("--stage", choices=["bag", "full"], required=True)
    parser.add_argument("--init", help="checkpoint to start from when there is none to resume")
    parser.add_argument("--restart", action="store_true", help="ignore the stage's own checkpoint")
    parser.add_argument("--minutes", type=float, default=50)
    parser.add_argument("--decay", type=float, default=0.3)
    parser.add_argument("--warmup", type=int, default=40)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--tokens", type=int, default=112)
    parser.add_argument("--groups", type=int, default=4)
    parser.add_argument("--long-share", type=float, default=0.0)
    parser.add_argument("--lr-table", type=float, default=5e-5)
    parser.add_argument("--lr-heads", type=float, default=5e-5)
    parser.add_argument("--lr-norms", type=float, default=5e-4)
    parser.add_argument("--lr-muon", type=float, default=6e-3)
    parser.add_argument("--one-source", type=float, default=0.5, help="share of such batches")
    parser.add_argument("--log", type=int, default=10)
    parser.add_argument("--save", type=int, default=100)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
