"""What names mean from one file to another.

Neighbours may rely on this: once `check_links` has noted nothing, every zone, lender, branch, framework, programme,
pool, code and component that a file names exists, and every stage, field and grade in a product belongs to a zone
that the product serves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from app.domain.facts import EVIDENCE, FactKind, fact_named
from app.domain.terms import GateTest
from app.domain.trace import Basis
from app.products.faults import Faults, Place
from app.products.forms import Section
from app.products.gates import GateSource, dated_within, gates_within
from app.products.parameters import SHORT_NAMES, Dated
from app.products.sources import Product, Sources

RESERVED_LENDERS = frozenset({"operator"})
"""A log's origin ends with its lender's id, and the operator's log ends with this."""


def check_links(sources: Sources, faults: Faults) -> None:
    """This function will note every name that means nothing."""
    _check_codes(sources, faults)
    _check_lpr(sources, faults)
    _check_holidays(sources, faults)
    for name, zone in sources.zones.items():
        _check_zone(sources, name, zone, faults)
        _check_beginnings(zone, faults)
    for name, lender in sources.lenders.items():
        _check_beginnings(lender, faults)
        if name in RESERVED_LENDERS:
            what = f"no lender may be called {name}: that is the name of the operator's own log"
            faults.add(lender.place, what, "Choose another id, and rename its folder.")
    for product in sources.products.values():
        _check_product(sources, product, faults)


def _unknown(faults: Faults, place: Place, what: str, name: str, known: Iterable[str], where: str) -> None:
    listed = ", ".join(sorted(known))
    faults.add(
        place, f"the {what} {name} is not known", f"Add it to {where}, or name one of it: {listed or 'there are none'}."
    )


# ---- the single files and the zones ---------------------------------------------------------------------------------


def _check_codes(sources: Sources, faults: Faults) -> None:
    purposes = sources.codes.get("purposes", {})
    prohibited = [code for code, purpose in purposes.items() if purpose.get("prohibited")]
    if prohibited and "prohibition" not in sources.codes:
        what = f"the purpose {prohibited[0]} is prohibited, but nothing says by what rule"
        faults.add(purposes.places[prohibited[0]], what, "Add prohibition: {words: …, reference: …} to codes.yaml.")


def _check_lpr(sources: Sources, faults: Faults) -> None:
    confirmed = sources.lpr["confirmed_through"]
    for term, entries in sources.lpr["quotes"].items():
        for entry in entries:
            if entry.since > confirmed and entry.reference is not None and entry.reference.basis is Basis.PUBLISHED:
                what = f"the {term} quote of {entry.since} is published, but confirmed_through is {confirmed}"
                faults.add(
                    entry.place, what, "Let it be assumed, or move confirmed_through to the day of the last check."
                )


def _check_holidays(sources: Sources, faults: Faults) -> None:
    for year, calendar in (sources.holidays or {}).get("years", {}).items():
        for kind in ("holidays", "working_days"):
            days = calendar.get(kind)
            for day, place in zip(days or (), days.places if days else (), strict=True):
                if day.year != year:
                    faults.add(place, f"{day} stands under the year {year}", f"Move it under {day.year}.")
                elif kind == "working_days" and (day.weekday() < 5 or day in calendar["holidays"]):
                    what = f"{day} is no Saturday or Sunday that is worked"
                    faults.add(place, what, "List only weekend days that are worked, and none that is a holiday too.")


def _check_zone(sources: Sources, name: str, zone: Section, faults: Faults) -> None:
    for scheme in zone.get("score_schemes", {}).values():
        _check_listed(scheme.get("fields"), "field", sources.codes.get("fields", {}), "codes.yaml (fields)", faults)
    vocabulary = Vocabulary.of(sources, [name])
    for programme in zone.get("interest_subsidies", {}).values():
        _check_names(programme, vocabulary, faults)
    for pool in zone.get("risk_compensation_pools", {}).values():
        quotas = pool.get("lender_quotas", {})
        for lender in quotas:
            if lender not in sources.lenders:
                _unknown(faults, quotas.places[lender], "lender", lender, sources.lenders, "lenders/")
    for framework in zone.get("frameworks", {}).values():
        _check_sections(sources, framework, vocabulary, faults)


def _check_listed(codes: Any, what: str, known: Iterable[str], where: str, faults: Faults) -> None:
    for code, place in zip(codes or (), codes.places if codes else (), strict=True):
        if code not in known:
            _unknown(faults, place, what, code, known, where)


# ---- products -------------------------------------------------------------------------------------------------------


def _check_product(sources: Sources, product: Product, faults: Faults) -> None:
    own = product.own
    lender = sources.lenders.get(product.lender)
    if lender is None:
        faults.add(
            own.place, f"the lender {product.lender} has no file", f"Write lenders/{product.lender}/lender.yaml."
        )
    elif "branch" in own and own["branch"] not in lender.get("branches", {}):
        _unknown(faults, own.places["branch"], "branch", own["branch"], lender.get("branches", {}), "the lender's file")
    _check_listed(own["zones"], "zone", sources.zones, "zones/", faults)
    if not all(zone in sources.zones for zone in product.zones):
        return
    if "framework" in own and own["framework"].partition("/")[0] not in product.zones:
        what = f"the framework {own['framework']} belongs to a zone that the product does not serve"
        faults.add(own.places["framework"], what, "Add the zone to zones, or name a framework of a zone that is there.")
        return
    _check_sections(sources, product.sections, Vocabulary.of(sources, product.zones), faults)
    _check_served(product, faults)
    if "framework" not in own:
        _check_beginnings(own, faults)


def _check_served(product: Product, faults: Faults) -> None:
    """Programmes and pools are a zone's: a product elsewhere cannot draw on them."""
    sections = product.sections
    listed = sections.get("interest_subsidies")
    named = [*zip(listed or (), listed.places if listed else (), strict=True)]
    pool = sections.get("risk_compensation", {}).get("pool")
    if pool is not None:
        named.append((pool, sections["risk_compensation"].places["pool"]))
    for name, place in named:
        if name.partition("/")[0] not in product.zones:
            what = f"{name} belongs to a zone that {product.id} does not serve"
            faults.add(place, what, "Add the zone to zones, or name one of a zone that is there.")


def _check_sections(sources: Sources, sections: Section, vocabulary: Vocabulary, faults: Faults) -> None:
    _check_names(sections, vocabulary, faults)
    _check_components(sections.get("credit_limit", {}).get("components"), faults)
    _check_listed(sections.get("interest_subsidies"), "programme", sources.subsidies, "its zone's file", faults)
    pool = sections.get("risk_compensation", {}).get("pool")
    if pool is not None and pool not in sources.pools:
        place = sections["risk_compensation"].places["pool"]
        _unknown(faults, place, "pool", pool, sources.pools, "its zone's file")
    conditions = sources.codes.get("conditions", {})
    offered = sections.get("offer", {}).get("conditions")
    _check_listed(offered, "condition", conditions, "codes.yaml (conditions)", faults)


def _check_components(components: Section | None, faults: Faults) -> None:
    """A component may be a share of what was worked out before it: the cap, a money fact, a component above it."""
    above: list[str] = []
    for name, dated in (components or {}).items():
        if name in RESERVED:
            mend = "Choose another name, one that no fact and no key beside components has."
            faults.add(dated.place, f"a component is called {name}, which has a meaning of its own", mend)
        base = dated.of
        if base is not None and base != "cap" and base not in above:
            fact = fact_named(base)
            if base in components:
                mend = "Move that component above this one: each is worked out in the order written."
                faults.add(dated.place, f"{name} is a share of {base}, which does not stand above it", mend)
            elif fact is None or fact.kind is not FactKind.MONEY:
                what = f"{name} is a share of {base}, which is neither a component nor a money fact"
                faults.add(
                    dated.place, what, "Name cap, a component above this one, or a fact such as financials.revenue."
                )
        above.append(name)


RESERVED = frozenset({"cap", "lender_cap", "limited_to_request", "floor", "rounding_unit", "components", *SHORT_NAMES})


def _check_beginnings(section: Section, faults: Faults) -> None:
    """A parameter begins with a value; only what overrides a framework may begin with null, which drops it."""
    for dated in dated_within(section):
        if dated.entries[0].value is None:
            what = f"the first value, of {dated.entries[0].since}, is null, but nothing stands before it"
            faults.add(dated.entries[0].place, what, "Remove the date: a parameter is absent before its first one.")


# ---- codes ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The codes that the zones served give to facts; a fact that is not here takes any code of its form."""

    codes: dict[str, frozenset[str]]

    @classmethod
    def of(cls, sources: Sources, zones: Iterable[str]) -> Vocabulary:
        """This function will return what stages, fields and grades the zones' schemes have, beside the catalogue's
        codes.
        """
        schemes = [s for zone in zones for s in sources.zones[zone].get("score_schemes", {}).values()]
        codes = {
            "company.qualifications": frozenset(sources.codes.get("qualifications", ())),
            "request.purpose": frozenset(sources.codes.get("purposes", ())),
            "score.stage": frozenset(code for scheme in schemes for code in scheme.get("stages", ())),
        }
        if all("fields" in scheme for scheme in schemes):
            codes["score.field"] = frozenset(code for scheme in schemes for code in scheme["fields"])
        else:
            codes["score.field"] = frozenset(sources.codes.get("fields", ()))
        if all("grades" in scheme for scheme in schemes):
            codes["score.grade"] = frozenset(code for scheme in schemes for code in scheme["grades"])
        codes["evidence"] = frozenset(sources.codes.get("evidence", ()))
        return cls(codes)


WHERE = {
    "company.qualifications": ("qualification", "codes.yaml (qualifications)"),
    "request.purpose": ("purpose", "codes.yaml (purposes)"),
    "score.stage": ("stage", "the stages of the zone's scheme"),
    "score.field": ("field", "the fields of the zone's scheme"),
    "score.grade": ("grade", "the grades of the zone's scheme"),
    "evidence": ("evidence", "codes.yaml (evidence)"),
}


def _check_names(part: Any, vocabulary: Vocabulary, faults: Faults) -> None:
    for fact, code, place in _coded_within(part):
        known = vocabulary.codes.get(fact)
        if known is not None and code not in known:
            what, where = WHERE[fact]
            _unknown(faults, place, what, code, known, where)


def _coded_within(part: Any) -> Iterator[tuple[str, str, Place]]:
    """Every (fact, code, place) that gates and tables below a section name; evidence counts as a code itself."""
    for gate in gates_within(part):
        yield from _coded_in_gate(gate)
    for dated in dated_within(part):
        yield from _coded_in_table(dated)


def _coded_in_gate(gate: GateSource) -> Iterator[tuple[str, str, Place]]:
    if gate.fact.startswith(EVIDENCE):
        yield "evidence", gate.fact.removeprefix(EVIDENCE), gate.place
    if gate.test in (GateTest.STARTS_WITH, GateTest.STARTS_WITH_NONE_OF):
        return
    for entry in gate.dated.entries:
        if fact_named(gate.fact).kind in (FactKind.CODE, FactKind.CODES) and entry.value is not None:
            yield from ((gate.fact, code, place) for code, place in zip(entry.value, entry.value.places, strict=True))


def _coded_in_table(dated: Dated) -> Iterator[tuple[str, str, Place]]:
    if dated.by is not None and fact_named(dated.by).kind is FactKind.CODE:
        for entry in dated.entries:
            yield from ((dated.by, row.key, row.place) for row in entry.value or ())
