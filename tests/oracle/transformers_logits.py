"""Writes transformers_golden.json: what Hugging Face transformers computes for two small models.

The weights come from a formula that tests/oracle_test.cc repeats, so the C++ test needs no
Python: tensor number n is the stream s = 1664525 s + 1013904223 (mod 2^32), started from
s = 2654435761 n + 12345, and its elements are ((s >> 8) / 2^23 - 1) / 4: exact in f32.
Numbers: 0 embedding, 1 output norm, then 13 per layer in the order of LAYER, then the dense layers.
Norms are stored as w - 1, as in published checkpoints.

  python transformers_logits.py > transformers_golden.json     (transformers 5.23, torch, f32, CPU)
"""

import json

import numpy
import torch
import transformers

LAYER = [
    "input_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
    "self_attn.o_proj", "self_attn.q_norm", "self_attn.k_norm", "post_attention_layernorm",
    "pre_feedforward_layernorm", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj",
    "post_feedforward_layernorm",
]
SHAPE = dict(vocab_size=96, hidden_size=128, intermediate_size=160, num_attention_heads=4,
             num_key_value_heads=2, head_dim=32, query_pre_attn_scalar=24, sliding_window=8,
             max_position_embeddings=256)


def stream(number, count):
    state = (2654435761 * number + 12345) % 2**32
    out = numpy.empty(count, dtype=numpy.float32)
    for i in range(count):
        state = (1664525 * state + 1013904223) % 2**32
        out[i] = ((state >> 8) / 2**23 - 1) / 4
    return out


def fill(number, tensor):
    with torch.no_grad():
        values = torch.from_numpy(stream(number, tensor.numel()))
        tensor.copy_(values.reshape(tensor.shape))


def fill_model(model):
    fill(0, model.embed_tokens.weight)
    fill(1, model.norm.weight)
    for index, layer in enumerate(model.layers):
        for place, name in enumerate(LAYER):
            fill(2 + 13 * index + place, layer.get_submodule(name).weight)


def token_ids(number, count):
    return [int((value * 4 + 1) / 2 * 96) for value in stream(number, count)]


def generator():
    rope = {"sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
            "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6}}
    config = transformers.Gemma3TextConfig(**SHAPE, num_hidden_layers=7, rope_parameters=rope,
                                           attn_implementation="eager")
    model = transformers.Gemma3ForCausalLM(config).float().eval()
    fill_model(model.model)
    model.tie_weights()
    ids = token_ids(1000, 40)
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0]
    at = [0, 7, 8, 20, 39]
    return {"ids": ids, "positions": at, "logits": [logits[i].tolist() for i in at]}


def embedder():
    config = transformers.Gemma3TextConfig(
        **SHAPE, num_hidden_layers=3, use_bidirectional_attention=True,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        attn_implementation="eager")
    model = transformers.Gemma3TextModel(config).float().eval()
    fill_model(model)
    dense2 = torch.empty(256, 128)
    dense3 = torch.empty(64, 256)
    fill(2 + 13 * 3, dense2)
    fill(3 + 13 * 3, dense3)
    ids = token_ids(1001, 30)
    with torch.no_grad():
        states = model(torch.tensor([ids])).last_hidden_state[0]
        vector = torch.nn.functional.normalize(states.mean(0) @ dense2.T @ dense3.T, dim=0)
    return {"ids": ids, "vector": vector.tolist()}


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps({"transformers": transformers.__version__, "generator": generator(),
                      "embedder": embedder()}))
