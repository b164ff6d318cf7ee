"""反事实: what would have to be otherwise for the decision to be another, exactly, and proved by deciding again.

Neighbours may rely on this: each counterfactual is what `rules` answered to the recorded input with just its changes
made; none is inferred. A single change is the nearest value of its fact that has the effect, since every threshold that
the terms have is tried on both sides; several changes stand together only where no one of them can be left out. Where
nothing is found the answer is empty, never a guess.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import Final, NamedTuple

from app.domain.company import Application
from app.domain.decision import Decision, Outcome
from app.domain.facts import FactKind, Facts, fact_named, reader_of
from app.domain.money import Yuan
from app.domain.standing import Standing
from app.domain.terms import ProductTerms
from app.rules.suppositions import (
    NUMERIC,
    Case,
    Change,
    asking,
    circumstances,
    every_gate,
    every_table,
    thresholds,
)

Rules = Callable[[Application, ProductTerms, Standing, date], Decision]
"""An edition of the rules."""

_RANK: Final = {Outcome.DECLINED: 0, Outcome.REFERRED: 1, Outcome.PRE_APPROVED: 2}
_MOST_ROUNDS: Final = 4
_MOST_STEPS_A_FACT: Final = 4


class Result(NamedTuple):
    """What a decision comes to: the limit and the rates are None where nothing is offered; of rate and ceiling one may
    be.
    """

    outcome: Outcome
    credit_limit: Yuan | None = None
    annual_rate: Decimal | None = None
    annual_rate_ceiling: Decimal | None = None
    net_annual_rate_at_best: Decimal | None = None

    def order(self) -> tuple[int, int, Decimal, Decimal]:
        """This function will return what tells a better result from a worse one: outcome, limit, rate, net rate."""
        rate = self.annual_rate or self.annual_rate_ceiling or Decimal(0)
        net = self.net_annual_rate_at_best or Decimal(0)
        return _RANK[self.outcome], int(self.credit_limit or 0), -rate, -net


class Counterfactual(NamedTuple):
    """With these changes, and nothing else otherwise, this would have been the result."""

    changes: tuple[Change, ...]
    result: Result
    better: bool


class _Search:
    """One decision's neighbourhood, decided again as often as it takes."""

    def __init__(self, case: Case, terms: ProductTerms, on: date, rules: Rules) -> None:
        self.case = case
        self.terms = terms
        self.on = on
        self.rules = rules

    def decide(self, case: Case) -> Decision:
        return self.rules(case.application, self.terms, case.standing, self.on)

    def result_of(self, changes: Iterable[Change]) -> Result | None:
        case = changed(self.case, changes)
        return None if case is None else result_of(self.decide(case))

    def candidates(self, case: Case) -> tuple[Change, ...]:
        decided = self.decide(case)
        return (*circumstances(case, self.terms, self.on), *thresholds(case, self.terms, decided, self.on))


def counterfactuals(case: Case, terms: ProductTerms, on: date, rules: Rules) -> tuple[Counterfactual, ...]:
    """This function will find what would change the decision: first what betters it, fewest changes and nearest values
    first, then the nearest value of each figure or code that worsens it.
    """
    search = _Search(case, terms, on, rules)
    now = result_of(search.decide(case))
    better, worse = _single(search, now)
    best = max((found.result.order() for found in better), default=now.order())
    if _RANK[now.outcome] < _RANK[Outcome.PRE_APPROVED] and best[0] < _RANK[Outcome.PRE_APPROVED]:
        together = _together(search)
        if together is not None and together.result.order() > best:
            better = [*better, together]
    elif now.credit_limit is not None:
        better = [*better, *_asking_more(search, now)]
    return (*better, *worse)


def result_of(decision: Decision) -> Result:
    """This function will say what a decision comes to."""
    offer = decision.offer
    if offer is None:
        return Result(decision.outcome)
    net = offer.interest_subsidy.net_annual_rate_at_best
    return Result(decision.outcome, offer.credit_limit, offer.form.annual_rate, offer.form.annual_rate_ceiling, net)


def changed(case: Case, changes: Iterable[Change]) -> Case | None:
    """This function will make the changes one after the other; None where one cannot be made."""
    found: Case | None = case
    for change in changes:
        found = None if found is None else change.apply(found)
    return found


# ---- one change -----------------------------------------------------------------------------------------------------


def _single(search: _Search, now: Result) -> tuple[list[Counterfactual], list[Counterfactual]]:
    better: list[tuple[int, Counterfactual]] = []
    worse: list[Counterfactual] = []
    for _, changes in groupby(search.candidates(search.case), key=lambda change: change.fact):
        steps = list(_steps(search, now, list(changes)))
        gained = [found for found in steps if found.better][:_MOST_STEPS_A_FACT]
        better += list(enumerate(gained))
        worse += [found for found in steps if not found.better and _is_worth_knowing(found)][:1]
    # The first step of every fact comes before the second of any.
    return [found for _, found in sorted(better, key=lambda row: row[0])], worse


def _is_worth_knowing(found: Counterfactual) -> bool:
    """Known figures and codes may pass a threshold; that a company could be listed, or ask for something else, goes
    without saying.
    """
    (change,) = found.changes
    known = fact_named(change.fact)
    if known is None or known.kind not in NUMERIC | {FactKind.CODE} or change.actual is None:
        return False
    return not change.fact.startswith("request.")


def _steps(search: _Search, now: Result, changes: Sequence[Change]) -> Iterator[Counterfactual]:
    """Going outwards from the actual value, each change whose result is new on its side of it."""
    seen: dict[bool, list[Result]] = {True: [now], False: [now]}
    for change in changes:
        result = search.result_of((change,))
        if result is None:
            continue
        passed = seen[_is_upwards(change)]
        if result not in passed:
            passed.append(result)
            if result.order() != now.order():
                yield Counterfactual((change,), result, result.order() > now.order())


def _is_upwards(change: Change) -> bool:
    known = fact_named(change.fact)
    if known is None or known.kind not in NUMERIC or change.actual is None:
        return True
    return bool(change.value > change.actual)


def _asking_more(search: _Search, now: Result) -> Iterator[Counterfactual]:
    """Where what was asked for binds as well, a fact betters the limit only together with a larger request: for each
    fact the nearest value that does.
    """
    asked, limits, on = search.case.application.request.amount, search.terms.credit_limit, search.on
    if not limits.limited_to_request.value or asked >= now.credit_limit + limits.rounding_unit.value:
        return
    most = asking(limits.lender_cap.value, asked, on)
    alone = search.result_of((most,)).credit_limit or now.credit_limit
    for fact, changes in groupby(search.candidates(search.case), key=lambda change: change.fact):
        for change in changes if fact != "request.amount" else ():
            reached = search.result_of((change, most))
            if reached is None or reached.credit_limit is None or reached.credit_limit <= alone:
                continue
            pair = (change, asking(reached.credit_limit, asked, on))
            result = search.result_of(pair)
            if result is not None and result.credit_limit == reached.credit_limit:
                yield Counterfactual(pair, result, better=True)
                break


# ---- several changes together ---------------------------------------------------------------------------------------


def _together(search: _Search) -> Counterfactual | None:
    """Whatever stands in the way is put right at once, and again where more comes to light; then every change that the
    result does without is left out.
    """
    made: list[Change] = []
    for _ in range(_MOST_ROUNDS):
        case = changed(search.case, made)
        if case is None or result_of(search.decide(case)).outcome is Outcome.PRE_APPROVED:
            break
        more = _mended(search, case)
        if not more:
            break
        made += more
    result = search.result_of(made)
    if not made or result is None:
        return None
    made, result = _without_idle(search, made, result)
    if result.outcome is result_of(search.decide(search.case)).outcome:
        return None
    return Counterfactual(tuple(made), result, better=True)


def _mended(search: _Search, case: Case) -> list[Change]:
    """The nearest change for every circumstance and every fact that stands in the way; where none does, the one change
    that betters the outcome.
    """
    facts, terms, on = Facts(case.application, search.on), search.terms, search.on
    found = [change for change in circumstances(case, terms, on) if change.fact not in ("standing", "request.replaces")]
    by_fact: dict[str, list[Change]] = {}
    for change in thresholds(case, terms, search.decide(case), on):
        by_fact.setdefault(change.fact, []).append(change)
    scored = any(change.fact == "innovation_score" for change in found)
    for fact, changes in by_fact.items():
        if scored and fact.startswith("score."):
            # What is asked of a score is seen once there is one.
            continue
        if not _is_sound(fact, reader_of(fact)(facts), search):
            found += [change for change in changes if _is_sound(fact, change.value, search)][:1]
    if found:
        return found
    now = result_of(search.decide(case))
    for change in (*circumstances(case, terms, on), *(c for changes in by_fact.values() for c in changes)):
        then = changed(case, (change,))
        if then is not None and _RANK[result_of(search.decide(then)).outcome] > _RANK[now.outcome]:
            return [change]
    return []


def _is_sound(fact: str, value: object, search: _Search) -> bool:
    """Whether a value passes every gate of the product on that fact, and every table that is read by it has a row."""
    terms = search.terms
    subsidies = {id(gate) for programme in terms.subsidies for gate in programme.gates}
    gates = [gate for gate in every_gate(terms) if gate.fact == fact and id(gate) not in subsidies]
    tables = [p for p in every_table(terms) if p.by == fact and not p.path.startswith("interest_subsidies")]
    bases = [c for c in terms.credit_limit.components if c.of == fact]
    tenor = fact == "request.tenor_months"
    if not (gates or tables or bases or tenor):
        return True
    if value is None:
        return False
    rows = all(parameter.value.find(value) is not None for parameter in tables)
    return rows and all(gate.passes(value) for gate in gates) and (not tenor or _fits(value, search))


def _fits(months: object, search: _Search) -> bool:
    """Whether a tenor lies within the product's, as far as it does not depend on a fact."""
    least, most = search.terms.minimum_tenor_months, search.terms.maximum_tenor_months
    above = least is None or least.by is not None or months >= least.value
    return above and (most is None or most.by is not None or months <= most.value)


def _without_idle(search: _Search, made: list[Change], result: Result) -> tuple[list[Change], Result]:
    kept = list(made)
    for change in made:
        rest = [other for other in kept if other is not change]
        without = search.result_of(rest) if rest else None
        if without is not None and without.outcome is result.outcome:
            kept, result = rest, without
    return kept, result
