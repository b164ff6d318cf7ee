"""A parameter read for one company: a plain value as it is, a table by the company's fact.

Neighbours may rely on this: a fact that is unknown and a table without a row are reasons that refer, never a silent
nothing.
"""

from __future__ import annotations

from typing import Any

from app.domain.decision import Reason
from app.domain.facts import Facts, fact_named
from app.domain.reasons import ReasonCode
from app.domain.terms import Parameter, Severity
from app.rules.eligibility import reason, unknown

LookUp = tuple[Any, tuple[str, ...], tuple[Any, ...], Any, Reason | None]
"""The value (None where there is none), the names and values of what it was read by, the table's row, and why there
is no value."""


def look_up(parameter: Parameter, facts: Facts) -> LookUp:
    """This function will read a parameter for one company."""
    table, read = parameter.value, parameter.read
    if read is None:
        return table, (), (), None, None
    actual = read(facts)
    row = None if actual is None else table.find(actual)
    if row is not None:
        return table.values[row], parameter.names, (actual, table.shown(row)), row, None
    by = parameter.by
    if actual is None:
        absent = unknown(by, clause=parameter.path)
    else:
        absent = reason(ReasonCode.TABLE_HAS_NO_ROW, Severity.REFER, clause=parameter.path, fact=fact_named(by))
    return None, (by,), (actual,), None, absent
