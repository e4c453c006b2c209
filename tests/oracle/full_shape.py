"""Compares Facet with Hugging Face transformers on the full Gemma 3 1B shape, with random weights.

  python full_shape.py f32  [--facet build/facet] [--work DIR]
  python full_shape.py bf16 [--facet build/facet] [--work DIR]

f32:  float32 weights, both in float32, on 1100 tokens (more than two windows of 512). Exits with 1
      unless every logit differs by at most 2e-4 of the largest one and the argmax is the same at
      every position.
bf16: the same weights rounded to bfloat16, 600 tokens. At each position, the KL divergence of
      Facet's distribution from that of transformers in float32 must not exceed that of transformers
      in bfloat16.

Needs the packages of requirements.txt, 6 GB of memory and 6 GB of disk under DIR; about five minutes
on two cores. Prints one JSON object.
"""

import argparse
import gc
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import numpy
import torch
import transformers

# The published config.json of google/gemma-3-1b-it, without what the forward pass does not read.
CONFIG = dict(
    head_dim=256, hidden_size=1152, intermediate_size=6912, max_position_embeddings=32768,
    num_attention_heads=4, num_hidden_layers=26, num_key_value_heads=1, query_pre_attn_scalar=256,
    rms_norm_eps=1e-6, sliding_window=512, vocab_size=262144, bos_token_id=2, eos_token_id=[1, 106],
    rope_parameters={"sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
                     "full_attention": {"rope_type": "default", "rope_theta": 1e6}})
SEED = 20250312
TOKENS = {"f32": 1100, "bf16": 600}
ROWS = 25  # Logits of so many positions are compared at once.


def fill(model):
    """Matrices of variance 1 / columns, norms (stored as w of 1 + w) of deviation 0.2."""
    for number, (_, tensor) in enumerate(sorted(model.named_parameters())):
        generator = torch.Generator().manual_seed(SEED + number)
        deviation = tensor.shape[1] ** -0.5 if tensor.dim() == 2 else 0.2
        tensor.data.normal_(0.0, deviation, generator=generator)


def make_checkpoint(folder, kind):
    config = transformers.Gemma3TextConfig(**CONFIG)
    with torch.device("meta"):
        model = transformers.Gemma3ForCausalLM(config)
    model = model.to_empty(device="cpu")
    model.tie_weights()
    fill(model.model)
    if kind == "bf16":
        model = model.to(torch.bfloat16)
    model.save_pretrained(folder)


def load(folder, dtype):
    return transformers.Gemma3ForCausalLM.from_pretrained(
        folder, dtype=dtype, attn_implementation="eager").eval()


def states_and_head(folder, dtype, ids):
    """The normalised hidden state of each position and the matrix that makes logits of it; nothing
    else stays in memory."""
    model = load(folder, dtype)
    with torch.no_grad():
        states = model.model(torch.tensor([ids]), use_cache=False).last_hidden_state[0]
    head = model.lm_head
    del model
    gc.collect()
    return states, head


def run_facet(program, folder, ids, out):
    start = time.time()
    subprocess.run([program, "debug", "logits", "--model", folder, "--out", out, "--ids",
                    ",".join(map(str, ids))], check=True, stdout=subprocess.DEVNULL)
    return time.time() - start


def blocks(count):
    return [slice(i, min(i + ROWS, count)) for i in range(0, count, ROWS)]


def logits_of(states, head, rows):
    with torch.no_grad():
        return head(states[rows]).float()


def compare_f32(folder, ids, facet):
    states, head = states_and_head(folder, torch.float32, ids)
    worst, largest, same = 0.0, 0.0, 0
    for rows in blocks(len(ids)):
        wanted = logits_of(states, head, rows)
        found = torch.from_numpy(numpy.array(facet[rows]))
        worst = max(worst, float((wanted - found).abs().max()))
        largest = max(largest, float(wanted.abs().max()))
        same += int((wanted.argmax(1) == found.argmax(1)).sum())
    return {"largest_logit": largest, "largest_difference": worst, "relative": worst / largest,
            "argmax_equal": same, "ok": worst <= 2e-4 * largest and same == len(ids)}


def divergence(wanted, found):
    """KL(wanted || found) of each row, in float64."""
    p, q = wanted.double().log_softmax(1), found.double().log_softmax(1)
    return (p.exp() * (p - q)).sum(1)


def compare_bf16(folder, ids, facet):
    coarse_states, coarse_head = states_and_head(folder, torch.bfloat16, ids)
    states, head = states_and_head(folder, torch.float32, ids)
    ours, theirs = [], []
    for rows in blocks(len(ids)):
        wanted = logits_of(states, head, rows)
        ours.append(divergence(wanted, torch.from_numpy(numpy.array(facet[rows]))))
        theirs.append(divergence(wanted, logits_of(coarse_states, coarse_head, rows)))
    ours, theirs = torch.cat(ours), torch.cat(theirs)
    return {"kl_facet": {"mean": float(ours.mean()), "max": float(ours.max())},
            "kl_transformers_bf16": {"mean": float(theirs.mean()), "max": float(theirs.max()),
                                     "min": float(theirs.min())},
            "positions_no_worse": int((ours <= theirs).sum()), "ok": bool((ours <= theirs).all())}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("kind", choices=["f32", "bf16"])
    parser.add_argument("--facet", default="build/facet")
    parser.add_argument("--work", help="where the checkpoint goes (a temporary folder)")
    options = parser.parse_args()
    ids = torch.randint(0, CONFIG["vocab_size"], (TOKENS[options.kind],),
                        generator=torch.Generator().manual_seed(SEED)).tolist()
    ids[0] = 2
    with tempfile.TemporaryDirectory(dir=options.work) as work:
        folder = str(pathlib.Path(work) / "model")
        make_checkpoint(folder, options.kind)
        gc.collect()
        out = str(pathlib.Path(work) / "logits.npy")
        seconds = run_facet(options.facet, folder, ids, out)
        facet = numpy.load(out, mmap_mode="r")
        assert facet.shape == (len(ids), CONFIG["vocab_size"]) and facet.dtype == numpy.float32
        compare = compare_f32 if options.kind == "f32" else compare_bf16
        result = compare(folder, ids, facet)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"weights": options.kind, "tokens": len(ids), **result,
                      "facet_seconds": round(seconds, 1), "script_peak_bytes": peak,
                      "torch": torch.__version__, "transformers": transformers.__version__}))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
