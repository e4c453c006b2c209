"""Text to token ids, and shards of rows: ids, what of them the model emits, branches, and where each row ends."""

import os
import pathlib
import re

import numpy as np

import pieces

HERE = pathlib.Path(__file__).resolve().parent
CONTROL = re.compile(r"(<(?:bos|escape|start_of_turn|end_of_turn|start_function_declaration|end_function_declaration|"
                     r"start_function_call|end_function_call|start_function_response|end_function_response)>)")


class Tokens:
    def __init__(self, path=HERE / "tokenizer.model"):
        self.sp = pieces.load(path)
        self.control = {}

    def encode(self, text):
        out = []
        for piece in CONTROL.split(text):
            if not piece:
                continue
            if CONTROL.fullmatch(piece):
                if piece not in self.control:
                    self.control[piece] = self.sp.piece_to_id(piece)
                out.append(self.control[piece])
            else:
                out.extend(self.sp.encode(piece))
        return out

    def parts(self, parts):
        ids, mask = [], []
        for text, supervised in parts:
            piece = self.encode(text)
            ids += piece
            mask += [int(supervised)] * len(piece)
        return ids, mask


class Row:
    """A row's tokens, what of them the model emits (1) or reads (0), and its turns.

    branches: of a tree, 0 for the tokens that all its branches follow and 1, 2, ... for each branch's own; else None.
    """

    def __init__(self, ids, mask, turns, branches=None):
        self.ids, self.mask, self.turns, self.branches = ids, mask, turns, branches


def write_shard(path, make, count):
    """`make()` gives a Row or None; rows are added until there are `count` tokens."""
    ids_all, mask_all, branches_all, offsets = [], [], [], [0]
    while offsets[-1] < count:
        made = make()
        if made is None:
            continue
        ids_all.append(np.asarray(made.ids, dtype=np.uint16))
        mask_all.append(np.asarray(made.mask, dtype=np.uint8))
        branches_all.append(np.asarray(made.branches or [0] * len(made.ids), dtype=np.uint8))
        offsets.append(offsets[-1] + len(made.ids))
    temporary = str(path) + ".tmp.npz"
    np.savez(temporary, ids=np.concatenate(ids_all), mask=np.concatenate(mask_all), branches=np.concatenate(branches_all), offsets=np.asarray(offsets))
    os.replace(temporary, path)
