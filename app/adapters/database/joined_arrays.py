"""Columns of values sent to PostgreSQL as one text each, and taken apart there.

The driver looks at each element of an array more than once, which costs five times what it costs to send one text.
Neighbours may rely on this: what cannot be told apart again is not joined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

_BETWEEN, _ABSENT = "\x1f", "\x1e"
_SPELLED: Final[Mapping[str, Any]] = {
    # An amount is an integer whose own text is that of yuan.
    "text": None, "bigint": int.__repr__, "int": int.__repr__, "bool": {True: "t", False: "f"}.__getitem__,
}  # fmt: skip


def joined(column: Sequence[Any], kind: str) -> str | None:
    """This function will join values of a `kind` ("text", "bigint", …), of which there are two or more; None where that
    cannot be, as one of them holds what stands between them.
    """
    if kind not in _SPELLED:
        return None
    spell, absent, texts = _SPELLED[kind], 0, column
    if None in column:
        absent, spell = column.count(None), spell or _itself
        texts = [_ABSENT if value is None else spell(value) for value in column]
    elif spell is not None:
        texts = map(spell, column)
    text = _BETWEEN.join(texts)
    can_be_told_apart = text.count(_BETWEEN) == len(column) - 1 and text.count(_ABSENT) == absent
    return text if can_be_told_apart else None


def array(mark: int, kind: str, *, apart: bool) -> str:
    """This function will write the parameter `mark` as an array of a `kind`: as it is, or taken `apart`."""
    if not apart:
        return f"${mark}::{kind}[]"
    split = f"string_to_array(${mark}::text, chr({ord(_BETWEEN)}), chr({ord(_ABSENT)}))"
    return split if kind == "text" else f"{split}::{kind}[]"


def _itself(value: str) -> str:
    return value
