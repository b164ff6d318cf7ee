"""贴息结算: what programmes owe on interest that was reported paid.

Neighbours may rely on these invariants:
- Only interest that was reported paid counts, and no more than the principal accrued until it was paid: what is undrawn
  or unpaid is zero, and neither penalty interest above the contract's rate nor interest paid ahead is subsidised.
- What was accrued first is paid first, so that each payment belongs to days; days past the longest subsidised term and
  forfeited days pay nothing.
- Payments are taken in the order in which they were reported; each cap (loan, company and year, company, budget) is
  filled in that order and never exceeded. Programmes stack in the line's order, and together never exceed the interest.
- Where the company claims a programme (BY_COMPANY) a payment counts once a claim reaches it, in the order of the
  claims, and for nothing where that was later than the programme lets it wait.
- Each sum is rounded half up to the fen on its running total, so that quarters add up to the whole. A quarter's list is
  what was known at its end less what was known at its beginning: what is taken back later lowers a later list.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from app.domain.facts import add_months
from app.domain.money import Yuan
from app.domain.terms import ClaimKind, Forfeit, SubsidyBase
from app.ledger.interest import Accrual, merged

_ZERO = Yuan(0)


@dataclass(frozen=True, slots=True)
class Programme:
    """A programme as one line's terms have it. `factor` is what it pays of a yuan of interest at the line's own rate;
    `payers` share each payment and their shares sum to 1.
    """

    id: str
    factor: Fraction
    claim: ClaimKind
    cap_per_loan: Yuan | None = None
    cap_per_company_and_year: Yuan | None = None
    cap_per_company: Yuan | None = None
    maximum_months: int | None = None
    exclusion_group: str | None = None
    one_loan_only: bool = False
    forfeit: Forfeit = Forfeit.NONE
    payers: tuple[tuple[str, Decimal], ...] = ()
    budget: Yuan | None = None
    claim_within_days: int | None = None


def factor(base: SubsidyBase, share: Decimal, annual_rate: Decimal, lpr: Decimal | None = None) -> Fraction:
    """This function will return what a programme pays of a yuan of interest: points on principal and a share of the LPR
    accrue on the same days as the interest itself, at another rate.
    """
    if base is SubsidyBase.INTEREST_SHARE:
        return Fraction(share)
    points = Fraction(share) if base is SubsidyBase.PRINCIPAL_RATE else Fraction(share) * Fraction(lpr)
    return points / Fraction(annual_rate) if annual_rate > 0 else Fraction(0)


@dataclass(frozen=True, slots=True)
class InterestPaid:
    """Interest that the bank reports as paid; `reported` orders reports over all lines (any value that sorts)."""

    paid_on: date
    amount: Yuan
    reported: Any


@dataclass(frozen=True, slots=True)
class Claimed:
    """A company's claim on a programme: it reaches what was reported paid before it, on a day until `paid_until`."""

    programme: str
    paid_until: date
    claimed_on: date
    reported: Any


@dataclass(frozen=True, slots=True)
class SubsidisedLine:
    """A line with all that its subsidies hang on; `past_due` ranges are from inclusive until exclusive, `stack` in the
    product's order.
    """

    id: str
    company: str
    lender: str
    accrual: Accrual
    paid: tuple[InterestPaid, ...]
    stack: tuple[Programme, ...]
    past_due: tuple[tuple[date, date], ...] = ()
    claims: tuple[Claimed, ...] = ()


@dataclass(frozen=True, slots=True)
class Owed:
    """What a programme owes on one line in all, and which bounds kept it low."""

    amount: Yuan
    bounds: tuple[str, ...] = ()


Key = tuple[str, str]
"""(line, programme)."""


def owed(lines: Iterable[SubsidisedLine], on: date | None = None) -> dict[Key, Owed]:
    """This function will return what each programme owes on each line, by everything that these lines report; `on` is
    the day by which what was not claimed is told to be forfeited.
    """
    books = [_Book(line) for line in lines]
    caps = _Caps()
    told_of = ((book, one) for book in books for one in (*book.line.paid, *book.line.claims))
    reported = [(one.reported, book.line.id, one, book) for book, one in told_of]
    first = _first_loans(books)
    # Shared caps are filled in the order of the reports: one that comes late takes nothing from what was settled.
    for _, _, told, book in sorted(reported, key=lambda row: row[:2]):
        own = [p for p in book.stack if not p.one_loan_only or first[p.id, book.line.company][1] == book.line.id]
        if isinstance(told, Claimed):
            for programme in own:
                if programme.id == told.programme:
                    book.claim(programme, told, caps)
        else:
            book.pay(told, own, caps)
    for book in books:
        book.note_unclaimed(on)
    return {(book.line.id, id_): Owed(amount, tuple(book.bounds[id_])) for book in books for id_, amount in book.owed()}


Stretch = tuple[Fraction, Fraction]
"""From where until where of the accrued interest a payment reaches."""


def _first_loans(books: Iterable[_Book]) -> dict[tuple[str, str], tuple[date, str]]:
    """By programme and company: the day and the id of the company's first loan."""
    first: dict[tuple[str, str], tuple[date, str]] = {}
    for book in books:
        for programme in book.stack:
            key = (programme.id, book.line.company)
            begun = (book.line.accrual.begins_on or date.max, book.line.id)
            first[key] = min(first.get(key, begun), begun)
    return first


class _Caps:
    """What is used of the caps that lines share."""

    def __init__(self) -> None:
        self.used: dict[tuple[str, ...], int] = defaultdict(int)

    def bounds(self, programme: Programme, line: SubsidisedLine, year: int) -> list[tuple[str, tuple[str, ...], int]]:
        """This function will return each cap that a programme has: its name, what it counts over, and what is left."""
        caps = (
            ("CAP_PER_LOAN", programme.cap_per_loan, (programme.id, "line", line.id)),
            (
                "CAP_PER_COMPANY_AND_YEAR",
                programme.cap_per_company_and_year,
                (programme.id, "year", line.company, str(year)),
            ),
            ("CAP_PER_COMPANY", programme.cap_per_company, (programme.id, "company", line.company)),
            ("BUDGET", programme.budget, (programme.id, "budget")),
        )
        return [(name, over, int(cap) - self.used[over]) for name, cap, over in caps if cap is not None]


@dataclass(slots=True)
class _Book:
    """One line while its payments are taken."""

    line: SubsidisedLine
    stack: tuple[Programme, ...] = ()
    covered: Fraction = Fraction(0)
    """What of the accrued interest is paid."""
    payments: list[InterestPaid] = field(default_factory=list)
    exact: dict[str, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    given: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    bounds: dict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))
    unclaimed: dict[str, list[tuple[InterestPaid, Stretch]]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.stack = _without_excluded(self.line.stack)

    def pay(self, paid: InterestPaid, programmes: Iterable[Programme], caps: _Caps) -> None:
        """This function will take one payment, and what it makes these programmes owe or wait to be claimed."""
        stretch = self.report(paid)
        for programme in programmes:
            if programme.claim is ClaimKind.BY_COMPANY:
                self.unclaimed[programme.id].append((paid, stretch))
            else:
                self.owe(programme, paid, stretch, caps)

    def report(self, paid: InterestPaid) -> Stretch:
        """This function will take one payment, in whatever order they are reported: which stretch of the accrued
        interest is paid with it that was not before.
        """
        self.payments.append(paid)
        reached, in_all = Fraction(0), 0
        for payment in sorted(self.payments, key=lambda p: p.paid_on):
            in_all += int(payment.amount)
            reached = max(reached, min(Fraction(in_all), self.line.accrual.until(payment.paid_on)))
        before, self.covered = self.covered, max(self.covered, reached)
        return before, self.covered

    def claim(self, programme: Programme, claimed: Claimed, caps: _Caps) -> None:
        """This function will add what a claim makes a programme owe: on all that it reaches, and not too late."""
        waiting = self.unclaimed.pop(programme.id, [])
        for paid, stretch in waiting:
            if paid.paid_on > claimed.paid_until:
                self.unclaimed[programme.id].append((paid, stretch))
            elif _is_forfeited(programme, paid, claimed.claimed_on):
                self.bounds[programme.id]["FORFEITED"] = None
            else:
                self.owe(programme, paid, stretch, caps)

    def note_unclaimed(self, on: date | None) -> None:
        """This function will name what nobody has claimed, and what nobody can claim any more."""
        known = {programme.id: programme for programme in self.stack}
        for id_, waiting in self.unclaimed.items():
            for paid, _ in waiting:
                gone = on is not None and _is_forfeited(known[id_], paid, on)
                self.bounds[id_]["FORFEITED" if gone else "NOT_CLAIMED"] = None

    def owe(self, programme: Programme, paid: InterestPaid, stretch: Stretch, caps: _Caps) -> None:
        """This function will add what the payment makes a programme owe, within every bound."""
        by = max(payment.paid_on for payment in self.payments)
        start, end = (self._subsidised(programme, amount, by) for amount in stretch)
        exact = self.exact[programme.id] + (end - start) * programme.factor
        given = self.given[programme.id]
        due = (2 * exact.numerator + exact.denominator) // (2 * exact.denominator) - given
        left = int(self.covered // 1) - sum(self.given.values())
        amount, shared = due, caps.bounds(programme, self.line, paid.paid_on.year)
        for name, _, most in [("INTEREST", (), left), *shared]:
            if amount > max(0, most):
                amount = max(0, most)
                self.bounds[programme.id][name] = None
        # What a bound cut off is gone: it does not come back when the bound is wider.
        self.exact[programme.id] = exact if amount == due else Fraction(given + amount)
        self.given[programme.id] = given + amount
        for _, over, _ in shared:
            caps.used[over] += amount

    def owed(self) -> list[tuple[str, Yuan]]:
        """This function will return what each programme owes by now."""
        return [(programme.id, Yuan(self.given[programme.id])) for programme in self.stack]

    def _subsidised(self, programme: Programme, amount: Fraction, by: date) -> Fraction:
        """What of the first `amount` of accrued interest falls on days that the programme pays for."""
        accrual = self.line.accrual
        day, within = accrual.reached(amount, by)
        unpaid = self._unpaid_days(programme)
        counts = not any(start <= day < end for start, end in unpaid)
        return accrual.until(day, unpaid) + (within if counts else 0)

    def _unpaid_days(self, programme: Programme) -> tuple[tuple[date, date], ...]:
        begins_on, days = self.line.accrual.begins_on, []
        if programme.maximum_months is not None and begins_on is not None:
            days.append((add_months(begins_on, programme.maximum_months), date.max))
        if programme.forfeit is Forfeit.WHILE_PAST_DUE:
            days += self.line.past_due
        elif programme.forfeit is Forfeit.FROM_PAST_DUE_ON and self.line.past_due:
            days.append((min(start for start, _ in self.line.past_due), date.max))
        return merged(days)


def _is_forfeited(programme: Programme, paid: InterestPaid, claimed_on: date) -> bool:
    within = programme.claim_within_days
    return within is not None and claimed_on > paid.paid_on + timedelta(days=within)


def _without_excluded(stack: tuple[Programme, ...]) -> tuple[Programme, ...]:
    """Of each exclusion group only the one that pays most stays, the earlier one where two pay alike."""
    best: dict[str, Programme] = {}
    for programme in stack:
        group = programme.exclusion_group
        if group is not None and (group not in best or programme.factor > best[group].factor):
            best[group] = programme
    return tuple(p for p in stack if p.exclusion_group is None or best[p.exclusion_group] is p)


# ---- the list of a period -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SettlementLine:
    """One row of a period's list; `payers` sum to `amount`, which is below zero where an earlier list gave too much."""

    line: str
    company: str
    lender: str
    programme: str
    claim: ClaimKind
    interest_paid: Yuan
    amount: Yuan
    payers: Mapping[str, Yuan]
    in_all: Yuan
    bounds: tuple[str, ...]


def settlement(
    before: Iterable[SubsidisedLine], after: Iterable[SubsidisedLine], days: tuple[date, date] | None = None
) -> tuple[SettlementLine, ...]:
    """This function will make a period's list from the lines as they were reported before it and at its end; rows of
    which nothing changed are left out. `days` are the last day before the period and its own last one.
    """
    lines, (then_on, now_on) = tuple(after), days or (None, None)
    was, now = owed(earlier := tuple(before), then_on), owed(lines, now_on)
    interest = {line.id: sum(p.amount for p in line.paid) for line in earlier}
    rows: list[SettlementLine] = []
    for line in lines:
        paid = Yuan(sum(p.amount for p in line.paid) - interest.get(line.id, 0))
        for programme in _without_excluded(line.stack):
            found, then = now[line.id, programme.id], was.get((line.id, programme.id), Owed(_ZERO))
            if found == then and not paid:
                continue
            shares = _split(found.amount, programme.payers)
            earlier_shares = _split(then.amount, programme.payers)
            payers = {payer: shares[payer] - earlier_shares[payer] for payer in shares}
            rows.append(
                SettlementLine(
                    line.id, line.company, line.lender, programme.id, programme.claim, paid,
                    found.amount - then.amount, payers, found.amount, found.bounds,
                )
            )  # fmt: skip
    return tuple(rows)


def _split(amount: Yuan, payers: tuple[tuple[str, Decimal], ...]) -> dict[str, Yuan]:
    """An amount by payer, each rounded down on the running sum; the last one takes what is left."""
    parts = {payer: Yuan(int(int(amount) * share // 1)) for payer, share in payers[:-1]}
    return {**parts, payers[-1][0]: amount - sum(parts.values())} if payers else {}
