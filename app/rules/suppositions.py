"""假设: the single changes that could matter to one decision, each at one of the product's own thresholds.

Neighbours may rely on this: a supposition claims nothing — whether it changes anything is found by deciding again — but
wherever the terms name a threshold of a fact, the nearest value on either side of it is among them. What is not a fact
of the company but stops a decision (consent, the age of a score, what is already promised) is supposed too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Any, Final, NamedTuple

from app.domain.company import (
    Application,
    Authorisation,
    InnovationScore,
    LookupAnswer,
    ScoreSource,
    ScoreState,
    SourceKind,
)
from app.domain.decision import Decision
from app.domain.facts import EVIDENCE, FactKind, Facts, fact_named, reader_of, whole_months
from app.domain.money import Yuan
from app.domain.standing import Standing
from app.domain.supposed import suppose
from app.domain.terms import Bands, Choices, Gate, GateTest, Parameter, ProductTerms, Words

OTHER: Final = "other"
"""Stands for any code that the threshold does not name."""

NUMERIC: Final = frozenset({FactKind.NUMBER, FactKind.MONEY, FactKind.COUNT, FactKind.SHARE})
_UNIT: Final = {FactKind.MONEY: Yuan(1), FactKind.COUNT: 1, FactKind.SHARE: Decimal("0.000001")}
_HUNDREDTH: Final = Decimal("0.01")


class Case(NamedTuple):
    """What one decision is made from, apart from the terms and the day."""

    application: Application
    standing: Standing


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that would be otherwise: `fact` is the name of a fact, or of a circumstance of `CIRCUMSTANCES`."""

    fact: str
    actual: Any
    value: Any
    apply: Callable[[Case], Case | None]


CIRCUMSTANCES: Final = {
    "authorisation": Words("企业的数据使用授权", "the company's authorisation to use its data"),
    "innovation_score": Words("该产品认可的积分体系出具的积分", "a score of a scheme that the product accepts"),
    "innovation_score.scheme_version": Words("积分体系版本", "version of the score scheme"),
    "innovation_score.as_of": Words("积分日期", "day of the score"),
    "innovation_score.source.kind": Words("积分佐证", "who vouches for the score"),
    "financials.year": Words("财务数据年度", "year of the financial figures"),
    "request.replaces": Words("拟替换的额度", "the line to be replaced"),
    "standing": Words("已占用的预授信与授信", "what is already promised to the company and its group"),
}


def thresholds(case: Case, terms: ProductTerms, decided: Decision, on: date) -> tuple[Change, ...]:
    """This function will suppose every fact at every threshold that the terms have for it, each value once, nearest
    first; an unknown fact's values come from the least to the greatest.
    """
    if not terms.decides:
        return ()
    facts = Facts(case.application, on)
    values: dict[str, list[Any]] = {}
    for fact, found in (*_of_gates(terms, facts), *_of_tables(terms, facts), *_of_amounts(case, terms, decided, facts)):
        values.setdefault(fact, []).extend(found)
    return tuple(
        _change(fact, actual, value, on)
        for fact, found in values.items()
        for actual in (reader_of(fact)(facts),)
        for value in _nearest_first(fact, actual, found)
    )


def circumstances(case: Case, terms: ProductTerms, on: date) -> tuple[Change, ...]:
    """This function will suppose that whatever is not a fact of the company's, and stands in the way, did not."""
    if not terms.decides:
        return ()
    application = case.application
    found = [*_consent(application, on), *_soundness(application, terms, on), *_freshness(application, terms, on)]
    if application.request.replaces is not None:
        request = replace(application.request, replaces=None)
        found.append(_otherwise("request.replaces", application.request.replaces, None, request=request))
    if case.standing.commitments:
        used = case.standing.live(on).used()
        found.append(Change("standing", used, Yuan(0), lambda c: Case(c.application, Standing())))
    return tuple(found)


def asking(amount: Yuan, actual: Yuan, on: date) -> Change:
    """This function will suppose that another amount was asked for."""
    return _change("request.amount", actual, amount, on)


# ---- facts ----------------------------------------------------------------------------------------------------------


def _change(fact: str, actual: Any, value: Any, on: date) -> Change:
    def apply(case: Case) -> Case | None:
        supposed = suppose(case.application, fact, value, on)
        return None if supposed is None else Case(supposed, case.standing)

    return Change(fact, actual, value, apply)


def _of_gates(terms: ProductTerms, facts: Facts) -> Iterator[tuple[str, list[Any]]]:
    for gate in every_gate(terms):
        yield gate.fact, list(_around(gate, reader_of(gate.fact)(facts)))


def every_gate(terms: ProductTerms) -> Iterator[Gate]:
    """This function will give the product's gates, and then those of its subsidies."""
    yield from terms.gates
    for programme in terms.subsidies:
        yield from programme.gates


def _around(gate: Gate, actual: Any) -> Iterator[Any]:
    """The values on both sides of a gate's threshold: the nearest that passes, and the nearest that does not."""
    threshold, test = gate.threshold, gate.test
    if test is GateTest.AT_LEAST:
        yield from (threshold, _below(gate.fact, threshold))
    elif test is GateTest.AT_MOST:
        yield from (threshold, _above(gate.fact, threshold))
    elif test is GateTest.IS:
        yield from (threshold, not threshold)
    elif test in (GateTest.ONE_OF, GateTest.STARTS_WITH):
        yield from sorted(threshold)
    elif test in (GateTest.NONE_OF, GateTest.STARTS_WITH_NONE_OF):
        yield OTHER
    elif test is GateTest.ANY_OF:
        yield from ((actual or frozenset()) | {code} for code in sorted(threshold))
    else:
        yield (actual or frozenset()) | threshold


def _of_tables(terms: ProductTerms, facts: Facts) -> Iterator[tuple[str, list[Any]]]:
    for parameter in every_table(terms):
        table = parameter.value
        if isinstance(table, Bands):
            yield table.by, [value for floor in table.floors for value in (floor, _below(table.by, floor))]
        elif isinstance(table, Choices):
            yield table.by, list(table.values)


def every_table(terms: ProductTerms) -> Iterator[Parameter]:
    """This function will give the parameters that depend on a fact."""
    limits, pricing = terms.credit_limit, terms.pricing
    parameters = (
        limits.cap, *(c.parameter for c in limits.components), terms.minimum_tenor_months, terms.maximum_tenor_months,
        pricing.spread_bps, pricing.annual_rate, pricing.discount_share, pricing.ceiling_bps,
        *(programme.share for programme in terms.subsidies),
    )  # fmt: skip
    return (p for p in parameters if p is not None and p.by is not None)


def _of_amounts(
    case: Case, terms: ProductTerms, decided: Decision, facts: Facts
) -> Iterator[tuple[str, list[Any]]]:
    """What is compared with amounts: what is asked for, the tenor, and the figures that components are a share of."""
    limits, request = terms.credit_limit, case.application.request
    amounts = {line[1] for line in decided.trace() if line[0] in limit_steps(terms) and isinstance(line[1], Yuan)}
    targets = sorted(target for target in {*amounts, limits.floor.value, request.amount} if target > 0)
    for component in limits.components:
        if component.read_base is not None:
            found, _ = row_of(component.parameter, facts)
            if found:
                bases = [_ceiling_share(target, found) for target in targets]
                yield component.of, [value for base in bases for value in (base, base - Yuan(1))]
    yield "request.amount", targets
    for parameter, step in ((terms.minimum_tenor_months, -1), (terms.maximum_tenor_months, 1)):
        bound = None if parameter is None else row_of(parameter, facts)[0]
        if bound is not None:
            yield "request.tenor_months", [months for months in (bound, bound + step) if months > 0]


def limit_steps(terms: ProductTerms) -> frozenset[str]:
    """This function will name the steps of a trace that stand for an amount whose least is the limit."""
    limits = terms.credit_limit
    paths = (limits.cap.path, limits.lender_cap.path, *(c.parameter.path for c in limits.components))
    return frozenset((*paths, "credit_limit.request"))


def row_of(parameter: Parameter, facts: Facts) -> tuple[Any, bool]:
    """This function will return a parameter's value for the company, None where there is none, and whether the fact is
    known.
    """
    if parameter.read is None:
        return parameter.value, True
    actual = parameter.read(facts)
    row = None if actual is None else parameter.value.find(actual)
    return (None if row is None else parameter.value.values[row]), actual is not None


def _ceiling_share(target: Yuan, share: Decimal) -> Yuan:
    """The least base whose share is the target."""
    return Yuan(int((int(target) / share).to_integral_value(ROUND_CEILING)))


def _unit(fact: str, value: Any) -> Any:
    kind = fact_named(fact).kind
    if kind is not FactKind.NUMBER:
        return _UNIT[kind]
    return min(_HUNDREDTH, Decimal(1).scaleb(value.as_tuple().exponent))


def _below(fact: str, value: Any) -> Any:
    return value - _unit(fact, value)


def _above(fact: str, value: Any) -> Any:
    return value + _unit(fact, value)


def _nearest_first(fact: str, actual: Any, values: list[Any]) -> list[Any]:
    others = [value for value in dict.fromkeys(values) if value != actual]
    if fact_named(fact).kind not in NUMERIC:
        return others
    # A figure may be below zero, a count or a score may not.
    if fact_named(fact).kind is not FactKind.MONEY or not fact.startswith("financials."):
        others = [value for value in others if value >= 0]
    return sorted(others) if actual is None else sorted(others, key=lambda value: (abs(value - actual), value))


# ---- circumstances --------------------------------------------------------------------------------------------------


def _otherwise(name: str, actual: Any, value: Any, **parts: Any) -> Change:
    return Change(name, actual, value, lambda case: Case(replace(case.application, **parts), case.standing))


def _consent(application: Application, on: date) -> Iterator[Change]:
    given = application.authorisation
    if given is not None and given.granted_on <= on and (given.valid_until is None or on <= given.valid_until):
        return
    reference = "" if given is None else given.reference
    actual = None if given is None else given.valid_until
    yield _otherwise("authorisation", actual, on, authorisation=Authorisation(reference, on, on))


def _soundness(application: Application, terms: ProductTerms, on: date) -> Iterator[Change]:
    """What speaks against the score before its value is looked at, each thing by itself."""
    score, asked = application.innovation_score, terms.score
    looked_up = application.score_lookup
    believed = looked_up is None or looked_up.answer is LookupAnswer.OBTAINED or asked.maximum_age_days is not None
    if score is None or score.scheme not in asked.schemes or score.state is not ScoreState.SCORED or not believed:
        if asked.required or score is not None:
            yield _scored(score, terms, on)
        return
    scheme, source, oldest = asked.schemes[score.scheme], score.source, asked.maximum_age_days
    if score.vetoed is not False:
        yield _change("score.vetoed", score.vetoed, False, on)
    if scheme.scale_maximum is not None and score.value is not None and score.value > scheme.scale_maximum:
        yield _change("score.value", score.value, scheme.scale_maximum, on)
    if scheme.versions is not None and score.scheme_version not in scheme.versions:
        version = min(scheme.versions)
        name = "innovation_score.scheme_version"
        yield _of_score(name, score.scheme_version, version, scheme_version=version)
    if source is None or source.kind is SourceKind.SELF_DECLARED:
        kind = SourceKind.SCORE_SHEET
        actual = None if source is None else source.kind
        yield _of_score("innovation_score.source.kind", actual, kind, source=ScoreSource(kind))
    lapsed = score.valid_until is not None and score.valid_until < on
    first = None if oldest is None else on - timedelta(days=oldest.value)
    if lapsed or (first is not None and (score.as_of is None or score.as_of < first)):
        day = on if first is None else first if score.as_of is None else max(score.as_of, first)
        yield _of_score("innovation_score.as_of", score.as_of, day, as_of=day, valid_until=None)


def _of_score(name: str, actual: Any, value: Any, **parts: Any) -> Change:
    def apply(case: Case) -> Case | None:
        score: InnovationScore | None = case.application.innovation_score
        if score is None:
            return None
        return Case(replace(case.application, innovation_score=replace(score, **parts)), case.standing)

    return Change(name, actual, value, apply)


def _scored(score: InnovationScore | None, terms: ProductTerms, on: date) -> Change:
    """A score that can be used, whatever its value: where there is one in another scheme its value says nothing."""
    schemes = terms.score.schemes
    kept = score is not None and score.scheme in schemes
    scheme = schemes[score.scheme if kept else min(schemes)]
    sound = InnovationScore(
        scheme=scheme.id,
        state=ScoreState.SCORED,
        scheme_version=None if scheme.versions is None else min(scheme.versions),
        vetoed=False,
        as_of=on,
        source=ScoreSource(SourceKind.PLATFORM_QUERY),
    )
    if kept:
        same = ("value", "grade", "stage", "field", "rank")
        sound = replace(sound, **{name: getattr(score, name) for name in same})
    actual = None if score is None else score.scheme if not kept else score.state
    return _otherwise("innovation_score", actual, scheme.id, innovation_score=sound, score_lookup=None)


def _freshness(application: Application, terms: ProductTerms, on: date) -> Iterator[Change]:
    months, days = terms.maximum_financials_age_months, terms.maximum_evidence_age_days
    figures = application.financials
    if months is not None and figures is not None:
        years = range(figures.year, on.year + 1)
        year = next((y for y in years if whole_months(date(y, 12, 31), on) <= months.value), figures.year)
        if year != figures.year:
            newer = replace(figures, year=year)
            yield _otherwise("financials.year", figures.year, year, financials=newer)
    if days is None or not application.evidence:
        return
    first = on - timedelta(days=days.value)
    for _, code in terms.gate_columns.evidence:
        finding = application.evidence.get(code)
        if finding is not None and (finding.on is None or finding.on < first):
            newer = {**application.evidence, code: replace(finding, on=first)}
            yield _otherwise(f"{EVIDENCE}{code}.on", finding.on, first, evidence=newer)
