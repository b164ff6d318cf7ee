"""Both roads that read an application come to the same."""

import json
from copy import deepcopy
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.applications import explained_application, plain_application
from app.api.bodies import checked_document
from app.api.problems import Problem
from app.api.schemas import DecisionRequest
from app.audit.application import application_from_document
from app.audit.canonical import canonical_bytes
from app.domain.company import LookupAnswer, ScoreLookup
from tests.applications import sound
from tests.policy_cases import all_cases

ICBC = "icbc/suzhou-innovation-points-loan"


def by_the_other_road(body: bytes) -> tuple[bytes, Any] | None:
    try:
        document, _ = checked_document(DecisionRequest, body)
    except Problem:
        return None
    return canonical_bytes(document), application_from_document(document)


def agree(quick: Any, other: Any) -> bool:
    """This function will tell whether both roads read the same values, each of the same type."""
    if is_dataclass(other):
        return all(agree(getattr(quick, field.name), getattr(other, field.name)) for field in fields(other))
    if type(quick) is not type(other) and not isinstance(quick, tuple):
        return False
    if isinstance(other, dict):
        return quick.keys() == other.keys() and all(agree(quick[key], other[key]) for key in other)
    if isinstance(other, tuple):
        return len(quick) == len(other) and all(map(agree, quick, other))
    return quick == other


def spelled(document: Any, **how: Any) -> bytes:
    return json.dumps(document, **({"ensure_ascii": False} | how)).encode()


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, found in inner for place in places(found, (*path, key)))]


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    document = deepcopy(document)
    if not path:
        return value
    found = document
    for key in path[:-1]:
        found = found[key]
    found[path[-1]] = value
    return document


# What a field may be sent as: sound elsewhere, almost sound, and hostile.
ODD = st.sampled_from([
    None, True, False, 0, -1, 1, 1.0, 1e3, 10**19, [], {}, [None], {"x": None}, {"established": True},
    "", " ", "x", "x\n", "x ", " x", "\u2028", "\ufeffx", "\x7f", "ａ", "示例", "x" * 65, "x" * 201,
    "2026-02-30", "2026-11-20", "1899-12-31", "2200-01-01", "0001-01-01", "20261120",
    "2026-11-20T00:00:00Z", "2026-11-20T02:10:00.123Z", "2026-11-20t02:10:00z",
    "0.5", "0.50", "00.50", "-0.01", "1.234", "1e5", "NaN", "Infinity", "1_0.00", "９.00",
    "12345678901234.00", "9999999999999.99", "high-tech", "HIGH-TECH", "AUDITED", "icbc/x", "icbc/x\n",
    "91999999mat000018e", "９１９９９９９９ＭＡＴ０００１８Ｅ", "91999999MAT000018F",
])  # fmt: skip


class TestAnApplication:
    @pytest.mark.parametrize("case", all_cases(), ids=str)
    def test_of_every_case_takes_the_quick_road_and_comes_to_the_same(self, case: Any) -> None:
        body = spelled(case.document)

        assert agree(plain_application(body), by_the_other_road(body))

    @given(st.data())
    def test_with_any_field_sent_as_anything_comes_to_the_same_or_leaves_it_to_the_other_road(self, data: Any) -> None:
        document = sound(ICBC)
        for _ in range(data.draw(st.integers(1, 3))):
            document = changed(document, data.draw(st.sampled_from(places(document))), data.draw(ODD))
            if not isinstance(document, dict):
                break

        body = spelled(document, ensure_ascii=data.draw(st.booleans()), indent=data.draw(st.sampled_from([None, 2])))

        found = plain_application(body)
        assert found is None or agree(found, by_the_other_road(body))

    @pytest.mark.parametrize("ensure_ascii", [True, False])
    def test_spelled_with_or_without_escapes_takes_the_quick_road(self, ensure_ascii: bool) -> None:
        body = spelled(sound(ICBC), ensure_ascii=ensure_ascii)

        found = plain_application(body)
        assert found is not None and agree(found, by_the_other_road(body))

    @pytest.mark.parametrize("twice", [
        b'"tenor_months":12,"tenor_months":12', b'"tenor_months":24,"tenor_months":12',
        b'"tenor_months":12,"tenor\\u005fmonths":24',
        b'"tenor_months" : 12,"purpose":"\\u0022\\u0022","tenor_months":24',
    ])  # fmt: skip
    def test_with_a_key_sent_twice_is_refused_by_both(self, twice: bytes) -> None:
        body = spelled(sound(ICBC), separators=(",", ":")).replace(b'"tenor_months":12', twice)
        assert twice in body

        with pytest.raises(Problem):
            explained_application(body)

        assert plain_application(body) is None

    def test_with_a_quote_in_its_name_takes_the_other_road(self) -> None:
        document = changed(sound(ICBC), ("company", "name"), 'A "B" 公司\\')

        body = spelled(document)

        assert plain_application(body) is None
        assert explained_application(body) == by_the_other_road(body)

    def test_whose_company_code_is_spelled_oddly_is_recorded_in_its_normal_form(self) -> None:
        document = sound(ICBC)
        odd = changed(document, ("company", "uscc"), f" {document['company']['uscc'].lower()} ")

        assert plain_application(spelled(odd)) is None
        assert explained_application(spelled(odd)) == explained_application(spelled(document))

    @pytest.mark.parametrize("unsaid", [None, {"answer": "OBTAINED"}])
    def test_cannot_say_of_itself_how_its_score_was_found(self, unsaid: Any) -> None:
        body = spelled(sound(ICBC) | {"score_lookup": unsaid})

        assert plain_application(body) is None
        assert plain_application(spelled(sound(ICBC))).application.score_lookup is None

    def test_without_a_score_is_the_domains_own_value_into_which_one_can_be_put(self) -> None:
        document = sound(ICBC)
        del document["innovation_score"]

        found = plain_application(spelled(document)).application

        assert found == application_from_document(document)
        assert found.with_lookup(ScoreLookup(LookupAnswer.UNAVAILABLE, "DEADLINE")).score_lookup.why == "DEADLINE"
