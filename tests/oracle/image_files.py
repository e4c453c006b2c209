"""Writes image_files_golden.json: small image files of every kind, and the pixels Pillow reads.

Each entry holds a whole file in hexadecimal, and what Pillow's open, exif_transpose and
convert("RGB") make of it, except where `pixels` below says why that is not wanted. The 16-bit and
interlaced PNGs are put together here, because Pillow does not write them.

  python image_files.py > image_files_golden.json     (Pillow 13.0, numpy)
"""

import io
import json
import struct
import zlib

import numpy
import PIL
from PIL import Image, ImageOps

WIDTH, HEIGHT = 13, 9


def picture(channels, bits=8):
    """Smooth in one direction, sharp in the other: chroma, filters and orders all show."""
    y, x, c = numpy.mgrid[0:HEIGHT, 0:WIDTH, 0:channels]
    values = (x * 19 + y * y * 3 + c * 71 + (x * y) % 5 * 11) % 256
    if bits == 16:
        return (values * 256 + (values * 7) % 256).astype(numpy.uint16)
    return values.astype(numpy.uint8)


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(samples, color, bits, interlaced):
    """A PNG of `samples`, (height, width, channels), without filters."""
    passes = [(0, 0, 1, 1)]
    if interlaced:  # Adam7: first column and row, steps.
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4),
                  (1, 0, 2, 2), (0, 1, 1, 2)]
    raw = b""
    for x, y, dx, dy in passes:
        part = samples[y::dy, x::dx]
        if part.shape[1] == 0:
            continue
        for row in part:
            raw += b"\0" + row.astype(">u2" if bits == 16 else "u1").tobytes()
    height, width = samples.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 1 if interlaced else 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) +
            chunk(b"IEND", b""))


def oriented(kind, orientation, **options):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(Image.fromarray(picture(3)), kind, exif=exif.tobytes(), **options)


def files():
    rgb = Image.fromarray(picture(3))
    grey = Image.fromarray(picture(1)[:, :, 0])
    rgba = Image.fromarray(picture(4))
    yield "jpeg", saved(rgb, "JPEG", quality=90)
    yield "jpeg 4:4:4", saved(rgb, "JPEG", quality=95, subsampling=0)
    yield "jpeg progressive", saved(rgb, "JPEG", quality=90, progressive=True)
    yield "jpeg grey", saved(grey, "JPEG", quality=90)
    yield "jpeg cmyk", saved(Image.fromarray(picture(4), "CMYK"), "JPEG", quality=95)
    for orientation in range(1, 9):
        yield f"jpeg orientation {orientation}", oriented("JPEG", orientation, quality=90)
    yield "png", saved(rgb, "PNG")
    yield "png alpha", saved(rgba, "PNG")
    yield "png grey", saved(grey, "PNG")
    yield "png grey alpha", png(picture(2), 4, 8, False)
    yield "png one bit", saved(grey.point(lambda v: 255 * (v > 100)).convert("1"), "PNG")
    yield "png palette", saved(rgb.quantize(16), "PNG", bits=4)
    yield "png 16 bit", png(picture(3, 16), 2, 16, False)
    yield "png 16 bit grey", png(picture(1, 16), 0, 16, False)
    yield "png 16 bit alpha", png(picture(4, 16), 6, 16, False)
    yield "png interlaced", png(picture(3), 2, 8, True)
    yield "png 16 bit interlaced", png(picture(3, 16), 2, 16, True)
    yield "png orientation 6", oriented("PNG", 6)
    yield "png 1x1", saved(rgb.crop((3, 2, 4, 3)), "PNG")
    yield "webp", saved(rgb, "WEBP", quality=90)
    yield "webp lossless", saved(rgb, "WEBP", lossless=True)
    yield "webp alpha", saved(rgba, "WEBP", lossless=True, exact=True)
    yield "webp orientation 6", oriented("WEBP", 6, lossless=True)


def pixels(name, data):
    if name == "png 16 bit grey":
        # Pillow clips 16-bit grey at 255 instead of scaling it; the high bytes are meant.
        return numpy.repeat(picture(1, 16) >> 8, 3, axis=2).astype(numpy.uint8)
    return numpy.array(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))


def entry(name, data):
    rgb = pixels(name, data)
    return {"file": data.hex(), "width": rgb.shape[1], "height": rgb.shape[0],
            "rgb": rgb.tobytes().hex()}


frames = [Image.fromarray(picture(3)), Image.fromarray(255 - picture(3))]
animated = saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
print(json.dumps({"pillow": PIL.__version__,
                  "images": {name: entry(name, data) for name, data in files()},
                  "animated webp": animated.hex(),
                  "gif": saved(frames[0], "GIF").hex()}))
