"""Words for what a decision is made of: steps, facts and values as people read them, in Chinese or in English.

Neighbours may rely on this: a value's text says its unit; an amount is grouped and shows fen only where there are some;
a rate is a percentage; what is unknown says so. Codes stay as the catalogue has them: their words may change, a record
may not.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any, Final, Literal

from app.domain.facts import EVIDENCE, FactKind, fact_named
from app.domain.money import Yuan
from app.domain.terms import GateTest, ProductTerms, Words
from app.rules.suppositions import CIRCUMSTANCES, OTHER

Language = Literal["zh", "en"]

UNKNOWN: Final = Words("未知", "unknown")
YES: Final = Words("是", "yes")
NO: Final = Words("否", "no")
_OTHER: Final = Words("其他", "another one")

OUTCOMES: Final = {
    "PRE_APPROVED": Words("预授信", "Pre-approved"),
    "REFERRED": Words("转人工", "Referred to a person"),
    "DECLINED": Words("拒绝", "Declined"),
}

_STEPS: Final = {
    "eligibility.product": Words("产品状态", "status of the product"),
    "eligibility.zone": Words("高新区", "zone"),
    "eligibility.authorisation": Words("企业授权", "the company's authorisation"),
    "eligibility.score": Words("积分可用性", "whether the score can be used"),
    "eligibility.freshness": Words("信息时效", "age of figures and findings"),
    "credit_limit.cap": Words("产品单户额度上限", "the product's cap for one company"),
    "credit_limit.lender_cap": Words("本机构统一授信上限", "the lender's cap for one company and its group"),
    "credit_limit.request": Words("申请金额", "the amount asked for"),
    "credit_limit.rounding_unit": Words("额度取整单位", "rounding unit of the limit"),
    "credit_limit.floor": Words("产品起点金额", "the product's floor"),
    "tenor.minimum_months": Words("最短期限", "shortest tenor"),
    "tenor.maximum_months": Words("最长期限", "longest tenor"),
    "pricing.lpr": Words("贷款市场报价利率 LPR", "loan prime rate (LPR)"),
    "pricing.spread_bps": Words("LPR 加点", "spread over the LPR"),
    "pricing.annual_rate": Words("年利率", "annual rate"),
    "pricing.conventional_rate": Words("同类贷款通常利率", "usual rate of such loans"),
    "pricing.discount_share": Words("利率下浮比例", "discount on the usual rate"),
    "pricing.ceiling_bps": Words("利率上限加点", "ceiling over the LPR"),
    "collateral.required": Words("抵押要求", "collateral"),
    "guarantee.required": Words("担保要求", "guarantee"),
    "guarantee.fee_rate": Words("担保费率", "guarantee fee"),
    "risk_compensation.pool": Words("风险补偿资金池", "risk-compensation pool"),
    "risk_compensation.shares": Words("风险分担比例", "shares of a loss"),
    "risk_compensation.per_company_cap": Words("单户补偿上限", "the pool's cap for one company"),
    "offer.valid_days": Words("预授信有效天数", "days for which the offer is valid"),
}

_UNITS: Final = {
    "score.rank_in_zone": Words("第 {} 名", "rank {}"),
    "score.rank_in_stage": Words("第 {} 名", "rank {}"),
    "score.rank_in_stage_and_field": Words("第 {} 名", "rank {}"),
    "company.age_months": Words("{} 个月", "{} months"),
    "company.months_in_zone": Words("{} 个月", "{} months"),
    "company.employees": Words("{} 人", "{} employees"),
    "credit.past_due_days": Words("{} 天", "{} days"),
    "request.tenor_months": Words("{} 个月", "{} months"),
}

_TESTS: Final = {
    GateTest.AT_LEAST: Words("不低于 {}", "at least {}"),
    GateTest.AT_MOST: Words("不高于 {}", "at most {}"),
    GateTest.IS: Words("{}", "{}"),
    GateTest.ONE_OF: Words("{} 之一", "one of {}"),
    GateTest.NONE_OF: Words("非 {}", "none of {}"),
    GateTest.STARTS_WITH: Words("以 {} 开头", "begins with {}"),
    GateTest.STARTS_WITH_NONE_OF: Words("不以 {} 开头", "begins with none of {}"),
    GateTest.ANY_OF: Words("至少具备 {} 之一", "at least one of {}"),
    GateTest.ALL_OF: Words("同时具备 {}", "all of {}"),
}


def in_(language: Language, words: Words) -> str:
    """This function will choose the language."""
    return words.zh if language == "zh" else words.en


def fact_label(fact: str, language: Language) -> str:
    """This function will name a fact, or a circumstance that a decision depends on."""
    circumstance = CIRCUMSTANCES.get(fact)
    if circumstance is not None:
        return in_(language, circumstance)
    dated = fact.startswith(EVIDENCE) and fact.endswith(".on")
    known = fact_named(fact.removesuffix(".on") if dated else fact)
    if known is None:
        return fact
    named = known.zh if language == "zh" else known.en
    return named if not dated else in_(language, Words(f"{named} 的日期", f"day of {named}"))


def step_label(step: str, terms: ProductTerms, language: Language) -> str:
    """This function will name a step of a trace: a gate by its own words, a component by what it is reckoned from."""
    if step in _STEPS:
        return in_(language, _STEPS[step])
    for gate in terms.gates:
        if gate.path == step:
            return in_(language, gate.words)
    for programme in terms.subsidies:
        if step.startswith(f"{programme.path}."):
            found = next((gate for gate in programme.gates if gate.path == step), None)
            rest = Words("贴息", "interest subsidy") if found is None else found.words
            return f"{in_(language, programme.name)} · {in_(language, rest)}"
    limits = terms.credit_limit
    for component in () if limits is None else limits.components:
        if component.parameter.path == step:
            return _component_label(component.of, component.parameter.by, terms, language)
    return step


def _component_label(of: str | None, by: str | None, terms: ProductTerms, language: Language) -> str:
    if of is None:
        if by is None:
            return in_(language, Words("固定额度", "a fixed amount"))
        fact = fact_label(by, language)
        return in_(language, Words(f"按{fact}分档的额度", f"the amount by {fact}"))
    base = in_(language, _STEPS["credit_limit.cap"]) if of == "cap" else fact_label(of, language)
    for component in terms.credit_limit.components:
        if component.name == of:
            base = _component_label(component.of, component.parameter.by, terms, language)
    if by is None:
        return in_(language, Words(f"{base}的比例", f"a share of {base}"))
    fact = fact_label(by, language)
    return in_(language, Words(f"{base}按{fact}的比例", f"a share of {base}, by {fact}"))


# ---- values ---------------------------------------------------------------------------------------------------------


def money_text(amount: Yuan, language: Language) -> str:
    """This function will write an amount: "10,000,000 元", "CNY 5,000,000.05"."""
    yuan, fen = divmod(abs(int(amount)), 100)
    text = f"{'-' if amount < 0 else ''}{yuan:,}{f'.{fen:02d}' if fen else ''}"
    return in_(language, Words(f"{text} 元", f"CNY {text}"))


def percent_text(rate: Decimal) -> str:
    """This function will write a rate or a share as a percentage with at least two decimals: "3.45%"."""
    whole, _, decimals = format(rate * 100, "f").partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}%"


def value_text(fact: str, value: Any, language: Language) -> str:
    """This function will write the value of a fact or of a circumstance with its unit."""
    if value is None:
        return in_(language, UNKNOWN)
    if isinstance(value, bool):
        return in_(language, YES if value else NO)
    if isinstance(value, Yuan):
        return money_text(value, language)
    if isinstance(value, Decimal):
        return _decimal_text(fact, value, language)
    if isinstance(value, frozenset | list | tuple):
        return in_(language, Words("、", ", ")).join(sorted(map(str, value))) or in_(language, Words("无", "none"))
    if isinstance(value, date):
        return value.isoformat()
    if value == OTHER:
        return in_(language, _OTHER)
    text = str(value.value) if isinstance(value, Enum) else str(value)
    if fact not in _UNITS:
        return text
    unit = in_(language, _UNITS[fact])
    return unit.removesuffix("s").format(text) if text == "1" and unit.startswith("{} ") else unit.format(text)


def _decimal_text(fact: str, value: Decimal, language: Language) -> str:
    known = fact_named(fact)
    if known is None or known.kind is not FactKind.NUMBER:
        return percent_text(value)
    whole, _, decimals = format(value, "f").partition(".")
    text = f"{whole}.{decimals.ljust(2, '0')}"
    return in_(language, Words(f"{text} 分", f"{text} points"))


def required_text(fact: str, test: GateTest, threshold: Any, language: Language) -> str:
    """This function will say what a gate asks of its fact."""
    return in_(language, _TESTS[test]).format(value_text(fact, threshold, language))


_SHOWN: Final[Mapping[str, Words]] = {
    "from": Words("该档自 {} 起", "the band begins at {}"),
    "share": Words("比例 {}", "share {}"),
    "cap": Words("上限 {}", "cap {}"),
    "used": Words("已占用 {}", "used {}"),
    "required": Words("要求 {}", "required {}"),
}


def facts_text(facts: tuple[tuple[str, Any], ...], language: Language) -> str:
    """This function will say from which facts an amount was reckoned."""
    said: list[str] = []
    last = ""
    for name, value in facts:
        if fact_named(name) is not None:
            last = name
            said.append(f"{fact_label(name, language)} {value_text(name, value, language)}")
        elif name in _SHOWN and not (name == "used" and not value):
            unit_of = last if name == "from" else name
            said.append(in_(language, _SHOWN[name]).format(value_text(unit_of, value, language)))
        elif isinstance(value, Yuan) and name not in ("amount", "used"):
            said.append(f"{fact_label(name, language)} {money_text(value, language)}")
    return in_(language, Words("，", ", ")).join(said)
