"""止损: a pool that reaches its stop line is told of to all who hold a cover from it.

Neighbours may rely on this: the event is owed in the transaction of the record that stopped the pool, under an id made
from that record's, and only where the pool had not stopped before.
"""

from __future__ import annotations

from datetime import date, datetime

from app.audit.operator_record import OPERATOR
from app.ledger.pool import LineState
from app.usecases.act_rows import Written
from app.usecases.catalogue import ActiveCatalogue
from app.usecases.pool_book import PoolChange, PoolsInBatch
from app.usecases.webhook_events import EventType, owed


def book_and_tell(
    pools: PoolsInBatch, change: PoolChange, catalogue: ActiveCatalogue, on: date, at: datetime
) -> tuple[Written, ...]:
    """This function will carry a record's entries out, and return what is owed where they stop the pool."""
    terms = catalogue.pool(change.pool, on=on)
    before = None if terms is None else pools.state(terms)
    pools.book(change, at)
    if terms is None or before is LineState.STOPPED or pools.state(terms) is not LineState.STOPPED:
        return ()
    holders = [holder for holder in pools.holders(change.pool) if holder != OPERATOR]
    data = {"pool": change.pool, "record_id": change.record_id, "href": f"/v1/pools/{change.pool}"}
    kind, event_id = EventType.POOL_STOPPED, f"stp_{change.record_id}"
    return (owed(kind, event_id=event_id, audience=holders, subject=change.pool, at=at, data=data),)
