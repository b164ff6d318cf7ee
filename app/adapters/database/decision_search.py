"""Searches over the decisions of both databases.

Neighbours may rely on this: every statement of one search sees the same moment, so what is marked and what is not yet
are one whole; a page reads a bounded number of rows, and where that is not enough to tell, it says how far it looked.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select

from app.adapters.database.column_types import to_instant
from app.adapters.database.search_blocks import OF_ENTRY
from app.adapters.database.searched_logs import Log, Row, SearchedLogs
from app.adapters.database.store import Store
from app.adapters.database.tables import ANSWER, DECISION, LOG_ENTRY
from app.usecases.ports import answer_in
from app.usecases.search import BY_TIME, Count, FoundRow, Position, Search, SearchPage, Sort
from app.usecases.search_blocks import PLACES, RECORDED_AT, places_in

# So many rows of marks may a page read, or a count, of all logs together; each log has at least the least.
_MARKS_A_PAGE, _MARKS_A_COUNT, _LEAST_A_LOG = 4_096, 65_536, 256
# A sorted listing looks through so many places at a time, of all logs together, the newest first.
SORTED_PLACES = 2_000_000
# So many places without marks may a listing by time go through in each log.
LONGEST_REST = 65_536
_NO_FIGURE = -(2**63)

_Place = tuple[str, int]
_Found = tuple[list[_Place], Position | None, int | None]
"""The places to show, where the next page begins, and (microseconds) where the search has stopped looking."""


class DecisionSearch:
    """Finds decisions."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def page(
        self, asked: Search, *, sort: Sort, limit: int, position: Position | None, counted: bool = False
    ) -> SearchPage:
        """This function will return up to `limit` rows from the position on."""

        def found(connection: Connection) -> SearchPage:
            return _page(connection, asked, sort, limit, position, counted=counted)

        return await self._store.read_snapshot(found, lenders=asked.lenders)


def _page(
    connection: Connection, asked: Search, sort: Sort, limit: int, position: Position | None, *, counted: bool
) -> SearchPage:
    searched = SearchedLogs(connection, asked)
    count = None
    if searched.logs and (asked.uscc is not None or asked.application_id is not None):
        # A company has few decisions: an index leads to all of them, and they are put in order here.
        every = searched.few()
        rows, following, reached = _of_few(every, searched.logs, sort, limit, position)
        count = Count(len(every), exact=True)
    else:
        listed = _by_time if sort in BY_TIME else _by_figure
        rows, following, reached = listed(searched, sort, limit, position)
        count = _count(searched) if counted else None
    return SearchPage(
        _read(connection, rows), following, reached is None, None if reached is None else to_instant(reached),
        count if counted else None,
    )  # fmt: skip


def _begin(logs: Sequence[Log], position: Position | None, *, newest: bool) -> dict[str, int]:
    """Newest first, what is recorded after the first page was made does not belong to the listing."""
    if position is not None:
        return {log.lender: position.places.get(log.lender, 0) for log in logs}
    return {log.lender: log.size if newest else 0 for log in logs}


# ---- in the order of time -------------------------------------------------------------------------------------------


class _Spot(NamedTuple):
    """A step of one log's listing, in the order in which several logs are merged. `order` is the place but where the
    spot stands for no decision; `stopped` is the place at which the search has stopped looking.
    """

    at: int
    lender: str
    order: int
    is_decision: bool = True
    stopped: int | None = None


def _by_time(searched: SearchedLogs, sort: Sort, limit: int, position: Position | None) -> _Found:
    newest = sort is Sort.NEWEST
    places = _begin(searched.logs, position, newest=newest)
    if newest and len(searched.logs) > 1:
        searched.look_ahead(places)
    streams = [_stream(searched, log, places[log.lender], limit, newest=newest) for log in searched.logs]
    rows: list[_Place] = []
    for spot in heapq.merge(*streams, key=itemgetter(0, 1, 2), reverse=newest):
        if spot.stopped is not None:
            places[spot.lender] = spot.stopped
            return rows, Position(places), spot.at
        if not spot.is_decision:
            continue
        if len(rows) == limit:
            return rows, Position(places), None
        rows.append((spot.lender, spot.order))
        places[spot.lender] = spot.order if newest else spot.order + 1
    return rows, None, None


def _stream(searched: SearchedLogs, log: Log, begin: int, limit: int, *, newest: bool) -> Iterator[_Spot]:
    """One log's decisions in order. Its work begins only when its turn comes: the first spot is no decision."""
    alone = len(searched.logs) == 1
    yield _Spot(log.recorded_at if newest else 0, log.lender, log.size if newest else -1, is_decision=False)
    start, stop = searched.between(log)
    start, stop = (start, min(stop, begin)) if newest else (max(start, begin), stop)
    if newest:
        # A follower that fell far behind leaves a long rest; it is gone through in parts.
        least = max(start, log.marked, stop - LONGEST_REST)
        yield from _rest(searched, log, least, stop, limit, newest=True)
        if least > max(start, log.marked):
            yield _stopped(searched, log, least, newest=True)
            return
    budget = max(_LEAST_A_LOG, _MARKS_A_PAGE // len(searched.logs))
    for chunk, stopped in searched.marked(log, start, stop, last_first=newest, budget=budget):
        if stopped is not None:
            yield _stopped(searched, log, stopped, newest=newest)
            return
        times = {} if alone else searched.columns(log, RECORDED_AT, [block for block, _ in chunk])
        for block, mark in chunk:
            for place in places_in(mark, last_first=newest):
                yield _Spot(0 if alone else times[block][place], log.lender, block * PLACES + place)
    if not newest:
        most = min(stop, max(start, log.marked) + LONGEST_REST)
        yield from _rest(searched, log, start, most, limit, newest=False)
        if most < stop:
            yield _stopped(searched, log, most, newest=False)


def _rest(searched: SearchedLogs, log: Log, start: int, stop: int, limit: int, *, newest: bool) -> Iterator[_Spot]:
    # Alone in its listing a log needs no times: its places are in order.
    alone = len(searched.logs) == 1
    for row in searched.unmarked(log, start, stop, last_first=newest, limit=limit + 1):
        yield _Spot(0 if alone else row.recorded_at, log.lender, row.index)


def _stopped(searched: SearchedLogs, log: Log, place: int, *, newest: bool) -> _Spot:
    at = searched.time_at(log, place)
    return _Spot(at, log.lender, place - 1 if newest else place, is_decision=False, stopped=place)


# ---- by a figure, the greatest first --------------------------------------------------------------------------------

_Sorted = tuple[int, str, int]


def _sorted(figure: int | None, lender: str, index: int) -> _Sorted:
    return _NO_FIGURE if figure is None else figure, lender, index


def _by_figure(searched: SearchedLogs, sort: Sort, limit: int, position: Position | None) -> _Found:
    """A sorted listing is made window by window, the newest places first; most logs fit into one."""
    places = _begin(searched.logs, position, newest=True)
    after = None if position is None or position.after is None else _sorted(*position.after)
    best: list[_Sorted] = []
    below: dict[str, int] = {}
    unseen = []
    for log in searched.logs:
        start, stop = searched.between(log)
        stop = min(stop, places[log.lender])
        below[log.lender] = least = max(start, stop - SORTED_PLACES // len(searched.logs))
        if least > start:
            unseen.append(log)
        for some in _figures(searched, log, sort.value, least, stop):
            best = heapq.nlargest(limit + 1, (*best, *(one for one in some if after is None or one < after)))
    reached = max((searched.time_at(log, below[log.lender]) for log in unseen), default=None)
    following = Position(below) if unseen else None
    return *_cut(best, limit, places, following), reached


def _figures(searched: SearchedLogs, log: Log, name: str, start: int, stop: int) -> Iterator[Iterable[_Sorted]]:
    rows = searched.unmarked(log, start, stop, last_first=True)
    yield [_sorted(getattr(row, name), log.lender, row.index) for row in rows]
    for chunk, _ in searched.marked(log, start, stop, last_first=True):
        columns = searched.columns(log, name, [block for block, _ in chunk])
        for block, mark in chunk:
            column, first = columns[block], block * PLACES
            yield [_sorted(column[place], log.lender, first + place) for place in places_in(mark, last_first=True)]


def _cut(
    best: Sequence[_Sorted], limit: int, places: Mapping[str, int], otherwise: Position | None
) -> tuple[list[_Place], Position | None]:
    """The rows of a sorted page, and where the next one begins."""
    shown = best[:limit]
    rows = [(lender, index) for _, lender, index in shown]
    if len(best) <= limit:
        return rows, otherwise
    figure, lender, index = shown[-1]
    return rows, Position(places, (None if figure == _NO_FIGURE else figure, lender, index))


# ---- of one company or application ----------------------------------------------------------------------------------


def _of_few(every: Sequence[Row], logs: Sequence[Log], sort: Sort, limit: int, position: Position | None) -> _Found:
    newest = sort is not Sort.OLDEST
    places = _begin(logs, position, newest=newest)
    left = [row for row in every if (row.index < places[row.lender]) == newest]
    if sort not in BY_TIME:
        figures = [_sorted(getattr(row, sort.value), row.lender, row.index) for row in left]
        if position is not None and position.after is not None:
            after = _sorted(*position.after)
            figures = [one for one in figures if one < after]
        return *_cut(sorted(figures, reverse=True), limit, places, None), None
    left.sort(key=lambda row: (row.recorded_at, row.lender, row.index), reverse=newest)
    shown = left[:limit]
    if len(left) > limit:
        places |= {row.lender: row.index if newest else row.index + 1 for row in shown}
    return [(row.lender, row.index) for row in shown], Position(places) if len(left) > limit else None, None


# ---- how many, and the rows themselves ------------------------------------------------------------------------------


def _count(searched: SearchedLogs) -> Count:
    value, exact = 0, True
    for log in searched.logs:
        start, stop = searched.between(log)
        value += sum(1 for _ in searched.unmarked(log, start, stop, last_first=True))
        budget = max(_LEAST_A_LOG, _MARKS_A_COUNT // len(searched.logs))
        for chunk, stopped in searched.marked(log, start, stop, last_first=True, budget=budget):
            value += sum(mark.bit_count() for _, mark in chunk)
            exact = exact and stopped is None
    return Count(value, exact)


def _read(connection: Connection, places: Sequence[_Place]) -> tuple[FoundRow, ...]:
    """The decisions at the places, in their order."""
    found: dict[_Place, FoundRow] = {}
    for lender, group in groupby(sorted(places), key=itemgetter(0)):
        here = {"lender": lender, "places": [index for _, index in group]}
        for index, decision_id, at, *answer in connection.execute(_ROWS, here):
            found[lender, index] = FoundRow(decision_id, lender, index, at, answer_in(*answer), answer[0])
    return tuple(found[place] for place in places if place in found)


_ROWS = (
    select(LOG_ENTRY.c.index, DECISION.c.decision_id, DECISION.c.recorded_at, *ANSWER)
    .join_from(LOG_ENTRY, DECISION, OF_ENTRY)
    .where(LOG_ENTRY.c.lender == bindparam("lender"), LOG_ENTRY.c.index.in_(bindparam("places", expanding=True)))
)
