"""What an epoch accounts for, to the record."""

import pytest

from app.audit.checkpoint import Checkpoint
from app.usecases.epochs import lost_range, settled
from app.usecases.known_logs import Epoch, KnownLogs
from app.usecases.verify import KnownLog

ROOT, OTHER = b"\x01" * 32, b"\x02" * 32
EPOCH = Epoch("icbc", 2, 950, 1000, ROOT, "a disk failed", "cli:wang", "li", "2026-11-20 02:15:00Z")
KNOWN = KnownLogs("bank.example", (b"\x03" * 32,), epochs=(EPOCH,))


def log(origin: str, size: int, root: bytes) -> KnownLog:
    outside = (Checkpoint(f"bank.example/{origin}", size, root),)
    return KnownLog("icbc", "bank.example/icbc@2", (), outside, KNOWN)


class TestAnEpoch:
    @pytest.mark.parametrize(
        ("origin", "size", "root", "held_to_records", "faults"),
        [
            ("icbc", 950, ROOT, 1, 0),
            ("icbc", 951, OTHER, 0, 0),
            ("icbc", 999, OTHER, 0, 0),
            ("icbc", 1000, ROOT, 0, 0),
            ("icbc", 1000, OTHER, 0, 1),
            ("icbc", 1001, ROOT, 0, 1),
            ("icbc@2", 951, ROOT, 1, 0),
            ("icbc@2", 5000, ROOT, 1, 0),
        ],
    )
    def test_accounts_for_what_was_told_and_no_more(
        self, origin: str, size: int, root: bytes, held_to_records: int, faults: int
    ):
        kept, findings = settled(log(origin, size, root))

        assert (len(kept.outside), len(findings)) == (held_to_records, faults)

    @pytest.mark.parametrize(
        ("size", "origin"), [(1, "icbc"), (950, "icbc"), (951, "icbc@2"), (1001, "icbc@2")]
    )
    def test_begins_with_the_first_record_behind_what_was_restored(self, size: int, origin: str):
        assert KNOWN.origin_of_size("icbc", size) == f"bank.example/{origin}"

    def test_names_the_range_and_who_answers_for_it(self):
        told = lost_range(EPOCH, "bank.example/icbc")

        assert "the records 950 to 999 of bank.example/icbc are lost" in told.en
        assert "by li, asked for by cli:wang: a disk failed" in told.en
        assert "第 950 至 999 条记录已丢失" in told.zh
