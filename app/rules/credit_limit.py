"""额度: the least of named components, the one that binds, rounded down once.

Neighbours may rely on this: caps count what is already promised, components do not; amounts are exact; the rounding
happens once, at the end, downwards; a table without a row for the company refers and never answers nothing.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from app.domain.company import Application
from app.domain.decision import Reason
from app.domain.facts import Facts
from app.domain.money import Yuan, floored_to, share_of_floored
from app.domain.reasons import ReasonCode
from app.domain.standing import Standing
from app.domain.terms import CreditLimitTerms, LimitComponent, ProductTerms, Severity
from app.domain.trace import Forms, Line, line_forms
from app.rules.eligibility import reason, unknown
from app.rules.tables import look_up

_ZERO = Yuan(0)


Row = tuple[Yuan | None, Forms, tuple[Any, ...]]
"""One of the amounts whose least is the limit: the amount, its line's forms, and the values of its facts."""


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
        forms = line_forms("credit_limit.request", ("amount",), limits.limited_to_request.reference)
        rows.append((requested, forms, (requested,)))
    if len(reasons) > known:
        lines += [(forms[amount is None], amount, found) for amount, forms, found in rows]
        return None
    binding = min(rows, key=_amount)
    lines += [(row[1][row is binding], row[0], row[2]) for row in rows]
    return _rounded(limits, binding, requested, lines, reasons)


_amount = itemgetter(0)


def _rounded(
    limits: CreditLimitTerms, binding: Row, requested: Yuan, lines: list[Line], reasons: list[Reason]
) -> Yuan | None:
    """The binding amount rounded down, where it reaches the floor."""
    least, forms, found = binding
    form, unit, floor = forms[True], limits.rounding_unit, limits.floor
    limit = floored_to(least, unit.value) if least > 0 else _ZERO
    enough = limit >= floor.value and limit > 0
    lines.append((unit.forms[_UNIT][False], limit, (unit.value,)))
    lines.append((floor.forms[_FLOOR][not enough], enough, (floor.value,)))
    if enough:
        if limit < requested:
            reasons.append(reason(ReasonCode.LIMIT_BELOW_REQUEST, Severity.INFO, clause=form.step))
        return limit
    used = dict(zip(form.names, found, strict=True)).get("used")
    code = ReasonCode.CAP_USED if used else ReasonCode.LIMIT_BELOW_FLOOR
    reasons.append(reason(code, Severity.DECLINE, clause=form.step))
    return None


def _caps(
    application: Application, terms: ProductTerms, facts: Facts, standing: Standing, reasons: list[Reason]
) -> tuple[Yuan | None, list[Row]]:
    """The product's cap before what is used of it, and both caps after."""
    of_product, of_lender = terms.credit_limit.cap, terms.credit_limit.lender_cap
    cap, names, found, _, absent = look_up(of_product, facts)
    used = used_of_lender = _ZERO
    left, left_of_lender = cap, of_lender.value
    if absent is not None:
        reasons.append(absent)
    elif standing.commitments:
        used, used_of_lender = standing.used_on(terms.id, application.company.uscc), standing.used()
        left, left_of_lender = cap - used, left_of_lender - used_of_lender
    return cap, [
        (left, of_product.forms[names + _CAP_NAMES], (*found, cap, used)),
        (left_of_lender, of_lender.forms[_CAP_NAMES], (of_lender.value, used_of_lender)),
    ]


_CAP_NAMES, _UNIT, _FLOOR = ("cap", "used"), ("unit",), ("floor",)


def _components(limits: CreditLimitTerms, facts: Facts, cap: Yuan | None, reasons: list[Reason]) -> list[Row]:
    """Each component: an amount as it stands, or a share of a money fact, of the cap or of an earlier component."""
    rows: list[Row] = []
    bases = {"cap": cap}
    for component in limits.components:
        parameter, of = component.parameter, component.of
        amount, names, found, _, absent = look_up(parameter, facts)
        if absent is None and of is not None:
            base, absent = _base(of, component, facts, bases)
            if base is None:
                names, found, amount = (*names, of), (*found, None), None
            else:
                names, found = (*names, "share", of), (*found, amount, base)
                amount = share_of_floored(base, amount)
        if absent is not None:
            reasons.append(absent)
        bases[component.name] = amount
        rows.append((amount, parameter.forms[names], found))
    return rows


def _base(
    of: str, component: LimitComponent, facts: Facts, bases: dict[str, Yuan | None]
) -> tuple[Yuan | None, Reason | None]:
    """What a component takes its share of, and why it is missing where nothing has said so yet."""
    if component.read_base is None:
        # The base's own reason stands already where it has no amount.
        return bases[of], None
    base = component.read_base(facts)
    return base, unknown(of, clause=component.parameter.path) if base is None else None
