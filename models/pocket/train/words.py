"""Open vocabulary: words, names, places, dates and figures, so that the model learns to copy, not to recall."""

import functools
import os
import pathlib
import re
import zlib

import pieces

# A folder of session_pack.py, on a machine without Debian's word list and manual pages.
TEXT = os.environ.get("FACET_TRAIN_TEXT")
DICTIONARY = pathlib.Path(TEXT) / "words.txt" if TEXT else pathlib.Path("/usr/share/dict/words")


# Word stems that nobody wants to meet in a tool's name.
CRUDE = re.compile("shit|fuck|cunt|bitch|whore|slut|nigg|fag|rap(e|ist)|porn|penis|vagin|clit|testic|erect|orgas|milf|womaniz|bastard|dyke|horn(y|i)|tits|boob"
                   "|anus|anal|semen|turd|piss|crap|damn|nazi|negro|chink|spic|kike|homo|queer|lesb|gay|sex|cock|dick|puss|prick|hooker|prostit|incest|murder"
                   "|suicid|kill|genital|scrot|viagra|nipple|virgin|brothel|pimp|whor|slave|lynch|molest|sod")


def load_dictionary():
    out = []
    for w in DICTIONARY.read_text().split():
        if w.isascii() and w.isalpha() and w.islower() and 4 <= len(w) <= 9 and not CRUDE.search(w):
            out.append(w)
    return out


def load_pieces():
    """Lower-case words that are one piece of the vocabulary: used often enough, so that no piece stays untrained."""
    model = pathlib.Path(__file__).resolve().parent / "tokenizer.model"
    sp = pieces.load(model) if model.exists() else None
    found = [sp.id_to_piece(i).lstrip("▁") for i in range(365, sp.get_piece_size())] if sp else []
    return sorted({p for p in found if len(p) >= 4 and p.isascii() and p.isalpha() and p.islower() and not CRUDE.search(p)})


WORDS = load_dictionary()
PIECES = load_pieces() or WORDS


def held_out(item):
    """About one item in eight belongs to the held-out split, by a hash of its text."""
    return zlib.crc32(str(item).encode()) % 8 == 3


def split_bank(bank, split):
    """The part of a bank that a split may use; a bank without held-out items serves both."""
    key = (id(bank), len(bank), split)
    if key not in SPLITS:
        kept = [x for x in bank if held_out(x) == (split == "eval")]
        # The bank is stored too, so that its id cannot be given to another list.
        SPLITS[key] = kept or list(bank), bank
    return SPLITS[key][0]


SPLITS = {}


FIRST = """Ann Ben Carla David Elena Frank Greta Hugo Ines Jonas Kira Liam Mona Nils Olga Paul Rosa Samir Tara Uwe
Vera Wendy Xenia Yusuf Zoe Aisha Bruno Chloe Dmitri Emma Felix Gina Hana Ivan Julia Kofi Lena Marco Nadia Omar
Petra Quinn Rahul Sofia Tomas Ulla Victor Wanda Yara Zane Alice Bob Carol Dan Eve Fiona George Helen Igor Jane
Kevin Laura Mike Nora Oscar Priya Ralph Susan Tim Maria Peter Anna John Linda James Karen Lucas Mia Noah""".split()
CITIES = """London Paris Berlin Madrid Lisbon Rome Vienna Prague Warsaw Dublin Oslo Stockholm Helsinki Copenhagen
Amsterdam Brussels Zurich Geneva Munich Hamburg Athens Budapest Tokyo Osaka Seoul Beijing Shanghai Singapore Sydney
Toronto Boston Chicago Denver Seattle Austin Porto Lyon Milan Turin Naples Bergen Riga Vilnius Tallinn Krakow Leeds
Bristol Cardiff Glasgow Cork Ghent Basel Graz Linz Bonn Kiel Essen Delhi Mumbai Cairo Lagos Nairobi Lima Quito""".split()
ONSET = "b c d f g h j k l m n p r s t v w z br cl dr fl gr kr pl st tr sh th".split()
VOWEL = "a e i o u ai ea ou a e i o".split()
CODA = ["", "", "n", "r", "l", "s", "t", "x", "nd", "rt", "m", "k"]
MONTHS = """January February March April May June July August September October November December""".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
CURRENCIES = ["EUR", "EUR", "EUR", "USD", "GBP", "CHF"]


def invented(rng, syllables=None):
    n = syllables or rng.choice([2, 2, 3])
    return "".join(rng.choice(ONSET) + rng.choice(VOWEL) + (rng.choice(CODA) if i == n - 1 or rng.random() < 0.2 else "")
                   for i in range(n))


@functools.cache
def followers():
    """Which letters follow two others in the dictionary, as often as they do; a word begins with two spaces and ends with one."""
    out = {}
    for word in WORDS:
        padded = f"  {word} "
        for i in range(len(padded) - 2):
            out.setdefault(padded[i : i + 2], []).append(padded[i + 2])
    return {k: "".join(v) for k, v in out.items()}


@functools.cache
def known():
    return set(WORDS)


def strange(rng):
    """A word of no dictionary whose letters follow each other as in English: unlike those of invented(), which the held-out split uses."""
    while True:
        out = "  "
        while len(out) < 14 and not out[2:].endswith(" "):
            out += rng.choice(followers()[out[-2:]])
        out = out.strip()
        if 4 <= len(out) <= 10 and out not in known() and not CRUDE.search(out):
            return out


def word(rng):
    return rng.choice(WORDS) if rng.random() < 0.65 else rng.choice(PIECES)


def name_word(rng, split):
    """A word for a name: any piece of the vocabulary in training, a word never trained on in the held-out split."""
    if split == "train" and rng.random() < 0.4:
        return rng.choice(PIECES)
    return rng.choice(split_bank(WORDS, split))


def surname(rng):
    return invented(rng).capitalize()


def first_name(rng):
    return rng.choice(FIRST) if rng.random() < 0.8 else invented(rng, 2).capitalize()


def person(rng):
    return f"{first_name(rng)} {surname(rng)}"


def city(rng):
    return rng.choice(CITIES) if rng.random() < 0.6 else invented(rng).capitalize()


def product(rng):
    kind = rng.random()
    if kind < 0.4:
        return invented(rng).capitalize()
    if kind < 0.7:
        return f"{word(rng).capitalize()} {rng.randint(1, 900)}"
    return f"{invented(rng).capitalize()} {word(rng).capitalize()}"


def digits(rng, n):
    return "".join(rng.choice("0123456789") for _ in range(n))


def code(rng):
    letters = "".join(rng.choice("ABCDEFGHJKLMNPRSTUVWXZ") for _ in range(rng.choice([1, 2, 2, 3])))
    return letters + rng.choice(["-", "-", ""]) + digits(rng, rng.choice([2, 3, 4, 4]))


def email(rng):
    return f"{first_name(rng).lower()}{rng.choice(['', '.' + invented(rng, 2)])}@{invented(rng, 2)}.{rng.choice(['com', 'org', 'net', 'example'])}"


def phone(rng):
    return rng.choice([f"+{rng.randint(1, 99)} {digits(rng, 3)} {digits(rng, 4)}", f"{digits(rng, 3)}-{digits(rng, 4)}", f"extension {digits(rng, 4)}"])


def clock(rng):
    return rng.choice([f"{rng.randint(0, 23):02d}:{rng.choice(['00', '15', '30', '45'])}", f"{rng.randint(1, 12)} {rng.choice(['am', 'pm'])}"])


def date(rng):
    return rng.choice([
        f"20{rng.randint(23, 31)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}",
        f"{rng.randint(1, 28)} {rng.choice(MONTHS)}",
        f"{rng.choice(MONTHS)} {rng.randint(1, 28)}",
    ])


def day_word(rng):
    return rng.choice([rng.choice(DAYS), "tomorrow", "today", date(rng)])


def file_name(rng):
    stem = rng.choice([word(rng), invented(rng), f"{word(rng)}_{word(rng)}", f"{word(rng)}-{rng.randint(1, 99)}"])
    return f"{stem}.{rng.choice(['md', 'txt', 'csv', 'pdf', 'html', 'json', 'png', 'log', 'docx'])}"


def folder(rng):
    return rng.choice([f"/{word(rng)}", f"/{word(rng)}/{word(rng)}", f"{word(rng)}/{word(rng)}", word(rng)])


def thousands(n):
    return f"{n:,}"


def round_amount(rng):
    return rng.choice([rng.randint(5, 99), rng.randint(10, 99) * 5, rng.randint(1, 99) * 10, rng.randint(1, 60) * 50,
                       rng.randint(1, 90) * 100, rng.randint(1, 40) * 500])


def money(rng):
    n = round_amount(rng)
    return f"{thousands(n) if rng.random() < 0.7 else n} {rng.choice(CURRENCIES)}"


def phrase(rng, low=2, high=4):
    return " ".join(word(rng) for _ in range(rng.randint(low, high)))
