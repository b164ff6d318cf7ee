"""贴息结算: interest that was paid, and what programmes owe on it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.money import Yuan
from app.domain.terms import ClaimKind, SubsidyBase
from app.ledger.interest import Accrual, balances
from app.ledger.subsidy import Claimed, Forfeit, InterestPaid, Programme, SubsidisedLine, factor, owed, settlement

DRAWN = date(2026, 1, 20)
RATE = Decimal("0.0360")
HALF = Programme("half", Fraction(1, 2), ClaimKind.AUTOMATIC)


def line(*payments: tuple[date, int], stack=(HALF,), id_="line", company="c", **more) -> SubsidisedLine:
    """1,000,000 yuan from 20 January on: 100 yuan of interest a day."""
    accrual = Accrual(balances([(DRAWN, 100_000_000)]), RATE)
    paid = tuple(InterestPaid(day, Yuan.whole(amount), (day, id_, i)) for i, (day, amount) in enumerate(payments))
    return SubsidisedLine(id_, company, "bank", accrual, paid, tuple(stack), **more)


def day(days: int) -> date:
    return DRAWN + timedelta(days=days)


def amount(found: SubsidisedLine, programme: str = "half") -> Yuan:
    return owed([found])[found.id, programme].amount


class TestAccrual:
    def test_counts_the_first_day_and_not_the_last(self):
        accrual = Accrual(balances([(DRAWN, 100_000_000), (day(30), -100_000_000)]), RATE)

        assert accrual.until(DRAWN) == 0
        assert accrual.until(day(1)) == accrual.until(day(30)) / 30 == 10_000
        assert accrual.until(day(99)) == 300_000

    @given(
        moves=st.lists(st.tuples(st.integers(0, 60), st.integers(1, 10**9)), min_size=1, max_size=6),
        until=st.integers(0, 90),
    )
    def test_is_the_sum_of_its_days(self, moves, until):
        accrual = Accrual(balances([(day(after), fen) for after, fen in moves]), RATE)

        by_day = sum(sum(fen for after, fen in moves if after <= d) for d in range(until))

        assert accrual.until(day(until)) == Fraction(by_day) * Fraction(RATE) / 360


class TestWhatIsOwed:
    def test_is_a_share_of_the_interest_that_was_paid(self):
        assert amount(line((day(30), 3_000))) == Yuan.whole(1_500)

    def test_is_nothing_while_nothing_is_paid_or_drawn(self):
        undrawn = replace(line((day(30), 3_000)), accrual=Accrual((), RATE))

        assert (amount(line()), amount(undrawn)) == (0, 0)

    def test_leaves_out_what_lies_above_the_contracts_own_interest(self):
        assert amount(line((day(30), 3_500))) == Yuan.whole(1_500)

    def test_counts_what_was_paid_too_late_once_it_is_paid(self):
        assert amount(line((day(30), 1_000), (day(45), 3_500))) == Yuan.whole(2_250)

    def test_is_the_same_in_whatever_order_payments_are_reported(self):
        late = line((day(60), 3_000), (day(30), 3_000))

        assert amount(late) == amount(line((day(30), 3_000), (day(60), 3_000))) == Yuan.whole(3_000)

    @pytest.mark.parametrize(
        ("base", "share", "a_day"),
        [("INTEREST_SHARE", "0.50", 50), ("PRINCIPAL_RATE", "0.018", 50), ("LPR_SHARE", "0.60", 50)],
    )
    def test_accrues_points_and_shares_of_the_lpr_on_the_same_days(self, base, share, a_day):
        found = factor(SubsidyBase(base), Decimal(share), RATE, Decimal("0.0300"))

        assert amount(line((day(30), 3_000), stack=[replace(HALF, factor=found)])) == Yuan.whole(a_day * 30)

    def test_ends_with_the_longest_subsidised_term(self):
        one_month = replace(HALF, maximum_months=1)

        assert amount(line((day(60), 6_000), stack=[one_month])) == Yuan.whole(50 * 31)

    @pytest.mark.parametrize(
        ("forfeit", "days"), [(Forfeit.NONE, 60), (Forfeit.WHILE_PAST_DUE, 50), (Forfeit.FROM_PAST_DUE_ON, 30)]
    )
    def test_may_be_forfeited_by_being_past_due(self, forfeit, days):
        found = line((day(60), 6_000), stack=[replace(HALF, forfeit=forfeit)], past_due=((day(30), day(40)),))

        assert amount(found) == Yuan.whole(50 * days)

    def test_stops_at_each_cap(self):
        paid = ((day(30), 3_000), (day(60), 3_000))
        for cap in ("cap_per_loan", "cap_per_company_and_year", "cap_per_company", "budget"):
            capped = line(*paid, stack=[replace(HALF, **{cap: Yuan.whole(2_000)})])

            assert owed([capped])["line", "half"].amount == Yuan.whole(2_000)
            assert len(owed([capped])["line", "half"].bounds) == 1

    def test_begins_a_companys_year_anew(self):
        capped = replace(HALF, cap_per_company_and_year=Yuan.whole(1_000))
        found = line((day(340), 34_000), (date(2027, 1, 20), 2_500), stack=[capped])

        assert amount(found) == Yuan.whole(2_000)

    def test_shares_a_companys_cap_among_its_loans_in_the_order_of_the_reports(self):
        capped = replace(HALF, cap_per_company=Yuan.whole(2_000))
        first = line((day(30), 3_000), stack=[capped], id_="a")
        second = line((day(31), 3_000), stack=[capped], id_="b")

        found = owed([second, first])

        assert found["a", "half"].amount == Yuan.whole(1_500)
        assert (found["b", "half"].amount, found["b", "half"].bounds) == (Yuan.whole(500), ("CAP_PER_COMPANY",))

    def test_is_of_a_companys_first_loan_only_where_the_programme_says_so(self):
        only = replace(HALF, one_loan_only=True)
        later = replace(
            line((day(30), 100), stack=[only], id_="a"), accrual=Accrual(balances([(day(1), 100_000_000)]), RATE)
        )

        found = owed([later, line((day(30), 3_000), stack=[only], id_="b")])

        assert (found["a", "half"].amount, found["b", "half"].amount) == (0, Yuan.whole(1_500))

    def test_takes_of_an_exclusion_group_the_one_that_pays_most(self):
        group = [
            replace(HALF, exclusion_group="g"),
            replace(HALF, id="more", factor=Fraction(3, 5), exclusion_group="g"),
        ]

        assert owed([line((day(30), 3_000), stack=group)]) == {
            ("line", "more"): owed([line((day(30), 3_000), stack=[replace(group[1], exclusion_group=None)])])[
                "line", "more"
            ]
        }

    def test_stacks_in_order_until_the_interest_is_used_up(self):
        stack = [replace(HALF, factor=Fraction(4, 5)), replace(HALF, id="second")]

        found = owed([line((day(30), 3_000), stack=stack)])

        assert [found["line", id_].amount for id_ in ("half", "second")] == [Yuan.whole(2_400), Yuan.whole(600)]
        assert found["line", "second"].bounds == ("INTEREST",)

    @given(
        payments=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 2_000_000)), max_size=8),
        factors=st.lists(st.fractions(0, 1, max_denominator=7), min_size=1, max_size=4),
        budget=st.none() | st.integers(0, 10**6),
    )
    def test_never_exceeds_the_interest_or_the_budget(self, payments, factors, budget):
        most = None if budget is None else Yuan(budget)
        stack = [Programme(f"p{i}", f, ClaimKind.AUTOMATIC, budget=most) for i, f in enumerate(factors)]
        paid = tuple(InterestPaid(day(after), Yuan(fen), i) for i, (after, fen) in enumerate(payments))

        found = owed([replace(line(stack=stack), paid=paid)])

        assert sum(one.amount for one in found.values()) <= sum(fen for _, fen in payments)
        assert all(0 <= one.amount <= (budget if budget is not None else one.amount) for one in found.values())


class TestASettlementList:
    def test_holds_what_became_known_in_its_period(self):
        before, after = line((day(30), 3_000)), line((day(30), 3_000), (day(60), 3_000))

        [row] = settlement([before], [after])

        assert (row.interest_paid, row.amount, row.in_all) == (Yuan.whole(3_000), Yuan.whole(1_500), Yuan.whole(3_000))

    def test_takes_back_what_was_given_for_a_payment_that_was_reversed(self):
        [row] = settlement([line((day(30), 3_000))], [line()])

        assert (row.interest_paid, row.amount) == (-Yuan.whole(3_000), -Yuan.whole(1_500))

    def test_leaves_out_lines_of_which_nothing_changed(self):
        same = line((day(30), 3_000))

        assert settlement([same], [same]) == ()

    def test_divides_each_row_among_its_payers_to_the_fen(self):
        thirds = replace(HALF, payers=(("CITY", Decimal("0.3333")), ("ZONE", Decimal("0.6667"))))

        [row] = settlement([], [line((day(30), 3_000), stack=[thirds])])

        assert row.payers == {"CITY": Yuan.parse("499.95"), "ZONE": Yuan.parse("1000.05")}

    @given(cuts=st.lists(st.integers(0, 9), max_size=4), fens=st.lists(st.integers(0, 99_999), min_size=9, max_size=9))
    def test_adds_up_over_the_periods_whatever_they_are(self, cuts, fens):
        stack = [replace(HALF, factor=Fraction(1, 3), payers=(("CITY", Decimal("0.7")), ("ZONE", Decimal("0.3"))))]
        paid = [InterestPaid(day(20 * (i + 1)), Yuan(fen), i) for i, fen in enumerate(fens)]
        marks = [0, *sorted(cuts), 9]
        at = [replace(line(stack=stack), paid=tuple(paid[:mark])) for mark in marks]

        rows = [row for then, now in pairwise(at) for row in settlement([then], [now])]

        assert sum(row.amount for row in rows) == amount(at[-1])
        assert all(sum(row.payers.values()) == row.amount for row in rows)


CLAIMED_HALF = replace(HALF, claim=ClaimKind.BY_COMPANY, claim_within_days=30)


def claim(until: date, on: date, *, after: date | None = None) -> Claimed:
    """A claim on what was reported before `after`, or before the day of the claim."""
    return Claimed("half", until, on, (after or on, "~", 0))


def claimed(*claims: Claimed, stack=(CLAIMED_HALF,)) -> SubsidisedLine:
    """3,000 yuan paid on day 30 and 1,000 on day 40, with what was claimed of them."""
    return line((day(30), 3_000), (day(40), 1_000), stack=stack, claims=claims)


class TestASubsidyThatTheCompanyClaims:
    def test_is_nothing_until_it_is_claimed(self):
        found = owed([claimed()], day(50))["line", "half"]

        assert (found.amount, found.bounds) == (0, ("NOT_CLAIMED",))

    def test_counts_what_the_claim_reaches_and_no_more(self):
        found = owed([claimed(claim(day(30), day(45)))], day(45))["line", "half"]

        assert (found.amount, found.bounds) == (Yuan.whole(1_500), ("NOT_CLAIMED",))

    def test_does_not_reach_what_is_reported_after_it(self):
        early = claim(day(50), day(45), after=day(35))

        assert amount(claimed(early)) == Yuan.whole(1_500)
        assert amount(claimed(early, claim(day(50), day(50)))) == Yuan.whole(2_000)

    @pytest.mark.parametrize(("on", "due", "bounds"), [(60, 1_500, ()), (61, 0, ("FORFEITED",))])
    def test_is_forfeited_by_a_claim_after_the_last_day(self, on: int, due: int, bounds: tuple[str, ...]):
        found = owed([line((day(30), 3_000), stack=(CLAIMED_HALF,), claims=(claim(day(30), day(on)),))])["line", "half"]

        assert (found.amount, found.bounds) == (Yuan.whole(due), bounds)

    def test_is_said_to_be_forfeited_once_nobody_can_claim_it_any_more(self):
        assert owed([claimed()], day(71))["line", "half"].bounds == ("FORFEITED",)

    def test_never_makes_programmes_exceed_the_interest_when_it_is_claimed_late(self):
        rest = Programme("rest", Fraction(3, 4), ClaimKind.AUTOMATIC)

        found = owed([claimed(claim(day(40), day(41)), stack=(CLAIMED_HALF, rest))])

        assert found["line", "rest"].amount == Yuan.whole(3_000)
        assert found["line", "half"].amount == Yuan.whole(1_000)
        assert "INTEREST" in found["line", "half"].bounds

    def test_stands_in_the_list_of_the_quarter_in_which_it_was_claimed(self):
        before, after = claimed(), claimed(claim(day(40), day(45)))

        (row,) = settlement([before], [after])
        assert (row.amount, row.in_all, row.interest_paid) == (Yuan.whole(2_000), Yuan.whole(2_000), 0)

    def test_has_a_row_when_it_is_forfeited_though_nothing_was_paid(self):
        (row,) = settlement([claimed()], [claimed()], (day(50), day(80)))

        assert (row.amount, row.bounds) == (0, ("FORFEITED",))
