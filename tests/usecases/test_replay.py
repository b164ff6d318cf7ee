"""重算: the recorded input gives the recorded bytes, and whatever was changed since is named."""

from collections.abc import Callable
from random import Random

import orjson
import pytest

from app.audit.canonical import canonical_bytes
from app.audit.open_record import open_record, open_to_replay
from app.audit.record import spelled
from app.rules.decide import EDITION
from app.usecases import replay as replaying
from app.usecases.replay import is_identical, replay
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
    """A replay reads most of a record without parsing it."""

    def test_reads_what_the_long_way_reads(self, recorded: tuple[bytes, bytes]):
        record, _ = recorded
        short, long = open_to_replay(record), open_record(record)

        assert short[:4] == (long.application, long.standing, long.terms_digest, long.decided_on)
        assert short.rules_edition == long.identity.rules_edition
        assert short.identity == spelled(long.identity, long.campaign)
        assert record[short.begins : short.ends] == long.decision

    def test_finds_no_changed_record_identical_that_the_long_way_does_not(self, recorded: tuple[bytes, bytes]):
        record, terms = recorded
        draw, wrong = Random(3), []
        for _ in range(400):
            at = draw.randrange(len(record))
            changed = record[:at] + bytes([record[at] ^ 1 << draw.randrange(7)]) + record[at + 1 :]
            if outcome(is_identical, changed, terms) and not outcome(is_identical_the_long_way, changed, terms):
                wrong.append(changed)

        assert wrong == []


def is_identical_the_long_way(record: bytes, terms: bytes) -> bool:
    return replaying._compared(open_record(record), terms) == ()


def outcome(compare: Callable[[bytes, bytes], bool], record: bytes, terms: bytes) -> bool:
    """Whether a replay this way finds the bytes identical; not where they cannot be read."""
    try:
        return compare(record, terms)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return False
