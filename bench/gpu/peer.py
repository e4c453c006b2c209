"""Decode and prefill of transformers' Gemma 3 with random weights, a static cache and
torch.compile: the peer of facet_bench_gpu in the same run. peer.py SHAPE
One JSON object a line, the most important first: who stops it keeps what there is. Ends with 77
where torch or transformers is not installed, and says so on stderr."""

import json
import statistics
import sys
import time

try:
    import torch
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig, StaticCache
except ModuleNotFoundError as missing:
    print(f"{missing.name} is not installed", file=sys.stderr)
    sys.exit(77)

DEVICE = "cuda"
# layers, hidden, heads, kv heads, head_dim, ffn, window: config.json of each model.
SHAPES = {
    "1b": (26, 1152, 4, 1, 256, 6912, 512),
    "4b": (34, 2560, 8, 4, 256, 10240, 1024),
    "12b": (48, 3840, 16, 8, 256, 15360, 1024),
}
DECODE_CONTEXT, WARM_UPS, TOKENS = 1024, 4, 64
PREFILL_CONTEXTS = (2048, 8192, 32768)  # At 128K the masks of a prompt in one piece do not fit.
ROUNDS = 3


def make_model(shape):
    layers, hidden, heads, kv_heads, head_dim, ffn, window = SHAPES[shape]
    config = Gemma3TextConfig(
        vocab_size=262144, hidden_size=hidden, intermediate_size=ffn, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=kv_heads, head_dim=head_dim,
        sliding_window=window, query_pre_attn_scalar=head_dim, max_position_embeddings=131072)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(DEVICE):
        model = Gemma3ForCausalLM(config)
    return model.eval()


def seconds(work):
    torch.cuda.synchronize()
    begin = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - begin


def run(forward, cache, ids):
    forward(ids, past_key_values=cache, use_cache=True, logits_to_keep=1)


def set_length(cache, tokens):
    """Sliding layers count in Python: a number that changes would be compiled and recorded anew."""
    for layer in cache.layers:
        for name in ("cumulative_length", "cumulative_length_int"):
            if isinstance(getattr(layer, name, None), int):
                setattr(layer, name, tokens)


def decode_rate(model, ids):
    """Tokens a second behind DECODE_CONTEXT tokens; without choosing them."""
    cache = StaticCache(config=model.config, max_cache_len=DECODE_CONTEXT + WARM_UPS + TOKENS)
    run(model, cache, ids[:, :DECODE_CONTEXT])
    compiled = torch.compile(model, mode="reduce-overhead", dynamic=False)

    def step():
        torch.compiler.cudagraph_mark_step_begin()
        run(compiled, cache, ids[:, :1])
        set_length(cache, DECODE_CONTEXT)

    for _ in range(WARM_UPS):
        step()
    return TOKENS / seconds(lambda: [step() for _ in range(TOKENS)])


def prefill_rate(forward, cache, ids):
    def once():
        cache.reset()
        return seconds(lambda: run(forward, cache, ids))

    once()
    return ids.shape[1] / statistics.median(once() for _ in range(ROUNDS))


def report(shape, test, context, compiled, measure):
    row = {"shape": shape, "peer": "transformers", "test": test, "context": context,
           "compiled": compiled}
    try:
        row["tokens_per_s"] = measure()
    except torch.cuda.OutOfMemoryError:
        row["failure"] = "out of memory"
    print(json.dumps(row), flush=True)


def main():
    shape = sys.argv[1]
    model = make_model(shape)
    ids = torch.randint(0, 262144, (1, max(PREFILL_CONTEXTS)), device=DEVICE)
    with torch.no_grad():
        report(shape, "decode", DECODE_CONTEXT, True, lambda: decode_rate(model, ids))
        compiled = torch.compile(model, dynamic=False)
        for context in PREFILL_CONTEXTS:
            cache = StaticCache(config=model.config, max_cache_len=context)
            for forward, is_compiled in ((model, False), (compiled, True)):
                report(shape, "prefill", context, is_compiled,
                       lambda: prefill_rate(forward, cache, ids[:, :context]))


if __name__ == "__main__":
    main()
