"""Campaigns over HTTP: forecast, run, paused, cancelled, sent to the branches; offers to nobody, and no lines."""

import asyncio
import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import openpyxl

from app.api.campaign_examples import campaign_examples
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
            after = (await service.get(f"/v1/campaigns/{campaign}")).json()

        assert decided["outcome"] == "PRE_APPROVED"
        steps = ("offered", "applied", "credit_approved", "drawn")
        assert [before["conversion"][name] for name in steps] == [1, 0, 0, 0]
        assert [after["conversion"][name] for name in steps] == [1, 1, 0, 0]

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
