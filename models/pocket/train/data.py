"""Seeded generator of tool-calling conversations, and the writer of tokenised shards.

python data.py --show 3                       prints three conversations
python data.py --out DIR --shards 4 --tokens 2000000 --stage main --seed 1
"""

import argparse
import os
import pathlib
import random
import re
import time

import numpy as np
import sentencepiece as spm

import dialect
import facts
import prose
import tools_bank as tb
import words as w

HERE = pathlib.Path(__file__).resolve().parent
CONTROL = re.compile(r"(<(?:bos|escape|start_of_turn|end_of_turn|start_function_declaration|end_function_declaration|"
                     r"start_function_call|end_function_call|start_function_response|end_function_response)>)")
NO_TOOL = "No tool fits this request."
NOT_FOUND = "The documents do not say."
PASSAGE_WORDS_MAX = 58


class Tokens:
    def __init__(self, path=HERE / "tokenizer.model"):
        self.sp = spm.SentencePieceProcessor(model_file=str(path))
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


# Documents -------------------------------------------------------------------------------------------------------


def layout(rng, sentences, title):
    """The text of a passage out of whole sentences."""
    form = rng.random()
    if form < 0.4:
        text = " ".join(sentences)
    elif form < 0.58:
        text = "\n".join("- " + s for s in sentences)
    elif form < 0.82:
        text = "\n".join(sentences)
    elif form < 0.9:
        text = "\n\n".join(sentences)
    else:
        cut = rng.randint(0, len(sentences))
        text = " ".join(sentences[:cut]) + ("\n\n" if 0 < cut < len(sentences) else "") + " ".join(sentences[cut:])
    head = rng.random()
    if head < 0.25:
        text = f"{'#' * rng.randint(1, 3)} {title}\n{rng.choice(['', chr(10)])}{text}"
    elif head < 0.35:
        text = f"{title}\n{text}"
    elif head < 0.4:
        text = f"{title}: {text}"
    return text


def title_of(rng):
    return rng.choice([rng.choice(facts.TITLES), w.word(rng).capitalize() + " " + rng.choice(facts.TITLES).lower(), w.phrase(rng, 1, 3).capitalize()])


def opposite_limit(rng, fact, split):
    """For a fact about sums above a limit, the one about sums below it, and the other way round."""
    said, asked = fact.values["limit"]
    amount = re.search(r"[\d,]+ [A-Z]{3}$", said).group(0)
    low = said.startswith(("up", "below", "under", "between"))
    other = rng.choice(["above ", "over "] if low else ["up to ", "below ", "under "]) + amount
    values = dict(fact.values, limit=(other, other), role=facts.role(rng))
    return facts.Fact(fact.frame, values)


def other_sentences(rng, fact, split, count, near):
    """Sentences that do not answer fact's question: near misses of the same frame, and others."""
    out = []
    for _ in range(count):
        r = rng.random()
        if r < near:
            if fact and "limit" in fact.frame["slots"] and rng.random() < 0.4:
                out.append(facts.sentence(rng, opposite_limit(rng, fact, split), split))
                continue
            other = facts.near_fact(rng, fact) if fact else None
            if other:
                out.append(facts.sentence(rng, other, split))
                continue
        if r > 0.75:
            out.append(rng.choice(facts.FILLERS) if rng.random() < 0.4 else prose.sentence(rng))
            continue
        frame = rng.choice(facts.FRAME_LIST)
        if fact and frame is fact.frame:
            continue
        out.append(facts.sentence(rng, facts.draw(rng, frame), split))
    return out


def limited(sentences, must=None):
    """As many sentences as a passage may hold, always with `must`."""
    out, count = ([must] if must else []), len(must.split()) if must else 0
    for s in sentences:
        if count + len(s.split()) <= PASSAGE_WORDS_MAX and s not in out:
            out.append(s)
            count += len(s.split())
    return out


def passages_for(rng, fact, split, small, with_answer=True, mid=False, dense=False):
    """Returns (texts, index of the answering passage or None, sentence to copy)."""
    count = rng.choice([1, 1, 2]) if small else rng.choice([1, 2, 2, 3]) if mid else rng.choice([1, 2, 3, 3, 4])
    if dense:
        count = rng.choice([1, 2, 3, 3, 4])
    near = rng.choice([0.0, 0.3, 0.6])
    target = rng.randrange(count)
    said = facts.sentence(rng, fact, split)
    texts = []
    for i in range(count):
        extra = other_sentences(rng, fact, split, rng.choice([0, 1]) if small else rng.choice([0, 0, 0, 1]) if dense else rng.choice([0, 0, 1, 1, 2]) if mid else rng.choice([0, 1, 2, 3, 4]), near)
        if i == target and with_answer:
            chosen = limited(extra, said)
            rng.shuffle(chosen)
        else:
            chosen = limited(extra) or [facts.sentence(rng, facts.draw(rng, rng.choice([f for f in facts.FRAME_LIST if f is not fact.frame])), split)]
        texts.append(layout(rng, chosen, title_of(rng)))
    return texts, target, said


def table_passages(rng, split, small):
    """A question about a table row: (texts, target index, row, question, answered)."""
    table = facts.Table(rng, rng.randint(2, 4 if small else 9))
    answered = rng.random() < 0.85
    i = rng.randrange(len(table.items))
    column = rng.choice(table.columns)
    rows = [table.row(k) for k in range(len(table.items))]
    if answered:
        question = table.question(rng, table.items[i], column, split)
    elif rng.random() < 0.5:
        question = table.question(rng, facts.asset(rng).capitalize() + " " + w.code(rng), column, split)
    else:
        missing = [c for c in facts.COLUMNS if c not in table.columns and not (c in ("price", "cost") and {"price", "cost"} & set(table.columns))]
        question = table.question(rng, table.items[i], rng.choice(missing), split)
    groups, target = [], 0
    size = rng.choice([1, 1, 2, 3])
    order = list(range(len(rows)))
    for k in range(0, len(order), size):
        groups.append(order[k : k + size])
    wanted = next(g for g in groups if i in g)
    others = [g for g in groups if g is not wanted]
    rng.shuffle(others)
    chosen = others[: rng.choice([0, 1] if small else [0, 1, 2, 3])] + [wanted]
    rng.shuffle(chosen)
    target = chosen.index(wanted)
    return ["\n".join(rows[k] for k in g) for g in chosen], target, rows[i], question, answered, table, i


LEADS = ["{}", "{}", "{}", "{}", "{}", "{}", "Please tell me: {l}", "Hi, {l}", "I want to know {l}", "Tell me, {l}", "Can you look up {l}", "Hello, {l}"]


def lead(rng, question):
    form = rng.choice(LEADS)
    text = form.format(question, l=question[0].lower() + question[1:])
    if rng.random() < 0.08:
        text = text.lower()
    if rng.random() < 0.06:
        text = text.rstrip("?")
    return text


# Turns -----------------------------------------------------------------------------------------------------------


class Conversation:
    def __init__(self, rng, split, small, mid=False, dense=False):
        self.rng, self.split, self.small, self.mid, self.dense = rng, split, small, mid, dense
        self.next_id = 1
        self.search = self.calc = None
        self.actions = []
        self.tools = []
        # A drill declares several small tools and calls them many times over: choosing is what it teaches.
        self.drill = mid and not dense and rng.random() < 0.4
        self.declare()

    def declare(self):
        rng = self.rng
        total = rng.choice([1, 1, 2]) if self.small else rng.choice([1, 2, 2, 3]) if self.mid else rng.choice([1, 2, 2, 3, 3, 4, 5, 6])
        r = rng.random()
        if self.mid:
            r = rng.choice([r, 0.2, 0.5])
        if self.dense:
            r = rng.choice([0.2, 0.2, 0.5])
        if self.drill:
            total = rng.choice([2, 3, 4, 5])
            r = rng.choice([0.3, 0.6, 0.8, 0.8, 0.95])
        if r < 0.65:
            self.search = tb.search_tool(rng, self.split)
        if r < 0.42 and (total > 1 or rng.random() < 0.5) or r > 0.9:
            self.calc = tb.calc_tool(rng, self.split)
        # A workspace: the kinds of tools that go together on a person's machine, under any names.
        kinds = []
        if not self.small and not self.drill and rng.random() < (0.2 if self.mid else 0.45):
            self.search = self.search or tb.search_tool(rng, self.split)
            self.calc = self.calc or tb.calc_tool(rng, self.split)
            kinds = rng.sample(["get_time", "list_folder", "open_file", "unit_convert", "get_weather", "today", "write_file"], rng.randint(1, 4))
            if rng.random() < 0.5:
                kinds = ["get_time", "list_folder", "open_file", "unit_convert"][: rng.choice([3, 3, 4])]
            total = 2 + len(kinds)
        tools = [t for t in (self.search, self.calc) if t]
        while len(tools) < total or not tools:
            if kinds:
                tool = tb.family_tool(rng, self.split, kinds[0])
                if not any(tool.name == t.name for t in tools) and tool.name not in tb.RESERVED:
                    kinds.pop(0)
            elif rng.random() < 0.45:
                tool = tb.family_tool(rng, self.split)
            else:
                opens = [a for a in self.actions if a.kind == "open"]
                tool = tb.open_tool(rng, self.split, rng.choice(opens) if opens and rng.random() < 0.3 else None)
            if self.drill and len(tool.props) > 1:
                continue
            if tool.name in tb.RESERVED or any(tool.name == t.name for t in tools):
                continue
            if tool.kind == "family" and any(a.kind == "family" and a.family is tool.family for a in self.actions):
                continue
            self.actions.append(tool)
            tools.append(tool)
        self.chain = None
        if not self.small and rng.random() < 0.06 and len(tools) < 6:
            self.chain = self.make_chain()
            if not any(t.name in (c.name for c in self.chain[:2]) for t in tools):
                tools += self.chain[:2]
            else:
                self.chain = None
        rng.shuffle(tools)
        for tool in tools:
            if not self.drill:
                tool.lengthen(rng)
        self.tools = tools

    def make_chain(self):
        rng = self.rng
        noun = rng.choice(w.split_bank(tb.NOUNS, self.split))
        verb = rng.choice(["delete", "cancel", "check", "archive", "print", "open", "close", "share", "update"])
        names, descs, phrases = tb.VERBS[verb]
        find = tb.Tool(f"{rng.choice(['find', 'lookup', 'get', 'search'])}_{noun}{rng.choice(['', '_id', '_number'])}", f"{rng.choice(['Finds the id of', 'Looks up the number of', 'Returns the id of'])} the {noun} of a person.", "chain")
        find.add(rng, "person", ("string", w.person), "string", rng.choice(["person", "name", "owner", "customer", "who"]), "The person", True)
        act = tb.Tool(tb.style(rng, rng.choice(names), noun), f"{rng.choice(descs)} a {noun} by its id.", "chain")
        key = rng.choice(["id", f"{noun}_id", "number", "code", "ref"])
        act.add(rng, "id", ("string", w.code), "string", key, f"The id of the {noun}", True)
        return find, act, noun, phrases, key

    def request(self, tool, drop=None):
        make = tb.family_request if tool.kind == "family" else tb.open_request
        return make(self.rng, tool, self.split, drop)

    def respond(self, tool, arguments):
        if self.drill and self.rng.random() < 0.8:
            return {"value": w.word(self.rng)}
        if tool.kind == "family":
            if self.rng.random() < 0.08:
                return {"error": self.rng.choice(["not found", "no such city", "service unavailable", "permission denied", w.phrase(self.rng, 2, 4)])}
            return tool.family["out"](self.rng)
        return tb.open_response(self.rng, tool, arguments)

    def turn_call(self):
        tool = self.rng.choice(self.actions)
        user, arguments = self.request(tool)
        response = self.respond(tool, arguments)
        return dict(kind="call", user=user, steps=[[(tool.name, arguments, response)]], answer=tb.answer(response))

    def turn_parallel(self):
        rng = self.rng
        for _ in range(8):
            tool = rng.choice(self.actions)
            user, arguments = self.request(tool)
            strings = [(k, v) for k, v in arguments.items() if isinstance(v, str) and user.count(v) == 1]
            if len(arguments) != 1 or not strings or tool.kind == "open" and "id" not in tool.roles and rng.random() < 0.7:
                continue
            key, v = strings[0]
            role = next(r for r, (p, _) in tool.roles.items() if p == key)
            other = tool.roles[role][1][1](rng)
            if other == v:
                continue
            user = user.replace(v, f"{v} and {other}")
            first, second = self.respond(tool, arguments), self.respond(tool, arguments)
            calls = [(tool.name, {key: v}, first), (tool.name, {key: other}, second)]
            return dict(kind="parallel", user=user, steps=[calls], answer=f"{tb.answer(first)} {tb.answer(second)}")
        return self.turn_call()

    def turn_sequence(self):
        rng = self.rng
        if len(self.actions) < 2:
            return self.turn_call()
        a, b = rng.sample(self.actions, 2)
        (ua, aa), (ub, ab) = self.request(a), self.request(b)
        user = ua.rstrip(".?!") + rng.choice([", then ", " and then ", ". After that, ", ", and after that "]) + ub[0].lower() + ub[1:]
        ra, rb = self.respond(a, aa), self.respond(b, ab)
        return dict(kind="sequence", user=user, steps=[[(a.name, aa, ra)], [(b.name, ab, rb)]], answer=f"{tb.answer(ra)} {tb.answer(rb)}")

    def turn_chain(self):
        rng = self.rng
        find, act, noun, phrases, key = self.chain
        who, code = w.person(rng), w.code(rng)
        user = f"{rng.choice([p for p in phrases if p.endswith(('the', 'a', 'my'))] or phrases)} {noun} of {who}{rng.choice(['.', '.', ', please.'])}".replace(" a " + noun, " the " + noun).replace(" my " + noun, " the " + noun)
        found = {key: code}
        done = tb.open_response(rng, act_noun(act, noun), {})
        return dict(kind="chain", user=user, steps=[[(find.name, {next(iter(find.props)): who}, found)], [(act.name, {next(iter(act.props)): code}, done)]], answer=tb.answer(done))

    def turn_calc(self):
        user, expression = tb.calc_request(self.rng, self.split)
        result = tb.compute(expression)
        return dict(kind="calc", user=user, steps=[[(self.calc.name, {self.calc.param: expression}, {"result": result})]], answer=f"{expression} = {result}.")

    def found(self, texts):
        """The response of the search tool; ids go on over the conversation, sources are file names."""
        out = []
        source = w.file_name(self.rng)
        for t in texts:
            if self.rng.random() < 0.4:
                source = w.file_name(self.rng)
            out.append({"id": self.next_id, "source": source, "text": t})
            self.next_id += 1
        return {"passages": out}

    def lookup(self, query, texts):
        first = self.next_id
        return (self.search.name, {self.search.param: query}, self.found(texts)), first

    def fact(self):
        return facts.draw(self.rng, self.rng.choice(facts.FRAME_LIST))

    def about(self):
        """A question by the words of a real sentence."""
        rng = self.rng
        for _ in range(50):
            said = prose.sentence(rng)
            kept = facts.keywords(said).split()
            if len(kept) >= 4 and "{" not in said:
                break
        n = rng.randint(2, min(4, len(kept)))
        at = rng.randint(0, len(kept) - n)
        topic = " ".join(kept[at : at + n])
        question = rng.choice(["What do the documents say about {}?", "What is said about {}?", "Tell me about {}.", "What is the rule for {}?", "What about {}?"]).format(topic)
        frame = dict(s=[said], q=[question], slots={})
        return question, facts.Fact(frame, {})

    def turn_table(self):
        texts, target, row, question, answered, _, _ = table_passages(self.rng, self.split, self.small)
        user = lead(self.rng, question)
        step, first = self.lookup(facts.keywords(user), texts)
        return dict(kind="table" if answered else "not_found", user=user, steps=[[step]], answer=f"{row} [{first + target}]" if answered else NOT_FOUND)

    def turn_search(self):
        rng = self.rng
        if rng.random() < 0.2:
            return self.turn_table()
        fact = self.fact()
        user = lead(rng, facts.question(rng, fact, self.split))
        if rng.random() < 0.08:
            user, fact = self.about()
        texts, target, said = passages_for(rng, fact, self.split, self.small, mid=self.mid, dense=self.dense)
        step, first = self.lookup(facts.keywords(user), texts)
        return dict(kind="search", user=user, steps=[[step]], answer=f"{said} [{first + target}]")

    def turn_not_found(self):
        rng = self.rng
        fact = self.fact()
        user = lead(rng, facts.question(rng, fact, self.split))
        texts, _, _ = passages_for(rng, fact, self.split, self.small, with_answer=False, mid=self.mid, dense=self.dense)
        step, _ = self.lookup(facts.keywords(user), texts)
        return dict(kind="not_found", user=user, steps=[[step]], answer=NOT_FOUND)

    def turn_two_lookups(self):
        rng = self.rng
        steps, users, said = [], [], []
        for _ in range(2):
            fact = self.fact()
            q = facts.question(rng, fact, self.split)
            texts, target, s = passages_for(rng, fact, self.split, True, dense=self.dense)
            step, first = self.lookup(facts.keywords(q), texts)
            steps.append([step])
            users.append(q)
            said.append(f"{s} [{first + target}]")
        user = users[0].rstrip("?") + rng.choice([", and ", " and ", "? And "]) + users[1][0].lower() + users[1][1:]
        return dict(kind="two_lookups", user=user, steps=steps, answer=" ".join(said))

    def turn_compute(self):
        rng = self.rng
        if rng.random() < 0.2:
            return self.turn_compute_table()
        fact = facts.draw(rng, rng.choice(facts.NUMBER_FRAMES))
        n = facts.number_of(fact)
        first_part, second_part, op = rng.choice(w.split_bank(fact.frame["c"], self.split))
        k = rng.randint(2, 12) if op == "*" else rng.choice([5, 10, 15, 20, 25, 30, 40, 50, 75]) if op == "%" else rng.randint(1, max(2, min(int(n) - 1, 60)))
        values = dict(fact.values, k=str(k))
        question = facts.fill(first_part, values, 1)
        query = facts.keywords(question)
        if second_part:
            question += ", " + facts.fill(second_part, values, 1)
        user = lead(rng, question)
        if user == user.lower():
            query = query.lower()
        texts, target, said = passages_for(rng, fact, self.split, self.small, mid=self.mid, dense=self.dense)
        step, first = self.lookup(query, texts)
        return self.computed(user, step, n, k, op, f"{said} [{first + target}]")

    def turn_compute_table(self):
        rng = self.rng
        for _ in range(50):
            texts, target, row, question, answered, table, i = table_passages(rng, self.split, self.small)
            column = next((c for c in ("price", "cost") if c in table.columns), None)
            if column:
                break
        else:
            return self.turn_table()
        n = table.cells[i][column].split()[0].replace(",", "")
        item = table.items[i] if rng.random() < 0.5 else table.items[i].lower()
        k = rng.randint(2, 12)
        user, query = rng.choice([
            (f"What does the {item} cost, and what do {k} cost?", f"{item} cost"),
            (f"How much are {k} pieces of {item}?", f"{k} pieces {item}"),
            (f"How much is a {item}, and how much are {k}?", item),
            (f"What do {k} of {item} cost?", f"{k} {item} cost"),
        ])
        query = facts.keywords(query)
        step, first = self.lookup(query, texts)
        return self.computed(user, step, n, k, "*", f"{row} [{first + target}]")

    def computed(self, user, step, n, k, op, said):
        expression = f"{n} * {k} / 100" if op == "%" else f"{n} {op} {k}"
        result = tb.compute(expression)
        second = (self.calc.name, {self.calc.param: expression}, {"result": result})
        return dict(kind="compute", user=user, steps=[[step], [second]], answer=f"{expression} = {result}. {said}")

    def turn_no_tool(self):
        rng = self.rng
        r = rng.random()
        if r < 0.2 and not self.search:
            user = lead(rng, facts.question(rng, self.fact(), self.split))
        elif r < 0.45 and not self.calc:
            user, _ = tb.calc_request(rng, self.split)
        else:
            for _ in range(20):
                tool = tb.family_tool(rng, self.split) if rng.random() < 0.5 else tb.open_tool(rng, self.split)
                if tool.kind == "family":
                    clash = any(a.kind == "family" and a.family is tool.family for a in self.actions)
                else:
                    clash = any(a.kind == "open" and (a.noun == tool.noun) for a in self.actions) or tool.verb in ("get", "track", "check")
                if not clash:
                    break
            user, _ = self.request(tool)
        return dict(kind="no_tool", user=user, steps=[], answer=NO_TOOL)

    def turn_ask(self):
        rng = self.rng
        choices = [(t, role) for t in self.actions if t.kind == "open" for role, (param, _) in t.roles.items() if param in t.required]
        if not choices:
            return self.turn_call() if self.actions else self.turn_no_tool()
        tool, role = rng.choice(choices)
        user, _ = self.request(tool, drop=role)
        return dict(kind="ask", user=user, steps=[], answer=f"Please give me the {tool.roles[role][0]}.")

    WEIGHTS = dict(call=22, parallel=3, sequence=4, calc=6, search=30, not_found=8, two_lookups=4, compute=14, no_tool=5, ask=4, chain=30)

    def turn(self, kind=None):
        weights = {}
        for name, weight in self.WEIGHTS.items():
            if self.drill and name in ("search", "not_found", "two_lookups", "compute"):
                weight = weight / 8
            if self.dense and name not in ("search", "not_found", "compute", "two_lookups"):
                weight = weight / 3
            if not self.small and not self.drill and name == "search":
                weight = weight * 2
            if self.drill and name == "no_tool":
                weight = weight / 2
            if name in ("call", "parallel", "sequence", "ask") and not self.actions:
                continue
            if name == "calc" and not self.calc or name == "chain" and not self.chain:
                continue
            if name in ("search", "not_found", "two_lookups") and not self.search or name == "compute" and not (self.search and self.calc):
                continue
            if name == "two_lookups" and self.small:
                continue
            weights[name] = weight
        if kind and kind not in weights:
            return None
        kind = kind or self.rng.choices(list(weights), list(weights.values()))[0]
        return getattr(self, "turn_" + kind)()

    def render(self, turns, planning):
        return dialect.conversation([t.schema() for t in self.tools], turns, planning)


def act_noun(tool, noun):
    tool.noun = noun
    return tool


def sample(rng, tokens, stage, split="train"):
    """One conversation as (ids, mask, turns). Turns are added until the length of the stage is reached."""
    if stage == "mix":
        stage = rng.choice(["mid", "dense", "main"])
    small = stage == "short"
    mid, dense = stage in ("mid", "dense"), stage == "dense"
    limit = 256 if small else 512 if mid else 896
    c = Conversation(rng, split, small, mid, dense)
    planning = rng.random() < 0.5
    turns, best, too_long = [], None, 0
    goal = rng.choice([180, 230]) if small else rng.choice([300, 370, 450, 490]) if mid else rng.choice([450, 540, 620, 740])
    for _ in range(16):
        ids_before = c.next_id
        turns.append(c.turn())
        ids, mask = tokens.parts(c.render(turns, planning))
        if len(ids) > limit:
            turns.pop()
            c.next_id = ids_before
            too_long += 1
            if too_long > 3:
                break
            continue
        best = ids, mask
        if len(ids) >= goal:
            break
    # A row that is nearly all prompt teaches little for what it costs.
    if best is None or sum(best[1]) < len(best[1]) * (0.14 if mid else 0.07):
        return None
    return best[0], best[1], turns


def write_shard(path, rng, tokens, stage, count):
    ids_all, mask_all, offsets = [], [], [0]
    while offsets[-1] < count:
        made = sample(rng, tokens, stage)
        if made is None:
            continue
        ids_all.append(np.asarray(made[0], dtype=np.uint16))
        mask_all.append(np.asarray(made[1], dtype=np.uint8))
        offsets.append(offsets[-1] + len(made[0]))
    temporary = str(path) + ".tmp.npz"
    np.savez(temporary, ids=np.concatenate(ids_all), mask=np.concatenate(mask_all), offsets=np.asarray(offsets))
    os.replace(temporary, path)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--show", type=int, default=0)
    parser.add_argument("--out")
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--tokens", type=int, default=2_000_000)
    parser.add_argument("--stage", choices=["short", "mid", "dense", "main", "mix"], default="main")
    parser.add_argument("--split", choices=["train", "eval"], default="train")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tokenizer", default=str(HERE / "tokenizer.model"))
    args = parser.parse_args()
    tokens = Tokens(args.tokenizer)
    for n in range(args.show):
        rng = random.Random(f"{args.seed}/show/{n}")
        made = sample(rng, tokens, args.stage, args.split)
        if made:
            print(len(made[0]), sum(made[1]), [t["kind"] for t in made[2]])
            pieces, last = [], 0
            for i, m in zip(*made[:2]):
                if m != last:
                    pieces.append("\x1b[32m" if m else "\x1b[0m")
                    last = m
                pieces.append(tokens.sp.id_to_piece(i).replace("▁", " "))
            print("".join(pieces) + "\x1b[0m")
    if args.out:
        pathlib.Path(args.out).mkdir(parents=True, exist_ok=True)
        for n in range(args.first, args.first + args.shards):
            start = time.time()
            write_shard(pathlib.Path(args.out) / f"{args.stage}_{n:04d}.npz", random.Random(f"{args.seed}/{args.stage}/{n}"), tokens, args.stage, args.tokens)
            print(f"shard {n}: {args.tokens / (time.time() - start):.0f} tokens/s", flush=True)


if __name__ == "__main__":
    main()
