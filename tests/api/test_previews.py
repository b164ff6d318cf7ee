"""Previews: what would be decided, and who asked."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from app.adapters.clock import utc_now
from app.adapters.demo_pool import pool_application
from app.api.examples import pre_approved, preview_examples
from app.usecases.days import day_in_shanghai
from tests.api.test_decisions import today
from tests.service import Service

POOL = "/v1/pools/zhongkai/illustration"


async def preview(service: Service, document: dict[str, Any], caller: str = "loan_officer") -> Any:
    return await service.client.post("/v1/decisions/preview", json=document, headers=service.bearer(caller))


def whole_zone() -> dict[str, Any]:
    return preview_examples(today())[0].document


class TestAPreview:
    async def test_decides_nothing(self, service: Service):
        before = (await service.get("/v1/decisions?limit=200")).content
        answer = await preview(service, whole_zone())
        after = (await service.get("/v1/decisions?limit=200")).content

        assert answer.status_code == 200
        assert after == before

    async def test_puts_the_best_first(self, service: Service):
        items = (await preview(service, whole_zone())).json()["items"]
        rank = {"PRE_APPROVED": 0, "REFERRED": 1, "DECLINED": 2}

        assert len(items) > 1
        assert [rank[item["outcome"]] for item in items] == sorted(rank[item["outcome"]] for item in items)
        assert all(item["product"]["id"] for item in items)

    async def test_of_one_product_says_what_a_decision_says(self, service: Service):
        previewed = (await preview(service, pre_approved(today()))).json()["items"]
        decided = (await service.decide(pre_approved(today()), "decided")).json()

        assert len(previewed) == 1
        made_by_the_log = {"decision_id", "revision", "supersedes", "recorded_at", "audit_record", "offer"}
        for name in decided.keys() - made_by_the_log:
            assert previewed[0][name] == decided[name], name
        assert previewed[0]["offer"] == {k: v for k, v in decided["offer"].items() if k != "offer_id"}

    async def test_is_of_the_day_asked_for(self, embedded: Service):
        day = today() - timedelta(days=20)
        answer = await preview(embedded, pre_approved(day) | {"on": day.isoformat()})

        assert answer.json()["on"] == day.isoformat()
        assert answer.json()["items"][0]["decided_on"] == day.isoformat()
        assert answer.json()["items"][0]["outcome"] == "PRE_APPROVED"

    async def test_at_midnight_in_shanghai_is_of_one_day(self, embedded: Service):
        services = embedded.app.state.services
        before = datetime(2026, 11, 20, 15, 59, 59, 999_999, tzinfo=UTC)
        readings = iter([before, before + timedelta(microseconds=1)])
        embedded.app.state.services = replace(services, now=lambda: next(readings))

        answer = (await preview(embedded, pre_approved(date(2026, 11, 20)))).json()

        assert answer["on"] == answer["items"][0]["decided_on"] == "2026-11-20"

    async def test_before_the_product_there_was_says_so(self, embedded: Service):
        document = pre_approved(today()) | {"on": "2000-01-01"}
        document["company"] = {k: v for k, v in document["company"].items() if k not in ("founded_on", "in_zone_since")}
        for part in ("innovation_score", "financials", "evidence", "authorisation"):
            del document[part]
        answer = await preview(embedded, document)

        assert answer.status_code == 200
        assert answer.json()["items"][0]["outcome"] != "PRE_APPROVED"

    async def test_is_kept_with_who_asked(self, service: Service):
        await preview(service, pre_approved(today()), "risk_analyst")
        await preview(service, pre_approved(today()), "loan_officer")
        found = (await service.get("/v1/previews", caller="auditor")).json()["items"]
        of_analyst = (await service.get("/v1/previews?previewed_by=demo-risk-analyst", caller="auditor")).json()[
            "items"
        ]

        assert [row["previewed_by"] for row in found] == ["demo-loan-officer", "demo-risk-analyst"]
        assert [row["previewed_by"] for row in of_analyst] == ["demo-risk-analyst"]
        assert found[0]["uscc"] == pre_approved(today())["company"]["uscc"]
        assert found[0]["credit_limit"] == "10000000.00"

    async def test_that_is_refused_is_not_kept(self, embedded: Service):
        refused = await preview(embedded, pre_approved(today()) | {"product": "icbc/none"})
        found = (await embedded.get("/v1/previews", caller="auditor")).json()["items"]

        assert refused.status_code == 422
        assert found == []


class TestAPreviewOfAProductThatReservesAtTheOffer:
    async def test_tells_the_room_as_it_stands_and_holds_none_of_it(self, embedded: Service):
        asked = pool_application(day_in_shanghai(utc_now()), "ROOM-1", "91999999MAT000050R")
        room = [(await embedded.client.get(POOL, headers=embedded.bearer())).json()["room"]]

        previewed = await embedded.client.post("/v1/decisions/preview", json=asked, headers=embedded.bearer())
        room.append((await embedded.client.get(POOL, headers=embedded.bearer())).json()["room"])
        keyed = embedded.bearer() | {"Idempotency-Key": "room-1"}
        decided = await embedded.client.post("/v1/decisions", json=asked, headers=keyed)
        again = await embedded.client.post("/v1/decisions/preview", json=asked, headers=embedded.bearer())

        [shown], [after] = previewed.json()["items"], again.json()["items"]
        assert room[0] == room[1]
        # With the room of its own open offer, which a new decision would give back first.
        for one in (shown, after):
            assert one["offer"]["risk_compensation"] == decided.json()["offer"]["risk_compensation"]
            assert room_line(one) == room_line(decided.json())
        assert shown["offer"]["risk_compensation"]["status"] == "RESERVED"


def room_line(decision: dict) -> dict:
    return next(line for line in decision["trace"] if line["step"] == "risk_compensation.room")
