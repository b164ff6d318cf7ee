"""Deciding a batch: keys, supersession, standing within the batch, the log's order, and obstacles that hurt no
neighbour.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.audit.application import application_from_bytes
from app.audit.canonical import canonical_bytes
from app.audit.checkpoint import Signer, Verifier, open_checkpoint, sign_checkpoint
from app.audit.merkle import Frontier, leaf_hash
from app.audit.record import LARGEST_RECORD
from app.domain.standing import Commitment
from app.usecases.act_rows import ActsRead, KeyedAnswer
from app.usecases.catalogue import ActiveCatalogue
from app.usecases.decide import Answer, SealedBatch, seal, submission_of, wanted
from app.usecases.obstacles import (
    CatalogueNotActive,
    FactFromTheFuture,
    KeyReusedWithOtherBody,
    NoSuchProduct,
    Obstacle,
    OfferAlreadyApproved,
    RecordTooLarge,
    UnknownCode,
)
from app.usecases.ports import BatchState, LogHead, Previous, Submission
from app.usecases.replay import replay
from app.usecases.room import Room
from tests.applications import ON, commitment, documents, products_without_a_pool, sound
from tests.policy_cases import catalogue

ICBC = "icbc/suzhou-innovation-points-loan"
NOW = datetime(2026, 11, 20, 2, 15, 0, 123456, tzinfo=UTC)
CATALOGUE = ActiveCatalogue(catalogue())
SEED = b"\x07" * 32


class OneKey:
    """Signs every origin's checkpoints with one key."""

    def sign(self, origin: str, size: int, root: bytes) -> bytes:
        return sign_checkpoint(origin, size, root, Signer.from_seed(origin, SEED))


def room() -> Room:
    counter = itertools.count(1)
    return Room(CATALOGUE, lambda: f"id-{next(counter)}", OneKey(), "test.example/log")


def asked(key: str, document: dict | None = None, **changes: object) -> Submission:
    sent = canonical_bytes(document or sound(ICBC, **changes))
    return submission_of(sent, application_from_bytes(sent), idempotency_key=key, submitted_by="los")


def state(**changes: object) -> BatchState:
    empty = {
        "now": NOW,
        "edition": CATALOGUE.digest,
        "heads": {lender: LogHead(lender, 0, b"", None) for lender in catalogue().lenders},
        "answered": {},
        "previous": {},
        "commitments": (),
    }
    return BatchState(**{**empty, **changes})


def sealed(*batch: Submission, **changes: object) -> SealedBatch:
    asked_for = wanted(batch, pools=CATALOGUE.pools_reserved_from).acts
    acts = None if asked_for is None else ActsRead(rows=dict.fromkeys(asked_for.rows, ()))
    return seal(batch, state(**{"acts": acts, **changes}), room())


def body(result: Answer | Obstacle) -> dict:
    assert isinstance(result, Answer), result
    return orjson.loads(result.body)


class TestABatch:
    def test_appends_one_leaf_a_decision_in_the_order_of_the_batch(self):
        batch = [asked(f"k{i}", application_id=f"A{i}", company__uscc=f"U{i}") for i in range(5)]

        made = sealed(*batch)

        assert [entry.index for entry in made.sealed.entries] == [0, 1, 2, 3, 4]
        assert [body(r)["audit_record"]["index"] for r in made.results] == [0, 1, 2, 3, 4]
        assert [body(r)["application_id"] for r in made.results] == [f"A{i}" for i in range(5)]

    def test_signs_the_root_over_all_leaves_before_and_after(self):
        before = Frontier().extend([leaf_hash(b"one"), leaf_hash(b"two")])
        head = LogHead("icbc", 2, before.to_bytes(), NOW)

        made = sealed(asked("k"), heads={"icbc": head}).sealed

        root = Frontier().extend([leaf_hash(b"one"), leaf_hash(b"two"), made.entries[0].leaf_hash]).root()
        verifier = Verifier.from_vkey(Signer.from_seed("test.example/log/icbc", SEED).verifier_key)
        checkpoint = open_checkpoint(made.checkpoints[0].note, [verifier])
        assert (checkpoint.origin, checkpoint.size, checkpoint.root) == ("test.example/log/icbc", 3, root)
        assert made.heads[0].size == 3

    def test_of_two_lenders_keeps_two_logs(self):
        other = sound("boc/zhongkai-innovation-points-loan", application_id="B1")

        made = sealed(asked("k1"), asked("k2", other)).sealed

        assert [(e.lender, e.index) for e in made.entries] == [("icbc", 0), ("boc", 0)]
        assert {c.lender for c in made.checkpoints} == {"icbc", "boc"}

    def test_names_in_each_answer_the_hash_of_the_very_record(self):
        made = sealed(asked("k"))

        answer, entry = body(made.results[0]), made.sealed.entries[0]
        assert answer["audit_record"]["leaf_hash"] == leaf_hash(entry.record).hex()
        decision = orjson.loads(entry.record)["decision"]
        assert {name: answer[name] for name in decision} == decision

    def test_never_lets_recorded_at_run_backwards(self):
        ahead = NOW + timedelta(seconds=5)
        head = LogHead("icbc", 1, Frontier().append(leaf_hash(b"x")).to_bytes(), ahead)

        made = sealed(asked("k"), heads={"icbc": head}).sealed

        assert made.decisions[0].recorded_at == ahead

    def test_decides_on_the_day_in_shanghai(self):
        late = datetime(2026, 11, 20, 16, 0, tzinfo=UTC)

        assert sealed(asked("k"), now=late).sealed.decisions[0].decided_on == date(2026, 11, 21)
        before = late - timedelta(microseconds=1)
        assert sealed(asked("k"), now=before).sealed.decisions[0].decided_on == date(2026, 11, 20)

    def test_is_refused_whole_by_a_replica_without_the_active_catalogue(self):
        with pytest.raises(CatalogueNotActive):
            sealed(asked("k"), edition="sha256:another")

    @given(st.lists(documents(products_without_a_pool), min_size=1, max_size=5), st.data())
    def test_writes_records_that_are_canonical_and_can_be_replayed(self, found: list[dict], data: st.DataObject):
        batch = [asked(f"k{i}", {**d, "application_id": f"A{i}"}) for i, d in enumerate(found)]

        made = sealed(*batch).sealed

        terms = dict(made.terms)
        for entry in made.entries:
            document = orjson.loads(entry.record)
            assert canonical_bytes(document) == entry.record
            assert len(entry.record) <= LARGEST_RECORD
            assert replay(entry.record, terms[document["terms"]]) == ()


class TestAnIdempotencyKey:
    def test_seen_before_gets_the_same_bytes_and_writes_nothing(self):
        first = asked("k")
        known = KeyedAnswer(first.fingerprint, b"the recorded answer")

        made = sealed(first, answered={("icbc", "k"): known})

        assert made.results == (Answer(b"the recorded answer", replayed=True),)
        assert made.sealed.entries == ()
        assert made.sealed.heads == ()

    def test_twice_in_one_batch_is_decided_once(self):
        made = sealed(asked("k"), asked("k"))

        assert made.results[0].body == made.results[1].body
        assert [r.replayed for r in made.results] == [False, True]
        assert len(made.sealed.entries) == 1

    def test_with_another_body_is_refused(self):
        made = sealed(asked("k"), asked("k", request__amount="9.00"))

        assert isinstance(made.results[1], KeyReusedWithOtherBody)

    def test_belongs_to_its_lender(self):
        other = sound("boc/zhongkai-innovation-points-loan", application_id="B1")

        made = sealed(asked("k"), asked("k", other))

        assert [isinstance(r, Answer) for r in made.results] == [True, True]

    def test_of_a_decline_stays_bound(self):
        declined = asked("k", credit_history__past_due_days=1)

        made = sealed(declined, declined)

        assert body(made.results[0])["outcome"] == "DECLINED"
        assert made.results[1].replayed


class TestANewDecisionForAnApplication:
    def open_offer(self, **changes: object) -> Commitment:
        return commitment(ICBC, 10_000_000, offer_id="old", application_id="LOS-1", **changes)

    def test_supersedes_its_open_offer_and_frees_the_room(self):
        made = sealed(
            asked("k"),
            commitments=[("icbc", self.open_offer())],
            previous={("icbc", "LOS-1"): Previous("d-1", 1)},
        )

        answer = body(made.results[0])
        assert answer["offer"]["credit_limit"] == "10000000.00"
        assert (answer["revision"], answer["supersedes"]) == (2, "d-1")
        assert made.sealed.superseded == (("old", answer["decision_id"]),)

    def test_within_the_same_batch_closes_the_offer_that_it_supersedes(self):
        made = sealed(asked("k1"), asked("k2", request__amount="9000000.00"))

        first, second = (body(r) for r in made.results)
        assert [first["revision"], second["revision"]] == [1, 2]
        assert made.sealed.superseded == ((first["offer"]["offer_id"], second["decision_id"]),)
        assert [o.commitment.offer_id for o in made.sealed.offers] == [
            first["offer"]["offer_id"],
            second["offer"]["offer_id"],
        ]

    def test_supersedes_even_when_it_declines(self):
        made = sealed(asked("k", credit_history__past_due_days=1), commitments=[("icbc", self.open_offer())])

        assert [offer for offer, _ in made.sealed.superseded] == ["old"]
        assert made.sealed.offers == ()

    def test_is_refused_once_the_bank_has_approved_the_offer(self):
        made = sealed(asked("k"), commitments=[("icbc", self.open_offer(credit_approved=True))])

        assert isinstance(made.results[0], OfferAlreadyApproved)
        assert made.sealed.entries == ()

    def test_leaves_an_offer_alone_whose_day_has_passed(self):
        lapsed = self.open_offer(counts_until=ON - timedelta(days=1))

        assert sealed(asked("k"), commitments=[("icbc", lapsed)]).sealed.superseded == ()


class TestANewOfferThatReplacesAnother:
    def line(self, **changes: object) -> Commitment:
        return commitment(ICBC, 5_000_000, offer_id="old", **changes)

    def test_of_the_same_application_is_made_and_supersedes_it(self):
        open_offer = self.line(application_id="LOS-1")

        made = sealed(asked("k", request__replaces="old"), commitments=[("icbc", open_offer)])

        assert body(made.results[0])["offer"]["credit_limit"] == "10000000.00"
        assert [offer for offer, _ in made.sealed.superseded] == ["old"]
        assert replay(made.sealed.entries[0].record, made.sealed.terms[0][1]) == ()

    def test_ends_it_so_that_one_cap_is_not_promised_twice(self):
        made = sealed(asked("k", request__replaces="old"), commitments=[("icbc", self.line(application_id="LOS-0"))])

        assert made.sealed.superseded == (("old", body(made.results[0])["decision_id"]),)

    def test_ends_it_within_the_same_batch_too(self):
        made = sealed(asked("k1", application_id="A1"), asked("k2", application_id="A2", request__replaces="id-2"))

        assert body(made.results[0])["offer"]["offer_id"] == "id-2"
        assert made.sealed.superseded == (("id-2", body(made.results[1])["decision_id"]),)

    def test_leaves_it_open_when_there_is_no_new_offer(self):
        declined = asked("k", request__replaces="old", credit_history__past_due_days=1)

        made = sealed(declined, commitments=[("icbc", self.line(application_id="LOS-0"))])

        assert made.sealed.superseded == ()

    def test_leaves_a_line_to_the_bank_that_the_bank_has_approved(self):
        line = self.line(application_id="LOS-0", credit_approved=True)

        made = sealed(asked("k", request__replaces="old"), commitments=[("icbc", line)])

        assert body(made.results[0])["offer"]["credit_limit"] == "10000000.00"
        assert made.sealed.superseded == ()


class TestWhatTheBatchHasPromised:
    def test_counts_for_the_next_application_of_the_company(self):
        made = sealed(asked("k1", application_id="A1"), asked("k2", application_id="A2"))

        first, second = (body(r) for r in made.results)
        assert first["outcome"] == "PRE_APPROVED"
        assert (second["outcome"], [r["code"] for r in second["reasons"]]) == ("DECLINED", ["CAP_USED"])

    def test_counts_for_the_group_against_the_lender_s_cap(self):
        lender_cap = CATALOGUE.terms(ICBC, on=ON).terms.credit_limit.lender_cap.value
        sister = commitment(
            ICBC, int(lender_cap) // 100 - 2_000_000, offer_id="s", application_id="S", uscc="sister", group_id="G"
        )

        made = sealed(
            asked("k", company__group_id="G"), commitments=[("icbc", sister)], members=[("icbc", "sister", "G")]
        )

        assert body(made.results[0])["offer"]["credit_limit"] == "2000000.00"

    def test_by_another_lender_does_not_count(self):
        elsewhere = commitment("boc/zhongkai-innovation-points-loan", 10_000_000)

        made = sealed(asked("k"), commitments=[("boc", elsewhere)])

        assert body(made.results[0])["offer"]["credit_limit"] == "10000000.00"

    def test_is_recorded_as_it_was_when_the_decision_was_made(self):
        made = sealed(asked("k1", application_id="A1"), asked("k2", application_id="A2"))

        standings = [orjson.loads(e.record)["standing"] for e in made.sealed.entries]
        assert [len(s) for s in standings] == [0, 1]


OBSTACLES: Sequence[tuple[str, dict, type[Obstacle], str | None]] = (
    ("an unknown product", {"product": "icbc/no-such-loan"}, NoSuchProduct, "/product"),
    ("an unknown zone", {"company__zone": "atlantis"}, UnknownCode, "/company/zone"),
    ("an unknown purpose", {"request__purpose": "moon-base"}, UnknownCode, "/request/purpose"),
    ("an unknown stage", {"innovation_score__stage": "zygote"}, UnknownCode, "/innovation_score/stage"),
    ("an unknown field", {"innovation_score__field": "alchemy"}, UnknownCode, "/innovation_score/field"),
    (
        "an unknown qualification",
        {"company__qualifications": [{"code": "high-tech"}, {"code": "unicorn"}]},
        UnknownCode,
        "/company/qualifications/1/code",
    ),
    ("a score of tomorrow", {"innovation_score__as_of": "2026-11-21"}, FactFromTheFuture, "/innovation_score/as_of"),
    (
        "a score obtained tomorrow in Shanghai",
        {"innovation_score__source": {"kind": "PLATFORM_QUERY", "obtained_at": "2026-11-20T16:00:00Z"}},
        FactFromTheFuture,
        "/innovation_score/source/obtained_at",
    ),
    ("figures of next year", {"financials__year": 2027}, FactFromTheFuture, "/financials/year"),
    (
        "consent given tomorrow",
        {"authorisation__granted_on": "2026-11-21"},
        FactFromTheFuture,
        "/authorisation/granted_on",
    ),
    ("a company founded tomorrow", {"company__founded_on": "2026-11-21"}, FactFromTheFuture, "/company/founded_on"),
)


class TestAnObstacle:
    @pytest.mark.parametrize(("name", "changes", "kind", "pointer"), OBSTACLES, ids=[row[0] for row in OBSTACLES])
    def test_stops_its_own_application_and_no_other(self, name, changes, kind, pointer):
        batch = [asked(f"k{i}", application_id=f"A{i}", company__uscc=f"U{i}") for i in range(63)]
        poison = replace(asked("bad", **changes), lender="icbc")

        made = sealed(*batch[:31], poison, *batch[31:])

        assert isinstance(made.results[31], kind)
        assert made.results[31].pointer == pointer
        assert sum(isinstance(r, Answer) for r in made.results) == 63
        assert [e.index for e in made.sealed.entries] == list(range(63))

    def test_of_a_grade_that_the_zone_does_not_give_names_the_place(self):
        unknown = sound("shengjing/fuxin-points-loan", innovation_score__grade="E", application_id="F1")

        (result,) = sealed(asked("k", unknown)).results

        assert isinstance(result, UnknownCode)
        assert (result.pointer, result.kind) == ("/innovation_score/grade", "grade")

    def test_leaves_its_key_free(self):
        made = sealed(asked("k", request__purpose="moon-base"), asked("k"))

        assert isinstance(made.results[0], UnknownCode)
        assert isinstance(made.results[1], Answer)

    def test_is_raised_for_a_record_that_would_not_fit_into_an_entry(self):
        large = sound(ICBC)
        large["company"]["qualifications"] = [{"code": "high-tech"}] * 3_000

        made = sealed(asked("k", large))

        assert isinstance(made.results[0], RecordTooLarge)
        assert made.sealed == sealed().sealed


class TestWhatIsWanted:
    def test_names_lenders_in_order_once_and_everything_else_that_is_read(self):
        other = sound("boc/zhongkai-innovation-points-loan", application_id="B1")

        found = wanted([asked("k1"), asked("k2", other), asked("k1")])

        assert found.lenders == ("boc", "icbc")
        assert found.keys == (("icbc", "k1"), ("boc", "k2"))
        assert found.applications == (("icbc", "LOS-1"), ("boc", "B1"))
        assert len(found.companies) == 2
