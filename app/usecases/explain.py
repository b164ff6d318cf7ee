"""说明: why a recorded decision came out as it did, what set its limit, what would change it, and on whose word each
figure stands.

Neighbours may rely on this: only what was really decided is explained — the record is decided again first, and where
that does not give the recorded bytes there is no explanation; nothing but the record and its terms is consulted, so
that an explanation is the same on any day. What would change it is proved by deciding again under the recorded edition.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from app.audit.open_record import OpenRecord, open_record
from app.domain.decision import Decision, Step, spelled_out
from app.domain.money import Yuan
from app.domain.terms import Gate, ProductTerms
from app.domain.trace import Reference
from app.rules.counterfactual import Counterfactual, counterfactuals
from app.rules.suppositions import Case, limit_steps
from app.usecases.ports import StoredDecision
from app.usecases.replay import EDITIONS, replay_stored, resolved_terms


@dataclass(frozen=True, slots=True)
class GateAnswered:
    """One gate, what it found (None: unknown) and what it answered (None: unknown)."""

    gate: Gate
    actual: Any
    answer: bool | None


@dataclass(frozen=True, slots=True)
class LimitRow:
    """One of the amounts whose least is the limit; `amount` None where a fact was unknown or a table had no row."""

    step: str
    amount: Yuan | None
    facts: tuple[tuple[str, Any], ...]
    reference: Reference | None
    binding: bool


@dataclass(frozen=True, slots=True)
class Figure:
    """One value of the terms that the decision used, and where it comes from."""

    step: str
    reference: Reference


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that is to be said of one decision. `checks` are what is asked before the gates; `place` is where the
    record stands in its log.
    """

    opened: OpenRecord
    terms: ProductTerms
    decision: Decision
    checks: tuple[Step, ...]
    gates: tuple[GateAnswered, ...]
    limit: tuple[LimitRow, ...]
    figures: tuple[Figure, ...]
    counterfactuals: tuple[Counterfactual, ...]
    place: dict[str, Any]

    @property
    def binding(self) -> LimitRow | None:
        """The amount that set the limit, None where no limit was found."""
        return next((row for row in self.limit if row.binding), None)


def explain(stored: StoredDecision) -> Explanation:
    """This function will explain a stored decision. ValueError where the record cannot be read or is not what the rules
    decide from it: then there is nothing to explain, and `replay` says where they differ.
    """
    if replay_stored(stored):
        raise ValueError("what is recorded is not what the rules decide from it")
    opened = open_record(stored.record)
    _, terms = resolved_terms(stored.terms)
    rules = EDITIONS[opened.identity.rules_edition]
    decision = rules(opened.application, terms, opened.standing, opened.decided_on)
    case = Case(opened.application, opened.standing)
    answered = decision.gates
    rows = zip(answered.gates, answered.actuals, answered.answers, strict=True)
    return Explanation(
        opened=opened,
        terms=terms,
        decision=decision,
        checks=tuple(map(spelled_out, decision.checks)),
        gates=tuple(GateAnswered(*row) for row in rows),
        limit=tuple(_limit(decision, terms)),
        figures=tuple(_figures(decision)),
        counterfactuals=counterfactuals(case, terms, opened.decided_on, rules),
        place=orjson.loads(stored.answer)["audit_record"],
    )


def _limit(decision: Decision, terms: ProductTerms) -> Iterator[LimitRow]:
    if not terms.decides:
        return
    steps = limit_steps(terms)
    rows = [line for line in decision.trace() if line[0] in steps]
    # Without a limit a line is marked because it is what is missing, which binds nothing.
    whole = all(line[1] is not None for line in rows)
    for step, amount, facts, reference, decisive in rows:
        yield LimitRow(step, amount, facts, reference, decisive and whole)


def _figures(decision: Decision) -> Iterator[Figure]:
    seen: set[str] = set()
    for step, _, _, reference, _ in decision.trace():
        if reference is not None and step not in seen:
            seen.add(step)
            yield Figure(step, reference)
