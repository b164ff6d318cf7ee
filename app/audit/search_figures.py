"""What searches and statistics know of one decision, from its row and its record.

Neighbours may rely on this: `extras_in` is the one function that leads from a record to what is searched and counted
and stands in no column of the list of decisions, so whoever doubts a figure calls it again. Amounts are whole fen, a
score is millionths of a point, a rate hundred-millionths a year.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson

from app.domain.money import Yuan

SCORE_UNIT = 1_000_000
RATE_UNIT = 100_000_000
_LIMIT = "credit_limit."


@dataclass(frozen=True, slots=True)
class Extras:
    """What only the record tells: which component set the limit, what was assumed, which gates an exception let go,
    what the offer brings, and the campaign whose run asked.
    """

    decisive: str | None = None
    assumptions: tuple[str, ...] = ()
    exceptions: tuple[str, ...] = ()
    net_rate: int | None = None
    subsidy: int | None = None
    covered: int | None = None
    campaign: str | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """One decision as it is searched and counted."""

    lender: str
    product: str
    branch: str | None
    zone: str
    stage: str | None
    outcome: str
    reasons: tuple[str, ...]
    uscc: str
    application_id: str
    recorded_at: datetime
    score: int | None
    requested_amount: int
    credit_limit: int | None
    extras: Extras


def extras_in(record: bytes) -> Extras:
    """This function will read what only the record tells; ValueError or LookupError where it is not a decision's."""
    return _extras(orjson.loads(record)["decision"])


def score_units(score: str | None) -> int | None:
    """This function will return a score's decimal text as whole millionths of a point."""
    return None if score is None else int(Decimal(score) * SCORE_UNIT)


def _extras(decided: Mapping[str, Any]) -> Extras:
    offer, assumptions = decided["offer"], tuple(decided["assumptions"])
    exceptions = tuple(one["gate"] for one in decided.get("exceptions", ()))
    campaign = decided.get("campaign")
    if offer is None:
        return Extras(assumptions=assumptions, exceptions=exceptions, campaign=campaign)
    steps = (line["step"] for line in decided["trace"] if line["decisive"] and line["step"].startswith(_LIMIT))
    subsidy = offer["interest_subsidy"]
    return Extras(
        decisive=next(steps, None),
        assumptions=assumptions,
        exceptions=exceptions,
        net_rate=int(Decimal(subsidy["net_annual_rate_at_best"]) * RATE_UNIT),
        subsidy=int(Yuan.parse(subsidy["maximum_amount"])),
        covered=int(Yuan.parse(offer["risk_compensation"]["covered_amount"])),
        campaign=campaign,
    )
