"""The bytes of an operator's record."""

from datetime import UTC, datetime

import pytest

from app.audit.act_record import act_record
from app.audit.operator_record import (
    MalformedOperatorRecordError,
    OperatorAct,
    OperatorRecord,
    operator_record_bytes,
    operator_records_among,
    read_operator_record,
)

RECORDED_AT = datetime(2026, 11, 20, 2, 15, tzinfo=UTC)
RECORD = OperatorRecord(
    OperatorAct.API_KEY_REVOKED, {"key_id": "0a1b", "lenders": ["icbc"]}, "cli:王", RECORDED_AT
)
WRITTEN = (
    '{"act":"API_KEY_REVOKED","by":"cli:王","document":{"key_id":"0a1b","lenders":["icbc"]},'
    '"format":"jifendai/operator/1","recorded_at":"2026-11-20T02:15:00.000000Z"}'
).encode()


class TestAnOperatorsRecord:
    def test_has_the_documented_bytes(self):
        assert operator_record_bytes(RECORD) == WRITTEN

    def test_comes_back_from_its_bytes(self):
        assert read_operator_record(WRITTEN) == RECORD

    @pytest.mark.parametrize(
        "written",
        [b"", b"[]", b"{}", WRITTEN + b" ", WRITTEN.replace(b"REVOKED", b"FORGOTTEN"), WRITTEN.replace(b"/1", b"/2"),
         WRITTEN.replace(b'"by"', b'"BY"'), WRITTEN.replace(b"2026", b"year"), b"\xff"],
    )  # fmt: skip
    def test_is_nothing_else(self, written: bytes):
        with pytest.raises(MalformedOperatorRecordError):
            read_operator_record(written)


class TestTheOperatorsRecordsOfALog:
    CONTRIBUTED = act_record(
        act_format="jifendai/contribution/1", document=b'{"amount":"1.00"}', subject="pool", submitted_by="key",
        submitted_for=None, result={"record_id": "r1"},
    ).record  # fmt: skip

    def test_are_read_among_the_acts_that_stand_there_too(self):
        assert operator_records_among([self.CONTRIBUTED, WRITTEN, self.CONTRIBUTED, WRITTEN]) == [RECORD, RECORD]

    @pytest.mark.parametrize(
        "written",
        [b"", b"[]", b"{}", b"\xff", WRITTEN.replace(b"REVOKED", b"FORGOTTEN"), CONTRIBUTED + b" ",
         CONTRIBUTED.replace(b'"subject"', b'"SUBJECT"')],
    )  # fmt: skip
    def test_are_not_passed_over_when_they_were_changed(self, written: bytes):
        with pytest.raises(MalformedOperatorRecordError):
            operator_records_among([WRITTEN, written])
