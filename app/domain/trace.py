"""The lines of a trace as the rules write them: which step answered what, from which facts, on whose word.

Neighbours may rely on this: lines of one kind share one form, told apart by identity, so that whoever writes a trace
may remember what the form alone decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any


class Basis(StrEnum):
    """Whether a source states the value, or we had to choose it."""

    PUBLISHED = "published"
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Where a value comes from: a source's title, or a note that says why we chose it."""

    basis: Basis
    title: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LineForm:
    """What of a line of a trace is the same for every company: the step, the names of its facts, on whose word, and
    whether the line settled the outcome or the figure.
    """

    step: str
    names: tuple[str, ...]
    reference: Reference | None
    decisive: bool


@lru_cache(maxsize=8_192)
def line_form(
    step: str, names: tuple[str, ...] = (), reference: Reference | None = None, decisive: bool = False
) -> LineForm:
    """This function will return the form that all lines of this kind share, the same one each time."""
    return LineForm(step, names, reference, decisive)


Forms = tuple[LineForm, LineForm]


@lru_cache(maxsize=8_192)
def line_forms(step: str, names: tuple[str, ...] = (), reference: Reference | None = None) -> Forms:
    """This function will return both forms of a line that may turn out to be decisive: take `forms[decisive]`."""
    return line_form(step, names, reference, False), line_form(step, names, reference, True)


class FormsByNames(dict[tuple[str, ...], Forms]):
    """The forms of one step's lines by the names of their facts, made when they are first asked for: found at half of
    what `line_forms` takes.
    """

    def __init__(self, step: str, reference: Reference | None) -> None:
        self._step, self._reference = step, reference

    def __missing__(self, names: tuple[str, ...]) -> Forms:
        forms = self[names] = line_forms(self._step, names, self._reference)
        return forms


Line = tuple[LineForm, Any, tuple[Any, ...]]
"""A line of a trace as the rules write it: its form, the answer, and the facts' values in the order of their names.
`Step` spells it out for readers."""
