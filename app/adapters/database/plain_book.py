"""The book in portable SQL through SQLAlchemy Core: the plain twin of what SQLite's and PostgreSQL's own books do.

Neighbours may rely on this: it holds the contract on any database that Core knows and whose rows can be locked (FOR
UPDATE). No installation of ours runs it; it is there, and tested, so that another database can be reached.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, CursorResult, Table, bindparam, func, insert, or_, select, update
from sqlalchemy.exc import InterfaceError, OperationalError

from app.adapters.clock import utc_now
from app.adapters.database import act_statements
from app.adapters.database.act_statements import to_commitment
from app.adapters.database.column_types import as_stored, as_stored_in
from app.adapters.database.row_security import allow, open_pools
from app.adapters.database.rows import Row as Values
from app.adapters.database.rows import (
    checkpoint_rows,
    decision_rows,
    entry_rows,
    head_values,
    member_rows,
    named,
    new_terms,
    offer_rows,
)
from app.adapters.database.store import Store
from app.adapters.database.tables import (
    ANSWER,
    CATALOGUE_ACTIVATION,
    CHECKPOINT,
    CREDIT_LINE,
    DECISION,
    GROUP_MEMBER,
    KEY_CHANGE,
    LOG_ENTRY,
    LOG_HEAD,
    OFFER,
    RECORDED,
    SUBSIDY_BUDGET,
    TERMS,
)
from app.domain.standing import Commitment
from app.usecases.act_rows import ActsRead, ActsWanted, KeyedAnswer, Member
from app.usecases.ports import BatchState, CommitUnknown, LogHead, Previous, Sealed, StoreUnavailable, Wanted, answer_in

# A database takes a limited number of parameters in one statement (SQLite of 2020: 32,766; others less).
_AT_ONCE = 500


class PlainBook:
    """The durable book in any database that locks rows."""

    def __init__(self, store: Store, clock: Callable[[], datetime] = utc_now) -> None:
        self._store = store
        self._clock = clock
        self._known_terms: set[str] = set()

    async def transact(self, wanted: Wanted, seal: Callable[[BatchState], Sealed]) -> Sealed:
        """This function will lock, read, seal, write and commit in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._store.writers, self._transact, wanted, seal)

    def start(self) -> None:
        """This function will do nothing: nothing runs beside the batches."""

    async def close(self) -> None:
        """This function will do nothing: the connections are the store's."""

    def _transact(self, wanted: Wanted, seal: Callable[[BatchState], Sealed]) -> Sealed:
        try:
            with self._store.writing.connect() as connection, connection.begin() as transaction:
                allow(connection, wanted.lenders)
                open_pools(connection, act_statements.locked_pools(wanted.acts))
                sealed = seal(lock_and_read(connection, wanted, self._clock))
                if not sealed.entries:
                    transaction.rollback()
                    return sealed
                write(connection, sealed, self._known_terms)
                committing(transaction.commit)
        except (OperationalError, InterfaceError) as error:
            raise StoreUnavailable(str(error.__cause__ or error)) from error
        self._known_terms.update(digest for digest, _ in sealed.terms)
        return sealed


def committing(commit: Callable[[], None]) -> None:
    """This function will commit; CommitUnknown where that fails with an error of the connection."""
    try:
        commit()
    except (OperationalError, InterfaceError) as error:
        raise CommitUnknown(str(error.__cause__ or error)) from error


def lock_and_read(connection: Connection, wanted: Wanted, clock: Callable[[], datetime]) -> BatchState:
    """This function will lock the heads in id order and return the state after the locks."""
    heads = locked_heads(connection, wanted.lenders)
    # A clock that was set back never takes the log's time back with it.
    now = max([clock(), *(head.recorded_at for head in heads.values() if head.recorded_at is not None)])
    members, left = members_of(connection, wanted.companies)
    return BatchState(
        now=now,
        edition=_edition(connection),
        heads=heads,
        answered=_answered(connection, wanted.keys),
        previous=_previous(connection, wanted.applications),
        commitments=_commitments(connection, wanted, members, now),
        members=members,
        acts=None if wanted.acts is None else _acts(connection, wanted.acts),
        key_change=connection.execute(_KEY_CHANGE).scalar_one(),
        used_up=used_up_in(connection),
        left=left,
    )


def read_only(connection: Connection, wanted: Wanted, clock: Callable[[], datetime]) -> BatchState:
    """This function will return the state for whoever decides and writes nothing: no lock, no keys."""
    heads = {lender: LogHead(lender, 0, b"", None) for lender in wanted.lenders}
    now, (members, left) = clock(), members_of(connection, wanted.companies)
    commitments = _commitments(connection, wanted, members, now)
    used_up = used_up_in(connection)
    return BatchState(now, _edition(connection), heads, {}, {}, commitments, members, used_up=used_up, left=left)


def _acts(connection: Connection, wanted: ActsWanted) -> ActsRead:
    steps = act_statements.reading(wanted, locks=connection.dialect.name != "sqlite")
    return act_statements.carried_out(steps, lambda step: _run(connection, step).fetchall())


def _run(connection: Connection, step: act_statements.Statement) -> CursorResult[Any]:
    text = step.text.replace("?", "%s") if connection.dialect.paramstyle in ("format", "pyformat") else step.text
    return connection.exec_driver_sql(text, step.parameters)


def write(connection: Connection, sealed: Sealed, known_terms: set[str]) -> None:
    """This function will write the whole of a sealed batch; `known_terms` are digests known to be stored already."""
    born, closed = offer_rows(sealed)
    _insert(connection, TERMS, _missing(connection, new_terms(sealed, known_terms)))
    _insert(connection, LOG_ENTRY, entry_rows(sealed))
    _insert(connection, DECISION, decision_rows(sealed))
    _insert(connection, OFFER, born)
    _insert(connection, CHECKPOINT, checkpoint_rows(sealed))
    _join(connection, member_rows(sealed))
    if closed:
        connection.execute(_SUPERSEDE, list(named(("offer", "by"), closed)))
    heads = [(head.lender, *head_values(head)) for head in sealed.heads]
    connection.execute(_HEAD_UPDATE, list(named(("of", "size", "frontier", "recorded_at"), heads)))
    if sealed.acts is not None:
        for step in act_statements.writing(sealed.acts):
            _run(connection, step)


_WITH_LINE = OFFER.outerjoin(CREDIT_LINE, CREDIT_LINE.c.offer_id == OFFER.c.offer_id)
COUNTS_UNTIL = func.coalesce(as_stored_in(CREDIT_LINE.c.counts_until), as_stored_in(OFFER.c.counts_until))
OPEN_COMMITMENTS = (
    select(
        OFFER.c.offer_id, OFFER.c.application_id, OFFER.c.product, OFFER.c.uscc, OFFER.c.group_id,
        func.coalesce(CREDIT_LINE.c.credit_limit, OFFER.c.credit_limit), COUNTS_UNTIL,
        func.coalesce(CREDIT_LINE.c.credit_approved, OFFER.c.credit_approved),
        func.coalesce(CREDIT_LINE.c.outstanding, 0),
    )
    .select_from(_WITH_LINE)
    .where(
        OFFER.c.lender == bindparam("lender"),
        OFFER.c.superseded_by.is_(None),
        or_(COUNTS_UNTIL >= bindparam("since"), CREDIT_LINE.c.outstanding > 0),
    )
)  # fmt: skip
"""The open offers and lines of a `lender` that count on a day not before `since` (ISO text), or are outstanding, as
`to_commitment` takes them."""

# ---- the statements, built once -------------------------------------------------------------------------------------

# The rows carry what the database holds, so nothing is converted again on its way.
_INSERTS = {
    table: insert(table).values({c.name: bindparam(c.name, type_=as_stored(c.type)) for c in table.columns})
    for table in (TERMS, LOG_ENTRY, DECISION, OFFER, CHECKPOINT, LOG_HEAD, GROUP_MEMBER)
}
_HEAD_UPDATE = (
    update(LOG_HEAD)
    .where(LOG_HEAD.c.lender == bindparam("of"))
    .values({c: bindparam(c, type_=as_stored(LOG_HEAD.c[c].type)) for c in ("size", "frontier", "recorded_at")})
)
_SUPERSEDE = update(OFFER).where(OFFER.c.offer_id == bindparam("offer")).values(superseded_by=bindparam("by"))
_LOCK_HEADS = (
    select(LOG_HEAD)
    .where(LOG_HEAD.c.lender.in_(bindparam("lenders", expanding=True)))
    .order_by(LOG_HEAD.c.lender)
    .with_for_update()
)
_EDITION = select(CATALOGUE_ACTIVATION.c.digest).order_by(CATALOGUE_ACTIVATION.c.number.desc()).limit(1)
_KEY_CHANGE = select(func.coalesce(func.max(KEY_CHANGE.c.number), 0))
_USED_UP = select(SUBSIDY_BUDGET.c.programme).where(SUBSIDY_BUDGET.c.used_up)
_ANSWERED = (
    select(DECISION.c.idempotency_key, DECISION.c.fingerprint, *ANSWER)
    .join_from(DECISION, LOG_ENTRY, RECORDED)
    .where(
        DECISION.c.lender == bindparam("lender"), DECISION.c.idempotency_key.in_(bindparam("values", expanding=True))
    )
)
# In order of revision, so that the last row of an application is its newest.
_PREVIOUS = (
    select(DECISION.c.application_id, DECISION.c.decision_id, DECISION.c.revision)
    .where(DECISION.c.lender == bindparam("lender"), DECISION.c.application_id.in_(bindparam("values", expanding=True)))
    .order_by(DECISION.c.application_id, DECISION.c.revision)
)
_STORED_TERMS = select(TERMS.c.digest).where(TERMS.c.digest.in_(bindparam("digests", expanding=True)))


# One statement for each index: an OR over them is what planners are worst at.
_OPEN_OF = {
    column.name: OPEN_COMMITMENTS.where(column.in_(bindparam("values", expanding=True)))
    for column in (OFFER.c.uscc, OFFER.c.application_id)
}
_GROUPS_OF, _MEMBERS_OF = (
    select(GROUP_MEMBER.c.lender, GROUP_MEMBER.c.uscc, GROUP_MEMBER.c.group_id, GROUP_MEMBER.c.is_member).where(
        GROUP_MEMBER.c.lender == bindparam("lender"), column.in_(bindparam("values", expanding=True))
    )
    for column in (GROUP_MEMBER.c.uscc, GROUP_MEMBER.c.group_id)
)
_JOIN_AGAIN = (
    update(GROUP_MEMBER)
    .where(*(GROUP_MEMBER.c[name] == bindparam(f"the_{name}") for name in ("uscc", "lender", "group_id")))
    .values(is_member=True)
)

# ---- their use ------------------------------------------------------------------------------------------------------


def _insert(connection: Connection, table: Table, rows: list[Values]) -> None:
    if rows:
        connection.execute(_INSERTS[table], list(named(tuple(table.columns.keys()), rows)))


def locked_heads(connection: Connection, lenders: tuple[str, ...]) -> dict[str, LogHead]:
    """This function will lock the heads in id order and return them; those that are missing it makes, of size 0."""
    heads = {row.lender: LogHead(*row) for row in connection.execute(_LOCK_HEADS, {"lenders": lenders})}
    unseen = {lender: LogHead(lender, 0, b"", None) for lender in lenders if lender not in heads}
    _insert(connection, LOG_HEAD, [(lender, *head_values(head)) for lender, head in unseen.items()])
    return heads | unseen


def _edition(connection: Connection) -> str | None:
    return connection.execute(_EDITION).scalar()


def used_up_in(connection: Connection) -> frozenset[str]:
    """This function will return the subsidy programmes whose budget is used up."""
    return frozenset(connection.execute(_USED_UP).scalars())


def _answered(connection: Connection, keys: tuple[tuple[str, str], ...]) -> dict[tuple[str, str], KeyedAnswer]:
    return {
        (lender, row.idempotency_key): KeyedAnswer(row.fingerprint, answer_in(*row[2:]))
        for lender, values in _by_lender(keys)
        for row in connection.execute(_ANSWERED, {"lender": lender, "values": values})
    }


def _previous(connection: Connection, applications: tuple[tuple[str, str], ...]) -> dict[tuple[str, str], Previous]:
    return {
        (lender, row.application_id): Previous(row.decision_id, row.revision)
        for lender, values in _by_lender(applications)
        for row in connection.execute(_PREVIOUS, {"lender": lender, "values": values})
    }


def members_of(
    connection: Connection, companies: Iterable[tuple[str, str, str | None]]
) -> tuple[tuple[Member, ...], tuple[Member, ...]]:
    """This function will return the members of every group that the companies are sent with or belong to, and those who
    were taken out of it.
    """
    asked = tuple(companies)
    groups = {(lender, group) for lender, _, group in asked if group is not None}
    for lender, values in _by_lender((lender, uscc) for lender, uscc, _ in asked):
        found = connection.execute(_GROUPS_OF, {"lender": lender, "values": values})
        groups |= {(lender, group) for _, _, group, is_member in found if is_member}
    rows = [
        (of, uscc, group, is_member)
        for lender, values in _by_lender(groups)
        for of, uscc, group, is_member in connection.execute(_MEMBERS_OF, {"lender": lender, "values": values})
    ]
    return tuple(row[:3] for row in rows if row[3]), tuple(row[:3] for row in rows if not row[3])


def _commitments(
    connection: Connection, wanted: Wanted, members: Iterable[Member], now: datetime
) -> tuple[tuple[str, Commitment], ...]:
    # A day in Shanghai begins before it does in UTC, so the day before in UTC is early enough for any decision.
    since = (now - timedelta(days=1)).date()
    of = {
        "uscc": tuple((lender, uscc) for lender, uscc, _ in (*wanted.companies, *members)),
        # The same application may have been for another company before: its offer is superseded all the same.
        "application_id": wanted.applications,
    }
    found: dict[str, tuple[str, Commitment]] = {}
    for column, pairs in of.items():
        for lender, values in _by_lender(pairs):
            asked = {"lender": lender, "values": values, "since": since.isoformat()}
            for row in connection.execute(_OPEN_OF[column], asked):
                found[row.offer_id] = (lender, to_commitment(*row))
    return tuple(found.values())


def _join(connection: Connection, members: list[Values]) -> None:
    """Portable SQL has no ON CONFLICT: who was a member once becomes one again, others are new."""
    for uscc, lender, group_id, _ in members:
        again = connection.execute(_JOIN_AGAIN, {"the_uscc": uscc, "the_lender": lender, "the_group_id": group_id})
        if not again.rowcount:
            _insert(connection, GROUP_MEMBER, [(uscc, lender, group_id, True)])


def _by_lender(pairs: Iterable[tuple[str, str]]) -> Iterable[tuple[str, list[str]]]:
    for lender, group in groupby(sorted(set(pairs)), key=itemgetter(0)):
        values = [value for _, value in group]
        for start in range(0, len(values), _AT_ONCE):
            yield lender, values[start : start + _AT_ONCE]


def _missing(connection: Connection, terms: list[Values]) -> list[Values]:
    """Portable SQL has no ON CONFLICT; nobody else can store terms between this look and the insert: heads are locked,
    and terms come from one lender's products.
    """
    if not terms:
        return []
    stored = set(connection.execute(_STORED_TERMS, {"digests": [digest for digest, _ in terms]}).scalars())
    return [row for row in terms if row[0] not in stored]
