"""Writes shapes.json: what transformers computes on shrunken models of every published shape.

For each file of a folder of published configs (argument 1) that is a Gemma 3 text model or an
embedder, sizes shrink to small odd ones while everything else stays: the order of sliding and
global layers, the ratio of heads, query_pre_attn_scalar, both rotary bases and the scaling. Weights
come from the formula of transformers_logits.py. For each shape: ids (more than two windows), the
argmax at every position, the logits at some positions (float32, little-endian, as hex), and the
config in every spelling that files use. The script asserts that transformers reads each spelling
as the same model. "minimal" leaves out all that the published 4B file leaves out.

  python shapes.py CONFIGS > shapes.json     (transformers 5.23.0, torch, f32, CPU)
"""

import json
import pathlib
import sys

import numpy
import torch
import transformers

LAYER = [
    "input_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
    "self_attn.o_proj", "self_attn.q_norm", "self_attn.k_norm", "post_attention_layernorm",
    "pre_feedforward_layernorm", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj",
    "post_feedforward_layernorm",
]
# Name, published file, prefix of tensor names, and the small sizes.
SHAPES = [
    ("270m", "gemma-3-270m-it", "model.", dict(hidden_size=36, intermediate_size=51, head_dim=10)),
    ("functiongemma", "functiongemma-270m-it", "model.",
     dict(hidden_size=44, intermediate_size=33, head_dim=6)),
    ("1b", "gemma-3-1b-it", "model.", dict(hidden_size=52, intermediate_size=77, head_dim=14)),
    ("4b", "gemma-3-4b-it", "language_model.model.",
     dict(hidden_size=72, intermediate_size=91, head_dim=18)),
    ("12b", "gemma-3-12b-it", "model.language_model.",
     dict(hidden_size=66, intermediate_size=85, head_dim=22, num_attention_heads=6,
          num_key_value_heads=3)),
    ("27b", "gemma-3-27b-it", "language_model.model.",
     dict(hidden_size=78, intermediate_size=101, head_dim=8, num_attention_heads=6,
          num_key_value_heads=3)),
    ("shieldgemma2", "gemma-3-4b-it", "model.model.language_model.model.",
     dict(hidden_size=40, intermediate_size=55, head_dim=12)),
    ("embeddinggemma", "embeddinggemma-300m", "",
     dict(hidden_size=33, intermediate_size=47, head_dim=12)),
]
KEPT = ["num_attention_heads", "num_key_value_heads", "query_pre_attn_scalar", "rms_norm_eps",
        "use_bidirectional_attention", "max_position_embeddings"]


def stream(number, count):
    steps = numpy.cumprod(numpy.full(count, 1664525, dtype=numpy.uint32), dtype=numpy.uint32)
    sums = numpy.cumsum(numpy.concatenate(([1], steps[:-1])), dtype=numpy.uint32)
    start = numpy.uint32((2654435761 * number + 12345) % 2**32)
    state = steps * start + numpy.uint32(1013904223) * sums
    return ((state >> 8).astype(numpy.float32) / numpy.float32(2**23) - 1) / 4


def fill(number, tensor):
    with torch.no_grad():
        tensor.copy_(torch.from_numpy(stream(number, tensor.numel())).reshape(tensor.shape))


def fill_model(model):
    fill(0, model.embed_tokens.weight)
    fill(1, model.norm.weight)
    for index, layer in enumerate(model.layers):
        for place, name in enumerate(LAYER):
            fill(2 + 13 * index + place, layer.get_submodule(name).weight)


def small_text(published, sizes):
    text = published.get("text_config", published)
    out = {key: text[key] for key in KEPT if key in text}
    out |= dict(model_type="gemma3_text", vocab_size=61, num_hidden_layers=7)
    scaling = text.get("rope_scaling")
    # The embedder's window of 12 reaches 6 tokens to each side.
    out["sliding_window"] = 12 if text.get("use_bidirectional_attention") else 7
    return out | sizes, scaling


def spellings(text, scaling, wrap):
    """The layer pattern and the rotary embedding as older, newer and newest files write them."""
    flat = dict(rope_theta=1000000.0, rope_local_base_freq=10000.0, rope_scaling=scaling)
    types = ["full_attention" if i == 5 else "sliding_attention" for i in range(7)]
    full = dict(rope_theta=1000000.0, **(scaling or {"rope_type": "default"}))
    ropes = dict(full_attention=full,
                 sliding_attention=dict(rope_theta=10000.0, rope_type="default"))
    return [wrap(text | flat | dict(sliding_window_pattern=6)),
            wrap(text | flat | dict(sliding_window_pattern=6, cache_implementation="hybrid",
                                    final_logit_softcapping=None, attn_logit_softcapping=None)),
            wrap(text | flat | dict(layer_types=types, _sliding_window_pattern=6)),
            wrap(text | dict(layer_types=types, rope_parameters=ropes, dtype="float32"))]


def read(config):
    """The text part of a config as transformers understands it."""
    kinds = {"gemma3": transformers.Gemma3Config, "shieldgemma2": transformers.ShieldGemma2Config,
             "gemma3_text": transformers.Gemma3TextConfig}
    whole = kinds[config["model_type"]](**json.loads(json.dumps(config)))
    text = getattr(whole, "text_config", whole)
    return text


def effective(text):
    """What the forward pass takes from a config."""
    keys = KEPT + ["vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
                   "head_dim", "sliding_window", "layer_types", "rope_parameters"]
    out = {key: getattr(text, key) for key in keys}
    for rope in out["rope_parameters"].values():
        rope.pop("type", None)
    return json.dumps(out, sort_keys=True)


def hex_of(tensor):
    return tensor.detach().numpy().astype("<f4").tobytes().hex()


def run(number, prefix, configs, columns=None, count=25, positions=(0, 6, 7, 13, 18, 24)):
    text = read(configs[0])
    for config in configs[1:]:
        assert effective(read(config)) == effective(text), config
    text._attn_implementation = "eager"
    ids = [int((value * 4 + 1) / 2 * 61) for value in stream(1000 + number, count)]
    out = dict(prefix=prefix, ids=ids, configs=configs)
    if text.use_bidirectional_attention:
        model = transformers.Gemma3TextModel(text).float().eval()
        fill_model(model)
        dense2, dense3 = torch.empty(50, text.hidden_size), torch.empty(21, 50)
        fill(2 + 13 * 7, dense2)
        fill(3 + 13 * 7, dense3)
        states = model(torch.tensor([ids])).last_hidden_state[0]
        vector = torch.nn.functional.normalize(states.mean(0) @ dense2.T @ dense3.T, dim=0)
        return out | dict(vector=hex_of(vector))
    model = transformers.Gemma3ForCausalLM(text).float().eval()
    fill_model(model.model)
    model.tie_weights()
    logits = model(torch.tensor([ids])).logits[0]
    picked = logits[list(positions)]
    if columns is not None:
        picked = picked[:, columns]
        out["columns"] = columns
    return out | dict(largest=float(logits.abs().max()), argmax=logits.argmax(1).tolist(),
                      positions=list(positions), logits=hex_of(picked))


def wrapper(name, published):
    if name == "shieldgemma2":
        return lambda text: dict(model_type="shieldgemma2", text_config=text)
    if "text_config" in published:
        return lambda text: dict(model_type="gemma3", text_config=text, eos_token_id=[1, 2])
    return lambda text: text


def minimal():
    text = dict(hidden_size=16, intermediate_size=40, model_type="gemma3_text",
                num_hidden_layers=7, rope_scaling=dict(factor=8.0, rope_type="linear"),
                sliding_window=7)
    config = dict(architectures=["Gemma3ForConditionalGeneration"], boi_token_index=255999,
                  eoi_token_index=256000, eos_token_id=[1, 106], image_token_index=262144,
                  initializer_range=0.02, mm_tokens_per_image=256, model_type="gemma3",
                  text_config=text, torch_dtype="bfloat16")
    return run(99, "language_model.model.", [config], columns=list(range(0, 262208, 5003)),
               positions=(0, 7, 24))


def main():
    torch.set_num_threads(1)
    folder = pathlib.Path(sys.argv[1])
    shapes = {}
    with torch.no_grad():
        for number, (name, file, prefix, sizes) in enumerate(SHAPES):
            published = json.loads((folder / f"{file}.json").read_text())
            text, scaling = small_text(published, sizes)
            shapes[name] = run(number, prefix, spellings(text, scaling, wrapper(name, published)))
        # One longer prompt: windows and pages of the cache end inside it.
        published = json.loads((folder / "gemma-3-4b-it.json").read_text())
        text, scaling = small_text(published, dict(hidden_size=24, intermediate_size=29, head_dim=6,
                                                   sliding_window=70))
        shapes["long"] = run(50, "model.", spellings(text, scaling, lambda text: text)[3:],
                             count=300, positions=(63, 64, 70, 141, 299))
        shapes["minimal"] = minimal()
    print(json.dumps({"transformers": transformers.__version__, "shapes": shapes}))


if __name__ == "__main__":
    main()
