"""The types of fields."""

import re

import hypothesis.strategies as st
import pytest
from hypothesis import example, given
from pydantic import TypeAdapter, ValidationError
from stdnum.cn import uscc as stdnum_uscc

from app.api import fields
from app.domain.uscc import normalised_uscc

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def checked(seventeen: str) -> str:
    return seventeen + stdnum_uscc.calc_check_digit(seventeen)


@st.composite
def codes(draw: st.DrawFn) -> str:
    digits = draw(st.text("0123456789", min_size=8, max_size=8))
    return checked(digits + draw(st.text(ALPHABET, min_size=9, max_size=9)))


class TestAGroupId:
    @pytest.mark.parametrize("text", ["G-1", "group:77.b_2", "91999999MAT000018E"])
    def test_is_an_id(self, text: str):
        assert TypeAdapter(fields.GroupId).validate_python(text) == text

    @pytest.mark.parametrize("text", ["G-1 ", " G-1", "Ｇ-1", "G\u200b1", "", "G" * 65])
    def test_cannot_look_like_another(self, text: str):
        with pytest.raises(ValidationError):
            TypeAdapter(fields.GroupId).validate_python(text)


class TestAUnifiedSocialCreditCode:
    @pytest.mark.parametrize(
        "code",
        ["914403001922038216", "9144030071526726XG", "91110108551385082Q", "91330100799655058B", "91999999MAT000018E"],
    )
    def test_that_is_public_is_valid(self, code: str):
        assert normalised_uscc(code) == code

    @pytest.mark.parametrize(
        "code", ["914403001922038217", "91110108MA001L8D92", "91440300192203821", "9144030019220382166", ""]
    )
    def test_that_is_wrong_is_refused(self, code: str):
        assert normalised_uscc(code) is None

    def test_of_a_rural_collective_begins_with_letters(self):
        assert normalised_uscc(checked("N2320505MF1234567")) is not None

    @given(code=codes(), place=st.integers(0, 17), other=st.sampled_from(ALPHABET))
    def test_is_judged_as_python_stdnum_judges_it(self, code: str, place: int, other: str):
        changed = code[:place] + other + code[place + 1 :]

        assert normalised_uscc(code) == code
        if changed[:8].isdigit():
            assert (normalised_uscc(changed) is not None) == stdnum_uscc.is_valid(changed)

    @given(code=codes())
    def test_is_normalised_from_full_width_lower_case_and_outer_spaces(self, code: str):
        wide = "".join(chr(ord(character) + 0xFEE0) for character in code.lower())

        assert normalised_uscc(f" \u3000{wide}\t") == code

    @given(text=st.text(max_size=40))
    @example("９" * 18)
    def test_is_never_something_else(self, text: str):
        found = normalised_uscc(text)
        assert found is None or re.fullmatch(fields.USCC, found)


class TestADay:
    accepts = TypeAdapter(fields.Day).validate_python

    @pytest.mark.parametrize("day", ["1900-01-01", "2024-02-29", "2199-12-31"])
    def test_is_taken(self, day: str):
        assert TestADay.accepts(day) == day

    @pytest.mark.parametrize(
        "day", ["1899-12-31", "2200-01-01", "2026-02-29", "2026-04-31", "2026-1-1", "2026-01-01\n", " 2026-01-01"]
    )
    def test_that_is_none_is_refused(self, day: str):
        with pytest.raises(ValidationError):
            TestADay.accepts(day)


class TestALineOfText:
    accepts = TypeAdapter(fields.Text).validate_python

    @given(text=st.text(min_size=1, max_size=200))
    def test_holds_no_character_that_nobody_sees(self, text: str):
        hidden = any(
            ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u2028\u2029\u202a\u202b\u202c\u202d\u202e\ufeff" for c in text
        )
        try:
            TestALineOfText.accepts(text)
        except ValidationError:
            return
        assert not hidden
        assert not text[0].isspace()


class TestEveryPattern:
    def test_has_words_in_both_languages(self):
        for zh, en in fields.PATTERN_WORDS.values():
            assert re.search(r"[一-鿿]", zh)
            assert re.search(r"[a-z]{3}", en)

    def test_avoids_what_engines_read_differently(self):
        for pattern in fields.PATTERN_WORDS:
            assert "\\d" not in pattern and "\\w" not in pattern and "(?" not in pattern
            assert pattern.startswith("^") and pattern.endswith("$")
