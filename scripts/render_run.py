#!/usr/bin/env python3
"""Draws terminal output as an SVG picture: facet ask ... | scripts/render_run.py "command" > docs/demo.svg

Reads plain text from standard input; standard library only.
"""

import html
import sys
import textwrap

COLUMNS = 100
LINE = 18
COLOURS = {"plan": "#d7ba7d", "call": "#4fc1ff", "result": "#9cdcfe", "answer": "#b5e8a0", "==": "#c586c0", "$": "#808080"}


def colour(line):
    first = line.split(" ", 1)[0]
    if line.startswith("["):
        return "#808080"
    return COLOURS.get(first, "#d4d4d4")


def main():
    lines = []
    if len(sys.argv) > 1:
        lines.append("$ " + sys.argv[1])
    for raw in sys.stdin.read().splitlines():
        parts = textwrap.wrap(raw, COLUMNS, subsequent_indent="        ") or [""]
        lines += [(part, colour(raw)) for part in parts]
    lines = [line if isinstance(line, tuple) else (line, colour(line)) for line in lines]
    width = int(COLUMNS * 8.45) + 40
    height = len(lines) * LINE + 40
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
           f'viewBox="0 0 {width} {height}">',
           f'<rect width="{width}" height="{height}" rx="8" fill="#1e1e1e"/>',
           '<g font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14" xml:space="preserve">']
    for number, (text, fill) in enumerate(lines):
        out.append(f'<text x="20" y="{32 + number * LINE}" fill="{fill}">{html.escape(text)}</text>')
    out.append("</g></svg>")
    print("\n".join(out))


if __name__ == "__main__":
    main()
