"""Who previewed what.

Neighbours may rely on this: previews are durable, and apart from decisions: nothing here touches a log or a promise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, insert, select

from app.adapters.database.store import Store
from app.adapters.database.tables import PREVIEW, seen
from app.usecases.ports import PreviewRow


class PreviewLog:
    """Keeps and finds previews."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def keep(self, rows: Sequence[PreviewRow]) -> None:
        """This function will keep the rows durably."""
        if rows:
            columns = [asdict(row) for row in rows]
            lenders = tuple({row.lender for row in rows})
            await self._store.write(
                lambda connection: connection.execute(insert(PREVIEW), columns), lenders=lenders
            )

    async def search(
        self, lenders: Sequence[str], *, uscc: str | None, previewed_by: str | None, limit: int
    ) -> Sequence[PreviewRow]:
        """This function will return the newest rows within the scope first."""
        query = select(PREVIEW).where(seen(lenders, PREVIEW))
        if uscc is not None:
            query = query.where(PREVIEW.c.uscc == uscc)
        if previewed_by is not None:
            query = query.where(PREVIEW.c.previewed_by == previewed_by)
        query = query.order_by(PREVIEW.c.previewed_at.desc(), PREVIEW.c.preview_id.desc()).limit(limit)
        return await self._store.read(
            lambda connection: tuple(map(_to_preview, connection.execute(query))), lenders=lenders
        )


def _to_preview(row: Row[Any]) -> PreviewRow:
    return PreviewRow(**row._mapping)
