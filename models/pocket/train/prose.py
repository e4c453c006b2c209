"""Sentences of running English from the manual pages and package descriptions of a Debian machine.

They surround the invented facts, so that the model meets real sentences, and some are asked for by their words.
"""

import pathlib
import random
import re

import words

COUNT_MAX = 12000


def good(sentence):
    return (35 <= len(sentence) <= 150 and sentence[0].isupper() and sentence.endswith(".") and sentence.isascii()
            and not re.search(r"[<>{}\\|_@#\[\]\"`*=]|\.\s|--", sentence))


def load():
    if words.TEXT:
        return (pathlib.Path(words.TEXT) / "sentences.txt").read_text().splitlines()
    import tokenizer

    out, seen = [], set()
    for n, paragraph in enumerate(tokenizer.manual_pages(3500)):
        for s in re.split(r"(?<=[.!?])\s+", " ".join(paragraph.split())):
            if s and good(s) and s not in seen:
                seen.add(s)
                out.append(s)
    random.Random(5).shuffle(out)
    return out[:COUNT_MAX]


SENTENCES = load()


def sentence(rng):
    return rng.choice(SENTENCES)
