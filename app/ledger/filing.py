"""备案: which drawdowns must be filed with the pool by when, and which are late.

Neighbours may rely on this: a term in working days that runs into a year whose holidays are not announced has no last
day yet and is never called late; a reversed drawdown need not be filed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from app.domain.money import Yuan
from app.domain.pool import FilingTerms
from app.domain.working_days import WorkingDays


class FilingState(StrEnum):
    """备案状态."""

    DUE = "DUE"
    LATE = "LATE"
    FILED = "FILED"
    FILED_LATE = "FILED_LATE"


@dataclass(frozen=True, slots=True)
class Drawdown:
    """One drawdown under cover, by the event that reported it."""

    event_id: str
    cover: str
    lender: str
    amount: Yuan
    drawn_on: date


@dataclass(frozen=True, slots=True)
class Filing:
    """What must be filed: `due_on` is the last day, None where it cannot be reckoned yet."""

    drawdown: Drawdown
    due_on: date | None
    filed_on: date | None
    state: FilingState


def due_on(terms: FilingTerms, drawn_on: date, days: WorkingDays) -> date | None:
    """This function will return the last day on which a drawdown may be filed; its own day is not counted."""
    if terms.working_days:
        return days.after(drawn_on, terms.within_days)
    return drawn_on + timedelta(days=terms.within_days)


def filings(
    terms: FilingTerms, drawdowns: Iterable[Drawdown], filed: Mapping[str, date], days: WorkingDays, on: date
) -> tuple[Filing, ...]:
    """This function will list what must be filed, the earliest first; `filed` says by event when it was."""
    return tuple(
        Filing(drawdown, due, filed.get(drawdown.event_id), _state(due, filed.get(drawdown.event_id), on))
        for drawdown in sorted(drawdowns, key=lambda d: (d.drawn_on, d.event_id))
        for due in (due_on(terms, drawdown.drawn_on, days),)
    )


def _state(due: date | None, filed_on: date | None, on: date) -> FilingState:
    late = due is not None and (filed_on or on) > due
    if filed_on is None:
        return FilingState.LATE if late else FilingState.DUE
    return FilingState.FILED_LATE if late else FilingState.FILED
