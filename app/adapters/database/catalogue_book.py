"""Which catalogue decides from when on.

Neighbours may rely on this: activations are numbered, the newest counts, and none is ever changed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from app.adapters.clock import utc_now
from app.adapters.database.store import Store
from app.adapters.database.tables import CATALOGUE_ACTIVATION as ACTIVATION
from app.usecases.ports import Activation

_NEWEST = select(ACTIVATION).order_by(ACTIVATION.c.number.desc()).limit(1)


class CatalogueBook:
    """The activations of one installation."""

    def __init__(self, store: Store, clock: Callable[[], datetime] = utc_now) -> None:
        self._store = store
        self._clock = clock

    async def activate(self, digest: str, activated_by: str) -> Activation:
        """This function will record the activation; activating what is active already returns the standing one."""

        def activated(connection: Connection) -> Activation:
            newest = connection.execute(_NEWEST).first()
            if newest is not None and newest.digest == digest:
                return Activation(newest.digest, newest.activated_at, newest.activated_by)
            made = Activation(digest, self._clock(), activated_by)
            connection.execute(
                insert(ACTIVATION).values(
                    number=1 if newest is None else newest.number + 1,
                    digest=made.digest, activated_at=made.activated_at, activated_by=made.activated_by,
                )
            )  # fmt: skip
            return made

        while True:
            # Two replicas may activate at the same moment; the second sees the first one's number when it tries again.
            try:
                return await self._store.write(activated)
            except IntegrityError:
                continue

    async def active(self) -> Activation | None:
        """This function will return the newest activation."""

        def newest(connection: Connection) -> Activation | None:
            row = connection.execute(_NEWEST).first()
            return None if row is None else Activation(row.digest, row.activated_at, row.activated_by)

        return await self._store.read(newest)
