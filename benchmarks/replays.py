"""Replay on one core, without a database: recorded decisions decided again from their records and compared."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time
from statistics import median
from time import process_time

from app.adapters.identifiers import new_uuid7
from app.audit.application import application_from_bytes
from app.audit.canonical import canonical_bytes
from app.audit.open_record import open_record
from app.cli.installation import settle_for_long_work
from app.domain.company import Application
from app.domain.standing import Standing
from app.domain.terms import ProductTerms
from app.rules.decide import decide
from app.usecases.decide import seal, submission_of
from app.usecases.ports import BatchState, LogHead
from app.usecases.replay import identical_among, resolved_terms
from app.usecases.room import Room
from benchmarks.catalogue import active_catalogue, deciding_terms
from benchmarks.companies import applications
from benchmarks.report import Line, Section, at_least
from benchmarks.rounds import interleave, ratio

# As many as `jifendai replay` gives out at once.
_TOGETHER = 250
ON = date(2026, 11, 20)


class Unsigned:
    """Signs nothing: a replay does not look at checkpoints."""

    def sign(self, origin: str, size: int, root: bytes) -> bytes:
        """This function will return no note."""
        return b""


def measure(*, quick: bool) -> Section:
    """This function will seal decisions of the products that reserve in no pool, then replay them all, round by
    round, beside the rules alone on what the records hold.

    Raises AssertionError where a replay differs.
    """
    records = recorded_decisions(20 if quick else 400)
    random.Random(3).shuffle(records)  # a log has the products of its lender side by side
    chunks = [[(*one, None) for one in some] for some in _chunks(records)]
    given = [_given(record, terms) for record, terms in records]

    def replayed() -> None:
        for some in chunks:
            assert all(identical_among(some))

    def decided() -> None:
        for one in given:
            decide(*one)

    often = gc.get_threshold()
    settle_for_long_work()  # as the command does
    found = interleave({"replay": _timed(replayed), "decide": _timed(decided)}, rounds=2 if quick else 9)
    gc.set_threshold(*often)
    each = median(found["replay"]) / len(records)
    size = sum(len(record) for record, _ in records) // len(records)
    return Section(
        f"Replay on one core, records in memory ({len(records):,} of {size:,} bytes)",
        (
            Line("one record opened, decided again, written and compared", f"{each * 1e6:.0f} µs"),
            Line("of that, decide alone", f"{median(found['decide']) / len(records) * 1e6:.0f} µs"),
            Line("replay ÷ decide, inside a round", f"{ratio(found['replay'], found['decide']):.2f} x"),
            at_least("records a second and core", 1 / each, 20_000, "/s"),
        ),
    )


def _timed(work: Callable[[], None]) -> Callable[[], float]:
    """Its processor time, in seconds."""

    def timed() -> float:
        began = process_time()
        work()
        return process_time() - began

    return timed


def _given(record: bytes, terms: bytes) -> tuple[Application, ProductTerms, Standing, date]:
    opened, (_, resolved) = open_record(record), resolved_terms(terms)
    return opened.application, resolved, opened.standing, opened.decided_on


def _chunks(records: list[tuple[bytes, bytes]]) -> Iterator[list[tuple[bytes, bytes]]]:
    return (records[at : at + _TOGETHER] for at in range(0, len(records), _TOGETHER))


def recorded_decisions(each: int) -> list[tuple[bytes, bytes]]:
    """This function will seal `each` decisions of every product that decides and reserves in no pool, and return their
    records with their terms.
    """
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
