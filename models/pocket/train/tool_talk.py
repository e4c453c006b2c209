"""Conversations about declared tools of the bank: choose, fill, ask back, decline, chain, retry, follow up."""

import re

import chains
import dialect
import kinds
import lexicon
import templates as tp
import tool_draw as td
import tools_bank as tb
import words as w

NO_TOOL = "No tool fits this request."
DICTIONARY_SHARE = 0.32  # Of the tools of the training split, those out of the dictionary.
GRID_SHARE = 0.5  # Of the draws of tools of the training split, those that begin with two verbs on two objects.
# Of its requests that no tool fits, those for another verb on the object of a tool of the bank, those for the verb of one on
# another object, and those for the verb of one on the object of another: what a model takes for a match, as long as the best
# match is all that it has learnt to find.
SAME_OBJECT_SHARE, SAME_VERB_SHARE, CROSSED_SHARE = 0.35, 0.15, 0.15
GREETING = re.compile(r"^(Hi|Hello|Now)[!,]? ")
# Verbs that people mix up: two of one row on the same object are not a clear choice.
ALIKE = [{"find", "list", "ask", "recommend", "compare", "get", "status", "check", "price", "track", "count", "measure", "print", "export"},
         {"create", "book", "order", "plan", "log", "draft", "report", "subscribe", "comment", "send", "share"},
         {"cancel", "delete", "stop", "close", "archive", "reject", "clear", "pause", "refund"}, {"start", "open", "approve", "renew", "repair", "clean"},
         {"update", "set", "rename", "move", "postpone", "assign", "tag", "rate", "calibrate", "refresh"}]
TEMPORARY = ["busy, try again", "timed out, please try again", "temporarily unavailable, try again", "connection lost, try again", "try again in a moment"]
SEVERAL_LACK_SHARE = 0.25  # Of the requests that lack an argument, those that lack all that are required.
FINAL = ["not found", "permission denied", "no such {n}", "{n} is locked", "invalid value", "this {n} is gone", "quota used up", "not allowed on weekends"]


def alike(a, b):
    """Whether a request for template a might as well be meant for template b."""
    same_object = bool(set(a.objects) & set(b.objects)) if a.objects and b.objects else a is b
    if not same_object:
        return a.domain == b.domain and a.role == "idiom" and b.role == "idiom" and a is b
    return any(tp.sense(a) in row and tp.sense(b) in row for row in ALIKE) or tp.sense(a) == tp.sense(b)


def unfit(templates, declared):
    """Those of `templates` that no declared one could be meant by."""
    return [t for t in templates if not any(t is d or alike(t, d) for d in declared)]


def grid(rng, split):
    """Two verbs on two objects, often not all four: neither the verb nor the object alone tells which tool is meant."""
    templates = tp.with_objects(split)
    a = rng.choice(templates)
    for _ in range(40):
        b = rng.choice(templates if rng.random() < 0.5 else [t for t in tp.by_domain(split)[a.domain] if t.objects])
        if not set(a.objects) & set(b.objects) and not alike(a, tp.crossed(b, a)):
            four = [a, tp.crossed(b, a), tp.crossed(a, b), b]
            return rng.sample(four, rng.choice([2, 3, 3, 4]))
    return []


def nearest(tools, template):
    """The first of `tools` about the object of `template`, or else with its verb; None where neither is there."""
    about = [t for t in tools if set(t.template.objects) & set(template.objects)]
    same_verb = [t for t in tools if template.objects and t.template.objects and tp.sense(t.template) == tp.sense(template)]
    return next(iter(about + same_verb), None)


def spread(rng, split, count):
    """`count` templates: near misses of one domain, others of a few domains, and open words."""
    domains = tp.by_domain(split)
    home = rng.choice(list(domains))
    near = rng.choice([0.2, 0.5, 0.8])
    out, tries = [], 0
    if split == "train" and rng.random() < GRID_SHARE:
        out = grid(rng, split)[:count]
    while len(out) < count:
        tries += 1
        of_dictionary = split == "train" and rng.random() < DICTIONARY_SHARE
        r = rng.random()
        if of_dictionary:
            # Often the object of the last tool with another verb.
            t = lexicon.draw(rng, out[-1].objects if out and rng.random() < near * 0.7 else None)
        elif r < 0.15:
            t = td.open_words(rng, split)
        elif r < 0.15 + 0.85 * near:
            same = [t for t in domains[home] if out and out[-1].objects and t.objects == out[-1].objects]
            t = rng.choice(same) if same and rng.random() < 0.4 else rng.choice(domains[home])
        else:
            t = rng.choice(domains[rng.choice(list(domains))])
        if not any(t is o or (tp.sense(t) == tp.sense(o) and set(t.objects) & set(o.objects)) for o in out) or tries > 400:
            out.append(t)
    return out


class ToolTalk:
    """Like data.Conversation, over the templates: `declared` tools, and turns about them."""

    def __init__(self, rng, split, declared, chain_length=0, arguments_max=4):
        self.rng, self.split, self.last, self.asked_of, self.lacked = rng, split, None, None, None
        self.actions, used = [], set()
        for template in spread(rng, split, declared):
            tool = td.draw(rng, template, split, used, arguments_max)
            used.add(tool.name)
            self.actions.append(tool)
        self.chain = chains.Chain(rng, split, chain_length, used) if chain_length else None
        self.tools = self.actions + (self.chain.tools if self.chain else [])
        rng.shuffle(self.tools)

    def asked(self, tool, drop=None):
        for _ in range(8):
            made = td.request(self.rng, tool, self.split, drop)
            if made:
                return made
        return None

    def respond(self, tool):
        if self.rng.random() < 0.5:
            return {"value": w.word(self.rng)}
        out = tb.open_response(self.rng, tool, {})
        return {"value": "ok"} if "error" in out else out

    def turn_call(self, tool=None):
        tool = tool or self.rng.choice(self.actions)
        made = self.asked(tool)
        if not made:
            return None
        user, arguments = made
        response = self.respond(tool)
        self.last = tool, arguments, user
        return dict(kind="call", user=user, steps=[[(tool.name, arguments, response)]], answer=tb.answer(response))

    def turn_follow(self):
        """The same tool with another value, said in a few words."""
        rng = self.rng
        if not self.last:
            return None
        tool, before, _ = self.last
        choices = [a for a in tool.args if a.param in before and isinstance(before[a.param], str)]
        if not choices:
            return None
        a = rng.choice(choices)
        v = td.value(rng, a)
        if v == before[a.param]:
            return None
        user = rng.choice(["And {v}?", "And for {v}?", "The same for {v}, please.", "Now {v}.", "What about {v}?", "Again with {v}.", "Once more, but with {v}."])
        user, arguments = user.replace("{v}", kinds.shown(v)), dict(before, **{a.param: v})
        response = self.respond(tool)
        self.last = tool, arguments, user
        return dict(kind="follow", user=user, steps=[[(tool.name, arguments, response)]], answer=tb.answer(response))

    def turn_retry(self):
        """A tool fails: try once more where it says so, else tell."""
        turn = self.turn_call()
        if not turn:
            return None
        name, arguments, response = turn["steps"][0][0]
        tool = self.last[0]
        if self.rng.random() < 0.5:
            again = {"error": self.rng.choice(TEMPORARY)}
            return dict(turn, kind="retry", plan=[name], steps=[[(name, arguments, again)], [(name, arguments, response)]])
        failed = {"error": self.rng.choice(FINAL).replace("{n}", tool.noun)}
        return dict(turn, kind="error", steps=[[(name, arguments, failed)]], answer=tb.answer(failed))

    def two_values(self):
        rng = self.rng
        tool = rng.choice(self.actions)
        made = self.asked(tool)
        choices = [a for a in tool.args if made and isinstance(made[1].get(a.param), str) and made[0].count(made[1][a.param]) == 1
                   and (len(made[1]) == 1 or a is tool.key)]
        if not choices:
            return None
        (user, arguments), a = made, rng.choice(choices)
        v, other = arguments[a.param], td.value(rng, a)
        if v == other:
            return None
        return user.replace(v, f"{v} and {other}"), [(tool, arguments), (tool, dict(arguments, **{a.param: other}))]

    def two_tools(self, joins):
        if len(self.actions) < 2:
            return None
        a, b = self.rng.sample(self.actions, 2)
        first, second = self.asked(a), self.asked(b)
        if not first or not second:
            return None
        then = GREETING.sub("", second[0])
        low = then if then.startswith("I ") else then[0].lower() + then[1:]
        return first[0].rstrip(".?!") + self.rng.choice(joins) + low, [(a, first[1]), (b, second[1])]

    def turn_parallel(self):
        made = self.two_values() if self.rng.random() < 0.6 else self.two_tools([", and at the same time ", "; also ", " and also ", ", and in parallel "])
        if not made:
            return None
        user, calls = made
        calls = [(t.name, arguments, self.respond(t)) for t, arguments in calls]
        return dict(kind="parallel", user=user, steps=[calls], answer=" ".join(tb.answer(r) for _, _, r in calls))

    def turn_sequence(self):
        made = self.two_tools([", then ", " and then ", ". After that, ", ", and after that ", ". Next, "])
        if not made:
            return None
        user, calls = made
        steps = [[(t.name, arguments, self.respond(t))] for t, arguments in calls]
        return dict(kind="sequence", user=user, steps=steps, answer=" ".join(tb.answer(s[0][2]) for s in steps))

    def turn_chain(self):
        return self.chain.turn(self.rng) if self.chain else None

    def half_fitting(self, near, declared):
        """Templates that share the object or the verb with one of `near`, in the shares above; empty for the rest."""
        like, r = self.rng.choice(near), self.rng.random()
        if r < SAME_OBJECT_SHARE:
            return unfit(tp.same_object(like, self.split), declared)
        r -= SAME_OBJECT_SHARE
        if r < SAME_VERB_SHARE:
            return unfit(tp.by_sense(self.split)[tp.sense(like)], declared)
        verbs = [t for t in near if t.objects and not set(t.objects) & set(like.objects)] if like.objects else []
        return unfit([tp.crossed(t, like) for t in verbs], declared) if r < SAME_VERB_SHARE + CROSSED_SHARE else []

    def turn_no_tool(self):
        """A request for a tool that is not here: of the same domain where that is clear, or of another one."""
        rng = self.rng
        domains = tp.by_domain(self.split)
        declared = [t.template for t in self.actions]
        near = [t for t in declared if t.domain in domains]
        for _ in range(30):
            half = self.half_fitting(near, declared) if self.split == "train" and near else []
            if half:
                template = rng.choice(half)
            elif self.split == "train" and rng.random() < DICTIONARY_SHARE:
                template = lexicon.draw(rng, rng.choice(declared).objects if declared and rng.random() < 0.4 else None)
            else:
                home = rng.choice(near).domain if near and rng.random() < 0.5 else rng.choice(list(domains))
                template = rng.choice(domains[home])
            if any(t is template or alike(template, t) for t in declared):
                continue
            made = self.asked(td.draw(rng, template, self.split))
            if made:
                near = nearest([t for t in self.tools if t in self.actions], template)
                return dict(kind="no_tool", user=made[0], steps=[], answer=NO_TOOL, considered=near and near.name)
        return None

    def turn_ask(self):
        rng = self.rng
        choices = [(t, a) for t in self.actions if t.template.role != "idiom" for a in t.args if a.need]
        if not choices:
            return None
        tool, a = rng.choice(choices)
        lacks = [a]
        if self.split == "train" and rng.random() < SEVERAL_LACK_SHARE:
            lacks = [b for b in tool.args if b.need]
        made = self.asked(tool, lacks)
        if not made:
            return None
        self.asked_of, self.lacked = tool, (tool, made[1], lacks)
        names = sorted([b.param for b in lacks], key=str.lower)
        step, answer = dialect.lacking(tool.name, made[1], names)
        return dict(kind="ask", user=made[0], steps=[step], answer=answer, lacks=True, missing=a.param)

    def turn_given(self):
        """What was asked for, said in a few words."""
        rng = self.rng
        if not self.lacked or len(self.lacked[2]) > 1:
            return None
        (tool, arguments, (a,)), self.lacked = self.lacked, None
        v = td.value(rng, a)
        if isinstance(v, bool):
            return None
        user = rng.choice(["{v}", "{v}.", "{v}, please.", "It is {v}.", "Sorry, {v}.", "Take {v}.", "Use {v}.", "I meant {v}.", "{v} of course", "The {p} is {v}."])
        user = user.replace("{p}", a.words).replace("{v}", kinds.shown(v))
        response = self.respond(tool)
        return dict(kind="given", user=user, steps=[[(tool.name, {**arguments, a.param: v}, response)]], answer=tb.answer(response))

    WEIGHTS = dict(call=54, parallel=8, sequence=6, no_tool=10, ask=9, follow=5, retry=4, chain=0)

    def turn(self, kind=None):
        """A turn of this kind or of any; None where this draw of tools cannot make one."""
        weights = dict(self.WEIGHTS, chain=45 if self.chain else 0)
        for _ in range(6):
            made = getattr(self, "turn_" + (kind or self.rng.choices(list(weights), list(weights.values()))[0]))()
            if made:
                return made
        return None

    def render(self, turns, planning):
        return dialect.conversation([t.schema() for t in self.tools], turns, planning)
