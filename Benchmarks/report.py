"""What is written of a run: JSON, and a page of tables."""

import json
import os
import statistics

from . import ratios, rows
from .groups import GROUPS, TITLES, metrics

NAMES = {"goal": "goal reached", "floor": "floor reached", "missed": "**missed**", "": ""}


def number(value):
    """Three digits that mean something."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}"


def spread(summary):
    return number(summary.median) if len(summary.values) == 1 else (
        f"{number(summary.median)} ({number(summary.least)} – {number(summary.most)})")


def required(run):
    """The table with floors and goals."""
    lines = ["| case | floor | goal | reached: median (least – most) | 95 % interval | |", "|---|---|---|---|---|---|"]
    for row in rows.ROWS + rows.BESIDE:
        summary = row.value(run)
        limits = [("≥ " if row.more else "≤ ") + number(limit) if limit is not None else "" for limit in (row.floor, row.goal)]
        if summary is None:
            lines.append(f"| {row.name} | {limits[0]} | {limits[1]} | not measured | | |")
            continue
        sure = f"{number(summary.low)} – {number(summary.high)}" if len(summary.values) > 1 else ""
        lines.append(f"| {row.name} | {limits[0]} | {limits[1]} | {spread(summary)} {row.unit} | {sure} | "
                     f"{NAMES[row.verdict(summary.median)]} |")
    return lines


def details(run):
    """Everything by group: medians, and ratios to the group's first, pair by pair."""
    lines = []
    for group in GROUPS:
        for metric in metrics(group):
            table = run.measured(group, metric.name)
            if not any(any(row.values()) for row in table.values()):
                continue
            lines += ["", f"### {TITLES[group]}: {metric.title}", ""]
            units = [(kind, key, unit) for kind in table for key, (unit, _) in metric.values.items()]
            several = len(table) > 1
            lines.append("| |" + "|".join(f" {kind + ' ' if several else ''}{unit} | ÷ " for kind, _, unit in units) + "|")
            lines.append("|---|" + "---:|---:|" * len(units))
            present = [kind.key for kind in GROUPS[group] if any(table[each].get(kind.key) for each in table)]
            for contender in present:
                cells = []
                for kind, key, _ in units:
                    mine, first = table[kind].get(contender), table[kind].get(present[0])
                    if not mine:
                        cells += ["", ""]
                        continue
                    cells.append(number(statistics.median(each[key] for each in mine)))
                    quotients = ratios.pairs([each[key] for each in mine], [each[key] for each in first]) if first else []
                    cells.append(number(statistics.median(quotients)) if quotients else "")
                lines.append(f"| {run.titles[group][contender]} | " + " | ".join(cells) + " |")
    return lines


def page(run):
    lines = ["# Results", "", "Written by `make bench`; [README.md](README.md) tells how to read it.", "", *run.machine_lines(),
             *(["", "**A smoke test: these numbers mean nothing.**"] if run.settings["quick"] else []), "", *required(run), "", "![the ratios](results.svg)", *details(run)]
    if run.skipped:
        lines += ["", "### Not measured", ""]
        lines += [f"- {each['title']}, {each['what']}: {each['why']}" for each in run.skipped]
    return "\n".join(lines) + "\n"


def values(run):
    """The run as JSON: rows, and every single measurement."""
    made = []
    for row in rows.ROWS + rows.BESIDE:
        summary = row.value(run)
        made.append({"case": row.name, "floor": row.floor, "goal": row.goal, "unit": row.unit or "ratio",
                     "better": "more" if row.more else "less", "reached": summary and summary.json(),
                     "verdict": row.verdict(summary.median) if summary else "not measured"})
    return {"machine": run.machine, "settings": run.settings, "rows": made, "alone": run.alone, "skipped": run.skipped,
            "measurements": {name: {"titles": run.titles[name], "metrics": result} for name, result in run.groups.items()}}


def write(run, directory):
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, "results.json"), "w") as file:
        json.dump(_rounded(values(run)), file, indent=1, ensure_ascii=False)
        file.write("\n")
    with open(os.path.join(directory, "RESULTS.md"), "w") as file:
        file.write(page(run))


def _rounded(value):
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(each) for each in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value
