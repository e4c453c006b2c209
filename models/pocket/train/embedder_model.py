"""The EmbeddingGemma architecture in plain PyTorch, at any size.

Gemma 3 text backbone (sandwich norms with 1 + w, QK-norm, NeoX RoPE with a local and a global base,
gelu_tanh, embedding times sqrt(hidden)) with bidirectional attention on every layer, then the mean
over all tokens (BOS and EOS included), two dense layers without bias or activation, and L2 norm.
Parameter names are those of the Hugging Face checkpoint. With `layers=0` the same weights act as a
bag of tokens: that is the first, cheap stage of training.
"""

import dataclasses
import math

import torch
import torch.nn.functional as F
from torch import nn


@dataclasses.dataclass
class EmbedderConfig:
    vocab_size: int = 8192
    hidden_size: int = 256
    num_hidden_layers: int = 4
    num_attention_heads: int = 4
    num_key_value_heads: int = 1
    head_dim: int = 64
    intermediate_size: int = 512
    sliding_window: int = 512
    sliding_window_pattern: int = 4
    rope_theta: float = 1_000_000.0
    rope_local_base_freq: float = 10_000.0
    rms_norm_eps: float = 1e-6
    max_position_embeddings: int = 2048
    dense_size: int = 1024

    def is_global(self, layer):
        return (layer + 1) % self.sliding_window_pattern == 0


class RmsNorm(nn.Module):
    """y = x / sqrt(mean(x^2) + eps) * (1 + w), computed in float32."""

    def __init__(self, size, eps, init=0.0):
        super().__init__()
        self.weight = nn.Parameter(torch.full((size,), init))
        self.eps = eps

    def forward(self, x):
        wide = x.float()
        wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.eps)
        return (wide * (1.0 + self.weight.float())).to(x.dtype)


def rope(x, cos, sin):
    """x: (batch, heads, tokens, head_dim); element i is paired with i + head_dim / 2."""
    low, high = x.chunk(2, dim=-1)
    return torch.cat((low * cos - high * sin, high * cos + low * sin), dim=-1)


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        width = config.num_attention_heads * config.head_dim
        kv_width = config.num_key_value_heads * config.head_dim
        self.config = config
        self.q_proj = nn.Linear(config.hidden_size, width, bias=False)
        self.k_proj = nn.Linear(config.hidden_size, kv_width, bias=False)
        self.v_proj = nn.Linear(config.hidden_size, kv_width, bias=False)
        self.o_proj = nn.Linear(width, config.hidden_size, bias=False)
        self.q_norm = RmsNorm(config.head_dim, config.rms_norm_eps)
        self.k_norm = RmsNorm(config.head_dim, config.rms_norm_eps)

    def forward(self, x, cos, sin, mask):
        batch, tokens, _ = x.shape
        heads, groups, dim = (
            self.config.num_attention_heads,
            self.config.num_key_value_heads,
            self.config.head_dim,
        )
        share = heads // groups
        q = self.q_proj(x).view(batch, tokens, heads, dim).transpose(1, 2)
        k = self.k_proj(x).view(batch, tokens, groups, dim).transpose(1, 2)
        v = self.v_proj(x).view(batch, tokens, groups, dim).transpose(1, 2)
        q = rope(self.q_norm(q), cos, sin).to(v.dtype) * dim**-0.5
        k = rope(self.k_norm(k), cos, sin).to(v.dtype)
        # Plain products: on a processor with matrix units their backward pass is several times
        # faster than the fused kernel's. The heads that share a key head become one long query.
        q = q.reshape(batch * groups, share * tokens, dim)
        k = k.reshape(batch * groups, tokens, dim)
        v = v.reshape(batch * groups, tokens, dim)
        scores = torch.bmm(q, k.transpose(1, 2)).float()
        scores = scores.view(batch, heads, tokens, tokens) + mask
        weights = scores.softmax(-1).to(v.dtype)
        y = torch.bmm(weights.view(batch * groups, share * tokens, tokens), v)
        y = y.view(batch, heads, tokens, dim).transpose(1, 2)
        return self.o_proj(y.reshape(batch, tokens, heads * dim))


class Mlp(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x):
        return self.down_proj(F.gelu(self.gate_proj(x), approximate="tanh") * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, config):
        super().__init__()
        size, eps = config.hidden_size, config.rms_norm_eps
        self.self_attn = Attention(config)
        self.mlp = Mlp(config)
        self.input_layernorm = RmsNorm(size, eps)
        # Branches start at a twentieth of the stream, so that the bag-of-tokens stage is kept.
        self.post_attention_layernorm = RmsNorm(size, eps, init=-0.95)
        self.pre_feedforward_layernorm = RmsNorm(size, eps)
        self.post_feedforward_layernorm = RmsNorm(size, eps, init=-0.95)

    def forward(self, x, cos, sin, mask):
        h = self.self_attn(self.input_layernorm(x), cos, sin, mask)
        x = x + self.post_attention_layernorm(h)
        h = self.mlp(self.pre_feedforward_layernorm(x))
        return x + self.post_feedforward_layernorm(h)


class Embedder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        self.norm = RmsNorm(config.hidden_size, config.rms_norm_eps)
        self.dense_2 = nn.Linear(config.hidden_size, config.dense_size, bias=False)
        self.dense_3 = nn.Linear(config.dense_size, config.hidden_size, bias=False)
        nn.init.normal_(self.embed_tokens.weight, std=1.0 / math.sqrt(config.hidden_size))

    def head(self, pooled):
        return F.normalize(self.dense_3(self.dense_2(pooled)).float(), dim=-1)

    def bag(self, ids, offsets):
        """Mean of normalised token embeddings, then the head. ids: flat; offsets: text starts."""
        table = self.norm(self.embed_tokens.weight * math.sqrt(self.config.hidden_size))
        return self.head(F.embedding_bag(ids, table, offsets, mode="mean"))

    def tables(self, tokens, theta, device):
        dim = self.config.head_dim
        inverse = theta ** (-torch.arange(0, dim, 2, dtype=torch.float32, device=device) / dim)
        angles = torch.arange(tokens, dtype=torch.float32, device=device)[:, None] * inverse
        return angles.cos(), angles.sin()

    def hidden(self, ids, lengths):
        """Final normalised states (batch, tokens, hidden). ids are right padded; lengths: (batch)."""
        config = self.config
        tokens = ids.shape[1]
        place = torch.arange(tokens, device=ids.device)
        real = place[None, :] < lengths[:, None]
        full = real[:, None, None, :]
        near = (place[:, None] - place[None, :]).abs() < config.sliding_window // 2 + 1
        # Inside one half window both masks agree, and the small one is broadcast.
        local = full if tokens <= config.sliding_window // 2 else full & near[None, None]
        zero = torch.zeros((), device=ids.device)
        full, local = (zero.masked_fill(~m, -1e30) for m in (full, local))
        bases = {True: config.rope_theta, False: config.rope_local_base_freq}
        tables = {g: self.tables(tokens, theta, ids.device) for g, theta in bases.items()}
        x = self.embed_tokens(ids) * math.sqrt(config.hidden_size)
        for index, layer in enumerate(self.layers):
            is_global = config.is_global(index)
            cos, sin = tables[is_global]
            x = layer(x, cos, sin, full if is_global else local)
        return self.norm(x), real

    def forward(self, ids, lengths):
        """L2-normalised embeddings (batch, hidden)."""
        states, real = self.hidden(ids, lengths)
        weight = real.to(states.dtype)[..., None]
        return self.head((states * weight).sum(1) / lengths[:, None].to(states.dtype))
