"""What is stored of the logs, as whoever verifies them reads it, on both databases.

Neighbours may rely on this: nothing is left out because it does not belong there, and each answer is one statement, so
that it is of one moment; nothing here takes a lock that a writer would wait for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    CompoundSelect,
    Connection,
    Integer,
    LargeBinary,
    Select,
    and_,
    cast,
    func,
    or_,
    select,
    type_coerce,
    union,
)

from app.adapters.database.column_types import as_stored
from app.adapters.database.pool_trail import PoolTrail
from app.adapters.database.rows import decision_values, offer_values
from app.adapters.database.standing_trail import StandingTrail
from app.adapters.database.store import EVERY_LENDER, NO_LENDER, Store
from app.adapters.database.tables import (
    ACT,
    CHECKPOINT,
    CREDIT_LINE,
    DECISION,
    LOG_ENTRY,
    LOG_HEAD,
    OFFER,
    PRUNED_RECORD,
    TERMS,
)
from app.usecases.log_trail import LogExtent, OffersBeyond, StoredLeaf, StoredOffer
from app.usecases.ports import DecisionRow, LogEntry, LogHead, OfferRow, SignedCheckpoint

_PAGE = 500


class LogTrail:
    """Reads the logs as they are stored."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.standing = StandingTrail(store)
        self.pools = PoolTrail(store)

    async def lenders(self) -> tuple[str, ...]:
        """This function will return every lender of which there is a row."""
        query = union(*(select(table.c.lender).distinct() for table in _OF_A_LOG))
        rows = await self._rows(query, EVERY_LENDER)
        return tuple(sorted(row[0] for row in rows))

    async def sizes(self) -> Sequence[tuple[str, int]]:
        """This function will return how many records each log's head tells of."""
        rows = await self._rows(select(LOG_HEAD.c.lender, LOG_HEAD.c.size).order_by(LOG_HEAD.c.lender), EVERY_LENDER)
        return tuple((lender, size) for lender, size in rows)

    async def extent(self, lender: str) -> LogExtent:
        """This function will return how far the log reaches."""
        entries = select(func.max(LOG_ENTRY.c.index)).where(LOG_ENTRY.c.lender == lender).scalar_subquery()
        signed = select(func.max(CHECKPOINT.c.size)).where(CHECKPOINT.c.lender == lender).scalar_subquery()
        # The head may be missing, and the rest is told all the same.
        one = select(entries.label("last"), signed.label("signed")).subquery()
        head_of = (LOG_HEAD.c.lender, LOG_HEAD.c.size, _raw(LOG_HEAD.c.frontier), LOG_HEAD.c.recorded_at)
        query = select(one, *head_of).join_from(one, LOG_HEAD, LOG_HEAD.c.lender == lender, isouter=True)
        [(last, signed_size, *head)] = await self._rows(query, (lender,))
        return LogExtent(
            None if head[0] is None else LogHead(*head), 0 if last is None else last + 1, signed_size or 0
        )

    async def leaves(self, lender: str, after: int | None, until: int) -> Sequence[StoredLeaf]:
        """This function will return the entries behind the index `after` (None: from the first) and before `until`."""
        query = _LEAVES.where(LOG_ENTRY.c.lender == lender, LOG_ENTRY.c.index < until)
        if after is not None:
            query = query.where(LOG_ENTRY.c.index > after)
        rows = await self._rows(query.order_by(LOG_ENTRY.c.index).limit(_PAGE), (lender,))
        return tuple(
            StoredLeaf(*row[:4], _named(_DECISION_NAMES, row[4:_ACT_FROM]), _named(_ACT_NAMES, row[_ACT_FROM:]))
            for row in rows
        )

    async def checkpoints(self, lender: str, after: int, until: int) -> Sequence[SignedCheckpoint]:
        """This function will return the checkpoints of more than `after` and at most `until` records, by size."""
        size = CHECKPOINT.c.size
        query = _CHECKPOINTS.where(CHECKPOINT.c.lender == lender, size > after, size <= until)
        return tuple(SignedCheckpoint(*row) for row in await self._rows(query.order_by(size).limit(_PAGE), (lender,)))

    async def newest_checkpoint(self, lender: str, until: int | None = None) -> SignedCheckpoint | None:
        """This function will return the newest checkpoint of at most `until` records (None: of all)."""
        query = select(CHECKPOINT).where(CHECKPOINT.c.lender == lender)
        if until is not None:
            query = query.where(CHECKPOINT.c.size <= until)
        rows = await self._rows(query.order_by(CHECKPOINT.c.size.desc()).limit(1), (lender,))
        return SignedCheckpoint(*rows[0]) if rows else None

    async def entries(self, lender: str, start: int, stop: int) -> Sequence[LogEntry]:
        """This function will return a page of entries from the index `start` on and before `stop`, in order; none once
        there are no more.
        """
        query = _ENTRIES.where(LOG_ENTRY.c.lender == lender, LOG_ENTRY.c.index >= start, LOG_ENTRY.c.index < stop)
        rows = await self._rows(query.order_by(LOG_ENTRY.c.index).limit(_PAGE), (lender,))
        return tuple(LogEntry(*row) for row in rows)

    async def leaf_hashes(self, lender: str, start: int, stop: int) -> Sequence[bytes]:
        """This function will return the leaf hashes from `start` up to, and without, `stop`, in order."""
        query = select(_raw(LOG_ENTRY.c.leaf_hash)).where(
            LOG_ENTRY.c.lender == lender, LOG_ENTRY.c.index >= start, LOG_ENTRY.c.index < stop
        )
        return tuple(row[0] for row in await self._rows(query.order_by(LOG_ENTRY.c.index), (lender,)))

    async def decisions_without_leaf(self, lender: str, limit: int) -> Sequence[str]:
        """This function will return ids of decisions whose place in the log is not that of their own record."""
        leaf = and_(LOG_ENTRY.c.lender == DECISION.c.lender, LOG_ENTRY.c.index == DECISION.c.index)
        query = (
            select(DECISION.c.decision_id)
            .join_from(DECISION, LOG_ENTRY, leaf, isouter=True)
            .where(
                DECISION.c.lender == lender,
                or_(LOG_ENTRY.c.decision_id.is_(None), LOG_ENTRY.c.decision_id != DECISION.c.decision_id),
            )
            .order_by(DECISION.c.index)
            .limit(limit)
        )
        return tuple(row[0] for row in await self._rows(query, (lender,)))

    async def acts_without_leaf(self, lender: str, limit: int) -> Sequence[str]:
        """This function will return ids of acts whose place in the log is no record, or a decision's."""
        leaf = and_(LOG_ENTRY.c.lender == ACT.c.lender, LOG_ENTRY.c.index == ACT.c.index)
        query = (
            select(ACT.c.record_id)
            .join_from(ACT, LOG_ENTRY, leaf, isouter=True)
            .where(ACT.c.lender == lender, or_(LOG_ENTRY.c.record.is_(None), LOG_ENTRY.c.decision_id.is_not(None)))
            .order_by(ACT.c.index)
            .limit(limit)
        )
        return tuple(row[0] for row in await self._rows(query, (lender,)))

    async def terms(self) -> Sequence[tuple[str, bytes]]:
        """This function will return all stored terms: digest and canonical bytes."""
        rows = await self._rows(select(TERMS.c.digest, TERMS.c.canonical).order_by(TERMS.c.digest), NO_LENDER)
        return tuple((name, bytes(canonical)) for name, canonical in rows)

    def stored_row(self, row: DecisionRow) -> Mapping[str, Any]:
        """This function will return the columns that the row is stored as."""
        return decision_values(row)

    async def offers(self, offer_ids: Sequence[str]) -> Mapping[str, StoredOffer]:
        """This function will return the offers of those ids, by id; at most 500 are asked for."""
        rows = await self._rows(_OFFERS.where(OFFER.c.offer_id.in_(offer_ids)), EVERY_LENDER)
        return {
            values["offer_id"]: StoredOffer(values, at, pruned is not None, line is not None)
            for at, pruned, line, values in ((*row[:3], dict(zip(_OFFER_NAMES, row[3:], strict=True))) for row in rows)
        }

    def stored_offer(self, row: OfferRow, superseded_by: str | None) -> Mapping[str, Any]:
        """This function will return the columns that the offer is stored as."""
        return offer_values(row, superseded_by)

    async def offers_beyond(self, lender: str, until: int) -> OffersBeyond:
        """This function will count the lender's offers of decisions before the index `until`, and name up to 100 that
        are of no decision of its log.
        """
        of_log = and_(DECISION.c.decision_id == OFFER.c.decision_id, DECISION.c.lender == OFFER.c.lender)
        count = (
            select(func.count()).select_from(OFFER).join(DECISION, of_log)
            .where(OFFER.c.lender == lender, DECISION.c.index < until)
        )  # fmt: skip
        of_none = (
            select(OFFER.c.offer_id).join_from(OFFER, DECISION, of_log, isouter=True)
            .where(OFFER.c.lender == lender, DECISION.c.decision_id.is_(None)).order_by(OFFER.c.offer_id).limit(100)
        )  # fmt: skip

        def found(connection: Connection) -> OffersBeyond:
            return OffersBeyond(connection.execute(count).scalar_one(), tuple(connection.execute(of_none).scalars()))

        return await self._store.read(found, lenders=(lender,))

    async def _rows(self, query: Select[Any] | CompoundSelect[Any], lenders: Sequence[str]) -> Sequence[Any]:
        def found(connection: Connection) -> Sequence[Any]:
            return connection.execute(query).all()

        return await self._store.read(found, lenders=lenders)


def _raw(column: Column[Any]) -> ColumnElement[Any]:
    """What is stored, whatever somebody left there; SQLite lets a text stand in a column of bytes."""
    if isinstance(column.type, LargeBinary):
        return cast(column, LargeBinary)
    return type_coerce(column, Integer() if isinstance(column.type, Boolean) else as_stored(column.type))


_DECISION_NAMES = tuple(DECISION.columns.keys())
_OFFER_NAMES = tuple(OFFER.columns.keys())
_ACT_NAMES = tuple(ACT.columns.keys())
_ACT_FROM = 4 + len(_DECISION_NAMES)
_OF_A_LOG = (LOG_ENTRY, LOG_HEAD, CHECKPOINT, DECISION, ACT)


def _named(names: Sequence[str], row: Sequence[Any]) -> Mapping[str, Any] | None:
    return None if row[0] is None else dict(zip(names, row, strict=True))


_CHECKPOINTS = select(
    CHECKPOINT.c.lender, CHECKPOINT.c.size, _raw(CHECKPOINT.c.root), _raw(CHECKPOINT.c.note)
)  # fmt: skip

# A row of another lender's decision is none of this record's.
_LEAVES = select(
    LOG_ENTRY.c.index, _raw(LOG_ENTRY.c.leaf_hash), _raw(LOG_ENTRY.c.record), LOG_ENTRY.c.decision_id,
    *map(_raw, DECISION.columns), *map(_raw, ACT.columns),
).join_from(
    LOG_ENTRY, DECISION,
    and_(DECISION.c.decision_id == LOG_ENTRY.c.decision_id, DECISION.c.lender == LOG_ENTRY.c.lender),
    isouter=True,
).join(ACT, and_(ACT.c.lender == LOG_ENTRY.c.lender, ACT.c.index == LOG_ENTRY.c.index), isouter=True)  # fmt: skip
_ENTRIES = select(LOG_ENTRY.c.lender, LOG_ENTRY.c.index, _raw(LOG_ENTRY.c.leaf_hash), _raw(LOG_ENTRY.c.record))
_OFFERS = (
    select(DECISION.c.index, PRUNED_RECORD.c.record_id, CREDIT_LINE.c.offer_id, *map(_raw, OFFER.columns))
    .join_from(
        OFFER, DECISION,
        and_(DECISION.c.decision_id == OFFER.c.superseded_by, DECISION.c.lender == OFFER.c.lender), isouter=True,
    )
    .join(
        PRUNED_RECORD,
        and_(PRUNED_RECORD.c.record_id == OFFER.c.superseded_by, PRUNED_RECORD.c.lender == OFFER.c.lender),
        isouter=True,
    )
    .join(CREDIT_LINE, CREDIT_LINE.c.offer_id == OFFER.c.offer_id, isouter=True)
)  # fmt: skip
