"""jifendai backup and restore: one moment of a database at work, and back, unless a checkpoint tells of more."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import stat
import threading
from contextlib import closing
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from app.adapters.database.backup import back_up
from app.adapters.signing import LogSigner
from app.settings import DEMO_LOG_NAME
from tests.adapters.test_outside_checkpoints import server
from tests.api.test_decisions import application
from tests.cli.conftest import Jifendai, Outcome
from tests.service import SEEDED, demo_settings, running

__all__ = ["server"]


class Installation:
    """A demonstration in a folder, to be backed up and restored."""

    def __init__(self, folder: Path, jifendai: Jifendai) -> None:
        self.folder = folder
        self.data = folder / "var"
        self._jifendai = jifendai

    def run(self, *arguments: object) -> Outcome:
        return self._jifendai(*arguments)

    def decide(self, *numbers: int) -> None:
        """This function will let a service make decisions, and keep its newest checkpoint."""

        async def deciding() -> None:
            async with running(demo_settings(self.data)) as service:
                for number in numbers:
                    answer = await service.decide(application(application_id=f"LOS-{number}"), f"key-{number}")
                    assert answer.status_code == 201, answer.text
                note = await service.get("/v1/logs/icbc/checkpoint", caller="auditor")
                (self.folder / "kept.txt").write_bytes(note.content)

        asyncio.run(deciding())

    def records(self) -> int:
        with closing(sqlite3.connect(self.data / "jifendai.db")) as connection:
            return connection.execute("SELECT count(*) FROM log_entry WHERE lender = 'icbc'").fetchone()[0]


@pytest.fixture
def installation(demonstration: Path, jifendai: Jifendai) -> Installation:
    return Installation(demonstration, jifendai)


class TestABackup:
    def test_is_one_file_of_the_database_as_it_is_for_its_owner_alone(self, installation: Installation):
        installation.decide(1)

        made = installation.run("backup", "copy.db")

        assert (made.code, made.out) == (0, "copy.db\n")
        copy = installation.folder / "copy.db"
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        assert [path.name for path in installation.folder.glob("*copy.db*")] == ["copy.db"]
        installation.run("restore", "copy.db", "--checkpoint", "kept.txt")
        assert installation.records() == SEEDED + 1

    def test_is_of_one_moment_while_others_write(self, tmp_path: Path):
        file = tmp_path / "at-work.db"
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
            connection.execute("CREATE TABLE one (n INTEGER, filling BLOB)")
            connection.execute("CREATE TABLE other (n INTEGER)")
            connection.execute("INSERT INTO one SELECT 0, randomblob(100000) FROM json_each('[1,2,3,4,5,6,7,8,9]')")
        stopped = threading.Event()

        def write() -> None:
            with closing(sqlite3.connect(file, isolation_level=None, timeout=10)) as connection:
                for n in range(10_000):
                    if stopped.is_set():
                        return
                    connection.executescript(
                        f"BEGIN IMMEDIATE; INSERT INTO one VALUES ({n}, NULL); INSERT INTO other VALUES ({n}); COMMIT"
                    )

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for number in range(5):
                back_up(file, tmp_path / f"copy-{number}.db")
        finally:
            stopped.set()
            writer.join()

        for number in range(5):
            with closing(sqlite3.connect(tmp_path / f"copy-{number}.db")) as connection:
                one, other = connection.execute(
                    "SELECT (SELECT count(*) FROM one WHERE filling IS NULL), (SELECT count(*) FROM other)"
                ).fetchone()
                assert one == other

    def test_is_never_written_over(self, installation: Installation):
        (installation.folder / "copy.db").write_text("precious")

        refused = installation.run("backup", "copy.db")

        assert refused.code == 1
        assert (installation.folder / "copy.db").read_text() == "precious"

    def test_is_not_made_of_postgresql(self, installation: Installation, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("JIFENDAI_DATABASE_URL", "postgresql://bank@db.bank.example/jifendai")

        refused = installation.run("backup", "copy.db")

        assert refused.code == 1
        assert "use pg_basebackup" in refused.err


class TestARestore:
    def test_puts_the_backup_in_place_and_keeps_what_was_there(self, installation: Installation):
        installation.decide(1)
        installation.run("backup", "copy.db")

        restored = installation.run("restore", "copy.db", "--checkpoint", "kept.txt")

        assert (restored.code, restored.out) == (0, "var/jifendai.db\n")
        assert len(list(installation.data.glob("jifendai.db.replaced-*"))) == 1
        assert not list(installation.data.glob(".jifendai*"))
        installation.decide(2)
        assert installation.records() == SEEDED + 2

    def test_leaves_nobody_with_the_file_open_whatever_the_collector_does(self, installation: Installation):
        installation.run("backup", "copy.db")
        gc.disable()
        try:
            restored = [installation.run("restore", "copy.db") for _ in range(2)]
        finally:
            gc.enable()

        # The second finds the place under this second's name taken, and says so.
        assert restored[0].code == 0, restored[0].err
        assert "in use" not in restored[1].err

    def test_is_held_to_what_the_service_itself_has_kept_outside(
        self, installation: Installation, monkeypatch: pytest.MonkeyPatch
    ):
        installation.run("backup", "copy.db")
        installation.decide(1)
        (installation.folder / "outside").mkdir()
        (installation.folder / "kept.txt").rename(installation.folder / "outside" / "icbc.txt")
        monkeypatch.setenv("JIFENDAI_DEMO", "1")
        monkeypatch.setenv("JIFENDAI_OUTSIDE_CHECKPOINTS", str(installation.folder / "outside"))

        refused = installation.run("restore", "copy.db")

        assert refused.code == 1
        assert f"it has {SEEDED} records" in refused.out

    def test_is_held_to_what_the_service_itself_has_kept_at_an_address(
        self, installation: Installation, server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
    ):
        installation.run("backup", "copy.db")
        installation.decide(1)
        server.kept["/audit/icbc.checkpoint"] = (installation.folder / "kept.txt").read_bytes()
        monkeypatch.setenv("JIFENDAI_DEMO", "1")
        monkeypatch.setenv(
            "JIFENDAI_OUTSIDE_CHECKPOINTS", f"http://127.0.0.1:{server.server_address[1]}/audit"
        )

        refused = installation.run("restore", "copy.db")
        server.status = 503
        silent, insisted = installation.run("restore", "copy.db"), installation.run("restore", "copy.db", "--anyway")

        assert refused.code == 1
        assert f"it has {SEEDED} records" in refused.out
        assert silent.code == 3
        assert "answered GET with 503" in silent.err
        assert insisted.code == 0, insisted.err

    def test_fills_an_empty_folder(self, installation: Installation):
        installation.run("backup", "copy.db")
        for file in installation.data.glob("jifendai.db*"):
            file.unlink()

        assert installation.run("restore", "copy.db").code == 0
        assert installation.records() == SEEDED

    def test_of_what_is_older_than_a_checkpoint_is_refused_unless_told(self, installation: Installation):
        installation.run("backup", "copy.db")
        installation.decide(1, 2)

        refused = installation.run("restore", "copy.db", "--checkpoint", "kept.txt")
        untouched = installation.records()
        told = installation.run("restore", "copy.db", "--checkpoint", "kept.txt", "--anyway")

        assert refused.code == 1
        assert f"the database is older than the checkpoint kept outside: it has {SEEDED} records" in refused.out
        assert f"the records {SEEDED} to {SEEDED + 1} are lost" in refused.out
        assert "Nothing was restored" in refused.err
        assert (untouched, told.code, installation.records()) == (SEEDED + 2, 0, SEEDED)

    def test_of_what_was_changed_is_refused(self, installation: Installation):
        installation.run("backup", "copy.db")
        with closing(sqlite3.connect("copy.db")) as connection, connection:
            connection.execute("UPDATE decision SET outcome = 'DECLINED' WHERE outcome = 'PRE_APPROVED'")

        refused = installation.run("restore", "copy.db")

        assert refused.code == 1
        assert "its outcome says DECLINED, its record says PRE_APPROVED" in refused.out

    def test_is_refused_while_a_service_runs(self, installation: Installation):
        installation.run("backup", "copy.db")
        vkey = LogSigner.from_file(installation.data / "demo-signing-key.pem").verifier_key(f"{DEMO_LOG_NAME}/icbc")

        with closing(sqlite3.connect(installation.data / "jifendai.db")) as somebody:
            somebody.execute("SELECT count(*) FROM log_entry").fetchone()
            refused = installation.run("restore", "copy.db", "--vkey", vkey)

        assert refused.code == 3
        assert "stop the service first" in refused.err

    @pytest.mark.parametrize("content", [b"", b"nonsense" * 1_000])
    def test_of_what_is_no_backup_is_refused(self, installation: Installation, content: bytes):
        (installation.folder / "copy.db").write_bytes(content)

        refused = installation.run("restore", "copy.db")

        assert refused.code == 1
        assert "is no sound backup" in refused.err
        assert installation.records() == SEEDED
