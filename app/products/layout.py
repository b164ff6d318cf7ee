"""The files of a catalogue: which keys each has, as data that the reader and the JSON Schema share.

Neighbours may rely on this: a folder holds codes.yaml, lpr.yaml, holidays.yaml, zones/<zone>.yaml,
lenders/<lender>/lender.yaml and lenders/<lender>/<slug>.yaml, and nothing else in YAML. `SECTIONS` are what a product
and a framework have in common.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from app.domain.company import ScoreState
from app.domain.pool import Denominator, LossBasis, Numerator
from app.domain.terms import (
    ClaimKind,
    Forfeit,
    LenderKind,
    PoolBook,
    PriceMethod,
    ProductKind,
    ReservedAt,
    SubsidyBase,
    WithoutRoom,
)
from app.products.forms import (
    CODE,
    KNOWN,
    REFERENCE,
    REFERENCES,
    WORDS,
    Choice,
    Coded,
    Day,
    Either,
    Flag,
    Form,
    ListOf,
    MapOf,
    Money,
    Node,
    Reading,
    Record,
    Schema,
    Text,
    Whole,
)
from app.products.gates import GATES, SUBSIDY_GATES
from app.products.parameters import GRADE_CODE, UNITS, Bearer, Entry, Parameter, entries_schema, read_entries


class LprTerm(StrEnum):
    """The two terms for which an LPR is published."""

    ONE_YEAR = "1Y"
    FIVE_YEARS = "5Y+"


CODED = Coded()
TERM = Choice(LprTerm)
IN_ZONE = Coded(f"{CODE}/{CODE}", "suzhou-snd/startup-interest")
STATUS = Parameter("status")

# ---- what a product and a framework have in common ------------------------------------------------------------------

SECTIONS: dict[str, Form] = {
    "score": Record({}, {"required": Flag(), "maximum_age_days": Parameter("days")}),
    "freshness": Record({}, {"financials_months": Parameter("months"), "evidence_days": Parameter("days")}),
    "gates": GATES,
    "credit_limit": Record(
        {},
        {
            "cap": Parameter("CNY", tables=True),
            "components": MapOf(CODED, Parameter("CNY", tables=True, shares_of=True)),
            "limited_to_request": Parameter("flag"),
            "floor": Parameter("CNY"),
            "rounding_unit": Parameter("CNY", positive=True),
        },
    ),
    "tenor": Record({}, {"minimum_months": Parameter("months"), "maximum_months": Parameter("months", tables=True)}),
    "pricing": Record(
        {},
        {
            "method": Choice(PriceMethod),
            "lpr_term": TERM,
            "spread_bps": Parameter("bps", tables=True),
            "annual_rate": Parameter("rate", tables=True),
            "conventional_rate": Parameter("rate"),
            "discount_share": Parameter("share", tables=True),
            "ceiling_bps": Parameter("bps", tables=True),
        },
    ),
    "collateral": Record({}, {"required": Parameter("flag")}),
    "guarantee": Record({}, {"required": Parameter("flag"), "fee_rate": Parameter("rate")}),
    "interest_subsidies": ListOf(IN_ZONE),
    "risk_compensation": Record(
        {},
        {
            "pool": IN_ZONE,
            "shares": Parameter("shares"),
            "reserve_at": Choice(ReservedAt),
            "without_room": Choice(WithoutRoom),
        },
    ),
    "offer": Record({}, {"valid_days": Parameter("days"), "conditions": ListOf(CODED)}),
}

# ---- the files ------------------------------------------------------------------------------------------------------

PRODUCT = Record(
    {"name": WORDS, "zones": ListOf(CODED), "kind": Choice(ProductKind), "status": STATUS},
    {
        "also_known_as": ListOf(Either(Text(), WORDS)),
        "branch": CODED,
        "revolving": Flag(),
        "known": KNOWN,
        "framework": IN_ZONE,
        **SECTIONS,
        "references": REFERENCES,
    },
)

LENDER = Record(
    {"name": WORDS, "kind": Choice(LenderKind)},
    {
        "company_cap": Parameter("CNY"),
        "branches": MapOf(CODED, Record({"name": WORDS})),
        "known": KNOWN,
        "references": REFERENCES,
    },
)

SCHEME = Record(
    {"name": WORDS},
    {
        "scale_maximum": Parameter("number"),
        "versions": Parameter("versions"),
        "stages": MapOf(CODED, WORDS),
        "complete": Flag(),
        "fields": ListOf(CODED),
        "grades": ListOf(GRADE_CODE),
        "veto": Flag(),
        "note": WORDS,
        "states": ListOf(Choice(ScoreState)),
        "known": KNOWN,
    },
)

SUBSIDY = Record(
    {"name": WORDS, "status": STATUS, "claim": Choice(ClaimKind)},
    {
        "base": Choice(SubsidyBase),
        "lpr_term": TERM,
        "gates": SUBSIDY_GATES,
        "share": Parameter("share", tables=True),
        "cap_per_loan": Parameter("CNY"),
        "maximum_months": Parameter("months"),
        "exclusion_group": CODED,
        "cap_per_company": Parameter("CNY"),
        "cap_per_company_year": Parameter("CNY"),
        "one_loan_only": Flag(),
        "forfeited_when": Choice(Forfeit),
        "payers": Parameter("payers"),
        "budget": Parameter("CNY"),
        "claim_within_days": Parameter("days"),
        "note": WORDS,
        "known": KNOWN,
    },
)

CLAIMS = Record(
    {},
    {
        "after_days": Parameter("days"),
        "documents": ListOf(CODED),
        "review_working_days": Parameter("days"),
        "loss_basis": Choice(LossBasis),
        "tiers": Parameter("tiers"),
        "public_ceiling": Parameter("share"),
        "public_bearers": ListOf(Choice(Bearer)),
    },
)

POOL = Record(
    {"name": WORDS, "status": STATUS},
    {
        "per_company_cap": Parameter("CNY"),
        "leverage_multiple": Parameter("multiple"),
        "committed_capital": Parameter("CNY"),
        "phases": ListOf(Record({"name": WORDS, "committed_capital": Money(), "reference": REFERENCE})),
        "book": Choice(PoolBook),
        "suspended": Parameter("flag"),
        "lender_quotas": MapOf(CODED, Parameter("CNY")),
        "lines": Record(
            {"numerator": Choice(Numerator), "denominator": Choice(Denominator)},
            {"warn": Parameter("share"), "stop": Parameter("share")},
        ),
        "claims": CLAIMS,
        "filing": Record({"within_days": Parameter("days")}, {"working_days": Flag()}),
        "note": WORDS,
        "known": KNOWN,
    },
)

ZONE = Record(
    {"name": WORDS},
    {
        "division": Coded(r"[0-9]{2,6}", '"320505"'),
        "platform": Record({"name": WORDS}, {"since": Day()}),
        "known": KNOWN,
        "score_schemes": MapOf(CODED, SCHEME),
        "interest_subsidies": MapOf(CODED, SUBSIDY),
        "risk_compensation_pools": MapOf(CODED, POOL),
        "frameworks": MapOf(CODED, Record({}, SECTIONS)),
        "references": REFERENCES,
    },
)

PURPOSE = Record({"zh": Text(), "en": Text()}, {"prohibited": Flag()})
CODES = Record(
    {},
    {
        "qualifications": MapOf(CODED, WORDS),
        "purposes": MapOf(CODED, PURPOSE),
        "fields": MapOf(CODED, WORDS),
        "evidence": MapOf(CODED, WORDS),
        "conditions": MapOf(CODED, WORDS),
        "prohibition": Record({"words": WORDS, "reference": REFERENCE}, {"clause": Text()}),
        "references": REFERENCES,
    },
)


@dataclass(frozen=True, slots=True)
class Quotes(Form):
    """LPR quotes of one term: the day of publication and the rate."""

    def read(self, node: Node, reading: Reading) -> tuple[Entry, ...]:
        entries = read_entries(node, node.place, UNITS["rate"], reading)
        for entry in entries:
            if entry.value is None:
                mend = "A quote holds until the next one; remove the line."
                reading.faults.add(entry.place, "a quote of the LPR is null, but it never ends", mend)
        return entries

    def schema(self, definitions: Schema) -> Schema:
        return entries_schema(UNITS["rate"].schema(definitions), definitions)


LPR = Record({"confirmed_through": Day(), "quotes": MapOf(TERM, Quotes())}, {"references": REFERENCES})

YEAR = Record({"holidays": ListOf(Day(), fewest=0), "reference": REFERENCE}, {"working_days": ListOf(Day(), fewest=0)})
HOLIDAYS = Record({"years": MapOf(Whole(2000, 2200, "2026"), YEAR)}, {"references": REFERENCES})

SINGLE_FILES = {"codes.yaml": CODES, "lpr.yaml": LPR, "holidays.yaml": HOLIDAYS}
ZONE_FILE = re.compile(rf"zones/({CODE})\.yaml")
LENDER_FILE = re.compile(rf"lenders/({CODE})/lender\.yaml")
PRODUCT_FILE = re.compile(rf"lenders/({CODE})/({CODE})\.yaml")
