"""The queue of referrals of the database that lives in memory.

Neighbours may rely on this: it passes the very tests that the others pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from app.domain.access import sees
from app.domain.decision import Outcome
from app.domain.review import ReviewOutcome
from app.usecases.act_rows import StoredAct
from app.usecases.ports import DecisionRow
from app.usecases.review import OpenReferral, QueueFilter, Review


class MemoryReviewQueue:
    """Finds open referrals in what the book in memory holds."""

    def __init__(
        self, every: Callable[[], Iterable[tuple[DecisionRow, bytes]]], acts: Callable[[], Iterable[StoredAct]]
    ) -> None:
        self._every = every
        self._acts = acts

    async def open_referrals(
        self, asked: QueueFilter, *, limit: int, after: tuple[datetime, str] | None
    ) -> Sequence[OpenReferral]:
        """This function will return up to `limit` open referrals, oldest first, strictly after the position."""
        rows = [row for row, _ in self._every()]
        newest = {(row.lender, row.application_id): 0 for row in rows}
        for row in rows:
            key = row.lender, row.application_id
            newest[key] = max(newest[key], row.revision)
        found = []
        for row in rows:
            reviews = [
                act for act in self._acts()
                if (act.subject, act.lender, act.format) == (row.decision_id, row.lender, Review.format)
            ]  # fmt: skip
            is_open = (
                row.outcome == Outcome.REFERRED
                and newest[row.lender, row.application_id] == row.revision
                and not any(ReviewOutcome(act.state).is_final for act in reviews)
            )
            if is_open and _matches(row, asked, bool(reviews)) and (after is None or _position(row) > after):
                found.append((row, max((act.recorded_at for act in reviews), default=None)))
        return tuple(_referral(*one) for one in sorted(found, key=lambda one: _position(one[0]))[:limit])


def _position(row: DecisionRow) -> tuple[datetime, str]:
    return row.recorded_at, row.decision_id


def _matches(row: DecisionRow, asked: QueueFilter, resubmitted: bool) -> bool:
    return (
        sees(asked.scope, row.lender, row.branch)
        and all(getattr(asked, name) in (None, getattr(row, name)) for name in ("product", "branch", "zone"))
        and (asked.recorded_until is None or row.recorded_at < asked.recorded_until)
        and asked.resubmitted in (None, resubmitted)
    )


def _referral(row: DecisionRow, asked_again_at: datetime | None) -> OpenReferral:
    return OpenReferral(
        row.decision_id, row.lender, row.recorded_at, row.application_id, row.product, row.branch, row.zone, row.uscc,
        row.reasons, row.requested_amount, asked_again_at,
    )  # fmt: skip
