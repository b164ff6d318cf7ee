"""What is owed to webhook endpoints is delivered: from the log's own record, in order, by one of several, for three
days, and then kept as a dead letter.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from sqlalchemy import insert, true

from app.adapters.database import open_database, webhook_queue, webhooks
from app.adapters.database.webhook_tables import WEBHOOK_EVENT
from app.adapters.metrics import Metrics
from app.adapters.webhook_secrets import SecretBox, SecretUnreadable, new_secret
from app.usecases.webhook_events import EventType, owed
from app.usecases.webhooks import (
    GIVES_UP_AFTER,
    KEPT,
    Backlog,
    DeliveryState,
    Outcome,
    TooManyEndpoints,
    UrlTaken,
    next_attempt,
)
from tests.adapters.conftest import SetClock
from tests.adapters.webhook_harness import (
    BOX,
    RECORDED,
    Bank,
    ForgetsBeforeSending,
    SimulatedEndpoint,
    dispatcher,
    endpoint_in,
    faults_after_kills,
)

KILLS, KILLS_SOAK = 2, 100
KILLS_TO_FIND_A_DEFECT = 2


@pytest.fixture
async def bank(database_url: str, clock: SetClock) -> AsyncIterator[Bank]:
    """A bank on each kind of database, under a clock that tests set."""
    database = open_database(database_url, clock=clock)
    await database.start()
    bank = Bank(database)
    await bank.open()
    yield bank
    await database.close()


@pytest.fixture
def there() -> SimulatedEndpoint:
    """Where everything is sent."""
    return SimulatedEndpoint()


class TestADecision:
    async def test_is_told_with_what_it_takes_to_look_it_up_and_no_company(self, bank: Bank, there: SimulatedEndpoint):
        await endpoint_in(bank.database)
        answer = await bank.decide("A1")
        await dispatcher(bank.database, there).turn()

        [event_id] = there.taken
        body = orjson.loads(there.bodies[event_id])
        assert event_id == body["id"] == f"dec_{answer['decision_id']}"
        assert (body["specversion"], body["type"], body["source"]) == ("1.0", "decision.made", "test.example/log/icbc")
        assert body["subject"] == body["data"]["offer"]["offer_id"] == answer["offer"]["offer_id"]
        assert body["time"] == answer["recorded_at"]
        assert body["data"]["outcome"] == "PRE_APPROVED"
        assert b"uscc" not in there.bodies[event_id] and "名" not in there.bodies[event_id].decode()

    async def test_that_supersedes_an_offer_tells_of_that_behind_the_offer_itself(
        self, bank: Bank, there: SimulatedEndpoint
    ):
        await endpoint_in(bank.database)
        first, second = await bank.decide("A1"), await bank.decide("A1")
        await dispatcher(bank.database, there).turn()

        offer_id = first["offer"]["offer_id"]
        assert sorted(there.types()) == ["decision.made", "decision.made", "offer.superseded"]
        assert there.taken.index(f"dec_{first['decision_id']}") < there.taken.index(f"sup_{offer_id}")
        body = orjson.loads(there.bodies[f"sup_{offer_id}"])
        assert body["data"]["superseded_by"] == second["decision_id"]

    async def test_made_before_the_endpoint_is_not_told(self, bank: Bank, there: SimulatedEndpoint):
        await bank.decide("A1")
        await endpoint_in(bank.database)
        await dispatcher(bank.database, there).turn()

        assert there.tried == []

    async def test_of_another_lender_is_not_told(self, bank: Bank, there: SimulatedEndpoint):
        await endpoint_in(bank.database, lender="boc")
        await bank.decide("A1")
        await dispatcher(bank.database, there).turn()

        assert there.tried == []

    async def test_is_told_to_an_endpoint_that_asked_for_its_type_alone(self, bank: Bank, there: SimulatedEndpoint):
        await endpoint_in(bank.database, events=("offer.superseded",))
        await bank.decide("A1")
        await bank.decide("A1")
        await dispatcher(bank.database, there).turn()

        assert there.types() == ["offer.superseded"]


class TestWhatIsNotTaken:
    async def test_is_tried_again_with_longer_waits_until_three_days_are_over(
        self, bank: Bank, there: SimulatedEndpoint, clock: SetClock
    ):
        endpoint = await endpoint_in(bank.database)
        answer = await bank.decide("A1")
        there.otherwise, running = Outcome.REFUSED_STATUS, dispatcher(bank.database, there, clock=clock)
        began, attempts = clock.now, []
        for _ in range(200):
            if await running.turn():
                attempts.append(clock.now - began)
            found, _ = await bank.database.webhooks.delivery(
                endpoint.endpoint_id, f"dec_{answer['decision_id']}", ("icbc",)
            )
            if found.state is DeliveryState.DEAD:
                break
            clock.now = found.next_at

        seconds = [int(at.total_seconds()) for at in attempts]
        assert seconds[:5] == [0, 5, 15, 45, 135]
        assert attempts[-1] == GIVES_UP_AFTER
        assert len(seconds) < 25
        _, kept = await bank.database.webhooks.delivery(
            endpoint.endpoint_id, f"dec_{answer['decision_id']}", ("icbc",)
        )
        assert [one.attempt for one in kept] == list(range(1, len(seconds) + 1))
        assert {one.outcome for one in kept} == {Outcome.REFUSED_STATUS}

    async def test_holds_back_what_concerns_the_same_offer_and_nothing_else(
        self, bank: Bank, there: SimulatedEndpoint, clock: SetClock
    ):
        await endpoint_in(bank.database)
        first, second, other = await bank.decide("A1"), await bank.decide("A1"), await bank.decide("B1")
        there.answers[f"dec_{first['decision_id']}"] = Outcome.TIMED_OUT
        await dispatcher(bank.database, there, clock=clock).turn()

        assert set(there.taken) == {f"dec_{second['decision_id']}", f"dec_{other['decision_id']}"}
        there.answers.clear()
        clock.now += timedelta(seconds=5)
        await dispatcher(bank.database, there, clock=clock).turn()
        assert there.taken[2:] == [f"dec_{first['decision_id']}", f"sup_{first['offer']['offer_id']}"]

    async def test_is_a_dead_letter_that_can_be_sent_again(
        self, bank: Bank, there: SimulatedEndpoint, clock: SetClock
    ):
        endpoint = await endpoint_in(bank.database)
        await bank.decide("A1")
        there.otherwise, running = Outcome.REFUSED_STATUS, dispatcher(bank.database, there, clock=clock)
        await running.turn()
        clock.now += GIVES_UP_AFTER
        await running.turn()
        assert (await bank.database.webhooks.owed(("icbc",)))[endpoint.endpoint_id] == {"DEAD": 1}

        there.otherwise = Outcome.DELIVERED
        assert await running.turn() == 0
        assert await bank.database.webhooks.replay(endpoint.endpoint_id, ("icbc",), None, clock.now) == 1
        assert await running.turn() == 1
        assert (await bank.database.webhooks.owed(("icbc",)))[endpoint.endpoint_id] == {"DELIVERED": 1}

    async def test_waits_while_the_endpoint_is_disabled_and_loses_no_time_of_trying(
        self, bank: Bank, there: SimulatedEndpoint, clock: SetClock
    ):
        endpoint = await endpoint_in(bank.database)
        await bank.decide("A1")
        there.otherwise, running = Outcome.GONE, dispatcher(bank.database, there, clock=clock)
        await running.turn()
        found = await bank.database.webhooks.find(endpoint.endpoint_id, ("icbc",))
        assert (found.enabled, found.why_disabled) == (False, "GONE")

        clock.now += 2 * GIVES_UP_AFTER
        await bank.decide("B1")
        assert await running.turn() == 0
        there.otherwise = Outcome.REFUSED_STATUS
        await bank.database.webhooks.change(
            endpoint.endpoint_id, ("icbc",),
            lambda one: replace(one, enabled=True, why_disabled=None, changed_at=clock.now), RECORDED,
        )  # fmt: skip
        assert await running.turn() == 2
        assert (await bank.database.webhooks.owed(("icbc",)))[endpoint.endpoint_id] == {"PENDING": 2}

    @pytest.mark.parametrize(
        ("asked", "waits"),
        [
            (timedelta(seconds=1), timedelta(seconds=5)), (timedelta(hours=1), timedelta(hours=1)),
            (timedelta(days=9), timedelta(hours=8)),
        ],
    )  # fmt: skip
    async def test_waits_for_as_long_as_the_endpoint_asks_within_bounds(
        self, bank: Bank, clock: SetClock, asked: timedelta, waits: timedelta
    ):
        there = SimulatedEndpoint(otherwise=Outcome.REFUSED_STATUS, asked_wait=asked)
        endpoint = await endpoint_in(bank.database)
        answer = await bank.decide("A1")
        await dispatcher(bank.database, there, clock=clock).turn()

        found, _ = await bank.database.webhooks.delivery(
            endpoint.endpoint_id, f"dec_{answer['decision_id']}", ("icbc",)
        )
        assert found.next_at - clock.now == waits

    def test_is_given_up_after_three_days_whatever_the_endpoint_asks(self, clock: SetClock):
        last = GIVES_UP_AFTER - timedelta(hours=1)

        again = next_attempt(clock.now, clock.now + last, 0, timedelta(hours=8))

        assert again == clock.now + GIVES_UP_AFTER
        assert next_attempt(clock.now, clock.now + GIVES_UP_AFTER, 0, timedelta(hours=8)) is None

    @pytest.mark.parametrize("draw", [0, 1, 500, 999])
    def test_is_jittered_by_up_to_half_its_wait(self, draw: int, clock: SetClock):
        since = clock.now
        for tried in (timedelta(), timedelta(seconds=5), timedelta(hours=1), timedelta(days=2)):
            latest = next_attempt(since, since + tried, 0)
            at = next_attempt(since, since + tried, draw)
            wait = latest - since - tried
            assert latest - wait // 2 <= at <= latest

        assert next_attempt(since, since + GIVES_UP_AFTER, draw) is None


class TestSeveralReplicas:
    async def test_do_not_send_one_event_at_the_same_time(self, bank: Bank, clock: SetClock):
        there = SimulatedEndpoint(slow_s=0.02)
        await endpoint_in(bank.database)
        for number in range(20):
            await bank.decide(f"A{number}")
        several = [dispatcher(bank.database, there, f"replica {n}", clock) for n in range(4)]
        for _ in range(2):
            await asyncio.gather(*(one.turn() for one in several))

        assert len(there.tried) == len(set(there.tried)) == 20

    async def test_are_seen_to_where_nobody_looks_at_the_lease(
        self, bank: Bank, clock: SetClock, monkeypatch: pytest.MonkeyPatch
    ):
        there = SimulatedEndpoint(slow_s=0.05)
        await endpoint_in(bank.database)
        await bank.decide("A1")
        monkeypatch.setattr(webhook_queue, "_free", lambda holder, now: true())
        await asyncio.gather(*(dispatcher(bank.database, there, f"replica {n}", clock).turn() for n in range(4)))

        assert len(there.tried) > 1

    async def test_take_over_what_a_dead_one_held_when_its_lease_is_over(self, bank: Bank, clock: SetClock):
        there, endpoint = SimulatedEndpoint(), await endpoint_in(bank.database)
        await bank.decide("A1")
        assert await bank.database.webhook_queue.take(endpoint.endpoint_id, "dead", timedelta(seconds=60)) is not None
        running = dispatcher(bank.database, there, "alive", clock)

        assert await running.turn() == 0
        clock.now += timedelta(seconds=60)
        assert await running.turn() == 1


class TestWhatStandsInNoLog:
    async def test_is_owed_once_to_every_endpoint_of_those_it_is_for(
        self, bank: Bank, there: SimulatedEndpoint, clock: SetClock
    ):
        for lender in ("icbc", "boc", "ccb"):
            await endpoint_in(bank.database, f"https://{lender}.example/", lender=lender)
        row = owed(
            EventType.POOL_STOPPED, event_id="stp_1", audience=("icbc", "boc"), subject="zhongkai/illustration",
            at=clock.now, data={"pool": "zhongkai/illustration"},
        )  # fmt: skip

        await bank.database._store.write(lambda c: c.execute(insert(WEBHOOK_EVENT).values(**row.values)), lenders=())
        running = dispatcher(bank.database, there, clock=clock)
        await asyncio.gather(running.turn(), dispatcher(bank.database, there, "two", clock).turn())
        await running.turn()

        assert there.taken == ["stp_1", "stp_1"]
        assert set(there.types()) == {"pool.stopped"}


class TestAnEndpoint:
    async def test_is_kept_once_at_one_address_of_a_lender(self, bank: Bank):
        await endpoint_in(bank.database)

        with pytest.raises(UrlTaken):
            await endpoint_in(bank.database)
        await endpoint_in(bank.database, lender="boc")

    async def test_is_one_of_so_many_that_a_lender_may_have(self, bank: Bank, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(webhooks, "MOST_ENDPOINTS", 2)
        kept = [await endpoint_in(bank.database, f"https://{n}.example/") for n in range(2)]

        with pytest.raises(TooManyEndpoints):
            await endpoint_in(bank.database, "https://third.example/")
        await endpoint_in(bank.database, lender="boc")
        await bank.database.webhooks.remove(kept[0].endpoint_id, ("icbc",), RECORDED)
        await endpoint_in(bank.database, "https://third.example/")

    async def test_is_listed_page_by_page(self, bank: Bank):
        made = [await endpoint_in(bank.database, f"https://{n}.example/") for n in range(3)]
        first = await bank.database.webhooks.listed(("icbc",), limit=2)
        rest = await bank.database.webhooks.listed(
            ("icbc",), limit=2, after=(first[-1].created_at, first[-1].endpoint_id)
        )

        assert [one.endpoint_id for one in (*first, *rest)] == [one.endpoint_id for one in made]
        assert len(first) == 2

    async def test_that_is_behind_is_told_of_to_whoever_watches(self, bank: Bank, clock: SetClock):
        endpoint = await endpoint_in(bank.database)
        await bank.decide("A1")
        lagging = await bank.database.webhook_queue.backlog()
        there = SimulatedEndpoint(otherwise=Outcome.REFUSED_STATUS)
        await dispatcher(bank.database, there, clock=clock).turn()
        clock.now += timedelta(seconds=90)
        waiting = await bank.database.webhook_queue.backlog()
        clock.now += GIVES_UP_AFTER
        await dispatcher(bank.database, there, clock=clock).turn()
        dead = await bank.database.webhook_queue.backlog()

        assert lagging == Backlog(pending=0, dead=0, oldest_s=0, behind=1)
        assert waiting == Backlog(pending=1, dead=0, oldest_s=90, behind=0)
        assert (dead.pending, dead.dead) == (0, 1)
        counted = Metrics()
        counted.webhooks_owed(*lagging)
        counted.webhooks_owed(*dead)
        assert b'jifendai_webhooks_owed{state="DEAD"} 1.0' in counted.exposition()[0]
        assert b"jifendai_webhook_places_behind 0.0" in counted.exposition()[0]
        await bank.database.webhooks.change(
            endpoint.endpoint_id, ("icbc",), lambda one: replace(one, enabled=False), RECORDED
        )
        await bank.decide("B1")
        assert (await bank.database.webhook_queue.backlog()).behind == 0

    async def test_is_not_seen_by_another_lender_or_by_a_branch(self, bank: Bank):
        endpoint = await endpoint_in(bank.database)

        for scope in (("boc",), ("icbc/kunshan",), ()):
            assert await bank.database.webhooks.find(endpoint.endpoint_id, scope) is None
            assert await bank.database.webhooks.listed(scope, limit=10) == ()

    async def test_is_signed_for_with_both_secrets_during_the_overlap_and_then_with_the_new_one(
        self, bank: Bank, there: SimulatedEndpoint, clock: SetClock
    ):
        old, new = new_secret(), new_secret()
        endpoint = await endpoint_in(bank.database)
        await bank.database.webhooks.change(
            endpoint.endpoint_id, ("icbc",),
            lambda one: replace(one, secrets=BOX.seal(one.endpoint_id, [new, old]),
                                secret_overlaps_until=clock.now + timedelta(hours=1)), RECORDED,
        )  # fmt: skip
        for key in ("A1", "B1"):
            await bank.decide(key)
            await dispatcher(bank.database, there, clock=clock).turn()
            clock.now += timedelta(hours=1)

        assert [len(headers["webhook-signature"].split()) for headers in there.headers] == [2, 1]

    async def test_keeps_its_secret_through_a_change_of_the_installations_key(
        self, bank: Bank, there: SimulatedEndpoint
    ):
        endpoint, secret = await endpoint_in(bank.database), new_secret()
        before, during, after = (SecretBox(keys) for keys in ((b"a" * 32,), (b"b" * 32, b"a" * 32), (b"b" * 32,)))
        sealed = before.seal(endpoint.endpoint_id, [secret])
        with pytest.raises(SecretUnreadable):
            after.open(endpoint.endpoint_id, sealed)
        await bank.database.webhook_queue.reseal(endpoint, sealed)

        changing = dispatcher(bank.database, there)
        changing._box = during
        assert await changing.reseal() == 0
        found = await bank.database.webhooks.find(endpoint.endpoint_id, ("icbc",))
        assert [box.open(endpoint.endpoint_id, found.secrets) for box in (before, during, after)] == [(secret,)] * 3
        with pytest.raises(SecretUnreadable):
            after.open("another endpoint", found.secrets)

    async def test_forgets_what_is_over_when_its_time_is_over_and_nothing_that_is_owed(
        self, bank: Bank, there: SimulatedEndpoint, clock: SetClock
    ):
        endpoint = await endpoint_in(bank.database)
        await bank.decide("A1")
        await dispatcher(bank.database, there, clock=clock).turn()
        await bank.decide("B1")
        there.otherwise = Outcome.TIMED_OUT
        await dispatcher(bank.database, there, clock=clock).turn()

        clock.now += KEPT["DELIVERED"]
        assert await bank.database.webhook_queue.prune() == 0
        clock.now += timedelta(microseconds=1)
        assert await bank.database.webhook_queue.prune() == 1
        assert (await bank.database.webhooks.owed(("icbc",)))[endpoint.endpoint_id] == {"PENDING": 1}


class TestAKilledDispatcher:
    async def test_is_seen_to_lose_what_it_settled_before_it_was_sent(self, database_url: str, tmp_path: Path):
        wrong = await faults_after_kills(database_url, tmp_path, KILLS_TO_FIND_A_DEFECT, ForgetsBeforeSending)

        assert any("was never delivered" in fault for fault in wrong), wrong

    async def test_has_lost_nothing_and_told_nothing_that_was_rolled_back(self, database_url: str, tmp_path: Path):
        assert await faults_after_kills(database_url, tmp_path, KILLS) == []

    @pytest.mark.soak
    async def test_has_lost_nothing_at_full_count(self, database_url: str, tmp_path: Path):
        assert await faults_after_kills(database_url, tmp_path, KILLS_SOAK) == []
