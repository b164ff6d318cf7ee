"""工作日: which days are worked, as the State Council's office announces them year by year.

Neighbours may rely on this: a year that has not been announced is not guessed. A term that runs into one has no last
day yet, and whoever shows it says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

_ONE = timedelta(days=1)
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class YearOfWork:
    """One announced year: its days off, and the weekend days worked instead (调休)."""

    days_off: frozenset[date]
    worked: frozenset[date]


@dataclass(frozen=True, slots=True)
class WorkingDays:
    """The announced years."""

    years: Mapping[int, YearOfWork]

    def is_worked(self, day: date) -> bool | None:
        """This function will tell whether a day is worked, None where its year has not been announced."""
        year = self.years.get(day.year)
        if year is None:
            return None
        return day in year.worked or (day.weekday() < _SATURDAY and day not in year.days_off)

    def after(self, day: date, days: int) -> date | None:
        """This function will return the last day of a term of that many working days, the day itself not counted
        (民法典 201); None where the term runs into a year that has not been announced.
        """
        for _ in range(days):
            day += _ONE
            while not (worked := self.is_worked(day)):
                if worked is None:
                    return None
                day += _ONE
        return day

    def or_next(self, day: date) -> date | None:
        """This function will return the day itself where it is worked, else the next one that is (民法典 203)."""
        while not (worked := self.is_worked(day)):
            if worked is None:
                return None
            day += _ONE
        return day
