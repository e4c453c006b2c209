"""Decode and prefill of transformers' Gemma 3 with random weights, a static cache and torch.compile:
the peer of facet_bench_gpu in the same run. peer.py SHAPE"""

import json
import sys
import time

import torch
from transformers import Gemma3ForCausalLM, Gemma3TextConfig, StaticCache

# layers, hidden, heads, kv heads, head_dim, ffn, window: config.json of each model.
SHAPES = {
    "1b": (26, 1152, 4, 1, 256, 6912, 512),
    "4b": (34, 2560, 8, 4, 256, 10240, 1024),
    "12b": (48, 3840, 16, 8, 256, 15360, 1024),
}


def make_model(shape):
    layers, hidden, heads, kv_heads, head_dim, ffn, window = SHAPES[shape]
    config = Gemma3TextConfig(
        vocab_size=262144, hidden_size=hidden, intermediate_size=ffn, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=kv_heads, head_dim=head_dim,
        sliding_window=window, query_pre_attn_scalar=head_dim, max_position_embeddings=131072)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda"):
        model = Gemma3ForCausalLM(config)
    return model.eval()


def clock(work):
    torch.cuda.synchronize()
    begin = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - begin


def main():
    shape = sys.argv[1]
    context, tokens = 1024, 64
    model = make_model(shape)
    cache = StaticCache(config=model.config, max_batch_size=1, max_cache_len=2048 + tokens,
                        device="cuda", dtype=torch.bfloat16)
    ids = torch.randint(0, 262144, (1, context), device="cuda")

    def step(part, first):
        positions = torch.arange(first, first + part.shape[1], device="cuda")
        return model(part, past_key_values=cache, cache_position=positions, use_cache=True,
                     logits_to_keep=1).logits

    with torch.inference_mode():
        step(ids, 0)
        cache.reset()
        prefill = clock(lambda: step(ids, 0))
        report = {"shape": shape, "peer": "transformers", "prefill_tokens_per_s": context / prefill}
        print(json.dumps(report | {"compiled": False}), flush=True)
        model.forward = torch.compile(model.forward, mode="reduce-overhead", fullgraph=False)
        one = ids[:, :1]
        for i in range(3):
            step(one, context + i)
        decode = clock(lambda: [step(one, context + 3 + i) for i in range(tokens)]) / tokens
    print(json.dumps(report | {"compiled": True, "context": context,
                               "decode_tokens_per_s": 1 / decode}))


if __name__ == "__main__":
    main()
