"""The harness itself: databases are fresh, a killed server recovers, and nothing is skipped in silence."""

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.postgres import Databases, PostgresServer

ROOT = Path(__file__).parent.parent


class TestAFreshDatabase:
    def test_shares_nothing_with_the_one_before_and_is_gone_afterwards(self, postgres_databases: Databases):
        with postgres_databases.fresh(migrated=False) as first, psycopg.connect(first, autocommit=True) as connection:
            connection.execute("CREATE TABLE seen (id integer)")
            with postgres_databases.fresh(migrated=False) as second, psycopg.connect(second) as other:
                assert other.execute("SELECT to_regclass('seen')").fetchone() == (None,)
            assert connection.execute("SELECT to_regclass('seen')").fetchone() == ("seen",)

        with pytest.raises(psycopg.OperationalError, match="does not exist"):
            psycopg.connect(first)

    def test_is_of_a_server_that_listens_on_no_network_address(self, postgres_server: PostgresServer):
        with psycopg.connect(postgres_server.url()) as connection:
            assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
            assert connection.execute("SHOW fsync").fetchone() == ("on",)


def rows_lost_by_a_kill(server: PostgresServer, **settings: str) -> int:
    """This function will commit rows, kill the server and return how many acknowledged rows are gone after recovery."""
    server.stop()
    server.start(**settings)
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (id integer)")
        connection.execute("CHECKPOINT")
        for number in range(200):
            connection.execute("INSERT INTO kept VALUES (%s)", (number,))
        server.kill()

    server.start()
    with psycopg.connect(server.url()) as connection:
        return 200 - connection.execute("SELECT count(*) FROM kept").fetchone()[0]


class TestAKilledServer:
    def test_has_lost_nothing_that_was_committed(self, postgres_server: PostgresServer):
        assert rows_lost_by_a_kill(postgres_server) == 0

    def test_is_seen_to_lose_rows_when_commits_do_not_wait_for_the_disk(self, postgres_server: PostgresServer):
        """The control: a kill harness that finds no loss here could find none anywhere."""
        assert rows_lost_by_a_kill(postgres_server, synchronous_commit="off", wal_writer_delay="10s") > 0


class TestASkip:
    PLANTED = "import pytest\n\ndef test_planted():\n    pytest.skip('planted')\n"

    @pytest.mark.parametrize(("require_all", "status"), [("0", 0), ("1", 1)])
    def test_fails_the_run_only_where_everything_is_required(self, tmp_path: Path, require_all: str, status: int):
        (tmp_path / "test_planted.py").write_text(self.PLANTED)

        finished = subprocess.run(
            [sys.executable, "-m", "pytest", "-c", ROOT / "pyproject.toml", "-p", "tests.conftest", tmp_path],
            cwd=ROOT, capture_output=True, text=True,
            env={"PATH": "/usr/bin:/bin", "JIFENDAI_REQUIRE_ALL": require_all},
        )  # fmt: skip

        assert finished.returncode == status, finished.stdout

    def test_for_a_missing_tool_is_named_in_the_last_lines_with_how_to_install_it(self, tmp_path: Path):
        (tmp_path / "test_planted.py").write_text("def test_planted(needs_go, needs_chromium): pass\n")

        finished = subprocess.run(
            [sys.executable, "-m", "pytest", "-c", ROOT / "pyproject.toml", "-p", "tests.conftest", tmp_path],
            cwd=ROOT, capture_output=True, text=True, env={"PATH": str(tmp_path)},
        )  # fmt: skip

        assert "apt install golang-go" in finished.stdout.splitlines()[-1], finished.stdout
