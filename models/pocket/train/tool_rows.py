"""Training rows over the bank of templates: how many tools, how long, which turns."""

import tool_talk
from shards import Row

# Tools declared, arguments of each at most, longest row in tokens; and how often.
SHAPES = [((1, 2), 4, 384, 2), ((2, 3, 4), 4, 512, 6), ((4, 4, 5, 6), 3, 768, 6), ((6, 8, 10), 2, 1024, 3), ((12, 16, 20), 1, 1536, 1)]
LONG = [((12, 16, 20), 3, 4096, 1), ((8, 16, 24), 4, 8192, 1)]  # Rows of many turns, so that a context of 8K is practised.
TURNS_MAX = 150
EMITTED_MIN = 0.07  # A row that is nearly all prompt teaches little for what it costs.


def conversation(rng, split, shape=None, chain_share=0.14):
    counts, arguments_max, limit, _ = shape or rng.choices(SHAPES, [s[3] for s in SHAPES])[0]
    chain = rng.choice([2, 3, 3, 4, 4]) if rng.random() < chain_share and limit >= 512 else 0
    return tool_talk.ToolTalk(rng, split, max(1, rng.choice(counts) - chain), chain, arguments_max), limit


def sample(rng, tokens, split, shape=None):
    """One conversation as a Row, or None where too little is emitted in it."""
    talk, limit = conversation(rng, split, shape)
    planning, turns, too_long = rng.random() < 0.5, [], 0
    head = talk.render([], planning)
    ids, mask = tokens.parts(head)
    while len(ids) < limit - 40 and len(turns) < TURNS_MAX:
        turn = talk.turn()
        if turn is None:
            break
        # Parts are tokenised one by one, so a turn's ids do not depend on what stands before it.
        more, emitted = tokens.parts(talk.render([turn], planning)[len(head) :])
        if len(ids) + len(more) > limit:
            too_long += 1
            if too_long > 2 or not turns:
                break
            continue
        turns.append(turn)
        ids, mask = ids + more, mask + emitted
    if not turns or sum(mask) < len(mask) * EMITTED_MIN:
        return None
    return Row(ids, mask, turns)
