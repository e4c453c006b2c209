"""Trains the pocket generator on shards written by data.py.

Muon for the matrices, AdamW for the embedding and the norms; warm-up, constant rate, and a linear decay to zero
that starts when told: by --decay-at (a token count), or by the file DECAY in the run's folder, whose text is the
number of tokens that the decay takes. Checkpoints resume by themselves. Usage:
python train.py --shards DIR --run DIR --tokens 30000000
"""

import argparse
import csv
import os
import pathlib
import random
import time

import numpy as np
import torch
import torch.nn.functional as F

from model import Config, Model

LENGTHS = (128, 192, 256, 384, 512, 640, 768, 896, 1024, 1280, 1536, 2048, 4096, 8192)
TREE_LENGTHS = (768, 1024, 1536, 2048)


def orthogonalised(g, steps=5):
    """The quintic Newton-Schulz iteration on a stack of matrices [n, rows, columns], in bf16."""
    x = g.bfloat16()
    turned = x.shape[1] > x.shape[2]
    if turned:
        x = x.transpose(1, 2)
    x = x / (x.float().flatten(1).norm(dim=1)[:, None, None].to(x.dtype) + 1e-7)
    for _ in range(steps):
        a = x @ x.transpose(1, 2)
        b = -4.7750 * a + 2.0315 * (a @ a)
        x = 3.4445 * x + b @ x
    return x.transpose(1, 2) if turned else x


class Muon:
    """Momentum with orthogonalised updates; matrices of one shape are treated as one stack. factor(name): of its rate."""

    def __init__(self, named, momentum=0.95, factor=lambda name: 1.0):
        self.momentum = momentum
        self.groups = {}
        for name, p in named:
            self.groups.setdefault(tuple(p.shape), []).append((factor(name), p))
        self.buffers = {s: torch.zeros(len(g), *s) for s, g in self.groups.items()}

    @torch.no_grad()
    def step(self, lr, weight_decay):
        for shape, group in self.groups.items():
            grad = torch.stack([p.grad for _, p in group])
            buffer = self.buffers[shape]
            buffer.lerp_(grad, 1 - self.momentum)
            update = orthogonalised(grad.lerp(buffer, self.momentum)).float()
            scale = lr * max(1.0, shape[0] / shape[1]) ** 0.5
            for i, (factor, p) in enumerate(group):
                p.mul_(1 - factor * lr * weight_decay).add_(update[i], alpha=-factor * scale)


class Shards:
    """Batches out of shard files in order; each shard is read once, a shard that appears later is picked up."""

    def __init__(self, folder, batch_tokens, stages, seed=0, consume=False):
        self.consume = consume
        self.folder, self.batch_tokens, self.stages = pathlib.Path(folder), batch_tokens, stages
        self.used, self.rng, self.batches, self.current = [], random.Random(seed), [], None

    def next_file(self):
        while True:
            for stage in self.stages:
                for path in sorted(self.folder.glob(f"{stage}_*.npz")):
                    if path.name not in self.used and not path.name.endswith(".tmp.npz"):
                        self.used.append(path.name)
                        return path
            print("waiting for a shard", flush=True)
            time.sleep(5)

    def load(self):
        path = self.next_file()
        with np.load(path) as z:
            ids, mask, branches, offsets = z["ids"], z["mask"], z["branches"], z["offsets"]
        groups = {}
        for a, b in zip(offsets[:-1], offsets[1:]):
            tree = branches[a:b].any()
            length = next(n for n in (TREE_LENGTHS if tree else LENGTHS) if n >= b - a)
            groups.setdefault((length, tree), []).append((ids[a:b], mask[a:b], branches[a:b]))
        for (length, tree), rows in groups.items():
            rows_per_batch = max(1, self.batch_tokens // length)
            self.rng.shuffle(rows)
            for i in range(0, len(rows) - rows_per_batch + 1, rows_per_batch):
                self.batches.append((length, tree, rows[i : i + rows_per_batch]))
        self.rng.shuffle(self.batches)
        if self.consume:
            path.unlink()
        self.current = path.name
        print("shard", path.name, len(self.batches), "batches", flush=True)

    def batch(self):
        """(ids, mask, branches or None, tokens)."""
        if not self.batches:
            self.load()
        length, tree, rows = self.batches.pop()
        ids, mask, branches = np.zeros((3, len(rows), length), dtype=np.int64)
        count = 0
        for i, (row, m, b) in enumerate(rows):
            ids[i, : len(row)] = row
            mask[i, : len(row)] = m + 1  # 0 padding, 1 prompt, 2 emitted by the model
            branches[i, : len(row)] = b
            count += len(row)
        return torch.from_numpy(ids), torch.from_numpy(mask), torch.from_numpy(branches) if tree else None, count


def token_losses(logits, targets):
    """[n]; one compiled loop over each row of [n, vocabulary], where F.cross_entropy alone writes it three times."""
    return F.cross_entropy(logits.float(), targets, reduction="none")


def loss_of(model, ids, mask, branches, prompt_share, generator, losses_call=token_losses):
    """Mean loss over emitted tokens, and over a random share of the prompt's tokens at a low weight."""
    target, kind = ids[:, 1:], mask[:, 1:]
    if branches is not None:
        # What comes after the last token of a branch is no continuation of it.
        kind = torch.where(branches[:, 1:] == branches[:, :-1], kind, 0)
    chosen = kind == 2
    if prompt_share > 0:
        chosen = chosen | ((kind == 1) & (torch.rand(kind.shape, generator=generator, device=kind.device) < prompt_share))
    index = F.pad(chosen, (0, 1)).flatten().nonzero()[:, 0]
    x = model.hidden(ids, index, branches)
    losses = losses_call(model.head(x), target.flatten()[(index - index // ids.shape[1])])
    emitted = (kind == 2).flatten()[(index - index // ids.shape[1])]
    weight = torch.where(emitted, 1.0, 0.2)
    return (losses * weight).sum() / weight.sum(), (losses.detach() * emitted).sum() / emitted.sum()


def rate(tokens, seconds, args, decay):
    up = min(1.0, tokens / args.warmup)
    if args.minutes:
        left = 1.0 - seconds / (60 * args.minutes)
        return up * max(0.0, min(1.0, left / args.decay_share))
    if decay:
        start, length = decay
        return up * max(0.0, 1.0 - (tokens - start) / length)
    return up


def save(path, state):
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    os.replace(temporary, path)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--shards", required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("--tokens", type=float, default=30e6)
    parser.add_argument("--decay-at", type=float, default=0)
    parser.add_argument("--rate-scale", type=float, default=1.0, help="factor on both learning rates")
    parser.add_argument("--decay-now", type=float, default=0, help="start (again) to decay, over so many tokens")
    parser.add_argument("--sharpen", type=float, default=4.0, help="learning rate factor of the query and key norms")
    parser.add_argument("--batch-tokens", type=int, default=8192)
    parser.add_argument("--muon-lr", type=float, default=0.02)
    parser.add_argument("--adam-lr", type=float, default=3e-3)
    parser.add_argument("--weight-decay", type=float, default=0.05)
    parser.add_argument("--warmup", type=float, default=300e3)
    parser.add_argument("--prompt-share", type=float, default=0.1)
    parser.add_argument("--prompt-until", type=float, default=6e6)
    parser.add_argument("--stages", default="short,main")
    parser.add_argument("--save-every", type=int, default=100)
    parser.add_argument("--eval-every", type=int, default=150)
    parser.add_argument("--threads", type=int, default=1, help="on a CPU; two give 1.6 times the speed of one where nothing else runs")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--minutes", type=float, default=0, help="plan the run by its time, over all calls; the rate falls at the end")
    parser.add_argument("--decay-share", type=float, default=0.5, help="of --minutes")
    parser.add_argument("--stop-after", type=float, default=0, help="minutes of this call; the next one goes on")
    parser.add_argument("--consume", action="store_true", help="delete a shard that was read")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--config", default="")
    parser.add_argument("--ema", type=float, default=0.0, help="also keep a running average of the weights, which holds on to so much of itself at a step")
    parser.add_argument("--init", help="a GGUF file of export.py whose weights a new run starts from")
    parser.add_argument("--blocks", help="train these layers alone, as 6,7,9 (counted from 0), and leave all other weights as they are")
    parser.add_argument("--others", type=float, default=0.0, help="train all other weights than --blocks too, at this factor of the rate")
    args = parser.parse_args()
    config = Config(**{k: int(v) for k, v in (x.split("=") for x in args.config.split(",") if x)})
    blocks = [int(n) for n in args.blocks.split(",")] if args.blocks else []
    if any(n not in range(config.layers) for n in blocks):
        parser.error(f"--blocks {args.blocks}: there are layers 0 to {config.layers - 1}")
    if args.others and not blocks:
        parser.error("--others: others than which --blocks?")
    if args.device == "cpu":
        torch.set_num_threads(args.threads)
        torch.set_flush_denormal(True)
    torch.manual_seed(args.seed)
    run = pathlib.Path(args.run)
    run.mkdir(parents=True, exist_ok=True)
    model = Model(config)
    of_blocks = tuple(f"blocks.{n}." for n in blocks)

    def factor(name):
        """Of the learning rate."""
        return 1.0 if not blocks or name.startswith(of_blocks) else args.others

    for n, p in model.named_parameters():
        p.requires_grad_(factor(n) > 0)
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    # How sharp attention can be is the scale of these norms; they have far to go and few gradients to go by.
    sharp = [p for n, p in named if n.endswith((".q_norm", ".k_norm"))]
    matrices = [(n, p) for n, p in named if p.dim() == 2 and n != "embed"]
    others = [(n, p) for n, p in named if p.dim() != 2 or n == "embed"]
    groups = [dict(params=[p for n, p in others if factor(n) == f], factor=f) for f in sorted({factor(n) for n, _ in others})]
    shards = Shards(args.shards, args.batch_tokens, args.stages.split(","), args.seed, args.consume)
    adam = torch.optim.AdamW(groups, lr=args.adam_lr, betas=(0.9, 0.98), weight_decay=0.0)
    muon = Muon(matrices, factor=factor)
    tokens, tokens_before, step, decay, seconds = 0, 0, 0, None, 0.0
    checkpoint = run / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=False, map_location="cpu")
        model.load_state_dict(state["model"])
        adam.load_state_dict(state["adam"])
        muon.buffers = state["muon"]
        tokens, step, decay, seconds, shards.used = (state[k] for k in ("tokens", "step", "decay", "seconds", "used"))
        tokens_before = state.get("tokens_before", 0)
        print("resumed at", tokens, flush=True)
    elif args.init:
        from export import read_gguf

        began_from, tokens_before = read_gguf(args.init)
        model.load_state_dict(began_from.state_dict())
        print("started from", args.init, flush=True)
    ema = {k: v.detach().cpu().clone() for k, v in model.state_dict().items()} if args.ema else {}
    if args.ema and checkpoint.exists() and state.get("ema"):
        ema = state["ema"]
    if args.decay_now:
        decay = (tokens, args.decay_now)
    if args.device == "cuda":
        model.cuda()
        muon.buffers = {s: b.cuda() for s, b in muon.buffers.items()}
        for s in adam.state.values():
            s.update({k: v.cuda() for k, v in s.items() if torch.is_tensor(v)})
    model.fused = args.device == "cuda"
    losses_call = token_losses
    if args.compile:
        model.compile()
        losses_call = torch.compile(token_losses, dynamic=True)
    generator = torch.Generator().manual_seed(args.seed + step)
    log = open(run / "loss.csv", "a", newline="")
    table = csv.writer(log)
    mean, clock = None, time.time()

    def write():
        save(checkpoint, dict(model=model.state_dict(), adam=adam.state_dict(), muon=muon.buffers, ema=ema, tokens=tokens, tokens_before=tokens_before, step=step,
                              decay=decay, seconds=seconds, used=shards.used[:-1] if shards.batches else shards.used, config=vars(config)))

    began = time.time()

    def has_time():
        if args.stop_after and time.time() - began > 60 * args.stop_after:
            return False
        return not args.minutes or seconds < 60 * args.minutes

    while tokens < args.tokens and (not decay or tokens < decay[0] + decay[1]) and has_time():
        ids, mask, branches, count = shards.batch()
        if args.device == "cuda":
            ids, mask, branches = ids.cuda(), mask.cuda(), branches.cuda() if branches is not None else None
        share = args.prompt_share if tokens < args.prompt_until else 0.0
        loss, emitted = loss_of(model, ids, mask, branches, share, generator if args.device == "cpu" else None, losses_call)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_([p for _, p in others], 1.0)
        if not decay and args.decay_at and tokens >= args.decay_at:
            decay = (tokens, args.tokens - tokens)
        if not decay and (run / "DECAY").exists():
            decay = (tokens, float((run / "DECAY").read_text()))
            print("decay", decay, flush=True)
        r = rate(tokens, seconds, args, decay) * args.rate_scale
        muon.step(args.muon_lr * r, args.weight_decay)
        for g in adam.param_groups:
            g["lr"] = args.adam_lr * r * g["factor"]
        before = [p.detach().clone() for p in sharp]
        adam.step()
        with torch.no_grad():
            for p, old in zip(sharp, before):
                p.copy_(old + args.sharpen * (p - old))
        with torch.no_grad():
            now = model.state_dict() if ema else {}
            for k, average in ema.items():
                average.lerp_(now[k].cpu(), 1.0 - args.ema)
        model.zero_grad(set_to_none=True)
        tokens += count
        step += 1
        took = time.time() - clock
        seconds += took
        clock = time.time()
        mean = emitted.item() if mean is None else 0.95 * mean + 0.05 * emitted.item()
        table.writerow([step, tokens, f"{emitted.item():.4f}", f"{mean:.4f}", f"{r:.4f}", f"{seconds:.1f}"])
        if step % 10 == 0:
            log.flush()
            print(f"step {step} tokens {tokens} len {ids.shape[1]} loss {emitted.item():.3f} mean {mean:.3f} norm {norm:.2f} rate {r:.3f} {count / took:.0f} tok/s", flush=True)
        if step % args.save_every == 0:
            write()
        if args.eval_every and step % args.eval_every == 0:
            from evaluate import quick

            print("eval", tokens, quick(model), flush=True)
            clock = time.time()
    write()
    if args.minutes and seconds >= 60 * args.minutes:
        (run / "DONE").touch()
    log.close()
    print("done", tokens, f"{seconds / 60:.1f} minutes", flush=True)


if __name__ == "__main__":
    main()
