"""The facts that a rule may name: each with its kind, its words and how it is read from an application on a day.

Neighbours may rely on this: a fact is three-valued (yes, no, or `None` for unknown) or a number, a code or a set of
codes, or unknown. The product language names facts by the keys of `FACTS`, and `evidence.<code>` for any finding on
paper.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_FLOOR, Decimal
from enum import Enum

from app.domain.company import Application, CreditHistory, Financials, InnovationScore, RankScope
from app.domain.reasons import ReasonCode


class FactKind(Enum):
    """What values a fact takes: Decimal, Yuan, whole number, Decimal share, code, set of codes, or yes/no."""

    NUMBER = "number"
    MONEY = "money"
    COUNT = "count"
    SHARE = "share"
    CODE = "code"
    CODES = "codes"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact a rule may ask for; `reason` is the code of a gate on it that fails, `path` where the request
    carries it.
    """

    name: str
    kind: FactKind
    zh: str
    en: str
    reason: ReasonCode
    path: str
    read: Callable[[Application, date], object]


def whole_months(since: date, on: date) -> int:
    """This function will return the full months from `since` to `on`; a month is full on the same day number or the
    month's last day.
    """
    months = (on.year - since.year) * 12 + on.month - since.month
    return months - (on < add_months(since, months))


def add_months(day: date, months: int) -> date:
    """This function will return the same day number `months` later, or that month's last day where it has no such
    day.
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = (date(year + (month == 11), (month + 1) % 12 + 1, 1) - date.resolution).day
    return date(year, month + 1, min(day.day, last))


def _score(name: str) -> Callable[[Application, date], object]:
    def read(application: Application, on: date) -> object:
        score = application.innovation_score
        return None if score is None else getattr(score, name)

    return read


def _rank(scope: RankScope) -> Callable[[Application, date], object]:
    def read(application: Application, on: date) -> object:
        score: InnovationScore | None = application.innovation_score
        return (
            score.rank.position if score is not None and score.rank is not None and score.rank.within is scope else None
        )

    return read


def _company(name: str) -> Callable[[Application, date], object]:
    return lambda application, on: getattr(application.company, name)


def _months_since(name: str) -> Callable[[Application, date], object]:
    def read(application: Application, on: date) -> object:
        since = getattr(application.company, name)
        return None if since is None else whole_months(since, on)

    return read


def _qualifications(application: Application, on: date) -> object:
    held = application.company.qualifications
    return None if held is None else frozenset(q.code for q in held if q.valid_until is None or q.valid_until >= on)


def _figure(name: str) -> Callable[[Application, date], object]:
    def read(application: Application, on: date) -> object:
        return None if application.financials is None else getattr(application.financials, name)

    return read


def _revenue_change(application: Application, on: date) -> object:
    figures: Financials | None = application.financials
    if figures is None or figures.revenue is None or not figures.previous_revenue:
        return None
    return (Decimal(figures.revenue - figures.previous_revenue) / figures.previous_revenue).quantize(
        Decimal("0.000001"), ROUND_FLOOR
    )


def _rd_intensity(application: Application, on: date) -> object:
    figures: Financials | None = application.financials
    if figures is None or figures.rd_expense is None or not figures.revenue:
        return None
    return (Decimal(figures.rd_expense) / figures.revenue).quantize(Decimal("0.000001"), ROUND_FLOOR)


def _history(name: str) -> Callable[[Application, date], object]:
    def read(application: Application, on: date) -> object:
        history: CreditHistory | None = application.credit_history
        return None if history is None else getattr(history, name)

    return read


def _request(name: str) -> Callable[[Application, date], object]:
    return lambda application, on: getattr(application.request, name)


_R = ReasonCode
_K = FactKind

FACTS: dict[str, Fact] = {
    fact.name: fact
    for fact in (
        Fact(
            "score.value",
            _K.NUMBER,
            "创新积分",
            "innovation score",
            _R.SCORE_BELOW_MINIMUM,
            "innovation_score.value",
            _score("value"),
        ),
        Fact(
            "score.grade",
            _K.CODE,
            "积分等级",
            "score grade",
            _R.GRADE_NOT_ELIGIBLE,
            "innovation_score.grade",
            _score("grade"),
        ),
        Fact(
            "score.stage",
            _K.CODE,
            "成长阶段",
            "company stage",
            _R.STAGE_NOT_ELIGIBLE,
            "innovation_score.stage",
            _score("stage"),
        ),
        Fact(
            "score.field",
            _K.CODE,
            "技术领域",
            "field of technology",
            _R.FIELD_NOT_ELIGIBLE,
            "innovation_score.field",
            _score("field"),
        ),
        Fact("score.vetoed", _K.FLAG, "一票否决", "veto", _R.SCORE_VETOED, "innovation_score.vetoed", _score("vetoed")),
        Fact(
            "score.rank_in_zone",
            _K.COUNT,
            "全区排名",
            "rank in the zone",
            _R.RANK_NOT_ELIGIBLE,
            "innovation_score.rank",
            _rank(RankScope.ZONE),
        ),
        Fact(
            "score.rank_in_stage",
            _K.COUNT,
            "同阶段排名",
            "rank within the stage",
            _R.RANK_NOT_ELIGIBLE,
            "innovation_score.rank",
            _rank(RankScope.STAGE),
        ),
        Fact(
            "score.rank_in_stage_and_field",
            _K.COUNT,
            "同阶段同领域排名",
            "rank within stage and field",
            _R.RANK_NOT_ELIGIBLE,
            "innovation_score.rank",
            _rank(RankScope.STAGE_AND_FIELD),
        ),
        Fact(
            "company.age_months",
            _K.COUNT,
            "成立月数",
            "months since founding",
            _R.COMPANY_AGE_NOT_ELIGIBLE,
            "company.founded_on",
            _months_since("founded_on"),
        ),
        Fact(
            "company.months_in_zone",
            _K.COUNT,
            "入园月数",
            "months in the zone",
            _R.TIME_IN_ZONE_NOT_ELIGIBLE,
            "company.in_zone_since",
            _months_since("in_zone_since"),
        ),
        Fact(
            "company.registered_area",
            _K.CODE,
            "注册地",
            "place of registration",
            _R.AREA_NOT_ELIGIBLE,
            "company.registered_area",
            _company("registered_area"),
        ),
        Fact(
            "company.industry_code",
            _K.CODE,
            "所属行业",
            "industry",
            _R.SECTOR_NOT_ELIGIBLE,
            "company.industry_code",
            _company("industry_code"),
        ),
        Fact(
            "company.size", _K.CODE, "企业规模", "company size", _R.SIZE_NOT_ELIGIBLE, "company.size", _company("size")
        ),
        Fact(
            "company.employees",
            _K.COUNT,
            "员工人数",
            "employees",
            _R.EMPLOYEES_NOT_ELIGIBLE,
            "company.employees",
            _company("employees"),
        ),
        Fact(
            "company.qualifications",
            _K.CODES,
            "资质",
            "qualifications",
            _R.QUALIFICATION_MISSING,
            "company.qualifications",
            _qualifications,
        ),
        Fact(
            "financials.revenue",
            _K.MONEY,
            "营业收入",
            "revenue",
            _R.REVENUE_NOT_ELIGIBLE,
            "financials.revenue",
            _figure("revenue"),
        ),
        Fact(
            "financials.revenue_change_share",
            _K.SHARE,
            "营业收入较上年变动",
            "change in revenue on the year before",
            _R.REVENUE_CHANGE_NOT_ELIGIBLE,
            "financials.previous_revenue",
            _revenue_change,
        ),
        Fact(
            "financials.rd_expense",
            _K.MONEY,
            "研发费用",
            "R&D expense",
            _R.RD_EXPENSE_NOT_ELIGIBLE,
            "financials.rd_expense",
            _figure("rd_expense"),
        ),
        Fact(
            "financials.rd_intensity",
            _K.SHARE,
            "研发强度",
            "R&D intensity",
            _R.RD_INTENSITY_NOT_ELIGIBLE,
            "financials.rd_expense",
            _rd_intensity,
        ),
        Fact(
            "financials.net_profit",
            _K.MONEY,
            "净利润",
            "net profit",
            _R.PROFIT_NOT_ELIGIBLE,
            "financials.net_profit",
            _figure("net_profit"),
        ),
        Fact(
            "financials.net_assets",
            _K.MONEY,
            "净资产",
            "net assets",
            _R.NET_ASSETS_NOT_ELIGIBLE,
            "financials.net_assets",
            _figure("net_assets"),
        ),
        Fact(
            "financials.total_assets",
            _K.MONEY,
            "总资产",
            "total assets",
            _R.BALANCE_NOT_ELIGIBLE,
            "financials.total_assets",
            _figure("total_assets"),
        ),
        Fact(
            "financials.latest_valuation",
            _K.MONEY,
            "最近估值",
            "latest valuation",
            _R.BALANCE_NOT_ELIGIBLE,
            "financials.latest_valuation",
            _figure("latest_valuation"),
        ),
        Fact(
            "financials.working_capital",
            _K.MONEY,
            "营运资金需求",
            "working-capital need",
            _R.BALANCE_NOT_ELIGIBLE,
            "financials.working_capital",
            _figure("working_capital"),
        ),
        Fact(
            "credit.first_loan",
            _K.FLAG,
            "首贷",
            "first loan",
            _R.FIRST_LOAN_NOT_ELIGIBLE,
            "credit_history.first_loan",
            _history("first_loan"),
        ),
        Fact(
            "credit.past_due_days",
            _K.COUNT,
            "逾期天数",
            "days past due",
            _R.PAST_DUE,
            "credit_history.past_due_days",
            _history("past_due_days"),
        ),
        Fact(
            "credit.credit_elsewhere",
            _K.MONEY,
            "他行授信",
            "credit elsewhere",
            _R.CREDIT_ELSEWHERE_NOT_ELIGIBLE,
            "credit_history.credit_elsewhere",
            _history("credit_elsewhere"),
        ),
        Fact(
            "credit.judgment_defaulter",
            _K.FLAG,
            "失信被执行人",
            "judgment defaulter",
            _R.DISHONESTY_LISTED,
            "credit_history.listings.judgment_defaulter",
            _history("judgment_defaulter"),
        ),
        Fact(
            "credit.abnormal_operation",
            _K.FLAG,
            "经营异常名录",
            "abnormal operation list",
            _R.DISHONESTY_LISTED,
            "credit_history.listings.abnormal_operation",
            _history("abnormal_operation"),
        ),
        Fact(
            "credit.serious_illegal",
            _K.FLAG,
            "严重违法失信名单",
            "serious illegality list",
            _R.DISHONESTY_LISTED,
            "credit_history.listings.serious_illegal",
            _history("serious_illegal"),
        ),
        Fact(
            "request.amount",
            _K.MONEY,
            "申请金额",
            "amount asked for",
            _R.AMOUNT_NOT_ELIGIBLE,
            "request.amount",
            _request("amount"),
        ),
        Fact(
            "request.tenor_months",
            _K.COUNT,
            "申请期限(月)",
            "tenor asked for, in months",
            _R.TENOR_NOT_ELIGIBLE,
            "request.tenor_months",
            _request("tenor_months"),
        ),
        Fact(
            "request.purpose",
            _K.CODE,
            "贷款用途",
            "purpose",
            _R.PURPOSE_NOT_ALLOWED,
            "request.purpose",
            _request("purpose"),
        ),
    )
}

EVIDENCE = "evidence."


def _evidence(code: str) -> Fact:
    def read(application: Application, on: date) -> object:
        finding = (application.evidence or {}).get(code)
        return None if finding is None else finding.established

    return Fact(
        EVIDENCE + code,
        FactKind.FLAG,
        f"证明材料 {code}",
        f"evidence {code}",
        ReasonCode.EVIDENCE_NOT_ESTABLISHED,
        EVIDENCE + code,
        read,
    )


def fact_named(name: str) -> Fact | None:
    """This function will return the fact of that name, `evidence.<code>` included, or None where the vocabulary has
    no such fact.
    """
    if name.startswith(EVIDENCE) and len(name) > len(EVIDENCE):
        return _evidence(name.removeprefix(EVIDENCE))
    return FACTS.get(name)


class Facts(dict[str, object]):
    """An application's facts on a day, each read when it is first asked for; several products asking pay once."""

    __slots__ = ("application", "on")

    def __init__(self, application: Application, on: date) -> None:
        super().__init__()
        self.application = application
        self.on = on

    def __missing__(self, name: str) -> object:
        fact = FACTS.get(name) or _evidence(name.removeprefix(EVIDENCE))
        value = fact.read(self.application, self.on)
        self[name] = value
        return value
