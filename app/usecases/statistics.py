"""Statistics of decisions: groups of them, counted, summed and ranked exactly.

Neighbours may rely on this: what is counted is decisions, not companies and not money lent: an application that was
decided three times counts three times, and a limit that was indicated is neither approved by the bank nor drawn. What
campaigns pre-approve is offered to nobody yet: it is counted by itself and stands in no figure of offers. A quartile
is always a figure that occurs (nearest rank): the least that a quarter, a half or three quarters of the decisions do
not exceed.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import compress
from typing import Protocol

from app.audit.search_figures import SCORE_UNIT
from app.usecases.days import SHANGHAI
from app.usecases.search import Search
from app.usecases.search_blocks import NOTHING, PLACES, RECORDED_AT, mark_between

MOST_DECISIONS = 2_000_000
MOST_GROUPS = 1_000
BAND_POINTS = 10
"""A score band is ten points of the scheme's own scale wide; its name is where it begins."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ONES = bytes.maketrans(b"01", b"\0\1")


class Dimension(StrEnum):
    """By what decisions are grouped."""

    DAY = "day"
    MONTH = "month"
    ZONE = "zone"
    PRODUCT = "product"
    LENDER = "lender"
    STAGE = "stage"
    OUTCOME = "outcome"
    SCORE_BAND = "score_band"
    CAMPAIGN = "campaign"


class TooMuch(Exception):
    """More than one answer may take together: `found` of `most`; `groups` tells whether these are groups or places."""

    def __init__(self, found: int, most: int, *, groups: bool) -> None:
        super().__init__(f"{found} of at most {most}")
        self.found = found
        self.most = most
        self.groups = groups


Key = tuple[str | None, ...]
MARKS = ("zone", "product", "stage", "outcome", "reason", "decisive", "campaign")
"""The marks that statistics need, whatever is asked."""
COLUMNS = ("score", "requested_amount", "credit_limit", "subsidy", "covered", RECORDED_AT)
REVIEW = "review"
"""The marks of what people made of referrals; no block holds them, as they come later."""
REVIEWS = "jifendai/review/1"
"""The format of the acts that say so; their subject is the decision."""


@dataclass(frozen=True, slots=True)
class StatedBlock:
    """One block as statistics read it: name to value to mark, and name to the 512 figures."""

    lender: str
    mark: int
    marks: Mapping[str, Mapping[str, int]]
    columns: Mapping[str, array[int]]


@dataclass(slots=True)
class Tally:
    """What is known of one group."""

    decisions: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    decisive: Counter[str] = field(default_factory=Counter)
    reviews: Counter[str] = field(default_factory=Counter)
    requested: int = 0
    offered: int = 0
    in_campaigns: int = 0
    """Pre-approvals that campaigns made: offers to nobody yet, and so in none of the figures of offers."""
    offered_in_campaigns: int = 0
    subsidy: int = 0
    covered: int = 0
    scores: array[int] = field(default_factory=lambda: array("q"))
    """Each on the scale of its zone's scheme: ranked together only where `zones` is one."""
    zones: set[str] = field(default_factory=set)
    limits: array[int] = field(default_factory=lambda: array("q"))

    def add(self, mark: int, block: StatedBlock) -> None:
        """This function will add the block's marked decisions."""
        self.decisions += mark.bit_count()
        for counter, name in (
            (self.outcomes, "outcome"), (self.reasons, "reason"), (self.decisive, "decisive"), (self.reviews, REVIEW),
        ):  # fmt: skip
            for value, of_value in block.marks.get(name, {}).items():
                if both := mark & of_value:
                    counter[value] += both.bit_count()
        self.zones.update(zone for zone, of_zone in block.marks.get("zone", {}).items() if mark & of_zone)
        columns, chosen = block.columns, _chosen(mark)
        self.requested += sum(compress(columns["requested_amount"], chosen))
        self.scores.extend(score for score in compress(columns["score"], chosen) if score != NOTHING)
        offered = mark & block.marks.get("outcome", {}).get("PRE_APPROVED", 0)
        of_campaigns = 0
        for of_campaign in block.marks.get("campaign", {}).values():
            of_campaigns |= offered & of_campaign
        if of_campaigns:
            offered &= ~of_campaigns
            self.in_campaigns += of_campaigns.bit_count()
            self.offered_in_campaigns += sum(compress(columns["credit_limit"], _chosen(of_campaigns)))
        if offered:
            chosen = _chosen(offered)
            limits = array("q", compress(columns["credit_limit"], chosen))
            self.limits.extend(limits)
            self.offered += sum(limits)
            self.subsidy += sum(compress(columns["subsidy"], chosen))
            self.covered += sum(compress(columns["covered"], chosen))


def quartiles(figures: Iterable[int]) -> tuple[int, int, int] | None:
    """This function will return lower quartile, median and upper quartile by nearest rank; None of nothing."""
    ordered = sorted(figures)
    if not ordered:
        return None
    lower, middle, upper = (ordered[-(-len(ordered) * part // 4) - 1] for part in (1, 2, 3))
    return lower, middle, upper


class Statistics:
    """Groups while blocks are added to them."""

    def __init__(self, by: Sequence[Dimension]) -> None:
        self.by = tuple(by)
        self.total = Tally()
        self.groups: dict[Key, Tally] = {}

    def add(self, block: StatedBlock) -> None:
        """This function will add a block's marked decisions to their groups. Raises TooMuch."""
        if not block.mark:
            return
        parts: list[tuple[Key, int]] = [((), block.mark)]
        for dimension in self.by:
            split = _SPLITS[dimension](block)
            parts = [((*key, value), both) for key, mark in parts for value, of in split if (both := mark & of)]
        for key, mark in parts:
            if key not in self.groups and len(self.groups) >= MOST_GROUPS:
                raise TooMuch(len(self.groups) + 1, MOST_GROUPS, groups=True)
            self.groups.setdefault(key, Tally()).add(mark, block)
        if self.by:
            self.total.add(block.mark, block)
        else:
            self.total = self.groups[()]


def check_places(places: int) -> None:
    """This function will return if so many places may be gone through. Raises TooMuch."""
    if places > MOST_DECISIONS:
        raise TooMuch(places, MOST_DECISIONS, groups=False)


class DecisionStatistics(Protocol):
    """Counts decisions; it never locks the writer."""

    async def of(self, asked: Search, by: Sequence[Dimension]) -> Statistics:
        """This function will group and count what the search finds. Raises TooMuch."""
        ...


# ---- how a block falls into groups ----------------------------------------------------------------------------------

_Split = Sequence[tuple[str | None, int]]


def _by_code(name: str) -> Callable[[StatedBlock], _Split]:
    def split(block: StatedBlock) -> _Split:
        marks = block.marks.get(name, {})
        rest = block.mark
        for mark in marks.values():
            rest &= ~mark
        return [*marks.items(), (None, rest)]

    return split


def _by_time(label: Callable[[datetime], str]) -> Callable[[StatedBlock], _Split]:
    def split(block: StatedBlock) -> _Split:
        """Places are in the order of time, so a day is one run of them."""
        runs: list[tuple[str, int]] = []
        times, begins, ends = block.columns[RECORDED_AT], 0, NOTHING
        for place in _places(block.mark):
            if times[place] >= ends:
                at = (_EPOCH + timedelta(microseconds=times[place])).astimezone(SHANGHAI)
                ends = _microseconds(datetime(at.year, at.month, at.day, tzinfo=SHANGHAI) + timedelta(days=1))
                if runs:
                    runs[-1] = (runs[-1][0], mark_between(begins, place))
                runs.append((label(at), 0))
                begins = place
        if runs:
            runs[-1] = (runs[-1][0], mark_between(begins, PLACES))
        return _joined(runs)

    return split


def _by_band(block: StatedBlock) -> _Split:
    width = BAND_POINTS * SCORE_UNIT
    scores = block.columns["score"]
    return _joined(
        (None if scores[place] == NOTHING else str(scores[place] // width * BAND_POINTS), 1 << place)
        for place in _places(block.mark)
    )


def _joined(parts: Iterable[tuple[str | None, int]]) -> _Split:
    marks: dict[str | None, int] = {}
    for value, mark in parts:
        marks[value] = marks.get(value, 0) | mark
    return tuple(marks.items())


def _places(mark: int) -> Iterator[int]:
    return compress(range(PLACES), _chosen(mark))


def _chosen(mark: int) -> bytes:
    """A byte for each place, in order: 1 where it is marked."""
    return format(mark, f"0{PLACES}b")[::-1].encode().translate(_ONES)


def _microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)


_SPLITS: Mapping[Dimension, Callable[[StatedBlock], _Split]] = {
    Dimension.DAY: _by_time(lambda at: f"{at:%Y-%m-%d}"),
    Dimension.MONTH: _by_time(lambda at: f"{at:%Y-%m}"),
    Dimension.ZONE: _by_code("zone"),
    Dimension.PRODUCT: _by_code("product"),
    Dimension.STAGE: _by_code("stage"),
    Dimension.OUTCOME: _by_code("outcome"),
    Dimension.CAMPAIGN: _by_code("campaign"),
    Dimension.LENDER: lambda block: ((block.lender, block.mark),),
    Dimension.SCORE_BAND: _by_band,
}
