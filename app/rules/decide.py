"""决策: the order of the steps, on one screen.

Neighbours may rely on this: `decide` is a function of its four arguments and of nothing else — no clock, id,
database or environment — so that the recorded input gives the recorded decision for ever. The edition names this
logic; when it changes, the old edition stays callable.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from app.domain.company import Application
from app.domain.decision import Decision, GateAnswers, Outcome, PreApprovedOffer, Reason, Step
from app.domain.facts import Facts
from app.domain.reasons import ReasonCode
from app.domain.standing import Standing
from app.domain.terms import ProductTerms, Severity
from app.rules.collateral import security
from app.rules.credit_limit import LimitAnswer, credit_limit
from app.rules.eligibility import answer_gates, check_preconditions, gate_reasons, reason, why_not_decided
from app.rules.interest_subsidy import Loan, subsidise
from app.rules.pricing import price
from app.rules.risk_compensation import cover
from app.rules.tenor import check_tenor

EDITION = "2026-11"

_NO_GATES = GateAnswers((), (), ())


def decide(application: Application, terms: ProductTerms, standing: Standing, on: date) -> Decision:
    """This function will decide one application on one day: pre-approve with an offer, refer, or decline, with
    every reason.

    `standing` is what the lender has already promised to the company and its group, without the offer that this
    decision supersedes.
    """
    not_decided = why_not_decided(terms.kind, terms.status)
    if not_decided is not None:
        step = Step("eligibility.product", terms.status.value, (("kind", terms.kind.value),), None, True)
        return Decision(outcome_of((not_decided,)), on, None, (not_decided,), (step,), _NO_GATES, ())

    facts = Facts(application, on)
    checks, reasons = check_preconditions(application, terms, on)
    gates = answer_gates(terms.gate_columns, facts)
    reasons += gate_reasons(gates)
    steps, tenor_reasons = check_tenor(application, terms, facts)
    reasons += tenor_reasons
    if outcome_of(reasons) is Outcome.DECLINED:
        return Decision(Outcome.DECLINED, on, None, tuple(reasons), tuple(checks), gates, steps)

    limit, replaced = _limit(application, terms, facts, standing.live(on))
    reasons += (*replaced, *limit.reasons)
    priced = price(terms, facts, on)
    reasons += priced.reasons
    steps += (*limit.steps, *priced.steps)
    outcome = outcome_of(reasons)
    if outcome is not Outcome.PRE_APPROVED:
        return Decision(outcome, on, None, tuple(reasons), tuple(checks), gates, steps)

    asked_for = security(terms)
    loan = Loan(limit.limit, priced.highest, on, application.request.tenor_months)
    subsidy, subsidy_steps, subsidy_reasons = subsidise(terms, facts, loan)
    covered, cover_steps, cover_reasons = cover(terms, limit.limit)
    valid = terms.offer_valid_days
    expires_on = on + timedelta(days=valid.value)
    expiry = Step(valid.path, expires_on, (("valid_days", valid.value),), valid.reference)
    offer = PreApprovedOffer(
        requested_amount=application.request.amount,
        credit_limit=limit.limit,
        tenor_months=application.request.tenor_months,
        expires_on=expires_on,
        annual_rate=priced.annual_rate,
        annual_rate_ceiling=priced.ceiling,
        all_in_annual_cost=priced.highest + (asked_for.guarantee_fee_rate or 0),
        rate_basis=priced.basis,
        collateral_required=asked_for.collateral_required,
        guarantee_required=asked_for.guarantee_required,
        guarantee_fee_rate=asked_for.guarantee_fee_rate,
        interest_subsidy=subsidy,
        risk_compensation=covered,
        conditions=terms.conditions,
    )
    steps += (*asked_for.steps, *subsidy_steps, *cover_steps, expiry)
    reasons += (*subsidy_reasons, *cover_reasons)
    return Decision(outcome, on, offer, tuple(reasons), tuple(checks), gates, steps)


def outcome_of(reasons: Iterable[Reason]) -> Outcome:
    """This function will return the outcome that reasons lead to: one that declines is enough, else one that refers."""
    found = {r.severity for r in reasons}
    if Severity.DECLINE in found:
        return Outcome.DECLINED
    return Outcome.REFERRED if Severity.REFER in found else Outcome.PRE_APPROVED


def _limit(
    application: Application, terms: ProductTerms, facts: Facts, standing: Standing
) -> tuple[LimitAnswer, tuple[Reason, ...]]:
    """The limit against what is promised, a replaced line left out; one that is not known refers."""
    replaces = application.request.replaces
    unknown: tuple[Reason, ...] = ()
    if replaces is not None and standing.find(replaces) is None:
        unknown = (reason(ReasonCode.REPLACED_LINE_UNKNOWN, Severity.REFER, clause="request.replaces"),)
    answer = credit_limit(application, terms.id, terms.credit_limit, facts, standing.without(replaces))
    return answer, unknown
