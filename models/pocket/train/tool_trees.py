"""Training rows as trees: the declarations once, and after them many conversations that do not see each other.

What a declaration costs is paid once for all its questions, and each question is the first of its conversation, as most are
when the model is used. Most branches end with the call: what follows it is practised in the other rows.
"""

import tool_rows
import tool_talk
from shards import Row

# Tools declared, arguments of each at most, longest row in tokens; and how often.
SHAPES = [((1, 2, 3), 3, 768, 2), ((4, 4, 5), 3, 1024, 6), ((4, 5, 6, 8), 2, 1024, 4), ((12, 16, 20), 1, 1536, 2)]
BRANCHES_MAX = 200
CUT_SHARE = 0.7  # Of the branches with calls, those that end with the last one.
WEIGHTS = dict(call=52, parallel=7, sequence=6, no_tool=13, ask=13, retry=3, follow=4)
CHAIN_WEIGHT = 35


def branch(rng, talk):
    """The turns of one branch, or None."""
    talk.last = None
    weights = dict(WEIGHTS, chain=CHAIN_WEIGHT if talk.chain else 0)
    kind = rng.choices(list(weights), list(weights.values()))[0]
    if kind != "follow":
        turn = talk.turn(kind)
        return turn and [turn]
    first = talk.turn("call")
    second = first and talk.turn_follow()
    return second and [first, second]


def sample(rng, tokens, split, shape=None):
    """One tree as a Row, or None where too little is emitted in it."""
    talk, limit = tool_rows.conversation(rng, split, shape or rng.choices(SHAPES, [s[3] for s in SHAPES])[0])
    planning, turns, too_long = rng.random() < 0.6, [], 0
    head = talk.render([], planning)
    ids, mask = tokens.parts(head)
    branches, n = [0] * len(ids), 0
    while len(ids) < limit - 40 and n < BRANCHES_MAX and too_long < 4:
        made = branch(rng, talk)
        if not made:
            too_long += 1
            continue
        parts = talk.render(made, planning)[len(head) : -1]
        if made[-1]["steps"] and rng.random() < CUT_SHARE:
            parts = parts[:-2]  # The last result and the answer.
        more, emitted = tokens.parts(parts)
        if len(ids) + len(more) > limit:
            too_long += 1
            continue
        n += 1
        turns += made
        ids, mask, branches = ids + more, mask + emitted, branches + [n] * len(more)
    if n < 2 or sum(mask) < len(mask) * tool_rows.EMITTED_MIN:
        return None
    return Row(ids, mask, turns, branches)
