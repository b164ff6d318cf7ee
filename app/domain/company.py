"""What a loan system tells of a company: who it is, its innovation score, its figures and what vouches for them.

Neighbours may rely on this: every value is frozen, and a fact that was not told is `None` — unknown, never no and
never zero. Companies only: there is no field for a natural person's data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from app.domain.money import Yuan


class CompanySize(StrEnum):
    """企业规模 after 中小企业划型标准."""

    MICRO = "MICRO"
    SMALL = "SMALL"
    MEDIUM = "MEDIUM"
    LARGE = "LARGE"


class ScoreState(StrEnum):
    """Whether the zone's platform has scored the company: known but not scored is an answer of its own (武汉东湖)."""

    SCORED = "SCORED"
    NOT_SCORED = "NOT_SCORED"
    NOT_FOUND = "NOT_FOUND"


class RankScope(StrEnum):
    """Among whom a rank was counted."""

    ZONE = "ZONE"
    STAGE = "STAGE"
    STAGE_AND_FIELD = "STAGE_AND_FIELD"


class SourceKind(StrEnum):
    """Who vouches for a score; the company's own word is the weakest and refers."""

    PLATFORM_QUERY = "PLATFORM_QUERY"
    SCORE_SHEET = "SCORE_SHEET"
    SELF_DECLARED = "SELF_DECLARED"


class FinancialsBasis(StrEnum):
    """Whose figures they are."""

    AUDITED = "AUDITED"
    TAX = "TAX"
    MANAGEMENT = "MANAGEMENT"


@dataclass(frozen=True, slots=True)
class Qualification:
    """资质: a code of the catalogue (high-tech, tech-sme, srdi …), good to the end of `valid_until` where it lapses."""

    code: str
    valid_until: date | None = None


@dataclass(frozen=True, slots=True)
class Company:
    """企业: identified by its 统一社会信用代码; qualifications None is unknown, an empty tuple is none."""

    uscc: str
    name: str
    zone: str
    founded_on: date | None = None
    in_zone_since: date | None = None
    registered_area: str | None = None
    industry_code: str | None = None
    size: CompanySize | None = None
    employees: int | None = None
    group_id: str | None = None
    qualifications: tuple[Qualification, ...] | None = None


@dataclass(frozen=True, slots=True)
class Rank:
    """排名: position counts from 1."""

    position: int
    within: RankScope


@dataclass(frozen=True, slots=True)
class ScoreSource:
    """Who vouches for a score, under which reference, obtained when."""

    kind: SourceKind
    reference: str | None = None
    obtained_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class InnovationScore:
    """创新积分: a raw value that means something only together with its scheme and version; `stage` is a code of
    that scheme (成长阶段).
    """

    scheme: str
    state: ScoreState
    scheme_version: str | None = None
    value: Decimal | None = None
    grade: str | None = None
    vetoed: bool | None = None
    stage: str | None = None
    field: str | None = None
    rank: Rank | None = None
    as_of: date | None = None
    valid_until: date | None = None
    source: ScoreSource | None = None


@dataclass(frozen=True, slots=True)
class Financials:
    """财务数据 of one calendar year."""

    year: int
    basis: FinancialsBasis
    revenue: Yuan | None = None
    previous_revenue: Yuan | None = None
    rd_expense: Yuan | None = None
    net_profit: Yuan | None = None
    net_assets: Yuan | None = None
    total_assets: Yuan | None = None
    latest_valuation: Yuan | None = None
    working_capital: Yuan | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """A finding on paper: established or not, by whom, where to find it, and its day."""

    established: bool
    by: str | None = None
    reference: str | None = None
    on: date | None = None


@dataclass(frozen=True, slots=True)
class Listings:
    """名单: 失信被执行人, 经营异常名录 and 严重违法失信名单."""

    judgment_defaulter: bool | None = None
    abnormal_operation: bool | None = None
    serious_illegal: bool | None = None


@dataclass(frozen=True, slots=True)
class CreditHistory:
    """信用记录: what the bureaux say."""

    first_loan: bool | None = None
    past_due_days: int | None = None
    credit_elsewhere: Yuan | None = None
    listings: Listings | None = None


@dataclass(frozen=True, slots=True)
class Authorisation:
    """授权: the company's consent to use its data, valid to the end of `valid_until`."""

    reference: str
    granted_on: date
    valid_until: date | None = None


@dataclass(frozen=True, slots=True)
class CreditRequest:
    """What is asked for; `replaces` names an offer of this lender that the new line takes the place of (an
    increase).
    """

    amount: Yuan
    tenor_months: int
    purpose: str
    replaces: str | None = None


class LookupAnswer(StrEnum):
    """What came of looking for a score that the request did not carry."""

    OBTAINED = "OBTAINED"
    UNAVAILABLE = "UNAVAILABLE"
    """It did not answer; a score beside it is one that was kept earlier."""
    INVALID = "INVALID"
    """It answered what cannot be believed, and nothing stands in for it: what is kept may be what it would correct."""
    KEPT = "KEPT"
    """The zone has no platform that could be asked; the score is one that was kept, a score sheet's say."""


@dataclass(frozen=True, slots=True)
class ScoreLookup:
    """积分查询: the score by which a decision was made where the request carried none, and which snapshot it is; `why`
    is a code that says what was wrong with the platform or its answer.
    """

    answer: LookupAnswer
    why: str | None = None
    snapshot_id: str | None = None
    score: InnovationScore | None = None


@dataclass(frozen=True, slots=True)
class Application:
    """申请: everything one decision is made from, apart from the product's terms and what is already promised.
    `score_lookup` is no part of a request: it says how `innovation_score` came here where the request had none.
    """

    application_id: str
    product: str
    company: Company
    request: CreditRequest
    innovation_score: InnovationScore | None = None
    financials: Financials | None = None
    evidence: Mapping[str, Evidence] | None = None
    credit_history: CreditHistory | None = None
    authorisation: Authorisation | None = None
    score_lookup: ScoreLookup | None = None

    def with_lookup(self, found: ScoreLookup) -> Application:
        """This function will return the application with the score that was looked up for it."""
        return replace(self, innovation_score=found.score, score_lookup=found)
