"""The two statements of PostgreSQL's hot road, written out.

Neighbours may rely on this: each is one statement whatever the batch holds, and reads by index only. Arrays go in as
parameters and become rows by `unnest`, which is 1.6 times faster than a statement a row, long ones as one text each;
for a batch of one, plain VALUES are faster still.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from app.adapters.database.act_statements import array_parts, as_arrays, reading_rows
from app.adapters.database.joined_arrays import array, joined
from app.adapters.database.rows import (
    Row,
    checkpoint_rows,
    decision_rows,
    entry_rows,
    head_values,
    member_rows,
    new_terms,
    offer_rows,
)
from app.usecases.ports import LogHead, Sealed, Wanted

# Each message opens its own transaction for its lenders (row_security), which costs no message of its own: the function
# is called where the first row is made that anything else depends on.
_ALLOW = "set_config('jifendai.lenders', {}, true)"
_ALLOW_ALL_GIVEN = _ALLOW.format("array_to_string($1::text[], ',')")
LOCK_HEADS = (
    f"BEGIN; SELECT {_ALLOW}, {_ALLOW.replace('lenders', 'pools')}; "
    "SELECT FROM log_head WHERE lender IN ({}) ORDER BY lender FOR UPDATE"
)
NEW_HEADS = f"""
INSERT INTO log_head (lender, size, frontier)
SELECT lender, 0, '' FROM (
  SELECT lender, {_ALLOW_ALL_GIVEN} FROM unnest($1::text[]) AS given (lender)
) AS given ORDER BY lender
ON CONFLICT DO NOTHING
"""


def reading(wanted: Wanted, since: str | None) -> tuple[str, list[Any]]:
    """This function will return the statement that reads the state and its parameters.

    `since` is the day before in UTC, where time is simulated; otherwise the database takes it from its own clock.
    """
    text, asked = _reading(wanted, since)
    if wanted.acts is None or not wanted.acts.rows:
        return text, asked
    rows = reading_rows(wanted.acts.rows, len(asked) + 1)
    return f"{text}\n{rows.text}", [*asked, *rows.parameters]


def _reading(wanted: Wanted, since: str | None) -> tuple[str, list[Any]]:
    keys, companies, applications = wanted.keys, wanted.companies, wanted.applications
    if len(wanted.lenders) == len(keys) == len(companies) == len(applications) == 1:
        [(lender, uscc, group)] = companies
        return READ_STATE_OF_ONE, [lender, *keys[0], *applications[0], lender, uscc, lender, group, since]
    grouped = {(lender, group) for lender, _, group in companies if group is not None}
    return READ_STATE, [
        wanted.lenders,
        [lender for lender, _ in keys], [key for _, key in keys],
        [lender for lender, _ in applications], [application for _, application in applications],
        [lender for lender, _, _ in companies], [uscc for _, uscc, _ in companies],
        [lender for lender, _ in grouped], [group for _, group in grouped],
        since,
    ]  # fmt: skip


def writing(sealed: Sealed, read: Mapping[str, LogHead], known_terms: set[str]) -> tuple[str, list[Any]]:
    """This function will return the statement that writes the batch, and its parameters.

    It answers how many heads it moved: all of them, or it has written nothing beside, as one of them was no longer as
    it was `read`.
    """
    born, closed = offer_rows(sealed)
    parts: dict[str, list[Row]] = {
        "log_head": [(head.lender, read[head.lender].size, *head_values(head)) for head in sealed.heads],
        "terms": new_terms(sealed, known_terms),
        "log_entry": entry_rows(sealed),
        "decision": decision_rows(sealed),
        "offer": born,
        "superseded": closed,
        "checkpoint": checkpoint_rows(sealed),
        "group_member": member_rows(sealed),
    }
    present = {name: rows for name, rows in parts.items() if rows}
    shapes, arrays = as_arrays(sealed.acts.rows) if sealed.acts is not None else ((), [])
    if all(len(rows) == 1 for rows in present.values()):
        values = [value for rows in present.values() for value in rows[0]]
        return _statement(tuple((name, frozenset()) for name in present), 1, shapes, of_one=True), values + arrays
    given: list[Any] = []
    forms: list[_Part] = []
    for name, rows in present.items():
        columns = [*zip(*rows, strict=True)]
        texts = _texts(name, columns) if len(rows) >= _MANY else {}
        given += [texts.get(place, column) for place, column in enumerate(columns)]
        forms.append((name, frozenset(texts)))
    return _statement(tuple(forms), len(sealed.heads), shapes, of_one=False), given + arrays


_Part = tuple[str, frozenset[int]]
"""A table, and the places of its columns that are sent as one text each."""
# For fewer an array costs no more, and what is joined is another statement, which the driver prepares.
_MANY = 8


def _texts(name: str, columns: Sequence[Sequence[Any]]) -> dict[int, str]:
    texts = {place: joined(columns[place], kind) for place, kind in _joinable(name)}
    # All of them or none, or each chance of a text would make another statement.
    return {} if None in texts.values() else texts


@cache
def _joinable(name: str) -> tuple[tuple[int, str], ...]:
    kinds = enumerate(column.split(" ")[1] for column in _COLUMNS[name].split(", "))
    return tuple((place, kind) for place, kind in kinds if kind != "bytea")


# ---- their text -----------------------------------------------------------------------------------------------------


def _given(of_one: bool, *numbers: int) -> str:
    """The rows that a batch asks for, as a table: arrays become rows, or there is but one row."""
    if of_one:
        return f"(VALUES ({', '.join(f'${number}::text' for number in numbers)}))"
    return f"unnest({', '.join(f'${number}::text[]' for number in numbers)})"


def _allow(of_one: bool) -> str:
    """The lenders, which are the first parameter of either statement, are those whose rows it may see and write."""
    return _ALLOW.format("$1::text") if of_one else _ALLOW_ALL_GIVEN


def _open_offers(given: str, column: str) -> str:
    # A day in Shanghai begins before it does in UTC, so the day before is early enough for any decision.
    return f"""
SELECT 'offer', o.lender, o.offer_id, o.application_id, o.product, o.until, o.uscc, o.group_id, o.amount, o.drawn,
       NULL, NULL
FROM {given} AS given (lender, {column})
CROSS JOIN LATERAL (
  SELECT o.*, coalesce(l.counts_until, o.counts_until) AS until, coalesce(l.credit_limit, o.credit_limit) AS amount,
         CASE WHEN coalesce(l.credit_approved, o.credit_approved) THEN coalesce(l.outstanding, 0) END AS drawn
  FROM offer o LEFT JOIN credit_line l ON l.offer_id = o.offer_id
  WHERE o.{column} = given.{column} AND o.lender || '' = given.lender AND o.superseded_by IS NULL
  AND (coalesce(l.counts_until, o.counts_until) >=
       coalesce($10::text, to_char(clock_timestamp() - interval '1 day', 'YYYY-MM-DD')) OR l.outstanding > 0) OFFSET 0
) o
"""


def _read_state(of_one: bool) -> str:
    # The driver prepares these statements once, perhaps while the tables are small and any plan looks as good as
    # another. So none but the right one is left: what is LATERAL with a LIMIT or an OFFSET is looked up for each row
    # that is asked for, and `lender || ''` keeps an index that begins with the lender out of it. What those promised
    # who were taken out of a group is read with the rest and counted for nobody, as to look at each costs more; an
    # array costs less than an aggregate.
    allow = _allow(of_one)
    return f"""
WITH asked_group AS (
  SELECT given.lender, given.group_id FROM {_given(of_one, 8, 9)} AS given (lender, group_id)
  UNION
  SELECT m.lender, m.group_id FROM {_given(of_one, 6, 7)} AS given (lender, uscc)
  CROSS JOIN LATERAL (
    SELECT lender, group_id FROM group_member
    WHERE uscc = given.uscc AND lender || '' = given.lender AND is_member OFFSET 0
  ) m
), member AS (
  SELECT m.lender, m.uscc, m.group_id, m.is_member FROM asked_group
  CROSS JOIN LATERAL (
    SELECT lender, uscc, group_id, is_member FROM group_member
    WHERE group_id = asked_group.group_id AND lender || '' = asked_group.lender OFFSET 0
  ) m
)
SELECT 'now' AS kind, (SELECT digest FROM catalogue_activation ORDER BY number DESC LIMIT 1) AS a, {allow} AS b,
       array_to_string(ARRAY(SELECT programme FROM subsidy_budget WHERE used_up), ' ') AS c,
       NULL AS d, NULL AS e, NULL AS f, NULL AS g, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS n,
       coalesce((SELECT number FROM key_change ORDER BY number DESC LIMIT 1), 0) AS m,
       NULL::bytea AS x, NULL::bytea AS y
UNION ALL
SELECT 'head', h.lender, NULL, NULL, NULL, NULL, NULL, NULL, h.size, h.recorded_at, h.frontier, NULL
FROM {_given(of_one, 1)} AS given (lender) JOIN log_head h ON h.lender = given.lender
UNION ALL
SELECT 'key', d.lender, d.idempotency_key, NULL, NULL, NULL, NULL, NULL, NULL, NULL, d.fingerprint,
       substring(e.record FROM d.answer_from + 1 FOR d.answer_until - d.answer_from) || d.place
FROM {_given(of_one, 2, 3)} AS given (lender, idempotency_key)
CROSS JOIN LATERAL (
  SELECT lender, index, idempotency_key, fingerprint, answer_from, answer_until, place FROM decision
  WHERE idempotency_key = given.idempotency_key AND lender || '' = given.lender LIMIT 1
) d
CROSS JOIN LATERAL (SELECT record FROM log_entry WHERE lender = d.lender AND index = d.index OFFSET 0) e
UNION ALL
SELECT 'previous', d.lender, d.application_id, d.decision_id, NULL, NULL, NULL, NULL, d.revision, NULL, NULL, NULL
FROM {_given(of_one, 4, 5)} AS given (lender, application_id)
CROSS JOIN LATERAL (
  SELECT lender, application_id, decision_id, revision FROM decision
  WHERE application_id = given.application_id AND lender || '' = given.lender ORDER BY revision DESC LIMIT 1
) d
UNION ALL {_open_offers(_given(of_one, 6, 7), "uscc")}
UNION ALL
SELECT 'member', lender, uscc, group_id, NULL, NULL, NULL, NULL, is_member::int, NULL, NULL, NULL FROM member
UNION ALL {_open_offers("(SELECT DISTINCT lender, uscc FROM member)", "uscc")}
UNION ALL {_open_offers(_given(of_one, 4, 5), "application_id")}
"""


READ_STATE, READ_STATE_OF_ONE = _read_state(of_one=False), _read_state(of_one=True)

# The columns of each part in the order of the tuples above, with their types.
_COLUMNS = {
    "log_head": "lender text, was bigint, size bigint, frontier bytea, recorded_at bigint",
    "terms": "digest text, canonical bytea",
    "log_entry": "lender text, index bigint, leaf_hash bytea, record bytea, decision_id text",
    "decision": (
        "decision_id text, lender text, index bigint, idempotency_key text, fingerprint bytea, application_id text, "
        "revision int, supersedes text, product text, branch text, zone text, uscc text, stage text, score text, "
        "outcome text, reasons text, requested_amount bigint, credit_limit bigint, decided_on text, "
        "recorded_at bigint, submitted_by text, terms_digest text, answer_from int, answer_until int, "
        "place bytea"
    ),
    "offer": (
        "offer_id text, decision_id text, lender text, application_id text, product text, uscc text, group_id text, "
        "credit_limit bigint, counts_until text, credit_approved bool, superseded_by text"
    ),
    "superseded": "offer_id text, superseded_by text",
    "checkpoint": "lender text, size bigint, root bytea, note bytea",
    "group_member": "uscc text, lender text, group_id text, is_member bool",
}
_INSERT = "INSERT INTO {table} ({names}) SELECT {names} FROM {given} WHERE {moved}"
_FORMS: Mapping[str, Callable[..., str]] = {
    # A condition of no column is looked at once, before any row: so the transaction is open when the head is looked
    # for, and nothing else is written before the head has moved.
    "log_head": lambda given, allow, **_: (
        f"UPDATE log_head SET size = g.size, frontier = g.frontier, recorded_at = g.recorded_at "
        f"FROM {given} WHERE log_head.lender = g.lender AND log_head.size = g.was AND (SELECT {allow}) IS NOT NULL "
        "RETURNING 1"
    ),
    "terms": lambda **of: _INSERT.format(**of) + " ON CONFLICT DO NOTHING",
    "group_member": lambda **of: (
        _INSERT.format(**of) + " ON CONFLICT (uscc, lender, group_id) DO UPDATE SET is_member = TRUE"
    ),
    "superseded": lambda given, moved, **_: (
        f"UPDATE offer SET superseded_by = g.superseded_by FROM {given} WHERE offer.offer_id = g.offer_id AND {moved}"
    ),
}


@cache
def _statement(present: tuple[_Part, ...], heads: int, shapes: tuple[Any, ...], *, of_one: bool) -> str:
    """One statement for each combination of parts that occurs, so that the driver prepares each of them once."""
    parts, number = [], 0
    allow = _allow(of_one)
    for table, apart in present:
        columns = [column.split(" ") for column in _COLUMNS[table].split(", ")]
        parameters = ", ".join(
            f"${number + i}::{kind}" if of_one else array(number + i, kind, apart=i - 1 in apart)
            for i, (_, kind) in enumerate(columns, 1)
        )
        number += len(columns)
        names = ", ".join(f'"{name}"' for name, _ in columns)
        given = f"(VALUES ({parameters})) AS g ({names})" if of_one else f"unnest({parameters}) AS g ({names})"
        moved = f"(SELECT count(*) FROM log_head_part) = {heads}"
        form = _FORMS.get(table, _INSERT.format)
        parts.append(f"{table}_part AS ({form(table=table, names=names, given=given, moved=moved, allow=allow)})")
    parts += array_parts(shapes, number + 1)
    return f"WITH {', '.join(parts)} SELECT count(*) FROM log_head_part"
