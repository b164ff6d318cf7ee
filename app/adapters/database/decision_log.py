"""The decision log as readers see it, on both databases.

Neighbours may rely on this: nothing here takes a lock that a writer would wait for, and a page is found by its position
(keyset), so that the last one costs as much as the first.
"""

from __future__ import annotations

import heapq
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import date, datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Select, func, or_, select

from app.adapters.database.act_statements import to_commitment
from app.adapters.database.plain_book import OPEN_COMMITMENTS, members_of
from app.adapters.database.store import EVERY_LENDER, NO_LENDER, Store
from app.adapters.database.tables import (
    ANSWER,
    CHECKPOINT,
    DECISION,
    LOG_ENTRY,
    LOG_HEAD,
    OFFER,
    PRUNED_RECORD,
    RECORDED,
    TERMS,
    seen,
)
from app.domain.access import branches_within, lenders_within
from app.domain.standing import Commitment
from app.usecases.act_rows import KeyedAnswer
from app.usecases.ports import DecisionFilter, ListedDecision, PrunedPlace, SignedCheckpoint, StoredDecision, answer_in

_PAGE = 500


class DecisionLog:
    """Reads the decisions that the book has written."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def find(self, decision_id: str, lenders: Sequence[str]) -> StoredDecision | None:
        """This function will return the decision when it is within the scope, else None."""
        query = STORED.where(DECISION.c.decision_id == decision_id, seen(lenders, DECISION))

        def found(connection: Connection) -> StoredDecision | None:
            row = connection.execute(query).first()
            return to_stored(*row) if row else None

        return await self._store.read(found, lenders=lenders)

    async def pruned(self, decision_id: str, lenders: Sequence[str]) -> PrunedPlace | None:
        """This function will return where a decision stood that retention has removed."""
        query = select(PRUNED_RECORD.c.lender, PRUNED_RECORD.c.index).where(
            PRUNED_RECORD.c.record_id == decision_id, PRUNED_RECORD.c.lender.in_(lenders)
        )
        row = await self._store.read(lambda connection: connection.execute(query).first(), lenders=lenders)
        return None if row is None else PrunedPlace(*row)

    async def search(
        self, asked: DecisionFilter, *, limit: int, after: tuple[datetime, str] | None
    ) -> Sequence[ListedDecision]:
        """This function will return up to `limit` rows, newest first, strictly after the given position."""

        def found(connection: Connection) -> Sequence[ListedDecision]:
            # Each lender's newest come straight from its index; together they are merged, never sorted.
            each = [
                [
                    ListedDecision(at, decision_id, answer_in(*answer))
                    for at, decision_id, *answer in connection.execute(_listed(asked, lender, limit, after))
                ]
                for lender in lenders_within(asked.lenders)
            ]
            return tuple(islice(heapq.merge(*each, key=_position, reverse=True), limit))

        return await self._store.read(found, lenders=asked.lenders)

    async def lenders(self) -> tuple[str, ...]:
        """This function will return every lender that has a log, by id."""
        query = select(LOG_HEAD.c.lender).order_by(LOG_HEAD.c.lender)
        return await self._store.read(lambda c: tuple(c.execute(query).scalars()), lenders=EVERY_LENDER)

    async def checkpoint_over(self, lender: str, index: int) -> SignedCheckpoint:
        """This function will return the first checkpoint that covers the record. Raises LookupError."""
        query = (
            select(CHECKPOINT.c.lender, CHECKPOINT.c.size, CHECKPOINT.c.root, CHECKPOINT.c.note)
            .where(CHECKPOINT.c.lender == lender, CHECKPOINT.c.size > index)
            .order_by(CHECKPOINT.c.size)
            .limit(1)
        )
        row = await self._store.read(lambda connection: connection.execute(query).first(), lenders=(lender,))
        if row is None:
            raise LookupError(f"no checkpoint of {lender} covers record {index}")
        return SignedCheckpoint(*row)

    async def newest_checkpoint(self, lender: str) -> SignedCheckpoint | None:
        """This function will return the newest checkpoint of that log, None where nothing has been recorded."""
        query = select(CHECKPOINT).where(CHECKPOINT.c.lender == lender).order_by(CHECKPOINT.c.size.desc()).limit(1)
        row = await self._store.read(lambda connection: connection.execute(query).first(), lenders=(lender,))
        return None if row is None else SignedCheckpoint(*row)

    async def leaf_hashes(self, lender: str, start: int, stop: int) -> Sequence[bytes]:
        """This function will return the leaf hashes from `start` up to, and without, `stop`, in order."""
        query = (
            select(LOG_ENTRY.c.leaf_hash)
            .where(LOG_ENTRY.c.lender == lender, LOG_ENTRY.c.index >= start, LOG_ENTRY.c.index < stop)
            .order_by(LOG_ENTRY.c.index)
        )
        return await self._store.read(
            lambda connection: tuple(connection.execute(query).scalars()), lenders=(lender,)
        )

    async def commitments(self, lender: str, uscc: str, group_id: str | None, since: date) -> Sequence[Commitment]:
        """This function will return the open commitments that last to `since` or beyond, or are outstanding."""

        def found(connection: Connection) -> Sequence[Commitment]:
            members = {member for _, member, _ in members_of(connection, [(lender, uscc, group_id)])[0]}
            query = OPEN_COMMITMENTS.where(OFFER.c.uscc.in_({uscc, *members})).order_by(OFFER.c.offer_id)
            rows = connection.execute(query, {"lender": lender, "since": since.isoformat()})
            return tuple(to_commitment(*row) for row in rows)

        return await self._store.read(found, lenders=(lender,))

    async def answered(self, lender: str, idempotency_key: str) -> KeyedAnswer | None:
        """This function will return what the key is bound to, if it is."""
        query = (
            select(DECISION.c.fingerprint, *ANSWER)
            .join_from(DECISION, LOG_ENTRY, RECORDED)
            .where(DECISION.c.lender == lender, DECISION.c.idempotency_key == idempotency_key)
        )

        def found(connection: Connection) -> KeyedAnswer | None:
            row = connection.execute(query).first()
            return KeyedAnswer(row.fingerprint, answer_in(*row[1:])) if row else None

        return await self._store.read(found, lenders=(lender,))

    async def every_decision(
        self, lenders: Sequence[str] | None = None, *, since: datetime | None = None
    ) -> AsyncIterator[StoredDecision]:
        """This function will give every stored decision in log order, a page at a time; `since` leaves out those that
        were recorded before.
        """
        heads = select(LOG_HEAD.c.lender).order_by(LOG_HEAD.c.lender)
        if lenders is not None:
            heads = heads.where(LOG_HEAD.c.lender.in_(lenders))
        allowed = EVERY_LENDER if lenders is None else lenders
        for lender in await self._store.read(lambda c: c.execute(heads).scalars().all(), lenders=allowed):
            terms: dict[str, bytes] = {}
            last = -1 if since is None else await self._last_before(lender, since)
            while page := await self._store.read(
                lambda c, of=lender, seen=last: c.execute(_log_page(of, seen)).all(), lenders=(lender,)
            ):
                await self._look_up({row.terms_digest for row in page} - terms.keys(), terms)
                for decision_id, index, digest, *answer in page:
                    yield to_stored(decision_id, lender, index, terms[digest], *answer)
                last = page[-1][1]

    async def _last_before(self, lender: str, since: datetime) -> int:
        """Within a log no instant is before the one of the leaf before it."""
        before = select(func.max(DECISION.c.index)).where(DECISION.c.lender == lender, DECISION.c.recorded_at < since)
        found = await self._store.read(lambda c: c.execute(before).scalar(), lenders=(lender,))
        return -1 if found is None else found

    async def _look_up(self, digests: Iterable[str], terms: dict[str, bytes]) -> None:
        """A product's terms are stored once and read once, however many decisions were made under them."""
        missing = tuple(digests)
        if missing:
            query = select(TERMS.c.digest, TERMS.c.canonical).where(TERMS.c.digest.in_(missing))
            found = await self._store.read(lambda c: dict(map(tuple, c.execute(query))), lenders=NO_LENDER)
            terms.update(found)


def to_stored(decision_id: str, lender: str, index: int, terms: bytes, record: bytes, *answer: Any) -> StoredDecision:
    return StoredDecision(decision_id, lender, index, answer_in(record, *answer), record, terms)


STORED = (
    select(
        DECISION.c.decision_id, DECISION.c.lender, DECISION.c.index, TERMS.c.canonical, *ANSWER,
    )
    .join_from(DECISION, LOG_ENTRY, RECORDED)
    .join(TERMS, TERMS.c.digest == DECISION.c.terms_digest)
)  # fmt: skip


def _log_page(lender: str, after_index: int) -> Select[Any]:
    return (
        select(DECISION.c.decision_id, LOG_ENTRY.c.index, DECISION.c.terms_digest, *ANSWER)
        .join(DECISION, DECISION.c.decision_id == LOG_ENTRY.c.decision_id)
        .where(LOG_ENTRY.c.lender == lender, LOG_ENTRY.c.index > after_index)
        .order_by(LOG_ENTRY.c.index)
        .limit(_PAGE)
    )


def _listed(asked: DecisionFilter, lender: str, limit: int, after: tuple[datetime, str] | None) -> Select[Any]:
    equal = {name: getattr(asked, name) for name in ("outcome", "zone", "product", "uscc", "application_id")}
    query = (
        select(DECISION.c.recorded_at, DECISION.c.decision_id, *ANSWER)
        .join_from(DECISION, LOG_ENTRY, RECORDED)
        .where(
            DECISION.c.lender == lender,
            *(DECISION.c[name] == value for name, value in equal.items() if value is not None),
        )
    )
    branches = branches_within(asked.lenders, lender)
    if branches is not None:
        query = query.where(DECISION.c.branch.in_(branches))
    if asked.reason is not None:
        query = query.where(DECISION.c.reasons.contains(f"|{asked.reason}|", autoescape=True))
    if asked.decided_from is not None:
        query = query.where(DECISION.c.decided_on >= asked.decided_from)
    if asked.decided_until is not None:
        query = query.where(DECISION.c.decided_on < asked.decided_until)
    if after is not None:
        # The first condition follows from the second, and is there for the index.
        at, decision_id = after
        query = query.where(
            DECISION.c.recorded_at <= at,
            or_(DECISION.c.recorded_at < at, DECISION.c.decision_id < decision_id),
        )
    return query.order_by(DECISION.c.recorded_at.desc(), DECISION.c.decision_id.desc()).limit(limit)


def _position(row: ListedDecision) -> tuple[datetime, str]:
    return row.recorded_at, row.decision_id
