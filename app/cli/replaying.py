"""jifendai replay: recorded decisions, decided again from what was recorded."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Sequence

from app.adapters.database import Database
from app.cli.installation import DONE, FAULTY, Refused, its_database, its_settings, say, show
from app.usecases.ports import StoredDecision
from app.usecases.replay import replay_stored

_TELLS_EVERY = 10_000


def replay_recorded(options: argparse.Namespace) -> int:
    """This function will decide again and show every difference; the exit code is 1 if there is one."""
    return asyncio.run(_replaying(options.id))


async def _replaying(ids: Sequence[str]) -> int:
    settings = its_settings()
    seen = different = 0
    async with its_database(settings) as database:
        found = _named(database, ids, await database.trail.lenders()) if ids else _all(database)
        async for stored in found:
            seen += 1
            different += _differs(stored)
            if seen % _TELLS_EVERY == 0:
                say(f"{seen:,} …")
    say(f"{seen:,} decisions decided again, {different:,} differ. 已重算 {seen:,} 项，{different:,} 项不符")
    return FAULTY if different else DONE


def _differs(stored: StoredDecision) -> bool:
    try:
        differences = replay_stored(stored)
    except ValueError as error:
        show(f"{stored.decision_id}: {error}")
        return True
    for found in differences:
        show(f"{stored.decision_id}{found.pointer}: recorded 记录 {found.recorded}, now 重算 {found.recomputed}")
    return bool(differences)


def _all(database: Database) -> AsyncIterator[StoredDecision]:
    return database.decisions.every_decision()


async def _named(database: Database, ids: Sequence[str], lenders: Sequence[str]) -> AsyncIterator[StoredDecision]:
    for decision_id in ids:
        stored = await database.decisions.find(decision_id, lenders)
        if stored is None:
            raise Refused(FAULTY, f"There is no decision {decision_id}. 没有此决策")
        yield stored
