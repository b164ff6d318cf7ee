"""风险补偿: which part of the line a pool would cover, and who bears which share of a loss on it.

Neighbours may rely on this: the shares of one loss sum to 1; what exceeds the pool's cap for one company is the
lender's own; a pool that is planned or suspended covers nothing. Cover is PROPOSED until the pool's ledger has reserved
room; where the decision itself reserves, it is RESERVED as far as the pool's standing fits it, and where it does not
fit the line is the lender's own or goes to a person, as the product says.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

from app.domain.decision import Reason, RiskCompensation, RiskStatus, SharedLines
from app.domain.money import Yuan
from app.domain.pool import PoolStanding, fitting, pool_money
from app.domain.reasons import ReasonCode
from app.domain.terms import ProductStatus, RiskCompensationTerms, Severity, WithoutRoom
from app.domain.trace import Line, line_form
from app.rules.eligibility import reason

Cover = tuple[RiskCompensation, tuple[Line | SharedLines, ...], tuple[Reason, ...]]

_LENDERS_OWN = RiskCompensation(RiskStatus.NONE, None, Yuan(0), Yuan(0))


Fits = Yuan | ReasonCode
"""The loan amount that the pool covers now, or why it covers nothing."""


def fitting_room(
    pool: RiskCompensationTerms, found: PoolStanding, limit: Yuan, lines: list[Line], reasons: list[Reason]
) -> Fits:
    """This function will ask a pool that reserves at the offer for room, and tell in the trace what there was.

    A line that it does not cover goes to a person where the product says so: then a reason that refers is added.
    """
    fits = fitting(found, limit, _share(pool))
    shown = (limit, found.room, found.company_room, found.lender_room, found.stopped)
    covered = isinstance(fits, Yuan)
    form = line_form("risk_compensation.room", _ROOM_NAMES, None, not covered)
    lines.append((form, fits if covered else _NOTHING, shown))
    if not covered and pool.without_room is WithoutRoom.REFER:
        reasons.append(reason(fits, Severity.REFER, clause="risk_compensation.room"))
    return fits


_NOTHING, _NO_SHARE = Yuan(0), Decimal(0)
_CAP = ("limit", "cap")
_ROOM_NAMES = ("limit", "room", "company_room", "lender_room", "stopped")


def _share(pool: RiskCompensationTerms) -> Decimal:
    return pool.shares.value.get("POOL", _NO_SHARE)


def cover(pool: RiskCompensationTerms | None, limit: Yuan, fits: Fits | None = None) -> Cover:
    """This function will cover a line of `limit`, with its lines of the trace and its reasons: reserved where it
    `fits`, proposed where the decision asks for no room.
    """
    if pool is None:
        return _LENDERS_OWN, (), ()
    if pool.status is not ProductStatus.ACTIVE:
        return _not_active(pool)
    if fits is None and pool.suspended:
        fits = ReasonCode.COVER_STOPPED
    if isinstance(fits, ReasonCode):
        return _LENDERS_OWN, (), (reason(fits, Severity.INFO, clause="risk_compensation.room"),)
    cap = pool.per_company_cap
    if fits is not None:
        covered = fits
        promised = RiskCompensation(RiskStatus.RESERVED, pool, covered, pool_money(covered, _share(pool)))
    else:
        covered = limit if cap is None else min(limit, cap.value)
        promised = RiskCompensation(RiskStatus.PROPOSED, pool, covered, _NOTHING)
    lines: tuple[Line | SharedLines, ...] = (_lines_of_shares(pool),)
    if cap is not None:
        lines = ((cap.forms[_CAP][False], covered, (limit, cap.value)), *lines)
    if covered >= limit:
        return promised, lines, ()
    partial = reason(ReasonCode.COVER_PARTIAL, Severity.INFO, clause="risk_compensation.per_company_cap")
    return promised, lines, (partial,)


@lru_cache(maxsize=1_024)
def _not_active(pool: RiskCompensationTerms) -> Cover:
    planned = reason(ReasonCode.COVER_PLANNED, Severity.INFO, clause="risk_compensation.pool")
    line = (line_form("risk_compensation.pool"), pool.status, ())
    return _LENDERS_OWN, (SharedLines((line,)),), (planned,) if pool.status is ProductStatus.PLANNED else ()


@lru_cache(maxsize=1_024)
def _lines_of_shares(pool: RiskCompensationTerms) -> SharedLines:
    bearers, shares = zip(*pool.shares.value.items(), strict=True)
    return SharedLines(((pool.shares.forms[bearers][False], pool.pool, shares),))
