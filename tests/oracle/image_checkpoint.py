"""Compares `facet debug logits --image` with transformers, from files that transformers wrote: a small
random Gemma3ForConditionalGeneration checkpoint and a PNG, through the image processor, with the ids
that its processor makes (one placeholder per soft token).

  python image_checkpoint.py [--facet build/facet]

Exits with 1 unless every logit, inside images too, differs by at most 1e-3 of the largest one and the
argmax is the same at every position; without and with pan-and-scan. Prints one JSON object.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy
import PIL.Image
import torch
import transformers
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil

SIDE, TOKENS = 84, 9
BEGIN, END, IMAGE = 255, 256, 262
TEXT = dict(vocab_size=264, hidden_size=64, intermediate_size=112, num_hidden_layers=7,
            num_attention_heads=4, num_key_value_heads=2, head_dim=24, query_pre_attn_scalar=24,
            sliding_window=16, max_position_embeddings=512,
            rope_parameters={
                "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
                "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6}})
TOWER = dict(hidden_size=48, intermediate_size=100, num_hidden_layers=3, num_attention_heads=4,
             image_size=SIDE, patch_size=14, vision_use_head=False)


def build():
    torch.manual_seed(7)
    config = transformers.Gemma3Config(
        text_config=TEXT, vision_config=TOWER, mm_tokens_per_image=TOKENS, image_token_index=IMAGE,
        boi_token_index=BEGIN, eoi_token_index=END, attn_implementation="eager")
    model = transformers.Gemma3ForConditionalGeneration(config).float().eval()
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            norm = tensor.dim() == 1
            tensor.normal_(0.0, 0.2 if norm else tensor[0].numel() ** -0.5)
            if norm and "vision_tower" in name and name.endswith("norm.weight"):
                tensor += 1
    model.tie_weights()
    return model


def picture(width, height):
    y, x, c = numpy.mgrid[0:height, 0:width, 0:3]
    return PIL.Image.fromarray(((x * 7 + y * 13 + c * 50 + x * y // 8) % 256).astype(numpy.uint8))


def prompt(images):
    """The ids that the processor makes: text, and each image between its two tokens."""
    ids = [2] + list(range(10, 30))
    for image in range(images):
        ids += [BEGIN] + [IMAGE] * TOKENS + [END, 108, 40 + image]
    return ids + list(range(60, 75))


def expected(model, image, pan_and_scan):
    processor = Gemma3ImageProcessorPil(
        size={"height": SIDE, "width": SIDE}, image_mean=[0.5] * 3, image_std=[0.5] * 3,
        pan_and_scan_min_crop_size=256, pan_and_scan_max_num_crops=4,
        pan_and_scan_min_ratio_to_activate=1.2)
    pixels = processor(images=image, do_pan_and_scan=pan_and_scan, return_tensors="pt")
    values = pixels["pixel_values"]
    ids = prompt(len(values))
    row = torch.tensor([ids])
    with torch.no_grad():
        logits = model(row, pixel_values=values, token_type_ids=(row == IMAGE).long()).logits[0]
    return ids, logits.numpy()


def measure(found, wanted):
    worst, largest = float(abs(found - wanted).max()), float(abs(wanted).max())
    same = bool((found.argmax(1) == wanted.argmax(1)).all())
    return {"rows": len(wanted), "relative": worst / largest, "argmax_equal": same,
            "ok": same and worst <= 1e-3 * largest}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--facet", default="build/facet")
    options = parser.parse_args()
    results = {"transformers": transformers.__version__, "torch": torch.__version__}
    with tempfile.TemporaryDirectory() as work:
        folder = pathlib.Path(work)
        model = build()
        model.save_pretrained(folder / "model")
        picture(700, 300).save(folder / "picture.png")
        for name, flags in (("whole", []), ("pan_and_scan", ["--pan-and-scan"])):
            image = PIL.Image.open(folder / "picture.png")
            ids, wanted = expected(model, image, bool(flags))
            subprocess.run([options.facet, "debug", "logits", "--model", folder / "model", "--ids",
                            ",".join(map(str, ids)), "--image", folder / "picture.png", *flags,
                            "--out", folder / "out.npy"], check=True, stdout=subprocess.DEVNULL)
            results[name] = measure(numpy.load(folder / "out.npy"), wanted)
    print(json.dumps(results))
    return 0 if results["whole"]["ok"] and results["pan_and_scan"]["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
