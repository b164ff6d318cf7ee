"""Bodies: from bytes to a document whose shape has been checked, by one parser.

Neighbours may rely on this: duplicate keys, NaN, Infinity, lone surrogates and whatever is not UTF-8 are refused
before a shape is looked at; the company's code in the document has been normalised, so that the record, and a replay
of it, find the company that was meant. The command line reads its files by the same function.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import jiter
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from app.api.problems import Problem, invalid_body

LARGEST_BODY_BYTES: Final = 65_536
BODY_WITHIN_S: Final = 10.0
LARGEST_SHEET_BYTES: Final = 16 << 20
SHEET_WITHIN_S: Final = 60.0
_MOST_SHEETS_AT_ONCE: Final = 4
_CHARSETS: Final = (b"charset=utf-8", b'charset="utf-8"', b"")


def checked_document(model: type[BaseModel], body: bytes) -> tuple[dict[str, Any], Any]:
    """This function will return the body as a document and as the model that it fits. Raises Problem."""
    if len(body) > LARGEST_BODY_BYTES:
        raise Problem("body-too-large")
    try:
        document = jiter.from_json(body, catch_duplicate_keys=True, allow_inf_nan=False, cache_mode="keys")
    except ValueError:
        raise Problem("malformed-json") from None
    try:
        checked = model.model_validate(document)
    except ValidationError as refusal:
        raise invalid_body(refusal, document) from None
    if "company" in document:
        document["company"]["uscc"] = checked.company.uscc
    return document, checked


async def read_body(
    model: type[BaseModel], headers: Sequence[tuple[bytes, bytes]], receive: Receive
) -> tuple[Any, Any]:
    """This function will receive a request's body and return it as `checked_document` does. Raises Problem."""
    return checked_document(model, await received_json(headers, receive))


async def received_json(headers: Sequence[tuple[bytes, bytes]], receive: Receive) -> bytes:
    """This function will receive a request's body, of which the headers say that it is JSON and not too long. Raises
    Problem.
    """
    kinds = []
    for name, value in headers:
        if name == b"content-type":
            kinds.append(value)
        elif name == b"content-length":
            if not (len(value) < 8 and value.isdigit() and int(value) <= LARGEST_BODY_BYTES):
                raise Problem("body-too-large")
        elif name == b"content-encoding" and value.strip().lower() != b"identity":
            raise Problem("unsupported-media-type")
    if not _is_json(kinds):
        raise Problem("unsupported-media-type")
    return await _received(receive)


async def _received(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        return body
    try:
        # Most bodies come whole, and pay for no timer.
        async with asyncio.timeout(BODY_WITHIN_S):
            return body + await _rest(len(body), receive)
    except TimeoutError:
        raise Problem("request-timeout", headers={"Connection": "close"}) from None


async def _rest(size: int, receive: Receive, largest: int = LARGEST_BODY_BYTES) -> bytes:
    chunks, more = [], True
    while more and size <= largest:
        message = await receive()
        if message["type"] == "http.disconnect":
            # Half an application is none.
            raise ClientDisconnect
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        more = message.get("more_body", False)
    return b"".join(chunks)


SHEET_KINDS: Final = (
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "text/csv", "application/octet-stream",
)  # fmt: skip
_arriving = 0


async def received_sheet(headers: Sequence[tuple[bytes, bytes]], receive: Receive) -> bytes:
    """This function will receive a sheet of at most LARGEST_SHEET_BYTES, a few at a time: what other operations may
    receive stays as it is. Raises Problem.
    """
    global _arriving
    kinds = [value for name, value in headers if name == b"content-type"]
    if len(kinds) != 1 or kinds[0].split(b";")[0].strip().lower().decode("latin-1") not in SHEET_KINDS:
        raise Problem("unsupported-sheet-type")
    for name, value in headers:
        if name == b"content-length" and not (len(value) < 9 and value.isdigit() and int(value) <= LARGEST_SHEET_BYTES):
            raise Problem("sheet-too-large")
        if name == b"content-encoding" and value.strip().lower() != b"identity":
            raise Problem("unsupported-sheet-type")
    if _arriving >= _MOST_SHEETS_AT_ONCE:
        raise Problem("sheets-busy")
    _arriving += 1
    try:
        async with asyncio.timeout(SHEET_WITHIN_S):
            body = await _rest(0, receive, LARGEST_SHEET_BYTES)
    except TimeoutError:
        raise Problem("request-timeout", headers={"Connection": "close"}) from None
    finally:
        _arriving -= 1
    if len(body) > LARGEST_SHEET_BYTES:
        raise Problem("sheet-too-large")
    return body


def _is_json(sent: Sequence[bytes]) -> bool:
    if len(sent) != 1:
        return False
    if sent[0] == b"application/json":
        return True
    kind, *options = (part.strip().lower() for part in sent[0].split(b";"))
    return kind == b"application/json" and all(option in _CHARSETS for option in options)
