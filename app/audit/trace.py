"""The trace, written: from the lines of a decision to the canonical bytes that a record and an answer hold.

Neighbours may rely on this: the bytes are those that the canonical encoder would write for the spelled-out lines (a
test holds the two equal). What the terms alone decide — steps, names, references, the order of the keys — is written
once a kind of trace; a decision only fills in its answers and figures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from operator import call, itemgetter
from typing import Any, Final, NamedTuple

import orjson

from app.audit.canonical import vouched_bytes
from app.domain.decision import Decision, SharedLines
from app.domain.money import Yuan, decimal_text
from app.domain.terms import Gate
from app.domain.trace import Basis, LineForm, Reference


class WrittenTrace(NamedTuple):
    """The lines as a JSON array, and as another the names of the parameters used that are ours and no source's."""

    lines: bytes
    assumptions: bytes


def trace_bytes(decision: Decision) -> WrittenTrace:
    """This function will write a decision's trace."""
    kind: list[Any] = []
    values: list[Any] = []
    for part in (*decision.checks, decision.gates, *decision.steps):
        if type(part) is tuple:
            form, answer, found = part
            kind.append(form)
            values.append(answer)
            values += found
        elif type(part) is SharedLines:
            kind.append(part)
        else:
            kind.append(part.gates)
            kind.append(part.answers)
            kind.append(part.decisive)
            values += part.actuals
    pattern, order, assumptions = _whole(tuple(kind))
    texts = [*map(call, map(_WRITERS.__getitem__, map(type, values)), values)]
    return WrittenTrace(pattern % order(texts), assumptions)


# ---- what a trace of one kind has in common ----------------------------------------------------------------------


class _Pattern(NamedTuple):
    """Lines with holes: the bytes, for each hole the place of its value among the lines' values, how many values
    there are, and the names of what is assumed.
    """

    bytes: bytes
    holes: tuple[int, ...]
    values: int
    assumed: tuple[str, ...]


@lru_cache(maxsize=1_024)
def _whole(kind: tuple[Any, ...]) -> tuple[bytes, Callable[[Sequence[bytes]], tuple[bytes, ...]], bytes]:
    patterns, parts = [], iter(kind)
    for part in parts:
        if type(part) is LineForm:
            patterns.append(_line(part))
        elif type(part) is SharedLines:
            patterns.append(_shared(part))
        else:
            answers, decisive = next(parts), next(parts)
            patterns += [_gate(gate, answer, decisive) for gate, answer in zip(part, answers, strict=True)]
    holes: list[int] = []
    at = 0
    for pattern in patterns:
        holes += [at + hole for hole in pattern.holes]
        at += pattern.values
    assumed = list(dict.fromkeys(name for pattern in patterns for name in pattern.assumed))
    lines = b",".join(pattern.bytes for pattern in patterns if pattern.bytes)
    return b"[%b]" % lines, _picking(holes), orjson.dumps(assumed)


def _picking(holes: Sequence[int]) -> Callable[[Sequence[bytes]], tuple[bytes, ...]]:
    if len(holes) > 1:
        return itemgetter(*holes)
    return lambda texts: tuple(texts[hole] for hole in holes)


@lru_cache(maxsize=4_096)
def _line(form: LineForm) -> _Pattern:
    """A line of this form; its values are the answer and then the facts."""
    # Of a name that occurs twice the last one counts, as in any document made from pairs.
    facts = sorted({name: place for place, name in enumerate(form.names, start=1)}.items())
    named = b",".join(_constant(name) + b":%b" for name, _ in facts)
    pattern = b'{"answer":%%b,"decisive":%b,"facts":{%b},"reference":%b,"step":%b}' % (
        orjson.dumps(form.decisive), named, _constant_reference(form.reference), _constant(form.step),
    )  # fmt: skip
    return _Pattern(pattern, (0, *(place for _, place in facts)), 1 + len(form.names), _assumed(form))


@lru_cache(maxsize=8_192)
def _gate(gate: Gate, answer: bool | None, decisive: bool) -> _Pattern:
    """A gate's line; its one value is what the gate found."""
    form, _, found = gate.line(None, answer, decisive=decisive)
    texts = [_HOLE if name == "actual" else value_bytes(value) for name, value in zip(form.names, found, strict=True)]
    return _Pattern(_filled(form, [value_bytes(answer), *texts]), (0,), 1, _assumed(form))


@lru_cache(maxsize=2_048)
def _shared(block: SharedLines) -> _Pattern:
    """Lines that hold no figure of their own."""
    written = [_filled(form, [*map(value_bytes, (answer, *found))]) for form, answer, found in block.lines]
    return _Pattern(b",".join(written), (), 0, tuple(name for form, _, _ in block.lines for name in _assumed(form)))


# No canonical text holds this byte.
_HOLE = b"\0"


def _filled(form: LineForm, texts: Sequence[bytes]) -> bytes:
    """A line with its values, as a pattern again."""
    pattern = _line(form)
    line = pattern.bytes % tuple(texts[hole] for hole in pattern.holes)
    return line.replace(b"%", b"%%").replace(_HOLE, b"%b")


def _assumed(form: LineForm) -> tuple[str, ...]:
    reference = form.reference
    return (form.step,) if reference is not None and reference.basis is Basis.ASSUMED else ()


def _constant_reference(reference: Reference | None) -> bytes:
    # The note that explains an assumed value stands in the terms, which the record names by digest.
    return _constant(None if reference is None else {"basis": reference.basis, "title": reference.title})


def _constant(value: Any) -> bytes:
    """A value that is part of the pattern, in which a percent sign begins a hole."""
    return value_bytes(value).replace(b"%", b"%%")


# ---- values -------------------------------------------------------------------------------------------------------


def value_bytes(value: Any) -> bytes:
    """This function will write one value in canonical form: amounts and exact decimals as strings, sets as sorted
    lists, days as ISO text, enumerations as their values.
    """
    return _WRITERS[type(value)](value)


def plain(value: Any) -> Any:
    """This function will write what JSON does not know: amounts and exact decimals as strings, sets as sorted lists."""
    return _PLAIN[type(value)](value)


_PLAIN: dict[type, Callable[[Any], Any]] = {Yuan: Yuan.text, Decimal: decimal_text, frozenset: sorted}


def _other(value: Any) -> bytes:
    return vouched_bytes(value, plain)


class _Remembered(dict[Any, bytes]):
    """The bytes of values, by value: looked up at a third of what a cache that orders them takes. All are forgotten
    when they are many.
    """

    def __init__(self, write: Callable[[Any], bytes]) -> None:
        self._write = write

    def __missing__(self, value: Any) -> bytes:
        if len(self) >= _MOST_REMEMBERED:
            self.clear()
        written = self[value] = self._write(value)
        return written


_MOST_REMEMBERED: Final = 8_192


def _yuan(amount: Yuan) -> bytes:
    return f'"{amount.text()}"'.encode()


def _decimal(value: Decimal) -> bytes:
    # Equal decimals may be spelled differently, so that none is remembered.
    text = f'"{value!s}"'
    return (text if "E" not in text else f'"{decimal_text(value)}"').encode()


class _Writers(dict[type, Callable[[Any], bytes]]):
    def __missing__(self, kind: type) -> Callable[[Any], bytes]:
        found = self[kind] = _Remembered(orjson.dumps).__getitem__ if issubclass(kind, Enum) else _other
        return found


# Of the texts, counts and days in a trace few are a company's own; an amount stands in several lines.
_WRITERS = _Writers({
    Yuan: _Remembered(_yuan).__getitem__, Decimal: _decimal, str: _Remembered(vouched_bytes).__getitem__,
    int: _Remembered(vouched_bytes).__getitem__, date: _Remembered(orjson.dumps).__getitem__,
    bool: {True: b"true", False: b"false"}.get, type(None): {None: b"null"}.get,
})  # fmt: skip
