"""The statements of searches over decisions, each put together once: SQLAlchemy takes longer for that than a database
for its answer.

Neighbours may rely on this: a statement holds no value, so that its text, and with it its plan, is the same for every
search of its shape; what asks about several logs numbers their values (`lender_0`, `lender_1`, …) and finds each log by
an index of its own.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, bindparam, or_, select

from app.adapters.database.search_blocks import OF_ENTRY
from app.adapters.database.tables import DECISION, LOG_ENTRY, LOG_HEAD, RECORDED, SEARCH_BLOCK, SEARCH_PROGRESS
from app.usecases.search import Search
from app.usecases.search_blocks import RECORDED_AT

TOGETHER = 32
"""So many logs are asked about in one statement."""

_WILD = re.compile("[/%_]")


# ---- decisions, as rows -------------------------------------------------------------------------------------------


class Shape(NamedTuple):
    """What a search filters by, without the values."""

    columns: tuple[str, ...]
    by_reason: bool
    bounds: tuple[tuple[str, bool], ...]
    needs_records: bool


def shape_of(asked: Search) -> tuple[Shape, dict[str, Any]]:
    """This function will return what a search filters by, and the values that go with it."""
    codes = asked.codes
    columns = tuple(name for name in ("product", "branch", "zone", "stage", "outcome") if name in codes)
    values: dict[str, Any] = {f"is_{name}": codes[name] for name in columns}
    if asked.reason is not None:
        literally = _WILD.sub(r"/\g<0>", asked.reason)
        values["pattern"] = f"%|{literally}|%"
    bounds = {
        (name, least): bound
        for name, asked_for in asked.ranges.items()
        if name != "score"
        for least, bound in ((True, asked_for.least), (False, asked_for.most))
        if bound is not None
    }
    values |= {_bound_name(*which): bound for which, bound in bounds.items()}
    told = bool({"decisive", "assumption", "exception", "campaign"} & codes.keys())
    return Shape(columns, asked.reason is not None, tuple(bounds), told), values


def _bound_name(name: str, least: bool) -> str:
    return f"{'least' if least else 'most'}_{name}"


@lru_cache(maxsize=256)
def filtered(shape: Shape) -> Select[Any]:
    """This function will select decisions by what their columns tell."""
    c = DECISION.c
    query = select(c.index, c.lender, c.recorded_at, c.score, c.requested_amount, c.credit_limit)
    if shape.needs_records:
        query = query.add_columns(LOG_ENTRY.c.record).join_from(DECISION, LOG_ENTRY, RECORDED)
    for name in shape.columns:
        query = query.where(c[name] == bindparam(f"is_{name}"))
    if shape.by_reason:
        query = query.where(c.reasons.like(bindparam("pattern"), escape="/"))
    for name, least in shape.bounds:
        bound = bindparam(_bound_name(name, least))
        query = query.where(c[name] >= bound if least else c[name] <= bound)
    return query


@lru_cache(maxsize=256)
def rest(shape: Shape, of_branches: bool, last_first: bool, bounded: bool) -> Select[Any]:
    """This function will select those between two places of one log, in order."""
    index, at = DECISION.c.index, DECISION.c.recorded_at
    query = filtered(shape).where(_behind(""))
    if of_branches:
        query = query.where(DECISION.c.branch.in_(bindparam("branches", expanding=True)))
    query = query.order_by(*((at.desc(), index.desc()) if last_first else (at, index)))
    return query.limit(bindparam("most")) if bounded else query


@lru_cache(maxsize=256)
def rests(shape: Shape, count: int) -> Select[Any]:
    """This function will select those between two places of each of several logs, in any order."""
    return filtered(shape).where(or_(*(_behind(f"_{n}") for n in range(count))))


def _behind(which: str) -> ColumnElement[bool]:
    c = DECISION.c
    return and_(
        c.lender == bindparam(f"lender{which}"), c.recorded_at >= bindparam(f"since{which}"),
        c.index >= bindparam(f"start{which}"), c.index < bindparam(f"stop{which}"),
    )  # fmt: skip


@lru_cache(maxsize=TOGETHER)
def places_at(count: int) -> Select[Any]:
    """This function will select, log by log, the first place at or after `since`, and at or after `until`."""
    return select(
        *(
            select(DECISION.c.index)
            .where(DECISION.c.lender == bindparam(f"lender_{n}"), DECISION.c.recorded_at >= bindparam(instant))
            .order_by(DECISION.c.recorded_at, DECISION.c.index)
            .limit(1)
            .scalar_subquery()
            for n in range(count)
            for instant in ("since", "until")
        )
    )


# ---- logs and marks -----------------------------------------------------------------------------------------------

LOGS = (
    select(
        LOG_HEAD.c.lender, LOG_HEAD.c.size, LOG_HEAD.c.recorded_at, SEARCH_PROGRESS.c.places,
        SEARCH_PROGRESS.c.recorded_at,
    )
    .join_from(LOG_HEAD, SEARCH_PROGRESS, SEARCH_PROGRESS.c.lender == LOG_HEAD.c.lender, isouter=True)
    .where(LOG_HEAD.c.lender.in_(bindparam("lenders", expanding=True)), LOG_HEAD.c.size > 0)
    .order_by(LOG_HEAD.c.lender)
)  # fmt: skip
TIME_AT = (
    select(DECISION.c.recorded_at)
    .join_from(LOG_ENTRY, DECISION, OF_ENTRY)
    .where(LOG_ENTRY.c.lender == bindparam("lender"), LOG_ENTRY.c.index >= bindparam("place"))
    .order_by(LOG_ENTRY.c.index)
    .limit(1)
)
_OF_NAME = (SEARCH_BLOCK.c.lender == bindparam("lender"), SEARCH_BLOCK.c.name == bindparam("name"))
_OF_TIMES = SEARCH_BLOCK.alias()
_TIMES = (
    select(_OF_TIMES.c.content)
    .where(
        _OF_TIMES.c.lender == SEARCH_BLOCK.c.lender, _OF_TIMES.c.name == RECORDED_AT,
        _OF_TIMES.c.value == "", _OF_TIMES.c.block == SEARCH_BLOCK.c.block,
    )
    .scalar_subquery()
)  # fmt: skip


@lru_cache(maxsize=TOGETHER)
def first_marks(count: int) -> Select[Any]:
    """This function will select one code's marks between two blocks of each of several logs, with their times."""
    c = SEARCH_BLOCK.c
    each = (
        and_(
            c.lender == bindparam(f"lender_{n}"), c.block >= bindparam(f"first_{n}"), c.block < bindparam(f"until_{n}")
        )
        for n in range(count)
    )
    query = select(c.lender, c.block, c.content, _TIMES)
    return query.where(c.name == bindparam("name"), c.value == bindparam("value"), or_(*each))


def _next_marks(last_first: bool, timed: bool) -> Select[Any]:
    block = SEARCH_BLOCK.c.block
    query = select(block, SEARCH_BLOCK.c.content, *((_TIMES,) if timed else ())).where(
        *_OF_NAME, SEARCH_BLOCK.c.value == bindparam("value"), block >= bindparam("first"), block < bindparam("until")
    )
    return query.order_by(block.desc() if last_first else block).limit(bindparam("most"))


NEXT_MARKS = {shape: _next_marks(*shape) for shape in product((True, False), repeat=2)}
STORED = select(SEARCH_BLOCK.c.block, SEARCH_BLOCK.c.content).where(
    *_OF_NAME,
    SEARCH_BLOCK.c.value.in_(bindparam("values", expanding=True)),
    SEARCH_BLOCK.c.block.in_(bindparam("blocks", expanding=True)),
)
