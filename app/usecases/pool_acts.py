"""What people do to a pool: pay capital in, claim, decide on a claim, report what came back, lift a stop. Each is an
act, and so a record.

Neighbours may rely on this: what concerns one lender's cover stands on that lender's log, what concerns the pool's own
capital and its stop on the operator's; a claim is decided by another person than the one who made it (by subject).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import ClassVar

from app.audit.canonical import Document
from app.audit.operator_record import OPERATOR
from app.domain.money import Yuan
from app.domain.pool import PoolTerms
from app.domain.terms import PoolBook
from app.ledger.claim import (
    POOL,
    Compensation,
    Loss,
    PoolSide,
    Refused,
    compensation,
    newly_returned,
    obstacle,
    review_until,
)
from app.ledger.pool import Lift, LineState, compensate, contribute, ratio, recover
from app.usecases.act_rows import ActsWanted, Lookup, Row, Written
from app.usecases.acts import Act, Result, Work
from app.usecases.pool_book import (
    HeldCover,
    PoolChange,
    cover_lookup,
    pool_lookups,
    shares_of,
    shares_text,
    with_cover,
)
from app.usecases.pool_refusals import PoolRefusal, PoolRefused

CLAIM_FORMAT = "jifendai/pool-claim/1"
CLAIM_DECISION_FORMAT = "jifendai/pool-claim-decision/1"
RECOVERY_FORMAT = "jifendai/pool-recovery/1"


class ClaimState(StrEnum):
    """申请状态."""

    CLAIMED = "CLAIMED"
    PAID = "PAID"
    REJECTED = "REJECTED"
    REPLACED = "REPLACED"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolAct(Act):
    """What all of them have in common: the pool is the subject, and is locked."""

    def wants(self) -> ActsWanted:
        """This function will ask for the pool."""
        return ActsWanted(rows=(*pool_lookups(self.subject), *self.lookups()))

    def lookups(self) -> tuple[Lookup, ...]:
        """This function will say what else must be read."""
        return ()

    def terms(self, work: Work, book: PoolBook = PoolBook.OWN) -> PoolTerms:
        """This function will return the pool's terms on the day. Raises PoolRefused where there is no such pool, or its
        book is kept otherwise.
        """
        found = work.room.catalogue.pool(self.subject, on=work.on)
        if found is None:
            raise PoolRefused(PoolRefusal.NO_SUCH_POOL)
        if found.book is not book:
            elsewhere = found.book is PoolBook.EXTERNAL
            raise PoolRefused(PoolRefusal.BOOK_KEPT_ELSEWHERE if elsewhere else PoolRefusal.BOOK_IS_OURS)
        return found


def not_in_the_future(day: date, work: Work, pointer: str) -> None:
    """This function will refuse a day that has not come yet in Shanghai. Raises PoolRefused."""
    if day > work.on:
        raise PoolRefused(PoolRefusal.IN_THE_FUTURE, pointer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution(PoolAct):
    """到位: capital that was paid in; on the operator's log, as it is no lender's."""

    format: ClassVar[str] = "jifendai/pool-contribution/1"
    lender: str = OPERATOR
    amount: Yuan
    value_on: date

    def seal_into(self, work: Work, record_id: str) -> Result:
        """This function will pay the capital in, up to what the phases commit."""
        terms = self.terms(work)
        not_in_the_future(self.value_on, work, "/value_on")
        totals = work.pools.totals(self.subject)
        most = Yuan(sum(p.committed_capital for p in terms.phases)) if terms.phases else terms.committed_capital
        if most is not None and totals.paid_in + self.amount > most:
            raise PoolRefused(PoolRefusal.ABOVE_COMMITTED_CAPITAL, "/amount", (most - totals.paid_in).text())
        entry = contribute(self.amount, self.value_on)
        shown = {"pool": self.subject, "amount": self.amount.text(), "value_on": self.value_on.isoformat(),
                 "paid_in": (totals.paid_in + self.amount).text()}  # fmt: skip
        return Result("CONTRIBUTED", shown, pool_changes=(PoolChange(self.subject, record_id, (entry,)),))


@dataclass(frozen=True, slots=True, kw_only=True)
class StopLifted(PoolAct):
    """解除止损: a person's word, with authority and reason, that new cover goes on."""

    format: ClassVar[str] = "jifendai/pool-stop-lifted/1"
    lender: str = OPERATOR

    def seal_into(self, work: Work, record_id: str) -> Result:
        """This function will let new cover go on until the ratio grows beyond what it is now."""
        terms = self.terms(work)
        if work.pools.state(terms) is not LineState.STOPPED:
            raise PoolRefused(PoolRefusal.NOT_STOPPED)
        above, below = ratio(terms.lines, terms, work.pools.totals(self.subject))
        shown = {"pool": self.subject, "numerator": above.text(), "denominator": below.text()}
        return Result("LIFTED", shown, pool_changes=(PoolChange(self.subject, record_id, (), lift=Lift(above)),))


# ---- claims ---------------------------------------------------------------------------------------------------------


def _claims_on(offer_id: str) -> Lookup:
    return Lookup("pool_claim", "offer_id", offer_id)


def _claim(claim_id: str) -> Lookup:
    return Lookup("pool_claim", "claim_id", claim_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim(PoolAct):
    """代偿申请: a lender's loss on a covered line."""

    format: ClassVar[str] = CLAIM_FORMAT
    offer_id: str
    loss: Loss

    def wants(self) -> ActsWanted:
        """This function will ask for the pool, the offer, its cover and its earlier claims."""
        asked = PoolAct.wants(self)
        return replace(asked, offers=(self.offer_id,))

    def lookups(self) -> tuple[Lookup, ...]:
        """This function will name the cover and its claims."""
        return cover_lookup(self.offer_id), _claims_on(self.offer_id)

    def seal_into(self, work: Work, record_id: str) -> Result:
        """This function will take the claim, or say what stands against it."""
        terms, held = self.terms(work), _own_cover(work, self.offer_id, self.subject, self.lender)
        # A lender who claims anew mends what nobody has decided on yet.
        open_ones = [r["claim_id"] for r in work.rows(_claims_on(self.offer_id)) if r["state"] == ClaimState.CLAIMED]
        replaced = {"state": ClaimState.REPLACED.value}
        mended = [Written("pool_claim", replaced, {"claim_id": claim_id}) for claim_id in open_ones]
        offer = work.offer(self.offer_id)
        owing = Yuan(0) if offer is None else offer.commitment.outstanding
        outstanding = max(held.cover.outstanding, owing)
        against = obstacle(held.cover, self.loss, terms.claims, outstanding=outstanding, on=work.on)
        if against is not None:
            raise _refused(against)
        until = review_until(terms.claims, work.on, work.room.catalogue.working_days)
        row = {
            "claim_id": record_id, "pool_id": self.subject, "holder": self.lender, "offer_id": self.offer_id,
            "state": ClaimState.CLAIMED.value, "principal": int(self.loss.principal),
            "interest": int(self.loss.interest), "since": self.loss.since, "claimed_on": work.on,
            "review_until": until, "claimed_by": self.submitted_by, "borne": "", "recovered": 0,
        }  # fmt: skip
        shown = {
            "claim_id": record_id, "pool": self.subject, "offer_id": self.offer_id, "decision_id": held.decision_id,
            "principal": self.loss.principal.text(), "interest": self.loss.interest.text(),
            "past_due_since": self.loss.since.isoformat(), "claimed_on": work.on.isoformat(),
            "review_until": None if until is None else until.isoformat(),
        }  # fmt: skip
        return Result(ClaimState.CLAIMED.value, shown, rows=(*mended, Written("pool_claim", row)))


def _own_cover(work: Work, offer_id: str, pool: str, lender: str) -> HeldCover:
    """A foreign cover is answered as one that does not exist."""
    held = work.pools.cover(offer_id)
    if held is None or held.cover.pool != pool or held.cover.lender != lender:
        raise PoolRefused(PoolRefusal.NO_COVER, "/offer_id")
    return held


def _refused(against: Refused) -> PoolRefused:
    first, most = against.first_on, against.at_most
    facts = ", ".join(against.missing) or (first.isoformat() if first else most.text() if most is not None else "")
    return PoolRefused(PoolRefusal(against.why.value), None, facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimDecision(PoolAct):
    """代偿审核: paid, by the shares that the decision recorded, or rejected; never by whoever made the claim."""

    format: ClassVar[str] = CLAIM_DECISION_FORMAT
    claim_id: str
    offer_id: str
    pays: bool

    def lookups(self) -> tuple[Lookup, ...]:
        """This function will name the claim and its cover."""
        return _claim(self.claim_id), cover_lookup(self.offer_id)

    def seal_into(self, work: Work, record_id: str) -> Result:
        """This function will divide the loss and pay the pool's part, or reject the claim."""
        terms, claim = self.terms(work), _found(work, self.claim_id, self.subject, self.lender)
        if claim["state"] != ClaimState.CLAIMED:
            raise PoolRefused(PoolRefusal.CLAIM_DECIDED)
        if claim["claimed_by"] == self.submitted_by:
            raise PoolRefused(PoolRefusal.SAME_PERSON)
        if not self.pays:
            return self._decided(claim, ClaimState.REJECTED, {}, {})
        held = _own_cover(work, claim["offer_id"], self.subject, self.lender)
        loss = Loss(Yuan(claim["principal"]), Yuan(claim["interest"]), claim["since"])
        totals, own = work.pools.totals(self.subject), work.pools.totals(self.subject, self.lender)
        side = PoolSide(totals.balance, own.compensated, own.drawn)
        found = compensation(held.cover, loss, held.shares, terms.claims, side)
        if found.by_pool <= 0:
            raise PoolRefused(PoolRefusal.NOTHING_TO_PAY, None, ", ".join(found.bounds))
        cover, entries = compensate(held.cover, found.by_pool, work.on)
        change = PoolChange(self.subject, record_id, entries, with_cover(held, cover))
        shown = {
            "decision_id": held.decision_id, "loss": found.loss.text(), "bounds": list(found.bounds),
            "borne": [{"bearer": bearer, "amount": amount.text()} for bearer, amount in found.borne.items()],
        }  # fmt: skip
        return self._decided(claim, ClaimState.PAID, shown, _borne(found), change)

    def _decided(
        self, claim: Row, state: ClaimState, shown: Mapping[str, object], borne: Mapping[str, int], *changes: PoolChange
    ) -> Result:
        values = {"state": state.value, "borne": shares_text(borne)}
        row = Written("pool_claim", values, {"claim_id": self.claim_id})
        told = {"claim_id": self.claim_id, "pool": self.subject, "offer_id": claim["offer_id"], **shown}
        return Result(state.value, told, rows=(row,), pool_changes=changes)


def _borne(found: Compensation) -> dict[str, int]:
    return {bearer: int(amount) for bearer, amount in found.borne.items()}


def _found(work: Work, claim_id: str, pool: str, lender: str) -> Row:
    rows = [r for r in work.rows(_claim(claim_id)) if r["pool_id"] == pool and r["holder"] == lender]
    if not rows:
        raise PoolRefused(PoolRefusal.NO_SUCH_CLAIM, "/claim_id")
    return rows[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery(PoolAct):
    """追偿: what came back after a compensation; after costs it is returned in the proportion of the loss borne."""

    format: ClassVar[str] = RECOVERY_FORMAT
    claim_id: str
    offer_id: str
    gross: Yuan
    costs: Yuan
    value_on: date

    def lookups(self) -> tuple[Lookup, ...]:
        """This function will name the claim and its cover."""
        return _claim(self.claim_id), cover_lookup(self.offer_id)

    def seal_into(self, work: Work, record_id: str) -> Result:
        """This function will divide what came back."""
        self.terms(work)
        claim = _found(work, self.claim_id, self.subject, self.lender)
        not_in_the_future(self.value_on, work, "/value_on")
        if claim["state"] != ClaimState.PAID:
            raise PoolRefused(PoolRefusal.CLAIM_NOT_PAID, "/claim_id")
        borne = {bearer: Yuan(int(amount)) for bearer, amount in shares_of(claim["borne"]).items()}
        before, net = Yuan(claim["recovered"]), Yuan(max(0, self.gross - self.costs))
        left = Yuan(sum(borne.values())) - before
        if net > left:
            raise PoolRefused(PoolRefusal.MORE_THAN_LOST, "/gross", left.text())
        parts = newly_returned(borne, before, net)
        held = _own_cover(work, claim["offer_id"], self.subject, self.lender)
        back = parts.get(POOL, Yuan(0))
        entries = (recover(held.cover, back, self.value_on),) if back else ()
        row = Written("pool_claim", {"recovered": int(before + net)}, {"claim_id": self.claim_id})
        shown = {
            "claim_id": self.claim_id, "pool": self.subject, "offer_id": claim["offer_id"], "net": net.text(),
            "returned": [{"bearer": bearer, "amount": amount.text()} for bearer, amount in parts.items()],
        }  # fmt: skip
        return Result(
            "RECOVERED", shown, rows=(row,), pool_changes=(PoolChange(self.subject, record_id, entries, held),)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementIssued(PoolAct):
    """出具对账单: what a statement said, put on the lender's log."""

    format: ClassVar[str] = "jifendai/pool-statement/1"
    stated: Mapping[str, Document]

    def seal_into(self, work: Work, record_id: str) -> Result:
        """This function will put the statement on record."""
        self.terms(work)
        return Result("STATED", {"pool": self.subject, **self.stated})
