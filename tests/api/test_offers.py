"""Offers over HTTP: what core banking tells, who may, what is answered, and what time does by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.adapters.demo import GOLDEN_DECISION_IDS, LINE_RECORD_IDS
from app.api.examples import OFFER_ID, pre_approved
from app.usecases.days import day_in_shanghai
from app.usecases.offers import note_ended
from tests.applications import changed
from tests.service import Service, demo_settings, running

START = datetime(2026, 11, 20, 2, 15, tzinfo=UTC)
TODAY = day_in_shanghai(START)
CLEAR = dict.fromkeys(("score_vetoed", "judgment_defaulter", "abnormal_operation", "serious_illegal"), False)


class Clock:
    """The service's clock, which a test may set."""

    now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def service(tmp_path: Path, database_url: str, clock: Clock) -> AsyncIterator[Service]:
    """A demonstration on each database."""
    async with running(demo_settings(tmp_path / "data", database_url), clock=clock) as started:
        yield started


def told(kind: str, days: int = 0, **members: Any) -> dict[str, Any]:
    return {"event": kind, "value_on": str(TODAY + timedelta(days=days)), "core_reference": "C", **members}


def approved(limit: str = "6000000.00", days: int = 0) -> dict[str, Any]:
    return told(
        "CREDIT_APPROVED", days, approved_limit=limit, annual_rate="0.0345", approval_reference="A",
        available_until=str(TODAY + timedelta(days=365)), contract_reference="C",
    )  # fmt: skip


def drawn(amount: str, days: int = 0) -> dict[str, Any]:
    return told("DRAWDOWN", days, amount=amount, matures_on=str(TODAY + timedelta(days=300)), checks=CLEAR)


async def offered(service: Service, key: str = "k", **changes: Any) -> str:
    """This function will ask for a decision and return the id of its offer."""
    answer = await service.decide(changed(pre_approved(TODAY), application_id=key, **changes), key=key)
    assert answer.json()["outcome"] == "PRE_APPROVED", answer.text
    return answer.json()["offer"]["offer_id"]


async def tell(
    service: Service, offer_id: str, document: dict[str, Any], key: str, *, caller: str = "loan_system", **headers: str
) -> httpx.Response:
    sent = service.bearer(caller) | {"Idempotency-Key": key} | headers
    return await service.client.post(f"/v1/offers/{offer_id}/events", json=document, headers=sent)


async def standing(service: Service, offer_id: str) -> dict[str, Any]:
    return (await service.get(f"/v1/offers/{offer_id}")).json()


class TestAnOffer:
    async def test_lives_from_pre_approval_to_settlement(self, service: Service):
        offer_id = await offered(service)
        story = [
            (approved(), "CREDIT_APPROVED"), (drawn("3000000.00"), "DRAWN"),
            (told("REPAYMENT", principal="3000000.00", interest="100.00"), "REPAID"), (told("CLOSED"), "SETTLED"),
        ]  # fmt: skip
        assert (await standing(service, offer_id))["status"] == "PRE_APPROVED"

        for number, (document, state) in enumerate(story):
            answer = await tell(service, offer_id, document, f"e{number}")
            assert (answer.status_code, answer.json()["state"]) == (201, state), answer.text
            assert answer.headers["ETag"] == f'"{number + 1}"'

        found = await standing(service, offer_id)
        assert (found["disbursed"], found["outstanding"], found["interest_paid"]) == (
            "3000000.00", "0.00", "100.00",
        )  # fmt: skip
        assert (found["counts_against_cap"], found["available"]) == ("0.00", "0.00")
        assert [e["document"]["event"] for e in found["events"]] == [d["event"] for d, _ in story]

    async def test_of_case_g8_has_at_most_three_million_left(self, service: Service):
        offer_id = await offered(service)
        await tell(service, offer_id, approved("6000000.00"), "1")
        await tell(service, offer_id, drawn("3000000.00"), "2")

        problem = (await tell(service, offer_id, drawn("3000000.01"), "3")).json()

        assert (problem["status"], problem["reason"]) == (409, "ABOVE_AVAILABLE")
        assert (problem["at_most"], problem["offer_status"]) == ("3000000.00", "DRAWN")
        assert "DRAWDOWN" in problem["possible_events"]
        assert (await tell(service, offer_id, drawn("3000000.00"), "3")).status_code == 201

    async def test_ends_by_time_alone_and_the_note_of_it_comes_later_once(self, service: Service, clock: Clock):
        offer_id = await offered(service)
        found = await standing(service, offer_id)
        clock.now = START + timedelta(days=200)

        late = await tell(service, offer_id, approved(days=1), "late")
        expired = await standing(service, offer_id)

        assert (late.status_code, late.json()["offer_status"]) == (409, "EXPIRED")
        assert (expired["status"], expired["counts_against_cap"], expired["possible_events"]) == ("EXPIRED", "0.00", [])
        assert found["expires_on"] < expired["on"]
        services = service.app.state.services
        assert await note_ended(services.offers, services.desk.submit, services.today()) > 1
        assert await note_ended(services.offers, services.desk.submit, services.today()) == 0
        noted = await standing(service, offer_id)
        assert [(e["submitted_by"], e["document"]["event"]) for e in noted["events"]] == [("jifendai", "EXPIRED")]

    async def test_frees_its_room_when_it_is_withdrawn_and_holds_it_until_then(self, service: Service):
        offer_id = await offered(service, "a")
        again = changed(pre_approved(TODAY), application_id="b")
        used = await service.decide(again, key="b1")
        assert used.json()["reasons"][0]["code"] == "CAP_USED"

        await tell(service, offer_id, told("WITHDRAWN", reason="x"), "w")

        assert (await service.decide(again, key="b2")).json()["outcome"] == "PRE_APPROVED"

    async def test_that_lapsed_counts_by_what_is_outstanding(self, service: Service, clock: Clock):
        offer_id = await offered(service, "a")
        await tell(service, offer_id, approved("6000000.00"), "1")
        await tell(service, offer_id, drawn("1000000.00"), "2")

        clock.now = START + timedelta(days=400)

        lapsed = await standing(service, offer_id)
        assert (lapsed["status"], lapsed["counts_against_cap"]) == ("DRAWN", "1000000.00")
        later = day_in_shanghai(clock.now)
        document = changed(pre_approved(later), application_id="b")
        answer = (await service.decide(document, key="b")).json()
        assert answer["offer"]["credit_limit"] == "9000000.00"

    async def test_once_approved_is_not_superseded(self, service: Service):
        offer_id = await offered(service, "a")
        await tell(service, offer_id, approved(), "1")

        again = await service.decide(changed(pre_approved(TODAY), application_id="a"), key="a2")

        assert (again.status_code, again.json()["type"]) == (409, "/problems/offer-already-approved")

    async def test_of_the_demonstration_is_drawn_in_part(self, service: Service):
        found = await standing(service, OFFER_ID)

        assert found["decision_id"] == GOLDEN_DECISION_IDS["G9"]
        assert [event["record_id"] for event in found["events"]] == list(LINE_RECORD_IDS)
        assert (found["status"], found["outstanding"]) == ("DRAWN", "5000000.00")


class TestAnEvent:
    async def test_is_recorded_once_however_often_it_is_sent(self, service: Service):
        offer_id = await offered(service)
        first = await tell(service, offer_id, approved(), "k1")

        again = await tell(service, offer_id, approved(), "k1")
        other = await tell(service, offer_id, approved("1.00"), "k1")

        assert (again.content, again.headers["Idempotent-Replayed"]) == (first.content, "true")
        assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")
        assert len((await standing(service, offer_id))["events"]) == 1

    async def test_that_is_refused_binds_no_key(self, service: Service):
        offer_id = await offered(service)
        early = await tell(service, offer_id, drawn("1.00"), "d")
        await tell(service, offer_id, approved(), "a")

        assert (early.status_code, early.json()["possible_events"][0]) == (409, "CREDIT_APPROVED")
        assert (await tell(service, offer_id, drawn("1.00"), "d")).status_code == 201

    async def test_may_name_the_version_it_was_made_for(self, service: Service):
        offer_id = await offered(service)
        etag = (await service.get(f"/v1/offers/{offer_id}")).headers["ETag"]
        await tell(service, offer_id, approved(), "a", **{"If-Match": etag})

        stale = await tell(service, offer_id, drawn("1.00"), "b", **{"If-Match": etag})
        bad = await tell(service, offer_id, drawn("1.00"), "b", **{"If-Match": "W/1"})

        assert (etag, stale.status_code, stale.json()["type"]) == ('"0"', 412, "/problems/offer-changed")
        assert (bad.status_code, bad.json()["type"]) == (400, "/problems/if-match-malformed")

    @pytest.mark.parametrize(
        ("document", "pointer"),
        [
            (told("DRAWDOWN", amount="1.00"), "/matures_on"),
            (told("CLOSED", amount="1.00"), "/amount"),
            (drawn("1.00") | {"matures_on": "2026-01-01"}, "/matures_on"),
            (told("REPAYMENT", principal="0.00", interest="0.00"), "/principal"),
            (told("PAST_DUE", principal="1.00", since="2199-01-01"), "/since"),
            (drawn("1.001"), "/amount"),
            (told("BLESSED"), "/event"),
            (drawn("1.00") | {"checks": CLEAR | {"score_vetoed": None}}, "/checks/score_vetoed"),
        ],
    )
    async def test_that_does_not_fit_its_kind_is_told_where(
        self, lasting_on_each: Service, document: Any, pointer: str
    ):
        answer = await tell(lasting_on_each, OFFER_ID, document, "k")

        assert answer.status_code == 422
        assert pointer in [place["pointer"] for place in answer.json()["errors"]]

    async def test_of_every_kind_that_is_refused_is_told_where_the_offer_stands(self, service: Service):
        """On a line that was withdrawn nothing fits; what lacks a member is told where it stands as well."""
        offer_id = await offered(service)
        await tell(service, offer_id, told("WITHDRAWN", reason="R"), "withdrawn")
        whole = {
            "CREDIT_APPROVED": approved("1.00"), "DRAWDOWN": drawn("1.00"),
            "REPAYMENT": told("REPAYMENT", principal="1.00", interest="0.00"),
            "REVERSAL": told("REVERSAL", reverses=OFFER_ID, reason="R"),
            "PAST_DUE": told("PAST_DUE", principal="1.00", since=str(TODAY)),
            "CLASSIFIED": told("CLASSIFIED", classification="LOSS"), "FROZEN": told("FROZEN", reason="R"),
            "UNFROZEN": told("UNFROZEN", reason="R"), "WITHDRAWN": told("WITHDRAWN", reason="R"),
            "CLOSED": told("CLOSED"),
        }  # fmt: skip

        for kind, event in whole.items():
            answers = {409: await tell(service, offer_id, event, kind)}
            wrong = await tell(service, offer_id, event | {"value_on": "tomorrow"}, f"wrong-{kind}")
            assert wrong.json()["offer_status"] == "WITHDRAWN", wrong.text
            if kind != "CLOSED":
                answers[422] = await tell(service, offer_id, told(kind), f"bare {kind}".replace(" ", "-"))
            for status, answer in answers.items():
                assert answer.status_code == status, (kind, answer.text)
                said = answer.json()
                assert (said["offer_status"], said["possible_events"]) == ("WITHDRAWN", []), kind

    @pytest.mark.parametrize("caller", ["risk_analyst", "auditor", "operator"])
    async def test_is_not_told_by(self, lasting_on_each: Service, caller: str):
        assert (await tell(lasting_on_each, OFFER_ID, told("CLOSED"), "k", caller=caller)).status_code == 403

    async def test_on_a_foreign_offer_is_answered_as_on_none(self, service: Service):
        await service.add_key("foreign", "loan_system", "icbc")

        foreign = await tell(service, OFFER_ID, told("CLOSED"), "k", caller="foreign")
        absent = await tell(service, OFFER_ID[:-2] + "00", told("CLOSED"), "k", caller="foreign")

        assert (foreign.status_code, foreign.json()) == (absent.status_code, absent.json())
        assert foreign.status_code == 404

    async def test_has_a_receipt_of_its_own(self, service: Service):
        receipt = await service.get(f"/v1/records/{LINE_RECORD_IDS[0]}/receipt")

        assert receipt.text.startswith("c2sp.org/tlog-proof@v1")
        assert (await service.get(f"/v1/records/{OFFER_ID}/receipt")).status_code == 404
