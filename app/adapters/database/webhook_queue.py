"""What is owed to webhook endpoints, as whoever delivers it sees it: a cursor over each lender's log, and what waits.

Neighbours may rely on this: an endpoint's position and the deliveries of the places behind it move in one transaction,
so that whatever is committed to the log is owed exactly once, whoever is killed when; one holder at a time has an
endpoint's lease, by the database's own clock; of several events of one subject the first that is still owed comes
alone. No statement here touches a row that a decision writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from sqlalchemy import Connection, and_, delete, exists, func, insert, or_, select, text, update

from app.adapters.clock import utc_now
from app.adapters.database.column_types import from_codes, to_instant
from app.adapters.database.store import EVERY_LENDER, NO_LENDER, Store
from app.adapters.database.tables import LOG_ENTRY, LOG_HEAD, OFFER
from app.adapters.database.webhook_tables import (
    WEBHOOK_ATTEMPT,
    WEBHOOK_DELIVERY,
    WEBHOOK_ENDPOINT,
    WEBHOOK_EVENT,
)
from app.adapters.database.webhooks import DELIVERY_COLUMNS, ENDPOINT_COLUMNS, owe_rows, to_delivery, to_endpoint
from app.usecases.webhook_events import Event, EventType, LoggedRecord, body_of, events_in
from app.usecases.webhooks import KEPT, Attempt, Backlog, Delivery, DeliveryState, Endpoint, tried_since

_E, _D, _O = WEBHOOK_ENDPOINT.c, WEBHOOK_DELIVERY.c, WEBHOOK_EVENT.c
_PENDING: Final = DeliveryState.PENDING.value
_PLACES_AT_ONCE: Final = 200
_MOST_WAITING: Final = 5_000
"""No more of the log is owed while so much waits: an endpoint that is down for days costs rows for this many."""
_PRUNED_AT_ONCE: Final = 1_000
Settled = tuple[Delivery, Attempt, DeliveryState, datetime]


class WebhookQueue:
    """What is owed, on one database."""

    def __init__(self, store: Store, clock: Callable[[], datetime] = utc_now) -> None:
        self._store = store
        self._clock = clock

    async def working(self, holder: str) -> Sequence[str]:
        """This function will name the endpoints for which this holder could do something now. It only reads."""

        def found(connection: Connection) -> Sequence[str]:
            now = self._now(connection)
            behind = exists().where(LOG_HEAD.c.lender == _E.lender, LOG_HEAD.c.size > _E.position)
            waiting = exists().where(_D.endpoint_id == _E.endpoint_id, _D.state == _PENDING, _D.next_at <= now)
            query = select(_E.endpoint_id).where(_E.enabled.is_(True), _free(holder, now), or_(behind, waiting))
            return tuple(connection.execute(query.order_by(_E.endpoint_id)).scalars())

        return await self._store.read(found, lenders=EVERY_LENDER)

    async def spread(self, log_name: str) -> int:
        """This function will owe what stands in no log to the endpoints of those it is for, and return how many events
        that were.
        """
        if not await self._store.read(_some_event, lenders=NO_LENDER):
            return 0
        return await self._store.write(lambda connection: self._spread(connection, log_name), lenders=EVERY_LENDER)

    def _spread(self, connection: Connection, log_name: str) -> int:
        now = self._now(connection)
        query = select(WEBHOOK_EVENT).order_by(_O.at, _O.event_id).limit(_PLACES_AT_ONCE).with_for_update()
        rows = connection.execute(query).all()
        for row in rows:
            told = select(*ENDPOINT_COLUMNS).where(_E.lender.in_(from_codes(row.audience)))
            for endpoint in map(to_endpoint, connection.execute(told.order_by(_E.endpoint_id)).all()):
                if endpoint.takes(row.type):
                    data = orjson.loads(row.data)
                    event = Event(row.event_id, EventType(row.type), endpoint.lender, row.subject, row.at, data)
                    owed = (event.event_id, event.type.value, event.subject, body_of(event, log_name))
                    owe_rows(connection, endpoint.endpoint_id, [owed], now)
            connection.execute(delete(WEBHOOK_EVENT).where(_O.event_id == row.event_id))
        return len(rows)

    async def take(self, endpoint_id: str, holder: str, lease: timedelta) -> Endpoint | None:
        """This function will take, or go on with, the endpoint's lease; None where another holder has it, or it is
        disabled or gone.
        """

        def taken(connection: Connection) -> Endpoint | None:
            now = self._now(connection)
            here = and_(_E.endpoint_id == endpoint_id, _E.enabled.is_(True), _free(holder, now))
            values = {"leased_by": holder, "leased_until": now + lease}
            if not connection.execute(update(WEBHOOK_ENDPOINT).where(here).values(values)).rowcount:
                return None
            row = connection.execute(select(*ENDPOINT_COLUMNS).where(_E.endpoint_id == endpoint_id)).one()
            return to_endpoint(row)

        return await self._store.write(taken, lenders=EVERY_LENDER)

    async def release(self, endpoint_id: str, holder: str) -> None:
        """This function will give the lease back."""
        mine = and_(_E.endpoint_id == endpoint_id, _E.leased_by == holder)
        query = update(WEBHOOK_ENDPOINT).where(mine).values(leased_by=None, leased_until=None)
        await self._store.write(lambda connection: connection.execute(query), lenders=EVERY_LENDER)

    async def collect(self, endpoint: Endpoint, log_name: str) -> Endpoint:
        """This function will owe the endpoint the next places of its lender's log, and return it as it stands then; the
        same where there are none, or enough waits already.
        """
        entries = await self._store.read_snapshot(lambda c: _entries(c, endpoint), lenders=(endpoint.lender,))
        if not entries:
            return endpoint
        events = [event for entry in entries for event in events_in(entry) if endpoint.takes(event.type)]
        owed = [(event.event_id, event.type.value, event.subject, body_of(event, log_name)) for event in events]

        def collected(connection: Connection) -> Endpoint:
            # Whoever else moved it meanwhile has owed these places.
            here = and_(_E.endpoint_id == endpoint.endpoint_id, _E.position == endpoint.position)
            moved = update(WEBHOOK_ENDPOINT).where(here).values(position=entries[-1].index + 1)
            if connection.execute(moved).rowcount and owed:
                owe_rows(connection, endpoint.endpoint_id, owed, self._now(connection))
            query = select(*ENDPOINT_COLUMNS).where(_E.endpoint_id == endpoint.endpoint_id)
            row = connection.execute(query).first()
            return endpoint if row is None else to_endpoint(row)

        return await self._store.write(collected, lenders=(endpoint.lender,))

    async def due(self, endpoint: Endpoint, limit: int) -> Sequence[Delivery]:
        """This function will return what is to be sent now, the oldest first: of one subject the first owed alone, and
        while that waits for its next attempt none of what follows it.
        """
        earlier = WEBHOOK_DELIVERY.alias("earlier")
        first = ~exists().where(
            earlier.c.endpoint_id == _D.endpoint_id, earlier.c.state == _PENDING, earlier.c.subject == _D.subject,
            earlier.c.number < _D.number,
        )  # fmt: skip

        def found(connection: Connection) -> Sequence[Delivery]:
            here = (_D.endpoint_id == endpoint.endpoint_id, _D.state == _PENDING, _D.next_at <= self._now(connection))
            query = select(*DELIVERY_COLUMNS).where(*here, first).order_by(_D.number).limit(limit)
            return tuple(map(to_delivery, connection.execute(query)))

        return await self._store.read(found, lenders=(endpoint.lender,))

    async def settle(self, endpoint: Endpoint, holder: str, lease: timedelta, results: Sequence[Settled]) -> bool:
        """This function will keep what came of attempts and go on with the lease; False where it was lost. Of an event
        that somebody settled or asked for anew meanwhile nothing is overwritten.
        """

        def kept(connection: Connection) -> bool:
            for delivery, attempt, state, next_at in results:
                _settle_one(connection, delivery, attempt, state, next_at)
            mine = and_(_E.endpoint_id == endpoint.endpoint_id, _E.leased_by == holder, _E.enabled.is_(True))
            until = {"leased_until": self._now(connection) + lease}
            return bool(connection.execute(update(WEBHOOK_ENDPOINT).where(mine).values(until)).rowcount)

        return await self._store.write(kept, lenders=(endpoint.lender,))

    async def disable(self, endpoint: Endpoint, why: str) -> None:
        """This function will send the endpoint nothing more until people enable it; what is owed stays owed."""
        values = {"enabled": False, "why_disabled": why, "version": _E.version + 1}
        query = update(WEBHOOK_ENDPOINT).where(_E.endpoint_id == endpoint.endpoint_id, _E.enabled.is_(True))
        await self._store.write(
            lambda connection: connection.execute(query.values(values)), lenders=(endpoint.lender,)
        )

    async def reseal(self, endpoint: Endpoint, secrets: bytes) -> None:
        """This function will keep the same secrets under other keys, unless they were changed meanwhile."""
        same = and_(_E.endpoint_id == endpoint.endpoint_id, _E.secrets == endpoint.secrets)
        query = update(WEBHOOK_ENDPOINT).where(same).values(secrets=secrets)
        await self._store.write(lambda connection: connection.execute(query), lenders=(endpoint.lender,))

    async def every_endpoint(self) -> Sequence[Endpoint]:
        """This function will return the endpoints of every lender."""
        query = select(*ENDPOINT_COLUMNS).order_by(_E.endpoint_id)
        return await self._store.read(
            lambda connection: tuple(map(to_endpoint, connection.execute(query))), lenders=EVERY_LENDER
        )

    async def backlog(self) -> Backlog:
        """This function will count what waits, what is dead, and what has not even been owed yet."""

        def counted(connection: Connection) -> Backlog:
            query = select(_D.state, func.count(), func.min(_D.owed_since)).where(
                _D.state != DeliveryState.DELIVERED.value
            )
            found = {state: (count, oldest) for state, count, oldest in connection.execute(query.group_by(_D.state))}
            pending, oldest = found.get(_PENDING, (0, None))
            seconds = 0 if oldest is None else (self._now(connection) - oldest) // timedelta(seconds=1)
            heads = LOG_HEAD.join(WEBHOOK_ENDPOINT, LOG_HEAD.c.lender == _E.lender)
            behind = select(func.sum(LOG_HEAD.c.size - _E.position)).select_from(heads).where(_E.enabled.is_(True))
            dead = found.get(DeliveryState.DEAD.value, (0, None))[0]
            return Backlog(pending, dead, max(0, seconds), int(connection.execute(behind).scalar() or 0))

        return await self._store.read(counted, lenders=EVERY_LENDER)

    async def prune(self) -> int:
        """This function will remove what is over and was kept for its time, with its attempts, and return how many."""

        def pruned(connection: Connection) -> int:
            now, gone = self._now(connection), 0
            for state, kept in KEPT.items():
                query = select(_D.endpoint_id, _D.event_id).where(_D.state == state, _D.ended_at < now - kept)
                for endpoint_id, event_id in connection.execute(query.limit(_PRUNED_AT_ONCE)).all():
                    for table in (WEBHOOK_ATTEMPT, WEBHOOK_DELIVERY):
                        here = and_(table.c.endpoint_id == endpoint_id, table.c.event_id == event_id)
                        connection.execute(delete(table).where(here))
                    gone += 1
            return gone

        return await self._store.write(pruned, lenders=EVERY_LENDER)

    def _now(self, connection: Connection) -> datetime:
        # Leases are told by one clock, whichever replica asks; a simulated clock is one for all.
        if self._clock is not utc_now or connection.dialect.name != "postgresql":
            return self._clock()
        return to_instant(connection.execute(_DATABASE_CLOCK).scalar_one())


_DATABASE_CLOCK = text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")


def _free(holder: str, now: datetime) -> Any:
    return or_(_E.leased_until.is_(None), _E.leased_until <= now, _E.leased_by == holder)


def _some_event(connection: Connection) -> bool:
    return connection.execute(select(_O.event_id).limit(1)).first() is not None


def _entries(connection: Connection, endpoint: Endpoint) -> Sequence[LoggedRecord]:
    waiting = select(func.count()).where(_D.endpoint_id == endpoint.endpoint_id, _D.state == _PENDING)
    if connection.execute(waiting).scalar_one() >= _MOST_WAITING:
        return ()
    c = LOG_ENTRY.c
    query = (
        select(c.index, c.record)
        .where(c.lender == endpoint.lender, c.index >= endpoint.position)
        .order_by(c.index)
        .limit(_PLACES_AT_ONCE)
    )
    rows = [(index, bytes(record or b"")) for index, record in connection.execute(query)]
    superseded = _superseded(connection, endpoint.lender, (record for _, record in rows))
    return tuple(
        LoggedRecord(endpoint.lender, index, record, superseded.get(_decision_in(record), ())) for index, record in rows
    )


def _superseded(
    connection: Connection, lender: str, records: Iterable[bytes]
) -> dict[str, tuple[tuple[str, str], ...]]:
    """Which offers these decisions superseded: the application's own, and one that the request named."""
    applications, replaced, decisions = set(), set(), set()
    for record in records:
        found = orjson.loads(record) if record else {}
        if "decision" not in found:
            continue
        decisions.add(found["decision"]["decision_id"])
        if found["decision"]["supersedes"] is not None:
            applications.add(found["decision"]["application_id"])
        if (offer_id := found["application"]["request"].get("replaces")) is not None:
            replaced.add(offer_id)
    if not applications and not replaced:
        return {}
    o = OFFER.c
    named = or_(o.application_id.in_(applications), o.offer_id.in_(replaced))
    query = select(o.superseded_by, o.offer_id, o.application_id).where(
        named, o.lender == lender, o.superseded_by.in_(decisions)
    )
    by: dict[str, tuple[tuple[str, str], ...]] = {}
    for decision_id, offer_id, application_id in connection.execute(query.order_by(o.offer_id)):
        by[decision_id] = (*by.get(decision_id, ()), (offer_id, application_id))
    return by


def _decision_in(record: bytes) -> str:
    found = orjson.loads(record) if record else {}
    return found["decision"]["decision_id"] if "decision" in found else ""


def _settle_one(
    connection: Connection, delivery: Delivery, attempt: Attempt, state: DeliveryState, next_at: datetime
) -> None:
    here = and_(
        _D.endpoint_id == delivery.endpoint_id, _D.event_id == delivery.event_id,
        _D.attempts == delivery.attempts, _D.state == _PENDING,
    )  # fmt: skip
    values = {
        "attempts": attempt.attempt, "state": state.value, "next_at": next_at, "last_outcome": attempt.outcome.value,
        "last_status": attempt.status, "ended_at": None if state is DeliveryState.PENDING else attempt.at,
        "owed_since": tried_since(delivery, attempt),
    }  # fmt: skip
    if state is not DeliveryState.DELIVERED:
        # Somebody who asked for it anew while it was tried gets his new beginning.
        here = and_(here, _D.owed_since == delivery.owed_since)
    if connection.execute(update(WEBHOOK_DELIVERY).where(here).values(values)).rowcount:
        connection.execute(
            insert(WEBHOOK_ATTEMPT).values(
                endpoint_id=delivery.endpoint_id, event_id=delivery.event_id, lender=delivery.lender,
                attempt=attempt.attempt, at=attempt.at, outcome=attempt.outcome.value, status=attempt.status,
                took_ms=attempt.took_ms,
            )
        )  # fmt: skip
