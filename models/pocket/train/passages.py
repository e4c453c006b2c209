"""Passages that a search returns: an answer among near misses and filler, or no answer; tables; questions."""

import re

import facts
import prose
import word_frames
import words as w

PASSAGE_WORDS_MAX = 58
# Of the questions to tables, those that are answered; and of the others, those about an item that is not there.
ANSWERED_SHARE, OTHER_ITEM_SHARE = {"train": 0.55, "eval": 0.85}, {"train": 0.2, "eval": 0.5}


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
        frame = word_frames.any_frame(rng, split)
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
    near = rng.choice([0.0, 0.3, 0.6] if split == "eval" else [0.0, 0.4, 0.8] if with_answer else [0.3, 0.8, 0.95])
    target = rng.randrange(count)
    said = facts.sentence(rng, fact, split)
    texts = []
    for i in range(count):
        extra = other_sentences(rng, fact, split, rng.choice([0, 1]) if small else rng.choice([0, 0, 0, 1]) if dense else rng.choice([0, 0, 1, 1, 2]) if mid else rng.choice([0, 1, 2, 3, 4]), near)
        if i == target and with_answer:
            chosen = limited(extra, said)
            rng.shuffle(chosen)
        else:
            chosen = limited(extra)
            if not chosen and split == "train" and rng.random() < near:
                other = facts.near_fact(rng, fact)
                chosen = [facts.sentence(rng, other, split)] if other else []
            chosen = chosen or [facts.sentence(rng, facts.draw(rng, word_frames.any_frame(rng, split, fact.frame)), split)]
        texts.append(layout(rng, chosen, title_of(rng)))
    return texts, target, said


def table_passages(rng, split, small):
    """A question about a table row: (texts, target index, column, question, whether it is answered, the table, the row's index)."""
    table = facts.Table(rng, rng.randint(2, 4 if small else 9), split)
    answered = rng.random() < ANSWERED_SHARE[split]
    i = rng.randrange(len(table.items))
    column = rng.choice(table.columns)
    rows = [table.row(k) for k in range(len(table.items))]
    if answered:
        question = table.question(rng, table.items[i], column, split)
    elif rng.random() < OTHER_ITEM_SHARE[split]:
        question = table.question(rng, facts.asset(rng).capitalize() + " " + w.code(rng), column, split)
    else:
        question = table.question(rng, table.items[i], rng.choice(table.missing()), split)
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
    return ["\n".join(rows[k] for k in g) for g in chosen], target, column, question, answered, table, i


LEADS = ["{}", "{}", "{}", "{}", "{}", "{}", "Please tell me: {l}", "Hi, {l}", "I want to know {l}", "Tell me, {l}", "Can you look up {l}", "Hello, {l}"]


def lead(rng, question):
    form = rng.choice(LEADS)
    text = form.format(question, l=question[0].lower() + question[1:])
    if rng.random() < 0.08:
        text = text.lower()
    if rng.random() < 0.06:
        text = text.rstrip("?")
    return text
