"""The Gemma 3 text architecture in PyTorch, as small as the pocket models need it.

Sandwich RMS norms that multiply by (1 + w), QK-norm, NeoX rotary positions with theta 1e4 on sliding and 1e6
on global layers (every sixth), GELU (tanh form) gated feed-forward, tied head, embeddings times sqrt(hidden).
"""

import dataclasses
import math

import torch
import torch.nn as nn
import torch.nn.functional as F


@dataclasses.dataclass
class Config:
    vocab_size: int = 8192
    hidden: int = 256
    layers: int = 8
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 64
    ffn: int = 768
    sliding_window: int = 1024
    sliding_pattern: int = 6
    theta_global: float = 1e6
    theta_local: float = 1e4
    eps: float = 1e-6
    context_length: int = 8192

    def is_global(self, layer):
        return (layer + 1) % self.sliding_pattern == 0


def rms_norm(x, w, eps):
    x32 = x.float()
    x32 = x32 * torch.rsqrt(x32.pow(2).mean(-1, keepdim=True) + eps)
    return x32 * (1.0 + w.float())


def gelu_tanh(x):
    """0.5 x (1 + tanh(u)) written as x sigmoid(2 u): the same function, cheaper to vectorise."""
    x32 = x.float()
    return (x32 * torch.sigmoid(1.5957691216057308 * (x32 + 0.044715 * x32 * x32 * x32))).to(x.dtype)


def rope_tables(length, head_dim, theta):
    """cos and sin of shape [length, head_dim]: NeoX pairing, element i with i + head_dim / 2."""
    freq = theta ** (-torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim)
    angle = torch.outer(torch.arange(length, dtype=torch.float32), freq)
    return torch.cat((angle.cos(), angle.cos()), -1), torch.cat((angle.sin(), angle.sin()), -1)


def rotate(x, cos, sin):
    half = x.shape[-1] // 2
    return x * cos + torch.cat((-x[..., half:], x[..., :half]), -1) * sin


ATTENTION_CHUNK = 128


def causal_mask(length, window=None):
    """0 where a query may look, a large negative number above the diagonal and `window` or more behind it."""
    mask = torch.full((length, length), -1e9).triu(1)
    return mask + torch.full((length, length), -1e9).tril(-window) if window and length > window else mask


def causal_attention(q, k, v, mask):
    """Plain attention over [rows * heads, length, head_dim], in chunks of queries; q carries the scale already.

    mask: [length, length] of all rows, or [rows, length, length]. On a CPU with matrix units this is several times
    faster in the backward pass than the fused kernel.
    """
    t, out = q.shape[1], []
    mask = mask.view(-1, 1, t, t)
    for start in range(0, t, ATTENTION_CHUNK):
        stop = min(start + ATTENTION_CHUNK, t)
        s = torch.bmm(q[:, start:stop], k[:, :stop].transpose(1, 2)).float()
        s = (s.view(mask.shape[0], -1, stop - start, stop) + mask[:, :, start:stop, :stop]).view_as(s)
        out.append(torch.bmm(torch.softmax(s, -1).to(v.dtype), v[:, :stop]))
    return torch.cat(out, 1)


def tree_positions(branches):
    """Positions [rows, length]: a branch goes on where the tokens that all branches follow (0) end; branches stand in order."""
    at = torch.arange(branches.shape[1], device=branches.device).expand_as(branches)
    starts = torch.where(branches[:, 1:] != branches[:, :-1], at[:, 1:], 0)
    start = F.pad(starts, (1, 0)).cummax(1).values
    trunk = ((branches == 0) & (at == (branches == 0).cumsum(1) - 1)).sum(1, keepdim=True)
    return torch.where(branches == 0, at, trunk + at - start)


def tree_sees(branches, positions, window=None):
    """[rows, length, length]: whether a query (second) may look at a key (third): its own branch and the tokens of all."""
    t = branches.shape[1]
    keys = branches[:, None, :]
    out = ((keys == 0) | (keys == branches[:, :, None])) & torch.ones(t, t, dtype=torch.bool, device=branches.device).tril()
    if window and t > window:
        out &= positions[:, :, None] - positions[:, None, :] < window
    return out


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.q = nn.Parameter(torch.empty(c.heads * c.head_dim, c.hidden))
        self.k = nn.Parameter(torch.empty(c.kv_heads * c.head_dim, c.hidden))
        self.v = nn.Parameter(torch.empty(c.kv_heads * c.head_dim, c.hidden))
        self.o = nn.Parameter(torch.empty(c.hidden, c.heads * c.head_dim))
        self.gate = nn.Parameter(torch.empty(c.ffn, c.hidden))
        self.up = nn.Parameter(torch.empty(c.ffn, c.hidden))
        self.down = nn.Parameter(torch.empty(c.hidden, c.ffn))
        self.attn_norm = nn.Parameter(torch.zeros(c.hidden))
        self.post_attn_norm = nn.Parameter(torch.zeros(c.hidden))
        self.ffn_norm = nn.Parameter(torch.zeros(c.hidden))
        self.post_ffn_norm = nn.Parameter(torch.zeros(c.hidden))
        self.q_norm = nn.Parameter(torch.zeros(c.head_dim))
        self.k_norm = nn.Parameter(torch.zeros(c.head_dim))

    def project(self, x, cos, sin):
        """Queries, keys, values of shape [batch, heads, length, head_dim]."""
        c, (b, t, _), dt = self.c, x.shape, self.compute_dtype
        h = rms_norm(x, self.attn_norm, c.eps).to(dt)
        qkv = F.linear(h, torch.cat((self.q, self.k, self.v)).to(dt))
        nq, nk = c.heads * c.head_dim, c.kv_heads * c.head_dim
        q, k, v = qkv.split((nq, nk, nk), -1)
        q = q.view(b, t, c.heads, c.head_dim).transpose(1, 2)
        k = k.view(b, t, c.kv_heads, c.head_dim).transpose(1, 2)
        v = v.view(b, t, c.kv_heads, c.head_dim).transpose(1, 2)
        q = (rotate(rms_norm(q, self.q_norm, c.eps), cos, sin) * c.head_dim**-0.5).to(dt)
        k = rotate(rms_norm(k, self.k_norm, c.eps), cos, sin).to(dt)
        return q, k, v

    def finish(self, x, a):
        """Attention output a of shape [batch, length, heads * head_dim] to the block's output."""
        c, dt = self.c, self.compute_dtype
        x = x + rms_norm(F.linear(a, self.o.to(dt)), self.post_attn_norm, c.eps).to(x.dtype)
        h = rms_norm(x, self.ffn_norm, c.eps).to(dt)
        gate_up = F.linear(h, torch.cat((self.gate, self.up)).to(dt))
        gate, up = gate_up.chunk(2, -1)
        m = F.linear(gelu_tanh(gate) * up, self.down.to(dt))
        return x + rms_norm(m, self.post_ffn_norm, c.eps).to(x.dtype)

    def attend(self, x, cos, sin, mask):
        """Attention output [batch, length, heads * head_dim] of whole rows; a mask of None or bool is for the fused kernel."""
        c, (b, t, _) = self.c, x.shape
        q, k, v = self.project(x, cos, sin)
        repeat = c.heads // c.kv_heads
        if mask is None or mask.dtype == torch.bool:
            k, v = k.repeat_interleave(repeat, 1), v.repeat_interleave(repeat, 1)
            each = mask.unsqueeze(1) if mask is not None and mask.dim() == 3 else mask
            a = F.scaled_dot_product_attention(q, k, v, attn_mask=each, is_causal=mask is None, scale=1.0)
            return a.transpose(1, 2).reshape(b, t, -1)
        k = k.unsqueeze(2).expand(-1, -1, repeat, -1, -1).reshape(b * c.heads, t, c.head_dim)
        v = v.unsqueeze(2).expand(-1, -1, repeat, -1, -1).reshape(b * c.heads, t, c.head_dim)
        q = q.reshape(b * c.heads, t, c.head_dim)
        a = causal_attention(q, k, v, mask).view(b, c.heads, t, c.head_dim)
        return a.transpose(1, 2).reshape(b, t, -1)

    def forward(self, x, cos, sin, mask):
        return self.finish(x, self.attend(x, cos, sin, mask))

    def step(self, x, cos, sin, mask, cache):
        """Like forward for new positions only; cache is a dict with the keys and values so far."""
        c, (b, t, _) = self.c, x.shape
        q, k, v = self.project(x, cos, sin)
        if "k" in cache:
            k, v = torch.cat((cache["k"], k), 2), torch.cat((cache["v"], v), 2)
        cache["k"], cache["v"] = k, v
        repeat = c.heads // c.kv_heads
        a = F.scaled_dot_product_attention(
            q, k.repeat_interleave(repeat, 1), v.repeat_interleave(repeat, 1), attn_mask=mask, scale=1.0
        )
        return self.finish(x, a.transpose(1, 2).reshape(b, t, -1))


class Model(nn.Module):
    def __init__(self, c, compute_dtype=torch.bfloat16, residual_dtype=torch.float32):
        super().__init__()
        self.c = c
        self.residual_dtype = residual_dtype
        self.embed = nn.Parameter(torch.empty(c.vocab_size, c.hidden))
        self.blocks = nn.ModuleList(Block(c) for _ in range(c.layers))
        self.norm = nn.Parameter(torch.zeros(c.hidden))
        self.set_compute_dtype(compute_dtype)
        for name, table in zip(("local", "global"), (c.theta_local, c.theta_global)):
            cos, sin = rope_tables(c.context_length, c.head_dim, table)
            self.register_buffer(f"cos_{name}", cos, persistent=False)
            self.register_buffer(f"sin_{name}", sin, persistent=False)
        self.reset()
        self.masks = self.both_masks(1024)
        self.fused = False  # Whether attention runs in one kernel: faster on CUDA, slower on a CPU with matrix units.
        self.block_call, self.attend_call, self.finish_call = Block.forward, Block.attend, Block.finish

    def both_masks(self, length):
        """By whether the layer is global."""
        return {True: causal_mask(length), False: causal_mask(length, self.c.sliding_window)}

    def added_masks(self, length):
        if length > self.masks[True].shape[0]:
            self.masks = self.both_masks(length)
        return {everywhere: m[:length, :length] for everywhere, m in self.masks.items()}

    def fused_masks(self, length, device):
        """None where causal order is the whole mask, else true where a query may look."""
        if length <= self.c.sliding_window:
            return {True: None, False: None}
        i = torch.arange(length, device=device)
        distance = i[:, None] - i[None, :]
        return {True: None, False: (distance >= 0) & (distance < self.c.sliding_window)}

    def set_compute_dtype(self, dtype):
        self.compute_dtype = dtype
        for block in self.blocks:
            block.compute_dtype = dtype

    def reset(self):
        for name, p in self.named_parameters():
            if p.dim() == 2:
                # The embedding is scaled by sqrt(hidden) on the way in and is the head on the way out.
                std = 1.0 / math.sqrt(self.c.hidden) if name == "embed" else 1.0 / math.sqrt(p.shape[1])
                nn.init.normal_(p, std=std)

    def tree_masks(self, branches, positions):
        sees = {True: tree_sees(branches, positions), False: tree_sees(branches, positions, self.c.sliding_window)}
        return sees if self.fused else {k: torch.zeros(m.shape, device=m.device).masked_fill_(~m, -1e9) for k, m in sees.items()}

    def tables(self, layer, positions):
        """cos and sin at a slice of positions, or at positions [rows, length]."""
        name = "global" if self.c.is_global(layer) else "local"
        out = getattr(self, f"cos_{name}")[positions], getattr(self, f"sin_{name}")[positions]
        return out if isinstance(positions, slice) else tuple(x.unsqueeze(1) for x in out)

    def compile(self):
        """Compiles the blocks; the last one's second half takes any number of positions."""
        torch._dynamo.config.cache_size_limit = 64
        self.block_call = torch.compile(Block.forward, dynamic=False)
        self.attend_call = torch.compile(Block.attend, dynamic=False)
        self.finish_call = torch.compile(Block.finish, dynamic=True)

    def hidden(self, ids, index=None, branches=None):
        """Hidden states of [batch, length, hidden], or [n, hidden] of the flat positions in index alone.

        branches [batch, length] makes each row a tree: 0 for the tokens that all its branches follow, then 1, 2, ...
        """
        x = F.embedding(ids, self.embed).to(self.residual_dtype) * math.sqrt(self.c.hidden)
        t = ids.shape[1]
        positions = slice(0, t)
        if branches is not None:
            positions = tree_positions(branches)
            masks = self.tree_masks(branches, positions)
        else:
            masks = self.fused_masks(t, x.device) if self.fused else self.added_masks(t)
        for i, block in enumerate(self.blocks):
            mask = masks[self.c.is_global(i)]
            cos, sin = self.tables(i, positions)
            if index is not None and i == len(self.blocks) - 1:
                a = self.attend_call(block, x, cos, sin, mask)
                return self.finish_call(block, x.flatten(0, 1)[index], a.flatten(0, 1)[index])
            x = self.block_call(block, x, cos, sin, mask)
        return x

    def head(self, x):
        h = rms_norm(x, self.norm, self.c.eps).to(self.compute_dtype)
        return F.linear(h, self.embed.to(self.compute_dtype))

    def forward(self, ids):
        return self.head(self.hidden(ids))

    def eager(self, ids):
        """forward without the compiled blocks, for rows of any length."""
        saved, self.block_call = self.block_call, Block.forward
        logits = self.forward(ids)
        self.block_call = saved
        return logits

    def decode(self, ids, caches, start):
        """Logits of the last new position [batch, vocab]; ids are the new positions from start on.

        Rows of the batch must have equal length; caches is a list with one dict per layer.
        """
        t = ids.shape[1]
        x = F.embedding(ids, self.embed).to(self.residual_dtype) * math.sqrt(self.c.hidden)
        i = torch.arange(start, start + t)[:, None]
        j = torch.arange(0, start + t)[None, :]
        causal = j <= i
        window = causal & (j > i - self.c.sliding_window)
        for n, block in enumerate(self.blocks):
            cos, sin = self.tables(n, slice(start, start + t))
            x = block.step(x, cos, sin, causal if self.c.is_global(n) else window, caches[n])
        return self.head(x[:, -1])


@torch.no_grad()
def compare(length=96, window=32):
    """The largest differences of the logits in fp32: fused masks, one position after the other, and trees from plain rows."""
    torch.manual_seed(1)
    c = Config(hidden=64, layers=6, heads=4, kv_heads=2, head_dim=16, ffn=96, sliding_window=window, context_length=256)
    model = Model(c, compute_dtype=torch.float32)
    ids = torch.randint(109, c.vocab_size, (2, length))
    added = model(ids)
    model.fused = True
    fused = model(ids)
    caches = [{} for _ in model.blocks]
    steps = torch.stack([model.decode(ids[:, i : i + 1], caches, i) for i in range(length)], 1)
    trunk, parts = ids[:1, :40], [ids[:1, 40:57], ids[:1, 57:58], ids[:1, 58:]]
    rows = torch.cat([model(torch.cat((trunk, p), 1))[0, 40:] for p in parts])
    branches = torch.tensor([[0] * 40 + [1] * 17 + [2] + [3] * (length - 58)])
    trees = []
    for model.fused in (False, True):
        # A second row, of other branches and with padding at its end, is not to matter.
        other = torch.tensor([[0] * 9 + [1] * 30 + [2] * (length - 49) + [0] * 10])
        trees.append((model.head(model.hidden(ids[[0, 1]], branches=torch.cat((branches, other))))[0, 40:] - rows).abs().max().item())
    return (added - fused).abs().max().item(), (added - steps).abs().max().item(), *trees


if __name__ == "__main__":
    found = compare()
    print("fused {:.2g}, step by step {:.2g}, trees {:.2g}, fused trees {:.2g}".format(*found))
    raise SystemExit(0 if max(found) < 1e-3 else 1)
