"""Webhook endpoints and their deliveries, as those who manage them see and change them.

Neighbours may rely on this: every change of an endpoint and its record in the operator's log are one transaction; what
delivers (webhook_queue) moves other columns, so that neither undoes what the other did.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from app.adapters.clock import utc_now
from app.adapters.database.column_types import from_codes, to_codes
from app.adapters.database.operator_log import record, written
from app.adapters.database.store import Store
from app.adapters.database.tables import LOG_HEAD
from app.adapters.database.webhook_tables import WEBHOOK_ATTEMPT, WEBHOOK_DELIVERY, WEBHOOK_ENDPOINT
from app.usecases.operator_log import Recording
from app.usecases.webhooks import (
    MOST_ENDPOINTS,
    Attempt,
    Change,
    Delivery,
    DeliveryState,
    Endpoint,
    Outcome,
    TooManyEndpoints,
    UrlTaken,
)

_E, _D, _A = WEBHOOK_ENDPOINT.c, WEBHOOK_DELIVERY.c, WEBHOOK_ATTEMPT.c
ENDPOINT_COLUMNS = tuple(_E[name] for name in Endpoint.__dataclass_fields__)
DELIVERY_COLUMNS = tuple(_D[name] for name in Delivery.__dataclass_fields__)
# What people change; position and numbers are moved by whoever delivers.
_CHANGED = (
    "url", "description", "events", "enabled", "why_disabled", "version", "secrets", "secret_overlaps_until",
    "changed_at",
)  # fmt: skip


class Webhooks:
    """The endpoints of one installation."""

    def __init__(self, store: Store, clock: Callable[[], datetime] = utc_now) -> None:
        self._store = store
        self._clock = clock

    async def add(self, endpoint: Endpoint, recording: Recording) -> Endpoint:
        """This function will keep a new endpoint, owed what happens from now on. Raises UrlTaken, TooManyEndpoints."""

        def added(connection: Connection) -> Endpoint:
            record(connection, recording, self._clock)
            # Behind the lock on the operator's log, so that nobody adds another meanwhile.
            its = select(func.count()).select_from(WEBHOOK_ENDPOINT).where(_E.lender == endpoint.lender)
            if connection.execute(its).scalar_one() >= MOST_ENDPOINTS:
                raise TooManyEndpoints
            size = select(LOG_HEAD.c.size).where(LOG_HEAD.c.lender == endpoint.lender)
            columns = _columns(endpoint) | {"position": connection.execute(size).scalar() or 0}
            connection.execute(insert(WEBHOOK_ENDPOINT).values(columns))
            return found_endpoint(connection, endpoint.endpoint_id, (endpoint.lender,))

        return await self._taking_turns(added, (endpoint.lender,))

    async def change(
        self, endpoint_id: str, scope: Sequence[str], change: Change, recording: Recording
    ) -> Endpoint | None:
        """This function will write what `change` makes of the endpoint. Raises UrlTaken, and what `change` raises."""

        def changed(connection: Connection) -> Endpoint | None:
            found = found_endpoint(connection, endpoint_id, scope)
            if found is None:
                return None
            record(connection, recording, self._clock)
            found = found_endpoint(connection, endpoint_id, scope, locked=True)
            made = change(found)
            values = {name: value for name, value in _columns(made).items() if name in _CHANGED}
            connection.execute(update(WEBHOOK_ENDPOINT).where(_E.endpoint_id == endpoint_id).values(values))
            if made.enabled and not found.enabled:
                # Nobody tried meanwhile, so the time of trying begins anew.
                begins = {"owed_since": made.changed_at, "next_at": made.changed_at}
                connection.execute(update(WEBHOOK_DELIVERY).where(_pending(endpoint_id)).values(begins))
            return made

        return await self._taking_turns(changed, scope)

    async def remove(self, endpoint_id: str, scope: Sequence[str], recording: Recording) -> Endpoint | None:
        """This function will remove the endpoint with all that it is owed."""

        def removed(connection: Connection) -> Endpoint | None:
            found = found_endpoint(connection, endpoint_id, scope)
            if found is not None:
                record(connection, recording, self._clock)
                for table in (WEBHOOK_ATTEMPT, WEBHOOK_DELIVERY, WEBHOOK_ENDPOINT):
                    connection.execute(delete(table).where(table.c.endpoint_id == endpoint_id))
            return found

        return await self._taking_turns(removed, scope)

    async def find(self, endpoint_id: str, scope: Sequence[str]) -> Endpoint | None:
        """This function will return the endpoint within the scope."""
        return await self._store.read(
            lambda connection: found_endpoint(connection, endpoint_id, scope), lenders=scope
        )

    async def listed(
        self, scope: Sequence[str], *, limit: int, after: tuple[datetime, str] | None = None
    ) -> Sequence[Endpoint]:
        """This function will return up to `limit` endpoints of these lenders, the oldest first."""
        query = select(*ENDPOINT_COLUMNS).where(_E.lender.in_(_whole(scope))).order_by(_E.created_at, _E.endpoint_id)
        query = query.limit(limit)
        if after is not None:
            at, endpoint_id = after
            query = query.where(or_(_E.created_at > at, and_(_E.created_at == at, _E.endpoint_id > endpoint_id)))
        return await self._store.read(
            lambda connection: tuple(map(to_endpoint, connection.execute(query))), lenders=scope
        )

    async def owe(self, endpoint: Endpoint, event_id: str, kind: str, subject: str, body: bytes, at: datetime) -> None:
        """This function will owe one event to this endpoint alone."""

        def owed(connection: Connection) -> None:
            owe_rows(connection, endpoint.endpoint_id, [(event_id, kind, subject, body)], at)

        await self._store.write(owed, lenders=(endpoint.lender,))

    async def deliveries(
        self, endpoint_id: str, scope: Sequence[str], *, state: str | None, limit: int, before: int | None
    ) -> Sequence[Delivery]:
        """This function will return up to `limit` deliveries, newest first, of numbers below `before`."""
        query = select(*DELIVERY_COLUMNS).where(_D.endpoint_id == endpoint_id, _D.lender.in_(_whole(scope)))
        if state is not None:
            query = query.where(_D.state == state)
        if before is not None:
            query = query.where(_D.number < before)
        query = query.order_by(_D.number.desc()).limit(limit)
        return await self._store.read(
            lambda connection: tuple(map(to_delivery, connection.execute(query))), lenders=scope
        )

    async def delivery(
        self, endpoint_id: str, event_id: str, scope: Sequence[str]
    ) -> tuple[Delivery, Sequence[Attempt]] | None:
        """This function will return one delivery and its attempts, the first first."""
        one = select(*DELIVERY_COLUMNS).where(
            _D.endpoint_id == endpoint_id, _D.event_id == event_id, _D.lender.in_(_whole(scope))
        )
        tries = (
            select(_A.attempt, _A.at, _A.outcome, _A.status, _A.took_ms)
            .where(_A.endpoint_id == endpoint_id, _A.event_id == event_id)
            .order_by(_A.attempt)
        )

        def found(connection: Connection) -> tuple[Delivery, Sequence[Attempt]] | None:
            row = connection.execute(one).first()
            if row is None:
                return None
            made = [Attempt(n, at, Outcome(outcome), status, ms) for n, at, outcome, status, ms in
                    connection.execute(tries)]  # fmt: skip
            return to_delivery(row), tuple(made)

        return await self._store.read_snapshot(found, lenders=scope)

    async def replay(self, endpoint_id: str, scope: Sequence[str], event_id: str | None, at: datetime) -> int:
        """This function will owe the event again, or without `event_id` every dead letter, and return how many."""
        query = update(WEBHOOK_DELIVERY).where(_D.endpoint_id == endpoint_id, _D.lender.in_(_whole(scope)))
        if event_id is not None:
            query = query.where(_D.event_id == event_id)
        else:
            query = query.where(_D.state == DeliveryState.DEAD.value)
        values = {"state": DeliveryState.PENDING.value, "owed_since": at, "next_at": at, "ended_at": None}
        return await self._store.write(
            lambda connection: connection.execute(query.values(values)).rowcount, lenders=scope
        )

    async def owed(self, scope: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        """This function will count deliveries by endpoint and state."""
        query = (
            select(_D.endpoint_id, _D.state, func.count())
            .where(_D.lender.in_(_whole(scope)))
            .group_by(_D.endpoint_id, _D.state)
        )

        def counted(connection: Connection) -> Mapping[str, Mapping[str, int]]:
            found: dict[str, dict[str, int]] = {}
            for endpoint_id, state, count in connection.execute(query):
                found.setdefault(endpoint_id, {})[state] = count
            return found

        return await self._store.read(counted, lenders=scope)

    async def _taking_turns(self, change: Callable[[Connection], Any], scope: Sequence[str]) -> Any:
        try:
            return await written(self._store, change, scope)
        except IntegrityError as error:
            if "webhook_endpoint" in str(error.orig):
                raise UrlTaken("/url") from None
            raise


def found_endpoint(
    connection: Connection, endpoint_id: str, scope: Sequence[str], *, locked: bool = False
) -> Endpoint | None:
    """This function will return the endpoint within the scope; `locked`, held against others until the commit."""
    query = select(*ENDPOINT_COLUMNS).where(_E.endpoint_id == endpoint_id, _E.lender.in_(_whole(scope)))
    row = connection.execute(query.with_for_update() if locked else query).first()
    return None if row is None else to_endpoint(row)


def owe_rows(
    connection: Connection, endpoint_id: str, events: Sequence[tuple[str, str, str, bytes]], at: datetime
) -> int:
    """This function will owe events (id, type, subject, body) to an endpoint, each once however often it is asked to,
    and return how many are new.
    """
    lock = select(_E.lender, _E.numbered).where(_E.endpoint_id == endpoint_id).with_for_update()
    row = connection.execute(lock).first()
    if row is None:
        return 0
    lender, number = row
    named = [event[0] for event in events]
    there = select(_D.event_id).where(_D.endpoint_id == endpoint_id, _D.event_id.in_(named))
    known = set(connection.execute(there).scalars())
    rows = []
    for event_id, kind, subject, body in events:
        if event_id not in known:
            known.add(event_id)
            rows.append({
                "endpoint_id": endpoint_id, "event_id": event_id, "lender": lender, "number": number,
                "type": kind, "subject": subject, "body": body, "state": DeliveryState.PENDING.value, "attempts": 0,
                "owed_since": at, "next_at": at,
            })  # fmt: skip
            number += 1
    if rows:
        connection.execute(insert(WEBHOOK_DELIVERY), rows)
        connection.execute(_NUMBERED, {"of": endpoint_id, "to": number})
    return len(rows)


def to_endpoint(row: Row[Any]) -> Endpoint:
    """This function will return the endpoint of a row of ENDPOINT_COLUMNS."""
    found = row._mapping
    return Endpoint(**(dict(found) | {"events": from_codes(found["events"]), "secrets": bytes(found["secrets"])}))


def to_delivery(row: Row[Any]) -> Delivery:
    """This function will return the delivery of a row of DELIVERY_COLUMNS."""
    found = row._mapping
    return Delivery(**(dict(found) | {"state": DeliveryState(found["state"]), "body": bytes(found["body"])}))


def _columns(endpoint: Endpoint) -> dict[str, Any]:
    return asdict(endpoint) | {"events": to_codes(endpoint.events)}


def _whole(scope: Sequence[str]) -> list[str]:
    """An endpoint is told of all of its lender: whoever sees a branch alone sees no endpoint."""
    return [entry for entry in scope if "/" not in entry]


def _pending(endpoint_id: str) -> Any:
    return and_(_D.endpoint_id == endpoint_id, _D.state == DeliveryState.PENDING.value)


_NUMBERED = (
    update(WEBHOOK_ENDPOINT).where(_E.endpoint_id == bindparam("of")).values(numbered=bindparam("to"))
)
