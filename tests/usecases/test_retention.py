"""How long a case is kept, to the day; and what stands in the operator's records of it."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.audit.operator_record import OperatorAct, OperatorRecord
from app.usecases.retention import (
    Case,
    CaseRecord,
    Hold,
    company_digest,
    hold_document,
    holds_in,
    kept_until,
    lift_document,
    may_be_pruned,
    prune_document,
    pruned_in,
)

NOW = datetime(2037, 1, 1, tzinfo=UTC)


def case(ended_on: date | None = date(2026, 11, 20), *, uscc: str = "U", indices: tuple[int, ...] = (3,)) -> Case:
    records = tuple(CaseRecord(f"d{index}", index, True) for index in indices)
    return Case("icbc", "A", frozenset({uscc}), records, (), ended_on)


def placed(hold_id: str, company: str | None = None, decision: str | None = None) -> OperatorRecord:
    document = hold_document(hold_id, company=company, decision=decision, reason="why", person="2001")
    return OperatorRecord(OperatorAct.LEGAL_HOLD_PLACED, document, "cli:root", NOW)


class TestACase:
    @pytest.mark.parametrize(
        ("on", "years", "may"),
        [
            (date(2036, 11, 19), 10, False),
            (date(2036, 11, 20), 10, False),
            (date(2036, 11, 21), 10, True),
            (date(2036, 11, 21), 11, False),
            (date(2036, 11, 20), 1, False),
        ],
    )
    def test_is_kept_for_ten_years_to_the_day_or_longer(self, on: date, years: int, may: bool):
        assert may_be_pruned(case(), on, years, ()) is may

    def test_that_has_not_ended_is_kept_for_ever(self):
        assert not may_be_pruned(case(None), date(2999, 1, 1), 10, ())

    def test_that_ended_on_the_29th_of_february_is_kept_until_the_1st_of_march(self):
        assert kept_until(date(2028, 2, 29), 10) == date(2038, 3, 1)
        assert kept_until(date(2028, 2, 29), 12) == date(2040, 2, 29)

    @given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(10, 99))
    def test_is_never_kept_for_less(self, ended: date, years: int):
        assert (kept_until(ended, years) - ended).days >= years * 365 + years // 4 - 1

    @pytest.mark.parametrize(("company", "decision"), [("U", None), (None, "d3")])
    def test_that_a_hold_names_is_kept(self, company: str | None, decision: str | None):
        holds = holds_in([placed("h", company, decision), placed("other", "V", None), placed("more", None, "d9")])

        assert not may_be_pruned(case(), date(2099, 1, 1), 10, holds)
        assert may_be_pruned(case(uscc="W", indices=(4,)), date(2099, 1, 1), 10, holds)


class TestAHold:
    def test_stands_until_it_is_lifted(self):
        document = lift_document("h1", reason="over", person="2001")
        lifted = OperatorRecord(OperatorAct.LEGAL_HOLD_LIFTED, document, "x", NOW)

        assert [hold.hold_id for hold in holds_in([placed("h1"), placed("h2"), lifted])] == ["h2"]

    def test_names_the_same_company_otherwise_each_time(self):
        first, second = placed("h1", "U").document["company"], placed("h2", "U").document["company"]

        assert first != second and "U" not in first
        assert first == company_digest("h1", "U")
        assert isinstance(holds_in([placed("h1", "U")])[0], Hold)


class TestARecordOfPruning:
    @given(st.sets(st.integers(0, 60), min_size=1))
    def test_names_every_index_and_no_other(self, indices: set[int]):
        cases = [case(indices=(index,)) for index in sorted(indices)]
        document = prune_document("icbc", cases, on=date(2037, 1, 1), years=10)

        record = OperatorRecord(OperatorAct.RECORDS_PRUNED, document, "cli:root", NOW)

        assert pruned_in([record]) == {"icbc": frozenset(indices)}
