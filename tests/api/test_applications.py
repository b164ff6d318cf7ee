"""Both roads that read an application come to the same."""

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.applications import application_in, plain_application
from app.api.bodies import checked_document
from app.api.problems import Problem
from app.api.schemas import DecisionRequest
from app.audit.application import application_from_document
from app.audit.canonical import canonical_bytes
from tests.applications import sound
from tests.policy_cases import all_cases

ICBC = "icbc/suzhou-innovation-points-loan"


def by_the_other_road(body: bytes) -> tuple[bytes, Any] | None:
    try:
        document, _ = checked_document(DecisionRequest, body)
    except Problem:
        return None
    return canonical_bytes(document), application_from_document(document)


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

        assert plain_application(body) == by_the_other_road(body)

    @given(st.data())
    def test_with_any_field_sent_as_anything_comes_to_the_same_or_leaves_it_to_the_other_road(self, data: Any) -> None:
        document = sound(ICBC)
        for _ in range(data.draw(st.integers(1, 3))):
            document = changed(document, data.draw(st.sampled_from(places(document))), data.draw(ODD))
            if not isinstance(document, dict):
                break

        body = spelled(document, ensure_ascii=data.draw(st.booleans()), indent=data.draw(st.sampled_from([None, 2])))

        assert plain_application(body) in (None, by_the_other_road(body))

    @pytest.mark.parametrize("ensure_ascii", [True, False])
    def test_spelled_with_or_without_escapes_takes_the_quick_road(self, ensure_ascii: bool) -> None:
        body = spelled(sound(ICBC), ensure_ascii=ensure_ascii)

        assert plain_application(body) == by_the_other_road(body) != None  # noqa: E711 - both, and not None

    @pytest.mark.parametrize("twice", [
        b'"tenor_months":12,"tenor_months":12', b'"tenor_months":24,"tenor_months":12',
        b'"tenor_months":12,"tenor\\u005fmonths":24',
        b'"tenor_months" : 12,"purpose":"\\u0022\\u0022","tenor_months":24',
    ])  # fmt: skip
    def test_with_a_key_sent_twice_is_refused_by_both(self, twice: bytes) -> None:
        body = spelled(sound(ICBC), separators=(",", ":")).replace(b'"tenor_months":12', twice)
        assert twice in body

        with pytest.raises(Problem):
            application_in(body)

        assert plain_application(body) is None

    def test_with_a_quote_in_its_name_takes_the_other_road(self) -> None:
        document = changed(sound(ICBC), ("company", "name"), 'A "B" 公司\\')

        body = spelled(document)

        assert plain_application(body) is None
        assert application_in(body) == by_the_other_road(body)

    def test_whose_company_code_is_spelled_oddly_is_recorded_in_its_normal_form(self) -> None:
        document = sound(ICBC)
        odd = changed(document, ("company", "uscc"), f" {document['company']['uscc'].lower()} ")

        assert application_in(spelled(odd)) == application_in(spelled(document))
