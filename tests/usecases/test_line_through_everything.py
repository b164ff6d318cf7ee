"""One line through partial draw, late repayment, reversal, default, compensation and recovery, reconciled day by day.

The other method knows no ledger: a table of days, on each of which principal, interest, subsidy and the pool's money
are worked out from what was told until then, in whole fen and fractions.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from functools import partial

import orjson
import pytest

from app.adapters.desk import Desk
from app.adapters.memory import MemoryDatabase
from app.audit.canonical import canonical_bytes
from app.domain.money import Yuan
from app.ledger.claim import Loss
from app.products.parse import parse_catalogue
from app.usecases.acts import Act
from app.usecases.catalogue import ActiveCatalogue
from app.usecases.days import SHANGHAI
from app.usecases.decide import seal, wanted
from app.usecases.line_cover import pool_named_by
from app.usecases.offers import EVENT_FORMAT, OfferEvent, life_of, pre_approval_of
from app.usecases.pool_acts import Claim, ClaimDecision, Contribution, Recovery
from app.usecases.pools import pool_statement, quarter
from app.usecases.replay_acts import replay_acts
from app.usecases.room import Room
from app.usecases.subsidies import settled_in_all, settlement_list
from tests.adapters.conftest import SetClock
from tests.adapters.pool_harness import LENDERS, POOL, SLUG, asked
from tests.policy_cases import product_files
from tests.records import ACTIVATED
from tests.usecases.test_decide import OneKey

START = date(2026, 1, 5)
LAPSES, LIMIT = START + timedelta(days=330), 500_000_000
FORGED = {
    (b'"disbursed":"3000000.01"', b'"disbursed":"3000000.02"'): "/result/offer/disbursed",
    (b'"committed":"1000000.01"', b'"committed":"1000000.00"'): "/result/cover/committed",
    (b'{"amount":"1250000.00","bearer":"POOL"}', b'{"amount":"1250000.01","bearer":"POOL"}'): "/result/borne/0/amount",
    (b'{"amount":"250000.00","bearer":"POOL"}', b'{"amount":"249999.99","bearer":"POOL"}'): "/result/returned/0/amount",
}
"""What a record may be made to say, and where that shows."""
LENDER, PRODUCT = "undisclosed", f"undisclosed/{SLUG}"
RATE = Fraction(36, 1000)


def catalogue_with_subsidy() -> ActiveCatalogue:
    """The illustration's product, whose share of the pool is a half, with a subsidy of half the interest paid."""
    files = dict(product_files())
    zone, own = "zones/zhongkai.yaml", f"lenders/{PRODUCT}.yaml"
    subsidy = """
  half-of-interest:
    name: {zh: 半额贴息, en: half of the interest}
    status: {values: {2023-01-01: {value: ACTIVE, reference: example}}}
    claim: AUTOMATIC
    base: INTEREST_SHARE
    share: {values: {2023-01-01: {value: "0.50", reference: example}}}
    forfeited_when: WHILE_PAST_DUE
    payers: {values: {2023-01-01: {value: {CITY: "0.60", ZONE: "0.40"}, reference: example}}}
"""
    files[zone] = files[zone].replace(b"\ninterest_subsidies:\n", b"\ninterest_subsidies:" + subsidy.encode(), 1)
    files[own] = files[own].replace(b'{POOL: "1.00", BANK: "0.00"}', b'{POOL: "0.50", BANK: "0.50"}')
    files[own] += b"interest_subsidies: [zhongkai/half-of-interest]\n"
    return ActiveCatalogue(parse_catalogue(files))


CATALOGUE = catalogue_with_subsidy()


def noon(day: date) -> datetime:
    return datetime.combine(day, time(12), SHANGHAI)


@dataclass
class Told:
    """The other method: what was told, by the day on which it was."""

    moves: list[tuple[date, date, int, str]] = field(default_factory=list)
    """(told on, value on, fen of principal, id)."""
    paid: list[tuple[date, date, int, str]] = field(default_factory=list)
    taken_back: dict[str, date] = field(default_factory=dict)
    past_due: list[tuple[date, date, date]] = field(default_factory=list)
    found: dict[tuple[int, ...], int] = field(default_factory=dict)

    def in_force(self, rows, on: date):
        gone = {event_id for event_id, day in self.taken_back.items() if day <= on}
        return [row for row in rows if row[0] <= on and row[3] not in gone]

    def disbursed(self, known: date) -> int:
        return sum(row[2] for row in self.in_force(self.moves, known) if row[2] > 0)

    def interest(self, known: date) -> int:
        return sum(row[2] for row in self.in_force(self.paid, known))

    def due(self, known: date) -> int:
        """The subsidy, worked out anew whenever something more was told."""
        told = (len(self.moves), len(self.paid), len(self.taken_back), len(self.past_due))
        if told not in self.found:
            self.found[told] = self.subsidy(known)
        return self.found[told]

    def outstanding(self, on: date, *, known: date) -> int:
        return sum(row[2] for row in self.in_force(self.moves, known) if row[1] <= on)

    def subsidy(self, known: date) -> int:
        """Half of the interest paid, day by day: each day's interest is paid in the order of the days."""
        rows = sorted(self.in_force(self.paid, known), key=lambda row: row[1])
        if not rows:
            return 0
        reached, in_all = Fraction(0), 0
        for _, value_on, fen, _ in rows:
            in_all += fen
            accrued = sum(self._interest_of(d, known) for d in self._days(value_on))
            reached = max(reached, min(Fraction(in_all), accrued))
        left, counted = reached, Fraction(0)
        for d in self._days(max(row[1] for row in rows)):
            part = min(left, self._interest_of(d, known))
            left -= part
            late = any(told <= known and start <= d < end for told, start, end in self.past_due)
            counted += 0 if late else part
        half = counted / 2
        return (2 * half.numerator + half.denominator) // (2 * half.denominator)

    def _interest_of(self, day: date, known: date) -> Fraction:
        return self.outstanding(day, known=known) * RATE / 360

    def _days(self, until: date):
        return (START + timedelta(days=n) for n in range((until - START).days))


class Line:
    """The service's side: one offer and everything that is told of it."""

    def __init__(self, database: MemoryDatabase, clock: SetClock) -> None:
        self.database, self.clock = database, clock
        ids, self._keys = itertools.count(1), itertools.count(1)
        room = Room(CATALOGUE, lambda: f"id-{next(ids)}", OneKey(), "test.example/log")
        self.desk = Desk(
            database.book, wanted=partial(wanted, pools=CATALOGUE.pools_reserved_from), seal=partial(seal, room=room)
        )

    async def act(self, kind: type[Act], lender: str, subject: str, said: dict, *, by: str = "1", **fields) -> dict:
        made = kind(
            lender=lender, subject=subject, idempotency_key=f"k{next(self._keys)}", document=canonical_bytes(said),
            submitted_by=by, **fields,
        )  # fmt: skip
        return orjson.loads((await self.desk.submit(made)).body)

    async def begin(self) -> None:
        await self.act(Contribution, "operator", POOL, {}, amount=Yuan.whole(100_000_000), value_on=START)
        day = {"innovation_score__as_of": START.isoformat(), "authorisation__granted_on": START.isoformat()}
        decided = orjson.loads((await self.desk.submit(asked_on(**day))).body)
        assert decided["offer"]["risk_compensation"]["status"] == "RESERVED", decided["reasons"]
        stored = await self.database.decisions.find(decided["decision_id"], (LENDER,))
        self.offer, self.pool = pre_approval_of(stored), pool_named_by(stored)

    async def acts_on_it(self):
        return await self.database.acts.about([self.offer.offer_id], (LENDER,))

    async def tell(self, **event: str) -> dict:
        said = {"core_reference": "C", **event}
        return await self.act(OfferEvent, LENDER, self.offer.offer_id, said, offer=self.offer, pool=self.pool)


def asked_on(**changes):
    made = asked(LENDER, "LINE")
    document = orjson.loads(made.document)
    for path, value in changes.items():
        section, key = path.split("__")
        document[section][key] = value
    document["innovation_score"]["source"]["obtained_at"] = f"{START.isoformat()}T00:10:00Z"
    document["evidence"] = {}
    from app.audit.application import application_from_document
    from app.usecases.decide import submission_of

    sent = canonical_bytes(document)
    return submission_of(sent, application_from_document(document), idempotency_key="LINE", submitted_by="los")


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    clock = SetClock()
    clock.now = noon(START)
    database = MemoryDatabase(clock)
    await database.catalogue.activate(CATALOGUE.digest, "test", ACTIVATED)
    yield Line(database, clock)


CLEAR = dict.fromkeys(("score_vetoed", "judgment_defaulter", "abnormal_operation", "serious_illegal"), False)


def lapsed(row: dict, today: date) -> int:
    """What of a pool's reservations time has ended, whether or not an entry says so."""
    parts = (part.partition(":") for part in row["reserved_by_day"].split())
    return sum(int(fen) for day, _, fen in parts if date.fromisoformat(day) < today)


class TestALineThroughEverything:
    async def test_reconciles_day_by_day_to_the_fen(self, line: Line):
        await line.begin()
        told, ids = Told(), {}
        script = _script()
        paid_out = recovered = 0
        claim = None
        for n in range(400):
            today = START + timedelta(days=n)
            line.clock.now = noon(today)
            for step in script.get(n, ()):
                match step:
                    case ("claim", principal):
                        loss = Loss(
                            Yuan.whole(principal),
                            Yuan(0),
                            START + timedelta(days=185),
                            ("loan-contract", "demand-letter"),
                        )
                        said = {"principal": loss.principal.text(), "interest": "0.00"}
                        claim = await line.act(Claim, LENDER, POOL, said, offer_id=line.offer.offer_id, loss=loss)
                    case ("pay",):
                        answer = await line.act(
                            ClaimDecision, LENDER, POOL, {"outcome": "PAID"}, by="2", claim_id=claim["claim_id"],
                            offer_id=line.offer.offer_id, pays=True,
                        )  # fmt: skip
                        borne = {part["bearer"]: Yuan.parse(part["amount"]) for part in answer["borne"]}
                        assert borne["POOL"] == borne["BANK"] == 250_000_000 // 2
                        paid_out = int(borne["POOL"])
                    case ("recover", gross, costs):
                        said = {"claim_id": claim["claim_id"], "gross": f"{gross}.00", "costs": f"{costs}.00"}
                        answer = await line.act(
                            Recovery, LENDER, POOL, said, claim_id=claim["claim_id"], offer_id=line.offer.offer_id,
                            gross=Yuan.whole(gross), costs=Yuan.whole(costs), value_on=today,
                        )  # fmt: skip
                        recovered += (gross - costs) * 100 // 2
                    case ("tell", name, event):
                        event = {
                            key: ids.get(value, value) if key == "reverses" else value for key, value in event.items()
                        }
                        answer = await line.tell(**event)
                        ids[name] = answer["record_id"]
                        _note(told, name, event, ids, today)
            await self._holds(line, told, today, paid_out, recovered)
        await self._adds_up(line, told, today)
        await self._comes_out_again(line)

    async def _comes_out_again(self, line: Line) -> None:
        """Every act is worked out again from the records before it; one that says otherwise is named."""
        stored = await line.database.decisions.find(line.offer.decision_id, (LENDER,))
        acts = (*await line.acts_on_it(), *await line.database.acts.about([POOL], (LENDER,)))
        again = list(replay_acts(stored, acts))
        assert {act.format for act, _ in again} == {
            EVENT_FORMAT, "jifendai/pool-claim/1", "jifendai/pool-claim-decision/1", "jifendai/pool-recovery/1",
        }  # fmt: skip
        assert [differences for _, differences in again] == [()] * len(acts)
        for changed, pointer in FORGED.items():
            told = [replace(act, record=act.record.replace(*changed)) for act in acts]
            found = {one.pointer for _, differences in replay_acts(stored, told) for one in differences}
            assert pointer in found, (changed, found)

    async def _holds(self, line: Line, told: Told, today: date, paid_out: int, recovered: int) -> None:
        own, entries = await line.database.pools.every_entry(POOL)
        row = own[0]
        outstanding = told.outstanding(today, known=today)
        assert row["compensated"] == paid_out
        assert row["recovered"] == recovered
        figures = life_of(line.offer, await line.acts_on_it(), None).figures()
        assert figures.outstanding == outstanding
        assert figures.disbursed == told.disbursed(today)
        assert figures.interest_paid == told.interest(today)
        until = datetime.combine(today + timedelta(days=1), time(), SHANGHAI)
        settled = await settled_in_all(line.database.acts, line.database.offers, LENDERS, until)
        assert sum(settled.values()) == told.due(today)
        # What may still be drawn is half reserved, from the offer on until the line's last day or the pool's payment.
        left = 0 if paid_out or today > LAPSES else LIMIT - told.disbursed(today)
        reserved = -(-(outstanding + left) // 2) - -(-outstanding // 2)
        assert row["reserved"] - lapsed(row, today) == (0 if paid_out else reserved)
        # Half of what is outstanding, rounded up, until the pool has paid; then nothing.
        assert row["committed"] == (0 if paid_out else -(-outstanding // 2))
        for name in ("reserved", "committed", "compensated", "recovered", "paid_in"):
            assert sum(entry[name] for entry in entries) == row[name]

    async def _adds_up(self, line: Line, told: Told, today: date) -> None:
        acts, offers = line.database.acts, line.database.offers
        sums, ends = 0, [quarter(p)[1] - timedelta(days=1) for p in ("2026Q1", "2026Q2", "2026Q3", "2026Q4", "2027Q1")]
        for period, end in zip(("2026Q1", "2026Q2", "2026Q3", "2026Q4", "2027Q1"), ends, strict=True):
            rows = await settlement_list(acts, offers, LENDERS, period)
            sums += sum(r.amount for r in rows)
            assert sums == told.subsidy(end), period
            assert all(sum(r.payers.values()) == r.amount for r in rows)
        interest = sum(row[2] for row in told.in_force(told.paid, today))
        assert 0 < sums <= interest / 2 + 1
        own, entries = await line.database.pools.every_entry(POOL)
        for period in ("2026Q1", "2026Q2", "2026Q3", "2026Q4"):
            since, until = quarter(period)
            found = pool_statement(own, entries, since=since, until=until, lender=LENDER)
            moved = sum(
                e["committed"]
                for e in entries
                if e["holder"] == LENDER and since <= e["booked_at"].astimezone(SHANGHAI).date() < until
            )
            assert sum(one.change.committed for one in found.lines) == moved
            assert {one.decision_id for one in found.lines} <= {line.offer.decision_id}


def _note(told: Told, name: str, event: dict, ids: dict, today: date) -> None:
    value_on = date.fromisoformat(event["value_on"])
    if event["event"] == "DRAWDOWN":
        told.moves.append((today, value_on, int(Yuan.parse(event["amount"])), ids[name]))
    elif event["event"] == "REPAYMENT":
        told.moves.append((today, value_on, -int(Yuan.parse(event["principal"])), ids[name]))
        told.paid.append((today, value_on, int(Yuan.parse(event["interest"])), ids[name]))
    elif event["event"] == "REVERSAL":
        told.taken_back[event["reverses"]] = today
    elif event["event"] == "PAST_DUE":
        told.past_due.append((today, date.fromisoformat(event["since"]), date.max))


def _script() -> dict[int, tuple]:
    def on(n: int) -> str:
        return (START + timedelta(days=n)).isoformat()

    approved = {"event": "CREDIT_APPROVED", "value_on": on(1), "approved_limit": "5000000.00", "annual_rate": "0.0360",
                "available_until": on(330), "approval_reference": "A", "contract_reference": "B"}  # fmt: skip

    def draw(n: int, amount: str) -> dict:
        return {"event": "DRAWDOWN", "value_on": on(n), "amount": amount, "matures_on": on(360), "checks": CLEAR}

    def repay(n: int, principal: str, interest: str) -> dict:
        return {"event": "REPAYMENT", "value_on": on(n), "principal": principal, "interest": interest}

    return {
        1: (("tell", "approval", approved),),
        3: (("tell", "d1", draw(3, "2000000.01")),),
        40: (("tell", "d2", draw(38, "1000000.00")),),
        # Interest of the first months, told a week late; then one repayment that was booked by mistake.
        97: (("tell", "r1", repay(90, "0.00", "20000.00")),),
        120: (("tell", "r2", repay(120, "400000.00", "9000.00")),),
        131: (("tell", "back", {"event": "REVERSAL", "value_on": on(131), "reverses": "r2"}),),
        150: (("tell", "r3", repay(150, "500000.01", "8000.33")),),
        190: (("tell", "late", {"event": "PAST_DUE", "value_on": on(186), "since": on(185),
                            "principal": "2500000.00"}),),
        # Late interest that is paid at last: of the days before it was past due, and of days after.
        215: (("tell", "r4", repay(215, "0.00", "30000.00")),),
        260: (("claim", 2_500_000),),
        265: (("pay",),),
        300: (("recover", 600_000, 100_000),),
        350: (("recover", 100_000, 0),),
    }  # fmt: skip
