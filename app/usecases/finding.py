"""What a verification finds: one thing that does not hold, named in both languages.

Neighbours may rely on this: a finding says what stands where, and what should; values are shortened to what a line
holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not hold, in both languages."""

    en: str
    zh: str


def differences(stored: Mapping[str, object], due: Mapping[str, object]) -> Iterator[tuple[str, str, str]]:
    """This function will give each column whose stored value is not the one that is due: its name, and both values as
    they are shown.
    """
    for column, value in due.items():
        if stored[column] != value:
            yield column, shown(stored[column]), shown(value)


def shown(value: object) -> str:
    """This function will write a stored value on part of a line."""
    if value is None:
        return "nothing"
    text = value.hex() if isinstance(value, bytes) else str(value)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def ranges(indices: Iterable[int]) -> Iterator[tuple[int, int]]:
    """This function will give ascending indices as half-open ranges."""
    start = stop = None
    for index in indices:
        if index == stop:
            stop += 1
            continue
        if start is not None:
            yield start, stop
        start, stop = index, index + 1
    if start is not None:
        yield start, stop
