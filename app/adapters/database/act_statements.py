"""What acts read and write in a batch, once for every database.

Neighbours may rely on this: `reading` and `writing` do no I/O. They give statements in portable SQL, whose marks are
`?`, and each book carries them out in its own transaction, behind its own locks, with its own driver. Values are what
the database holds, on the way in and, by the types of tables.py, on the way out.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from itertools import count
from typing import Any, NamedTuple

import orjson
from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary

from app.adapters.database.column_types import Day, Instant, as_stored, to_instant, to_microseconds
from app.adapters.database.joined_arrays import array, joined
from app.adapters.database.tables import ACT, CREDIT_LINE, METADATA
from app.domain.money import Yuan
from app.domain.standing import Commitment
from app.usecases.act_rows import (
    ActRow,
    ActsRead,
    ActsWanted,
    ActsWritten,
    KeyedAnswer,
    Lookup,
    NewRows,
    OfferStanding,
    Row,
    StoredAct,
    Value,
    Written,
)
from app.usecases.ports import answer_in

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
        rows |= _by_lookup(alike, to_rows(alike[0].table, (yield _looking_up(alike, locks))))
    return ActsRead(answered, history, offers, rows)


def _by_lookup(alike: Sequence[Lookup], rows: Iterable[Row]) -> dict[Lookup, tuple[Row, ...]]:
    found: dict[Value, list[Row]] = {}
    for row in rows:
        found.setdefault(row[alike[0].column], []).append(row)
    return {lookup: tuple(found.get(lookup.value, ())) for lookup in alike}


def locking(wanted: Iterable[Lookup]) -> str:
    """This function will return the text that locks the rows of lookups (PostgreSQL), to be sent along with the lock of
    the heads; empty where none is asked for.
    """
    parts = []
    for alike in _alike(lookup for lookup in wanted if lookup.locked):
        first, values = alike[0], ", ".join(_literal(lookup.value) for lookup in alike)
        table = METADATA.tables[first.table]
        keys = ", ".join(f'"{column.name}"' for column in table.primary_key)
        column = table.columns[first.column].name
        parts.append(f'; SELECT FROM {table.name} WHERE "{column}" IN ({values}) ORDER BY {keys} FOR UPDATE')
    return "".join(parts)


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def reading_rows(wanted: Sequence[Lookup], first: int) -> Statement:
    """This function will return what reads the rows of all lookups, whose locks are held already (PostgreSQL): parts of
    a UNION whose parameters are numbered from `first`, and which give for each group of lookups alike a row of its
    number and its text; `rows_read` takes the texts.
    """
    groups = list(_alike(wanted))
    columns = tuple((alike[0].table, alike[0].column) for alike in groups)
    return Statement(_rows_text(columns, first), tuple([lookup.value for lookup in alike] for alike in groups))


def rows_read(wanted: Sequence[Lookup], found: Sequence[str | None]) -> dict[Lookup, tuple[Row, ...]]:
    """This function will return the rows of each lookup."""
    rows: dict[Lookup, tuple[Row, ...]] = {}
    for alike, text in zip(_alike(wanted), found, strict=True):
        rows |= _by_lookup(alike, to_rows(alike[0].table, orjson.loads(text)) if text else ())
    return rows


@cache
def _rows_text(groups: tuple[tuple[str, str], ...], first: int) -> str:
    # A table's rows become one text each, so that tables of different columns fit into one answer; hardly any row is
    # found where most companies are new to a pool. They ride in the statement that reads the state, so that a pool
    # costs a batch no message.
    parts = []
    for number, (name, column) in enumerate(groups):
        table = METADATA.tables[name]
        names = ", ".join(_as_json(c) for c in table.columns)
        keys = ", ".join(f't."{c.name}"' for c in table.primary_key)
        where = f't."{table.columns[column].name}" = ANY (${first + number}::text[])'
        parts.append(
            f"UNION ALL SELECT 'rows', (SELECT json_agg(json_build_array({names}) ORDER BY {keys})::text "
            f"FROM {table.name} t WHERE {where}), NULL, NULL, NULL, NULL, NULL, NULL, {number}, NULL, NULL, NULL"
        )
    return "\n".join(parts)


def _as_json(column: Column[Any]) -> str:
    named = f't."{column.name}"'
    return f"encode({named}, 'hex')" if isinstance(column.type, LargeBinary) else named


def writing(written: ActsWritten, *, but_arrays: bool = False) -> Iterator[Statement]:
    """This function will give the statements that write the acts of a batch, their log entries apart. `but_arrays`
    leaves out what `as_arrays` writes.
    """
    for act in written.acts:
        yield Statement(_insert(tuple(ACT.columns.keys())), _act_values(act))
    line = _insert(tuple(CREDIT_LINE.columns.keys()), "credit_line")
    for lender, c in written.commitments:
        yield Statement(_NO_LINE, (c.offer_id,))
        values = (int(c.credit_limit), c.counts_until.isoformat(), c.credit_approved, int(c.outstanding))
        yield Statement(line, (c.offer_id, lender, *values))
    if not but_arrays or _make_and_change(written.rows):
        yield from _rows_one_by_one(written.rows)


def _rows_one_by_one(rows: Sequence[Written | NewRows]) -> Iterator[Statement]:
    for table, names, alike in _new_rows(rows):
        yield Statement(_insert(names, table, len(alike)), tuple(value for row in alike for value in row))
    for row in rows:
        if isinstance(row, Written) and row.key is not None:
            table = METADATA.tables[row.table]
            values = [stored_value(value) for value in row.values.values()]
            sets = ", ".join(f'"{table.columns[name].name}" = ?' for name in row.values)
            where = " AND ".join(f'"{table.columns[name].name}" = ?' for name in row.key)
            keyed = [stored_value(value) for value in row.key.values()]
            yield Statement(f"UPDATE {row.table} SET {sets} WHERE {where}", (*values, *keyed))


class _Shape(NamedTuple):
    """What rows that are written alike have in common. No keys: they are new. `once` are the places of the columns,
    keys first, in which all of them hold the same, `joined` of those whose values are sent as one text.
    """

    table: str
    keys: tuple[str, ...]
    columns: tuple[str, ...]
    once: frozenset[int] = frozenset()
    joined: frozenset[int] = frozenset()


# Rows by the dozen mostly agree in most of their columns, and what is sent once costs nothing; for fewer, the driver
# would have to prepare a statement for each chance agreement.
_MANY = 8


def _make_and_change(rows: Sequence[Written | NewRows]) -> bool:
    """Whether rows are made and changed, or changed twice: one statement sees no row that it makes itself."""
    made = {row.table for row in rows if isinstance(row, Written) and row.key is None}
    changes = [(row.table, *row.key.items()) for row in rows if isinstance(row, Written) and row.key is not None]
    return any(change[0] in made for change in changes) or len(set(changes)) < len(changes)


def as_arrays(rows: Sequence[Written | NewRows]) -> tuple[tuple[_Shape, ...], list[Any]]:
    """This function will return all rows as parameters, an array a column (PostgreSQL), and what `array_parts` makes
    its parts of: they ride in the statement that writes the log, so that a pool costs a batch no message. Both are
    empty where rows must be written one by one.
    """
    if _make_and_change(rows):
        return (), []
    shapes: dict[_Shape, list[Sequence[Any]]] = {}
    for row in rows:
        if isinstance(row, NewRows):
            shapes.setdefault(_Shape(row.table, (), row.columns), []).extend(row.rows)
        else:
            key = row.key or {}
            values = (*key.values(), *row.values.values())
            shapes.setdefault(_Shape(row.table, tuple(key), tuple(row.values)), []).append(values)
    parameters: list[Any] = []
    known: list[_Shape] = []
    for shape, alike in shapes.items():
        columns = _stored_columns(shape.table, (*shape.keys, *shape.columns), alike)
        if shape.keys or len(alike) < _MANY:
            known.append(shape)
            parameters += columns
            continue
        once = _agreeing(columns)
        kinds = _kinds(shape)
        texts = {
            place: text
            for place, column in enumerate(columns)
            if place not in once and (text := joined(column, kinds[place])) is not None
        }
        known.append(shape._replace(once=once, joined=frozenset(texts)))
        parameters += [texts.get(place, column) for place, column in enumerate(columns) if place not in once]
        parameters += [columns[place][0] for place in sorted(once)]
    return tuple(known), parameters


@cache
def _kinds(shape: _Shape) -> tuple[str, ...]:
    columns = METADATA.tables[shape.table].columns
    return tuple(_kind_of(columns[name].type) for name in (*shape.keys, *shape.columns))


def _agreeing(columns: Sequence[Sequence[Any]]) -> frozenset[int]:
    """At least one column stays an array: it tells how many rows there are."""
    found = [place for place, column in enumerate(columns) if column.count(column[0]) == len(column)]
    return frozenset(found if len(found) < len(columns) else found[1:])


@cache
def array_parts(shapes: tuple[_Shape, ...], first: int) -> tuple[str, ...]:
    """This function will write the parts of a WITH, their parameters numbered from `first`."""
    parts, marks = [], count(first)
    for number, (name, keys, columns, once, apart) in enumerate(shapes):
        table = METADATA.tables[name]
        every = [(f'"{table.columns[c].name}"', _kind_of(table.columns[c].type)) for c in (*keys, *columns)]
        many = [place for place in range(len(every)) if place not in once]
        given = ", ".join(every[place][0] for place in many)
        arrays = ", ".join(array(next(marks), every[place][1], apart=place in apart) for place in many)
        unnested = f"unnest({arrays}) AS g ({given})"
        if once:
            singles = (every[place] for place in sorted(once))
            same = ", ".join(f"${next(marks)}::{kind} AS {quoted}" for quoted, kind in singles)
            unnested += f" CROSS JOIN (SELECT {same}) AS s"
        if keys:
            sets = ", ".join(f'"{table.columns[c].name}" = g."{table.columns[c].name}"' for c in columns)
            where = " AND ".join(f'{name}."{table.columns[k].name}" = g."{table.columns[k].name}"' for k in keys)
            text = f"UPDATE {name} SET {sets} FROM {unnested} WHERE {where}"
        else:
            names = ", ".join(f'"{table.columns[column].name}"' for column in columns)
            text = f"INSERT INTO {name} ({names}) SELECT {names} FROM {unnested}"
        parts.append(f"rows_{number} AS ({text})")
    return tuple(parts)


def _kind_of(kind: Any) -> str:
    held = as_stored(kind)
    if isinstance(held, LargeBinary):
        return "bytea"
    if isinstance(held, Boolean):
        return "bool"
    if isinstance(held, BigInteger):
        return "bigint"
    return "int" if isinstance(held, Integer) else "text"


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
    """Lookups that one statement answers, tables in the order in which everybody locks; a statement that locks puts its
    rows in order itself.
    """
    groups: dict[tuple[str, bool, str], list[Lookup]] = {}
    for lookup in lookups:
        table, column, _, locked = lookup
        groups.setdefault((table, not locked, column), []).append(lookup)
    for key in sorted(groups):
        every = groups[key]
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


def _new_rows(rows: Iterable[Written | NewRows]) -> Iterator[tuple[str, tuple[str, ...], list[tuple[Any, ...]]]]:
    """New rows of one table and the same columns, as many at once as make few different statements."""
    new: dict[tuple[str, tuple[str, ...]], list[Sequence[Value]]] = {}
    for row in rows:
        if isinstance(row, NewRows):
            new.setdefault((row.table, row.columns), []).extend(row.rows)
        elif row.key is None:
            new.setdefault((row.table, tuple(row.values)), []).append(tuple(row.values.values()))
    for (table, names), found in new.items():
        every = list(zip(*_stored_columns(table, names, found), strict=True))
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
    return tuple(stored_value(getattr(act, name)) for name in ACT.columns.keys())


def _answer(record: bytes, answer_from: int, answer_until: int, place: bytes) -> bytes:
    return answer_in(bytes(record), answer_from, answer_until, bytes(place))


def _stored_columns(table: str, names: Sequence[str], rows: Sequence[Sequence[Value]]) -> list[list[Any]]:
    """Rows as columns, which hold what the database does."""
    kinds = _of_time(table, tuple(names))
    return [
        # Rows that are written together mostly tell of one day and one instant.
        ([stored_value(column[0])] * len(column) if len(set(column)) == 1 else list(map(stored_value, column)))
        if is_time else list(column)
        for is_time, column in zip(kinds, zip(*rows, strict=True), strict=True)
    ]  # fmt: skip


@cache
def _of_time(table: str, names: tuple[str, ...]) -> tuple[bool, ...]:
    columns = METADATA.tables[table].columns
    return tuple(isinstance(columns[name].type, Instant | Day) for name in names)


def stored_value(value: Value) -> Any:
    """This function will return a value as the database holds it."""
    if isinstance(value, datetime):
        return to_microseconds(value)
    if isinstance(value, date):
        return value.isoformat()
    return int(value) if isinstance(value, Yuan) else value


_GIVEN: Mapping[type, Callable[[Any], Value]] = {
    Instant: to_instant, Day: date.fromisoformat, Boolean: bool,
    LargeBinary: lambda kept: bytes.fromhex(kept) if isinstance(kept, str) else bytes(kept),
}  # fmt: skip


def _given(kind: Any, value: Any) -> Value:
    return value if value is None else _GIVEN.get(type(kind), lambda kept: kept)(value)


def _chunks(values: Iterable[str]) -> Iterator[list[str]]:
    every = list(dict.fromkeys(values))
    for start in range(0, len(every), _AT_ONCE):
        yield every[start : start + _AT_ONCE]
