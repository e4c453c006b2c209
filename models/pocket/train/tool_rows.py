"""Training rows over the bank of templates: how many tools, how long, which turns."""

import tool_talk

# Tools declared, arguments of each at most, longest row in tokens; and how often.
SHAPES = [((1, 2), 4, 384, 2), ((2, 3, 4), 4, 512, 6), ((4, 4, 5, 6), 3, 768, 6), ((6, 8, 10), 2, 1024, 3), ((12, 16, 20), 1, 1536, 1)]
EMITTED_MIN = 0.07  # A row that is nearly all prompt teaches little for what it costs.


def conversation(rng, split, shape=None):
    counts, arguments_max, limit, _ = shape or rng.choices(SHAPES, [s[3] for s in SHAPES])[0]
    chain = rng.choice([2, 2, 3, 3, 4]) if rng.random() < 0.14 and limit >= 512 else 0
    return tool_talk.ToolTalk(rng, split, max(1, rng.choice(counts) - chain), chain, arguments_max), limit


def sample(rng, tokens, split, shape=None):
    """One conversation as (ids, mask, turns), or None where too little is emitted in it."""
    talk, limit = conversation(rng, split, shape)
    planning, turns, best, too_long = rng.random() < 0.5, [], None, 0
    for _ in range(24):
        turn = talk.turn()
        if turn is None:
            break
        ids, mask = tokens.parts(talk.render(turns + [turn], planning))
        if len(ids) > limit:
            too_long += 1
            if too_long > 2 or not best:
                break
            continue
        turns.append(turn)
        best = ids, mask
        if len(ids) > limit - 40:
            break
    if best is None or sum(best[1]) < len(best[1]) * EMITTED_MIN:
        return None
    return best[0], best[1], turns
