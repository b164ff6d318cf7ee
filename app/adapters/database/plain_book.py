"""The book in portable SQL through SQLAlchemy Core, as SQLite uses it; the plain twin of what only PostgreSQL has.

Neighbours may rely on this: it runs on any database that Core knows, where the transaction has begun and no other can
write between the reading of the state and the commit (SQLite's BEGIN IMMEDIATE), or where rows can be locked (FOR
UPDATE).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, insert, or_, select, update

from app.adapters.database.tables import (
    CATALOGUE_ACTIVATION,
    CHECKPOINT,
    DECISION,
    LOG_ENTRY,
    LOG_HEAD,
    OFFER,
    TERMS,
    to_codes,
)
from app.domain.money import Yuan
from app.domain.standing import Commitment
from app.usecases.ports import BatchState, KeyedAnswer, LogHead, OfferRow, Previous, Sealed, Wanted

# A database takes a limited number of parameters in one statement (SQLite of 2020: 32,766; others less).
_AT_ONCE = 500


def lock_and_read(connection: Connection, wanted: Wanted, clock: Callable[[], datetime]) -> BatchState:
    """This function will lock the heads in id order and return the state after the locks."""
    heads = _locked_heads(connection, wanted.lenders)
    # A clock that was set back never takes the log's time back with it.
    now = max([clock(), *(head.recorded_at for head in heads.values() if head.recorded_at is not None)])
    return BatchState(
        now=now,
        edition=_edition(connection),
        heads=heads,
        answered=_answered(connection, wanted.keys),
        previous=_previous(connection, wanted.applications),
        commitments=_commitments(connection, wanted, now),
    )


def write(connection: Connection, sealed: Sealed, known_terms: set[str]) -> None:
    """This function will write the whole of a sealed batch; `known_terms` are digests known to be stored already."""
    of_leaf = {(row.lender, row.index): row.decision_id for row in sealed.decisions}
    _insert(connection, _TERMS_INSERT, _new_terms(connection, sealed, known_terms))
    _insert(
        connection, _ENTRY_INSERT,
        [
            {"lender": e.lender, "index": e.index, "leaf_hash": e.leaf_hash, "record": e.record,
             "decision_id": of_leaf.get((e.lender, e.index))}
            for e in sealed.entries
        ],
    )  # fmt: skip
    _insert(
        connection, _DECISION_INSERT,
        [
            {name: getattr(row, name) for name in _DECISION_COLUMNS} | {"reasons": to_codes(row.reasons)}
            for row in sealed.decisions
        ],
    )  # fmt: skip
    closed = dict(sealed.superseded)
    _insert(connection, _OFFER_INSERT, [offer_columns(row, closed.pop(row.commitment.offer_id, None))
                                        for row in sealed.offers])  # fmt: skip
    _insert(connection, _SUPERSEDE, [{"offer": offer, "by": by} for offer, by in closed.items()])
    _insert(
        connection, _CHECKPOINT_INSERT,
        [{"lender": c.lender, "size": c.size, "root": c.root, "note": c.note} for c in sealed.checkpoints],
    )  # fmt: skip
    _insert(
        connection, _HEAD_UPDATE,
        [{"of": h.lender, "size": h.size, "frontier": h.frontier, "recorded_at": h.recorded_at} for h in sealed.heads],
    )  # fmt: skip


def offer_columns(row: OfferRow, superseded_by: str | None) -> dict[str, Any]:
    """This function will return an offer as the table holds it; one superseded within its own batch is born closed."""
    c = row.commitment
    return {
        "offer_id": c.offer_id, "decision_id": row.decision_id, "lender": row.lender,
        "application_id": c.application_id, "product": c.product, "uscc": c.uscc, "group_id": c.group_id,
        "credit_limit": int(c.credit_limit), "counts_until": c.counts_until,
        "credit_approved": c.credit_approved, "superseded_by": superseded_by,
    }  # fmt: skip


def to_commitment(row: Row[Any]) -> Commitment:
    """This function will return the commitment of a row that holds COMMITMENT_COLUMNS."""
    return Commitment(
        offer_id=row.offer_id, application_id=row.application_id, product=row.product, uscc=row.uscc,
        group_id=row.group_id, credit_limit=Yuan(row.credit_limit), counts_until=row.counts_until,
        credit_approved=row.credit_approved,
    )  # fmt: skip


COMMITMENT_COLUMNS = (
    OFFER.c.offer_id, OFFER.c.application_id, OFFER.c.product, OFFER.c.uscc, OFFER.c.group_id, OFFER.c.credit_limit,
    OFFER.c.counts_until, OFFER.c.credit_approved,
)  # fmt: skip

# ---- the statements, built once -------------------------------------------------------------------------------------

_DECISION_COLUMNS = tuple(column.name for column in DECISION.columns)
_TERMS_INSERT, _ENTRY_INSERT, _DECISION_INSERT = insert(TERMS), insert(LOG_ENTRY), insert(DECISION)
_OFFER_INSERT, _CHECKPOINT_INSERT, _HEAD_INSERT = insert(OFFER), insert(CHECKPOINT), insert(LOG_HEAD)
_HEAD_UPDATE = update(LOG_HEAD).where(LOG_HEAD.c.lender == bindparam("of"))
_SUPERSEDE = update(OFFER).where(OFFER.c.offer_id == bindparam("offer")).values(superseded_by=bindparam("by"))
_LOCK_HEADS = (
    select(LOG_HEAD)
    .where(LOG_HEAD.c.lender.in_(bindparam("lenders", expanding=True)))
    .order_by(LOG_HEAD.c.lender)
    .with_for_update()
)
_EDITION = select(CATALOGUE_ACTIVATION.c.digest).order_by(CATALOGUE_ACTIVATION.c.number.desc()).limit(1)
_ANSWERED = select(DECISION.c.idempotency_key, DECISION.c.fingerprint, DECISION.c.answer).where(
    DECISION.c.lender == bindparam("lender"), DECISION.c.idempotency_key.in_(bindparam("values", expanding=True))
)
# In order of revision, so that the last row of an application is its newest.
_PREVIOUS = (
    select(DECISION.c.application_id, DECISION.c.decision_id, DECISION.c.revision)
    .where(DECISION.c.lender == bindparam("lender"), DECISION.c.application_id.in_(bindparam("values", expanding=True)))
    .order_by(DECISION.c.application_id, DECISION.c.revision)
)
_STORED_TERMS = select(TERMS.c.digest).where(TERMS.c.digest.in_(bindparam("digests", expanding=True)))


def _open_offers(*of: Any) -> Any:
    return select(*COMMITMENT_COLUMNS).where(
        OFFER.c.lender == bindparam("lender"),
        or_(*of) if len(of) > 1 else of[0],
        and_(OFFER.c.superseded_by.is_(None), OFFER.c.counts_until >= bindparam("since")),
    )


# One statement for each index: an OR over three of them is what planners are worst at.
_OPEN_OF = {
    column.name: _open_offers(column.in_(bindparam("values", expanding=True)))
    for column in (OFFER.c.uscc, OFFER.c.group_id, OFFER.c.application_id)
}

# ---- their use ------------------------------------------------------------------------------------------------------


def _insert(connection: Connection, statement: Any, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(statement, rows)


def _locked_heads(connection: Connection, lenders: tuple[str, ...]) -> dict[str, LogHead]:
    heads = {row.lender: LogHead(*row) for row in connection.execute(_LOCK_HEADS, {"lenders": lenders})}
    unseen = [lender for lender in lenders if lender not in heads]
    for lender in unseen:
        heads[lender] = LogHead(lender, 0, b"", None)
    _insert(connection, _HEAD_INSERT, [{"lender": name, "size": 0, "frontier": b"", "recorded_at": None}
                                       for name in unseen])  # fmt: skip
    return heads


def _edition(connection: Connection) -> str | None:
    return connection.execute(_EDITION).scalar()


def _answered(connection: Connection, keys: tuple[tuple[str, str], ...]) -> dict[tuple[str, str], KeyedAnswer]:
    return {
        (lender, row.idempotency_key): KeyedAnswer(row.fingerprint, row.answer)
        for lender, values in _by_lender(keys)
        for row in connection.execute(_ANSWERED, {"lender": lender, "values": values})
    }


def _previous(connection: Connection, applications: tuple[tuple[str, str], ...]) -> dict[tuple[str, str], Previous]:
    return {
        (lender, row.application_id): Previous(row.decision_id, row.revision)
        for lender, values in _by_lender(applications)
        for row in connection.execute(_PREVIOUS, {"lender": lender, "values": values})
    }


def _commitments(connection: Connection, wanted: Wanted, now: datetime) -> tuple[tuple[str, Commitment], ...]:
    # A day in Shanghai begins before it does in UTC, so the day before in UTC is early enough for any decision.
    since = (now - timedelta(days=1)).date()
    of = {
        "uscc": tuple((lender, uscc) for lender, uscc, _ in wanted.companies),
        "group_id": tuple((lender, group) for lender, _, group in wanted.companies if group is not None),
        # The same application may have been for another company before: its offer is superseded all the same.
        "application_id": wanted.applications,
    }
    found: dict[str, tuple[str, Commitment]] = {}
    for column, pairs in of.items():
        for lender, values in _by_lender(pairs):
            for row in connection.execute(_OPEN_OF[column], {"lender": lender, "values": values, "since": since}):
                found[row.offer_id] = (lender, to_commitment(row))
    return tuple(found.values())


def _by_lender(pairs: Iterable[tuple[str, str]]) -> Iterable[tuple[str, list[str]]]:
    for lender, group in groupby(sorted(set(pairs)), key=itemgetter(0)):
        values = [value for _, value in group]
        for start in range(0, len(values), _AT_ONCE):
            yield lender, values[start : start + _AT_ONCE]


def _new_terms(connection: Connection, sealed: Sealed, known_terms: set[str]) -> list[dict[str, Any]]:
    unknown = {digest: canonical for digest, canonical in sealed.terms if digest not in known_terms}
    if unknown:
        for stored in connection.execute(_STORED_TERMS, {"digests": list(unknown)}).scalars():
            del unknown[stored]
    return [{"digest": digest, "canonical": canonical} for digest, canonical in unknown.items()]
