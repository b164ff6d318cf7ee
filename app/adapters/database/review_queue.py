"""The referrals that wait for a person, on both databases.

Neighbours may rely on this: nobody has asked for what a campaign referred, so nobody waits for it here; what is
open is worked out from the decisions and the reviews at the moment of asking, so there is no list that could be wrong;
nothing here takes a lock that a writer would wait for.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Select, and_, exists, func, or_, select

from app.adapters.database.column_types import from_codes
from app.adapters.database.store import Store
from app.adapters.database.tables import ACT, DECISION, seen
from app.domain.access import lenders_within, within
from app.domain.decision import Outcome
from app.domain.review import ReviewOutcome
from app.usecases.campaigns import KEY_BEGINS
from app.usecases.review import OpenReferral, QueueFilter, Review

OF_CAMPAIGN = DECISION.c.idempotency_key.like(f"{KEY_BEGINS}%")
"""No caller's key has a space in it."""
_FINAL = tuple(outcome.value for outcome in ReviewOutcome if outcome.is_final)
_NEWER = DECISION.alias("newer")
_REVIEWED = and_(
    ACT.c.subject == DECISION.c.decision_id, ACT.c.lender == DECISION.c.lender, ACT.c.format == Review.format
)
_IS_CLOSED = or_(
    exists().where(_REVIEWED, ACT.c.state.in_(_FINAL)),
    exists().where(
        _NEWER.c.application_id == DECISION.c.application_id,
        _NEWER.c.lender == DECISION.c.lender,
        _NEWER.c.revision > DECISION.c.revision,
    ),
)
_ASKED_AGAIN = select(func.max(ACT.c.recorded_at)).where(_REVIEWED).scalar_subquery()
_OPEN = select(
    DECISION.c.decision_id, DECISION.c.lender, DECISION.c.recorded_at, DECISION.c.application_id, DECISION.c.product,
    DECISION.c.branch, DECISION.c.zone, DECISION.c.uscc, DECISION.c.reasons, DECISION.c.requested_amount,
    _ASKED_AGAIN.label("asked_again_at"),
).where(DECISION.c.outcome == Outcome.REFERRED.value, ~OF_CAMPAIGN, ~_IS_CLOSED)  # fmt: skip


class ReviewQueue:
    """Finds open referrals."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def open_referrals(
        self, asked: QueueFilter, *, limit: int, after: tuple[datetime, str] | None
    ) -> Sequence[OpenReferral]:
        """This function will return up to `limit` open referrals, oldest first, strictly after the position."""

        def found(connection: Connection) -> Sequence[OpenReferral]:
            # Each lender's oldest come straight from its index; together they are merged, never sorted.
            each = [
                [_to_referral(*row) for row in connection.execute(_asked(asked, lender, after).limit(limit))]
                for lender in lenders_within(asked.scope)
            ]
            return tuple(islice(heapq.merge(*each, key=_position), limit))

        return await self._store.read(found, lenders=lenders_within(asked.scope))


def _asked(asked: QueueFilter, lender: str, after: tuple[datetime, str] | None) -> Select[Any]:
    query = _OPEN.where(DECISION.c.lender == lender, seen(within(asked.scope, lender), DECISION))
    for name in ("product", "branch", "zone"):
        value = getattr(asked, name)
        if value is not None:
            query = query.where(DECISION.c[name] == value)
    if asked.recorded_until is not None:
        query = query.where(DECISION.c.recorded_at < asked.recorded_until)
    if asked.resubmitted is not None:
        query = query.where(exists().where(_REVIEWED) if asked.resubmitted else ~exists().where(_REVIEWED))
    if after is not None:
        # The first condition follows from the second, and is there for the index.
        at, decision_id = after
        later = or_(DECISION.c.recorded_at > at, DECISION.c.decision_id > decision_id)
        query = query.where(DECISION.c.recorded_at >= at, later)
    return query.order_by(DECISION.c.recorded_at, DECISION.c.decision_id)


def _to_referral(
    decision_id: str, lender: str, recorded_at: datetime, application_id: str, product: str, branch: str | None,
    zone: str, uscc: str, reasons: str, requested_amount: int, asked_again_at: datetime | None,
) -> OpenReferral:  # fmt: skip
    return OpenReferral(
        decision_id, lender, recorded_at, application_id, product, branch, zone, uscc, from_codes(reasons),
        requested_amount, asked_again_at,
    )  # fmt: skip


def _position(found: OpenReferral) -> tuple[datetime, str]:
    return found.recorded_at, found.decision_id
