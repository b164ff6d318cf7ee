"""Strict YAML: bytes to nodes that keep their lines and the text as it was written.

Neighbours may rely on this: nothing is converted here. A scalar keeps its raw text and whether it was quoted, so that
a form (forms.py) decides what it is, and `no`, `010` and `12:30` never turn into False, 8 and 750. Duplicate keys,
anchors, aliases, merges, tags, directives, several documents, deep nesting, tabs and text that is not UTF-8 are
faults.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from app.products.faults import Faults, Place

DEEPEST = 16
LARGEST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text as written; `quoted` also for block texts."""

    place: Place
    text: str
    quoted: bool


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    place: Place
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values in the order written; no key comes twice."""

    place: Place
    entries: tuple[tuple[Scalar, Node], ...]

    def get(self, key: str) -> Node | None:
        """This function will return the value under a key, or None."""
        return next((value for name, value in self.entries if name.text == key), None)


Node = Scalar | Sequence | Mapping


class _Stop(Exception):
    """The rest of the file cannot be read."""


def read_yaml(file: str, content: bytes, faults: Faults) -> Mapping | None:
    """This function will return the file's top mapping, or None after it has noted why the file cannot be read."""
    top = Place(file, 1)
    if len(content) > LARGEST_BYTES:
        faults.add(top, f"the file has {len(content)} bytes of at most {LARGEST_BYTES}", "Split it.")
        return None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        faults.add(Place(file, line), "the text is not UTF-8", "Save the file as UTF-8.")
        return None
    if text.startswith("\ufeff"):
        faults.add(top, "the file begins with a byte order mark", "Save it as UTF-8 without BOM.")
        return None
    try:
        node = _Reading(file, text, faults).document()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be parsed"
        # A file that ends too early is found wanting on a line that it does not have.
        last = max(len(text.splitlines()), 1)
        place = Place(file, min(mark.line + 1, last)) if mark is not None else _place_of(file, text, error)
        faults.add(
            place, f"this is not YAML: {problem}", "Look at indentation, colons and quotes on this line and above."
        )
        return None
    except _Stop:
        return None
    if not isinstance(node, Mapping):
        faults.add(top, "the file is not a mapping", "Write `key: value` lines at the top level.")
        return None
    return node


def _place_of(file: str, text: str, error: yaml.YAMLError) -> Place:
    """A reader error tells a position instead of a mark."""
    position = getattr(error, "position", None)
    return Place(file, text.count("\n", 0, position) + 1 if isinstance(position, int) and position >= 0 else 1)


class _Reading:
    """Events to nodes. Events and not composed nodes: only events still tell anchors, aliases and tags."""

    def __init__(self, file: str, text: str, faults: Faults) -> None:
        self.file = file
        self.faults = faults
        self.events: Iterator[yaml.Event] = iter(yaml.parse(text, Loader=yaml.CSafeLoader))

    def document(self) -> Node | None:
        node: Node | None = None
        documents = 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if event.version or event.tags:
                    self.stop(event, "YAML directives are not used here", "Remove the lines that begin with %.")
                if documents > 1:
                    self.stop(event, "the file holds several documents", "Keep one; remove the line `---`.")
                node = self.node(next(self.events), 0)
        return node

    def node(self, event: yaml.Event, depth: int) -> Node:
        place = self.place(event)
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            self.stop(
                event, "anchors and aliases (& and *) are not used here", "Write the value out, or use a framework."
            )
        if event.tag is not None:
            self.stop(event, f"the tag {event.tag[:60]} is not used here", "Remove it.")
        if depth > DEEPEST:
            self.stop(event, f"the nesting is deeper than {DEEPEST}", "Nothing in this language nests so deep.")
        if isinstance(event, yaml.ScalarEvent):
            return Scalar(place, event.value, event.style not in (None, ""))
        if isinstance(event, yaml.SequenceStartEvent):
            items = []
            while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
                items.append(self.node(event, depth + 1))
            return Sequence(place, tuple(items))
        return self.mapping(place, depth)

    def mapping(self, place: Place, depth: int) -> Mapping:
        entries: list[tuple[Scalar, Node]] = []
        first: dict[str, int] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.node(event, depth + 1)
            value = self.node(next(self.events), depth + 1)
            if not isinstance(key, Scalar):
                self.faults.add(key.place, "a list or mapping is used as a key", "Write a plain key.")
            elif key.text == "<<" and not key.quoted:
                self.faults.add(key.place, "merges (<<) are not used here", "Write the values out, or use a framework.")
            elif key.text in first:
                what = f"the key {shown(key.text)} is written twice (first on line {first[key.text]})"
                self.faults.add(key.place, what, "Keep one of them.")
            else:
                first[key.text] = key.place.line
                entries.append((key, value))
        return Mapping(place, tuple(entries))

    def place(self, event: yaml.Event) -> Place:
        return Place(self.file, event.start_mark.line + 1)

    def stop(self, event: yaml.Event, what: str, mend: str) -> None:
        self.faults.add(self.place(event), what, mend)
        raise _Stop


def shown(text: str) -> str:
    """This function will return a text as a fault may show it: quoted, and cut where it is long."""
    return repr(text if len(text) <= 60 else text[:57] + "…")
