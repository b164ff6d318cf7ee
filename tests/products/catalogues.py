"""A small sound catalogue, and ways to spoil or change it.

The sound catalogue lies in sound/. A file of malformed/ is named for the one thing that is wrong with it, and says in
its own comments where it would lie in that catalogue (`# at:`) and which faults the reader must name (`# fault
<line>: <what>`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from app.domain.terms import Parameter
from app.products.catalog import Catalog
from app.products.faults import CatalogueError, Fault
from app.products.parse import parse_catalogue

HERE = Path(__file__).parent
SHIPPED = HERE.parent.parent / "app" / "products"
LOAN = "lenders/demo/loan.yaml"
ZONE = "zones/testing.yaml"
STATUS = "status: {values: {2023-01-01: {value: ACTIVE, reference: chosen}}}"


def files_below(folder: Path) -> dict[str, bytes]:
    """Every YAML file of a catalogue, by path relative to its folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.yaml"))}


SOUND = files_below(HERE / "sound")


def loan(sections: str = "", *, framework: str | None = "testing/base", status: str = STATUS) -> bytes:
    """A product file: the usual head, and the sections given."""
    head = [
        "name: {zh: 示例积分贷, en: example points loan}",
        "zones: [testing]",
        "kind: WORKING_CAPITAL_LOAN",
        "references: {chosen: {basis: assumed, note: chosen for the tests}}",
        status,
    ]
    if framework is not None:
        head.append(f"framework: {framework}")
    return "\n".join([*head, sections]).encode()


def changed(path: str, old: str, new: str) -> bytes:
    """A file of the sound catalogue with one text in it changed."""
    text = SOUND[path].decode()
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path}"
    return text.replace(old, new).encode()


def catalogue() -> Catalog:
    """The sound catalogue."""
    return parse_catalogue(SOUND)


def catalogue_with(files: dict[str, bytes]) -> Catalog:
    """The sound catalogue with files added or replaced."""
    return parse_catalogue({**SOUND, **files})


def faults_of(files: dict[str, bytes]) -> tuple[Fault, ...]:
    """What the reader says of the sound catalogue with files added or replaced; none where it is sound."""
    try:
        catalogue_with(files)
    except CatalogueError as error:
        return error.faults
    return ()


@dataclass(frozen=True)
class Malformed:
    """A file with one thing wrong, and what must be said of it."""

    name: str
    at: str
    content: bytes
    expected: tuple[tuple[int, str], ...]

    @classmethod
    def read(cls, path: Path) -> Malformed:
        """Read a fixture with what it says of itself."""
        content = path.read_bytes()
        text = content.decode()
        at = re.search(r"^# at: (\S+)$", text, re.M)
        expected = re.findall(r"^# fault (\d+): (.+)$", text, re.M)
        assert at and expected, f"{path.name} does not say where it lies and what is wrong"
        return cls(path.stem, at[1], content, tuple((int(line), what) for line, what in expected))


MALFORMED = [Malformed.read(path) for path in sorted((HERE / "malformed").glob("*.yaml"))]


def row(parameter: Parameter, actual: object) -> tuple[object, object]:
    """Where the band that holds begins, and its value."""
    found = parameter.value.find(actual)
    return parameter.value.shown(found), parameter.at(found)
