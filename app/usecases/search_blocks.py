"""Blocks: what is known of 512 neighbouring places of one log, so that a search need not look at each.

Neighbours may rely on this: a block is a function of its places' figures alone, so it can be made again and compared. A
code's mark is a bitmap, bit i for place i of the block; a figure's column is 512 signed integers of 64 bits, little
endian, `NOTHING` where a place has none. A place of the log that holds no decision, or no longer, or not yet, has no
mark and no figure.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

from app.audit.search_figures import Figures
from app.usecases.search import exceptions_of

PLACES = 512
"""Places in a block. The last block grows as the log does; what has no marks yet is searched as it stands."""

_MARK_BYTES = PLACES // 8
NOTHING = -(2**63)
_STORED_AS_HERE = array("q", struct.pack("<q", 1))[0] == 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

DECISION = "decision"
"""The mark of every place that holds a decision; its value is empty, as are those of columns."""
RECORDED_AT = "recorded_at"

Key = tuple[str, str]


class BlockInMaking:
    """A block to which places are added one by one, in any order; a place that is not added holds no decision."""

    def __init__(self) -> None:
        self._marks: dict[Key, int] = {(DECISION, ""): 0}
        self._columns = {name: array("q", [NOTHING]) * PLACES for name in _COLUMNS}
        self._changed: set[Key] = {(DECISION, ""), *((name, "") for name in _COLUMNS)}

    def add(self, place: int, found: Figures) -> None:
        """This function will mark the place and note its figures."""
        marks, bit, codes = self._marks, 1 << place, set(_codes(found))
        for key in codes:
            marks[key] = marks.get(key, 0) | bit
        for name, column in self._columns.items():
            column[place] = _figure(found, name)
        self._changed |= codes
        self._changed.update((name, "") for name in _COLUMNS)

    def contents(self) -> Mapping[Key, bytes]:
        """This function will return the block: (name, value) to its mark, (name, "") to its column."""
        return self._written((*self._marks, *((name, "") for name in _COLUMNS)))

    def changes(self) -> Mapping[Key, bytes]:
        """This function will return what of the contents has changed since it was last asked."""
        changed, self._changed = self._changed, set()
        return self._written(changed)

    def _written(self, keys: Iterable[Key]) -> Mapping[Key, bytes]:
        marks = self._marks
        return {
            key: marks[key].to_bytes(_MARK_BYTES, "little") if key in marks else _stored(self._columns[key[0]])
            for key in keys
        }


def without(contents: Mapping[Key, bytes], places: Iterable[int]) -> Mapping[Key, bytes]:
    """This function will return of a block's contents what is no longer the same once these places hold no decision: a
    code that no place has any more comes to empty bytes.
    """
    gone, changed = tuple(places), dict[Key, bytes]()
    kept = ~sum(1 << place for place in set(gone))
    for key, content in contents.items():
        if key[0] in _COLUMNS:
            column = to_figures_array(content)
            for place in gone:
                column[place] = NOTHING
            left = _stored(column)
        else:
            mark = to_mark(content) & kept
            left = mark.to_bytes(_MARK_BYTES, "little") if mark or key == (DECISION, "") else b""
        if left != content:
            changed[key] = left
    return changed


def to_figures_array(content: bytes) -> array[int]:
    """This function will return a stored column as it is, NOTHING where a place has no figure."""
    figures = array("q", content)
    if not _STORED_AS_HERE:
        figures.byteswap()
    return figures


def _stored(figures: array[int]) -> bytes:
    if _STORED_AS_HERE:
        return figures.tobytes()
    turned = array("q", figures)
    turned.byteswap()
    return turned.tobytes()


def to_mark(content: bytes) -> int:
    """This function will return a stored mark as one integer."""
    return int.from_bytes(content, "little")


def mark_within(content: bytes, least: int | None, most: int | None) -> int:
    """This function will mark the places whose figure lies from `least` to `most`, both included."""
    low = -(2**63) + 1 if least is None else least
    high = 2**63 - 1 if most is None else most
    bits = "".join(["1" if low <= figure <= high else "0" for figure in reversed(to_figures_array(content))])
    return int(bits, 2)


def mark_between(start: int, stop: int) -> int:
    """This function will mark the places from `start` up to, and without, `stop`; both are clipped to the block."""
    start, stop = min(max(start, 0), PLACES), min(max(stop, 0), PLACES)
    return ((1 << stop) - 1) & ~((1 << start) - 1)


def places_in(mark: int, *, last_first: bool) -> Iterator[int]:
    """This function will give the marked places in order."""
    while mark:
        place = mark.bit_length() - 1 if last_first else (mark & -mark).bit_length() - 1
        yield place
        mark ^= 1 << place


def microseconds(instant: datetime) -> int:
    """This function will return whole microseconds since 1970, as columns hold instants."""
    return (instant - _EPOCH) // _MICROSECOND


def _codes(found: Figures) -> Iterator[Key]:
    yield DECISION, ""
    yield "product", found.product
    yield "zone", found.zone
    yield "outcome", found.outcome
    optional = {
        "branch": found.branch, "stage": found.stage, "decisive": found.extras.decisive,
        "campaign": found.extras.campaign,
    }  # fmt: skip
    for name, value in optional.items():
        if value is not None:
            yield name, value
    for reason in found.reasons:
        yield "reason", reason
    for assumption in found.extras.assumptions:
        yield "assumption", assumption
    for gate in exceptions_of(found.extras):
        yield "exception", gate


_COLUMNS = ("score", "requested_amount", "credit_limit", RECORDED_AT, "net_rate", "subsidy", "covered")


def _figure(found: Figures, name: str) -> int:
    if name == RECORDED_AT:
        return microseconds(found.recorded_at)
    figure = getattr(found.extras if name in ("net_rate", "subsidy", "covered") else found, name)
    return NOTHING if figure is None else figure
