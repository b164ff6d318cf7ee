"""jifendai retention: what may be removed, what is held back, and the removal itself; each act is on record."""

from __future__ import annotations

import argparse
import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import date
from functools import partial
from typing import Any

from sqlalchemy.exc import ProgrammingError

from app.adapters.clock import utc_now
from app.adapters.database import Database
from app.adapters.identifiers import new_uuid7
from app.audit.operator_record import OPERATOR, OperatorAct, OperatorRecord
from app.cli.installation import FAULTY, NOT_READY, Refused, its_database, its_records, its_settings, say, show, subject
from app.settings import Settings
from app.usecases.days import day_in_shanghai
from app.usecases.operator_log import Recording
from app.usecases.retention import (
    Case,
    Hold,
    hold_document,
    holds_in,
    is_due,
    kept_until,
    lift_document,
    may_be_pruned,
    prune_document,
    snapshots_document,
)

_AT_ONCE = 100
_USCC = re.compile(r"[0-9A-Z]{18}")


def plan(options: argparse.Namespace) -> None:
    """This function will show what may be pruned today, what is held back, and when the next case's time is over."""
    settings = its_settings()
    asyncio.run(_planning(settings, day_in_shanghai(utc_now())))


async def _planning(settings: Settings, on: date) -> None:
    async with its_database(settings) as database:
        holds = holds_in(await database.retention.operator_records())
        for hold in holds:
            show(_line(hold))
        for lender in await _lenders(database):
            counted: Counter[str] = Counter()
            following: date | None = None
            async for case in _cases(database, lender, date.max):
                if not is_due(case, on, settings.retention_years):
                    counted["kept"] += 1
                    if case.ended_on is not None:
                        until = kept_until(case.ended_on, settings.retention_years)
                        following = until if following is None else min(until, following)
                else:
                    counted["due" if may_be_pruned(case, on, settings.retention_years, holds) else "held"] += 1
            show(
                f"{lender}: {counted['due']:,} cases may be pruned 可清除, {counted['held']:,} held 保全, "
                f"{counted['kept']:,} kept 保存" + (f", the next until 最早至 {following}" if following else "")
            )
        for lender, count in (await database.retention.snapshots(_earlier(on, settings.retention_years))).items():
            show(f"{lender}: {count:,} score snapshots whose time is over 保存期满的积分快照")


def prune(options: argparse.Namespace) -> None:
    """This function will remove the cases whose time is over and that nothing holds, each batch with its record."""
    settings = its_settings()
    if not options.yes:
        raise Refused(
            FAULTY,
            "What is pruned cannot be brought back; look at `jifendai retention plan`, and give --yes. "
            "清除不可恢复：请先查看 retention plan，再加 --yes",
        )
    try:
        asyncio.run(_pruning(settings, day_in_shanghai(utc_now())))
    except ProgrammingError as error:
        if "permission denied" not in str(error.orig):
            raise
        raise Refused(
            NOT_READY,
            "This database account may not delete what was recorded, as it should be: prune under the account that "
            "owns the tables. 该数据库账户无权删除记录（理应如此）：请使用表的所有者账户执行清除",
        ) from None


async def _pruning(settings: Settings, on: date) -> None:
    years, records = settings.retention_years, its_records(settings)
    recording = partial(records.recording, OperatorAct.RECORDS_PRUNED, by=subject())
    removed = 0
    async with its_database(settings) as database:
        for lender in await _lenders(database):

            def decide(
                cases: Sequence[Case], operator: Sequence[OperatorRecord], lender: str = lender
            ) -> tuple[Sequence[Case], dict[str, Any]]:
                holds = holds_in(operator)
                chosen = [case for case in cases if may_be_pruned(case, on, years, holds)]
                return chosen, prune_document(lender, chosen, on=on, years=years)

            # Nothing that was decided later can have ended long enough ago.
            async for some in _batches(_cases(database, lender, _earlier(on, years))):
                gone = await database.retention.prune(some, decide, recording)
                removed += len(gone)
                if gone:
                    say(f"{lender}: {removed:,} cases pruned …")
        snapshots = await _pruning_snapshots(database, settings, on)
    say(
        f"{removed:,} cases pruned; their leaf hashes stay, and every proof still verifies. "
        f"已清除 {removed:,} 项，其叶哈希保留，各项证明仍可核验",
        f"{snapshots:,} score snapshots pruned. 已清除积分快照 {snapshots:,} 条",
    )


async def _pruning_snapshots(database: Database, settings: Settings, on: date) -> int:
    years, records = settings.retention_years, its_records(settings)
    before, removed = _earlier(on, years), 0
    for lender in await database.retention.snapshots(before):

        def recording(count: int, lender: str = lender) -> Recording:
            document = snapshots_document(lender, count, before=before, on=on, years=years)
            return records.recording(OperatorAct.SNAPSHOTS_PRUNED, document, by=subject())

        after: str | None = ""
        while after is not None:
            gone, after = await database.retention.prune_snapshots(lender, before, after, recording)
            removed += gone
    return removed


def hold(options: argparse.Namespace) -> None:
    """This function will hold a company's cases, or one decision's, back from pruning."""
    settings, hold_id = its_settings(), new_uuid7()
    if options.company is not None and _USCC.fullmatch(options.company.strip().upper()) is None:
        raise Refused(FAULTY, "--company: the company's code of 18 characters. 统一社会信用代码为 18 位")
    document = hold_document(
        hold_id, company=options.company and options.company.strip().upper(), decision=options.decision,
        reason=options.reason, person=options.person or subject(),
    )  # fmt: skip
    _record(settings, OperatorAct.LEGAL_HOLD_PLACED, document)
    say("Held: nothing of it is pruned until the hold is released. 已保全，解除前不会清除")
    show(hold_id)


def release(options: argparse.Namespace) -> None:
    """This function will lift a hold."""
    settings = its_settings()

    async def standing() -> tuple[Hold, ...]:
        async with its_database(settings) as database:
            return holds_in(await database.retention.operator_records())

    if options.id not in {hold.hold_id for hold in asyncio.run(standing())}:
        raise Refused(FAULTY, "There is no such hold; see `jifendai retention plan`. 没有此保全")
    document = lift_document(options.id, reason=options.reason, person=options.person or subject())
    _record(settings, OperatorAct.LEGAL_HOLD_LIFTED, document)
    say("Released. 已解除")


def _record(settings: Settings, act: OperatorAct, document: dict[str, Any]) -> None:
    recording = its_records(settings).recording(act, document, by=subject())

    async def append() -> None:
        async with its_database(settings) as database:
            await database.operator.append(recording)

    asyncio.run(append())


async def _lenders(database: Database) -> list[str]:
    return [lender for lender in await database.trail.lenders() if lender != OPERATOR]


async def _cases(database: Database, lender: str, decided_until: date) -> AsyncIterator[Case]:
    after: int | None = -1
    while after is not None:
        page = await database.retention.cases(lender, after, decided_until)
        for case in page.cases:
            yield case
        after = page.after


async def _batches(cases: AsyncIterator[Case]) -> AsyncIterator[Sequence[Case]]:
    some: list[Case] = []
    async for case in cases:
        some.append(case)
        if len(some) == _AT_ONCE:
            yield some
            some = []
    if some:
        yield some


def _earlier(on: date, years: int) -> date:
    return date(on.year - years, on.month, min(on.day, 28))


def _line(hold: Hold) -> str:
    of = f"decision 决策 {hold.decision}" if hold.decision else "a company 企业"
    return f"{hold.hold_id}  {of}  since 自 {hold.placed_at}  by 提出人 {hold.person}: {hold.reason}"
