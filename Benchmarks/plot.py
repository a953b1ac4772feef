"""The ratios as a picture: an SVG written by hand, readable on a light and on a dark page."""

import math
import os
from xml.sax.saxutils import escape

from . import rows

WIDTH, LABEL, RIGHT, LINE, TOP, BOTTOM = 1160, 620, 70, 24, 84, 40
LEAST, MOST = 0.05, 50.0
COLOURS = {"goal": "#2e9e5b", "floor": "#d9a21b", "missed": "#d1495b", "": "#6f8fb3"}
WORDS = {"goal": "goal reached", "floor": "floor reached", "missed": "missed", "": "no limit set"}


def x(ratio):
    """Where a ratio is; the axis is logarithmic."""
    place = math.log(min(max(ratio, LEAST), MOST) / LEAST) / math.log(MOST / LEAST)
    return LABEL + place * (WIDTH - LABEL - RIGHT)


def text(at, y, words, anchor="start", size=12, extra=""):
    return f'<text x="{at:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" {extra}>{escape(words)}</text>'


def bar(row, summary, y):
    """From 1, where both are equal, to the median; a line for the spread; ticks for floor and goal."""
    middle = y + LINE / 2
    left, right = sorted((x(1), x(summary.median)))
    verdict = row.verdict(summary.median)
    parts = [
        text(LABEL - 8, middle + 4, row.name + ("" if row.more else " (less is better)"), "end"),
        f'<rect x="{left:.1f}" y="{y + 5}" width="{max(1, right - left):.1f}" height="{LINE - 10}" fill="{COLOURS[verdict]}"/>',
        f'<line x1="{x(summary.least):.1f}" x2="{x(summary.most):.1f}" y1="{middle}" y2="{middle}" class="ink"/>']
    for limit, kind in ((row.floor, "floor"), (row.goal, "goal")):
        if limit:
            parts.append(f'<line x1="{x(limit):.1f}" x2="{x(limit):.1f}" y1="{y + 2}" y2="{y + LINE - 2}" '
                         f'stroke="{COLOURS[kind]}" stroke-width="2"/>')
    parts.append(text(WIDTH - RIGHT + 8, middle + 4, f"{summary.median:.3g}"))
    return parts


def draw(run):
    shown = [(row, row.value(run)) for row in rows.ROWS + rows.BESIDE if not row.unit]
    shown = [(row, summary) for row, summary in shown if summary]
    height = TOP + LINE * len(shown) + BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">',
        "<style>text{fill:#222}.ink{stroke:#222}.grid{stroke:#ccc}.page{fill:#fff}"
        "@media(prefers-color-scheme:dark){text{fill:#ddd}.ink{stroke:#ddd}.grid{stroke:#444}.page{fill:#161b22}}</style>",
        f'<rect class="page" width="{WIDTH}" height="{height}"/>',
        text(16, 26, "Sluice ÷ its peers, measured in one interleaved run", size=16, extra='font-weight="bold"'),
        text(16, 46, "Bars: median of paired ratios; lines: least and most. 1 is the peer. Upright ticks: floor and goal."),
    ]
    at = 16
    for verdict, word in WORDS.items():
        parts += [f'<rect x="{at}" y="56" width="12" height="12" fill="{COLOURS[verdict]}"/>', text(at + 17, 66, word)]
        at += 120
    for mark in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50):
        kind = "ink" if mark == 1 else "grid"
        parts += [f'<line x1="{x(mark):.1f}" x2="{x(mark):.1f}" y1="{TOP}" y2="{height - BOTTOM + 4}" class="{kind}"/>',
                  text(x(mark), height - BOTTOM + 20, f"{mark:g}", "middle")]
    for number, (row, summary) in enumerate(shown):
        parts += bar(row, summary, TOP + number * LINE)
    return "\n".join([*parts, "</svg>"]) + "\n"


def write(run, directory):
    with open(os.path.join(directory, "results.svg"), "w") as file:
        file.write(draw(run))
