"""Writes image_preprocessing_golden.json: what transformers' Gemma 3 image processor makes of
images that a formula gives, and where its pan-and-scan cuts.

The pixel (x, y, c) of a formula image is (x 7 + y 13 + c 50 + floor(x y / 8)) mod 256. Of each
result, (3, 896, 896) floats, the file keeps every 24989th value, and a hash over all of them as the
8-bit values they were before rescaling: FNV-1a, 64 bits, over the bytes in order.

  python image_preprocessing.py > image_preprocessing_golden.json
  (transformers 5.23, Pillow 13.0, numpy; the processor's Pillow backend)
"""

import json

import numpy
import PIL.Image
import transformers
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil

PAN_AND_SCAN = dict(pan_and_scan_min_crop_size=256, pan_and_scan_max_num_crops=4,
                    pan_and_scan_min_ratio_to_activate=1.2)
PROCESSOR = Gemma3ImageProcessorPil(size={"height": 896, "width": 896}, image_mean=[0.5] * 3,
                                    image_std=[0.5] * 3, **PAN_AND_SCAN)


def formula(width, height):
    y, x, c = numpy.mgrid[0:height, 0:width, 0:3]
    return ((x * 7 + y * 13 + c * 50 + x * y // 8) % 256).astype(numpy.uint8)


def fnv(data):
    state = 0xCBF29CE484222325
    for byte in data:
        state = ((state ^ byte) * 0x100000001B3) % 2**64
    return f"{state:016x}"


def summary(values):
    values = numpy.asarray(values)
    assert values.shape == (3, 896, 896) and values.dtype == numpy.float32
    bytes_ = numpy.rint((values.astype(numpy.float64) + 1) * 127.5).astype(numpy.uint8)
    return {"samples": values.reshape(-1)[::24989].tolist(), "hash": fnv(bytes_.tobytes())}


def processed(width, height, pan_and_scan):
    image = PIL.Image.fromarray(formula(width, height))
    out = PROCESSOR(images=image, do_pan_and_scan=pan_and_scan, return_tensors="np")
    return [summary(values) for values in out["pixel_values"]]


def crops(width, height):
    y, x = numpy.mgrid[0:height, 0:width].astype(numpy.int32)
    return [[int(crop[0, 0, 0]), int(crop[1, 0, 0]), crop.shape[2], crop.shape[1]]
            for crop in PROCESSOR.pan_and_scan(numpy.stack([x, y]), **PAN_AND_SCAN)]


SIZES = [(1, 1), (7, 5), (1, 700), (896, 896), (896, 300), (640, 480), (1301, 907), (300, 2000),
         (3000, 40), (1000, 1104), (1000, 1105)]  # Pillow changes its order between the last two.
CROP_SIZES = [(256, 256), (512, 300), (511, 300), (600, 500), (599, 500), (1001, 334), (1300, 500),
              (500, 1300), (2000, 256), (2000, 255), (5000, 400), (1023, 256), (1024, 853),
              (853, 1024), (260, 1040), (900, 600), (3, 2)]
print(json.dumps({
    "transformers": transformers.__version__, "pillow": PIL.__version__,
    "resized": [{"width": w, "height": h, **processed(w, h, False)[0]} for w, h in SIZES],
    "crops": [{"width": w, "height": h, "boxes": crops(w, h)} for w, h in CROP_SIZES],
    "pan and scan": {"width": 900, "height": 600, "images": processed(900, 600, True)}}))
