"""What would change a decision, and the proof of it."""

from datetime import date, timedelta
from decimal import Decimal
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.audit.application import application_from_document
from app.domain.company import Application
from app.domain.decision import Outcome
from app.domain.facts import FACTS, FactKind, Facts, fact_named, reader_of
from app.domain.money import Yuan
from app.domain.standing import NOTHING_PROMISED, Standing
from app.domain.supposed import suppose
from app.rules.counterfactual import Counterfactual, changed, counterfactuals, result_of
from app.rules.decide import decide
from app.rules.suppositions import NUMERIC, Case
from tests.applications import ON, application, commitment, documents, standings, terms_of

KUNSHAN = "icbc/kunshan-innovation-points-finance"
SUZHOU = "icbc/suzhou-innovation-points-loan"
UPGRADE = "undisclosed/suzhou-technology-upgrade-loan"


def found_for(applied: Application, standing: Standing = NOTHING_PROMISED) -> tuple[Counterfactual, ...]:
    """What would change that decision."""
    return counterfactuals(Case(applied, standing), terms_of(applied.product), ON, decide)


def said(found: tuple[Counterfactual, ...], *, better: bool = True) -> list[tuple[dict[str, object], object, object]]:
    """The changes, and the outcome and limit that they lead to."""
    return [
        ({c.fact: c.value for c in f.changes}, f.result.outcome.value, f.result.credit_limit)
        for f in found
        if f.better is better
    ]


class TestACounterfactual:
    def test_names_the_score_that_reaches_the_next_band(self):
        applied = application(KUNSHAN, innovation_score__value="68.55", innovation_score__rank=RANKED)

        assert said(found_for(applied))[:2] == [
            ({"score.value": Decimal("70")}, "PRE_APPROVED", Yuan.whole(7_000_000)),
            ({"score.value": Decimal("85")}, "PRE_APPROVED", Yuan.whole(10_000_000)),
        ]

    def test_names_the_figure_from_which_the_limit_would_be_lower(self):
        applied = application(KUNSHAN, innovation_score__value="85.00", innovation_score__rank=RANKED)

        worse = said(found_for(applied), better=False)

        assert ({"score.value": Decimal("84.99")}, "PRE_APPROVED", Yuan.whole(7_000_000)) in worse

    def test_names_what_was_not_told(self):
        applied = application(SUZHOU, evidence={"technology_level": {"established": True, "on": "2026-10-10"}})

        assert said(found_for(applied)) == [
            ({"evidence.equity_financing_plan": True}, "PRE_APPROVED", Yuan.whole(10_000_000))
        ]

    def test_names_together_what_only_helps_together_and_nothing_idle(self):
        applied = application(
            SUZHOU, credit_history__past_due_days=45, credit_history__listings__judgment_defaulter=True
        )

        assert said(found_for(applied)) == [
            ({"credit.past_due_days": 0, "credit.judgment_defaulter": False}, "PRE_APPROVED", Yuan.whole(10_000_000))
        ]

    def test_finds_the_way_from_nothing_told_to_an_offer(self):
        bare = application_from_document(
            {
                "application_id": "A", "product": SUZHOU, "request": {"amount": "1000000.00", "tenor_months": 12,
                "purpose": "research"}, "company": {"uscc": "91999999MAT000018E", "name": "示例", "zone": "suzhou-snd"},
            }
        )  # fmt: skip

        (together,) = [f for f in found_for(bare) if f.better]

        assert together.result.outcome is Outcome.PRE_APPROVED
        assert {"authorisation", "innovation_score", "score.value"} <= {c.fact for c in together.changes}

    def test_names_the_revenue_that_a_share_of_it_needs(self):
        applied = application(UPGRADE, financials__revenue="100000000.00", request__amount="100000000.00")

        bettered = said(found_for(applied))

        assert any("financials.revenue" in changes for changes, _, _ in bettered)

    def test_says_what_asking_for_more_would_need(self):
        applied = application(
            SUZHOU, innovation_score__value="55.20", request__amount="5000000.00", innovation_score__stage="startup"
        )

        assert said(found_for(applied)) == [
            (
                {"score.value": Decimal("60"), "request.amount": Yuan.whole(10_000_000)},
                "PRE_APPROVED",
                Yuan.whole(10_000_000),
            )
        ]

    def test_says_when_what_is_promised_already_stands_in_the_way(self):
        taken = Standing((commitment(SUZHOU, 10_000_000),))

        assert ({"standing": 0}, "PRE_APPROVED", Yuan.whole(10_000_000)) in said(found_for(application(SUZHOU), taken))

    @pytest.mark.parametrize(
        ("changes", "needed"),
        [
            ({"authorisation": None}, {"authorisation": ON}),
            ({"innovation_score__as_of": "2025-11-19"}, {"innovation_score.as_of": ON - timedelta(days=365)}),
            ({"innovation_score__source": None}, {"innovation_score.source.kind": "SCORE_SHEET"}),
            ({"innovation_score__vetoed": True}, {"score.vetoed": False}),
        ],
    )
    def test_names_the_circumstance_that_stands_in_the_way(self, changes: dict, needed: dict):
        assert (needed, "PRE_APPROVED", Yuan.whole(10_000_000)) in said(found_for(application(SUZHOU, **changes)))

    def test_is_not_made_up_where_nothing_is_decided(self):
        listed = application_from_document(
            {
                "application_id": "A", "product": "cib/kunshan-technology-flow", "request": {"amount": "1.00",
                "tenor_months": 1, "purpose": "research"}, "company": {"uscc": "91999999MAT000018E", "name": "示例",
                "zone": "kunshan"},
            }
        )  # fmt: skip

        assert found_for(listed) == ()


RANKED = {"position": 1, "within": "ZONE"}


class TestEveryCounterfactual:
    @given(applied=documents(), data=st.data())
    def test_is_what_deciding_again_answers_and_none_of_its_changes_is_idle(self, applied: dict, data: st.DataObject):
        case = Case(application_from_document(applied), data.draw(standings(applied["product"])))
        terms = terms_of(applied["product"])
        before = result_of(decide(case.application, terms, case.standing, ON))

        for found in counterfactuals(case, terms, ON, decide):
            then = changed(case, found.changes)
            result = result_of(decide(then.application, terms, then.standing, ON))
            assert result == found.result
            assert (result.order() > before.order()) is found.better
            for change in found.changes:
                fewer = changed(case, [other for other in found.changes if other is not change])
                assert fewer is None or result_of(decide(fewer.application, terms, fewer.standing, ON)) != result

    @given(applied=documents())
    def test_of_one_figure_is_its_nearest_value_with_that_effect(self, applied: dict):
        case, terms = Case(application_from_document(applied), NOTHING_PROMISED), terms_of(applied["product"])
        before = result_of(decide(case.application, terms, case.standing, ON))

        for found in counterfactuals(case, terms, ON, decide):
            (change, *more) = found.changes
            if more or not is_figure(change.fact) or change.actual is None or change.fact == "request.amount":
                continue
            unit = {FactKind.MONEY: Yuan(1), FactKind.COUNT: 1}.get(fact_named(change.fact).kind, Decimal("0.000001"))
            nearer = change.value + (unit if change.value < change.actual else -unit)
            if abs(change.value - change.actual) <= Decimal("0.01") or nearer == change.actual:
                continue
            if fact_named(change.fact).kind is FactKind.NUMBER and change.value < change.actual:
                # A score below a floor is shown to the hundredth.
                nearer = change.value + Decimal("0.01")
            supposed = suppose(case.application, change.fact, nearer, ON)
            result = result_of(decide(supposed, terms, case.standing, ON))
            assert result != found.result, (change.fact, change.value, nearer, before)


def is_figure(fact: str) -> bool:
    known = fact_named(fact)
    return known is not None and known.kind in NUMERIC


class TestSupposing:
    VALUES: ClassVar = {
        FactKind.NUMBER: Decimal("71.5"), FactKind.MONEY: Yuan.whole(123), FactKind.COUNT: 7,
        FactKind.SHARE: Decimal("0.123456"), FactKind.CODE: "SMALL", FactKind.CODES: frozenset({"srdi", "x"}),
        FactKind.FLAG: True,
    }  # fmt: skip

    @pytest.mark.parametrize("fact", [*FACTS, "evidence.patent"])
    @pytest.mark.parametrize("on", [ON, date(2028, 2, 29)])
    def test_puts_in_what_is_then_read_and_moves_nothing_else(self, fact: str, on: date):
        applied = application(SUZHOU)
        value = self.VALUES[fact_named(fact).kind]

        supposed = suppose(applied, fact, value, on)

        before, after = Facts(applied, on), Facts(supposed, on)
        assert reader_of(fact)(after) == value
        section = {"rd_intensity": "rd_expense", "revenue_change_share": "revenue"}.get(fact.partition(".")[2])
        follows = {"financials.rd_intensity", "financials.revenue_change_share"}
        other = {
            name for name in FACTS
            if name not in (fact, f"financials.{section}", *follows) and not name.startswith("score.rank")
        }  # fmt: skip
        assert [n for n in other if reader_of(n)(before) != reader_of(n)(after)] == []

    def test_gives_nothing_where_the_fact_cannot_be_put_in(self):
        bare = application(SUZHOU, innovation_score=None, financials=None)

        assert suppose(bare, "score.value", Decimal(60), ON) is None
        assert suppose(bare, "financials.rd_intensity", Decimal("0.5"), ON) is None
