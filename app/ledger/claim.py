"""代偿与追偿: a loss on a covered line, who bears it, and what comes back.

Neighbours may rely on this: the shares are those that the decision recorded; what all bear together is the loss, to the
fen; the pool pays no more than it committed, than it has, or than the ceiling on public money lets it, and what it does
not pay is the lender's. A recovery, after its costs, is returned in the proportion in which the loss was borne.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_FLOOR, Decimal
from enum import StrEnum

from app.domain.money import Yuan, share_of_floored
from app.domain.pool import ClaimTerms, LossBasis
from app.domain.working_days import WorkingDays
from app.ledger.pool import Cover

POOL, BANK = "POOL", "BANK"
_ZERO = Yuan(0)


class ClaimObstacle(StrEnum):
    """Why a claim cannot be taken."""

    NOTHING_COMMITTED = "NOTHING_COMMITTED"
    PAID_BEFORE = "PAID_BEFORE"
    TOO_EARLY = "TOO_EARLY"
    DOCUMENTS_MISSING = "DOCUMENTS_MISSING"
    MORE_THAN_OUTSTANDING = "MORE_THAN_OUTSTANDING"


@dataclass(frozen=True, slots=True)
class Loss:
    """What a lender claims: principal and interest that are past due `since`; `documents` by their codes."""

    principal: Yuan
    interest: Yuan
    since: date
    documents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a claim cannot be taken, and what would mend it: the first possible day, the documents, or the amount."""

    why: ClaimObstacle
    first_on: date | None = None
    missing: tuple[str, ...] = ()
    at_most: Yuan | None = None


def obstacle(cover: Cover, loss: Loss, terms: ClaimTerms, *, outstanding: Yuan, on: date) -> Refused | None:
    """This function will say what stands against a claim on a day, None where nothing does. `outstanding` is the
    line's whole principal outstanding.
    """
    if cover.closed:
        return Refused(ClaimObstacle.PAID_BEFORE)
    if cover.committed <= 0:
        return Refused(ClaimObstacle.NOTHING_COMMITTED)
    first_on = date.fromordinal(loss.since.toordinal() + terms.after_days_past_due)
    if on < first_on:
        return Refused(ClaimObstacle.TOO_EARLY, first_on=first_on)
    missing = tuple(code for code in terms.documents if code not in loss.documents)
    if missing:
        return Refused(ClaimObstacle.DOCUMENTS_MISSING, missing=missing)
    if loss.principal > outstanding:
        return Refused(ClaimObstacle.MORE_THAN_OUTSTANDING, at_most=outstanding)
    return None


def review_until(terms: ClaimTerms, claimed_on: date, days: WorkingDays) -> date | None:
    """This function will return the last day of the review; None where its year's holidays are not announced yet."""
    return days.after(claimed_on, terms.review_working_days)


@dataclass(frozen=True, slots=True)
class PoolSide:
    """What bounds a payment on the pool's side: its balance, and what this lender has been paid and has drawn under
    cover so far, in the pool's money.
    """

    balance: Yuan
    lender_compensated: Yuan = _ZERO
    lender_drawn: Yuan = _ZERO


@dataclass(frozen=True, slots=True)
class Compensation:
    """How one loss is borne: amounts by bearer that sum to `loss`; `bounds` name what kept the pool's part low."""

    loss: Yuan
    borne: Mapping[str, Yuan]
    bounds: tuple[str, ...] = ()

    @property
    def by_pool(self) -> Yuan:
        """What the pool pays."""
        return self.borne.get(POOL, _ZERO)


def compensation(
    cover: Cover, loss: Loss, shares: Mapping[str, Decimal], terms: ClaimTerms, side: PoolSide
) -> Compensation:
    """This function will divide a loss among those who bear it. What lies above the covered part, and every fen that
    rounding leaves, is the lender's own.
    """
    whole = loss.principal + (loss.interest if terms.loss_basis is LossBasis.PRINCIPAL_AND_INTEREST else _ZERO)
    covered = min(whole, cover.outstanding)
    borne = {bearer: share_of_floored(covered, share) for bearer, share in shares.items() if bearer != BANK}
    bounds: list[str] = []
    for name, most in _bounds(borne, cover, terms, side, whole):
        if borne.get(POOL, _ZERO) > most:
            borne[POOL] = most
            bounds.append(name)
    borne[BANK] = whole - sum(borne.values())
    return Compensation(whole, borne, tuple(bounds))


def _bounds(
    borne: Mapping[str, Yuan], cover: Cover, terms: ClaimTerms, side: PoolSide, whole: Yuan
) -> list[tuple[str, Yuan]]:
    """The most that the pool may pay, by what says so."""
    due = borne.get(POOL, _ZERO)
    bounds = [("COMMITTED", cover.committed), ("TIERS", _by_tiers(due, terms.tiers, side))]
    if terms.public_ceiling is not None:
        others = sum(amount for bearer, amount in borne.items() if bearer != POOL and bearer in terms.public_bearers)
        bounds.append(("PUBLIC_CEILING", max(_ZERO, share_of_floored(whole, terms.public_ceiling) - others)))
    return [*bounds, ("BALANCE", max(_ZERO, side.balance))]


def _by_tiers(due: Yuan, tiers: tuple[tuple[Decimal, Decimal], ...], side: PoolSide) -> Yuan:
    """What the tiers leave of an amount: the part that falls into a tier is paid at that tier's share, the part below
    the first tier whole.
    """
    if not tiers:
        return due
    paid, start, end = Decimal(0), Decimal(int(side.lender_compensated)), int(side.lender_compensated + due)
    edges = [(Decimal(0), Decimal(1)), *tiers]
    for i, (since, share) in enumerate(edges):
        low = max(start, since * int(side.lender_drawn))
        high = Decimal(end) if i + 1 == len(edges) else min(Decimal(end), edges[i + 1][0] * int(side.lender_drawn))
        if high > low:
            paid += (high - low) * share
    return Yuan(int(paid.to_integral_value(ROUND_FLOOR)))


# ---- what comes back ------------------------------------------------------------------------------------------------


def returned(borne: Mapping[str, Yuan], recovered: Yuan) -> dict[str, Yuan]:
    """This function will divide all that was ever recovered after costs, in the proportion in which the loss was borne,
    rounded down for everybody but the lender. ValueError where more came back than was lost.
    """
    loss = sum(borne.values())
    if not 0 <= recovered <= loss:
        raise ValueError(f"{recovered} recovered of a loss of {Yuan(loss)}")
    parts = {b: Yuan(int(recovered) * int(amount) // loss) for b, amount in borne.items() if b != BANK} if loss else {}
    return {**parts, BANK: recovered - sum(parts.values())}


def newly_returned(borne: Mapping[str, Yuan], before: Yuan, net: Yuan) -> dict[str, Yuan]:
    """This function will divide what newly came back: the difference of the running sums, so that no fen is lost."""
    then, now = returned(borne, before), returned(borne, before + net)
    return {bearer: now[bearer] - then[bearer] for bearer in now}
