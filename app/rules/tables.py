"""A parameter read for one company: a plain value as it is, a table by the company's fact.

Neighbours may rely on this: a fact that is unknown and a table without a row are reasons that refer, never a silent
nothing.
"""

from __future__ import annotations

from typing import Any

from app.domain.decision import Reason
from app.domain.facts import Facts, fact_named
from app.domain.reasons import ReasonCode
from app.domain.terms import Bands, Parameter, Severity, Table
from app.rules.eligibility import reason, unknown

LookUp = tuple[Any, tuple[tuple[str, Any], ...], Reason | None]
"""The value (None where there is none), what it was read by, and why there is none."""


def look_up(parameter: Parameter, facts: Facts) -> LookUp:
    """This function will read a parameter for one company."""
    table = parameter.value
    if not isinstance(table, Table):
        return table, (), None
    by = table.by
    actual = facts[by]
    if actual is None:
        return None, ((by, None),), unknown(by, clause=parameter.path)
    row = table.find(actual)
    if row is None:
        absent = reason(ReasonCode.TABLE_HAS_NO_ROW, Severity.REFER, clause=parameter.path, fact=fact_named(by))
        return None, ((by, actual),), absent
    return row[1], ((by, actual), ("from" if isinstance(table, Bands) else "row", row[0])), None
