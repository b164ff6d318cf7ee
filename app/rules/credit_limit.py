"""额度: the least of named components, the one that binds, rounded down once.

Neighbours may rely on this: caps count what is already promised, components do not; amounts are exact; the rounding
happens once, at the end, downwards; a table without a row for the company refers and never answers nothing.
"""

from __future__ import annotations

from app.domain.company import Application
from app.domain.decision import Line, Reason
from app.domain.facts import Facts
from app.domain.money import Yuan, floored_to, share_of_floored
from app.domain.reasons import ReasonCode
from app.domain.standing import Standing
from app.domain.terms import CreditLimitTerms, LimitComponent, ProductTerms, Severity
from app.rules.eligibility import reason, unknown
from app.rules.tables import LookUp, look_up

_ZERO = Yuan(0)


def credit_limit(
    application: Application, terms: ProductTerms, facts: Facts, standing: Standing, lines: list[Line]
) -> tuple[Yuan | None, list[Reason]]:
    """This function will find the limit for one company, or None with the reasons why there is none.

    `standing` is what counts against the caps. Where two components are the least, the first one declared is decisive,
    and any of them before a cap or the request that comes out alike.
    """
    limits, requested = terms.credit_limit, application.request.amount
    amounts, missing = _amounts(application, terms, facts, standing)
    if limits.limited_to_request.value:
        shown = (("amount", requested),)
        amounts.append((requested, "credit_limit.request", shown, limits.limited_to_request.reference))
    known = [row[0] for row in amounts if row[0] is not None]
    binding = None if missing else known.index(min(known))
    for i, (amount, step, shown, reference) in enumerate(amounts):
        lines.append((step, amount, shown, reference, i == binding if amount is not None else True))
    if missing:
        return None, missing
    least, decisive, shown, _ = amounts[binding]
    unit, floor = limits.rounding_unit, limits.floor
    limit = floored_to(least, unit.value) if least > 0 else _ZERO
    enough = limit >= floor.value and limit > 0
    lines.append((unit.path, limit, (("unit", unit.value),), unit.reference, False))
    lines.append((floor.path, enough, (("floor", floor.value),), floor.reference, not enough))
    if enough:
        below = limit < requested
        return limit, [reason(ReasonCode.LIMIT_BELOW_REQUEST, Severity.INFO, clause=decisive)] if below else []
    code = ReasonCode.CAP_USED if dict(shown).get("used") else ReasonCode.LIMIT_BELOW_FLOOR
    return None, [reason(code, Severity.DECLINE, clause=decisive)]


def _amounts(
    application: Application, terms: ProductTerms, facts: Facts, standing: Standing
) -> tuple[list, list[Reason]]:
    """(amount, step, facts, reference) of each component and the two caps; what cannot be had leaves None and a
    reason.
    """
    limits: CreditLimitTerms = terms.credit_limit
    missing: list[Reason] = []
    cap, found, absent = look_up(limits.cap, facts)
    available = None
    if absent is not None:
        missing.append(absent)
    else:
        used = standing.used_on(terms.id, application.company.uscc) if standing.commitments else _ZERO
        available = cap - used if used else cap
        found = (*found, ("cap", cap), ("used", used))
    caps = [(available, limits.cap.path, found, limits.cap.reference)]
    used, lender_cap = standing.used() if standing.commitments else _ZERO, limits.lender_cap
    shown = (("cap", lender_cap.value), ("used", used))
    caps.append((lender_cap.value - used, lender_cap.path, shown, lender_cap.reference))
    rows = []
    bases = {"cap": cap}
    for component in limits.components:
        parameter = component.parameter
        amount, found, absent = _component(component, facts, bases)
        bases[component.name] = amount
        if absent is not None:
            missing.append(absent)
        rows.append((amount, parameter.path, found, parameter.reference))
    return [*rows, *caps], missing


def _component(component: LimitComponent, facts: Facts, bases: dict[str, Yuan | None]) -> LookUp:
    """An amount as it stands, or a share of a money fact, of the cap or of an earlier component."""
    value, found, absent = look_up(component.parameter, facts)
    of = component.of
    if of is None or absent is not None:
        return value, found, absent
    if of in bases:
        base, absent = bases[of], None
    else:
        base = facts[of]
        absent = unknown(of, clause=component.parameter.path) if base is None else None
    if base is None:
        return None, (*found, (of, None)), absent
    return share_of_floored(base, value), (*found, ("share", value), (of, base)), None
