"""Decisions on a score that is fetched from the zone's platform, over HTTP and on both databases."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from app.adapters.platform_simulator import FAULTY, FREE, Fault
from app.adapters.platforms import Platforms
from app.domain.company import SourceKind
from app.domain.platform import ScorePlatform
from app.usecases import platforms as lookups
from app.usecases.platforms import Answered
from tests.bad_platforms import Asked, application, asked_service, faults_of, snapshots_used, today
from tests.service import Service, begun, demo_settings, running
from tests.sheets import HEADS, as_csv

COMPANY = FREE["suzhou-snd"]


PATIENT_MS = 5_000
"""A deadline that a sound platform keeps on a busy machine, too."""


async def told_by_a_sheet(service: Service, days_old: int, *, lender: str = "icbc", score: str = "80") -> None:
    """A sheet tells a lender the company's score of so many days ago."""
    day = (today() - timedelta(days=days_old)).isoformat()
    heads, row = (*HEADS, "成长阶段", "积分版本"), ("示例公司", COMPANY, score, day, "初创期", "2025")
    answer = await service.client.post(
        "/v1/scores/sheets", content=as_csv([heads, row]),
        headers=service.bearer() | {"Content-Type": "text/csv"},
        params={"zone": "suzhou-snd", "lender": lender, "trial": "false"},
    )  # fmt: skip
    assert answer.json()["new"] == 1, answer.text


async def shelf_reasons(service: Service) -> dict[str, set[str]]:
    """What each lender's product on the company's shelf says of the score that it was previewed on."""
    document = application(COMPANY, "A")
    del document["product"]
    answer = await service.client.post("/v1/decisions/preview", json=document, headers=service.bearer())
    return {
        item["product"]["lender"]["id"]: {r["code"] for r in item["reasons"] if r["code"].startswith("SCORE_")}
        for item in answer.json()["items"]
    }


@pytest.fixture
async def asked(tmp_path: Path, database_url: str) -> AsyncIterator[Asked]:
    """A service and its platform, on each kind of database."""
    async with asked_service(tmp_path, database_url, PATIENT_MS) as found:
        yield found


@pytest.fixture
async def embedded_asked(tmp_path: Path, sqlite_url: str) -> AsyncIterator[Asked]:
    """The same on the embedded database, for what no database can change."""
    async with asked_service(tmp_path, sqlite_url, PATIENT_MS) as found:
        yield found


class TestADecisionWithoutAScore:
    async def test_is_made_on_the_platform_s_and_replays_to_the_same_bytes(self, asked: Asked):
        answer = await asked.service.decide(application(COMPANY, "A"), "k")

        decision = answer.json()
        assert (answer.status_code, decision["outcome"]) == (201, "PRE_APPROVED")
        replayed = await asked.service.client.post(
            f"/v1/decisions/{decision['decision_id']}/replay", headers=asked.service.bearer("auditor")
        )
        assert replayed.json()["result"] == "IDENTICAL"

    async def test_keeps_the_snapshot_with_its_source_and_both_times(self, asked: Asked):
        await asked.service.decide(application(COMPANY, "A"), "k")

        async with asked.service.database() as database:
            (kept,) = (await database.score_snapshots.newest("icbc", "suzhou-snd", [COMPANY])).values()
            (stored,) = [
                one async for one in database.decisions.every_decision() if snapshots_used(one.record) is not None
            ]
        assert kept.score.source.kind is SourceKind.PLATFORM_QUERY
        assert kept.score.source.reference == "SIM"
        assert kept.score.source.obtained_at == kept.obtained_at
        assert kept.observed_on == kept.score.as_of
        assert snapshots_used(stored.record)["id"] == kept.snapshot_id

    async def test_asks_nobody_for_a_key_that_is_answered(self, asked: Asked):
        first = await asked.service.decide(application(COMPANY, "A"), "k")
        asked.simulator.faults["*"] = Fault.HANG
        before = asked.simulator.asked

        again = await asked.service.decide(application(COMPANY, "A"), "k")
        other = await asked.service.decide(application(COMPANY, "B"), "k")

        assert again.content == first.content and again.headers["Idempotent-Replayed"] == "true"
        assert other.status_code == 422
        assert asked.simulator.asked == before

    async def test_of_one_key_sent_twenty_times_at_once_is_one(self, asked: Asked):
        answers = await asyncio.gather(*(asked.service.decide(application(COMPANY, "A"), "k") for _ in range(20)))

        assert {answer.content for answer in answers} == {answers[0].content}

    async def test_asks_nobody_without_the_company_s_authorisation(self, embedded_asked: Asked):
        document = application(COMPANY, "A")
        del document["authorisation"]

        decision = (await embedded_asked.service.decide(document, "k")).json()

        assert {"AUTHORISATION_MISSING", "SCORE_MISSING"} <= {reason["code"] for reason in decision["reasons"]}
        assert embedded_asked.simulator.asked == 0

    @pytest.mark.parametrize(
        ("change", "status"),
        [({"product": "nobody/nothing"}, 422), ({"product": "icbc/nothing"}, 422)],
    )
    async def test_asks_nobody_for_what_cannot_be_decided(
        self, embedded_asked: Asked, change: dict[str, str], status: int
    ):
        answer = await embedded_asked.service.decide(application(COMPANY, "A") | change, "k")

        assert (answer.status_code, embedded_asked.simulator.asked) == (status, 0)

    async def test_with_a_score_of_its_own_asks_nobody(self, embedded_asked: Asked):
        document = application(COMPANY, "A") | {
            "innovation_score": {"scheme": "suzhou-snd", "state": "NOT_SCORED"}
        }

        assert (await embedded_asked.service.decide(document, "k")).json()["outcome"] == "REFERRED"
        assert embedded_asked.simulator.asked == 0

    async def test_is_listed_and_exported_under_the_score_that_was_fetched(self, embedded_asked: Asked):
        await embedded_asked.service.decide(application(COMPANY, "A"), "k")

        found = await embedded_asked.service.get(f"/v1/decisions?uscc={COMPANY}&score_min=68.55&score_max=68.55")

        assert [row["application_id"] for row in found.json()["items"]] == ["A"]


class TestADecisionInAZoneWithoutAPlatform:
    @pytest.fixture
    async def service(self, tmp_path: Path, database_url: str) -> AsyncIterator[Service]:
        """A service that asks nobody, on each kind of database."""
        (tmp_path / "platforms").mkdir()
        settings = demo_settings(tmp_path / "data", database_url, PLATFORMS_DIR=str(tmp_path / "platforms"))
        async with running(settings) as found:
            yield found

    async def test_is_made_on_the_newest_score_that_a_sheet_has_brought_and_says_so(self, service: Service):
        await told_by_a_sheet(service, 20)
        decision = (await service.decide(application(COMPANY, "A"), "k")).json()
        replayed = await service.client.post(
            f"/v1/decisions/{decision['decision_id']}/replay", headers=service.bearer("auditor")
        )
        async with service.database() as database:
            (kept,) = (await database.score_snapshots.newest("icbc", "suzhou-snd", [COMPANY])).values()
            stored = await database.decisions.find(decision["decision_id"], ("icbc",))

        assert (decision["outcome"], "SCORE_KEPT" in [r["code"] for r in decision["reasons"]]) == ("PRE_APPROVED", True)
        used = snapshots_used(stored.record)
        assert (used["answer"], used["id"], kept.score.source.kind) == ("KEPT", kept.snapshot_id, "SCORE_SHEET")
        assert replayed.json()["result"] == "IDENTICAL"

    async def test_refers_where_it_is_too_old_or_nothing_is_kept(self, service: Service):
        await told_by_a_sheet(service, 1_100)
        found = [
            (await service.decide(application(company, company), company)).json()
            for company in (COMPANY, FREE["fuxin"])
        ]

        assert [decision["outcome"] for decision in found] == ["REFERRED"] * 2
        codes = [{r["code"] for r in decision["reasons"] if r["code"].startswith("SCORE_")} for decision in found]
        assert codes == [{"SCORE_STALE", "SCORE_MISSING"}, {"SCORE_MISSING"}]

    async def test_is_previewed_on_it_too(self, service: Service):
        await told_by_a_sheet(service, 20)
        await service.add_key("icbc", "loan_officer", "icbc")
        document = application(COMPANY, "A")
        del document["product"]
        found = await service.client.post("/v1/decisions/preview", json=document, headers=service.bearer("icbc"))

        assert found.json()["items"][0]["outcome"] == "PRE_APPROVED"

    async def test_is_previewed_for_each_lender_on_what_that_lender_was_told(self, service: Service):
        await told_by_a_sheet(service, 1_100, lender="icbc")
        await told_by_a_sheet(service, 20, lender="nbcb")

        found = await shelf_reasons(service)

        assert found == {
            "icbc": {"SCORE_STALE", "SCORE_MISSING"}, "nbcb": {"SCORE_KEPT"}, "undisclosed": {"SCORE_MISSING"}
        }  # fmt: skip


class TestAPreviewWithoutAScore:
    async def test_shows_what_the_platform_s_would_bring(self, embedded_asked: Asked):
        document = application(COMPANY, "A")
        del document["product"]

        found = await embedded_asked.service.client.post(
            "/v1/decisions/preview", json=document, headers=embedded_asked.service.bearer()
        )

        assert found.json()["items"][0]["outcome"] == "PRE_APPROVED"
        assert embedded_asked.simulator.asked == 1

    async def test_asks_once_for_all_lenders_and_holds_the_answer_against_each_one_s_own(self, asked: Asked):
        await told_by_a_sheet(asked.service, 20, lender="nbcb", score="1")

        found = await shelf_reasons(asked.service)

        assert found == {"icbc": set(), "nbcb": {"SCORE_INVALID"}, "undisclosed": set()}
        assert asked.simulator.asked == 1
        async with asked.service.database() as database:
            kept = {
                lender: (await database.score_snapshots.newest(lender, "suzhou-snd", [COMPANY])).get(COMPANY)
                for lender in found
            }
        assert {lender: one.score.source.kind for lender, one in kept.items()} == {
            "icbc": SourceKind.PLATFORM_QUERY, "nbcb": SourceKind.SCORE_SHEET, "undisclosed": SourceKind.PLATFORM_QUERY,
        }  # fmt: skip

    async def test_on_another_day_asks_nobody(self, embedded_asked: Asked):
        document = application(COMPANY, "A") | {"on": "2026-01-05"}
        document["authorisation"]["granted_on"] = "2026-01-01"

        await embedded_asked.service.client.post(
            "/v1/decisions/preview", json=document, headers=embedded_asked.service.bearer()
        )

        assert embedded_asked.simulator.asked == 0


class TestBadPlatforms:
    @pytest.fixture
    async def asked(self, tmp_path: Path, database_url: str) -> AsyncIterator[Asked]:
        """The same with a short deadline."""
        async with asked_service(tmp_path, database_url) as found:
            yield found

    @pytest.fixture
    async def embedded_asked(self, tmp_path: Path, sqlite_url: str) -> AsyncIterator[Asked]:
        """The same with a short deadline, on the embedded database."""
        async with asked_service(tmp_path, sqlite_url) as found:
            yield found

    async def test_bring_about_a_decision_or_a_referral_in_time_and_never_an_approval(self, asked: Asked):
        # The figure itself, 100 ms, is the soak's: here others use the machine, too.
        assert await faults_of(asked, 1, slack_s=0.4) == []

    async def test_would_be_seen_to_have_their_lies_believed(
        self, embedded_asked: Asked, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(lookups, "check_against", lambda *_: None)

        wrong = await faults_of(embedded_asked, 1, faults=(Fault.JUMP,))

        assert any(found.startswith("JUMP: approved") for found in wrong), wrong

    async def test_would_be_seen_to_hold_a_decision_up(self, embedded_asked: Asked, monkeypatch: pytest.MonkeyPatch):
        async def asked_for_as_long_as_it_takes(
            self: Platforms, platform: ScorePlatform, uscc: str, since: float
        ) -> Answered:
            return await self._asked(self._zones[platform.zone], uscc)

        # Both hold the deadline: each step on the wire, and whoever waits for the answer.
        monkeypatch.setattr("app.adapters.http_client._left", lambda deadline: 1.0)
        monkeypatch.setattr(Platforms, "ask", asked_for_as_long_as_it_takes)

        wrong = await faults_of(embedded_asked, 1, faults=(Fault.HANG,), slack_s=0.4)

        assert any(found.startswith("HANG: answered after") for found in wrong), wrong

    @pytest.mark.soak
    @pytest.mark.timeout(7_200)
    async def test_never_do_under_full_count(self, asked: Asked):
        assert await faults_of(asked, 250) == []


class TestTheDemonstration:
    async def test_shows_a_newcomer_a_fetched_score_in_each_zone_and_every_fault(self, tmp_path: Path):
        async with running(demo_settings(begun(tmp_path / "data"))) as service:
            answer = await service.decide(application(COMPANY, "A"), "k")
            lying = next(uscc for uscc, fault in FAULTY.items() if fault is Fault.OTHER_COMPANY)
            refused = await service.decide(application(lying, "B"), "k2")
            metrics = (await service.get("/metrics", caller="operator")).text

        assert answer.json()["outcome"] == "PRE_APPROVED"
        assert (refused.json()["outcome"], refused.json()["reasons"][0]["code"]) == ("REFERRED", "SCORE_INVALID")
        assert 'jifendai_score_lookups_total{answer="OBTAINED",why="",zone="suzhou-snd"} 1.0' in metrics
        assert 'jifendai_platform_seconds_count{outcome="ANSWERED",zone="suzhou-snd"} 2.0' in metrics

    async def test_leaves_nothing_running(self, tmp_path: Path):
        before = asyncio.all_tasks()

        async with running(demo_settings(begun(tmp_path / "data"))) as service:
            await self.ask(service)

        assert asyncio.all_tasks() - before == set()

    async def ask(self, service: Service) -> None:
        """One company's platform hangs while the service stops."""
        hanging = next(uscc for uscc, fault in FAULTY.items() if fault is Fault.HANG)
        asking = asyncio.create_task(service.decide(application(hanging, "A"), "k"))
        await asyncio.sleep(0.2)
        asking.cancel()
