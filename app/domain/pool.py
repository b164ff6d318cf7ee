"""风险补偿资金池: a pool's terms as they stand on one day, and what a decision may know of it.

Neighbours may rely on this: terms say what the pool's rules are and hold no balance; a standing says what room is left
and never who took it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from app.domain.money import Yuan
from app.domain.reasons import ReasonCode
from app.domain.terms import PoolBook, Words


class PoolStatus(StrEnum):
    """资金池状态: only ACTIVE takes new cover; whatever was promised before stands in every one of them."""

    PLANNED = "PLANNED"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    CLOSED = "CLOSED"


class LossBasis(StrEnum):
    """What of a loss a pool answers for."""

    PRINCIPAL = "PRINCIPAL"
    PRINCIPAL_AND_INTEREST = "PRINCIPAL_AND_INTEREST"


class Numerator(StrEnum):
    """What a line is measured by: what the pool has paid out, or that less what came back."""

    COMPENSATED = "COMPENSATED"
    COMPENSATED_NET = "COMPENSATED_NET"


class Denominator(StrEnum):
    """What a line is measured against: capital paid in, capital committed, or the pool's part of all that was drawn."""

    PAID_IN = "PAID_IN"
    COMMITTED_CAPITAL = "COMMITTED_CAPITAL"
    COVERED_DRAWN = "COVERED_DRAWN"


@dataclass(frozen=True, slots=True)
class PoolPhase:
    """One phase of the capital (期)."""

    name: Words
    committed_capital: Yuan


@dataclass(frozen=True, slots=True)
class Lines:
    """警戒线 / 止损线: a named ratio, and the shares at which it warns and stops; either may be absent."""

    numerator: Numerator
    denominator: Denominator
    warn: Decimal | None = None
    stop: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ClaimTerms:
    """代偿申请: after how many days past due, with which documents, reviewed within how many working days.

    `tiers` are (from, share) over what the lender has been paid as a share of the pool's part of its drawn loans: the
    part of a payment that falls into a tier is paid at its share. `public_ceiling` bounds what all `public_bearers`
    pay together, as a share of the lender's actual loss.
    """

    after_days_past_due: int = 0
    documents: tuple[str, ...] = ()
    review_working_days: int = 0
    loss_basis: LossBasis = LossBasis.PRINCIPAL
    tiers: tuple[tuple[Decimal, Decimal], ...] = ()
    public_ceiling: Decimal | None = None
    public_bearers: tuple[str, ...] = ("POOL",)


@dataclass(frozen=True, slots=True)
class FilingTerms:
    """备案: each drawdown is filed with the pool within so many days."""

    within_days: int
    working_days: bool = False


@dataclass(frozen=True, slots=True)
class PoolTerms:
    """The rules of one pool on one day."""

    id: str
    name: Words
    status: PoolStatus
    book: PoolBook
    leverage_multiple: Decimal = Decimal(1)
    phases: tuple[PoolPhase, ...] = ()
    committed_capital: Yuan | None = None
    per_company_cap: Yuan | None = None
    lender_quotas: Mapping[str, Yuan] | None = None
    lines: Lines | None = None
    claims: ClaimTerms = ClaimTerms()
    filing: FilingTerms | None = None

    def quota_of(self, lender: str) -> Yuan | None:
        """This function will return the most that the pool promises to one lender, None where nothing bounds it; a
        lender that is not on a pool's list of quotas has none of it.
        """
        return None if self.lender_quotas is None else self.lender_quotas.get(lender, Yuan(0))


class PoolStanding(NamedTuple):
    """What one decision may know of a pool: the room that is left for anybody, for this company (in loan amount, None
    where no cap bounds it) and for this lender, and whether new cover has stopped.
    """

    pool: str
    room: Yuan
    company_room: Yuan | None = None
    lender_room: Yuan | None = None
    stopped: bool = False


# ---- what fits ------------------------------------------------------------------------------------------------------


def fitting(found: PoolStanding, limit: Yuan, share: Decimal) -> Yuan | ReasonCode:
    """This function will return how much of a loan of `limit` the pool can cover now, or the code of why it covers
    nothing; `share` is the pool's share of a loss.

    A line above the company's cap is covered up to it. Room for a part of the rest is no room: half a promise would
    leave everybody in doubt about which half.
    """
    if found.stopped:
        return ReasonCode.COVER_STOPPED
    covered = limit if found.company_room is None else min(limit, found.company_room)
    if covered <= 0:
        return ReasonCode.COVER_COMPANY_CAP_USED
    needed = pool_money(covered, share)
    if needed > found.room:
        return ReasonCode.COVER_NO_ROOM
    if found.lender_room is not None and needed > found.lender_room:
        return ReasonCode.COVER_LENDER_QUOTA_USED
    return covered


@lru_cache(maxsize=8_192)
def pool_money(covered: Yuan, share: Decimal) -> Yuan:
    """This function will return the pool's part of a covered amount, rounded up to the fen: no promise is short."""
    return Yuan(int((int(covered) * share).to_integral_value(ROUND_CEILING)))
