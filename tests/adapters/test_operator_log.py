"""The operator's log: a change and its record stand or fall together, on every kind of database."""

import asyncio
from datetime import timedelta

import pytest

from app.adapters.database import Database, open_database
from app.audit.checkpoint import open_checkpoint
from app.audit.merkle import Frontier, leaf_hash
from app.audit.operator_record import OPERATOR, OperatorAct, read_operator_record
from app.usecases.ports import LogHead, Sealed
from tests.adapters.conftest import SetClock
from tests.records import ACTIVATED, ORIGIN, RECORDS, verifier


def revoked(key_id: str):
    return RECORDS.recording(OperatorAct.API_KEY_REVOKED, {"key_id": key_id}, by="cli:wang")


class TestTheOperatorsLog:
    async def test_holds_each_record_with_a_signed_checkpoint_over_it(self, database: Database, clock: SetClock):
        for number in range(3):
            await database.operator.append(revoked(f"key-{number}"))
            clock.now += timedelta(seconds=1)

        entries = await database.operator.entries(before=None, limit=9)
        signed = open_checkpoint((await database.decisions.newest_checkpoint(OPERATOR)).note, [verifier()])

        assert [entry.index for entry in entries] == [2, 1, 0]
        assert [entry.leaf_hash for entry in entries] == [leaf_hash(entry.record) for entry in entries]
        assert (signed.origin, signed.size) == (ORIGIN, 3)
        assert signed.root == Frontier().extend(await database.decisions.leaf_hashes(OPERATOR, 0, 3)).root()
        first = read_operator_record(entries[-1].record)
        assert (first.act, first.document, first.by) == (OperatorAct.API_KEY_REVOKED, {"key_id": "key-0"}, "cli:wang")
        assert first.recorded_at == clock.now - timedelta(seconds=3)

    async def test_is_read_a_page_at_a_time(self, database: Database):
        for number in range(3):
            await database.operator.append(revoked(f"key-{number}"))

        pages = [await database.operator.entries(before=before, limit=2) for before in (None, 1, 0)]

        assert [[entry.index for entry in page] for page in pages] == [[2, 1], [0], []]

    async def test_never_runs_backwards_when_a_clock_does(self, database: Database, clock: SetClock):
        await database.operator.append(revoked("key-1"))
        began = clock.now
        clock.now -= timedelta(hours=1)

        written = await database.operator.append(revoked("key-2"))

        assert read_operator_record(written.record).recorded_at == began

    async def test_takes_the_records_of_several_replicas_one_after_the_other(self, database_url: str):
        replicas = [open_database(database_url) for _ in range(4)]

        await asyncio.gather(*(replica.operator.append(revoked(str(n))) for n, replica in enumerate(replicas * 3)))

        entries = await replicas[0].operator.entries(before=None, limit=99)
        newest = await replicas[0].decisions.newest_checkpoint(OPERATOR)
        assert [entry.index for entry in entries] == list(range(11, -1, -1))
        assert newest.root == Frontier().extend(entry.leaf_hash for entry in reversed(entries)).root()
        for replica in replicas:
            await replica.close()


class TestAChangeAndItsRecord:
    async def test_are_written_together(self, database: Database):
        await database.catalogue.activate("sha256:one", "operator", ACTIVATED)

        (entry,) = await database.operator.entries(before=None, limit=9)
        assert read_operator_record(entry.record).act is OperatorAct.CATALOGUE_ACTIVATED

    async def test_are_neither_written_when_the_record_cannot_be_made(self, database: Database):
        def fails(head: LogHead, now: object, signed_as: object) -> Sealed:
            raise RuntimeError("no key")

        with pytest.raises(RuntimeError, match="no key"):
            await database.catalogue.activate("sha256:one", "operator", fails)

        assert await database.catalogue.active() is None
        assert await database.operator.entries(before=None, limit=9) == ()

    async def test_are_neither_written_when_nothing_changes(self, database: Database):
        for _ in range(2):
            await database.catalogue.activate("sha256:one", "operator", ACTIVATED)

        assert len(await database.operator.entries(before=None, limit=9)) == 1

    async def test_are_neither_written_when_the_change_fails(self, real_database: Database):
        await real_database.catalogue.activate("sha256:one", "operator", ACTIVATED)

        with pytest.raises(Exception, match=r"(?i)not.null"):
            await real_database.catalogue.activate(None, "operator", ACTIVATED)

        assert len(await real_database.operator.entries(before=None, limit=9)) == 1
