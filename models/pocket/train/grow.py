"""More layers for a generator, without a change of what it computes: where a longer training goes on from.

python grow.py ../generator.gguf GROWN.gguf --layers 12

A new layer is a copy of one that is there, of the same kind (sliding or global), whose norms behind attention and feed-forward
are zero (or --gain times the copied ones), so that it adds nothing until training wants it to. New layers stand above the first
global one, between the old.
"""

import argparse

import torch

import export as ex
from model import Config, Model

POST_NORMS = ("post_attn_norm", "post_ffn_norm")


def plan(old, new, is_global):
    """For each new layer (the old one it is made of, whether it is that one): old layers keep their order and kind."""
    fixed = next(i for i in range(old) if is_global(i)) + 1
    out, left, room = [(i, True) for i in range(fixed)], list(range(fixed, old)), new - old
    source = {True: fixed - 1, False: fixed - 2}
    while len(out) < new:
        kind = is_global(len(out))
        if left and is_global(left[0]) == kind and (len(out) - fixed) % 2 == 1 or left and not room:
            out.append((left.pop(0), True))
        else:
            out.append((source[kind], False))
            room -= 1
        source[kind] = out[-1][0]
    assert not left and room == 0 and all(is_global(i) == is_global(a) for i, (a, _) in enumerate(out)), out
    return out


def grown(model, layers, gain):
    bigger = Model(Config(**{**vars(model.c), "layers": layers}))
    old, state = model.state_dict(), {}
    at = plan(model.c.layers, layers, model.c.is_global)
    for key in bigger.state_dict():
        if not key.startswith("blocks."):
            state[key] = old[key]
            continue
        _, n, rest = key.split(".", 2)
        source, same = at[int(n)]
        value = old[f"blocks.{source}.{rest}"]
        state[key] = value if same or not rest.endswith(POST_NORMS) else (1.0 + value) * gain - 1.0  # A norm multiplies by 1 + w.
    bigger.load_state_dict(state)
    return bigger, at


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("source")
    parser.add_argument("out")
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--gain", type=float, default=0.0)
    args = parser.parse_args()
    model, tokens = ex.read_gguf(args.source)
    bigger, at = grown(model, args.layers, args.gain)
    ids = torch.randint(8, model.c.vocab_size, (2, 300), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        a, b = model(ids), bigger(ids)
    print("layers", [f"{i}{'' if same else ' again'}" for i, same in at], "parameters", sum(p.numel() for p in bigger.parameters()))
    print("largest difference of logits", (a - b).abs().max().item(), "largest logit", a.abs().max().item())
    ex.write_gguf(bigger, args.out, ex.HERE / "tokenizer.model", tokens)


if __name__ == "__main__":
    main()
