"""Exact money: what is read is what is written, and every rounding goes where its name says."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.facts import add_months, whole_months
from app.domain.money import (
    Yuan,
    floored_to,
    rate_from_bps,
    rate_rounded,
    rate_text,
    share_of_floored,
)


class TestAnAmount:
    @given(st.integers(1 - 10**15, 10**15 - 1))
    def test_reads_what_it_wrote(self, fen: int):
        amount = Yuan(fen)

        assert Yuan.parse(amount.text()) == amount

    @pytest.mark.parametrize(
        ("text", "fen"), [("0", 0), ("0.5", 50), ("0.05", 5), ("-0.01", -1), ("10000000.00", 1_000_000_000)]
    )
    def test_is_counted_in_fen(self, text: str, fen: int):
        assert int(Yuan.parse(text)) == fen

    @pytest.mark.parametrize(
        "text", ["", ".5", "1.", "1.005", "1e3", "+1", " 1", "1,000", "１", "NaN", "Infinity", "99999999999999"]
    )
    def test_refuses_what_is_not_exact_yuan(self, text: str):
        with pytest.raises(ValueError, match="decimal string"):
            Yuan.parse(text)

    def test_stays_an_amount_when_added_and_taken_away(self):
        total = sum([Yuan.whole(3), Yuan.whole(4)])

        assert isinstance(total, Yuan)
        assert isinstance(total - Yuan.whole(1), Yuan)
        assert total.text() == "7.00"


class TestARounding:
    def test_floors_a_share_to_the_fen(self):
        assert share_of_floored(Yuan(199), Decimal("0.50")) == 99

    def test_floors_a_share_of_a_negative_amount_downwards(self):
        assert share_of_floored(Yuan(-199), Decimal("0.50")) == -100

    @pytest.mark.parametrize(
        ("yuan", "floored"), [("9999.99", "0.00"), ("10000.00", "10000.00"), ("19999.99", "10000.00")]
    )
    def test_takes_a_limit_down_to_a_whole_ten_thousand(self, yuan: str, floored: str):
        assert floored_to(Yuan.parse(yuan), Yuan.whole(10_000)).text() == floored

    def test_takes_a_rate_half_up_to_a_hundredth_of_a_basis_point(self):
        assert rate_rounded(Decimal("0.0172505")) == Decimal("0.017251")


class TestARate:
    @pytest.mark.parametrize(
        ("rate", "text"), [("0.034500", "0.0345"), ("0.01725", "0.01725"), ("0.03", "0.0300"), ("0", "0.0000")]
    )
    def test_is_written_with_four_decimals_or_as_many_as_it_needs(self, rate: str, text: str):
        assert rate_text(Decimal(rate)) == text

    def test_of_basis_points_is_exact(self):
        assert rate_from_bps(45) == Decimal("0.0045")


class TestAMonth:
    @pytest.mark.parametrize(
        ("day", "months", "later"),
        [("2026-01-31", 1, "2026-02-28"), ("2024-01-31", 1, "2024-02-29"), ("2026-11-20", 12, "2027-11-20")],
    )
    def test_ends_on_the_last_day_where_it_has_no_such_day(self, day: str, months: int, later: str):
        assert add_months(date.fromisoformat(day), months).isoformat() == later

    @pytest.mark.parametrize(
        ("on", "months"), [("2026-05-19", 59), ("2026-05-20", 60), ("2026-05-21", 60), ("2026-06-20", 61)]
    )
    def test_is_full_on_the_same_day_number(self, on: str, months: int):
        assert whole_months(date(2021, 5, 20), date.fromisoformat(on)) == months

    @given(st.dates(date(1990, 1, 1), date(2090, 1, 1)), st.integers(0, 600))
    def test_counts_back_what_was_added(self, day: date, months: int):
        assert whole_months(day, add_months(day, months)) == months
