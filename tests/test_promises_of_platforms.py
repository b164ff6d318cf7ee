"""Bad platforms and kill -9 together: real services whose platforms answer, hang and lie while they are killed.

What was acknowledged stands and is repeated, no key is decided twice, every record's snapshot is kept, and every
decision gives the same bytes again, though no platform is asked.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from sqlalchemy import select

from app.adapters.database import open_database
from app.adapters.database.store import EVERY_LENDER
from app.adapters.database.tables import DECISION, SCORE_SNAPSHOT
from app.adapters.platform_simulator import FAULTY, FREE
from tests.bad_platforms import application, company_codes
from tests.test_promises import Services, all_of, ask, what_the_book_says

COMPANIES = [FREE["suzhou-snd"], *FAULTY]


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """Real processes of the service."""
    started = Services(tmp_path)
    yield started
    started.stop()


def document_of(key: str) -> dict[str, Any]:
    """This function will return the application that is always sent under the key."""
    number = int(key.rpartition("-")[2])
    strangers = company_codes()
    company = COMPANIES[number % len(COMPANIES)] if number % 3 else next(strangers)
    return application(company, key)


async def snapshots_missing(database_url: str) -> list[str]:
    """This function will return the decisions whose snapshot is not kept, and the keys that were decided twice."""
    database = open_database(database_url)
    try:
        kept = await database._store.read(
            lambda connection: set(connection.execute(select(SCORE_SNAPSHOT.c.snapshot_id)).scalars()),
            lenders=EVERY_LENDER,
        )
        keys = await database._store.read(
            lambda connection: list(connection.execute(select(DECISION.c.idempotency_key)).scalars()),
            lenders=EVERY_LENDER,
        )
        used = {
            stored.decision_id: (orjson.loads(stored.record).get("snapshot") or {}).get("id")
            async for stored in database.decisions.every_decision()
        }
    finally:
        await database.close()
    assert any(used.values()), "no decision was made on a score that was fetched"
    twice = [key for key, count in Counter(keys).items() if count > 1]
    return twice + [decision for decision, snapshot in used.items() if snapshot is not None and snapshot not in kept]


async def faults_after_kills(services: Services, database_url: str, kills: int) -> list[str]:
    """This function will kill -9 a service so many times while it asks platforms, send every key again after each, and
    say what is wrong then.
    """
    url, dice = services.start(database_url), random.Random(9)
    acknowledged: dict[str, bytes] = {}
    sent: list[str] = []

    async def again_of(client: httpx.AsyncClient, key: str) -> httpx.Response:
        while True:
            answer = await ask(client, url, services.key(), key, document_of(key))
            if answer.status_code != 503:
                return answer
            # So many at once may find the desk full: whoever is told when to come again, comes again.
            await asyncio.sleep(int(answer.headers["Retry-After"]))

    async def load(client: httpx.AsyncClient, worker: int, kill: int) -> None:
        for n in range(6):
            key = f"asked-{kill}-{worker * 6 + n}"
            sent.append(key)
            try:
                answer = await ask(client, url, services.key(), key, document_of(key))
            except httpx.TransportError:
                return
            assert answer.status_code == 201, answer.text
            acknowledged[key] = answer.content

    for kill in range(kills):
        async with httpx.AsyncClient(timeout=30) as client:
            workers = [asyncio.create_task(load(client, worker, kill)) for worker in range(6)]
            await asyncio.sleep(dice.uniform(0.4, 0.7))
            services.kill(url)
            await asyncio.gather(*workers)
        services.start_again(url)
        async with httpx.AsyncClient(timeout=30) as client:
            for key, again in zip(sent, await all_of(again_of(client, key) for key in sent), strict=True):
                if again.status_code != 201 or acknowledged.setdefault(key, again.content) != again.content:
                    return [f"{key} was answered otherwise: {again.status_code} {again.text[:200]}"]
    return await snapshots_missing(database_url) + await what_the_book_says(database_url)


class TestAServiceKilledWhileItAsks:
    async def test_loses_and_repeats_nothing_and_keeps_every_snapshot_that_it_decided_by(
        self, services: Services, empty_postgres_url: str
    ):
        assert await faults_after_kills(services, empty_postgres_url, 1) == []

    @pytest.mark.soak
    @pytest.mark.timeout(7_200)
    async def test_does_so_under_full_count_on_both_databases(self, services: Services, empty_database_url: str):
        assert await faults_after_kills(services, empty_database_url, 40) == []
