"""Chains of two to four calls: each looks up, from what the call before returned, one thing more."""

import functools

import kinds
import templates as tp
import tool_draw as td
import tools_bank as tb
import words as w

VALUES = dict(kinds.VALUES, person=kinds.person, building=lambda r: f"{w.invented(r).capitalize()} {r.choice(['House', 'Tower', 'Hall'])}",
              company=lambda r: w.invented(r).capitalize() + r.choice([" Ltd", " AG", " Inc", ""]), temperature=kinds.VALUES["degrees"],
              project=lambda r: w.invented(r).capitalize(), ticket=w.code, order=w.code, parcel=w.code, invoice=w.code, car=w.code, flight=w.code,
              book=kinds.title, song=kinds.title, album=kinds.title, team=lambda r: w.invented(r).capitalize() + " " + w.word(r),
              patient=w.code, room=lambda r: r.choice(["A", "B", "C"]) + str(r.randint(1, 420)))
VALUES["class"] = lambda r: f"{r.randint(1, 12)}{r.choice('abcd')}"
DESCRIPTIONS = ["Returns the {r} of a {d}", "Looks up the {r} of a {d}", "Tells the {r} that belongs to a {d}", "Finds a {d}'s {r}", "{r} of a {d}"]
# What can be done with the last thing that was found: kind, names, descriptions, requests ({x} stands for it).
ACTIONS = [
    ("email", "send_mail_to write_to mail_text", ["Sends an email with a text", "Mails a text to an address"], ["Send \"{t}\" to the {x}", "Mail \"{t}\" to the {x}", "Write \"{t}\" to the {x}"]),
    ("phone", "text_number send_sms message_phone", ["Sends a text message to a number", "Texts a phone"], ["Text \"{t}\" to the {x}", "Send the words \"{t}\" to the {x}"]),
    ("person", "notify ping_person tell_person", ["Tells a person something", "Sends a person a notice"], ["Tell the {x} \"{t}\"", "Notify the {x} with \"{t}\"", "Let the {x} know \"{t}\""]),
    ("person", "invite ask_in call_in", ["Invites a person to a meeting called by a title", "Sends an invitation"], ["Invite the {x} to \"{t}\"", "Ask the {x} to come to \"{t}\""]),
    ("ticket", "add_note comment_ticket write_remark", ["Writes a remark on a ticket", "Adds a note to a ticket"], ["Note \"{t}\" on the {x}", "Add \"{t}\" to the {x}"]),
    ("city", "book_room reserve_stay order_bed", ["Books a hotel room in a city under a title", "Reserves a room"], ["Book a room for \"{t}\" in the {x}", "Reserve a stay for \"{t}\" in the {x}"]),
]


ACTION_SHARE = 0.5  # Of the chains of the training split.


@functools.cache
def actions(split):
    """(kind, names, descriptions, requests, kind of the argument that the request gives; None: a text, and what it is called)."""
    out = [(*a, None) for a in ACTIONS if w.held_out(a[1]) == (split == "eval")]
    if split == "train":
        for line in tp.lines("more_actions.txt"):
            kind, given, names, descriptions, requests = line.split(" : ")
            out.append((kind, names, kinds.listed(descriptions, ";"), kinds.listed(requests, ";"), "" if given == "-" else given))
    return out


@functools.cache
def relations(split=""):
    out = []
    for line in [*tp.lines("relations.txt"), *(tp.lines("more_relations.txt") if split == "train" else [])]:
        ends, names, *noun = line.split(" : ")
        a, b = ends.split()
        out += [(a, b, name, noun[0].strip() if noun else "") for name in names.split()]
    return out


def usable(split):
    return [r for r in relations(split) if w.held_out(r[2]) == (split == "eval")]


def path(rng, split, length):
    """Relations that follow each other and do not return to a name already used."""
    for _ in range(200):
        out = [rng.choice(usable(split))]
        while len(out) < length:
            more = [r for r in (usable(split) if split == "train" or rng.random() < 0.5 else relations()) if r[0] == out[-1][1] and r[2] not in [o[2] for o in out]]
            if not more:
                break
            out.append(rng.choice(more))
        if len(out) == length:
            return out
    return None


class Step:
    """A tool of the chain; what kind of value it takes, and what it gives."""

    def __init__(self, name, description, takes, param):
        self.name, self.description, self.takes, self.param, self.extra = name, description, takes, param, None
        self.props = {param: {"type": "string", "description": f"The {takes}"}}
        self.required = [param]
        self.kind, self.args = "chain", []

    def give(self, extra, schema):
        """One argument more, which the request gives."""
        self.extra = extra
        self.props[extra] = schema
        self.required.append(extra)

    def schema(self):
        return {"name": self.name, "description": self.description, "parameters": {"type": "object", "properties": self.props, "required": self.required}}


class Chain:
    def __init__(self, rng, split, length, used):
        acts = actions(split)
        self.action, self.split = None, split
        made = None
        while not made:
            if split == "train" and length > 1 and rng.random() < ACTION_SHARE:
                made = path(rng, split, length - 1)
                fitting = [a for a in acts if made and a[0] == made[-1][1]]
                self.action, made = (rng.choice(fitting), made) if fitting else (None, None)
            elif length > 1 and rng.random() < 0.4:
                self.action = rng.choice(acts)
                made = path(rng, split, length - 1)
                made = made if made and made[-1][1] == self.action[0] else None
            else:
                self.action, made = None, path(rng, split, length)
        self.path, self.tools, taken = made, [], set(used) | set(td.forbidden_names(split))
        for a, b, relation, _ in made:
            self.tools.append(self.look_up(rng, a, relation, taken))
        if self.action:
            names = [n for n in self.action[1].split() if n not in taken] or [w.invented(rng, 3)]
            self.tools.append(self.last(rng, rng.choice(names), rng.choice(self.action[2]) + "."))

    def last(self, rng, name, description):
        """The tool of the action: takes what was found, and what the request gives."""
        kind, given = self.action[0], self.action[4]
        tool = Step(name, description, kind, self.param(rng, kind, ()))
        if given != "":
            names = kinds.KINDS[given].params if given else ["text", "message", "words", "body", "title"]
            extra = td.param_name(rng, names, self.split, given or "text", (tool.param,) if given else (), False)
            tool.give(extra, kinds.schema(kinds.KINDS[given], rng.choice(kinds.KINDS[given].descriptions)) if given else {"type": "string", "description": "The text"})
        return tool

    def param(self, rng, kind, used):
        names = [kind, f"{kind}_id" if VALUES[kind] is w.code else f"{kind}_name", "value", "key", "of", "name", td.fresh_word(rng, self.split)]
        return td.param_name(rng, names, self.split, kind, used, False)

    def look_up(self, rng, kind, relation, taken):
        name, relation_words = "", relation.replace("_", " ")
        while not name or name in taken:
            r = rng.random()
            name = td.meaningless_name(rng, self.split) if r < 0.12 else td.joined(rng, rng.choice([["get", relation], [relation, "of"], ["find", relation], [kind, relation], [relation], ["lookup", relation], ["get", kind, relation]]))
        taken.add(name)
        description = rng.choice(DESCRIPTIONS).replace("{r}", relation_words).replace("{d}", kind)
        return Step(name, td.articles(description[0].upper() + description[1:]) + ".", kind, self.param(rng, kind, ()))

    def turn(self, rng):
        """The user names the first thing; each result is the next argument."""
        start = VALUES[self.path[0][0]](rng)
        noun, said = self.path[0][3], start
        if noun and rng.random() < 0.8:
            said = rng.choice(["the ", ""]) + f"{noun} {start}"
        v, steps = start, []
        for (_, kind, relation, _), tool in zip(self.path, self.tools):
            found = VALUES[kind](rng)
            steps.append([(tool.name, {tool.param: v}, {rng.choice([relation, relation, kind, "value"]): found})])
            said = f"the {relation.replace('_', ' ')} of {said}"
            v = found
        said = said.removeprefix("the ")
        if self.action:
            tool, given = self.tools[-1], self.action[4]
            text = kinds.VALUES[kinds.KINDS[given].make](rng) if given else w.phrase(rng, 1, 4)
            user = rng.choice(self.action[3]).replace("{t}", kinds.shown(text)).replace("{x}", said)
            user += "?" if user.startswith(td.QUESTIONS) else "."
            done = {"value": rng.choice(["sent", "done", "ok", "queued"])}
            steps.append([(tool.name, {tool.param: v} | ({tool.extra: text} if tool.extra else {}), done)])
        else:
            user = rng.choice(["What is the {x}?", "Tell me the {x}.", "Find the {x}.", "I need the {x}.", "Look up the {x}.", "Who or what is the {x}?"]).replace("{x}", said)
        return dict(kind="chain", user=user, steps=steps, answer=tb.answer(steps[-1][0][2]))
