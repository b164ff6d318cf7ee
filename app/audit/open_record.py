"""A record read back: what was decided from, and what was decided, byte for byte.

Neighbours may rely on this: of the decision only what a replay needs is taken apart; its bytes are a slice of the
record, as they were recorded.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import msgspec

from app.audit.application import amount_from, application_from_bytes
from app.audit.record import FORMAT, Identity
from app.domain.company import Application
from app.domain.money import Yuan
from app.domain.pool import PoolStanding
from app.domain.standing import Commitment, Standing, Waived


@dataclass(frozen=True, slots=True)
class OpenRecord:
    """A record read back."""

    application: Application
    standing: Standing
    submitted_by: str
    submitted_for: str | None
    terms_digest: str
    decided_on: date
    identity: Identity
    decision: bytes


def open_record(record: bytes) -> OpenRecord:
    """This function will read a record; ValueError where it is not one of this format."""
    try:
        found = _RECORD.decode(record)
        if found.format != FORMAT:
            raise ValueError(f"a record of format {FORMAT} is needed")
        decided = _DECIDED.decode(found.decision)
        pool = _POOL.decode(found.pool)
    except msgspec.MsgspecError as fault:
        raise ValueError(f"not a record of format {FORMAT}: {fault}") from None
    room = None if pool is None else _standing(pool)
    return OpenRecord(
        application=application_from_bytes(found.application),
        standing=Standing(found.standing, room, frozenset(found.subsidies_used_up), decided.exceptions),
        submitted_by=found.submitted_by,
        submitted_for=found.submitted_for,
        terms_digest=found.terms,
        decided_on=decided.decided_on,
        identity=Identity(
            decision_id=decided.decision_id,
            offer_id="" if decided.offer is None else decided.offer.offer_id,
            revision=decided.revision,
            supersedes=decided.supersedes,
            recorded_at=decided.recorded_at,
            rules_edition=decided.rules_edition,
        ),
        decision=bytes(found.decision),
    )


class _Record(msgspec.Struct, gc=False):
    application: msgspec.Raw
    decision: msgspec.Raw
    format: str
    standing: tuple[Commitment, ...]
    submitted_by: str
    terms: str
    submitted_for: str | None = None
    pool: msgspec.Raw = msgspec.Raw(b"null")
    subsidies_used_up: tuple[str, ...] = ()


class _Offered(msgspec.Struct, gc=False):
    offer_id: str


class _Decided(msgspec.Struct, gc=False):
    decided_on: date
    decision_id: str
    recorded_at: datetime
    revision: int
    rules_edition: str
    supersedes: str | None
    offer: _Offered | None
    exceptions: tuple[Waived, ...] = ()


class _Pool(msgspec.Struct, gc=False):
    id: str
    room: Yuan
    company_room: Yuan | None
    lender_room: Yuan | None
    stopped: bool


def _standing(pool: Any) -> PoolStanding:
    return PoolStanding(pool.id, pool.room, pool.company_room, pool.lender_room, pool.stopped)


_RECORD = msgspec.json.Decoder(_Record, dec_hook=amount_from)
_DECIDED = msgspec.json.Decoder(_Decided)
_POOL = msgspec.json.Decoder(_Pool | None, dec_hook=amount_from)
