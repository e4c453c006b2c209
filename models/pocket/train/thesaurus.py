"""The pairs of words that a generator's file calls alike (agent/thesaurus.h), out of WordNet 3.0 (Debian's wordnet-base).

python thesaurus.py WORD OTHER     # whether the two are a pair

A pair is two words of one synset, or one of a synset and one of what it is a kind of, nouns with nouns and verbs with verbs;
of each word the commonest senses alone. Nothing is chosen by what any request or tool says: the words of held-out
objects and phrasings are in it like all others.
"""

import argparse
import pathlib
import re

import numpy as np

FOLDER = pathlib.Path("/usr/share/wordnet")
SYNONYM_SENSES, KIND_SENSES = 3, 2  # Of either word's senses, so many count.
LEMMA = re.compile(r"[a-z]+([_-][a-z]+)?$")
STEM = 5


def stems(words):
    """word_stem() of each (agent/word_stems.h)."""
    return {w[:STEM] if len(w) > STEM else w[:-1] if len(w) > 3 and w.endswith("s") else w for w in words.split()}


def read(kind):
    """(synsets as {offset: [(word, place of this sense among the word's)]}, {offset: offsets of what it is a kind of})."""
    place = {}
    for line in (FOLDER / f"index.{kind}").read_text().splitlines():
        if not line.startswith(" "):
            parts = line.split()
            place[parts[0]] = {offset: i for i, offset in enumerate(parts[6 + int(parts[3]) :])}
    synsets, above = {}, {}
    for line in (FOLDER / f"data.{kind}").read_text().splitlines():
        if line.startswith(" "):
            continue
        parts = line.partition(" | ")[0].split()
        offset, count = parts[0], int(parts[3], 16)
        words = [re.sub(r"\(.*\)", "", parts[4 + 2 * i].lower()) for i in range(count)]
        synsets[offset] = [(re.sub("[_-]", " ", w), place[w][offset]) for w in words if LEMMA.match(w)]
        pointers = parts[5 + 2 * count :]
        above[offset] = [pointers[4 * i + 1] for i in range(int(parts[4 + 2 * count])) if pointers[4 * i] == "@"]
    return synsets, above


def pairs():
    """{(word, other)} in alphabetical order. Words that share a stem are alike without it, and two words with two are left out."""
    out = set()

    def add(one, other, senses):
        (a, rank), (b, other_rank) = one, other
        if max(rank, other_rank) < senses and not (" " in a and " " in b) and not stems(a) & stems(b):
            out.add((min(a, b), max(a, b)))

    for kind in ("noun", "verb"):
        synsets, above = read(kind)
        for offset, words in synsets.items():
            for i, one in enumerate(words):
                for other in words[i + 1 :]:
                    add(one, other, SYNONYM_SENSES)
                for parent in above[offset]:
                    for other in synsets[parent]:
                        add(one, other, KIND_SENSES)
    return out


def number(one, other):
    """word_pair()."""
    out = 14695981039346656037
    for byte in f"{min(one, other)}\t{max(one, other)}".encode():
        out = (out ^ byte) * 1099511628211 % (1 << 64)
    return out >> 1


def numbers():
    return np.array(sorted({number(*pair) for pair in pairs()}), np.int64)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("words", nargs="*")
    args = parser.parse_args()
    found = pairs()
    print(f"{len(found)} pairs of {len({w for pair in found for w in pair})} words")
    if len(args.words) == 2:
        print("alike" if tuple(sorted(args.words)) in found else "not alike")


if __name__ == "__main__":
    main()
