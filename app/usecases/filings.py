"""备案登记: that a drawdown under cover was filed with its pool, and the list of what must be filed by when.

Neighbours may rely on this: what must be filed is told from the lines' own events, what was filed from the acts on each
of them; a reversed drawdown need not be filed, and one is filed once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

import orjson

from app.domain.pool import FilingTerms
from app.domain.working_days import WorkingDays
from app.ledger.filing import Drawdown, Filing, due_on, filings
from app.ledger.offer import Event, EventKind
from app.usecases.act_rows import ActsWanted, Row, StoredAct
from app.usecases.acts import Act, Result, Work
from app.usecases.offers import EVENT_FORMAT, event_of
from app.usecases.pool_acts import not_in_the_future
from app.usecases.pool_refusals import PoolRefusal, PoolRefused

FILING_FORMAT = "jifendai/pool-filing/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class FilingRecorded(Act):
    """备案: one drawdown, by the event that reported it, which is the act's subject."""

    format: ClassVar[str] = FILING_FORMAT
    pool: str
    offer_id: str
    filed_on: date

    def wants(self) -> ActsWanted:
        """This function will ask for the line's events, and for what was filed of this one."""
        return ActsWanted(subjects=((self.lender, self.subject), (self.lender, self.offer_id)))

    def seal_into(self, work: Work, record_id: str) -> Result:
        """This function will put the filing on record, and say whether it was late. Raises PoolRefused."""
        terms = work.room.catalogue.pool(self.pool, on=work.on)
        if terms is None or terms.filing is None:
            raise PoolRefused(PoolRefusal.NOTHING_TO_FILE)
        not_in_the_future(self.filed_on, work, "/filed_on")
        drawn = drawdowns_of(work.history(self.lender, self.offer_id))
        found = next((one for one in drawn if one.event_id == self.subject), None)
        if found is None:
            raise PoolRefused(PoolRefusal.NO_SUCH_DRAWDOWN, "/event_id")
        before = filed_on_days(work.history(self.lender, self.subject))
        if self.subject in before:
            raise PoolRefused(PoolRefusal.FILED_BEFORE, "/event_id", before[self.subject].isoformat())
        if self.filed_on < found.drawn_on:
            raise PoolRefused(PoolRefusal.BEFORE_THE_DRAWDOWN, "/filed_on", found.drawn_on.isoformat())
        due = due_on(terms.filing, found.drawn_on, work.room.catalogue.working_days)
        late = due is not None and self.filed_on > due
        shown = {
            "pool": self.pool, "offer_id": self.offer_id, "event_id": self.subject,
            "filed_on": self.filed_on.isoformat(), "due_on": None if due is None else due.isoformat(),
        }  # fmt: skip
        return Result("FILED_LATE" if late else "FILED", shown)


def drawdowns_of(acts: Iterable[StoredAct]) -> tuple[Drawdown, ...]:
    """This function will return the drawdowns among the acts on offers, without those that were reversed."""
    events: list[tuple[StoredAct, Event]] = [
        (act, event_of(orjson.loads(act.record)["document"], act.record_id))
        for act in acts
        if act.format == EVENT_FORMAT
    ]
    gone = {event.reverses for _, event in events}
    return tuple(
        Drawdown(event.event_id, act.subject, act.lender, event.amount, event.value_on)
        for act, event in events
        if event.kind is EventKind.DRAWDOWN and event.event_id not in gone
    )


def filed_on_days(acts: Iterable[StoredAct]) -> Mapping[str, date]:
    """This function will return, by event, the day on which it was filed."""
    return {
        act.subject: date.fromisoformat(orjson.loads(act.record)["document"]["filed_on"])
        for act in acts
        if act.format == FILING_FORMAT
    }


def covered_offers(covers: Iterable[Row]) -> tuple[str, ...]:
    """This function will return the offers of covers under which something was ever drawn."""
    return tuple(row["offer_id"] for row in covers if row["drawn"])


def filings_document(
    terms: FilingTerms | None, acts: Sequence[StoredAct], filed: Sequence[StoredAct], days: WorkingDays, on: date
) -> list[dict[str, Any]]:
    """This function will list what must be filed with a pool, the earliest drawdown first; nothing where it asks for
    none.
    """
    if terms is None:
        return []
    return [_filing(one) for one in filings(terms, drawdowns_of(acts), filed_on_days(filed), days, on)]


def _filing(found: Filing) -> dict[str, Any]:
    drawn = found.drawdown
    return {
        "event_id": drawn.event_id,
        "offer_id": drawn.cover,
        "lender": drawn.lender,
        "amount": drawn.amount.text(),
        "drawn_on": drawn.drawn_on.isoformat(),
        "due_on": None if found.due_on is None else found.due_on.isoformat(),
        "filed_on": None if found.filed_on is None else found.filed_on.isoformat(),
        "state": found.state.value,
    }
