"""The FunctionGemma dialect in Python: declarations, calls, responses and whole conversations as text.

A conversation becomes a list of (text, supervised) parts. Control tokens appear in the text by their names;
data never contains them, because the generator makes data from plain words only.
"""

PLAIN = "You are a model that can do function calling with the following functions"
PLANNING = PLAIN + ". Plan first."


def escaped(text):
    return f"<escape>{text}<escape>"


def by_key(mapping):
    return sorted(mapping.items(), key=lambda item: item[0].lower())


def value(v):
    """One argument or response value: keys bare, strings between <escape> tokens, as Jinja prints them."""
    if v is None:
        return "None"
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, str):
        return escaped(v)
    if isinstance(v, dict):
        return "{" + ",".join(f"{k}:{value(x)}" for k, x in by_key(v)) + "}"
    if isinstance(v, (list, tuple)):
        return "[" + ",".join(value(x) for x in v) + "]"
    return repr(v)


def schema_value(v):
    """A value inside a schema, where keys are escaped too and type names are upper case."""
    if isinstance(v, dict):
        return "{" + ",".join(f"{k}:{schema_value(x)}" for k, x in by_key(v)) + "}"
    if isinstance(v, (list, tuple)):
        return "[" + ",".join(schema_value(x) for x in v) + "]"
    return escaped(v) if isinstance(v, str) else value(v)


def required_list(names):
    return "required:[" + ",".join(escaped(n) for n in names) + "]"


def schema_property(name, p):
    kind = p["type"].upper()
    out = f"{name}:{{description:{escaped(p.get('description', ''))}"
    if kind == "STRING" and p.get("enum"):
        out += f",enum:{schema_value(p['enum'])}"
    if kind == "OBJECT":
        out += ",properties:{" + properties(p.get("properties", {})) + "}"
        if p.get("required"):
            out += "," + required_list(p["required"])
    if kind == "ARRAY" and p.get("items"):
        out += ",items:{" + items(p["items"]) + "}"
    return out + f",type:{escaped(kind)}}}"


def items(spec):
    parts = []
    for key, v in by_key(spec):
        if key == "properties":
            parts.append("properties:{" + properties(v) + "}")
        elif key == "required":
            parts.append(required_list(v))
        elif key == "type":
            parts.append(f"type:{escaped(v.upper())}")
        else:
            parts.append(f"{key}:{schema_value(v)}")
    return ",".join(parts)


def properties(props):
    return ",".join(schema_property(n, p) for n, p in by_key(props))


def declaration(tool):
    """tool: {"name", "description", "parameters": JSON schema of an object}."""
    out = f"<start_function_declaration>declaration:{tool['name']}{{description:{escaped(tool['description'])}"
    p = tool.get("parameters")
    if p:
        out += ",parameters:{"
        if p.get("properties"):
            out += "properties:{" + properties(p["properties"]) + "},"
        if p.get("required"):
            out += required_list(p["required"]) + ","
        out += f"type:{escaped('OBJECT')}}}"
    return out + "}<end_function_declaration>"


def call(name, arguments):
    return f"<start_function_call>call:{name}{value(arguments)}<end_function_call>"


def response(name, content):
    if isinstance(content, str):
        content = {"value": content}
    return f"response:{name}{value(content)}<end_function_response>"


def lacking(name, arguments, missing):
    """The step and the answer of a request that says nothing of the parameters `missing`, which the tool requires.

    The model calls with None in their place; what it is told is what Facet's loop tells it, and the tool does not run.
    """
    told = {"error": ("missing argument: " if len(missing) == 1 else "missing arguments: ") + ", ".join(missing)}
    return [(name, {**arguments, **dict.fromkeys(missing)}, told)], f"Please give me the {' and the '.join(missing)}."


def rejecting(considered):
    """The plan where no tool is called: with the tool that was `considered`, if any."""
    return f"{considered} (no), answer" if considered else "answer"


def conversation(tools, turns, planning):
    """turns: list of {"user": str, "steps": [[(name, arguments, response)]], "answer": str}; "plan" where not every call was planned,
    "considered" where a tool comes near to a request that none fits.

    Each step is a list of calls made together. Returns the parts, ending after the last <end_of_turn>.
    """
    parts = [("<bos><start_of_turn>developer\n" + (PLANNING if planning else PLAIN), False)]
    parts += [(declaration(t), False) for t in tools]
    parts.append(("<end_of_turn>\n", False))
    for turn in turns:
        parts.append((f"<start_of_turn>user\n{turn['user']}<end_of_turn>\n<start_of_turn>model\n", False))
        names = turn.get("plan", [name for step in turn["steps"] for name, _, _ in step])
        if planning:
            parts.append((f"Plan: {', '.join(names) if names else rejecting(turn.get('considered'))}.\n", True))
        for step in turn["steps"]:
            parts.append(("".join(call(n, a) for n, a, _ in step) + "<start_function_response>", True))
            parts.append(("<start_function_response>".join(response(n, r) for n, _, r in step), False))
        parts.append((turn["answer"] + "<end_of_turn>", True))
        parts.append(("\n", False))
    return parts
