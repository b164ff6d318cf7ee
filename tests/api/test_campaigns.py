"""Campaigns over HTTP: forecast, run, paused, cancelled, sent to the branches; offers to nobody, and no lines."""

import asyncio
import io
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import openpyxl
import orjson
import pytest

from app.adapters.database.campaigns import Campaigns as StoredCampaigns
from app.api.campaign_examples import campaign_examples
from app.audit.open_record import open_record
from app.usecases.campaigns import Campaign
from app.usecases.replay import replay_stored
from tests.api.test_decisions import today
from tests.service import Service, begun, demo_settings, running
from tests.sheets import as_csv, company_code

PRODUCT = "icbc/suzhou-innovation-points-loan"


def heads_and_rows(count: int) -> list[tuple]:
    day = (today() - timedelta(days=20)).isoformat()
    heads = (
        "企业名称", "统一社会信用代码", "创新积分", "评价日期", "成长阶段", "技术水平评估", "股权融资计划", "逾期天数",
        "失信被执行人", "经营异常", "严重违法", "授权书编号", "授权日期", "成立日期",
    )  # fmt: skip
    rows = [
        (f"示例{n}", company_code(n), "80", day, "初创期", day, day, 0, "否", "否", "否", f"SQ{n}", day, "2020-01-01")
        for n in range(1, count + 1)
    ]
    return [heads, *rows]


async def made_from_sheet(service: Service, count: int, key: str = "c1") -> str:
    answer = await service.client.post(
        "/v1/campaigns/sheets", content=as_csv(heads_and_rows(count)),
        headers=service.bearer() | {"Content-Type": "text/csv", "Idempotency-Key": key},
        params={"name": "春季名单", "zone": "suzhou-snd", "products": PRODUCT, "amount": "3000000",
                "tenor_months": "12", "purpose": "raw-materials"},
    )  # fmt: skip
    assert answer.status_code == 201, answer.text
    return answer.json()["campaign_id"]


async def change(service: Service, campaign: str, what: str, key: str = "k") -> Any:
    headers = service.bearer() | {"Idempotency-Key": f"{what}-{key}"}
    return await service.client.post(f"/v1/campaigns/{campaign}/{what}", json={}, headers=headers)


async def until(service: Service, campaign: str, *states: str) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while True:
            found = (await service.get(f"/v1/campaigns/{campaign}")).json()
            if found["state"] in states:
                return found
            await asyncio.sleep(0.05)


def _approved() -> dict[str, Any]:
    return {
        "event": "CREDIT_APPROVED", "value_on": str(today()), "core_reference": "C", "approved_limit": "4000000.00",
        "annual_rate": "0.0345", "approval_reference": "A", "contract_reference": "C",
        "available_until": str(today() + timedelta(days=365)),
    }  # fmt: skip


def _drawn(amount: str) -> dict[str, Any]:
    names = ("score_vetoed", "judgment_defaulter", "abnormal_operation", "serious_illegal")
    return {
        "event": "DRAWDOWN", "value_on": str(today()), "core_reference": "C", "amount": amount,
        "matures_on": str(today() + timedelta(days=300)), "checks": dict.fromkeys(names, False),
    }  # fmt: skip


async def _tell(service: Service, offer_id: str, event: dict[str, Any], key: str) -> dict[str, Any]:
    headers = service.bearer("loan_system") | {"Idempotency-Key": key}
    answer = await service.client.post(f"/v1/offers/{offer_id}/events", json=event, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


class TestACampaign:
    async def test_is_forecast_then_run_and_neither_promises_nor_reserves(self, tmp_path: Path, database_url: str):
        async with running(demo_settings(tmp_path / "data", database_url)) as service:
            campaign = await made_from_sheet(service, 5)
            ready = await until(service, campaign, "READY")
            started = await change(service, campaign, "run")
            finished = await until(service, campaign, "FINISHED")
            found = (await service.get(f"/v1/decisions?campaign={campaign}")).json()["items"]
            one = found[0]["company"]["uscc"] if "company" in found[0] else company_code(1)
            offer = await service.get(f"/v1/offers/{found[0]['offer']['offer_id']}")
            stated = (await service.get(f"/v1/decisions/statistics?campaign={campaign}")).json()["total"]
            waiting = (await service.get("/v1/decisions/open-referrals")).text
            async with service.database() as database:
                promised = await database.decisions.commitments("icbc", one, None, today())
                stored = await database.decisions.find(found[0]["decision_id"], ("icbc",))

        assert ready["forecast"]["total"]["outcomes"] == {"PRE_APPROVED": 5, "REFERRED": 0, "DECLINED": 0}
        assert ready["forecast"]["total"]["pre_approved_limit"] == "15000000.00"
        assert ready["counts"]["done"] == 0
        assert started.status_code == 201
        assert (finished["counts"]["pre_approved"], finished["counts"]["pre_approved_limit"]) == (5, "15000000.00")
        assert {decision["campaign"] for decision in found} == {campaign}
        assert (stated["pre_approved_limit"]["total"], stated["campaigns"]["pre_approved_limit"]) == (
            "0.00", "15000000.00",
        )  # fmt: skip
        assert (promised, offer.status_code, campaign in waiting) == ((), 404, False)
        assert replay_stored(stored) == ()

    async def test_tells_what_became_of_its_pre_approvals(self, tmp_path: Path):
        async with running(demo_settings(begun(tmp_path / "data"))) as service:
            document = campaign_examples(today())[0].document
            headers = service.bearer() | {"Idempotency-Key": "conversion"}
            campaign = (await service.client.post("/v1/campaigns", json=document, headers=headers)).json()
            campaign = campaign["campaign_id"]
            await until(service, campaign, "READY")
            await change(service, campaign, "run")
            before = await until(service, campaign, "FINISHED")
            asked = {
                "application_id": "LOS-1", "product": PRODUCT, "request": document["request"],
                **document["companies"][0],
            }  # fmt: skip
            decided = (await service.decide(asked, "los-1")).json()
            told = [before["conversion"], (await service.get(f"/v1/campaigns/{campaign}")).json()["conversion"]]
            repayment = {"event": "REPAYMENT", "value_on": str(today()), "core_reference": "C"}
            for number, event in enumerate((
                _approved(), _drawn("2000000.00"), _drawn("1000000.00"),
                repayment | {"principal": "500000.00", "interest": "1.00"},
            )):  # fmt: skip
                recorded = await _tell(service, decided["offer"]["offer_id"], event, f"event-{number}")
                told.append((await service.get(f"/v1/campaigns/{campaign}")).json()["conversion"])
            undone = {
                "event": "REVERSAL", "value_on": str(today()), "core_reference": "C", "reverses": recorded["record_id"],
                "reason": "记错 told in error",
            }  # fmt: skip
            await _tell(service, decided["offer"]["offer_id"], undone, "undone")
            told.append((await service.get(f"/v1/campaigns/{campaign}")).json()["conversion"])

        assert decided["outcome"] == "PRE_APPROVED"
        steps = ("offered", "applied", "credit_approved", "drawn", "disbursed")
        assert [[one[name] for name in steps] for one in told] == [
            [1, 0, 0, 0, "0.00"], [1, 1, 0, 0, "0.00"], [1, 1, 1, 0, "0.00"], [1, 1, 1, 1, "2000000.00"],
            *[[1, 1, 1, 1, "3000000.00"]] * 3,
        ]  # fmt: skip
        assert (told[-1]["offered_limit"], told[-1]["credit_approved_limit"]) == ("5000000.00", "4000000.00")

    async def test_stands_in_its_decisions_in_exports_of_them_and_in_the_contract(self, tmp_path: Path):
        async with running(demo_settings(tmp_path / "data")) as service:
            campaign = await made_from_sheet(service, 2)
            await until(service, campaign, "READY")
            await change(service, campaign, "run")
            await until(service, campaign, "FINISHED")
            exported = await service.get(f"/v1/decisions/export?format=jsonl&campaign={campaign}")
            every = await service.get("/v1/decisions/export?format=jsonl")
            contract = (await service.client.get("/openapi.json")).json()

        rows, others = ([orjson.loads(line) for line in found.content.splitlines()] for found in (exported, every))
        assert [row["campaign"] for row in rows] == [campaign] * 2
        assert len(others) > 2 and sum(row["campaign"] is None for row in others) == len(others) - 2
        shown = contract["components"]["schemas"]["DecisionAnswer"]
        assert "campaign" in shown["properties"] and "campaign" not in shown["required"]

    async def test_goes_to_the_branches_as_a_sheet(self, tmp_path: Path):
        async with running(demo_settings(begun(tmp_path / "data"))) as service:
            campaign = await made_from_sheet(service, 3)
            await until(service, campaign, "READY")
            await change(service, campaign, "run")
            await until(service, campaign, "FINISHED")
            sheet = await service.get(f"/v1/campaigns/{campaign}/outreach")

        rows = list(openpyxl.load_workbook(io.BytesIO(sheet.content)).active.values)
        assert [row[1] for row in rows[1:]] == [company_code(n) for n in (1, 2, 3)]
        assert (rows[1][4], "80" in rows[1][6], "不构成银行承诺" in rows[1][9]) == ("3,000,000", True, True)

    async def test_is_told_of_to_a_webhook_when_it_has_finished(self, tmp_path: Path):
        async with running(demo_settings(tmp_path / "data")) as service:
            hook = {"lender": "icbc", "url": "http://127.0.0.1:9/hook", "events": ["campaign.finished"]}
            made = await service.client.post("/v1/webhooks", json=hook, headers=service.bearer("operator"))
            owed = f"/v1/webhooks/{made.json()['endpoint_id']}/deliveries"
            campaign = await made_from_sheet(service, 3)
            await until(service, campaign, "READY")
            await change(service, campaign, "run")
            await until(service, campaign, "FINISHED")
            async with asyncio.timeout(20):
                while not (items := (await service.get(owed, caller="operator")).json()["items"]):
                    await asyncio.sleep(0.1)
            told = (await service.get(f"{owed}/{items[0]['event_id']}", caller="operator")).json()

        assert [(one["type"], one["subject"]) for one in items] == [("campaign.finished", campaign)]
        assert orjson.loads(told["body"])["data"] == {
            "campaign_id": campaign, "done": 3, "pre_approved": 3, "referred": 0, "declined": 0, "not_decided": 0,
            "href": f"/v1/campaigns/{campaign}",
        }  # fmt: skip

    async def test_made_twice_under_one_key_is_one(self, tmp_path: Path):
        async with running(demo_settings(begun(tmp_path / "data"))) as service:
            first, again = [await made_from_sheet(service, 3, "same") for _ in range(2)]
            found = (await service.get("/v1/campaigns")).json()["items"]

        assert first == again
        assert sum(one["campaign_id"] == first for one in found) == 1

    async def test_cannot_be_run_before_its_forecast_nor_paused_when_it_does_not_run(self, tmp_path: Path):
        async with running(demo_settings(begun(tmp_path / "data"))) as service:
            campaign = await made_from_sheet(service, 3)
            await until(service, campaign, "READY")
            paused = await change(service, campaign, "pause")
            cancelled = await change(service, campaign, "cancel")
            run = await change(service, campaign, "run")

        assert (paused.status_code, paused.json()["possible"]) == (409, ["run", "cancel"])
        assert (cancelled.status_code, run.status_code, run.json()["state"]) == (201, 409, "CANCELLED")

    async def test_of_another_lender_is_answered_as_one_that_does_not_exist(self, tmp_path: Path):
        async with running(demo_settings(begun(tmp_path / "data"))) as service:
            await service.add_key("nbcb", "loan_officer", "nbcb")
            campaign = await made_from_sheet(service, 1)
            answers = [
                (await service.get(f"/v1/campaigns/{id_}{more}", caller="nbcb")).json()
                for id_ in (campaign, "01990000-0000-7000-8000-00000000fffe")
                for more in ("", "/outreach")
            ]

        assert {answer["type"] for answer in answers} == {"/problems/not-found"}


class TestACampaignThatRuns:
    COMPANIES = 400

    @pytest.fixture
    async def service(self, tmp_path: Path, database_url: str) -> AsyncIterator[Service]:
        """A service on each kind of database."""
        async with running(demo_settings(tmp_path / "data", database_url)) as found:
            yield found

    @pytest.fixture
    async def embedded(self, tmp_path: Path, sqlite_url: str) -> AsyncIterator[Service]:
        """One on the embedded database, for what no database can change."""
        async with running(demo_settings(tmp_path / "data", sqlite_url)) as found:
            yield found

    async def decided(self, service: Service, campaign: str) -> Counter[str]:
        """How often each company was decided for the campaign, by the decisions themselves."""
        async with service.database() as database:
            opened = [open_record(stored.record) async for stored in database.decisions.every_decision(("icbc",))]
        return Counter(one.application.company.uscc for one in opened if one.campaign == campaign)

    async def done(self, service: Service, campaign: str) -> int:
        return (await service.get(f"/v1/campaigns/{campaign}")).json()["counts"]["done"]

    async def begun(self, service: Service, key: str = "c1") -> str:
        """A campaign of which some is decided, and not all."""
        campaign = await made_from_sheet(service, self.COMPANIES, key)
        await until(service, campaign, "READY")
        await change(service, campaign, "run", key)
        async with asyncio.timeout(20):
            while not await self.decided(service, campaign):
                await asyncio.sleep(0)
        return campaign

    async def test_stops_where_it_is_when_it_is_paused_goes_on_from_there_and_decides_nothing_twice(
        self, service: Service
    ):
        campaign = await self.begun(service)
        paused = await change(service, campaign, "pause")
        await asyncio.sleep(0.3)
        standing, decided = await self.done(service, campaign), await self.decided(service, campaign)
        await asyncio.sleep(0.3)
        later = await self.done(service, campaign)
        again = await change(service, campaign, "run", "again")
        finished = await until(service, campaign, "FINISHED")

        assert (paused.status_code, again.status_code) == (201, 201)
        assert 0 < standing == later == len(decided) < self.COMPANIES
        assert (finished["counts"]["done"], finished["counts"]["pre_approved"]) == (self.COMPANIES, self.COMPANIES)
        counts = await self.decided(service, campaign)
        assert (len(counts), set(counts.values())) == (self.COMPANIES, {1})

    async def test_is_cancelled_for_good_and_what_was_decided_stands(self, embedded: Service):
        service = embedded
        campaign = await self.begun(service)
        cancelled = await change(service, campaign, "cancel")
        await asyncio.sleep(0.3)
        standing, decided = await self.done(service, campaign), await self.decided(service, campaign)
        run = await change(service, campaign, "run", "again")
        sheet = await service.get(f"/v1/campaigns/{campaign}/outreach")

        assert cancelled.status_code == 201
        assert 0 < standing == len(decided) < self.COMPANIES
        assert (run.status_code, run.json()["state"], run.json()["possible"]) == (409, "CANCELLED", [])
        assert openpyxl.load_workbook(io.BytesIO(sheet.content)).active.max_row == standing + 1

    async def test_takes_turns_with_another(self, embedded: Service):
        service = embedded
        first = await self.begun(service)
        second = await made_from_sheet(service, 3, "c2")
        await until(service, second, "READY")
        await change(service, second, "run", "c2")
        await until(service, second, "FINISHED")

        assert await self.done(service, first) < self.COMPANIES or (
            (await service.get(f"/v1/campaigns/{first}")).json()["state"] == "FINISHED"
        )
        assert (await until(service, first, "FINISHED"))["counts"]["done"] == self.COMPANIES


class TestAForecast:
    async def test_tells_how_far_it_has_come(self, tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("app.adapters.campaign_runner._TELLS_EVERY_S", 0)
        told = told_to(monkeypatch)
        async with running(demo_settings(tmp_path / "data", database_url)) as service:
            campaign = await made_from_sheet(service, 70)
            ready = await until(service, campaign, "READY")

        assert told == [32, 64, 70]
        assert (ready["counts"]["forecast_done"], ready["counts"]["of"]) == (70, 70)
        assert sum(ready["forecast"]["total"]["outcomes"].values()) == 70

    async def test_that_nobody_wants_any_more_ends(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("app.adapters.campaign_runner._TELLS_EVERY_S", 0)
        cancelled = asyncio.Event()
        told = told_to(monkeypatch, cancelled)
        async with running(demo_settings(tmp_path / "data")) as service:
            campaign = await made_from_sheet(service, 70)
            async with asyncio.timeout(20):
                while not told:
                    await asyncio.sleep(0.01)
            await change(service, campaign, "cancel")
            cancelled.set()
            await asyncio.sleep(0.3)
            found = (await service.get(f"/v1/campaigns/{campaign}")).json()

        assert told == [32]
        assert (found["state"], found["forecast"]) == ("CANCELLED", None)


def told_to(monkeypatch: pytest.MonkeyPatch, held_until: asyncio.Event | None = None) -> list[int]:
    """This function will return the list in which every word of the progress of 70 companies' forecast will stand; each
    is passed on once `held_until` is set.
    """
    told: list[int] = []
    passed_on = StoredCampaigns.forecast_reached

    async def heard(self: StoredCampaigns, campaign: Campaign, done: int) -> bool:
        # The demonstration has a campaign of its own.
        if campaign.companies == 70:
            told.append(done)
            if held_until is not None:
                await held_until.wait()
        return await passed_on(self, campaign, done)

    monkeypatch.setattr(StoredCampaigns, "forecast_reached", heard)
    return told


class TestACampaignOfABranch:
    BRANCH = "icbc/suzhou-xinqu"

    async def test_is_made_by_its_key_and_seen_by_it_and_by_its_lender_alone(self, tmp_path: Path):
        async with running(demo_settings(tmp_path / "data")) as service:
            await service.add_key("branch", "loan_officer", self.BRANCH)
            await service.add_key("other", "loan_officer", "icbc/kunshan")
            headers = service.bearer("branch") | {"Idempotency-Key": "branch"}
            document = campaign_examples(today())[0].document
            made = await service.client.post("/v1/campaigns", json=document, headers=headers)
            campaign = made.json()["campaign_id"]
            await until(service, campaign, "READY")
            run = await service.client.post(
                f"/v1/campaigns/{campaign}/run", json={}, headers=headers | {"Idempotency-Key": "run"}
            )
            await until(service, campaign, "FINISHED")
            read = {
                who: (await service.get(f"/v1/campaigns/{campaign}", caller=who)).status_code
                for who in ("branch", "other", "loan_officer")
            }
            listed = (await service.get("/v1/campaigns", caller="other")).json()["items"]
            shown = (await service.get(f"/v1/decisions?campaign={campaign}", caller="branch")).json()["items"]
            hidden = (await service.get(f"/v1/decisions?campaign={campaign}", caller="other")).json()["items"]
            refused = await service.client.post(
                "/v1/campaigns", json=document, headers=service.bearer("other") | {"Idempotency-Key": "other"}
            )

        assert (made.status_code, run.status_code) == (201, 201)
        assert read == {"branch": 200, "other": 404, "loan_officer": 200}
        assert campaign not in [one["campaign_id"] for one in listed]
        assert (len(shown), hidden) == (1, [])
        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/unknown-product")


class TestACampaignOverTheScoresThatAreKept:
    HEADS = ("企业名称", "统一社会信用代码", "创新积分", "评价日期", "成长阶段", "技术领域", "全区排名")
    ROWS = (
        (1, "80", "初创期", "资源与环境", 1), (2, "70", "初创期", "资源与环境", 2), (3, "60", "", "资源与环境", 3),
        (4, "50", "", "新材料", 4), (5, "未评价", "", "新材料", ""),
    )  # fmt: skip

    async def test_lists_those_whose_newest_score_fits_by_state_stage_field_score_and_rank(self, tmp_path: Path):
        async with running(demo_settings(tmp_path / "data")) as service:
            await self.told(service)
            found = {name: await self.companies(service, query) for name, query in self.QUERIES.items()}
            nobody = await self.asked(service, {"score_min": "99.5"}, "nobody")
            made = (await self.asked(service, {"score_min": "75"}, "run")).json()["campaign_id"]
            await until(service, made, "READY")
            await change(service, made, "run", made)
            finished = await until(service, made, "FINISHED")

        assert found == {
            "all": [1, 2, 3, 4, 5], "scored": [1, 2, 3, 4], "stage": [1, 2], "field": [4, 5], "score": [2, 3],
            "rank": [1, 2, 3], "all of it": [2],
        }  # fmt: skip
        assert nobody.status_code == 422
        # Of a company known by its score alone nobody knows whether it lets its data be used.
        assert (finished["counts"]["done"], finished["counts"]["referred"]) == (1, 1)

    QUERIES: ClassVar = {
        "all": {}, "scored": {"state": "SCORED"}, "stage": {"stage": "startup"}, "field": {"field": "new-materials"},
        "score": {"score_min": "60", "score_max": "70"}, "rank": {"rank_until": 3},
        "all of it": {
            "state": "SCORED", "stage": "startup", "field": "resources-environment", "score_max": "75", "rank_until": 3,
        },
    }  # fmt: skip

    async def told(self, service: Service) -> None:
        day = (today() - timedelta(days=20)).isoformat()
        rows = [(f"示例{n}", company_code(n), score, day, *rest) for n, score, *rest in self.ROWS]
        answer = await service.client.post(
            "/v1/scores/sheets", content=as_csv([self.HEADS, *rows]),
            headers=service.bearer() | {"Content-Type": "text/csv"},
            params={"zone": "suzhou-snd", "lender": "icbc", "trial": "false"},
        )  # fmt: skip
        assert (answer.json()["new"], answer.json()["faulty"]) == (5, 0), answer.text

    async def asked(self, service: Service, query: dict[str, Any], key: str) -> Any:
        document = campaign_examples(today())[0].document
        asked = {name: document[name] for name in ("name", "zone", "products", "request")} | {"query": query}
        headers = service.bearer() | {"Idempotency-Key": key}
        return await service.client.post("/v1/campaigns", json=asked, headers=headers)

    async def companies(self, service: Service, query: dict[str, Any]) -> list[int]:
        """The numbers of the companies on the list of a campaign over the query, whose scores stand in the list."""
        made = await self.asked(service, query, f"q{query}".replace(" ", ""))
        assert made.status_code == 201, made.text
        async with service.database() as database:
            campaign = await database.campaigns.find(made.json()["campaign_id"], ("icbc",))
            listed = await database.campaigns.companies(campaign, 0, 100)
        assert (campaign.companies, dict(campaign.source)) == (len(listed), {"kind": "SNAPSHOTS", "query": query})
        assert all(b'"innovation_score"' in one.document for one in listed)
        return sorted(n for n in range(1, 6) if company_code(n) in {one.uscc for one in listed})
