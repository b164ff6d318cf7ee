"""The analysis remarks on what is allowed and probably not meant."""

import pytest

from app.products.analysis import remarks
from tests.products.catalogues import LOAN, ZONE, catalogue, catalogue_with, changed, loan


def table(section: str, key: str, by: str, value: str) -> str:
    return f"{section}: {{{key}: {{by: {by}, values: {{2023-01-01: {{value: {value}, reference: chosen}}}}}}}}"


def component(value: str, by: str = "by: score, ") -> str:
    return (
        "credit_limit: {components: {score_band: {"
        + by
        + f"values: {{2023-01-01: {{value: {value}, reference: chosen}}}}}}}}}}"
    )


def gate(fact: str, test: str, value: str, severity: str = "DECLINE") -> str:
    return (
        f"gates: {{planted: {{words: {{zh: 条件, en: condition}}, fact: {fact}, test: {test}, severity: {severity}, "
        f"values: {{2023-01-01: {{value: {value}, reference: chosen}}}}}}}}"
    )


def remarks_on(sections: str) -> list[str]:
    found = remarks(catalogue_with({LOAN: loan(sections)}))
    assert all(r.file and r.line > 0 and r.mend.endswith(".") for r in found)
    return [remark.what for remark in found]


class TestASoundCatalogue:
    def test_gets_no_remark(self):
        assert remarks(catalogue()) == ()


class TestATable:
    @pytest.mark.parametrize(
        ("sections", "remark"),
        [
            (
                component("[{from: '0', value: 100}, {from: '60', value: 5_000_000}, {from: '80', value: 4_999_999}]"),
                "credit_limit.score_band treats a better score.value worse: 4999999.00 for 80, 5000000.00 for 60",
            ),
            (
                table("pricing", "spread_bps", "score", "[{from: '0', value: 45}, {from: '60', value: 46}]"),
                "pricing.spread_bps treats a better score.value worse: 46 for 60, 45 for 0",
            ),
            (
                table("pricing", "spread_bps", "grade", "{AA: 46, A: 45, B: 80}"),
                "pricing.spread_bps treats a better score.grade worse: 46 for AA, 45 for A",
            ),
            (
                table("tenor", "maximum_months", "rank_in_zone", "[{from: 1, value: 12}, {from: 11, value: 13}]"),
                "tenor.maximum_months treats a better score.rank_in_zone worse: 12 for 1, 13 for 11",
            ),
            (
                table("credit_limit", "cap", "score", "[{from: '0', value: 10_000_000}, {from: '90', value: 1}]"),
                "credit_limit.cap treats a better score.value worse: 1.00 for 90, 10000000.00 for 0",
            ),
        ],
    )  # fmt: skip
    def test_in_which_a_better_company_is_treated_worse_is_remarked_on(self, sections: str, remark: str):
        assert remarks_on(sections) == [remark]

    @pytest.mark.parametrize(
        "sections",
        [
            component("[{from: '0', value: 5_000_000}, {from: '60', value: 5_000_000}]"),
            table("pricing", "spread_bps", "score", "[{from: '0', value: 45}, {from: '60', value: 45}]"),
            table("tenor", "maximum_months", "rank_in_zone", "[{from: 1, value: 13}, {from: 11, value: 12}]"),
            table("tenor", "maximum_months", "employees", "[{from: 0, value: 13}, {from: 11, value: 12}]"),
        ],
    )
    def test_in_which_nobody_is_treated_worse_is_not(self, sections: str):
        assert remarks_on(sections) == []

    def test_with_a_row_beyond_the_scale_is_remarked_on(self):
        rows = "[{from: '0', value: 1_000_000}, {from: '100', value: 2_000_000}, {from: '100.01', value: 3_000_000}]"

        assert remarks_on(component(rows)) == [
            "credit_limit.score_band: no company reaches the row from 100.01, since the scale ends at 100"
        ]

    def test_with_a_row_beyond_an_unpublished_scale_is_not(self):
        unpublished = changed(ZONE, "    scale_maximum:", "    note: {zh: 未公布, en: not published}\n    # maximum:")
        rows = "[{from: '0', value: 1_000_000}, {from: '9999', value: 3_000_000}]"

        assert remarks(catalogue_with({ZONE: unpublished, LOAN: loan(component(rows))})) == ()

    def test_with_a_row_below_a_declining_gate_is_remarked_on_but_for_the_first(self):
        rows = "[{from: '0', value: 1_000_000}, {from: '30', value: 2_000_000}, {from: '40', value: 3_000_000}]"

        assert remarks_on(component(rows)) == [
            "credit_limit.score_band: no company reaches the row from 30, since a gate declines below 40"
        ]
        assert remarks_on(component(rows.replace("'40'", "'40.01'"))) == []

    def test_with_a_row_above_a_declining_gate_is_remarked_on(self):
        rows = "[{from: 0, value: 12}, {from: 20, value: 13}, {from: 21, value: 14}]"
        sections = gate("employees", "at_most", "20") + "\n" + table("tenor", "maximum_months", "employees", rows)

        assert remarks_on(sections) == [
            "tenor.maximum_months: no company reaches the row from 21, since a gate declines above 20"
        ]

    def test_that_leaves_out_a_code_is_remarked_on(self):
        assert remarks_on(table("tenor", "maximum_months", "stage", "{startup: 12}")) == [
            "tenor.maximum_months has no row for the score.stage growth: such a company is referred"
        ]
        assert remarks_on(table("tenor", "maximum_months", "size", "{MICRO: 12, SMALL: 12}")) == [
            "tenor.maximum_months has no row for the company.size LARGE, MEDIUM: such a company is referred"
        ]

    def test_that_leaves_out_only_codes_that_a_gate_excludes_is_not(self):
        stages = table("tenor", "maximum_months", "stage", "{startup: 12}")
        sizes = table("tenor", "maximum_months", "size", "{MICRO: 12, SMALL: 12, MEDIUM: 12}")

        assert remarks_on(gate("stage", "one_of", "[startup]") + "\n" + stages) == []
        assert remarks_on(gate("size", "none_of", "[LARGE]") + "\n" + sizes) == []


class TestAFigure:
    @pytest.mark.parametrize(
        ("sections", "remark"),
        [
            (
                component("10_000_001", by=""),
                "credit_limit.score_band has 10000001.00, which is above the product's cap of 10000000.00",
            ),
            (
                "credit_limit: {cap: {values: {2023-01-01: {value: 50_000_001, reference: chosen}}}}",
                "credit_limit.cap has 50000001.00, which is above the lender's cap of 50000000.00",
            ),
            (
                "credit_limit: {floor: {values: {2023-01-01: {value: 10_000_001, reference: chosen}}}}",
                "credit_limit.floor has 10000001.00, which is above the product's cap of 10000000.00",
            ),
            (
                "tenor: {minimum_months: {values: {2023-01-01: {value: 37, reference: chosen}}}}",
                "tenor.minimum_months has 37, which is above maximum_months of 36",
            ),
        ],
    )
    def test_above_what_bounds_it_is_remarked_on(self, sections: str, remark: str):
        assert remarks_on(sections) == [f"{remark} on 2023-01-01"]

    def test_that_equals_what_bounds_it_is_not(self):
        assert remarks_on(component("10_000_000", by="")) == []
        assert remarks_on("tenor: {minimum_months: {values: {2023-01-01: {value: 36, reference: chosen}}}}") == []


class TestAGate:
    def test_that_nobody_passes_is_remarked_on(self):
        assert remarks_on(gate("score", "at_least", '"100.01"')) == [
            "no company passes: the gate asks for 100.01, and the scale ends at 100"
        ]
        assert remarks_on(gate("score", "at_least", '"100"')) == []

    def test_that_is_missing_altogether_is_remarked_on(self):
        none = """
gates:
  technology_level: {words: {zh: 甲, en: a}, fact: vetoed, test: is, severity: REFER, values: {2022-01-01: null}}
  minimum_score: {words: {zh: 甲, en: a}, fact: vetoed, test: is, severity: REFER, values: {2022-01-01: null}}
"""
        assert remarks_on(none) == ["demo/loan has no gates from 2023-01-01"]
