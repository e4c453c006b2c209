"""Templates out of a dictionary: nouns and verbs of WordNet 3.0 (Debian's wordnet-base) with their synonyms, so that
matching a request with a declaration is learnt over the language and not over the bank's own lists; and everyday things
and verbs with other words for them (bank/everyday*.txt).

A draw joins a verb (of the dictionary, or one of the bank's with its phrasings of the training split) with a noun. Names,
descriptions and requests say either with any of its synonyms; a request often with one that the declaration does not have. Only senses that come first for their word are used. Left
out are the objects of held-out templates and the heads of held-out phrasings, so that both stay unseen.
"""

import dataclasses
import functools
import os
import pathlib
import re

import kinds
import templates as tp
import tools_bank as tb
import words as w

TEXT = os.environ.get("FACET_TRAIN_TEXT")
FOLDER = pathlib.Path("/usr/share/wordnet")
SYNSETS = pathlib.Path(TEXT) / "synsets.txt" if TEXT else None
# WordNet's classes of nouns that are not things a tool would handle: body parts, diseases' states, shapes, ...
NOUN_CLASSES = {3, 4, 6, 9, 10, 11, 13, 14, 15, 17, 20, 21, 26, 27, 28}
LEMMA = re.compile(r"[a-z]+( [a-z]+)?$")
PARTICLES = set("up down off out in on over away back through".split())
DOMAIN = "dictionary"
BANK_VERBS_SHARE = 0.6  # Of the templates, those with a verb of the bank.
ANY_WORDS_SHARE = 0.3  # Of the objects, those that are words of any kind,
STRANGE_SHARE = 0.4  # and of these words those of no dictionary.
EVERYDAY_SHARE = 0.45  # Of the other objects, those of bank/everyday.txt,
EVERYDAY_VERBS_SHARE = 0.5  # and of the dictionary's verbs, those of bank/everyday_verbs.txt instead.


def first_senses(kind):
    """Offset of the first sense of every word, with how often it was tagged in WordNet's texts (0: never)."""
    counts = {}
    for line in (FOLDER / "cntlist.rev").read_text().splitlines():
        key, sense, count = line.split()
        lemma, _, rest = key.partition("%")
        if sense == "1" and rest[0] == kind:
            counts[lemma] = int(count)
    out = {}
    name = {"1": "noun", "2": "verb"}[kind]
    for line in (FOLDER / f"index.{name}").read_text().splitlines():
        if line.startswith(" "):
            continue
        parts = line.split()
        offsets = parts[6 + int(parts[3]) :]
        out[parts[0]] = (offsets[0], counts.get(parts[0], 0))
    return out


def usable(lemma):
    return LEMMA.match(lemma) and 3 <= len(lemma) <= 20 and not w.CRUDE.search(lemma) and lemma not in held_out_terms()


@functools.cache
def held_out_terms():
    """Objects of held-out templates and heads of held-out phrasings."""
    out = {o for t in tp.bank() if t.held_out for o in t.objects} | {n for n in tb.NOUNS if w.held_out(n)} | tp.old_heads()
    for t in tp.bank():
        out |= {tp.head(s) for s in t.sayings if w.held_out(s)}
    return out


def read(kind):
    """Synsets as (words, gloss), of one kind: 1 nouns, 2 verbs that take an object."""
    first = first_senses(kind)
    out = []
    for line in (FOLDER / {"1": "data.noun", "2": "data.verb"}[kind]).read_text().splitlines():
        if line.startswith(" "):
            continue
        data, _, gloss = line.partition(" | ")
        parts = data.split()
        offset, lexicon, count = parts[0], int(parts[1]), int(parts[3], 16)
        if kind == "1" and lexicon not in NOUN_CLASSES:
            continue
        words = [parts[4 + 2 * i] for i in range(count)]
        if kind == "2":
            pointers = int(parts[4 + 2 * count])
            frames = parts[4 + 2 * count + 1 + 4 * pointers :]
            # Frame 8 is "somebody ----s something"; one for all words of the synset has the word number 00.
            if not any(frames[i] == "+" and frames[i + 1] == "08" and frames[i + 2] == "00" for i in range(1, len(frames) - 2)):
                continue
        kept = [x.replace("_", " ") for x in words if first.get(x, ("", 0))[0] == offset]
        kept = [x for x in kept if usable(x)]
        tagged = max([first[x.replace(" ", "_")][1] for x in kept], default=0)
        if kept and (tagged or kind == "2" and len(kept) > 1):
            out.append((kept[:4], gloss.split(";")[0].strip()))
    return out


@functools.cache
def synsets():
    """(nouns, verbs)."""
    if not SYNSETS:
        return read("1"), read("2")
    out = {"n": [], "v": []}
    for line in SYNSETS.read_text().splitlines():
        kind, words, gloss = line.split("\t")
        out[kind].append((words.split("/"), gloss))
    return out["n"], out["v"]


def write(path):
    nouns, verbs = read("1"), read("2")
    lines = [f"{k}\t{'/'.join(ws)}\t{gloss}" for k, rows in (("n", nouns), ("v", verbs)) for ws, gloss in rows]
    pathlib.Path(path).write_text("\n".join(lines) + "\n")


def third(verb):
    """`call off` becomes `calls off`."""
    head, _, rest = verb.partition(" ")
    if head.endswith(("s", "x", "z", "ch", "sh", "o")):
        head += "es"
    elif head.endswith("y") and head[-2:-1] not in "aeiou":
        head = head[:-1] + "ies"
    else:
        head += "s"
    return (head + " " + rest).strip()


SAYINGS = ["{V} {o}", "{V} {o}", "I want to {v} {o}", "We have to {v} {o}", "Help me {v} {o}", "It is time to {v} {o}", "Let us {v} {o}", "{V} {o} for me"]


def sayings(verbs):
    """What people say, with `{o}` where the object stands."""
    out = []
    for verb in verbs:
        ways = list(SAYINGS)
        head, _, rest = verb.partition(" ")
        out += [s.replace("{V}", verb.capitalize()).replace("{v}", verb) for s in ways]
        if rest in PARTICLES:
            out.append(f"{head.capitalize()} {{o}} {rest}")
    return out


def descriptions(verbs, gloss, rng):
    out = [t for v in verbs for t in (f"{third(v).capitalize()} a {{o}}", f"{third(v).capitalize()} the {{o}}", f"Use it to {v} a {{o}}", f"To {v} {{os}}")]
    if len(gloss.split()) <= 10 and "(" not in gloss:
        out += [f"For {{os}}: {gloss}", f"{gloss.capitalize()}, for {{os}}"] * 2
    return out


def split_words(rng, words):
    """Words for the declaration and words for the request: often others."""
    words = list(words)
    rng.shuffle(words)
    if len(words) == 1 or rng.random() < 0.35:
        return words, words
    cut = rng.randint(1, len(words) - 1)
    return words[:cut], words[cut:]


def bank_verbs():
    return [v for v in tp.verbs().values() if v.role in ("key", "new", "put", "zero", "query", "change")]


def any_words(rng):
    """An object that no meaning helps with: the request shares its letters with the declaration, nothing else."""
    while True:
        words = [w.strange(rng) if rng.random() < STRANGE_SHARE else w.word(rng) for _ in range(rng.choice([1, 1, 2]))]
        if usable(" ".join(words)):
            return [" ".join(words)]


@functools.cache
def everyday():
    """Things with other words for them, without the words that are held out."""
    rows = [[x for x in line.split("/") if not {x, *x.split()} & held_out_terms()] for line in tp.lines("everyday.txt")]
    return [r for r in rows if r]


@functools.cache
def everyday_verbs():
    """(verbs that mean the same, what they mean), without those that are held out."""
    rows = [line.split(" : ") for line in tp.lines("everyday_verbs.txt")]
    rows = [([v for v in verbs.split("/") if v not in held_out_terms()], gloss) for verbs, gloss in rows]
    return [r for r in rows if r[0]]


def noun(rng):
    """(words for the declaration, words for the request): an everyday thing or a noun of the dictionary, or any words at all."""
    if rng.random() < ANY_WORDS_SHARE:
        return any_words(rng), ()
    return split_words(rng, rng.choice(everyday()) if rng.random() < EVERYDAY_SHARE else rng.choice(synsets()[0])[0])


def draw(rng, objects=None):
    """A template; its objects are `objects`, or new ones (noun())."""
    said = ()
    if not objects:
        objects, said = noun(rng)
    return dataclasses.replace(about(rng, objects), said=said)


def about(rng, objects):
    """A template on `objects`, words for one thing."""
    picked = [(k, True) for k in rng.sample(list(kinds.KINDS.values()), rng.choice([0, 1, 1, 2, 2, 3]))]
    if rng.random() < BANK_VERBS_SHARE:
        verb = rng.choice(bank_verbs())
        arguments = [(kinds.KINDS[verb.extra], True)] if verb.extra else picked
        return tp.Template(DOMAIN, False, f"{DOMAIN}/{objects[0]}/{verb.sense}", verb.names, verb.descriptions, verb.sayings, verb.role, objects,
                           arguments or [(rng.choice(list(kinds.KINDS.values())), True)], "id", verb.more, verb.more_names, verb.more_descriptions)
    verbs, gloss = rng.choice(everyday_verbs() if rng.random() < EVERYDAY_VERBS_SHARE else synsets()[1])
    declared, said = split_words(rng, verbs)
    role = rng.choice(["key", "key", "new", "zero", "put", "new"])
    says = sayings(said)
    if role != "key":
        article = rng.choice(["the {o}", "a {o}", "the {o}", "my {o}"])
        says = [s.replace("{o}", article) for s in says]
    return tp.Template(DOMAIN, False, f"{DOMAIN}/{objects[0]}/{verbs[0]}", [v.replace(" ", "_") for v in declared], descriptions(declared, gloss, rng), says,
                       role, objects, picked, "id")


if __name__ == "__main__":
    nouns, verbs = synsets()
    print(len(nouns), "nouns", sum(len(n) > 1 for n, _ in nouns), "with synonyms;", len(verbs), "verbs", sum(len(v) > 1 for v, _ in verbs), "with synonyms")
