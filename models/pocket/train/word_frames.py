"""Frames of facts.py's kind over the whole dictionary: which sentence answers a question is learnt by the words that both
share, not by knowing the frame. A slot that gives a pair is said with one word in the sentence and a synonym in the question.
"""

import functools

import facts
import lexicon
import tool_draw as td
import words as w

SHARE = 0.45  # Of the facts of the training split, those of these frames.
MORE_SHARE = 0.45  # Of the others, those of more_frames.py.
SYNONYM_SHARE = 0.2
TIMES = ["every morning", "every evening", "on weekdays", "twice a day", "once a month", "in winter", "in summer", "at night", "before lunch", "after work", "on holidays"]


def noun_pair(rng):
    """A noun for the sentence, and the same or a synonym for the question."""
    words = rng.choice(lexicon.synsets()[0])[0]
    return tuple(rng.sample(words, 2)) if len(words) > 1 and rng.random() < SYNONYM_SHARE else (rng.choice(words),) * 2


def said_of(form, pair, change=lambda noun: noun):
    return tuple(td.articles(form.format(change(noun))) for noun in pair)


def subject(rng):
    r = rng.random()
    if r < 0.45:
        return said_of("the {}", noun_pair(rng))
    if r < 0.6:
        return said_of(f"the {w.word(rng)} {{}}", noun_pair(rng))
    return (rng.choice([w.person, w.product, facts.role, facts.project, lambda g: f"the {w.word(g)} team"])(rng),) * 2


def thing(rng):
    r = rng.random()
    if r < 0.35:
        return said_of("the {}", noun_pair(rng))
    if r < 0.7:
        return said_of("{}", noun_pair(rng), td.plural)
    if r < 0.85:
        return said_of(f"{{}} {w.code(rng)}", noun_pair(rng))
    return (w.product(rng),) * 2


def group(rng):
    return said_of("{}", noun_pair(rng), td.plural) if rng.random() < 0.4 else (facts.group(rng),) * 2


def verb(rng):
    """(third person, infinitive)."""
    head = rng.choice(rng.choice(lexicon.synsets()[1])[0])
    return lexicon.third(head), head


def where(rng):
    r = rng.random()
    return w.city(rng) if r < 0.4 else "the " + facts.place(rng) if r < 0.7 else f"room {w.code(rng)}"


def when(rng):
    return rng.choice([lambda g: g.choice(TIMES), lambda g: "on " + w.day_word(g).replace("tomorrow", "Friday").replace("today", "Sunday"), lambda g: "at " + w.clock(g),
                       lambda g: f"in {g.randint(1950, 2031)}", lambda g: f"every {g.choice(facts.PERIODS)}", lambda g: f"within {facts.span(g)}"])(rng)


def defined(rng):
    """A noun with what it means, of the dictionary."""
    while True:
        words, gloss = rng.choice(lexicon.synsets()[0])
        if 3 <= len(gloss.split()) <= 12 and "(" not in gloss:
            return dict(one=td.articles("a " + words[0]), word=words[0], other=words[-1], means=gloss)


@functools.cache
def frames():
    basic = dict(x=subject, v=verb, o=thing)
    return [f for f, weight in [
        (dict(s=["{X} {v.0} {o}.", "It is {x} that {v.0} {o}.", "{X} also {v.0} {o}."],
              q=["What does {x} {v.1}?", "Who {v.0} {o}?", "What {v.0} {o}?", "Who or what {v.0} {o}?", "Does {x} {v.1} {o}?", "What is it that {x} {v.0}?"], slots=basic), 4),
        (dict(s=["{X} {v.0} {o} in {p}.", "In {p}, {x} {v.0} {o}.", "{X} {v.0} {o}, but only in {p}."],
              q=["Where does {x} {v.1} {o}?", "In which place does {x} {v.1} {o}?", "Where is it that {x} {v.0} {o}?", "Who {v.0} {o} in {p}?", "What does {x} {v.1} in {p}?"],
              slots=dict(basic, p=where)), 4),
        (dict(s=["{X} {v.0} {o} {t}.", "{T}, {x} {v.0} {o}.", "{X} always {v.0} {o} {t}."],
              q=["When does {x} {v.1} {o}?", "At what time does {x} {v.1} {o}?", "What does {x} {v.1} {t}?", "Who {v.0} {o} {t}?", "When is it that {x} {v.0} {o}?"],
              slots=dict(basic, t=when)), 4),
        (dict(s=["{X} {v.0} {o} with {i}.", "With {i}, {x} {v.0} {o}.", "Using {i}, {x} {v.0} {o}."],
              q=["With what does {x} {v.1} {o}?", "What does {x} use to {v.1} {o}?", "How does {x} {v.1} {o}?", "What does {x} {v.1} with {i}?"], slots=dict(basic, i=thing)), 2),
        (dict(s=["{X} {v.0} {o} because {y} {u.0} {p}.", "Because {y} {u.0} {p}, {x} {v.0} {o}.", "{X} {v.0} {o}, since {y} {u.0} {p}."],
              q=["Why does {x} {v.1} {o}?", "For what reason does {x} {v.1} {o}?", "What is the reason that {x} {v.0} {o}?"], slots=dict(basic, y=subject, u=verb, p=thing)), 2),
        (dict(s=["{G} must {v.1} {o} {t}.", "{G} have to {v.1} {o} {t}.", "{G} may {v.1} {o} only {t}.", "{T}, {g} must {v.1} {o}.", "It is the duty of {g} to {v.1} {o} {t}."],
              q=["What must {g} {v.1} {t}?", "When must {g} {v.1} {o}?", "Who must {v.1} {o} {t}?", "When do {g} have to {v.1} {o}?", "May {g} {v.1} {o}?", "When may {g} {v.1} {o}?"],
              slots=dict(g=group, v=verb, o=thing, t=when)), 4),
        (dict(s=["To {v.1} {o}, {u.1} {p}.", "{U.1} {p} to {v.1} {o}.", "Whoever wants to {v.1} {o} should {u.1} {p} first.", "Before you {v.1} {o}, {u.1} {p}."],
              q=["How do I {v.1} {o}?", "How can I {v.1} {o}?", "What do I have to do to {v.1} {o}?", "What is needed to {v.1} {o}?", "What comes before I {v.1} {o}?"],
              slots=dict(v=verb, o=thing, u=verb, p=thing)), 4),
        (dict(s=["{X} has {n} {o}.", "There are {n} {o} in {x}.", "{X} comes with {n} {o}.", "{N} {o} belong to {x}."],
              q=["How many {o} does {x} have?", "How many {o} are there in {x}?", "How many {o} belong to {x}?", "What is the number of {o} in {x}?"],
              slots=dict(x=lambda r: said_of(f"the {w.word(r)} {{}}", noun_pair(r)) if r.random() < 0.5 else said_of("the {}", noun_pair(r)), n=facts.amount_number, o=lambda r: said_of("{}", noun_pair(r), td.plural)), number="n",
              c=[("How many {o} does {x} have", "and how many are left without {k}?", "-"), ("How many {o} are there in {x}", "and how many in {k} of them?", "*"), ("How many {o} does {x} have plus {k}?", "", "+")]), 3),
        (dict(s=["{X} is in {p}.", "You find {x} in {p}.", "{X} was moved to {p}.", "The place for {x} is {p}."],
              q=["Where is {x}?", "Where do I find {x}?", "Where is {x} kept?", "In which place is {x}?"], slots=dict(x=subject, p=where)), 2),
        (dict(s=["The {a} of {x} is {v}.", "{X} has the {a} {v}.", "{V} is the {a} of {x}."],
              q=["What is the {a} of {x}?", "Which {a} does {x} have?", "What {a} does {x} have?"],
              slots=dict(a=noun_pair, x=subject, v=lambda r: r.choice([w.code, w.money, facts.span, w.date, w.person, w.city, lambda g: w.phrase(g, 1, 3)])(r))), 3),
        (dict(s=["{D.one}: {d.means}.", "By {d.one} we mean {d.means}.", "{D.one} is {d.means}."],
              q=["What is {d.one}?", "What does {d.word} mean?", "What is meant by {d.other}?", "What is the meaning of {d.word}?"], slots=dict(d=defined)), 3),
    ] for _ in range(weight)]


def any_frame(rng, split, but=None):
    """A frame by its weight, not `but`; the held-out split has those of facts.py alone."""
    bank = frames() if split == "train" and rng.random() < SHARE else facts.FRAME_LIST
    if split == "train" and bank is facts.FRAME_LIST and rng.random() < MORE_SHARE:
        bank = facts.MORE_FRAMES
    return rng.choice([f for f in bank if f is not but])


def number_frame(rng, split):
    """A frame with a number and questions that compute with it."""
    own = [f for f in frames() if "number" in f] if split == "train" else []
    return rng.choice(own if own and rng.random() < 0.25 else facts.NUMBER_FRAMES)
