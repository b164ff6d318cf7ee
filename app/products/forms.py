"""Forms: what may stand at a place of a catalogue file.

Neighbours may rely on this: a form is both what the reader accepts and what the JSON Schema for editors says, so that
the two cannot drift. A form reads a node into a plain exact value (str, int, bool, Yuan, Decimal, date) or a
container that still knows its lines; what it cannot read it notes as a fault and leaves out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, NoReturn

from app.domain.money import Yuan
from app.domain.terms import Words
from app.domain.trace import Basis, Reference
from app.products.faults import Faults, Place
from app.products.reader import Mapping, Node, Scalar, Sequence, shown

Schema = dict[str, Any]

CODE = r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*"
GRADE = r"[A-Za-z][A-Za-z0-9+-]*"
DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
DECIMAL = r"-?(?:0|[1-9][0-9]{0,12})(?:\.[0-9]{1,12})?"
WHOLE = r"-?(?:0|[1-9][0-9]{0,14}|[1-9][0-9]{0,2}(?:_[0-9]{3}){1,4})"

# What plain YAML would turn into something else than the text that a person reads.
SEEMING = re.compile(
    r"[-+.]?[0-9][-+0-9_.,:eExXoO]*|\.[0-9]+|~|(?i:yes|no|on|off|true|false|null|y|n|\.nan|[-+]?\.inf)"
)
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

# Forms that real programmes take and that nothing here carries out yet: refused by name, never accepted and ignored.
NOT_CARRIED_OUT = frozenset({
    "uplift", "uplifts", "collateral_share", "maximum_share", "from_amount", "stages_of_cover", "staged",
    "reguarantors", "derived_stages", "derivation", "stage_bounds", "by_two", "and_by", "unless", "review",
    "yearly_review",
})  # fmt: skip


class Unreadable(Exception):
    """A value could not be read; its fault is already noted."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One file's reading: where faults go, and the references that the file defines once for many values."""

    faults: Faults
    references: AnyMapping[str, Reference] = field(default_factory=dict)

    def refuse(self, place: Place, what: str, mend: str) -> NoReturn:
        """This function will note a fault and leave the value. Raises Unreadable, always."""
        self.faults.add(place, what, mend)
        raise Unreadable


class Section(dict[str, Any]):
    """A mapping as read, its keys' places kept."""

    __slots__ = ("place", "places")

    def __init__(self, place: Place, entries: Iterable[tuple[str, Any, Place]] = ()) -> None:
        super().__init__()
        self.place = place
        self.places: dict[str, Place] = {}
        for key, value, where in entries:
            self[key] = value
            self.places[key] = where


class Listed(tuple[Any, ...]):
    """A list as read, its items' places kept."""

    places: tuple[Place, ...]

    @classmethod
    def of(cls, items: Iterable[tuple[Any, Place]]) -> Listed:
        """This function will make a list of (item, place)."""
        pairs = tuple(items)
        made = cls(item for item, _ in pairs)
        made.places = tuple(place for _, place in pairs)
        return made


class Form:
    """What may stand at a place: `read` a node into a value, `schema` for editors."""

    def read(self, node: Node, reading: Reading) -> Any:
        """This function will return the value. Raises Unreadable after noting a fault."""
        raise NotImplementedError

    def schema(self, definitions: Schema) -> Schema:
        """This function will return the JSON Schema, putting named parts into `definitions`."""
        raise NotImplementedError

    def key_schema(self, definitions: Schema) -> Schema:
        """This function will return the JSON Schema of the value as a key, which is always a string."""
        return self.schema(definitions)


def scalar(node: Node, reading: Reading, wanted: str, mend: str) -> Scalar:
    """This function will return the node if it is a scalar. Raises Unreadable if it is a list or a mapping."""
    if not isinstance(node, Scalar):
        kind = "a list" if isinstance(node, Sequence) else "a mapping"
        reading.refuse(node.place, f"{kind} stands where {wanted} is wanted", mend)
    return node


@dataclass(frozen=True, slots=True)
class Text(Form):
    """A text for people; unquoted only where no YAML reader would take it for something else."""

    longest: int = 2000

    def read(self, node: Node, reading: Reading) -> str:
        node = scalar(node, reading, "a text", "Write one text.")
        text = node.text.strip()
        if not node.quoted and SEEMING.fullmatch(text):
            reading.refuse(
                node.place, f"{shown(text)} is not plainly a text: YAML may read it as something else", "Quote it."
            )
        if not text:
            reading.refuse(node.place, "the text is empty", "Write it, or remove the key.")
        if CONTROL.search(text) or len(text) > self.longest:
            what = f"the text holds line breaks or control characters, or more than {self.longest} characters"
            reading.refuse(node.place, what, "Write one paragraph, folded with `>-` where it is long.")
        return text

    def schema(self, definitions: Schema) -> Schema:
        return {"type": "string", "minLength": 1, "maxLength": self.longest}


@dataclass(frozen=True, slots=True)
class Coded(Form):
    """A code of a pattern; ASCII, since codes become keys of records."""

    pattern: str = CODE
    example: str = "such-as-this"

    def read(self, node: Node, reading: Reading) -> str:
        node = scalar(node, reading, "a code", f"Write one code, such as {self.example}.")
        if not node.quoted and SEEMING.fullmatch(node.text):
            reading.refuse(
                node.place, f"{shown(node.text)} is not plainly a text: YAML may read it as something else", "Quote it."
            )
        if self.misfit(node.text):
            reading.refuse(
                node.place,
                f"{shown(node.text)} is not a code of the form wanted here",
                f"Write one such as {self.example}.",
            )
        return node.text

    def misfit(self, text: str) -> bool:
        """This function will tell whether a text is no such code."""
        return len(text) > 64 or re.fullmatch(self.pattern, text) is None

    def schema(self, definitions: Schema) -> Schema:
        return {"type": "string", "pattern": f"^{self.pattern}$", "maxLength": 64}


@dataclass(frozen=True, slots=True)
class Choice(Form):
    """One of the members of an enumeration."""

    members: type[StrEnum]
    only: frozenset[StrEnum] | None = None

    def allowed(self) -> list[StrEnum]:
        """This function will return the members that may stand here, in their order."""
        return [member for member in self.members if self.only is None or member in self.only]

    def read(self, node: Node, reading: Reading) -> StrEnum:
        allowed = ", ".join(self.allowed())
        node = scalar(node, reading, "one of the words of a closed list", f"Write one of {allowed}.")
        if node.text not in self.allowed():
            reading.refuse(
                node.place, f"{shown(node.text)} is not one of the words known here", f"Write one of {allowed}."
            )
        return self.members(node.text)

    def schema(self, definitions: Schema) -> Schema:
        return {"enum": [member.value for member in self.allowed()]}


@dataclass(frozen=True, slots=True)
class Whole(Form):
    """A whole number, unquoted; both bounds inclusive."""

    least: int = 0
    most: int = 999_999_999
    example: str = "12"

    def read(self, node: Node, reading: Reading) -> int:
        node = scalar(node, reading, "a whole number", f"Write one, such as {self.example}.")
        if node.quoted or re.fullmatch(WHOLE, node.text) is None:
            what = f"{shown(node.text)} is not a whole number as written here"
            reading.refuse(
                node.place, what, f"Write digits without quotes, signs or leading zeros, such as {self.example}."
            )
        value = int(node.text)
        if not self.least <= value <= self.most:
            reading.refuse(
                node.place, f"{value} is outside {self.least} … {self.most}", "Write a number within these bounds."
            )
        return value

    def schema(self, definitions: Schema) -> Schema:
        # To YAML 1.2 and the editors that follow it, 3_000_000 is a string.
        bounds = {"minimum": self.least, "maximum": self.most}
        return {"type": ["integer", "string"], **bounds, "pattern": "^-?[1-9][0-9]{0,2}(_[0-9]{3})+$"}

    def key_schema(self, definitions: Schema) -> Schema:
        return {"type": "string", "pattern": "^(0|[1-9][0-9]*)$"}


@dataclass(frozen=True, slots=True)
class Money(Form):
    """An amount: whole yuan, unquoted, thousands apart by `_` where wanted."""

    least: int = 0
    most: int = 9_999_999_999_999

    def read(self, node: Node, reading: Reading) -> Yuan:
        return Yuan.whole(Whole(self.least, self.most, "3_000_000 (whole yuan)").read(node, reading))

    def schema(self, definitions: Schema) -> Schema:
        return Whole(self.least, self.most).schema(definitions)


@dataclass(frozen=True, slots=True)
class Number(Form):
    """An exact decimal, quoted: an unquoted one would be a binary float to other readers. Both bounds inclusive."""

    least: Decimal | None = None
    most: Decimal | None = None
    example: str = '"0.40"'

    def read(self, node: Node, reading: Reading) -> Decimal:
        node = scalar(node, reading, "a decimal", f"Write one in quotes, such as {self.example}.")
        if not node.quoted:
            reading.refuse(
                node.place,
                f"the number {shown(node.text)} is not quoted",
                f"Write it in quotes, such as {self.example}.",
            )
        if re.fullmatch(DECIMAL, node.text) is None:
            reading.refuse(
                node.place, f"{shown(node.text)} is not a plain decimal", f"Write one such as {self.example}."
            )
        value = Decimal(node.text)
        if (self.least is not None and value < self.least) or (self.most is not None and value > self.most):
            bounds = f"{'…' if self.least is None else self.least} to {'…' if self.most is None else self.most}"
            reading.refuse(node.place, f"{node.text} is outside {bounds}", "Write a number within these bounds.")
        return value

    def schema(self, definitions: Schema) -> Schema:
        return {"type": "string", "pattern": f"^{DECIMAL}$"}


@dataclass(frozen=True, slots=True)
class Flag(Form):
    """true or false, and no other spelling."""

    def read(self, node: Node, reading: Reading) -> bool:
        node = scalar(node, reading, "true or false", "Write true or false.")
        if node.quoted or node.text not in ("true", "false"):
            reading.refuse(
                node.place, f"{shown(node.text)} is neither true nor false", "Write true or false, without quotes."
            )
        return node.text == "true"

    def schema(self, definitions: Schema) -> Schema:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Day(Form):
    """A calendar day, unquoted."""

    def read(self, node: Node, reading: Reading) -> date:
        mend = "Write a day such as 2026-01-01, without quotes."
        node = scalar(node, reading, "a day", mend)
        if node.quoted or re.fullmatch(DAY, node.text) is None:
            reading.refuse(node.place, f"{shown(node.text)} is not a day as written here", mend)
        try:
            return date.fromisoformat(node.text)
        except ValueError:
            reading.refuse(node.place, f"{node.text} is not in the calendar", mend)

    def schema(self, definitions: Schema) -> Schema:
        return {"type": "string", "format": "date", "pattern": f"^{DAY}$"}


@dataclass(frozen=True, slots=True)
class Record(Form):
    """A mapping whose keys are known; `named` records become definitions of the schema."""

    required: AnyMapping[str, Form] = field(default_factory=dict)
    optional: AnyMapping[str, Form] = field(default_factory=dict)
    named: str | None = None
    finish: Callable[[Section, Reading], Any] | None = None

    def read(self, node: Node, reading: Reading) -> Any:
        if not isinstance(node, Mapping):
            reading.refuse(
                node.place, "a mapping is wanted here", f"Write the keys {', '.join(self.required or self.optional)}."
            )
        section = Section(node.place)
        whole = True
        for key, value in node.entries:
            form = self.required.get(key.text) or self.optional.get(key.text)
            if form is None:
                self._unknown(key, value, reading)
                continue
            try:
                section[key.text] = form.read(value, reading)
                section.places[key.text] = key.place
            except Unreadable:
                whole = False
        missing = [key for key in self.required if node.get(key) is None]
        for key in missing:
            reading.faults.add(node.place, f"the key {key!r} is missing", f"Add {key}: it is needed here.")
        if self.finish is None:
            return section
        if missing or not whole:
            raise Unreadable
        return self.finish(section, reading)

    def _unknown(self, key: Scalar, value: Node, reading: Reading) -> None:
        if isinstance(value, Scalar) and not value.text and not value.quoted:
            what = f"{shown(key.text)} stands as a key without a value"
            mend = "Inside { } a comma ends a value: quote a text that holds one. Otherwise remove the key."
            reading.faults.add(key.place, what, mend)
            return
        if key.text in NOT_CARRIED_OUT:
            what = f"the form {key.text!r} is not carried out yet"
            reading.faults.add(key.place, what, "Remove it: a form that decides nothing would only look as if it did.")
            return
        known = [*self.required, *self.optional]
        near = get_close_matches(key.text, known, n=1)
        mend = f"Did you mean {near[0]}?" if near else f"Known here: {', '.join(known)}."
        reading.faults.add(key.place, f"the key {shown(key.text)} is not known here", mend)

    def schema(self, definitions: Schema) -> Schema:
        if self.named in definitions:
            return {"$ref": f"#/$defs/{self.named}"}
        properties = {key: form.schema(definitions) for key, form in {**self.required, **self.optional}.items()}
        schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
        if self.required:
            schema["required"] = list(self.required)
        if self.named is None:
            return schema
        definitions[self.named] = schema
        return {"$ref": f"#/$defs/{self.named}"}


@dataclass(frozen=True, slots=True)
class MapOf(Form):
    """A mapping from a scalar key to values of one form; not empty."""

    key: Form
    value: Form
    finish: Callable[[Section, Reading], Any] | None = None

    def read(self, node: Node, reading: Reading) -> Any:
        if not isinstance(node, Mapping):
            reading.refuse(node.place, "a mapping is wanted here", "Write `key: value` lines below it.")
        if not node.entries:
            reading.refuse(node.place, "the mapping is empty", "Fill it, or remove the key.")
        section = Section(node.place)
        whole = True
        for key, value in node.entries:
            try:
                name = self.key.read(key, reading)
                if name in section:
                    reading.refuse(key.place, f"{key.text} is written twice, in two spellings", "Keep one of them.")
                section[name] = self.value.read(value, reading)
                section.places[name] = key.place
            except Unreadable:
                whole = False
        return section if self.finish is None or not whole else self.finish(section, reading)

    def schema(self, definitions: Schema) -> Schema:
        names = self.key.key_schema(definitions)
        return {
            "type": "object",
            "minProperties": 1,
            "propertyNames": names,
            "additionalProperties": self.value.schema(definitions),
        }


@dataclass(frozen=True, slots=True)
class ListOf(Form):
    """A list of values of one form; none comes twice."""

    item: Form
    fewest: int = 1

    def read(self, node: Node, reading: Reading) -> Listed:
        if not isinstance(node, Sequence):
            reading.refuse(node.place, "a list is wanted here", "Write [one, two], or lines that begin with `- `.")
        if len(node.items) < self.fewest:
            reading.refuse(node.place, "the list is empty", "Fill it, or remove the key.")
        items: list[tuple[Any, Place]] = []
        for part in node.items:
            try:
                value = self.item.read(part, reading)
            except Unreadable:
                continue
            if any(value == other for other, _ in items):
                reading.faults.add(part.place, "the same item is listed twice", "Keep one of them.")
            items.append((value, part.place))
        return Listed.of(items)

    def schema(self, definitions: Schema) -> Schema:
        return {"type": "array", "minItems": self.fewest, "uniqueItems": True, "items": self.item.schema(definitions)}


@dataclass(frozen=True, slots=True)
class Either(Form):
    """A text, or the mapping form of the same."""

    text: Form
    mapping: Form

    def read(self, node: Node, reading: Reading) -> Any:
        return (self.text if isinstance(node, Scalar) else self.mapping).read(node, reading)

    def schema(self, definitions: Schema) -> Schema:
        return {"anyOf": [self.text.schema(definitions), self.mapping.schema(definitions)]}


def _words(section: Section, reading: Reading) -> Words:
    return Words(section["zh"], section["en"])


def _reference(section: Section, reading: Reading) -> Reference:
    basis: Basis = section["basis"]
    needed = "title" if basis is Basis.PUBLISHED else "note"
    if needed not in section:
        why = "its title and date" if needed == "title" else "why this value was chosen"
        reading.refuse(section.place, f"a reference with basis {basis} has no {needed}", f"Add {needed}: {why}.")
    return Reference(basis, section.get("title"), section.get("note"))


@dataclass(frozen=True, slots=True)
class Named(Form):
    """The name of one of the file's references."""

    def read(self, node: Node, reading: Reading) -> Reference:
        name = scalar(node, reading, "a reference", "Write its name.").text
        found = reading.references.get(name)
        if found is None:
            known = ", ".join(reading.references) or "none"
            reading.refuse(
                node.place,
                f"the reference {shown(name)} is not defined in this file",
                f"Define it under references (known: {known}).",
            )
        return found

    def schema(self, definitions: Schema) -> Schema:
        return {"type": "string", "description": "a name under the file's references"}


REFERENCE_NAME = Coded(r"[A-Za-z][A-Za-z0-9_-]*", "S1")
WORDS = Record({"zh": Text(), "en": Text()}, named="words", finish=_words)
WHOLE_REFERENCE = Record(
    {"basis": Choice(Basis)}, {"title": Text(), "note": Text()}, named="reference", finish=_reference
)
REFERENCE = Either(Named(), WHOLE_REFERENCE)
REFERENCES = MapOf(REFERENCE_NAME, WHOLE_REFERENCE)
KNOWN = ListOf(Record({"fact": WORDS, "reference": REFERENCE}))
