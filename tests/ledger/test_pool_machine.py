"""The pool as a state machine, against a model that knows nothing of entries: plain figures of each line, every day."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from math import ceil

import pytest
from hypothesis import Phase, settings
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
from app.domain.pool import PoolBook, PoolStatus, PoolTerms
from app.domain.terms import Words
from app.ledger.pool import (
    Cover,
    LineFigures,
    Totals,
    compensate,
    contribute,
    fitting,
    follow,
    recover,
    release,
    reserve,
    room,
    standing,
)

BEGIN = date(2026, 1, 1)
LENDERS, COMPANIES = ("a", "b"), ("c1", "c2", "c3")
CAP, QUOTA = 500, {"a": Yuan(2_000), "b": Yuan(400)}
TERMS = PoolTerms(
    "zone/pool", Words("池", "pool"), PoolStatus.ACTIVE, PoolBook.OWN, leverage_multiple=Decimal("1.5"),
    per_company_cap=Yuan(CAP), lender_quotas=QUOTA,
)  # fmt: skip


@dataclass
class Line:
    """The model's line: its limit, what was drawn and repaid, until when, and what the pool has paid on it."""

    lender: str
    company: str
    share: Decimal
    covered: int
    limit: int
    until: date
    drawn: int = 0
    repaid: int = 0
    ended: bool = False
    paid: int = 0
    taken_back: list[tuple[str, int]] = None

    def parts(self, on: date) -> tuple[int, int]:
        """The pool's money committed and reserved, from scratch."""
        if self.paid:
            return 0, 0
        left = 0 if self.ended or self.until < on else self.limit - self.drawn
        owing = self.drawn - self.repaid
        committed = ceil(min(owing, self.covered) * self.share)
        return committed, ceil(min(owing + left, self.covered) * self.share) - committed


class PoolMachine(RuleBasedStateMachine):
    """Lenders reserve, draw, repay, take back, end, lose and recover, while days pass."""

    @initialize(capital=st.integers(100, 600))
    def begin(self, capital: int) -> None:
        self.on, self.entries = BEGIN, [contribute(Yuan(capital), BEGIN)]
        self.capital, self.recovered = capital, 0
        self.lines: list[Line] = []
        self.covers: list[Cover] = []

    # ---- what the pool itself says ----

    def totals(self) -> Totals:
        return sum((entry.change for entry in self.entries), Totals())

    def lapsed(self) -> Yuan:
        return Yuan(sum(c.reserved for c in self.covers if c.held_until is not None and c.held_until < self.on))

    def capacity(self) -> int:
        balance = self.capital - sum(line.paid for line in self.lines) + self.recovered
        return int(balance * TERMS.leverage_multiple)

    def book(self, at: int, moved) -> None:
        self.covers[at], entries = moved
        self.entries += entries

    def follow(self, at: int) -> None:
        line = self.lines[at]
        undrawn = 0 if line.ended else line.limit - line.drawn
        figures = LineFigures(Yuan(line.drawn - line.repaid), Yuan(line.drawn), Yuan(undrawn), line.until)
        self.book(at, follow(self.covers[at], figures, self.on))

    # ---- what happens ----

    @rule(amount=st.integers(1, 50))
    def pay_in(self, amount: int) -> None:
        self.entries.append(contribute(Yuan(amount), self.on))
        self.capital += amount

    @rule(
        lender=st.sampled_from(LENDERS), company=st.sampled_from(COMPANIES), limit=st.integers(1, 800),
        share=st.sampled_from([Decimal(1), Decimal("0.5"), Decimal("0.333")]), days=st.integers(0, 40),
    )  # fmt: skip
    def ask(self, lender: str, company: str, limit: int, share: Decimal, days: int) -> None:
        live = [(c, line.parts(self.on)) for c, line in zip(self.covers, self.lines, strict=True)]
        company_now = Yuan(sum(c.counts(self.on) for c in self.covers if c.uscc == company))
        lender_now = Yuan(sum(sum(parts) for c, parts in live if c.lender == lender))
        found = standing(
            TERMS, self.totals(), self.lapsed(), company=company_now, lender=lender_now, lender_id=lender, stopped=False
        )
        fits = fitting(found, Yuan(limit), share)
        covered = min(limit, CAP - company_now)
        needed, promised = ceil(covered * share), sum(sum(parts) for _, parts in live)
        # Accepted exactly where the model, which adds up lines, finds room for it.
        accepted = covered > 0 and promised + needed <= self.capacity() and lender_now + needed <= QUOTA[lender]
        assert isinstance(fits, Yuan) == accepted
        if not accepted:
            return
        until = self.on + timedelta(days=days)
        self.lines.append(Line(lender, company, share, covered, limit, until, taken_back=[]))
        self.covers.append(Cover(str(len(self.covers)), TERMS.id, lender, company, share))
        self.book(-1, reserve(self.covers[-1], fits, held_until=until, on=self.on))

    def some(self, pick: int) -> int:
        return pick % len(self.lines)

    @precondition(lambda self: self.lines)
    @rule(pick=st.integers(0, 99), amount=st.integers(1, 800))
    def draw(self, pick: int, amount: int) -> None:
        line = self.lines[at := self.some(pick)]
        if not line.ended and not line.paid and line.until >= self.on and line.drawn + amount <= line.limit:
            line.drawn += amount
            line.taken_back.append(("drawn", amount))
            self.follow(at)

    @precondition(lambda self: self.lines)
    @rule(pick=st.integers(0, 99), amount=st.integers(1, 800))
    def repay(self, pick: int, amount: int) -> None:
        line = self.lines[at := self.some(pick)]
        if not line.paid and line.repaid + amount <= line.drawn:
            line.repaid += amount
            line.taken_back.append(("repaid", amount))
            self.follow(at)

    @precondition(lambda self: self.lines)
    @rule(pick=st.integers(0, 99))
    def take_back_the_last(self, pick: int) -> None:
        line = self.lines[at := self.some(pick)]
        if line.taken_back and not line.paid:
            what, amount = line.taken_back.pop()
            setattr(line, what, getattr(line, what) - amount)
            self.follow(at)

    @precondition(lambda self: self.lines)
    @rule(pick=st.integers(0, 99))
    def end(self, pick: int) -> None:
        line = self.lines[at := self.some(pick)]
        line.ended = True
        self.book(at, release(self.covers[at], self.on))

    @precondition(lambda self: self.lines)
    @rule(pick=st.integers(0, 99), amount=st.integers(1, 800))
    def lose(self, pick: int, amount: int) -> None:
        line = self.lines[at := self.some(pick)]
        committed, _ = line.parts(self.on)
        balance = self.capital - sum(one.paid for one in self.lines) + self.recovered
        pays = min(amount, committed, balance)
        if pays > 0:
            line.paid = pays
            self.book(at, compensate(self.covers[at], Yuan(pays), self.on))

    @precondition(lambda self: any(line.paid for line in self.lines))
    @rule(amount=st.integers(1, 100))
    def get_back(self, amount: int) -> None:
        amount = min(amount, sum(line.paid for line in self.lines) - self.recovered)
        if amount > 0:
            self.recovered += amount
            self.entries.append(recover(replace(self.covers[0], id="any"), Yuan(amount), self.on))

    @rule(days=st.integers(1, 20))
    def days_pass(self, days: int) -> None:
        self.on += timedelta(days=days)

    # ---- what holds at every moment ----

    @invariant()
    def entries_add_up_to_what_the_model_holds(self) -> None:
        totals, lapsed = self.totals(), self.lapsed()
        parts = [line.parts(self.on) for line in self.lines]
        assert totals.committed == sum(committed for committed, _ in parts)
        assert totals.reserved - lapsed == sum(reserved for _, reserved in parts)
        assert totals.compensated == sum(line.paid for line in self.lines)
        assert totals.balance == self.capital - totals.compensated + self.recovered

    @invariant()
    def room_is_never_below_nothing_and_never_beyond_the_capacity(self) -> None:
        promised = sum(sum(line.parts(self.on)) for line in self.lines)
        assert room(TERMS, self.totals(), self.lapsed()) == max(0, self.capacity() - promised)

    @invariant()
    def each_fen_of_a_promise_is_resolved_once(self) -> None:
        for cover in self.covers:
            parts = (cover.reserved, cover.committed, cover.released, cover.compensated)
            assert min(parts) >= 0
            assert sum(parts) == cover.promised


TestPoolMachine = PoolMachine.TestCase
TestPoolMachine.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)


@pytest.mark.soak
class TestPoolMachineInFull(PoolMachine.TestCase):
    settings = settings(max_examples=20_000, stateful_step_count=60, deadline=None)


def room_without_what_is_committed(terms, totals, lapsed, /, **more):
    return standing(terms, totals._replace(committed=Yuan(0)), lapsed, **more)


def reservations_that_time_does_not_end(terms, totals, lapsed, /, **more):
    return standing(terms, totals, Yuan(0), **more)


def a_release_that_says_nothing(cover, on):
    return release(cover, on)[0], ()


def a_draw_that_commits_the_whole_cover(cover, line, on):
    return follow(cover, replace(line, outstanding=cover.covered if line.outstanding else Yuan(0)), on)


class TestTheMachine:
    @pytest.mark.parametrize(
        ("name", "defect"),
        [
            ("standing", room_without_what_is_committed),
            ("standing", reservations_that_time_does_not_end),
            ("release", a_release_that_says_nothing),
            ("follow", a_draw_that_commits_the_whole_cover),
        ],
    )
    def test_catches_a_planted_defect(self, name, defect, monkeypatch):
        # The defect itself goes on calling what it stands in for.
        sound = type(defect)(defect.__code__, dict(globals()), defect.__name__, defect.__defaults__)
        monkeypatch.setitem(globals(), name, sound)

        with pytest.raises(AssertionError):
            run_state_machine_as_test(
                PoolMachine,
                settings=settings(
                    max_examples=1_500, stateful_step_count=30, deadline=None, phases=[Phase.generate],
                    derandomize=True, database=None,
                ),
            )  # fmt: skip
