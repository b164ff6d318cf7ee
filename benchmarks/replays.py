"""Replay on one core, without a database: recorded decisions decided again from their records and compared."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from statistics import median
from time import process_time

from app.adapters.identifiers import new_uuid7
from app.audit.application import application_from_bytes
from app.audit.canonical import canonical_bytes
from app.usecases.decide import seal, submission_of
from app.usecases.ports import BatchState, LogHead
from app.usecases.replay import replay
from app.usecases.room import Room
from benchmarks.catalogue import active_catalogue, deciding_terms
from benchmarks.companies import applications
from benchmarks.report import Line, Section, at_least

ON = date(2026, 11, 20)


class Unsigned:
    """Signs nothing: a replay does not look at checkpoints."""

    def sign(self, origin: str, size: int, root: bytes) -> bytes:
        """This function will return no note."""
        return b""


def measure(*, quick: bool) -> Section:
    """This function will seal decisions of the products that reserve in no pool, then replay them all, round by
    round.

    Raises AssertionError where a replay differs.
    """
    records = _records(20 if quick else 400)
    rounds: list[float] = []
    for _ in range(2 if quick else 9):
        began = process_time()
        for record, terms in records:
            assert not replay(record, terms)
        rounds.append((process_time() - began) / len(records))
    each = median(rounds)
    size = sum(len(record) for record, _ in records) // len(records)
    return Section(
        f"Replay on one core, records in memory ({len(records):,} of {size:,} bytes)",
        (
            Line("one record opened, decided again, written and compared", f"{each * 1e6:.0f} µs"),
            at_least("records a second and core", 1 / each, 20_000, "/s"),
        ),
    )


def _records(each: int) -> list[tuple[bytes, bytes]]:
    catalogue = active_catalogue()
    room = Room(catalogue, new_uuid7, Unsigned(), "bench.example/log")
    at = datetime.combine(ON, time(4), UTC)
    found: list[tuple[bytes, bytes]] = []
    for number, (product, terms) in enumerate(deciding_terms(ON).items()):
        if terms.risk_compensation is not None and terms.risk_compensation.reserves_at_offer:
            continue
        documents = applications(terms, on=ON, count=each, seed=3, first_number=number * each)
        sent = [canonical_bytes(document) for document in documents]
        batch = [
            submission_of(document, application_from_bytes(document), idempotency_key=f"k{i}", submitted_by="bench")
            for i, document in enumerate(sent)
        ]
        lender = product.partition("/")[0]
        state = BatchState(at, catalogue.digest, {lender: LogHead(lender, 0, b"", None)}, {}, {}, ())
        made = seal(batch, state, room).sealed
        written = dict(made.terms)
        found += [
            (entry.record, written[row.terms_digest]) for entry, row in zip(made.entries, made.decisions, strict=True)
        ]
    return found
