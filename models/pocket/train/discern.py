"""Does a model tell apart what fits from what nearly fits? Files, checkpoints or averages as of export.py.

python discern.py ../generator.gguf 0.5:RUN/checkpoint.pt+0.5:../generator.gguf [--split eval] [--count 60]

Passages: rows of tables asked for a column that they have and for one that they lack, facts and facts that differ in one
thing; how often the refusal is more probable than all else. Tools of the bank: requests that one of four fits, and requests
for another verb on its object, for its verb on another object, and for something far; how often the plan comes to `answer`,
after a tool that was considered or without one, with more than one half.
"""

import argparse
import random

import torch
import torch.nn.functional as F

import export
import facts
import shards
import templates as tp
import tool_draw as td
import tool_talk as tt
from conversation import NOT_FOUND
from document_turns import DocumentTalk

REFUSED = {"search": "passages that answer", "not_found": "passages that do not"}


def log_probs(model, tokens, talk, turn, planning):
    """(ids, mask, logarithms of the probability of each next token)."""
    ids, mask = tokens.parts(talk.render([turn], planning))
    with torch.no_grad():
        return ids, mask, F.log_softmax(model.eager(torch.tensor([ids]))[0].float(), -1)


def of_passages(model, tokens, split, count, kind):
    """By what the passages hold: the probability of the refusal."""
    out = {}
    for n in range(count):
        rng = random.Random(f"discern/{kind}/{n}")
        talk = None
        while not talk or not talk.search:
            talk = DocumentTalk(rng, split, False, False, True)
        for turn in (lambda t=talk: t.turn(kind), lambda t=talk: t.other()):
            talk.next_id = 1
            made = turn()
            # All of the refusal: an answer may begin with its first word.
            ids, mask, logs = log_probs(model, tokens, talk, dict(made, answer=NOT_FOUND), False)
            said = tokens.encode(NOT_FOUND)
            end = max(i for i, m in enumerate(mask) if m)
            first = max((i for i in range(end) if not mask[i]), default=-1) + 1
            assert ids[first : first + len(said)] == said
            p = sum(logs[i - 1, ids[i]] for i in range(first, first + len(said))).exp().item()
            out.setdefault(REFUSED[made["kind"]], []).append(p)
            if not talk.other:
                break  # Of a frame without near misses there is one turn only.
    return out


def half_fitting(rng, talk, split):
    """(what it shares with a declared tool, a template that no declared one fits)."""
    domains = tp.by_domain(split)
    declared = [t.template for t in talk.actions]
    ways = {
        "another verb on an object": lambda like: tp.same_object(like, split),
        "the verb on another object": lambda like: tp.by_sense(split).get(tp.sense(like), []),
        "something else": lambda like: domains[rng.choice(list(domains))],
    }
    for what, templates in ways.items():
        found = tt.unfit(templates(rng.choice(declared)), declared)
        if found:
            yield what, rng.choice(found)


def refused(model, tokens, talk, user):
    """The probability of a plan that calls nothing."""
    total = 0.0
    for considered in (None, *(t.name for t in talk.tools)):
        turn = dict(kind="no_tool", user=user, steps=[], answer=tt.NO_TOOL, considered=considered)
        ids, mask, logs = log_probs(model, tokens, talk, turn, True)
        begin = next(i for i, m in enumerate(mask) if m)
        plan = tokens.encode(f"Plan: {considered} (no" if considered else "Plan: answer")
        assert ids[begin : begin + len(plan)] == plan
        total += sum(logs[i - 1, ids[i]] for i in range(begin + 2, begin + len(plan))).exp().item()  # Behind "Plan" and ":".
    return total


def of_tools(model, tokens, split, count):
    """By what is asked for: the probability of a plan that calls nothing."""
    out = {}
    for n in range(count):
        rng = random.Random(f"discern/tools/{n}")
        talk = tt.ToolTalk(rng, split, 4, 0, 3)
        turns = [("a tool that fits", talk.turn_call())]
        for what, template in half_fitting(rng, talk, split):
            made = talk.asked(td.draw(rng, template, split))
            turns.append((what, made and dict(kind="no_tool", user=made[0], steps=[], answer=tt.NO_TOOL)))
        for what, turn in turns:
            if not turn:
                continue
            out.setdefault(what, []).append(refused(model, tokens, talk, turn["user"]))
    return out


def show(title, found):
    for what, values in sorted(found.items()):
        values.sort()
        middle = [values[int(len(values) * q)] for q in (0.1, 0.5, 0.9)]
        print(f"{title:9} {what:27} {len(values):4}  refused {100 * sum(v > 0.5 for v in values) / len(values):5.1f} %   p at 10, 50, 90 %: "
              + " ".join(f"{v:.3f}" for v in middle))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="+")
    parser.add_argument("--split", choices=["train", "eval"], default="train")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--cells", action="store_true", help="as data.py --cells")
    args = parser.parse_args()
    facts.CELLS = args.cells
    tt.DICTIONARY_SHARE = 0.0
    tokens = shards.Tokens()
    for spec in args.models:
        model = export.average(spec)[0]
        model.eval()
        print(spec)
        for kind in ("columns", "near"):
            show(kind, of_passages(model, tokens, args.split, args.count, kind))
        show("tools", of_tools(model, tokens, args.split, args.count))


if __name__ == "__main__":
    main()
