"""Invented companies by the thousand, and their applications as the loan system would send them.

Neighbours may rely on this: the same seed gives the same companies; every company carries a well-formed code that is
no other company's; every document passes the service's own checks on the day it was made for. Some facts are left
out, some tests fail: of ten applications about eight are pre-approved, one is referred and one declined.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from stdnum.cn import uscc

from app.domain.terms import Bands, Choices, ProductTerms

Document = dict[str, Any]

_PURPOSES = ("raw-materials", "wages", "research", "daily-operation")
_CAPITAL_PURPOSES = ("technology-upgrade", "equipment")
_DIVISIONS = {"suzhou-snd": "320505", "kunshan": "320583", "nanchang": "360106", "donghu": "420111", "fuxin": "210902"}


def company_code(number: int) -> str:
    """This function will return the unified social credit code of the invented company with that number (< 10^9)."""
    body = f"91999999{number:09d}"
    return body + uscc.calc_check_digit(body)


def applications(terms: ProductTerms, *, on: date, count: int, seed: int, first_number: int = 0) -> Iterator[Document]:
    """This function will give `count` applications for one product, each of a company of its own."""
    draw = random.Random(f"{seed} {terms.id}")
    for number in range(first_number, first_number + count):
        yield _application(terms, draw, number, on)


def _application(terms: ProductTerms, draw: random.Random, number: int, on: date) -> Document:
    zone = min(terms.zones)
    lowest = terms.minimum_tenor_months.value if terms.minimum_tenor_months else 3
    longer = terms.pricing.lpr_term == "5Y+"
    tenor = draw.choice((lowest, 12, 24, 36) if not longer else (24, 36, 48, 60))
    return {
        "application_id": f"BENCH-{number:09d}",
        "product": terms.id,
        "company": {
            "uscc": company_code(number),
            "name": f"示例科技{number:09d}有限公司",
            "zone": zone,
            "founded_on": _before(draw, on, 300, 4000),
            "in_zone_since": _before(draw, on, 200, 300),
            "registered_area": _DIVISIONS.get(zone, "441302"),
            "industry_code": draw.choice(("3463", "3976", "2710", "6513")),
            "size": draw.choice(("MICRO", "SMALL", "MEDIUM")),
            "employees": draw.randrange(8, 400),
            "qualifications": [{"code": "high-tech", "valid_until": (on + timedelta(days=700)).isoformat()}]
            if draw.random() < 0.95
            else [],
        },
        "innovation_score": _score(terms, draw, on),
        "financials": {
            "year": on.year - 1,
            "basis": draw.choice(("AUDITED", "TAX")),
            "revenue": _amount(draw, 9_000_000, 300_000_000),
            "previous_revenue": _amount(draw, 8_000_000, 250_000_000),
            "rd_expense": _amount(draw, 1_000_000, 20_000_000),
            "net_profit": _amount(draw, 100_000, 20_000_000),
            "net_assets": _amount(draw, 5_000_000, 100_000_000),
        },
        "evidence": {
            code: {"established": True, "reference": f"REP-{number:09d}", "on": _before(draw, on, 1, 170)}
            for code in ("technology_level", "equity_financing_plan")
        },
        "credit_history": {
            "first_loan": draw.random() < 0.3,
            "past_due_days": 0 if draw.random() < 0.97 else draw.randrange(1, 90),
            "credit_elsewhere": _amount(draw, 0, 30_000_000),
            "listings": {
                "judgment_defaulter": draw.random() < 0.01,
                "abnormal_operation": None if draw.random() < 0.05 else draw.random() < 0.01,
                "serious_illegal": False,
            },
        },
        "authorisation": {
            "reference": f"AUTH-{number:09d}",
            "granted_on": _before(draw, on, 1, 60),
            "valid_until": (on + timedelta(days=300)).isoformat(),
        },
        "request": {
            "amount": _request_amount(terms, draw),
            "tenor_months": tenor,
            "purpose": draw.choice(_CAPITAL_PURPOSES if longer else _PURPOSES)
            if draw.random() < 0.99
            else "securities",
        },
    }


def _score(terms: ProductTerms, draw: random.Random, on: date) -> Document:
    scheme = terms.score.schemes[min(terms.score.schemes)]
    highest = int(scheme.scale_maximum or 100)
    return {
        "scheme": scheme.id,
        "scheme_version": min(scheme.versions) if scheme.versions else "2025",
        "state": "SCORED" if draw.random() < 0.98 else "NOT_SCORED",
        "value": f"{draw.randrange(highest * 42, highest * 100) / 100:.2f}",
        "grade": draw.choice("AAABBBC"),
        "vetoed": draw.random() < 0.01,
        "stage": draw.choice(_stages(terms, sorted(scheme.stages))),
        "rank": {"position": draw.randrange(1, 310), "within": "ZONE"},
        "as_of": _before(draw, on, 5, 360) if draw.random() < 0.97 else _before(draw, on, 366, 500),
        "source": {"kind": "PLATFORM_QUERY", "reference": "Q", "obtained_at": f"{on.isoformat()}T00:10:00Z"},
    }


def _stages(terms: ProductTerms, known: list[str]) -> list[str | None]:
    """The stages for which the product's own tables have rows, else those of the zone, else none."""
    tables = [c.parameter.value for c in terms.credit_limit.components]
    named = [
        stage for table in tables if isinstance(table, Choices) and table.by == "score.stage" for stage in table.values
    ]
    return [stage for stage in named if stage in known] or known or [None]


def _request_amount(terms: ProductTerms, draw: random.Random) -> str:
    cap = terms.credit_limit.cap.value
    highest = (
        int(max(cap.values.values() if isinstance(cap, Choices) else cap.values))
        if isinstance(cap, Bands | Choices)
        else int(cap)
    )
    lowest = max(int(terms.credit_limit.floor.value), 100_000_00)
    return f"{draw.randrange(lowest // 1_000_000, max(lowest * 2, highest) // 1_000_000 + 1) * 10_000}.00"


def _amount(draw: random.Random, lowest: int, highest: int) -> str:
    return f"{draw.randrange(lowest, highest)}.{draw.randrange(100):02d}"


def _before(draw: random.Random, on: date, least: int, most: int) -> str:
    return (on - timedelta(days=draw.randrange(least, most))).isoformat()
