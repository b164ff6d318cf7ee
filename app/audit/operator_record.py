"""操作记录: the canonical bytes of one act of those who run the installation; a leaf of the operator's log.

Neighbours may rely on this: a record says what was done, by whom, when, and what anybody needs to follow it without the
database; never a secret, and never a company. The log is a tree like each lender's, and `OPERATOR` stands where a
lender's id would: the catalogue refuses a lender of that name. Acts over HTTP that belong to no lender, such as a
contribution to a pool, stand in the same log in their own form. docs/audit-record.md specifies the form, example first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import orjson

from app.audit import EvidenceError
from app.audit.act_record import open_act
from app.audit.application import instant_text
from app.audit.canonical import canonical_bytes

FORMAT: Final = "jifendai/operator/1"
OPERATOR: Final = "operator"
"""Where a lender's id would stand: in the tables, and at the end of the log's origin."""


class OperatorAct(StrEnum):
    """操作种类. Closed; a value is never reused, whatever becomes of the act."""

    CATALOGUE_ACTIVATED = "CATALOGUE_ACTIVATED"
    API_KEY_CREATED = "API_KEY_CREATED"
    API_KEY_ROTATED = "API_KEY_ROTATED"
    API_KEY_REVOKED = "API_KEY_REVOKED"
    TOKEN_REVOKED = "TOKEN_REVOKED"  # nosec B105
    TOKEN_RESTORED = "TOKEN_RESTORED"  # nosec B105
    ROLE_CHANGED = "ROLE_CHANGED"
    SIGNING_KEY_ROTATION_BEGUN = "SIGNING_KEY_ROTATION_BEGUN"
    SIGNING_KEY_ROTATION_ENDED = "SIGNING_KEY_ROTATION_ENDED"
    LOG_EPOCH_OPENED = "LOG_EPOCH_OPENED"
    LEGAL_HOLD_PLACED = "LEGAL_HOLD_PLACED"
    LEGAL_HOLD_LIFTED = "LEGAL_HOLD_LIFTED"
    RECORDS_PRUNED = "RECORDS_PRUNED"
    SNAPSHOTS_PRUNED = "SNAPSHOTS_PRUNED"
    WEBHOOK_CREATED = "WEBHOOK_CREATED"
    WEBHOOK_CHANGED = "WEBHOOK_CHANGED"
    WEBHOOK_SECRET_ROTATED = "WEBHOOK_SECRET_ROTATED"  # nosec B105
    WEBHOOK_DELETED = "WEBHOOK_DELETED"


class MalformedOperatorRecordError(EvidenceError):
    """Bytes that are no operator's record."""

    def __init__(self) -> None:
        super().__init__(
            f"not an operator's record of the form {FORMAT}: it was changed, or a later release wrote it",
            f"不是 {FORMAT} 形式的操作记录：被改动过，或由更新的版本写成",
        )


@dataclass(frozen=True, slots=True)
class OperatorRecord:
    """One act: `document` holds what belongs to its kind, in plain JSON types."""

    act: OperatorAct
    document: Mapping[str, Any]
    by: str
    recorded_at: datetime


def operator_record_bytes(record: OperatorRecord) -> bytes:
    """This function will return the record's canonical bytes. Raises CanonicalError for what has no place in one."""
    return canonical_bytes(
        {
            "act": record.act.value,
            "by": record.by,
            "document": dict(record.document),
            "format": FORMAT,
            "recorded_at": instant_text(record.recorded_at),
        }
    )


def read_operator_record(written: bytes) -> OperatorRecord:
    """This function will read a record's bytes. Raises MalformedOperatorRecordError unless they are one's, in the one
    spelling that it has.
    """
    try:
        found = orjson.loads(written)
        record = OperatorRecord(
            OperatorAct(found["act"]), found["document"], found["by"], datetime.fromisoformat(found["recorded_at"])
        )
        if operator_record_bytes(record) == written:
            return record
    except (ValueError, LookupError, TypeError):
        pass
    raise MalformedOperatorRecordError


def operator_records_among(leaves: Iterable[bytes]) -> list[OperatorRecord]:
    """This function will read the operator's records among the leaves of its log, in their order, and pass over the
    acts that stand there too. Raises MalformedOperatorRecordError for what is neither.
    """
    found = []
    for written in leaves:
        try:
            found.append(read_operator_record(written))
        except MalformedOperatorRecordError:
            _hold_to_an_act(written)
    return found


def _hold_to_an_act(written: bytes) -> None:
    """A hold that was changed must not be passed over as if it were of another kind."""
    try:
        open_act(written)
    except ValueError:
        raise MalformedOperatorRecordError from None
