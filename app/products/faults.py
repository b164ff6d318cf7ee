"""What is wrong with a catalogue, said so that whoever wrote it can mend it.

Neighbours may rely on this: every fault names its file, its line (from 1), what is wrong and how to mend it; a
CatalogueError holds all faults that were found, in the order of files and lines. Faults of meaning are looked for
only once every file can be read.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line of a file; the file's path is relative to the catalogue's folder."""

    file: str
    line: int


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing to mend (or, from the analysis, to look at)."""

    file: str
    line: int
    what: str
    mend: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}. {self.mend}"


class CatalogueError(Exception):
    """The catalogue cannot be used; `faults` says why, whole."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


class Faults:
    """The faults found so far."""

    def __init__(self) -> None:
        self._found: set[Fault] = set()

    def add(self, place: Place, what: str, mend: str) -> None:
        """This function will note a fault; the same one found twice (through a shared framework) is noted once."""
        self._found.add(Fault(place.file, place.line, what, mend))

    def all(self) -> tuple[Fault, ...]:
        """This function will return what was found, in the order of files and lines."""
        return tuple(sorted(self._found))

    def refuse(self) -> None:
        """This function will raise what was found. Raises CatalogueError unless nothing was."""
        if self._found:
            raise CatalogueError(self.all())
