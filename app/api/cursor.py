"""Cursors: where the next page of a list begins, sealed to whoever asked and to what was asked.

Neighbours may rely on this: a cursor is opaque, holds nothing that its bearer has not seen, and is refused when it
was altered, made for another scope of lenders or for other filters. All replicas of an installation share the key.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from app.api.problems import Problem

Position = tuple[datetime, str]
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_SEAL_BYTES: Final = 16


def write_cursor(key: bytes, position: Position, scope: Sequence[str], filters: Mapping[str, Any]) -> str:
    """This function will seal the position of the last row shown."""
    at, row_id = position
    return seal_cursor(key, f"{(at - _EPOCH) // _MICROSECOND}/{row_id}".encode(), scope, filters)


def read_cursor(key: bytes, cursor: str, scope: Sequence[str], filters: Mapping[str, Any]) -> Position:
    """This function will return the position that the cursor holds. Raises Problem (400) unless it was written for
    just this question.
    """
    at, _, row_id = open_cursor(key, cursor, scope, filters).decode().partition("/")
    return _EPOCH + int(at) * _MICROSECOND, row_id


def seal_cursor(key: bytes, text: bytes, scope: Sequence[str], filters: Mapping[str, Any]) -> str:
    """This function will seal any text to the scope and the filters of a question."""
    return urlsafe_b64encode(_seal(key, text, scope, filters) + text).rstrip(b"=").decode()


def open_cursor(key: bytes, cursor: str, scope: Sequence[str], filters: Mapping[str, Any]) -> bytes:
    """This function will return the text. Raises Problem (400) unless it was sealed to just this question."""
    try:
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except ValueError:
        raise Problem("cursor-not-valid") from None
    seal, text = raw[:_SEAL_BYTES], raw[_SEAL_BYTES:]
    if not hmac.compare_digest(seal, _seal(key, text, scope, filters)):
        raise Problem("cursor-not-valid")
    return text


def _seal(key: bytes, text: bytes, scope: Sequence[str], filters: Mapping[str, Any]) -> bytes:
    asked = orjson.dumps([text.decode("ascii", "replace"), sorted(scope), filters], option=orjson.OPT_SORT_KEYS)
    return hmac.digest(key, asked, "sha256")[:_SEAL_BYTES]
