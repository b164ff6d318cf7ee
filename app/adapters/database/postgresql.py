"""The book on PostgreSQL: asyncpg, and two messages a batch while nobody else writes to the same log.

    SELECT …                                       heads, keys, previous decisions, open offers, catalogue, clock
    WITH UPDATE log_head … WHERE size = …, INSERT …     all of the batch if no head has moved since, else nothing

Whoever decides moves the head of his log, so a head that has not moved says that nothing the batch read has changed. If
it has moved, the batch takes its turn behind a lock, and so do those of the next second:

    BEGIN; SELECT … FOR UPDATE                     the heads, in id order
    SELECT …, WITH …, COMMIT

A batch that holds acts takes the lock at once, and its acts a statement or two each.

Neighbours may rely on this: what a batch read still held when it was written. Behind the lock the state is read by a
statement of its own: under READ COMMITTED a statement sees what was committed when it began, so that one which waits
for a lock and reads in the same breath would miss the very commit that it waited for. A process that stops in the
middle of a batch is cut off by the server after `_STALLED`, and its batch is undone.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import asyncpg

from app.adapters.database import act_statements
from app.adapters.database.column_types import to_instant
from app.adapters.database.postgresql_statements import LOCK_HEADS, NEW_HEADS, reading, writing
from app.domain.money import Yuan
from app.domain.standing import Commitment
from app.usecases.act_rows import ActsRead, ActsWanted, KeyedAnswer, Lookup, Member
from app.usecases.ports import BatchState, CommitUnknown, LogHead, Previous, Sealed, StoreUnavailable, Wanted

_LENDER, _POOL = re.compile(r"[a-z0-9-]+"), re.compile(r"[a-z0-9-]+/[a-z0-9-]+")
_CONNECTS_WITHIN_S = 10
_ANSWERS_WITHIN_S = 30
_LOCKS_WITHIN, _STALLED = "10s", "15s"
_LOCKS_FOR_S = 1
# One plan for any size of batch, made once, and always by index: a plan made while a table was empty would read all of
# it for good. Statements this small are not worth compiling.
_SESSION = f"""
SET plan_cache_mode = force_generic_plan; SET jit = off;
SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
SET lock_timeout = '{_LOCKS_WITHIN}'; SET idle_in_transaction_session_timeout = '{_STALLED}';
SET default_transaction_isolation = 'read committed'
"""
# A server whose commits do not wait for the disk would break our promise; stronger settings than `on` are kept.
_DURABLE = """
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'
"""
_CONNECTION_LOST = (
    OSError,
    asyncio.TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
# The server answers, and refuses: too many connections, a full disk, read-only after a failover, a lock that another
# process would not give up.
_REFUSED = (
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.LockNotAvailableError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)

_Read = Callable[[asyncpg.Connection, Wanted], Awaitable[BatchState]]


class PostgresqlBook:
    """The durable book in a PostgreSQL database, through one connection of its own.

    `now` replaces the database's clock where time is simulated; `durable=False` lets the server's own setting of
    synchronous_commit stand, for the harness that must see losses; `locks_first` takes the lock for every batch.
    """

    def __init__(
        self, dsn: str, *, now: Callable[[], datetime] | None = None, durable: bool = True, locks_first: bool = False
    ) -> None:
        self._dsn = dsn
        self._now = now
        self._durable = durable
        self._locks_until = math.inf if locks_first else -math.inf
        self._turn = asyncio.Lock()
        self._connection: asyncpg.Connection | None = None
        self._known_lenders: set[str] = set()
        self._known_terms: set[str] = set()

    async def transact(self, wanted: Wanted, seal: Callable[[BatchState], Sealed]) -> Sealed:
        """This function will read, seal and write; batches of this process take turns. It may call `seal` twice."""
        async with self._turn:
            try:
                sealed = await self._without_lock(wanted, seal)
                if sealed is None:
                    sealed = await self._behind_lock(wanted, seal)
            except CommitUnknown:
                self._forget_connection()
                raise
            except (*_CONNECTION_LOST, *_REFUSED) as error:
                self._forget_connection()
                raise StoreUnavailable(str(error) or type(error).__name__) from error
            except BaseException:
                await self._roll_back()
                raise
        self._known_terms.update(digest for digest, _ in sealed.terms)
        return sealed

    def start(self) -> None:
        """This function will do nothing: nothing runs beside the batches."""

    async def close(self) -> None:
        """This function will give the connection back."""
        async with self._turn:
            if self._connection is not None:
                with contextlib.suppress(*_CONNECTION_LOST):
                    await self._connection.close(timeout=_CONNECTS_WITHIN_S)
            self._connection = None

    async def _without_lock(self, wanted: Wanted, seal: Callable[[BatchState], Sealed]) -> Sealed | None:
        """None when a head has moved meanwhile and nothing was written. Several could move in part, so they lock."""
        if len(wanted.lenders) > 1 or wanted.acts is not None or asyncio.get_running_loop().time() < self._locks_until:
            return None
        connection, state = await self._reading(wanted, self._read)
        sealed = seal(state)
        if not sealed.entries:
            return sealed
        try:
            moved = await self._write(connection, sealed, state)
        except (*_CONNECTION_LOST, asyncio.CancelledError) as error:
            # The statement was its own transaction: it may have been committed with nobody to tell.
            raise CommitUnknown(str(error) or type(error).__name__) from error
        if moved:
            return sealed
        self._locks_until = asyncio.get_running_loop().time() + _LOCKS_FOR_S
        return None

    async def _behind_lock(self, wanted: Wanted, seal: Callable[[BatchState], Sealed]) -> Sealed:
        connection, state = await self._reading(wanted, self._lock_and_read)
        if wanted.acts is not None:
            state = replace(state, acts=await _read_acts(connection, wanted.acts, state.acts))
        sealed = seal(state)
        if not sealed.entries:
            await connection.execute("ROLLBACK", timeout=_ANSWERS_WITHIN_S)
            return sealed
        if sealed.acts is not None:
            for text, parameters in act_statements.writing(sealed.acts, but_arrays=True):
                await connection.execute(act_statements.numbered(text), *parameters, timeout=_ANSWERS_WITHIN_S)
        if not await self._write(connection, sealed, state):
            raise RuntimeError(f"a head of {wanted.lenders} was moved by somebody who does not take the lock")
        await self._commit(connection)
        return sealed

    async def _reading(self, wanted: Wanted, read: _Read) -> tuple[asyncpg.Connection, BatchState]:
        """Nothing is written yet, so a connection that died since the last batch is replaced, once, in silence."""
        fresh = self._connection is None
        try:
            connection = await self._connected()
            return connection, await read(connection, wanted)
        except _CONNECTION_LOST:
            if fresh:
                raise
        self._forget_connection()
        connection = await self._connected()
        return connection, await read(connection, wanted)

    async def _lock_and_read(self, connection: asyncpg.Connection, wanted: Wanted) -> BatchState:
        await self._make_heads(connection, wanted.lenders)
        lenders = ", ".join(f"'{lender}'" for lender in wanted.lenders)
        pools = act_statements.locked_pools(wanted.acts)
        if not all(map(_POOL.fullmatch, pools)):
            raise ValueError("a pool's id consists of a-z, 0-9, hyphens and one slash")
        locking = LOCK_HEADS.format(f"'{','.join(wanted.lenders)}'", f"'{','.join(pools)}'", lenders)
        if wanted.acts is not None:
            locking += act_statements.locking(wanted.acts.rows)
        await connection.execute(locking, timeout=_ANSWERS_WITHIN_S)
        return await self._read(connection, wanted)

    async def _read(self, connection: asyncpg.Connection, wanted: Wanted) -> BatchState:
        await self._make_heads(connection, wanted.lenders)
        simulated = None if self._now is None else self._now()
        since = None if simulated is None else (simulated - timedelta(days=1)).date().isoformat()
        statement, asked = reading(wanted, since)
        found = await connection.fetch(statement, *asked, timeout=_ANSWERS_WITHIN_S)
        return _to_state(found, simulated, None if wanted.acts is None else wanted.acts.rows)

    async def _make_heads(self, connection: asyncpg.Connection, lenders: Sequence[str]) -> None:
        unknown = [lender for lender in lenders if lender not in self._known_lenders]
        if not unknown:
            return
        # The lock's statement is text, as only such may be sent along with BEGIN.
        for lender in unknown:
            if not _LENDER.fullmatch(lender):
                raise ValueError("a lender's id consists of a-z, 0-9 and hyphens")
        # In a transaction of its own: whoever creates a head holds it only for that moment.
        await connection.execute(NEW_HEADS, sorted(unknown), timeout=_ANSWERS_WITHIN_S)
        self._known_lenders.update(unknown)

    async def _write(self, connection: asyncpg.Connection, sealed: Sealed, state: BatchState) -> bool:
        """Whether it was written: everything, as no head had moved, or nothing."""
        statement, columns = writing(sealed, state.heads, self._known_terms)
        moved = await connection.fetchval(statement, *columns, timeout=_ANSWERS_WITHIN_S)
        return moved == len(sealed.heads)

    async def _commit(self, connection: asyncpg.Connection) -> None:
        try:
            answer = await connection.execute("COMMIT", timeout=_ANSWERS_WITHIN_S)
        except (*_CONNECTION_LOST, asyncio.CancelledError) as error:
            raise CommitUnknown(str(error) or type(error).__name__) from error
        # A transaction that failed earlier answers COMMIT with ROLLBACK, and no error.
        if answer != "COMMIT":
            raise StoreUnavailable(f"the database answered COMMIT with {answer}")

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is not None and self._connection.is_closed():
            self._forget_connection()
        if self._connection is None:
            self._connection = await asyncpg.connect(
                self._dsn, timeout=_CONNECTS_WITHIN_S, max_cached_statement_lifetime=0
            )
            await self._connection.execute(_SESSION)
            if self._durable:
                await self._connection.execute(_DURABLE)
        return self._connection

    async def _roll_back(self) -> None:
        if self._connection is None or not self._connection.is_in_transaction():
            return
        try:
            await self._connection.execute("ROLLBACK", timeout=_ANSWERS_WITHIN_S)
        except Exception:  # noqa: BLE001 - whatever it is, the server undoes a transaction whose connection is gone
            self._forget_connection()

    def _forget_connection(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
        self._connection = None
        # Behind the address there may be another server next time, one that lacks what this one had stored last.
        self._known_lenders.clear()
        self._known_terms.clear()


async def _read_acts(connection: asyncpg.Connection, wanted: ActsWanted, rows: ActsRead) -> ActsRead:
    """Rows of tables have come with the state, as a pool's are on the road of a decision; a statement each kind of
    thing besides.
    """
    if wanted.keys or wanted.subjects or wanted.offers:
        steps = act_statements.reading(replace(wanted, rows=()), locks=True)
        found: act_statements.Found | None = None
        try:
            while True:
                text, parameters = steps.send(found) if found is not None else next(steps)
                found = await connection.fetch(
                    act_statements.numbered(text), *parameters, timeout=_ANSWERS_WITHIN_S
                )
        except StopIteration as end:
            return replace(end.value, rows=rows.rows)
    return rows


def _to_state(
    rows: Sequence[asyncpg.Record], simulated: datetime | None, lookups: Sequence[Lookup] | None = None
) -> BatchState:
    """Each row says what it is in its first column; see READ_STATE for what the others then hold."""
    now, edition, key_change = datetime.min.replace(tzinfo=UTC), None, None
    heads: dict[str, LogHead] = {}
    answered: dict[tuple[str, str], KeyedAnswer] = {}
    previous: dict[tuple[str, str], Previous] = {}
    commitments: dict[str, tuple[str, Commitment]] = {}
    members: list[Member] = []
    left: list[Member] = []
    used_up: frozenset[str] = frozenset()
    texts: dict[int, str | None] = {}
    for kind, a, b, c, d, e, f, g, n, m, x, y in rows:
        if kind == "offer":
            commitments[b] = (
                a,
                Commitment(
                    offer_id=b, application_id=c, product=d, uscc=f, group_id=g, credit_limit=Yuan(n),
                    counts_until=date.fromisoformat(e), credit_approved=m is not None, outstanding=Yuan(m or 0),
                ),
            )  # fmt: skip
        elif kind == "key":
            answered[a, b] = KeyedAnswer(x, y)
        elif kind == "previous":
            previous[a, b] = Previous(c, n)
        elif kind == "member":
            (members if n else left).append((a, b, c))
        elif kind == "head":
            heads[a] = LogHead(a, n, x, None if m is None else to_instant(m))
        elif kind == "rows":
            texts[n] = a
        elif kind == "now":
            now, edition, key_change = to_instant(n), a, m
            used_up = frozenset(c.split()) if c else used_up
    if simulated is not None:
        now = simulated
    # A clock that was set back never takes the log's time back with it.
    now = max([now, *(head.recorded_at for head in heads.values() if head.recorded_at is not None)])
    open_ones = tuple(commitments.values())
    acts = None
    if lookups is not None:
        # Texts come in the order of their groups; without lookups there are none.
        acts = ActsRead(rows=act_statements.rows_read(lookups, [texts[number] for number in sorted(texts)]))
    return BatchState(
        now, edition, heads, answered, previous, open_ones, members, key_change=key_change, used_up=used_up, left=left,
        acts=acts,
    )


