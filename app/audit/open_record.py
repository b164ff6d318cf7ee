"""A record read back: what was decided from, and what was decided, byte for byte.

Neighbours may rely on this: of the decision only what a replay needs is taken apart; its bytes are a slice of the
record, as they were recorded.

`open_to_replay` reads a record in its ordinary spelling without parsing its longest part, the decision. It may be
trusted with nothing but a replay: there whatever it read wrongly would be written again, and the bytes would differ.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import date, datetime
from functools import lru_cache, reduce
from operator import or_
from types import UnionType
from typing import Any, Final, NamedTuple, get_args, get_origin, get_type_hints

import msgspec

from app.audit.application import amount_from, application_from_bytes, instant_text
from app.audit.record import FORMAT, Identity, SpelledIdentity
from app.domain.company import Application, InnovationScore, LookupAnswer, ScoreLookup
from app.domain.money import Yuan
from app.domain.pool import PoolStanding
from app.domain.standing import NOTHING_PROMISED, Commitment, Standing, Waived


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
    except msgspec.MsgspecError as fault:
        raise ValueError(f"not a record of format {FORMAT}: {fault}") from None
    application = application_from_bytes(found.application)
    return OpenRecord(
        application=application if found.snapshot is None else application.with_lookup(_lookup(found.snapshot)),
        standing=_standing(found, decided.exceptions),
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


class ToReplay(NamedTuple):
    """What a replay needs of a record: what was decided from, the identity as it is spelled there, and where the
    decision stands. The application has the names and values of an `Application`, and is one to whoever reads it.
    """

    application: Application
    standing: Standing
    terms_digest: str
    decided_on: date
    rules_edition: str
    identity: SpelledIdentity
    begins: int
    ends: int


def open_to_replay(record: bytes) -> ToReplay | None:
    """This function will read a record in its ordinary spelling whose decision is about to be decided and written
    again, and then compared; None where it is spelled otherwise, or takes the long way.
    """
    # A quote inside a text is escaped, so these bytes stand nowhere but between members.
    begins, ends = record.find(_DECISION), record.rfind(_FORMAT)
    if not (record.startswith(_APPLICATION) and 0 < begins < ends):
        return None
    # Found first and matched there: a search by pattern would try each comma on its way.
    first = _FIRST.match(record, record.find(b',"decided_on":"', begins, ends))
    then = None if first is None else _THEN.match(record, record.find(b',"recorded_at":"', first.end(), ends))
    if then is None or not _is_instant(then[1]):
        return None
    decided_on, decision_id, offer = first.groups()
    named = None if offer == b"null" else _OFFER_ID.match(record, record.find(_OFFERS_ID, first.end(), ends))
    recorded_at, revision, rules_edition, supersedes = then.groups()
    try:
        rest = _REST.decode(b"{" + record[ends + len(_FORMAT) :])
        application = _LEAN_APPLICATION.decode(record[len(_APPLICATION) : begins])
    except (msgspec.MsgspecError, ValueError):
        return None
    if rest.snapshot is not None:
        found = _lookup(rest.snapshot)
        application = msgspec.structs.replace(application, innovation_score=found.score, score_lookup=found)
    return ToReplay(
        application,
        _standing(rest),
        rest.terms,
        _day(decided_on),
        rules_edition[1:-1].decode(),
        SpelledIdentity(
            decision_id, b"" if named is None else named.group(1), revision, supersedes, recorded_at, rules_edition,
            _campaign(record, first.start()),
        ),
        begins + _BEFORE_IT,
        ends,
    )  # fmt: skip


@lru_cache(maxsize=256)
def _day(spelled: bytes) -> date:
    return date.fromisoformat(spelled.decode())


@lru_cache(maxsize=256)
def _is_instant(spelled: bytes) -> bool:
    """Whether it is spelled as instants are; all of a batch have the same one."""
    try:
        text = spelled[1:-1].decode()
        return instant_text(datetime.fromisoformat(text)) == text
    except ValueError:
        return False


def _campaign(record: bytes, until: int) -> bytes:
    """The campaign stands right before the day, where there is one."""
    named = None if record[until - 1] != _QUOTE else _CAMPAIGN.search(record, until - _CAMPAIGN_BYTES, until)
    return b"" if named is None else named.group()


_APPLICATION: Final = b'{"application":'
_DECISION: Final = b',"decision":{"application_id":'
_BEFORE_IT: Final = len(b',"decision":')
_FORMAT: Final = b',"format":"%b",' % FORMAT.encode()
# An exception's decision is read the long way.
# An id in printable ASCII is written again as it stands.
_ID: Final = rb'"[ !#-\[\]-~]+"'
_FIRST: Final = re.compile(rb',"decided_on":"([0-9-]{10})","decision_id":(%b),"offer":(null|\{)' % _ID)
_QUOTE: Final = ord('"')
_CAMPAIGN: Final = re.compile(rb',"campaign":"[0-9a-f-]{36}"$')
_CAMPAIGN_BYTES: Final = 14 + 36 + 1
_OFFERS_ID: Final = b',"offer_id":'
_OFFER_ID: Final = re.compile(rb',"offer_id":(%b)' % _ID)
_THEN: Final = re.compile(
    rb',"recorded_at":("[0-9TZ.:-]+"),"revision":(0|[1-9][0-9]{0,8}),"rules_edition":(%b),'
    rb'"supersedes":(null|%b),"trace":\[' % (_ID, _ID)
)


def score_used(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """This function will return, of a parsed record, the score that was decided by: the request's, or the one that was
    looked up.
    """
    found = document.get("snapshot")
    return document["application"].get("innovation_score") if found is None else found["score"]


class _Pool(msgspec.Struct, gc=False):
    id: str
    room: Yuan
    company_room: Yuan | None
    lender_room: Yuan | None
    stopped: bool


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
    pool: _Pool | None = None
    subsidies_used_up: tuple[str, ...] = ()
    snapshot: _Snapshot | None = None


class _Rest(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """What stands behind `format`."""

    standing: tuple[Commitment, ...]
    submitted_by: str
    terms: str
    submitted_for: str | None = None
    pool: _Pool | None = None
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


def _lookup(found: _Snapshot) -> ScoreLookup:
    return ScoreLookup(found.answer, found.why, found.id, found.score)


def _standing(found: _Record | _Rest, waived: tuple[Waived, ...] = ()) -> Standing:
    pool = found.pool
    if pool is None and not (found.standing or found.subsidies_used_up or waived):
        return NOTHING_PROMISED
    room = None
    if pool is not None:
        room = PoolStanding(pool.id, pool.room, pool.company_room, pool.lender_room, pool.stopped)
    return Standing(found.standing, room, frozenset(found.subsidies_used_up), waived)


def _lean(kind: Any) -> Any:
    """The same type with a struct in the place of each dataclass: of a dataclass the decoder asks for every field,
    once it is filled, whether it is there, which takes longer than filling it.
    """
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        told = [(field.name, _lean(hints[field.name]), field.default) for field in fields(kind)]
        named = [one[:2] if one[2] is MISSING else one for one in told]
        return msgspec.defstruct(kind.__name__, named, frozen=True, gc=False)
    within = tuple(map(_lean, get_args(kind)))
    if not within:
        return kind
    return reduce(or_, within) if get_origin(kind) is UnionType else get_origin(kind)[within]


_LEAN_APPLICATION = msgspec.json.Decoder(_lean(Application), dec_hook=amount_from)
_RECORD = msgspec.json.Decoder(_Record, dec_hook=amount_from)
_REST = msgspec.json.Decoder(_Rest, dec_hook=amount_from)
_DECIDED = msgspec.json.Decoder(_Decided, dec_hook=amount_from)
