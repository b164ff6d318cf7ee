"""The groups as readers see them, on both databases."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from app.adapters.database.store import Store
from app.adapters.database.tables import GROUP_MEMBER


class Groups:
    """Reads who belongs to which group."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def members(self, lender: str, group_id: str) -> Sequence[str]:
        """This function will return the codes of a group's members as that lender knows it, in order."""
        table = GROUP_MEMBER.c
        query = select(table.uscc).where(table.lender == lender, table.group_id == group_id, table.is_member)
        return await self._store.read(
            lambda connection: tuple(connection.execute(query.order_by(table.uscc)).scalars()), lenders=(lender,)
        )
