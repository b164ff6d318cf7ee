"""jifendai verify: what does not hold is found, on both databases, and what holds raises no alarm."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import Table

from app.adapters.database.tables import DECISION, OFFER
from app.adapters.signing import LogSigner
from app.settings import DEMO_LOG_NAME
from tests.api.test_decisions import application
from tests.cli.conftest import Jifendai, Outcome
from tests.cli.tampering import Rows, copied, restored, tamper
from tests.service import SEEDED, Service, demo_settings, running
from tests.sqlite import give_tables

ORIGIN = f"{DEMO_LOG_NAME}/icbc"
# The demonstration's own, and four that the fixture makes.
RECORDS = SEEDED + 4


# What is said of a column whose change is more than that.
_SAID_OTHERWISE = {
    ("decision", "decision_id"): "has no decision in the list",
    ("decision", "lender"): "has no decision in the list",
    ("decision", "terms_digest"): "are missing, or not those recorded",
    ("decision", "answer_from"): "is answered otherwise than recorded",
    ("decision", "answer_until"): "is answered otherwise than recorded",
    ("decision", "place"): "is answered otherwise than recorded",
    ("offer", "offer_id"): "is missing: it was removed",
}


@dataclass
class Bank:
    """An installation with a log of some records, a checkpoint kept outside, and the log's public key alone."""

    url: str
    vkey: str
    checkpoint: Path
    backup: Rows
    jifendai: Jifendai

    def verify(self, *more: str) -> Outcome:
        """This function will verify the database as somebody elsewhere does."""
        return self.jifendai("verify", "database", "--vkey", self.vkey, "--checkpoint", self.checkpoint, *more)


@dataclass
class History:
    """What every bank of a kind begins with, made once: its folder, its database, and a backup of that."""

    folder: Path
    url: str
    vkey: str
    backup: Rows


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def history(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    """Some decisions; the backup was made before the last of them."""
    folder = tmp_path_factory.mktemp("history")
    with ExitStack() as stack:
        if request.param == "sqlite":
            give_tables(folder / "jifendai.db")
            url = f"sqlite:///{folder}/jifendai.db"
        else:
            url = stack.enter_context(request.getfixturevalue("postgres_databases").fresh())
        yield asyncio.run(_made(folder, url))


async def _made(folder: Path, url: str) -> History:
    async def decide(service: Service, number: int) -> None:
        answer = await service.decide(application(application_id=f"LOS-{number}"), f"key-{number}")
        assert answer.status_code == 201, answer.text

    settings = demo_settings(folder / "service", url)
    async with running(settings) as service:
        for number in range(3):
            await decide(service, number)
        backup = await asyncio.to_thread(copied, url)
        await decide(service, 3)
        note = await service.get("/v1/logs/icbc/checkpoint", caller="auditor")
        (folder / "checkpoint.txt").write_bytes(note.content)
    return History(folder, url, LogSigner.from_file(settings.key_file).verifier_key(ORIGIN), backup)


@pytest.fixture
def bank(
    history: History,
    folder: Path,
    jifendai: Jifendai,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[Bank]:
    """A bank whose database somebody will get at."""
    shutil.copytree(history.folder, folder, dirs_exist_ok=True)
    with ExitStack() as stack:
        url = f"sqlite:///{folder}/jifendai.db"
        if not history.url.startswith("sqlite"):
            databases = request.getfixturevalue("postgres_databases")
            url = stack.enter_context(databases.fresh(like=history.url))
        monkeypatch.setenv("JIFENDAI_DATABASE_URL", url)
        yield Bank(url, history.vkey, folder / "checkpoint.txt", history.backup, jifendai)


class TestADatabase:
    def test_that_nobody_touched_is_sound(self, bank: Bank):
        found = bank.verify()

        assert (found.code, found.out) == (0, "")
        assert f"{ORIGIN}: {RECORDS} records" in found.err
        assert "boc: left out" in found.err

    def test_whose_later_records_have_their_sm3_digest_too_is_sound(self, bank: Bank, folder: Path):
        async def decide() -> str:
            async with running(replace(demo_settings(folder / "service", bank.url), sm3=True)) as service:
                answer = await service.decide(application(application_id="LOS-SM3"), "key-sm3")
                return answer.json()["audit_record"]["sm3"]

        digest = asyncio.run(decide())
        found = bank.verify()

        assert len(digest) == 64
        assert (found.code, found.out) == (0, "")

    def test_is_read_a_page_at_a_time_and_says_how_far(self, bank: Bank, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("app.adapters.database.log_trail._PAGE", 3)
        monkeypatch.setattr("app.cli.verifying._TELLS_EVERY", 3)
        sound = bank.verify()
        tamper(bank.url, ORIGIN, "delete_record")

        found = bank.verify()

        assert (sound.code, sound.out) == (0, "")
        assert [f"{ORIGIN}: {seen} / {RECORDS} …" in sound.err for seen in (3, 6)] == [True, True]
        assert "record 1 is missing: deleted" in found.out

    def test_that_has_grown_since_the_checkpoint_is_sound(self, bank: Bank, folder: Path):
        async def decide() -> None:
            async with running(demo_settings(folder / "service", bank.url)) as service:
                await service.decide(application(application_id="LOS-NEW"), "key-new")

        asyncio.run(decide())

        found = bank.verify()

        assert (found.code, found.out) == (0, "")
        assert f"{RECORDS + 1} records" in found.err

    @pytest.mark.parametrize(
        ("attack", "words"),
        [
            ("change_record", "record 1 was changed"),
            ("delete_record", "record 1 is missing: deleted"),
            ("delete_record_and_close_the_gap", f"has {RECORDS - 1} records, the checkpoint tells of {RECORDS}"),
            ("insert_record", f"the checkpoint kept outside over {RECORDS} records does not fit"),
            ("insert_record_at_the_end", f"the records {RECORDS} to {RECORDS} stand under no signed checkpoint"),
            ("swap_bytes", "the bytes of record 2 stand at index 1: records were swapped"),
            ("swap_entries", "records were swapped or moved"),
            ("swap_entries_and_their_decisions", f"the checkpoint kept outside over {RECORDS} records does not fit"),
            ("truncate", f"record {RECORDS - 1} is missing at the end: the log was cut off"),
            ("truncate_whole", f"has {RECORDS - 1} records, the checkpoint tells of {RECORDS}"),
            ("change_and_rebuild", f"the checkpoint kept outside over {RECORDS} records does not fit"),
            ("change_and_rebuild_with_another_key", "was changed or made without the key"),
            ("rebuild_and_remove_the_checkpoints", f"the records 0 to {RECORDS - 1} stand under no signed checkpoint"),
            ("set_a_checkpoint_back", "is signed over another log, size or root"),
            ("change_a_decision", "records were swapped or moved"),
            ("change_the_head", "the head of the log does not fit"),
            ("remove_the_head", "the head of the log does not fit"),
            ("remove_from_the_list", "has no decision in the list"),
            ("insert_decision", "decision invented is listed, but the log has no record of it"),
            ("change_an_answer", "is answered otherwise than recorded"),
            ("change_the_terms", "were changed: their bytes have the digest"),
            ("remove_the_terms", f"(index {SEEDED + 2}) are missing"),
            ("spoil_a_leaf_hash", "record 1 was changed"),
            ("close_an_offer", "its superseded_by says"),
            ("remove_an_offer", "is missing: it was removed"),
            ("insert_an_offer", "1 were inserted"),
            ("insert_an_offer_of_no_decision", "offer invented is none that a decision of this log made"),
        ],
    )
    def test_tells_of(self, bank: Bank, attack: str, words: str):
        tamper(bank.url, ORIGIN, attack)

        found = bank.verify()

        assert found.code == 1
        assert words in found.out
        assert "NOT SOUND" in found.err

    @pytest.mark.parametrize("table", [DECISION, OFFER], ids=lambda table: table.name)
    def test_names_each_column_that_is_not_what_was_signed(self, bank: Bank, table: Table):
        untouched, unnamed = copied(bank.url), []
        for column in table.columns.keys():
            # The place is told by what it holds.
            if column == "index":
                continue
            tamper(bank.url, ORIGIN, "change_a_column", table, column)
            found = bank.verify()
            words = _SAID_OTHERWISE.get((table.name, column), f"its {column} says")
            if found.code != 1 or words not in found.out:
                unnamed.append((column, found.out))
            restored(bank.url, untouched)

        assert not unnamed
        assert bank.verify().code == 0

    def test_that_was_rebuilt_with_the_stolen_key_is_told_by_the_outside_checkpoint_alone(
        self, bank: Bank, folder: Path, monkeypatch: pytest.MonkeyPatch
    ):
        signer = LogSigner.from_file(demo_settings(folder / "service").key_file)
        monkeypatch.setattr("tests.cli.tampering.sign_checkpoint", lambda *args: signer.sign(*args[:3]))
        tamper(bank.url, ORIGIN, "change_and_rebuild_with_another_key")

        found = bank.verify()
        without = bank.jifendai("verify", "database", "--vkey", bank.vkey)

        assert found.code == 1
        assert f"the checkpoint kept outside over {RECORDS} records does not fit" in found.out
        assert without.code == 0
        assert "No --checkpoint was given" in without.err

    def test_that_was_restored_from_a_stale_copy_is_older_than_the_checkpoint(self, bank: Bank):
        restored(bank.url, bank.backup)

        found = bank.verify()
        without = bank.jifendai("verify", "database", "--vkey", bank.vkey)

        assert found.code == 1
        assert f"the database is older than the checkpoint kept outside: it has {RECORDS - 1} records" in found.out
        assert without.code == 0, without.out

    def test_from_which_the_whole_log_was_removed_is_older_too(self, bank: Bank):
        restored(bank.url, {name: [] for name in bank.backup})

        found = bank.verify()

        assert found.code == 1
        assert f"it has 0 records, the checkpoint tells of {RECORDS}" in found.out


class TestRowsOfNoLender:
    def test_are_told_of(self, bank: Bank):
        tamper(bank.url, ORIGIN, "invent_a_lender")

        found = bank.verify()

        assert found.code == 1
        assert "there are rows of 'No lender+', which is no lender" in found.out


class TestWhatIsGiven:
    """A demonstration's own database; no other kind of database changes what is said."""

    def test_may_be_nothing_where_the_installation_has_its_key(self, demonstration: Path, jifendai: Jifendai):
        found = jifendai("verify", "database")

        assert (found.code, found.out) == (0, "")
        assert "5 logs verified" in found.err

    def test_may_be_a_checkpoint_of_a_log_that_is_gone(self, demonstration: Path, jifendai: Jifendai):
        signer = LogSigner.from_file(demonstration / "var" / "demo-signing-key.pem")
        (demonstration / "gone.txt").write_bytes(signer.sign(f"{DEMO_LOG_NAME}/gone", 3, bytes(32)))

        found = jifendai("verify", "database", "--checkpoint", "gone.txt")

        assert found.code == 1
        assert "it has 0 records, the checkpoint tells of 3" in found.out

    @pytest.mark.parametrize("note", [b"", b"nonsense", b"demo.jifendai.example/icbc\n4\n"])
    def test_is_a_fault_if_the_checkpoint_is_none(self, demonstration: Path, jifendai: Jifendai, note: bytes):
        (demonstration / "note.txt").write_bytes(note)

        found = jifendai("verify", "database", "--checkpoint", "note.txt")

        assert found.code == 1
        assert "note.txt: not a signed checkpoint" in found.out

    def test_is_a_fault_if_another_key_signed_the_checkpoint(self, demonstration: Path, jifendai: Jifendai):
        jifendai("keys", "signing", "create", "--output", "other.pem")
        note = LogSigner.from_file(demonstration / "other.pem").sign(ORIGIN, 4, bytes(32))
        (demonstration / "note.txt").write_bytes(note)

        found = jifendai("verify", "database", "--checkpoint", "note.txt")

        assert found.code == 1
        assert f"no known key of log {ORIGIN} has signed this checkpoint" in found.out

    @pytest.mark.parametrize("arguments", [("--vkey", "nonsense"), ("--checkpoint", "absent.txt")])
    def test_is_refused_if_it_cannot_be_read(
        self, demonstration: Path, jifendai: Jifendai, arguments: tuple[str, str]
    ):
        refused = jifendai("verify", "database", *arguments)

        assert (refused.code, refused.out) == (1, "")


@dataclass
class Handed:
    """What somebody outside has been handed: a receipt, its record, and the log's public key."""

    receipt: Path
    record: Path
    vkey: str
    leaf_hash: str


@pytest.fixture
def handed(folder: Path, jifendai: Jifendai) -> Handed:
    """A receipt of the demonstration's newest decision, and nothing of the installation."""
    settings = demo_settings(folder / "service")

    async def ask() -> str:
        async with running(settings) as service:
            newest = (await service.get("/v1/decisions?lender=icbc&limit=1")).json()["items"][0]
            receipt = await service.get(newest["audit_record"]["receipt"])
            (folder / "receipt.txt").write_bytes(receipt.content)
            async with service.database() as database:
                stored = await database.decisions.find(newest["decision_id"], ("icbc",))
            (folder / "record.json").write_bytes(stored.record)
            return newest["audit_record"]["leaf_hash"]

    leaf_hash = asyncio.run(ask())
    vkey = LogSigner.from_file(settings.key_file).verifier_key(ORIGIN)
    return Handed(folder / "receipt.txt", folder / "record.json", vkey, leaf_hash)


class TestAReceipt:
    def test_holds_for_its_record_and_for_its_leaf_hash(self, handed: Handed, jifendai: Jifendai):
        by_record = jifendai("verify", "receipt", handed.receipt, "--vkey", handed.vkey, "--record", handed.record)
        by_hash = jifendai("verify", "receipt", handed.receipt, "--vkey", handed.vkey, "--leaf-hash", handed.leaf_hash)

        assert (by_record.code, by_hash.code) == (0, 0)
        assert by_record.out == by_hash.out
        assert by_record.out.startswith(f"{ORIGIN}: record 4 of 5")

    def test_says_that_without_a_record_it_proves_nothing_of_one(self, handed: Handed, jifendai: Jifendai):
        found = jifendai("verify", "receipt", handed.receipt, "--vkey", handed.vkey)

        assert found.code == 0
        assert "Only the checkpoint's signature was verified" in found.err

    def test_does_not_hold_for_a_record_of_which_one_byte_differs(self, handed: Handed, jifendai: Jifendai):
        record = handed.record.read_bytes()
        handed.record.write_bytes(record[:-2] + bytes([record[-2] ^ 1]) + record[-1:])

        found = jifendai("verify", "receipt", handed.receipt, "--vkey", handed.vkey, "--record", handed.record)

        assert found.code == 1
        assert "the proof leads to root" in found.out

    @pytest.mark.parametrize(
        ("old", "new", "words"),
        [
            ("index 4", "index 1", "is for another size, or cut"),
            ("index 4", "index 9", "has none at index 9"),
            ("\n5\n", "\n6\n", "does not fit the checkpoint"),
            ("/icbc\n5", "/nbcb\n5", "does not fit the checkpoint"),
            ("c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v2", "not a receipt"),
            ("\n\n", "\n", "not a receipt"),
        ],
    )
    def test_that_was_changed_does_not_hold(
        self, handed: Handed, jifendai: Jifendai, old: str, new: str, words: str
    ):
        text = handed.receipt.read_text("utf-8")
        assert old in text
        handed.receipt.write_text(text.replace(old, new, 1), "utf-8")

        found = jifendai("verify", "receipt", handed.receipt, "--vkey", handed.vkey, "--record", handed.record)

        assert found.code == 1
        assert words in found.out

    def test_does_not_hold_under_the_key_of_another_log(self, handed: Handed, jifendai: Jifendai, folder: Path):
        signer = LogSigner.from_file(demo_settings(folder / "service").key_file)
        other = signer.verifier_key(f"{DEMO_LOG_NAME}/boc")

        found = jifendai("verify", "receipt", handed.receipt, "--vkey", other, "--record", handed.record)

        assert found.code == 1
        assert "no known key" in found.out

    @pytest.mark.parametrize("arguments", [("--vkey", "nonsense"), (), ("--vkey", "{vkey}", "--leaf-hash", "00")])
    def test_needs_a_key_and_a_whole_hash(self, handed: Handed, jifendai: Jifendai, arguments: tuple[str, ...]):
        given = [argument.format(vkey=handed.vkey) for argument in arguments]

        assert jifendai("verify", "receipt", handed.receipt, *given).code in (1, 2)
