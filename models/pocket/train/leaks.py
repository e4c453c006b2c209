"""Proves that the held-out files are held out: compares them with what the generators make for training.

Compared are tool names, argument names, phrasings (a request without its values), documents (passages and their
sentences), templates and domains. `python leaks.py` plants one leak of each kind and fails unless every one is found.
"""

import json
import pathlib
import random
import re
import sys

HELD_OUT = pathlib.Path(__file__).resolve().parent.parent / "held_out"
WORD = re.compile(r"[^a-z ]+")
CODE = re.compile(r"\b[A-Z]{1,3}-?\d+\b")


def leaves(value):
    if isinstance(value, dict):
        return [x for v in value.values() for x in leaves(v)]
    if isinstance(value, list):
        return [x for v in value for x in leaves(v)]
    return [] if isinstance(value, bool) else [str(value)]


def skeleton(user, calls):
    """The text without the arguments of its calls, digits and marks: equal for two requests in the same words."""
    values = sorted({x for arguments in calls for x in leaves(arguments)}, key=len, reverse=True)
    for v in values:
        user = user.replace(v, " ")
    return " ".join(WORD.sub(" ", CODE.sub(" ", user).lower()).split())


def of_turn(turn):
    # A request that lacks an argument is expected to end in no call: its values stay, as in a case.
    if turn.get("lacks"):
        return skeleton(turn["user"], [])
    return skeleton(turn["user"], [a for step in turn["steps"] for _, a, _ in step])


def of_case(case):
    return skeleton(case["user"], [c["arguments"] for step in case["steps"] for c in step["calls"]])


def sentences(text):
    return {s.strip() for s in re.split(r"(?<=[.!?])\s+|\n+", text) if len(s.split()) >= 6}


def cases(name):
    return [json.loads(line) for line in (HELD_OUT / name).read_text().splitlines() if line]


class Seen:
    """What training conversations hold."""

    def __init__(self):
        self.names, self.arguments, self.requests, self.texts, self.sentences = set(), set(), set(), set(), set()
        self.domains, self.templates = set(), set()

    def add_talk(self, talk, turns):
        for tool in talk.tools:
            self.names.add(tool.name)
            self.arguments |= set(tool.props)
            template = getattr(tool, "template", None)
            if template:
                self.domains.add(template.domain)
                self.templates.add(template.key)
        self.requests |= {of_turn(t) for t in turns}

    def add_turn_documents(self, turns):
        for turn in turns:
            for step in turn["steps"]:
                for _, _, response in step:
                    for passage in response.get("passages", []) if isinstance(response, dict) else []:
                        self.texts.add(passage["text"])
                        self.sentences |= sentences(passage["text"])


def look(count, seed="leak"):
    """What `count` conversations of each generator hold."""
    import conversation
    import document_turns
    import tool_rows

    bank, first = Seen(), Seen()
    for n in range(count):
        talk, _ = tool_rows.conversation(random.Random(f"{seed}/bank/{n}"), "train")
        bank.add_talk(talk, [t for t in (talk.turn() for _ in range(4)) if t])
        make = conversation.Conversation if n % 2 else document_turns.DocumentTalk
        talk = make(random.Random(f"{seed}/first/{n}"), "train", False)
        turns = [talk.turn() for _ in range(3)]
        first.add_talk(talk, turns)
        first.add_turn_documents(turns)
    return bank, first


def common(what, held, seen, at_most=0.0):
    """Prints how many of `held` are in `seen`, and whether that is too many."""
    found = sorted(set(held) & set(seen))
    share = len(found) / max(1, len(set(held)))
    bad = share > at_most
    print(f"{'LEAK' if bad else 'ok  '} {what}: {len(found)} of {len(set(held))} ({100 * share:.1f} %, allowed {100 * at_most:.0f} %)", *found[:5] if bad else [])
    return bad


def compare(bank, first, calls, bank_cases, answers):
    """The number of leaks. `bank`, `first`: Seen of the two generators; the rest: cases of the held-out files."""
    bad = 0
    names = [t["name"] for c in bank_cases for t in c["tools"]]
    bad += common("bank.jsonl, tool names, templates", names, bank.names)
    # Random names of the first generator meet by chance; none of the bank's may.
    bad += common("bank.jsonl, tool names, first generator", names, first.names, 0.03)
    arguments = [p for c in bank_cases for t in c["tools"] for p in t["parameters"]["properties"]]
    bad += common("bank.jsonl, argument names, templates", arguments, bank.arguments)
    requests = [of_case(c) for c in bank_cases if len(of_case(c).split()) > 1]
    bad += common("bank.jsonl, phrasings, templates", requests, bank.requests)
    bad += common("bank.jsonl, phrasings, first generator", requests, first.requests)
    old = [t["name"] for c in calls for t in c["tools"]]
    bad += common("calls.jsonl, tool names, templates", old, bank.names)
    bad += common("calls.jsonl, phrasings, templates", [of_case(c) for c in calls if len(of_case(c).split()) > 1], bank.requests)
    texts = [p["text"] for c in answers for p in c["passages"]]
    bad += common("answers.jsonl, passages", texts, first.texts)
    questions = [c["question"].lower() for c in answers]
    bad += common("answers.jsonl, questions", questions, first.requests)
    said = [s for c in answers for a in c["answers"] for s in sentences(a)]
    bad += common("answers.jsonl, answers", said, first.sentences)
    return bad


def check_templates(bank):
    import templates as tp

    held = tp.of_split("eval")
    domains = {t.domain for t in held} - {t.domain for t in tp.of_split("train")}
    return common("whole domains", domains, bank.domains) + common("templates", [t.key for t in held], bank.templates)


def check_documents(folder, seen):
    """No sentence of a person's documents (the demonstration's handbook) is in the data."""
    texts = [p.read_text(errors="ignore") for p in sorted(pathlib.Path(folder).iterdir()) if p.suffix in (".md", ".txt", ".csv", ".html")]
    said = {s for text in texts for s in sentences(re.sub(r"<[^>]+>", " ", text))}
    return common("sentences of " + str(folder), said, seen.sentences)


def check(count, documents=None):
    """Prints a line for each comparison; the number of leaks."""
    import tools_bank as tb

    bank, first = look(count)
    bad = check_templates(bank)
    bad += common("the product's own tools", tb.RESERVED, bank.names | first.names)
    bad += check_documents(documents, first) if documents else 0
    bad += compare(bank, first, cases("calls.jsonl"), cases("bank.jsonl"), cases("answers.jsonl"))
    print("leaks:", bad)
    return bad


def self_test():
    """Every comparison must fail on a leak that is planted for it."""
    step = {"calls": [{"name": "ring_bell", "arguments": {"at": "noon"}}], "outputs": [{}]}
    case = {"user": "Ring the big bell at noon", "steps": [step], "tools": [{"name": "ring_bell", "parameters": {"properties": {"at": {}}}}]}
    answer = {"question": "Who rings the big bell?", "passages": [{"text": "The sexton rings the big bell daily."}], "answers": ["The sexton rings the big bell daily."]}
    clean = compare(Seen(), Seen(), [case], [case], [answer])
    missed = []
    plants = [("bank", "names", "ring_bell"), ("first", "names", "ring_bell"), ("bank", "arguments", "at"), ("bank", "requests", "ring the big bell at"),
              ("first", "requests", "ring the big bell at"), ("first", "requests", "who rings the big bell?"), ("first", "texts", "The sexton rings the big bell daily."),
              ("first", "sentences", "The sexton rings the big bell daily.")]
    for which, field, value in plants:
        seen = {"bank": Seen(), "first": Seen()}
        getattr(seen[which], field).add(value)
        if not compare(seen["bank"], seen["first"], [case], [case], [answer]):
            missed.append((which, field, value))
    print("missed:", missed or "none", "| false alarms:", clean)
    return 1 if missed or clean else 0


if __name__ == "__main__":
    sys.exit(self_test())
