"""Searches at 1,000,000 decisions, side by side with 50 primary-key reads of the same decisions, on both databases.

The databases are made by `jifendai demo-data`, or named with `--database`, where such a history lies already. Every
search answers its first page of 50 as the service does, its rows included; nothing else runs meanwhile.
"""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from statistics import median
from time import perf_counter

from sqlalchemy import Connection, bindparam, select

from app.adapters.database import Database, open_database
from app.adapters.database.store import EVERY_LENDER
from app.adapters.database.tables import ANSWER, DECISION, LOG_ENTRY, LOG_HEAD, RECORDED
from app.usecases.ports import answer_in
from app.usecases.search import FoundRow, Range, Search, Sort
from app.usecases.statistics import Dimension
from benchmarks import servers
from benchmarks.report import Line, Section, at_most

_DECISIONS, _PAGE, _GOAL = 1_000_000, 50, 3.0
_BY_ID = select(*ANSWER).join_from(DECISION, LOG_ENTRY, RECORDED).where(DECISION.c.decision_id == bindparam("id"))

_Timed = Callable[[], Awaitable[object]]


def measure(*, quick: bool, databases: Sequence[str] = ()) -> list[Section]:
    """This function will make the histories unless they are named, and measure each. Raises what any of it raises."""
    rounds, decisions = (2, 600) if quick else (21, _DECISIONS)
    with ExitStack() as stack:
        if not databases:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jfd-bench-")))
            server = stack.enter_context(servers.postgres(segments=2 if quick else 120))
            server.create_database("history", migrated=False)
            databases = (f"sqlite:///{folder}/sqlite/jifendai.db", server.url("history"))
            folders = (folder / "sqlite", folder / "postgresql")
            made = [_history(where, url, decisions) for where, url in zip(folders, databases, strict=True)]
            for process in made:
                if process.wait() != 0:
                    raise RuntimeError(f"jifendai demo-data ended with {process.returncode}")
            servers.settle(server)
        return [asyncio.run(_measured(url, rounds)) for url in databases]


def _history(folder: Path, url: str, decisions: int) -> subprocess.Popen[bytes]:
    environment = os.environ | {
        "JIFENDAI_DEMO": "1", "JIFENDAI_DATA_DIR": str(folder), "JIFENDAI_DATABASE_URL": url,
    }  # fmt: skip
    command = [str(Path(sys.executable).parent / "jifendai"), "demo-data", "--decisions", str(decisions)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


async def _measured(url: str, rounds: int) -> Section:
    database = open_database(url)
    try:
        lenders, size = await _lenders(database)
        page = await database.search.page(Search(lenders), sort=Sort.NEWEST, limit=_PAGE, position=None)
        everyday = await _everyday(database, lenders)
        others = _others(lenders)
        found = await _in_rounds(database, {**everyday, **others}, page.rows, rounds)
        reads = found.pop("")
        lines = [Line("50 primary-key reads of the same decisions, in one transaction", f"{median(reads):.1f} ms")]
        for name in everyday:
            ratio = median(a / b for a, b in zip(found[name], reads, strict=True))
            line = at_most(name, ratio, _GOAL)
            lines.append(Line(line.what, f"{line.figure} ({median(found[name]):.1f} ms)", line.goal, line.reached))
        lines += [Line(name, f"{median(found[name]):,.0f} ms") for name in others]
        lines += [Line(name, f"{await _once(call):,.0f} ms") for name, call in _counting(database, lenders).items()]
    finally:
        await database.close()
    kind = "SQLite" if url.startswith("sqlite") else "PostgreSQL"
    title = f"Searches over {size:,} decisions of {len(lenders)} lenders on {kind}, first page of 50"
    return Section(title, tuple(lines))


async def _lenders(database: Database) -> tuple[tuple[str, ...], int]:
    query = select(LOG_HEAD.c.lender, LOG_HEAD.c.size).where(LOG_HEAD.c.lender != "operator")
    heads = await database._store.read(lambda c: c.execute(query).all(), lenders=EVERY_LENDER)
    return tuple(sorted(lender for lender, _ in heads)), sum(size for _, size in heads)


async def _everyday(database: Database, lenders: tuple[str, ...]) -> dict[str, Search]:
    """The six everyday searches; of codes the commonest and one that hardly ever occurs."""
    draw = random.Random(7)

    def some(connection: Connection) -> Sequence[tuple[str, str, object]]:
        columns = (DECISION.c.uscc, DECISION.c.application_id, DECISION.c.recorded_at)
        rows = connection.execute(select(*columns).where(DECISION.c.lender == "icbc").limit(5_000)).all()
        return draw.sample(rows, 20)

    rows = await database._store.read(some, lenders=EVERY_LENDER)
    company, application, at = rows[0]
    return {
        "time: a day": Search(lenders, recorded_from=at, recorded_until=at + timedelta(days=1)),
        "time: the newest": Search(lenders),
        "company": Search(lenders, uscc=company),
        "application": Search(lenders, application_id=application),
        "product": Search(lenders, product="icbc/suzhou-innovation-points-loan"),
        "product of a lender with few": Search(lenders, product="cib/kunshan-technology-flow"),
        "outcome": Search(lenders, outcome="DECLINED"),
        "reason": Search(lenders, reason="PAST_DUE"),
        "reason that is rare": Search(lenders, reason="PURPOSE_NOT_ALLOWED"),
        "reason that never occurs": Search(lenders, reason="PRODUCT_PLANNED"),
    }


def _others(lenders: tuple[str, ...]) -> dict[str, tuple[Search, Sort]]:
    return {
        "zone, stage, outcome and reason together": (
            Search(lenders, zone="zhongkai", stage="growth", outcome="DECLINED", reason="PAST_DUE"), Sort.NEWEST,
        ),
        "score from 90, limit from 9 million": (
            Search(lenders, score=Range(90_000_000, None), credit_limit=Range(900_000_000, None)), Sort.NEWEST,
        ),
        "an assumption, the greatest score first": (
            Search(lenders, assumption="gates.minimum_score"), Sort.SCORE,
        ),
    }  # fmt: skip


def _counting(database: Database, lenders: tuple[str, ...]) -> dict[str, _Timed]:
    asked = Search(lenders, reason="PAST_DUE")
    return {
        "exact count of a reason, with its page, once": lambda: database.search.page(
            asked, sort=Sort.NEWEST, limit=_PAGE, position=None, counted=True
        ),
        "statistics of everything by month and zone, once": lambda: database.statistics.of(
            Search(lenders), (Dimension.MONTH, Dimension.ZONE)
        ),
    }


async def _in_rounds(
    database: Database, searches: dict[str, Search | tuple[Search, Sort]], rows: Sequence[FoundRow], rounds: int
) -> dict[str, list[float]]:
    """Milliseconds of each search, and under the empty name of the primary-key reads, a figure a round."""

    def by_id(connection: Connection) -> int:
        return sum(len(answer_in(*connection.execute(_BY_ID, {"id": row.decision_id}).one())) for row in rows)

    calls: dict[str, _Timed] = {"": lambda: database._store.read(by_id, lenders=EVERY_LENDER)}
    for name, asked in searches.items():
        search, sort = asked if isinstance(asked, tuple) else (asked, Sort.NEWEST)
        calls[name] = lambda search=search, sort=sort: database.search.page(
            search, sort=sort, limit=_PAGE, position=None
        )
    found: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        # Statements that were never prepared, and what the disk still holds, are not what is compared.
        await call()
    for number in range(rounds):
        names = list(calls)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            found[name].append(await _once(calls[name]))
    return found


async def _once(call: _Timed) -> float:
    began = perf_counter()
    await call()
    return (perf_counter() - began) * 1_000
