"""A product's terms as a plain table that any rule engine can carry out: named expressions, each over facts and the
names before it.

Neighbours may rely on this: the table is made from the very `ProductTerms` that the service decides by, and asks the
same questions in the same order — checks, gates, tenor, the least of the amounts, price, subsidy, cover, expiry. An
expression is a JSON-logic tree, the one notation that all engines here can be written from; `null` is an unknown
fact. What is left out favours the engines: ages in days and months come to them ready-made, they give no reasons in
words, and they are not asked to name what was decisive.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from app.domain.company import Application
from app.domain.facts import EVIDENCE, FACTS, Facts, add_months, reader_of, whole_months
from app.domain.money import Yuan
from app.domain.terms import (
    Bands,
    Choices,
    Gate,
    GateTest,
    Parameter,
    PriceMethod,
    ProductStatus,
    ProductTerms,
    Severity,
    SubsidyBase,
    SubsidyProgramme,
)

Tree = Any
Flat = dict[str, Any]

OUTPUTS = ("outcome", "limit", "annual_rate", "ceiling", "all_in", "subsidy", "net_rate", "covered", "expires_on")


@dataclass(frozen=True, slots=True)
class Table:
    """`facts` are the names it reads; `lines` are evaluated in order, each seeing the ones before; what stands from
    `offer_from` on is needed only where `declined` is false.
    """

    product: str
    facts: tuple[str, ...]
    lines: tuple[tuple[str, Tree], ...]
    offer_from: int


def var(name: str) -> Tree:
    """This function will name a fact or an earlier line."""
    return {"var": name}


def table_of(terms: ProductTerms) -> Table:
    """This function will lay out one product's terms. Raises NotImplementedError for a form that no engine here was
    given yet.
    """
    checks, declining, referring = _eligibility(terms)
    checks += [("declined", {"or": declining}), ("referred_early", {"or": referring})]
    unknown = [_null(var("limit_found")), _null(var("highest"))]
    outcome = [var("declined"), "DECLINED", var("too_low"), "DECLINED", var("referred"), "REFERRED", "PRE_APPROVED"]
    offered = [
        *_limit(terms),
        *_price(terms),
        ("referred", {"or": [var("referred_early"), *unknown]}),
        ("outcome", {"if": outcome}),
    ]
    offered.append(("given", {"===": [var("outcome"), "PRE_APPROVED"]}))
    offered += _offer(terms)
    lines = (*checks, *offered)
    known = {name for name, _ in lines}
    facts = tuple(dict.fromkeys(name for _, tree in lines for name in _names(tree) if name not in known))
    return Table(terms.id, facts, lines, len(checks))


# --- eligibility -----------------------------------------------------------------------------------------------


def _eligibility(terms: ProductTerms) -> tuple[list[tuple[str, Tree]], list[Tree], list[Tree]]:
    lines = [("zone_ok", {"in": [var("zone"), sorted(terms.zones)]}), *_score_lines(terms), *_freshness(terms)]
    until = var("authorised_until")
    consented = {
        "and": [{"<=": [var("authorised_from"), var("on")]}, {"or": [_null(until), {"<=": [var("on"), until]}]}]
    }
    lines.insert(1, ("authorised", {"if": [_null(var("authorised_from")), False, consented]}))
    declining = [{"!": [var("zone_ok")]}, var("vetoed_out")]
    referring = [{"!": [var(name)]} for name in ("authorised", "score_ok", "fresh")]
    for i, gate in enumerate(terms.gates):
        name, fact = f"gate_{i}", var(_flat(gate.fact))
        lines.append((name, {"if": [_null(fact), None, _passes(gate, fact)]}))
        failed = {"===": [var(name), False]}
        (declining if gate.severity is Severity.DECLINE else referring).append(failed)
        referring.append(_null(var(name)))
    for name, parameter, test in (
        ("tenor_long_enough", terms.minimum_tenor_months, ">="),
        ("tenor_short_enough", terms.maximum_tenor_months, "<="),
    ):
        if parameter is not None:
            lines.append((f"{name}_bound", _read(parameter)))
            bound = var(f"{name}_bound")
            lines.append((name, {"if": [_null(bound), None, {test: [var("tenor_months"), bound]}]}))
            declining.append({"===": [var(name), False]})
            referring.append(_null(var(name)))
    return lines, declining, referring


def _score_lines(terms: ProductTerms) -> list[tuple[str, Tree]]:
    accepted = sorted(terms.score.schemes)
    scored = {"and": [{"in": [var("scheme"), accepted]}, {"===": [var("state"), "SCORED"]}]}
    asked: list[Tree] = [var("scored"), {"===": [var("vouched"), True]}]
    for scheme in terms.score.schemes.values():
        other = {"!==": [var("scheme"), scheme.id]}
        if scheme.veto:
            asked.append({"or": [other, {"!": [_null(var("vetoed"))]}]})
        if scheme.versions is not None:
            asked.append({"or": [other, {"in": [var("scheme_version"), sorted(scheme.versions)]}]})
        if scheme.scale_maximum is not None:
            score = var(_flat("score.value"))
            asked.append({"or": [other, _null(score), {"<=": [score, float(scheme.scale_maximum)]}]})
    until, age = var("score_valid_until"), var("score_age_days")
    asked.append({"or": [_null(until), {"<=": [var("on"), until]}]})
    if terms.score.maximum_age_days is not None:
        asked.append({"if": [_null(age), False, {"<=": [age, terms.score.maximum_age_days.value]}]})
    return [
        ("scored", scored),
        ("vetoed_out", {"and": [var("scored"), {"===": [var("vetoed"), True]}]}),
        ("score_ok", {"and": asked}),
    ]


def _freshness(terms: ProductTerms) -> list[tuple[str, Tree]]:
    fresh: list[Tree] = []
    if terms.maximum_financials_age_months is not None:
        age = var("financials_age_months")
        fresh.append({"or": [_null(age), {"<=": [age, terms.maximum_financials_age_months.value]}]})
    if terms.maximum_evidence_age_days is not None:
        for gate in terms.gates:
            if gate.fact.startswith(EVIDENCE):
                age = var(_flat(gate.fact) + "_age_days")
                fresh.append({"or": [_null(age), {"<=": [age, terms.maximum_evidence_age_days.value]}]})
    return [("fresh", {"and": fresh} if fresh else True)]


def _passes(gate: Gate, fact: Tree) -> Tree:
    threshold = _plain(gate.threshold)
    match gate.test:
        case GateTest.AT_LEAST:
            return {">=": [fact, threshold]}
        case GateTest.AT_MOST:
            return {"<=": [fact, threshold]}
        case GateTest.ONE_OF:
            return {"in": [fact, threshold]}
        case GateTest.NONE_OF:
            return {"!": [{"in": [fact, threshold]}]}
        case GateTest.IS:
            return {"===": [fact, threshold]}
        case GateTest.STARTS_WITH:
            return {"or": [{"starts_with": [fact, prefix]} for prefix in threshold]}
        case GateTest.ANY_OF:
            return {"some": [fact, {"in": [{"var": ""}, threshold]}]}
        case _:
            raise NotImplementedError(f"{gate.path}: the engines were not given the test {gate.test.value} yet")


# --- limit and price -------------------------------------------------------------------------------------------


def _limit(terms: ProductTerms) -> list[tuple[str, Tree]]:
    limit = terms.credit_limit
    lines = [
        ("cap_value", _read(limit.cap)),
        ("amount_cap", _unless_null([var("cap_value")], {"-": [var("cap_value"), var("used_on_product")]})),
        ("amount_lender_cap", {"-": [int(limit.lender_cap.value), var("used")]}),
    ]
    amounts = ["amount_cap", "amount_lender_cap"]
    bases = {"cap": "cap_value"}
    for component in limit.components:
        name = f"amount_{component.name}"
        if component.of is None:
            lines.append((name, _read(component.parameter)))
        else:
            base = var(bases.get(component.of) or _flat(component.of))
            lines.append((f"share_{component.name}", _read(component.parameter)))
            share = var(f"share_{component.name}")
            lines.append((name, _unless_null([base, share], {"floor": [{"*": [base, share]}]})))
        bases[component.name] = name
        amounts.append(name)
    if limit.limited_to_request.value:
        lines.append(("amount_request", var("amount")))
        amounts.append("amount_request")
    unit, floor = int(limit.rounding_unit.value), int(limit.floor.value)
    rounded = {"*": [{"floor": [{"/": [{"max": [{"min": [var(a) for a in amounts]}, 0]}, unit]}]}, unit]}
    lines.append(("limit_found", _unless_null([var(a) for a in amounts], rounded)))
    found = var("limit_found")
    enough = {"and": [{">=": [found, floor]}, {">": [found, 0]}]}
    lines.append(("too_low", {"if": [_null(found), False, {"!": [enough]}]}))
    return lines


def _price(terms: ProductTerms) -> list[tuple[str, Tree]]:
    pricing = terms.pricing
    lpr = float(terms.lpr[pricing.lpr_term].rate) if pricing.lpr_term else None
    lines: list[tuple[str, Tree]] = []
    match pricing.method:
        case PriceMethod.LPR:
            lines.append(("spread_bps", _read(pricing.spread_bps)))
            rate = {"+": [lpr, {"/": [var("spread_bps"), 10_000]}]}
            lines.append(("rate_found", _unless_null([var("spread_bps")], rate)))
        case PriceMethod.FIXED:
            lines.append(("rate_found", _read(pricing.annual_rate)))
        case PriceMethod.DISCOUNT:
            lines.append(("discount_share", _read(pricing.discount_share)))
            rate = {"*": [float(pricing.conventional_rate.value), {"-": [1, var("discount_share")]}]}
            lines.append(("rate_found", _unless_null([var("discount_share")], rate)))
        case PriceMethod.CEILING:
            lines.append(("rate_found", None))
    if pricing.ceiling_bps is not None:
        lines.append(("ceiling_bps", _read(pricing.ceiling_bps)))
        ceiling = {"+": [lpr, {"/": [var("ceiling_bps"), 10_000]}]}
        lines.append(("ceiling_found", _unless_null([var("ceiling_bps")], ceiling)))
    else:
        lines.append(("ceiling_found", None))
    rate, ceiling = var("rate_found"), var("ceiling_found")
    lines.append(("highest", {"if": [_null(rate), ceiling, _null(ceiling), rate, {"min": [rate, ceiling]}]}))
    return lines


# --- the offer -------------------------------------------------------------------------------------------------


def _offer(terms: ProductTerms) -> list[tuple[str, Tree]]:
    fee = 0 if terms.guarantee_fee_rate is None else float(terms.guarantee_fee_rate.value)
    limit, highest = var("limit_found"), var("highest")
    interest = {"/": [{"*": [limit, highest, var("loan_days")]}, 360]}
    paying = [_programme(i, p, terms) for i, p in enumerate(terms.subsidies) if p.status is ProductStatus.ACTIVE]
    lines: list[tuple[str, Tree]] = [line for programme in paying for line in programme]
    total = {"+": [0, *(var(programme[-1][0]) for programme in paying)]}
    if paying:
        lines += [("interest", _given(interest)), ("subsidy_found", _given({"min": [var("interest"), total]}))]
    else:
        lines.append(("subsidy_found", _given(0)))
    subsidy = var("subsidy_found")
    saved = {"/": [{"*": [subsidy, 360]}, {"*": [limit, var("loan_days")]}]}
    pool = terms.risk_compensation
    active = pool is not None and pool.status is ProductStatus.ACTIVE
    cap = pool.per_company_cap.value if active and pool.per_company_cap is not None else None
    covered: Tree = 0 if not active else limit if cap is None else {"min": [limit, int(cap)]}
    return [
        *lines,
        ("limit", _given(limit)),
        ("annual_rate", _given({"if": [_null(var("rate_found")), None, highest]})),
        ("ceiling", _given(var("ceiling_found"))),
        ("all_in", _given({"+": [highest, fee]} if fee else highest)),
        ("subsidy", _given(subsidy)),
        ("net_rate", _given({"-": [highest, saved]} if paying else highest)),
        ("covered", _given(covered)),
        ("expires_on", _given({"+": [var("on"), terms.offer_valid_days.value]})),
    ]


def _programme(i: int, programme: SubsidyProgramme, terms: ProductTerms) -> list[tuple[str, Tree]]:
    if programme.exclusion_group is not None or programme.maximum_months is not None:
        raise NotImplementedError(f"{programme.path}: the engines were not given exclusion groups and months yet")
    gates = [{"if": [_null(var(_flat(g.fact))), False, _passes(g, var(_flat(g.fact)))]} for g in programme.gates]
    base = {
        SubsidyBase.INTEREST_SHARE: lambda: {"*": [var("highest"), var(f"subsidy_{i}_share")]},
        SubsidyBase.PRINCIPAL_RATE: lambda: var(f"subsidy_{i}_share"),
        SubsidyBase.LPR_SHARE: lambda: {"*": [float(terms.lpr[programme.lpr_term].rate), var(f"subsidy_{i}_share")]},
    }[programme.base]()
    amount: Tree = {"/": [{"*": [var("limit_found"), base, var("loan_days")]}, 360]}
    if programme.cap_per_loan is not None:
        amount = {"min": [amount, int(programme.cap_per_loan.value)]}
    share = var(f"subsidy_{i}_share")
    return [
        (f"subsidy_{i}_gates", {"and": [var("given"), *gates]}),
        (f"subsidy_{i}_share", _given(_read(programme.share))),
        (f"subsidy_{i}", {"if": [{"and": [var(f"subsidy_{i}_gates"), {"!": [_null(share)]}]}, amount, 0]}),
    ]


# --- trees -----------------------------------------------------------------------------------------------------


def _null(tree: Tree) -> Tree:
    return {"===": [tree, None]}


def _given(tree: Tree) -> Tree:
    return {"if": [var("given"), tree, None]}


def _unless_null(needed: list[Tree], tree: Tree) -> Tree:
    return {"if": [{"or": [_null(one) for one in needed]} if len(needed) > 1 else _null(needed[0]), None, tree]}


def _read(parameter: Parameter) -> Tree:
    """A plain value, or a table as a chain of tests from the highest band down."""
    table = parameter.value
    if not isinstance(table, Bands | Choices):
        return _plain(table)
    fact = var(_flat(table.by))
    chain: list[Tree] = [_null(fact), None]
    if isinstance(table, Bands):
        for floor, value in reversed(list(zip(table.floors, table.values, strict=True))):
            chain += [{">=": [fact, _plain(floor)]}, _plain(value)]
    else:
        for code, value in table.values.items():
            chain += [{"===": [fact, code]}, _plain(value)]
    return {"if": [*chain, None]}


def _plain(value: Any) -> Any:
    match value:
        case bool():
            return value
        case Decimal():
            return float(value)
        case Yuan():
            return int(value)
        case frozenset():
            return sorted(value)
        case _:
            return value


def _flat(fact: str) -> str:
    return fact.replace(".", "_").replace("-", "_")


def _names(tree: Tree) -> list[str]:
    if isinstance(tree, dict):
        ((operator, operands),) = tree.items()
        if operator == "var":
            return [operands] if operands else []
        return [name for operand in operands for name in _names(operand)]
    return [name for one in tree for name in _names(one)] if isinstance(tree, list) else []


# --- facts -----------------------------------------------------------------------------------------------------


def flat_facts(application: Application, table: Table, on: date) -> Flat:
    """This function will give the engines what one table reads, already worked out: ages instead of dates, fen,
    floats for decimals.
    """
    facts = Facts(application, on)
    score, consent, figures = application.innovation_score, application.authorisation, application.financials
    request, evidence = application.request, application.evidence or {}
    ready: Flat = {
        "on": on.toordinal(),
        "zone": application.company.zone,
        "authorised_from": None if consent is None else consent.granted_on.toordinal(),
        "authorised_until": None if consent is None or consent.valid_until is None else consent.valid_until.toordinal(),
        "scheme": score.scheme,
        "scheme_version": score.scheme_version,
        "state": score.state.value,
        "vetoed": score.vetoed,
        "vouched": score.source is not None and score.source.kind.value != "SELF_DECLARED",
        "score_valid_until": None if score.valid_until is None else score.valid_until.toordinal(),
        "score_age_days": None if score.as_of is None else (on - score.as_of).days,
        "financials_age_months": None if figures is None else whole_months(date(figures.year, 12, 31), on),
        "tenor_months": request.tenor_months,
        "amount": int(request.amount),
        "loan_days": (add_months(on, request.tenor_months) - on).days,
        "used": 0,
        "used_on_product": 0,
    }
    for code, finding in evidence.items():
        ready[f"evidence_{code}_age_days"] = 99_999 if finding.on is None else (on - finding.on).days
    named = {_flat(name): name for name in FACTS} | {f"evidence_{code}": EVIDENCE + code for code in evidence}
    return {name: ready[name] if name in ready else _loose(reader_of(named[name])(facts)) for name in table.facts}


def _loose(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else _plain(value)
