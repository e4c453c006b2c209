"""Conversations of the first generator: searches, computations, hand-written families, verbs x nouns."""

import dialect
import facts
import prose
import tools_bank as tb
import word_frames
import words as w
from passages import lead, passages_for, table_passages

NO_TOOL = "No tool fits this request."
NOT_FOUND = "The documents do not say."


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
        return facts.draw(self.rng, word_frames.any_frame(self.rng, self.split))

    def about(self):
        """A question by the words of a real sentence."""
        rng = self.rng
        for _ in range(50):
            said = prose.sentence(rng)
            kept = facts.keywords(said).split()
            known = self.split == "train" and said in facts.held_out_sentences()
            if len(kept) >= 4 and "{" not in said and not known:
                break
        n = rng.randint(2, min(4, len(kept)))
        at = rng.randint(0, len(kept) - n)
        topic = " ".join(kept[at : at + n])
        question = rng.choice(["What do the documents say about {}?", "What is said about {}?", "Tell me about {}.", "What is the rule for {}?", "What about {}?"]).format(topic)
        frame = dict(s=[said], q=[question], slots={})
        return question, facts.Fact(frame, {})

    def turn_table(self):
        texts, target, column, question, answered, table, i = table_passages(self.rng, self.split, self.small)
        user = lead(self.rng, question)
        step, first = self.lookup(facts.keywords(user), texts)
        return dict(kind="table" if answered else "not_found", user=user, steps=[[step]], answer=f"{table.said(i, column)} [{first + target}]" if answered else NOT_FOUND)

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
        fact = facts.draw(rng, word_frames.number_frame(rng, self.split))
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
            texts, target, _, _, _, table, i = table_passages(rng, self.split, self.small)
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
        return self.computed(user, step, n, k, "*", f"{table.said(i, column)} [{first + target}]")

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
        user, arguments = self.request(tool, drop=role)
        step, answer = dialect.lacking(tool.name, arguments, [tool.roles[role][0]])
        return dict(kind="ask", user=user, steps=[step], answer=answer, lacks=True)

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
