"""Score snapshots on both databases.

Neighbours may rely on this: rows are added and never changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Dialect, Insert, Row, Select, and_, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from app.adapters.database.store import Store
from app.adapters.database.tables import SCORE_SNAPSHOT as SNAPSHOT
from app.audit.application import score_document, score_from_bytes
from app.audit.canonical import vouched_bytes
from app.domain.score_snapshot import ScoreSnapshot
from app.usecases.score_snapshots import SnapshotFilter

# A statement's parameters are counted in 16 bits on PostgreSQL, and fewer fit into older SQLite.
_ROWS_AT_ONCE = 500
_MILLION = 1_000_000


class ScoreSnapshots:
    """Keeps and finds snapshots."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def keep(self, snapshots: Sequence[ScoreSnapshot]) -> int:
        """This function will keep those that are not kept yet, and return how many were new."""
        if not snapshots:
            return 0
        rows = [_to_row(snapshot) for snapshot in snapshots]

        def kept(connection: Connection) -> int:
            statement, new = _insert_new(connection.dialect), 0
            for start in range(0, len(rows), _ROWS_AT_ONCE):
                new += connection.execute(statement.values(rows[start : start + _ROWS_AT_ONCE])).rowcount
            return new

        return await self._store.write(kept, lenders=tuple({snapshot.lender for snapshot in snapshots}))

    async def newest(self, lender: str, zone: str, usccs: Sequence[str]) -> Mapping[str, ScoreSnapshot]:
        """This function will return the newest snapshot of each company that has one."""
        asked = tuple(dict.fromkeys(usccs))

        def found(connection: Connection) -> Mapping[str, ScoreSnapshot]:
            rows: list[Row[Any]] = []
            for start in range(0, len(asked), _ROWS_AT_ONCE):
                query = _newest(lender, zone).where(SNAPSHOT.c.uscc.in_(asked[start : start + _ROWS_AT_ONCE]))
                rows += connection.execute(query).all()
            return {row.uscc: _to_snapshot(row) for row in rows}

        return await self._store.read(found, lenders=(lender,))

    async def listed(
        self, lender: str, asked: SnapshotFilter, *, limit: int, after: str | None = None
    ) -> Sequence[ScoreSnapshot]:
        """This function will return the newest snapshots that fit, by code."""
        query = _newest(lender, asked.zone).where(*_fitting(asked)).order_by(SNAPSHOT.c.uscc).limit(limit)
        if after is not None:
            query = query.where(SNAPSHOT.c.uscc > after)
        return await self._store.read(
            lambda connection: tuple(map(_to_snapshot, connection.execute(query))), lenders=(lender,)
        )


def _insert_new(dialect: Dialect) -> Insert:
    """Both databases spell it alike, in dialects of their own."""
    insert = postgresql.insert if dialect.name == "postgresql" else sqlite.insert
    statement = insert(SNAPSHOT).on_conflict_do_nothing(index_elements=["snapshot_id", "lender"])
    return statement.execution_options(preserve_rowcount=True)


def _newest(lender: str, zone: str) -> Select[Any]:
    """Each company's newest: the one that none is behind."""
    mine, later = SNAPSHOT.c, SNAPSHOT.alias("later")
    behind = or_(
        later.c.observed_on > mine.observed_on,
        and_(later.c.observed_on == mine.observed_on, later.c.obtained_at > mine.obtained_at),
        and_(
            later.c.observed_on == mine.observed_on,
            later.c.obtained_at == mine.obtained_at,
            later.c.snapshot_id > mine.snapshot_id,
        ),
    )
    same = and_(later.c.uscc == mine.uscc, later.c.lender == mine.lender, later.c.zone == mine.zone)
    none_behind = ~select(later.c.uscc).where(same, behind).exists()
    return select(SNAPSHOT).where(mine.lender == lender, mine.zone == zone, none_behind)


def _fitting(asked: SnapshotFilter) -> list[ColumnElement[bool]]:
    c, conditions = SNAPSHOT.c, []
    if asked.state is not None:
        conditions.append(c.state == asked.state.value)
    if asked.stage is not None:
        conditions.append(c.stage == asked.stage)
    if asked.field is not None:
        conditions.append(c.field == asked.field)
    if asked.score_from is not None:
        conditions.append(c.value_millionths >= _millionths(asked.score_from, ROUND_CEILING))
    if asked.score_until is not None:
        conditions.append(c.value_millionths <= _millionths(asked.score_until, ROUND_FLOOR))
    if asked.rank_until is not None:
        conditions.append(c.rank_position <= asked.rank_until)
    return conditions


def _millionths(score: Decimal, rounding: str) -> int:
    """A bound finer than a millionth is moved inwards, so that it lets nothing in that lies beyond it."""
    return int((score * _MILLION).to_integral_value(rounding))


def _to_row(snapshot: ScoreSnapshot) -> dict[str, Any]:
    score = snapshot.score
    return {
        "snapshot_id": snapshot.snapshot_id,
        "lender": snapshot.lender,
        "zone": snapshot.zone,
        "uscc": snapshot.uscc,
        "observed_on": snapshot.observed_on,
        "obtained_at": snapshot.obtained_at,
        "state": score.state.value,
        "value_millionths": None if score.value is None else _millionths(score.value, ROUND_FLOOR),
        "stage": score.stage,
        "field": score.field,
        "rank_position": None if score.rank is None else score.rank.position,
        "name": snapshot.name,
        "score": vouched_bytes(score_document(score)),
    }


def _to_snapshot(row: Row[Any]) -> ScoreSnapshot:
    return ScoreSnapshot(
        snapshot_id=row.snapshot_id,
        lender=row.lender,
        zone=row.zone,
        uscc=row.uscc,
        score=score_from_bytes(row.score),
        obtained_at=row.obtained_at,
        observed_on=row.observed_on,
        name=row.name,
    )
