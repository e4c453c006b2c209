"""Compares dialect.py with rendered fixtures (JSON files with messages, tools and the rendered prompt).

Usage: python check_dialect.py FOLDER
"""

import json
import pathlib
import sys

import dialect


def render(messages, tools):
    out = "<bos>"
    i = 0
    if messages[0]["role"] in ("developer", "system"):
        out += f"<start_of_turn>developer\n{messages[0]['content']}"
        i = 1
    out += "".join(dialect.declaration(t["function"]) for t in tools) + "<end_of_turn>\n"
    ends_in_call = False
    for m in messages[i:]:
        if m["role"] == "user":
            if out.endswith("<end_function_response>"):
                out += "<end_of_turn>\n"
            out += f"<start_of_turn>user\n{m['content']}<end_of_turn>\n<start_of_turn>model\n"
        elif m["role"] == "assistant" and m.get("tool_calls"):
            for c in m["tool_calls"]:
                out += dialect.call(c["function"]["name"], c["function"]["arguments"])
        elif m["role"] == "assistant":
            out += m["content"] + "<end_of_turn>\n"
        else:
            content = m["content"]
            entries = content if isinstance(content, list) else [{"name": m.get("name"), "response": content}]
            for e in entries:
                out += "<start_function_response>" + dialect.response(e["name"], e["response"])
        ends_in_call = bool(m.get("tool_calls"))
    return out + ("<start_function_response>" if ends_in_call else "")


def main():
    bad = 0
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.json")):
        case = json.loads(path.read_text())
        if case.get("error"):
            continue
        got = render(case["messages"], case["kwargs"].get("tools", []))
        same = got == case["rendered"]
        bad += not same
        print("ok  " if same else "DIFF", path.name)
        if not same:
            print(" want", case["rendered"][-300:], "\n got ", got[-300:])
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
