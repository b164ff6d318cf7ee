"""The blocks by which decisions are found, and their making from the log, behind the road of decisions.

Neighbours may rely on this: a log's places are marked in order, each step in one transaction with the log's progress,
so that a kill leaves marks up to a place and none beyond, and of two replicas one writes and the other notices; what is
pruned loses its marks in the transaction that removes it; nothing here touches a row that a decision writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from app.adapters.database.column_types import from_codes
from app.adapters.database.store import EVERY_LENDER, Store
from app.adapters.database.tables import DECISION, LOG_ENTRY, LOG_HEAD, SEARCH_BLOCK, SEARCH_PROGRESS
from app.audit.operator_record import OPERATOR
from app.audit.search_figures import Extras, Figures, extras_in, score_units
from app.usecases.search_blocks import PLACES, Key, without

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


class Progress(NamedTuple):
    """How far a log is marked: `places` of its `size`. `mended` counts how often marks were changed since they were
    made: what somebody holds of them in his hands is stale then.
    """

    lender: str
    size: int
    places: int
    mended: int


class SearchBlocks:
    """Makes and keeps the blocks of every log."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def due(self, least: int) -> Sequence[Progress]:
        """This function will return each log that has at least so many places without marks."""
        query = _PROGRESS.where(LOG_HEAD.c.size >= func.coalesce(SEARCH_PROGRESS.c.places, 0) + least)
        return await self._known(query.order_by(LOG_HEAD.c.lender))

    async def read(self, lender: str, start: int, stop: int) -> Sequence[tuple[int, bytes, Sequence[Any] | None]]:
        """This function will return index, record and FIGURE_COLUMNS (None: no decision) of a log's places."""

        def found(connection: Connection) -> Sequence[tuple[int, bytes, Sequence[Any] | None]]:
            rows = connection.execute(_PLACES, {"lender": lender, "start": start, "stop": stop})
            return [(index, record, None if columns[0] is None else columns) for index, record, *columns in rows]

        return await self._store.read(found, lenders=(lender,))

    async def add(
        self, known: Progress, until: int, contents: Iterable[tuple[Key, bytes]], last: datetime | None
    ) -> bool:
        """This function will store what has changed of a log's last block, now marked up to `until`; False where
        somebody else has changed the log's marks since.
        """
        rows = _rows(known.lender, known.places // PLACES, contents)

        def written(connection: Connection) -> bool:
            moved = {"places": until} if last is None else {"places": until, "recorded_at": last}
            if connection.execute(update(SEARCH_PROGRESS).where(*_as(known)).values(moved)).rowcount == 0:
                if known.places or known.mended or _locked(connection, known.lender) is not None:
                    return False
                connection.execute(insert(SEARCH_PROGRESS), {"lender": known.lender, "mended": 0, **moved})
            _store(connection, rows, anew=known.places % PLACES == 0)
            return True

        try:
            return await self._store.write(written, lenders=(known.lender,))
        except IntegrityError:
            return False

    async def made(self) -> Sequence[Progress]:
        """This function will return how far each log is marked that has marks."""
        return await self._known(_PROGRESS.where(SEARCH_PROGRESS.c.places > 0).order_by(LOG_HEAD.c.lender))

    async def progress(self, lender: str) -> Progress:
        """This function will return how far one log is marked."""
        return (await self._known(_PROGRESS.where(LOG_HEAD.c.lender == lender)))[0]

    async def _known(self, query: Select[Any]) -> Sequence[Progress]:
        return await self._store.read(
            lambda connection: [Progress(*row) for row in connection.execute(query)], lenders=EVERY_LENDER
        )

    async def replace(self, known: Progress, block: int, contents: Iterable[tuple[Key, bytes]]) -> bool | None:
        """This function will hold a stored block to what it should be, and store that where it differs: True then; None
        where the log's marks were changed since.
        """
        rows, here = _rows(known.lender, block, contents), {"lender": known.lender, "block": block}

        def replaced(connection: Connection) -> bool | None:
            now = _locked(connection, known.lender)
            ends = (block + 1) * PLACES
            if now is None or (min(now.places, ends), now.mended) != (min(known.places, ends), known.mended):
                return None
            stored = {(name, value): bytes(content) for name, value, content in connection.execute(_STORED, here)}
            if stored == {(row["name"], row["value"]): row["content"] for row in rows}:
                return False
            connection.execute(_REMOVE, here)
            connection.execute(insert(SEARCH_BLOCK), rows)
            _mended(connection, known.lender)
            return True

        return await self._store.write(replaced, lenders=(known.lender,))


def unmark(connection: Connection, lender: str, indices: Iterable[int]) -> None:
    """This function will take the marks from places that hold no decision any more. A follower that read them before
    notices, because it takes the same lock and finds the log mended.
    """
    now = _locked(connection, lender)
    if now is None:
        connection.execute(insert(SEARCH_PROGRESS), {"lender": lender, "places": 0, "mended": 1})
        return
    _mended(connection, lender)
    marked = sorted(index for index in indices if index < now.places)
    for block, group in groupby(marked, key=lambda index: index // PLACES):
        here = {"lender": lender, "block": block}
        stored = {(name, value): bytes(content) for name, value, content in connection.execute(_STORED, here)}
        changed = without(stored, [index % PLACES for index in group])
        if changed:
            _store(connection, _rows(lender, block, changed.items()))


def _store(connection: Connection, rows: Sequence[Mapping[str, Any]], *, anew: bool = False) -> None:
    """Portable SQL has no ON CONFLICT. A row without contents is one that is no longer there."""
    if rows and not anew:
        connection.execute(_REMOVE_ONE, [{f"of_{name}": row[name] for name in _KEY} for row in rows])
    if kept := [row for row in rows if row["content"]]:
        connection.execute(insert(SEARCH_BLOCK), kept)


def _locked(connection: Connection, lender: str) -> Any:
    query = select(SEARCH_PROGRESS).where(SEARCH_PROGRESS.c.lender == lender).with_for_update()
    return connection.execute(query).first()


def _mended(connection: Connection, lender: str) -> None:
    mended = SEARCH_PROGRESS.c.mended
    connection.execute(update(SEARCH_PROGRESS).where(SEARCH_PROGRESS.c.lender == lender).values(mended=mended + 1))


def _as(known: Progress) -> tuple[ColumnElement[bool], ...]:
    c = SEARCH_PROGRESS.c
    return c.lender == known.lender, c.places == known.places, c.mended == known.mended


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
_PROGRESS = select(
    LOG_HEAD.c.lender, LOG_HEAD.c.size, func.coalesce(SEARCH_PROGRESS.c.places, 0),
    func.coalesce(SEARCH_PROGRESS.c.mended, 0),
).join_from(
    LOG_HEAD, SEARCH_PROGRESS, SEARCH_PROGRESS.c.lender == LOG_HEAD.c.lender, isouter=True
).where(LOG_HEAD.c.lender != OPERATOR)  # fmt: skip
_KEY = ("lender", "name", "value", "block")
_REMOVE_ONE = delete(SEARCH_BLOCK).where(*(SEARCH_BLOCK.c[name] == bindparam(f"of_{name}") for name in _KEY))
_HERE = (SEARCH_BLOCK.c.lender == bindparam("lender"), SEARCH_BLOCK.c.block == bindparam("block"))
_STORED = select(SEARCH_BLOCK.c.name, SEARCH_BLOCK.c.value, SEARCH_BLOCK.c.content).where(*_HERE)
_REMOVE = delete(SEARCH_BLOCK).where(*_HERE)
