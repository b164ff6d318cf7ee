"""What a catalogue says that its author may not have meant: nothing here stops it from being used.

Neighbours may rely on this: remarks have the shape of faults (file, line, what, mend) and the same order. They tell
of tables in which a better score or rank gets a lower limit or a higher rate, of rows that no company can reach, of
codes that a table leaves out, and of figures that contradict one another.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any

from app.domain.company import CompanySize
from app.domain.facts import fact_named
from app.domain.terms import LOANS, GateTest, ProductStatus, Severity
from app.products.catalog import Catalog
from app.products.faults import Fault, Faults
from app.products.forms import Section
from app.products.gates import GateSource, gates_within
from app.products.parameters import NUMERIC, Dated, Entry, Row
from app.products.resolve import dates_of_change, status_on
from app.products.sources import Product, Sources

# Whether more is better for the company; what is named nowhere here is neither.
MORE_IS_BETTER = {
    "maximum_months": True,
    "discount_share": True,
    "share": True,
    "cap_per_loan": True,
    "spread_bps": False,
    "annual_rate": False,
    "conventional_rate": False,
    "ceiling_bps": False,
    "fee_rate": False,
}


def remarks(catalog: Catalog) -> tuple[Fault, ...]:
    """This function will return what is worth a second look, in the order of files and lines."""
    found = Faults()
    for product in catalog.sources.products.values():
        if product.kind in LOANS and any(e.value is ProductStatus.ACTIVE for e in product.status.entries):
            _remark_on(catalog.sources, product, found)
    return found.all()


def _remark_on(sources: Sources, product: Product, found: Faults) -> None:
    gates = list(gates_within(product.sections.get("gates")))
    for name, dated, more in _tables(sources, product):
        for entry in dated.entries if dated.by is not None else ():
            if entry.value is not None:
                _order(sources, product, name, dated, entry, more, found)
                _unreachable(sources, product, name, dated, entry, gates, found)
                _left_out(sources, product, name, dated, entry, gates, found)
    _gates(sources, product, gates, found)
    _contradictions(sources, product, found)


def _tables(sources: Sources, product: Product) -> Iterator[tuple[str, Dated, bool | None]]:
    """Every parameter that may be a table: its path, itself, and whether more is better."""
    sections = product.sections
    limit = sections.get("credit_limit", {})
    if "cap" in limit:
        yield "credit_limit.cap", limit["cap"], True
    for name, dated in limit.get("components", {}).items():
        yield f"credit_limit.{name}", dated, True
    for section in ("tenor", "pricing", "guarantee"):
        for key, dated in sections.get(section, {}).items():
            if isinstance(dated, Dated):
                yield f"{section}.{key}", dated, MORE_IS_BETTER.get(key)
    for programme in sections.get("interest_subsidies", ()):
        for key, dated in sources.subsidies[programme].items():
            if isinstance(dated, Dated):
                yield f"interest_subsidies.{programme}.{key}", dated, MORE_IS_BETTER.get(key)
    shares = sections.get("risk_compensation", {}).get("shares")
    if shares is not None:
        yield "risk_compensation.shares", shares, None


# ---- a better company is not treated worse --------------------------------------------------------------------------


def _order(
    sources: Sources, product: Product, name: str, dated: Dated, entry: Entry, more: bool | None, found: Faults
) -> None:
    if more is None:
        return
    rows = _worst_first(sources, product, dated.by, entry.value)
    for worse, better in pairwise(rows):
        if (better.value < worse.value) if more else (better.value > worse.value):
            there = f"{better.value} for {better.key}, {worse.value} for {worse.key}"
            what = f"{name} treats a better {dated.by} worse: {there}"
            found.add(better.place, what, "Look whether the two values were exchanged; keep them if this is meant.")


def _worst_first(sources: Sources, product: Product, by: str, rows: tuple[Row, ...]) -> list[Row]:
    """The rows from the worst to the best company; nothing where the fact does not rank companies."""
    given = [row for row in rows if row.value is not None]
    if by == "score.value":
        return given
    if by.startswith("score.rank_"):
        return given[::-1]
    if by == "score.grade":
        lists = {tuple(scheme["grades"]) for _, scheme in sources.schemes_of(product) if "grades" in scheme}
        if len(lists) == 1:
            order = lists.pop()
            return sorted(given, key=lambda row: -order.index(row.key))
    return []


# ---- every row can be reached, and every code has one ---------------------------------------------------------------


def _scale_maximum(sources: Sources, product: Product, on: date) -> Decimal | None:
    """The highest score that any accepted scheme gives, or None where one of them publishes no maximum."""
    highest: list[Decimal] = []
    for _, scheme in sources.schemes_of(product):
        entry = scheme["scale_maximum"].on(on) if "scale_maximum" in scheme else None
        if entry is None:
            return None
        highest.append(entry.value)
    return max(highest, default=None)


def _unreachable(
    sources: Sources, product: Product, name: str, dated: Dated, entry: Entry, gates: list[GateSource], found: Faults
) -> None:
    if fact_named(dated.by).kind not in NUMERIC:
        return
    maximum = _scale_maximum(sources, product, entry.since) if dated.by == "score.value" else None
    least, most = _bounds(gates, dated.by, entry.since)
    for index, row in enumerate(entry.value):
        after = entry.value[index + 1].key if index + 1 < len(entry.value) else None
        why = None
        if maximum is not None and row.key > maximum:
            why = f"the scale ends at {maximum}"
        elif most is not None and row.key > most:
            why = f"a gate declines above {most}"
        # The first row stands there because a table must begin where its fact does.
        elif index > 0 and least is not None and after is not None and after <= least:
            why = f"a gate declines below {least}"
        if why is not None:
            what = f"{name}: no company reaches the row from {row.key}, since {why}"
            found.add(row.place, what, "Remove the row, or look at the gate or the scale.")


def _bounds(gates: list[GateSource], fact: str, on: date) -> tuple[Any, Any]:
    """What declining gates leave of a number: (least, most), both inclusive, None where open."""
    least = most = None
    for gate in gates:
        entry = gate.dated.on(on)
        if gate.fact != fact or gate.severity is not Severity.DECLINE or gate.waiver is not None or entry is None:
            continue
        if gate.test is GateTest.AT_LEAST:
            least = entry.value if least is None else max(least, entry.value)
        elif gate.test is GateTest.AT_MOST:
            most = entry.value if most is None else min(most, entry.value)
    return least, most


def _left_out(
    sources: Sources, product: Product, name: str, dated: Dated, entry: Entry, gates: list[GateSource], found: Faults
) -> None:
    wanted = _codes_of(sources, product, dated.by)
    for gate in gates:
        threshold = gate.dated.on(entry.since)
        if gate.fact == dated.by and threshold is not None and gate.waiver is None:
            if gate.test is GateTest.ONE_OF:
                wanted = wanted & set(threshold.value)
            elif gate.test is GateTest.NONE_OF:
                wanted = wanted - set(threshold.value)
    missing = sorted(wanted - {str(row.key) for row in entry.value})
    if missing:
        what = f"{name} has no row for the {dated.by} {', '.join(missing)}: such a company is referred"
        found.add(entry.place, what, "Add the row, or a gate that says who is meant.")


def _codes_of(sources: Sources, product: Product, by: str) -> set[str]:
    """The codes that companies can have, as far as they are known whole."""
    schemes = [scheme for _, scheme in sources.schemes_of(product)]
    match by:
        case "company.size":
            return {size.value for size in CompanySize}
        case "score.stage":
            return {code for scheme in schemes if scheme.get("complete") for code in scheme.get("stages", ())}
        case "score.grade":
            return {code for scheme in schemes for code in scheme.get("grades", ())}
        case "score.field":
            return {code for scheme in schemes for code in scheme.get("fields", ())}
        case _:
            return set()


# ---- gates and figures that leave nothing over ----------------------------------------------------------------------


def _gates(sources: Sources, product: Product, gates: list[GateSource], found: Faults) -> None:
    for day in dates_of_change(sources, product):
        if status_on(product.status, day) is ProductStatus.ACTIVE and not any(g.dated.on(day) for g in gates):
            what = f"{product.id} has no gates from {day}"
            found.add(product.place, what, "Write at least one, unless every company is to pass.")
            break
    for gate in gates:
        for entry in gate.dated.entries:
            maximum = _scale_maximum(sources, product, entry.since)
            if (
                gate.fact != "score.value"
                or gate.test is not GateTest.AT_LEAST
                or entry.value is None
                or maximum is None
            ):
                continue
            if entry.value > maximum:
                what = f"no company passes: the gate asks for {entry.value}, and the scale ends at {maximum}"
                found.add(entry.place, what, "Look at the gate or at the zone's scale_maximum.")


def _contradictions(sources: Sources, product: Product, found: Faults) -> None:
    limit: Section = product.sections.get("credit_limit", Section(product.place))
    tenor = product.sections.get("tenor", {})
    lender_cap = sources.lenders[product.lender].get("company_cap")
    for name, dated in limit.get("components", {}).items():
        if dated.of is None:
            _above(f"credit_limit.{name}", dated, "the product's cap", limit.get("cap"), found)
    _above("credit_limit.cap", limit.get("cap"), "the lender's cap", lender_cap, found)
    _above("credit_limit.floor", limit.get("floor"), "the product's cap", limit.get("cap"), found)
    _above("tenor.minimum_months", tenor.get("minimum_months"), "maximum_months", tenor.get("maximum_months"), found)


def _above(name: str, dated: Dated | None, what: str, bound: Dated | None, found: Faults) -> None:
    for entry in dated.entries if dated is not None and bound is not None else ():
        highest = bound.on(entry.since)
        if entry.value is None or highest is None:
            continue
        most = max(value for _, value in _values(bound, highest))
        for place, value in _values(dated, entry):
            if value > most:
                text = f"{name} has {value}, which is above {what} of {most} on {entry.since}"
                found.add(place, text, "It never counts in full: look at both figures.")


def _values(dated: Dated, entry: Entry) -> Iterator[tuple[Any, Any]]:
    if dated.by is None:
        yield entry.place, entry.value
    else:
        yield from ((row.place, row.value) for row in entry.value if row.value is not None)
