"""The logs as one search reads them: whole blocks by their marks, and the rest as rows of the list of decisions.

Neighbours may rely on this: marked places end where the rows begin, at one moment for all statements of a transaction;
a filter means the same on both sides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, or_, select

from app.adapters.database.search_blocks import OF_ENTRY, extras_of
from app.adapters.database.tables import (
    DECISION,
    LOG_ENTRY,
    LOG_HEAD,
    RECORDED,
    SEARCH_BLOCK,
    SEARCH_PROGRESS,
    to_instant,
    to_microseconds,
)
from app.audit.search_figures import score_units
from app.usecases import search_blocks
from app.usecases.search import Search
from app.usecases.search_blocks import PLACES, mark_between, mark_within, to_column, to_mark

_FIRST_CHUNK, _LONGEST_CHUNK = 2, 256
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
        self._needs_records = bool({"decisive", "assumption"} & asked.codes.keys())
        self.logs = self._logs() if asked.scope else ()

    def _logs(self) -> tuple[Log, ...]:
        asked, lenders = self._asked, self._asked.lenders
        if asked.product is not None:
            # A product's id begins with its lender, so no other log holds a decision on it.
            lenders = tuple(lender for lender in lenders if asked.product.startswith(f"{lender}/"))
        return tuple(
            Log(
                lender, size, 0 if at is None else to_microseconds(at), (made or 0) * PLACES, until,
                asked.branches(lender),
            )
            for lender, size, at, made, until in self._connection.execute(_LOGS, {"lenders": lenders})
        )  # fmt: skip

    def between(self, log: Log) -> tuple[int, int]:
        """This function will return the places of the times asked for: from the first up to, and without, the second.

        Later decisions have greater places and never an earlier recorded_at, so a time is a place.
        """
        asked = self._asked
        start = 0 if asked.recorded_from is None else self._place_at(log, asked.recorded_from)
        return start, log.size if asked.recorded_until is None else self._place_at(log, asked.recorded_until)

    def _place_at(self, log: Log, instant: datetime) -> int:
        found = self._connection.execute(_PLACE_AT, {"lender": log.lender, "instant": instant}).scalar()
        return log.size if found is None else found

    def time_at(self, log: Log, place: int) -> int:
        """This function will return when the decision at or next above the place was recorded, in microseconds."""
        at = self._connection.execute(_TIME_AT, {"lender": log.lender, "place": place}).scalar()
        return log.recorded_at if at is None else to_microseconds(at)

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
            marks, low, high = self._chunk(log, driver, first, until, longest, last_first=last_first)
            marks = self._narrowed(log, marks, others)
            clipped = (
                (block, mark & mark_between(start - block * PLACES, stop - block * PLACES))
                for block, mark in marks.items()
            )
            yield sorted((one for one in clipped if one[1]), reverse=last_first), None
            first, until = (first, low) if last_first else (high, until)
            if budget is not None:
                budget -= longest * cost
            longest = chunk or min(longest * 4, _LONGEST_CHUNK)

    def columns(self, log: Log, name: str, of: Sequence[int]) -> Mapping[int, Sequence[int | None]]:
        """This function will return a figure's column for each of the blocks."""
        return {block: to_column(content) for block, content in self._contents(log, name, of).items()}

    def _codes(self, log: Log) -> Sequence[tuple[str, tuple[str, ...]]]:
        codes = [(name, (value,)) for name, value in self._asked.codes.items()]
        if log.branches is not None:
            codes.append(("branch", log.branches))
        return codes or [(search_blocks.DECISION, ("",))]

    def _chunk(
        self, log: Log, key: tuple[str, tuple[str, ...]], first: int, until: int, longest: int, *, last_first: bool
    ) -> tuple[Marks, int, int]:
        """The next marks, and which blocks have now been looked at: a rare code's few rows reach far."""
        name, values = key
        if len(values) != 1:
            low, high = (max(first, until - longest), until) if last_first else (first, min(until, first + longest))
            return self._marks(log, key, range(low, high)), low, high
        here = {"lender": log.lender, "name": name, "value": values[0], "first": first, "until": until, "most": longest}
        found = self._connection.execute(_NEXT_MARKS[last_first], here)
        marks = {block: to_mark(content) for block, content in found}
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
        return self._connection.execute(_STORED, here).all()

    # ---- rows ------------------------------------------------------------------------------------------------------

    def unmarked(self, log: Log, start: int, stop: int, *, last_first: bool, limit: int | None = None) -> Iterator[Row]:
        """This function will give the decisions behind the marked places, from `start` to `stop`, in order; at least
        `limit` of them where there are so many.
        """
        if stop <= log.marked:
            return
        index, at = DECISION.c.index, DECISION.c.recorded_at
        query = self._filtered().where(_seen(log), index >= max(start, log.marked), index < stop)
        if log.marked_until is not None:
            # This follows from the places, and is there for the index of times.
            query = query.where(at >= log.marked_until)
        if start > log.marked:
            # So do these, where a follower that fell far behind has left a long rest to be gone through in parts.
            query = query.where(at >= to_instant(self.time_at(log, start)))
        query = query.order_by(*((at.desc(), index.desc()) if last_first else (at, index)))
        if limit is not None and not self._needs_records and self._asked.score is None:
            query = query.limit(limit)
        yield from self._held(query)

    def few(self) -> Sequence[Row]:
        """This function will give every decision of the company or the application that is asked for."""
        asked, c = self._asked, DECISION.c
        query = self._filtered().where(or_(*map(_seen, self.logs)))
        if asked.uscc is not None:
            query = query.where(c.uscc == asked.uscc)
        if asked.application_id is not None:
            query = query.where(c.application_id == asked.application_id)
        if asked.recorded_from is not None:
            query = query.where(c.recorded_at >= asked.recorded_from)
        if asked.recorded_until is not None:
            query = query.where(c.recorded_at < asked.recorded_until)
        return tuple(self._held(query))

    def _filtered(self) -> Select[Any]:
        asked, c = self._asked, DECISION.c
        query = select(c.index, c.lender, c.recorded_at, c.score, c.requested_amount, c.credit_limit)
        if self._needs_records:
            query = query.add_columns(LOG_ENTRY.c.record).join_from(DECISION, LOG_ENTRY, RECORDED)
        for name in ("product", "branch", "zone", "stage", "outcome"):
            if name in asked.codes:
                query = query.where(c[name] == asked.codes[name])
        if asked.reason is not None:
            query = query.where(c.reasons.contains(f"|{asked.reason}|", autoescape=True))
        for name in ("requested_amount", "credit_limit"):
            if name in asked.ranges:
                least, most = asked.ranges[name].least, asked.ranges[name].most
                query = query if least is None else query.where(c[name] >= least)
                query = query if most is None else query.where(c[name] <= most)
        return query

    def _held(self, query: Select[Any]) -> Iterator[Row]:
        """What SQL cannot tell is told here: scores are decimal text, and some things stand in the record alone."""
        asked = self._asked
        for index, lender, at, score, requested, limit, *record in self._connection.execute(query):
            row = Row(index, lender, to_microseconds(at), score_units(score), requested, limit)
            if (asked.score is None or asked.score.holds(row.score)) and (not record or self._is_told(record[0])):
                yield row

    def _is_told(self, record: bytes) -> bool:
        asked, extras = self._asked, extras_of(record)
        decisive, assumption = asked.decisive, asked.assumption
        return decisive in (None, extras.decisive) and (assumption is None or assumption in extras.assumptions)


def _seen(log: Log) -> ColumnElement[bool]:
    own = DECISION.c.lender == log.lender
    return own if log.branches is None else and_(own, DECISION.c.branch.in_(log.branches))


_LOGS = (
    select(
        LOG_HEAD.c.lender, LOG_HEAD.c.size, LOG_HEAD.c.recorded_at, SEARCH_PROGRESS.c.blocks,
        SEARCH_PROGRESS.c.recorded_at,
    )
    .join_from(LOG_HEAD, SEARCH_PROGRESS, SEARCH_PROGRESS.c.lender == LOG_HEAD.c.lender, isouter=True)
    .where(LOG_HEAD.c.lender.in_(bindparam("lenders", expanding=True)), LOG_HEAD.c.size > 0)
    .order_by(LOG_HEAD.c.lender)
)  # fmt: skip
_PLACE_AT = (
    select(DECISION.c.index)
    .where(DECISION.c.lender == bindparam("lender"), DECISION.c.recorded_at >= bindparam("instant"))
    .order_by(DECISION.c.recorded_at, DECISION.c.index)
    .limit(1)
)
_TIME_AT = (
    select(DECISION.c.recorded_at)
    .join_from(LOG_ENTRY, DECISION, OF_ENTRY)
    .where(LOG_ENTRY.c.lender == bindparam("lender"), LOG_ENTRY.c.index >= bindparam("place"))
    .order_by(LOG_ENTRY.c.index)
    .limit(1)
)
_OF_NAME = (SEARCH_BLOCK.c.lender == bindparam("lender"), SEARCH_BLOCK.c.name == bindparam("name"))
_NEXT = (
    select(SEARCH_BLOCK.c.block, SEARCH_BLOCK.c.content)
    .where(
        *_OF_NAME,
        SEARCH_BLOCK.c.value == bindparam("value"),
        SEARCH_BLOCK.c.block >= bindparam("first"),
        SEARCH_BLOCK.c.block < bindparam("until"),
    )
    .limit(bindparam("most"))
)
_NEXT_MARKS = {True: _NEXT.order_by(SEARCH_BLOCK.c.block.desc()), False: _NEXT.order_by(SEARCH_BLOCK.c.block)}
_STORED = select(SEARCH_BLOCK.c.block, SEARCH_BLOCK.c.content).where(
    *_OF_NAME,
    SEARCH_BLOCK.c.value.in_(bindparam("values", expanding=True)),
    SEARCH_BLOCK.c.block.in_(bindparam("blocks", expanding=True)),
)
