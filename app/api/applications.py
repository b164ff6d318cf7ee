"""Applications for a decision, read: in one go where they are spelled plainly, else by the road that can explain.

Neighbours may rely on this: whichever road an application takes, its canonical bytes and its values are the same (a
property test holds the two together); a fault in a body is looked for and explained by `bodies.checked_document` alone.
The quick road's decoder is made from the contract's own models, which bound the fields, and from the domain's types,
which say what becomes of them, so that one pass does both. What it gives has the names and values of an `Application`,
and is one to whoever reads it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from types import UnionType
from typing import Annotated, Any, Final, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec
import orjson
from annotated_types import Ge, Le, MaxLen
from pydantic import BaseModel, StringConstraints
from pydantic.fields import FieldInfo
from starlette.types import Receive

from app.api.bodies import LARGEST_BODY_BYTES, checked_document, received_json
from app.api.fields import Uscc
from app.api.schemas import DecisionRequest
from app.audit.application import application_from_bytes, application_from_document
from app.audit.canonical import vouched_bytes
from app.domain.company import Application
from app.domain.money import Yuan
from app.domain.uscc import normalised_uscc


class SentApplication(NamedTuple):
    """An application as it was sent, in canonical form, and what it says."""

    document: bytes
    application: Application


async def read_application(headers: Sequence[tuple[bytes, bytes]], receive: Receive) -> SentApplication:
    """This function will receive a request's body as an application. Raises Problem."""
    body = await received_json(headers, receive)
    return plain_application(body) or explained_application(body)


def explained_application(body: bytes) -> SentApplication:
    """This function will read an application from a body, whatever its spelling. Raises Problem."""
    document, _ = checked_document(DecisionRequest, body)
    return SentApplication(vouched_bytes(document), application_from_document(document))


def plain_application(body: bytes) -> SentApplication | None:
    """This function will read an application in one go, or return None where the body is faulty or spelled in an
    unusual way.
    """
    if len(body) > LARGEST_BODY_BYTES:
        return None
    # A quote or a backslash inside a string would make the count of quotes below uncertain.
    if b"\\" in body and (b'\\"' in body or b"\\\\" in body):
        return None
    try:
        application = _DECODER.decode(body)
        canonical = vouched_bytes(orjson.loads(body))
        if application.innovation_score is None:
            # A score may yet be looked up and put in, for which only the domain's own value has a way.
            application = application_from_bytes(canonical)
    except (ValueError, msgspec.MsgspecError):
        return None
    # Each quote begins or ends a string. Of a key that is sent twice one is left, so that quotes are missing.
    if b"\\" in canonical or canonical.count(b'"') != body.count(b'"'):
        return None
    uscc = application.company.uscc
    return SentApplication(canonical, application) if normalised_uscc(uscc) == uscc else None


# ---- the decoder, from the models and the domain ---------------------------------------------------------------------


def _struct(model: type[BaseModel], domain: type) -> type[msgspec.Struct]:
    """The same shape for the decoder: the same names, patterns and bounds, nothing unknown let through, and values of
    the domain. What a request cannot say is as the domain has it where nobody said it.
    """
    sent, told, found = get_type_hints(model, include_extras=True), get_type_hints(domain), []
    for name, field in model.model_fields.items():
        kind = _kind(sent[name], told[name])
        found.append((name, kind) if field.is_required() else (name, kind, field.default))
    # Whatever has a default comes after what has none.
    found.sort(key=len)
    unsaid = {field.name: field.default for field in fields(domain) if field.name not in model.model_fields}
    return msgspec.defstruct(
        model.__name__, found, namespace=unsaid, forbid_unknown_fields=True, frozen=True, gc=False
    )


def _kind(sent: Any, told: Any) -> Any:
    """The type of a field that is `sent` so and is `told` to the domain so."""
    if sent == Uscc:
        return str
    origin, arguments = get_origin(sent), get_args(sent)
    if origin is Annotated:
        bounds = _bounds(arguments[1:])
        if told in _READERS:
            return _Spelling(told.__name__, (), {"read": staticmethod(_reader(told, bounds["pattern"]))})
        kind = _kind(arguments[0], told)
        return Annotated[kind, msgspec.Meta(**bounds)] if bounds else kind
    if origin in (Union, UnionType):
        (one,), (value,) = ([part for part in get_args(hint) if part is not type(None)] for hint in (sent, told))
        return _kind(one, value) | None
    if origin is list:
        return tuple[_kind(arguments[0], get_args(told)[0]), ...]
    if origin is dict:
        return dict[_kind(arguments[0], str), _kind(arguments[1], get_args(told)[1])]
    if isinstance(sent, type) and issubclass(sent, BaseModel):
        return _struct(sent, told)
    if (origin is Literal and {*arguments} == {*told}) or (sent is told and sent in (str, int, bool)):
        return told
    raise TypeError(f"the quick road has not heard of {sent!r} as {told!r}: teach it, or leave it to the other road")


def _bounds(marks: tuple[Any, ...]) -> dict[str, Any]:
    """What a type's marks say, in the decoder's words."""
    found: dict[str, Any] = {}
    for mark in marks:
        if isinstance(mark, FieldInfo):
            found |= _bounds(tuple(mark.metadata))
        elif isinstance(mark, StringConstraints):
            # In Python's expressions a dollar fits before a last line break, too.
            found["pattern"] = mark.pattern.removesuffix("$") + r"\Z"
            found |= {"min_length": mark.min_length, "max_length": mark.max_length}
        elif isinstance(mark, Ge | Le):
            found["ge" if isinstance(mark, Ge) else "le"] = mark.ge if isinstance(mark, Ge) else mark.le
        elif isinstance(mark, MaxLen):
            found["max_length"] = mark.max_length
    return found


class _Spelling(type):
    """The types that the decoder leaves to `_read`: a text that has to fit a field's pattern, and becomes a value."""

    def __instancecheck__(cls, value: Any) -> bool:
        return True


def _read(kind: Any, sent: Any) -> Any:
    if type(sent) is not str:
        raise ValueError
    return kind.read(sent)


def _reader(told: type, pattern: str) -> Callable[[str], Any]:
    """What reads a text that fits the pattern as a value of that type, and raises ValueError for any other."""
    fits, value_of = re.compile(pattern).match, _READERS[told]

    def read(text: str) -> Any:
        if fits(text) is None:
            raise ValueError
        return value_of(text)

    # Days recur, amounts and scores hardly do.
    return lru_cache(8_192)(read) if told is date else read


_READERS: Final[dict[Any, Callable[[str], Any]]] = {
    Yuan: Yuan.parse, Decimal: Decimal, date: date.fromisoformat, datetime: datetime.fromisoformat,
}  # fmt: skip
_DECODER: Final = msgspec.json.Decoder(_struct(DecisionRequest, Application), dec_hook=_read)
