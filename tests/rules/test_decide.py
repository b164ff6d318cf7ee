"""What holds of every decision, whatever the company and the product."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.audit.application import application_from_document
from app.domain.decision import Decision, Outcome
from app.domain.facts import add_months
from app.domain.money import Yuan
from app.domain.reasons import ReasonCode
from app.domain.standing import NOTHING_PROMISED, Standing
from app.domain.terms import Severity
from app.rules.decide import decide
from tests.applications import ON, application, commitment, deciding_products, documents, sound, standings, terms_of

ICBC = "icbc/suzhou-innovation-points-loan"


def decided(document: dict, standing: Standing = NOTHING_PROMISED) -> Decision:
    return decide(application_from_document(document), terms_of(document["product"]), standing, ON)


def codes(decision: Decision) -> list[str]:
    return [reason.code.name for reason in decision.reasons]


class TestEveryDecision:
    @given(documents(), st.data())
    def test_has_the_outcome_that_its_gravest_reason_gives(self, document: dict, data: st.DataObject):
        decision = decided(document, data.draw(standings(document["product"])))

        severities = {reason.severity for reason in decision.reasons}
        gravest = [s for s in (Severity.DECLINE, Severity.REFER) if s in severities]
        expected = {Severity.DECLINE: Outcome.DECLINED, Severity.REFER: Outcome.REFERRED}
        assert decision.outcome is (expected[gravest[0]] if gravest else Outcome.PRE_APPROVED)
        assert (decision.offer is not None) == (decision.outcome is Outcome.PRE_APPROVED)

    @given(documents(), st.data())
    def test_never_offers_more_than_any_cap_leaves(self, document: dict, data: st.DataObject):
        standing = data.draw(standings(document["product"]))
        decision = decided(document, standing)
        if decision.offer is None:
            return

        terms = terms_of(document["product"])
        limits, offered = terms.credit_limit, decision.offer.credit_limit
        replaced = document["request"]["replaces"]
        counting = [c for c in standing.commitments if c.counts_until >= ON and c.offer_id != replaced]
        assert offered + sum(c.credit_limit for c in counting) <= limits.lender_cap.value
        amounts = {s.step: s.answer for s in decision.trace() if s.step.startswith("credit_limit.")}
        assert offered <= amounts[limits.cap.path]
        assert all(offered <= amounts[component.parameter.path] for component in limits.components)
        assert offered % limits.rounding_unit.value == 0
        assert offered >= limits.floor.value
        if limits.limited_to_request.value:
            assert offered <= Yuan.parse(document["request"]["amount"])

    @given(documents(), st.data())
    def test_is_the_same_for_the_same_facts(self, document: dict, data: st.DataObject):
        standing = data.draw(standings(document["product"]))

        assert decided(document, standing) == decided(document, standing)

    @given(documents())
    def test_answers_every_gate_whatever_the_others_say(self, document: dict):
        decision, terms = decided(document), terms_of(document["product"])

        paths = [step.step for step in decision.trace() if step.step.startswith("gates.")]
        assert paths == [gate.path for gate in terms.gates]

    @given(documents())
    def test_gives_a_reason_for_each_gate_that_did_not_pass_in_their_order(self, document: dict):
        decision = decided(document)

        failed = [
            (g.clause or g.path) for g, a in zip(decision.gates.gates, decision.gates.answers, strict=True) if not a
        ]
        clauses = [reason.clause for reason in decision.reasons]
        assert [clause for clause in clauses if clause in failed] == failed

    @given(documents())
    def test_never_pays_more_subsidy_than_interest_and_shares_each_loss_whole(self, document: dict):
        offer = decided(document).offer
        if offer is None:
            return

        rate = offer.form.annual_rate if offer.form.annual_rate is not None else offer.form.annual_rate_ceiling
        days = (add_months(ON, offer.form.tenor_months) - ON).days
        interest = int(offer.credit_limit) * rate * days / 360
        assert 0 <= offer.interest_subsidy.maximum_amount <= interest + 1
        assert 0 <= offer.interest_subsidy.net_annual_rate_at_best <= rate
        assert sum(share.share for share in offer.risk_compensation.shares) == Decimal(1)
        assert offer.risk_compensation.covered_amount <= offer.credit_limit
        assert offer.expires_on > ON


class TestABetterScore:
    @pytest.mark.parametrize("product", deciding_products())
    @given(a=st.decimals(0, 100, places=2), b=st.decimals(0, 100, places=2))
    def test_never_lowers_the_line_nor_raises_the_rate(self, product: str, a: Decimal, b: Decimal):
        low, high = sorted((a, b))
        worse, better = (decided(sound(product, innovation_score__value=str(v))) for v in (low, high))
        if worse.offer is None:
            return

        assert better.offer is not None
        assert better.offer.credit_limit >= worse.offer.credit_limit
        for name in ("annual_rate", "annual_rate_ceiling"):
            if getattr(worse.offer.form, name) is not None:
                assert getattr(better.offer.form, name) <= getattr(worse.offer.form, name)


class TestAnUnknownFact:
    @pytest.mark.parametrize("product", deciding_products())
    def test_never_passes_a_gate(self, product: str):
        bare = {k: v for k, v in sound(product).items() if k in ("application_id", "product", "company", "request")}
        bare["company"] = {k: v for k, v in bare["company"].items() if k in ("uscc", "name", "zone")}

        decision = decided(bare)

        assert decision.outcome is Outcome.REFERRED
        unknown = [r for r in decision.reasons if r.code is ReasonCode.FACT_UNKNOWN]
        asked = [g for g in decision.gates.gates if not g.fact.startswith("request.")]
        assert len(unknown) >= len(asked)
        assert all("(" in r.words.zh and "(" in r.words.en for r in unknown)


class TestWhatIsAlreadyPromised:
    def test_leaves_only_the_rest_of_the_cap(self):
        decision = decided(sound(ICBC), Standing((commitment(ICBC, 4_000_000),)))

        assert decision.offer.credit_limit == Yuan.whole(6_000_000)

    def test_declines_once_the_cap_is_used(self):
        decision = decided(sound(ICBC), Standing((commitment(ICBC, 10_000_000),)))

        assert decision.outcome is Outcome.DECLINED
        assert codes(decision) == ["CAP_USED"]

    def test_counts_on_its_last_day_and_not_on_the_day_after(self):
        line = commitment(ICBC, 10_000_000, counts_until=ON)

        assert decided(sound(ICBC), Standing((line,))).outcome is Outcome.DECLINED
        lapsed = replace(line, counts_until=ON - timedelta(days=1))
        assert decided(sound(ICBC), Standing((lapsed,))).offer.credit_limit == Yuan.whole(10_000_000)

    def test_does_not_count_when_the_new_line_replaces_it(self):
        standing = Standing((commitment(ICBC, 5_000_000, offer_id="O-5"),))

        decision = decided(sound(ICBC, request__replaces="O-5"), standing)

        assert decision.offer.credit_limit == Yuan.whole(10_000_000)

    def test_refers_when_the_line_to_replace_is_not_known(self):
        decision = decided(sound(ICBC, request__replaces="O-9"))

        assert decision.outcome is Outcome.REFERRED
        assert "REPLACED_LINE_UNKNOWN" in codes(decision)

    def test_of_another_company_of_the_group_cannot_be_replaced_and_goes_on_counting(self):
        lender_cap = terms_of(ICBC).credit_limit.lender_cap.value
        sister = commitment(ICBC, int(lender_cap) // 100, offer_id="O-5", uscc="91999999MAT0000269", group_id="G")

        decision = decided(sound(ICBC, request__replaces="O-5"), Standing((sister,)))

        assert decision.outcome is Outcome.DECLINED
        assert codes(decision) == ["REPLACED_LINE_UNKNOWN", "CAP_USED"]

    def test_on_another_product_counts_against_the_lender_s_cap_only(self):
        lender_cap = terms_of(ICBC).credit_limit.lender_cap.value
        all_but_three = int(lender_cap) // 100 - 3_000_000
        elsewhere = commitment("icbc/another", all_but_three)

        decision = decided(sound(ICBC), Standing((elsewhere,)))

        assert decision.offer.credit_limit == Yuan.whole(3_000_000)

    def test_of_another_company_of_the_group_counts_against_the_lender_s_cap_only(self):
        sister = commitment(ICBC, 10_000_000, uscc="91999999MAT0000269", group_id="G")

        assert decided(sound(ICBC), Standing((sister,))).offer.credit_limit == Yuan.whole(10_000_000)


class TestAnOffer:
    def test_comes_out_as_the_contract_s_example_shows(self):
        stage = {"innovation_score__stage": "startup"}

        offer = decide(application(ICBC, **stage), terms_of(ICBC), NOTHING_PROMISED, ON).offer

        assert offer.credit_limit.text() == "10000000.00"
        assert offer.form.annual_rate == Decimal("0.0345")
        assert offer.expires_on.isoformat() == "2027-02-18"
        assert offer.interest_subsidy.maximum_amount.text() == "174895.83"
        assert offer.interest_subsidy.net_annual_rate_at_best == Decimal("0.01725")
