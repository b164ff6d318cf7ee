"""The application read from its wire form: that of a request, which is also its form in a record.

Neighbours may rely on this: a document or bytes whose shape was checked before (by the API's schemas, or because they
come out of a record) become the domain's own values in one go; what is absent or null is unknown. A score is written
back in the very form in which a request sends it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from app.domain.company import Application, InnovationScore
from app.domain.money import Yuan


def application_from_bytes(document: bytes) -> Application:
    """This function will read an application from JSON; ValueError only for an unchecked document."""
    try:
        return _DECODER.decode(document)
    except msgspec.MsgspecError as fault:
        raise ValueError(str(fault)) from None


def application_from_document(document: Mapping[str, Any]) -> Application:
    """This function will read an application from a parsed document; ValueError only for an unchecked one."""
    try:
        return msgspec.convert(document, Application, dec_hook=amount_from)
    except msgspec.MsgspecError as fault:
        raise ValueError(str(fault)) from None


def score_document(score: InnovationScore) -> dict[str, Any]:
    """This function will write a score as a request sends it, without what is unknown."""
    written = _told(msgspec.to_builtins(score))
    if score.source is not None and score.source.obtained_at is not None:
        written["source"]["obtained_at"] = instant_text(score.source.obtained_at)
    return written


def score_from_bytes(document: bytes) -> InnovationScore:
    """This function will read a score that `score_document` wrote; ValueError for anything else."""
    try:
        return _SCORE.decode(document)
    except msgspec.MsgspecError as fault:
        raise ValueError(str(fault)) from None


def _told(document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _told(value) if isinstance(value, Mapping) else value
        for name, value in document.items()
        if value is not None
    }


def instant_text(at: datetime) -> str:
    """This function will write a UTC instant to the microsecond: "2026-11-20T02:15:00.123456Z"."""
    here = at if at.tzinfo is UTC else at.astimezone(UTC)
    return here.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def amount_from(kind: type, sent: Any) -> Yuan:
    """This function will give a decoder what it asks for a type that is not its own: an amount, the only one that the
    vocabulary has.
    """
    if kind is Yuan and type(sent) is str:
        return Yuan.parse(sent)
    raise NotImplementedError(f"a {kind.__name__} in an application")


_DECODER = msgspec.json.Decoder(Application, dec_hook=amount_from)
_SCORE = msgspec.json.Decoder(InnovationScore)
