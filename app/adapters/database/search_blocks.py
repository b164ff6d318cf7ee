"""The blocks by which decisions are found, and their making from the log, behind the road of decisions.

Neighbours may rely on this: a log's blocks are made in order, each in one transaction with the log's progress, so that
a kill leaves whole blocks only and of two replicas one makes a block and the other notices; nothing here touches a row
that a decision writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.adapters.database.store import EVERY_LENDER, Store
from app.adapters.database.tables import (
    DECISION,
    LOG_ENTRY,
    LOG_HEAD,
    SEARCH_BLOCK,
    SEARCH_PROGRESS,
    from_codes,
)
from app.audit.operator_record import OPERATOR
from app.audit.search_figures import Extras, Figures, extras_in, score_units
from app.usecases.search_blocks import PLACES, Key

FIGURE_COLUMNS = (
    DECISION.c.lender, DECISION.c.product, DECISION.c.branch, DECISION.c.zone, DECISION.c.stage, DECISION.c.outcome,
    DECISION.c.reasons, DECISION.c.uscc, DECISION.c.application_id, DECISION.c.recorded_at, DECISION.c.score,
    DECISION.c.requested_amount, DECISION.c.credit_limit,
)  # fmt: skip
OF_ENTRY = and_(DECISION.c.decision_id == LOG_ENTRY.c.decision_id, DECISION.c.lender == LOG_ENTRY.c.lender)


def to_figures(record: bytes, columns: Sequence[Any]) -> Figures:
    """This function will return what is known of one decision, from its record and its row's FIGURE_COLUMNS."""
    *codes, reasons, uscc, application_id, recorded_at, score, requested_amount, credit_limit = columns
    return Figures(
        *codes, from_codes(reasons), uscc, application_id, recorded_at, score_units(score), requested_amount,
        credit_limit, extras_of(record),
    )  # fmt: skip


def extras_of(record: bytes) -> Extras:
    """This function will return what only a record tells; nothing of one that cannot be read, which must not keep the
    rest from being found.
    """
    try:
        return extras_in(record)
    except (ValueError, LookupError, TypeError):
        return Extras()


class SearchBlocks:
    """Makes and keeps the blocks of every log."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def due(self) -> Sequence[tuple[str, int]]:
        """This function will return each log that has a whole block more than were made, and that block's number."""
        made = func.coalesce(SEARCH_PROGRESS.c.blocks, 0)
        query = (
            select(LOG_HEAD.c.lender, made)
            .join_from(LOG_HEAD, SEARCH_PROGRESS, SEARCH_PROGRESS.c.lender == LOG_HEAD.c.lender, isouter=True)
            .where(LOG_HEAD.c.size >= (made + 1) * PLACES, LOG_HEAD.c.lender != OPERATOR)
            .order_by(LOG_HEAD.c.lender)
        )
        return await self._store.read(
            lambda connection: [tuple(row) for row in connection.execute(query)], lenders=EVERY_LENDER
        )

    async def read(self, lender: str, start: int, stop: int) -> Sequence[tuple[int, bytes, Sequence[Any] | None]]:
        """This function will return index, record and FIGURE_COLUMNS (None: no decision) of a log's places."""

        def found(connection: Connection) -> Sequence[tuple[int, bytes, Sequence[Any] | None]]:
            rows = connection.execute(_PLACES, {"lender": lender, "start": start, "stop": stop})
            return [(index, record, None if columns[0] is None else columns) for index, record, *columns in rows]

        return await self._store.read(found, lenders=(lender,))

    async def add(self, lender: str, block: int, contents: Iterable[tuple[Key, bytes]], last: datetime | None) -> bool:
        """This function will store a log's next block; False where somebody else has stored it meanwhile."""
        rows = _rows(lender, block, contents)

        def written(connection: Connection) -> bool:
            at = {"of": lender, "made": block, "blocks": block + 1, "recorded_at": last}
            if connection.execute(_PROGRESS if last else _PROGRESS_WITHOUT_DECISION, at).rowcount == 0:
                if connection.execute(_MADE, {"lender": lender}).scalar() is not None:
                    return False
                first = {"lender": lender, "blocks": 1, "recorded_at": last}
                connection.execute(insert(SEARCH_PROGRESS), first)
            connection.execute(insert(SEARCH_BLOCK), rows)
            return True

        try:
            return await self._store.write(written, lenders=(lender,))
        except IntegrityError:
            return False

    async def made(self) -> Sequence[tuple[str, int]]:
        """This function will return each log and how many blocks of it were made."""
        query = select(SEARCH_PROGRESS.c.lender, SEARCH_PROGRESS.c.blocks).order_by(SEARCH_PROGRESS.c.lender)
        return await self._store.read(
            lambda connection: [tuple(row) for row in connection.execute(query)], lenders=EVERY_LENDER
        )

    async def replace(self, lender: str, block: int, contents: Iterable[tuple[Key, bytes]]) -> bool:
        """This function will hold a stored block to what it should be, and store that where it differs: True then."""
        rows, here = _rows(lender, block, contents), {"lender": lender, "block": block}

        def replaced(connection: Connection) -> bool:
            stored = {(name, value): bytes(content) for name, value, content in connection.execute(_STORED, here)}
            if stored == {(row["name"], row["value"]): row["content"] for row in rows}:
                return False
            connection.execute(_REMOVE, here)
            connection.execute(insert(SEARCH_BLOCK), rows)
            return True

        return await self._store.write(replaced, lenders=(lender,))


def _rows(lender: str, block: int, contents: Iterable[tuple[Key, bytes]]) -> list[dict[str, Any]]:
    return [
        {"lender": lender, "name": name, "value": value, "block": block, "content": content}
        for (name, value), content in contents
    ]


_PLACES = (
    select(LOG_ENTRY.c.index, LOG_ENTRY.c.record, *FIGURE_COLUMNS)
    .join_from(LOG_ENTRY, DECISION, OF_ENTRY, isouter=True)
    .where(
        LOG_ENTRY.c.lender == bindparam("lender"),
        LOG_ENTRY.c.index >= bindparam("start"),
        LOG_ENTRY.c.index < bindparam("stop"),
    )
    .order_by(LOG_ENTRY.c.index)
)
_IS_NEXT = (SEARCH_PROGRESS.c.lender == bindparam("of"), SEARCH_PROGRESS.c.blocks == bindparam("made"))
_PROGRESS = update(SEARCH_PROGRESS).where(*_IS_NEXT).values(
    blocks=bindparam("blocks"), recorded_at=bindparam("recorded_at")
)  # fmt: skip
_PROGRESS_WITHOUT_DECISION = update(SEARCH_PROGRESS).where(*_IS_NEXT).values(blocks=bindparam("blocks"))
_MADE = select(SEARCH_PROGRESS.c.blocks).where(SEARCH_PROGRESS.c.lender == bindparam("lender"))
_HERE = (SEARCH_BLOCK.c.lender == bindparam("lender"), SEARCH_BLOCK.c.block == bindparam("block"))
_STORED = select(SEARCH_BLOCK.c.name, SEARCH_BLOCK.c.value, SEARCH_BLOCK.c.content).where(*_HERE)
_REMOVE = delete(SEARCH_BLOCK).where(*_HERE)
