"""A record read back: what was decided from, and what was decided, byte for byte.

Neighbours may rely on this: of the decision only what a replay needs is taken apart; its bytes are a slice of the
record, as they were recorded.

`open_to_replay` reads a record in its ordinary spelling without parsing its longest part, the decision. It may be
trusted with nothing but a replay: there whatever it read wrongly would be written again, and the bytes would differ.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import msgspec

from app.audit.application import amount_from, application_from_bytes
from app.audit.record import FORMAT, Identity
from app.domain.company import Application, InnovationScore, LookupAnswer, ScoreLookup
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
    campaign: str | None = None


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
    application = application_from_bytes(found.application)
    return OpenRecord(
        application=application if found.snapshot is None else application.with_lookup(_lookup(found.snapshot)),
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
        campaign=decided.campaign,
    )


def open_to_replay(record: bytes) -> OpenRecord:
    """This function will read a record whose decision is about to be decided and written again, and then compared.

    Raises ValueError as `open_record` does.
    """
    # A quote inside a text is escaped, so these bytes stand nowhere but between members.
    begins, ends = record.find(_DECISION), record.rfind(_FORMAT)
    if not (record.startswith(_APPLICATION) and 0 < begins < ends):
        return open_record(record)
    decision = record[begins + _BEFORE_IT : ends]
    # Found first and matched there: a search by pattern would try each comma on its way.
    first = _FIRST.match(decision, decision.find(b',"decided_on":"'))
    then = None if first is None else _THEN.match(decision, decision.find(b',"recorded_at":"', first.end()))
    if first is None or then is None:
        return open_record(record)
    decided_on, decision_id, offer = first.groups()
    recorded_at, revision, rules_edition, supersedes = then.groups()
    named = None if offer == b"null" else _OFFER_ID.match(decision, decision.find(b',"offer_id":"', first.end()))
    offer_id = b"" if named is None else named.group(1)
    try:
        rest = _REST.decode(b"{" + record[ends + len(_FORMAT) :])
        application = application_from_bytes(record[len(_APPLICATION) : begins])
        pool = _POOL.decode(rest.pool)
    except (msgspec.MsgspecError, ValueError):
        return open_record(record)
    room = None if pool is None else _standing(pool)
    return OpenRecord(
        application=application if rest.snapshot is None else application.with_lookup(_lookup(rest.snapshot)),
        standing=Standing(rest.standing, room, frozenset(rest.subsidies_used_up)),
        submitted_by=rest.submitted_by,
        submitted_for=rest.submitted_for,
        terms_digest=rest.terms,
        decided_on=date.fromisoformat(decided_on.decode()),
        identity=Identity(
            decision_id.decode(), offer_id.decode(), int(revision), None if supersedes is None else supersedes.decode(),
            datetime.fromisoformat(recorded_at.decode()), rules_edition.decode(),
        ),
        decision=decision,
        campaign=_campaign(decision, first.start()),
    )  # fmt: skip


def _campaign(decision: bytes, until: int) -> str | None:
    """The campaign stands right before the day, where there is one."""
    named = _CAMPAIGN.search(decision, max(0, until - _CAMPAIGN_BYTES), until)
    return None if named is None else named.group(1).decode()


_APPLICATION: Final = b'{"application":'
_DECISION: Final = b',"decision":{"application_id":'
_BEFORE_IT: Final = len(b',"decision":')
_FORMAT: Final = b',"format":"%b",' % FORMAT.encode()
# An exception's decision is read the long way.
_FIRST: Final = re.compile(rb',"decided_on":"([0-9-]{10})","decision_id":"([^"\\]+)","offer":(null|\{)')
_CAMPAIGN: Final = re.compile(rb',"campaign":"([0-9a-f-]{36})"$')
_CAMPAIGN_BYTES: Final = 14 + 36 + 1
_OFFER_ID: Final = re.compile(rb',"offer_id":"([^"\\]+)"')
_THEN: Final = re.compile(
    rb',"recorded_at":"([^"\\]+)","revision":([0-9]{1,9}),"rules_edition":"([^"\\]+)",'
    rb'"supersedes":(?:null|"([^"\\]+)"),"trace":\['
)


def score_used(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """This function will return, of a parsed record, the score that was decided by: the request's, or the one that was
    looked up.
    """
    found = document.get("snapshot")
    return document["application"].get("innovation_score") if found is None else found["score"]


class _Snapshot(msgspec.Struct, gc=False):
    answer: LookupAnswer
    why: str | None
    id: str | None
    score: InnovationScore | None


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
    snapshot: _Snapshot | None = None


class _Rest(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """What stands behind `format`."""

    standing: tuple[Commitment, ...]
    submitted_by: str
    terms: str
    submitted_for: str | None = None
    pool: msgspec.Raw = msgspec.Raw(b"null")
    subsidies_used_up: tuple[str, ...] = ()
    idempotency_key: str | None = None
    sm3: str | None = None
    snapshot: _Snapshot | None = None


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
    campaign: str | None = None


class _Pool(msgspec.Struct, gc=False):
    id: str
    room: Yuan
    company_room: Yuan | None
    lender_room: Yuan | None
    stopped: bool


def _lookup(found: _Snapshot) -> ScoreLookup:
    return ScoreLookup(found.answer, found.why, found.id, found.score)


def _standing(pool: Any) -> PoolStanding:
    return PoolStanding(pool.id, pool.room, pool.company_room, pool.lender_room, pool.stopped)


_RECORD = msgspec.json.Decoder(_Record, dec_hook=amount_from)
_REST = msgspec.json.Decoder(_Rest, dec_hook=amount_from)
_DECIDED = msgspec.json.Decoder(_Decided)
_POOL = msgspec.json.Decoder(_Pool | None, dec_hook=amount_from)
