"""额度: which component binds, what feeds what, and the roundings at its edges, on terms made for the test."""

from dataclasses import replace
from decimal import Decimal

import pytest

from app.domain.decision import Decision, Outcome
from app.domain.money import Yuan
from app.domain.standing import NOTHING_PROMISED
from app.domain.terms import Bands, Choices, LimitComponent, Parameter, ProductTerms
from app.rules.decide import decide
from tests.applications import ON, application, terms_of
from tests.rules.test_interest_subsidy import MADE_UP

ICBC = "icbc/suzhou-innovation-points-loan"


def parameter(name: str, value: object) -> Parameter:
    return Parameter(f"credit_limit.{name}", value, MADE_UP)


def terms(**limits: object) -> ProductTerms:
    base = terms_of(ICBC)
    made = {
        "cap": parameter("cap", Yuan.whole(10_000_000)),
        "components": (),
        "floor": parameter("floor", Yuan.whole(100_000)),
        "rounding_unit": parameter("rounding_unit", Yuan.whole(10_000)),
        **limits,
    }
    return replace(base, credit_limit=replace(base.credit_limit, **made))


def component(name: str, value: object, of: str | None = None) -> LimitComponent:
    return LimitComponent(name, parameter(name, value), of)


def decided(made: ProductTerms, **changes: object) -> Decision:
    return decide(application(ICBC, **changes), made, NOTHING_PROMISED, ON)


def decisive(decision: Decision) -> list[str]:
    return [step.step for step in decision.trace() if step.decisive]


class TestTheLimit:
    def test_is_the_least_of_its_components_and_names_it(self):
        made = terms(components=(component("high", Yuan.whole(9_000_000)), component("low", Yuan.whole(2_000_000))))

        decision = decided(made)

        assert decision.offer.credit_limit == Yuan.whole(2_000_000)
        assert decisive(decision) == ["credit_limit.low"]

    @pytest.mark.parametrize(
        ("amount", "limit"),
        [("2009999.99", 2_000_000), ("2010000.00", 2_010_000), ("2010000.01", 2_010_000)],
    )
    def test_is_rounded_down_to_a_whole_ten_thousand_yuan_once_at_the_end(self, amount: str, limit: int):
        decision = decided(terms(), request__amount=amount)

        assert decision.offer.credit_limit == Yuan.whole(limit)

    @pytest.mark.parametrize(
        ("amount", "outcome"),
        [("99999.99", Outcome.DECLINED), ("100000.00", Outcome.PRE_APPROVED), ("109999.99", Outcome.PRE_APPROVED)],
    )
    def test_is_no_offer_below_the_floor(self, amount: str, outcome: Outcome):
        assert decided(terms(), request__amount=amount).outcome is outcome

    def test_may_exceed_the_need_where_the_product_says_so(self):
        made = terms(limited_to_request=parameter("limited_to_request", False))

        assert decided(made, request__amount="100000.00").offer.credit_limit == Yuan.whole(10_000_000)


class TestAComponent:
    def test_takes_the_band_that_begins_on_the_score(self):
        bands = Bands("score.value", (Decimal(0), Decimal("68.55")), (Yuan.whole(1_000_000), Yuan.whole(3_000_000)))
        made = terms(components=(component("score_band", bands),))

        limits = [
            decided(made, innovation_score__value=value).offer.credit_limit for value in ("68.54", "68.55", "68.56")
        ]

        assert limits == [Yuan.whole(1_000_000), Yuan.whole(3_000_000), Yuan.whole(3_000_000)]

    def test_can_be_a_multiple_of_what_the_company_spends_on_research(self):
        made = terms(components=(component("rd_multiple", Decimal("1.5"), "financials.rd_expense"),))

        decision = decided(made, financials__rd_expense="2000000.00")

        assert decision.offer.credit_limit == Yuan.whole(3_000_000)

    def test_can_feed_another(self):
        grades = Choices("score.grade", {"A": Yuan.whole(8_000_000)})
        half = component("half_of_grade", Decimal("0.50"), "grade")
        made = terms(components=(component("grade", grades), half))

        decision = decided(made, innovation_score__grade="A")

        assert decision.offer.credit_limit == Yuan.whole(4_000_000)
        assert decisive(decision) == ["credit_limit.half_of_grade"]

    def test_can_be_a_share_of_the_cap(self):
        made = terms(components=(component("share", Decimal("0.40"), "cap"),))

        assert decided(made).offer.credit_limit == Yuan.whole(4_000_000)

    def test_refers_where_its_table_has_no_row_for_the_company(self):
        made = terms(components=(component("grade", Choices("score.grade", {"A": Yuan.whole(1)})),))

        decision = decided(made, innovation_score__grade="B")

        assert decision.outcome is Outcome.REFERRED
        assert [r.code.name for r in decision.reasons] == ["TABLE_HAS_NO_ROW"]

    def test_refers_where_its_fact_is_unknown_and_names_it_once(self):
        feeds = component("feeds", Choices("score.grade", {"A": Yuan.whole(1)}))
        made = terms(components=(feeds, component("fed", Decimal("0.50"), "feeds")))

        decision = decided(made, innovation_score__grade=None)

        assert [(r.code.name, r.clause) for r in decision.reasons] == [("FACT_UNKNOWN", "credit_limit.feeds")]
