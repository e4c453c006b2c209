"""Declared tools and requests out of the templates: names, arguments and wordings are drawn anew each time."""

import functools
import json

import lexicon
import templates as tp
import kinds
import tools_bank as tb
import words as w

# Ways to say the argument that a verb brings along.
EXTRA = {"title": ["to {v}", "as {v}", "into {v}"], "location": ["to the {v}", "into the {v}", "to {v}"], "day": ["to {v}", "until {v}"],
         "to_person": ["to {v}", "over to {v}"], "stars": ["with {v} stars", "{v} stars", "with {v} out of 5"],
         "text": ["with the words \"{v}\"", "saying \"{v}\"", "\"{v}\""], "tags": ["with {v}", "as {v}"]}
UPDATES = ["and set the {p} to {v}", "so that the {p} is {v}", "with {p} {v}", "to {p} {v}", "the new {p} is {v}", "{p} {v}"]
KEYS = {"id": (["id", "{n}_id", "number", "code", "ref", "reference", "key", "{n}_number", "identifier", "{n}"],
               ["Id of the {o}", "The number of the {o}", "Reference code", "Which {o}", "The {o}"],
               ["the {o} {v}", "the {o} {v}", "{o} {v}", "{o} number {v}", "the {o} with id {v}", "my {o} {v}", "our {o} {v}"])}


@functools.cache
def held_out_words():
    """(names of tools, names of arguments) in the held-out files: no tool of a training conversation has one of them."""
    names, arguments = set(tb.RESERVED), set()
    for path in sorted(kinds.BANK.parents[1].glob("held_out/bank.jsonl")) + sorted(kinds.BANK.parents[1].glob("held_out/calls.jsonl")):
        for line in path.read_text().splitlines():
            for tool in json.loads(line)["tools"]:
                names.add(tool["name"])
                if path.name == "bank.jsonl":
                    arguments |= set(tool["parameters"]["properties"])
    return names, arguments


def forbidden_names(split):
    return held_out_words()[0] if split == "train" else tb.RESERVED


def forbidden_arguments(split):
    return held_out_words()[1] if split == "train" else ()


def plural(noun):
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun if noun.endswith("s") and not noun.endswith("ss") else noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def articles(text):
    """`a order` becomes `an order`."""
    words = text.split(" ")
    for i in range(len(words) - 1):
        if words[i] in ("a", "A") and words[i + 1][:1].lower() in "aeio":
            words[i] += "n"
    return " ".join(words)


def fresh_word(rng, split):
    """A word that says nothing: of the dictionary or strange() in training, of no dictionary in the held-out split."""
    if split == "eval":
        return w.invented(rng, 2)
    return w.strange(rng) if rng.random() < STRANGE_SHARE else w.name_word(rng, split)


STRANGE_SHARE = 0.5  # Of the words that say nothing, those of no dictionary.
PREFIX_SHARE = 0.35  # Of the arguments of the training split, those whose name begins with such a word.


class Argument:
    def __init__(self, param, kind, need, wording=""):
        self.param, self.kind, self.need, self.wording = param, kind, need, wording

    @property
    def words(self):
        return self.param.replace("_", " ")


class Tool:
    """A declared tool of a template."""

    def __init__(self, template, name, description, meaningless):
        self.template, self.name, self.description = template, name, description
        self.meaningless, self.args, self.props, self.required = meaningless, [], {}, []
        self.kind, self.key = "template", None
        self.noun = template.objects[0] if template.objects else "entry"

    def schema(self):
        parameters = {"type": "object", "properties": self.props}
        if self.required:
            parameters["required"] = self.required
        return {"name": self.name, "description": self.description, "parameters": parameters}

    def add(self, argument, schema):
        self.args.append(argument)
        self.props[argument.param] = schema
        if argument.need:
            self.required.append(argument.param)


def camel(words):
    return words[0] + "".join(x.capitalize() for x in words[1:])


def joined(rng, words):
    form = rng.random()
    parts = [p for x in words for p in x.split("_")]
    if form < 0.66:
        return "_".join(parts)
    if form < 0.86:
        return camel(parts)
    if form < 0.93:
        return "".join(x.capitalize() for x in parts)
    return "_".join(parts).upper() if form > 0.98 else "".join(parts)


def meaningless_name(rng, split):
    return rng.choice([w.invented(rng), w.invented(rng), fresh_word(rng, split), f"{fresh_word(rng, split)}_{fresh_word(rng, split)}",
                       f"tool_{rng.randint(1, 99)}", f"fn_{w.invented(rng, 1)}{rng.randint(1, 9)}"])


def name_of(rng, template, split, used):
    """(name, whether it says nothing)."""
    for _ in range(50):
        if rng.random() < 0.14:
            name, blank = meaningless_name(rng, split), True
        else:
            word, blank = rng.choice(tp.names(template, split)), False
            if template.objects:
                noun = rng.choice(template.objects[:1] * 3 + template.objects).replace(" ", "_").replace("-", "_")
                if template.role in ("query", "zero") and rng.random() < 0.6:
                    noun = plural(noun)
                parts = [word, noun] if rng.random() < 0.8 else [noun, word]
                if rng.random() < 0.1 and template.domain not in ("open", lexicon.DOMAIN):
                    parts.insert(0, template.domain.split("_")[0])
                word = joined(rng, parts)
            elif rng.random() < 0.2:
                word = camel(word.split("_"))
            name = word
        if name not in used and name not in forbidden_names(split):
            return name, blank
    return w.invented(rng, 3), True


def param_name(rng, names, split, noun, used, blank):
    for _ in range(30):
        r = rng.random()
        if blank and r < 0.5 or r < 0.04:
            name = rng.choice([w.invented(rng, 2), fresh_word(rng, split), f"arg{rng.randint(1, 5)}"])
        else:
            pool = [n for n in names if (w.held_out(n) or n in tp.old_words()) == (split == "eval")]
            # Where no name is held out, an unseen word makes one.
            name = rng.choice(pool) if pool else f"{fresh_word(rng, split)}_{rng.choice(names)}"
            if pool and split == "train" and rng.random() < PREFIX_SHARE:
                name = f"{fresh_word(rng, split)}_{name}"
            name = name.replace("{n}", noun)
            if r > 0.93:
                name = f"{noun}_{name}"
            elif r > 0.9:
                name = camel(name.split("_"))
        if name not in used and name not in tb.SKIPPED and name not in tb.RESERVED and name not in forbidden_arguments(split):
            return name
    return w.invented(rng, 3)


def add_argument(rng, tool, kind, need, split):
    noun = tool.noun.replace(" ", "_")
    if isinstance(kind, tp.Enum):
        name = param_name(rng, [kind.name, f"{kind.name}_of_{noun}", f"which_{kind.name}"], split, noun, tool.props, tool.meaningless)
        tool.add(Argument(name, kind, need), {"type": "string", "description": rng.choice([f"The {kind.name}", f"Which {kind.name}", f"One of the values of {kind.name}"]), "enum": kind.values})
        return
    wording = rng.choice(kinds.FLAGS) if kind.type == "boolean" else w.word(rng) if kind.name == "words" else ""
    more = kind.more if split == "train" else ((), ())
    names = [n.replace("{f}", wording).replace("{w}", wording) for n in [*kind.params, *more[0]]]
    name = param_name(rng, names, split, noun, tool.props, tool.meaningless)
    description = rng.choice([*kind.descriptions, *more[1]]).replace("{f}", wording).replace("{w}", wording)
    tool.add(Argument(name, kind, need, wording), kinds.schema(kind, description))


def add_key(rng, tool, split):
    template, noun = tool.template, tool.noun.replace(" ", "_").replace("-", "_")
    if template.known_by == "id":
        names, descriptions, _ = KEYS["id"]
        name = param_name(rng, names, split, noun, tool.props, tool.meaningless)
        tool.add(Argument(name, None, True), {"type": "string", "description": rng.choice(descriptions).format(o=tool.noun)})
    else:
        add_argument(rng, tool, kinds.KINDS[template.known_by], True, split)
    tool.key = tool.args[-1]


def draw(rng, template, split, used=(), arguments_max=4):
    """A tool of this template under names that are not in `used`."""
    name, blank = name_of(rng, template, split, used)
    noun = rng.choice(template.objects[:1] * 3 + template.objects) if template.objects else ""
    description = rng.choice(tp.descriptions(template, split)).replace("{os}", plural(noun)).replace("{o}", noun)
    tool = Tool(template, name, articles(description) + rng.choice([".", ".", ""]), blank)
    if template.objects:
        tool.noun = noun
    if template.role == "key" or template.role.startswith("change"):
        add_key(rng, tool, split)
    optional = 0.25 if template.role == "key" else 0.6
    if template.role != "zero":
        for kind, need in template.arguments:
            given = template.role in ("key", "change")
            required = need and not given and (template.role != "query" or rng.random() < 0.3)
            if required or rng.random() < optional:
                if len(tool.args) < arguments_max and not any(a.kind is kind for a in tool.args):
                    add_argument(rng, tool, kind, required, split)
    if rng.random() < 0.3:
        lengthen(rng, tool)
    return tool


def lengthen(rng, tool):
    tool.description = tool.description.rstrip(".") + ". " + rng.choice(tb.TAILS)


def value(rng, argument):
    if argument.kind is None:
        return w.code(rng)
    if isinstance(argument.kind, tp.Enum):
        return rng.choice(argument.kind.values)
    return kinds.VALUES[argument.kind.make](rng)


# How any value may be said: which argument it fills, only the value tells.
ANY_WAYS = ["to {v}", "for {v}", "by {v}", "on {v}", "at {v}", "from {v}", "in {v}", "using {v}", "through {v}", "under {v}", "about {v}", "within {v}",
            "after {v}", "namely {v}", "this time {v}", "{v}"]
ANY_WAY_SHARE = 0.14  # Of the arguments of the training split.


def say(rng, argument, v, split, update=False):
    """How a request says one argument."""
    if isinstance(argument.kind, tp.Enum):
        way = rng.choice(["with {p} {v}", "in {v} {p}", "as {v}", "{p} {v}", "{p}: {v}", "of {p} {v}"])
        p = argument.words if rng.random() < 0.5 else argument.kind.name
    else:
        ways = UPDATES if update else argument.kind.ways
        more = argument.kind.more[2] if split == "train" and not update else ()
        way, p = rng.choice([*(tp.in_split(ways, split, w.held_out) or ways), *more]), argument.words
        if split == "train" and rng.random() < ANY_WAY_SHARE and argument.kind.type not in ("boolean", "object"):
            way = rng.choice(ANY_WAYS)
        if rng.random() < 0.1 and argument.kind.type not in ("boolean", "object"):
            way = rng.choice(["with {p} {v}", "{p}: {v}", "{p} is {v}"])
    return way.replace("{f}", argument.wording).replace("{p}", p).replace("{v}", kinds.shown(v))


def said_noun(rng, tool):
    """What a request calls the tool's object."""
    template = tool.template
    return rng.choice(template.said or [tool.noun, tool.noun, template.objects[0], rng.choice(template.objects)])


def key_phrase(rng, tool, v):
    noun = said_noun(rng, tool)
    if tool.template.known_by == "id":
        return rng.choice(KEYS["id"][2]).replace("{o}", noun).replace("{v}", kinds.shown(v))
    if tool.key.kind.make in ("city", "venue", "room", "month"):
        return f"the {noun} {'of' if tool.key.kind.make == 'month' else 'in'} {kinds.shown(v)}"
    return rng.choice(["the {o} {v}", "{o} {v}", "the {o} \"{v}\"", "the {o} called {v}"]).replace("{o}", noun).replace("{v}", kinds.shown(v))


WRAPS = ["{}", "{}", "{}", "{}", "Please {l}", "Can you {l}", "Could you {l}", "{}, please", "Hi, {l}", "I want you to {l}", "Now {l}", "Hello! {}", "{}. Thanks!", "Would you {l}"]
# More of them, for the training split only.
MORE_WRAPS = ["I'd like you to {l}", "Would you mind to {l}", "Go ahead and {l}", "Be so kind and {l}", "Next, {l}", "Quick one: {l}", "{}, thanks", "{}, if you can", "I need you to {l}",
              "Then {l}", "One more thing: {l}", "{} for me", "Kindly {l}", "{} right away", "{} when you have a minute", "OK, {l}", "Hey, {l}", "I would like to {l}", "We have to {l}",
              "It is time to {l}", "Let us {l}", "Dear assistant, {l}", "You should {l}", "Make sure to {l}", "Just {l}", "So, {l}", "Try to {l}", "Somebody told me to {l}", "Good morning! {}"]
QUESTIONS = ("Who", "What", "When", "Where", "Which", "How", "Is ", "Are ", "Do ", "Does ", "Did", "Am ", "Can ", "In ", "At ", "On ", "To ")
# What is no order and cannot be wrapped as one.
SAYINGS = QUESTIONS + ("I ", "We ", "There", "Any ", "Since", "Please", "Help", "Let ", "My ", "Time ", "Good ", "Nobody ", "That ", "Somebody ")


def wrapped(rng, text, split):
    text = articles(text)
    low = text[0].lower() + text[1:]
    if text.startswith(SAYINGS):
        out = rng.choice(["{}", "{}", "Hi! {}", "Hello, {l}"]).format(text, l=text if text.startswith("I ") else low)
        return out + ("?" if text.startswith(QUESTIONS) and rng.random() < 0.85 else rng.choice(["", "."]))
    more = [x for x in MORE_WRAPS if not w.held_out(x)] if split == "train" else []
    form = rng.choice(tp.in_split(WRAPS, split, w.held_out) + more)
    out = form.format(text, l=low)
    return out + ("" if out.endswith("!") else "?" if form.startswith(("Can", "Could", "Would")) else rng.choice([".", ".", ".", "", "!"]))


def idiom_request(rng, tool, split, drop):
    """Fills the slots of a saying; None where the saying has no place for what is dropped."""
    saying, out, i = rng.choice(tp.sayings(tool.template, split)), "", 0
    while i < len(saying):
        if saying[i] == "[":
            j = saying.index("]", i)
            out += saying[i + 1 : j] if rng.random() < 0.6 else ""
            i = j
        else:
            out += saying[i]
        i += 1
    arguments = {}
    for a in tool.args:
        slot = "{" + a.kind.name + "}"
        if slot in out:
            arguments[a.param] = v = value(rng, a)
            out = out.replace(slot, kinds.shown(v))
    return None if "{" in out or drop else (wrapped(rng, out, split), arguments)


def lies_in(argument, arguments):
    return any(argument is a for a in arguments)


def request(rng, tool, split, drop=None):
    """(user text, arguments), with the arguments `drop` left unsaid; None where this tool cannot be asked so."""
    drop = drop or []
    template = tool.template
    if template.role == "idiom":
        return idiom_request(rng, tool, split, drop)
    text, arguments, tail = rng.choice(tp.sayings(template, split)), {}, []
    noun = said_noun(rng, tool)
    if tool.key is not None:
        if lies_in(tool.key, drop):
            phrase = rng.choice(["the {o}", "the {o}", "my {o}", "our {o}", "this {o}"]).replace("{o}", noun)
        else:
            arguments[tool.key.param] = v = value(rng, tool.key)
            phrase = key_phrase(rng, tool, v)
        text = text.replace("{o}", phrase)
    text = text.replace("{os}", plural(noun)).replace("{o}", noun)
    said = [a for a in tool.args if a is not tool.key and not lies_in(a, drop) and (a.need or rng.random() < 0.55)]
    if template.role in ("query", "change") and not said and not drop:
        choices = [a for a in tool.args if a is not tool.key]
        if not choices:
            return None
        said = [rng.choice(choices)]
    for a in said:
        arguments[a.param] = v = value(rng, a)
        if template.role == "change2" and not isinstance(a.kind, tp.Enum) and a.kind.name in EXTRA:
            tail.append(rng.choice(EXTRA[a.kind.name]).replace("{v}", kinds.shown(v)))
        else:
            tail.append(say(rng, a, v, split, template.role == "change"))
    if rng.random() < 0.4:
        rng.shuffle(tail)
    return wrapped(rng, " ".join([text] + tail), split), arguments


OPEN_SAYINGS = ["{V} the {n}", "Please {v} the {n}", "{V} a {n}", "I want to {v} the {n}", "Time to {v} the {n}", "{V} my {n}"]


def open_words(rng, split):
    """A template of two dictionary words, which nothing but the declaration explains."""
    verb, noun = fresh_word(rng, split), fresh_word(rng, split)
    descriptions = [f"{verb.capitalize()}s the {noun}", f"Use it to {verb} a {noun}", f"For {noun}: {verb} it", f"{verb.capitalize()} one {noun}", f"Makes the {noun} {verb}"]
    says = [s.replace("{V}", verb.capitalize()).replace("{v}", verb) .replace("{n}", "{o}") for s in OPEN_SAYINGS]
    role = rng.choice(["key", "new", "zero", "put", "new"])
    if role == "key":
        says = [s.replace("the {o}", "{o}").replace("a {o}", "{o}").replace("my {o}", "{o}") for s in says]
    picked = [k for k in rng.sample(list(kinds.KINDS.values()), rng.choice([1, 1, 2, 3]))]
    return tp.Template("open", split == "eval", f"open/{noun}/{verb}", [verb], descriptions, says, role, [noun], [(k, True) for k in picked], "id")
