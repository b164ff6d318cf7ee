"""Pools on the road of decisions: room, capital, claims and recoveries, held to the same on every database."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta
from functools import partial

import orjson
import pytest

from app.adapters.database import Database
from app.adapters.desk import Desk
from app.adapters.memory import MemoryDatabase
from app.audit.application import application_from_bytes
from app.audit.canonical import canonical_bytes
from app.domain.money import Yuan
from app.ledger.claim import Loss
from app.ledger.pool import LineFigures, follow
from app.usecases.act_rows import ActsWanted
from app.usecases.acts import Act, Result, Work
from app.usecases.catalogue import ActiveCatalogue
from app.usecases.decide import seal, submission_of, wanted
from app.usecases.pool_acts import Claim, ClaimDecision, Contribution, Recovery, StopLifted
from app.usecases.pool_book import PoolChange, cover_lookup, pool_lookups, with_cover
from app.usecases.pool_refusals import PoolRefusal, PoolRefused
from app.usecases.ports import Submission
from app.usecases.room import Room
from tests.adapters.conftest import SetClock, opened
from tests.applications import sound
from tests.policy_cases import catalogue
from tests.records import ACTIVATED
from tests.usecases.test_decide import OneKey

PRODUCT, OTHER = "undisclosed/zhongkai-pool-illustration", "undisclosed/zhongkai-innovation-points-loan"
POOL = "zhongkai/illustration"
CATALOGUE = ActiveCatalogue(catalogue())
TODAY = date(2026, 11, 20)


def asked(number: int, product: str = PRODUCT, **changes: object) -> Submission:
    uscc = changes.pop("uscc", f"9199999900000{number:04d}X")
    named = {"company__uscc": uscc, "application_id": f"A-{number}", "request__amount": "5000000.00", **changes}
    key = str(named.pop("key", f"{product}/{number}/{changes}"))
    document = canonical_bytes(sound(product, **named))
    return submission_of(document, application_from_bytes(document), idempotency_key=key, submitted_by="los")


class Figures(Act):
    """A kind of act for tests: brings a cover to the figures of its line, as the events of an offer do."""

    format = "jifendai/test-figures/1"
    line: LineFigures

    def wants(self) -> ActsWanted:
        """This function will ask for the pool and the cover."""
        return ActsWanted(rows=(*pool_lookups(POOL), cover_lookup(self.subject)))

    def seal_into(self, work: Work, record_id: str) -> Result:
        """This function will follow the line."""
        held = work.pools.cover(self.subject)
        drawn = int(orjson.loads(self.document)["drawn"])
        undrawn = Yuan(held.cover.covered - Yuan.whole(drawn))
        figures = LineFigures(Yuan.whole(drawn), Yuan.whole(drawn), undrawn, TODAY + timedelta(days=300))
        cover, entries = follow(held.cover, figures, work.on)
        return Result("MOVED", {}, pool_changes=(PoolChange(POOL, record_id, entries, with_cover(held, cover)),))


class Bank:
    """A database, the room to decide in and a desk."""

    def __init__(self, database: Database | MemoryDatabase) -> None:
        self.database = database
        counter, self._keys = itertools.count(1), itertools.count(1)
        self.room = Room(CATALOGUE, lambda: f"id-{next(counter)}", OneKey(), "test.example/log")
        reads = partial(wanted, pools=CATALOGUE.pools_reserved_from)
        self.desk = Desk(database.book, wanted=reads, seal=partial(seal, room=self.room))

    async def decide(self, submission: Submission) -> dict:
        return orjson.loads((await self.desk.submit(submission)).body)

    async def act(self, kind: type[Act], *, by: str = "1001", lender: str = "undisclosed", **fields: object) -> dict:
        said = fields.pop("said", {})
        subject = fields.pop("subject", POOL)
        made = kind(
            lender=lender, subject=subject, idempotency_key=f"act-{next(self._keys)}", document=canonical_bytes(said),
            submitted_by=by, **fields,
        )  # fmt: skip
        return orjson.loads((await self.desk.submit(made)).body)

    async def contribute(self, yuan: int) -> dict:
        return await self.act(Contribution, lender="operator", amount=Yuan.whole(yuan), value_on=TODAY)

    async def draw(self, offer_id: str, yuan: int) -> None:
        await self.act(Figures, subject=offer_id, said={"drawn": str(yuan)})

    async def claim(self, offer_id: str, yuan: int, **more: object) -> dict:
        loss = Loss(Yuan.whole(yuan), Yuan(0), date(2026, 9, 1), ("loan-contract", "demand-letter"))
        return await self.act(Claim, offer_id=offer_id, loss=replace(loss, **more))

    async def pay(self, claim: dict, *, pays: bool = True, by: str = "2002") -> dict:
        return await self.act(ClaimDecision, claim_id=claim["claim_id"], offer_id=claim["offer_id"], pays=pays, by=by)


@pytest.fixture(params=["memory", "sqlite", "postgresql", "plain"])
async def bank(request: pytest.FixtureRequest, clock: SetClock) -> AsyncIterator[Bank]:
    async with opened(request.param, request, clock) as database:
        await database.catalogue.activate(CATALOGUE.digest, "test", ACTIVATED)
        yield Bank(database)


def cover_of(answer: dict) -> dict:
    return answer["offer"]["risk_compensation"]


class TestAnOfferThatReserves:
    async def test_takes_room_until_there_is_none_and_is_told_why(self, bank: Bank):
        await bank.contribute(10_000_000)

        answers = [await bank.decide(asked(n)) for n in range(3)]

        assert [cover_of(a)["status"] for a in answers] == ["RESERVED", "RESERVED", "NONE"]
        assert [cover_of(a)["reserved_amount"] for a in answers] == ["5000000.00", "5000000.00", "0.00"]
        assert "COVER_NO_ROOM" in [reason["code"] for reason in answers[2]["reasons"]]

    async def test_finds_no_room_in_a_pool_that_nobody_has_paid_into(self, bank: Bank):
        assert cover_of(await bank.decide(asked(1)))["status"] == "NONE"

    async def test_is_superseded_in_its_own_batch_though_no_pool_covers_it(self, bank: Bank):
        twice = [bank.decide(asked(1, key=f"k{n}", request__amount=f"{n}000000.00")) for n in (3, 4)]

        first, second = await asyncio.wait_for(asyncio.gather(*twice), 20)

        assert second["supersedes"] == first["decision_id"]

    async def test_gives_its_place_back_when_it_is_superseded_without_a_reservation(self, bank: Bank):
        await bank.contribute(5_000_000)
        await bank.decide(asked(1))

        # The same application, for another product that reserves nothing.
        second = await bank.decide(asked(1, OTHER))
        third = await bank.decide(asked(2))

        assert second["supersedes"] is not None
        assert cover_of(third)["status"] == "RESERVED"

    async def test_keeps_its_own_place_when_it_is_decided_anew(self, bank: Bank):
        await bank.contribute(5_000_000)
        await bank.decide(asked(1))

        again = await bank.decide(asked(1, request__amount="4000000.00"))

        assert cover_of(again)["reserved_amount"] == "4000000.00"

    async def test_counts_what_other_lenders_cover_of_the_company(self, bank: Bank):
        await bank.contribute(50_000_000)
        await bank.decide(asked(1, request__amount="3000000.00", uscc="91999999MAT000018E"))

        other = await bank.decide(asked(2, request__amount="3000000.00", uscc="91999999MAT000018E"))

        assert cover_of(other)["covered_amount"] == "2000000.00"

    async def test_stops_counting_when_its_day_has_passed(self, bank: Bank, clock: SetClock):
        await bank.contribute(5_000_000)
        first = await bank.decide(asked(1))
        expires_on = date.fromisoformat(first["offer"]["expires_on"])

        clock.now += expires_on - TODAY
        on_the_day = await bank.decide(asked(2, key="on", authorisation__valid_until="2027-11-17"))
        clock.now += timedelta(days=1)
        after = await bank.decide(asked(3, authorisation__valid_until="2027-11-17"))

        assert [cover_of(on_the_day)["status"], cover_of(after)["status"]] == ["NONE", "RESERVED"]

    async def test_is_decided_the_same_again_from_its_record(self, bank: Bank):
        from app.usecases.replay import replay_stored

        await bank.contribute(5_000_000)
        for n in range(2):
            await bank.decide(asked(n))

        stored = [found async for found in bank.database.decisions.every_decision(["undisclosed"])]

        assert [replay_stored(one) for one in stored] == [(), ()]


class TestCapital:
    async def test_is_paid_in_up_to_what_the_phases_commit(self, bank: Bank):
        await bank.contribute(1_000_000_000)

        with pytest.raises(PoolRefused) as refused:
            await bank.contribute(1)

        assert (refused.value.why, refused.value.facts) == (PoolRefusal.ABOVE_COMMITTED_CAPITAL, "0.00")

    async def test_of_a_pool_that_there_is_not_is_refused(self, bank: Bank):
        with pytest.raises(PoolRefused) as refused:
            await bank.act(Contribution, lender="operator", subject="no/pool", amount=Yuan(1), value_on=TODAY)

        assert refused.value.why is PoolRefusal.NO_SUCH_POOL


class TestALoss:
    async def test_is_claimed_reviewed_paid_and_returned_by_the_shares_of_the_decision(self, bank: Bank):
        await bank.contribute(10_000_000)
        offer_id = (await bank.decide(asked(1)))["offer"]["offer_id"]
        await bank.draw(offer_id, 4_000_000)

        claim = await bank.claim(offer_id, 3_000_000)
        paid = await bank.pay(claim)
        back = await bank.act(
            Recovery, claim_id=claim["claim_id"], offer_id=offer_id, gross=Yuan.whole(1_000_000),
            costs=Yuan.whole(100_000), value_on=TODAY,
        )  # fmt: skip
        after = await bank.decide(asked(2, request__amount="5000000.00"))

        assert claim["review_until"] == "2026-12-04"
        assert paid["borne"] == [{"amount": "3000000.00", "bearer": "POOL"}, {"amount": "0.00", "bearer": "BANK"}]
        assert {part["bearer"]: part["amount"] for part in back["returned"]} == {"POOL": "900000.00", "BANK": "0.00"}
        # 10,000,000 − 3,000,000 + 900,000, and the stop line of a tenth was passed.
        assert "COVER_STOPPED" in [reason["code"] for reason in after["reasons"]]

    async def test_of_others_is_as_one_that_there_is_not(self, bank: Bank):
        await bank.contribute(10_000_000)
        offer_id = (await bank.decide(asked(1)))["offer"]["offer_id"]

        with pytest.raises(PoolRefused) as foreign:
            await bank.act(Claim, lender="boc", offer_id=offer_id, loss=Loss(Yuan(1), Yuan(0), TODAY))
        with pytest.raises(PoolRefused) as absent:
            await bank.act(Claim, lender="boc", offer_id="nothing", loss=Loss(Yuan(1), Yuan(0), TODAY))

        assert foreign.value.why is absent.value.why is PoolRefusal.NO_COVER

    async def test_is_never_decided_by_who_claimed_it_and_never_twice(self, bank: Bank):
        await bank.contribute(10_000_000)
        offer_id = (await bank.decide(asked(1)))["offer"]["offer_id"]
        await bank.draw(offer_id, 5_000_000)
        mended = await bank.claim(offer_id, 200_000)
        claim = await bank.claim(offer_id, 100_000)

        with pytest.raises(PoolRefused) as same:
            await bank.pay(claim, by="1001")
        with pytest.raises(PoolRefused) as replaced:
            await bank.pay(mended)
        await bank.pay(claim)
        with pytest.raises(PoolRefused) as twice:
            await bank.pay(claim)

        assert [r.value.why.value for r in (same, replaced, twice)] == ["SAME_PERSON", "CLAIM_DECIDED", "CLAIM_DECIDED"]

    async def test_that_is_rejected_may_be_claimed_anew(self, bank: Bank):
        await bank.contribute(10_000_000)
        offer_id = (await bank.decide(asked(1)))["offer"]["offer_id"]
        await bank.draw(offer_id, 5_000_000)

        rejected = await bank.pay(await bank.claim(offer_id, 100_000), pays=False)

        assert rejected["state"] == "REJECTED"
        assert (await bank.claim(offer_id, 100_000))["state"] == "CLAIMED"

    async def test_stops_the_pool_until_a_person_lifts_it(self, bank: Bank):
        await bank.contribute(50_000_000)
        offer_id = (await bank.decide(asked(1)))["offer"]["offer_id"]
        with pytest.raises(PoolRefused) as early:
            await bank.act(StopLifted, lender="operator")
        await bank.draw(offer_id, 5_000_000)
        await bank.pay(await bank.claim(offer_id, 5_000_000))

        stopped = await bank.decide(asked(2))
        lifted = await bank.act(StopLifted, lender="operator", said={"authority": "A-1", "reason": "agreed"})
        goes_on = await bank.decide(asked(3))

        assert early.value.why is PoolRefusal.NOT_STOPPED
        assert (cover_of(stopped)["status"], lifted["state"], cover_of(goes_on)["status"]) == (
            "NONE",
            "LIFTED",
            "RESERVED",
        )
