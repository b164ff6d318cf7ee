"""jifendai demo-data: a history for an empty demonstration. jifendai log reindex: the marks of searches, made anew."""

from __future__ import annotations

import argparse
import asyncio

from app.adapters.clock import elapsed_s
from app.adapters.follower import Follower, rebuild
from app.cli.installation import FAULTY, NOT_READY, Refused, its_database, its_settings, say
from app.main import NotEmpty, make_demo_history

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
        outcomes = asyncio.run(make_demo_history(settings, options.decisions, options.seed, progress.told))
    except NotEmpty:
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
