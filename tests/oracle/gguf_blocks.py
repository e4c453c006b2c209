"""Writes gguf_blocks.json: random blocks of every quantised type, and what they stand for.

The values are those of the `gguf` Python package, whose code is independent of ours. Blocks are
random bytes behind scales that are ordinary halves. Values are float32, little-endian, as hex.

  python gguf_blocks.py > gguf_blocks.json     (gguf 0.19.0, numpy)
"""

import importlib.metadata
import json

import gguf
import numpy

# Where the halves of a block lie, by type.
HALVES = {"F16": [0], "BF16": [], "Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0],
          "Q5_1": [0, 2], "IQ4_NL": [0], "Q2_K": [80, 82], "Q3_K": [108],
          "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}


def golden(name, halves, random):
    kind = gguf.GGMLQuantizationType[name]
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    count = 2 if elements == 256 else 64 // elements
    blocks = random.integers(0, 256, (count, size), dtype=numpy.uint8)
    if name == "BF16":
        blocks = random.normal(size=count).astype("<f4").view("<u2")[1::2].copy()
        blocks = blocks.view(numpy.uint8).reshape(count, size)
    for at in halves:
        scale = random.normal(scale=0.01, size=(count, 1)).astype("<f2")
        blocks[:, at:at + 2] = scale.view(numpy.uint8)
    values = gguf.quants.dequantize(blocks.reshape(-1), kind).astype("<f4").reshape(-1)
    assert values.size == count * elements and numpy.isfinite(values).all()
    return {"blocks": blocks.tobytes().hex(), "values": values.tobytes().hex()}


def quantized(name, random):
    """Floats and what the package makes of them: random, zeros, and equal extremes of both signs."""
    kind = gguf.GGMLQuantizationType[name]
    values = random.normal(scale=0.2, size=(6, 32)).astype("<f4")
    values[1] = 0
    values[2, 3], values[2, 9] = -1.5, 1.5
    values[3, 3], values[3, 9] = 1.5, -1.5
    blocks = gguf.quants.quantize(values, kind)
    return {"values": values.tobytes().hex(), "blocks": blocks.tobytes().hex()}


random = numpy.random.default_rng(3)
print(json.dumps({"gguf": importlib.metadata.version("gguf"),
                  "types": {name: golden(name, halves, random)
                            for name, halves in HALVES.items()},
                  "quantized": {name: quantized(name, random) for name in ("Q8_0", "Q4_0")}}))
