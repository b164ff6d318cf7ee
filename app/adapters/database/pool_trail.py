"""What is stored of pools and budgets, as whoever verifies the logs reads it, on both databases.

Neighbours may rely on this: rows come as they are stored, every column by name; what one answer holds is of one moment;
of a whole pool nothing is kept but sums and the row at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Connection, Integer, Table, and_, func, select, type_coerce, union

from app.adapters.database.act_statements import stored_value, to_act
from app.adapters.database.acts import STORED as STORED_ACT
from app.adapters.database.column_types import as_stored_in
from app.adapters.database.store import EVERY_LENDER, Store
from app.adapters.database.tables import (
    ACT,
    POOL,
    POOL_CLAIM,
    POOL_COVER,
    POOL_ENTRY,
    POOL_HOLDER,
    POOL_STATEMENT,
    PRUNED_RECORD,
    SUBSIDY_BUDGET,
)
from app.audit.operator_record import OPERATOR
from app.usecases.act_rows import Value
from app.usecases.log_trail import PartSums, StoredCover, StoredOperatorRows, StoredPool
from app.usecases.pool_book import TOTALS
from app.usecases.verify_pools import OPERATOR_FORMATS

_AT_ONCE = 500


class PoolTrail:
    """Reads pools and budgets as they are stored."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def uncovered(self, lender: str, offer_ids: Sequence[str]) -> Sequence[str]:
        """This function will return those of these offers of which there is no cover's row."""
        query = select(POOL_COVER.c.offer_id).where(POOL_COVER.c.offer_id.in_(offer_ids))
        there = await self._store.read(lambda c: set(c.execute(query).scalars()), lenders=(lender,))
        return [offer_id for offer_id in offer_ids if offer_id not in there]

    async def claims(self, lender: str) -> tuple[Sequence[Mapping[str, Any]], int]:
        """This function will return the lender's claims, and the index before which its acts had been recorded."""

        def found(connection: Connection) -> tuple[Sequence[Mapping[str, Any]], int]:
            return raw_rows(connection, POOL_CLAIM, POOL_CLAIM.c.holder == lender), acts_until(connection, lender)

        return await self._store.read_snapshot(found, lenders=(lender,))

    async def entries_of_no_offer(self, lender: str) -> Sequence[str]:
        """This function will name, by record, up to 100 of the lender's entries that are of no offer."""
        query = select(POOL_ENTRY.c.record_id).where(POOL_ENTRY.c.holder == lender, POOL_ENTRY.c.offer_id.is_(None))
        query = query.order_by(POOL_ENTRY.c.record_id).limit(100)
        return await self._store.read(lambda c: c.execute(query).scalars().all(), lenders=(lender,))

    async def pools(self) -> Sequence[str]:
        """This function will return the id of every pool of which there is a row."""
        tables = (POOL, POOL_HOLDER, POOL_COVER, POOL_ENTRY)
        query = union(*(select(table.c.pool_id.label("id")).distinct() for table in tables)).order_by("id")
        return await self._store.read(lambda c: c.execute(query).scalars().all(), lenders=EVERY_LENDER)

    async def pool(self, pool: str, cover: Callable[[Mapping[str, Any]], None]) -> StoredPool:
        """This function will return a pool's book, and give `cover` each of its covers that holds room until a day."""

        def found(connection: Connection) -> StoredPool:
            columns = [as_stored_in(POOL_COVER.c[name]) for name in _HOLDING]
            held = select(*columns).where(POOL_COVER.c.pool_id == pool, POOL_COVER.c.held_until.is_not(None))
            for row in connection.execute(held, execution_options={"yield_per": _AT_ONCE}):
                cover(dict(zip(_HOLDING, row, strict=True)))
            counted = select(func.count(), func.min(POOL_ENTRY.c.number), func.max(POOL_ENTRY.c.number))
            count, least, most = connection.execute(counted.where(POOL_ENTRY.c.pool_id == pool)).one()
            own = raw_rows(connection, POOL, POOL.c.pool_id == pool)
            return StoredPool(
                own[0] if own else None,
                raw_rows(connection, POOL_HOLDER, POOL_HOLDER.c.pool_id == pool),
                _parts(connection, pool),
                count == 0 or (least, most) == (0, count - 1),
            )

        return await self._store.read_snapshot(found, lenders=EVERY_LENDER)

    async def operator_rows(self) -> StoredOperatorRows:
        """This function will return what the operator's acts have made."""

        def found(connection: Connection) -> StoredOperatorRows:
            acts = STORED_ACT.where(ACT.c.lender == OPERATOR, ACT.c.format.in_(OPERATOR_FORMATS))
            return StoredOperatorRows(
                [to_act(row) for row in connection.execute(acts.order_by(ACT.c.index))],
                raw_rows(connection, POOL_ENTRY, POOL_ENTRY.c.holder.is_(None)),
                raw_rows(connection, POOL_STATEMENT),
                raw_rows(connection, SUBSIDY_BUDGET),
                {row.pool_id: row.lifted_at for row in connection.execute(select(POOL.c.pool_id, POOL.c.lifted_at))},
            )

        return await self._store.read_snapshot(found, lenders=EVERY_LENDER)

    def stored(self, values: Mapping[str, Value]) -> Mapping[str, Any]:
        """This function will return the values as a row holds them."""
        return {name: stored_value(value) for name, value in values.items()}


_HOLDING = ("offer_id", "holder", "share", "outstanding", "undrawn", "held_until")


def raw_rows(connection: Connection, table: Table, *where: ColumnElement[bool]) -> list[dict[str, Any]]:
    """This function will return rows as the database itself holds them, by column, in the order of their keys; entries
    by their own number.
    """
    columns = [
        type_coerce(column, Integer()) if isinstance(column.type, Boolean) else as_stored_in(column)
        for column in table.columns
    ]
    order = (table.c.pool_id, table.c.own_number) if table is POOL_ENTRY else table.primary_key.columns
    names = tuple(table.columns.keys())
    query = select(*columns).where(*where).order_by(*order)
    return [dict(zip(names, row, strict=True)) for row in connection.execute(query)]


def covers_of(connection: Connection, lender: str, ids: Sequence[str]) -> Mapping[str, StoredCover]:
    """This function will return what is stored in pools' books of these offers, by offer."""
    mine = (POOL_COVER.c.holder == lender, POOL_COVER.c.offer_id.in_(ids))
    covers = {row["offer_id"]: row for row in raw_rows(connection, POOL_COVER, *mine)}
    entries: dict[str, list[dict[str, Any]]] = {}
    for row in raw_rows(connection, POOL_ENTRY, POOL_ENTRY.c.holder == lender, POOL_ENTRY.c.offer_id.in_(ids)):
        entries.setdefault(row["offer_id"], []).append(row)
    named = {row["decision_id"] for row in (*covers.values(), *(row for rows in entries.values() for row in rows))}
    gone = select(PRUNED_RECORD.c.record_id).where(PRUNED_RECORD.c.record_id.in_(named))
    pruned = set(connection.execute(gone).scalars()) if named else set()
    found = {}
    for name in {**covers, **entries}:
        cover, booked = covers.get(name), entries.get(name, ())
        decisions = {row["decision_id"] for row in (*booked, *([] if cover is None else [cover]))}
        found[name] = StoredCover(cover, booked, bool(decisions) and decisions <= pruned)
    return found


def acts_until(connection: Connection, lender: str) -> int:
    """This function will return the index before which the lender's acts have been recorded."""
    last = connection.execute(select(func.max(ACT.c.index)).where(ACT.c.lender == lender)).scalar()
    return 0 if last is None else last + 1


def _parts(connection: Connection, pool: str) -> list[PartSums]:
    own, following = POOL_ENTRY.c, POOL_ENTRY.alias("following")
    summed = [func.sum(own[name]) for name in TOTALS]
    numbers = (func.count(own.own_number.distinct()), func.min(own.own_number), func.max(own.own_number))
    query = select(own.holder, func.count(), *numbers, *summed).where(own.pool_id == pool).group_by(own.holder)
    backwards = (
        select(own.holder).distinct().where(own.pool_id == pool).join_from(
            POOL_ENTRY, following,
            and_(
                following.c.pool_id == own.pool_id, following.c.holder == own.holder,
                following.c.own_number == own.own_number + 1, following.c.booked_at < own.booked_at,
            ),
        )
    )  # fmt: skip
    disordered = set(connection.execute(backwards).scalars())
    return [
        PartSums(
            holder, count, distinct == count and (least, most) == (0, count - 1) and holder not in disordered,
            dict(zip(TOTALS, map(int, sums), strict=True)),
        )
        for holder, count, distinct, least, most, *sums in connection.execute(query)
    ]  # fmt: skip
