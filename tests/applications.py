"""Applications of invented companies for tests: sound ones for each product, and strategies that vary every fact.

A sound application is the base of the product's own policy cases, so that what policy people write is what is varied.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st

from app.audit.application import application_from_document
from app.domain.company import Application
from app.domain.money import Yuan
from app.domain.standing import Commitment, Standing
from app.domain.terms import ProductTerms
from tests.policy_cases import catalogue

ON = date(2026, 11, 20)


def deciding_products() -> list[str]:
    """Every product that makes offers on the tests' day."""
    return [p.id for p in catalogue().products(on=ON) if terms_of(p.id).decides]


def terms_of(product: str, on: date = ON) -> ProductTerms:
    """A product's terms under the catalogue that is built in."""
    return catalogue().terms(product, on=on)


def scheme_of(terms: ProductTerms) -> str:
    """The score scheme that the product's own zone keeps."""
    return sorted(terms.score.schemes)[0]


def sound(product: str, /, **changes: Any) -> dict[str, Any]:
    """A document whose facts are all known and good; `changes` are dotted paths with `__` for the dot."""
    terms = terms_of(product)
    scheme = scheme_of(terms)
    stages = sorted(terms.score.schemes[scheme].stages) or [None]
    document = {
        "application_id": "LOS-1",
        "product": product,
        "company": {
            "uscc": "91999999MAT000018E",
            "name": "示例净水科技有限公司",
            "zone": sorted(terms.zones)[0],
            "founded_on": "2018-05-01",
            "in_zone_since": "2018-05-01",
            "registered_area": _area(terms),
            "industry_code": "3463",
            "size": "SMALL",
            "employees": 45,
            "group_id": None,
            "qualifications": [{"code": code} for code in ("high-tech", "tech-sme", "srdi")],
        },
        "innovation_score": {
            "scheme": scheme,
            "scheme_version": "2025",
            "state": "SCORED",
            "value": "68.55",
            "grade": None,
            "vetoed": False,
            "stage": stages[-1],
            "rank": {"position": 1, "within": "STAGE"},
            "as_of": "2026-09-30",
            "source": {"kind": "PLATFORM_QUERY", "reference": "Q-1"},
        },
        "financials": {
            "year": 2025,
            "basis": "AUDITED",
            "revenue": "90000000.00",
            "previous_revenue": "80000000.00",
            "rd_expense": "9000000.00",
            "net_profit": "500000.00",
            "net_assets": "90000000.00",
            "total_assets": "200000000.00",
            "latest_valuation": "300000000.00",
            "working_capital": "50000000.00",
        },
        "evidence": {
            gate.fact.removeprefix("evidence."): {"established": True, "on": "2026-10-10"}
            for gate in terms.gates
            if gate.fact.startswith("evidence.")
        },
        "credit_history": {
            "first_loan": False,
            "past_due_days": 0,
            "credit_elsewhere": "0.00",
            "listings": {"judgment_defaulter": False, "abnormal_operation": False, "serious_illegal": False},
        },
        "authorisation": {"reference": "A-1", "granted_on": "2026-11-18", "valid_until": "2027-11-17"},
        "request": {"amount": _amount(terms), "tenor_months": 12, "purpose": _purpose(terms), "replaces": None},
    }
    return changed(document, **changes)


def changed(document: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The document with some facts replaced: `request__amount="5.00"`."""
    document = copy.deepcopy(document)
    for path, value in changes.items():
        *sections, last = path.split("__")
        found = document
        for section in sections:
            found = found[section]
        found[last] = value
    return document


def _area(terms: ProductTerms) -> str:
    """A place that the product serves, where it asks for one."""
    for gate in terms.gates:
        if gate.fact == "company.registered_area":
            return sorted(gate.threshold)[0].ljust(6, "0")
    return "320505"


def _purpose(terms: ProductTerms) -> str:
    """A purpose that the product lends for."""
    allowed = [gate.threshold for gate in terms.gates if gate.fact == "request.purpose" and gate.test == "one_of"]
    return sorted(allowed[0])[0] if allowed else "raw-materials"


def _amount(terms: ProductTerms) -> str:
    """1,000万, or the least that the product asks for."""
    least = [gate.threshold for gate in terms.gates if gate.fact == "request.amount" and gate.test == "at_least"]
    return max([Yuan.whole(10_000_000), *least]).text()


def application(product: str, **changes: Any) -> Application:
    """A sound application with some facts replaced."""
    return application_from_document(sound(product, **changes))


def commitment(product: str, amount: int, **changes: Any) -> Commitment:
    """A live line of `amount` whole yuan that the sound company has on the product."""
    facts = {
        "offer_id": "O-1",
        "application_id": "LOS-0",
        "product": product,
        "uscc": "91999999MAT000018E",
        "group_id": None,
        "credit_limit": Yuan.whole(amount),
        "counts_until": ON + timedelta(days=30),
    }
    return Commitment(**{**facts, **changes})


_UNSURE = {
    "company__founded_on": st.sampled_from(["2008-01-01", "2025-11-20", "2026-01-01", None]),
    "company__registered_area": st.sampled_from(["320505", "320583", "441302", "210902", "420111", None]),
    "company__qualifications": st.sampled_from([None, [], [{"code": "high-tech", "valid_until": "2026-11-19"}]]),
    "innovation_score__value": st.decimals(0, 150, places=2).map(str) | st.none(),
    "innovation_score__vetoed": st.sampled_from([False, True, None]),
    "innovation_score__grade": st.sampled_from([None, "A", "B", "C", "D"]),
    "innovation_score__state": st.sampled_from(["SCORED", "NOT_SCORED", "NOT_FOUND"]),
    "innovation_score__as_of": st.sampled_from(["2026-09-30", "2025-11-19", "2020-01-01", None]),
    "innovation_score__rank": st.sampled_from([None, {"position": 2, "within": "STAGE"}]),
    "financials__revenue": st.integers(0, 10**11).map(lambda n: f"{n}.00") | st.none(),
    "financials__previous_revenue": st.integers(0, 10**11).map(lambda n: f"{n}.00") | st.none(),
    "financials__net_profit": st.sampled_from(["-5000.00", "0.00", None]),
    "financials__year": st.sampled_from([2025, 2024, 2015]),
    "evidence": st.sampled_from([None, {}, {"technology_level": {"established": False, "on": "2026-10-10"}}]),
    "credit_history__past_due_days": st.sampled_from([0, 1, None]),
    "authorisation": st.sampled_from(
        [None, {"reference": "A", "granted_on": "2020-01-01", "valid_until": "2026-11-19"}]
    ),
    "request__amount": st.integers(1, 2 * 10**10).map(lambda n: f"{n // 100}.{n % 100:02d}"),
    "request__tenor_months": st.sampled_from([1, 3, 12, 24, 36, 37, 60, 61]),
    "request__purpose": st.sampled_from(["raw-materials", "real-estate"]),
    "request__replaces": st.sampled_from([None, "O-1", "O-9"]),
}


def products_without_a_pool() -> list[str]:
    """Every deciding product whose offers ask no pool for room, so that a batch of them has no pool to read."""
    covers = {product: terms_of(product).risk_compensation for product in deciding_products()}
    return [product for product, cover in covers.items() if cover is None or not cover.reserves_at_offer]


@st.composite
def documents(draw: st.DrawFn, products: Callable[[], list[str]] = deciding_products) -> dict[str, Any]:
    """A sound application of any deciding product, some of its facts changed or taken away."""
    product = draw(st.sampled_from(products()))
    names = draw(st.lists(st.sampled_from(sorted(_UNSURE)), max_size=4, unique=True))
    return sound(product, **{name: draw(_UNSURE[name]) for name in names})


@st.composite
def standings(draw: st.DrawFn, product: str) -> Standing:
    """What the company may already have been promised, live or lapsed, on this product or another."""
    rows = draw(
        st.lists(
            st.tuples(
                st.sampled_from([product, product.partition("/")[0] + "/another"]),
                st.integers(1, 3_000).map(lambda n: n * 10_000),
                st.integers(-2, 90),
            ),
            max_size=3,
        )
    )
    return Standing(
        tuple(
            commitment(
                on, amount, offer_id=f"O-{i + 1}", application_id=f"X-{i}", counts_until=ON + timedelta(days=days)
            )
            for i, (on, amount, days) in enumerate(rows)
        )
    )
