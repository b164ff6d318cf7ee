"""The bytes of an operator's record."""

from datetime import UTC, datetime

import pytest

from app.audit.operator_record import (
    Act,
    MalformedOperatorRecordError,
    OperatorRecord,
    operator_record_bytes,
    read_operator_record,
)

RECORD = OperatorRecord(
    Act.API_KEY_REVOKED, {"key_id": "0a1b", "lenders": ["icbc"]}, "cli:王", datetime(2026, 11, 20, 2, 15, tzinfo=UTC)
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
