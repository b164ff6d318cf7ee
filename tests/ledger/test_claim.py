"""代偿与追偿, 备案 and 对账单: who bears a loss, what is due when, and what a period comes to."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.money import Yuan
from app.domain.pool import ClaimTerms, FilingTerms, LossBasis
from app.domain.working_days import WorkingDays, YearOfWork
from app.ledger.claim import (
    BANK,
    POOL,
    ClaimObstacle,
    Loss,
    PoolSide,
    compensation,
    newly_returned,
    obstacle,
    returned,
    review_until,
)
from app.ledger.filing import Drawdown, FilingState, filings
from app.ledger.pool import Cover, LineFigures, Totals, contribute, follow, reserve
from app.ledger.statement import BookedEntry, DoesNotReconcile, statement

DAY = date(2026, 9, 24)
SHARES = {"POOL": Decimal("0.50"), "GUARANTOR": Decimal("0.30"), "BANK": Decimal("0.20")}
RICH = PoolSide(Yuan.whole(10**9))
# 中秋节 and 国庆节 of 2026, and the Sundays worked instead.
DAYS = WorkingDays({
    2026: YearOfWork(
        frozenset(date(2026, 9, day) for day in (25, 26, 27)) | frozenset(date(2026, 10, day) for day in range(1, 8)),
        frozenset({date(2026, 9, 20), date(2026, 10, 10)}),
    )
})  # fmt: skip


def drawn(amount: int, *, covered: int | None = None, share: str = "0.50") -> Cover:
    new = Cover("offer", "zone/pool", "bank", "91999999MAT000018E", Decimal(share))
    held, _ = reserve(new, Yuan.whole(covered or amount), held_until=DAY, on=DAY)
    figures = LineFigures(Yuan.whole(amount), Yuan.whole(amount), Yuan(0), DAY)
    return follow(held, figures, DAY)[0]


def loss(principal: int, interest: int = 0, **more) -> Loss:
    return Loss(Yuan.whole(principal), Yuan.whole(interest), **{"since": date(2026, 6, 26), **more})


class TestAClaim:
    TERMS = ClaimTerms(after_days_past_due=90, documents=("contract", "demand-letter"), review_working_days=5)
    PAPERS = ("demand-letter", "contract")

    @pytest.mark.parametrize(("since", "taken"), [(date(2026, 6, 26), True), (date(2026, 6, 27), False)])
    def test_is_taken_from_the_ninetieth_day_on(self, since, taken):
        asked = loss(100, since=since, documents=self.PAPERS)

        found = obstacle(drawn(100), asked, self.TERMS, outstanding=Yuan.whole(100), on=DAY)

        assert (found is None) is taken
        assert taken or (found.why, found.first_on) == (ClaimObstacle.TOO_EARLY, date(2026, 9, 25))

    def test_names_the_documents_that_it_lacks(self):
        asked = loss(100, documents=("contract",))

        found = obstacle(drawn(100), asked, self.TERMS, outstanding=Yuan.whole(100), on=DAY)

        assert (found.why, found.missing) == (ClaimObstacle.DOCUMENTS_MISSING, ("demand-letter",))

    def test_is_of_no_more_than_is_outstanding(self):
        asked = loss(101, documents=self.PAPERS)

        found = obstacle(drawn(100), asked, self.TERMS, outstanding=Yuan.whole(100), on=DAY)

        assert (found.why, found.at_most) == (ClaimObstacle.MORE_THAN_OUTSTANDING, Yuan.whole(100))

    def test_needs_something_committed_and_is_paid_once(self):
        asked, terms = loss(100), ClaimTerms()
        undrawn = Cover("offer", "zone/pool", "bank", "91999999MAT000018E", Decimal(1))
        paid = replace(drawn(100), closed=True)

        whys = [obstacle(c, asked, terms, outstanding=Yuan.whole(100), on=DAY).why for c in (undrawn, paid)]

        assert whys == [ClaimObstacle.NOTHING_COMMITTED, ClaimObstacle.PAID_BEFORE]

    def test_is_reviewed_within_working_days_over_the_holidays(self):
        # 28, 29, 30 September, 8 and 9 October.
        assert review_until(self.TERMS, DAY, DAYS) == date(2026, 10, 9)

    def test_has_no_last_day_of_review_where_the_years_holidays_are_not_announced(self):
        assert review_until(self.TERMS, date(2026, 12, 30), DAYS) is None


class TestCompensation:
    def test_is_divided_by_the_shares_that_the_decision_recorded(self):
        found = compensation(drawn(100), loss(100), SHARES, ClaimTerms(), RICH)

        assert found.borne == {"POOL": Yuan.whole(50), "GUARANTOR": Yuan.whole(30), "BANK": Yuan.whole(20)}

    def test_leaves_the_lender_what_lies_above_the_cover(self):
        found = compensation(drawn(800, covered=500), loss(800), SHARES, ClaimTerms(), RICH)

        assert found.borne == {"POOL": Yuan.whole(250), "GUARANTOR": Yuan.whole(150), "BANK": Yuan.whole(400)}

    def test_counts_interest_only_where_the_pool_answers_for_it(self):
        both = replace(ClaimTerms(), loss_basis=LossBasis.PRINCIPAL_AND_INTEREST)
        cover = drawn(100)

        principal = compensation(cover, loss(80, 10), SHARES, ClaimTerms(), RICH)
        with_interest = compensation(cover, loss(80, 10), SHARES, both, RICH)

        assert (principal.loss, principal.by_pool) == (Yuan.whole(80), Yuan.whole(40))
        assert (with_interest.loss, with_interest.by_pool) == (Yuan.whole(90), Yuan.whole(45))

    def test_keeps_all_public_money_below_its_ceiling(self):
        terms = replace(ClaimTerms(), public_ceiling=Decimal("0.70"), public_bearers=("POOL", "GUARANTOR"))

        found = compensation(drawn(100), loss(100), SHARES, terms, RICH)

        assert (found.by_pool, found.borne["BANK"]) == (Yuan.whole(40), Yuan.whole(30))
        assert found.bounds == ("PUBLIC_CEILING",)

    def test_pays_no_more_than_is_in_the_pool(self):
        found = compensation(drawn(100), loss(100), SHARES, ClaimTerms(), PoolSide(Yuan.whole(7)))

        assert (found.by_pool, found.borne["BANK"], found.bounds) == (Yuan.whole(7), Yuan.whole(63), ("BALANCE",))

    @pytest.mark.parametrize(
        ("paid_before", "by_pool"), [(0, 50), (250, 50), (260, 45), (300, 25), (480, 10), (500, 0), (600, 0)]
    )
    def test_falls_by_tiers_as_the_lender_is_paid_more(self, paid_before, by_pool):
        # Whole up to 3 % of what was drawn (300), half up to 5 % (500), and nothing beyond.
        terms = replace(ClaimTerms(), tiers=((Decimal("0.03"), Decimal("0.5")), (Decimal("0.05"), Decimal(0))))
        side = replace(RICH, lender_compensated=Yuan.whole(paid_before), lender_drawn=Yuan.whole(10_000))

        found = compensation(drawn(100), loss(100), SHARES, terms, side)

        assert found.by_pool == Yuan.whole(by_pool)

    @given(
        principal=st.integers(1, 10**12), covered=st.integers(1, 10**12), interest=st.integers(0, 10**10),
        pool=st.integers(0, 100), guarantor=st.integers(0, 100), balance=st.integers(0, 10**12),
        ceiling=st.none() | st.integers(0, 100).map(lambda n: Decimal(n) / 100),
    )  # fmt: skip
    def test_always_adds_up_to_the_loss(self, principal, covered, interest, pool, guarantor, balance, ceiling):
        shares = {"POOL": Decimal(pool) / 200, "GUARANTOR": Decimal(guarantor) / 200}
        shares["BANK"] = 1 - sum(shares.values())
        cover = replace(
            Cover("o", "p", "b", "c", shares["POOL"]), covered=Yuan(covered), promised=Yuan(10**13),
            outstanding=Yuan(min(covered, principal)),
        )  # fmt: skip
        terms = ClaimTerms(loss_basis=LossBasis.PRINCIPAL_AND_INTEREST, public_ceiling=ceiling)

        found = compensation(cover, Loss(Yuan(principal), Yuan(interest), DAY), shares, terms, PoolSide(Yuan(balance)))

        assert sum(found.borne.values()) == found.loss == principal + interest
        assert min(found.borne.values()) >= 0
        assert found.by_pool <= min(cover.committed, balance)
        assert ceiling is None or found.by_pool <= found.loss * ceiling


class TestARecovery:
    BORNE = {POOL: Yuan(500), "GUARANTOR": Yuan(300), BANK: Yuan(200)}  # noqa: RUF012

    def test_is_returned_in_the_proportion_in_which_the_loss_was_borne(self):
        assert returned(self.BORNE, Yuan(10)) == {POOL: Yuan(5), "GUARANTOR": Yuan(3), BANK: Yuan(2)}

    def test_is_never_more_than_was_lost(self):
        with pytest.raises(ValueError, match="recovered of a loss"):
            returned(self.BORNE, Yuan(1001))

    @given(parts=st.lists(st.integers(0, 40), max_size=25))
    def test_comes_to_the_same_in_however_many_parts(self, parts):
        so_far, sums = Yuan(0), dict.fromkeys(self.BORNE, 0)
        for part in parts:
            for bearer, amount in newly_returned(self.BORNE, so_far, Yuan(part)).items():
                sums[bearer] += amount
            so_far += part

        assert sums == returned(self.BORNE, so_far)


class TestFilings:
    DRAWN = Drawdown("event", "offer", "bank", Yuan.whole(1), date(2026, 9, 24))

    @pytest.mark.parametrize(
        ("on", "filed", "state"),
        [
            (date(2026, 10, 9), None, "DUE"),
            (date(2026, 10, 10), None, "LATE"),
            (date(2026, 12, 1), date(2026, 10, 9), "FILED"),
            (date(2026, 12, 1), date(2026, 10, 10), "FILED_LATE"),
        ],
    )
    def test_are_late_from_the_day_after_the_last_one(self, on, filed, state):
        done = {} if filed is None else {"event": filed}

        [found] = filings(FilingTerms(5, working_days=True), [self.DRAWN], done, DAYS, on)

        assert (found.due_on, found.state) == (date(2026, 10, 9), FilingState(state))

    def test_may_be_due_in_calendar_days(self):
        [found] = filings(FilingTerms(30), [self.DRAWN], {}, WorkingDays({}), DAY)

        assert found.due_on == date(2026, 10, 24)

    def test_are_never_called_late_by_holidays_that_are_not_announced(self):
        [found] = filings(FilingTerms(5, working_days=True), [self.DRAWN], {}, WorkingDays({}), date(2199, 1, 1))

        assert (found.due_on, found.state) == (None, FilingState.DUE)


class TestAStatement:
    def test_opens_closes_and_names_every_decision(self):
        new = Cover("offer", "zone/pool", "bank", "91999999MAT000018E", Decimal(1))
        held, reserved = reserve(new, Yuan(60), held_until=date(2027, 1, 1), on=DAY)
        _, moved = follow(held, LineFigures(Yuan(50), Yuan(50), Yuan(0), DAY), DAY)
        booked = [
            BookedEntry(contribute(Yuan(100), DAY), date(2026, 9, 30), None),
            *(BookedEntry(entry, date(2026, 9, 30), "decision") for entry in reserved),
            *(BookedEntry(entry, date(2026, 10, 1), "decision") for entry in moved),
        ]
        closing = Totals(paid_in=Yuan(100), committed=Yuan(50), drawn=Yuan(50))

        found = statement(booked, since=date(2026, 10, 1), until=date(2027, 1, 1), closing=closing)
        of_lender = statement(booked, since=date(2026, 7, 1), until=date(2026, 10, 1), lender="bank")

        assert found.opening == Totals(paid_in=Yuan(100), reserved=Yuan(60))
        assert [(line.decision_id, line.change.committed) for line in found.lines] == [("decision", Yuan(50))]
        assert found.closing == closing
        assert (of_lender.opening, of_lender.closing) == (Totals(), Totals(reserved=Yuan(60)))

    def test_is_not_made_where_the_book_holds_something_else(self):
        booked = [BookedEntry(contribute(Yuan(100), DAY), DAY, None)]

        with pytest.raises(DoesNotReconcile):
            statement(booked, since=DAY, until=date(2027, 1, 1), closing=Totals(paid_in=Yuan(99)))
