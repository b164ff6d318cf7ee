"""The end of cases on both databases: what is pruned leaves its leaf hash and its id behind.

Neighbours may rely on this: a removal and its record in the operator's log are one transaction, behind the locks on
both logs' heads; cases are read again behind them, so that what happened meanwhile counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select, update

from app.adapters.clock import utc_now
from app.adapters.database.operator_log import record as record_act
from app.adapters.database.plain_book import locked_heads
from app.adapters.database.search_blocks import unmark
from app.adapters.database.store import EVERY_LENDER, Store
from app.adapters.database.tables import (
    ACT,
    CREDIT_LINE,
    DECISION,
    LOG_ENTRY,
    OFFER,
    POOL_COVER,
    PRUNED_RECORD,
    SCORE_SNAPSHOT,
)
from app.audit.operator_record import OPERATOR, OperatorRecord, operator_records_among, read_operator_record
from app.usecases.days import SHANGHAI, day_in_shanghai
from app.usecases.operator_log import Recording
from app.usecases.retention import Case, CasePage, CaseRecord, Pruning, holds_in

_PAGE = 200


class Retention:
    """The cases of one database."""

    def __init__(self, store: Store, clock: Callable[[], datetime] = utc_now) -> None:
        self._store = store
        self._clock = clock

    async def cases(self, lender: str, after: int, decided_until: date) -> CasePage:
        """This function will return a page of the cases that were decided no later than that day."""

        def found(connection: Connection) -> CasePage:
            query = (
                select(LOG_ENTRY.c.index, DECISION.c.application_id, DECISION.c.decided_on)
                .join(DECISION, DECISION.c.decision_id == LOG_ENTRY.c.decision_id)
                .where(LOG_ENTRY.c.lender == lender, LOG_ENTRY.c.index > after)
                .order_by(LOG_ENTRY.c.index)
                .limit(_PAGE)
            )
            rows = [row for row in connection.execute(query).all() if row.decided_on <= decided_until]
            applications = dict.fromkeys(row.application_id for row in rows)
            last = rows[-1].index if len(rows) == _PAGE else None
            # A case whose first decision stood on an earlier page was on that one.
            cases = [case for case in _read(connection, lender, applications) if case.records[0].index > after]
            return CasePage(tuple(cases), last)

        return await self._store.read(found, lenders=(lender,))

    async def operator_records(self) -> Sequence[OperatorRecord]:
        """This function will return the operator's records, in order."""
        return await self._store.read(_operator_records, lenders=(OPERATOR,))

    async def prune(
        self, cases: Sequence[Case], decide: Pruning, recording: Callable[[dict[str, Any]], Recording]
    ) -> Sequence[Case]:
        """This function will remove those of the cases, all of one lender, that `decide` names."""
        lender = cases[0].lender

        def carried_out(connection: Connection) -> Sequence[Case]:
            locked_heads(connection, tuple(sorted((lender, OPERATOR))))
            again = _read(connection, lender, [case.application_id for case in cases])
            chosen, document = decide(again, _operator_records(connection))
            if chosen:
                made = record_act(connection, recording(document), self._clock)
                _remove(connection, chosen, read_operator_record(made.record).recorded_at)
            return chosen

        return await self._store.write(carried_out, lenders=EVERY_LENDER)


    async def snapshots(self, before: date) -> Mapping[str, int]:
        """This function will count, by lender, the score snapshots that were obtained before that day."""
        query = select(SCORE_SNAPSHOT.c.lender, func.count()).where(_obtained(before)).group_by(SCORE_SNAPSHOT.c.lender)
        return await self._store.read(
            lambda connection: dict(connection.execute(query).all()), lenders=EVERY_LENDER
        )

    async def prune_snapshots(
        self, lender: str, before: date, after: str, recording: Callable[[int], Recording]
    ) -> tuple[int, str | None]:
        """This function will remove the old snapshots of some companies behind the code `after` that no hold names."""
        c = SCORE_SNAPSHOT.c
        its = and_(c.lender == lender, _obtained(before))
        page = select(c.uscc).distinct().where(its, c.uscc > after).order_by(c.uscc).limit(_PAGE)

        def carried_out(connection: Connection) -> tuple[int, str | None]:
            locked_heads(connection, (OPERATOR,))
            companies = list(connection.execute(page).scalars())
            holds = holds_in(_operator_records(connection))
            free = [uscc for uscc in companies if not any(hold.names(uscc) for hold in holds)]
            gone = connection.execute(delete(SCORE_SNAPSHOT).where(its, c.uscc.in_(free))).rowcount if free else 0
            if gone:
                record_act(connection, recording(gone), self._clock)
            return gone, companies[-1] if len(companies) == _PAGE else None

        return await self._store.write(carried_out, lenders=EVERY_LENDER)


def _obtained(before: date) -> ColumnElement[bool]:
    return SCORE_SNAPSHOT.c.obtained_at < datetime.combine(before, time(), SHANGHAI)


def _operator_records(connection: Connection) -> list[OperatorRecord]:
    query = select(LOG_ENTRY.c.record).where(LOG_ENTRY.c.lender == OPERATOR).order_by(LOG_ENTRY.c.index)
    return operator_records_among(bytes(written) for written in connection.execute(query).scalars())


def _read(connection: Connection, lender: str, applications: Iterable[str]) -> tuple[Case, ...]:
    names = list(applications)
    decisions = _grouped(
        connection.execute(
            select(DECISION.c.application_id, DECISION.c.decision_id, DECISION.c.index, DECISION.c.uscc,
                   DECISION.c.decided_on)
            .where(DECISION.c.lender == lender, DECISION.c.application_id.in_(names))
            .order_by(DECISION.c.index)
        )
    )  # fmt: skip
    offers = _grouped(
        connection.execute(
            select(OFFER.c.application_id, OFFER.c.offer_id, OFFER.c.uscc, OFFER.c.counts_until,
                   CREDIT_LINE.c.counts_until, CREDIT_LINE.c.outstanding, POOL_COVER.c.outstanding.label("covered"))
            .join_from(OFFER, CREDIT_LINE, CREDIT_LINE.c.offer_id == OFFER.c.offer_id, isouter=True)
            .join(POOL_COVER, POOL_COVER.c.offer_id == OFFER.c.offer_id, isouter=True)
            .where(OFFER.c.lender == lender, OFFER.c.application_id.in_(names))
        )
    )  # fmt: skip
    subjects = [row[1] for rows in (*decisions.values(), *offers.values()) for row in rows]
    acts = _grouped(
        connection.execute(
            select(ACT.c.subject, ACT.c.record_id, ACT.c.index, ACT.c.recorded_at)
            .where(ACT.c.lender == lender, ACT.c.subject.in_(subjects))
            .order_by(ACT.c.index)
        )
    )
    return tuple(
        _case(lender, name, decisions[name], offers.get(name, []), acts) for name in names if name in decisions
    )


def _case(
    lender: str, application_id: str, decisions: Sequence[Any], offers: Sequence[Any], acts: dict[str, list[Any]]
) -> Case:
    about = [act for row in (*decisions, *offers) for act in acts.get(row[1], ())]
    days = [row.decided_on for row in decisions]
    days += [day for row in offers for day in row[3:5] if day is not None]
    days += [day_in_shanghai(act.recorded_at) for act in about]
    return Case(
        lender=lender,
        application_id=application_id,
        companies=frozenset(row.uscc for row in (*decisions, *offers)),
        records=(
            *(CaseRecord(row.decision_id, row.index, True) for row in decisions),
            *(CaseRecord(act.record_id, act.index, False) for act in about),
        ),
        offers=tuple(row.offer_id for row in offers),
        ended_on=None if any(row.outstanding or row.covered for row in offers) else max(days),
    )


def _grouped(rows: Iterable[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(row)
    return found


def _remove(connection: Connection, cases: Sequence[Case], at: datetime) -> None:
    # What is gone is found and counted by no search any more.
    unmark(connection, cases[0].lender, [record.index for case in cases for record in case.records])
    for case in cases:
        records = {record.record_id: record for record in case.records}
        places = [record.index for record in case.records]
        connection.execute(
            update(LOG_ENTRY)
            .where(LOG_ENTRY.c.lender == case.lender, LOG_ENTRY.c.index.in_(places))
            .values(record=b"")
        )
        connection.execute(
            insert(PRUNED_RECORD),
            [
                {"record_id": name, "lender": case.lender, "index": record.index, "pruned_at": at}
                for name, record in records.items()
            ],
        )
        connection.execute(delete(CREDIT_LINE).where(CREDIT_LINE.c.offer_id.in_(case.offers)))
        connection.execute(delete(OFFER).where(OFFER.c.offer_id.in_(case.offers)))
        connection.execute(delete(ACT).where(ACT.c.record_id.in_(list(records))))
        connection.execute(delete(DECISION).where(DECISION.c.decision_id.in_(case.decisions)))
