"""决策: the order of the steps, on one screen.

Neighbours may rely on this: `decide` is a function of its four arguments and of nothing else — no clock, id,
database or environment — so that the recorded input gives the recorded decision for ever. The edition names this
logic; when it changes, the old edition stays callable. What follows from the terms alone, or from few values that
recur, is worked out once and remembered; nothing remembered depends on who asked before.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import lru_cache

from app.domain.company import Application
from app.domain.decision import Decision, GateAnswers, Outcome, Reason
from app.domain.facts import Facts
from app.domain.reasons import ReasonCode
from app.domain.standing import Standing
from app.domain.terms import ProductTerms, Severity
from app.domain.trace import Line, line_form
from app.rules import eligibility
from app.rules.credit_limit import credit_limit
from app.rules.interest_subsidy import paying_programmes
from app.rules.offer import offered
from app.rules.pricing import price
from app.rules.risk_compensation import fitting_room
from app.rules.tenor import check_tenor

EDITION = "2026-11"


def decide(application: Application, terms: ProductTerms, standing: Standing, on: date) -> Decision:
    """This function will decide one application on one day: pre-approve with an offer, refer, or decline, with
    every reason.

    `standing` is what the lender has already promised to the company and its group, without the offer that this
    decision supersedes, unless that is the very one that the request replaces; and, where the offer itself reserves
    room in a pool, what room there is, the room of that offer included.
    """
    if not terms.decides:
        return _not_decided(terms, on)
    facts = Facts(application, on)
    reasons: list[Reason] = []
    checks = (
        eligibility.check_zone(application, terms, reasons),
        eligibility.check_authorisation(application, on, reasons),
        eligibility.check_score(application, terms, on, reasons),
        eligibility.check_freshness(application, terms, on, reasons),
    )
    gates = eligibility.answer_gates(terms.gate_columns, facts)
    lines: list[Line] = []
    if standing.waived:
        let_go = eligibility.waived_gates(terms.gate_columns, standing, facts, lines)
        reasons += eligibility.gate_reasons(gates, let_go)
    else:
        reasons += eligibility.gate_reasons(gates)
    check_tenor(terms, facts, lines, reasons)
    if reasons and outcome_of(reasons) is Outcome.DECLINED:
        return Decision(Outcome.DECLINED, on, None, reasons, checks, gates, lines)

    counting = _standing(application, standing, on, reasons)
    limit = credit_limit(application, terms, facts, counting, lines, reasons)
    priced = price(terms, facts, lines, reasons)
    outcome = outcome_of(reasons) if reasons else Outcome.PRE_APPROVED
    if outcome is not Outcome.PRE_APPROVED:
        return Decision(outcome, on, None, reasons, checks, gates, lines)
    fits = None
    if counting.pool is not None:
        fits = fitting_room(terms.risk_compensation, counting.pool, limit, lines, reasons)
        if outcome_of(reasons) is not Outcome.PRE_APPROVED:
            return Decision(Outcome.REFERRED, on, None, reasons, checks, gates, lines)
    paying = paying_programmes(terms, facts, lines, reasons, counting.used_up)
    made = offered(terms, on, limit, application.request.tenor_months, priced, paying, fits)
    lines += made.lines
    reasons += made.reasons
    return Decision(outcome, on, made.offer, reasons, checks, gates, lines)


def outcome_of(reasons: Iterable[Reason]) -> Outcome:
    """This function will return the outcome that reasons lead to: one that declines is enough, else one that refers."""
    found = [r.severity for r in reasons]
    if Severity.DECLINE in found:
        return Outcome.DECLINED
    return Outcome.REFERRED if Severity.REFER in found else Outcome.PRE_APPROVED


@lru_cache(maxsize=4_096)
def _not_decided(terms: ProductTerms, on: date) -> Decision:
    why = eligibility.why_not_decided(terms)
    line = (line_form("eligibility.product", ("kind",), None, True), terms.status, (terms.kind,))
    return Decision(outcome_of((why,)), on, None, [why], (line,), GateAnswers((), (), ()), ())


def _standing(application: Application, standing: Standing, on: date, reasons: list[Reason]) -> Standing:
    """What counts against the caps on the day, a replaced line left out; one that is not known, or is another
    company's, refers and counts.
    """
    live, replaces = standing.live(on), application.request.replaces
    if replaces is None:
        return live
    replaced = live.find(replaces)
    if replaced is None or replaced.uscc != application.company.uscc:
        unknown = ReasonCode.REPLACED_LINE_UNKNOWN
        reasons.append(eligibility.reason(unknown, Severity.REFER, clause="request.replaces"))
        return live
    return live.without(replaces)
