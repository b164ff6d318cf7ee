"""资金池账: promises, their two phases, and the lines."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.money import Yuan
from app.domain.pool import Denominator, Lines, Numerator, PoolBook, PoolStanding, PoolStatus, PoolTerms
from app.domain.reasons import ReasonCode
from app.domain.terms import Words
from app.ledger.pool import (
    Cover,
    EntryKind,
    Lift,
    LineFigures,
    LineState,
    Totals,
    compensate,
    draw,
    fitting,
    follow,
    line_state,
    pool_money,
    recover,
    release,
    reserve,
    room,
    takes_cover,
)

DAY = date(2026, 11, 20)
LATER = date(2027, 5, 20)
ONE = Decimal("1.00")
NEW = Cover("offer", "zone/pool", "bank", "91999999MAT000018E", ONE)
TERMS = PoolTerms("zone/pool", Words("池", "pool"), PoolStatus.ACTIVE, PoolBook.OWN, per_company_cap=Yuan.whole(500))


def million(millions: int) -> Yuan:
    return Yuan.whole(millions * 1_000_000)


def line(outstanding: int = 0, undrawn: int = 0, *, disbursed: int | None = None, until: date = LATER) -> LineFigures:
    drawn = outstanding if disbursed is None else disbursed
    return LineFigures(million(outstanding), million(drawn), million(undrawn), until)


def standing(room: int, *, company: int | None = None, lender: int | None = None, stopped: bool = False):
    limits = (None if limit is None else million(limit) for limit in (company, lender))
    return PoolStanding("zone/pool", million(room), *limits, stopped=stopped)


def change(entries) -> Totals:
    return sum((entry.change for entry in entries), Totals())


def promised(cover: int, share: Decimal = ONE) -> Cover:
    return reserve(replace(NEW, share=share), million(cover), held_until=LATER, on=DAY)[0]


class TestRoom:
    def test_is_the_balance_times_the_multiple_less_what_is_promised(self):
        terms = replace(TERMS, leverage_multiple=Decimal("2.5"))

        found = room(terms, Totals(paid_in=million(10), reserved=million(7), committed=million(8)))

        assert found == million(10)

    def test_is_nothing_where_a_pay_out_left_less_than_is_promised(self):
        totals = Totals(paid_in=million(10), committed=million(6), compensated=million(5))

        assert room(TERMS, totals) == 0

    def test_comes_back_at_the_moment_at_which_a_reservation_lapses(self):
        totals = Totals(paid_in=million(10), reserved=million(10))

        assert room(TERMS, totals, lapsed=million(4)) == million(4)

    def test_grows_again_by_what_is_recovered(self):
        paid = Totals(paid_in=million(10), compensated=million(5))

        assert room(TERMS, paid + recover(NEW, million(2), DAY).change) == million(7)


class TestWhatFits:
    def test_is_the_limit_where_there_is_just_room_for_it(self):
        assert fitting(standing(5), million(5), ONE) == million(5)

    def test_is_nothing_where_a_fen_is_missing(self):
        short = standing(5)._replace(room=million(5) - 1)

        assert fitting(short, million(5), ONE) is ReasonCode.COVER_NO_ROOM

    def test_is_the_cap_of_the_company_where_the_limit_lies_above_it(self):
        assert fitting(standing(100, company=5), million(8), ONE) == million(5)

    def test_is_nothing_for_a_company_whose_cap_is_used_up_at_other_lenders(self):
        assert fitting(standing(100, company=0), million(8), ONE) is ReasonCode.COVER_COMPANY_CAP_USED

    def test_is_bounded_by_the_quota_of_the_lender(self):
        assert fitting(standing(100, lender=4), million(5), ONE) is ReasonCode.COVER_LENDER_QUOTA_USED

    def test_asks_the_room_for_the_pools_own_share_only(self):
        assert fitting(standing(4), million(8), Decimal("0.50")) == million(8)

    def test_is_nothing_once_the_pool_has_stopped(self):
        assert fitting(standing(100, stopped=True), million(5), ONE) is ReasonCode.COVER_STOPPED

    @pytest.mark.parametrize(("status", "book"), [(s, b) for s in PoolStatus for b in PoolBook])
    def test_is_ours_to_reserve_only_in_our_own_active_pool(self, status, book):
        ours = takes_cover(replace(TERMS, status=status, book=book))

        assert ours is (status is PoolStatus.ACTIVE and book is PoolBook.OWN)


class TestAPromise:
    def test_reserves_the_covered_amount_times_the_share_rounded_up(self):
        cover, entries = reserve(replace(NEW, share=Decimal("0.3333")), Yuan(101), held_until=LATER, on=DAY)

        assert cover.reserved == Yuan(34)
        assert change(entries) == Totals(reserved=Yuan(34))

    def test_commits_what_is_drawn_and_leaves_the_rest_reserved(self):
        cover, entries = follow(promised(6), line(3, 3), DAY)

        assert (cover.committed, cover.reserved) == (million(3), million(3))
        assert change(entries) == Totals(reserved=-million(3), committed=million(3), drawn=million(3))

    def test_covers_a_line_above_it_first_and_is_repaid_last(self):
        drawn, _ = follow(promised(5), line(6, 2), DAY)
        repaid, entries = follow(drawn, line(5, 0, disbursed=6), DAY)

        assert (drawn.committed, drawn.reserved) == (million(5), 0)
        assert repaid.committed == million(5)
        assert entries == ()

    def test_gives_back_what_is_repaid(self):
        drawn, _ = follow(promised(5), line(5), DAY)
        repaid, entries = follow(drawn, line(2, disbursed=5), DAY)

        assert (repaid.committed, repaid.reserved, repaid.released) == (million(2), 0, million(3))
        assert [entry.kind for entry in entries] == [EntryKind.UNCOMMITTED, EntryKind.RELEASED]

    def test_keeps_what_is_repaid_for_a_revolving_line_until_it_is_no_longer_available(self):
        drawn, _ = follow(promised(5), line(5), DAY)
        repaid, _ = follow(drawn, line(2, 3, disbursed=5), DAY)
        lapsed, entries = follow(repaid, line(2, 3, disbursed=5), LATER + timedelta(days=1))

        assert (repaid.committed, repaid.reserved) == (million(2), million(3))
        assert change(entries) == Totals(reserved=-million(3))
        assert lapsed.held_until is None

    def test_comes_down_to_what_the_bank_approved(self):
        cover, entries = follow(promised(6), line(0, 4), DAY)

        assert cover.reserved == million(4)
        assert change(entries) == Totals(reserved=-million(2))

    def test_is_put_back_to_the_fen_when_a_repayment_is_reversed(self):
        drawn, _ = follow(promised(5), line(5), DAY)
        repaid, gone = follow(drawn, line(2, disbursed=5), DAY)
        reversed_, back = follow(repaid, line(5), DAY)

        assert replace(reversed_, held_until=None) == replace(drawn, held_until=None)
        assert change((*gone, *back)) == Totals()

    def test_is_given_back_whole_when_the_offer_ends(self):
        cover, entries = release(promised(5), DAY)

        assert (cover.reserved, cover.released) == (0, million(5))
        assert change(entries) == Totals(reserved=-million(5))
        assert release(cover, DAY)[1] == ()

    def test_counts_against_the_company_through_its_last_day_and_no_longer(self):
        cover = promised(5)

        assert cover.counts(LATER) == million(5)
        assert cover.counts(LATER + timedelta(days=1)) == 0

    def test_is_closed_by_a_payment_which_releases_the_rest(self):
        drawn, _ = follow(promised(6), line(5, 1), DAY)
        paid, entries = compensate(drawn, million(4), DAY)

        assert (paid.compensated, paid.released, paid.closed) == (million(4), million(2), True)
        assert change(entries) == Totals(reserved=-million(1), committed=-million(5), compensated=million(4))
        assert follow(paid, line(1), DAY) == (paid, ())

    @pytest.mark.parametrize("amount", [0, 5_000_001])
    def test_is_never_paid_beyond_what_was_committed(self, amount):
        drawn, _ = follow(promised(5), line(5), DAY)

        with pytest.raises(ValueError, match="cannot be paid"):
            compensate(drawn, Yuan.whole(amount), DAY)


class TestADrawdownThatReserves:
    def test_is_covered_where_all_of_it_fits(self):
        cover, entries, why = draw(NEW, line(3), standing(3), DAY)

        assert (cover.committed, cover.reserved, why) == (million(3), 0, None)
        assert [entry.kind for entry in entries] == [EntryKind.RESERVED, EntryKind.COMMITTED]

    def test_is_the_lenders_own_where_it_does_not(self):
        first, _, _ = draw(NEW, line(3), standing(3), DAY)
        second, entries, why = draw(first, line(5), standing(1), DAY)

        assert (second.committed, entries, why) == (million(3), (), ReasonCode.COVER_NO_ROOM)

    def test_takes_no_room_that_a_repayment_gave_back(self):
        first, _, _ = draw(NEW, line(3), standing(3), DAY)
        repaid, _ = follow(first, line(1, disbursed=3), DAY)
        again, entries, why = draw(repaid, line(4, disbursed=6), standing(0), DAY)

        assert (again.committed, entries, why) == (million(1), (), ReasonCode.COVER_NO_ROOM)


class TestTheLines:
    LINES = Lines(Numerator.COMPENSATED, Denominator.PAID_IN, warn=Decimal("0.10"), stop=Decimal("0.20"))
    POOL = replace(TERMS, lines=LINES)

    @pytest.mark.parametrize(
        ("compensated", "state"),
        [(0, "CLEAR"), (999_999, "CLEAR"), (1_000_000, "WARNED"), (1_999_999, "WARNED"), (2_000_000, "STOPPED")],
    )
    def test_are_reached_when_the_ratio_is_equal(self, compensated, state):
        totals = Totals(paid_in=million(10), compensated=Yuan.whole(compensated))

        assert line_state(self.POOL, totals) is LineState(state)

    def test_are_lifted_by_a_person_until_the_ratio_grows_again(self):
        totals = Totals(paid_in=million(10), compensated=million(2))
        lift = Lift(million(2))

        assert line_state(self.POOL, totals, lift) is LineState.LIFTED
        assert line_state(self.POOL, totals + Totals(compensated=Yuan(1)), lift) is LineState.STOPPED

    def test_may_leave_out_what_came_back(self):
        net = replace(TERMS, lines=replace(self.LINES, numerator=Numerator.COMPENSATED_NET))
        totals = Totals(paid_in=million(10), compensated=million(2), recovered=Yuan(1))

        assert line_state(net, totals) is LineState.WARNED
        assert line_state(self.POOL, totals) is LineState.STOPPED

    def test_stop_a_pool_that_paid_out_and_has_nothing_to_be_measured_by(self):
        assert line_state(self.POOL, Totals(compensated=Yuan(1))) is LineState.STOPPED


class TestTheIllustration:
    """10亿 at 500万 a company and multiple 1, the whole line covered: 200 places."""

    def test_fits_two_hundred_companies_and_not_one_more(self):
        terms = replace(TERMS, per_company_cap=million(5))
        totals, covers = Totals(paid_in=million(1_000)), []
        for i in range(201):
            found = fitting(
                PoolStanding(terms.id, room(terms, totals), company_room=million(5)), million(8), ONE
            )
            if found is ReasonCode.COVER_NO_ROOM:
                break
            cover, entries = reserve(replace(NEW, id=str(i)), found, held_until=LATER, on=DAY)
            totals += change(entries)
            covers.append(cover)

        assert len(covers) == 200
        totals += change(release(covers[7], DAY)[1])
        assert room(terms, totals) == million(5)


class TestTheInvariants:
    @given(
        share=st.decimals("0.01", "1", places=4),
        covered=st.integers(1, 10**9),
        moves=st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(-2, 2)), max_size=8),
    )
    def test_hold_whatever_the_line_does(self, share, covered, moves):
        cover, entries = reserve(replace(NEW, share=share), Yuan(covered), held_until=LATER, on=DAY)
        booked = list(entries)
        for outstanding, undrawn, days in moves:
            figures = LineFigures(Yuan(outstanding), Yuan(outstanding), Yuan(undrawn), LATER)
            cover, entries = follow(cover, figures, LATER + timedelta(days=days))
            booked += entries

        total = change(booked)
        assert (total.reserved, total.committed, total.drawn) == (cover.reserved, cover.committed, cover.drawn)
        assert cover.promised == cover.reserved + cover.committed + cover.released + cover.compensated
        assert cover.promised == pool_money(Yuan(covered), share)
        assert 0 <= cover.committed <= cover.drawn <= cover.promised
