"""Searching the decision log: the question, the order, where a page begins, and what comes back.

Neighbours may rely on this: a decision that was recorded when a listing began comes up in it exactly once, whatever is
recorded meanwhile; what a search has not looked through it says; all filters must hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from app.audit.search_figures import Extras, Figures

ANY_EXCEPTION = "any"


def exceptions_of(extras: Extras) -> tuple[str, ...]:
    """This function will return by what `exception` a decision is found: ANY_EXCEPTION where there was one, and each
    gate that was let go.
    """
    return (ANY_EXCEPTION, *extras.exceptions) if extras.exceptions else ()


class Sort(StrEnum):
    """The orders of a listing: by time, or the greatest first; what has no such figure comes last."""

    NEWEST = "newest"
    OLDEST = "oldest"
    SCORE = "score"
    REQUESTED_AMOUNT = "requested_amount"
    CREDIT_LIMIT = "credit_limit"


BY_TIME = frozenset({Sort.NEWEST, Sort.OLDEST})


@dataclass(frozen=True, slots=True)
class Range:
    """Both ends belong to it; None is open. What has no figure lies in no range."""

    least: int | None = None
    most: int | None = None

    def holds(self, figure: int | None) -> bool:
        """This function will tell whether the figure lies in the range."""
        if figure is None:
            return False
        return (self.least is None or figure >= self.least) and (self.most is None or figure <= self.most)


@dataclass(frozen=True, slots=True)
class Search:
    """What is asked for; None means any. `scope` names lenders, or `lender/branch` for one branch of it. Instants are
    recorded_at, from inclusive, until exclusive; amounts are in fen, the score in millionths of a point. `exception` is
    ANY_EXCEPTION, or the gate that was let go.
    """

    scope: tuple[str, ...]
    product: str | None = None
    branch: str | None = None
    zone: str | None = None
    stage: str | None = None
    outcome: str | None = None
    reason: str | None = None
    decisive: str | None = None
    assumption: str | None = None
    exception: str | None = None
    campaign: str | None = None
    uscc: str | None = None
    application_id: str | None = None
    score: Range | None = None
    requested_amount: Range | None = None
    credit_limit: Range | None = None
    recorded_from: datetime | None = None
    recorded_until: datetime | None = None

    @property
    def lenders(self) -> tuple[str, ...]:
        """The lenders of which the scope holds at least a branch."""
        return tuple(sorted({entry.partition("/")[0] for entry in self.scope}))

    def branches(self, lender: str) -> tuple[str, ...] | None:
        """This function will return the lender's branches that are in the scope; None where all of the lender is."""
        if lender in self.scope:
            return None
        return tuple(entry.partition("/")[2] for entry in self.scope if entry.partition("/")[0] == lender)

    @property
    def codes(self) -> Mapping[str, str]:
        """The filters that ask for one code, by the name of what is marked."""
        names = (
            "product", "branch", "zone", "stage", "outcome", "reason", "decisive", "assumption", "exception",
            "campaign",
        )  # fmt: skip
        asked = ((name, getattr(self, name)) for name in names)
        return {name: value for name, value in asked if value is not None}

    @property
    def ranges(self) -> Mapping[str, Range]:
        """The filters that ask for a range of a figure."""
        asked = ((name, getattr(self, name)) for name in ("score", "requested_amount", "credit_limit"))
        return {name: value for name, value in asked if value is not None}

    def holds(self, found: Figures) -> bool:
        """This function will tell whether a decision is one of those that are asked for."""
        extras = found.extras
        lists = {
            "reason": found.reasons, "assumption": extras.assumptions, "decisive": (extras.decisive,),
            "exception": exceptions_of(extras),
            "campaign": (extras.campaign,),
        }  # fmt: skip
        return (
            (found.lender in self.scope or f"{found.lender}/{found.branch}" in self.scope)
            and all(
                value in lists[name] if name in lists else value == getattr(found, name)
                for name, value in self.codes.items()
            )
            and all(asked.holds(getattr(found, name)) for name, asked in self.ranges.items())
            and self.uscc in (None, found.uscc)
            and self.application_id in (None, found.application_id)
            and (self.recorded_from is None or found.recorded_at >= self.recorded_from)
            and (self.recorded_until is None or found.recorded_at < self.recorded_until)
        )


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page begins. `places` are index by lender: newest first and sorted listings take what lies below, oldest
    first what lies at or above. In a sorted listing `after` is the last row shown: figure, lender, index.
    """

    places: Mapping[str, int]
    after: tuple[int | None, str, int] | None = None


@dataclass(frozen=True, slots=True)
class FoundRow:
    """One decision of a page; its answer is found in its record."""

    decision_id: str
    lender: str
    index: int
    recorded_at: datetime
    answer: bytes
    record: bytes


@dataclass(frozen=True, slots=True)
class Count:
    """How many decisions a search finds; not `exact`: at least so many, as not all was looked through."""

    value: int
    exact: bool


@dataclass(frozen=True, slots=True)
class SearchPage:
    """One page. `following` is None where nothing is left. Where `complete` is false the search has stopped looking at
    `reached`; the following page goes on from there.
    """

    rows: Sequence[FoundRow]
    following: Position | None
    complete: bool = True
    reached: datetime | None = None
    count: Count | None = None


class DecisionSearch(Protocol):
    """Finds decisions; it never locks the writer."""

    async def page(
        self, asked: Search, *, sort: Sort, limit: int, position: Position | None, counted: bool = False
    ) -> SearchPage:
        """This function will return up to `limit` rows from the position on."""
        ...
