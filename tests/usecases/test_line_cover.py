"""Cover of a line under each way of reserving: what events do to the pool, late and out of order, and taken back."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from app.domain.money import Yuan
from app.domain.pool import PoolBook, PoolStanding, PoolStatus, PoolTerms
from app.domain.terms import ReservedAt, Words
from app.ledger.offer import REVERSIBLE, Checks, Event, EventKind, OfferLife, PreApproval, Refusal
from app.ledger.pool import Cover, CoveredLine, Totals, promise, standing
from app.usecases.line_cover import CoverSeen, NamedPool, cover_after, covered_after
from app.usecases.pool_book import HeldCover

MADE = date(2026, 1, 5)
LAPSES = MADE + timedelta(days=120)
K = EventKind
CLEAR = Checks(False, False, False, False)
SHARES = {"POOL": Decimal("0.333"), "BANK": Decimal("0.667")}
LIMIT, PLENTY = 1_000, 10**9
IDS = itertools.count(1)


@dataclass
class Line:
    """A line, its cover and the pool's entries; nobody else takes from the pool."""

    reserve_at: ReservedAt
    capital: int = PLENTY
    revolving: bool = True
    held: HeldCover | None = None
    totals: Totals = field(default_factory=Totals)
    told: list[str | None] = field(default_factory=list)
    covered: dict[str, Yuan] = field(default_factory=dict)

    def __post_init__(self) -> None:
        offer = PreApproval("O", "D", "A", "boc/loan", "U", None, Yuan(LIMIT), MADE, LAPSES, self.revolving)
        self.life, self.named = OfferLife(offer), NamedPool("zone/pool", self.reserve_at, SHARES)
        self.totals += Totals(paid_in=Yuan(self.capital))
        if self.reserve_at is ReservedAt.OFFER:
            line = CoveredLine("O", "zone/pool", "boc", "U", SHARES["POOL"])
            cover, entries = promise(line, Yuan(LIMIT), held_until=LAPSES, on=MADE)
            self.take(HeldCover(cover, "D", SHARES), entries)

    def take(self, held: HeldCover, entries) -> None:
        self.held = held
        self.totals = sum((entry.change for entry in entries), self.totals)

    def tell(self, event: Event, today: int) -> bool:
        """Whether the event was taken."""
        on = MADE + timedelta(days=today)
        try:
            self.life = self.life.after(event, on)
        except Refusal:
            return False
        seen = CoverSeen(on, self.held, self.room, lambda: self.covered)
        moved = cover_after(seen, self.named, self.life, event.kind, "boc", event.event_id)
        for change in moved.changes:
            self.take(change.held, change.entries)
        self.covered[event.event_id] = covered_after(moved.shown)
        self.told.append(moved.shown["reason"])
        return True

    def room(self, cover: Cover) -> PoolStanding:
        terms = PoolTerms("zone/pool", Words("池", "pool"), PoolStatus.ACTIVE, PoolBook.OWN)
        nothing = Yuan(0)
        return standing(terms, self.totals, nothing, company=nothing, lender=nothing, lender_id="boc", stopped=False)

    def figures(self) -> tuple:
        """Every figure there is of the line, its cover and the pool."""
        cover = self.held and self.held.cover
        parts = cover and (cover.outstanding, cover.undrawn, cover.committed, cover.reserved, cover.drawn)
        return self.life.figures(), parts or (0, 0, 0, 0, 0), self.totals


def event(kind: EventKind, days: int, **members: object) -> Event:
    return Event(f"e{next(IDS)}", kind, MADE + timedelta(days=days), **members)


def approval(amount: int = LIMIT, days: int = 0) -> Event:
    return event(K.CREDIT_APPROVED, days, amount=Yuan(amount), day=LAPSES, annual_rate=Decimal("0.03"))


def draw(amount: int, days: int) -> Event:
    return event(K.DRAWDOWN, days, amount=Yuan(amount), day=LAPSES, checks=CLEAR)


def repay(amount: int, days: int) -> Event:
    return event(K.REPAYMENT, days, amount=Yuan(amount), interest=Yuan(1))


def told(line: Line, *events: Event, today: int = 60) -> Line:
    for one in events:
        assert line.tell(one, today), one
    return line


def part(amount: int) -> int:
    """The pool's third, rounded up."""
    return -(-amount * 333 // 1_000)


class TestReservedAtTheCreditApproval:
    def test_holds_nothing_at_the_offer_and_the_approved_limit_from_the_approval_on(self):
        line = Line(ReservedAt.CREDIT_APPROVAL)
        assert (line.held, line.totals.promised) == (None, 0)

        told(line, approval(800))

        assert (line.totals.reserved, line.totals.committed) == (part(800), 0)

    def test_commits_what_is_drawn_and_keeps_the_rest_until_the_line_ends(self):
        line = told(Line(ReservedAt.CREDIT_APPROVAL), approval(800), draw(300, 10))
        assert (line.totals.committed, line.totals.promised) == (part(300), part(800))

        told(line, repay(300, 20), event(K.CLOSED, 30))

        assert line.totals.promised == 0

    def test_finds_no_room_and_says_so_and_the_approval_stands(self):
        line = told(Line(ReservedAt.CREDIT_APPROVAL, capital=part(800) - 1), approval(800), draw(300, 10))

        assert (line.held, line.told[0]) == (None, "COVER_NO_ROOM")
        assert line.life.figures().outstanding == 300

    def test_fits_to_the_last_fen(self):
        assert told(Line(ReservedAt.CREDIT_APPROVAL, capital=part(800)), approval(800)).told == [None]


class TestReservedAtTheDrawdown:
    def test_holds_nothing_until_something_is_drawn_and_then_that_alone(self):
        line = told(Line(ReservedAt.DRAWDOWN), approval(800))
        assert line.totals.promised == 0

        told(line, draw(300, 10))

        assert (line.totals.reserved, line.totals.committed) == (0, part(300))

    def test_gives_back_what_is_repaid_and_takes_room_anew_for_what_is_drawn_again(self):
        line = told(Line(ReservedAt.DRAWDOWN, capital=part(300)), approval(800), draw(300, 10), repay(300, 20))
        assert line.totals.promised == 0

        told(line, draw(200, 30))

        assert (line.totals.committed, line.told) == (part(200), [None] * 4)

    def test_leaves_a_drawdown_without_room_to_the_lender_and_says_so(self):
        line = told(Line(ReservedAt.DRAWDOWN, capital=part(300)), approval(800), draw(300, 10), draw(200, 20))

        assert (line.totals.committed, line.told[-1]) == (part(300), "COVER_NO_ROOM")
        assert line.life.figures().outstanding == 500

    def test_repays_what_is_the_lender_s_own_first(self):
        line = told(Line(ReservedAt.DRAWDOWN, capital=part(300)), approval(800), draw(300, 10), draw(200, 20))

        told(line, repay(200, 30))

        assert line.totals.committed == part(300)

    @pytest.mark.parametrize(
        "checks", [replace(CLEAR, **{name: True}) for name in ("vetoed", "judgment_defaulter", "abnormal_operation",
                                                               "serious_illegal")]
    )  # fmt: skip
    @pytest.mark.parametrize("reserve_at", list(ReservedAt))
    def test_is_refused_under_a_veto_or_on_a_list_and_takes_no_room(self, reserve_at: ReservedAt, checks: Checks):
        line = told(Line(reserve_at), approval(800))
        before = line.figures()

        assert not line.tell(replace(draw(100, 10), checks=checks), 60)
        assert line.figures() == before

    @pytest.mark.parametrize("reserve_at", list(ReservedAt))
    def test_is_refused_within_a_freeze_and_takes_no_room(self, reserve_at: ReservedAt):
        line = told(Line(reserve_at), approval(800), event(K.FROZEN, 10))
        before = line.figures()

        assert not line.tell(draw(100, 12), 60)
        assert line.figures() == before


# ---- whatever comes late, out of order, and is taken back -----------------------------------------------------------

STEPS = st.lists(
    st.tuples(st.sampled_from(["draw", "repay", "past due"]), st.integers(1, 600), st.integers(0, 60)),
    min_size=1, max_size=10,
)  # fmt: skip


def step(what: str, amount: int, days: int) -> Event:
    if what == "draw":
        return draw(amount, days)
    if what == "repay":
        return repay(amount, days)
    return event(K.PAST_DUE, days, amount=Yuan(amount), day=MADE)


def of(line: Line, steps) -> list[Event]:
    """The steps that fit, told in the order in which they come, whatever their days."""
    return [one for one in (step(*given) for given in steps) if line.tell(one, 60)]


class TestAReversal:
    @given(
        reserve_at=st.sampled_from(list(ReservedAt)), revolving=st.booleans(), steps=STEPS, last=STEPS,
        capital=st.sampled_from([PLENTY, 400, 200]), today=st.integers(60, 130),
    )  # fmt: skip
    def test_restores_every_figure_to_the_fen(self, reserve_at, revolving, steps, last, capital, today):
        if reserve_at is ReservedAt.OFFER:
            # Its room was found when the offer was made.
            capital = PLENTY
        line = told(Line(reserve_at, capital, revolving), approval(900))
        of(line, steps)
        found = step(*last[0])
        assume(found.kind in REVERSIBLE)
        # Time alone moves cover too, so it is brought to that day first.
        line.tell(event(K.CLASSIFIED, 60, classification="NORMAL"), today)
        before = line.figures()
        assume(line.tell(found, today))

        assert line.tell(event(K.REVERSAL, today, reverses=found.event_id), today)

        assert line.figures() == before

    @given(
        reserve_at=st.sampled_from(list(ReservedAt)), revolving=st.booleans(), steps=STEPS,
        capital=st.sampled_from([PLENTY, 300, 100, 35]),
    )  # fmt: skip
    @example(
        reserve_at=ReservedAt.DRAWDOWN, revolving=True, capital=35,
        steps=[("draw", 100, 1), ("repay", 60, 2), ("draw", 70, 3), ("past due", 1, 4)],
    )  # fmt: skip
    @example(
        reserve_at=ReservedAt.DRAWDOWN, revolving=True, capital=PLENTY,
        steps=[("draw", 100, 1), ("repay", 60, 2), ("draw", 50, 3)],
    )  # fmt: skip
    def test_after_another_goes_back_the_whole_way_that_the_line_came(self, reserve_at, revolving, steps, capital):
        if reserve_at is ReservedAt.OFFER:
            capital = PLENTY
        line, way = told(Line(reserve_at, capital, revolving), approval(900)), []
        for one in (step(*found) for found in steps):
            before = line.figures()
            if line.tell(one, 60):
                way.append((one, before))

        for one, before in reversed(way):
            assert line.tell(event(K.REVERSAL, 60, reverses=one.event_id), 60)
            assert line.figures() == before

    def test_of_a_repayment_finds_the_cover_that_a_later_drawdown_did_not(self):
        line = told(Line(ReservedAt.DRAWDOWN, capital=part(100)), approval(800), draw(100, 10))
        back = repay(60, 20)
        told(line, back, draw(70, 30))
        assert (line.totals.committed, line.told[-1]) == (part(40), "COVER_NO_ROOM")

        told(line, event(K.REVERSAL, 40, reverses=back.event_id))

        assert (line.totals.committed, line.life.figures().outstanding) == (part(100), 170)

    def test_covers_no_drawdown_that_found_no_room_with_the_room_of_a_repayment(self):
        line = told(Line(ReservedAt.DRAWDOWN, capital=part(100)), approval(800), draw(100, 10), repay(60, 20))

        told(line, draw(70, 30), event(K.CLASSIFIED, 40, classification="NORMAL"))

        assert (line.totals.committed, line.life.figures().outstanding) == (part(40), 110)

    @given(
        reserve_at=st.sampled_from(list(ReservedAt)), revolving=st.booleans(),
        steps=STEPS, chance=st.randoms(use_true_random=False),
    )  # fmt: skip
    def test_of_everything_leaves_the_line_as_it_was_approved(self, reserve_at, revolving, steps, chance):
        line, never = (told(Line(reserve_at, revolving=revolving), approval(900)) for _ in range(2))
        waiting = of(line, steps)
        while waiting:
            # What later events rest on is taken back after them.
            taken = [e for e in waiting if line.tell(event(K.REVERSAL, 60, reverses=e.event_id), 60)]
            assert taken
            waiting = [e for e in waiting if e not in taken]
            chance.shuffle(waiting)

        assert line.figures() == never.figures()

    @given(reserve_at=st.sampled_from([ReservedAt.OFFER, ReservedAt.CREDIT_APPROVAL]), steps=STEPS)
    @example(reserve_at=ReservedAt.CREDIT_APPROVAL, steps=[("draw", 100, 9), ("draw", 50, 1), ("repay", 120, 20)])
    def test_and_what_comes_in_another_order_end_alike(self, reserve_at, steps):
        line, other = (told(Line(reserve_at), approval(900)) for _ in range(2))
        events = sorted(of(line, steps), key=lambda one: one.value_on)

        for one in events:
            assert other.tell(one, 60)

        assert other.figures()[1:] == line.figures()[1:]
