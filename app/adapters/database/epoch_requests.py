"""Requests for a new epoch of a log, on both databases.

Neighbours may rely on this: a request is opened once, in the transaction of its record.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from app.adapters.clock import utc_now
from app.adapters.database.operator_log import operator_head, record, written
from app.adapters.database.store import NO_LENDER, Store
from app.adapters.database.tables import LOG_EPOCH_REQUEST as REQUEST
from app.usecases.epochs import EpochRequest
from app.usecases.operator_log import Recording


class EpochRequests:
    """The requests of one installation."""

    def __init__(self, store: Store, clock: Callable[[], datetime] = utc_now) -> None:
        self._store = store
        self._clock = clock

    async def ask(self, request: EpochRequest) -> None:
        """This function will keep the request."""
        columns = {
            "request_id": request.request_id, "logs": request.logs, "reason": request.reason,
            "requested_by": request.requested_by, "requested_at": request.requested_at,
        }  # fmt: skip
        await self._store.write(lambda connection: connection.execute(insert(REQUEST), columns), lenders=NO_LENDER)

    async def find(self, request_id: str) -> EpochRequest | None:
        """This function will return the request, None where there is none."""
        query = select(REQUEST).where(REQUEST.c.request_id == request_id)
        row = await self._store.read(lambda connection: connection.execute(query).first(), lenders=NO_LENDER)
        return None if row is None else EpochRequest(**row._mapping)

    async def open(self, request_id: str, by: str, recording: Recording) -> bool:
        """This function will close the request and write its record, in one transaction; False where it is closed."""

        def opened(connection: Connection) -> bool:
            operator_head(connection)
            statement = update(REQUEST).where(REQUEST.c.request_id == request_id, REQUEST.c.opened_by.is_(None))
            if connection.execute(statement.values(opened_by=by)).rowcount != 1:
                return False
            record(connection, recording, self._clock)
            return True

        return await written(self._store, opened)
