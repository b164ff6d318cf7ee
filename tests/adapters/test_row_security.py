"""Row-level security on PostgreSQL: what stands behind the adapters' own filters, tried by going around them."""

import asyncio
import itertools
import math
from collections.abc import Iterator
from contextlib import closing
from datetime import date

import asyncpg
import psycopg
import pytest
import sqlalchemy as sa

from app.adapters.database import migrate, open_database
from app.adapters.database.postgresql import PostgresqlBook
from app.adapters.database.row_security import APPENDED_ONLY, guard, unbound_account, unguarded
from app.adapters.database.store import EVERY_LENDER, NO_LENDER, Store
from app.adapters.database.store import database_url as with_driver
from app.adapters.database.tables import DECISION, METADATA
from app.domain.money import Yuan
from app.ledger.claim import Loss
from app.usecases.pool_acts import Claim
from tests.adapters.pool_harness import Bank, Moved, asked, prepared
from tests.adapters.sealing import submission
from tests.adapters.test_book import write
from tests.postgres import Databases, as_owner

OF_LENDERS = sorted(table.name for table in METADATA.tables.values() if "lender" in table.columns)
OF_HOLDERS = sorted(table.name for table in METADATA.tables.values() if "holder" in table.columns)
WRITTEN = ("log_head", "log_entry", "decision", "offer", "checkpoint")


@pytest.fixture(scope="module")
def two_lenders(postgres_databases: Databases) -> Iterator[str]:
    """The address of a database in which two lenders have a decision each; nothing is changed in it."""

    async def decide(url: str) -> None:
        database = open_database(url)
        await write(database.book, submission("k1"), submission("k2", lender="boc"))
        await database.close()

    with postgres_databases.fresh() as url:
        asyncio.run(decide(url))
        yield url


@pytest.fixture
def raw(two_lenders: str) -> Iterator[psycopg.Connection]:
    """A statement line under the service's own account, past everything that the adapters do."""
    with closing(psycopg.connect(two_lenders)) as connection:
        yield connection


def lenders_seen(connection: psycopg.Connection, table: str) -> list[str]:
    """This function will return whose rows an unfiltered statement shows."""
    return [row[0] for row in connection.execute(f'SELECT DISTINCT lender FROM "{table}" ORDER BY lender')]


class TestAStatementThatForgotItsFilter:
    @pytest.mark.parametrize("table", OF_LENDERS)
    def test_sees_nothing_where_no_lender_was_named(self, raw: psycopg.Connection, table: str):
        assert lenders_seen(raw, table) == []

    @pytest.mark.parametrize("table", WRITTEN)
    @pytest.mark.parametrize(
        ("named", "seen"),
        [("icbc", ["icbc"]), ("boc", ["boc"]), ("boc,icbc", ["boc", "icbc"]), ("ccb", []), ("", []), ("icb", []),
         ("icbc,", ["icbc"]), ("*", ["boc", "icbc"]), ("icbc,*", ["icbc"]), ("%", [])],
    )  # fmt: skip
    def test_sees_the_named_lenders_rows_alone(
        self, raw: psycopg.Connection, table: str, named: str, seen: list[str]
    ):
        raw.execute("SELECT set_config('jifendai.lenders', %s, true)", (named,))

        assert lenders_seen(raw, table) == seen

    def test_sees_nothing_again_in_the_next_transaction(self, raw: psycopg.Connection):
        with raw.transaction():
            raw.execute("SET LOCAL jifendai.lenders = 'icbc'")
            assert lenders_seen(raw, "decision") == ["icbc"]

        assert lenders_seen(raw, "decision") == []

    def test_finds_no_foreign_row_by_its_very_id(self, raw: psycopg.Connection):
        raw.execute("SET LOCAL jifendai.lenders = 'boc'")

        for column, value in (("decision_id", "icbc-00000000-k1"), ("idempotency_key", "k1"), ("lender", "icbc")):
            assert raw.execute(f"SELECT 1 FROM decision WHERE {column} = %s", (value,)).fetchall() == []

    def test_moves_no_foreign_row(self, raw: psycopg.Connection):
        raw.execute("SET LOCAL jifendai.lenders = 'boc'")

        assert raw.execute("UPDATE offer SET superseded_by = 'x' WHERE lender = 'icbc'").rowcount == 0
        assert raw.execute("UPDATE log_head SET size = 0").rowcount == 1

    @pytest.mark.parametrize("named", ["boc", ""])
    def test_cannot_write_a_foreign_row(self, raw: psycopg.Connection, named: str):
        raw.execute("SELECT set_config('jifendai.lenders', %s, true)", (named,))

        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            raw.execute("INSERT INTO log_head (lender, size, frontier) VALUES ('ccb', 0, '')")

    def test_cannot_give_a_row_to_another_lender(self, raw: psycopg.Connection):
        raw.execute("SET LOCAL jifendai.lenders = 'boc'")

        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            raw.execute("UPDATE offer SET lender = 'icbc'")


@pytest.fixture(scope="module")
def shared_pool(postgres_databases: Databases) -> Iterator[str]:
    """The address of a database in which two lenders each have a reservation, a claim and entries of one pool."""

    async def work(url: str) -> None:
        await prepared(url, 60_000_000)
        database = open_database(url)
        bank = Bank(database)
        loss = Loss(Yuan.whole(500_000), Yuan(0), date(2023, 1, 1), ("loan-contract", "demand-letter"))
        for lender in ("icbc", "boc", "icbc"):
            offer_id = (await bank.decide(asked(lender, f"{lender}-{next(_numbers)}")))["offer"]["offer_id"]
            await bank.act(Moved, lender, subject=offer_id, said={"drawn": 1_000_000, "ended": False})
            await bank.act(Claim, lender, offer_id=offer_id, loss=loss)
        await database.close()

    with postgres_databases.fresh() as url:
        asyncio.run(work(url))
        yield url


_numbers = itertools.count()


class TestASharedPool:
    def test_has_its_policy_on_every_table_that_tells_who_holds_what(self):
        assert OF_HOLDERS == ["pool_claim", "pool_cover", "pool_entry", "pool_holder"]

    @pytest.mark.parametrize("table", OF_HOLDERS)
    @pytest.mark.parametrize(
        ("named", "seen"),
        [("icbc", {"icbc"}), ("boc", {"boc"}), ("boc,icbc", {"boc", "icbc"}), ("ccb", set()), ("", set()),
         ("*", {"boc", "icbc"})],
    )  # fmt: skip
    def test_shows_a_statement_that_forgot_its_filter_the_named_holders_rows_alone(
        self, shared_pool: str, table: str, named: str, seen: set[str]
    ):
        with closing(psycopg.connect(shared_pool)) as connection:
            connection.execute("SELECT set_config('jifendai.lenders', %s, true)", (named,))
            found = {row[0] for row in connection.execute(f"SELECT DISTINCT holder FROM {table}")}

        # The pool's own capital is shown to whoever names himself.
        assert found - {None} == seen
        assert (None in found) == (table == "pool_entry" and named != "")

    @pytest.mark.parametrize("table", OF_HOLDERS)
    def test_is_shown_whole_only_where_it_is_named(self, shared_pool: str, table: str):
        with closing(psycopg.connect(shared_pool)) as connection:
            assert connection.execute(f"SELECT * FROM {table}").fetchall() == []
            connection.execute("SET LOCAL jifendai.pools = 'zhongkai/another'")
            assert connection.execute(f"SELECT * FROM {table}").fetchall() == []
            connection.execute("SET LOCAL jifendai.pools = 'zhongkai/illustration'")
            found = {row[0] for row in connection.execute(f"SELECT DISTINCT holder FROM {table}")}

        assert found - {None} == {"boc", "icbc"}

    def test_names_nobody_in_its_own_row(self, shared_pool: str):
        with closing(psycopg.connect(shared_pool)) as connection:
            (row,) = connection.execute("SELECT * FROM pool").fetchall()

        assert not [value for value in row if isinstance(value, str) and ("icbc" in value or "boc" in value)]

    async def test_numbers_each_lender_s_entries_by_themselves(self, shared_pool: str):
        database = open_database(shared_pool)
        boc = await database.pools.entries("zhongkai/illustration", ["boc"], after=None, limit=100, capital=True)
        rest = await database.pools.entries("zhongkai/illustration", ["boc"], after=("boc", 0), limit=100, capital=True)
        await database.close()

        assert [row["own_number"] for row in boc if row["holder"] is None] == [0]
        assert [row["own_number"] for row in boc if row["holder"] == "boc"] == list(range(len(boc) - 1))
        assert rest == boc[2:]


class TestTheServicesAccount:
    @pytest.mark.parametrize("table", sorted(APPENDED_ONLY))
    @pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET {} = {}", "TRUNCATE {}", "DROP TABLE {}"])
    def test_cannot_change_what_has_been_recorded(self, raw: psycopg.Connection, table: str, statement: str):
        raw.execute("SET LOCAL jifendai.lenders = '*'")
        column = next(iter(METADATA.tables[table].columns)).name

        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            raw.execute(statement.format(table, column, column))

    @pytest.mark.parametrize("statement", [
        "ALTER TABLE decision NO FORCE ROW LEVEL SECURITY", "DROP POLICY lenders_apart ON decision",
        "SET ROLE postgres", "CREATE TABLE mine (x int)", "SET LOCAL row_security = off; SELECT * FROM decision",
    ])  # fmt: skip
    def test_cannot_lift_the_policy(self, raw: psycopg.Connection, statement: str):
        with pytest.raises(psycopg.Error):
            raw.execute(statement)

    def test_is_bound_and_its_owner_is_not(self, postgres_url: str, sqlite_url: str):
        def unbound(url: str) -> str | None:
            with sa.create_engine(with_driver(url)).connect() as connection:
                return unbound_account(connection)

        assert unbound(postgres_url) is None
        assert unbound(as_owner(postgres_url)) is not None
        assert unbound(sqlite_url) is None

    def test_that_does_not_exist_is_named(self, postgres_url: str):
        nobody = sa.make_url(postgres_url).set(username="nobody_of_that_name").render_as_string(hide_password=False)

        with pytest.raises(LookupError, match="nobody_of_that_name"):
            migrate(nobody, owner_url=as_owner(postgres_url))


class TestAnOwnerWhoIsNoSuperuser:
    def test_is_bound_as_well_as_the_policy_is_forced(self, empty_postgres_url: str):
        owner = f"{sa.make_url(empty_postgres_url).database}_owner"
        with psycopg.connect(empty_postgres_url, autocommit=True) as admin:
            admin.execute(f"CREATE ROLE {owner} LOGIN PASSWORD 'x'; GRANT CREATE ON SCHEMA public TO {owner}")
            url = sa.make_url(empty_postgres_url).set(username=owner, password="x")
            migrate(url.render_as_string(hide_password=False))
            with psycopg.connect(url.render_as_string(hide_password=False)) as connection:
                connection.execute("SET LOCAL jifendai.lenders = 'icbc'")
                connection.execute("INSERT INTO log_head (lender, size, frontier) VALUES ('icbc', 0, '')")
                connection.execute("SET LOCAL jifendai.lenders = ''")

                assert lenders_seen(connection, "log_head") == []
            admin.execute(f"DROP OWNED BY {owner} CASCADE; DROP ROLE {owner}")


class TestEveryTable:
    def test_with_a_lender_is_guarded(self, postgres_url: str):
        assert OF_LENDERS
        assert without_guard(postgres_url) == []

    @pytest.mark.parametrize("planted", [
        "CREATE TABLE newcomer (lender text)", "DROP POLICY lenders_apart ON offer",
        "ALTER TABLE preview NO FORCE ROW LEVEL SECURITY", "ALTER TABLE log_head DISABLE ROW LEVEL SECURITY",
        "CREATE TABLE newcomer (pool_id text, holder text)", "DROP POLICY holders_apart ON pool_entry",
    ])  # fmt: skip
    def test_that_is_not_is_found_and_mended_by_migrate(self, postgres_url: str, planted: str):
        owner = as_owner(postgres_url)
        with psycopg.connect(owner, autocommit=True) as connection:
            connection.execute(planted)

        assert len(without_guard(owner)) == 1
        migrate(owner)
        assert without_guard(owner) == []


def without_guard(url: str) -> list[str]:
    """This function will return the unguarded tables of the database."""
    with sa.create_engine(with_driver(url)).connect() as connection:
        return list(unguarded(connection))


class TestTheDesk:
    @pytest.mark.parametrize("locks_first", [False, True])
    async def test_opens_each_batch_for_its_lenders_and_leaves_nothing_open(
        self, postgres_url: str, locks_first: bool
    ):
        book = PostgresqlBook(postgres_url, locks_first=locks_first)
        await write(book, submission("k0"))
        with psycopg.connect(as_owner(postgres_url), autocommit=True) as owner:
            owner.execute("ANALYZE")
        for batch in ([submission("k1")], [submission("k2"), submission("k3")], [submission("k4", lender="boc")]):
            await write(book, *batch)
        await write(book, submission("k5"), submission("k6", lender="boc"))
        connection: asyncpg.Connection = book._connection

        assert await connection.fetch("SELECT lender FROM decision") == []
        # A statement that looked for the head before it was allowed to would be decided anew, behind the lock.
        assert (book._locks_until == -math.inf) is not locks_first
        async with connection.transaction():
            await connection.execute("SET LOCAL jifendai.lenders = 'boc,icbc'")
            assert await connection.fetchval("SELECT count(*) FROM decision") == 7
        await book.close()

    async def test_would_be_seen_to_show_everything_without_the_policy(self, postgres_url: str):
        """The planted defect: what the statements above would see."""
        book = PostgresqlBook(postgres_url)
        await write(book, submission("k1"), submission("k2", lender="boc"))
        await book.close()
        with psycopg.connect(as_owner(postgres_url), autocommit=True) as owner:
            owner.execute("ALTER TABLE decision DISABLE ROW LEVEL SECURITY")
        with psycopg.connect(postgres_url) as connection:
            assert lenders_seen(connection, "decision") == ["boc", "icbc"]


class TestAReader:
    @pytest.mark.parametrize(
        ("lenders", "seen"), [(("icbc",), {"icbc"}), (NO_LENDER, set()), (EVERY_LENDER, {"boc", "icbc"})]
    )
    async def test_sees_no_more_than_it_said_it_would(
        self, two_lenders: str, lenders: tuple[str, ...], seen: set[str]
    ):
        everything, store = sa.select(DECISION.c.lender), Store(two_lenders)

        found = await store.read(lambda c: set(c.execute(everything).scalars()), lenders=lenders)
        await store.close()

        assert found == seen


class TestTheGuard:
    def test_is_nothing_to_other_databases(self, sqlite_url: str):
        with sa.create_engine(with_driver(sqlite_url)).begin() as connection:
            guard(connection)
            assert unguarded(connection) == ()
