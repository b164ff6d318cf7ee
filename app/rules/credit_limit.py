"""额度: the least of named components, the one that binds, rounded down once.

Neighbours may rely on this: caps count what is already promised, components do not; amounts are exact; the rounding
happens once, at the end, downwards; a table without a row for the company refers and never answers nothing.
"""

from __future__ import annotations

from decimal import Decimal
from operator import itemgetter
from typing import Any

from app.domain.company import Application
from app.domain.decision import Line, Reason
from app.domain.facts import Facts
from app.domain.money import Yuan, floored_to, share_of_floored
from app.domain.reasons import ReasonCode
from app.domain.standing import Standing
from app.domain.terms import CreditLimitTerms, LimitComponent, ProductTerms, Reference, Severity
from app.rules.eligibility import reason, unknown
from app.rules.tables import look_up

_ZERO = Yuan(0)


Row = tuple[Yuan | None, str, tuple[tuple[str, Any], ...], Reference]
"""One of the amounts whose least is the limit: the amount, its step, its facts and its reference."""


def credit_limit(
    application: Application,
    terms: ProductTerms,
    facts: Facts,
    standing: Standing,
    lines: list[Line],
    reasons: list[Reason],
) -> Yuan | None:
    """This function will find the limit for one company, or None with the reasons why there is none.

    `standing` is what counts against the caps. Where two components are the least, the first one declared is decisive,
    and any of them before a cap or the request that comes out alike.
    """
    limits, requested, known = terms.credit_limit, application.request.amount, len(reasons)
    cap, rows_of_caps = _caps(application, terms, facts, standing, reasons)
    rows = _components(limits, facts, cap, reasons) + rows_of_caps
    if limits.limited_to_request.value:
        rows.append((requested, "credit_limit.request", (("amount", requested),), limits.limited_to_request.reference))
    if len(reasons) > known:
        lines += [(step, amount, shown, reference, amount is None) for amount, step, shown, reference in rows]
        return None
    binding = min(rows, key=_amount)
    lines += [(row[1], row[0], row[2], row[3], row is binding) for row in rows]
    return _rounded(limits, binding, requested, lines, reasons)


_amount = itemgetter(0)


def _rounded(
    limits: CreditLimitTerms, binding: Row, requested: Yuan, lines: list[Line], reasons: list[Reason]
) -> Yuan | None:
    """The binding amount rounded down, where it reaches the floor."""
    least, decisive, shown, _ = binding
    unit, floor = limits.rounding_unit, limits.floor
    limit = floored_to(least, unit.value) if least > 0 else _ZERO
    enough = limit >= floor.value and limit > 0
    lines.append((unit.path, limit, (("unit", unit.value),), unit.reference, False))
    lines.append((floor.path, enough, (("floor", floor.value),), floor.reference, not enough))
    if enough:
        if limit < requested:
            reasons.append(reason(ReasonCode.LIMIT_BELOW_REQUEST, Severity.INFO, clause=decisive))
        return limit
    code = ReasonCode.CAP_USED if dict(shown).get("used") else ReasonCode.LIMIT_BELOW_FLOOR
    reasons.append(reason(code, Severity.DECLINE, clause=decisive))
    return None


def _caps(
    application: Application, terms: ProductTerms, facts: Facts, standing: Standing, reasons: list[Reason]
) -> tuple[Yuan | None, list[Row]]:
    """The product's cap before what is used of it, and both caps after."""
    of_product, of_lender = terms.credit_limit.cap, terms.credit_limit.lender_cap
    cap, found, _, absent = look_up(of_product, facts)
    used = used_of_lender = _ZERO
    left, left_of_lender = cap, of_lender.value
    if absent is not None:
        reasons.append(absent)
    elif standing.commitments:
        used, used_of_lender = standing.used_on(terms.id, application.company.uscc), standing.used()
        left, left_of_lender = cap - used, left_of_lender - used_of_lender
    return cap, [
        (left, of_product.path, (*found, ("cap", cap), ("used", used)), of_product.reference),
        (
            left_of_lender,
            of_lender.path,
            (("cap", of_lender.value), ("used", used_of_lender)),
            of_lender.reference,
        ),
    ]


def _components(limits: CreditLimitTerms, facts: Facts, cap: Yuan | None, reasons: list[Reason]) -> list[Row]:
    """Each component: an amount as it stands, or a share of a money fact, of the cap or of an earlier component."""
    rows: list[Row] = []
    bases = {"cap": cap}
    for component in limits.components:
        parameter, of = component.parameter, component.of
        amount, found, _, absent = look_up(parameter, facts)
        if absent is None and of is not None:
            amount, found, absent = _share_of(of, amount, found, component, facts, bases)
        if absent is not None:
            reasons.append(absent)
        bases[component.name] = amount
        rows.append((amount, parameter.path, found, parameter.reference))
    return rows


def _share_of(
    of: str,
    share: Decimal,
    found: tuple[tuple[str, Any], ...],
    component: LimitComponent,
    facts: Facts,
    bases: dict[str, Yuan | None],
) -> tuple[Yuan | None, tuple[tuple[str, Any], ...], Reason | None]:
    if component.read_base is None:
        # The base's own reason stands already where it has no amount.
        base, absent = bases[of], None
    else:
        base = component.read_base(facts)
        absent = unknown(of, clause=component.parameter.path) if base is None else None
    if base is None:
        return None, (*found, (of, None)), absent
    return share_of_floored(base, share), (*found, ("share", share), (of, base)), None
