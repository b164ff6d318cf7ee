"""The two statements of PostgreSQL's hot road, written out.

Neighbours may rely on this: each is one statement whatever the batch holds, and reads by index only. Arrays go in as
parameters and become rows by `unnest`, which is 1.6 times faster than a statement a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from app.adapters.database.plain_book import offer_columns
from app.adapters.database.tables import to_codes, to_microseconds
from app.usecases.ports import Sealed

LOCK_HEADS = "BEGIN; SELECT FROM log_head WHERE lender IN ({}) ORDER BY lender FOR UPDATE"
NEW_HEADS = """
INSERT INTO log_head (lender, size, frontier)
SELECT lender, 0, '' FROM unnest($1::text[]) AS given (lender) ORDER BY lender
ON CONFLICT DO NOTHING
"""

# A day in Shanghai begins before it does in UTC, so the day before is early enough for any decision. $10 is that day
# where time is simulated.
_OPEN = """
SELECT 'offer', o.lender, o.offer_id, o.application_id, o.product, o.counts_until,
       o.uscc, o.group_id, o.credit_limit, o.credit_approved::int::bigint, NULL, NULL
FROM unnest({values}) AS given (lender, {column})
JOIN offer o ON o.{column} = given.{column} AND o.lender || '' = given.lender
WHERE o.superseded_by IS NULL
  AND o.counts_until >= coalesce($10::text, to_char(clock_timestamp() - interval '1 day', 'YYYY-MM-DD'))
"""

# `lender || ''` keeps an index that begins with the lender out of the plan: the driver prepares these statements once,
# perhaps while the tables are empty and every index looks as good as another.
READ_STATE = f"""
SELECT 'now' AS kind, (SELECT digest FROM catalogue_activation ORDER BY number DESC LIMIT 1) AS a, NULL AS b,
       NULL AS c, NULL AS d, NULL AS e, NULL AS f, NULL AS g,
       (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS n, NULL::bigint AS m,
       NULL::bytea AS x, NULL::bytea AS y
UNION ALL
SELECT 'head', h.lender, NULL, NULL, NULL, NULL, NULL, NULL, h.size, h.recorded_at, h.frontier, NULL
FROM unnest($1::text[]) AS given (lender) JOIN log_head h ON h.lender = given.lender
UNION ALL
SELECT 'key', d.lender, d.idempotency_key, NULL, NULL, NULL, NULL, NULL, NULL, NULL, d.fingerprint, d.answer
FROM unnest($2::text[], $3::text[]) AS given (lender, idempotency_key)
JOIN decision d ON d.idempotency_key = given.idempotency_key AND d.lender || '' = given.lender
UNION ALL
SELECT 'previous', d.lender, d.application_id, d.decision_id, NULL, NULL, NULL, NULL, d.revision, NULL, NULL, NULL
FROM unnest($4::text[], $5::text[]) AS given (lender, application_id)
CROSS JOIN LATERAL (
  SELECT lender, application_id, decision_id, revision FROM decision
  WHERE application_id = given.application_id AND lender || '' = given.lender ORDER BY revision DESC LIMIT 1
) d
UNION ALL {_OPEN.format(values="$6::text[], $7::text[]", column="uscc")}
UNION ALL {_OPEN.format(values="$8::text[], $9::text[]", column="group_id")}
UNION ALL {_OPEN.format(values="$4::text[], $5::text[]", column="application_id")}
"""


def writing(sealed: Sealed, known_terms: set[str]) -> tuple[str, list[list[Any]]]:
    """This function will return the statement that writes the batch and its parameters, an array a column."""
    terms = [(digest, canonical) for digest, canonical in sealed.terms if digest not in known_terms]
    closed = dict(sealed.superseded)
    # An offer that was superseded within its own batch is born closed: an UPDATE beside its INSERT would not see it.
    offers = [_offer(offer_columns(row, closed.pop(row.commitment.offer_id, None))) for row in sealed.offers]
    of_leaf = {(row.lender, row.index): row.decision_id for row in sealed.decisions}
    parts: dict[str, Iterable[tuple[Any, ...]]] = {
        "terms": terms,
        "log_entry": [
            (e.lender, e.index, e.leaf_hash, e.record, of_leaf.get((e.lender, e.index))) for e in sealed.entries
        ],
        "decision": [_decision(row) for row in sealed.decisions],
        "offer": offers,
        "superseded": list(closed.items()),
        "checkpoint": [(c.lender, c.size, c.root, c.note) for c in sealed.checkpoints],
        "log_head": [
            (h.lender, h.size, h.frontier, None if h.recorded_at is None else to_microseconds(h.recorded_at))
            for h in sealed.heads
        ],
    }
    present = tuple(name for name, rows in parts.items() if rows)
    columns = [list(column) for name in present for column in zip(*parts[name], strict=True)]
    return _statement(present), columns


def _decision(d: Any) -> tuple[Any, ...]:
    return (
        d.decision_id, d.lender, d.index, d.idempotency_key, d.fingerprint, d.application_id, d.revision, d.supersedes,
        d.product, d.branch, d.zone, d.uscc, d.stage, d.score, d.outcome, to_codes(d.reasons), d.requested_amount,
        d.credit_limit, d.decided_on.isoformat(), to_microseconds(d.recorded_at), d.submitted_by, d.terms_digest,
        d.answer,
    )  # fmt: skip


def _offer(columns: dict[str, Any]) -> tuple[Any, ...]:
    return tuple((columns | {"counts_until": columns["counts_until"].isoformat()}).values())


# The columns of each part in the order of the tuples above, with their types.
_COLUMNS = {
    "terms": "digest text, canonical bytea",
    "log_entry": "lender text, index bigint, leaf_hash bytea, record bytea, decision_id text",
    "decision": (
        "decision_id text, lender text, index bigint, idempotency_key text, fingerprint bytea, application_id text, "
        "revision int, supersedes text, product text, branch text, zone text, uscc text, stage text, score text, "
        "outcome text, reasons text, requested_amount bigint, credit_limit bigint, decided_on text, "
        "recorded_at bigint, submitted_by text, terms_digest text, answer bytea"
    ),
    "offer": (
        "offer_id text, decision_id text, lender text, application_id text, product text, uscc text, group_id text, "
        "credit_limit bigint, counts_until text, credit_approved bool, superseded_by text"
    ),
    "superseded": "offer_id text, superseded_by text",
    "checkpoint": "lender text, size bigint, root bytea, note bytea",
    "log_head": "lender text, size bigint, frontier bytea, recorded_at bigint",
}
_INSERT = "INSERT INTO {table} ({names}) SELECT {names} FROM {given}"
_FORMS: dict[str, Callable[[str, str], str]] = {
    "terms": lambda names, given: (
        _INSERT.format(table="terms", names=names, given=given) + " ON CONFLICT DO NOTHING"
    ),
    "superseded": lambda _, given: (
        f"UPDATE offer SET superseded_by = g.superseded_by FROM {given} WHERE offer.offer_id = g.offer_id"
    ),
    "log_head": lambda _, given: (
        f"UPDATE log_head SET size = g.size, frontier = g.frontier, recorded_at = g.recorded_at FROM {given} "
        "WHERE log_head.lender = g.lender"
    ),
}


@cache
def _statement(present: tuple[str, ...]) -> str:
    """One statement for each combination of parts that occurs, so that the driver prepares each of them once."""
    parts, number = [], 0
    for table in present:
        columns = [column.split(" ") for column in _COLUMNS[table].split(", ")]
        names = ", ".join(f'"{name}"' for name, _ in columns)
        arrays = ", ".join(f"${number + i}::{kind}[]" for i, (_, kind) in enumerate(columns, 1))
        number += len(columns)
        given = f"unnest({arrays}) AS g ({names})"
        form = _FORMS.get(table)
        parts.append(form(names, given) if form else _INSERT.format(table=table, names=names, given=given))
    named = ", ".join(f"w{i} AS ({part})" for i, part in enumerate(parts[:-1]))
    return f"WITH {named} {parts[-1]}" if named else parts[-1]
