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
    SKIPS = "import pytest\n\ndef test_planted():\n    pytest.skip('planted')\n"
    LACKS_TOOLS = "def test_planted(needs_go, needs_chromium): pass\n"

    def test_is_no_failure_and_the_last_lines_name_the_missing_tool_and_how_to_install_it(self, tmp_path: Path):
        (tmp_path / "test_skips.py").write_text(self.SKIPS)
        (tmp_path / "test_lacks_tools.py").write_text(self.LACKS_TOOLS)

        finished = self.run(tmp_path, require_all="0")

        assert finished.returncode == 0, finished.stdout
        assert "2 skipped" in finished.stdout
        assert "apt install golang-go" in finished.stdout.splitlines()[-1], finished.stdout

    def test_fails_the_run_where_everything_is_required(self, tmp_path: Path):
        (tmp_path / "test_skips.py").write_text(self.SKIPS)

        finished = self.run(tmp_path, require_all="1")

        assert finished.returncode == 1, finished.stdout
        assert "1 failed" in finished.stdout

    def run(self, folder: Path, *, require_all: str) -> subprocess.CompletedProcess[str]:
        """A run of its own where no tool is found, with the settings and the hooks of every run."""
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-c", ROOT / "pyproject.toml", "-p", "tests.conftest", folder],
            cwd=ROOT, capture_output=True, text=True,
            env={"PATH": str(folder), "JIFENDAI_REQUIRE_ALL": require_all},
        )  # fmt: skip
