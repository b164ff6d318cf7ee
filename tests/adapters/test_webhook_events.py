"""What is told of: offers' events, their end by time, and a pool that stops; each once, to those whom it concerns."""

from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial

import pytest

from app.adapters.database import Database, open_database
from app.adapters.desk import Desk
from app.audit.canonical import canonical_bytes
from app.usecases.campaigns import CampaignAct
from app.usecases.days import day_in_shanghai
from app.usecases.decide import seal, wanted
from app.usecases.offers import OfferEvent, note_ended, pre_approval_of
from app.usecases.webhook_events import LoggedRecord, events_in
from tests.adapters import test_pools
from tests.adapters.conftest import SetClock
from tests.adapters.webhook_harness import Bank, SimulatedEndpoint, dispatcher, endpoint_in


@pytest.fixture
async def database(database_url: str, clock: SetClock) -> AsyncIterator[Database]:
    """Each kind of database under a clock that tests set."""
    database = open_database(database_url, clock=clock)
    await database.start()
    yield database
    await database.close()


class TestAnOffer:
    async def test_is_told_of_when_core_banking_tells_and_when_time_has_ended_it(
        self, database: Database, clock: SetClock
    ):
        bank, there = Bank(database), SimulatedEndpoint()
        await bank.open()
        await endpoint_in(database, events=("offer.event_recorded", "offer.expired"))
        withdrawn, expired = await bank.decide("A1"), await bank.decide("B1", company__uscc="U2")
        desk = Desk(database.book, wanted=wanted, seal=partial(seal, room=bank.room))
        stored = await database.decisions.find(withdrawn["decision_id"], ("icbc",))
        offer_id = withdrawn["offer"]["offer_id"]
        said = {"event": "WITHDRAWN", "value_on": "2026-11-20", "core_reference": "C-1"}
        await desk.submit(OfferEvent(
            lender="icbc", subject=offer_id, idempotency_key="w", document=canonical_bytes(said), submitted_by="core",
            offer=pre_approval_of(stored),
        ))  # fmt: skip
        clock.now += timedelta(days=400)
        assert await note_ended(database.offers, desk.submit, day_in_shanghai(clock.now)) == 1
        await dispatcher(database, there, clock=clock).turn()

        assert there.types() == ["offer.event_recorded", "offer.expired"]
        told = [there.told(event_id) for event_id in there.taken]
        assert (told[0]["data"]["event"], told[0]["data"]["status"]) == ("WITHDRAWN", "WITHDRAWN")
        assert [one["subject"] for one in told] == [offer_id, expired["offer"]["offer_id"]]
        assert [one["data"]["application_id"] for one in told] == ["A1", "B1"]


class TestAPool:
    async def test_that_stops_is_told_of_once_to_those_who_hold_cover_from_it(
        self, database: Database, clock: SetClock
    ):
        await database.catalogue.activate(test_pools.CATALOGUE.digest, "test", test_pools.ACTIVATED)
        bank, there = test_pools.Bank(database), SimulatedEndpoint()
        for lender in ("undisclosed", "boc"):
            await endpoint_in(database, f"https://{lender}.example/", lender=lender, events=("pool.stopped",))
        await bank.contribute(50_000_000)
        offers = [(await bank.decide(test_pools.asked(n)))["offer"]["offer_id"] for n in (1, 2)]
        for offer_id in offers:
            await bank.draw(offer_id, 5_000_000)
        for offer_id in offers:
            await bank.pay(await bank.claim(offer_id, 5_000_000))
        await dispatcher(database, there, clock=clock).turn()

        [event_id] = there.taken
        told = there.told(event_id)
        assert (told["type"], told["subject"], told["source"]) == (
            "pool.stopped", test_pools.POOL, "test.example/log/undisclosed",
        )  # fmt: skip


class TestACampaign:
    @pytest.mark.parametrize("state", ["RUNNING", "FINISHED", "CANCELLED"])
    def test_is_told_of_when_it_has_finished_and_not_before(self, state: str):
        result = {"record_id": "r", "recorded_at": "2026-11-20T02:15:00.000000Z", "state": state, "done": 680}
        record = {"format": CampaignAct.format, "subject": "c", "result": result}
        found = events_in(LoggedRecord("icbc", 7, canonical_bytes(record)))

        assert [one.type for one in found] == ["campaign.finished"] * (state == "FINISHED")
        assert all(one.data == {"campaign_id": "c", "done": 680, "href": "/v1/campaigns/c"} for one in found)


class TestARecord:
    @pytest.mark.parametrize("record", [b"", b'{"format":"jifendai/review/1"}', b'{"format":"jifendai/operator/1"}'])
    def test_of_another_kind_or_without_its_bytes_is_not_told_of(self, record: bytes):
        assert events_in(LoggedRecord("icbc", 0, record)) == ()
