"""The tokenizer without its library: SentencePiece's BPE in plain Python, for machines that only have PyTorch.

`load` gives the library's processor where it is installed, else this one; both give the same ids
(`python pieces.py` compares them on generated conversations).
"""

import functools
import pathlib
import re
import struct
import sys

NORMAL, UNKNOWN, CONTROL, USER, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
SPACE = "▁"


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def fields(data):
    """(number, value) of each field of a protocol buffer message."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = varint(data, at)
        elif kind == 2:
            size, at = varint(data, at)
            value, at = data[at : at + size], at + size
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            value, at = data[at : at + size], at + size
        else:
            raise ValueError(f"field {number} has the wire type {kind}")
        yield number, value


class Encoder:
    """As much of a SentencePieceProcessor as the generator of the data uses."""

    def __init__(self, path):
        self.pieces, self.scores, self.kinds = [], [], []
        for number, value in fields(pathlib.Path(path).read_bytes()):
            if number == 1:
                entry = {n: v for n, v in fields(value)}
                self.pieces.append(entry[1].decode())
                self.scores.append(struct.unpack("<f", entry[2])[0] if 2 in entry else 0.0)
                self.kinds.append(entry.get(3, NORMAL))
        self.ids = {p: i for i, p in enumerate(self.pieces)}
        self.rank = {p: s for p, s, k in zip(self.pieces, self.scores, self.kinds) if k in (NORMAL, USER, UNUSED)}
        self.users = [p for p, k in zip(self.pieces, self.kinds) if k == USER]
        # No piece holds a space behind another character, so text can be cut before every run of spaces.
        self.cut = re.compile("|".join([re.escape(u) for u in self.users] + [f"{SPACE}*[^{SPACE}\n]+|{SPACE}+"]))
        self.chunk = functools.lru_cache(400_000)(self.chunk)

    def get_piece_size(self):
        return len(self.pieces)

    def id_to_piece(self, i):
        return self.pieces[i]

    def piece_to_id(self, piece):
        return self.ids[piece]

    def is_control(self, i):
        return self.kinds[i] == CONTROL

    def is_unknown(self, i):
        return self.kinds[i] == UNKNOWN

    def is_byte(self, i):
        return self.kinds[i] == BYTE

    def chunk(self, text):
        """The ids of one chunk: the best pair of neighbours is merged until none is a piece; the first of equals."""
        if text in self.users:
            return (self.ids[text],)
        parts = list(text)
        while len(parts) > 1:
            best, where = None, -1
            for i in range(len(parts) - 1):
                score = self.rank.get(parts[i] + parts[i + 1])
                if score is not None and (best is None or score > best):
                    best, where = score, i
            if best is None:
                break
            parts[where : where + 2] = [parts[where] + parts[where + 1]]
        out = []
        for p in parts:
            if p in self.rank:
                out.append(self.ids[p])
            else:
                out += [self.ids[f"<0x{b:02X}>"] for b in p.encode()]
        return tuple(out)

    def encode(self, text):
        out = []
        for found in self.cut.findall(text.replace(" ", SPACE)):
            out += self.chunk(found)
        return out


def load(path):
    try:
        import sentencepiece
    except ImportError:
        return Encoder(path)
    return sentencepiece.SentencePieceProcessor(model_file=str(path))


def compare(count=150):
    import random

    import data
    import shards

    library, own, checked = shards.Tokens(), Encoder(shards.HERE / "tokenizer.model"), 0
    texts = ["", " ", "a  b\n\n  c", " lead", "Üñ 漢\t!", "\n\n\n", "2,000 EUR\n- x", "李伟 и Ольга", "a" * 300]
    for n in range(count):
        rng = random.Random(f"pieces/{n}")
        made = data.sample(rng, library, "blend")
        if made:
            texts.append(library.sp.decode([i for i in made.ids if not library.sp.is_control(i)]))
            texts += [t["user"] for t in made.turns]
    for text in texts:
        checked += 1
        if list(own.encode(text)) != library.sp.encode(text):
            print("DIFF", repr(text[:200]))
            return 1
    print(checked, "texts have the same ids")
    return 0


if __name__ == "__main__":
    sys.exit(compare())
