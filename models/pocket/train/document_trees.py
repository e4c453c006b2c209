"""Trees (tool_trees.py) of questions to documents: the tools once, then questions each with passages of its own."""

import tool_trees
from document_turns import DocumentTalk

LIMITS = (1024, 1024, 1536)
TOOLS_FEW = 3
# What a branch is about; one of the kinds "near" and "columns" is followed by its counterpart.
WEIGHTS = dict(search=38, table=14, not_found=18, near=14, columns=8, conflict=11, compute=16, two_lookups=4, calc=3, no_tool=3, call=3, ask=1, follow=4)
EMITTED_MIN = 0.1
PAIRS_OF_TABLES = 0.75


def branch(rng, talk):
    """The turns of one branch and that it goes on behind its last call, as tool_trees.grow wants them, or None."""
    talk.next_id, talk.before = 1, None
    if talk.other:
        turn, talk.other = talk.other(), None
        return [turn], tool_trees.WHOLE
    talk.dense = rng.random() < 0.65
    kind = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    if kind == "table":
        turns = [talk.turn_table()]
    elif kind == "follow":
        turns = [talk.turn_follow(), talk.turn_follow()]
    else:
        turns = [talk.turn(kind)]
    return (turns, tool_trees.WHOLE) if all(turns) else None


def sample_pairs(rng, tokens, split):
    """One tree of questions that the same passages answer or do not, most of them to tables; little else is in it."""
    talk = None
    while not talk or not talk.search or len(talk.tools) > 1:
        talk = DocumentTalk(rng, split, rng.random() < 0.6, False, True)

    def pair():
        talk.next_id, talk.before = 1, None
        if talk.other:
            turn, talk.other = talk.other(), None
            return [turn], tool_trees.WHOLE
        return [talk.turn("columns" if rng.random() < PAIRS_OF_TABLES else "near")], tool_trees.WHOLE

    return tool_trees.grow(tokens, talk, rng.choice(LIMITS), rng.random() < 0.6, pair, EMITTED_MIN)


def sample(rng, tokens, split):
    """One tree as a Row, or None where too little is emitted in it."""
    talk = None
    # Often few tools: declarations are most of what a question costs.
    while not talk or not talk.search or (len(talk.tools) > TOOLS_FEW and rng.random() < 0.7):
        talk = DocumentTalk(rng, split, False, False, True)
    return tool_trees.grow(tokens, talk, rng.choice(LIMITS), rng.random() < 0.6, lambda: branch(rng, talk), EMITTED_MIN)
