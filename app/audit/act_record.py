"""The record of an act: the canonical bytes that a leaf is taken over, and the answer made from them.

Neighbours may rely on this: a record names its kind in `format`; it holds the body as it was posted, who submitted it,
what it is about and what it came to; the answer is the recorded result, byte for byte, plus its place in the log.
docs/audit-record.md specifies the form, example first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from app.audit.canonical import Document, canonical_bytes, vouched_bytes
from app.audit.sm3 import with_sm3, without_sm3


@dataclass(frozen=True, slots=True)
class ActRecord:
    """The bytes of a record, and from where until where its result stands in it, the last brace left out."""

    record: bytes
    answer_from: int
    answer_until: int


def act_record(
    *, act_format: str, document: bytes, subject: str, submitted_by: str, submitted_for: str | None,
    result: Mapping[str, Document], idempotency_key: str | None = None,
) -> ActRecord:  # fmt: skip
    """This function will write the record around the canonical bytes of the body as it was sent.

    Raises CanonicalError for a result that has no canonical form.
    """
    shown = canonical_bytes(dict(result))
    rest = {"subject": subject, "submitted_by": submitted_by}
    if submitted_for is not None:
        rest["submitted_for"] = submitted_for
    # It stands behind the format, in the order of the canonical form.
    own = b"" if idempotency_key is None else b'"idempotency_key":%b,' % vouched_bytes(idempotency_key)
    before = b'{"document":%b,"format":%b,%b"result":' % (document, vouched_bytes(act_format), own)
    after = vouched_bytes(rest)
    begins = len(before)
    return ActRecord(b"%b%b,%b" % (before, shown, after[1:]), begins, begins + len(shown) - 1)


def act_with_sm3(made: ActRecord) -> tuple[ActRecord, str]:
    """This function will put the SM3 digest into the record, behind its result, and return both."""
    record, digest = with_sm3(made.record, made.answer_until + 1)
    return replace(made, record=record), digest


def act_place(*, record_id: str, origin: str, index: int, leaf_hash: bytes, sm3: str | None = None) -> bytes:
    """This function will write what an answer has beyond the recorded result: its place in the log, and the record's
    second digest where it has one.
    """
    place: dict[str, Any] = {
        "origin": origin,
        "index": index,
        "leaf_hash": leaf_hash.hex(),
        "receipt": f"/v1/records/{record_id}/receipt",
    }
    if sm3 is not None:
        place["sm3"] = sm3
    return b',"audit_record":%b}' % orjson.dumps(place)


@dataclass(frozen=True, slots=True)
class OpenAct:
    """An act read back from its record; `document` are the canonical bytes of the body as it was posted."""

    format: str
    subject: str
    submitted_by: str
    document: bytes
    result: Mapping[str, Any]
    answer_from: int
    answer_until: int
    idempotency_key: str | None = None


def open_act(record: bytes) -> OpenAct:
    """This function will read the record of an act. Raises ValueError unless it is one, in the one spelling that it
    has.
    """
    found: Any = orjson.loads(record)
    try:
        document = vouched_bytes(found["document"])
        made = act_record(
            act_format=found["format"],
            document=document,
            subject=found["subject"],
            submitted_by=found["submitted_by"],
            submitted_for=found.get("submitted_for"),
            idempotency_key=found.get("idempotency_key"),
            result=found["result"],
        )
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError("not the record of an act") from error
    if made.record != without_sm3(record):
        raise ValueError("not the record of an act in its canonical form")
    return OpenAct(
        found["format"], found["subject"], found["submitted_by"], document, found["result"], made.answer_from,
        made.answer_until, found.get("idempotency_key"),
    )  # fmt: skip
