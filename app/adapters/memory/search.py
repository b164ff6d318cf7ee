"""Searches in memory: every decision is looked at, one by one, which says what a search means.

Neighbours may rely on this: it passes the very tests that SQLite and PostgreSQL pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from app.audit.search_figures import Extras, Figures, extras_in, score_units
from app.usecases.ports import DecisionRow
from app.usecases.search import BY_TIME, Count, FoundRow, Position, Search, SearchPage, Sort
from app.usecases.search_blocks import PLACES, BlockInMaking, microseconds, to_figures_array, to_mark
from app.usecases.statistics import COLUMNS, Dimension, StatedBlock, Statistics, check_places

_NO_FIGURE = -(2**63)


class _Held(NamedTuple):
    row: DecisionRow
    figures: Figures
    record: bytes


class MemoryDecisionSearch:
    """Finds what the book in memory holds."""

    def __init__(
        self, every: Callable[[], Iterable[tuple[DecisionRow, bytes]]], answer: Callable[[DecisionRow], bytes]
    ) -> None:
        self._every = every
        self._answer = answer

    async def page(
        self, asked: Search, *, sort: Sort, limit: int, position: Position | None, counted: bool = False
    ) -> SearchPage:
        """This function will return up to `limit` rows from the position on."""
        newest = sort is not Sort.OLDEST
        held = [_Held(row, figures_of(row, record), record) for row, record in self._every()]
        held = [one for one in held if asked.holds(one.figures)]
        if position is None:
            last = {one.row.lender: one.row.index for one in sorted(held, key=lambda one: one.row.index)}
            places = {lender: last.get(lender, -1) + 1 if newest else 0 for lender in asked.lenders}
        else:
            places = {lender: position.places.get(lender, 0) for lender in asked.lenders}
        left = [one for one in held if (one.row.index < places[one.row.lender]) == newest]

        def key(one: _Held) -> tuple[int, str, int]:
            if sort in BY_TIME:
                return microseconds(one.row.recorded_at), one.row.lender, one.row.index
            figure = getattr(one.figures, sort.value)
            return _NO_FIGURE if figure is None else figure, one.row.lender, one.row.index

        if position is not None and position.after is not None:
            figure, *rest = position.after
            left = [one for one in left if key(one) < (_NO_FIGURE if figure is None else figure, *rest)]
        left.sort(key=key, reverse=newest)
        shown, following = left[:limit], None
        if len(left) > limit:
            if sort in BY_TIME:
                places |= {one.row.lender: one.row.index if newest else one.row.index + 1 for one in shown}
                following = Position(places)
            else:
                figure, lender, index = key(shown[-1])
                following = Position(places, (None if figure == _NO_FIGURE else figure, lender, index))
        count = Count(len(held), exact=True) if counted else None
        return SearchPage(tuple(self._found(one.row, one.record) for one in shown), following, count=count)

    def _found(self, row: DecisionRow, record: bytes) -> FoundRow:
        return FoundRow(row.decision_id, row.lender, row.index, row.recorded_at, self._answer(row), record)


class MemoryDecisionStatistics:
    """Counts what the book in memory holds; there are no reviews in it."""

    def __init__(self, every: Callable[[], Iterable[tuple[DecisionRow, bytes]]]) -> None:
        self._every = every

    async def of(self, asked: Search, by: Sequence[Dimension]) -> Statistics:
        """This function will group and count what the search finds. Raises TooMuch."""
        held = [(row, figures_of(row, record)) for row, record in self._every()]
        held = [(row, figures) for row, figures in held if asked.holds(figures)]
        check_places(len(held))
        found = Statistics(by)
        for row, figures in sorted(held, key=lambda one: (one[0].lender, one[0].index)):
            making = BlockInMaking()
            making.add(row.index % PLACES, figures)
            contents, marks = making.contents(), dict[str, dict[str, int]]()
            for (name, value), content in contents.items():
                if name not in COLUMNS:
                    marks.setdefault(name, {})[value] = to_mark(content)
            columns = {name: to_figures_array(contents[name, ""]) for name in COLUMNS}
            found.add(StatedBlock(row.lender, 1 << row.index % PLACES, marks, columns))
        return found


def figures_of(row: DecisionRow, record: bytes) -> Figures:
    """This function will return what is known of one decision, from its row and its record."""
    try:
        extras = extras_in(record)
    except (ValueError, LookupError, TypeError):
        extras = Extras()
    return Figures(
        row.lender, row.product, row.branch, row.zone, row.stage, row.outcome, row.reasons, row.uscc,
        row.application_id, row.recorded_at, score_units(row.score), row.requested_amount, row.credit_limit, extras,
    )  # fmt: skip
