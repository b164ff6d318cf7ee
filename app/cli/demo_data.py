"""jifendai demo-data: a history for an empty demonstration. jifendai log reindex: the marks of searches, made anew."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from app.adapters.clock import elapsed_s, utc_now
from app.adapters.database import Database, open_database
from app.adapters.demo import decide_case, demo_keys, seeded_cases
from app.adapters.demo_history import Plan, SimulatedClock, make_history, make_previews
from app.adapters.identifiers import new_uuid7
from app.adapters.search_follower import Follower, rebuild
from app.adapters.signing import LogSigner
from app.api.sign_in import new_key
from app.cli.installation import FAULTY, NOT_READY, Refused, its_database, its_settings, say
from app.main import Clock, activate_demo, knows_cases, load_catalogue, prepare_demo
from app.settings import Settings
from app.usecases.days import day_in_shanghai
from app.usecases.room import Room

_TELLS_EVERY_S = 2.0


def demo_data(options: argparse.Namespace) -> None:
    """This function will fill the demonstration's empty database."""
    settings = its_settings()
    if not settings.demo:
        raise Refused(
            NOT_READY,
            "A history is made for demonstrations only: set JIFENDAI_DEMO=1, and JIFENDAI_DATA_DIR to a folder of its "
            "own. 仅可在演示环境中生成历史数据",
        )
    progress = _Progress(options.decisions)
    try:
        outcomes = asyncio.run(_make_history(settings, options.decisions, options.seed, progress.told))
    except _NotEmpty:
        raise Refused(
            FAULTY,
            "The database holds decisions already, and a history must come before all of them: name an empty folder, "
            "such as JIFENDAI_DATA_DIR=var-history. 数据库中已有决策，请另选空目录",
        ) from None
    told = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(outcomes.items()))
    say(f"{options.decisions:,} decisions in {progress.seconds:,.0f} s: {told}. 历史数据已生成")


class _Progress:
    """Tells how far it is every few seconds."""

    def __init__(self, of: int) -> None:
        self._of = of
        self._done = 0
        self._began = self._told = elapsed_s()

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return elapsed_s() - self._began

    def told(self, more: int) -> None:
        """This function will count what is done."""
        self._done += more
        if elapsed_s() - self._told >= _TELLS_EVERY_S:
            self._told = elapsed_s()
            say(f"{self._done:,} / {self._of:,}  {self._done / self.seconds:,.0f}/s …")


class _NotEmpty(Exception):
    """The database holds decisions, and a history must come before all of them."""


async def _make_history(
    settings: Settings, decisions: int, drawn_from: int, told: Callable[[int], None]
) -> dict[str, int]:
    """This function will fill an empty demonstration with a history that ends yesterday, and with the seeded cases; it
    returns how many decisions came out as what. Raises _NotEmpty.
    """
    await prepare_demo(settings)
    plan, room = Plan(decisions, drawn_from, utc_now()), _demo_room(settings)
    clock = SimulatedClock(plan.begins)
    async with _opened(settings, clock) as database:
        async for _ in database.decisions.every_decision():
            raise _NotEmpty
        records = await activate_demo(database, room)
        outcomes = await make_history(
            plan, clock, database.book, room, told, Follower(database.blocks).catch_up
        )
        companies = min(2_000, 3 + decisions // 500)
        readers = (database.decisions, database.previews, database.pools, database.budgets)
        await make_previews(plan, companies, room.catalogue, *readers, new_uuid7)
    async with _opened(settings, None) as database:
        await demo_keys(database.keys, settings.demo_keys_file, partial(new_key, now=utc_now()), records)
        today = day_in_shanghai(utc_now())
        for case in seeded_cases(today) if knows_cases(room, today) else ():
            await decide_case(case, database.book, room)
        await Follower(database.blocks).catch_up()
    return outcomes


def _demo_room(settings: Settings) -> Room:
    signer = LogSigner.from_file(settings.key_file, settings.previous_signing_key_file)
    return Room(load_catalogue(settings), new_uuid7, signer, settings.log_name)


@asynccontextmanager
async def _opened(settings: Settings, clock: Clock | None) -> AsyncIterator[Database]:
    database = open_database(settings.database_url, clock=clock)
    try:
        await database.start()
        yield database
    finally:
        await database.close()


def reindex(options: argparse.Namespace) -> None:
    """This function will make every mark anew from the log, and say how many blocks were not what they should be."""
    asyncio.run(_reindexing())


async def _reindexing() -> None:
    told = elapsed_s()

    def tell(lender: str, block: int) -> None:
        nonlocal told
        if elapsed_s() - told >= _TELLS_EVERY_S:
            told = elapsed_s()
            say(f"{lender}: {block + 1:,} …")

    async with its_database(its_settings()) as database:
        follower = Follower(database.blocks)
        seen, differed = await rebuild(follower, database.blocks, tell)
        made = await follower.catch_up()
    say(
        f"{seen:,} blocks made again, {differed:,} differed; {made:,} new. "
        f"已重建 {seen:,} 块，{differed:,} 块不符并已更正；新增 {made:,} 块"
    )
