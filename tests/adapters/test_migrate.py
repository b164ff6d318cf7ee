"""Migrations: the tables are what the code believes they are, and any number of replicas may start at once."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from app.adapters.database import Database, is_current, migrate, open_database
from app.adapters.database.migrate import _config
from app.adapters.database.store import database_url as with_driver
from app.adapters.database.tables import METADATA
from tests.postgres import as_owner
from tests.processes import forked


def differences(url: str) -> list[object]:
    """This function will return what sets the database apart from the tables in code."""
    with sa.create_engine(with_driver(url)).connect() as connection:
        return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), METADATA)


def execute(url: str, statement: str) -> None:
    """This function will run one statement."""
    with sa.create_engine(with_driver(as_owner(url))).begin() as connection:
        connection.execute(sa.text(statement))


class TestMigrate:
    def test_makes_the_tables_that_the_code_believes_in(self, empty_database_url: str):
        migrate(empty_database_url)

        assert differences(empty_database_url) == []

    def test_would_be_seen_to_have_missed_an_index(self, empty_database_url: str):
        migrate(empty_database_url)
        execute(empty_database_url, "DROP INDEX ix_offer_uscc_lender")

        assert "add_index" in str(differences(empty_database_url))

    def test_does_nothing_where_all_is_done(self, empty_database_url: str):
        migrate(empty_database_url)

        migrate(empty_database_url)

        assert is_current(empty_database_url)

    def test_is_done_once_when_several_replicas_start_at_once(self, empty_database_url: str):
        replicas = [forked(migrate, empty_database_url) for _ in range(4)]

        for replica in replicas:
            replica.join(60)

        assert [replica.exitcode for replica in replicas] == [0] * 4
        assert is_current(empty_database_url)

    def test_divides_the_pools_of_an_earlier_release_by_holder(self, empty_database_url: str):
        with sa.create_engine(with_driver(as_owner(empty_database_url))).begin() as connection:
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "0009")
            days = "2027-01-20/boc:5 2027-01-20/icbc:7 2027-02-01/icbc:1"
            sums = dict.fromkeys(("paid_in", "reserved", "committed", "compensated", "recovered", "drawn"), 0)
            rows = {
                "pool": [{"pool_id": "z/p", "entries": 4, **sums, "reserved_by_day": days}],
                "pool_holder": [{"pool_id": "z/p", "holder": holder, **sums} for holder in ("boc", "icbc")],
                "pool_entry": [
                    {"pool_id": "z/p", "number": number, "kind": "RESERVED", "holder": holder, "record_id": "r", **sums,
                     "value_on": "2026-11-20", "booked_at": 0}
                    for number, holder in enumerate((None, "icbc", "boc", "icbc"))
                ],
            }  # fmt: skip
            for table, values in rows.items():
                connection.execute(sa.insert(sa.table(table, *map(sa.column, values[0]))), values)

        migrate(as_owner(empty_database_url))

        with sa.create_engine(with_driver(as_owner(empty_database_url))).connect() as connection:
            numbers = connection.execute(sa.text("SELECT holder, own_number FROM pool_entry ORDER BY number")).all()
            parts = sa.text("SELECT holder, entries, reserved_by_day FROM pool_holder ORDER BY 1")
            held = connection.execute(parts).all()
            own = connection.execute(sa.text("SELECT own_entries, reserved_by_day FROM pool")).one()
        assert numbers == [(None, 0), ("icbc", 0), ("boc", 0), ("icbc", 1)]
        assert held == [("boc", 1, "2027-01-20:5"), ("icbc", 2, "2027-01-20:7 2027-02-01:1")]
        assert own == (1, "2027-01-20:12 2027-02-01:1")

    def test_leaves_nothing_behind_when_it_fails_half_way(self, empty_database_url: str):
        execute(empty_database_url, "CREATE TABLE preview (in_the_way integer)")

        with pytest.raises(sa.exc.DBAPIError, match="preview"):
            migrate(empty_database_url)

        with sa.create_engine(with_driver(empty_database_url)).connect() as connection:
            assert sa.inspect(connection).get_table_names() == ["preview"]

    def test_makes_the_folder_of_an_embedded_database(self, tmp_path: Path):
        url = f"sqlite:///{tmp_path}/var/deep/jifendai.db"

        migrate(url)

        assert is_current(url)

    def test_finds_its_migrations_wherever_the_process_was_started(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.chdir(tmp_path)

        migrate(f"sqlite:///{tmp_path}/jifendai.db")

        assert is_current(f"sqlite:///{tmp_path}/jifendai.db")


class TestADatabaseAddress:
    @pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "sqlite:///:memory:"])
    def test_is_refused_when_nothing_there_could_be_durable(self, url: str):
        with pytest.raises(ValueError, match="address"):
            open_database(url)

    @pytest.mark.parametrize("url", ["postgresql+psycopg://x/y", "postgresql+asyncpg://x/y", "postgresql://x/y"])
    def test_may_name_any_driver_of_postgresql(self, url: str):
        assert with_driver(url).drivername == "postgresql+psycopg"


class TestReadiness:
    async def test_has_nothing_to_say_of_a_database_that_is_current(self, real_database: Database):
        assert await real_database.ready() == []

    async def test_names_what_is_missing_and_what_to_do(self, empty_database_url: str):
        database = open_database(empty_database_url)

        [problem] = await database.ready()
        await database.close()

        assert "0001" in problem
        assert "jifendai migrate" in problem
        assert is_current(empty_database_url) is False

    async def test_is_given_to_a_replica_of_the_release_before(self, database_url: str):
        """While replicas are replaced one by one the old ones meet a database that is ahead of them."""
        execute(database_url, "UPDATE alembic_version SET version_num = '9999'")
        database = open_database(database_url)

        problems = await database.ready()
        await database.close()

        assert problems == []

    @pytest.mark.parametrize("url", ["sqlite:////proc/nowhere/x.db", "postgresql://postgres@/x?host=/nowhere-at-all"])
    async def test_is_denied_in_words_to_a_database_that_cannot_be_reached(self, url: str):
        database = open_database(url)

        [problem] = await database.ready()
        await database.close()

        assert "cannot be reached" in problem


class TestTheFileOfAnEmbeddedDatabase:
    def test_is_its_owner_s_alone(self, tmp_path: Path):
        file = tmp_path / "elsewhere" / "jifendai.db"

        migrate(f"sqlite:///{file}")

        assert file.stat().st_mode & 0o077 == 0
