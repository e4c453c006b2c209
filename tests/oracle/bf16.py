"""Writes bf16.json: what transformers computes on the generators of shapes.py with their weights
rounded to bfloat16: the logits in float32 at every position (little-endian, as hex), and the KL
divergence of transformers' own bfloat16 result from them, in nats per position.

  python bf16.py CONFIGS > bf16.json     (transformers 5.23.0, torch, CPU)
"""

import json
import pathlib
import sys

import torch
import transformers

import shapes


def divergence(wanted, found):
    p, q = wanted.double().log_softmax(1), found.double().log_softmax(1)
    return (p.exp() * (p - q)).sum(1).tolist()


def result(number, prefix, config, count=25):
    text = shapes.read(config)
    text._attn_implementation = "eager"
    ids = [int((value * 4 + 1) / 2 * 61) for value in shapes.stream(1000 + number, count)]
    model = transformers.Gemma3ForCausalLM(text).float().eval()
    shapes.fill_model(model.model)
    model.tie_weights()
    row = torch.tensor([ids])
    # As in a model loaded in bfloat16, only weights are rounded, not the tables of the rotary
    # embedding.
    tables = {name: buffer.clone() for name, buffer in model.named_buffers()}
    model.to(torch.bfloat16)
    for name, table in tables.items():
        model.get_submodule(name.rpartition(".")[0]).register_buffer(
            name.rpartition(".")[2], table, persistent=False)
    coarse = model(row).logits[0].float()
    exact = transformers.Gemma3ForCausalLM(text).float().eval()
    exact.load_state_dict({name: value.float() for name, value in model.state_dict().items()})
    exact.tie_weights()
    logits = exact(row).logits[0]
    return dict(prefix=prefix, config=config, ids=ids, logits=shapes.hex_of(logits),
                kl=divergence(logits, coarse))


def main():
    torch.set_num_threads(1)
    folder = pathlib.Path(sys.argv[1])
    results = {}
    with torch.no_grad():
        for number, (name, file, prefix, sizes) in enumerate(shapes.SHAPES):
            if name == "embeddinggemma":
                continue
            published = json.loads((folder / f"{file}.json").read_text())
            text, scaling = shapes.small_text(published, sizes)
            wrap = shapes.wrapper(name, published)
            results[name] = result(number, prefix, shapes.spellings(text, scaling, wrap)[3])
    print(json.dumps({"transformers": transformers.__version__, "torch": torch.__version__,
                      "shapes": results}))


if __name__ == "__main__":
    main()
