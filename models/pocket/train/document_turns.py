"""Turns about documents that the first generator lacks: passages in conflict, follow-up questions; answer cases."""

import re

import facts
import word_frames
import words as w
from conversation import NOT_FOUND, Conversation
from passages import layout, lead, limited, other_sentences, passages_for, table_passages, title_of

SLOT = re.compile(r"\{(\w+)")
FOLLOW = ["And for {v}?", "And {v}?", "What about {v}?", "The same for {v}?", "How is it for {v}?"]


def slots_of(template, fact):
    """The slots that a wording uses, by the fact's own names."""
    found = {name if name in fact.values else name[0].lower() + name[1:] for name in SLOT.findall(template)}
    return [s for s in fact.values if s in found]


def asked(rng, split):
    """A fact, and the wording of a question about it; in the held-out split of a frame with held-out wordings."""
    while True:
        fact = facts.draw(rng, word_frames.any_frame(rng, split))
        if split == "train" or all(any(map(w.held_out, fact.frame[part])) for part in "sq"):
            return fact, rng.choice(w.split_bank(fact.frame["q"], split))


def conflicting(rng, split):
    """(question, two sentences that answer it differently)."""
    for _ in range(200):
        fact, wording = asked(rng, split)
        said_by = rng.choice(w.split_bank(fact.frame["s"], split))
        other = facts.draw(rng, fact.frame, fact, slots_of(wording, fact))
        question = facts.fill(wording, fact.values, 1)
        first, second = facts.fill(said_by, fact.values, 0), facts.sentence(rng, other, split)
        if question != facts.fill(wording, other.values, 1) or facts.fill(said_by, other.values, 0) == first:
            continue
        return question, fact, first[0].upper() + first[1:], second
    raise ValueError("no frame has facts in conflict")


def conflict_passages(rng, split):
    """(question, texts, answer with its citations from 1 on, the passages to cite)."""
    question, fact, first, second = conflicting(rng, split)
    texts = []
    for said in (first, second):
        chosen = limited(other_sentences(rng, fact, split, rng.choice([0, 1]), 0.0), said)
        rng.shuffle(chosen)
        texts.append(layout(rng, chosen, title_of(rng)))
    order = [0, 1]
    if rng.random() < 0.4:
        texts.append(facts.sentence(rng, facts.draw(rng, word_frames.any_frame(rng, split, fact.frame)), split))
        order.append(2)
    rng.shuffle(order)
    placed = [order.index(0) + 1, order.index(1) + 1]
    both = sorted(zip(placed, (first, second)))
    return question, [texts[i] for i in order], " ".join(f"{said} [{n}]" for n, said in both), sorted(placed)


class DocumentTalk(Conversation):
    """The first generator's conversation with more kinds of document questions."""

    def __init__(self, rng, split, small, mid=False, dense=True):
        super().__init__(rng, split, small, mid, dense)
        self.before = None
        self.other = None  # Makes the turn that turns the last one about: the same passages, answered or not.

    def turn_conflict(self):
        question, texts, answer, _ = conflict_passages(self.rng, self.split)
        user = lead(self.rng, question)
        step, first = self.lookup(facts.keywords(user), texts)
        answer = re.sub(r"\[(\d)\]", lambda m: f"[{int(m.group(1)) + first - 1}]", answer)
        return dict(kind="conflict", user=user, steps=[[step]], answer=answer)

    def turn_follow(self):
        """The question before with one thing changed, said in a few words: the query says it in full."""
        rng = self.rng
        for _ in range(20):
            fact, wording = self.before if self.before else asked(rng, self.split)
            choices = [s for s in slots_of(wording, fact) if isinstance(fact.values[s], str) and s != fact.frame.get("number")]
            if choices:
                break
            self.before = None
        else:
            return self.turn_search()
        if self.before is None:
            self.before = fact, wording
            return self.about_fact(fact, facts.fill(wording, fact.values, 1), None)
        changed = rng.choice(choices)
        other = facts.draw(rng, fact.frame, fact, [s for s in fact.values if s in slots_of(wording, fact) and s != changed])
        self.before = other, wording
        user = rng.choice(w.split_bank(FOLLOW, self.split)).replace("{v}", other.values[changed])
        return self.about_fact(other, user, facts.keywords(facts.fill(wording, other.values, 1)))

    def about_fact(self, fact, user, query):
        texts, target, said = passages_for(self.rng, fact, self.split, self.small, mid=self.mid, dense=self.dense)
        step, first = self.lookup(query or facts.keywords(user), texts)
        return dict(kind="follow", user=user, steps=[[step]], answer=f"{said} [{first + target}]")

    def told(self, question, texts, said, target):
        """A question to these passages; `said`: what answers it, or None."""
        user = lead(self.rng, question)
        step, first = self.lookup(facts.keywords(user), texts)
        if said is None:
            return dict(kind="not_found", user=user, steps=[[step]], answer=NOT_FOUND)
        return dict(kind="search", user=user, steps=[[step]], answer=f"{said} [{first + target}]")

    def one_of_two(self, first, second):
        """One of two turns, in any order; `other` makes the second one."""
        ways = [first, second]
        self.rng.shuffle(ways)
        self.other = ways[1]
        return ways[0]()

    def turn_near(self):
        """Passages about what differs from the question in one thing only; and a question that they answer."""
        rng = self.rng
        for _ in range(50):
            fact, wording = asked(rng, self.split)
            slots = slots_of(wording, fact)
            if not slots:
                continue
            changed = rng.choice(slots)
            near = facts.draw(rng, fact.frame, fact, [s for s in slots if s != changed])
            if not facts.questions_of(fact) & facts.questions_of(near):
                break
        else:
            return self.turn_not_found()
        near.avoids = fact
        texts, target, said = passages_for(rng, near, self.split, self.small, mid=self.mid, dense=self.dense)
        questions = [facts.fill(wording, f.values, 1) for f in (fact, near)]
        return self.one_of_two(lambda: self.told(questions[0], texts, None, target), lambda: self.told(questions[1], texts, said, target))

    def turn_columns(self):
        """A row of a table, asked for a column that it has and for one that it lacks."""
        rng = self.rng
        texts, target, _, _, _, table, i = table_passages(rng, self.split, self.small)
        column = rng.choice(table.columns)
        has, lacks = (table.question(rng, table.items[i], c, self.split) for c in (column, rng.choice(table.missing())))
        return self.one_of_two(lambda: self.told(has, texts, table.said(i, column), target), lambda: self.told(lacks, texts, None, target))

    def turn(self, kind=None):
        if not self.search or kind or self.rng.random() < 0.5:
            made = super().turn(kind) if kind not in ("conflict", "follow", "near", "columns") else getattr(self, "turn_" + kind)()
            if not kind:
                self.before = None
            return made
        return self.turn_conflict() if self.rng.random() < 0.15 else self.turn_follow()


def answer_case(rng, kind):
    """One case of `facet eval answers`, from the held-out split."""
    if kind == "conflict":
        question, texts, answer, cited = conflict_passages(rng, "eval")
        answers = [answer]
    elif kind in ("table", "not in table"):
        texts, target, column, question, answered, table, i = table_passages(rng, "eval", False)
        if answered != (kind == "table"):
            return None
        answers, cited = ([table.row(i), table.cell(i, column)], [target + 1]) if answered else ([], [])
    else:
        fact, wording = asked(rng, "eval")
        question = facts.fill(wording, fact.values, 1)
        texts, target, said = passages_for(rng, fact, "eval", False, kind != "not said", dense=kind == "fact")
        if kind == "near miss":
            near = facts.near_fact(rng, fact)
            if not near:
                return None
            texts[(target + 1) % len(texts)] += " " + facts.sentence(rng, near, "eval")
        answers, cited = ([], []) if kind == "not said" else ([said], [target + 1])
    plain = [re.sub(r"^#+ .*$|^- ", "", text, flags=re.M).strip() for text in texts]
    if any(set(re.split(r"(?<=\.)\s+", text)) <= set(facts.FILLERS) for text in plain):
        return None  # Such a passage stands in the training split too.
    sources = [w.file_name(rng) for _ in texts]
    return {"kind": kind, "question": question, "passages": [{"source": s, "text": t} for s, t in zip(sources, texts)], "answers": answers, "citations": cited}
