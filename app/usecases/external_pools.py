"""外部资金池: pools whose manager keeps the book. We hold our quota; what the whole pool has is told by the manager's
dated statements, and cover stays PROPOSED until the manager's confirmation is recorded.

Neighbours may rely on this: nothing of such a pool is reserved here but by a confirmation, once a line, and never above
the lender's quota or the pool's cap for one company; from then on cover follows the line as in a pool of our own. A
statement never changes an earlier one: the newest day counts, and of one day what was recorded last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, ClassVar

from app.audit.operator_record import OPERATOR
from app.domain.money import Yuan
from app.domain.pool import PoolTerms, pool_money
from app.domain.terms import PoolBook
from app.ledger.claim import POOL
from app.ledger.offer import OfferLife, PreApproval
from app.ledger.pool import Cover, Moved, Totals, follow, reserve, room
from app.usecases.act_rows import ActsWanted, Lookup, Row, Written
from app.usecases.acts import Result, Work
from app.usecases.line_cover import NamedPool, line_figures
from app.usecases.offers import life_of
from app.usecases.pool_acts import PoolAct, not_in_the_future
from app.usecases.pool_book import TOTALS, HeldCover, PoolChange, company_lookup, cover_lookup, totals_of
from app.usecases.pool_refusals import PoolRefusal, PoolRefused

CONFIRMATION_FORMAT = "jifendai/pool-confirmation/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagerStatement(PoolAct):
    """管理人报表: what the pool's manager says of the whole pool on a day; on the operator's log."""

    format: ClassVar[str] = "jifendai/pool-manager-statement/1"
    lender: str = OPERATOR
    as_of: date
    stated: Totals
    reference: str

    def seal_into(self, work: Work, record_id: str) -> Result:
        """This function will put the statement on record."""
        terms = self.terms(work, PoolBook.EXTERNAL)
        not_in_the_future(self.as_of, work, "/as_of")
        row = {
            "record_id": record_id, "pool_id": self.subject, "as_of": self.as_of, "reference": self.reference,
            **{name: int(getattr(self.stated, name)) for name in TOTALS},
        }  # fmt: skip
        shown = {"pool": self.subject, "as_of": self.as_of.isoformat(), "room": room(terms, self.stated).text()}
        return Result("STATED", shown, rows=(Written("pool_statement", row),))


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverConfirmed(PoolAct):
    """确认备案额度: the manager has confirmed cover for one line that the bank has approved."""

    format: ClassVar[str] = CONFIRMATION_FORMAT
    offer: PreApproval
    named: NamedPool
    covered: Yuan
    confirmed_on: date

    def wants(self) -> ActsWanted:
        """This function will ask for the pool, the line's events and what it counts as."""
        offer_id = self.offer.offer_id
        return replace(PoolAct.wants(self), subjects=((self.lender, offer_id),), offers=(offer_id,))

    def lookups(self) -> tuple[Lookup, ...]:
        """This function will name the line's cover and the company's."""
        return cover_lookup(self.offer.offer_id), company_lookup(self.offer.uscc)

    def seal_into(self, work: Work, record_id: str) -> Result:
        """This function will promise the confirmed amount, and bring it to where the line stands."""
        terms, offer = self.terms(work, PoolBook.EXTERNAL), self.offer
        not_in_the_future(self.confirmed_on, work, "/confirmed_on")
        standing = work.offer(offer.offer_id)
        acts = work.history(self.lender, offer.offer_id)
        life = life_of(offer, acts, None if standing is None else standing.superseded_by)
        figures = life.figures()
        if figures.approved_limit is None or figures.ended_by is not None:
            raise PoolRefused(PoolRefusal.NOT_CREDIT_APPROVED, "/offer_id")
        if work.pools.cover(offer.offer_id) is not None:
            raise PoolRefused(PoolRefusal.CONFIRMED_BEFORE, "/offer_id")
        if self.covered > figures.approved_limit:
            raise PoolRefused(PoolRefusal.MORE_THAN_THE_LINE, "/covered_amount", figures.approved_limit.text())
        share = self.named.shares.get(POOL, None)
        if share is None:
            raise PoolRefused(PoolRefusal.NO_COVER, "/offer_id")
        new = Cover(offer.offer_id, self.subject, self.lender, offer.uscc, share)
        self._check_bounds(work, terms, new)
        cover, entries = confirmed_cover(new, self.covered, life, work.on)
        held = HeldCover(cover, offer.decision_id, self.named.shares)
        shown = {
            "pool": self.subject, "offer_id": offer.offer_id, "decision_id": offer.decision_id,
            "covered": self.covered.text(), "reserved": cover.reserved.text(), "committed": cover.committed.text(),
            "confirmed_on": self.confirmed_on.isoformat(),
        }  # fmt: skip
        return Result("CONFIRMED", shown, pool_changes=(PoolChange(self.subject, record_id, entries, held),))

    def _check_bounds(self, work: Work, terms: PoolTerms, new: Cover) -> None:
        found = work.pools.standing(terms, new.uscc, self.lender, work.on)
        if found.company_room is not None and self.covered > found.company_room:
            raise PoolRefused(PoolRefusal.ABOVE_COMPANY_CAP, "/covered_amount", found.company_room.text())
        if found.lender_room is not None and pool_money(self.covered, new.share) > found.lender_room:
            raise PoolRefused(PoolRefusal.ABOVE_QUOTA, "/covered_amount", found.lender_room.text())


def confirmed_cover(new: Cover, covered: Yuan, life: OfferLife, on: date) -> Moved:
    """This function will promise what was confirmed, and bring it to where the line stands."""
    held, reserved = reserve(new, covered, held_until=life.figures().available_until, on=on)
    cover, moved = follow(held, line_figures(life), on)
    return cover, (*reserved, *moved)


def statement_on(rows: Sequence[Row], on: date) -> Row | None:
    """This function will return the newest statement of a day not after `on`; `rows` have the newest first."""
    return next((row for row in rows if row["as_of"] <= on), None)


def stated_document(terms: PoolTerms, row: Row | None) -> dict[str, Any] | None:
    """This function will show what the manager stated last, None where nothing was."""
    if row is None:
        return None
    stated = totals_of(row)
    return {
        "record_id": row["record_id"],
        "as_of": row["as_of"].isoformat(),
        "reference": row["reference"],
        **{name: getattr(stated, name).text() for name in TOTALS[:5]},
        "room": room(terms, stated).text(),
    }


def with_stated(shown: dict[str, Any], stated: dict[str, Any] | None, *, whole: bool) -> dict[str, Any]:
    """This function will show an external pool by what its manager stated last; without a statement nothing is known of
    it, and it has no room. Unless it is shown `whole` its room is all that is told of the statement's sums.
    """
    told = stated or dict.fromkeys((*TOTALS[:5], "room"), Yuan(0).text())
    if not whole:
        kept = None if stated is None else stated | dict.fromkeys(TOTALS[:5])
        return {**shown, "room": told["room"], "manager_statement": kept}
    paid_in, compensated, recovered = (Yuan.parse(told[name]) for name in ("paid_in", "compensated", "recovered"))
    sums = {name: told[name] for name in ("paid_in", "compensated", "recovered", "room")}
    return {**shown, **sums, "balance": (paid_in - compensated + recovered).text(), "manager_statement": stated}
