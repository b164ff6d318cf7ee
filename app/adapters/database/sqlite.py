"""The book on SQLite: one writer thread, and the driver's own statements.

Neighbours may rely on this: a batch is one transaction that holds the write lock from its first statement, and it is on
the disk (`synchronous=FULL`) before `transact` returns. Other processes on the same file wait their turn.

Through Core the same statements (plain_book.py) take twice as long, and all of it with the interpreter's lock held: the
event loop would stand still meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import PoolProxiedConnection
from sqlalchemy.exc import OperationalError

from app.adapters.clock import utc_now
from app.adapters.database import act_statements
from app.adapters.database.act_statements import to_commitment
from app.adapters.database.column_types import to_instant
from app.adapters.database.rows import (
    checkpoint_rows,
    decision_rows,
    entry_rows,
    head_values,
    member_rows,
    new_terms,
    offer_rows,
)
from app.adapters.database.store import Store
from app.adapters.database.tables import CHECKPOINT, DECISION, GROUP_MEMBER, LOG_ENTRY, OFFER, TERMS
from app.domain.standing import Commitment
from app.usecases.act_rows import ActsRead, ActsWanted, KeyedAnswer, Member
from app.usecases.ports import BatchState, CommitUnknown, LogHead, Previous, Sealed, StoreUnavailable, Wanted, answer_in

# What SQLite says when it wrote nothing; anything else at COMMIT (an I/O error) leaves the outcome open.
_WROTE_NOTHING = ("database is locked", "database is busy", "database or disk is full", "readonly database")


# A checkpoint each 4 MB, as SQLite itself would; and the log is begun anew when it has grown to 64 MB.
_CHECKPOINT_EVERY_PAGES, _LONGEST_LOG_PAGES = 1_000, 16_000
_PAGES_AN_ENTRY = 4
_CHECKPOINT = "PRAGMA wal_checkpoint(PASSIVE)"


class SqliteBook:
    """The durable book in an SQLite file. Once started, the log is copied into the file beside the batches."""

    def __init__(self, store: Store, clock: Callable[[], datetime] = utc_now) -> None:
        self._store = store
        self._clock = clock
        self._held: PoolProxiedConnection | None = None
        self._known_terms: set[str] = set()
        self._checkpoints: Checkpoints | None = None

    def start(self) -> None:
        """This function will begin to make checkpoints in a thread of their own, so that no batch has to."""
        if self._checkpoints is None:
            self._checkpoints = Checkpoints(self._store)

    async def close(self) -> None:
        """This function will end the checkpoints and give the connection back."""
        if self._checkpoints is not None:
            await asyncio.to_thread(self._checkpoints.stop)
        await asyncio.get_running_loop().run_in_executor(self._store.writers, self._forget)

    async def transact(self, wanted: Wanted, seal: Callable[[BatchState], Sealed]) -> Sealed:
        """This function will read, seal, write and commit in the writer thread."""
        return await asyncio.get_running_loop().run_in_executor(self._store.writers, self._transact, wanted, seal)

    def _transact(self, wanted: Wanted, seal: Callable[[BatchState], Sealed]) -> Sealed:
        try:
            driver = self._driver()
            if self._checkpoints is not None and self._checkpoints.log_is_long:
                self._checkpoints.log_is_long = False
                driver.execute(_CHECKPOINT).fetchall()
            driver.execute("BEGIN IMMEDIATE")
            sealed = seal(_read(driver, wanted, self._clock))
            if not sealed.entries:
                driver.execute("ROLLBACK")
                return sealed
            _write(driver, sealed, self._known_terms)
            self._commit(driver)
        except (sqlite3.OperationalError, OperationalError) as error:
            self._forget()
            raise StoreUnavailable(str(error.__cause__ or error)) from error
        except CommitUnknown:
            self._forget()
            raise
        except BaseException:
            if self._held is not None:
                self._held.driver_connection.rollback()
            raise
        self._known_terms.update(digest for digest, _ in sealed.terms)
        if self._checkpoints is not None:
            self._checkpoints.written(len(sealed.entries))
        return sealed

    @staticmethod
    def _commit(driver: sqlite3.Connection) -> None:
        try:
            driver.commit()
        except sqlite3.OperationalError as error:
            if any(words in str(error) for words in _WROTE_NOTHING):
                raise
            raise CommitUnknown(str(error)) from error

    def _driver(self) -> sqlite3.Connection:
        if self._held is None:
            self._held = self._store.writing.raw_connection()
            if self._checkpoints is not None:
                self._held.driver_connection.execute("PRAGMA wal_autocheckpoint = 0")
        return self._held.driver_connection

    def _forget(self) -> None:
        """A connection whose transaction failed is closed, which undoes it whatever state it was in."""
        if self._held is not None:
            self._held.invalidate()
        self._held = None


class Checkpoints:
    """Copies the write-ahead log into the file beside the writer, or the batch that fills it would have to wait.

    SQLite begins a log anew only where all of it has been copied, which never comes to pass beside a busy writer: the
    log would grow for ever. So where `log_is_long` the writer itself copies the short rest, before its next batch.
    """

    def __init__(self, store: Store) -> None:
        self.log_is_long = False
        self._file = store.url.database
        self._since = 0
        self._due = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._make, name="checkpoints", daemon=True)
        self._thread.start()

    def written(self, entries: int) -> None:
        """This function will be told of each batch, in the writer's thread."""
        self._since += entries
        if self._since * _PAGES_AN_ENTRY >= _CHECKPOINT_EVERY_PAGES:
            self._since = 0
            self._due.set()

    def stop(self) -> None:
        """This function will return once no checkpoint is being made."""
        self._stopped = True
        self._due.set()
        self._thread.join()

    def _make(self) -> None:
        with contextlib.closing(sqlite3.connect(self._file, isolation_level=None)) as connection:
            while self._due.wait() and not self._stopped:
                self._due.clear()
                with contextlib.suppress(sqlite3.OperationalError):
                    self._copy(connection)

    def _copy(self, connection: sqlite3.Connection) -> None:
        _, pages, _ = connection.execute(_CHECKPOINT).fetchone()
        self.log_is_long = pages >= _LONGEST_LOG_PAGES


# ---- the state ------------------------------------------------------------------------------------------------------

# What every batch asks for, in one statement: the edition, the keys' change, the programmes whose budget is used up.
_NOW = (
    "SELECT (SELECT digest FROM catalogue_activation ORDER BY number DESC LIMIT 1), "
    "(SELECT coalesce(max(number), 0) FROM key_change), "
    "(SELECT group_concat(programme, ' ') FROM subsidy_budget WHERE used_up)"
)
_HEAD = "SELECT lender, size, frontier, recorded_at FROM log_head WHERE lender = ?"
# The values come as one JSON array, so that a statement's text, and with it its plan, is the same for any batch.
_AMONG = "IN (SELECT value FROM json_each(?))"
_ANSWERED = (
    'SELECT d.idempotency_key, d.fingerprint, e.record, d.answer_from, d.answer_until, d.place FROM decision d '
    'JOIN log_entry e ON e.lender = d.lender AND e."index" = d."index" '
    f"WHERE d.lender = ? AND d.idempotency_key {_AMONG}"
)
# In order of revision, so that the last row of an application is its newest.
_PREVIOUS = (
    f"SELECT application_id, decision_id, revision FROM decision WHERE lender = ? AND application_id {_AMONG} "
    "ORDER BY application_id, revision"
)
# One statement for each index: an OR over them is what planners are worst at.
_OPEN_OF = {
    column: (
        "SELECT o.offer_id, o.application_id, o.product, o.uscc, o.group_id, "
        "coalesce(l.credit_limit, o.credit_limit), coalesce(l.counts_until, o.counts_until), "
        "coalesce(l.credit_approved, o.credit_approved), coalesce(l.outstanding, 0) "
        "FROM offer o LEFT JOIN credit_line l ON l.offer_id = o.offer_id "
        f"WHERE o.lender = ? AND o.{column} {_AMONG} AND o.superseded_by IS NULL "
        "AND (coalesce(l.counts_until, o.counts_until) >= ? OR l.outstanding > 0)"
    )
    for column in ("uscc", "application_id")
}
_GROUPS_OF = f"SELECT group_id FROM group_member WHERE lender = ? AND uscc {_AMONG} AND is_member"
_MEMBERS_OF = f"SELECT lender, uscc, group_id, is_member FROM group_member WHERE lender = ? AND group_id {_AMONG}"


def _read(driver: sqlite3.Connection, wanted: Wanted, clock: Callable[[], datetime]) -> BatchState:
    heads = {lender: _head(driver, lender) for lender in wanted.lenders}
    # A clock that was set back never takes the log's time back with it.
    now = max([clock(), *(head.recorded_at for head in heads.values() if head.recorded_at is not None)])
    edition, key_change, used_up = driver.execute(_NOW).fetchone()
    members, left = _members(driver, wanted)
    return BatchState(
        now=now,
        edition=edition,
        heads=heads,
        answered={
            (lender, key): KeyedAnswer(fingerprint, answer_in(*answer))
            for lender, values in _by_lender(wanted.keys)
            for key, fingerprint, *answer in driver.execute(_ANSWERED, (lender, values))
        },
        previous={
            (lender, application): Previous(decision_id, revision)
            for lender, values in _by_lender(wanted.applications)
            for application, decision_id, revision in driver.execute(_PREVIOUS, (lender, values))
        },
        commitments=_commitments(driver, wanted, members, now),
        members=members,
        acts=None if wanted.acts is None else _acts(driver, wanted.acts),
        key_change=key_change,
        used_up=frozenset((used_up or "").split()),
        left=left,
    )


def _acts(driver: sqlite3.Connection, wanted: ActsWanted) -> ActsRead:
    # The whole file is locked.
    steps = act_statements.reading(wanted, locks=False)
    return act_statements.carried_out(steps, lambda step: driver.execute(*step).fetchall())


def _head(driver: sqlite3.Connection, lender: str) -> LogHead:
    row = driver.execute(_HEAD, (lender,)).fetchone()
    if row is None:
        return LogHead(lender, 0, b"", None)
    _, size, frontier, recorded_at = row
    return LogHead(lender, size, frontier, None if recorded_at is None else to_instant(recorded_at))


def _members(driver: sqlite3.Connection, wanted: Wanted) -> tuple[tuple[Member, ...], tuple[Member, ...]]:
    """Who belongs to the groups that the companies are sent with or belong to, and who was taken out of them."""
    groups = {(lender, group) for lender, _, group in wanted.companies if group is not None}
    for lender, values in _by_lender((lender, uscc) for lender, uscc, _ in wanted.companies):
        groups |= {(lender, group) for (group,) in driver.execute(_GROUPS_OF, (lender, values))}
    found = [row for lender, values in _by_lender(groups) for row in driver.execute(_MEMBERS_OF, (lender, values))]
    return tuple(row[:3] for row in found if row[3]), tuple(row[:3] for row in found if not row[3])


def _commitments(
    driver: sqlite3.Connection, wanted: Wanted, members: Iterable[Member], now: datetime
) -> tuple[tuple[str, Commitment], ...]:
    # A day in Shanghai begins before it does in UTC, so the day before in UTC is early enough for any decision.
    since = (now - timedelta(days=1)).date().isoformat()
    of = {
        "uscc": [(lender, uscc) for lender, uscc, _ in (*wanted.companies, *members)],
        # The same application may have been for another company before: its offer is superseded all the same.
        "application_id": wanted.applications,
    }
    found: dict[str, tuple[str, Commitment]] = {}
    for column, pairs in of.items():
        for lender, values in _by_lender(pairs):
            for row in driver.execute(_OPEN_OF[column], (lender, values, since)):
                found[row[0]] = (lender, to_commitment(*row))
    return tuple(found.values())


def _by_lender(pairs: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    for lender, group in groupby(sorted(set(pairs)), key=itemgetter(0)):
        yield lender, json.dumps([value for _, value in group])


# ---- what a batch writes --------------------------------------------------------------------------------------------


def _insert_into(table: Any) -> str:
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    return f"INSERT INTO {table.name} ({names}) VALUES ({', '.join('?' * len(table.columns))})"


_INSERT = {table: _insert_into(table) for table in (LOG_ENTRY, DECISION, OFFER, CHECKPOINT)}
_NEW_TERMS = f"{_insert_into(TERMS)} ON CONFLICT DO NOTHING"
_JOIN = f"{_insert_into(GROUP_MEMBER)} ON CONFLICT DO UPDATE SET is_member = TRUE"
_SUPERSEDE = "UPDATE offer SET superseded_by = ? WHERE offer_id = ?"
_MOVE_HEAD = (
    "INSERT INTO log_head (lender, size, frontier, recorded_at) VALUES (?, ?, ?, ?) ON CONFLICT (lender) DO UPDATE "
    "SET size = excluded.size, frontier = excluded.frontier, recorded_at = excluded.recorded_at"
)


def _write(driver: sqlite3.Connection, sealed: Sealed, known_terms: set[str]) -> None:
    born, closed = offer_rows(sealed)
    driver.executemany(_NEW_TERMS, new_terms(sealed, known_terms))
    driver.executemany(_INSERT[LOG_ENTRY], entry_rows(sealed))
    driver.executemany(_INSERT[DECISION], decision_rows(sealed))
    driver.executemany(_INSERT[OFFER], born)
    driver.executemany(_SUPERSEDE, [(by, offer) for offer, by in closed])
    driver.executemany(_INSERT[CHECKPOINT], checkpoint_rows(sealed))
    driver.executemany(_JOIN, member_rows(sealed))
    driver.executemany(_MOVE_HEAD, [(head.lender, *head_values(head)) for head in sealed.heads])
    if sealed.acts is not None:
        for step in act_statements.writing(sealed.acts):
            driver.execute(*step)
