"""The queue of referrals and the road of reviews, held to the same on every database."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import orjson
import pytest

from app.audit.canonical import canonical_bytes
from app.usecases.decide import Answer
from app.usecases.obstacles import AlreadyReviewed, KeyReusedWithOtherBody, ReferralSuperseded
from app.usecases.review import QueueFilter, Referral, Review, newest_review
from tests.adapters.conftest import SetClock, opened
from tests.adapters.test_acts import CATALOGUE, PRODUCT, Bank, asked
from tests.records import ACTIVATED
from tests.usecases.test_decide import body

ICBC = QueueFilter(("icbc",))


@pytest.fixture(params=["memory", "sqlite", "postgresql", "plain"])
async def bank(request: pytest.FixtureRequest, clock: SetClock) -> AsyncIterator[Bank]:
    """A bank on a fresh database of each kind."""
    async with opened(request.param, request, clock) as database:
        await database.catalogue.activate(CATALOGUE.digest, "operator", ACTIVATED)
        yield Bank(database)


def referred(key: str, application_id: str, **changes: object):
    """An application of which too little is told."""
    return asked(key, application_id=application_id, evidence=None, **changes)


def review(key: str, decision_id: str, outcome: str, application_id: str, text: str = "x") -> Review:
    """A person's decision."""
    document = canonical_bytes({"outcome": outcome, "reason": {"code": "OTHER", "text": text}})
    referral = Referral(decision_id, "icbc", application_id, PRODUCT)
    return Review(
        lender="icbc", subject=decision_id, idempotency_key=key, document=document, submitted_by="1001",
        referral=referral,
    )  # fmt: skip


async def queued(bank: Bank, asked_for: QueueFilter = ICBC, **paging: object) -> list[str]:
    found = await bank.database.reviews.open_referrals(asked_for, **{"limit": 50, "after": None, **paging})
    return [row.application_id for row in found]


class TestTheQueue:
    async def test_holds_referrals_alone_and_the_oldest_first(self, bank: Bank, clock: SetClock):
        await bank.write(referred("k1", "A1"), asked("k2", application_id="A2", request__amount="1000000.00"))
        clock.now += timedelta(days=1)
        await bank.write(referred("k3", "A3"))

        assert await queued(bank) == ["A1", "A3"]
        assert await queued(bank, QueueFilter(("boc",))) == []

    async def test_loses_what_is_reviewed_finally_and_keeps_what_was_asked_for_again(self, bank: Bank):
        one, two, three = [body(r)["decision_id"] for r in await bank.write(
            referred("k1", "A1"), referred("k2", "A2"), referred("k3", "A3"),
        )]  # fmt: skip

        await bank.write(
            review("r1", one, "APPROVED_BY_PERSON", "A1"),
            review("r2", two, "RESUBMIT", "A2"),
            review("r3", three, "DECLINED_BY_PERSON", "A3"),
        )

        assert await queued(bank) == ["A2"]
        assert await queued(bank, replace(ICBC, resubmitted=True)) == ["A2"]
        assert await queued(bank, replace(ICBC, resubmitted=False)) == []
        (row,) = await bank.database.reviews.open_referrals(ICBC, limit=5, after=None)
        assert row.asked_again_at is not None

    async def test_loses_what_has_a_newer_decision(self, bank: Bank):
        await bank.write(referred("k1", "A1"), referred("k2", "A2"))
        await bank.write(asked("k3", application_id="A1", request__amount="1000000.00"), referred("k4", "A2"))

        found = await bank.database.reviews.open_referrals(ICBC, limit=5, after=None)

        assert [(row.application_id, row.reasons[0]) for row in found] == [("A2", "FACT_UNKNOWN")]

    async def test_is_paged_and_filtered(self, bank: Bank, clock: SetClock):
        for number in range(5):
            clock.now += timedelta(hours=1)
            await bank.write(referred(f"k{number}", f"A{number}"))
        first = await bank.database.reviews.open_referrals(ICBC, limit=2, after=None)
        after = (first[-1].recorded_at, first[-1].decision_id)

        assert await queued(bank, after=after) == ["A2", "A3", "A4"]
        assert await queued(bank, replace(ICBC, product="icbc/other")) == []
        assert await queued(bank, replace(ICBC, recorded_until=first[-1].recorded_at)) == ["A0"]
        assert await queued(bank, QueueFilter((f"icbc/{first[0].branch}",))) == ["A0", "A1", "A2", "A3", "A4"]
        assert await queued(bank, QueueFilter(("icbc/elsewhere",))) == []


class TestAReview:
    async def test_is_recorded_with_who_and_why_and_is_the_decisions_newest(self, bank: Bank):
        decision_id = body((await bank.write(referred("k1", "A1")))[0])["decision_id"]

        await bank.write(review("r1", decision_id, "RESUBMIT", "A1", "accounts"))
        (answer,) = await bank.write(review("r2", decision_id, "APPROVED_BY_PERSON", "A1", "seen"))

        shown = newest_review(await bank.history(decision_id))
        assert shown == body(answer)
        assert (shown["outcome"], shown["final"], shown["reviewer"]) == ("APPROVED_BY_PERSON", True, "1001")
        assert shown["reason"] == {"code": "OTHER", "text": "seen"}
        assert shown["audit_record"]["index"] == 2

    async def test_is_final_once_a_decision_whoever_else_is_in_the_batch(self, bank: Bank):
        decision_id = body((await bank.write(referred("k1", "A1")))[0])["decision_id"]

        results = await bank.write(
            review("r1", decision_id, "DECLINED_BY_PERSON", "A1"), review("r2", decision_id, "APPROVED_BY_PERSON", "A1")
        )
        again = await bank.write(review("r3", decision_id, "RESUBMIT", "A1"))

        assert [type(result) for result in (*results, *again)] == [Answer, AlreadyReviewed, AlreadyReviewed]

    async def test_answers_its_key_again_and_no_other_body(self, bank: Bank):
        decision_id = body((await bank.write(referred("k1", "A1")))[0])["decision_id"]
        (first,) = await bank.write(review("r1", decision_id, "APPROVED_BY_PERSON", "A1"))

        same, other = await bank.write(
            review("r1", decision_id, "APPROVED_BY_PERSON", "A1"), review("r1", decision_id, "RESUBMIT", "A1")
        )

        assert (same.body, same.replayed) == (first.body, True)
        assert isinstance(other, KeyReusedWithOtherBody)

    async def test_is_of_the_newest_decision_also_within_one_batch(self, bank: Bank):
        decision_id = body((await bank.write(referred("k1", "A1")))[0])["decision_id"]

        _, refused = await bank.write(asked("k2", application_id="A1"), review("r1", decision_id, "RESUBMIT", "A1"))

        assert isinstance(refused, ReferralSuperseded)
        assert await queued(bank) == []

    async def test_of_many_at_once_is_one(self, bank: Bank):
        decision_id = body((await bank.write(referred("k1", "A1")))[0])["decision_id"]

        results = await asyncio.gather(
            *(bank.write(review(f"r{n}", decision_id, "APPROVED_BY_PERSON", "A1")) for n in range(8))
        )

        assert sorted(type(result).__name__ for (result,) in results) == ["AlreadyReviewed"] * 7 + ["Answer"]
        assert len(await bank.history(decision_id)) == 1

    async def test_stands_in_the_log_as_canonical_bytes(self, bank: Bank):
        decision_id = body((await bank.write(referred("k1", "A1")))[0])["decision_id"]
        await bank.write(review("r1", decision_id, "RESUBMIT", "A1"))

        (stored,) = await bank.history(decision_id)

        assert orjson.loads(stored.record)["format"] == "jifendai/review/1"
        assert canonical_bytes(orjson.loads(stored.record)) == stored.record
