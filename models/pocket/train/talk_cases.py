"""Turns of tool_talk as cases of `facet eval calls` that say which calls belong to the first step, also where an argument lacks."""


def case(number, talk, turn, only_called=False):
    """The case, with all tools that the talk declares or those that are called."""
    if turn["kind"] == "ask":
        tool, arguments, _ = talk.lacked
        calls = [(tool.name, arguments)]
    else:
        calls = [(name, arguments) for name, arguments, _ in turn["steps"][0]] if turn["steps"] else []
    called = {name for name, _ in calls}
    return {"id": str(number), "kind": turn["kind"], "tools": [t.schema() for t in talk.tools if t.name in called or not only_called],
            "user": turn["user"],
            "steps": [{"calls": [{"name": n, "arguments": a} for n, a in calls], "outputs": [{} for _ in calls]}] if calls else []}
