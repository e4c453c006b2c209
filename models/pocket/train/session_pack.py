"""What a training session on a bare machine (PyTorch and nothing else) takes along and brings back.

python session_pack.py text FOLDER                   words, sentences and synonyms of this Debian machine, for FACET_TRAIN_TEXT
python session_pack.py embedder TOKENS.npz OUT.npz   the embedder's pairs, compressed, as many as fit
python session_pack.py split FILE FOLDER             parts of at most 15 MiB, with a checksum
python session_pack.py join FOLDER/NAME FILE         the file again
python session_pack.py weights CHECKPOINT OUT        the weights alone, in bf16
"""

import argparse
import hashlib
import os
import pathlib

PART_BYTES_MAX = 15 << 20
EMBEDDER_BYTES_MAX = 40 << 20


def text(folder):
    import lexicon
    import prose
    import words

    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "words.txt").write_text("\n".join(words.WORDS) + "\n")
    (folder / "sentences.txt").write_text("\n".join(prose.SENTENCES) + "\n")
    lexicon.write(folder / "synsets.txt")
    print(folder, sum(f.stat().st_size for f in folder.iterdir()), "bytes")


def embedder(source, out):
    """Keeps the first pairs whose compressed texts fit; held-out pairs are spread evenly, so a share of them stays."""
    import numpy as np

    with np.load(source) as z:
        data = {k: z[k] for k in z.files}
    pairs = len(data["first"])
    while True:
        texts = int(data["first"][pairs - 1] + 2 + data["negatives"][pairs - 1])
        cut = dict(data, ids=data["ids"][: data["offsets"][texts]], offsets=data["offsets"][: texts + 1])
        for key in ("first", "negatives", "held_out", "source"):
            cut[key] = data[key][:pairs]
        np.savez_compressed(out, **cut)
        if os.path.getsize(out) <= EMBEDDER_BYTES_MAX:
            break
        pairs = int(pairs * 0.9 * EMBEDDER_BYTES_MAX / os.path.getsize(out))
    print(out, pairs, "of", len(data["first"]), "pairs,", os.path.getsize(out), "bytes")


def split(path, folder):
    path, folder = pathlib.Path(path), pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    blob = path.read_bytes()
    for n, at in enumerate(range(0, max(1, len(blob)), PART_BYTES_MAX)):
        (folder / f"{path.name}.part{n:02d}").write_bytes(blob[at : at + PART_BYTES_MAX])
    (folder / f"{path.name}.sha256").write_text(hashlib.sha256(blob).hexdigest() + "\n")


def join(prefix, out):
    prefix = pathlib.Path(prefix)
    blob = b"".join(p.read_bytes() for p in sorted(prefix.parent.glob(prefix.name + ".part*")))
    want = prefix.with_name(prefix.name + ".sha256").read_text().strip()
    if hashlib.sha256(blob).hexdigest() != want:
        raise SystemExit(f"{prefix}: the parts do not add up to the file that was sent")
    pathlib.Path(out).write_bytes(blob)
    print(out, len(blob), "bytes")


def weights(checkpoint, out):
    import torch

    state = torch.load(checkpoint, weights_only=False, map_location="cpu")
    small = {k: v for k, v in state.items() if k not in ("adam", "muon", "opts")}
    small["model"] = {k: v.to(torch.bfloat16) for k, v in state["model"].items()}
    torch.save(small, out)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("step", choices=["text", "embedder", "split", "join", "weights"])
    parser.add_argument("paths", nargs="+")
    args = parser.parse_args()
    globals()[args.step](*args.paths)


if __name__ == "__main__":
    main()
