"""R8: nobody settles an exception that he asked for, whichever keys and tokens he has, and a system settles none.

Random sequences over the real road — sign-in, matrix, operation, desk, use case — with the database in memory. What is
true of who sent what is kept here and not read from the answers. The harness is shown to catch planted defects.
"""

from __future__ import annotations

import asyncio
import copy
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

import app.api.access
from app.adapters.demo import (
    EXCEPTION_DECISION_ID,
    GOLDEN_DECISION_IDS,
    decide_case,
    seeded_cases,
)
from app.adapters.desk import Desk
from app.adapters.identifiers import new_uuid7
from app.adapters.memory import MemoryDatabase
from app.api.access import Caller, Role
from app.api.calls import Call
from app.api.examples import REFERRED_DECISION_ID, exception_examples, settlement_examples
from app.api.exceptions import ExceptionSent, SettlementSent, request_exception, settle_exception
from app.api.problems import Problem
from app.api.sign_in import SignIn, new_key
from app.usecases.acts import Result
from app.usecases.catalogue import ActiveCatalogue
from app.usecases.days import day_in_shanghai
from app.usecases.decide import seal, wanted
from app.usecases.exceptions import APPROVAL_FORMAT, ExceptionApproval, ExceptionRefused, ExceptionRequest, WhyNot
from app.usecases.keys import added
from app.usecases.obstacles import Obstacle
from app.usecases.room import Room
from app.usecases.tokens import TokenBearer
from tests.policy_cases import catalogue
from tests.records import ACTIVATED, LOG_NAME, RECORDS, SeedSigner

SHORT, FULL = 200, 10_000
AT = datetime(2026, 11, 20, 2, 15, tzinfo=UTC)
TODAY = day_in_shanghai(AT)
DECISIONS = (REFERRED_DECISION_ID, EXCEPTION_DECISION_ID, GOLDEN_DECISION_IDS["G5"])
ASKED, SETTLED = exception_examples(TODAY)[0].document, settlement_examples(TODAY)[0].document
ROOM = Room(ActiveCatalogue(catalogue()), new_uuid7, SeedSigner(), LOG_NAME)


@dataclass(frozen=True)
class Sender:
    """Somebody with a credential: who he is in truth, and whether it is a system that he sends through."""

    person: str
    is_system: bool
    credential: str
    actor: str | None = None

    def headers(self, key: str) -> list[tuple[bytes, bytes]]:
        named = [] if self.actor is None else [(b"jifendai-actor", self.actor.encode())]
        sent = [(b"authorization", f"Bearer {self.credential}".encode()), (b"idempotency-key", key.encode())]
        return sent + named


class Issued:
    """A provider's tokens, which were verified elsewhere: each text has its bearer."""

    generation = 0

    def __init__(self) -> None:
        self.bearers: dict[str, TokenBearer] = {}

    async def bearer(self, token: str) -> TokenBearer:
        return self.bearers[token]


@dataclass(frozen=True)
class Start:
    """What every sequence starts from: two referred decisions and one that is not, and everybody's keys and tokens."""

    database: MemoryDatabase
    tokens: Issued
    senders: tuple[Sender, ...]


async def started() -> Start:
    database, tokens, senders = MemoryDatabase(lambda: AT), Issued(), []
    await database.catalogue.activate(ROOM.catalogue.digest, "test", ACTIVATED)
    for case in seeded_cases(TODAY):
        if case.decision_id in DECISIONS:
            await decide_case(case, database.book, ROOM)

    async def key(subject: str, role: Role, lender: str = "boc", *actors: str | None) -> None:
        text = await keyed(database, subject, role, lender)
        senders.extend(Sender(actor or subject, role is Role.LOAN_SYSTEM, text, actor) for actor in actors or (None,))

    def token(subject: str, *roles: Role, actor: str | None = None) -> None:
        text = f"token-{subject}-{'-'.join(roles)}"
        tokens.bearers[text] = TokenBearer(subject, frozenset(roles), ("boc",), 2**40)
        senders.append(Sender(actor or subject, Role.LOAN_SYSTEM in roles, text, actor))

    for person in ("1001", "1002"):
        # A person who names another one speaks for nobody but himself.
        await key(person, Role.LOAN_OFFICER, "boc", None)
        senders.append(replace(senders[-1], actor="1003"))
        await key(person, Role.LOAN_OFFICER)
        await key(person, Role.RISK_ANALYST)
        token(person, Role.LOAN_OFFICER)
        token(person, Role.LOAN_OFFICER, Role.RISK_ANALYST)
        token(person, Role.LOAN_OFFICER, Role.LOAN_SYSTEM)
        token(person, Role.RISK_ANALYST, Role.LOAN_SYSTEM, actor="1003")
        await key(person, Role.LOAN_SYSTEM)
    await key("1003", Role.RISK_ANALYST)
    await key("1003", Role.LOAN_OFFICER, "icbc")
    await key("los", Role.LOAN_SYSTEM, "boc", None, "1001", "1002", "1003")
    await key("1001", Role.AUDITOR)
    await key("1002", Role.OPERATOR)
    return Start(database, tokens, tuple(senders))


async def keyed(database: MemoryDatabase, subject: str, role: Role, lender: str = "boc") -> str:
    text, stored = new_key(subject, role, (lender,), now=AT)
    await database.keys.change(added(stored, by="test", records=RECORDS))
    return text


class Sequence:
    """One sequence of requests and settlements, some of them at once, while people are given more keys."""

    def __init__(self, start: Start, seed: str) -> None:
        self.chance = random.Random(seed)
        self.database = copy.deepcopy(start.database)
        self.senders = list(start.senders)
        self.asked: dict[str, Sender] = {}
        self.approved = 0
        self.seen: Counter[str] = Counter()
        self.faults: list[str] = []
        reads = partial(wanted, pools=ROOM.catalogue.pools_reserved_from)
        self.services: Any = SimpleNamespace(
            desk=Desk(self.database.book, wanted=reads, seal=partial(seal, room=ROOM)),
            decisions=self.database.decisions, acts=self.database.acts, lenders=("boc", "icbc"),
            keys=SignIn(self.database.keys, start.tokens, clock=AT.timestamp),
            metrics=SimpleNamespace(sign_in_failed=_ignore, refused=_ignore),
        )  # fmt: skip

    async def run(self) -> None:
        for _ in range(self.chance.randint(3, 7)):
            await asyncio.gather(*(self.step() for _ in range(self.chance.randint(1, 3))))
        acts = await self.database.acts.search([APPROVAL_FORMAT], ("boc",), limit=1_000, after=None)
        recorded = [orjson.loads(act.record)["result"] for act in acts if act.state == "APPROVED"]
        if len(recorded) != self.approved:
            self.faults.append(f"{len(recorded)} approvals are recorded and {self.approved} were answered")
        self.faults += [f"recorded: {one}" for one in recorded if one["requested_by"] == one["settled_by"]]

    async def step(self) -> None:
        chance, kind = self.chance, self.chance.random()
        if kind < 0.05:
            person, role = chance.choice(["1001", "1002"]), chance.choice([Role.LOAN_OFFICER, Role.RISK_ANALYST])
            self.senders.append(Sender(person, False, await keyed(self.database, person, role)))
            return
        # Two keys of idempotency a kind, so that some come twice, from the same person or from another.
        sender, key = chance.choice(self.senders), f"k{chance.choice([0, 1, chance.getrandbits(40)])}"
        if kind < 0.35 or not self.asked:
            await self.ask(sender, key, chance.choice(DECISIONS))
            return
        exception_id = chance.choice([*self.asked])
        if chance.random() < 0.5:
            # The one who asked, by any of his ways in, or a system that says that it speaks for him.
            own = [one for one in self.senders if one.person == self.asked[exception_id].person]
            sender = chance.choice(own)
        await self.settle(sender, key, exception_id, chance.choice(["APPROVED", "APPROVED", "REJECTED"]))

    async def ask(self, sender: Sender, key: str, decision_id: str) -> None:
        answer = await self.sent(
            sender, key, "request_exception", ASKED,
            lambda call: request_exception(call, decision_id, ExceptionSent.model_construct(**ASKED), key),
        )  # fmt: skip
        if answer is not None:
            self.seen["asked"] += 1
            self.asked[answer["exception_id"]] = sender
            self.judge(sender, answer, "requested_by", "asked")

    async def settle(self, sender: Sender, key: str, exception_id: str, outcome: str) -> None:
        document = SETTLED | {"outcome": outcome}
        answer = await self.sent(
            sender, key, "settle_exception", document,
            lambda call: settle_exception(call, exception_id, SettlementSent.model_construct(**document), key),
        )  # fmt: skip
        if answer is not None:
            self.seen[outcome] += 1
            self.approved += outcome == "APPROVED"
            self.judge(sender, answer, "settled_by", "settled")
            if sender.person == self.asked[exception_id].person:
                self.faults.append(f"{sender} {outcome} what {self.asked[exception_id]} asked for")

    def judge(self, sender: Sender, answer: dict[str, Any], name: str, did: str) -> None:
        if sender.is_system:
            self.faults.append(f"a system {did}: {sender}")
        if answer[name] != sender.person:
            self.faults.append(f"{answer[name]} is recorded and {sender} {did}")

    async def sent(
        self, sender: Sender, key: str, operation: str, document: Any, run: Callable[[Call], Any]
    ) -> dict[str, Any] | None:
        """What was recorded anew; None where it was refused or is the answer to an earlier one."""
        call = Call({"headers": sender.headers(key)}, self.services, operation)
        try:
            await call.sign_in()
            call.document = document
            response = await run(call)
        except Problem as problem:
            self.seen[str(problem)] += 1
            return None
        except Obstacle as obstacle:
            self.seen[str(getattr(obstacle, "reason", type(obstacle).__name__))] += 1
            return None
        if "Idempotent-Replayed" in response.headers:
            self.seen["replayed"] += 1
            return None
        return orjson.loads(response.body)


def _ignore(*_: Any) -> None:
    """Nobody counts here."""


async def played(count: int, *, most: int = 5) -> tuple[list[str], Counter[str]]:
    """What is wrong after so many sequences, `most` of it, and how often what came about."""
    start, faults, seen = await started(), [], Counter()
    for number in range(count):
        sequence = Sequence(start, f"R8-{number}")
        await sequence.run()
        seen += sequence.seen
        faults += [f"sequence {number}: {fault}" for fault in sequence.faults]
        if len(faults) >= most:
            break
    return faults, seen


class TestAnExceptionInAnySequence:
    @pytest.mark.parametrize("count", [SHORT, pytest.param(FULL, marks=[pytest.mark.soak, pytest.mark.timeout(1_800)])])
    async def test_is_never_settled_by_who_asked_for_it_or_by_a_system(self, count: int):
        faults, seen = await played(count)

        assert faults == []
        assert min(seen[name] for name in ("asked", "APPROVED", "REJECTED", "SAME_PERSON")) > count / 20, seen

    async def test_is_caught_where_a_defect_is_planted(self, monkeypatch: pytest.MonkeyPatch):
        missed = []
        for plant, told in PLANTED.items():
            with monkeypatch.context() as planted:
                plant(planted)
                faults, _ = await played(SHORT, most=1)
            if not any(told in fault for fault in faults):
                missed.append((plant.__name__, faults))

        assert missed == []


def not_told_apart(planted: pytest.MonkeyPatch) -> None:
    """Approval compares nothing; what is recorded and answered is as ever."""
    approve_into = ExceptionApproval.seal_into
    planted.setattr(ExceptionApproval, "seal_into", lambda *approval: _uncompared(approve_into, *approval))


def told_apart_by_key(planted: pytest.MonkeyPatch) -> None:
    """Approval compares keys and tokens instead of people; what is answered is as ever."""
    caller_of, request_into, approve_into = SignIn.caller, ExceptionRequest.seal_into, ExceptionApproval.seal_into
    asked_with: dict[str, str] = {}

    async def caller(sign_in: SignIn, headers: Any, **more: Any) -> Caller:
        found = await caller_of(sign_in, headers, **more)
        return replace(found, subject=f"{found.subject}#{sha256(dict(headers)[b'authorization']).hexdigest()}")

    def request(act: ExceptionRequest, work: Any, record_id: str) -> Result:
        asked_with[record_id] = act.person
        return request_into(replace(act, person=act.person.partition("#")[0]), work, record_id)

    def approve(act: ExceptionApproval, work: Any, record_id: str) -> Result:
        if act.person == asked_with[act.request.record_id]:
            raise ExceptionRefused(WhyNot.SAME_PERSON)
        return _uncompared(approve_into, act, work, record_id)

    planted.setattr(SignIn, "caller", caller)
    planted.setattr(ExceptionRequest, "seal_into", request)
    planted.setattr(ExceptionApproval, "seal_into", approve)


def _uncompared(approve_into: Callable[..., Result], act: ExceptionApproval, work: Any, record_id: str) -> Result:
    made = approve_into(replace(act, person="nobody", submitted_by="nobody"), work, record_id)
    return replace(made, shown={**made.shown, "settled_by": act.person.partition("#")[0]})


def systems_are_let_in(planted: pytest.MonkeyPatch) -> None:
    """The matrix forgets that some operations are people's alone."""
    planted.setattr(app.api.access, "PEOPLE_ONLY", frozenset())


PLANTED = {
    not_told_apart: "asked for",
    told_apart_by_key: "asked for",
    systems_are_let_in: "a system",
}
