"""decide() side by side with other people's rule engines, on the same table and the same companies.

The table is written from the very terms that the service decides by (table.py), for every product of the catalogue
that decides; each company asks for a product of its own zone. Before anything is timed, every side must give the same
outcome, and where it is an offer the same limit, rate, subsidy, cover and last day, for every company.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median
from time import perf_counter

from app.audit.application import application_from_document
from app.domain.company import Application
from app.domain.decision import Decision
from app.domain.standing import NOTHING_PROMISED
from app.domain.terms import ProductTerms
from app.rules.decide import decide
from benchmarks.catalogue import deciding_terms
from benchmarks.companies import applications
from benchmarks.engines import Answer, BusinessRules, JsonLogic, ZenBatch, ZenCompiled, ZenCreated, ZenLoaded
from benchmarks.report import Line, Section, at_least
from benchmarks.rounds import interleave, ratio
from benchmarks.table import Flat, flat_facts, table_of

ON = date(2026, 11, 20)
BATCH = 64


@dataclass(frozen=True, slots=True)
class Case:
    """One company asking for one product, ready for every side."""

    application: Application
    terms: ProductTerms
    facts: Flat


class Disagreement(Exception):
    """Two sides gave different answers: whatever would be timed would not be the same work."""


def measure(*, quick: bool) -> Section:
    """This function will compare, then time. Raises Disagreement."""
    products = deciding_terms(ON)
    tables = {name: table_of(terms) for name, terms in products.items()}
    each = 20 if quick else 300
    cases = [
        Case(application := application_from_document(document), terms, flat_facts(application, tables[name], ON))
        for i, (name, terms) in enumerate(products.items())
        for document in applications(terms, on=ON, count=each, seed=1, first_number=i * each)
    ]
    every = tables.values()
    loaded, batch = ZenLoaded(every), ZenBatch(every)
    compiled, json_logic, business_rules = ZenCompiled(every), JsonLogic(every), BusinessRules(every)
    created = ZenCreated(every)
    one_by_one: dict[str, Callable[[str, Flat], Answer]] = {
        "zen evaluate": loaded.answer,
        "zen evaluate, created": created.answer,
        "zen compiled": compiled.answer,
        "json-logic": json_logic.answer,
        "business-rules": business_rules.answer,
    }
    requests = [{"key": case.terms.id, "context": case.facts} for case in cases]
    _agree(cases, one_by_one, batch.answers(requests))

    def ours() -> None:
        for case in cases:
            decide(case.application, case.terms, NOTHING_PROMISED, ON)

    def ours_read() -> None:
        for case in cases:
            tuple(decide(case.application, case.terms, NOTHING_PROMISED, ON).trace())

    def by_batches() -> None:
        for start in range(0, len(requests), BATCH):
            batch.answers(requests[start : start + BATCH])

    timed = {
        "decide": _microseconds(ours, len(cases)),
        "decide, trace read": _microseconds(ours_read, len(cases)),
        "zen batch": _microseconds(by_batches, len(cases)),
    }
    one_by_one |= {"zen evaluate, traced": loaded.traced, "zen created, traced": created.traced}
    timed |= {name: _each(answer, cases[:: 4 if name in _SLOW else 1]) for name, answer in one_by_one.items()}
    figures = interleave(timed, rounds=2 if quick else 7)
    return _section(figures, len(cases), len(products))


# These take every fourth company, so that a round takes seconds.
_SLOW = frozenset({"zen evaluate, created", "zen created, traced", "json-logic", "business-rules"})


def _each(answer: Callable[[str, Flat], object], cases: Sequence[Case]) -> Callable[[], float]:
    def run() -> None:
        for case in cases:
            answer(case.terms.id, case.facts)

    return _microseconds(run, len(cases))


def _microseconds(run: Callable[[], None], decisions: int) -> Callable[[], float]:
    def timed() -> float:
        began = perf_counter()
        run()
        return (perf_counter() - began) / decisions * 1e6

    return timed


def _agree(cases: Sequence[Case], sides: dict[str, Callable[[str, Flat], Answer]], batch: Sequence[Answer]) -> None:
    for case, batched in zip(cases, batch, strict=True):
        decision = decide(case.application, case.terms, NOTHING_PROMISED, ON)
        answers = {name: answer(case.terms.id, case.facts) for name, answer in sides.items()} | {"zen batch": batched}
        for name, answer in answers.items():
            if difference := _difference(decision, answer):
                raise Disagreement(f"{name} on {case.terms.id}, {case.application.application_id}: {difference}")


def _difference(decision: Decision, answer: Answer) -> str | None:
    if answer["outcome"] != decision.outcome.value:
        return f"{decision.outcome.value} here, {answer['outcome']} there"
    offer = decision.offer
    if offer is None:
        return None
    rate, ceiling = offer.form.annual_rate, offer.form.annual_rate_ceiling
    # The engines compute in binary floating point: figures may differ beyond a hundredth of a basis point or by a fen.
    for name, here, within in (
        ("limit", int(offer.credit_limit), 0),
        ("annual_rate", None if rate is None else float(rate), 5e-7),
        ("ceiling", None if ceiling is None else float(ceiling), 5e-7),
        ("all_in", float(offer.form.all_in_annual_cost), 5e-7),
        ("subsidy", int(offer.interest_subsidy.maximum_amount), 1),
        ("net_rate", float(offer.interest_subsidy.net_annual_rate_at_best), 1e-6),
        ("covered", int(offer.risk_compensation.covered_amount), 0),
        ("expires_on", offer.expires_on.toordinal(), 0),
    ):
        there = answer.get(name)  # zen leaves out what is null
        if (here is None) != (there is None) or (here is not None and abs(here - there) > within):
            return f"{name} is {here} here, {there} there"
    return None


def _section(figures: dict[str, list[float]], decisions: int, products: int) -> Section:
    ours, read = figures["decide"], figures["decide, trace read"]
    words = {
        "decide": "**decide**, compact trace",
        "decide, trace read": "**decide**, every line of the trace read",
        "zen evaluate, traced": "zen-engine evaluate() with trace, preloaded",
        "zen created, traced": "zen-engine evaluate() with trace, create_decision()",
        "zen evaluate": "zen-engine evaluate() without trace, preloaded",
        "zen evaluate, created": "zen-engine evaluate() without trace, create_decision()",
        "zen batch": f"zen-engine evaluate_batch() by {BATCH}, without trace",
        "zen compiled": "zen-engine compiled expression, without trace, nine figures only",
        "json-logic": "json-logic-qubit",
        "business-rules": "business-rules",
    }
    lines = [Line(word, f"{median(figures[name]):.1f} µs") for name, word in words.items()]
    return Section(
        f"Rules: one decision, µs (medians; {decisions} companies, {products} products)",
        (
            *lines,
            at_least(
                "zen-engine with trace, create_decision() ÷ decide", ratio(figures["zen created, traced"], ours), 20
            ),
            at_least("zen-engine with trace, preloaded ÷ decide", ratio(figures["zen evaluate, traced"], ours), 20),
            at_least("zen-engine batch without trace ÷ decide", ratio(figures["zen batch"], ours), 3),
            at_least("zen-engine compiled without trace ÷ decide", ratio(figures["zen compiled"], ours), 3),
            Line(
                "zen-engine with trace, preloaded ÷ decide, trace read",
                f"{ratio(figures['zen evaluate, traced'], read):.2f} x",
            ),
        ),
    )
