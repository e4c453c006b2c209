"""Training rows as trees: the declarations once, and after them many conversations that do not see each other.

What a declaration costs is paid once for all its questions, and each question is the first of its conversation, as most are
when the model is used. Most branches end with the call: what follows it is practised in the other rows.
"""

import tool_rows
from shards import Row

# Tools declared, arguments of each at most, longest row in tokens; and how often.
SHAPES = [((1, 2, 3), 3, 768, 2), ((4, 4, 5), 3, 1024, 6), ((4, 5, 6, 8), 2, 1024, 4), ((12, 16, 20, 20), 2, 2048, 5)]
PLAN_SHAPES = [((3, 4, 4), 2, 1024, 1), ((4, 5, 6), 2, 1536, 1), ((8, 10, 12), 2, 2048, 1)]
PLAN_WEIGHTS = dict(call=50, no_tool=45, ask=5)
BRANCHES_MAX = 200
PLANNING_SHARE = 0.85  # Of the rows; what is trained here ships with the form that plans.
CUT_SHARE = 0.7  # Of the branches with calls, those that end with the last one.
WEIGHTS = dict(call=46, parallel=11, sequence=10, no_tool=26, ask=15, given=5, retry=3, follow=3)
CHAIN_SHARE, CHAIN_WEIGHT = 0.3, 50  # Of the rows, those with a chain's tools; and its weight there.
CONTRAST_SHARE = 0.85  # Of the requests that lack an argument, those followed by one for the same tool that lacks nothing.


# Where a branch ends: behind the answer, the last call, or the plan of its one turn.
ENDS = WHOLE, LAST_CALL, PLAN = range(3)


def grow(tokens, talk, limit, planning, make, emitted_min=tool_rows.EMITTED_MIN):
    """A Row of branches until it is `limit` tokens long, or None where too little is emitted in it.

    make(): (turns of a branch, one of the ENDS), or None where it could not be made.
    """
    turns, too_long = [], 0
    head = talk.render([], planning)
    ids, mask = tokens.parts(head)
    branches, n = [0] * len(ids), 0
    while len(ids) < limit - 40 and n < BRANCHES_MAX and too_long < 4:
        made = make()
        if not made:
            too_long += 1
            continue
        parts = talk.render(made[0], planning)[len(head) : -1]
        if made[1] != WHOLE:
            parts = parts[:2] if made[1] == PLAN else parts[:-2]
        more, emitted = tokens.parts(parts)
        if len(ids) + len(more) > limit:
            too_long += 1
            continue
        n += 1
        turns += made[0]
        ids, mask, branches = ids + more, mask + emitted, branches + [n] * len(more)
    if n < 2 or sum(mask) < len(mask) * emitted_min:
        return None
    return Row(ids, mask, turns, branches)


class Branches:
    """Makes one branch after the other over the tools of `talk`."""

    def __init__(self, rng, talk):
        self.rng, self.talk, self.contrast = rng, talk, None
        self.weights = dict(WEIGHTS, chain=CHAIN_WEIGHT if talk.chain else 0)

    def turns(self):
        rng, talk = self.rng, self.talk
        talk.last = None
        if self.contrast:
            tool, self.contrast = self.contrast, None
            return [talk.turn_call(tool)]
        kind = rng.choices(list(self.weights), list(self.weights.values()))[0]
        if kind == "follow":
            return [talk.turn("call"), talk.turn_follow()]
        if kind == "given":
            return [talk.turn("ask"), talk.turn_given()]
        turn = talk.turn(kind)
        if turn and kind == "ask" and rng.random() < CONTRAST_SHARE:
            self.contrast = talk.asked_of
        return [turn]

    def make(self):
        turns = self.turns()
        if not all(turns):
            return None
        return turns, LAST_CALL if turns[-1]["steps"] and self.rng.random() < CUT_SHARE else WHOLE


def sample(rng, tokens, split, shape=None):
    """One tree as a Row, or None where too little is emitted in it."""
    talk, limit = tool_rows.conversation(rng, split, shape or rng.choices(SHAPES, [s[3] for s in SHAPES])[0], CHAIN_SHARE)
    return grow(tokens, talk, limit, rng.random() < PLANNING_SHARE, Branches(rng, talk).make)


def sample_plans(rng, tokens, split):
    """One tree of plans alone: which tool a request means, and whether it fits."""
    talk, limit = tool_rows.conversation(rng, split, rng.choice(PLAN_SHAPES), 0.0)

    def make():
        turn = talk.turn(rng.choices(list(PLAN_WEIGHTS), list(PLAN_WEIGHTS.values()))[0])
        return turn and ([turn], PLAN)

    return grow(tokens, talk, limit, True, make, 0.05)
