"""At start the service proves itself consistent or serves nothing; and what it keeps outside."""

import asyncio
import contextlib
import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.adapters.database import Database
from app.adapters.outside_checkpoints import Folder
from app.audit.checkpoint import Signer, sign_checkpoint
from app.audit.merkle import Frontier
from app.cli import main
from app.settings import Settings
from app.usecases.ports import LogEntry, LogHead, Sealed, SignedCheckpoint, Wanted
from app.usecases.self_check import LogsNotSoundError
from app.usecases.start_check import prove_consistent
from tests.adapters.conftest import real_database
from tests.api.test_decisions import application
from tests.api.test_logs import checkpoint_in
from tests.records import SeedSigner, verifier
from tests.service import Service, demo_settings, running

__all__ = ["real_database"]


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder on somebody else's machine."""
    folder = tmp_path / "outside"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def _begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a service's data, in which two decisions were made, and with what it kept outside."""
    folder = tmp_path_factory.mktemp("begun")
    (folder / "outside").mkdir()
    settings = replace(demo_settings(folder / "data"), outside_checkpoints=str(folder / "outside"))
    asyncio.run(started_and_stopped(settings, 1, 2))
    return folder


@pytest.fixture
def settings(tmp_path: Path, outside: Path, _begun: Path) -> Settings:
    """An embedded service that has decided twice and keeps its checkpoints outside."""
    shutil.copytree(_begun / "data", tmp_path / "data")
    shutil.copytree(_begun / "outside", outside, dirs_exist_ok=True)
    return replace(demo_settings(tmp_path / "data"), outside_checkpoints=str(outside))


def database(settings: Settings) -> contextlib.closing[sqlite3.Connection]:
    return contextlib.closing(sqlite3.connect(settings.data_dir / "jifendai.db", isolation_level=None))


async def decide(service: Service, *numbers: int) -> None:
    for number in numbers:
        answer = await service.decide(application(application_id=f"LOS-{number}"), f"key-{number}")
        assert answer.status_code == 201, answer.text


async def started_and_stopped(settings: Settings, *numbers: int) -> None:
    async with running(settings) as service:
        await decide(service, *numbers)


class TestAServiceThatStarts:
    async def test_serves_where_nothing_was_changed(self, settings: Settings):
        async with running(settings) as service:
            ready = await service.client.get("/readyz")

        assert (ready.status_code, ready.json()["notes"]) == (200, [])

    @pytest.mark.parametrize(
        ("damage", "words"),
        [
            ("DELETE FROM log_head WHERE lender = 'icbc'", "its head tells of 0 records"),
            ("UPDATE log_head SET size = size - 1 WHERE lender = 'icbc'", "its head tells of"),
            ("UPDATE log_head SET frontier = zeroblob(length(frontier)) WHERE lender = 'icbc'", "leads to the root"),
            ("UPDATE log_head SET frontier = x'00' WHERE lender = 'icbc'", "cannot be read"),
            ('DELETE FROM log_entry WHERE lender = \'icbc\' ORDER BY "index" DESC LIMIT 1', "its head tells of"),
            ("DELETE FROM checkpoint WHERE lender = 'icbc' ORDER BY size DESC LIMIT 1", "were signed"),
            ("UPDATE checkpoint SET note = replace(CAST(note AS TEXT), 'icbc', 'nbcb') WHERE lender = 'icbc'",
             "newest checkpoint"),
            ("UPDATE checkpoint SET root = zeroblob(32) WHERE lender = 'icbc'", "leads to the root"),
            ("UPDATE log_entry SET record = x'7b7d' WHERE lender = 'operator'", "the operator's log is not sound"),
            ("DELETE FROM log_entry WHERE lender = 'operator'", "the operator's log is not sound"),
        ],
    )  # fmt: skip
    async def test_refuses_a_database_that_was_damaged(self, settings: Settings, damage: str, words: str):
        with database(settings) as connection:
            assert connection.execute(damage).rowcount > 0

        with pytest.raises(LogsNotSoundError, match=words):
            await started_and_stopped(settings)

    async def test_refuses_a_database_restored_from_a_stale_copy(self, settings: Settings, outside: Path):
        copy = settings.data_dir / "copy.db"
        with database(settings) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copy(settings.data_dir / "jifendai.db", copy)
        await started_and_stopped(settings, 3, 4)
        for name in ("jifendai.db-wal", "jifendai.db-shm"):
            (settings.data_dir / name).unlink(missing_ok=True)
        shutil.copy(copy, settings.data_dir / "jifendai.db")
        kept = (outside / "icbc.checkpoint").read_bytes()

        with pytest.raises(LogsNotSoundError, match=r"restored from a stale copy.*jifendai log new-epoch"):
            await started_and_stopped(settings)

        assert (outside / "icbc.checkpoint").read_bytes() == kept

    async def test_refuses_a_database_that_was_set_back_and_went_on(self, settings: Settings, outside: Path):
        with database(settings) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copytree(settings.data_dir, settings.data_dir.with_name("copy"))
        await started_and_stopped(settings, 3)
        shutil.rmtree(settings.data_dir)
        shutil.copytree(settings.data_dir.with_name("copy"), settings.data_dir)
        await started_and_stopped(replace(settings, outside_checkpoints=""), 5, 6)

        with pytest.raises(LogsNotSoundError, match="the database's own of that size is another"):
            await started_and_stopped(settings)

    async def test_refuses_what_no_key_of_ours_has_signed_outside(self, settings: Settings, outside: Path):
        origin = f"{settings.log_name}/icbc"
        forged = sign_checkpoint(origin, 1, bytes(32), Signer.from_seed(origin, bytes(32)))
        (outside / "icbc.checkpoint").write_bytes(forged)

        with pytest.raises(LogsNotSoundError, match=r"kept outside as icbc\.checkpoint"):
            await started_and_stopped(settings)

    async def test_refuses_another_log_name(self, settings: Settings):
        with pytest.raises(LogsNotSoundError, match=r"JIFENDAI_LOG_NAME|not sound"):
            await started_and_stopped(replace(settings, log_name="other.example"))

    async def test_is_as_quick_over_a_million_records_as_over_one(self, real_database: Database):
        size, leaves = 1_000_000, Frontier().extend(bytes([n]) * 32 for n in range(7))
        frontier = Frontier(size, (*leaves.hashes, *leaves.hashes, *leaves.hashes)[: size.bit_count()])
        root, origin = frontier.root(), "test.jifendai.example/icbc"
        sealed = Sealed(
            entries=(LogEntry("icbc", size - 1, bytes(32), b"{}"),),
            heads=(LogHead("icbc", size, frontier.to_bytes(), datetime(2026, 1, 1, tzinfo=UTC)),),
            checkpoints=(SignedCheckpoint("icbc", size, root, SeedSigner().sign(origin, size, root)),),
        )
        await real_database.book.transact(Wanted(("icbc",), (), (), ()), lambda _: sealed)
        began = time.perf_counter()
        await prove_consistent(
            real_database.trail, None, log_name="test.jifendai.example", public_keys=[verifier().public_bytes],
            lenders=[f"lender-{number}" for number in range(20)], warn=pytest.fail,
        )  # fmt: skip
        took = time.perf_counter() - began

        assert took < 1


async def until(holds: Callable[[], bool]) -> None:
    """This function will return once it holds."""
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.02)


class TestWhatIsKeptOutside:
    async def test_is_each_logs_newest_checkpoint_byte_for_byte(self, settings: Settings, outside: Path):
        async with running(settings) as service:
            await decide(service, 3)
            newest = (await service.get("/v1/logs/icbc/checkpoint")).content
            await service.app.state.keeping.once()
            kept = (outside / "icbc.checkpoint").read_bytes()
            operator = checkpoint_in(service, (outside / "operator.checkpoint").read_bytes(), "operator")

        assert kept == newest
        assert operator.size > 0
        assert not [name for name in os.listdir(outside) if name.startswith(".")]

    async def test_is_left_as_it_is_where_the_database_falls_behind_a_running_service(
        self, settings: Settings, outside: Path
    ):
        async with running(settings) as service:
            await decide(service, 3)
            keeping = service.app.state.keeping
            await keeping.once()
            kept = (outside / "icbc.checkpoint").read_bytes()
            size = checkpoint_in(service, kept).size
            with database(settings) as connection:
                for statement in ("DELETE FROM checkpoint WHERE size >= ?", 'DELETE FROM log_entry WHERE "index" >= ?'):
                    connection.execute(statement + " AND lender = 'icbc'", (size if "size" in statement else size - 1,))
                connection.execute("UPDATE log_head SET size = size - 1 WHERE lender = 'icbc'")
            await keeping.once()
            ready = await service.client.get("/readyz")

        assert ready.status_code == 503
        assert [cause["code"] for cause in ready.json()["causes"]] == ["LOGS_DO_NOT_FIT"]
        assert (outside / "icbc.checkpoint").read_bytes() == kept

    async def test_that_cannot_be_written_is_told_once_it_is_late_and_written_when_it_can(
        self, settings: Settings, outside: Path
    ):
        async with running(settings) as service:
            keeping = service.app.state.keeping
            await keeping.once()
            kept = {path.name: path.read_bytes() for path in outside.iterdir()}
            outside.rename(outside.with_name("away"))
            await decide(service, 3)
            done = await keeping.once()
            keeping._owed_since = {lender: since - 61 for lender, since in keeping._owed_since.items()}
            late = await service.client.get("/readyz")
            metrics = (await service.get("/metrics", caller="operator")).text
            outside.with_name("away").rename(outside)
            again = await keeping.once()
            after = await service.client.get("/readyz")

        assert (done, again) == (False, True)
        assert late.status_code == 200
        assert "have not been kept outside for 61 seconds" in late.json()["notes"][0]
        assert "jifendai_outside_checkpoint_owed_seconds 61." in metrics
        assert after.json()["notes"] == []
        assert (outside / "icbc.checkpoint").read_bytes() != kept["icbc.checkpoint"]

    async def test_is_written_by_itself_and_once_more_at_the_end(self, settings: Settings, outside: Path):
        async with running(settings) as service:
            await until(lambda: (outside / "operator.checkpoint").exists())
            await decide(service, 3)
            newest = (await service.get("/v1/logs/icbc/checkpoint")).content

        assert (outside / "icbc.checkpoint").read_bytes() == newest

    async def test_may_hang_while_decisions_are_made(
        self, settings: Settings, outside: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(Folder, "_write", lambda *_: time.sleep(0.5))
        monkeypatch.setattr("app.adapters.keeping_outside._LAST_TRY_S", 0.1)
        async with running(settings) as service:
            began = time.perf_counter()
            await decide(service, 3, 4, 5)
            took = time.perf_counter() - began

        assert took < 1


class TestWhatLiesOutside:
    def test_is_what_verify_database_takes(
        self, settings: Settings, outside: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ):
        monkeypatch.setenv("JIFENDAI_DEMO", "1")
        monkeypatch.setenv("JIFENDAI_DATA_DIR", str(settings.data_dir))
        sound = main(["verify", "database", "--checkpoint", str(outside)])
        with database(settings) as connection:
            connection.execute('DELETE FROM log_entry WHERE lender = \'icbc\' ORDER BY "index" DESC LIMIT 1')
        cut = main(["verify", "database", "--checkpoint", str(outside)])

        assert (sound, cut) == (0, 1)
        assert "older than the checkpoint kept outside" in capsys.readouterr().out
