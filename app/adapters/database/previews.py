"""Who previewed what.

Neighbours may rely on this: previews are durable, and apart from decisions: nothing here touches a log or a promise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, insert, or_, select

from app.adapters.database.store import Store
from app.adapters.database.tables import PREVIEW, seen
from app.usecases.ports import PreviewRow
from app.usecases.repeated_previews import RepeatedPreview, RepeatedPreviews


class PreviewLog:
    """Keeps and finds previews."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def keep(self, rows: Sequence[PreviewRow]) -> None:
        """This function will keep the rows durably."""
        if rows:
            columns = [asdict(row) for row in rows]
            lenders = tuple({row.lender for row in rows})
            await self._store.write(lambda connection: connection.execute(insert(PREVIEW), columns), lenders=lenders)

    async def search(
        self,
        lenders: Sequence[str],
        *,
        uscc: str | None,
        previewed_by: str | None,
        limit: int,
        after: tuple[datetime, str] | None = None,
    ) -> Sequence[PreviewRow]:
        """This function will return the newest rows within the scope first, strictly after the position."""
        query = select(PREVIEW).where(seen(lenders, PREVIEW))
        if uscc is not None:
            query = query.where(PREVIEW.c.uscc == uscc)
        if previewed_by is not None:
            query = query.where(PREVIEW.c.previewed_by == previewed_by)
        if after is not None:
            # The first condition follows from the second, and is there for the index.
            at, preview_id = after
            here = or_(PREVIEW.c.previewed_at < at, PREVIEW.c.preview_id < preview_id)
            query = query.where(PREVIEW.c.previewed_at <= at, here)
        query = query.order_by(PREVIEW.c.previewed_at.desc(), PREVIEW.c.preview_id.desc()).limit(limit)
        return await self._store.read(
            lambda connection: tuple(map(_to_preview, connection.execute(query))), lenders=lenders
        )

    async def repeated(self, asked: RepeatedPreviews, limit: int) -> Sequence[RepeatedPreview]:
        """This function will return companies that were previewed again and again, the newest first."""

        def found(connection: Connection) -> Sequence[RepeatedPreview]:
            rows = connection.execute(_repeated(asked).limit(limit)).all()
            return tuple(
                RepeatedPreview(previews, variants, newest, _attempts(connection, asked, uscc, product))
                for uscc, product, previews, variants, newest in rows
            )

        return await self._store.read_snapshot(found, lenders=asked.scope)


_MOST_ATTEMPTS = 20


def _within(asked: RepeatedPreviews) -> ColumnElement[bool]:
    at = PREVIEW.c.previewed_at
    return and_(seen(asked.scope, PREVIEW), at >= asked.since, at < asked.until)


def _repeated(asked: RepeatedPreviews) -> Select[Any]:
    c = PREVIEW.c
    variants, newest = func.count(c.fingerprint.distinct()), func.max(c.previewed_at)
    query = (
        select(c.uscc, c.product, func.count(), variants, newest)
        .where(_within(asked))
        .group_by(c.uscc, c.product)
        .having(variants >= asked.least)
        .order_by(newest.desc(), c.uscc, c.product)
    )
    if asked.uscc is not None:
        query = query.where(c.uscc == asked.uscc)
    if asked.after is not None:
        at, uscc, product = asked.after
        later = or_(c.uscc > uscc, and_(c.uscc == uscc, c.product > product))
        query = query.having(or_(newest < at, and_(newest == at, later)))
    return query


def _attempts(connection: Connection, asked: RepeatedPreviews, uscc: str, product: str) -> tuple[PreviewRow, ...]:
    query = select(PREVIEW).where(_within(asked), PREVIEW.c.uscc == uscc, PREVIEW.c.product == product)
    query = query.order_by(PREVIEW.c.previewed_at, PREVIEW.c.preview_id).limit(_MOST_ATTEMPTS)
    return tuple(map(_to_preview, connection.execute(query)))


def _to_preview(row: Row[Any]) -> PreviewRow:
    return PreviewRow(**row._mapping)
