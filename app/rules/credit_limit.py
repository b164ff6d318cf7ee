"""额度: the least of named components, the one that binds, rounded down once.

Neighbours may rely on this: caps count what is already promised, components do not; amounts are exact; the rounding
happens once, at the end, downwards; a table without a row for the company refers and never answers nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.domain.company import Application
from app.domain.decision import Reason, Step
from app.domain.facts import Facts, fact_named
from app.domain.money import Yuan, floored_to, share_of_floored
from app.domain.reasons import ReasonCode
from app.domain.standing import Standing
from app.domain.terms import Bands, Choices, CreditLimitTerms, LimitComponent, Parameter, Severity
from app.rules.eligibility import reason


@dataclass(frozen=True, slots=True)
class LookUp:
    """A parameter read for one company: its value, and what it was read by. `missing` says why there is no value."""

    value: Any
    facts: tuple[tuple[str, Any], ...] = ()
    missing: Reason | None = None


def look_up(parameter: Parameter, facts: Facts) -> LookUp:
    """This function will read a parameter: a plain value as it is, a table by the company's fact."""
    table = parameter.value
    if not isinstance(table, Bands | Choices):
        return LookUp(table)
    actual = facts[table.by]
    fact = fact_named(table.by)
    if actual is None:
        unknown = reason(ReasonCode.FACT_UNKNOWN, Severity.REFER, clause=parameter.path, fact=fact)
        return LookUp(None, ((fact.name, None),), unknown)
    row = table.find(actual)
    if row is None:
        absent = reason(ReasonCode.TABLE_HAS_NO_ROW, Severity.REFER, clause=parameter.path, fact=fact)
        return LookUp(None, ((fact.name, actual),), absent)
    key, value = row
    return LookUp(value, ((fact.name, actual), ("from" if isinstance(table, Bands) else "row", key)))


@dataclass(frozen=True, slots=True)
class LimitAnswer:
    """The limit, or None where there is none; its lines of the trace and the reasons."""

    limit: Yuan | None
    steps: tuple[Step, ...]
    reasons: tuple[Reason, ...]


def credit_limit(
    application: Application, product: str, terms: CreditLimitTerms, facts: Facts, standing: Standing
) -> LimitAnswer:
    """This function will find the limit for one company; `standing` is what counts against the caps."""
    requested = application.request.amount
    amounts, steps, reasons = _components(application, product, terms, facts, standing)
    if terms.limited_to_request.value:
        reference = terms.limited_to_request.reference
        amounts["request"] = requested
        steps["request"] = Step("credit_limit.request", requested, (("amount", requested),), reference)
    if reasons:
        return LimitAnswer(None, tuple(steps.values()), tuple(reasons))
    # Where a component and a cap or the request come out alike, the component is what explains the limit.
    binding = min(amounts, key=lambda name: (amounts[name], name in ("cap", "lender_cap", "request")))
    steps[binding] = steps[binding]._replace(decisive=True)
    limit = floored_to(Yuan(max(amounts[binding], 0)), terms.rounding_unit.value)
    steps["rounding_unit"] = Step(
        terms.rounding_unit.path, limit, (("unit", terms.rounding_unit.value),), terms.rounding_unit.reference
    )
    enough = limit >= terms.floor.value and limit > 0
    steps["floor"] = Step(terms.floor.path, enough, (("floor", terms.floor.value),), terms.floor.reference, not enough)
    if enough:
        below = reason(ReasonCode.LIMIT_BELOW_REQUEST, Severity.INFO, clause=f"credit_limit.{binding}")
        return LimitAnswer(limit, tuple(steps.values()), (below,) if limit < requested else ())
    used = dict(steps[binding].facts).get("used")
    code = ReasonCode.CAP_USED if used else ReasonCode.LIMIT_BELOW_FLOOR
    declined = reason(code, Severity.DECLINE, clause=f"credit_limit.{binding}")
    return LimitAnswer(None, tuple(steps.values()), (declined,))


def _components(
    application: Application, product: str, terms: CreditLimitTerms, facts: Facts, standing: Standing
) -> tuple[dict[str, Yuan], dict[str, Step], list[Reason]]:
    """The amounts by name in declared order; a component that cannot be had leaves its reason instead."""
    steps: dict[str, Step] = {}
    reasons: list[Reason] = []
    amounts: dict[str, Yuan] = {}
    cap = look_up(terms.cap, facts)
    if cap.missing is not None:
        reasons.append(cap.missing)
        steps["cap"] = Step(terms.cap.path, None, cap.facts, terms.cap.reference, True)
    else:
        used = standing.used_on(product, application.company.uscc)
        amounts["cap"] = cap.value - used
        shown = (*cap.facts, ("cap", cap.value), ("used", used))
        steps["cap"] = Step(terms.cap.path, amounts["cap"], shown, terms.cap.reference)
    used = standing.used()
    amounts["lender_cap"] = terms.lender_cap.value - used
    shown = (("cap", terms.lender_cap.value), ("used", used))
    steps["lender_cap"] = Step("credit_limit.lender_cap", amounts["lender_cap"], shown, terms.lender_cap.reference)
    bases: dict[str, Yuan | None] = {"cap": cap.value}
    for component in terms.components:
        found = _component(component, facts, bases)
        bases[component.name] = found.value
        if found.missing is not None:
            reasons.append(found.missing)
        elif found.value is not None:
            amounts[component.name] = found.value
        parameter = component.parameter
        steps[component.name] = Step(parameter.path, found.value, found.facts, parameter.reference, found.value is None)
    return amounts, steps, reasons


def _component(component: LimitComponent, facts: Facts, bases: dict[str, Yuan | None]) -> LookUp:
    """An amount as it stands, or a share of a money fact, of the cap or of an earlier component."""
    found = look_up(component.parameter, facts)
    if component.of is None or found.missing is not None:
        return found
    base = bases[component.of] if component.of in bases else facts[component.of]
    if base is None:
        fact = fact_named(component.of)
        missing = fact and reason(ReasonCode.FACT_UNKNOWN, Severity.REFER, clause=component.parameter.path, fact=fact)
        return LookUp(None, (*found.facts, (component.of, None)), missing)
    shown = (*found.facts, ("share", found.value), (component.of, base))
    return LookUp(share_of_floored(base, found.value), shown)
