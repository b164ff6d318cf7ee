"""Which catalogue decides from when on.

Neighbours may rely on this: activations are numbered, the newest counts, and none is ever changed; each is a record of
the operator's log, written in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, insert, select

from app.adapters.clock import utc_now
from app.adapters.database.operator_log import operator_head, record, written
from app.adapters.database.store import NO_LENDER, Store
from app.adapters.database.tables import CATALOGUE_ACTIVATION as ACTIVATION
from app.usecases.operator_log import Recording
from app.usecases.ports import Activation

_NEWEST = select(ACTIVATION).order_by(ACTIVATION.c.number.desc()).limit(1)


class CatalogueBook:
    """The activations of one installation."""

    def __init__(self, store: Store, clock: Callable[[], datetime] = utc_now) -> None:
        self._store = store
        self._clock = clock

    async def activate(self, digest: str, activated_by: str, recording: Recording) -> Activation:
        """This function will write the activation and its record; what is active already stays, and records nothing."""

        def activated(connection: Connection) -> Activation:
            # Of two replicas that activate at the same moment, the second sees what the first one did.
            operator_head(connection)
            newest = connection.execute(_NEWEST).first()
            if newest is not None and newest.digest == digest:
                return Activation(newest.digest, newest.activated_at, newest.activated_by)
            record(connection, recording, self._clock)
            made = Activation(digest, self._clock(), activated_by)
            connection.execute(
                insert(ACTIVATION).values(
                    number=1 if newest is None else newest.number + 1,
                    digest=made.digest, activated_at=made.activated_at, activated_by=made.activated_by,
                )
            )  # fmt: skip
            return made

        return await written(self._store, activated)

    async def active(self) -> Activation | None:
        """This function will return the newest activation."""

        def newest(connection: Connection) -> Activation | None:
            row = connection.execute(_NEWEST).first()
            return None if row is None else Activation(row.digest, row.activated_at, row.activated_by)

        return await self._store.read(newest, lenders=NO_LENDER)
