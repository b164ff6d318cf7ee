"""The life of an offer: what may happen when, and every figure to the fen, in whatever order it is told."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from app.domain.money import Yuan
from app.ledger import offer as ledger
from app.ledger.offer import (
    REVERSIBLE,
    Checks,
    Event,
    EventKind,
    Figures,
    OfferLife,
    OfferStatus,
    PreApproval,
    Refusal,
    RefusalReason,
)

MADE = date(2026, 11, 20)
EXPIRES, LAPSES = MADE + timedelta(days=60), MADE + timedelta(days=365)
CLEAR = Checks(False, False, False, False)
IDS = itertools.count(1)
K, S, R = EventKind, OfferStatus, RefusalReason


def yuan(amount: int) -> Yuan:
    return Yuan.whole(amount)


def offer(*, revolving: bool = True, limit: int = 6_000_000) -> OfferLife:
    return OfferLife(
        PreApproval("O", "D", "A", "boc/loan", "U", None, yuan(limit), MADE, EXPIRES, revolving)
    )


def event(kind: EventKind, days: int = 0, **members: object) -> Event:
    return Event(f"e{next(IDS)}", kind, MADE + timedelta(days=days), **members)


def approval(amount: int = 6_000_000, days: int = 0) -> Event:
    rate = Decimal("0.035")
    return event(K.CREDIT_APPROVED, days, amount=yuan(amount), day=LAPSES, annual_rate=rate)


def draw(amount: int, days: int = 0, checks: Checks = CLEAR) -> Event:
    return event(K.DRAWDOWN, days, amount=yuan(amount), day=LAPSES, checks=checks)


def repay(principal: int, days: int = 0, interest: int = 0) -> Event:
    return event(K.REPAYMENT, days, amount=yuan(principal), interest=yuan(interest))


def reversal(of: Event, days: int = 0) -> Event:
    return event(K.REVERSAL, days, reverses=of.event_id)


def told(life: OfferLife, *events: Event, days: int = 30) -> OfferLife:
    for one in events:
        life = life.after(one, MADE + timedelta(days=days))
    return life


def refused(life: OfferLife, one: Event, days: int = 30) -> Refusal:
    with pytest.raises(Refusal) as caught:
        life.after(one, MADE + timedelta(days=days))
    return caught.value


class TestCaseG8:
    def test_draws_three_of_six_million_and_at_most_three_later(self):
        life = told(offer(), approval(), draw(3_000_000))

        assert (refusal := refused(life, draw(3_000_001, 10))).reason is R.ABOVE_AVAILABLE
        assert refusal.at_most == yuan(3_000_000)
        full = told(life, draw(3_000_000, 10))
        assert (full.figures().disbursed, full.figures().outstanding) == (yuan(6_000_000), yuan(6_000_000))
        assert full.available(MADE + timedelta(days=30)) == 0


class TestBeforeACreditApproval:
    @pytest.mark.parametrize("one", [draw(1), repay(1), event(K.PAST_DUE, amount=yuan(1), day=MADE), event(K.CLOSED)])
    def test_nothing_is_drawn_repaid_past_due_or_closed(self, one: Event):
        assert refused(offer(), one).reason is R.NOT_POSSIBLE_NOW

    def test_the_approved_limit_is_never_above_the_credit_limit(self):
        assert refused(offer(), approval(6_000_001)).at_most == yuan(6_000_000)
        assert told(offer(), approval(6_000_000)).figures().approved_limit == yuan(6_000_000)

    @pytest.mark.parametrize(("days", "status"), [(60, S.PRE_APPROVED), (61, S.EXPIRED)])
    def test_the_offer_ends_by_time_alone(self, days: int, status: OfferStatus):
        on = MADE + timedelta(days=days)

        assert offer().status(on) is status
        assert (offer().counts(on).counts_on(on) is None) is (status is S.EXPIRED)

    def test_an_approval_that_comes_after_the_offer_s_day_comes_too_late(self):
        """Its room may have been promised to another since."""
        assert refused(offer(), approval(days=59), days=61).reason is R.NOT_POSSIBLE_NOW

    def test_a_withdrawal_frees_the_room_at_once(self):
        on = MADE + timedelta(days=3)
        life = offer().after(event(K.WITHDRAWN, 3), on)

        assert life.status(on) is S.WITHDRAWN
        assert life.counts(on).counts_on(on) is None
        assert life.possible(on) == ()
        assert refused(life, approval()).reason is R.NOT_POSSIBLE_NOW

    def test_a_superseded_offer_takes_nothing(self):
        life = replace(offer(), superseded_by="D2")

        assert refused(life, approval()).reason is R.NOT_POSSIBLE_NOW
        assert life.status(MADE) is S.SUPERSEDED


class TestADrawdown:
    @pytest.mark.parametrize("field", ["judgment_defaulter", "abnormal_operation", "serious_illegal"])
    def test_is_refused_to_a_listed_company(self, field: str):
        listed = replace(CLEAR, **{field: True})

        assert refused(told(offer(), approval()), draw(1, checks=listed)).reason is R.LISTED

    def test_is_refused_under_a_veto(self):
        vetoed = replace(CLEAR, vetoed=True)

        assert refused(told(offer(), approval()), draw(1, checks=vetoed)).reason is R.VETOED

    def test_is_refused_within_a_freeze_and_accepted_before_and_after_it(self):
        life = told(offer(), approval(), event(K.FROZEN, 10), event(K.UNFROZEN, 20))

        assert refused(life, draw(1, 15)).reason is R.FROZEN_ON_THAT_DAY
        assert told(life, draw(1, 9), draw(1, 20)).figures().outstanding == yuan(2)

    @pytest.mark.parametrize(("days", "fits"), [(365, True), (366, False)])
    def test_fits_to_the_end_of_the_line_s_last_day(self, days: int, fits: bool):
        life = told(offer(), approval())

        if fits:
            assert told(life, draw(1, days), days=days).figures().outstanding == yuan(1)
        else:
            assert refused(life, draw(1, days), days=days).reason is R.OUTSIDE_AVAILABILITY

    def test_of_a_revolving_line_has_what_was_repaid_again_and_of_another_has_not(self):
        events = (approval(100), draw(100), repay(60, 5))

        assert told(offer(), *events).available(MADE + timedelta(days=30)) == yuan(60)
        assert told(offer(revolving=False), *events).available(MADE + timedelta(days=30)) == 0


class TestEventsOutOfOrder:
    def test_count_from_their_value_date(self):
        late = told(offer(), approval(100), draw(100, 1), repay(100, 20), draw(40, 25))

        assert refused(late, draw(1, 10)).reason is R.ABOVE_AVAILABLE

    def test_are_refused_where_later_events_rest_on_what_they_would_change(self):
        life = told(offer(), approval(100), draw(50, 1), draw(50, 20))

        refusal = refused(life, draw(1, 10))

        assert refusal.reason is R.LATER_EVENTS_REST_ON_IT

    @given(st.permutations([draw(300, 1), draw(200, 2), repay(100, 9, 7), repay(50, 12), draw(10, 15)]))
    def test_come_to_the_same_figures_in_any_order_that_can_be_told(self, events: Sequence[Event]):
        life, waiting = told(offer(), approval(1_000)), list(events)
        while waiting:
            # What comes before what it rests on is sent again later, as a refused event binds no key.
            for one in list(waiting):
                try:
                    life = life.after(one, MADE + timedelta(days=30))
                except Refusal:
                    continue
                waiting.remove(one)

        figures = life.figures()
        assert (figures.disbursed, figures.outstanding) == (yuan(510), yuan(360))
        assert figures.interest_paid == yuan(7)


class TestAReversal:
    def test_restores_every_figure_to_the_fen(self):
        before = told(offer(), approval(100), draw(70, 1), event(K.PAST_DUE, 5, amount=yuan(20), day=MADE))
        paid = event(K.REPAYMENT, 6, amount=Yuan(6_001), interest=Yuan(1))

        after = told(before, paid, reversal(paid, 8))

        assert after.figures() == before.figures()

    def test_is_refused_twice_and_of_what_has_no_reversal(self):
        approved, drawn = approval(100), draw(70, 1)
        life = told(offer(), approved, drawn, reversal(drawn))

        assert refused(life, reversal(drawn)).reason is R.CANNOT_BE_REVERSED
        assert refused(life, reversal(approved)).reason is R.CANNOT_BE_REVERSED
        assert refused(life, event(K.REVERSAL, reverses="nobody")).reason is R.NO_SUCH_EVENT

    def test_of_a_drawdown_waits_for_the_reversal_of_what_was_repaid(self):
        drawn, paid = draw(70, 1), repay(30, 2)
        life = told(offer(), approval(100), drawn, paid)

        assert refused(life, reversal(drawn)).reason is R.LATER_EVENTS_REST_ON_IT
        assert told(life, reversal(paid), reversal(drawn)).figures().outstanding == 0

    def test_of_the_last_repayment_brings_a_closed_line_s_debt_back(self):
        paid = repay(70, 2)
        life = told(offer(), approval(100), draw(70, 1), paid, event(K.CLOSED, 3))
        on = MADE + timedelta(days=30)
        assert life.status(on) is S.SETTLED

        again = told(life, reversal(paid, 4))

        assert again.status(on) is S.DRAWN
        assert again.counts(on).counts_on(on).credit_limit == yuan(70)
        assert again.available(on) == 0


class TestWhatALineCounts:
    @pytest.mark.parametrize(("days", "counted"), [(365, 100), (366, 70)])
    def test_is_the_approved_limit_until_it_lapses_and_then_what_is_outstanding(self, days: int, counted: int):
        life, on = told(offer(), approval(100), draw(70, 1)), MADE + timedelta(days=days)

        assert life.counts(on).counts_on(on).credit_limit == yuan(counted)

    def test_is_nothing_once_it_is_settled_or_lapsed_undrawn(self):
        on = LAPSES + timedelta(days=1)
        settled = told(offer(), approval(100), draw(70, 1), repay(70, 2), event(K.CLOSED, 3))

        assert settled.counts(MADE + timedelta(days=3)).counts_on(MADE + timedelta(days=3)) is None
        lapsed = told(offer(), approval(100))
        assert (lapsed.status(on), lapsed.counts(on).counts_on(on)) == (S.LAPSED, None)

    def test_cannot_be_withdrawn_or_closed_while_something_is_outstanding(self):
        life = told(offer(), approval(100), draw(70, 1))

        for kind in (K.WITHDRAWN, K.CLOSED):
            assert refused(life, event(kind, 2)).reason is R.STILL_OUTSTANDING


class TestAnEvent:
    def test_is_never_dated_tomorrow_nor_before_the_offer(self):
        assert refused(offer(), approval(days=31)).reason is R.IN_THE_FUTURE
        assert refused(offer(), approval(days=-1)).reason is R.BEFORE_THE_OFFER


class ByHand:
    """The other telling: every event in force, day by day, in plain numbers; and what stands against one more."""

    def __init__(self, events: Sequence[Event], revolving: bool) -> None:
        self.limit = self.until = self.ended = None
        self.disbursed = self.outstanding = self.interest = self.past_due = 0
        self.frozen, self.adds_up = False, True
        for one in sorted(events, key=lambda e: e.value_on):
            self.adds_up = self.adds_up and self._tell(one, revolving)

    def _tell(self, one: Event, revolving: bool) -> bool:
        """Whether the event fits what came before its day."""
        if one.kind is K.CREDIT_APPROVED:
            fits = self.limit is None and self.ended is None and one.amount <= 1_000 and one.value_on <= EXPIRES
            self.limit, self.until = one.amount, one.day
            return fits
        if one.kind in (K.FROZEN, K.UNFROZEN):
            fits = self.frozen is (one.kind is K.UNFROZEN)
            self.frozen = one.kind is K.FROZEN
            return fits
        if one.kind in (K.CLOSED, K.WITHDRAWN):
            self.ended = one.kind
            return True
        if self.limit is None:
            return False
        if one.kind is K.DRAWDOWN:
            self.disbursed, self.outstanding = self.disbursed + one.amount, self.outstanding + one.amount
            within = (self.outstanding if revolving else self.disbursed) <= self.limit
            return within and self.ended is None and not self.frozen and one.value_on <= self.until
        if one.kind is K.REPAYMENT:
            self.outstanding, self.interest = self.outstanding - one.amount, self.interest + one.interest
            self.past_due = min(self.past_due, self.outstanding)
        if one.kind is K.PAST_DUE:
            self.past_due = one.amount
        return self.outstanding >= self.past_due >= 0

    def takes(self, one: Event, today: int) -> bool:
        """Whether an event may come at all on a day, as the offer stands then."""
        on = MADE + timedelta(days=today)
        if not MADE <= one.value_on <= on or (self.limit is None and (self.ended is not None or on > EXPIRES)):
            return False
        if one.kind in (K.CLOSED, K.WITHDRAWN):
            return self.ended is None and not self.outstanding and (one.kind is K.WITHDRAWN or self.limit is not None)
        return self.ended is None or one.kind not in (K.FROZEN, K.UNFROZEN)

    def status(self, today: int) -> OfferStatus:
        """Where the offer stands on a day."""
        on = MADE + timedelta(days=today)
        if self.limit is None:
            return S.WITHDRAWN if self.ended else S.PRE_APPROVED if on <= EXPIRES else S.EXPIRED
        if self.outstanding:
            return S.DRAWN
        if not self.disbursed:
            over = S.LAPSED if on > self.until else S.CREDIT_APPROVED
            return over if self.ended is None else S.WITHDRAWN if self.ended is K.WITHDRAWN else S.SETTLED
        return S.REPAID if self.ended is None and on <= self.until else S.SETTLED


class OffersAgainstAModel(RuleBasedStateMachine):
    """What the ledger takes, and what it then says, is exactly what a telling by hand says."""

    @initialize(revolving=st.booleans(), approved=st.booleans())
    def begin(self, revolving: bool, approved: bool) -> None:
        self.today, self.life = 0, offer(revolving=revolving)
        self.life = replace(self.life, offer=replace(self.life.offer, credit_limit=Yuan(1_000)))
        self.in_force: list[Event] = []
        if approved:
            self.today = 30
            self.approve(900, 30)

    def by_hand(self, events: Sequence[Event] | None = None) -> ByHand:
        return ByHand(self.in_force if events is None else events, self.life.offer.revolving)

    def tell(self, one: Event) -> None:
        """An event is taken if, and only if, it may come and everything in force then adds up."""
        if one.kind is K.REVERSAL:
            expected = [e for e in self.in_force if e.event_id != one.reverses]
        else:
            expected = [*self.in_force, one]
        fits = self.by_hand().takes(one, self.today) and self.by_hand(expected).adds_up
        try:
            self.life = self.life.after(one, MADE + timedelta(days=self.today))
        except Refusal as refusal:
            assert not fits, (refusal, one)
            return
        assert fits, one
        self.in_force = expected

    @rule(days=st.integers(1, 20))
    def time_passes(self, days: int) -> None:
        self.today += days

    @rule(amount=st.integers(1, 1_100), ago=st.integers(-1, 30))
    def approve(self, amount: int, ago: int) -> None:
        rate = Decimal("0.035")
        self.tell(event(K.CREDIT_APPROVED, self.today - ago, amount=Yuan(amount), day=LINE_ENDS, annual_rate=rate))

    @rule(amount=st.integers(1, 700), ago=st.integers(-1, 30))
    def draw(self, amount: int, ago: int) -> None:
        self.tell(event(K.DRAWDOWN, self.today - ago, amount=Yuan(amount), day=LINE_ENDS, checks=CLEAR))

    @rule(amount=st.integers(0, 700), interest=st.integers(0, 9), ago=st.integers(0, 30))
    def repay(self, amount: int, interest: int, ago: int) -> None:
        self.tell(event(K.REPAYMENT, self.today - ago, amount=Yuan(amount), interest=Yuan(interest)))

    @rule(amount=st.integers(0, 700), ago=st.integers(0, 30))
    def fall_due(self, amount: int, ago: int) -> None:
        self.tell(event(K.PAST_DUE, self.today - ago, amount=Yuan(amount), day=MADE))

    @precondition(lambda self: any(e.kind in REVERSIBLE for e in self.in_force))
    @rule(pick=st.randoms(use_true_random=False))
    def reverse(self, pick: object) -> None:
        self.tell(reversal(pick.choice([e for e in self.in_force if e.kind in REVERSIBLE]), self.today))

    @rule(kind=st.sampled_from([K.FROZEN, K.UNFROZEN, K.CLOSED, K.WITHDRAWN, K.CLASSIFIED]), ago=st.integers(0, 5))
    def other(self, kind: EventKind, ago: int) -> None:
        self.tell(event(kind, self.today - ago, classification="NORMAL" if kind is K.CLASSIFIED else None))

    @invariant()
    def figures_are_those_told_by_hand(self) -> None:
        hand, figures = self.by_hand(), self.life.figures()
        assert (figures.approved_limit, figures.disbursed, figures.outstanding, figures.interest_paid) == (
            hand.limit, hand.disbursed, hand.outstanding, hand.interest,
        )  # fmt: skip
        assert (figures.past_due, figures.frozen, figures.ended_by) == (hand.past_due, hand.frozen, hand.ended)
        assert self.life.status(MADE + timedelta(days=self.today)) is hand.status(self.today)

    @invariant()
    def what_can_be_drawn_and_what_counts_are_those_told_by_hand(self) -> None:
        hand, on = self.by_hand(), MADE + timedelta(days=self.today)
        open_line = hand.limit is not None and hand.ended is None and on <= hand.until
        used = hand.outstanding if self.life.offer.revolving else hand.disbursed
        assert self.life.available(on) == (hand.limit - used if open_line and not hand.frozen else 0)
        counting = self.life.counts(on).counts_on(on)
        offered = 1_000 if hand.limit is None and hand.ended is None and on <= EXPIRES else 0
        assert (counting.credit_limit if counting else 0) == (hand.limit if open_line else offered or hand.outstanding)

    @invariant()
    def what_is_said_to_be_possible_is_and_what_is_not_said_is_not(self) -> None:
        on = MADE + timedelta(days=self.today)
        trial = {
            K.CREDIT_APPROVED: event(K.CREDIT_APPROVED, self.today, amount=Yuan(1), day=on),
            K.DRAWDOWN: event(K.DRAWDOWN, self.today, amount=Yuan(1), day=on, checks=CLEAR),
            K.CLOSED: event(K.CLOSED, self.today), K.WITHDRAWN: event(K.WITHDRAWN, self.today),
            K.FROZEN: event(K.FROZEN, self.today), K.UNFROZEN: event(K.UNFROZEN, self.today),
            K.REPAYMENT: event(K.REPAYMENT, self.today, amount=Yuan(1)),
            K.PAST_DUE: event(K.PAST_DUE, self.today, amount=Yuan(1), day=MADE),
        }  # fmt: skip
        # A line that time has ended may still be frozen or closed; there is no use in it, so it is not proposed.
        for kind, one in trial.items():
            if kind in self.life.possible(on):
                assert self.takes(one, on), kind
            elif kind not in (K.FROZEN, K.UNFROZEN, K.WITHDRAWN, K.CLOSED):
                assert not self.takes(one, on), kind

    def takes(self, one: Event, on: date) -> bool:
        try:
            self.life.after(one, on)
        except Refusal:
            return False
        return True


LINE_ENDS = MADE + timedelta(days=150)
TestOffersAgainstAModel = OffersAgainstAModel.TestCase
TestOffersAgainstAModel.settings = settings(max_examples=50, stateful_step_count=25, deadline=None)


@pytest.mark.soak
class TestOffersAgainstAModelInFull(OffersAgainstAModel.TestCase):
    settings = settings(max_examples=20_000, stateful_step_count=60, deadline=None)


def a_reversal_that_leaves_the_interest(events):
    told = [replace(e, amount=Yuan(0)) for e in events if e.kind is K.REPAYMENT and e.event_id in gone_of(events)]
    return gone_of(events) - {e.event_id for e in told}


def gone_of(events):
    return frozenset(e.reverses for e in events if e.reverses is not None)


def a_draw_within_a_freeze(offer, before, one):
    return replace(ledger._draw(offer, replace(before, frozen=False), one), frozen=before.frozen)


class TestTheMachine:
    @pytest.mark.parametrize(
        ("kind", "defect"),
        [(K.DRAWDOWN, a_draw_within_a_freeze), (K.REVERSAL, a_reversal_that_leaves_the_interest)],
    )
    def test_catches_a_planted_defect(self, kind, defect, monkeypatch):
        if kind is K.REVERSAL:
            monkeypatch.setattr(ledger, "_reversed", defect)
        else:
            monkeypatch.setitem(ledger._TELL, kind, defect)

        with pytest.raises(AssertionError):
            run_state_machine_as_test(
                OffersAgainstAModel,
                settings=settings(
                    max_examples=500, stateful_step_count=20, deadline=None, phases=[Phase.generate],
                    derandomize=True, database=None,
                ),
            )  # fmt: skip


class TestFigures:
    def test_keep_the_unsecured_part_apart_from_the_limit(self):
        secured = Figures(approved_limit=yuan(100), secured=yuan(30))

        assert secured.unsecured_part == yuan(70)
        assert Figures().unsecured_part == 0
