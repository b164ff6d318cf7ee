"""Acts and offers as the database in memory shows them to readers.

Neighbours may rely on this: it passes the tests that SQLite and PostgreSQL pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

from app.usecases.act_rows import KeyedAnswer, StoredAct
from app.usecases.offers import StoredOffer

if TYPE_CHECKING:
    from app.adapters.memory import MemoryDecisionLog, _Tables


class MemoryActs:
    """Reads the acts that the book in memory holds."""

    def __init__(self, tables: _Tables) -> None:
        self._tables = tables

    async def find(self, record_id: str, lenders: Sequence[str]) -> StoredAct | None:
        """This function will return the act when it belongs to one of the lenders, else None."""
        found = [a for a in self._tables.stored_acts() if a.record_id == record_id and a.lender in lenders]
        return found[0] if found else None

    async def about(self, subjects: Sequence[str], lenders: Sequence[str]) -> Sequence[StoredAct]:
        """This function will return the acts on these subjects, each subject's in the order of the log."""
        found = [a for a in self._tables.stored_acts() if a.subject in subjects and a.lender in lenders]
        return tuple(sorted(found, key=lambda act: (act.subject, act.lender, act.index)))

    async def search(
        self, formats: Sequence[str], lenders: Sequence[str], *, limit: int, after: tuple[datetime, str] | None
    ) -> Sequence[StoredAct]:
        """This function will return up to `limit` acts of these formats, newest first, strictly after the position."""
        found = [
            act
            for act in self._tables.stored_acts()
            if act.format in formats
            and act.lender in lenders
            and (after is None or (act.recorded_at, act.record_id) < after)
        ]
        return tuple(sorted(found, key=lambda act: (act.recorded_at, act.record_id), reverse=True)[:limit])

    async def answered(self, lender: str, act_format: str, idempotency_key: str) -> KeyedAnswer | None:
        """This function will return what the key is bound to, if it is."""
        return self._tables.answered_act((lender, act_format, idempotency_key))


class MemoryOffers:
    """Reads the offers that the book in memory holds."""

    def __init__(self, decisions: MemoryDecisionLog, tables: _Tables) -> None:
        self._decisions = decisions
        self._tables = tables

    async def find(self, offer_id: str, lenders: Sequence[str]) -> StoredOffer | None:
        """This function will return the offer when its decision is within the scope, else None."""
        row = self._tables.offers.get(offer_id)
        decision = None if row is None else await self._decisions.find(row.decision_id, lenders)
        superseded_by = self._tables.superseded.get(offer_id)
        return None if decision is None else StoredOffer(offer_id, row.lender, decision, superseded_by)

    async def ended(self, before: date, *, limit: int) -> Sequence[tuple[str, str]]:
        """This function will return (offer_id, lender) of what time has ended and no act says so."""
        t = self._tables
        told = {act.subject for act in t.stored_acts() if act.state not in ("PRE_APPROVED", "CREDIT_APPROVED")}
        found = [
            (offer_id, o.lender)
            for offer_id, o in sorted(t.offers.items())
            if offer_id not in t.superseded and offer_id not in told
            and t.lines.get(offer_id, o.commitment).counts_on(before) is None
        ]  # fmt: skip
        return tuple(found[:limit])
