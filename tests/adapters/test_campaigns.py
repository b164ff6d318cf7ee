"""A campaign that is killed goes on where it was: each company and product is decided once, and none is lost.

The harness is first shown a planted defect: keys that are made anew each time.
"""

import asyncio
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete, update

import app.adapters.campaign_runner as runner
from app.adapters.database import Database, open_database
from app.adapters.database.campaign_tables import CAMPAIGN, CAMPAIGN_RESULT
from app.audit.open_record import open_record
from app.usecases.campaigns import Campaign, submissions_of
from tests.api.test_campaigns import PRODUCT, change, heads_and_rows, made_from_sheet, until
from tests.processes import jifendai
from tests.service import demo_settings, running
from tests.sheets import as_csv

COMPANIES = 600
KILLS, KILLS_SOAK = 1, 100


async def decided(database: Database, campaign: str) -> list[str]:
    """This function will return the company of every decision that the campaign has made, from the records."""
    opened = [open_record(stored.record) async for stored in database.decisions.every_decision(("icbc",))]
    return [one.application.company.uscc for one in opened if one.campaign == campaign]


async def forgotten(database: Database, campaign: str) -> None:
    """This function will leave the campaign as a kill does between its decisions and its progress, at the worst."""

    def written(connection) -> None:
        counts = dict.fromkeys(("done", "pre_approved", "referred", "declined", "pre_approved_limit"), 0)
        own = CAMPAIGN.c.campaign_id == campaign
        connection.execute(delete(CAMPAIGN_RESULT).where(CAMPAIGN_RESULT.c.campaign_id == campaign))
        connection.execute(update(CAMPAIGN).where(own).values(state="RUNNING", **counts))

    await database._store.write(written, lenders=("icbc",))


class TestACampaignWhoseProgressWasLost:
    async def decisions_after_that(self, folder: Path, url: str) -> Counter[str]:
        async with running(demo_settings(folder, url)) as service:
            campaign = await made_from_sheet(service, 40)
            await until(service, campaign, "READY")
            await change(service, campaign, "run")
            await until(service, campaign, "FINISHED")
            async with service.database() as database:
                await forgotten(database, campaign)
            # That it had finished is on the log, and stays; only what was kept of its progress is made again.
            async with asyncio.timeout(30):
                while (await service.get(f"/v1/campaigns/{campaign}")).json()["counts"]["done"] < 40:
                    await asyncio.sleep(0.1)
            async with service.database() as database:
                return Counter(await decided(database, campaign))

    async def test_is_seen_to_decide_twice_where_keys_are_made_anew(
        self, tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
    ):
        dice = random.Random(7)

        def anew(campaign, company):
            return tuple(
                replace(one, idempotency_key=f"{one.idempotency_key} {dice.random()}")
                for one in submissions_of(campaign, company)
            )

        monkeypatch.setattr(runner, "submissions_of", anew)

        counts = await self.decisions_after_that(tmp_path / "data", sqlite_url)

        assert set(counts.values()) == {2}

    async def test_decides_nothing_twice(self, tmp_path: Path, database_url: str):
        counts = await self.decisions_after_that(tmp_path / "data", database_url)

        assert (len(counts), set(counts.values())) == (40, {1})


class TestACampaignThatIsKilled:
    async def after_kills(self, folder: Path, url: str, kills: int) -> tuple[Campaign, Counter[str]]:
        dice = random.Random(7)
        async with running(demo_settings(folder / "data", url)):
            pass
        (folder / "list.csv").write_bytes(as_csv(heads_and_rows(COMPANIES)))
        arguments = (
            "campaign", "run", str(folder / "list.csv"), "--zone", "suzhou-snd", "--product", PRODUCT,
            "--amount", "3000000",
        )  # fmt: skip
        variables = {"JIFENDAI_DEMO": "1", "JIFENDAI_DATA_DIR": str(folder / "data"), "JIFENDAI_DATABASE_URL": url}
        log = folder / "campaign.log"
        database, reached = open_database(url), 0
        try:
            for _ in range(kills):
                process = jifendai(arguments, variables, log)
                while process.is_alive():
                    found = await database.campaigns.listed(("icbc",), limit=1, after=None)
                    if found and found[0].done > reached:
                        await asyncio.sleep(dice.uniform(0, 0.2))
                        break
                    await asyncio.sleep(0.02)
                process.kill()
                process.join()
                (found,) = await database.campaigns.listed(("icbc",), limit=1, after=None)
                reached = found.done
            last = jifendai(arguments, variables, log)
            await asyncio.to_thread(last.join)
            assert last.exitcode == 0, log.read_text()[-3000:]
            (found,) = await database.campaigns.listed(("icbc",), limit=1, after=None)
            return found, Counter(await decided(database, found.campaign_id))
        finally:
            await database.close()

    async def test_goes_on_with_the_same_command_and_decides_each_company_once(
        self, tmp_path: Path, database_url: str
    ):
        campaign, counts = await self.after_kills(tmp_path, database_url, KILLS)

        assert (campaign.state, campaign.done) == ("FINISHED", COMPANIES)
        assert (len(counts), set(counts.values())) == (COMPANIES, {1})

    @pytest.mark.soak
    async def test_does_so_at_full_count(self, tmp_path: Path, database_url: str):
        campaign, counts = await self.after_kills(tmp_path, database_url, KILLS_SOAK)

        assert (campaign.done, len(counts), set(counts.values())) == (COMPANIES, COMPANIES, {1})
