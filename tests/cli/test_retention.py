"""jifendai retention: nothing goes before its time, nothing that is held goes at all, and proofs outlive what goes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from app.adapters.database import open_database
from app.adapters.database.tables import LOG_ENTRY
from app.adapters.signing import LogSigner
from app.api.examples import pre_approved
from app.audit.operator_record import FORMAT
from app.settings import DEMO_LOG_NAME
from app.usecases.days import day_in_shanghai
from tests.api.test_decisions import application
from tests.applications import changed
from tests.cli.conftest import Jifendai, Outcome
from tests.cli.test_export_log import Log
from tests.postgres import as_owner
from tests.service import SEEDED, demo_settings, running
from tests.sheets import HEADS, as_csv
from tests.test_promises import uscc

ORIGIN = f"{DEMO_LOG_NAME}/icbc"
HELD = uscc(7)


@dataclass
class Archive:
    """A demonstration whose log of icbc holds nine records: four of the demonstration, three of one company, and two of
    another; receipts were handed out.
    """

    url: str
    folder: Path
    vkey: str
    jifendai: Jifendai
    monkeypatch: pytest.MonkeyPatch
    receipts: dict[str, str]
    outcomes: list[str]

    def on(self, years: int, days: int = 0) -> None:
        """This function will let commands believe that so much time has passed."""
        now = datetime.now(UTC) + timedelta(days=days)
        self.monkeypatch.setattr("app.cli.retaining.utc_now", lambda: now.replace(year=now.year + years))

    def retention(self, *arguments: str) -> Outcome:
        return self.jifendai("retention", *arguments)

    def verify(self, *more: str) -> Outcome:
        return self.jifendai("verify", "database", "--vkey", self.vkey, "--checkpoint", "kept.txt", *more)

    def get(self, *paths: str) -> list:
        async def ask() -> list:
            async with running(demo_settings(self.folder / "service", self.url)) as service:
                return [await service.get(path, caller="auditor") for path in paths]

        return asyncio.run(ask())


@pytest.fixture
def archive(
    database_url: str, folder: Path, jifendai: Jifendai, monkeypatch: pytest.MonkeyPatch
) -> Archive:
    settings = demo_settings(folder / "service", database_url)
    receipts: dict[str, str] = {}
    outcomes: list[str] = []

    async def history() -> None:
        document = pre_approved(day_in_shanghai(datetime.now(UTC)))
        documents = [application(application_id=f"LOS-{n}") for n in range(3)]
        documents += [changed(document, application_id=f"OTHER-{n}", company__uscc=HELD) for n in range(2)]
        async with running(settings) as service:
            for document in documents:
                place = (await service.decide(document, document["application_id"])).json()
                receipt = await service.get(place["audit_record"]["receipt"])
                receipts[place["decision_id"]] = receipt.text
                outcomes.append(place["outcome"])
            note = await service.get("/v1/logs/icbc/checkpoint", caller="auditor")
            (folder / "kept.txt").write_bytes(note.content)

    asyncio.run(history())
    monkeypatch.setenv("JIFENDAI_DEMO", "1")
    monkeypatch.setenv("JIFENDAI_DATA_DIR", str(folder / "service"))
    monkeypatch.setenv("JIFENDAI_DATABASE_URL", as_owner(database_url))
    vkey = LogSigner.from_file(settings.key_file).verifier_key(ORIGIN)
    return Archive(database_url, folder, vkey, jifendai, monkeypatch, receipts, outcomes)


class TestRetention:
    def test_keeps_a_decline_for_ten_years_and_an_offer_until_ten_years_after_its_last_day(self, archive: Archive):
        archive.on(years=10)
        to_the_day = archive.retention("plan")
        archive.on(years=10, days=1)
        a_day_later, pruned = archive.retention("plan"), archive.retention("prune", "--yes")

        assert "icbc: 0 cases may be pruned 可清除, 0 held 保全, 10 kept" in to_the_day.out
        assert "icbc: 4 cases may be pruned 可清除, 0 held 保全, 6 kept" in a_day_later.out
        assert pruned.code == 0
        statuses = [answer.status_code for answer in archive.get(*map("/v1/decisions/{}".format, archive.receipts))]
        assert statuses == [{"PRE_APPROVED": 200, "DECLINED": 410}[outcome] for outcome in archive.outcomes]
        assert set(statuses) == {200, 410}

    def test_prunes_what_nobody_holds_and_every_proof_still_verifies(self, archive: Archive):
        archive.on(years=11)
        pruned = archive.retention("prune", "--yes")

        found = archive.verify()
        first = next(iter(archive.receipts))
        read, receipt, replayed, listed, offers = archive.get(
            f"/v1/decisions/{first}", f"/v1/decisions/{first}/receipt", f"/v1/decisions/{first}/explanation",
            "/v1/decisions?lender=icbc", "/v1/logs/icbc/consistency?from=3&to=9",
        )  # fmt: skip

        assert pruned.code == 0
        assert (found.code, found.out) == (0, "")
        kept = SEEDED + 5
        said = f"{kept} records 条记录, held to the outside checkpoint of 对照外部检查点 {kept}, 9 of them pruned"
        assert said in found.err
        assert (read.status_code, read.json()["type"]) == (410, "/problems/pruned")
        assert (replayed.status_code, offers.status_code) == (410, 200)
        assert receipt.text == archive.receipts[first]
        assert not {item["decision_id"] for item in listed.json()["items"]} & archive.receipts.keys()

    def test_leaves_an_export_that_is_sound_but_for_the_records_bytes(self, archive: Archive):
        archive.on(years=11)
        archive.retention("prune", "--yes")

        exported = archive.jifendai("export", "log", "icbc", "--to", archive.folder / "out")
        found = archive.jifendai(
            "verify", "export", archive.folder / "out", "--vkey", archive.vkey, "--allow-pruned",
            "--checkpoint", "kept.txt",
        )  # fmt: skip

        assert (exported.code, found.code, found.out) == (0, 0, "")

    def test_prunes_nothing_that_a_hold_names_until_it_is_released(self, archive: Archive):
        held = archive.retention("hold", "--company", HELD, "--reason", "诉讼保全", "--person", "2001")
        one = next(iter(archive.receipts))
        archive.retention("hold", "--decision", one, "--reason", "inspection")
        archive.on(years=11)
        planned = archive.retention("plan")
        archive.retention("prune", "--yes")
        kept = archive.get(*(f"/v1/decisions/{decision}" for decision in archive.receipts))
        sound = archive.verify()
        released = archive.retention("release", held.out.strip(), "--reason", "withdrawn")
        archive.retention("prune", "--yes")
        rest = archive.get(*(f"/v1/decisions/{decision}" for decision in archive.receipts))

        assert "诉讼保全" in planned.out and HELD not in planned.out
        assert "3 held 保全" in planned.out
        assert [answer.status_code for answer in kept] == [200, 410, 410, 200, 200]
        assert (sound.code, released.code) == (0, 0)
        assert [answer.status_code for answer in rest] == [200, 410, 410, 410, 410]
        assert archive.verify().code == 0

    def test_is_on_record_in_the_operator_s_log_without_a_company(self, archive: Archive):
        archive.retention("hold", "--company", HELD, "--reason", "why")
        archive.on(years=11)
        archive.retention("prune", "--yes")

        (records,) = archive.get("/v1/logs/operator/records?limit=100")

        # Acts that belong to no lender, such as a contribution to a pool, stand there too, in a form of their own.
        own = [item["record"] for item in records.json()["items"] if item["record"]["format"] == FORMAT]
        acts = {record["act"]: record["document"] for record in own}
        assert acts["RECORDS_PRUNED"]["years"] == 10
        assert acts["LEGAL_HOLD_PLACED"]["company"].startswith("sha256:")
        assert HELD not in records.text

    def test_prunes_score_snapshots_ten_years_after_they_were_obtained_but_for_a_company_that_is_held(
        self, archive: Archive
    ):
        async def told() -> None:
            async with running(demo_settings(archive.folder / "service", archive.url)) as service:
                day = day_in_shanghai(datetime.now(UTC)).isoformat()
                rows = [(f"示例{n}", uscc(n), "80", day) for n in (1, 2, 7)]
                answer = await service.client.post(
                    "/v1/scores/sheets", content=as_csv([HEADS, *rows]), params={
                        "zone": "suzhou-snd", "lender": "icbc", "trial": "false"},
                    headers=service.bearer() | {"Content-Type": "text/csv"},
                )  # fmt: skip
                assert answer.json()["new"] == 3, answer.text

        async def kept() -> list[str]:
            database = open_database(archive.url)
            try:
                return sorted(await database.score_snapshots.newest("icbc", "suzhou-snd", [uscc(n) for n in (1, 2, 7)]))
            finally:
                await database.close()

        asyncio.run(told())
        archive.retention("hold", "--company", HELD, "--reason", "why")
        archive.on(years=9)
        archive.retention("prune", "--yes")
        before = asyncio.run(kept())
        archive.on(years=11)
        planned, pruned = archive.retention("plan"), archive.retention("prune", "--yes")
        (records,) = archive.get("/v1/logs/operator/records?limit=100")

        assert (len(before), asyncio.run(kept())) == (3, [HELD])
        assert "icbc: 3 score snapshots whose time is over" in planned.out
        assert (pruned.code, "2 score snapshots pruned" in pruned.err) == (0, True)
        (document,) = (
            item["record"]["document"] for item in records.json()["items"]
            if item["record"].get("act") == "SNAPSHOTS_PRUNED"
        )  # fmt: skip
        assert (document["lender"], document["snapshots"], document["years"]) == ("icbc", 2, 10)

    def test_may_only_be_lengthened(self, archive: Archive):
        archive.monkeypatch.setenv("JIFENDAI_RETENTION_YEARS", "9")
        shorter = archive.retention("plan")
        archive.monkeypatch.setenv("JIFENDAI_RETENTION_YEARS", "12")
        archive.on(years=11)
        longer = archive.retention("plan")

        assert shorter.code == 3 and "may only be lengthened" in shorter.err
        assert "icbc: 0 cases may be pruned" in longer.out

    def test_asks_twice_and_refuses_a_hold_that_is_none(self, archive: Archive):
        assert "give --yes" in archive.retention("prune").err
        assert archive.retention("release", "nobody", "--reason", "why").code == 1
        assert archive.retention("hold", "--company", "nonsense", "--reason", "why").code == 1

    def test_is_no_way_to_remove_a_record_unseen(self, archive: Archive):
        Log(archive.url, archive.folder, archive.jifendai).run(
            update(LOG_ENTRY).where(LOG_ENTRY.c.lender == "icbc", LOG_ENTRY.c.index == 5).values(record=b"")
        )

        found = archive.verify()

        assert found.code == 1
        assert "the bytes of record 5 are missing: removed, and no record of pruning names it" in found.out

    def test_is_not_for_the_service_s_own_account(self, archive: Archive):
        if archive.url.startswith("sqlite"):
            return
        archive.monkeypatch.setenv("JIFENDAI_DATABASE_URL", archive.url)
        archive.on(years=11)

        refused = archive.retention("prune", "--yes")

        assert refused.code == 3
        assert "prune under the account that owns the tables" in refused.err
