"""对账单: what happened to a pool, or to one lender's part of it, in a period, decision by decision.

Neighbours may rely on this: opening + the lines = closing, in every column, and the lines name every decision whose
cover moved; a statement that does not reconcile is not made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from app.ledger.pool import Entry, EntryKind, Totals


@dataclass(frozen=True, slots=True)
class BookedEntry:
    """An entry as it was booked: on which day, and of which decision (None for the pool's own capital)."""

    entry: Entry
    booked_on: date
    decision_id: str | None


@dataclass(frozen=True, slots=True)
class StatementLine:
    """What the period changed for one decision, and by which kinds of entry."""

    decision_id: str | None
    cover: str | None
    lender: str | None
    change: Totals
    kinds: Mapping[EntryKind, int]


@dataclass(frozen=True, slots=True)
class Statement:
    """One period of one pool; `since` inclusive, `until` exclusive, by the day of booking."""

    since: date
    until: date
    opening: Totals
    lines: tuple[StatementLine, ...]
    closing: Totals


class DoesNotReconcile(Exception):
    """The entries do not add up to the balance that the pool's book holds."""


def statement(
    booked: Iterable[BookedEntry], *, since: date, until: date, lender: str | None = None, closing: Totals | None = None
) -> Statement:
    """This function will make the statement from all entries ever booked until then; `lender` None is the whole pool.

    Raises DoesNotReconcile where `closing` is given (what the book holds at the end) and the entries say otherwise.
    """
    opening, end = Totals(), Totals()
    lines: dict[tuple[str | None, str | None, str | None], StatementLine] = {}
    for one in booked:
        entry = one.entry
        if one.booked_on >= until or (lender is not None and entry.lender != lender):
            continue
        end += entry.change
        if one.booked_on < since:
            opening += entry.change
            continue
        key = (one.decision_id, entry.cover, entry.lender)
        line = lines.get(key) or StatementLine(*key, Totals(), {})
        kinds = {**line.kinds, entry.kind: line.kinds.get(entry.kind, 0) + 1}
        lines[key] = StatementLine(*key, line.change + entry.change, kinds)
    if closing is not None and end != closing:
        raise DoesNotReconcile(f"the entries add up to {end}, the book holds {closing}")
    return Statement(since, until, opening, tuple(lines.values()), end)
