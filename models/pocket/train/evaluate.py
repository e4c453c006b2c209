"""Greedy exact-match scores on held-out conversations.

Greedy decoding produces the expected text exactly when, given each expected prefix, the most likely next token is
the expected one. So one forward pass per conversation measures every plan, call and answer in it. With
--constrain the choice inside a call is limited, as the engine does it, to the declared tool names and to the
declared argument names in sorted order. Usage: python evaluate.py --checkpoint FILE [--constrain] [--json FILE]
"""

import argparse
import json
import random

import torch

import dialect
import facts
import shards
import tools_bank as tb
from conversation import Conversation

TOKENS = None


def tokens():
    global TOKENS
    TOKENS = TOKENS or shards.Tokens()
    return TOKENS


def part_kinds(turns, planning):
    """The kind of every supervised part in the order of dialect.conversation."""
    out = []
    for n, turn in enumerate(turns):
        if planning:
            out.append((n, "plan"))
        out += [(n, "call")] * len(turn["steps"]) + [(n, "answer")]
    return out


def conversations(count, seed, split="eval", only=None):
    """Held-out conversations as (tools, turns, planning, parts)."""
    made, n = [], 0
    while len(made) < count:
        rng = random.Random(f"eval/{seed}/{n}")
        n += 1
        c = Conversation(rng, split, False)
        planning = rng.random() < 0.5
        turns = []
        for _ in range(rng.choice([1, 2, 3])):
            turn = c.turn(only)
            if turn is None:
                break
            turns.append(turn)
            if sum(len(tokens().encode(t)) for t, _ in c.render(turns, planning)) > 1024:
                turns.pop()
                break
        if turns:
            made.append((c.tools, turns, planning, c.render(turns, planning)))
    return made


class Constraint:
    """The pieces that may come next at each place of one expected call."""

    def __init__(self, tools, sp):
        self.tools = {t.name: t for t in tools}
        self.pieces = [None if sp.is_control(i) or sp.is_unknown(i) or sp.is_byte(i) else sp.id_to_piece(i).replace("▁", " ") for i in range(sp.get_piece_size())]
        self.sp = sp
        self.cache = {}

    def legal(self, current, choices):
        key = (current, tuple(choices))
        if key not in self.cache:
            allowed = torch.zeros(len(self.pieces), dtype=torch.bool)
            for i, p in enumerate(self.pieces):
                if p and any(c.startswith(current + p) or (current + p).startswith(c) for c in choices):
                    allowed[i] = True
            self.cache[key] = allowed
        return self.cache[key]

    def walk(self, ids):
        """Yields, for each id of one supervised part, the allowed mask or None where anything may come."""
        state, current, tool, used, escaped, depth = "free", "", None, [], False, 0
        for i in ids:
            name = self.sp.id_to_piece(i)
            if name == "<start_function_call>":
                yield None
                state, current, used, escaped, depth = "call", "", [], False, 0
                continue
            if state in ("free", "value") and name == "<escape>":
                yield None
                escaped = not escaped
                continue
            if name.startswith("<end_function_call") or self.pieces[i] is None:
                yield None
                continue
            choices = self.choices(state, tool, used)
            yield self.legal(current, choices) if choices else None
            if escaped or state == "free":
                continue
            for ch in self.pieces[i]:
                current += ch
                if state == "call" and ch == "{":
                    tool, state, current = self.tools[current[len("call:") : -1]], "key", ""
                elif state == "key" and ch in ":}":
                    used.append(current[:-1])
                    state, current = ("value" if ch == ":" else "free"), ""
                elif state == "value":
                    depth += (ch == "[") - (ch == "]")
                    if ch == "," and depth == 0:
                        state, current = "key", ""
                    elif ch == "}" and depth == 0:
                        state = "free"

    def choices(self, state, tool, used):
        if state == "call":
            return [f"call:{n}{{" for n in self.tools]
        if state == "key":
            names = [k for k, _ in dialect.by_key(tool.props)]
            rest = [k for k in names if not used or k.lower() > used[-1].lower()]
            done = all(k in used for k in tool.required)
            return [k + ":" for k in rest] + (["}"] if done and not used else [])
        return None


@torch.no_grad()
def score(model, made, constrain=False):
    """List of (turn kind, part kind, tools declared, exact, turn) over all supervised parts of the conversations.

    The part kind "whole turn" is exact where every part of a turn is: what a user meets.
    """
    t, out = tokens(), []
    for c, (tools, turns, planning, parts) in enumerate(made):
        ids, spans = [], []
        for text, supervised in parts:
            piece = t.encode(text)
            if supervised:
                spans.append((len(ids), len(ids) + len(piece)))
            ids += piece
        logits = model.eager(torch.tensor([ids]))[0].float()
        best = logits.argmax(-1)
        guard = Constraint(tools, t.sp) if constrain else None
        for (a, b), (n, kind) in zip(spans, part_kinds(turns, planning)):
            right = best[a - 1 : b - 1] == torch.tensor(ids[a:b])
            if guard and kind == "call":
                for k, allowed in enumerate(guard.walk(ids[a:b])):
                    if allowed is not None and not right[k]:
                        choice = logits[a - 1 + k].masked_fill(~allowed, float("-inf")).argmax()
                        right[k] = bool(choice == ids[a + k])
            out.append((turns[n]["kind"], kind, len(tools), bool(right.all()), (c, n)))
    whole = {}
    for turn, _, declared, ok, where in out:
        before = whole.get(where, (turn, "whole turn", declared, True, where))
        whole[where] = before[:3] + (before[3] and ok, where)
    return out + list(whole.values())


def table(scores):
    groups = {}
    for turn, part, _, ok, _ in scores:
        groups.setdefault((turn, part), []).append(ok)
    return {f"{a}/{b}": (round(100 * sum(v) / len(v), 1), len(v)) for (a, b), v in sorted(groups.items())}


def quick(model, count=60, seed=1):
    result = table(score(model, conversations(count, seed)))
    return " ".join(f"{k}={v[0]:.0f}({v[1]})" for k, v in result.items())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--checkpoint", required=True, metavar="WEIGHTS", help="as for export.py")
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--split", default="eval", choices=["train", "eval"])
    parser.add_argument("--constrain", action="store_true")
    parser.add_argument("--natural", action="store_true", help="names as people give them, none of random words")
    parser.add_argument("--cells", action="store_true", help="as data.py --cells: what the weights since the sixteenth run were trained on")
    parser.add_argument("--json")
    args = parser.parse_args()
    facts.CELLS = args.cells
    from export import average  # Only here: train.py runs where there is no gguf.

    torch.set_num_threads(1)
    tb.STYLE["random_names"] = not args.natural
    model, tokens_seen = average(args.checkpoint)
    scores = score(model, conversations(args.count, args.seed, args.split), args.constrain)
    rows = table(scores)
    four = [ok for turn, part, n, ok, _ in scores if part == "call" and turn == "call" and n >= 4]
    # A call that lacks an argument is a question back.
    calls = [ok for turn, part, _, ok, _ in scores if part == "call" and turn != "ask"]
    rows["all calls"] = (round(100 * sum(calls) / len(calls), 1), len(calls))
    if four:
        rows["call/call with 4 or more tools declared"] = (round(100 * sum(four) / len(four), 1), len(four))
    print("| what | exact % | of |\n|---|---|---|")
    for k, (percent, n) in rows.items():
        print(f"| {k} | {percent} | {n} |")
    if args.json:
        with open(args.json, "w") as f:
            json.dump({"tokens": tokens_seen, "constrained": args.constrain, "split": args.split, "natural_names": args.natural, "scores": rows}, f, indent=1)


if __name__ == "__main__":
    main()
