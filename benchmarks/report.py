"""What the measurements say, as one table: figure, goal, and whether it is reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """One line: what was measured, the figure as people read it, and the goal with whether it was reached, if it has
    one.
    """

    what: str
    figure: str
    goal: str = ""
    reached: bool | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """Lines that were measured in the same rounds."""

    title: str
    lines: tuple[Line, ...]


def at_least(what: str, value: float, goal: float, unit: str = "x") -> Line:
    """This function will make the line of a figure that should reach `goal`."""
    digits = 2 if goal < 100 else 0
    return Line(what, f"{value:,.{digits}f} {unit}", f">= {goal:,g} {unit}", value >= goal)


def at_most(what: str, value: float, goal: float, unit: str = "x") -> Line:
    """This function will make the line of a figure that should stay within `goal`."""
    return Line(what, f"{value:.2f} {unit}", f"<= {goal:g} {unit}", value <= goal)


def show(sections: Sequence[Section]) -> str:
    """This function will write the table as Markdown, fit to be pasted into docs/performance.md."""
    written = []
    for section in sections:
        written += [f"### {section.title}", "", "| measured | figure | goal | |", "| --- | ---: | ---: | --- |"]
        for line in section.lines:
            mark = {True: "reached", False: "**not reached**", None: ""}[line.reached]
            written.append(f"| {line.what} | {line.figure} | {line.goal} | {mark} |")
        written.append("")
    return "\n".join(written)
