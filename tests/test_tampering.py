"""R4 of the promises: whoever changes a log with every right in the database, and without the signing key, is told of
by a checkpoint that was kept outside; and nothing is told of a log that nobody touched.

Each attempt is drawn anew: which record, which column, which bytes, how many. The harness is first shown verifiers
that do not look outside or hold no root, which it must catch.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import create_engine, delete, insert, select, update

from app.adapters.database import open_database
from app.adapters.database.store import database_url
from app.adapters.database.tables import CHECKPOINT, DECISION, LOG_ENTRY, LOG_HEAD, OFFER, TERMS
from app.adapters.signing import LogSigner
from app.audit.checkpoint import Checkpoint, Signer, Verifier, open_checkpoint, sign_checkpoint
from app.settings import DEMO_LOG_NAME
from app.usecases.verify import KnownLog, verify_log, verify_terms
from tests.api.test_decisions import application
from tests.applications import changed
from tests.cli.tampering import Intruder, _something_else
from tests.service import demo_settings, running
from tests.test_promises import uscc

ORIGIN = f"{DEMO_LOG_NAME}/icbc"
GATE, FULL = 5, 1_000


@dataclass(frozen=True)
class Vault:
    """A database with one log, earlier states of it, the log's public key, and a checkpoint kept outside."""

    sound: Path
    stale: tuple[Path, ...]
    verifier: Verifier
    outside: Checkpoint

    def findings(self, file: Path, *, look_outside: bool = True) -> list[str]:
        """This function will verify a database as somebody elsewhere does."""
        outside = (self.outside,) if look_outside else ()

        async def verifying() -> list[str]:
            database = open_database(f"sqlite:///{file}")
            try:
                log = KnownLog("icbc", ORIGIN, (self.verifier,), outside)
                found = await verify_log(database.trail, log, lambda seen, of: None)
                return [one.en for one in (*found.findings, *await verify_terms(database.trail))]
            finally:
                await database.close()

        return asyncio.run(verifying())


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    """Fourteen decisions of several companies, some of which supersede others."""
    folder = tmp_path_factory.mktemp("vault")
    settings = demo_settings(folder / "service")
    stale: list[Path] = []
    notes: list[bytes] = []

    def keep(name: str) -> Path:
        with closing(sqlite3.connect(settings.data_dir / "jifendai.db")) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            with closing(sqlite3.connect(folder / name)) as copy:
                connection.backup(copy)
        return folder / name

    async def history() -> None:
        async with running(settings) as service:
            for number in range(10):
                document = changed(application(application_id=f"LOS-{number % 7}"), company__uscc=uscc(number % 4))
                answer = await service.decide(document, f"key-{number}")
                assert answer.status_code == 201, answer.text
                if number in (2, 5, 8):
                    stale.append(await asyncio.to_thread(keep, f"stale-{number}.db"))
            notes.append((await service.get("/v1/logs/icbc/checkpoint", caller="auditor")).content)

    asyncio.run(history())
    verifier = Verifier.from_vkey(LogSigner.from_file(settings.key_file).verifier_key(ORIGIN))
    return Vault(keep("sound.db"), tuple(stale), verifier, open_checkpoint(notes[0], [verifier]))


# ---- the attacks: each changes something, and leaves the tables as consistent as it can ------------------------------

Attack = Callable[[Intruder, random.Random], None]


def flip(content: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << draw.randrange(8)]) + content[at + 1 :]


def update_something(intruder: Intruder, draw: random.Random) -> None:
    """One value of one row: a record, a hash, a signature, a column by which people search, an offer, terms."""
    index = draw.randrange(intruder.size())
    match draw.randrange(6):
        case 0:
            intruder.set_entry(index, record=flip(bytes(intruder.entry(index)["record"]), draw))
        case 1:
            intruder.set_entry(index, leaf_hash=flip(bytes(intruder.entry(index)["leaf_hash"]), draw))
        case 2 | 3:
            table = draw.choice([DECISION, OFFER])
            rows = intruder.run(intruder.of(select(table), table)).mappings().all()
            row = dict(draw.choice(rows))
            column = draw.choice(table.columns.keys())
            key = next(iter(table.primary_key.columns))
            intruder.run(update(table).where(key == row[key.name]).values({column: _something_else(row[column])}))
        case 4:
            rows = intruder.run(intruder.of(select(CHECKPOINT), CHECKPOINT)).mappings().all()
            row, column = draw.choice(rows), draw.choice(["note", "root"])
            here = intruder.of(update(CHECKPOINT), CHECKPOINT).where(CHECKPOINT.c.size == row["size"])
            intruder.run(here.values({column: flip(bytes(row[column]), draw)}))
        case _:
            used = draw.choice(intruder.run(intruder.of(select(DECISION.c.terms_digest), DECISION)).scalars().all())
            terms = intruder.run(select(TERMS.c.canonical).where(TERMS.c.digest == used)).scalar_one()
            intruder.run(update(TERMS).where(TERMS.c.digest == used).values(canonical=flip(bytes(terms), draw)))


def delete_something(intruder: Intruder, draw: random.Random) -> None:
    """A record, with what names it or without, the gap closed or not; a decision, an offer, or the head."""
    index = draw.randrange(intruder.size())
    match draw.randrange(5):
        case 0:
            intruder.delete_record(index)
        case 1:
            intruder.run(intruder.of(delete(LOG_ENTRY), LOG_ENTRY, index))
        case 2:
            last = intruder.size()
            intruder.delete_record(index)
            for behind in range(index + 1, last):
                intruder.move(behind, behind - 1)
            intruder.rebuild()
        case 3:
            table = draw.choice([DECISION, OFFER])
            key = next(iter(table.primary_key.columns))
            names = intruder.run(intruder.of(select(key), table)).scalars().all()
            intruder.run(delete(table).where(key == draw.choice(names)))
        case _:
            intruder.run(intruder.of(delete(LOG_HEAD), LOG_HEAD))


def insert_something(intruder: Intruder, draw: random.Random) -> None:
    """A record somewhere, and all behind it moved; a record at the end; a decision; an offer."""
    size = intruder.size()
    source, index = draw.randrange(size), draw.randrange(size + 1)
    match draw.randrange(4):
        case 0:
            copy = intruder.entry(source)
            for behind in reversed(range(index, size)):
                intruder.move(behind, behind + 1)
            intruder.run(insert(LOG_ENTRY).values(copy | {"index": index}))
            intruder.rebuild()
        case 1:
            intruder.run(insert(LOG_ENTRY).values(intruder.entry(source) | {"index": size + draw.randrange(3)}))
        case 2:
            intruder.insert_decision()
        case _:
            draw.choice([intruder.insert_an_offer, intruder.insert_an_offer_of_no_decision])()


def swap_something(intruder: Intruder, draw: random.Random) -> None:
    """Two records: their bytes, their entries, or all that names them."""
    one, other = draw.sample(range(intruder.size()), 2)
    match draw.randrange(3):
        case 0:
            first, second = intruder.entry(one), intruder.entry(other)
            intruder.set_entry(one, record=second["record"])
            intruder.set_entry(other, record=first["record"])
        case 1:
            for old, new in ((one, -1), (other, one), (-1, other)):
                intruder.run(intruder.of(update(LOG_ENTRY), LOG_ENTRY, old).values(index=new))
        case _:
            for old, new in ((one, -1), (other, one), (-1, other)):
                intruder.move(old, new)
            intruder.rebuild()


def truncate(intruder: Intruder, draw: random.Random) -> None:
    """The newest records, and sometimes everything that tells of them."""
    for _ in range(draw.randrange(1, 5)):
        newest = intruder.entry(intruder.size() - 1)
        intruder.run(delete(OFFER).where(OFFER.c.decision_id == newest["decision_id"]))
        intruder.run(update(OFFER).where(OFFER.c.superseded_by == newest["decision_id"]).values(superseded_by=None))
        intruder.truncate()
    if draw.random() < 0.7:
        intruder.run(intruder.of(delete(CHECKPOINT), CHECKPOINT).where(CHECKPOINT.c.size > intruder.size()))
        intruder.rebuild_head()


def rebuild_without_the_key(intruder: Intruder, draw: random.Random) -> None:
    """A changed record, and everything made anew around it; signed by another key, or by none."""
    index = draw.randrange(intruder.size())
    record = bytes(intruder.entry(index)["record"])
    intruder.set_entry(index, record=record.replace(b'"tenor_months":12', b'"tenor_months":24', 1))
    if record == bytes(intruder.entry(index)["record"]):
        intruder.set_entry(index, record=record.replace(b'"revision":', b'"revision":1', 1))
    if record == bytes(intruder.entry(index)["record"]):
        # An act has neither.
        intruder.set_entry(index, record=record.replace(b'"recorded_at":"2', b'"recorded_at":"3', 1))
    thief = Signer(intruder.origin, Ed25519PrivateKey.generate())
    by_the_thief = draw.random() < 0.5
    intruder.rebuild((lambda *args: sign_checkpoint(*args, thief)) if by_the_thief else None)


ATTACKS: dict[str, Attack] = {
    "update": update_something,
    "delete": delete_something,
    "insert": insert_something,
    "swap": swap_something,
    "truncate": truncate,
    "rebuild without the key": rebuild_without_the_key,
}


def undetected(vault: Vault, attack: str, times: int, folder: Path, **verifying: Any) -> list[str]:
    """This function will carry out an attack so many times and return the attempts that nothing told of."""
    missed = []
    for attempt in range(times):
        draw, file = random.Random(f"{attack} {attempt}"), folder / "attempt.db"
        if attack == "stale restore":
            shutil.copyfile(draw.choice(vault.stale), file)
        else:
            shutil.copyfile(vault.sound, file)
            engine = create_engine(database_url(f"sqlite:///{file}"))
            with engine.begin() as connection:
                ATTACKS[attack](Intruder(connection, ORIGIN), draw)
            engine.dispose()
        if not vault.findings(file, **verifying):
            missed.append(f"{attack} {attempt}")
        for beside in folder.glob("attempt.db*"):
            beside.unlink()
    return missed


class TestTheLog:
    @pytest.mark.parametrize("attack", [*ATTACKS, "stale restore"])
    def test_tells_on_whoever_changes_it(self, vault: Vault, attack: str, tmp_path: Path):
        assert undetected(vault, attack, GATE, tmp_path) == []

    def test_raises_no_alarm_where_nobody_did(self, vault: Vault, tmp_path: Path):
        assert alarms(vault, GATE, tmp_path) == []

    @pytest.mark.soak
    @pytest.mark.parametrize("attack", [*ATTACKS, "stale restore"])
    def test_tells_on_whoever_changes_it_a_thousand_times(self, vault: Vault, attack: str, tmp_path: Path):
        assert undetected(vault, attack, FULL, tmp_path) == []

    @pytest.mark.soak
    def test_raises_no_alarm_in_a_thousand_runs(self, vault: Vault, tmp_path: Path):
        assert alarms(vault, FULL, tmp_path) == []


def alarms(vault: Vault, times: int, folder: Path) -> list[str]:
    """This function will verify what nobody touched so many times, and return whatever was found."""
    found = []
    for _ in range(times):
        shutil.copyfile(vault.sound, folder / "clean.db")
        found += vault.findings(folder / "clean.db")
    return found


class TestAPlantedDefect:
    def test_of_a_verifier_that_does_not_look_outside_is_caught(self, vault: Vault, tmp_path: Path):
        missed = undetected(vault, "stale restore", GATE, tmp_path, look_outside=False)

        assert len(missed) == GATE

    def test_of_a_verifier_that_holds_no_root_is_caught(
        self, vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("app.usecases.verify._Work._hold", lambda *args: None)
        monkeypatch.setattr("app.usecases.verify._Work.opened", lambda *args: None)

        assert undetected(vault, "rebuild without the key", GATE, tmp_path) != []
