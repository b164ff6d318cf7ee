"""Terms come from the document alone, and a gate answers exactly True or False."""

import dataclasses
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.company import CompanySize
from app.domain.facts import FACTS, FactKind
from app.domain.money import Yuan
from app.domain.terms import GateTest, LimitComponent, PriceMethod, ProductTerms, SubsidyBase
from app.products.build import passing, terms_from_document
from app.products.catalog import Catalog
from app.products.gates import TESTS_OF
from tests.products.catalogues import LOAN, catalogue_with, loan, row

DAY = date(2026, 11, 20)

# One of everything that the sound catalogue has not.
EVERYTHING = """
gates:
  young: {words: {zh: 年限, en: age}, fact: age_months, test: at_most, severity: DECLINE,
          values: {2023-01-01: {value: 120, reference: chosen}}}
  sold: {words: {zh: 收入, en: revenue}, fact: revenue, test: at_least, severity: DECLINE,
         values: {2023-01-01: {value: 5_000_000, reference: chosen}}}
  grown: {words: {zh: 增长, en: growth}, fact: revenue_change_share, test: at_least, severity: REFER,
          values: {2023-01-01: {value: "-0.20", reference: chosen}}}
  held: {words: {zh: 资质, en: qualification}, fact: qualifications, test: any_of, severity: DECLINE,
         values: {2023-01-01: {value: [high-tech], reference: chosen}}}
  made: {words: {zh: 行业, en: industry}, fact: industry_code, test: starts_with, severity: DECLINE,
         values: {2023-01-01: {value: [C39, "40"], reference: chosen}}}
credit_limit:
  cap: {by: stage, values: {2023-01-01: {value: {startup: 3_000_000, growth: 10_000_000}, reference: chosen}}}
  components:
    half: {of: cap, unit: share, by: rank_in_stage,
           values: {2023-01-01: {value: [{from: 1, value: "1.00"}, {from: 11, value: "0.50"}], reference: chosen}}}
    sales:
      by: revenue
      values:
        2023-01-01: {value: [{from: 0, value: 1_000_000}, {from: 5_000_000, value: 9_000_000}], reference: chosen}
guarantee: {fee_rate: {values: {2023-01-01: {value: "0.01", reference: chosen}}}}
pricing:
  method: DISCOUNT
  lpr_term: 5Y+
  conventional_rate: {values: {2023-01-01: {value: "0.0400", reference: chosen}}}
  discount_share: {values: {2023-01-01: {value: "0.15", reference: chosen}}}
  ceiling_bps: {values: {2023-01-01: {value: -40, reference: chosen}}}
"""


@pytest.fixture(scope="module")
def rich() -> Catalog:
    return catalogue_with({LOAN: loan(EVERYTHING)})


CALLABLES = {"passes", "read", "read_base"}


def compared(value: Any) -> Any:
    """Terms as comparable values: everything but the callables, which follow from the rest."""
    if dataclasses.is_dataclass(value):
        return type(value).__name__, {
            f.name: compared(getattr(value, f.name)) for f in dataclasses.fields(value) if f.name not in CALLABLES
        }
    if isinstance(value, Mapping):
        return {key: compared(part) for key, part in value.items()}
    if isinstance(value, tuple):
        return [compared(part) for part in value]
    return type(value), value


def walk(part: Any) -> Iterator[Any]:
    yield part
    for below in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from walk(below)


class TestADocument:
    def test_gives_the_same_terms_after_it_was_recorded_and_read_again(self, rich: Catalog):
        terms = rich.terms("demo/loan", on=DAY)
        recorded = orjson.dumps(terms.document, option=orjson.OPT_SORT_KEYS)

        again = terms_from_document(orjson.loads(recorded))

        assert compared(again) == compared(terms)
        assert orjson.dumps(again.document, option=orjson.OPT_SORT_KEYS) == recorded

    def test_of_a_product_that_does_not_decide_makes_the_round_trip_too(self, rich: Catalog):
        terms = rich.terms("demo/lease", on=DAY)

        assert compared(terms_from_document(orjson.loads(orjson.dumps(terms.document)))) == compared(terms)

    def test_holds_nothing_but_plain_values_under_ascii_keys(self, rich: Catalog):
        for part in walk(rich.terms_document("demo/loan", on=DAY)):
            assert type(part) in (str, int, bool, type(None), list, dict)
            if isinstance(part, dict):
                assert all(type(key) is str and key.isascii() for key in part)

    def test_does_not_name_the_day(self, rich: Catalog):
        assert rich.terms_document("demo/loan", on=DAY) == rich.terms_document("demo/loan", on=date(2026, 11, 21))

    @pytest.mark.parametrize("spoilt", [{}, {"id": "x"}, {"lender": None}])
    def test_that_is_none_of_ours_is_refused(self, spoilt: dict[str, Any]):
        with pytest.raises((KeyError, ValueError, TypeError)):
            terms_from_document(spoilt)


class TestBuiltTerms:
    def test_have_the_exact_types_of_their_facts(self, rich: Catalog):
        terms = rich.terms("demo/loan", on=DAY)
        by_path = {gate.path.removeprefix("gates."): gate.threshold for gate in terms.gates}

        assert by_path["young"] == 120 and type(by_path["young"]) is int
        assert by_path["sold"] == Yuan.whole(5_000_000) and type(by_path["sold"]) is Yuan
        assert by_path["grown"] == Decimal("-0.20") and type(by_path["grown"]) is Decimal
        assert by_path["held"] == frozenset({"high-tech"})

    def test_have_tables_over_every_kind_of_fact(self, rich: Catalog):
        terms = rich.terms("demo/loan", on=DAY)
        components: dict[str, LimitComponent] = {c.name: c for c in terms.credit_limit.components}

        assert terms.credit_limit.cap.at("growth") == Yuan.whole(10_000_000)
        assert row(components["half"].parameter, 10) == (1, Decimal("1.00"))
        assert row(components["half"].parameter, 11) == (11, Decimal("0.50"))
        sales = components["sales"].parameter
        assert row(sales, Yuan.parse("4999999.99")) == (Yuan(0), Yuan.whole(1_000_000))
        assert row(sales, Yuan.parse("5000000.00")) == (Yuan.whole(5_000_000), Yuan.whole(9_000_000))
        assert terms.guarantee_fee_rate.value == Decimal("0.01")

    def test_carry_the_price_and_what_surrounds_it(self, rich: Catalog):
        terms: ProductTerms = rich.terms("demo/loan", on=DAY)

        assert (terms.pricing.method, terms.pricing.lpr_term) == (PriceMethod.DISCOUNT, "5Y+")
        assert (terms.pricing.discount_share.value, terms.pricing.ceiling_bps.value) == (Decimal("0.15"), -40)
        assert terms.lpr["5Y+"].rate == Decimal("0.0485")
        subsidy = terms.subsidies[0]
        assert (subsidy.base, subsidy.share.value) == (SubsidyBase.INTEREST_SHARE, Decimal("0.50"))
        assert subsidy.share.path == "interest_subsidies.testing/startup-subsidy.share"
        assert terms.risk_compensation.per_company_cap.value == Yuan.whole(5_000_000)
        assert terms.score.schemes["testing"].versions == frozenset({"2025"})


VALUES: dict[FactKind, st.SearchStrategy[Any]] = {
    FactKind.NUMBER: st.decimals("0", "1000", places=2),
    FactKind.SHARE: st.decimals("-1", "10", places=6),
    FactKind.MONEY: st.integers(-(10**15), 10**15).map(Yuan),
    FactKind.COUNT: st.integers(0, 10**6),
    FactKind.CODE: st.sampled_from(["C39", "C3911", "4012", "startup", CompanySize.SMALL, "SMALL", ""]),
    FactKind.CODES: st.frozensets(st.sampled_from(["high-tech", "srdi", "tech-sme"])),
    FactKind.FLAG: st.booleans(),
}
THRESHOLDS = VALUES | {
    FactKind.CODE: st.frozensets(st.sampled_from(["C39", "40", "startup", "SMALL"]), min_size=1),
    FactKind.CODES: st.frozensets(st.sampled_from(["high-tech", "srdi"]), min_size=1),
}
MEANING = {
    GateTest.AT_LEAST: lambda actual, wanted: actual >= wanted,
    GateTest.AT_MOST: lambda actual, wanted: actual <= wanted,
    GateTest.IS: lambda actual, wanted: actual == wanted,
    GateTest.ONE_OF: lambda actual, wanted: any(actual == code for code in wanted),
    GateTest.NONE_OF: lambda actual, wanted: all(actual != code for code in wanted),
    GateTest.STARTS_WITH: lambda actual, wanted: any(actual.startswith(code) for code in wanted),
    GateTest.STARTS_WITH_NONE_OF: lambda actual, wanted: not any(actual.startswith(code) for code in wanted),
    GateTest.ANY_OF: lambda actual, wanted: any(code in actual for code in wanted),
    GateTest.ALL_OF: lambda actual, wanted: all(code in actual for code in wanted),
}


class TestAGate:
    @pytest.mark.parametrize(
        ("kind", "test"), [(kind, test) for kind in FactKind for test in sorted(TESTS_OF[kind])]
    )
    def test_answers_exactly_true_or_false_for_every_value_of_its_kind(self, kind: FactKind, test: GateTest):
        @given(threshold=THRESHOLDS[kind], actual=VALUES[kind])
        def holds(threshold: Any, actual: Any) -> None:
            answer = passing(test, threshold)(actual)

            assert answer is True or answer is False
            assert answer is MEANING[test](actual, threshold)

        holds()

    @pytest.mark.parametrize("test", [GateTest.AT_LEAST, GateTest.AT_MOST])
    def test_includes_its_threshold(self, test: GateTest):
        for threshold in (Decimal("60"), Yuan.whole(5_000_000), 36):
            assert passing(test, threshold)(threshold) is True

    def test_has_a_test_for_every_kind_of_fact(self):
        assert {fact.kind for fact in FACTS.values()} <= set(TESTS_OF)
        assert set(MEANING) == set(GateTest) == {test for tests in TESTS_OF.values() for test in tests}
