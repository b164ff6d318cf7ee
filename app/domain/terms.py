"""A product as it stands on one day: every number with its path and its reference.

Neighbours may rely on this: terms are frozen, complete and already resolved — no dates are left to choose among —
and `document` is the plain form they were built from, which alone is digested, recorded and built from again at
replay.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from app.domain.facts import EVIDENCE, Facts, fact_named, reader_of, reader_of_all
from app.domain.trace import FormsByNames, Line, Reference, line_form


class ProductStatus(StrEnum):
    """上架状态: only ACTIVE decides; LISTED is shown with what is known; PLANNED changes no decision."""

    ACTIVE = "ACTIVE"
    LISTED = "LISTED"
    PLANNED = "PLANNED"
    CLOSED = "CLOSED"


class ProductKind(StrEnum):
    """What the institution sells; only the loans are decided here."""

    WORKING_CAPITAL_LOAN = "WORKING_CAPITAL_LOAN"
    FIXED_ASSET_LOAN = "FIXED_ASSET_LOAN"
    GUARANTEE = "GUARANTEE"
    LEASE = "LEASE"


LOANS = frozenset({ProductKind.WORKING_CAPITAL_LOAN, ProductKind.FIXED_ASSET_LOAN})


class LenderKind(StrEnum):
    """机构类别."""

    BANK = "BANK"
    VILLAGE_BANK = "VILLAGE_BANK"
    RURAL_COMMERCIAL_BANK = "RURAL_COMMERCIAL_BANK"
    LESSOR = "LESSOR"
    GUARANTOR = "GUARANTOR"
    INSURER = "INSURER"
    FUND_MANAGER = "FUND_MANAGER"


class Severity(StrEnum):
    """What a reason does to the outcome."""

    DECLINE = "DECLINE"
    REFER = "REFER"
    INFO = "INFO"


@dataclass(frozen=True, slots=True)
class Words:
    """A text in both languages."""

    zh: str
    en: str


class Table:
    """A parameter's value that depends on a fact: `by` names it, `find` reads it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Bands(Table):
    """A table over a number: band i holds from `floors[i]` (inclusive) to `floors[i+1]` (exclusive); below the
    first there is no value.
    """

    by: str
    floors: tuple[Any, ...]
    values: tuple[Any, ...]

    def find(self, actual: Any) -> int | None:
        """This function will return the number of the band that holds, or None below the first band."""
        row = bisect_right(self.floors, actual) - 1
        return None if row < 0 else row

    @property
    def names(self) -> tuple[str, str]:
        """What a trace calls the fact and the row that was found."""
        return self.by, "from"

    def shown(self, row: int) -> Any:
        """This function will return what a trace says of that row: where the band begins."""
        return self.floors[row]


@dataclass(frozen=True, slots=True)
class Choices(Table):
    """A table over a code."""

    by: str
    values: Mapping[str, Any]

    def find(self, actual: str) -> str | None:
        """This function will return the row's code, or None where the table has no row for that code."""
        return actual if actual in self.values else None

    @property
    def names(self) -> tuple[str, str]:
        """What a trace calls the fact and the row that was found."""
        return self.by, "row"

    def shown(self, row: str) -> str:
        """This function will return what a trace says of that row."""
        return row


@dataclass(frozen=True, slots=True, eq=False)
class Parameter:
    """One value of the terms: a plain value, or a table over a fact. `path` names it in traces and in the list of
    assumptions; `forms` are those of its lines.
    """

    path: str
    value: Any
    reference: Reference
    by: str | None = field(init=False)
    names: tuple[str, ...] = field(init=False, repr=False)
    read: Callable[[Facts], Any] | None = field(init=False, repr=False)
    forms: FormsByNames = field(init=False, repr=False)

    def __post_init__(self) -> None:
        by = self.value.by if isinstance(self.value, Table) else None
        object.__setattr__(self, "by", by)
        object.__setattr__(self, "names", () if by is None else self.value.names)
        object.__setattr__(self, "read", None if by is None else reader_of(by))
        object.__setattr__(self, "forms", FormsByNames(self.path, self.reference))

    def at(self, row: Any) -> Any:
        """This function will return the value of a table's row, or the plain value, for which the row is None."""
        return self.value if self.by is None else self.value.values[row]


_GATE_NAMES = ("actual", "fact", "required", "test")


class GateTest(StrEnum):
    """How a gate compares a fact with its threshold; ranges are two gates, both ends inclusive."""

    AT_LEAST = "at_least"
    AT_MOST = "at_most"
    ONE_OF = "one_of"
    NONE_OF = "none_of"
    STARTS_WITH = "starts_with"
    STARTS_WITH_NONE_OF = "starts_with_none_of"
    ANY_OF = "any_of"
    ALL_OF = "all_of"
    IS = "is"


@dataclass(frozen=True, slots=True)
class Authority:
    """授权: one of those that may let a gate go, and up to which credit limit."""

    code: str
    name: Words
    up_to: Parameter


@dataclass(frozen=True, slots=True)
class Waiver:
    """Whether and how a failed gate may be let go by people (破格): on what evidence, by which authority. Where the
    product names its `authorities` nobody else may; None where it names none, and the approver's word is taken.
    """

    authority: Words
    evidence: Words
    fact: str | None = None
    at_most: int | None = None
    authorities: tuple[Authority, ...] | None = None

    def named(self, code: str) -> Authority | None:
        """This function will return the authority of that code, None where the product names none such."""
        return next((one for one in self.authorities or () if one.code == code), None)


@dataclass(frozen=True, slots=True, eq=False)
class Gate:
    """准入条件: one condition on one fact. `passes` answers True for a value that meets the threshold; unknown
    never reaches it.
    """

    path: str
    fact: str
    test: GateTest
    threshold: Any
    severity: Severity
    words: Words
    clause: str | None
    reference: Reference
    passes: Callable[[Any], bool]
    waiver: Waiver | None = None

    def line(self, actual: Any, answer: bool | None, *, decisive: bool) -> Line:
        """This function will write the gate's line of a trace; what did not pass is decisive where the gate can be."""
        form = line_form(self.path, _GATE_NAMES, self.reference, decisive and answer is not True)
        return form, answer, (actual, self.fact, self.threshold, self.test)


@dataclass(frozen=True, slots=True, eq=False)
class GateColumns:
    """Gates column by column, so that all are answered in one sweep: the facts they read, and their tests in the
    same order.
    """

    gates: tuple[Gate, ...]
    read: Callable[[Facts], tuple[Any, ...]]
    passes: tuple[Callable[[Any], bool], ...]
    evidence: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, gates: tuple[Gate, ...]) -> GateColumns:
        """This function will lay out the gates, their order kept."""
        names = tuple(g.fact for g in gates)
        evidence = tuple((name, name.removeprefix(EVIDENCE)) for name in names if name.startswith(EVIDENCE))
        return cls(gates, reader_of_all(names), tuple(g.passes for g in gates), evidence)


@dataclass(frozen=True, slots=True)
class LimitComponent:
    """One of the amounts whose least is the limit: an amount, or a share of a money fact or of an earlier component
    (`of`).
    """

    name: str
    parameter: Parameter
    of: str | None = None
    read_base: Callable[[Facts], Any] | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        fact = self.of is not None and fact_named(self.of) is not None
        object.__setattr__(self, "read_base", reader_of(self.of) if fact else None)


@dataclass(frozen=True, slots=True, eq=False)
class CreditLimitTerms:
    """额度: cap (上限) and lender's cap count what is already promised; the components do not."""

    cap: Parameter
    lender_cap: Parameter
    components: tuple[LimitComponent, ...]
    limited_to_request: Parameter
    floor: Parameter
    rounding_unit: Parameter


class PriceMethod(StrEnum):
    """How the annual rate comes about."""

    LPR = "LPR"
    FIXED = "FIXED"
    DISCOUNT = "DISCOUNT"
    CEILING = "CEILING"


@dataclass(frozen=True, slots=True, eq=False)
class PricingTerms:
    """利率: LPR ± `spread_bps`; a fixed `annual_rate`; `conventional_rate` × (1 − `discount_share`); or only a
    ceiling of LPR + `ceiling_bps`.
    """

    method: PriceMethod
    lpr_term: str | None = None
    spread_bps: Parameter | None = None
    annual_rate: Parameter | None = None
    conventional_rate: Parameter | None = None
    discount_share: Parameter | None = None
    ceiling_bps: Parameter | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LprQuote:
    """LPR quote: the newest published before the day; `confirmed_through` is the last day on which the table was
    checked.
    """

    term: str
    rate: Decimal
    published_on: date
    reference: Reference
    confirmed_through: date


class SubsidyBase(StrEnum):
    """贴息口径: a share of the interest paid (贴息比例), points a year on principal (贴息率), or a share of the LPR."""

    INTEREST_SHARE = "INTEREST_SHARE"
    PRINCIPAL_RATE = "PRINCIPAL_RATE"
    LPR_SHARE = "LPR_SHARE"


class ClaimKind(StrEnum):
    """Who sets the payment in motion: the company claims, or it is paid without an application (免申即享)."""

    BY_COMPANY = "BY_COMPANY"
    AUTOMATIC = "AUTOMATIC"


class Forfeit(StrEnum):
    """逾期处理: what being past due costs: nothing, the days past due, or every day from the first of them on."""

    NONE = "NONE"
    WHILE_PAST_DUE = "WHILE_PAST_DUE"
    FROM_PAST_DUE_ON = "FROM_PAST_DUE_ON"


@dataclass(frozen=True, slots=True, eq=False)
class SubsidyProgramme:
    """贴息项目 of a zone. `share` None: the programme exists but its terms are not published, and it is never
    counted. What stands behind `forfeited_when` matters to its settlement only, a `budget` to the offer as well.
    """

    id: str
    name: Words
    path: str
    status: ProductStatus
    base: SubsidyBase | None
    claim: ClaimKind
    gates: tuple[Gate, ...]
    share: Parameter | None
    cap_per_loan: Parameter | None = None
    maximum_months: Parameter | None = None
    exclusion_group: str | None = None
    lpr_term: str | None = None
    forfeited_when: Forfeit = Forfeit.NONE
    cap_per_company: Parameter | None = None
    cap_per_company_year: Parameter | None = None
    one_loan_only: bool = False
    payers: Parameter | None = None
    budget: Parameter | None = None
    claim_within_days: Parameter | None = None
    gate_columns: GateColumns = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "gate_columns", GateColumns.of(self.gates))


class PoolBook(StrEnum):
    """Who keeps the pool's book: we, or its manager, whose statements and confirmations we record."""

    OWN = "OWN"
    EXTERNAL = "EXTERNAL"


class ReservedAt(StrEnum):
    """When a product reserves the pool's room for a company."""

    OFFER = "OFFER"
    CREDIT_APPROVAL = "CREDIT_APPROVAL"
    DRAWDOWN = "DRAWDOWN"


class WithoutRoom(StrEnum):
    """What a product does where the pool has no room: decide without cover, or send it to a person."""

    UNCOVERED = "UNCOVERED"
    REFER = "REFER"


@dataclass(frozen=True, slots=True, eq=False)
class RiskCompensationTerms:
    """风险补偿: the pool, its cap for one company and the shares of one loss by bearer, which sum to 1; when room is
    reserved, and what becomes of an application for which there is none.
    """

    pool: str
    name: Words
    status: ProductStatus
    per_company_cap: Parameter | None
    shares: Parameter | None
    book: PoolBook = PoolBook.OWN
    suspended: bool = False
    reserve_at: ReservedAt = ReservedAt.CREDIT_APPROVAL
    without_room: WithoutRoom = WithoutRoom.UNCOVERED
    reserves_at_offer: bool = field(init=False)
    """Whether a decision itself reserves room: the book is ours, the pool is active, and the product says so."""

    def __post_init__(self) -> None:
        own = self.book is PoolBook.OWN and self.status is ProductStatus.ACTIVE
        object.__setattr__(self, "reserves_at_offer", own and self.reserve_at is ReservedAt.OFFER)


@dataclass(frozen=True, slots=True)
class ScoreTerms:
    """What the product asks of a score before looking at its value."""

    required: bool
    schemes: Mapping[str, SchemeTerms]
    maximum_age_days: Parameter | None


@dataclass(frozen=True, slots=True)
class SchemeTerms:
    """积分体系 of a zone as the product accepts it: versions None accepts any, `scale_maximum` None is not
    published.
    """

    id: str
    versions: frozenset[str] | None
    scale_maximum: Decimal | None
    stages: frozenset[str]
    veto: bool


@dataclass(frozen=True, slots=True)
class Lender:
    """机构: a legal entity (统一授信)."""

    id: str
    name: Words
    kind: LenderKind


@dataclass(frozen=True, slots=True)
class Branch:
    """经办机构: scopes access, never the cap."""

    id: str
    name: Words


@dataclass(frozen=True, slots=True)
class Condition:
    """What a pre-approval is still subject to (尽职调查 …): a code in capitals and its words."""

    code: str
    words: Words


@dataclass(frozen=True, slots=True, eq=False)
class ProductTerms:
    """产品条款 on one day. For a product that does not decide, everything from `score` on is None or empty."""

    id: str
    name: Words
    lender: Lender
    branch: Branch | None
    zones: frozenset[str]
    kind: ProductKind
    status: ProductStatus
    revolving: bool
    document: Mapping[str, Any]
    score: ScoreTerms | None = None
    maximum_financials_age_months: Parameter | None = None
    maximum_evidence_age_days: Parameter | None = None
    gates: tuple[Gate, ...] = ()
    credit_limit: CreditLimitTerms | None = None
    minimum_tenor_months: Parameter | None = None
    maximum_tenor_months: Parameter | None = None
    pricing: PricingTerms | None = None
    lpr: Mapping[str, LprQuote] | None = None
    collateral_required: Parameter | None = None
    guarantee_required: Parameter | None = None
    guarantee_fee_rate: Parameter | None = None
    subsidies: tuple[SubsidyProgramme, ...] = ()
    risk_compensation: RiskCompensationTerms | None = None
    offer_valid_days: Parameter | None = None
    conditions: tuple[Condition, ...] = ()
    gate_columns: GateColumns = field(init=False, repr=False)
    decides: bool = field(init=False)
    """Whether the product makes offers on this day."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "gate_columns", GateColumns.of(self.gates))
        object.__setattr__(self, "decides", self.status is ProductStatus.ACTIVE and self.kind in LOANS)
