"""jifendai export log and jifendai verify export: a log for others, whole, continued, and checked without us."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import create_engine, delete, insert, update

from app.adapters.database.store import database_url as its_url
from app.adapters.database.tables import CHECKPOINT, LOG_ENTRY
from app.adapters.tile_folder import TileFolder
from app.audit.checkpoint import Signer, sign_checkpoint
from app.audit.merkle import Frontier, leaf_hash
from app.usecases.export_log import record_path
from tests.audit.test_go import ask_go  # noqa: F401 - a fixture
from tests.cli.conftest import Jifendai, Outcome
from tests.postgres import as_owner

ORIGIN = "test.example/log/icbc"
SIGNER = Signer.from_seed(ORIGIN, bytes(32))
RECORDS = [b'{"format":"test/1","number":%d}' % number for number in range(700)]


@dataclass
class Log:
    """A database with one log of short records, and what exports it."""

    url: str
    folder: Path
    jifendai: Jifendai
    size: int = 0

    def grow(self, *sizes: int) -> None:
        """This function will append records in batches, each with its checkpoint."""
        leaves = [leaf_hash(record) for record in RECORDS]
        engine = create_engine(its_url(as_owner(self.url)))
        with engine.begin() as connection:
            for size in sizes:
                rows = [
                    {"lender": "icbc", "index": n, "leaf_hash": leaves[n], "record": RECORDS[n]}
                    for n in range(self.size, size)
                ]
                root = Frontier().extend(leaves[:size]).root()
                note = sign_checkpoint(ORIGIN, size, root, SIGNER)
                connection.execute(insert(LOG_ENTRY), rows)
                connection.execute(insert(CHECKPOINT).values(lender="icbc", size=size, root=root, note=note))
                self.size = size
        engine.dispose()

    def run(self, *statements: object) -> None:
        """This function will change the database behind its back."""
        engine = create_engine(its_url(as_owner(self.url)))
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(statement)
        engine.dispose()

    def export(self, *more: object, to: str = "out") -> Outcome:
        return self.jifendai("export", "log", "icbc", "--to", self.folder / to, *more)

    def verify(self, *more: object, of: str = "out") -> Outcome:
        return self.jifendai("verify", "export", self.folder / of, "--vkey", SIGNER.verifier_key, *more)

    def files(self, of: str = "out") -> dict[str, bytes]:
        root = self.folder / of
        return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.fixture
def log(database_url: str, folder: Path, jifendai: Jifendai, monkeypatch: pytest.MonkeyPatch) -> Log:
    """A log of 600 records, in three batches."""
    monkeypatch.setenv("JIFENDAI_DATABASE_URL", database_url)
    made = Log(database_url, folder, jifendai)
    made.grow(3, 260, 600)
    return made


@pytest.fixture
def sqlite_log(sqlite_url: str, folder: Path, jifendai: Jifendai, monkeypatch: pytest.MonkeyPatch) -> Log:
    """The same, on SQLite alone: where the matter is the folder."""
    monkeypatch.setenv("JIFENDAI_DATABASE_URL", sqlite_url)
    made = Log(sqlite_url, folder, jifendai)
    made.grow(3, 260, 600)
    return made


class TestAnExport:
    def test_holds_every_record_and_is_sound(self, log: Log):
        exported, found = log.export(), log.verify()

        assert (exported.code, found.code, found.out) == (0, 0, "")
        assert "600 records 条记录 (test/1 600): sound" in found.err
        assert sorted(log.files()) == [
            "checkpoint", "tile/0/000", "tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2",
            "tile/entries/000", "tile/entries/001", "tile/entries/002.p/88",
        ]  # fmt: skip

    def test_goes_on_where_it_was_and_writes_the_same_as_at_once(self, log: Log):
        log.export()
        log.grow(601, 700)

        again, nothing_new = log.export(), log.export()
        log.export(to="at-once")

        assert "records 600 to 699 written, 700 in all" in again.err
        assert "nothing new" in nothing_new.err
        older = {path: held for path, held in log.files().items() if path not in log.files("at-once")}
        assert sorted(older) == ["tile/0/002.p/88", "tile/entries/002.p/88"]
        assert log.files() == log.files("at-once") | older
        assert log.verify().code == 0

    def test_removes_partial_tiles_once_they_are_full(self, sqlite_log: Log, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("app.usecases.export_log.STEP", 300)

        exported = sqlite_log.export()

        assert "icbc: 260 / 600 …" in exported.err
        assert not [path for path in sqlite_log.files() if path.endswith("001.p/4")]
        assert sqlite_log.verify().code == 0

    def test_that_was_interrupted_goes_on_from_its_last_checkpoint(
        self, sqlite_log: Log, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("app.usecases.export_log.STEP", 300)
        write, written = TileFolder.write, []

        def until_the_ninth(self: TileFolder, path: str, content: bytes) -> None:
            written.append(path)
            if len(written) == 9:
                raise KeyboardInterrupt
            write(self, path, content)

        monkeypatch.setattr(TileFolder, "write", until_the_ninth)
        stopped = sqlite_log.export()
        there, sound = sqlite_log.files(), sqlite_log.verify()
        monkeypatch.setattr(TileFolder, "write", write)
        again = sqlite_log.export()

        assert stopped.code == 130
        assert b"\n260\n" in there["checkpoint"] and sound.code == 0
        assert "records 260 to 599 written" in again.err
        assert sqlite_log.verify().code == 0

    def test_since_completes_somebodys_copy(self, sqlite_log: Log):
        sqlite_log.export(to="copy")
        sqlite_log.grow(700)
        sqlite_log.export("--since", "600", to="more")
        alone, whole = sqlite_log.verify("--since", "600", of="more"), sqlite_log.verify(of="more")

        subprocess.run(["cp", "-R", f"{sqlite_log.folder}/more/.", f"{sqlite_log.folder}/copy"], check=True)

        assert "tile/0/000" not in sqlite_log.files("more")
        assert (alone.code, whole.code) == (0, 1)
        assert "tile/0/000 is missing" in whole.out
        assert sqlite_log.verify(of="copy").code == 0

    def test_since_the_newest_record_is_the_right_edge_alone(self, sqlite_log: Log):
        sqlite_log.export("--since", "600", to="more")

        assert sqlite_log.verify("--since", "600", of="more").code == 0
        assert sqlite_log.export("--since", "601", to="none").code == 1

    def test_leaves_out_what_was_pruned_and_keeps_its_hash(self, log: Log):
        pruned = [*range(256), 300]
        log.run(update(LOG_ENTRY).where(LOG_ENTRY.c.index.in_(pruned)).values(record=b""))

        exported, found, allowed = log.export(), log.verify(), log.verify("--allow-pruned")

        assert exported.code == 0
        assert "tile/entries/000" not in log.files() and "tile/entries/001" not in log.files()
        assert log.files()[record_path(299)] == RECORDS[299]
        assert "the records 0 to 255 are missing" in found.out and "the records 300 to 300 are missing" in found.out
        assert (found.code, allowed.code, allowed.out) == (1, 0, "")
        assert "257 records have no bytes here" in allowed.err

    def test_is_read_by_go_s_own_tile_reader(self, sqlite_log: Log, ask_go):  # noqa: F811 - the fixture
        sqlite_log.export()
        asked = {
            "kind": "export", "folder": str(sqlite_log.folder / "out"), "origin": ORIGIN,
            "verifier_keys": [SIGNER.verifier_key],
        }  # fmt: skip

        (sound,) = ask_go(asked)
        place = sqlite_log.folder / "out/tile/entries/001"
        place.write_bytes(place.read_bytes().replace(b"300", b"301", 1))
        (spoilt,) = ask_go(asked)

        assert (sound["refused"], spoilt["refused"]) == ("", "a record that is not the one in the tree")

    def test_is_its_owner_s_alone(self, sqlite_log: Log):
        sqlite_log.export()

        modes = {path.stat().st_mode & 0o077 for path in (sqlite_log.folder / "out").rglob("*")}
        assert modes == {0}


class TestAnExportIsRefused:
    @pytest.mark.parametrize(
        ("statement", "words"),
        [
            (update(LOG_ENTRY).where(LOG_ENTRY.c.index == 5).values(record=b"{}"), "record 5 was changed"),
            (delete(LOG_ENTRY).where(LOG_ENTRY.c.index == 5), "record 5 is missing"),
            (update(LOG_ENTRY).where(LOG_ENTRY.c.index == 5).values(record=b"", leaf_hash=bytes(32)), "do not lead to"),
        ],
    )
    def test_if_the_database_does_not_hold_what_was_signed(self, sqlite_log: Log, statement: object, words: str):
        sqlite_log.run(statement)

        refused = sqlite_log.export()

        assert refused.code == 1
        assert words in refused.err
        assert "checkpoint" not in sqlite_log.files()

    def test_if_the_database_is_older_than_the_folder(self, sqlite_log: Log):
        sqlite_log.export()
        sqlite_log.run(
            delete(LOG_ENTRY).where(LOG_ENTRY.c.index >= 260), delete(CHECKPOINT).where(CHECKPOINT.c.size > 260)
        )

        refused = sqlite_log.export()

        assert refused.code == 1
        assert "the database is older than the export" in refused.err
        assert b"\n600\n" in sqlite_log.files()["checkpoint"]

    def test_if_the_database_was_changed_since(self, sqlite_log: Log):
        sqlite_log.export()
        forged = {"record": b"{}", "leaf_hash": leaf_hash(b"{}")}
        sqlite_log.run(update(LOG_ENTRY).where(LOG_ENTRY.c.index == 599).values(forged))

        refused = sqlite_log.export()

        assert refused.code == 1
        assert "holds others than were exported" in refused.err

    def test_if_the_folder_holds_another_log(self, sqlite_log: Log):
        (sqlite_log.folder / "out").mkdir()
        other = Signer.from_seed("test.example/log/boc", bytes(32))
        note = sign_checkpoint(other.name, 1, sha256().digest(), other)
        (sqlite_log.folder / "out/checkpoint").write_bytes(note)

        refused = sqlite_log.export()

        assert refused.code == 1
        assert "the folder holds log test.example/log/boc" in refused.err

    def test_if_there_is_no_such_log(self, sqlite_log: Log):
        refused = sqlite_log.jifendai("export", "log", "nobody", "--to", sqlite_log.folder / "out")

        assert refused.code == 1
        assert "there is no log of nobody" in refused.err


class TestAFolder:
    def test_that_was_changed_is_named(self, sqlite_log: Log):
        sqlite_log.export()
        (sqlite_log.folder / "out/tile/entries/001").unlink()
        kept = sqlite_log.folder / "kept.txt"
        kept.write_bytes(sign_checkpoint(ORIGIN, 900, bytes(32), SIGNER))

        found = sqlite_log.verify("--checkpoint", kept)

        assert found.code == 1
        assert "the records 256 to 511 are missing" in found.out
        assert "this export is older than the checkpoint kept elsewhere: it has 600 records" in found.out
        assert "NOT SOUND" in found.err

    def test_that_is_none_is_refused(self, sqlite_log: Log):
        (sqlite_log.folder / "empty").mkdir()

        assert "there is no file `checkpoint`" in sqlite_log.verify(of="empty").out
        assert sqlite_log.verify(of="absent").code == 1
