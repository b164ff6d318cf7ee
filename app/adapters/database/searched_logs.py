"""The logs as one search reads them: blocks by their marks, and the rest as rows of the list of decisions.

Neighbours may rely on this: marked places end where the rows begin, at one moment for all statements of a transaction;
a filter means the same on both sides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, or_

from app.adapters.database.column_types import to_instant, to_microseconds
from app.adapters.database.search_blocks import extras_of
from app.adapters.database.search_statements import (
    LOGS,
    NEXT_MARKS,
    STORED,
    TIME_AT,
    TOGETHER,
    filtered,
    first_marks,
    places_at,
    rest,
    rests,
    shape_of,
)
from app.adapters.database.tables import DECISION
from app.audit.search_figures import score_units
from app.usecases import search_blocks
from app.usecases.search import Search, exceptions_of
from app.usecases.search_blocks import PLACES, mark_between, mark_within, to_figures_array, to_mark

# A page is often found in the newest two blocks; what is not there is rare, and looked for in long strides.
_FIRST_CHUNK, _STRIDE, _LONGEST_CHUNK = 2, 4, 256
_FIRST, _LAST = to_instant(0), datetime(9999, 1, 1, tzinfo=UTC)
# A column costs as much to read and compare as so many marks.
_COLUMN_COSTS = 4


@dataclass(frozen=True, slots=True)
class Log:
    """One lender's log at the moment of the search: its size, when its newest record was made (microseconds), and how
    many places at its beginning have marks, the last of them recorded at `marked_until`. `branches` are those that may
    be seen, None for all.
    """

    lender: str
    size: int
    recorded_at: int
    marked: int
    marked_until: datetime | None
    branches: tuple[str, ...] | None


class Row(NamedTuple):
    """A decision that has no marks yet."""

    index: int
    lender: str
    recorded_at: int
    score: int | None
    requested_amount: int
    credit_limit: int | None


Marks = dict[int, int]
"""Block to mark."""


class SearchedLogs:
    """The logs of one search, in one transaction."""

    def __init__(self, connection: Connection, asked: Search) -> None:
        self._connection = connection
        self._asked = asked
        self._shape, self._values = shape_of(asked)
        self._spans: dict[str, tuple[int, int]] = {}
        self._rows_ahead: dict[str, list[Row]] = {}
        self._marks_ahead: dict[str, tuple[Marks, int, int]] = {}
        self._times: dict[tuple[str, int], bytes] = {}
        self.logs = self._logs() if asked.scope else ()

    def _logs(self) -> tuple[Log, ...]:
        asked, lenders = self._asked, self._asked.lenders
        if asked.product is not None:
            # A product's id begins with its lender, so no other log holds a decision on it.
            lenders = tuple(lender for lender in lenders if asked.product.startswith(f"{lender}/"))
        return tuple(
            Log(
                lender, size, 0 if at is None else to_microseconds(at), marked or 0, until, asked.branches(lender),
            )
            for lender, size, at, marked, until in self._connection.execute(LOGS, {"lenders": lenders})
        )  # fmt: skip

    def between(self, log: Log) -> tuple[int, int]:
        """This function will return the places of the times asked for: from the first up to, and without, the second.

        Later decisions have greater places and never an earlier recorded_at, so a time is a place.
        """
        if self._asked.recorded_from is None and self._asked.recorded_until is None:
            return 0, log.size
        if not self._spans:
            for some in _batches(self.logs):
                self._spans |= self._between(some)
        return self._spans[log.lender]

    def _between(self, logs: Sequence[Log]) -> dict[str, tuple[int, int]]:
        since, until = self._asked.recorded_from, self._asked.recorded_until
        here = {"since": since or _FIRST, "until": until or _LAST} | _numbered(lender=[log.lender for log in logs])
        found = iter(self._connection.execute(places_at(len(logs)), here).one())
        spans = {}
        for log in logs:
            start, stop = (log.size if place is None else place for place in (next(found), next(found)))
            spans[log.lender] = 0 if since is None else start, log.size if until is None else stop
        return spans

    def time_at(self, log: Log, place: int) -> int:
        """This function will return when the decision at or next above the place was recorded, in microseconds."""
        at = self._connection.execute(TIME_AT, {"lender": log.lender, "place": place}).scalar()
        return log.recorded_at if at is None else to_microseconds(at)

    def look_ahead(self, before: Mapping[str, int]) -> None:
        """This function will read in few statements what the newest-first listings of several logs begin with, each
        below the place named for it: the rows without marks, and the newest marks.
        """
        below = {log.lender: min(self.between(log)[1], before[log.lender]) for log in self.logs}
        whole = [log for log in self.logs if log.branches is None]
        behind = [log for log in whole if 0 < below[log.lender] - log.marked <= PLACES]
        for some in _batches(behind):
            here = self._values | _numbered(
                lender=[log.lender for log in some], since=[log.marked_until or _FIRST for log in some],
                start=[log.marked for log in some], stop=[below[log.lender] for log in some],
            )  # fmt: skip
            self._rows_ahead |= {log.lender: [] for log in some}
            for row in self._held(rests(self._shape, len(some)), here):
                self._rows_ahead[row.lender].append(row)
        for rows in self._rows_ahead.values():
            rows.sort(key=attrgetter("index"), reverse=True)
        for some in _batches([log for log in whole if log.marked]):
            self._look_at_marks(some, below)

    def _look_at_marks(self, logs: Sequence[Log], below: Mapping[str, int]) -> None:
        name, (value,) = self._codes(logs[0])[0]
        until = [-(-min(below[log.lender], log.marked) // PLACES) for log in logs]
        first = [max(0, block - _FIRST_CHUNK) for block in until]
        here = {"name": name, "value": value} | _numbered(lender=[log.lender for log in logs], first=first, until=until)
        for log, low, high in zip(logs, first, until, strict=True):
            self._marks_ahead[log.lender] = {}, low, high
        for lender, block, content, times in self._connection.execute(first_marks(len(logs)), here):
            self._marks_ahead[lender][0][block] = to_mark(content)
            self._times[lender, block] = times

    # ---- marked places ---------------------------------------------------------------------------------------------

    def marked(
        self,
        log: Log,
        start: int,
        stop: int,
        *,
        last_first: bool,
        budget: int | None = None,
        chunk: int | None = None,
    ) -> Iterator[tuple[Sequence[tuple[int, int]], int | None]]:
        """This function will give chunks of (block, mark of what is asked for) for the marked places from `start` to
        `stop`. Where so many rows as `budget` were read, it gives nothing more but the place where it stopped looking.
        """
        stop = min(stop, log.marked)
        first, until = start // PLACES, -(-stop // PLACES)
        driver, *others = self._codes(log)
        cost = 1 + len(others) + _COLUMN_COSTS * len(self._asked.ranges)
        longest = chunk or _FIRST_CHUNK
        while first < until:
            if budget is not None and budget <= 0:
                yield (), (until if last_first else first) * PLACES
                return
            timed = not others and not self._asked.ranges and len(self.logs) > 1
            ahead = self._marks_ahead.get(log.lender)
            if last_first and ahead is not None and ahead[2] == until:
                marks, low, high = ahead
            else:
                marks, low, high = self._chunk(log, driver, first, until, longest, last_first=last_first, timed=timed)
            marks = self._narrowed(log, marks, others)
            clipped = (
                (block, mark & mark_between(start - block * PLACES, stop - block * PLACES))
                for block, mark in marks.items()
            )
            yield sorted((one for one in clipped if one[1]), reverse=last_first), None
            first, until = (first, max(first, low)) if last_first else (high, until)
            if budget is not None:
                budget -= longest * cost
            longest = chunk or min(longest * _STRIDE, _LONGEST_CHUNK)

    def columns(self, log: Log, name: str, of: Sequence[int]) -> Mapping[int, Sequence[int]]:
        """This function will return a figure's column for each of the blocks, NOTHING where a place has no figure."""
        known = {}
        if name == search_blocks.RECORDED_AT:
            known = {block: times for block in of if (times := self._times.get((log.lender, block))) is not None}
        contents = known | self._contents(log, name, [block for block in of if block not in known])
        return {block: to_figures_array(content) for block, content in contents.items()}

    def _codes(self, log: Log) -> Sequence[tuple[str, tuple[str, ...]]]:
        codes = [(name, (value,)) for name, value in self._asked.codes.items()]
        if log.branches is not None:
            codes.append(("branch", log.branches))
        return codes or [(search_blocks.DECISION, ("",))]

    def _chunk(
        self, log: Log, key: tuple[str, tuple[str, ...]], first: int, until: int, longest: int, *, last_first: bool,
        timed: bool,
    ) -> tuple[Marks, int, int]:
        """The next marks, and which blocks have now been looked at: a rare code's few rows reach far. Logs that are
        merged need the times of what is marked as well, which this one statement may bring along.
        """
        name, values = key
        if len(values) != 1:
            low, high = (max(first, until - longest), until) if last_first else (first, min(until, first + longest))
            return self._marks(log, key, range(low, high)), low, high
        here = {"lender": log.lender, "name": name, "value": values[0], "first": first, "until": until, "most": longest}
        marks = {}
        for block, content, *times in self._connection.execute(NEXT_MARKS[last_first, timed], here):
            marks[block] = to_mark(content)
            if times:
                self._times[log.lender, block] = times[0]
        if len(marks) < longest:
            return marks, first, until
        return (marks, min(marks), until) if last_first else (marks, first, max(marks) + 1)

    def _narrowed(self, log: Log, marks: Marks, others: Sequence[tuple[str, tuple[str, ...]]]) -> Marks:
        for other in others:
            found = self._marks(log, other, marks)
            marks = {block: both for block, mark in marks.items() if (both := mark & found.get(block, 0))}
        for name, asked in self._asked.ranges.items():
            contents = self._contents(log, name, marks)
            marks = {b: mark & mark_within(contents[b], asked.least, asked.most) for b, mark in marks.items()}
        return marks

    def _marks(self, log: Log, key: tuple[str, tuple[str, ...]], of: Sequence[int] | Marks) -> Marks:
        marks: Marks = {}
        for block, content in self._stored(log, *key, of):
            marks[block] = marks.get(block, 0) | to_mark(content)
        return marks

    def _contents(self, log: Log, name: str, of: Sequence[int] | Marks) -> Mapping[int, bytes]:
        return dict(map(tuple, self._stored(log, name, ("",), of)))

    def _stored(self, log: Log, name: str, values: tuple[str, ...], of: Sequence[int] | Marks) -> Sequence[Any]:
        if not of or not values:
            return ()
        here = {"lender": log.lender, "name": name, "values": values, "blocks": list(of)}
        return self._connection.execute(STORED, here).all()

    # ---- rows ------------------------------------------------------------------------------------------------------

    def unmarked(self, log: Log, start: int, stop: int, *, last_first: bool, limit: int | None = None) -> Iterator[Row]:
        """This function will give the decisions behind the marked places, from `start` to `stop`, in order; at least
        `limit` of them where there are so many.
        """
        if stop <= log.marked:
            return
        if last_first and log.lender in self._rows_ahead:
            yield from (row for row in self._rows_ahead[log.lender] if start <= row.index < stop)
            return
        # That these are recorded since follows from their places, and is there for the index of times. A follower that
        # fell far behind has left a long rest, which is gone through in parts.
        since = to_instant(self.time_at(log, start)) if start > log.marked else log.marked_until or _FIRST
        here = self._values | {"lender": log.lender, "since": since, "start": max(start, log.marked), "stop": stop}
        bounded = limit is not None and not self._shape.needs_records and self._asked.score is None
        query = rest(self._shape, log.branches is not None, last_first, bounded)
        yield from self._held(query, here | {"most": limit, "branches": log.branches or ()})

    def few(self) -> Sequence[Row]:
        """This function will give every decision of the company or the application that is asked for."""
        asked, c = self._asked, DECISION.c
        query = filtered(self._shape).where(or_(*map(_seen, self.logs)))
        if asked.uscc is not None:
            query = query.where(c.uscc == asked.uscc)
        if asked.application_id is not None:
            query = query.where(c.application_id == asked.application_id)
        if asked.recorded_from is not None:
            query = query.where(c.recorded_at >= asked.recorded_from)
        if asked.recorded_until is not None:
            query = query.where(c.recorded_at < asked.recorded_until)
        return tuple(self._held(query, self._values))

    def _held(self, query: Select[Any], here: Mapping[str, Any]) -> Iterator[Row]:
        """What SQL cannot tell is told here: scores are decimal text, and some things stand in the record alone."""
        asked = self._asked
        for index, lender, at, score, requested, limit, *record in self._connection.execute(query, here):
            row = Row(index, lender, to_microseconds(at), score_units(score), requested, limit)
            if (asked.score is None or asked.score.holds(row.score)) and (not record or self._is_told(record[0])):
                yield row

    def _is_told(self, record: bytes) -> bool:
        asked, extras = self._asked, extras_of(record)
        exception = asked.exception
        return (
            asked.decisive in (None, extras.decisive)
            and (asked.assumption is None or asked.assumption in extras.assumptions)
            and asked.campaign in (None, extras.campaign)
            and (exception is None or exception in exceptions_of(extras))
        )


def _numbered(**values: Sequence[Any]) -> dict[str, Any]:
    return {f"{name}_{n}": value for name, each in values.items() for n, value in enumerate(each)}


def _batches(logs: Sequence[Log]) -> Iterator[Sequence[Log]]:
    for start in range(0, len(logs), TOGETHER):
        yield logs[start : start + TOGETHER]


def _seen(log: Log) -> ColumnElement[bool]:
    own = DECISION.c.lender == log.lender
    return own if log.branches is None else and_(own, DECISION.c.branch.in_(log.branches))


