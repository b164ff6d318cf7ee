"""利息: what a line's principal accrues day by day, exactly.

Neighbours may rely on this: accrual is on the principal of each day, first day counted and last day not, over a year of
`days_in_year` (ACT/360 by default); nothing is rounded here. What was accrued first is paid first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from app.domain.money import Yuan

DAYS_IN_YEAR = 360


@dataclass(frozen=True, slots=True)
class Balance:
    """Principal outstanding from a day on."""

    since: date
    principal: Yuan


def balances(movements: Iterable[tuple[date, int]]) -> tuple[Balance, ...]:
    """This function will add up movements of principal (drawn above zero, repaid below) by their value dates, in
    whatever order they come.
    """
    by_day: dict[date, int] = {}
    for day, change in movements:
        by_day[day] = by_day.get(day, 0) + change
    found, principal = [], 0
    for day in sorted(by_day):
        principal += by_day[day]
        found.append(Balance(day, Yuan(principal)))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Accrual:
    """The interest of one line: its balances at one annual rate."""

    balances: tuple[Balance, ...]
    annual_rate: Decimal
    days_in_year: int = DAYS_IN_YEAR

    @property
    def begins_on(self) -> date | None:
        """The day of the first drawdown, None where nothing was drawn."""
        return next((b.since for b in self.balances if b.principal > 0), None)

    def until(self, day: date, without: Iterable[tuple[date, date]] = ()) -> Fraction:
        """This function will return the interest in fen accrued before `day`; days in `without` (from inclusive, until
        exclusive) do not count.
        """
        left_out = tuple(without)
        total = 0
        for i, balance in enumerate(self.balances):
            end = min(day, self.balances[i + 1].since) if i + 1 < len(self.balances) else day
            days = (end - balance.since).days
            if days > 0 and balance.principal > 0:
                total += int(balance.principal) * (days - _overlap(balance.since, end, left_out))
        return Fraction(total) * Fraction(self.annual_rate) / self.days_in_year

    def reached(self, amount: Fraction, by: date) -> tuple[date, Fraction]:
        """This function will return the day on which the accrued interest reaches `amount`, and what of that day's own
        interest is within it; at most all that accrued before `by`.
        """
        left = amount
        for i, balance in enumerate(self.balances):
            end = min(by, self.balances[i + 1].since) if i + 1 < len(self.balances) else by
            days = (end - balance.since).days
            if days <= 0 or balance.principal <= 0:
                continue
            a_day = int(balance.principal) * Fraction(self.annual_rate) / self.days_in_year
            if a_day and left < a_day * days:
                whole = left // a_day
                return date.fromordinal(balance.since.toordinal() + whole), left - whole * a_day
            left -= a_day * days
        return by, Fraction(0)


def _overlap(since: date, until: date, ranges: tuple[tuple[date, date], ...]) -> int:
    """Days of a stretch that lie within ranges which do not overlap one another."""
    return sum(max(0, (min(until, end) - max(since, start)).days) for start, end in ranges)


def merged(ranges: Iterable[tuple[date, date]]) -> tuple[tuple[date, date], ...]:
    """This function will join ranges that touch or overlap."""
    found: list[tuple[date, date]] = []
    for start, end in sorted(ranges):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        elif start < end:
            found.append((start, end))
    return tuple(found)
