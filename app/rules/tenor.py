"""期限: the tenor asked for must lie within the product's, both ends inclusive; a table may set the longest by band."""

from __future__ import annotations

from app.domain.company import Application
from app.domain.decision import Reason, Step
from app.domain.facts import Facts
from app.domain.reasons import ReasonCode
from app.domain.terms import ProductTerms, Severity
from app.rules.credit_limit import look_up
from app.rules.eligibility import reason


def check_tenor(
    application: Application, terms: ProductTerms, facts: Facts
) -> tuple[tuple[Step, ...], tuple[Reason, ...]]:
    """This function will answer the shortest and the longest tenor."""
    asked = application.request.tenor_months
    steps: list[Step] = []
    reasons: list[Reason] = []
    for parameter, shortest in ((terms.minimum_tenor_months, True), (terms.maximum_tenor_months, False)):
        if parameter is None:
            continue
        found = look_up(parameter, facts)
        within = None if found.missing else (asked >= found.value if shortest else asked <= found.value)
        shown = (*found.facts, ("tenor_months", asked), ("required", found.value))
        steps.append(Step(parameter.path, within, shown, parameter.reference, not within))
        if found.missing is not None:
            reasons.append(found.missing)
        elif not within:
            reasons.append(reason(ReasonCode.TENOR_NOT_ELIGIBLE, Severity.DECLINE, clause=parameter.path))
    return tuple(steps), tuple(reasons)
