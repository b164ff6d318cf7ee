"""准入: what must hold before anything is offered.

Neighbours may rely on this: every check and every gate is answered, whatever the others say, and every failure is
reported in declared order. An unknown fact is never a pass: it refers, and the reason names what is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from operator import call

from app.domain.company import Application, InnovationScore, LookupAnswer, ScoreLookup, ScoreState, SourceKind
from app.domain.decision import GateAnswers, Reason
from app.domain.facts import Fact, Facts, fact_named, reader_of, whole_months
from app.domain.reasons import ReasonCode
from app.domain.standing import AuthorityBasis, Standing, Waived
from app.domain.terms import LOANS, Gate, GateColumns, ProductStatus, ProductTerms, ScoreTerms, Severity, Words
from app.domain.trace import Basis, Line, Reference, line_form, line_forms

_NOT_SCORED = {
    ScoreState.NOT_SCORED: ReasonCode.SCORE_NOT_SCORED,
    ScoreState.NOT_FOUND: ReasonCode.SCORE_NOT_FOUND,
}


@lru_cache(maxsize=4_096)
def reason(code: ReasonCode, severity: Severity, *, clause: str, fact: Fact | None = None) -> Reason:
    """This function will make a reason in the code's own words, naming the fact where the sentence asks for one."""
    if fact is None:
        return Reason(code, severity, Words(code.zh, code.en), clause)
    names = {"fact_zh": f"{fact.zh} ({fact.path})", "fact_en": f"{fact.en} ({fact.path})"}
    return Reason(code, severity, Words(code.zh.format(**names), code.en.format(**names)), clause)


def unknown(fact: str, *, clause: str) -> Reason:
    """This function will make the reason that refers because a fact is missing, and names it."""
    return reason(ReasonCode.FACT_UNKNOWN, Severity.REFER, clause=clause, fact=fact_named(fact))


def why_not_decided(terms: ProductTerms) -> Reason:
    """This function will say why a product decides nothing on this day."""
    if terms.status is ProductStatus.PLANNED:
        return reason(ReasonCode.PRODUCT_PLANNED, Severity.DECLINE, clause="status")
    if terms.status is ProductStatus.CLOSED:
        return reason(ReasonCode.PRODUCT_NOT_IN_FORCE, Severity.DECLINE, clause="status")
    if terms.kind not in LOANS:
        return reason(ReasonCode.KIND_NOT_DECIDED, Severity.REFER, clause="kind")
    return reason(ReasonCode.TERMS_NOT_PUBLISHED, Severity.REFER, clause="status")


def check_zone(application: Application, terms: ProductTerms, reasons: list[Reason]) -> Line:
    """This function will answer whether the product is offered in the company's zone."""
    zone = application.company.zone
    served = zone in terms.zones
    if not served:
        reasons.append(reason(ReasonCode.ZONE_NOT_SERVED, Severity.DECLINE, clause="zones"))
    return _ZONE[not served], served, (zone,)


_ZONE = line_forms("eligibility.zone", ("zone",))


def check_authorisation(application: Application, on: date, reasons: list[Reason]) -> Line:
    """This function will answer whether the company lets its data be used on this day."""
    consent = application.authorisation
    if consent is None:
        reasons.append(reason(ReasonCode.AUTHORISATION_MISSING, Severity.REFER, clause="authorisation"))
        return line_form("eligibility.authorisation", (), None, True), None, ()
    until = consent.valid_until
    valid = consent.granted_on <= on and (until is None or on <= until)
    if not valid:
        reasons.append(reason(ReasonCode.AUTHORISATION_NOT_VALID, Severity.REFER, clause="authorisation"))
    return _AUTHORISED[not valid], valid, (consent.granted_on, until)


_AUTHORISED = line_forms("eligibility.authorisation", ("granted_on", "valid_until"))


def check_score(application: Application, terms: ProductTerms, on: date, reasons: list[Reason]) -> Line:
    """This function will answer whether the score can be used at all, before its value is looked at."""
    score, asked = application.innovation_score, terms.score
    if application.score_lookup is not None:
        return _check_lookup(application.score_lookup, asked, on, reasons)
    if score is None:
        if asked.required:
            reasons.append(reason(ReasonCode.SCORE_MISSING, Severity.REFER, clause="score"))
        return line_form("eligibility.score", (), None, asked.required), None, ()
    found = () if _is_sound(score, asked, on) else tuple(_against_score(score, asked, on))
    reasons.extend(found)
    reference = None if asked.maximum_age_days is None else asked.maximum_age_days.reference
    form = line_form("eligibility.score", _SCORE_FACTS, reference, bool(found))
    return form, not found, (score.scheme, score.state, score.as_of)


def _check_lookup(found: ScoreLookup, asked: ScoreTerms, on: date, reasons: list[Reason]) -> Line:
    """The same where the zone's platform was asked: it may not have answered, or have answered what is no score.

    A snapshot kept earlier stands in for a platform that is down, or that the zone does not have, but not where the
    product sets no maximum age: it must say how old a score may be. It never stands in for an answer that was refused,
    which may be a correction.
    """
    score, against = found.score, []
    if score is not None and not _is_sound(score, asked, on):
        against = list(_against_score(score, asked, on))
    if found.answer is LookupAnswer.INVALID:
        against.append(_refused_answer(found.why))
    elif score is not None and score.as_of is not None and score.as_of > on:
        against.append(_refused_answer("FUTURE_AS_OF"))
    elif found.answer is not LookupAnswer.OBTAINED:
        is_asked = found.answer is LookupAnswer.UNAVAILABLE
        if score is None or against or asked.maximum_age_days is None:
            severity = Severity.REFER if asked.required or score is not None else Severity.INFO
            code = ReasonCode.SCORE_UNAVAILABLE if is_asked else ReasonCode.SCORE_MISSING
            against.append(reason(code, severity, clause="score.platform"))
        else:
            kept = reason(ReasonCode.SCORE_KEPT, Severity.INFO, clause="score.maximum_age_days")
            reasons.append(kept if is_asked else kept._replace(words=_KEPT_WITHOUT_A_PLATFORM))
    reasons.extend(against)
    reference = None if asked.maximum_age_days is None else asked.maximum_age_days.reference
    form = line_form("eligibility.score", (*_SCORE_FACTS, *_LOOKUP_FACTS), reference, bool(against))
    told = (None, None, None) if score is None else (score.scheme, score.state, score.as_of)
    return form, not against, (*told, found.answer, found.why, found.snapshot_id)


_SCORE_FACTS = ("scheme", "state", "as_of")
_LOOKUP_FACTS = ("platform", "why", "snapshot")
_KEPT_WITHOUT_A_PLATFORM = Words(
    "申请未附积分,采用此前留存且未逾产品时限的积分",
    "no score came with the application; a snapshot kept earlier was used, which the product's maximum age allows",
)


@lru_cache(maxsize=64)
def _refused_answer(why: str | None) -> Reason:
    words = Words(f"积分平台的答复未通过核查({why})", f"the score platform's answer did not pass the checks ({why})")
    return Reason(ReasonCode.SCORE_INVALID, Severity.REFER, words, "score.platform")


def _is_sound(score: InnovationScore, asked: ScoreTerms, on: date) -> bool:
    """Whether nothing at all speaks against the score: the ordinary case, answered without a list."""
    scheme, source, value = asked.schemes.get(score.scheme), score.source, score.value
    return (
        scheme is not None
        and score.state is ScoreState.SCORED
        and score.vetoed is False
        and (scheme.versions is None or score.scheme_version in scheme.versions)
        and (scheme.scale_maximum is None or value is None or value <= scheme.scale_maximum)
        and source is not None
        and source.kind is not SourceKind.SELF_DECLARED
        and not _is_stale(score, asked, on)
    )


def _against_score(score: InnovationScore, asked: ScoreTerms, on: date) -> Iterator[Reason]:
    scheme, refer = asked.schemes.get(score.scheme), Severity.REFER
    if scheme is None:
        yield reason(ReasonCode.SCORE_SCHEME_NOT_ACCEPTED, refer, clause="score")
        return
    if score.state is not ScoreState.SCORED:
        yield reason(_NOT_SCORED[score.state], refer, clause="score")
        return
    if score.vetoed:
        yield reason(ReasonCode.SCORE_VETOED, Severity.DECLINE, clause="score.veto")
    elif scheme.veto and score.vetoed is None:
        yield unknown("score.vetoed", clause="score.veto")
    if scheme.versions is not None and score.scheme_version not in scheme.versions:
        yield reason(ReasonCode.SCORE_VERSION_NOT_ACCEPTED, refer, clause="score.versions")
    if scheme.scale_maximum is not None and score.value is not None and score.value > scheme.scale_maximum:
        yield reason(ReasonCode.SCORE_INVALID, refer, clause="score.scale_maximum")
    if score.source is None or score.source.kind is SourceKind.SELF_DECLARED:
        yield reason(ReasonCode.SCORE_UNVOUCHED, refer, clause="score.source")
    if _is_stale(score, asked, on):
        yield reason(ReasonCode.SCORE_STALE, refer, clause="score.maximum_age_days")


def _is_stale(score: InnovationScore, asked: ScoreTerms, on: date) -> bool:
    if score.valid_until is not None and score.valid_until < on:
        return True
    if asked.maximum_age_days is None:
        return False
    return score.as_of is None or (on - score.as_of).days > asked.maximum_age_days.value


_FINANCIALS = Fact(
    "financials", None, "财务数据", "financial figures", ReasonCode.FACT_STALE, "financials", "financials"
)


def check_freshness(application: Application, terms: ProductTerms, on: date, reasons: list[Reason]) -> Line:
    """This function will answer whether figures and findings are recent enough for the product."""
    months, days = terms.maximum_financials_age_months, terms.maximum_evidence_age_days
    figures, known = application.financials, len(reasons)
    if months is not None and figures is not None and _months_since_year(figures.year, on) > months.value:
        reasons.append(reason(ReasonCode.FACT_STALE, Severity.REFER, clause=months.path, fact=_FINANCIALS))
    if days is not None and application.evidence:
        for name, code in terms.gate_columns.evidence:
            finding = application.evidence.get(code)
            if finding is not None and (finding.on is None or (on - finding.on).days > days.value):
                stale = reason(ReasonCode.FACT_STALE, Severity.REFER, clause=days.path, fact=fact_named(name))
                reasons.append(stale)
    fresh = len(reasons) == known
    reference = months.reference if months is not None else days.reference if days is not None else None
    return line_form("eligibility.freshness", (), reference, not fresh), fresh, ()


@lru_cache(maxsize=1_024)
def _months_since_year(year: int, on: date) -> int:
    return whole_months(date(year, 12, 31), on)


def answer_gates(columns: GateColumns, facts: Facts, *, decisive: bool = True) -> GateAnswers:
    """This function will answer every gate: True, False, or None where its fact is unknown; `decisive` gates settle the
    outcome, others (a subsidy's) only a figure.
    """
    actuals = columns.read(facts)
    if None in actuals:
        pairs = zip(columns.passes, actuals, strict=True)
        answers = tuple([None if actual is None else passes(actual) for passes, actual in pairs])
    else:
        answers = tuple(map(call, columns.passes, actuals))
    return GateAnswers(columns.gates, actuals, answers, decisive)


def gate_reasons(answered: GateAnswers, waived: frozenset[str] = frozenset()) -> list[Reason]:
    """This function will report every gate that did not answer True, in declared order; a `waived` one is told of and
    does not stand in the way.
    """
    if all(answered.answers):
        return []
    rows = zip(answered.gates, answered.answers, strict=True)
    return [
        Reason(ReasonCode.GATE_WAIVED, Severity.INFO, gate.words, gate.clause or gate.path)
        if answer is False and gate.path in waived
        else _gate_reason(gate, answer)
        for gate, answer in rows
        if answer is not True
    ]


def waived_gates(
    columns: GateColumns, standing: Standing, facts: Facts, lines: list[Line]
) -> frozenset[str]:
    """This function will return the gates that people have let go and that the product lets them (破格).

    The product says which, and what must hold for it: a gate that it does not let go, or whose condition is not met,
    stands in the way as ever.
    """
    let_go: set[str] = set()
    gates = {gate.path: gate for gate in columns.gates}
    for waived in standing.waived:
        gate = gates.get(waived.gate)
        if gate is not None and may_be_waived(gate, facts):
            let_go.add(gate.path)
            lines.append(_waived_line(gate, waived))
    return frozenset(let_go)


_ASSERTED = Reference(
    Basis.ASSUMED, None, "审批人自述的权限；产品未列明授权 The approver's own word: the product names no authorities"
)


def _waived_line(gate: Gate, waived: Waived) -> Line:
    names, facts, reference = ("exception_id", "authority"), (waived.exception_id, waived.authority), gate.reference
    named = gate.waiver.named(waived.authority) if waived.authority_basis is AuthorityBasis.PRODUCT else None
    if named is not None:
        names, facts, reference = (*names, "authority_limit"), (*facts, named.up_to.value), named.up_to.reference
    elif waived.authority_basis is AuthorityBasis.APPROVER:
        reference = _ASSERTED
    return line_form(f"exception.{gate.path}", names, reference, True), True, facts


def may_be_waived(gate: Gate, facts: Facts) -> bool:
    """This function will answer whether the product lets people waive the gate for a company of these facts."""
    waiver = gate.waiver
    if waiver is None:
        return False
    if waiver.fact is None:
        return True
    actual = reader_of(waiver.fact)(facts)
    return actual is not None and actual <= waiver.at_most


def _gate_reason(gate: Gate, answer: bool | None) -> Reason:
    clause = gate.clause or gate.path
    if answer is None:
        return unknown(gate.fact, clause=clause)
    return Reason(fact_named(gate.fact).reason, gate.severity, gate.words, clause)
