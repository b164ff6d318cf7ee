"""R1 and R2 of the promises for what core banking tells: real services over HTTP, several processes, kill -9.

Each harness is first shown services that break the promise: two that do not share a book.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from app.adapters.database import open_database
from app.api.examples import OFFER_ID
from app.usecases.days import day_in_shanghai
from app.usecases.offers import EVENT_FORMAT
from tests.test_promises import Services, all_of

DRAWN_BEFORE = 5_000_000
SERVICES, KEYS, TIMES, KILLS = 2, 8, 20, 3
SERVICES_SOAK, KEYS_SOAK, TIMES_SOAK, KILLS_SOAK = 3, 200, 50, 200


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """Services of this test, which end with it."""
    started = Services(tmp_path)
    yield started
    started.stop()


def drawdown(yuan: int) -> dict:
    """A drawdown on the demonstration's line that is told apart by its amount."""
    today = day_in_shanghai(datetime.now(UTC))
    names = ("score_vetoed", "judgment_defaulter", "abnormal_operation", "serious_illegal")
    return {
        "event": "DRAWDOWN", "value_on": today.isoformat(), "core_reference": "C", "amount": f"{yuan}.00",
        "matures_on": (today + timedelta(days=100)).isoformat(), "checks": dict.fromkeys(names, False),
    }  # fmt: skip


async def tell(client: httpx.AsyncClient, url: str, api_key: str, key: str, yuan: int) -> httpx.Response:
    headers = {"Authorization": f"Bearer {api_key}", "Idempotency-Key": key}
    return await client.post(f"{url}/v1/offers/{OFFER_ID}/events", json=drawdown(yuan), headers=headers)


async def duplicates(urls: list[str], api_keys: list[str], keys: int, times: int) -> list[str]:
    """What is wrong after each key was sent `times` times over all the services, many at once."""
    async with httpx.AsyncClient(timeout=60) as client:
        calls = [
            tell(client, urls[n % len(urls)], api_keys[n % len(urls)], f"dup-{k}", k + 1)
            for k in range(keys)
            for n in range(times)
        ]
        random.Random(3).shuffle(calls)
        answers = await all_of(calls)
        other = await tell(client, urls[0], api_keys[0], "dup-0", 999)
        standing = await client.get(
            f"{urls[-1]}/v1/offers/{OFFER_ID}", headers={"Authorization": f"Bearer {api_keys[-1]}"}
        )
    wrong = [f"{a.status_code}: {a.text[:200]}" for a in answers if a.status_code != 201]
    bodies: dict[str, set[bytes]] = {}
    for answer in answers:
        if answer.status_code == 201:
            bodies.setdefault(answer.json()["record_id"], set()).add(answer.content)
    if len(bodies) != keys or any(len(found) != 1 for found in bodies.values()):
        wrong.append(f"{keys} keys have {len(bodies)} records with {sum(map(len, bodies.values()))} answers")
    if other.status_code != 422:
        wrong.append(f"another body under a known key: {other.status_code}")
    due = f"{DRAWN_BEFORE + keys * (keys + 1) // 2}.00"
    if standing.json()["disbursed"] != due:
        wrong.append(f"{standing.json()['disbursed']} is disbursed and {due} was told")
    return wrong


async def recorded(database_url: str) -> Counter[str]:
    """The amounts of the drawdowns that stand in the log, each as often as it stands there."""
    database = open_database(database_url)
    try:
        acts = await database.acts.about([OFFER_ID], ("undisclosed",))
    finally:
        await database.close()
    told = [json.loads(act.record)["document"] for act in acts if act.format == EVENT_FORMAT]
    return Counter(document["amount"] for document in told if document["event"] == "DRAWDOWN")


async def faults_after_kills(services: Services, database_url: str, kills: int) -> list[str]:
    """What is wrong after the service was killed so many times at random points while it was told of drawdowns."""
    url, dice = services.start(database_url), random.Random(11)
    acknowledged: dict[int, bytes] = {}
    sent: set[int] = set()

    async def load(client: httpx.AsyncClient, numbers: range) -> None:
        for number in numbers:
            sent.add(number)
            try:
                answer = await tell(client, url, services.key(), f"kill-{number}", number)
            except httpx.TransportError:
                return
            if answer.status_code == 201:
                acknowledged[number] = answer.content

    for kill in range(kills):
        async with httpx.AsyncClient(timeout=30) as client:
            starts = [1 + kill * 60 + worker * 10 for worker in range(6)]
            workers = [asyncio.create_task(load(client, range(at, at + 10))) for at in starts]
            await asyncio.sleep(dice.uniform(0.05, 0.3))
            services.kill(url)
            await asyncio.gather(*workers)
        services.start_again(url)
    wrong: list[str] = []
    async with httpx.AsyncClient(timeout=30) as client:
        for number in sorted(sent):
            again = await tell(client, url, services.key(), f"kill-{number}", number)
            if again.status_code != 201 or acknowledged.get(number, again.content) != again.content:
                wrong.append(f"{number}: {again.status_code} or other bytes than were acknowledged")
    counts = await recorded(database_url)
    wrong += [f"{n} stands {counts[f'{n}.00']} times" for n in sorted(sent) if counts[f"{n}.00"] != 1]
    return wrong if acknowledged else ["nothing was acknowledged"]


class TestOneKeyOneEvent:
    async def test_is_seen_to_break_where_services_do_not_share_a_book(self, services: Services, tmp_path: Path):
        urls = [services.start(f"sqlite:///{tmp_path}/{name}.db", name) for name in ("one", "two")]

        wrong = await duplicates(urls, [services.key("one"), services.key("two")], keys=2, times=4)

        assert wrong

    async def test_holds_for_several_processes_on_one_database(self, services: Services, empty_database_url: str):
        urls = [services.start(empty_database_url) for _ in range(SERVICES)]

        assert await duplicates(urls, [services.key()] * SERVICES, KEYS, TIMES) == []

    @pytest.mark.soak
    async def test_holds_at_full_count(self, services: Services, empty_database_url: str):
        urls = [services.start(empty_database_url) for _ in range(SERVICES_SOAK)]

        assert await duplicates(urls, [services.key()] * SERVICES_SOAK, KEYS_SOAK, TIMES_SOAK) == []


class TestAKilledService:
    async def test_has_lost_no_event_that_it_acknowledged_and_repeats_none(
        self, services: Services, empty_database_url: str
    ):
        assert await faults_after_kills(services, empty_database_url, KILLS) == []

    @pytest.mark.soak
    async def test_has_lost_none_at_full_count(self, services: Services, empty_database_url: str):
        assert await faults_after_kills(services, empty_database_url, KILLS_SOAK) == []
