"""期限: the tenor asked for must lie within the product's, both ends inclusive; a table may set the longest by band."""

from __future__ import annotations

from app.domain.decision import Reason
from app.domain.facts import Facts
from app.domain.reasons import ReasonCode
from app.domain.terms import Parameter, ProductTerms, Severity
from app.domain.trace import Line, line_form
from app.rules.eligibility import reason
from app.rules.tables import look_up


def check_tenor(terms: ProductTerms, facts: Facts, lines: list[Line], reasons: list[Reason]) -> None:
    """This function will answer the shortest and the longest tenor."""
    asked = facts.request.tenor_months
    if terms.minimum_tenor_months is not None:
        _bound(terms.minimum_tenor_months, asked, facts, lines, reasons, shortest=True)
    if terms.maximum_tenor_months is not None:
        _bound(terms.maximum_tenor_months, asked, facts, lines, reasons, shortest=False)


def _bound(
    parameter: Parameter, asked: int, facts: Facts, lines: list[Line], reasons: list[Reason], *, shortest: bool
) -> None:
    bound, names, found, _, absent = look_up(parameter, facts)
    within = None if absent is not None else asked >= bound if shortest else asked <= bound
    form = line_form(parameter.path, (*names, "tenor_months", "required"), parameter.reference, not within)
    lines.append((form, within, (*found, asked, bound)))
    if absent is not None:
        reasons.append(absent)
    elif not within:
        reasons.append(reason(ReasonCode.TENOR_NOT_ELIGIBLE, Severity.DECLINE, clause=parameter.path))
