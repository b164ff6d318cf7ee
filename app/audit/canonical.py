"""Canonical bytes: the one spelling of a document, which is what gets hashed, signed and kept.

Neighbours may rely on this: for the documents that are let through, the bytes are those of RFC 8785 (JSON
Canonicalization Scheme). Let through are dict with ASCII keys, list, tuple, str without surrogates, int of at most 53
bits, bool and None, each of exactly that type; everything else is refused with its place. Two spellings are left out of
our documents on purpose: fractions, whose RFC 8785 form is that of an IEEE 754 double (money is integer fen, rates and
shares are decimal strings), and keys beyond ASCII, which RFC 8785 sorts by UTF-16 code units and orjson by UTF-8 bytes.

`orjson.Fragment` puts bytes that are canonical already into a document, unread: the caller vouches for them.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

import orjson

Document = dict | list | tuple | str | int | bool | None | orjson.Fragment

LARGEST_INTEGER: Final = 2**53 - 1
# orjson's own limit.
DEEPEST_NESTING: Final = 254

# orjson itself refuses surrogates, keys that are not str, integers beyond 53 bits, and loops.
_OPTIONS: Final = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER
_WITH_WRITER: Final = _OPTIONS | orjson.OPT_PASSTHROUGH_SUBCLASS
_dumps: Final = orjson.dumps


class CanonicalError(ValueError):
    """A document without a canonical form; `pointer` is the JSON Pointer (RFC 6901) of what is in the way."""

    def __init__(self, pointer: str, problem: str) -> None:
        super().__init__(f"{pointer or 'the document'}: {problem}")
        self.pointer = pointer
        self.problem = problem


def canonical_bytes(document: Document) -> bytes:
    """This function will return the RFC 8785 form of the document, in UTF-8.

    Raises CanonicalError for the first thing in it that has no place in a record.
    """
    encoded = vouched_bytes(document)
    # A key beyond ASCII shows in the encoded bytes, so that only documents with such text pay for looking at keys.
    if not _is_plain(document, keys_may_exceed_ascii=not encoded.isascii()):
        raise _refusal(document)
    return encoded


def vouched_bytes(document: Document, write: Callable[[Any], Document] | None = None) -> bytes:
    """This function will return the same bytes at a third of the cost, for a document whose maker vouches for it.

    `write` gives the plain form of what the encoder does not know or what is a subclass of what it knows (an amount, an
    exact decimal, a set); days and enumerations it writes by itself, as ISO text and as their values.

    It still refuses surrogates, integers beyond 53 bits and keys that are not str. It cannot see a fraction, a key
    beyond ASCII, an enumeration, a date or a dataclass, and writes something of its own for each: only for what is
    built from types that exclude these.

    Raises CanonicalError.
    """
    try:
        return _dumps(document, write, _OPTIONS if write is None else _WITH_WRITER)
    except TypeError as error:
        raise _refusal(document) from error


def digest(document_bytes: bytes) -> str:
    """This function will return the name of the bytes: `sha256:` and 64 lower-case hex digits."""
    return "sha256:" + sha256(document_bytes).hexdigest()


def _is_plain(document: Document, *, keys_may_exceed_ascii: bool) -> bool:
    """This function will say whether only the plain types occur.

    It runs after the encoder, which has refused loops. Exact types are asked for, since orjson writes a subclass
    or an enumeration as if it were its base. One flat loop, the most frequent type first: two thirds of the cost.
    (`gc.get_referents` would walk twice as fast, but since Python 3.13 it does not see into an object's `__dict__`.)
    """
    objects: list[dict] = []
    found_object = objects.append
    todo: list = [(document,)]
    found = todo.append
    for values in todo:
        for value in values:
            kind = type(value)
            if kind is str or kind is int or value is None or kind is bool:
                continue
            if kind is dict:
                found_object(value)
                found(value.values())
            elif kind is list or kind is tuple:
                found(value)
            elif kind is not orjson.Fragment:
                return False
    return not keys_may_exceed_ascii or "".join(set().union(*objects)).isascii()


def _refusal(document: Document) -> CanonicalError:
    fault = _first_fault(document, "", 0)
    if fault is None:
        # orjson objects and the plain walk does not: a kind of fault that this module has not heard of.
        return CanonicalError("", "orjson cannot encode it; look at its Fragments, which must hold bytes or str")
    return CanonicalError(*fault)


def _first_fault(value: object, pointer: str, depth: int) -> tuple[str, str] | None:
    kind = type(value)
    if depth == DEEPEST_NESTING and kind in (dict, list, tuple):
        return pointer[:64] + "…", f"nested more than {DEEPEST_NESTING} deep, or containing itself; flatten it"
    if kind is dict:
        for key, inner in value.items():
            fault = _key_fault(key, pointer) or _first_fault(inner, f"{pointer}/{_escaped(key)}", depth + 1)
            if fault:
                return fault
    elif kind is list or kind is tuple:
        for position, inner in enumerate(value):
            if fault := _first_fault(inner, f"{pointer}/{position}", depth + 1):
                return fault
    elif kind is str:
        return None if _is_unicode(value) else (pointer, "a string with a lone surrogate, which UTF-8 cannot spell")
    elif kind is int:
        if abs(value) > LARGEST_INTEGER:
            return (
                pointer,
                f"an integer beyond ±{LARGEST_INTEGER}, which other readers would round; write it as a string",
            )
    elif kind is not bool and value is not None and kind is not orjson.Fragment:
        return pointer, (
            f"a {kind.__qualname__} has no place in a record; write money as integer fen, rates and shares as decimal "
            "strings, dates and enumerations as plain strings"
        )
    return None


def _key_fault(key: object, pointer: str) -> tuple[str, str] | None:
    if type(key) is not str:
        return pointer, f"a key of type {type(key).__qualname__}; keys are plain str"
    if not key.isascii():
        return pointer, f"the key {key[:64]!a} is not ASCII; put such text into the value"
    return None


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
