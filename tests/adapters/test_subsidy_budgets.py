"""A subsidy's budget on the road of decisions: once it is used up offers leave it out, and are made all the same."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import orjson
import pytest

from app.adapters.database import Database, open_database
from app.adapters.desk import Desk
from app.adapters.identifiers import new_uuid7
from app.adapters.memory import MemoryDatabase
from app.audit.application import application_from_bytes
from app.audit.canonical import canonical_bytes
from app.domain.money import Yuan
from app.products.catalog import Programme
from app.usecases.catalogue import ActiveCatalogue
from app.usecases.decide import Room, seal, submission_of, wanted
from app.usecases.ports import Submission
from app.usecases.replay import replay_stored
from app.usecases.subsidy_budgets import BudgetRecorded, note_used_up, used_up_among
from app.usecases.subsidy_refusals import SubsidyRefused
from tests.adapters.conftest import SetClock, opened
from tests.applications import sound
from tests.policy_cases import catalogue
from tests.processes import forked
from tests.records import ACTIVATED
from tests.usecases.test_decide import OneKey

PRODUCT, PROGRAMME = "icbc/suzhou-innovation-points-loan", "suzhou-snd/startup-interest-subsidy"
OTHER = "zhongkai/innovation-points-interest-subsidy"
TODAY = date(2026, 11, 20)
KEYS = itertools.count(1)


def asked(name: str) -> Submission:
    uscc = f"9199{int.from_bytes(name.encode()[-5:], 'big') % 10**13:013d}X"
    document = canonical_bytes(sound(PRODUCT, application_id=name, company__uscc=uscc, request__amount="1000000.00"))
    application = application_from_bytes(document)
    return submission_of(document, application, idempotency_key=f"{name}/{next(KEYS)}", submitted_by="los")


def recorded(used_up: bool, *, programme: str = PROGRAMME, since: date = TODAY, key: str = "") -> BudgetRecorded:
    said = {"state": "USED_UP" if used_up else "AVAILABLE", "since": since.isoformat(), "reason": "R", "reference": "N"}
    return BudgetRecorded(
        subject=programme, idempotency_key=key or f"budget-{next(KEYS)}", document=canonical_bytes(said),
        submitted_by="operator", used_up=used_up, since=since,
    )  # fmt: skip


class Bank:
    """A database and a desk that decides the start-up stage's loan."""

    def __init__(self, database: Database | MemoryDatabase) -> None:
        self.database, self.catalogue = database, ActiveCatalogue(catalogue())
        room = Room(self.catalogue, new_uuid7, OneKey(), "test.example/log")
        self.desk = Desk(database.book, wanted=wanted, seal=partial(seal, room=room))

    async def decide(self, name: str) -> dict:
        return orjson.loads((await self.desk.submit(asked(name))).body)

    async def record(self, used_up: bool, **more: object) -> dict:
        return orjson.loads((await self.desk.submit(recorded(used_up, **more))).body)


@pytest.fixture(params=["memory", "sqlite", "postgresql", "plain"])
async def bank(request: pytest.FixtureRequest, clock: SetClock) -> AsyncIterator[Bank]:
    async with opened(request.param, request, clock) as database:
        bank = Bank(database)
        await database.catalogue.activate(bank.catalogue.digest, "test", ACTIVATED)
        yield bank


def subsidised(answer: dict) -> bool:
    """Whether the offer counts the subsidy; where it does not, it says why, and is made all the same."""
    assert answer["outcome"] == "PRE_APPROVED", answer["reasons"]
    named = [one["id"] for one in answer["offer"]["interest_subsidy"]["programmes"]]
    used = "SUBSIDY_BUDGET_USED" in [reason["code"] for reason in answer["reasons"]]
    assert used is not bool(named)
    return bool(named)


class TestAUsedUpBudget:
    async def test_leaves_the_offer_and_not_the_approval_and_comes_back(self, bank: Bank):
        before = await bank.decide("A")
        await bank.record(True)
        gone = await bank.decide("B")
        await bank.record(False)
        back = await bank.decide("C")

        assert [subsidised(answer) for answer in (before, gone, back)] == [True, False, True]
        assert gone["offer"]["credit_limit"] == before["offer"]["credit_limit"]
        assert gone["offer"]["interest_subsidy"]["maximum_amount"] == "0.00"

    async def test_counts_within_a_batch_from_its_record_on(self, bank: Bank):
        queued = [asked("A"), recorded(True), asked("B"), recorded(False), asked("C")]

        answers = await asyncio.gather(*(bank.desk.submit(one) for one in queued))

        found = [orjson.loads(answer.body) for answer in answers]
        assert [subsidised(found[at]) for at in (0, 2, 4)] == [True, False, True]

    async def test_stands_in_the_record_so_that_a_replay_gives_the_same_bytes(self, bank: Bank):
        await bank.record(True)
        await bank.record(True, programme=OTHER)
        decided = await bank.decide("A")

        stored = await bank.database.decisions.find(decided["decision_id"], ("icbc",))
        assert orjson.loads(stored.record)["subsidies_used_up"] == [PROGRAMME]
        assert replay_stored(stored) == ()

    async def test_is_recorded_once_dated_and_for_a_programme_that_there_is(self, bank: Bank):
        await bank.record(True, since=TODAY - timedelta(days=2))
        reasons = {}
        for why, act in {
            "STATE_AS_BEFORE": recorded(True), "IN_THE_FUTURE": recorded(False, since=TODAY + timedelta(days=1)),
            "BEFORE_THE_LAST_STATE": recorded(False, since=TODAY - timedelta(days=3)),
            "NO_SUCH_PROGRAMME": recorded(True, programme="zhongkai/none"),
        }.items():  # fmt: skip
            with pytest.raises(SubsidyRefused) as refused:
                await bank.desk.submit(act)
            reasons[why] = refused.value.members["reason"]

        assert reasons == {why: why for why in reasons}
        assert used_up_among(await bank.database.budgets.states()) == {PROGRAMME}


class TestABudgetThatSettlementsHaveFilled:
    async def test_is_noted_once_and_not_against_whoever_makes_it_available_again(self, bank: Bank):
        known = next(one for one in bank.catalogue.catalog.programmes(on=TODAY) if one.id == PROGRAMME)
        asked_for = []

        async def noted(settled: int, budget: int) -> int:
            async def sums() -> dict[str, Yuan]:
                asked_for.append(settled)
                return {PROGRAMME: Yuan.whole(settled)}

            programme = Programme(known.id, known.name, known.status, known.claim, Yuan.whole(budget), None)
            states = await bank.database.budgets.states()
            return await note_used_up([programme], sums, states, bank.desk.submit, TODAY)

        counts = [await noted(*step) for step in ((99, 100), (100, 100), (100, 100))]
        await bank.record(False)
        counts += [await noted(*step) for step in ((100, 100), (100, 120), (120, 120))]

        assert counts == [0, 1, 0, 0, 0, 1]
        assert asked_for == [99, 100, 100, 100, 120]


# ---- two processes --------------------------------------------------------------------------------------------------


def use_up(url: str, folder: Path) -> None:
    """This function will run in a process of its own: wait until the other decides, then record."""
    asyncio.run(_use_up(url, folder))


async def _use_up(url: str, folder: Path) -> None:
    database = open_database(url)
    await database.start()
    bank = Bank(database)
    (folder / "ready").touch()
    while not (folder / "go").exists():
        await asyncio.sleep(0.005)
    await bank.record(True)
    (folder / "done").touch()
    await database.close()


class TestTwoProcesses:
    async def test_agree_on_what_is_used_up_from_the_moment_it_is_answered(self, database_url: str, tmp_path: Path):
        database = open_database(database_url)
        await database.start()
        bank = Bank(database)
        await database.catalogue.activate(bank.catalogue.digest, "test", ACTIVATED)
        other = forked(use_up, database_url, tmp_path)
        while not (tmp_path / "ready").exists():
            assert other.is_alive()
            await asyncio.sleep(0.02)
        answers = [(False, await bank.decide("N0"))]
        (tmp_path / "go").touch()
        for number in range(1, 1_000):
            done = (tmp_path / "done").exists()
            answers.append((done, await bank.decide(f"N{number}")))
            if sum(known for known, _ in answers) > 3:
                break
        other.join(30)

        assert other.exitcode == 0
        assert subsidised(answers[0][1])
        assert not any(subsidised(answer) for done, answer in answers if done)
        # Whatever each of them found, its record says it.
        async for stored in database.decisions.every_decision(("icbc",)):
            assert replay_stored(stored) == ()
        await database.close()
