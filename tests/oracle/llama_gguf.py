"""Files of another generator, and llama.cpp's answer: python llama_gguf.py --facet FACET

Writes small Gemma 3 shaped GGUF files with the gguf package (random weights; every type that it can
write; keys in the spellings that exist), lets llama-cpp-python compute the logits of 200 tokens on
the same weights expanded to float32, and compares `facet debug logits`. Exits with 1 when float
activations are off by more than 1e-3 of the largest logit anywhere. What rounded activations do is
printed beside what llama.cpp's own rounding does on the same file. Needs llama-cpp-python besides
requirements.txt. llama.cpp's GELU comes out of a table of half precision, hence no smaller bound.
"""
import argparse
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import gguf
import llama_cpp
import numpy as np
from gguf import GGMLQuantizationType as Type

TOKENS = 200
BOUND = 1e-3
# hidden, layers, heads, kv heads, head_dim, ffn, window, factor of positions, vocabulary.
SHAPES = {
    "1b": (256, 8, 4, 1, 256, 512, 64, None, 1024),
    "4b": (512, 7, 4, 2, 256, 768, 96, 8.0, 1024),
    "27b": (256, 62, 4, 2, 128, 512, 64, 8.0, 512),  # Scaled by hidden / heads: it has 62 layers.
    "odd": (288, 5, 3, 1, 96, 416, 33, None, 1000),
}
# What of a file differs from what converters write today.
SPELLINGS = ("", "no scaling type", "old scaling key", "no window", "pattern of 3", "alignment 64")


def add_keys(w, shape, spelling):
    hidden, layers, heads, kv_heads, head_dim, ffn, window, factor, vocabulary = SHAPES[shape]
    w.add_name("random " + shape)
    w.add_context_length(2048)
    w.add_embedding_length(hidden)
    w.add_block_count(layers)
    w.add_feed_forward_length(ffn)
    w.add_head_count(heads)
    w.add_head_count_kv(kv_heads)
    w.add_key_length(head_dim)
    w.add_value_length(head_dim)
    w.add_layer_norm_rms_eps(1e-6)
    w.add_rope_freq_base(1e6)
    if spelling != "no window":
        w.add_sliding_window(window)
    if spelling == "pattern of 3":
        w.add_uint32("gemma3.attention.sliding_window_pattern", 3)
    if factor and spelling == "old scaling key":
        w.add_float32("gemma3.rope.scale_linear", factor)
    elif factor:
        w.add_rope_scaling_factor(factor)
        if spelling != "no scaling type":
            w.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
    pieces = [(name, 3) for name in ("<pad>", "<eos>", "<bos>")] + [("<unk>", 2)]
    pieces += [("<0x%02X>" % byte, 6) for byte in range(256)]
    pieces += [("w%d" % i, 1) for i in range(len(pieces), vocabulary)]
    w.add_tokenizer_model("llama")
    w.add_token_list([text for text, _ in pieces])
    w.add_token_scores([-float(i) for i in range(vocabulary)])
    w.add_token_types([kind for _, kind in pieces])
    w.add_bos_token_id(2)
    w.add_eos_token_id(1)
    w.add_add_space_prefix(False)


def write(path, shape, kind, spelling="", expanded=False):
    """`expanded`: the weights as `kind` rounds them, in float32."""
    hidden, layers, heads, kv_heads, head_dim, ffn, _, _, vocabulary = SHAPES[shape]
    rng = np.random.default_rng(1)
    w = gguf.GGUFWriter(str(path), "gemma3")
    if spelling == "alignment 64":
        w.add_custom_alignment(64)
    add_keys(w, shape, spelling)

    def norm(name, count):
        w.add_tensor(name, (1 + 0.1 * rng.standard_normal(count)).astype(np.float32))

    def matrix(name, rows, cols):
        x = (rng.standard_normal((rows, cols)) / np.sqrt(cols)).astype(np.float32)
        coded = gguf.quants.quantize(x, kind)
        if expanded:
            w.add_tensor(name, gguf.quants.dequantize(coded, kind).astype(np.float32))
        else:
            w.add_tensor(name, coded, raw_dtype=kind)

    matrix("token_embd.weight", vocabulary, hidden)
    for i in range(layers):
        at = f"blk.{i}."
        for name in ("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"):
            norm(at + name + ".weight", hidden)
        for name in ("attn_q_norm", "attn_k_norm"):
            norm(at + name + ".weight", head_dim)
        matrix(at + "attn_q.weight", heads * head_dim, hidden)
        matrix(at + "attn_k.weight", kv_heads * head_dim, hidden)
        matrix(at + "attn_v.weight", kv_heads * head_dim, hidden)
        matrix(at + "attn_output.weight", hidden, heads * head_dim)
        matrix(at + "ffn_gate.weight", ffn, hidden)
        matrix(at + "ffn_up.weight", ffn, hidden)
        matrix(at + "ffn_down.weight", hidden, ffn)
    norm("output_norm.weight", hidden)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def llama_logits(path, ids):
    params = llama_cpp.llama_model_default_params()
    params.n_gpu_layers = 0
    model = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
    params = llama_cpp.llama_context_default_params()
    params.n_ctx = params.n_batch = params.n_ubatch = 512
    params.n_threads = params.n_threads_batch = 1
    params.type_k = params.type_v = 0  # Keys and values in float32, without flash attention.
    params.flash_attn_type = 0
    context = llama_cpp.llama_init_from_model(model, params)
    vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
    batch = llama_cpp.llama_batch_init(len(ids), 0, 1)
    batch.n_tokens = len(ids)
    for i, token in enumerate(ids):
        batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = token, i, 1, 1
        batch.seq_id[i][0] = 0
    assert llama_cpp.llama_decode(context, batch) == 0
    rows = llama_cpp.llama_get_logits(context)
    out = np.ctypeslib.as_array(rows, (len(ids), vocabulary)).copy()
    llama_cpp.llama_batch_free(batch)
    llama_cpp.llama_free(context)
    llama_cpp.llama_model_free(model)
    return out


def facet_logits(facet, path, ids, activations):
    out = path.with_suffix(".npy")
    text = ",".join(str(token) for token in ids)
    command = [facet, "debug", "logits", "-m", path, "--ids", text, "-o", out]
    subprocess.run([*command, "--activations", activations], check=True, stdout=subprocess.DEVNULL)
    return np.load(out)


def off(logits, expected):
    return float(np.abs(logits - expected).max() / np.abs(expected).max())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--facet", default="../../build/facet")
    facet = parser.parse_args().facet
    quiet = llama_cpp.llama_log_callback(lambda *_: None)
    llama_cpp.llama_log_set(quiet, None)
    llama_cpp.llama_backend_init()
    random.seed(3)
    ids = [2] + [random.randrange(260, 500) for _ in range(TOKENS - 1)]
    kinds = (Type.F32, Type.F16, Type.BF16, Type.Q8_0, Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1)
    cases = [("1b", kind, "") for kind in kinds]
    cases += [("odd", Type.Q8_0, ""), ("27b", Type.F32, ""), ("27b", Type.Q4_0, "")]
    cases += [("4b", Type.F32, spelling) for spelling in SPELLINGS]
    worst = 0.0
    print("| shape | weights | file | float activations | rounded | llama.cpp, rounded |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        path, plain = Path(folder) / "m.gguf", Path(folder) / "f32.gguf"
        for shape, kind, spelling in cases:
            write(path, shape, kind, spelling)
            write(plain, shape, kind, spelling, expanded=True)
            expected = llama_logits(plain, ids)
            exact = off(facet_logits(facet, path, ids, "float"), expected)
            worst = max(worst, exact)
            rounded = off(facet_logits(facet, path, ids, "fast"), expected)
            theirs = off(llama_logits(path, ids), expected)
            numbers = f"{exact:.1e} | {rounded:.1e} | {theirs:.1e}"
            print(f"| {shape} | {kind.name} | {spelling} | {numbers} |", flush=True)
    if worst > BOUND:
        sys.exit(f"off by {worst:.1e} of the largest logit, at most {BOUND} is allowed")


if __name__ == "__main__":
    main()
