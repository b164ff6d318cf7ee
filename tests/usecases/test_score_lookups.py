"""A decision on a score that was looked up: its record holds what was used, and gives the same bytes again."""

import orjson
import pytest

from app.audit.application import application_from_bytes
from app.audit.canonical import canonical_bytes
from app.audit.open_record import open_record
from app.domain.company import LookupAnswer, ScoreLookup
from app.usecases.decide import submission_of
from app.usecases.explain import explain
from app.usecases.export_columns import NAMES
from app.usecases.export_row import exported_row
from app.usecases.ports import StoredDecision, Submission
from app.usecases.recorded_row import RecordPlace, recorded_rows
from app.usecases.replay import replay
from tests.applications import sound
from tests.usecases.test_decide import ICBC, sealed

LOOKUPS = [
    ScoreLookup(answer, why, snapshot, score)
    for answer, why, snapshot, score in (
        (LookupAnswer.OBTAINED, None, "s-1", True),
        (LookupAnswer.UNAVAILABLE, "DEADLINE", "s-0", True),
        (LookupAnswer.UNAVAILABLE, "STATUS", None, False),
        (LookupAnswer.INVALID, "JUMP", None, False),
        (LookupAnswer.KEPT, None, "sheet-0", True),
    )
]


def submission(lookup: ScoreLookup) -> Submission:
    """This function will return an application without a score, for which one was looked up."""
    document = sound(ICBC)
    score = application_from_bytes(canonical_bytes(document)).innovation_score if lookup.score else None
    del document["innovation_score"]
    sent = canonical_bytes(document)
    found = ScoreLookup(lookup.answer, lookup.why, lookup.snapshot_id, score)
    return submission_of(
        sent, application_from_bytes(sent).with_lookup(found), idempotency_key="k", submitted_by="los"
    )


@pytest.mark.parametrize("lookup", LOOKUPS, ids=lambda one: f"{one.answer}-{one.score}")
class TestTheRecordOfALookup:
    def test_gives_the_recorded_bytes_again(self, lookup: ScoreLookup):
        made = sealed(submission(lookup)).sealed

        assert replay(made.entries[0].record, made.terms[0][1]) == ()

    def test_is_canonical_and_keeps_the_request_as_it_was_sent(self, lookup: ScoreLookup):
        asked = submission(lookup)
        record = sealed(asked).sealed.entries[0].record

        assert canonical_bytes(orjson.loads(record)) == record
        assert canonical_bytes(orjson.loads(record)["application"]) == asked.document
        assert open_record(record).application == asked.application

    def test_has_the_rows_and_the_export_of_the_score_that_was_used(self, lookup: ScoreLookup):
        made = sealed(submission(lookup)).sealed
        (entry,), (row,) = made.entries, made.decisions

        again = recorded_rows(entry.record, RecordPlace("icbc", "test.example/log/icbc", 0, entry.leaf_hash), "k")
        exported = dict(zip(NAMES, exported_row(entry.record, origin="o", index=0, leaf_hash="h"), strict=False))

        assert again.decision == row
        assert exported["score"] == row.score == ("68.55" if lookup.score else None)

    def test_can_be_explained(self, lookup: ScoreLookup):
        made = sealed(submission(lookup))
        (entry,), (row,) = made.sealed.entries, made.sealed.decisions
        stored = StoredDecision(row.decision_id, "icbc", 0, made.results[0].body, entry.record, made.sealed.terms[0][1])

        assert explain(stored).decision.outcome.value == row.outcome
