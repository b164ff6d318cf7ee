"""Previews in memory, for the tests that use the database in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from app.domain.access import sees
from app.usecases.ports import PreviewRow
from app.usecases.repeated_previews import RepeatedPreview, RepeatedPreviews


class MemoryPreviewLog:
    """Previews in memory."""

    def __init__(self, previews: list[PreviewRow]) -> None:
        self._previews = previews

    async def keep(self, rows: Sequence[PreviewRow]) -> None:
        """This function will keep the rows."""
        self._previews.extend(rows)

    async def search(
        self,
        lenders: Sequence[str],
        *,
        uscc: str | None,
        previewed_by: str | None,
        limit: int,
        after: tuple[datetime, str] | None = None,
    ) -> Sequence[PreviewRow]:
        """This function will return the newest rows first."""
        rows = [
            row
            for row in self._previews
            if sees(lenders, row.lender, row.branch)
            and uscc in (None, row.uscc)
            and previewed_by in (None, row.previewed_by)
        ]
        rows = [row for row in rows if after is None or (row.previewed_at, row.preview_id) < after]
        return tuple(sorted(rows, key=lambda row: (row.previewed_at, row.preview_id), reverse=True)[:limit])

    async def repeated(self, asked: RepeatedPreviews, limit: int) -> Sequence[RepeatedPreview]:
        """This function will return companies that were previewed again and again, the newest first."""
        groups: dict[tuple[str, str], list[PreviewRow]] = {}
        for row in sorted(self._previews, key=lambda row: (row.previewed_at, row.preview_id)):
            if (
                sees(asked.scope, row.lender, row.branch)
                and asked.since <= row.previewed_at < asked.until
                and asked.uscc in (None, row.uscc)
            ):
                groups.setdefault((row.uscc, row.product), []).append(row)
        found = [
            RepeatedPreview(len(rows), variants, rows[-1].previewed_at, tuple(rows[:20]))
            for rows in groups.values()
            if (variants := len({row.fingerprint for row in rows})) >= asked.least
        ]

        def key(one: RepeatedPreview) -> tuple[timedelta, str, str]:
            first = one.attempts[0]
            return asked.until - one.newest, first.uscc, first.product

        found = [
            one
            for one in found
            if asked.after is None or key(one) > (asked.until - asked.after[0], *asked.after[1:])
        ]
        return tuple(sorted(found, key=key)[:limit])
