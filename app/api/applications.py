"""Applications for a decision, read: in one go where they are spelled plainly, else by the road that can explain.

Neighbours may rely on this: whichever road an application takes, its canonical bytes and its values are the same (a
property test holds the two together); a fault in a body is looked for and explained by `bodies.checked_document` alone.
The quick road's decoder is made from the contract's own models, so that there is one place where fields are bounded.
"""

from __future__ import annotations

from collections.abc import Sequence
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
from app.domain.uscc import normalised_uscc


class SentApplication(NamedTuple):
    """An application as it was sent, in canonical form, and what it says."""

    document: bytes
    application: Application


async def read_application(headers: Sequence[tuple[bytes, bytes]], receive: Receive) -> SentApplication:
    """This function will receive a request's body as an application. Raises Problem."""
    return application_in(await received_json(headers, receive))


def application_in(body: bytes) -> SentApplication:
    """This function will read an application from a body, whatever its spelling. Raises Problem."""
    found = plain_application(body)
    if found is not None:
        return found
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
        uscc = _DECODER.decode(body).company.uscc
        canonical = vouched_bytes(orjson.loads(body))
        application = application_from_bytes(canonical)
    except (ValueError, msgspec.MsgspecError):
        return None
    # Each quote begins or ends a string. Of a key that is sent twice one is left, so that quotes are missing.
    if b"\\" in canonical or canonical.count(b'"') != body.count(b'"'):
        return None
    return SentApplication(canonical, application) if normalised_uscc(uscc) == uscc else None


# ---- the decoder, from the models -----------------------------------------------------------------------------------


def _struct(model: type[BaseModel]) -> type[msgspec.Struct]:
    """The same shape for the decoder: the same names, patterns and bounds, and nothing unknown let through."""
    hints, fields = get_type_hints(model, include_extras=True), []
    for name, field in model.model_fields.items():
        kind = _kind(hints[name])
        fields.append((name, kind) if field.is_required() else (name, kind, field.default))
    # Whatever has a default comes after what has none.
    fields.sort(key=len)
    return msgspec.defstruct(model.__name__, fields, forbid_unknown_fields=True, gc=False)


def _kind(hint: Any) -> Any:
    if hint == Uscc:
        return str
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        kind, bounds = _kind(arguments[0]), _bounds(arguments[1:])
        return Annotated[kind, msgspec.Meta(**bounds)] if bounds else kind
    if origin in (Union, UnionType):
        return Union[tuple(_kind(one) for one in arguments)]  # noqa: UP007 - of types that are known only now
    if origin is list or origin is dict:
        return origin[tuple(_kind(one) for one in arguments)]
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return _struct(hint)
    if origin is Literal or hint in (str, int, bool, type(None)):
        return hint
    raise TypeError(f"the quick road has not heard of {hint!r}: teach it, or leave the field to the other road")


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


_DECODER: Final = msgspec.json.Decoder(_struct(DecisionRequest))
