"""The facts that a rule may name: each with its kind, its words and how it is read from an application on a day.

Neighbours may rely on this: a fact is three-valued (yes, no, or `None` for unknown) or a number, a code or a set of
codes, or unknown. The product language names facts by the keys of `FACTS`, and `evidence.<code>` for any finding on
paper.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_FLOOR, Decimal
from enum import Enum
from functools import lru_cache
from operator import attrgetter
from typing import Any

from app.domain.company import (
    Application,
    CreditHistory,
    Evidence,
    Financials,
    FinancialsBasis,
    InnovationScore,
    Listings,
    RankScope,
    ScoreState,
)
from app.domain.reasons import ReasonCode as R


class FactKind(Enum):
    """What values a fact takes: Decimal, Yuan, whole number, Decimal share, code, set of codes, or yes/no."""

    NUMBER = "number"
    MONEY = "money"
    COUNT = "count"
    SHARE = "share"
    CODE = "code"
    CODES = "codes"
    FLAG = "flag"


# What is not told is a blank of its kind, so that every fact is read alike: an attribute that is None is unknown.
_NO_SCORE = InnovationScore(scheme="", state=ScoreState.NOT_FOUND)
_NO_FIGURES = Financials(year=0, basis=FinancialsBasis.MANAGEMENT)
_NO_HISTORY = CreditHistory()
_NO_LISTINGS = Listings()

_SIX_PLACES = Decimal("0.000001")


class _Findings:
    """The findings on paper, each read as yes, no or unknown."""

    __slots__ = ("_evidence",)

    def __init__(self, evidence: Mapping[str, Evidence]) -> None:
        self._evidence = evidence

    def __getattr__(self, code: str) -> bool | None:
        finding = self._evidence.get(code)
        return None if finding is None else finding.established


class Facts:
    """An application on a day, laid out for reading: what the request carries as it stands, and what follows from
    it.
    """

    __slots__ = ("company", "credit", "evidence", "financials", "listings", "on", "request", "score")

    def __init__(self, application: Application, on: date) -> None:
        self.on = on
        self.company = application.company
        self.request = application.request
        self.score = application.innovation_score or _NO_SCORE
        self.financials = application.financials or _NO_FIGURES
        self.credit = application.credit_history or _NO_HISTORY
        self.listings = self.credit.listings or _NO_LISTINGS
        self.evidence = _Findings(application.evidence or {})

    @property
    def age_months(self) -> int | None:
        """Full months since the company was founded."""
        return _months(self.company.founded_on, self.on)

    @property
    def months_in_zone(self) -> int | None:
        """Full months since the company came into the zone."""
        return _months(self.company.in_zone_since, self.on)

    @property
    def qualifications(self) -> frozenset[str] | None:
        """The qualifications that have not lapsed."""
        held, on = self.company.qualifications, self.on
        return None if held is None else frozenset(q.code for q in held if q.valid_until is None or q.valid_until >= on)

    @property
    def revenue_change_share(self) -> Decimal | None:
        """(Revenue less the year before's) over the year before's."""
        revenue, before = self.financials.revenue, self.financials.previous_revenue
        return None if revenue is None or not before else _share(revenue - before, before)

    @property
    def rd_intensity(self) -> Decimal | None:
        """R&D expense over revenue."""
        expense, revenue = self.financials.rd_expense, self.financials.revenue
        return None if expense is None or not revenue else _share(expense, revenue)

    @property
    def rank_in_zone(self) -> int | None:
        """The position, where the rank was counted over the whole zone."""
        return self._rank(RankScope.ZONE)

    @property
    def rank_in_stage(self) -> int | None:
        """The position, where the rank was counted within the stage."""
        return self._rank(RankScope.STAGE)

    @property
    def rank_in_stage_and_field(self) -> int | None:
        """The position, where the rank was counted within stage and field."""
        return self._rank(RankScope.STAGE_AND_FIELD)

    def _rank(self, scope: RankScope) -> int | None:
        rank = self.score.rank
        return None if rank is None or rank.within is not scope else rank.position


def _months(since: date | None, on: date) -> int | None:
    return None if since is None else whole_months(since, on)


def _share(part: int, whole: int) -> Decimal:
    """A share to six decimals, rounded down, so that a threshold just missed is missed."""
    return (Decimal(part) / whole).quantize(_SIX_PLACES, ROUND_FLOOR)


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact a rule may ask for; `reason` is the code of a gate on it that fails, `path` where the request
    carries it.
    """

    name: str
    kind: FactKind
    zh: str
    en: str
    reason: R
    path: str
    attribute: str


def whole_months(since: date, on: date) -> int:
    """This function will return the full months from `since` to `on`; a month is full on the same day number or the
    month's last day.
    """
    months = (on.year - since.year) * 12 + on.month - since.month
    return months - (on < add_months(since, months))


@lru_cache(maxsize=8_192)
def add_months(day: date, months: int) -> date:
    """This function will return the same day number `months` later, or that month's last day where it has no such
    day.
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = (date(year + (month == 11), (month + 1) % 12 + 1, 1) - date.resolution).day
    return date(year, month + 1, min(day.day, last))


# Where the request carries what a fact's first word names.
_SECTIONS = {"score": "innovation_score", "credit": "credit_history"}


def _fact(
    name: str, kind: FactKind, zh: str, en: str, reason: R, attribute: str | None = None, path: str | None = None
) -> Fact:
    section, _, field = name.partition(".")
    return Fact(name, kind, zh, en, reason, path or f"{_SECTIONS.get(section, section)}.{field}", attribute or name)


_NUMBER, _MONEY, _COUNT, _SHARE = FactKind.NUMBER, FactKind.MONEY, FactKind.COUNT, FactKind.SHARE
_CODE, _CODES, _FLAG = FactKind.CODE, FactKind.CODES, FactKind.FLAG
_RANK, _LISTED = "innovation_score.rank", "credit_history.listings"

# A line a fact: name, kind, words, the reason of a gate that fails; where `Facts` has it, if not by its name.
# fmt: off
_ALL = (
    _fact("score.value", _NUMBER, "创新积分", "innovation score", R.SCORE_BELOW_MINIMUM),
    _fact("score.grade", _CODE, "积分等级", "score grade", R.GRADE_NOT_ELIGIBLE),
    _fact("score.stage", _CODE, "成长阶段", "company stage", R.STAGE_NOT_ELIGIBLE),
    _fact("score.field", _CODE, "技术领域", "field of technology", R.FIELD_NOT_ELIGIBLE),
    _fact("score.vetoed", _FLAG, "一票否决", "veto", R.SCORE_VETOED),
    _fact("score.rank_in_zone", _COUNT, "全区排名", "rank in the zone", R.RANK_NOT_ELIGIBLE,
          "rank_in_zone", _RANK),
    _fact("score.rank_in_stage", _COUNT, "同阶段排名", "rank within the stage", R.RANK_NOT_ELIGIBLE,
          "rank_in_stage", _RANK),
    _fact("score.rank_in_stage_and_field", _COUNT, "同阶段同领域排名", "rank within stage and field",
          R.RANK_NOT_ELIGIBLE, "rank_in_stage_and_field", _RANK),
    _fact("company.age_months", _COUNT, "成立月数", "months since founding", R.COMPANY_AGE_NOT_ELIGIBLE,
          "age_months", "company.founded_on"),
    _fact("company.months_in_zone", _COUNT, "入园月数", "months in the zone", R.TIME_IN_ZONE_NOT_ELIGIBLE,
          "months_in_zone", "company.in_zone_since"),
    _fact("company.registered_area", _CODE, "注册地", "place of registration", R.AREA_NOT_ELIGIBLE),
    _fact("company.industry_code", _CODE, "所属行业", "industry", R.SECTOR_NOT_ELIGIBLE),
    _fact("company.size", _CODE, "企业规模", "company size", R.SIZE_NOT_ELIGIBLE),
    _fact("company.employees", _COUNT, "员工人数", "employees", R.EMPLOYEES_NOT_ELIGIBLE),
    _fact("company.qualifications", _CODES, "资质", "qualifications", R.QUALIFICATION_MISSING, "qualifications"),
    _fact("financials.revenue", _MONEY, "营业收入", "revenue", R.REVENUE_NOT_ELIGIBLE),
    _fact("financials.revenue_change_share", _SHARE, "营业收入较上年变动", "change in revenue on the year before",
          R.REVENUE_CHANGE_NOT_ELIGIBLE, "revenue_change_share", "financials.previous_revenue"),
    _fact("financials.rd_expense", _MONEY, "研发费用", "R&D expense", R.RD_EXPENSE_NOT_ELIGIBLE),
    _fact("financials.rd_intensity", _SHARE, "研发强度", "R&D intensity", R.RD_INTENSITY_NOT_ELIGIBLE, "rd_intensity",
          "financials.rd_expense"),
    _fact("financials.net_profit", _MONEY, "净利润", "net profit", R.PROFIT_NOT_ELIGIBLE),
    _fact("financials.net_assets", _MONEY, "净资产", "net assets", R.NET_ASSETS_NOT_ELIGIBLE),
    _fact("financials.total_assets", _MONEY, "总资产", "total assets", R.BALANCE_NOT_ELIGIBLE),
    _fact("financials.latest_valuation", _MONEY, "最近估值", "latest valuation", R.BALANCE_NOT_ELIGIBLE),
    _fact("financials.working_capital", _MONEY, "营运资金需求", "working-capital need", R.BALANCE_NOT_ELIGIBLE),
    _fact("credit.first_loan", _FLAG, "首贷", "first loan", R.FIRST_LOAN_NOT_ELIGIBLE),
    _fact("credit.past_due_days", _COUNT, "逾期天数", "days past due", R.PAST_DUE),
    _fact("credit.credit_elsewhere", _MONEY, "他行授信", "credit elsewhere", R.CREDIT_ELSEWHERE_NOT_ELIGIBLE),
    _fact("credit.judgment_defaulter", _FLAG, "失信被执行人", "judgment defaulter", R.DISHONESTY_LISTED,
          "listings.judgment_defaulter", f"{_LISTED}.judgment_defaulter"),
    _fact("credit.abnormal_operation", _FLAG, "经营异常名录", "abnormal operation list", R.DISHONESTY_LISTED,
          "listings.abnormal_operation", f"{_LISTED}.abnormal_operation"),
    _fact("credit.serious_illegal", _FLAG, "严重违法失信名单", "serious illegality list", R.DISHONESTY_LISTED,
          "listings.serious_illegal", f"{_LISTED}.serious_illegal"),
    _fact("request.amount", _MONEY, "申请金额", "amount asked for", R.AMOUNT_NOT_ELIGIBLE),
    _fact("request.tenor_months", _COUNT, "申请期限(月)", "tenor asked for, in months", R.TENOR_NOT_ELIGIBLE),
    _fact("request.purpose", _CODE, "贷款用途", "purpose", R.PURPOSE_NOT_ALLOWED),
)
# fmt: on

FACTS: dict[str, Fact] = {fact.name: fact for fact in _ALL}

EVIDENCE = "evidence."


@lru_cache(maxsize=1_024)
def fact_named(name: str) -> Fact | None:
    """This function will return the fact of that name, `evidence.<code>` included, or None where the vocabulary has
    no such fact.
    """
    code = name.removeprefix(EVIDENCE)
    if code in ("", name):
        return FACTS.get(name)

    return Fact(name, _FLAG, f"证明材料 {code}", f"evidence {code}", R.EVIDENCE_NOT_ESTABLISHED, name, name)


def reader_of(name: str) -> Callable[[Facts], Any]:
    """This function will return what reads one fact; KeyError for a name that is none."""
    return attrgetter(_known(name).attribute)


def reader_of_all(names: Sequence[str]) -> Callable[[Facts], tuple[Any, ...]]:
    """This function will return what reads those facts, in that order, all at once; KeyError for a name that is
    none.
    """
    if len(names) > 1:
        return attrgetter(*[_known(name).attribute for name in names])
    if not names:
        return lambda facts: ()
    alone = reader_of(names[0])
    return lambda facts: (alone(facts),)


def _known(name: str) -> Fact:
    fact = fact_named(name)
    if fact is None:
        raise KeyError(name)
    return fact
