"""A history for demonstrations: companies that are invented, what they ask for over more than a year, and the clock
that it is decided under.

Neighbours may rely on this: the same seed, catalogue and day give the same applications; everything is decided by the
same desk, rules and book as in service; no company exists (code area 999999 is nobody's). Of ten applications about six
are pre-approved, three referred and one declined; companies come again, with more evidence or for more, and people
review three referrals of four.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache, partial
from typing import Any

from app.adapters.demo_reviews import Reviewers
from app.adapters.desk import Desk
from app.audit.application import application_from_bytes, application_from_document
from app.audit.canonical import canonical_bytes
from app.domain.decision import Outcome
from app.domain.terms import Bands, Choices, ProductTerms
from app.products.catalog import Catalog, Scheme
from app.usecases.catalogue import ActiveCatalogue
from app.usecases.days import SHANGHAI
from app.usecases.decide import Answer, seal, submission_of, wanted
from app.usecases.pools import Pools
from app.usecases.ports import Book, DecisionLog, PreviewLog
from app.usecases.preview import Preview, preview
from app.usecases.room import Room
from app.usecases.subsidy_budgets import SubsidyBudgets

DAYS = 480
"""How far a history goes back: as long as every product of the built-in catalogue has had its terms."""
_LONGEST_BATCH, _BATCHES = 256, 4_000
_OPENS, _OPEN_FOR = time(9), timedelta(hours=8, minutes=30)
_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_PLACES, _TRADES = (
    "清源 智联 晶能 康护 纳光 聚力 众禾 灵犀 柏联 远恒".split(),
    "环保 传感 装备 医疗 材料 软件 光电 机械".split(),
)
_CAPITAL_PURPOSES = ("technology-upgrade", "equipment")
_PURPOSES = ("raw-materials", "wages", "research", "daily-operation")

Document = dict[str, Any]


class SimulatedClock:
    """A clock that stands until it is set, and never goes back."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def __call__(self) -> datetime:
        """This function will return the instant it was last set to."""
        return self._at

    def set(self, at: datetime) -> None:
        """This function will move the clock forward."""
        self._at = max(self._at, at)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to make: how many decisions, drawn from which seed, ending before which instant."""

    decisions: int
    seed: int
    until: datetime

    @property
    def begins(self) -> datetime:
        """When the first working day opens."""
        return next(self.moments())[0]

    def moments(self) -> Iterator[tuple[datetime, int]]:
        """This function will give the instants of the batches, in working hours in Shanghai, and each one's size."""
        last = self.until.astimezone(SHANGHAI).date()
        days = [d for d in (last - timedelta(days=n) for n in range(DAYS, 0, -1)) if d.weekday() < 5]
        size = min(_LONGEST_BATCH, max(1, self.decisions // _BATCHES))
        count = -(-self.decisions // size)
        for number in range(count):
            day, part = divmod(number * len(days), count)
            opens = datetime.combine(days[day], _OPENS, SHANGHAI).astimezone(UTC)
            yield opens + _OPEN_FOR * part // count, min(size, self.decisions - number * size)


async def make_history(
    plan: Plan,
    clock: SimulatedClock,
    book: Book,
    room: Room,
    told: Callable[[int], None],
    follow: Callable[[], Awaitable[object]],
) -> dict[str, int]:
    """This function will decide the plan's applications under the clock and return how many came out as what; `told`
    hears of each batch, and `follow` is awaited behind it.
    """
    reads = partial(wanted, pools=room.catalogue.pools_reserved_from)
    desk: Desk[Answer] = Desk(book, wanted=reads, seal=partial(seal, room=room))
    companies = Companies(room.catalogue.catalog, plan)
    reviewers = Reviewers(plan.seed)
    outcomes: dict[str, int] = {}
    made = 0
    for at, size in plan.moments():
        clock.set(at)
        await reviewers.review(desk)
        day = at.astimezone(SHANGHAI).date()
        documents = [canonical_bytes(companies.application(day)) for _ in range(size)]
        asked = [
            submission_of(
                document, application_from_bytes(document), idempotency_key=f"history-{plan.seed}-{made + n}",
                submitted_by="demo-loan-system",
            )
            for n, document in enumerate(documents)
        ]  # fmt: skip
        for answer in [desk.submit(one) for one in asked]:
            body = (await answer).body
            outcome = _outcome(body)
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
            if outcome == Outcome.REFERRED:
                reviewers.hear(body)
        made += size
        told(size)
        await follow()
    await desk.drain()
    return outcomes


async def make_previews(
    plan: Plan, count: int, catalogue: ActiveCatalogue, decisions: DecisionLog, previews: PreviewLog, pools: Pools,
    budgets: SubsidyBudgets, new_id: Callable[[], str],
) -> None:  # fmt: skip
    """This function will let so many companies be previewed again and again, their revenue raised until the answer
    pleases: what the report of repeated previews is for.
    """
    # Nothing here is secret: what is drawn has to come out the same again. So it is in the two places below.
    draw = random.Random(f"{plan.seed} previews")  # nosec B311
    companies = Companies(catalogue.catalog, plan)
    moments = list(plan.moments())
    for at, _ in draw.choices(moments[len(moments) // 2 :], k=count):
        document = companies.application(at.astimezone(SHANGHAI).date())
        for again in range(draw.randrange(3, 7)):
            document["financials"]["revenue"] = f"{(again + 1) * 4_000_000}.00"
            when = at + timedelta(minutes=3 * again)
            asked = Preview(
                application_from_document(document), canonical_bytes(document), "demo-loan-officer", lenders=(),
                at=when, on=when.astimezone(SHANGHAI).date(),
            )  # fmt: skip
            await preview(
                asked, catalogue=catalogue, decisions=decisions, previews=previews, pools=pools, budgets=budgets,
                new_id=new_id,
            )  # fmt: skip


def _outcome(answer: bytes) -> str:
    # The members of an answer stand in alphabetical order and texts escape their quotes, so this is the decision's own.
    return answer.partition(b'"outcome":"')[2].partition(b'"')[0].decode()


# ---- companies and what they ask for --------------------------------------------------------------------------------


class Companies:
    """Draws one application after the other; a company's own facts are always the same."""

    def __init__(self, catalog: Catalog, plan: Plan) -> None:
        self._catalog = catalog
        self._seed = plan.seed
        self._count = max(1, plan.decisions * 2 // 5)
        self._draw = random.Random(f"{plan.seed} applications")  # nosec B311
        self._times_asked: dict[int, int] = {}
        self._zones = [zone.id for zone in catalog.zones(on=plan.until.date())]

    def application(self, on: date) -> Document:
        """This function will return the next application, as a loan system would send it on that day."""
        draw = self._draw
        number = int(self._count * draw.random() ** 2) if draw.random() < 0.3 else draw.randrange(self._count)
        times = self._times_asked[number] = self._times_asked.get(number, 0) + 1
        # One in four that come again improve the application that they have sent.
        improved = times > 1 and draw.random() < 0.25
        own = random.Random(f"{self._seed} {number}")  # nosec B311
        zone = own.choice(self._zones)
        on_shelf, decided = _shelf(self._catalog, zone, on)
        product = draw.choice(on_shelf) if draw.random() < 0.05 or not decided else draw.choice(decided)
        terms = self._catalog.terms(product, on=on)
        schemes = _schemes(self._catalog, zone)
        score = _score(own, draw, schemes, on)
        return {
            "application_id": f"H{self._seed}-{number:07d}-{times - 1 if improved else times}",
            "product": product,
            "company": _company(own, number, zone, _division(self._catalog, zone), on),
            **({} if score is None else {"innovation_score": score}),
            "financials": _financials(own, draw, on),
            "evidence": _evidence(draw, on, complete=improved),
            "credit_history": _credit(draw),
            **({} if draw.random() < 0.015 else {"authorisation": _authorisation(draw, on)}),
            "request": _request(draw, terms),
        }


@lru_cache(maxsize=4_096)
def _shelf(catalog: Catalog, zone: str, on: date) -> tuple[tuple[str, ...], tuple[str, ...]]:
    on_shelf = tuple(product.id for product in catalog.products(on=on, zone=zone))
    return on_shelf, tuple(name for name in on_shelf if catalog.terms(name, on=on).decides)


@lru_cache(maxsize=64)
def _schemes(catalog: Catalog, zone: str) -> tuple[Scheme, ...]:
    return tuple(catalog.zone(zone, on=date(2026, 1, 1)).schemes.values())


@lru_cache(maxsize=64)
def _division(catalog: Catalog, zone: str) -> str:
    return catalog.zone(zone, on=date(2026, 1, 1)).division or "999999"


def company_code(number: int) -> str:
    """This function will return the unified social credit code of the invented company with that number (GB 32100)."""
    body = f"91999999H{number:08d}"
    total = sum(pow(3, place, 31) * _ALPHABET.index(character) for place, character in enumerate(body))
    return body + _ALPHABET[-total % 31]


def _company(own: random.Random, number: int, zone: str, division: str, on: date) -> Document:
    founded = date(2012, 1, 1) + timedelta(days=own.randrange(4_300))
    held = [{"code": code} for code in ("high-tech", "tech-sme", "srdi") if own.random() < 0.55]
    return {
        "uscc": company_code(number),
        "name": f"示例{own.choice(_PLACES)}{own.choice(_TRADES)}{number:05d}有限公司",
        "zone": zone, "founded_on": founded.isoformat(),
        "in_zone_since": (founded + timedelta(days=own.randrange(200))).isoformat(),
        "registered_area": division, "industry_code": own.choice(("3463", "3976", "2710", "6513", "3562")),
        "size": own.choice(("MICRO", "SMALL", "SMALL", "MEDIUM")), "employees": own.randrange(8, 400),
        "group_id": f"GROUP-{number % 97:03d}" if own.random() < 0.02 else None,
        "qualifications": held or [{"code": "high-tech"}],
    }  # fmt: skip


def _score(own: random.Random, draw: random.Random, schemes: tuple[Scheme, ...], on: date) -> Document | None:
    if not schemes or draw.random() < 0.01:
        return None
    scheme = schemes[0]
    highest = int(scheme.scale_maximum or 100)
    level = own.triangular(0.38, 0.99, 0.72) + draw.uniform(-0.03, 0.03)
    stages = sorted(scheme.stages)
    asked_at = f"{_before(draw, on, 1, 2)}T02:10:00Z"
    found: Document = {
        "scheme": scheme.id, "state": "SCORED", "value": f"{min(max(level, 0.0), 1.0) * highest:.2f}", "vetoed": False,
        "stage": own.choice(stages) if stages and draw.random() < 0.97 else None,
        "rank": {"position": own.randrange(1, 400), "within": own.choice(("ZONE", "STAGE", "STAGE_AND_FIELD"))},
        "as_of": _before(draw, on, 5, 200) if draw.random() < 0.97 else _before(draw, on, 380, 500),
        "source": {"kind": "PLATFORM_QUERY", "reference": "DEMO", "obtained_at": asked_at},
    }  # fmt: skip
    if scheme.versions:
        found["scheme_version"] = max(scheme.versions)
    if scheme.grades:
        found["grade"] = scheme.grades[min(int((1 - level) * 2.2 * len(scheme.grades)), len(scheme.grades) - 1)]
    if draw.random() < 0.015:
        found = {"scheme": scheme.id, "state": draw.choice(("NOT_SCORED", "NOT_FOUND")), "as_of": found["as_of"]}
    return found


def _financials(own: random.Random, draw: random.Random, on: date) -> Document:
    revenue = int(10 ** own.uniform(6.6, 8.4))
    return {
        "year": on.year - 1, "basis": draw.choice(("AUDITED", "AUDITED", "TAX")), "revenue": f"{revenue}.00",
        "previous_revenue": f"{int(revenue * draw.uniform(0.6, 1.25))}.00",
        "rd_expense": f"{int(revenue * own.uniform(0.03, 0.3))}.00",
        "net_profit": f"{int(revenue * draw.uniform(-0.05, 0.18))}.00",
        "net_assets": f"{int(revenue * own.uniform(0.2, 1.6))}.00",
    }  # fmt: skip


def _evidence(draw: random.Random, on: date, *, complete: bool) -> Document:
    likely = 1.0 if complete else 0.88
    return {
        code: {"established": complete or draw.random() < 0.95, "reference": "DEMO", "on": _before(draw, on, 1, 170)}
        for code in ("technology_level", "equity_financing_plan")
        if draw.random() < likely
    }


def _credit(draw: random.Random) -> Document:
    return {
        "first_loan": draw.random() < 0.3,
        "past_due_days": 0 if draw.random() < 0.97 else draw.randrange(1, 90),
        "credit_elsewhere": f"{draw.randrange(0, 3_000) * 10_000}.00",
        "listings": {
            "judgment_defaulter": draw.random() < 0.01,
            "abnormal_operation": None if draw.random() < 0.03 else draw.random() < 0.01,
            "serious_illegal": False,
        },
    }


def _authorisation(draw: random.Random, on: date) -> Document:
    granted = on - timedelta(days=draw.randrange(1, 60))
    return {
        "reference": "DEMO", "granted_on": granted.isoformat(),
        "valid_until": (granted + timedelta(days=364)).isoformat(),
    }  # fmt: skip


def _request(draw: random.Random, terms: ProductTerms) -> Document:
    cap, longer = _greatest(terms), terms.pricing is not None and terms.pricing.lpr_term == "5Y+"
    amount = max(1, int(cap * draw.betavariate(1.6, 2.4) * 1.25) // 10_000) * 10_000
    return {
        "amount": f"{amount}.00", "tenor_months": draw.choice((24, 36, 60) if longer else (6, 12, 12, 12, 24)),
        "purpose": "securities" if draw.random() < 0.004 else draw.choice(_CAPITAL_PURPOSES if longer else _PURPOSES),
    }  # fmt: skip


@lru_cache(maxsize=512)
def _greatest(terms: ProductTerms) -> int:
    """The product's cap in yuan, its greatest row where it is a table; five million where nothing is known."""
    if not terms.decides or terms.credit_limit is None:
        return 5_000_000
    cap = terms.credit_limit.cap.value
    if isinstance(cap, Bands):
        return int(max(cap.values)) // 100
    return int(max(cap.values.values()) if isinstance(cap, Choices) else cap) // 100


def _before(draw: random.Random, on: date, least: int, most: int) -> str:
    return (on - timedelta(days=draw.randrange(least, most))).isoformat()
