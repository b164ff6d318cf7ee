"""Statistics over the decisions of both databases.

Neighbours may rely on this: whole blocks are read as they are, and what has no block yet is made into one in passing,
so there is one way to count; all of it is of one moment, and few blocks are in memory at once.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter

from sqlalchemy import Connection, bindparam, select

from app.adapters.database.search_blocks import FIGURE_COLUMNS, OF_ENTRY, to_figures
from app.adapters.database.searched_logs import Log, SearchedLogs
from app.adapters.database.store import Store
from app.adapters.database.tables import ACT, DECISION, LOG_ENTRY, SEARCH_BLOCK
from app.usecases.search import Search
from app.usecases.search_blocks import PLACES, BlockInMaking, to_figures_array, to_mark
from app.usecases.statistics import (
    COLUMNS,
    MARKS,
    REVIEW,
    REVIEWS,
    Dimension,
    StatedBlock,
    Statistics,
    check_places,
)

_CHUNK = 128
_Reviews = Mapping[int, Mapping[str, int]]
"""Block to state to mark."""


class DecisionStatistics:
    """Counts decisions."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of(self, asked: Search, by: Sequence[Dimension]) -> Statistics:
        """This function will group and count what the search finds. Raises TooMuch."""

        def counted(connection: Connection) -> Statistics:
            return _statistics(connection, asked, by)

        return await self._store.read_snapshot(counted, lenders=asked.lenders)


def _statistics(connection: Connection, asked: Search, by: Sequence[Dimension]) -> Statistics:
    searched, found = SearchedLogs(connection, asked), Statistics(by)
    if asked.uscc is not None or asked.application_id is not None:
        rows = sorted(searched.few(), key=attrgetter("lender", "index")) if searched.logs else ()
        for lender, own in groupby(rows, key=attrgetter("lender")):
            for block in _made(connection, lender, [row.index for row in own], _reviews(connection, lender)):
                found.add(block)
        return found
    spans = [(log, *searched.between(log)) for log in searched.logs]
    check_places(sum(stop - start for _, start, stop in spans))
    for log, start, stop in spans:
        for block in _of_log(connection, searched, log, start, stop):
            found.add(block)
    return found


def _of_log(connection: Connection, searched: SearchedLogs, log: Log, start: int, stop: int) -> Iterator[StatedBlock]:
    reviews = _reviews(connection, log.lender)
    for chunk, _ in searched.marked(log, start, stop, last_first=False, chunk=_CHUNK):
        if not chunk:
            continue
        marks, columns = _stored(connection, log.lender, chunk[0][0], chunk[-1][0] + 1)
        for block, mark in chunk:
            yield StatedBlock(log.lender, mark, marks[block] | {REVIEW: reviews.get(block, {})}, columns[block])
    rest = [row.index for row in searched.unmarked(log, start, stop, last_first=False)]
    yield from _made(connection, log.lender, rest, reviews)


def _stored(
    connection: Connection, lender: str, first: int, until: int
) -> tuple[dict[int, dict[str, dict[str, int]]], dict[int, dict[str, array[int]]]]:
    here = {"lender": lender, "first": first, "until": until}
    marks: dict[int, dict[str, dict[str, int]]] = {}
    columns: dict[int, dict[str, array[int]]] = {}
    for name, value, block, content in connection.execute(_BLOCKS, here | {"names": MARKS}):
        marks.setdefault(block, {}).setdefault(name, {})[value] = to_mark(content)
    for name, _, block, content in connection.execute(_BLOCKS, here | {"names": COLUMNS}):
        columns.setdefault(block, {})[name] = to_figures_array(content)
    return marks, columns


def _made(connection: Connection, lender: str, places: Sequence[int], reviews: _Reviews) -> Iterator[StatedBlock]:
    """Blocks of the decisions at these places alone, made from their records."""
    for block, own in groupby(places, key=lambda index: index // PLACES):
        making, mark = BlockInMaking(), 0
        here = {"lender": lender, "places": list(own)}
        for index, record, *columns in connection.execute(_RECORDS, here):
            making.add(index % PLACES, to_figures(record, columns))
            mark |= 1 << index % PLACES
        marks: dict[str, dict[str, int]] = {REVIEW: dict(reviews.get(block, {}))}
        figures: dict[str, array[int]] = {}
        for (name, value), content in making.contents().items():
            if name in COLUMNS:
                figures[name] = to_figures_array(content)
            else:
                marks.setdefault(name, {})[value] = to_mark(content)
        yield StatedBlock(lender, mark, marks, figures)


def _reviews(connection: Connection, lender: str) -> _Reviews:
    """What people last made of each referral, as marks."""
    last = dict(map(tuple, connection.execute(_REVIEWED, {"lender": lender})))
    marks: dict[int, dict[str, int]] = {}
    for index, state in last.items():
        of_block = marks.setdefault(index // PLACES, {})
        of_block[state] = of_block.get(state, 0) | 1 << index % PLACES
    return marks


_BLOCKS = select(SEARCH_BLOCK.c.name, SEARCH_BLOCK.c.value, SEARCH_BLOCK.c.block, SEARCH_BLOCK.c.content).where(
    SEARCH_BLOCK.c.lender == bindparam("lender"),
    SEARCH_BLOCK.c.name.in_(bindparam("names", expanding=True)),
    SEARCH_BLOCK.c.block >= bindparam("first"),
    SEARCH_BLOCK.c.block < bindparam("until"),
)
_RECORDS = (
    select(LOG_ENTRY.c.index, LOG_ENTRY.c.record, *FIGURE_COLUMNS)
    .join_from(LOG_ENTRY, DECISION, OF_ENTRY)
    .where(LOG_ENTRY.c.lender == bindparam("lender"), LOG_ENTRY.c.index.in_(bindparam("places", expanding=True)))
)
_REVIEWED = (
    select(DECISION.c.index, ACT.c.state)
    .join_from(ACT, DECISION, (DECISION.c.decision_id == ACT.c.subject) & (DECISION.c.lender == ACT.c.lender))
    .where(ACT.c.lender == bindparam("lender"), ACT.c.format == REVIEWS)
    .order_by(ACT.c.index)
)
