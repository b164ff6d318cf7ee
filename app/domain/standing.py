"""What is already promised to a company and its group by one lender.

Neighbours may rely on this: time alone ends things. A commitment past its last day counts for nothing, whether or
not anything recorded that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from app.domain.money import Yuan
from app.domain.pool import PoolStanding

_NOTHING = Yuan(0)


@dataclass(frozen=True, slots=True)
class Commitment:
    """A live offer or line; it counts by its `credit_limit` to the end of `counts_until`, and by what is `outstanding`
    for as long as that is not repaid. `credit_approved` once the bank's own approval has come back.
    """

    offer_id: str
    application_id: str
    product: str
    uscc: str
    group_id: str | None
    credit_limit: Yuan
    counts_until: date
    credit_approved: bool = False
    outstanding: Yuan = _NOTHING

    def counts_on(self, on: date) -> Commitment | None:
        """This function will return it as it counts on a day: whole, a lapsed line by what is outstanding, or not at
        all.
        """
        if self.counts_until >= on:
            return self
        return replace(self, credit_limit=self.outstanding) if self.outstanding else None


class AuthorityBasis(StrEnum):
    """What speaks for an authority and its amount: the product's own terms, or the approver's word alone."""

    PRODUCT = "PRODUCT"
    APPROVER = "APPROVER"


@dataclass(frozen=True, slots=True)
class Waived:
    """破格: a gate that one person asked to let go and another let go, for one decision on one application; `original`
    is the decision on which it had failed. People are named by subject (工号). `up_to` is the credit limit that the
    approver's authority covers, `authority_basis` what speaks for it; None in records of before they were asked for.
    """

    gate: str
    exception_id: str
    original: str
    evidence: str
    authority: str
    requested_by: str
    approved_by: str
    up_to: Yuan | None = None
    authority_basis: AuthorityBasis | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything that counts against the caps of one application: the company's commitments and its group's, with
    one lender; what room there is in the pool from which the decision itself reserves, where it does; which
    subsidies' budgets are used up; and which gates people have let go.
    """

    commitments: tuple[Commitment, ...] = ()
    pool: PoolStanding | None = None
    used_up: frozenset[str] = frozenset()
    waived: tuple[Waived, ...] = ()

    def live(self, on: date) -> Standing:
        """This function will leave out what no longer counts on `on`, and count a lapsed line by what is
        outstanding.
        """
        if not self.commitments or all(c.counts_until >= on for c in self.commitments):
            return self
        counting = (c.counts_on(on) for c in self.commitments)
        return replace(self, commitments=tuple(c for c in counting if c is not None))

    def without(self, offer_id: str | None) -> Standing:
        """This function will leave out one offer: the one superseded or replaced."""
        if offer_id is None:
            return self
        return replace(self, commitments=tuple(c for c in self.commitments if c.offer_id != offer_id))

    def without_name(self, found: Commitment) -> Standing:
        """This function will count the commitment as ever, and under no name by which it could be asked for."""
        return replace(self, commitments=tuple(replace(c, offer_id="") if c is found else c for c in self.commitments))

    def with_room(self, pool: PoolStanding) -> Standing:
        """This function will add what room there is in the pool from which the decision reserves."""
        return Standing(self.commitments, pool, self.used_up, self.waived)

    def waiver_covers(self, credit_limit: Yuan) -> bool:
        """This function will tell whether whoever let gates go has the authority for so much."""
        return all(waived.up_to is None or credit_limit <= waived.up_to for waived in self.waived)

    def with_used_up(self, programmes: frozenset[str]) -> Standing:
        """This function will add which subsidies' budgets are used up."""
        return Standing(self.commitments, self.pool, programmes, self.waived)

    def find(self, offer_id: str) -> Commitment | None:
        """This function will return the commitment of that id, or None."""
        return next((c for c in self.commitments if c.offer_id == offer_id), None)

    def used(self) -> Yuan:
        """This function will return the sum over all products (the lender's cap counts it)."""
        return Yuan(sum(c.credit_limit for c in self.commitments))

    def used_on(self, product: str, uscc: str) -> Yuan:
        """This function will return the sum of the company's own commitments on one product (the product's cap
        counts it).
        """
        return Yuan(sum(c.credit_limit for c in self.commitments if c.product == product and c.uscc == uscc))


NOTHING_PROMISED = Standing()
