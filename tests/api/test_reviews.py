"""Reviews over HTTP."""

from typing import Any

import httpx
import pytest

from app.adapters.demo import DECLINED_DECISION_ID, GOLDEN_DECISION_IDS
from app.api.examples import DECISION_ID, REFERRED_DECISION_ID, decision_examples
from app.api.review_schemas import DecisionRead, ReviewAnswer, ReviewQueuePage, ReviewReasonName
from app.domain.review import ReviewOutcome, ReviewReason
from tests.api.test_decisions import today
from tests.service import Service

RESUBMIT = {"outcome": "RESUBMIT", "reason": {"code": "INFORMATION_NEEDED", "text": "请补充审计报告"}}
APPROVED = {"outcome": "APPROVED_BY_PERSON", "reason": {"code": "EVIDENCE_SEEN", "text": "已核实"}}


async def reviewed(
    service: Service, body: Any, key: str, decision_id: str = REFERRED_DECISION_ID, caller: str = "loan_officer"
) -> httpx.Response:
    """This function will send a review."""
    headers = service.bearer(caller) | {"Idempotency-Key": key}
    return await service.client.post(f"/v1/decisions/{decision_id}/review", json=body, headers=headers)


async def queue(service: Service, query: str = "") -> list[dict[str, Any]]:
    """What waits."""
    answer = await service.get(f"/v1/reviews/queue{query}")
    return ReviewQueuePage.model_validate_json(answer.content) and answer.json()["items"]


class TestAReview:
    async def test_is_recorded_shown_with_its_decision_and_ends_the_wait(self, service: Service):
        assert REFERRED_DECISION_ID == GOLDEN_DECISION_IDS["G8"]
        before = (await service.get(f"/v1/decisions/{REFERRED_DECISION_ID}")).json()
        assert REFERRED_DECISION_ID in {item["decision_id"] for item in await queue(service)}

        first = await reviewed(service, RESUBMIT, "r1")
        final = await reviewed(service, APPROVED, "r2")
        after = (await service.get(f"/v1/decisions/{REFERRED_DECISION_ID}")).json()

        assert (first.status_code, final.status_code) == (201, 201)
        assert ReviewAnswer.model_validate_json(final.content).reviewer == "demo-loan-officer"
        assert before["review"] is None and after["review"] == final.json()
        assert DecisionRead.model_validate(after)
        assert {**after, "review": None} == before
        assert REFERRED_DECISION_ID not in {item["decision_id"] for item in await queue(service)}

    async def test_gets_the_same_bytes_again_for_its_key_and_another_body_is_refused(self, service: Service):
        first = await reviewed(service, RESUBMIT, "r1")
        again = await reviewed(service, RESUBMIT, "r1")
        other = await reviewed(service, APPROVED, "r1")

        assert again.content == first.content
        assert again.headers["idempotent-replayed"] == "true"
        assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")

    async def test_is_final_once(self, embedded: Service):
        await reviewed(embedded, APPROVED, "r1")
        second = await reviewed(embedded, RESUBMIT, "r2", caller="risk_analyst")

        assert (second.status_code, second.json()["type"]) == (409, "/problems/already-reviewed")
        assert "application_id" in second.json()["detail"]

    @pytest.mark.parametrize("decision_id", [DECISION_ID, DECLINED_DECISION_ID])
    async def test_is_of_a_referral_alone(self, embedded: Service, decision_id: str):
        answer = await reviewed(embedded, APPROVED, "r1", decision_id)

        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/not-referred")
        assert "review" not in (await embedded.get(f"/v1/decisions/{decision_id}")).json()

    async def test_is_of_the_newest_decision_of_its_application(self, embedded: Service):
        referred = next(e.document for e in decision_examples(today()) if e.name == "referred")
        old = (await embedded.decide(referred, "d1")).json()["decision_id"]
        await embedded.decide(referred, "d2")

        answer = await reviewed(embedded, APPROVED, "r1", old)

        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/referral-superseded")

    @pytest.mark.parametrize("caller", ["loan_system", "auditor", "operator"])
    async def test_is_a_persons_never_a_systems(self, embedded: Service, caller: str):
        assert (await reviewed(embedded, APPROVED, "r1", caller=caller)).status_code == 403

    async def test_of_what_is_absent_or_foreign_is_not_found(self, embedded: Service):
        await embedded.add_key("foreign", "loan_officer", "icbc")
        absent = await reviewed(embedded, APPROVED, "r1", "01990000-0000-7000-8000-0000000000ff")
        foreign = await reviewed(embedded, APPROVED, "r1", caller="foreign")

        assert absent.status_code == foreign.status_code == 404
        assert absent.content == foreign.content

    @pytest.mark.parametrize(
        "body",
        [
            {},
            [],
            {"outcome": "APPROVED", "reason": APPROVED["reason"]},
            {"outcome": "RESUBMIT", "reason": {"code": "RISK_ACCEPTED", "text": "x"}},
            {"outcome": "APPROVED_BY_PERSON", "reason": {"code": "EVIDENCE_SEEN", "text": ""}},
            {"outcome": "APPROVED_BY_PERSON", "reason": {"code": "EVIDENCE_SEEN", "text": "x" * 201}},
            {"outcome": "APPROVED_BY_PERSON", "reason": {"code": "EVIDENCE_SEEN", "text": "a\u202eb"}},
            {"outcome": "APPROVED_BY_PERSON", "reason": None},
            APPROVED | {"reviewer": "somebody else"},
            APPROVED | {"company": {"uscc": "x"}},
        ],
    )
    async def test_refuses_what_does_not_fit_and_records_nothing(self, lasting: Service, body: Any):
        answer = await reviewed(lasting, body, "r1")

        assert answer.status_code == 422
        assert answer.json()["type"] == "/problems/invalid-request"
        assert (await lasting.get(f"/v1/decisions/{REFERRED_DECISION_ID}")).json()["review"] is None

    async def test_needs_an_idempotency_key(self, embedded: Service):
        path = f"/v1/decisions/{REFERRED_DECISION_ID}/review"
        answer = await embedded.client.post(path, json=APPROVED, headers=embedded.bearer())

        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/idempotency-key-missing")


class TestTheReasons:
    def test_are_the_same_on_the_wire_and_each_goes_with_an_outcome(self):
        assert [reason.name for reason in ReviewReason] == list(ReviewReasonName.__args__)
        assert all(reason.outcomes <= set(ReviewOutcome) and reason.outcomes for reason in ReviewReason)
        assert len({reason.number for reason in ReviewReason}) == len(ReviewReason)


class TestTheQueue:
    async def test_is_paged_oldest_first_and_filtered(self, service: Service):
        referred = next(e.document for e in decision_examples(today()) if e.name == "referred")
        for number in range(3):
            await service.decide(referred | {"application_id": f"Q-{number}"}, f"q{number}")

        every = await queue(service)
        first = (await service.get("/v1/reviews/queue?limit=3")).json()
        rest = (await service.get(f"/v1/reviews/queue?limit=3&cursor={first['next_cursor']}")).json()

        seeded = ["DEMO-G8", "DEMO-EXCEPTION"]
        assert [item["application_id"] for item in every] == [*seeded, "Q-0", "Q-1", "Q-2"]
        assert len(first["items"]) == 3
        assert first["items"] + rest["items"] == every
        assert rest["next_cursor"] is None
        assert [item["waiting_days"] for item in every] == [0] * len(every)
        assert await queue(service, "?product=icbc/suzhou-innovation-points-loan") == every[2:]
        assert await queue(service, "?lender=boc&zone=donghu") == every[:2]
        assert await queue(service, "?recorded_until=2020-01-01T00:00:00Z") == []
        assert await queue(service, "?resubmitted=true") == []

    @pytest.mark.parametrize("query", ["?limit=0", "?resubmitted=maybe", "?sort=x", "?recorded_until=yesterday"])
    async def test_refuses_what_it_does_not_know(self, embedded: Service, query: str):
        assert (await embedded.get(f"/v1/reviews/queue{query}")).status_code == 422

    async def test_takes_no_other_lists_cursor(self, embedded: Service):
        listed = (await embedded.get("/v1/decisions?limit=1")).json()["next_cursor"]

        answer = await embedded.get(f"/v1/reviews/queue?cursor={listed}")

        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/cursor-not-valid")
