"""SM3 beside SHA-256: the standard's example, and records that hold their own digest."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.audit.canonical import canonical_bytes
from app.audit.merkle import leaf_hash
from app.audit.sm3 import has_sm3, names_sm3, sm3_hex, sm3_holds, sm3_in, with_sm3, without_sm3
from app.usecases.decide import seal
from app.usecases.replay import replay
from tests.usecases.test_decide import asked, body, replace, room, state


def sealed_with_sm3() -> tuple:
    made = seal([asked("k1")], state(), replace(room(), sm3=True))
    (entry,) = made.sealed.entries
    return made, entry


class TestSm3:
    def test_is_that_of_the_standard_s_examples(self):
        assert has_sm3()
        assert sm3_hex(b"abc") == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
        assert sm3_hex(b"abcd" * 16) == "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"

    @given(st.dictionaries(st.sampled_from("abcrst"), st.text(max_size=20) | st.integers(0, 9), min_size=1))
    def test_in_a_record_is_where_it_sorts_and_comes_out_again(self, rest: dict):
        record = canonical_bytes(rest)
        before = {name: value for name, value in rest.items() if name < "sm3"}
        at = len(canonical_bytes(before)) - 1
        if not before:
            return

        held, digest = with_sm3(record, at)

        assert held == canonical_bytes(rest | {"sm3": digest})
        assert (sm3_in(held), without_sm3(held), sm3_holds(held)) == (digest, record, True)


class TestARecord:
    def test_holds_the_digest_of_its_other_members_and_stays_canonical(self):
        made, entry = sealed_with_sm3()
        document = orjson.loads(entry.record)

        assert canonical_bytes(document) == entry.record
        assert document.pop("sm3") == sm3_hex(canonical_bytes(document))
        assert body(made.results[0])["audit_record"]["sm3"] == sm3_in(entry.record)

    def test_is_a_leaf_and_replays_as_without(self):
        made, entry = sealed_with_sm3()

        assert entry.leaf_hash == leaf_hash(entry.record)
        assert replay(entry.record, made.sealed.terms[0][1]) == ()

    def test_names_none_where_it_is_switched_off(self):
        (entry,) = seal([asked("k1")], state(), room()).sealed.entries

        assert not names_sm3(entry.record) and sm3_in(entry.record) is None
        assert "sm3" not in body(seal([asked("k1")], state(), room()).results[0])["audit_record"]

    @pytest.mark.parametrize("changed", ["digest", "content"])
    def test_that_was_changed_does_not_hold(self, changed: str):
        _, entry = sealed_with_sm3()
        document = orjson.loads(entry.record)
        document["sm3" if changed == "digest" else "submitted_by"] = "0" * 64

        assert sm3_holds(entry.record)
        assert not sm3_holds(canonical_bytes(document))
        assert not sm3_holds(b'[",\\"sm3\\":\\"",1' + entry.record)
