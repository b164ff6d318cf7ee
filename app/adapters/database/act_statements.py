"""What acts read and write in a batch, once for every database.

Neighbours may rely on this: `reading` and `writing` do no I/O. They give statements in portable SQL, whose marks are
`?`, and each book carries them out in its own transaction, behind its own locks, with its own driver. Values are what
the database holds, on the way in and, by the types of tables.py, on the way out.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Boolean, Integer, LargeBinary

from app.adapters.database.tables import (
    ACT,
    CREDIT_LINE,
    METADATA,
    Day,
    Instant,
    as_stored,
    to_instant,
    to_microseconds,
)
from app.domain.money import Yuan
from app.domain.standing import Commitment
from app.usecases.acts import (
    ActRow,
    ActsRead,
    ActsWanted,
    ActsWritten,
    Lookup,
    OfferStanding,
    Row,
    StoredAct,
    Value,
    Written,
)
from app.usecases.ports import KeyedAnswer, answer_in

_AT_ONCE = 400


class Statement(NamedTuple):
    """One statement and its parameters."""

    text: str
    parameters: tuple[Any, ...]


Found = Sequence[Sequence[Any]]

_ANSWER = (
    "e.record, a.answer_from, a.answer_until, a.place FROM act a "
    'JOIN log_entry e ON e.lender = a.lender AND e."index" = a."index"'
)
_ANSWERED = f"SELECT a.lender, a.format, a.idempotency_key, a.fingerprint, {_ANSWER} WHERE a.idempotency_key IN ({{}})"
_HISTORY = (
    'SELECT a.record_id, a.lender, a."index", a.format, a.subject, a.state, a.recorded_at, a.submitted_by, '
    f'{_ANSWER} WHERE a.subject IN ({{}}) ORDER BY a.lender, a."index"'
)
_OFFERS = (
    "SELECT o.lender, o.superseded_by, o.offer_id, o.application_id, o.product, o.uscc, o.group_id, "
    "coalesce(l.credit_limit, o.credit_limit), coalesce(l.counts_until, o.counts_until), "
    "coalesce(l.credit_approved, o.credit_approved), coalesce(l.outstanding, 0) "
    "FROM offer o LEFT JOIN credit_line l ON l.offer_id = o.offer_id WHERE o.offer_id IN ({})"
)
# Portable SQL has no other way to write a row that may or may not be there.
_NO_LINE = "DELETE FROM credit_line WHERE offer_id = ?"


def locked_pools(wanted: ActsWanted | None) -> list[str]:
    """This function will return the pools that a batch holds, and has to know whole: their room is everybody's."""
    asked = () if wanted is None else wanted.rows
    return [str(lookup.value) for lookup in asked if lookup.locked and lookup.table == "pool"]


def reading(wanted: ActsWanted, *, locks: bool) -> Generator[Statement, Found, ActsRead]:
    """This function will give each statement, be sent its rows, and return what was read. `locks` says whether the
    database knows FOR UPDATE.
    """
    answered: dict[tuple[str, str, str], KeyedAnswer] = {}
    keys = frozenset(wanted.keys)
    for values in _chunks(key for _, _, key in wanted.keys):
        for lender, kind, key, fingerprint, *answer in (yield _among(_ANSWERED, values)):
            if (lender, kind, key) in keys:
                answered[lender, kind, key] = KeyedAnswer(bytes(fingerprint), _answer(*answer))
    history: dict[tuple[str, str], tuple[StoredAct, ...]] = {}
    for values in _chunks(subject for _, subject in wanted.subjects):
        for row in (yield _among(_HISTORY, values)):
            act = to_act(row)
            if (act.lender, act.subject) in wanted.subjects:
                history[act.lender, act.subject] = (*history.get((act.lender, act.subject), ()), act)
    offers: dict[str, OfferStanding] = {}
    for values in _chunks(wanted.offers):
        for lender, superseded_by, *columns in (yield _among(_OFFERS, values)):
            offers[columns[0]] = OfferStanding(lender, to_commitment(*columns), superseded_by)
    # What is locked comes in one order everywhere, or two batches could wait for each other.
    rows: dict[Lookup, tuple[Row, ...]] = {}
    for alike in _alike(wanted.rows):
        found: dict[Value, list[Row]] = {}
        for row in to_rows(alike[0].table, (yield _looking_up(alike, locks))):
            found.setdefault(row[alike[0].column], []).append(row)
        rows |= {lookup: tuple(found.get(lookup.value, ())) for lookup in alike}
    return ActsRead(answered, history, offers, rows)


def writing(written: ActsWritten, *, arrays: bool = False) -> Iterator[Statement]:
    """This function will give the statements that write the acts of a batch, their log entries apart. `arrays` says
    that the database makes rows of arrays.
    """
    for act in written.acts:
        yield Statement(_insert(tuple(ACT.columns.keys())), _act_values(act))
    line = _insert(tuple(CREDIT_LINE.columns.keys()), "credit_line")
    for lender, c in written.commitments:
        yield Statement(_NO_LINE, (c.offer_id,))
        values = (int(c.credit_limit), c.counts_until.isoformat(), c.credit_approved, int(c.outstanding))
        yield Statement(line, (c.offer_id, lender, *values))
    yield from (_rows_as_arrays(written.rows) if arrays else _rows_one_by_one(written.rows))


def _rows_one_by_one(rows: Sequence[Written]) -> Iterator[Statement]:
    for table, names, alike in _new_rows(rows):
        values = [_stored(value) for row in alike for value in row.values.values()]
        yield Statement(_insert(names, table, len(alike)), tuple(values))
    for row in rows:
        if row.key is not None:
            table = METADATA.tables[row.table]
            values = [_stored(value) for value in row.values.values()]
            sets = ", ".join(f'"{table.columns[name].name}" = ?' for name in row.values)
            where = " AND ".join(f'"{table.columns[name].name}" = ?' for name in row.key)
            keyed = [_stored(value) for value in row.key.values()]
            yield Statement(f"UPDATE {row.table} SET {sets} WHERE {where}", (*values, *keyed))


_Shape = tuple[str, tuple[str, ...], tuple[str, ...]]
"""Table, keys and columns of rows that are written alike; no keys: new rows."""


def _rows_as_arrays(rows: Sequence[Written]) -> Iterator[Statement]:
    """All rows in one statement, an array a column (PostgreSQL): a pool costs a batch one message. One statement
    sees no row that it makes itself, so that a table with new and changed rows is written one by one.
    """
    changed = {row.table for row in rows if row.key is not None}
    if any(row.key is None and row.table in changed for row in rows):
        yield from _rows_one_by_one(rows)
        return
    shapes: dict[_Shape, list[tuple[Any, ...]]] = {}
    named: set[tuple[Any, ...]] = set()
    for row in rows:
        key = row.key or {}
        name = (row.table, *key.items()) if key else None
        if name in named:
            yield from _rows_one_by_one(rows)
            return
        if name is not None:
            named.add(name)
        values = tuple(_stored(value) for value in (*key.values(), *row.values.values()))
        shapes.setdefault((row.table, tuple(key), tuple(row.values)), []).append(values)
    if shapes:
        columns = tuple(list(column) for alike in shapes.values() for column in zip(*alike, strict=True))
        yield Statement(_arrays(tuple(shapes)), columns)


@cache
def _arrays(shapes: tuple[_Shape, ...]) -> str:
    parts = []
    for number, (name, keys, columns) in enumerate(shapes):
        table = METADATA.tables[name]
        marks = ", ".join(f"?::{_array_of(table.columns[column].type)}" for column in (*keys, *columns))
        given = ", ".join(f'"{table.columns[column].name}"' for column in (*keys, *columns))
        if keys:
            sets = ", ".join(f'"{table.columns[c].name}" = g."{table.columns[c].name}"' for c in columns)
            where = " AND ".join(f'{name}."{table.columns[k].name}" = g."{table.columns[k].name}"' for k in keys)
            text = f"UPDATE {name} SET {sets} FROM unnest({marks}) AS g ({given}) WHERE {where}"
        else:
            text = f"INSERT INTO {name} ({given}) SELECT {given} FROM unnest({marks}) AS g ({given})"
        parts.append(f"p{number} AS ({text})")
    return f"WITH {', '.join(parts)} SELECT 1"


def _array_of(kind: Any) -> str:
    held = as_stored(kind)
    if isinstance(held, LargeBinary):
        return "bytea[]"
    if isinstance(held, Boolean):
        return "bool[]"
    if isinstance(held, BigInteger):
        return "bigint[]"
    return "int[]" if isinstance(held, Integer) else "text[]"


def to_act(row: Sequence[Any]) -> StoredAct:
    """This function will return the act of a row: its columns from record_id to submitted_by, then its answer's."""
    record_id, lender, index, kind, subject, state, recorded_at, submitted_by, record, *answer = row
    at = to_instant(recorded_at) if isinstance(recorded_at, int) else recorded_at
    return StoredAct(
        record_id, lender, index, kind, subject, state, at, submitted_by, bytes(record), _answer(record, *answer)
    )


def to_commitment(
    offer_id: str, application_id: str, product: str, uscc: str, group_id: str | None, credit_limit: int,
    counts_until: str, credit_approved: int | bool, outstanding: int,
) -> Commitment:  # fmt: skip
    """This function will return the commitment of an offer's columns, its credit line's in place of its own."""
    return Commitment(
        offer_id=offer_id, application_id=application_id, product=product, uscc=uscc, group_id=group_id,
        credit_limit=Yuan(credit_limit), counts_until=date.fromisoformat(counts_until),
        credit_approved=bool(credit_approved), outstanding=Yuan(outstanding),
    )  # fmt: skip


def to_rows(table: str, found: Found) -> tuple[Row, ...]:
    """This function will return the table's rows, which came with all their columns in order."""
    columns = METADATA.tables[table].columns
    return tuple(
        {column.name: _given(column.type, value) for column, value in zip(columns, row, strict=True)} for row in found
    )


def carried_out(steps: Generator[Statement, Found, ActsRead], run: Callable[[Statement], Found]) -> ActsRead:
    """This function will carry the statements out, one after another, and return what was read."""
    found: Found | None = None
    try:
        while True:
            found = run(steps.send(found) if found is not None else next(steps))
    except StopIteration as end:
        return end.value


@cache
def numbered(text: str) -> str:
    """This function will write the marks as PostgreSQL counts them: $1, $2 …"""
    first, *rest = text.split("?")
    return first + "".join(f"${number}{part}" for number, part in enumerate(rest, 1))


# ---- the parts ------------------------------------------------------------------------------------------------------


def _among(text: str, values: Sequence[str]) -> Statement:
    return Statement(text.format(", ".join("?" * len(values))), tuple(values))


def _alike(lookups: Iterable[Lookup]) -> Iterator[list[Lookup]]:
    """Lookups that one statement answers, in the order in which everybody locks."""
    ordered = sorted(lookups, key=lambda asked: (asked.table, not asked.locked, asked.column, asked.value))
    for _, group in groupby(ordered, key=lambda asked: (asked.table, asked.column, asked.locked)):
        every = list(group)
        for start in range(0, len(every), _AT_ONCE):
            yield every[start : start + _AT_ONCE]


def _looking_up(alike: Sequence[Lookup], locks: bool) -> Statement:
    first = alike[0]
    # Filled up to a power of two with the last of them: a driver remembers few statements.
    values = tuple(lookup.value for lookup in alike)
    values += values[-1:] * ((1 << (len(values) - 1).bit_length()) - len(values))
    text = _looking_up_text(first.table, first.column, len(values)) + " FOR UPDATE" * (first.locked and locks)
    return Statement(text, values)


@cache
def _looking_up_text(name: str, column: str, values: int) -> str:
    table = METADATA.tables[name]
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    keys = ", ".join(f'"{column.name}"' for column in table.primary_key)
    marks = ", ".join("?" * values)
    return f'SELECT {names} FROM {table.name} WHERE "{table.columns[column].name}" IN ({marks}) ORDER BY {keys}'


def _new_rows(rows: Iterable[Written]) -> Iterator[tuple[str, tuple[str, ...], list[Written]]]:
    """New rows of one table and the same columns, as many at once as make few different statements."""
    new: dict[tuple[str, tuple[str, ...]], list[Written]] = {}
    for row in rows:
        if row.key is None:
            new.setdefault((row.table, tuple(row.values)), []).append(row)
    for (table, names), every in new.items():
        while every:
            # The greatest power of two that there are, up to 64: a driver remembers few statements.
            count = 1 << min(6, len(every).bit_length() - 1)
            yield table, names, every[:count]
            every = every[count:]


@cache
def _insert(names: tuple[str, ...], table: str = "act", rows: int = 1) -> str:
    known = METADATA.tables[table].columns
    columns = ", ".join(f'"{known[name].name}"' for name in names)
    one = f"({', '.join('?' * len(names))})"
    return f"INSERT INTO {table} ({columns}) VALUES {', '.join([one] * rows)}"


def _act_values(act: ActRow) -> tuple[Any, ...]:
    return tuple(_stored(getattr(act, name)) for name in ACT.columns.keys())


def _answer(record: bytes, answer_from: int, answer_until: int, place: bytes) -> bytes:
    return answer_in(bytes(record), answer_from, answer_until, bytes(place))


def _stored(value: Value) -> Any:
    if isinstance(value, datetime):
        return to_microseconds(value)
    if isinstance(value, date):
        return value.isoformat()
    return int(value) if isinstance(value, Yuan) else value


_GIVEN: Mapping[type, Callable[[Any], Value]] = {
    Instant: to_instant, Day: date.fromisoformat, Boolean: bool, LargeBinary: bytes,
}  # fmt: skip


def _given(kind: Any, value: Any) -> Value:
    return value if value is None else _GIVEN.get(type(kind), lambda kept: kept)(value)


def _chunks(values: Iterable[str]) -> Iterator[list[str]]:
    every = list(dict.fromkeys(values))
    for start in range(0, len(every), _AT_ONCE):
        yield every[start : start + _AT_ONCE]
