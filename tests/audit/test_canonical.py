import datetime
import decimal
import enum
import json
import math
import uuid
from dataclasses import dataclass

import orjson
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from app.audit.canonical import CanonicalError, canonical_bytes, digest, vouched_bytes

LARGEST = 2**53 - 1

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-LARGEST, LARGEST)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
)
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.lists(inner, max_size=5).map(tuple)
        | st.dictionaries(st.text(st.characters(max_codepoint=127), max_size=12), inner, max_size=5)
    ),
    max_leaves=40,
)


class Text(str):
    pass


class Number(int):
    pass


class Mapping(dict):
    pass


class Colour(enum.Enum):
    RED = "red"


class Letter(enum.StrEnum):
    A = "a"


@dataclass
class Point:
    x: int


NOT_PLAIN = {
    "a fraction": 1.5,
    "a whole fraction": 1.0,
    "a negative zero": -0.0,
    "not a number": math.nan,
    "infinity": math.inf,
    "a Decimal": decimal.Decimal("1.50"),
    "a str subclass": Text("x"),
    "an int subclass": Number(1),
    "a dict subclass": Mapping(a=1),
    "an enumeration": Colour.RED,
    "a str enumeration": Letter.A,
    "a date": datetime.date(2026, 11, 20),
    "an instant": datetime.datetime(2026, 11, 20, tzinfo=datetime.UTC),
    "a UUID": uuid.UUID(int=1),
    "a dataclass": Point(1),
    "bytes": b"x",
    "a set": {1},
    "a function": len,
}


def nested(depth: int) -> list:
    """This function will return an empty list inside lists, `depth` of them in all."""
    document: list = []
    for _ in range(depth - 1):
        document = [document]
    return document


class TestCanonicalBytes:
    @given(documents)
    def test_are_those_of_rfc_8785(self, document):
        assert canonical_bytes(document) == rfc8785.dumps(document)

    @given(documents)
    def test_are_the_same_when_the_maker_vouches(self, document):
        assert vouched_bytes(document) == canonical_bytes(document)

    @given(documents)
    def test_give_themselves_again_once_read(self, document):
        encoded = canonical_bytes(document)

        assert canonical_bytes(json.loads(encoded)) == encoded

    def test_sort_keys_at_every_depth_and_keep_chinese_as_it_is(self):
        document = {"b": [{"z": "授信", "a": None}], "B": True, "": -1}

        assert canonical_bytes(document) == '{"":-1,"B":true,"b":[{"a":null,"z":"授信"}]}'.encode()

    def test_escape_what_json_must_escape_and_nothing_else(self):
        document = '\x00\x1f\x7f\b\t\n\f\r"\\/\u2028'

        assert canonical_bytes(document) == '"\\u0000\\u001f\x7f\\b\\t\\n\\f\\r\\"\\\\/\u2028"'.encode()

    def test_take_in_a_fragment_that_is_canonical_already(self):
        inner = canonical_bytes({"b": 2, "a": "一"})

        assert canonical_bytes({"z": 1, "inner": orjson.Fragment(inner)}) == '{"inner":{"a":"一","b":2},"z":1}'.encode()

    @pytest.mark.parametrize("integer", [LARGEST, -LARGEST])
    def test_hold_the_largest_integers_that_every_reader_keeps(self, integer):
        assert canonical_bytes({"n": integer}) == b'{"n":%d}' % integer

    @pytest.mark.parametrize("integer", [LARGEST + 1, -LARGEST - 1, 2**63, 2**64, -(2**64), 10**400])
    def test_refuse_an_integer_beyond_53_bits(self, integer):
        for encode in (canonical_bytes, vouched_bytes):
            with pytest.raises(CanonicalError, match=r"^/a/1: an integer beyond"):
                encode({"a": [0, integer]})

    @pytest.mark.parametrize("value", NOT_PLAIN.values(), ids=NOT_PLAIN.keys())
    def test_refuse_what_is_not_plain_and_name_its_place(self, value):
        with pytest.raises(CanonicalError) as refusal:
            canonical_bytes({"good": 1, "company": {"list": ["x", (None, value)]}})

        assert refusal.value.pointer == "/company/list/1/1"
        assert type(value).__name__ in str(refusal.value)

    @pytest.mark.parametrize("value", NOT_PLAIN.values(), ids=NOT_PLAIN.keys())
    def test_refuse_what_is_not_plain_as_the_whole_document(self, value):
        with pytest.raises(CanonicalError, match=r"^the document: a "):
            canonical_bytes(value)

    def test_refuse_a_fraction_in_an_objects_own_dictionary(self):
        point = Point(1.5)

        with pytest.raises(CanonicalError, match=r"^/x: a float"):
            canonical_bytes(vars(point))

    @pytest.mark.parametrize("key", ["é", "授信", "a授信:b", 'a"é', "é\\", "\x80", "\U00010000"])
    def test_refuse_a_key_beyond_ascii(self, key):
        with pytest.raises(CanonicalError, match=r"^/company: the key .* is not ASCII"):
            canonical_bytes({"company": {"name": "一", key: 1}})

    def test_take_ascii_keys_beside_values_that_look_like_keys(self):
        document = {"a": '授":', "b": ["授", {"c": "信:"}], '"\\:': '\\授"'}

        assert canonical_bytes(document) == rfc8785.dumps(document)

    @pytest.mark.parametrize("key", [1, None, True, 1.5, b"a", Text("a"), Letter.A])
    def test_refuse_a_key_that_is_not_plain_text(self, key):
        for encode in (canonical_bytes, vouched_bytes):
            with pytest.raises(CanonicalError, match=r"^/0: a key of type "):
                encode([{key: 1}])

    @pytest.mark.parametrize(
        ("document", "pointer"), [({"a": "x\ud800"}, "/a"), (["\udfff"], "/0"), ({"k\ud800": 1}, "the document")]
    )
    def test_refuse_a_lone_surrogate(self, document, pointer):
        for encode in (canonical_bytes, vouched_bytes):
            with pytest.raises(CanonicalError, match=rf"^{pointer}: "):
                encode(document)

    def test_write_the_place_as_a_json_pointer(self):
        with pytest.raises(CanonicalError) as refusal:
            canonical_bytes({"a/b": {"~": 0.5}})

        assert refusal.value.pointer == "/a~1b/~0"

    def test_hold_254_levels(self):
        assert canonical_bytes(nested(254)) == b"[" * 254 + b"]" * 254

    def test_refuse_255_levels(self):
        with pytest.raises(CanonicalError, match="nested more than 254 deep"):
            canonical_bytes(nested(255))

    def test_refuse_a_document_that_contains_itself(self):
        document: dict = {"a": 1}
        document["self"] = [document]

        with pytest.raises(CanonicalError, match="or containing itself"):
            canonical_bytes(document)

    def test_refuse_a_fragment_that_is_not_bytes(self):
        with pytest.raises(CanonicalError, match="look at its Fragments"):
            canonical_bytes({"inner": orjson.Fragment(3)})

    def test_never_repeat_a_refused_value_in_the_message(self):
        with pytest.raises(CanonicalError) as refusal:
            canonical_bytes({"secret": b"jfd_canary"})

        assert "canary" not in str(refusal.value)


class TestDigest:
    def test_names_the_bytes_by_their_sha_256(self):
        assert digest(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
