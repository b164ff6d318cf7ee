"""Campaigns and sheets under kill -9: a real service is killed while it runs a campaign and takes a sheet in, and a
PostgreSQL server while a campaign runs on it.

Each company and product is decided once and none is lost, every row of the sheet is kept once, and the log verifies.
Each harness is first shown a planted defect.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from app.adapters.campaign_runner import CampaignRunner
from app.adapters.database import Database, open_database
from app.adapters.database.campaign_tables import CAMPAIGN, CAMPAIGN_RESULT
from app.adapters.database.tables import DECISION, SCORE_SNAPSHOT
from app.usecases.campaigns import KEY_BEGINS
from app.usecases.obstacles import Obstacle
from app.usecases.ports import CommitUnknown, StoreUnavailable, Submission
from tests.api.test_campaigns import PRODUCT, change, heads_and_rows, made_from_sheet, until
from tests.postgres import PostgresServer
from tests.service import demo_settings, running
from tests.sheets import HEADS, as_csv, company_code
from tests.test_promises import Services, what_the_book_says

COMPANIES, ROWS = 200, 4_000
KILLS_SOAK, SERVER_KILLS, SERVER_KILLS_SOAK = 40, 1, 20
# Keys that are made anew each time, and snapshots whose ids are: whatever is done again is then there twice.
DEFECT = """
import uuid
from dataclasses import replace
import app.adapters.campaign_runner as runner, app.usecases.score_sheets as sheets
asked, taken = runner.submissions_of, sheets._snapshot
runner.submissions_of = lambda *a: tuple(
    replace(one, idempotency_key=f"{one.idempotency_key} {uuid.uuid4()}") for one in asked(*a)
)
sheets._snapshot = lambda *a: replace(taken(*a), snapshot_id=str(uuid.uuid4()))
"""


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """Real processes of the service."""
    started = Services(tmp_path)
    yield started
    started.stop()


# ---- what is left afterwards ----------------------------------------------------------------------------------------


async def what_the_campaign_says(database: Database, campaign: str, companies: int) -> list[str]:
    """This function will say what is wrong with a campaign that has finished: with its decisions, which are found by
    their keys, with its results, and with its counts.
    """
    of_it = DECISION.c.idempotency_key.like(f"{KEY_BEGINS}{campaign} %")
    decisions = select(DECISION.c.uscc, DECISION.c.decision_id, DECISION.c.outcome).where(of_it)
    results = select(CAMPAIGN_RESULT).where(CAMPAIGN_RESULT.c.campaign_id == campaign)
    own = select(CAMPAIGN).where(CAMPAIGN.c.campaign_id == campaign)

    def read(connection: Any) -> tuple[list[Any], list[Any], Any]:
        return connection.execute(decisions).all(), connection.execute(results).all(), connection.execute(own).one()

    made, kept, row = await database._store.read_snapshot(read, lenders=("icbc",))
    counts = Counter(one.uscc for one in made)
    wrong = [f"{uscc} was decided {count} times" for uscc, count in counts.items() if count > 1]
    wrong += [f"{companies - len(counts)} companies were not decided"] if len(counts) != companies else []
    known = {one.decision_id: (one.uscc, one.outcome) for one in made}
    wrong += [
        f"result {one.number} is not the decision of its company" for one in kept
        if known.get(one.decision_id) != (one.uscc, one.outcome)
    ]  # fmt: skip
    wrong += [f"there are {len(kept)} results"] if sorted(one.number for one in kept) != list(range(companies)) else []
    told = Counter(one.outcome for one in kept)
    said = {"PRE_APPROVED": row.pre_approved, "REFERRED": row.referred, "DECLINED": row.declined}
    wrong += [f"it counts {said}, and there are {dict(told)}"] if told != Counter(said) else []
    return wrong + ([] if (row.state, row.done) == ("FINISHED", companies) else [f"it is {row.state}, done {row.done}"])


async def _count(database: Database, query: Any) -> int:
    return await database._store.read(lambda connection: connection.execute(query).scalar() or 0, lenders=("icbc",))


def _decided(campaign: str) -> Any:
    made = DECISION.c.idempotency_key.like(f"{KEY_BEGINS}{campaign} %")
    return select(func.count()).select_from(DECISION).where(made)


_KEPT = select(func.count()).select_from(SCORE_SNAPSHOT).where(SCORE_SNAPSHOT.c.lender == "icbc")


# ---- a service that is killed ---------------------------------------------------------------------------------------


class Bank:
    """A service in a process of its own, and the people who use it."""

    def __init__(self, services: Services, database_url: str, defect: str) -> None:
        self._services, self.sheet = services, as_csv([HEADS, *_scores()])
        self.url = services.start(database_url, defect=defect)
        self._key = services.key(name="loan_officer")

    async def ask(self, method: str, path: str, key: str = "", **more: Any) -> httpx.Response:
        """This function will ask the service, of whatever process."""
        headers = {"Authorization": f"Bearer {self._key}", **({"Idempotency-Key": key} if key else {})}
        kind = {"Content-Type": "text/csv"} if "content" in more else {}
        async with httpx.AsyncClient(timeout=60) as client:
            return await client.request(method, f"{self.url}{path}", headers=headers | kind, **more)

    async def make_campaign(self, key: str) -> str:
        """This function will make a campaign, up to its forecast."""
        query = {"name": key, "zone": "suzhou-snd", "products": PRODUCT, "amount": "3000000", "tenor_months": "12",
                 "purpose": "raw-materials"}  # fmt: skip
        made = await self.ask("POST", "/v1/campaigns/sheets", key, content=as_csv(heads_and_rows(COMPANIES)),
                              params=query)  # fmt: skip
        campaign = made.json()["campaign_id"]
        await self.until(campaign, "READY")
        return campaign

    async def run(self, campaign: str) -> None:
        """This function will run the campaign, or be told again that it was."""
        started = await self.ask("POST", f"/v1/campaigns/{campaign}/run", f"run-{campaign}", json={})
        assert started.status_code == 201, started.text

    async def until(self, campaign: str, state: str) -> None:
        """This function will wait until the campaign is there."""
        async with asyncio.timeout(60):
            while (await self.ask("GET", f"/v1/campaigns/{campaign}")).json()["state"] != state:
                await asyncio.sleep(0.05)

    async def take_sheet(self) -> httpx.Response | None:
        """This function will send the sheet to be taken; None where the service went away meanwhile."""
        asked = {"zone": "suzhou-snd", "lender": "icbc", "trial": "false"}
        try:
            return await self.ask("POST", "/v1/scores/sheets", content=self.sheet, params=asked)
        except httpx.TransportError:
            return None

    async def killed(self) -> None:
        """This function will kill -9 the service, and start it again."""
        await asyncio.to_thread(self._services.kill, self.url)
        await asyncio.to_thread(self._services.start_again, self.url)


def _scores() -> list[tuple[str, str, str, str]]:
    day = heads_and_rows(1)[1][3]
    return [(f"示例{n}", company_code(n), f"{n % 100}.{n // 100:02d}", day) for n in range(1, ROWS + 1)]


async def faults_after_kills(
    services: Services, database_url: str, kills: int, campaigns: int = 1, defect: str = ""
) -> list[str]:
    """This function will kill -9 a service so many times in the middle of a campaign and of a sheet that is taken in at
    the same time, until so many campaigns have finished, and say what is wrong then.
    """
    bank, dice, wrong = Bank(services, database_url, defect), random.Random(11), []
    database = open_database(database_url)
    try:
        before = await _count(database, _KEPT)
        for number in range(campaigns):
            campaign = await bank.make_campaign(f"c{number}")
            for _ in range(kills // campaigns):
                taking = asyncio.create_task(bank.take_sheet())
                await _until_more(database, _KEPT, before + ROWS)
                begun = asyncio.create_task(_until_more(database, _decided(campaign), COMPANIES))
                await bank.run(campaign)
                await begun
                # At a random distance from where both had begun, or had been done before.
                await asyncio.sleep(dice.uniform(0, 0.15))
                await bank.killed()
                await taking
            await bank.until(campaign, "FINISHED")
            wrong += await what_the_campaign_says(database, campaign, COMPANIES)
        told = (await bank.take_sheet()).json()
        kept = await _count(database, _KEPT) - before
        if (told["taken"], told["new"] + told["unchanged"], kept) != (ROWS, ROWS, ROWS):
            wrong.append(f"of {ROWS} rows {kept} are kept; the last answer was {told['taken']}, {told['new']} new")
    finally:
        await database.close()
    return wrong + await what_the_book_says(database_url)


async def _until_more(database: Database, watched: Any, most: int) -> None:
    begun = await _count(database, watched)
    async with asyncio.timeout(30):
        while begun < most and await _count(database, watched) == begun:
            await asyncio.sleep(0.005)


class TestAServiceKilledInTheMiddleOfACampaignAndASheet:
    async def test_is_seen_to_do_things_twice_where_nothing_says_that_they_are_done(
        self, services: Services, tmp_path: Path
    ):
        wrong = await faults_after_kills(services, f"sqlite:///{tmp_path}/one.db", 1, defect=DEFECT)

        assert any("was decided 2 times" in fault for fault in wrong), wrong
        assert any(f"of {ROWS} rows" in fault for fault in wrong), wrong

    async def test_decides_each_company_once_and_keeps_each_row_once(
        self, services: Services, empty_database_url: str
    ):
        assert await faults_after_kills(services, empty_database_url, 1) == []

    @pytest.mark.soak
    @pytest.mark.timeout(7_200)
    async def test_does_so_at_full_count(self, services: Services, empty_database_url: str):
        assert await faults_after_kills(services, empty_database_url, KILLS_SOAK, campaigns=10) == []


# ---- a PostgreSQL server that is killed -----------------------------------------------------------------------------


@asynccontextmanager
async def _campaign_on(server: PostgresServer, folder: Path, url: str) -> AsyncIterator[tuple[Any, str]]:
    async with running(demo_settings(folder / "data", url)) as service:
        campaign = await made_from_sheet(service, COMPANIES, url[-8:])
        await until(service, campaign, "READY")
        await change(service, campaign, "run")
        yield service, campaign


async def faults_after_server_kills(server: PostgresServer, folder: Path, kills: int, number: int = 0) -> list[str]:
    """This function will kill -9 the database under a campaign so many times, and say what is wrong then; each `number`
    has a database and random moments of its own.
    """
    dice, url = random.Random(number), server.create_database(f"campaign_{number}")
    async with _campaign_on(server, folder, url) as (service, campaign):
        for _ in range(kills):
            async with service.database() as database:
                await _until_more(database, _decided(campaign), COMPANIES)
            await asyncio.sleep(dice.uniform(0, 0.02))
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
            await asyncio.sleep(dice.uniform(0, 0.3))
        # The same service goes on by itself.
        async with asyncio.timeout(60):
            while (found := await _stands(service, campaign))["counts"]["done"] < COMPANIES:
                await asyncio.sleep(0.1)
            while found["state"] != "FINISHED":
                found = await _stands(service, campaign)
        async with service.database() as database:
            return await what_the_campaign_says(database, campaign, COMPANIES) + await what_the_book_says(url)


async def _stands(service: Any, campaign: str) -> dict[str, Any]:
    while (answer := await service.get(f"/v1/campaigns/{campaign}")).status_code != 200:
        await asyncio.sleep(0.05)
    return answer.json()


async def _gives_up(self: CampaignRunner, asked: Submission) -> bytes | Obstacle:
    """A planted defect: that the database went away is an answer, a second later."""
    try:
        return (await self._desk.submit(asked)).body
    except (CommitUnknown, StoreUnavailable):
        await asyncio.sleep(1)
        return Obstacle()


class TestAPostgresqlKilledInTheMiddleOfACampaign:
    async def test_is_seen_to_lose_companies_where_its_absence_is_an_answer(
        self, postgres_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(CampaignRunner, "_answer", _gives_up)

        wrong = await faults_after_server_kills(postgres_server, tmp_path, SERVER_KILLS)

        assert any("companies were not decided" in fault for fault in wrong), wrong

    async def test_decides_each_company_once(self, postgres_server: PostgresServer, tmp_path: Path):
        assert await faults_after_server_kills(postgres_server, tmp_path, SERVER_KILLS) == []

    @pytest.mark.soak
    @pytest.mark.timeout(7_200)
    async def test_does_so_at_full_count(self, postgres_server: PostgresServer, tmp_path: Path):
        for number in range(SERVER_KILLS_SOAK // SERVER_KILLS):
            folder = tmp_path / str(number)
            folder.mkdir()
            assert await faults_after_server_kills(postgres_server, folder, SERVER_KILLS, number) == []
