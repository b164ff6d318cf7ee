"""授信的一生: what became of a pre-approval, told from the events that core banking reports.

    PRE_APPROVED ─ CREDIT_APPROVED ─ DRAWN ⇄ REPAID ─ SETTLED        without a credit approval nothing is drawn
    EXPIRED: the offer's day passed      LAPSED: so did the line's, undrawn      WITHDRAWN, SUPERSEDED

Neighbours may rely on this:

- A life is a function of the pre-approval, its events and a day. Events come late and in any order, so figures are
  worked out anew, event by event in the order of `value_on` (of one day: as they came); a reversed event is as if it
  had never been, so that its reversal restores every figure to the fen.
- At every moment of that order 0 <= outstanding, what is drawn stays within the approved limit (a revolving line's
  outstanding, another's disbursed sum), and no drawdown lies before the approval, after the line's last day or within a
  freeze. An event that would break this is refused by a `Refusal`, and changes nothing.
- Time alone ends things: an offer past `expires_on` and a line past `available_until` end at that moment.
- Five figures, never one: credit limit (额度), approved limit, unsecured part (敞口), disbursed (投放, cumulative) and
  outstanding (余额).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum

from app.domain.money import Yuan
from app.domain.standing import Commitment

ZERO = Yuan(0)


class EventKind(StrEnum):
    """授信事件: what core banking reports; EXPIRED is the service's own note of what time has done."""

    CREDIT_APPROVED = "CREDIT_APPROVED"
    DRAWDOWN = "DRAWDOWN"
    REPAYMENT = "REPAYMENT"
    REVERSAL = "REVERSAL"
    PAST_DUE = "PAST_DUE"
    CLASSIFIED = "CLASSIFIED"
    FROZEN = "FROZEN"
    UNFROZEN = "UNFROZEN"
    WITHDRAWN = "WITHDRAWN"
    CLOSED = "CLOSED"
    EXPIRED = "EXPIRED"


class OfferStatus(StrEnum):
    """授信状态."""

    PRE_APPROVED = "PRE_APPROVED"
    CREDIT_APPROVED = "CREDIT_APPROVED"
    DRAWN = "DRAWN"
    REPAID = "REPAID"
    SETTLED = "SETTLED"
    EXPIRED = "EXPIRED"
    LAPSED = "LAPSED"
    WITHDRAWN = "WITHDRAWN"
    SUPERSEDED = "SUPERSEDED"


class RefusalReason(StrEnum):
    """Why an event is refused; docs/problems.md has a line for each."""

    NOT_POSSIBLE_NOW = "NOT_POSSIBLE_NOW"
    ABOVE_CREDIT_LIMIT = "ABOVE_CREDIT_LIMIT"
    ABOVE_AVAILABLE = "ABOVE_AVAILABLE"
    ABOVE_OUTSTANDING = "ABOVE_OUTSTANDING"
    BEFORE_THE_OFFER = "BEFORE_THE_OFFER"
    IN_THE_FUTURE = "IN_THE_FUTURE"
    OUTSIDE_AVAILABILITY = "OUTSIDE_AVAILABILITY"
    FROZEN_ON_THAT_DAY = "FROZEN_ON_THAT_DAY"
    VETOED = "VETOED"
    LISTED = "LISTED"
    STILL_OUTSTANDING = "STILL_OUTSTANDING"
    LATER_EVENTS_REST_ON_IT = "LATER_EVENTS_REST_ON_IT"
    NO_SUCH_EVENT = "NO_SUCH_EVENT"
    CANNOT_BE_REVERSED = "CANNOT_BE_REVERSED"


class Refusal(Exception):
    """An event that does not fit the life of its offer; `at_most` is the amount that would fit, or that stands against
    it.
    """

    def __init__(self, reason: RefusalReason, at_most: Yuan | None = None) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.at_most = at_most


@dataclass(frozen=True, slots=True)
class PreApproval:
    """What the decision offered; it never changes."""

    offer_id: str
    decision_id: str
    application_id: str
    product: str
    uscc: str
    group_id: str | None
    credit_limit: Yuan
    decided_on: date
    expires_on: date
    revolving: bool


@dataclass(frozen=True, slots=True)
class Checks:
    """What was checked on the day of a drawdown: veto and the three lists, each answered."""

    vetoed: bool
    judgment_defaulter: bool
    abnormal_operation: bool
    serious_illegal: bool


@dataclass(frozen=True, slots=True)
class Event:
    """One event; only what belongs to its kind is given. `amount` is what is approved, drawn, or (principal) repaid or
    past due; `day` the line's last day, the loan's maturity, or since when; `reverses` the event taken back.
    """

    event_id: str
    kind: EventKind
    value_on: date
    amount: Yuan = ZERO
    interest: Yuan = ZERO
    secured: Yuan = ZERO
    day: date | None = None
    annual_rate: Decimal | None = None
    classification: str | None = None
    checks: Checks | None = None
    reverses: str | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """What holds after some events, whatever the day."""

    approved_limit: Yuan | None = None
    secured: Yuan = ZERO
    annual_rate: Decimal | None = None
    available_until: date | None = None
    disbursed: Yuan = ZERO
    outstanding: Yuan = ZERO
    interest_paid: Yuan = ZERO
    past_due: Yuan = ZERO
    past_due_since: date | None = None
    classification: str | None = None
    frozen: bool = False
    matures_on: date | None = None
    ended_by: EventKind | None = None
    ended_on: date | None = None

    @property
    def unsecured_part(self) -> Yuan:
        """敞口: the part of the approved line that no collateral secures; a pre-approval is no exposure."""
        return ZERO if self.approved_limit is None else Yuan(max(0, self.approved_limit - self.secured))

    def undrawn(self, *, revolving: bool) -> Yuan:
        """This function will return how much of the approved limit is not drawn, whatever stands against drawing it."""
        return ZERO if self.approved_limit is None else self.approved_limit - (
            self.outstanding if revolving else self.disbursed
        )


@dataclass(frozen=True, slots=True)
class OfferLife:
    """An offer with every event that was recorded, in the order in which they came."""

    offer: PreApproval
    events: tuple[Event, ...] = ()
    superseded_by: str | None = None

    def figures(self) -> Figures:
        """This function will work out the figures from the events in force."""
        return _told(self.offer, self.events)

    def reversed_ids(self) -> frozenset[str]:
        """This function will return the ids of the events that were taken back."""
        return _reversed(self.events)

    def status(self, on: date) -> OfferStatus:
        """This function will say where the offer stands on a day."""
        figures = self.figures()
        if self.superseded_by is not None:
            return OfferStatus.SUPERSEDED
        if figures.approved_limit is None:
            if figures.ended_by is not None:
                return OfferStatus.WITHDRAWN
            return OfferStatus.PRE_APPROVED if on <= self.offer.expires_on else OfferStatus.EXPIRED
        if figures.outstanding > 0:
            return OfferStatus.DRAWN
        if figures.ended_by is EventKind.WITHDRAWN and not figures.disbursed:
            return OfferStatus.WITHDRAWN
        if figures.ended_by is not None:
            return OfferStatus.SETTLED
        if on > figures.available_until:
            return OfferStatus.SETTLED if figures.disbursed else OfferStatus.LAPSED
        return OfferStatus.REPAID if figures.disbursed else OfferStatus.CREDIT_APPROVED

    def available(self, on: date) -> Yuan:
        """This function will return how much could be drawn on a day: nothing once the line ended, lapsed or froze."""
        figures = self.figures()
        if figures.approved_limit is None or figures.ended_by is not None or figures.frozen:
            return ZERO
        return figures.undrawn(revolving=self.offer.revolving) if on <= figures.available_until else ZERO

    def possible(self, on: date) -> tuple[EventKind, ...]:
        """This function will name the events that fit on a day, in their usual order."""
        status, figures = self.status(on), self.figures()
        freezing = EventKind.UNFROZEN if figures.frozen else EventKind.FROZEN
        told = tuple(k for k in (EventKind.REVERSAL,) if self._reversible())
        if status is OfferStatus.PRE_APPROVED:
            return EventKind.CREDIT_APPROVED, freezing, EventKind.WITHDRAWN
        if status is OfferStatus.DRAWN:
            draws = (EventKind.DRAWDOWN,) if self.available(on) else ()
            ends = figures.ended_by is not None or on > figures.available_until
            return *draws, EventKind.REPAYMENT, *told, EventKind.PAST_DUE, EventKind.CLASSIFIED, *(
                () if ends else (freezing,)
            )
        if status in (OfferStatus.CREDIT_APPROVED, OfferStatus.REPAID):
            draws = (EventKind.DRAWDOWN,) if self.available(on) else ()
            return *draws, *told, EventKind.CLASSIFIED, freezing, EventKind.WITHDRAWN, EventKind.CLOSED
        return told

    def counts(self, on: date) -> Commitment:
        """This function will return what the offer counts as against the caps from this day on: the offer until its
        day; the approved limit until the line's, then what is outstanding; once ended, what is outstanding alone.
        """
        figures, offer = self.figures(), self.offer
        ended = figures.ended_by is not None
        approved = figures.approved_limit
        return Commitment(
            offer_id=offer.offer_id,
            application_id=offer.application_id,
            product=offer.product,
            uscc=offer.uscc,
            group_id=offer.group_id,
            credit_limit=offer.credit_limit if approved is None else approved,
            counts_until=on - timedelta(days=1) if ended else figures.available_until or offer.expires_on,
            credit_approved=approved is not None,
            outstanding=figures.outstanding,
        )

    def after(self, event: Event, on: date) -> OfferLife:
        """This function will return the life with one event more, that came on a day. Raises Refusal."""
        self._refuse_out_of_place(event, on)
        if event.kind is EventKind.REVERSAL:
            self._refuse_reversal(event)
        later = replace(self, events=(*self.events, event))
        try:
            _told(self.offer, later.events)
        except Refusal as refusal:
            raise self._explained(event, refusal) from None
        return later

    # ---- what stands against an event ------------------------------------------------------------------------------

    def _refuse_out_of_place(self, event: Event, on: date) -> None:
        if event.value_on > on:
            raise Refusal(RefusalReason.IN_THE_FUTURE)
        if event.value_on < self.offer.decided_on:
            raise Refusal(RefusalReason.BEFORE_THE_OFFER)
        status, figures = self.status(on), self.figures()
        # What ended the offer ended it: a late approval or withdrawal would promise, or free, room that is spoken for.
        if status in (OfferStatus.SUPERSEDED, OfferStatus.EXPIRED) or (
            status is OfferStatus.WITHDRAWN and figures.approved_limit is None
        ):
            raise Refusal(RefusalReason.NOT_POSSIBLE_NOW)
        if event.kind in (EventKind.WITHDRAWN, EventKind.CLOSED):
            closes_offer = event.kind is EventKind.WITHDRAWN and figures.approved_limit is None
            if figures.ended_by is not None or not (closes_offer or figures.approved_limit is not None):
                raise Refusal(RefusalReason.NOT_POSSIBLE_NOW)
            if figures.outstanding:
                raise Refusal(RefusalReason.STILL_OUTSTANDING, figures.outstanding)
        if figures.ended_by is not None and event.kind in (EventKind.FROZEN, EventKind.UNFROZEN):
            raise Refusal(RefusalReason.NOT_POSSIBLE_NOW)

    def _reversible(self) -> tuple[Event, ...]:
        gone = _reversed(self.events)
        return tuple(e for e in self.events if e.kind in REVERSIBLE and e.event_id not in gone)

    def _refuse_reversal(self, event: Event) -> None:
        named = [e for e in self.events if e.event_id == event.reverses]
        if not named:
            raise Refusal(RefusalReason.NO_SUCH_EVENT)
        if named[0] not in self._reversible():
            raise Refusal(RefusalReason.CANNOT_BE_REVERSED)

    def _explained(self, event: Event, refusal: Refusal) -> Refusal:
        """Where the event itself fits its own day, it is later events that stand against it."""
        if event.kind is EventKind.REVERSAL:
            return Refusal(RefusalReason.LATER_EVENTS_REST_ON_IT)
        before = tuple(e for e in self.events if e.value_on <= event.value_on)
        try:
            _told(self.offer, (*before, event))
        except Refusal as own:
            return own
        return Refusal(RefusalReason.LATER_EVENTS_REST_ON_IT, refusal.at_most)


REVERSIBLE = frozenset({EventKind.DRAWDOWN, EventKind.REPAYMENT, EventKind.PAST_DUE, EventKind.CLASSIFIED})
"""冲正: bookings and reports can be taken back. What promised or freed room cannot: others have counted on it since."""


# ---- telling the events in order -------------------------------------------------------------------------------------


def _reversed(events: Sequence[Event]) -> frozenset[str]:
    return frozenset(e.reverses for e in events if e.reverses is not None)


def _told(offer: PreApproval, events: Sequence[Event]) -> Figures:
    """The figures after every event in force. Raises Refusal at the first that does not fit those before it."""
    gone = _reversed(events)
    in_force = [e for e in events if e.event_id not in gone and e.kind not in (EventKind.REVERSAL, EventKind.EXPIRED)]
    figures = Figures()
    # sorted() keeps the order of arrival within a day.
    for event in sorted(in_force, key=lambda e: e.value_on):
        figures = _TELL[event.kind](offer, figures, event)
    return figures


def _approve(offer: PreApproval, before: Figures, event: Event) -> Figures:
    if before.approved_limit is not None or before.ended_by is not None:
        raise Refusal(RefusalReason.NOT_POSSIBLE_NOW)
    if event.amount > offer.credit_limit:
        raise Refusal(RefusalReason.ABOVE_CREDIT_LIMIT, offer.credit_limit)
    if event.value_on > offer.expires_on:
        raise Refusal(RefusalReason.OUTSIDE_AVAILABILITY)
    return replace(
        before,
        approved_limit=event.amount,
        secured=event.secured,
        annual_rate=event.annual_rate,
        available_until=event.day,
    )


def _draw(offer: PreApproval, before: Figures, event: Event) -> Figures:
    _refuse_unapproved(before)
    if before.ended_by is not None or event.value_on > before.available_until:
        raise Refusal(RefusalReason.OUTSIDE_AVAILABILITY)
    if before.frozen:
        raise Refusal(RefusalReason.FROZEN_ON_THAT_DAY)
    if event.checks.vetoed:
        raise Refusal(RefusalReason.VETOED)
    if event.checks.judgment_defaulter or event.checks.abnormal_operation or event.checks.serious_illegal:
        raise Refusal(RefusalReason.LISTED)
    left = before.undrawn(revolving=offer.revolving)
    if event.amount > left:
        raise Refusal(RefusalReason.ABOVE_AVAILABLE, left)
    known = before.matures_on
    return replace(
        before,
        disbursed=before.disbursed + event.amount,
        outstanding=before.outstanding + event.amount,
        matures_on=event.day if known is None else max(known, event.day),
    )


def _repay(offer: PreApproval, before: Figures, event: Event) -> Figures:
    _refuse_unapproved(before)
    if event.amount > before.outstanding:
        raise Refusal(RefusalReason.ABOVE_OUTSTANDING, before.outstanding)
    left = before.outstanding - event.amount
    past_due = Yuan(min(before.past_due, left))
    return replace(
        before,
        outstanding=left,
        interest_paid=before.interest_paid + event.interest,
        past_due=past_due,
        past_due_since=before.past_due_since if past_due else None,
    )


def _fall_due(offer: PreApproval, before: Figures, event: Event) -> Figures:
    _refuse_unapproved(before)
    if event.amount > before.outstanding:
        raise Refusal(RefusalReason.ABOVE_OUTSTANDING, before.outstanding)
    return replace(before, past_due=event.amount, past_due_since=event.day if event.amount else None)


def _classify(offer: PreApproval, before: Figures, event: Event) -> Figures:
    _refuse_unapproved(before)
    return replace(before, classification=event.classification)


def _freeze(offer: PreApproval, before: Figures, event: Event) -> Figures:
    if before.frozen is (event.kind is EventKind.FROZEN):
        raise Refusal(RefusalReason.NOT_POSSIBLE_NOW)
    return replace(before, frozen=event.kind is EventKind.FROZEN)


def _end(offer: PreApproval, before: Figures, event: Event) -> Figures:
    return replace(before, ended_by=event.kind, ended_on=event.value_on)


def _refuse_unapproved(before: Figures) -> None:
    if before.approved_limit is None:
        raise Refusal(RefusalReason.NOT_POSSIBLE_NOW)


_TELL = {
    EventKind.CREDIT_APPROVED: _approve,
    EventKind.DRAWDOWN: _draw,
    EventKind.REPAYMENT: _repay,
    EventKind.PAST_DUE: _fall_due,
    EventKind.CLASSIFIED: _classify,
    EventKind.FROZEN: _freeze,
    EventKind.UNFROZEN: _freeze,
    EventKind.WITHDRAWN: _end,
    EventKind.CLOSED: _end,
}
