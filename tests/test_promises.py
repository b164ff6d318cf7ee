"""R1, R2, R3 and R5 of the promises, short: real services over HTTP, several processes, kill -9.

`Services` starts `jifendai serve` in processes of their own. Each harness is first shown services that break the
promise: two that do not share a book.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import time
from collections.abc import Awaitable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path

import httpx
import pytest

from app.adapters.database import open_database
from app.api.examples import pre_approved
from app.audit.merkle import leaf_hash
from app.usecases.days import day_in_shanghai
from app.usecases.ports import LogEntry
from app.usecases.replay import replay
from tests.applications import changed
from tests.processes import jifendai
from tests.service import demo_settings, running

CAP_USED = "CAP_USED"


class Services:
    """Real processes of the service; `urls` are their addresses."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: dict[str, BaseProcess] = {}
        self._started_with: dict[str, dict[str, str]] = {}
        self._defects: dict[str, str] = {}

    @property
    def urls(self) -> list[str]:
        return list(self._processes)

    def start(self, database_url: str, data: str = "data", defect: str = "") -> str:
        """`defect` is Python that the process runs first: a planted one."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        variables = {
            "JIFENDAI_DEMO": "1",
            "JIFENDAI_PORT": str(port),
            "JIFENDAI_DATA_DIR": str(self._folder / data),
            "JIFENDAI_DATABASE_URL": database_url,
        }
        self._defects[f"http://127.0.0.1:{port}"] = defect
        return self._start(f"http://127.0.0.1:{port}", variables)

    def _start(self, url: str, variables: dict[str, str]) -> str:
        log = self._folder / "service.log"
        self._processes[url] = process = jifendai(["serve"], variables, log, defect=self._defects[url])
        self._started_with[url] = variables
        until = time.monotonic() + 30
        while time.monotonic() < until:
            assert process.is_alive(), log.read_text()[-3000:]
            try:
                if httpx.get(f"{url}/readyz", timeout=2).status_code == 200:
                    return url
            except httpx.TransportError:
                time.sleep(0.02)
        raise AssertionError("the service is not ready after 30 s")

    def kill(self, url: str) -> None:
        self._processes[url].kill()
        self._processes[url].join()

    def start_again(self, url: str) -> None:
        self._start(url, self._started_with[url])

    def stop(self) -> None:
        for url in self._processes:
            self.kill(url)

    def key(self, data: str = "data", name: str = "loan_system") -> str:
        return json.loads((self._folder / data / "demo-keys.json").read_text())[name]


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    started = Services(tmp_path)
    yield started
    started.stop()


def application(number: int, **changes: object) -> dict:
    """An application of a company of its own that is pre-approved for the product's whole cap."""
    document = pre_approved(day_in_shanghai(datetime.now(UTC)))
    return changed(document, application_id=f"P-{number}", company__uscc=uscc(number), **changes)


def uscc(number: int) -> str:
    """A synthetic company code with a valid check digit."""
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    body = f"91999999MB{number:07d}"
    total = sum(alphabet.index(c) * pow(3, i, 31) for i, c in enumerate(body))
    return body + alphabet[-total % 31]


async def ask(client: httpx.AsyncClient, url: str, api_key: str, key: str, document: dict) -> httpx.Response:
    headers = {"Authorization": f"Bearer {api_key}", "Idempotency-Key": key}
    return await client.post(f"{url}/v1/decisions", json=document, headers=headers)


async def all_of(calls: Iterable[Awaitable[httpx.Response]]) -> list[httpx.Response]:
    """What each call came to, in order, 64 at once: a client that keeps thousands waiting is busy with itself."""
    room = asyncio.Semaphore(64)

    async def one(call: Awaitable[httpx.Response]) -> httpx.Response:
        async with room:
            return await call

    return await asyncio.gather(*map(one, calls))


async def duplicates(urls: list[str], api_keys: list[str], keys: int, times: int) -> list[str]:
    """What is wrong after each of `keys` keys was sent `times` times over all the services, many at once."""
    wrong: list[str] = []
    async with httpx.AsyncClient(timeout=60) as client:
        calls = [
            ask(client, urls[n % len(urls)], api_keys[n % len(urls)], f"dup-{k}", application(k))
            for k in range(keys)
            for n in range(times)
        ]
        random.Random(3).shuffle(calls)
        answers = await all_of(calls)
    bodies: dict[str, set[bytes]] = {}
    for answer in answers:
        if answer.status_code != 201:
            wrong.append(f"{answer.status_code}: {answer.text[:200]}")
        else:
            bodies.setdefault(answer.json()["application_id"], set()).add(answer.content)
    wrong += [f"{name} has {len(found)} answers" for name, found in bodies.items() if len(found) != 1]
    return wrong


async def races(urls: list[str], api_keys: list[str], companies: int) -> list[str]:
    """What is wrong after each company asked two services for its whole cap at the same moment."""
    wrong: list[str] = []
    async with httpx.AsyncClient(timeout=60) as client:
        for n in range(companies):
            documents = [changed(application(1_000 + n), application_id=f"R-{n}-{i}") for i in range(2)]
            both = zip(urls, api_keys, documents, strict=True)
            calls = [ask(client, url, key, document["application_id"], document) for url, key, document in both]
            found = [answer.json() for answer in await asyncio.gather(*calls)]
            outcomes = sorted(
                (d["outcome"], tuple(r["code"] for r in d["reasons"] if r["severity"] != "INFO")) for d in found
            )
            if outcomes != [("DECLINED", (CAP_USED,)), ("PRE_APPROVED", ())]:
                wrong.append(f"company {n}: {outcomes}")
    return wrong


async def what_the_book_says(database_url: str) -> list[str]:
    """What is wrong with the log: every record in its place, every root signed over them, every decision the same
    again.
    """
    wrong: list[str] = []
    database = open_database(database_url)
    try:
        # Acts have leaves among the decisions, so that the whole log is walked first.
        leaves: dict[tuple[str, int], bytes] = {}
        for lender, size in await database.trail.sizes():
            entries: list[LogEntry] = []
            while page := await database.trail.entries(lender, entries[-1].index + 1 if entries else 0, size):
                entries += page
            found = [entry.index for entry in entries]
            if found != list(range(size)):
                wrong.append(f"{lender}: the log says {size} and has leaves {found}")
            leaves |= {(lender, entry.index): entry.leaf_hash for entry in entries}
            wrong += [f"{lender}: leaf {e.index} is another's" for e in entries if e.leaf_hash != leaf_hash(e.record)]
        async for stored in database.decisions.every_decision():
            if leaves.get((stored.lender, stored.index)) != leaf_hash(stored.record):
                wrong.append(f"{stored.decision_id}: its record is not leaf {stored.index} of {stored.lender}")
            wrong += [f"{stored.decision_id}: {d}" for d in replay(stored.record, stored.terms)]
            answer = json.loads(stored.answer)
            if answer["audit_record"]["leaf_hash"] != leaf_hash(stored.record).hex():
                wrong.append(f"{stored.decision_id}: the answer names another leaf")
    finally:
        await database.close()
    return wrong


class TestOneKeyOneDecision:
    async def test_is_seen_to_break_where_services_do_not_share_a_book(self, services: Services, tmp_path: Path):
        urls = [services.start(f"sqlite:///{tmp_path}/{name}.db", name) for name in ("one", "two")]

        wrong = await duplicates(urls, [services.key("one"), services.key("two")], keys=2, times=4)

        assert any("has 2 answers" in fault for fault in wrong), wrong

    async def test_holds_for_two_processes_on_one_database(self, services: Services, empty_database_url: str):
        urls = [services.start(empty_database_url) for _ in range(2)]

        assert await duplicates(urls, [services.key()] * 2, keys=8, times=20) == []
        assert await what_the_book_says(empty_database_url) == []


class TestTheCap:
    async def test_is_seen_to_break_where_services_do_not_share_a_book(self, services: Services, tmp_path: Path):
        urls = [services.start(f"sqlite:///{tmp_path}/{name}.db", name) for name in ("one", "two")]

        assert await races(urls, [services.key("one"), services.key("two")], companies=2) != []

    async def test_gives_one_offer_and_one_cap_used_over_two_processes(
        self, services: Services, empty_database_url: str
    ):
        urls = [services.start(empty_database_url) for _ in range(2)]

        assert await races(urls, [services.key()] * 2, companies=8) == []

    async def test_is_free_again_a_week_after_the_offer_expired(self, tmp_path: Path, database_url: str):
        now = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
        clock = [now]
        async with running(demo_settings(tmp_path / "data", database_url), clock=lambda: clock[0]) as service:
            today = day_in_shanghai(now)
            first = await service.decide(changed(pre_approved(today), application_id="E-1"), "e1")
            second = await service.decide(changed(pre_approved(today), application_id="E-2"), "e2")

            clock[0] = now + timedelta(days=90 + 7)
            later = pre_approved(day_in_shanghai(clock[0]))
            third = await service.decide(changed(later, application_id="E-3"), "e3")

        assert [a.json()["outcome"] for a in (first, second, third)] == ["PRE_APPROVED", "DECLINED", "PRE_APPROVED"]
        assert CAP_USED in [r["code"] for r in second.json()["reasons"]]


class TestAKilledService:
    async def test_has_lost_nothing_that_it_acknowledged_and_repeats_nothing(
        self, services: Services, empty_database_url: str
    ):
        url, dice = services.start(empty_database_url), random.Random(11)
        acknowledged: dict[str, bytes] = {}

        async def load(client: httpx.AsyncClient, worker: int, kills: int) -> None:
            for n in range(15):
                key = f"kill-{kills}-{worker}-{n}"
                try:
                    number = kills * 10_000 + worker * 100 + n
                    answer = await ask(client, url, services.key(), key, application(number))
                except httpx.TransportError:
                    return
                if answer.status_code == 201:
                    acknowledged[key] = answer.content

        for kills in range(3):
            async with httpx.AsyncClient(timeout=30) as client:
                workers = [asyncio.create_task(load(client, worker, kills)) for worker in range(6)]
                await asyncio.sleep(dice.uniform(0.1, 0.4))
                services.kill(url)
                await asyncio.gather(*workers)
            services.start_again(url)

        assert len(acknowledged) > 10
        async with httpx.AsyncClient(timeout=30) as client:
            numbers = [[int(part) for part in key.split("-")[1:]] for key in acknowledged]
            asked = [application(kills * 10_000 + worker * 100 + n) for kills, worker, n in numbers]
            calls = [
                ask(client, url, services.key(), key, document)
                for key, document in zip(acknowledged, asked, strict=True)
            ]
            answers = await all_of(calls)
            for (key, body), again in zip(acknowledged.items(), answers, strict=True):
                assert (again.status_code, again.content) == (201, body), key
                assert again.headers["Idempotent-Replayed"] == "true"
        assert await what_the_book_says(empty_database_url) == []
