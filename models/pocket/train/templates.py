"""The bank of tool templates: bank/*.txt as data. A template is a domain, an object and a verb, or an idiom.

What belongs to the held-out split: whole domains (marked in their file), objects, verbs' names, argument names and
phrasings by the hash of their text (words.held_out), and whatever the older banks already hold out.
"""

import dataclasses
import functools
import re

import kinds
import tools_bank as tb
import words as w


@dataclasses.dataclass
class Verb:
    sense: str
    role: str
    extra: str  # The kind of argument that the verb itself needs, or "".
    names: list
    descriptions: list
    sayings: list
    more: list  # Sayings of the training split alone,
    more_names: list  # and names and
    more_descriptions: list  # descriptions.


@dataclasses.dataclass
class Template:
    """What a tool does: its names and descriptions vary, its meaning does not."""

    domain: str
    held_out: bool
    key: str
    names: list  # Words for the first part of the name, or whole names of an idiom.
    descriptions: list
    sayings: list
    role: str
    objects: list  # The object and its other words; empty for an idiom.
    arguments: list  # (kind or enum, required)
    known_by: str = ""
    more: list = ()  # Sayings of the training split alone,
    more_names: list = ()  # and names and
    more_descriptions: list = ()  # descriptions.
    said: list = ()  # Words for the object in a request; where there are none, `objects`.


@dataclasses.dataclass
class Enum:
    name: str
    values: list


def lines(name):
    for line in (kinds.BANK / name).read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            yield line


@functools.cache
def verbs():
    out, more = {}, {}
    for line in (*lines("more_sayings.txt"), *lines("other_sayings.txt")):
        sense, sayings = line.split(" : ")
        more.setdefault(sense, []).extend(kinds.listed(sayings, ";"))
    words = {sense: (names.split(), kinds.listed(descriptions, ";")) for sense, names, descriptions in (line.split(" : ") for line in lines("more_verbs.txt"))}
    for line in lines("verbs.txt"):
        head, names, descriptions, sayings = line.split(" : ")
        sense, role, *extra = head.split()
        out[sense] = Verb(sense, role, extra[0] if extra else "", names.split(), kinds.listed(descriptions, ";"), kinds.listed(sayings, ";"),
                          more.get(sense, []), *words.get(sense, ([], [])))
    return out


def arguments(text):
    """`city day? cabin(a,b)?` as (kind or enum, required)."""
    out = []
    for word in text.split():
        need, word = not word.endswith("?"), word.rstrip("?")
        if "(" in word:
            name, _, values = word.rstrip(")").partition("(")
            out.append((Enum(name, values.split(",")), need))
        else:
            out.append((kinds.KINDS[word], need))
    return out


def of_domains(name):
    domain, held = "", False
    for line in lines(name):
        if line.startswith("["):
            domain, held = line[1:].split("]")[0], "held_out" in line
            continue
        words, senses, args, *known = (x.strip() for x in line.split(" : "))
        objects = words.split("/")
        parsed = arguments(args)
        for sense in senses.split():
            v = verbs()[sense]
            data = list(parsed)
            if v.extra:
                data = [(kinds.KINDS[v.extra], True)]
            yield Template(domain, held or object_held(objects[0]), f"{domain}/{objects[0]}/{sense}", v.names, v.descriptions, v.sayings,
                           v.role, objects, data, known[0] if known else "id", v.more, v.more_names, v.more_descriptions)


def object_held(name):
    """By its own hash, or because the older bank of nouns holds it out."""
    return w.held_out(name) or name in [n for n in tb.NOUNS if w.held_out(n)]


SLOT = re.compile(r"\{(\w+)\}")


def idioms(name="idioms.txt"):
    for line in lines(name):
        domain, names, descriptions, sayings = line.split(" : ")
        sayings = kinds.listed(sayings, ";")
        always = [set(SLOT.findall(re.sub(r"\[.*?\]", "", s))) for s in sayings]
        slots = [s for s in dict.fromkeys(SLOT.findall(" ".join(sayings)))]
        args = [(kinds.KINDS[s], all(s in a for a in always)) for s in slots]
        yield Template(domain, w.held_out(names.split()[0]), f"{domain}/{names.split()[0]}", names.split(), kinds.listed(descriptions, ";"), sayings, "idiom", [], args)


@functools.cache
def bank():
    out = [t for name in ("domains_a.txt", "domains_b.txt", "domains_held_out.txt") for t in of_domains(name)]
    return out + list(idioms())


@functools.cache
def of_split(split):
    own = [t for t in bank() if t.held_out == (split == "eval")]
    if split == "eval":
        return own
    more = [*idioms("more_idioms.txt"), *idioms("other_idioms.txt"), *of_domains("more_domains.txt")]
    for t in more:
        t.held_out = False
    return own + more


@functools.cache
def by_domain(split):
    out = {}
    for t in of_split(split):
        out.setdefault(t.domain, []).append(t)
    return out


def sense(template):
    return template.key.split("/")[-1]


def same_object(template, split):
    """Templates of its domain about its object; none of an idiom."""
    return [t for t in by_domain(split).get(template.domain, []) if t.objects and t.objects == template.objects]


def crossed(verb, thing):
    """What `verb` does, done to the object of `thing`."""
    own = bool(verbs()[sense(verb)].extra)
    return dataclasses.replace(verb, domain=thing.domain, key=f"{thing.domain}/{thing.objects[0]}/{sense(verb)}", objects=thing.objects,
                               arguments=verb.arguments if own else thing.arguments or verb.arguments, known_by=thing.known_by)


@functools.cache
def with_objects(split):
    return [t for t in of_split(split) if t.objects]


@functools.cache
def by_sense(split):
    out = {}
    for of_domain in by_domain(split).values():
        for t in of_domain:
            out.setdefault(sense(t), []).append(t)
    return out


ARTICLE = re.compile(r"[^a-z ]|\b(the|a|an|my|o|os|please)\b")


def head(saying):
    """A saying without its articles and object: `Revoke the` and `Revoke {o}` are one."""
    return " ".join(ARTICLE.sub(" ", saying.lower()).split())


@functools.cache
def old_heads():
    """Phrasings that the older verbs hold out."""
    return {head(s) for _, _, sayings in tb.VERBS.values() for s in sayings if w.held_out(s)}


@functools.cache
def old_words():
    """Names that the older banks hold out: first words of names and names of arguments."""
    names = [n for v in tb.VERBS.values() for n in v[0]] + [n for k in (tb.KINDS, tb.SPECIAL) for v in k.values() for n in v[1] or []]
    names += [n for f in tb.FAMILIES for n in f["names"]]
    return {n for n in names if w.held_out(n)}


def in_split(items, split, held):
    kept = [x for x in items if held(x) == (split == "eval")]
    return kept or ([] if split == "train" else items)


@functools.cache
def held_out_heads():
    """Of the phrasings that the held-out split is made of."""
    return old_heads() | {head(s) for t in bank() for s in t.sayings if t.role != "idiom" and w.held_out(s)}


def sayings(template, split):
    own = in_split(template.sayings, split, lambda s: w.held_out(s) or head(s) in old_heads()) or template.sayings[:1]
    if split == "eval":
        return own
    return own + [s for s in template.more if head(s) not in held_out_heads()]


def names(template, split):
    def held(n):
        return w.held_out(n) or n in old_words()

    own = in_split(template.names, split, held) or template.names[:1]
    return own + [n for n in template.more_names if not held(n)] if split == "train" else own


def descriptions(template, split):
    return [*template.descriptions, *template.more_descriptions] if split == "train" else template.descriptions


if __name__ == "__main__":
    for split in ("train", "eval"):
        of = of_split(split)
        print(split, len(of), "templates", len({t.domain for t in of}), "domains", len({(t.domain, tuple(t.objects)) for t in of}), "objects")
