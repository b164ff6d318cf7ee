"""Dated values: parameters, tables and gates as they are written.

Neighbours may rely on this: entries ascend by date and each value in force has its reference; a table's rows ascend
(by a number) or have different codes; the values have the exact type of the parameter's unit. What a code means is
checked in links.py, not here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from itertools import pairwise
from typing import Any

from app.domain.company import CompanySize
from app.domain.facts import FACTS, Fact, FactKind, fact_named
from app.domain.terms import ProductStatus
from app.domain.trace import Reference
from app.products.faults import Place
from app.products.forms import (
    CODE,
    GRADE,
    REFERENCE,
    WORDS,
    Choice,
    Coded,
    Day,
    Either,
    Flag,
    Form,
    Listed,
    ListOf,
    MapOf,
    Money,
    Number,
    Reading,
    Record,
    Schema,
    Section,
    Text,
    Unreadable,
    Whole,
    scalar,
)
from app.products.reader import Mapping, Node, Scalar, Sequence, shown


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: from `key` on, or for the code `key`. A first row whose value is None gives nothing, on
    purpose.
    """

    place: Place
    key: Any
    value: Any


@dataclass(frozen=True, slots=True)
class Entry:
    """What holds from a day on: a plain value or a tuple of rows; None ends the parameter."""

    place: Place
    since: date
    value: Any
    reference: Reference | None


@dataclass(frozen=True, slots=True)
class Dated:
    """A parameter as written."""

    place: Place
    unit: str
    by: str | None
    of: str | None
    entries: tuple[Entry, ...]

    def on(self, day: date) -> Entry | None:
        """This function will return what holds on a day: the newest entry not after it, or None before the first and
        after the end.
        """
        found = None
        for entry in self.entries:
            if entry.since > day:
                break
            found = entry
        return None if found is None or found.value is None else found


class Bearer(StrEnum):
    """Who bears a share of one loss."""

    POOL = "POOL"
    GUARANTOR = "GUARANTOR"
    REGUARANTOR = "REGUARANTOR"
    INSURER = "INSURER"
    BANK = "BANK"


def _whole_shares(section: Section, reading: Reading) -> Section:
    total = sum(section.values(), Decimal(0))
    if total != 1:
        reading.refuse(
            section.place, f"the shares of one loss sum to {total}, not to 1", "Change them so that they sum to 1."
        )
    return section


class Payer(StrEnum):
    """Whose budget a subsidy is paid from."""

    CENTRAL = "CENTRAL"
    PROVINCE = "PROVINCE"
    CITY = "CITY"
    ZONE = "ZONE"


class Tiers(ListOf):
    """Shares from a ratio on, ascending; a tier ends where the next begins."""

    def read(self, node: Node, reading: Reading) -> Listed:
        tiers = ListOf.read(self, node, reading)
        for (before, _), (after, place) in pairwise(zip(tiers, tiers.places, strict=True)):
            if after["from"] <= before["from"]:
                what = f"the tier from {after['from']} stands after the tier from {before['from']}"
                reading.faults.add(place, what, "Let `from` ascend; a tier ends where the next begins.")
        return tiers


ONE = Decimal(1)
SHARE = Number(Decimal(0), ONE)
UNITS: dict[str, Form] = {
    "CNY": Money(),
    "share": SHARE,
    "multiple": Number(Decimal(0), Decimal(1000)),
    "rate": SHARE,
    "number": Number(Decimal(0)),
    "bps": Whole(-1000, 3000, "45"),
    "months": Whole(1, 600),
    "days": Whole(1, 3660),
    "flag": Flag(),
    "status": Choice(ProductStatus),
    "versions": ListOf(Text(64)),
    "shares": MapOf(Choice(Bearer), SHARE, finish=_whole_shares),
    "payers": MapOf(Choice(Payer), SHARE, finish=_whole_shares),
    "tiers": Tiers(Record({"from": SHARE, "share": SHARE})),
}

# ---- facts by name --------------------------------------------------------------------------------------------------

SHORT_NAMES = {"score": "score.value", **{name.rpartition(".")[2]: name for name in FACTS if name != "score.value"}}
AREA = Coded(r"[0-9]{2,6}", '"320505"')
INDUSTRY = Coded(r"[A-T]|[A-T]?[0-9]{2,4}", '"C39"')
GRADE_CODE = Coded(GRADE, "AA")
CODE_FORMS: dict[str, Form] = {
    "score.grade": GRADE_CODE,
    "company.size": Choice(CompanySize),
    "company.registered_area": AREA,
    "company.industry_code": INDUSTRY,
}
NUMERIC = frozenset({FactKind.NUMBER, FactKind.MONEY, FactKind.COUNT, FactKind.SHARE})
# Where a fact's range starts, a table by it starts too. Profits, net assets and changes may be negative: no start.
STARTS: dict[str, Any] = {
    "score.value": Decimal(0), "score.rank_in_zone": 1, "score.rank_in_stage": 1, "score.rank_in_stage_and_field": 1,
    "financials.rd_intensity": Decimal(0),
    **{f.name: 0 for f in FACTS.values() if f.kind in (FactKind.MONEY, FactKind.COUNT) and ".rank" not in f.name
       and f.name not in ("financials.net_profit", "financials.net_assets")},
}  # fmt: skip


def fact_form(fact: Fact) -> Form:
    """This function will return the form in which values of a fact are written."""
    match fact.kind:
        case FactKind.NUMBER:
            return Number(Decimal(0), example='"60"')
        case FactKind.SHARE:
            return Number()
        case FactKind.MONEY:
            return Money(least=-9_999_999_999_999)
        case FactKind.COUNT:
            return Whole(example="36")
        case FactKind.FLAG:
            return Flag()
        case _:
            return CODE_FORMS.get(fact.name, Coded())


@dataclass(frozen=True, slots=True)
class FactName(Form):
    """A fact, by its full or its short name."""

    def read(self, node: Node, reading: Reading) -> str:
        if isinstance(node, Sequence):
            what = "the form of a table by two facts at once is not carried out yet"
            reading.refuse(node.place, what, "Key the table on one fact, and feed it into another component with `of`.")
        node = scalar(node, reading, "a fact", "Name a fact, such as score.value.")
        name = SHORT_NAMES.get(node.text, node.text)
        if fact_named(name) is None or Coded(r"[a-z_]+\.[a-z0-9_-]+").misfit(name):
            near = get_close_matches(node.text, [*FACTS, *SHORT_NAMES], n=1)
            mend = (
                f"Did you mean {near[0]}?" if near else "docs/product-language.md lists the facts, such as score.value."
            )
            reading.refuse(node.place, f"the fact {shown(node.text)} is not known", mend)
        return name

    def schema(self, definitions: Schema) -> Schema:
        if "fact" not in definitions:
            names = [*FACTS, *SHORT_NAMES]
            definitions["fact"] = {"anyOf": [{"enum": names}, {"type": "string", "pattern": rf"^evidence\.{CODE}$"}]}
        return {"$ref": "#/$defs/fact"}


FACT = FactName()

# ---- values under their dates ---------------------------------------------------------------------------------------


def read_entries(node: Node | None, holder: Place, value: Form, reading: Reading) -> tuple[Entry, ...]:
    """This function will read `{date: {value, reference}}`. Raises Unreadable where nothing of it can be used."""
    if node is None:
        reading.refuse(holder, "the key 'values' is missing", "Add values: a date, and below it value and reference.")
    if not isinstance(node, Mapping) or not node.entries:
        mend = "Write `2026-01-01: {value: …, reference: …}` below it."
        reading.refuse(node.place, "values are written under the date they take force on", mend)
    entries: list[Entry] = []
    for key, part in node.entries:
        try:
            entries.append(_entry(key, part, value, reading))
        except Unreadable:
            continue
    for before, after in pairwise(entries):
        if after.since <= before.since:
            what = f"{after.since} stands after {before.since}, but dates ascend"
            reading.faults.add(after.place, what, "Put the older date first.")
    if not entries:
        raise Unreadable
    return tuple(entries)


def _entry(key: Scalar, part: Node, form: Form, reading: Reading) -> Entry:
    since = Day().read(key, reading)
    if is_null(part):
        return Entry(key.place, since, None, None)
    if not isinstance(part, Mapping):
        reading.refuse(
            part.place, "a dated value is a mapping of value and reference", "Write {value: …, reference: …}."
        )
    for name, _ in part.entries:
        if name.text not in ("value", "reference"):
            mend = "Below a date stand value and reference only."
            reading.faults.add(name.place, f"the key {shown(name.text)} is not known here", mend)
    written, cited = part.get("value"), part.get("reference")
    if written is None:
        reading.refuse(part.place, "the key 'value' is missing", "Add value (null ends the parameter on this date).")
    reference = None
    if cited is not None:
        reference = REFERENCE.read(cited, reading)
    elif not is_null(written):
        what = f"the value in force from {since} has no reference"
        reading.refuse(part.place, what, "Add reference: {basis: published, title: …} or {basis: assumed, note: …}.")
    return Entry(key.place, since, None if is_null(written) else form.read(written, reading), reference)


def is_null(node: Node) -> bool:
    """This function will tell whether `null` is written."""
    return isinstance(node, Scalar) and not node.quoted and node.text == "null"


def entries_schema(value: Schema, definitions: Schema) -> Schema:
    """This function will return the schema of values under their dates."""
    reference = REFERENCE.schema(definitions)
    entry = {
        "anyOf": [
            {"type": "null"},
            {
                "type": "object",
                "properties": {"value": {"anyOf": [{"type": "null"}, value]}, "reference": reference},
                "required": ["value"],
                "additionalProperties": False,
            },
        ]
    }
    names = Day().schema(definitions)
    return {"type": "object", "minProperties": 1, "propertyNames": names, "additionalProperties": entry}


@dataclass(frozen=True, slots=True)
class Table(Form):
    """A table over a fact: rows from a number on, or a value a code."""

    fact: Fact
    value: Form

    def read(self, node: Node, reading: Reading) -> tuple[Row, ...]:
        rows = self._bands(node, reading) if self.fact.kind in NUMERIC else self._choices(node, reading)
        if all(row.value is None for row in rows):
            reading.refuse(node.place, "the table is empty", "Write at least one row that gives a value.")
        return rows

    def _bands(self, node: Node, reading: Reading) -> tuple[Row, ...]:
        if not isinstance(node, Sequence):
            what = f"a table by {self.fact.name} is a list of rows"
            reading.refuse(node.place, what, "Write lines such as `- {from: …, value: …}`.")
        rows: list[Row] = []
        for index, part in enumerate(node.items):
            try:
                rows.append(self._band(part, index == 0, reading))
            except Unreadable:
                if index == 0:
                    raise
        for before, after in pairwise(rows):
            if after.key <= before.key:
                what = f"the band from {after.key} stands after the band from {before.key}"
                reading.faults.add(after.place, what, "Let `from` ascend; a band ends where the next begins.")
        start = STARTS.get(self.fact.name)
        if rows and start is not None and rows[0].key != start:
            what = f"the table leaves a gap: it starts at {rows[0].key}, but {self.fact.name} starts at {start}"
            reading.faults.add(
                rows[0].place, what, f"Add a first row from {start}; its value may be null, which says so on purpose."
            )
        return tuple(rows)

    def _band(self, part: Node, first: bool, reading: Reading) -> Row:
        if not isinstance(part, Mapping):
            reading.refuse(part.place, "a row is a mapping of from and value", "Write {from: …, value: …}.")
        for name, _ in part.entries:
            if name.text not in ("from", "value"):
                mend = "A row has from (inclusive) and value; it ends where the next begins."
                reading.faults.add(name.place, f"the key {shown(name.text)} is not known here", mend)
        since, value = part.get("from"), part.get("value")
        if since is None or value is None:
            reading.refuse(
                part.place, f"the row has no {'from' if since is None else 'value'}", "Write {from: …, value: …}."
            )
        key = fact_form(self.fact).read(since, reading)
        if not is_null(value):
            return Row(part.place, key, self.value.read(value, reading))
        if not first:
            mend = "Only the first row may give nothing; end the table with a gate, or give a value."
            reading.refuse(part.place, "a row that is not the first is null", mend)
        return Row(part.place, key, None)

    def _choices(self, node: Node, reading: Reading) -> tuple[Row, ...]:
        if not isinstance(node, Mapping):
            reading.refuse(node.place, f"a table by {self.fact.name} is a mapping", "Write `code: value` lines.")
        rows: list[Row] = []
        for key, value in node.entries:
            try:
                rows.append(Row(key.place, fact_form(self.fact).read(key, reading), self.value.read(value, reading)))
            except Unreadable:
                continue
        if node.entries and not rows:
            raise Unreadable
        return tuple(rows)


@dataclass(frozen=True, slots=True)
class Parameter(Form):
    """A dated value of a unit; `tables` lets it be a table `by` a fact, `shares_of` lets it be a share `of`
    something.
    """

    unit: str
    tables: bool = False
    shares_of: bool = False
    positive: bool = False

    def read(self, node: Node, reading: Reading) -> Dated:
        if not isinstance(node, Mapping):
            reading.refuse(
                node.place,
                "a dated parameter is wanted here",
                "Write `values: {2026-01-01: {value: …, reference: …}}` below it.",
            )
        if node.get("by") is not None and not self.tables:
            what = "the form of a table for this value is not carried out yet"
            reading.refuse(node.get("by").place, what, "Write one plain value for each date, and no `by`.")
        parts = Record(optional=self._keys()).read(node, reading)
        written = node.get("unit")
        unit = self._unit(parts, written)
        if unit not in self._units(parts):
            mend = f"Write {' or '.join(self._units(parts))}, or leave unit out."
            reading.refuse(written.place if written else node.place, f"the unit {shown(unit)} does not fit here", mend)
        unit = "shares" if self.unit == "shares" else unit
        value = UNITS[unit]
        by = parts.get("by")
        if by is None and node.get("by") is not None:
            raise Unreadable
        if by is not None:
            fact = fact_named(by)
            if fact.kind in (FactKind.CODES, FactKind.FLAG):
                what = f"the form of a table by {by} is not carried out yet"
                reading.refuse(parts.places["by"], what, "Key tables on a number or on a code.")
            value = Table(fact, value)
        entries = read_entries(node.get("values"), node.place, value, reading)
        for entry in entries if self.positive else ():
            if entry.value == 0:
                reading.faults.add(
                    entry.place, "the value is 0, but nothing can be rounded to it", "Write more than 0."
                )
        base = parts.get("of")
        return Dated(node.place, unit, by, SHORT_NAMES.get(base, base), entries)

    def _keys(self) -> dict[str, Form]:
        keys: dict[str, Form] = {
            "description": Either(Text(), WORDS),
            "unit": Coded("[A-Za-z]+", self.unit),
            "values": ANYTHING,
        }
        if self.tables:
            keys["by"] = FACT
        if self.shares_of:
            keys["of"] = Coded(r"[a-z][a-z0-9_.-]*", "cap")
        return keys

    def _units(self, parts: Section) -> tuple[str, ...]:
        if "of" in parts:
            return ("share", "multiple")
        return self._plain_units()

    def _plain_units(self) -> tuple[str, ...]:
        return ("shares", "share") if self.unit == "shares" else (self.unit,)

    def _unit(self, parts: Section, written: Node | None) -> str:
        if isinstance(written, Scalar):
            return written.text
        return "multiple" if "of" in parts else self.unit

    def schema(self, definitions: Schema) -> Schema:
        name = f"parameter_{self.unit}{'_of' if self.shares_of else '_by' if self.tables else ''}"
        if name not in definitions:
            definitions[name] = {}
            definitions[name] = self._schema(definitions)
        return {"$ref": f"#/$defs/{name}"}

    def _schema(self, definitions: Schema) -> Schema:
        units = (*self._plain_units(), "share", "multiple") if self.shares_of else self._plain_units()
        plain = [
            UNITS[unit].schema(definitions) for unit in ((self.unit, "multiple") if self.shares_of else (self.unit,))
        ]
        value: Schema = plain[0] if len(plain) == 1 else {"anyOf": plain}
        if self.tables:
            row = {
                "type": "object",
                "properties": {"from": {"type": ["string", "integer"]}, "value": {"anyOf": [{"type": "null"}, value]}},
                "required": ["from", "value"],
                "additionalProperties": False,
            }
            rows = {"type": "array", "minItems": 1, "items": row}
            value = {"anyOf": [value, rows, {"type": "object", "minProperties": 1, "additionalProperties": value}]}
        properties = {key: form.schema(definitions) for key, form in self._keys().items()}
        properties |= {"unit": {"enum": list(units)}, "values": entries_schema(value, definitions)}
        return {"type": "object", "properties": properties, "required": ["values"], "additionalProperties": False}


class _Anything(Form):
    """Read elsewhere, with what its neighbours say."""

    def read(self, node: Node, reading: Reading) -> Node:
        return node

    def schema(self, definitions: Schema) -> Schema:
        return {}


ANYTHING = _Anything()
