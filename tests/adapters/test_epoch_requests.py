"""Requests for a new epoch: opened once, with their record."""

import asyncio
from datetime import UTC, datetime

from app.adapters.database import Database
from app.audit.operator_record import OperatorAct, read_operator_record
from app.usecases.epochs import EpochRequest
from tests.records import RECORDS

REQUEST = EpochRequest(
    "01990000-0000-7000-8000-0000000000ee", b'[{"log":"icbc"}]', "a disk failed 磁盘损坏", "cli:wang",
    datetime(2026, 11, 20, 2, 15, 0, 123456, tzinfo=UTC),
)  # fmt: skip
OPENED = RECORDS.recording(OperatorAct.LOG_EPOCH_OPENED, {"logs": []}, by="li")


class TestARequest:
    async def test_comes_back_as_it_was_asked(self, real_database: Database):
        await real_database.epochs.ask(REQUEST)

        assert await real_database.epochs.find(REQUEST.request_id) == REQUEST
        assert await real_database.epochs.find("absent") is None

    async def test_is_opened_once_however_many_try_and_recorded_once(self, real_database: Database):
        await real_database.epochs.ask(REQUEST)

        opened = await asyncio.gather(
            *(real_database.epochs.open(REQUEST.request_id, "li", OPENED) for _ in range(4))
        )

        (entry,) = await real_database.operator.entries(before=None, limit=9)
        assert sorted(opened) == [False, False, False, True]
        assert (await real_database.epochs.find(REQUEST.request_id)).opened_by == "li"
        assert read_operator_record(entry.record).act is OperatorAct.LOG_EPOCH_OPENED
