"""Gates (准入条件) as they are written: one condition on one fact, its thresholds dated.

Neighbours may rely on this: the test fits the fact's kind, and thresholds have the fact's own type (codes a list that
keeps its lines).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.domain.facts import FactKind, fact_named
from app.domain.terms import GateTest, Severity, Words
from app.products.faults import Place
from app.products.forms import (
    WORDS,
    Choice,
    Coded,
    Either,
    Form,
    ListOf,
    MapOf,
    Reading,
    Record,
    Schema,
    Section,
    Text,
    Unreadable,
    Whole,
)
from app.products.parameters import ANYTHING, FACT, NUMERIC, Dated, Parameter, entries_schema, fact_form, read_entries
from app.products.reader import Mapping, Node


@dataclass(frozen=True, slots=True)
class WaiverSource:
    """A waiver as written."""

    place: Place
    authority: Words
    evidence: Words
    fact: str | None
    at_most: int | None
    authorities: Section | None


@dataclass(frozen=True, slots=True)
class GateSource:
    """A gate as written; its thresholds are dated."""

    place: Place
    fact: str
    test: GateTest
    severity: Severity
    words: Words
    clause: str | None
    waiver: WaiverSource | None
    dated: Dated


COMPARISONS = frozenset({GateTest.AT_LEAST, GateTest.AT_MOST})
TESTS_OF = {
    **dict.fromkeys(NUMERIC, COMPARISONS),
    FactKind.CODE: frozenset({GateTest.ONE_OF, GateTest.NONE_OF, GateTest.STARTS_WITH, GateTest.STARTS_WITH_NONE_OF}),
    FactKind.CODES: frozenset({GateTest.ANY_OF, GateTest.ALL_OF}),
    FactKind.FLAG: frozenset({GateTest.IS}),
}
AUTHORITY = Record({"name": WORDS, "up_to": Parameter("CNY")}, named="authority")
WAIVER = Record(
    {"authority": WORDS, "evidence": WORDS},
    {
        "fact": FACT,
        "at_most": Whole(1, 1_000_000, "1"),
        "authorities": MapOf(Coded(example="branch-president"), AUTHORITY),
    },
    named="waiver",
)


@dataclass(frozen=True, slots=True)
class GateForm(Form):
    """One condition on one fact. A subsidy's gate needs no severity: where it fails the programme is not counted, no
    more.
    """

    record: Record

    def read(self, node: Node, reading: Reading) -> GateSource:
        parts = self.record.read(node, reading)
        if not isinstance(node, Mapping) or any(key not in parts for key in self.record.required):
            raise Unreadable
        fact, test = fact_named(parts["fact"]), parts["test"]
        if test not in TESTS_OF[fact.kind]:
            fitting = ", ".join(sorted(TESTS_OF[fact.kind]))
            what = f"the test {test} does not fit {fact.name}, which is a {fact.kind.value}"
            reading.refuse(parts.places["test"], what, f"Write one of {fitting}.")
        form = fact_form(fact)
        if fact.kind in (FactKind.CODE, FactKind.CODES):
            form = ListOf(form)
        entries = read_entries(node.get("values"), node.place, form, reading)
        dated = Dated(node.place, fact.kind.value, None, None, entries)
        waiver = _waiver(parts.get("waiver"), reading)
        severity = parts.get("severity", Severity.REFER)
        return GateSource(node.place, fact.name, test, severity, parts["words"], parts.get("clause"), waiver, dated)

    def schema(self, definitions: Schema) -> Schema:
        reference = self.record.schema(definitions)
        codes = {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"type": "string"}}
        value = {"anyOf": [{"type": ["boolean", "integer", "string"]}, codes]}
        definitions[self.record.named]["properties"]["values"] = entries_schema(value, definitions)
        return reference


def _waiver(parts: Section | None, reading: Reading) -> WaiverSource | None:
    if parts is None or "authority" not in parts or "evidence" not in parts:
        return None
    fact, at_most = parts.get("fact"), parts.get("at_most")
    if (fact is None) != (at_most is None):
        reading.refuse(parts.place, "a waiver has one of fact and at_most without the other", "Write both, or neither.")
    if fact is not None and fact_named(fact).kind is not FactKind.COUNT:
        reading.refuse(
            parts.places["fact"],
            f"a waiver's fact is a count, but {fact} is none",
            "Name a rank, such as score.rank_in_stage.",
        )
    authorities = parts.get("authorities")
    if authorities is not None and not all("name" in one and "up_to" in one for one in authorities.values()):
        raise Unreadable
    return WaiverSource(parts.place, parts["authority"], parts["evidence"], fact, at_most, authorities)


CONDITION = {"words": WORDS, "fact": FACT, "test": Choice(GateTest), "values": ANYTHING}
DESCRIBED = {"description": Either(Text(), WORDS), "clause": Text()}
FAILING = Choice(Severity, frozenset({Severity.DECLINE, Severity.REFER}))
GATE = Record({**CONDITION, "severity": FAILING}, {**DESCRIBED, "waiver": WAIVER}, named="gate")
SUBSIDY_GATE = Record(CONDITION, {**DESCRIBED, "severity": Choice(Severity)}, named="subsidy_gate")
GATE_NAME = Coded(example="technology_level")
GATES = MapOf(GATE_NAME, GateForm(GATE))
SUBSIDY_GATES = MapOf(GATE_NAME, GateForm(SUBSIDY_GATE))


def gates_within(part: Any) -> Iterator[GateSource]:
    """This function will walk over every gate below a section."""
    if isinstance(part, GateSource):
        yield part
    elif isinstance(part, Section):
        for value in part.values():
            yield from gates_within(value)


def dated_within(part: Any) -> Iterator[Dated]:
    """This function will walk over every dated value below a section."""
    if isinstance(part, Dated):
        yield part
    elif isinstance(part, GateSource):
        yield part.dated
        if part.waiver is not None and part.waiver.authorities is not None:
            yield from dated_within(part.waiver.authorities)
    elif isinstance(part, Section):
        for value in part.values():
            yield from dated_within(value)
