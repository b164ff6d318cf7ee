"""Pools whose manager keeps the book, over HTTP: proposed, stated, confirmed, and from then on with the line."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from app.adapters.clock import utc_now
from app.adapters.demo_pool import pool_application
from app.settings import BUILT_IN_CATALOGUE
from app.usecases.days import day_in_shanghai
from tests.service import Service, demo_settings, running

POOL = "/v1/pools/zhongkai/illustration"
QUOTA = """    lender_quotas:
      undisclosed: {unit: CNY, values: {2023-01-01: {value: 8_000_000, reference: reckoning}}}
"""
CODES = ("91999999MAD0000118", "91999999MAD000012B", "91999999MAD000013E")


def day(after: int = 0) -> str:
    return (day_in_shanghai(utc_now()) + timedelta(days=after)).isoformat()


@pytest.fixture
async def service(tmp_path: Path, database_url: str) -> AsyncIterator[Service]:
    folder = tmp_path / "catalogue"
    shutil.copytree(BUILT_IN_CATALOGUE, folder)
    zone = folder / "zones" / "zhongkai.yaml"
    head, pool, rest = zone.read_text("utf-8").partition("  illustration:\n")
    between, mark, rest = rest.partition("    book: OWN\n")
    assert mark
    zone.write_text(f"{head}{pool}{between}    book: EXTERNAL\n{QUOTA}{rest}", "utf-8")
    product = folder / "lenders" / "undisclosed" / "zhongkai-pool-illustration.yaml"
    product.write_text(product.read_text("utf-8").replace("  reserve_at: OFFER\n", ""), "utf-8")
    async with running(demo_settings(tmp_path / "data", database_url, CATALOGUE_DIR=str(folder))) as found:
        yield found


async def post(service: Service, path: str, body: dict, key: str, role: str = "loan_system"):
    return await service.client.post(path, json=body, headers=service.bearer(role) | {"Idempotency-Key": key})


async def offered(service: Service, number: int) -> dict:
    body = pool_application(day_in_shanghai(utc_now()), f"EXT-{number}", CODES[number])
    answer = await post(service, "/v1/decisions", body, f"decide-{number}")
    assert answer.status_code == 201, answer.text
    return answer.json()["offer"]


async def approve(service: Service, offer_id: str) -> dict:
    event = {
        "event": "CREDIT_APPROVED", "value_on": day(), "core_reference": "C", "approved_limit": "5000000.00",
        "annual_rate": "0.0330", "available_until": day(200), "approval_reference": "A", "contract_reference": "K",
    }  # fmt: skip
    return (await post(service, f"/v1/offers/{offer_id}/events", event, f"approve-{offer_id}")).json()


async def draw(service: Service, offer_id: str, amount: str) -> dict:
    clear = dict.fromkeys(("score_vetoed", "judgment_defaulter", "abnormal_operation", "serious_illegal"), False)
    event = {
        "event": "DRAWDOWN", "value_on": day(), "core_reference": "D", "amount": amount, "matures_on": day(100),
        "checks": clear,
    }  # fmt: skip
    return (await post(service, f"/v1/offers/{offer_id}/events", event, f"draw-{offer_id}")).json()


async def confirm(service: Service, offer_id: str, amount: str, key: str = ""):
    sent = {"offer_id": offer_id, "covered_amount": amount, "confirmed_on": day(), "reference": "F-1"}
    return await post(service, f"{POOL}/confirmations", sent, key or f"confirm-{offer_id}")


async def state(service: Service, amount: str, as_of: str, key: str):
    sent = {"as_of": as_of, "paid_in": amount, "reserved": "0.00", "committed": "1.00", "reference": key}
    return await post(service, f"{POOL}/manager-statements", sent, key, "operator")


class TestAnExternalPool:
    async def test_covers_nothing_until_its_manager_has_confirmed_and_then_follows_the_line(self, service: Service):
        offer = await offered(service, 0)
        early = await confirm(service, offer["offer_id"], "3000000.00", "early")
        approved = await approve(service, offer["offer_id"])
        confirmed = await confirm(service, offer["offer_id"], "3000000.00")
        drawn = await draw(service, offer["offer_id"], "2000000.00")

        assert offer["risk_compensation"]["status"] == "PROPOSED"
        assert (early.status_code, early.json()["reason"]) == (409, "NOT_CREDIT_APPROVED")
        assert (approved["cover"]["status"], approved["cover"]["reserved"]) == ("PROPOSED", "0.00")
        assert (confirmed.status_code, confirmed.json()["reserved"]) == (201, "3000000.00"), confirmed.text
        cover = drawn["cover"]
        assert (cover["status"], cover["committed"], cover["reserved"]) == ("CONFIRMED", "2000000.00", "1000000.00")

    async def test_is_confirmed_once_a_line_within_the_line_and_within_our_quota_whoever_asks_at_once(
        self, service: Service
    ):
        offers = [await offered(service, number) for number in range(3)]
        for one in offers:
            await approve(service, one["offer_id"])

        above = await confirm(service, offers[0]["offer_id"], "5000000.01", "above")
        at_once = await asyncio.gather(*(confirm(service, one["offer_id"], "4000000.00") for one in offers))
        again = await confirm(service, offers[0]["offer_id"], "1.00", "again")

        assert above.json()["reason"] == "MORE_THAN_THE_LINE"
        assert sorted(a.status_code for a in at_once) == [201, 201, 409]
        assert [a.json()["reason"] for a in at_once if a.status_code == 409] == ["ABOVE_QUOTA"]
        assert again.json()["reason"] in ("CONFIRMED_BEFORE", "ABOVE_QUOTA")

    async def test_is_shown_by_the_newest_day_that_its_manager_stated(self, service: Service):
        bare = (await service.client.get(POOL, headers=service.bearer())).json()
        await state(service, "500000000.00", day(), "newer")
        await state(service, "300000000.00", day(-30), "older-recorded-late")
        shown = (await service.client.get(POOL, headers=service.bearer())).json()
        future = await state(service, "1.00", day(2), "not-yet")

        assert (bare["manager_statement"], bare["room"]) == (None, "0.00")
        assert (shown["manager_statement"]["as_of"], shown["paid_in"], shown["room"]) == (
            day(), "500000000.00", "499999999.00",
        )  # fmt: skip
        assert future.json()["reason"] == "IN_THE_FUTURE"

    async def test_takes_no_capital_and_no_claims_here(self, service: Service):
        sent = {"amount": "1.00", "value_on": day(), "reference": "R"}

        answer = await post(service, f"{POOL}/contributions", sent, "capital", "operator")

        assert (answer.status_code, answer.json()["reason"]) == (409, "BOOK_KEPT_ELSEWHERE")
