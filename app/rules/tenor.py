"""期限: the tenor asked for must lie within the product's, both ends inclusive; a table may set the longest by band."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from app.domain.decision import Reason, SharedLines
from app.domain.facts import Facts
from app.domain.reasons import ReasonCode
from app.domain.terms import Parameter, ProductTerms, Severity
from app.domain.trace import Line
from app.rules.eligibility import reason
from app.rules.tables import look_up


def check_tenor(terms: ProductTerms, facts: Facts, lines: list[Line | SharedLines], reasons: list[Reason]) -> None:
    """This function will answer the shortest and the longest tenor."""
    asked = facts.request.tenor_months
    for parameter, shortest in ((terms.minimum_tenor_months, True), (terms.maximum_tenor_months, False)):
        if parameter is None:
            continue
        if parameter.read is None:
            shared, against = _same_for_all(parameter, asked, shortest)
            lines.append(shared)
            reasons += against
            continue
        bound, names, found, _, absent = look_up(parameter, facts)
        if absent is None:
            line, against = _bound(parameter, asked, bound, names, found, shortest)
            lines.append(line)
            reasons += against
        else:
            lines.append((parameter.forms[names + _NAMES][True], None, (*found, asked, None)))
            reasons.append(absent)


_NAMES = ("tenor_months", "required")


@lru_cache(maxsize=8_192)
def _same_for_all(parameter: Parameter, asked: int, shortest: bool) -> tuple[SharedLines, tuple[Reason, ...]]:
    """Few tenors are asked for, and a bound that is no table answers everybody alike."""
    line, against = _bound(parameter, asked, parameter.value, (), (), shortest)
    return SharedLines((line,)), against


def _bound(
    parameter: Parameter, asked: int, bound: int, names: tuple[str, ...], found: tuple[Any, ...], shortest: bool
) -> tuple[Line, tuple[Reason, ...]]:
    within = asked >= bound if shortest else asked <= bound
    line = parameter.forms[names + _NAMES][not within], within, (*found, asked, bound)
    if within:
        return line, ()
    return line, (reason(ReasonCode.TENOR_NOT_ELIGIBLE, Severity.DECLINE, clause=parameter.path),)
