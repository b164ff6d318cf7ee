"""The golden cases: what was really decided, as reported. The published inputs give the published outcome.

The facts stand in golden_cases.yaml, the applications in cases/golden.yaml; what a report does not state is `assumed`.
"""

import json
from dataclasses import replace
from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from stdnum.cn import uscc

from app.api.schemas import DecisionRequest
from app.domain.decision import Outcome
from app.domain.money import Yuan
from app.domain.trace import Basis
from tests.policy_cases import CASES, Case, all_cases, answer, catalogue, differences, found_in

FACTS: dict[str, dict[str, Any]] = {
    fact["id"]: fact for fact in yaml.safe_load((CASES.parent / "golden_cases.yaml").read_text("utf-8"))
}
GOLDEN = [case for case in all_cases() if case.file == "golden"]
WRITTEN = {case["name"]: case for case in yaml.safe_load((CASES / "golden.yaml").read_text("utf-8"))["cases"]}
DECIDED = [golden for golden, fact in FACTS.items() if fact.get("outcome")]


def _named(beginning: str) -> Case:
    """The one case whose name begins so."""
    (case,) = [case for case in GOLDEN if case.name.startswith(beginning)]
    return case


def _first(golden: str) -> Case:
    return next(case for case in GOLDEN if case.name.startswith(f"{golden} "))


def _found(case: Case) -> dict[str, Any]:
    return found_in(*answer(case, catalogue()))


class TestAGoldenCase:
    @pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case.name)
    def test_is_decided_as_it_says(self, case: Case):
        assert differences(case, catalogue()) == []

    @pytest.mark.parametrize("golden", DECIDED)
    def test_has_the_published_outcome(self, golden: str):
        fact, found = FACTS[golden], _found(_first(golden))

        assert found["outcome"] == fact["outcome"]
        for key in ("collateral_required", "annual_rate"):
            if key in fact:
                assert found[key] == fact[key]
        if "credit_limit" in fact:
            assert found["credit_limit"] == Yuan.whole(fact["credit_limit"]).text()

    @pytest.mark.parametrize("golden", sorted(FACTS))
    def test_takes_from_the_report_what_the_report_states(self, golden: str):
        fact, sent = FACTS[golden], _first(golden).document
        score = sent["innovation_score"]

        assert sent["company"]["uscc"] == fact["uscc"] and uscc.is_valid(fact["uscc"])
        assert sent["company"]["zone"] == score["scheme"] == fact["zone"]
        assert fact.get("score") in (None, score.get("value"))
        assert fact.get("stage") in (None, score.get("stage"))
        assert fact.get("rank") in (None, score.get("rank"))
        assert fact.get("purpose") in (None, sent["request"]["purpose"])

    @pytest.mark.parametrize("golden", [g for g in DECIDED if FACTS[g]["lender"] is None])
    def test_without_a_lender_in_the_report_names_none_as_published(self, golden: str):
        published = WRITTEN[_first(golden).name]["published"]

        assert not any("lender" in key or "product" in key for key in published)

    @pytest.mark.parametrize("golden", [g for g in DECIDED if FACTS[g]["lender"]])
    def test_is_decided_by_the_lender_in_the_report(self, golden: str):
        assert _first(golden).product.split("/")[0] == FACTS[golden]["lender"]

    @pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case.name)
    def test_keeps_what_is_assumed_apart_and_names_no_real_company(self, case: Case):
        written = WRITTEN[case.name]
        text = json.dumps(written, ensure_ascii=False, default=str)

        assert not set(written["published"]) & set(written["assumed"])
        assert case.document["company"]["name"].startswith("示例")
        assert not any(fact["company"] in text for fact in FACTS.values())


class TestG1:
    def test_replaces_the_line_of_five_million(self):
        case = _named("G1 raises")

        assert [c.credit_limit for c in case.standing.commitments] == [Yuan.whole(FACTS["G1"]["before"])]
        assert case.document["request"]["replaces"] == case.standing.commitments[0].offer_id

    def test_may_have_up_to_half_of_its_interest_subsidised(self):
        decision, _ = answer(_named("G1 raises"), catalogue())
        (programme,) = decision.offer.interest_subsidy.programmes

        assert format(programme.share_up_to, "f") == FACTS["G1"]["interest_subsidy_share_max"]


class TestG2:
    def test_is_not_refused_for_having_no_revenue(self):
        case = _named("G2 gets")

        assert case.document["financials"]["revenue"] == "0.00"
        assert answer(case, catalogue())[0].outcome is Outcome.PRE_APPROVED

    def test_never_gets_more_than_the_published_cap(self):
        case = _named("G2 asking")
        decision, terms = answer(case, catalogue())

        assert Yuan.parse(case.document["request"]["amount"]) > Yuan.whole(FACTS["G2"]["cap"])
        assert decision.offer.credit_limit == Yuan.whole(FACTS["G2"]["cap"]) == terms.credit_limit.cap.value
        assert terms.credit_limit.cap.reference.basis is Basis.PUBLISHED


class TestG3:
    def test_is_beyond_the_points_loan_and_within_the_technology_upgrade_loan(self):
        requested = Yuan.whole(FACTS["G3"]["requested"])
        (points, upgrade) = [answer(case, catalogue()) for case in GOLDEN if case.name.startswith("G3 ")]

        assert points[1].credit_limit.cap.value < requested <= upgrade[1].credit_limit.cap.value

    def test_expects_no_amount_because_none_is_published(self):
        assert FACTS["G3"]["credit_limit"] is None
        assert "credit_limit" not in _named("G3 is decided").expect


class TestG5:
    def test_leaves_what_exceeds_the_pools_cap_to_the_bank(self):
        decision, _ = answer(_first("G5"), catalogue())
        cover = decision.offer.risk_compensation

        assert cover.covered_amount == Yuan.whole(FACTS["G5"]["pool_cap_per_company"])
        assert decision.offer.credit_limit - cover.covered_amount == Yuan.whole(5_000_000)

    def test_has_its_line_from_the_score_by_a_table(self):
        decision, terms = answer(_first("G5"), catalogue())
        (step,) = [step for step in decision.trace() if step.decisive]

        assert step.step == "credit_limit.score_band"
        assert {component.name: component.parameter.by for component in terms.credit_limit.components} == {
            "score_band": "score.value"
        }


class TestG7:
    def test_has_a_score_on_a_scale_of_150(self):
        _, terms = answer(_first("G7"), catalogue())

        assert format(terms.score.schemes["fuxin"].scale_maximum, "f") == FACTS["G7"]["scale_maximum"]

    def test_has_no_cover_from_a_pool_that_is_only_planned(self):
        decision, terms = answer(_first("G7"), catalogue())

        assert terms.risk_compensation.status.value == "PLANNED" and FACTS["G7"]["pool_cover"] is False
        assert decision.offer.risk_compensation.covered_amount == 0


class TestG8:
    def test_is_referred_on_revenue_and_the_gate_may_be_waived_for_rank_one(self):
        decision, terms = answer(_first("G8"), catalogue())
        (waivable,) = [gate for gate in terms.gates if gate.waiver is not None]

        assert [reason.code.name for reason in decision.reasons] == ["REVENUE_NOT_ELIGIBLE"]
        assert (waivable.fact, waivable.waiver.fact, waivable.waiver.at_most) == (
            "financials.revenue", "score.rank_in_stage", FACTS["G8"]["rank"]["position"],
        )  # fmt: skip

    def test_would_get_the_six_million_of_the_exception_but_for_that_gate(self):
        decision, _ = answer(_named("G8 with"), catalogue())

        assert decision.offer.credit_limit == Yuan.whole(FACTS["G8"]["credit_limit_by_exception"])


class TestG9:
    def test_gets_a_line_above_its_need(self):
        decision, _ = answer(_first("G9"), catalogue())

        assert Yuan.whole(FACTS["G9"]["requested"]) < decision.offer.credit_limit


class TestGrantsAndEquity:
    @pytest.mark.parametrize("golden", ["N1", "N2"])
    def test_use_up_none_of_the_cap(self, golden: str):
        decision, terms = answer(_first(golden), catalogue())

        assert _first(golden).standing.commitments == ()
        assert decision.offer.credit_limit == terms.credit_limit.cap.value

    @pytest.mark.parametrize("golden", ["N1", "N2"])
    @pytest.mark.parametrize(
        ("part", "key"),
        [(part, key) for part in ("credit_history", "financials") for key in ("grants", "equity", "equity_raised")],
    )
    def test_have_no_field_in_an_application(self, golden: str, part: str, key: str):
        sound = _first(golden).document
        DecisionRequest.model_validate_json(json.dumps(sound))
        body = {**sound, part: {**(sound.get(part) or {}), key: "20000000.00"}}

        with pytest.raises(ValidationError, match="Extra inputs"):
            DecisionRequest.model_validate_json(json.dumps(body))

    @pytest.mark.parametrize("golden", ["N1", "N2"])
    def test_change_no_figure_where_they_raise_the_net_assets(self, golden: str):
        case = _first(golden)
        poorer = {**case.document, "financials": {**case.document["financials"], "net_assets": "0.00"}}
        without = replace(case, document=poorer)

        assert answer(without, catalogue())[0].offer == answer(case, catalogue())[0].offer


class TestEveryCase:
    @pytest.mark.parametrize("case", all_cases(), ids=str)
    def test_is_an_application_that_the_api_would_take(self, case: Case):
        DecisionRequest.model_validate_json(json.dumps(case.document))
