"""准入: what must hold before anything is offered.

Neighbours may rely on this: every check and every gate is answered, whatever the others say, and every failure is
reported in declared order. An unknown fact is never a pass: it refers, and the reason names what is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from operator import call

from app.domain.company import Application, ScoreState, SourceKind
from app.domain.decision import GateAnswers, Reason, Step
from app.domain.facts import EVIDENCE, Fact, Facts, fact_named, whole_months
from app.domain.reasons import ReasonCode
from app.domain.terms import (
    LOANS,
    Gate,
    GateColumns,
    Parameter,
    ProductKind,
    ProductStatus,
    ProductTerms,
    SchemeTerms,
    Severity,
    Words,
)

_ACCEPTED_STATES = {
    ScoreState.NOT_SCORED: ReasonCode.SCORE_NOT_SCORED,
    ScoreState.NOT_FOUND: ReasonCode.SCORE_NOT_FOUND,
}


def reason(code: ReasonCode, severity: Severity, *, clause: str | None = None, fact: Fact | None = None) -> Reason:
    """This function will make a reason in the code's own words, naming the fact where the sentence asks for one."""
    if fact is None:
        return Reason(code, severity, Words(code.zh, code.en), clause)
    names = {"fact_zh": f"{fact.zh} ({fact.path})", "fact_en": f"{fact.en} ({fact.path})"}
    return Reason(code, severity, Words(code.zh.format(**names), code.en.format(**names)), clause)


def why_not_decided(kind: ProductKind, status: ProductStatus) -> Reason | None:
    """This function will say why a product decides nothing on this day, or None where it decides."""
    if status is ProductStatus.PLANNED:
        return reason(ReasonCode.PRODUCT_PLANNED, Severity.DECLINE, clause="status")
    if status is ProductStatus.CLOSED:
        return reason(ReasonCode.PRODUCT_NOT_IN_FORCE, Severity.DECLINE, clause="status")
    if kind not in LOANS:
        return reason(ReasonCode.KIND_NOT_DECIDED, Severity.REFER, clause="kind")
    if status is ProductStatus.LISTED:
        return reason(ReasonCode.TERMS_NOT_PUBLISHED, Severity.REFER, clause="status")
    return None


def check_preconditions(application: Application, terms: ProductTerms, on: date) -> tuple[list[Step], list[Reason]]:
    """This function will answer zone, authorisation, score and the age of what was sent, in that order."""
    steps: list[Step] = []
    reasons: list[Reason] = []
    zone = application.company.zone
    served = zone in terms.zones
    steps.append(Step("eligibility.zone", served, (("zone", zone),), None, not served))
    if not served:
        reasons.append(reason(ReasonCode.ZONE_NOT_SERVED, Severity.DECLINE, clause="zones"))
    for step, found in (
        _authorisation(application, on),
        _score(application, terms, on),
        _freshness(application, terms, on),
    ):
        steps.append(step)
        reasons.extend(found)
    return steps, reasons


def _authorisation(application: Application, on: date) -> tuple[Step, list[Reason]]:
    consent = application.authorisation
    if consent is None:
        missing = reason(ReasonCode.AUTHORISATION_MISSING, Severity.REFER, clause="authorisation")
        return Step("eligibility.authorisation", None, (), None, True), [missing]
    valid = consent.granted_on <= on and (consent.valid_until is None or on <= consent.valid_until)
    facts = (("granted_on", consent.granted_on), ("valid_until", consent.valid_until))
    step = Step("eligibility.authorisation", valid, facts, None, not valid)
    return step, [] if valid else [reason(ReasonCode.AUTHORISATION_NOT_VALID, Severity.REFER, clause="authorisation")]


def _score(application: Application, terms: ProductTerms, on: date) -> tuple[Step, list[Reason]]:
    score, asked = application.innovation_score, terms.score
    if score is None:
        found = [reason(ReasonCode.SCORE_MISSING, Severity.REFER, clause="score")] if asked.required else []
        return Step("eligibility.score", None, (), None, bool(found)), found
    found = list(_score_reasons(application, asked.schemes.get(score.scheme), asked.maximum_age_days, on))
    facts = (("scheme", score.scheme), ("state", score.state.value), ("as_of", score.as_of))
    reference = None if asked.maximum_age_days is None else asked.maximum_age_days.reference
    return Step("eligibility.score", not found, facts, reference, bool(found)), found


def _score_reasons(
    application: Application, scheme: SchemeTerms | None, maximum_age_days: Parameter | None, on: date
) -> Iterator[Reason]:
    score = application.innovation_score
    refer = Severity.REFER
    if scheme is None:
        yield reason(ReasonCode.SCORE_SCHEME_NOT_ACCEPTED, refer, clause="score")
        return
    if score.state in _ACCEPTED_STATES:
        yield reason(_ACCEPTED_STATES[score.state], refer, clause="score")
        return
    if score.vetoed or (scheme.veto and score.vetoed is None):
        unknown = reason(ReasonCode.FACT_UNKNOWN, refer, clause="score.veto", fact=fact_named("score.vetoed"))
        yield reason(ReasonCode.SCORE_VETOED, Severity.DECLINE, clause="score.veto") if score.vetoed else unknown
    if scheme.versions is not None and score.scheme_version not in scheme.versions:
        yield reason(ReasonCode.SCORE_VERSION_NOT_ACCEPTED, refer, clause="score.versions")
    if scheme.scale_maximum is not None and score.value is not None and score.value > scheme.scale_maximum:
        yield reason(ReasonCode.SCORE_INVALID, refer, clause="score.scale_maximum")
    if score.source is None or score.source.kind is SourceKind.SELF_DECLARED:
        yield reason(ReasonCode.SCORE_UNVOUCHED, refer, clause="score.source")
    lapsed = score.valid_until is not None and score.valid_until < on
    if maximum_age_days is not None:
        lapsed = lapsed or score.as_of is None or on - score.as_of > timedelta(days=maximum_age_days.value)
    if lapsed:
        yield reason(ReasonCode.SCORE_STALE, refer, clause="score.maximum_age_days")


_FINANCIALS = Fact("financials", None, "财务数据", "financial figures", ReasonCode.FACT_STALE, "financials", None)


def _freshness(application: Application, terms: ProductTerms, on: date) -> tuple[Step, list[Reason]]:
    found: list[Reason] = []
    months, days = terms.maximum_financials_age_months, terms.maximum_evidence_age_days
    figures = application.financials
    if months is not None and figures is not None and whole_months(date(figures.year, 12, 31), on) > months.value:
        found.append(reason(ReasonCode.FACT_STALE, Severity.REFER, clause=months.path, fact=_FINANCIALS))
    if days is not None and application.evidence:
        for gate in terms.gates:
            finding = (
                application.evidence.get(gate.fact.removeprefix(EVIDENCE)) if gate.fact.startswith(EVIDENCE) else None
            )
            if finding is not None and (finding.on is None or on - finding.on > timedelta(days=days.value)):
                found.append(
                    reason(ReasonCode.FACT_STALE, Severity.REFER, clause=days.path, fact=fact_named(gate.fact))
                )
    reference = next((p.reference for p in (months, days) if p is not None), None)
    return Step("eligibility.freshness", not found, (), reference, bool(found)), found


def answer_gates(columns: GateColumns, facts: Facts) -> GateAnswers:
    """This function will answer every gate: True, False, or None where its fact is unknown."""
    actuals = tuple(map(facts.__getitem__, columns.facts))
    if None in actuals:
        pairs = zip(columns.passes, actuals, strict=True)
        answers = tuple(None if actual is None else passes(actual) for passes, actual in pairs)
    else:
        answers = tuple(map(call, columns.passes, actuals))
    return GateAnswers(columns.gates, actuals, answers)


def gate_reasons(answered: GateAnswers) -> list[Reason]:
    """This function will report every gate that did not answer True, in declared order."""
    if all(answered.answers):
        return []
    rows = zip(answered.gates, answered.answers, strict=True)
    return [_gate_reason(gate, unknown=answer is None) for gate, answer in rows if answer is not True]


def _gate_reason(gate: Gate, *, unknown: bool) -> Reason:
    fact = fact_named(gate.fact)
    if unknown:
        return reason(ReasonCode.FACT_UNKNOWN, Severity.REFER, clause=gate.clause or gate.path, fact=fact)
    return Reason(fact.reason, gate.severity, gate.words, gate.clause or gate.path)
