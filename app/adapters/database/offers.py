"""The offers as readers see them, on both databases.

Neighbours may rely on this: nothing here takes a lock that a writer would wait for; an offer is seen by whoever sees
the decision that made it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy import Connection, exists, func, select

from app.adapters.database.decision_log import STORED, seen, to_stored
from app.adapters.database.plain_book import COUNTS_UNTIL
from app.adapters.database.store import EVERY_LENDER, Store
from app.adapters.database.tables import ACT, CREDIT_LINE, DECISION, OFFER
from app.usecases.offers import EVENT_FORMAT, StoredOffer


class Offers:
    """Reads the offers that the book has written."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def find(self, offer_id: str, lenders: Sequence[str]) -> StoredOffer | None:
        """This function will return the offer when its decision is within the scope, else None."""
        query = (
            STORED.add_columns(OFFER.c.superseded_by)
            .join(OFFER, OFFER.c.decision_id == DECISION.c.decision_id)
            .where(OFFER.c.offer_id == offer_id, seen(lenders, DECISION))
        )

        def found(connection: Connection) -> StoredOffer | None:
            row = connection.execute(query).first()
            return None if row is None else StoredOffer(offer_id, row[1], to_stored(*row[:-1]), row[-1])

        return await self._store.read(found, lenders=lenders)

    async def ended(self, before: date, *, limit: int) -> Sequence[tuple[str, str]]:
        """This function will return (offer_id, lender) of up to `limit` offers and undrawn lines of every lender whose
        last day lies before that day, and of which no act says that time has ended them.
        """
        told = (ACT.c.subject == OFFER.c.offer_id, ACT.c.lender == OFFER.c.lender, ACT.c.format == EVENT_FORMAT)
        noted = exists().where(*told, ACT.c.state.not_in(("PRE_APPROVED", "CREDIT_APPROVED")))
        query = (
            select(OFFER.c.offer_id, OFFER.c.lender)
            .select_from(OFFER.outerjoin(CREDIT_LINE, CREDIT_LINE.c.offer_id == OFFER.c.offer_id))
            .where(
                OFFER.c.superseded_by.is_(None), COUNTS_UNTIL < before.isoformat(),
                func.coalesce(CREDIT_LINE.c.outstanding, 0) == 0, ~noted,
            )
            .order_by(OFFER.c.offer_id)
            .limit(limit)
        )  # fmt: skip

        def found(connection: Connection) -> Sequence[tuple[str, str]]:
            return tuple((row[0], row[1]) for row in connection.execute(query))

        return await self._store.read(found, lenders=EVERY_LENDER)

