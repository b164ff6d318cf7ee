"""A score that was looked up: what the platform's silence, a lie or an old snapshot make of a decision."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.domain.company import Application, LookupAnswer, ScoreLookup
from app.domain.decision import Decision, Outcome
from app.domain.standing import NOTHING_PROMISED
from app.rules.decide import decide
from tests.applications import ON, application, terms_of

PRODUCT = "icbc/suzhou-innovation-points-loan"
SENT = application(PRODUCT)
OLDEST = terms_of(PRODUCT).score.maximum_age_days.value


def looked_up(answer: LookupAnswer, *, days_old: int | None = 0, why: str | None = None) -> Application:
    """This function will return a sound application whose score was looked up; no age: no score."""
    score = None if days_old is None else replace(SENT.innovation_score, as_of=ON - timedelta(days=days_old))
    return SENT.with_lookup(ScoreLookup(answer, why, "s-1", score))


def decided(applied: Application, *, no_maximum_age: bool = False) -> Decision:
    """This function will decide it."""
    terms = terms_of(PRODUCT)
    if no_maximum_age:
        terms = replace(terms, score=replace(terms.score, maximum_age_days=None))
    return decide(applied, terms, NOTHING_PROMISED, ON)


def reasons(decision: Decision) -> list[tuple[str, str]]:
    """Each reason that is about the score, and what it does."""
    return [(r.code.name, r.severity.value) for r in decision.reasons if r.code.name.startswith("SCORE_")]


class TestAScoreThatThePlatformGave:
    def test_decides_like_one_that_was_sent(self):
        sent = decided(SENT).offer

        assert sent is not None
        assert decided(looked_up(LookupAnswer.OBTAINED)).offer == sent

    @pytest.mark.parametrize(("days", "outcome"), [(OLDEST, Outcome.PRE_APPROVED), (OLDEST + 1, Outcome.REFERRED)])
    def test_is_stale_a_day_past_the_products_maximum_age(self, days: int, outcome: Outcome):
        assert decided(looked_up(LookupAnswer.OBTAINED, days_old=days)).outcome is outcome

    def test_of_tomorrow_is_not_believed(self):
        found = decided(looked_up(LookupAnswer.OBTAINED, days_old=-1))

        assert (found.outcome, reasons(found)) == (Outcome.REFERRED, [("SCORE_INVALID", "REFER")])


class TestAPlatformThatDoesNotAnswer:
    def test_refers_where_nothing_is_kept(self):
        found = decided(looked_up(LookupAnswer.UNAVAILABLE, days_old=None, why="DEADLINE"))

        assert found.outcome is Outcome.REFERRED
        assert ("SCORE_UNAVAILABLE", "REFER") in reasons(found)
        assert ("SCORE_MISSING", "REFER") not in reasons(found)

    def test_lets_a_kept_snapshot_decide_within_the_maximum_age_and_says_so(self):
        found = decided(looked_up(LookupAnswer.UNAVAILABLE, days_old=OLDEST, why="DEADLINE"))

        assert (found.outcome, reasons(found)) == (Outcome.PRE_APPROVED, [("SCORE_KEPT", "INFO")])

    def test_refers_on_a_kept_snapshot_that_is_a_day_too_old(self):
        found = decided(looked_up(LookupAnswer.UNAVAILABLE, days_old=OLDEST + 1))

        assert found.outcome is Outcome.REFERRED
        assert reasons(found) == [("SCORE_STALE", "REFER"), ("SCORE_UNAVAILABLE", "REFER")]

    def test_refers_where_the_product_does_not_say_how_old_a_score_may_be(self):
        found = decided(looked_up(LookupAnswer.UNAVAILABLE), no_maximum_age=True)

        assert (found.outcome, reasons(found)) == (Outcome.REFERRED, [("SCORE_UNAVAILABLE", "REFER")])

    def test_leaves_in_the_trace_which_snapshot_was_used_and_why(self):
        found = decided(looked_up(LookupAnswer.UNAVAILABLE, why="TLS")).trace()

        trace = {step.step: dict(step.facts) for step in found}

        assert trace["eligibility.score"]["snapshot"] == "s-1"
        assert trace["eligibility.score"]["why"] == "TLS"
        assert trace["eligibility.score"]["platform"] == "UNAVAILABLE"


class TestAScoreThatWasKeptInAZoneWithoutAPlatform:
    @pytest.mark.parametrize(
        ("days", "outcome", "said"),
        [
            (OLDEST, Outcome.PRE_APPROVED, [("SCORE_KEPT", "INFO")]),
            (OLDEST + 1, Outcome.REFERRED, [("SCORE_STALE", "REFER"), ("SCORE_MISSING", "REFER")]),
        ],
    )
    def test_decides_within_the_products_maximum_age_and_not_a_day_past_it(
        self, days: int, outcome: Outcome, said: list[tuple[str, str]]
    ):
        found = decided(looked_up(LookupAnswer.KEPT, days_old=days))

        assert (found.outcome, reasons(found)) == (outcome, said)

    def test_speaks_of_no_platform(self):
        (said,) = [r.words.en for r in decided(looked_up(LookupAnswer.KEPT)).reasons if r.code.name == "SCORE_KEPT"]

        assert said.startswith("no score came with the application")

    def test_refers_where_the_product_does_not_say_how_old_a_score_may_be(self):
        found = decided(looked_up(LookupAnswer.KEPT), no_maximum_age=True)

        assert (found.outcome, reasons(found)) == (Outcome.REFERRED, [("SCORE_MISSING", "REFER")])


class TestAnAnswerThatWasRefused:
    def test_refers_with_the_check_that_it_failed(self):
        found = decided(looked_up(LookupAnswer.INVALID, days_old=None, why="JUMP"))

        assert found.outcome is Outcome.REFERRED
        assert [r.words.en for r in found.reasons if r.code.name == "SCORE_INVALID"] == [
            "the score platform's answer did not pass the checks (JUMP)"
        ]

    def test_refers_even_if_a_snapshot_came_with_it(self):
        assert decided(looked_up(LookupAnswer.INVALID)).outcome is Outcome.REFERRED
