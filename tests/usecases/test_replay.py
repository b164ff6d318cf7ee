"""重算: the recorded input gives the recorded bytes, and whatever was changed since is named."""

import os
import re
from random import Random

import msgspec
import orjson
import pytest

from app.audit.canonical import canonical_bytes
from app.audit.open_record import open_record, open_to_replay
from app.audit.record import spelled
from app.rules.decide import EDITION
from app.usecases import replay as replaying
from app.usecases.ports import StoredDecision
from app.usecases.replay import Difference, identical_among, replay, replay_together
from benchmarks.replays import recorded_decisions
from tests.usecases.test_decide import asked, sealed


@pytest.fixture
def recorded() -> tuple[bytes, bytes]:
    made = sealed(asked("k")).sealed
    return made.entries[0].record, made.terms[0][1]


class TestReplay:
    def test_gives_the_recorded_bytes(self, recorded: tuple[bytes, bytes]):
        assert replay(*recorded) == ()

    def test_names_the_place_that_a_changed_fact_changes(self, recorded: tuple[bytes, bytes]):
        record, terms = recorded
        document = orjson.loads(record)
        document["application"]["request"]["amount"] = "9000000.00"

        places = [d.pointer for d in replay(canonical_bytes(document), terms)]

        assert "/offer/credit_limit" in places
        assert "/offer/requested_amount" in places

    def test_names_a_changed_answer(self, recorded: tuple[bytes, bytes]):
        record, terms = recorded
        document = orjson.loads(record)
        document["decision"]["offer"]["credit_limit"] = "90000000.00"

        (difference,) = replay(canonical_bytes(document), terms)

        assert difference.pointer == "/offer/credit_limit"
        assert (difference.recorded, difference.recomputed) == ("90000000.00", "10000000.00")

    def test_refuses_terms_that_are_not_those_of_the_record(self, recorded: tuple[bytes, bytes]):
        record, terms = recorded

        with pytest.raises(ValueError, match="terms"):
            replay(record, terms + b" ")

    def test_refuses_an_edition_that_is_not_known(self, recorded: tuple[bytes, bytes]):
        record, terms = recorded
        document = orjson.loads(record)
        document["decision"]["rules_edition"] = "1999-01"

        with pytest.raises(ValueError, match="edition"):
            replay(canonical_bytes(document), terms)

    def test_asks_the_edition_that_decided(self, recorded: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch):
        """Two editions stand side by side: the newer one answers otherwise, and the old record is still identical."""
        record, terms = recorded
        old = replaying.EDITIONS[EDITION]
        newer = dict(replaying.EDITIONS) | {"2027-01": lambda a, t, s, on: old(a, t, s, on)._replace(reasons=[])}
        monkeypatch.setattr(replaying, "EDITIONS", newer)
        document = orjson.loads(record)
        document["decision"]["rules_edition"] = "2027-01"

        assert replay(record, terms) == ()
        assert [d.pointer for d in replay(canonical_bytes(document), terms)] == ["/reasons"]


class TestTheShortWay:
    """A replay reads most of a record without parsing it, and takes many records at once."""

    def test_reads_what_the_long_way_reads(self, recorded: tuple[bytes, bytes]):
        record, _ = recorded
        short, long = open_to_replay(record), open_record(record)

        assert values_of(short.application) == values_of(long.application)
        assert short[1:4] == (long.standing, long.terms_digest, long.decided_on)
        assert short.rules_edition == long.identity.rules_edition
        assert short.identity == spelled(long.identity, long.campaign)
        assert record[short.begins : short.ends] == long.decision

    def test_finds_no_changed_record_identical_that_the_long_way_does_not(self, recorded: tuple[bytes, bytes]):
        record, terms = recorded
        draw = Random(3)
        changed = [(with_a_bit_changed(record, draw), terms, None) for _ in range(400)]

        found = identical_among(changed)

        wrong = [one for one, same in zip(changed, found, strict=True) if same and the_long_way(*one[:2]) != ()]
        assert wrong == []

    def test_says_of_every_products_records_sound_and_tampered_with_what_the_long_way_says(self):
        draw, stored = Random(5), []
        for number, (record, terms) in enumerate(recorded_decisions(RECORDS_A_PRODUCT)):
            tampered = TAMPERED[number % len(TAMPERED)](record, draw)
            for one in (record, tampered):
                try:
                    name = open_record(record).identity.decision_id
                    stored.append(StoredDecision(name, "", 0, b"", one, terms))
                except ValueError:
                    pytest.fail("a record as it was sealed cannot be read")

        found = replay_together(stored)

        expected = [the_long_way(one.record, one.terms, one.decision_id) for one in stored]
        assert [readable(one) for one in found] == expected
        assert expected[::2] == [()] * (len(stored) // 2)
        # What was tampered with is told apart: by what differs, or as unreadable; a fact that decides nothing is not.
        assert len([one for one in expected[1::2] if one == ()]) < len(stored) // 4


RECORDS_A_PRODUCT = int(os.environ.get("JIFENDAI_SOAK_REPLAYS", "40"))

UNREADABLE = "unreadable"
Verdict = tuple[Difference, ...] | str


def with_a_bit_changed(record: bytes, draw: Random) -> bytes:
    at = draw.randrange(len(record))
    return record[:at] + bytes([record[at] ^ 1 << draw.randrange(7)]) + record[at + 1 :]


def with_another_amount(record: bytes, draw: Random) -> bytes:
    """The facts or the decision tell of another amount."""
    at = draw.choice([found.start(1) for found in re.finditer(rb'"([0-9]+)\.[0-9]{2}"', record)])
    return record[:at] + b"%d" % draw.randrange(1, 9) + record[at + 1 :]


def with_another_outcome(record: bytes, draw: Random) -> bytes:
    return re.sub(rb'"outcome":"[A-Z_]+"', b'"outcome":"%b"' % draw.choice((b"DECLINED", b"REFERRED")), record)


def with_an_answer_turned(record: bytes, draw: Random) -> bytes:
    return record.replace(b'"answer":true', b'"answer":false', draw.randrange(1, 4))


def with_an_amount_spelled_otherwise(record: bytes, draw: Random) -> bytes:
    return re.sub(rb'"amount":"([0-9]+)\.00"', rb'"amount":"%b"' % draw.choice((rb"\1", rb" \1.00", rb"\1.0_")), record)


TAMPERED = (
    with_a_bit_changed, with_another_amount, with_another_outcome, with_an_answer_turned,
    with_an_amount_spelled_otherwise,
)  # fmt: skip


def the_long_way(record: bytes, terms: bytes, decision_id: str | None = None) -> Verdict:
    """What the naive way says: everything parsed, written, and compared as documents."""
    try:
        opened = open_record(record)
        recorded = opened.identity.decision_id
        if decision_id not in (None, recorded):
            return (Difference("/decision_id", recorded, decision_id),)
        return replaying._compared(opened, terms)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return UNREADABLE


def readable(found: tuple[Difference, ...] | ValueError) -> Verdict:
    return UNREADABLE if isinstance(found, ValueError) else found


def values_of(application: object) -> object:
    return msgspec.to_builtins(application, enc_hook=str)
