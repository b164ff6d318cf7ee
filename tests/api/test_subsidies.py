"""Subsidies over HTTP: budgets that are used up, what companies claim, and the list that counts both."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from stdnum.cn import uscc

from app.adapters.clock import utc_now
from app.api.examples import OFFER_ID, pre_approved
from app.usecases.days import day_in_shanghai
from tests.service import Service, demo_settings, running

PROGRAMME = "suzhou-snd/startup-interest-subsidy"
BUDGET = f"/v1/subsidies/programmes/{PROGRAMME}/budget"
CLEAR = dict.fromkeys(("score_vetoed", "judgment_defaulter", "abnormal_operation", "serious_illegal"), False)


class Clock:
    """The service's day, which a test moves on."""

    def __init__(self) -> None:
        self.began = self.now = utc_now()

    def __call__(self):
        return self.now

    def day(self, after: int = 0) -> str:
        """The day so many days after the test began."""
        return (day_in_shanghai(self.began) + timedelta(days=after)).isoformat()

    def go_to(self, after: int) -> None:
        """This function will let it be so many days after the test began."""
        self.now = self.began + timedelta(days=after)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def service(tmp_path: Path, database_url: str, clock: Clock) -> AsyncIterator[Service]:
    async with running(demo_settings(tmp_path / "data", database_url), clock=clock) as found:
        yield found


async def post(service: Service, path: str, body: dict[str, Any], key: str, caller: str) -> httpx.Response:
    headers = service.bearer(caller) | {"Idempotency-Key": key}
    return await service.client.post(path, json=body, headers=headers)


async def set_budget(service: Service, clock: Clock, state: str, key: str, caller: str = "operator") -> httpx.Response:
    sent = {"state": state, "since": clock.day(), "reason": "R", "reference": "N-1"}
    return await post(service, BUDGET, sent, key, caller)


def application(clock: Clock, number: int) -> dict[str, Any]:
    """One of a company of its own."""
    document, body = pre_approved(day_in_shanghai(clock())), f"91999999MAT00005{number}"
    company = document["company"] | {"uscc": body + uscc.calc_check_digit(body)}
    return document | {"application_id": f"SUBSIDY-{number}", "company": company}


async def offered(service: Service, clock: Clock, number: int) -> dict[str, Any]:
    answer = await service.decide(application(clock, number), f"decide-{number}")
    assert answer.status_code == 201, answer.text
    return answer.json()


async def drawn(service: Service, clock: Clock) -> str:
    """A line of ten million, drawn today: 958.33 of interest a day."""
    offer_id = (await offered(service, clock, 1))["offer"]["offer_id"]
    approved = {
        "event": "CREDIT_APPROVED", "value_on": clock.day(), "core_reference": "C", "approved_limit": "10000000.00",
        "annual_rate": "0.0345", "available_until": clock.day(300), "approval_reference": "A",
        "contract_reference": "K",
    }  # fmt: skip
    draw = {
        "event": "DRAWDOWN", "value_on": clock.day(), "core_reference": "C", "amount": "10000000.00",
        "matures_on": clock.day(300), "checks": CLEAR,
    }  # fmt: skip
    for number, event in enumerate((approved, draw)):
        answer = await post(service, f"/v1/offers/{offer_id}/events", event, f"event-{number}", "loan_system")
        assert answer.status_code == 201, answer.text
    return offer_id


async def pay(service: Service, clock: Clock, offer_id: str, after: int, interest: str) -> None:
    paid = {"event": "REPAYMENT", "value_on": clock.day(after), "core_reference": "C", "principal": "0.00",
            "interest": interest}  # fmt: skip
    answer = await post(service, f"/v1/offers/{offer_id}/events", paid, f"pay-{after}", "loan_system")
    assert answer.status_code == 201, answer.text


async def claim(service: Service, clock: Clock, offer_id: str, after: int, **changes: str) -> httpx.Response:
    sent = {"programme": PROGRAMME, "paid_until": clock.day(after), "claimed_on": clock.day(after), "evidence": "T-1"}
    path = f"/v1/offers/{offer_id}/subsidy-claims"
    return await post(service, path, sent | changes, f"claim-{after}-{sorted(changes)}", "loan_officer")


async def listed(service: Service, clock: Clock, offer_id: str) -> list[dict[str, Any]]:
    today = day_in_shanghai(clock())
    period = f"{today.year}Q{(today.month + 2) // 3}"
    items = (await service.get(f"/v1/subsidies/settlements?period={period}")).json()["items"]
    return [item for item in items if item["offer_id"] == offer_id]


class TestABudget:
    async def test_that_is_used_up_leaves_offers_and_previews_and_no_approval(self, service: Service, clock: Clock):
        first = await offered(service, clock, 1)
        answer = await set_budget(service, clock, "USED_UP", "used")
        gone = await offered(service, clock, 2)
        preview = await service.client.post(
            "/v1/decisions/preview", json=application(clock, 9), headers=service.bearer()
        )
        [shown] = [
            one for one in (await service.get("/v1/subsidies/programmes")).json()["items"] if one["id"] == PROGRAMME
        ]
        await set_budget(service, clock, "AVAILABLE", "back")
        back = await offered(service, clock, 3)

        assert (answer.status_code, answer.json()["state"]) == (201, "USED_UP"), answer.text
        assert (shown["budget_state"], shown["record_id"]) == ("USED_UP", answer.json()["record_id"])
        outcomes = [one["outcome"] for one in (first, gone, preview.json()["items"][0], back)]
        assert outcomes == ["PRE_APPROVED"] * 4
        subsidised = [
            bool(one["offer"]["interest_subsidy"]["programmes"])
            for one in (first, gone, preview.json()["items"][0], back)
        ]
        assert subsidised == [True, False, False, True]
        assert "SUBSIDY_BUDGET_USED" in [reason["code"] for reason in gone["reasons"]]
        replayed = await service.client.post(
            f"/v1/decisions/{gone['decision_id']}/replay", headers=service.bearer()
        )
        assert replayed.json()["result"] == "IDENTICAL"

    async def test_is_its_operator_s_and_of_a_programme_that_there_is(self, service: Service, clock: Clock):
        other = "/v1/subsidies/programmes/zhongkai/none/budget"
        sent = {"state": "USED_UP", "since": clock.day(), "reason": "R", "reference": "N-1"}

        assert (await set_budget(service, clock, "USED_UP", "k", "risk_analyst")).status_code == 403
        assert (await post(service, other, sent, "none", "operator")).status_code == 404
        refused = await set_budget(service, clock, "AVAILABLE", "as-before")
        assert (refused.status_code, refused.json()["reason"]) == (409, "STATE_AS_BEFORE")
        late = await post(service, BUDGET, sent | {"since": clock.day(1)}, "future", "operator")
        assert (late.status_code, late.json()["reason"]) == (409, "IN_THE_FUTURE")


class TestAClaim:
    async def test_is_what_the_settlement_list_counts(self, service: Service, clock: Clock):
        offer_id = await drawn(service, clock)
        clock.go_to(10)
        await pay(service, clock, offer_id, 10, "9000.00")
        [unclaimed] = await listed(service, clock, offer_id)
        claimed = await claim(service, clock, offer_id, 10)
        again = await claim(service, clock, offer_id, 10, evidence="T-2")
        [counted] = await listed(service, clock, offer_id)
        [shown] = (await service.get(f"/v1/offers/{offer_id}")).json()["subsidy_claims"]

        assert (unclaimed["amount"], unclaimed["bounds"]) == ("0.00", ["NOT_CLAIMED"])
        assert (claimed.status_code, claimed.json()["interest"]) == (201, "9000.00"), claimed.text
        assert (again.status_code, again.json()["reason"]) == (409, "NOTHING_PAID")
        assert (counted["amount"], counted["bounds"]) == ("4500.00", [])
        assert (shown["record_id"], shown["evidence"]) == (claimed.json()["record_id"], "T-1")

    async def test_changes_no_version_of_the_offer(self, service: Service, clock: Clock):
        offer_id = await drawn(service, clock)
        clock.go_to(10)
        await pay(service, clock, offer_id, 10, "100.00")
        before = (await service.get(f"/v1/offers/{offer_id}")).headers["ETag"]
        await claim(service, clock, offer_id, 10)
        event = {"event": "FROZEN", "value_on": clock.day(10), "core_reference": "C", "reason": "R"}
        headers = service.bearer("loan_system") | {"Idempotency-Key": "freeze", "If-Match": before}

        answer = await service.client.post(f"/v1/offers/{offer_id}/events", json=event, headers=headers)

        assert (answer.status_code, answer.headers["ETag"]) == (201, f'"{int(before[1:-1]) + 1}"'), answer.text

    async def test_is_refused_of_what_is_not_there(self, service: Service, clock: Clock):
        offer_id = await drawn(service, clock)

        answers = {
            "NOTHING_PAID": await claim(service, clock, offer_id, 0),
            "IN_THE_FUTURE": await claim(service, clock, offer_id, 3),
            "NOT_OFFERED": await claim(service, clock, offer_id, 0, programme="zhongkai/none"),
        }
        foreign = await claim(service, clock, "01990000-0000-7000-8000-00000000fffe", 0)
        without = await claim(service, clock, OFFER_ID, 0)
        turned = await claim(service, clock, offer_id, 0, paid_until=clock.day(1))

        assert {why: (a.status_code, a.json()["reason"]) for why, a in answers.items()} == {
            why: (409, why) for why in answers
        }
        assert (foreign.status_code, without.json()["reason"], turned.status_code) == (404, "NOT_OFFERED", 422)
