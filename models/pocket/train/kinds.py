"""Kinds of arguments, read from bank/kinds.txt: type, names, descriptions, values, and how people say them."""

import dataclasses
import pathlib

import words as w

BANK = pathlib.Path(__file__).resolve().parent / "bank"
WORLD = """José Søren Łukasz Zoë Björn Ayşe Nguyễn François Jürgen Chiara Márta Žofia Anaïs Matěj Ingrid Sanna Oisín Niamh Ewa Tiago
Inês Joaquín Lucía Ioana Ștefan Dimitra Kwame Amara Chidi Thandi Fatima Omar Leila Yusuf Mehmet Rania Arjun Lakshmi Wei Mei Haruto
Yuki Minjun Seoyeon Linh Putri Kaito Noor Farid Zeynep Olena Bogdan Milica Jovan Tuuli Arvo Eszter Gábor Siân Rhys Pádraig""".split()
SURNAMES = """García Müller Øster Nowak Dvořák Kovács Popescu Papadopoulos Yılmaz Ivanova Rossi Silva Lefèvre Jansen Nilsson Virtanen
Tamm Kalniņš Petrauskas Horvat Novák Okafor Mensah Haddad Cohen Rahman Singh Patel Tanaka Kim Nguyen Chen Wang O'Brien Byrne Davies
Fernández Almeida Schröder Weiß Fischer Moreau Conti Greco Sørensen Lindqvist Kaya Demir Abebe Diallo Kamau Suzuki Park Santos""".split()
NATIVE = ["李伟", "王芳", "Иван Петров", "Ольга", "Γιώργος", "Ελένη", "田中", "김민준", "محمد", "נועה"]
COUNTRIES = """France Germany Spain Italy Portugal Greece Norway Sweden Finland Denmark Poland Austria Switzerland Belgium Ireland
Japan China India Brazil Canada Mexico Kenya Egypt Morocco Turkey Vietnam Thailand Chile Peru Australia Iceland Estonia""".split()
LANGUAGES = "French German Spanish Italian Dutch Greek Danish Polish Czech Welsh Latin Turkish Hindi Swedish Japanese Arabic".split()
COLOURS = "red blue green yellow black white grey orange purple brown silver pink turquoise beige".split()
MATERIALS = "wood steel glass cotton leather wool paper plastic copper stone silk clay linen bronze".split()
ROOMS = "kitchen bedroom bathroom hall cellar garage office attic study lounge library workshop nursery balcony".split()
VENUES = """warehouse|second floor|north wing|archive|basement|front desk|new building|shelf 4|hall B|main office|yard|lab|loading dock|
room 12|cabinet|harbour|depot|ground floor|tower|east gate""".replace("\n", "").split("|")
LEVELS = "low normal high urgent critical minor major".split()
FLAGS = "urgent private silent express public draft recurring fragile confidential vegetarian refundable insured outdoor shared".split()
STREETS = "Street Road Lane Avenue Square Way Street Road".split()


def first(rng):
    return rng.choice(WORLD) if rng.random() < 0.45 else w.first_name(rng)


def person(rng):
    if rng.random() < 0.04:
        return rng.choice(NATIVE)
    last = rng.choice(SURNAMES) if rng.random() < 0.5 else w.surname(rng)
    return first(rng) if rng.random() < 0.12 else f"{first(rng)} {last}"


def date(rng):
    """A date in one of the spellings that people use."""
    d, m, y = rng.randint(1, 28), rng.randint(1, 12), rng.randint(2023, 2031)
    name = w.MONTHS[m - 1]
    return rng.choice([f"{y}-{m:02d}-{d:02d}", f"{d} {name}", f"{name} {d}", f"{d}.{m}.{y}", f"{m}/{d}/{y}", f"{d} {name[:3]} {y}",
                       f"{name} {d}, {y}", f"the {d}th of {name}"])


def day(rng):
    return rng.choice([date(rng), rng.choice(w.DAYS), "tomorrow", "next " + rng.choice(w.DAYS), "today"])


def street(rng):
    return f"{rng.choice([w.word(rng), w.invented(rng)]).capitalize()} {rng.choice(STREETS)} {rng.randint(1, 199)}"


def decimal(rng):
    return rng.choice([rng.randint(1, 40), round(rng.uniform(0.2, 50), 1), round(rng.uniform(1, 20), 2)])


def title(rng):
    words = w.phrase(rng, 1, 3)
    return words if rng.random() < 0.6 else " ".join(x.capitalize() for x in words.split())


def some(make, low=2, high=4):
    return lambda rng: [make(rng) for _ in range(rng.randint(low, high))]


def window(rng):
    a = rng.randint(6, 18)
    return {"start": f"{a:02d}:{rng.choice(['00', '30'])}", "end": f"{a + rng.randint(1, 4):02d}:{rng.choice(['00', '15', '45'])}"}


VALUES = dict(
    city=w.city, country=lambda r: r.choice(COUNTRIES), street=street, person=person, email=w.email, phone=w.phone, day=day, date=date,
    clock=w.clock, month=lambda r: r.choice(w.MONTHS), year=lambda r: r.randint(1950, 2031), title=title, text=lambda r: w.phrase(r, 2, 6),
    topic=lambda r: w.phrase(r, 1, 2), count=lambda r: r.randint(2, 99), few=lambda r: r.randint(1, 12),
    minutes=lambda r: r.choice([5, 10, 15, 20, 25, 30, 40, 45, 50, 60, 75, 90, 120]), hours=lambda r: r.choice([1, 2, 3, 4, 6, 8, 1.5, 2.5, 0.5]),
    amount=lambda r: r.choice([r.randint(1, 999), r.randint(10, 90) * 10, round(r.uniform(1, 99), 2)]), percent=lambda r: r.randint(1, 100),
    degrees=lambda r: r.choice([r.randint(-20, 35), round(r.uniform(5, 30), 1)]), decimal=decimal, rating=lambda r: r.randint(1, 5),
    version=lambda r: f"{r.randint(0, 12)}.{r.randint(0, 20)}" + (f".{r.randint(0, 9)}" if r.random() < 0.4 else ""), file=w.file_name,
    folder=w.folder, url=lambda r: f"https://{w.invented(r)}.{r.choice(['com', 'org', 'net'])}/{w.word(r)}", language=lambda r: r.choice(LANGUAGES),
    currency=lambda r: r.choice(["EUR", "USD", "GBP", "CHF", "JPY", "euros", "dollars", "pounds", "SEK", "INR"]), colour=lambda r: r.choice(COLOURS),
    product=w.product, material=lambda r: r.choice(MATERIALS), venue=lambda r: r.choice(VENUES), room=lambda r: r.choice(ROOMS), code=w.code,
    level=lambda r: r.choice(LEVELS), words=some(w.word, 2, 3), firsts=some(first, 2, 3), things=some(w.word, 2, 4),
    ints=some(lambda r: r.randint(1, 200), 2, 4), true=lambda r: True, false=lambda r: False, word=w.word, window=window,
    address=lambda r: {"street": street(r), "town": w.city(r)}, contactinfo=lambda r: {"name": person(r), "email": w.email(r)},
    size=lambda r: {"width": r.randint(2, 400), "height": r.randint(2, 400)},
)
FIELDS = {"address": ("street", "town"), "contactinfo": ("name", "email"), "window": ("start", "end"), "size": ("width", "height")}


@dataclasses.dataclass
class Kind:
    name: str
    type: str
    make: str  # The generator of its values, a key of VALUES.
    params: list
    descriptions: list
    ways: list
    more: tuple = ((), (), ())  # Names, descriptions and ways of the training split alone.


def listed(text, by):
    return [x.strip() for x in text.split(by) if x.strip()]


def load():
    out = {}
    for line in (BANK / "kinds.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            head, params, descriptions, ways = line.split(" : ")
            name, type_name, make = head.split()
            out[name] = Kind(name, type_name, make, params.split(), listed(descriptions, ";"), listed(ways, ";"))
    for line in (BANK / "more_kinds.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, params, descriptions, ways = line.split(" : ")
            out[name].more = (params.split(), listed(descriptions, ";"), [x for x in listed(ways, ";") if not w.held_out(x)])
    return out


KINDS = load()


def shown(v):
    """A value as a person writes it."""
    if isinstance(v, dict):
        return spoken(v)
    if isinstance(v, list):
        return ", ".join(str(x) for x in v[:-1]) + " and " + str(v[-1])
    return str(v)


def spoken(v):
    keys = list(v)
    if keys == ["street", "town"]:
        return f"{v['street']}, {v['town']}"
    if keys == ["name", "email"]:
        return f"{v['name']} ({v['email']})"
    if keys == ["start", "end"]:
        return f"{v['start']} and {v['end']}"
    return f"{v['width']} by {v['height']}"


def schema(kind, description):
    """The JSON schema of an argument of this kind; nested objects declare their fields."""
    if kind.type == "array":
        return {"type": "array", "description": description, "items": {"type": "integer" if kind.make == "ints" else "string"}}
    if kind.type == "object":
        inner = "integer" if kind.make == "size" else "string"
        fields = {f: {"type": inner, "description": f.capitalize()} for f in FIELDS[kind.make]}
        return {"type": "object", "description": description, "properties": fields, "required": list(fields)}
    return {"type": kind.type, "description": description}
