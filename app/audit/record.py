"""The record of a decision: the canonical bytes that a leaf of the log is taken over, and the answer made from
them.

Neighbours may rely on this: a record holds all that the decision used — facts, the digest of the terms, standing,
edition, day — and the decision as it was answered; the answer is the recorded decision, byte for byte, plus its
place in the log. docs/audit-record.md specifies the form, example first.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from app.audit.application import instant_text, score_document
from app.audit.canonical import vouched_bytes
from app.audit.sm3 import with_sm3
from app.audit.trace import plain, trace_bytes, value_bytes
from app.domain.company import Application, ScoreLookup
from app.domain.decision import (
    Decision,
    OfferForm,
    PreApprovedOffer,
    RateBasis,
    Reason,
    RiskCompensation,
    RiskStatus,
)
from app.domain.money import Yuan, rate_text
from app.domain.pool import PoolStanding
from app.domain.standing import Commitment, Standing, Waived
from app.domain.terms import LprQuote, ProductTerms, RiskCompensationTerms, SubsidyProgramme, Words

FORMAT = "jifendai/decision/1"

LARGEST_RECORD = 65_535
"""A tlog tile prefixes an entry's length with 16 bits (C2SP tlog-tiles)."""

INDICATIVE = Words(
    "预授信仅为参考,不构成银行承诺;以尽职调查和银行审批为准",
    "indicative only, not the bank's commitment: subject to due diligence and the bank's own approval",
)
SUBSIDY_NOTE = Words("按全额用款、满期并按时付息测算的最高额", "if fully drawn for the whole tenor and paid on time")


@dataclass(frozen=True, slots=True)
class Identity:
    """What the log gives a decision: its id, its offer's id, the revision, what it supersedes, and when it was
    recorded.
    """

    decision_id: str
    offer_id: str
    revision: int
    supersedes: str | None
    recorded_at: datetime
    rules_edition: str


class SpelledIdentity(NamedTuple):
    """An identity as it stands in a record: each value's bytes, and the campaign's member where there is one."""

    decision_id: bytes
    offer_id: bytes
    revision: bytes
    supersedes: bytes
    recorded_at: bytes
    rules_edition: bytes
    campaign: bytes


@dataclass(frozen=True, slots=True)
class Sources:
    """What the decision was made from, apart from the application."""

    terms: ProductTerms
    terms_digest: str
    standing: Standing
    submitted_by: str
    submitted_for: str | None = None
    score_lookup: ScoreLookup | None = None
    idempotency_key: str | None = None
    campaign: str | None = None
    """The campaign whose run asked for it: then it is an offer to nobody yet."""


def decision_bytes(decision: Decision, application: Application, sources: Sources, identity: Identity) -> bytes:
    """This function will write the decision as it is answered, in canonical form, without its place in the log."""
    under = spelled(identity, sources.campaign)
    return decision_under(
        under, decision, application, sources.terms, sources.terms_digest, sources.standing.waived
    )


def spelled(identity: Identity, campaign: str | None) -> SpelledIdentity:
    """This function will spell an identity as it stands in a record."""
    return SpelledIdentity(
        decision_id=vouched_bytes(identity.decision_id),
        offer_id=vouched_bytes(identity.offer_id),
        revision=b"%d" % identity.revision,
        supersedes=vouched_bytes(identity.supersedes),
        recorded_at=b'"%b"' % instant_text(identity.recorded_at).encode(),
        rules_edition=vouched_bytes(identity.rules_edition),
        campaign=b"" if campaign is None else b',"campaign":"%b"' % campaign.encode(),
    )


def decision_under(
    identity: SpelledIdentity,
    decision: Decision,
    application: Application,
    terms: ProductTerms,
    terms_digest: str,
    waived: tuple[Waived, ...],
) -> bytes:
    """This function will write the same under an identity that is spelled already."""
    offer, trace = decision.offer, trace_bytes(decision)
    return _DECISION % (
        vouched_bytes(application.application_id),
        trace.assumptions,
        identity.campaign,
        value_bytes(decision.decided_on),
        identity.decision_id,
        _exceptions(waived),
        b"null" if offer is None else _offer(offer, identity.offer_id, application.request.amount),
        value_bytes(decision.outcome),
        _product(terms, terms_digest),
        b",".join(map(_reason, decision.reasons)),
        identity.recorded_at,
        identity.revision,
        identity.rules_edition,
        identity.supersedes,
        trace.lines,
    )


# A decision's keys, in the order that its canonical form asks for.
_DECISION = (
    b'{"application_id":%b,"assumptions":%b%b,"decided_on":%b,"decision_id":%b%b,"offer":%b,"outcome":%b,"product":%b,'
    b'"reasons":[%b],"recorded_at":%b,"revision":%b,"rules_edition":%b,"supersedes":%b,"trace":%b}'
)


def _exceptions(waived: tuple[Waived, ...]) -> bytes:
    # Absent where nothing was waived, so that records without it keep their bytes.
    return b',"exceptions":' + vouched_bytes([_waived(one) for one in waived]) if waived else b""


def _waived(one: Waived) -> dict[str, str]:
    # A waiver of before it carried an amount keeps its bytes.
    said = {name: value for name, value in asdict(one).items() if value is not None}
    return said if one.up_to is None else {**said, "up_to": one.up_to.text()}


def record_bytes(decision: bytes, application: bytes, sources: Sources) -> bytes:
    """This function will write the record around the canonical bytes of the application as sent and of a decision."""
    standing = sources.standing
    rest = {
        "format": FORMAT,
        "standing": [_commitment(c) for c in standing.commitments],
        "submitted_by": sources.submitted_by,
        "terms": sources.terms_digest,
    }
    if standing.pool is not None:
        rest["pool"] = _pool(standing.pool)
    if standing.used_up:
        rest["subsidies_used_up"] = sorted(standing.used_up)
    # Both are absent where there is none, so that records without them keep their bytes.
    if sources.idempotency_key is not None:
        rest["idempotency_key"] = sources.idempotency_key
    if sources.submitted_for is not None:
        rest["submitted_for"] = sources.submitted_for
    # Absent where the request carried its score, or nobody was asked for one.
    if sources.score_lookup is not None:
        rest["snapshot"] = _snapshot(sources.score_lookup)
    rest = vouched_bytes(rest)
    return b'{"application":%b,"decision":%b,%b' % (application, decision, rest[1:])


def decision_within(decision: bytes, application: bytes) -> tuple[int, int]:
    """This function will say from where until where the decision's bytes stand in its record, its last brace left
    out.
    """
    begins = len(b'{"application":,"decision":') + len(application)
    return begins, begins + len(decision) - 1


def decision_with_sm3(record: bytes, answer_until: int) -> tuple[bytes, str]:
    """This function will put the SM3 digest into a decision's record, and return both; where the decision stands in it
    stays the same.
    """
    # The canonical form has it before the snapshot and the standing; a quote inside a text is escaped.
    behind = record.find(b',"snapshot":', answer_until)
    return with_sm3(record, behind if behind >= 0 else record.index(b',"standing":', answer_until))


def place_bytes(*, decision_id: str, origin: str, index: int, leaf_hash: bytes, sm3: str | None = None) -> bytes:
    """This function will write what an answer has beyond the recorded decision: its place in the log, and the record's
    second digest where it has one.

    The answer is the decision's bytes without their last brace, and then these.
    """
    place: dict[str, Any] = {
        "origin": origin,
        "index": index,
        "leaf_hash": leaf_hash.hex(),
        "receipt": f"/v1/decisions/{decision_id}/receipt",
    }
    if sm3 is not None:
        place["sm3"] = sm3
    return b',"audit_record":%b}' % orjson.dumps(place)


def _commitment(found: Commitment) -> dict[str, Any]:
    return {
        "offer_id": found.offer_id,
        "application_id": found.application_id,
        "product": found.product,
        "uscc": found.uscc,
        "group_id": found.group_id,
        "credit_limit": found.credit_limit.text(),
        "counts_until": found.counts_until.isoformat(),
        "credit_approved": found.credit_approved,
        "outstanding": found.outstanding.text(),
    }


def _snapshot(found: ScoreLookup) -> dict[str, Any]:
    return {
        "answer": found.answer.value,
        "why": found.why,
        "id": found.snapshot_id,
        "score": None if found.score is None else score_document(found.score),
    }


def _pool(found: PoolStanding) -> orjson.Fragment:
    """The trace tells the same amounts, which are written once."""
    pool, room, company_room, lender_room, stopped = found
    return orjson.Fragment(_POOL % tuple(map(value_bytes, (company_room, pool, lender_room, room, stopped))))


_POOL = b'{"company_room":%b,"id":%b,"lender_room":%b,"room":%b,"stopped":%b}'


# --- the parts of the wire form ------------------------------------------------------------------------------


def _words(words: Words) -> dict[str, str]:
    return {"zh": words.zh, "en": words.en}


@lru_cache(maxsize=4_096)
def _reason(reason: Reason) -> bytes:
    return vouched_bytes(
        {
            "code": reason.code.name,
            "severity": reason.severity.value,
            "message": _words(reason.words),
            "clause": reason.clause,
        }
    )


@lru_cache(maxsize=4_096)
def _product(terms: ProductTerms, digest: str) -> bytes:
    branch = terms.branch
    return vouched_bytes(
        {
            "id": terms.id,
            "name": terms.name.zh,
            "name_en": terms.name.en,
            "lender": {
                "id": terms.lender.id,
                "name": terms.lender.name.zh,
                "branch": None if branch is None else {"id": branch.id, "name": branch.name.zh},
            },
            "digest": digest,
        }
    )


def _rate(rate: Decimal | None) -> str | None:
    return None if rate is None else rate_text(rate)


def _offer(offer: PreApprovedOffer, offer_id: bytes, requested: Yuan) -> bytes:
    form, expires_on, limit, subsidy, cover = offer
    return _offer_pattern(form) % (
        value_bytes(limit),
        value_bytes(expires_on),
        value_bytes(subsidy.maximum_amount),
        rate_text(subsidy.net_annual_rate_at_best).encode(),
        b",".join([_programme_pattern(one, row) % value_bytes(most) for one, row, most in subsidy.programmes]),
        offer_id,
        value_bytes(requested),
        _cover_pattern(cover.terms)
        % (value_bytes(cover.covered_amount), value_bytes(cover.reserved_amount), value_bytes(cover.status)),
    )


@lru_cache(maxsize=4_096)
def _offer_pattern(form: OfferForm) -> bytes:
    """What of an offer is the same for every company, written once: all but its id and what is reckoned for each."""
    return _pattern(
        {
            "status": "INDICATIVE",
            "note": _words(INDICATIVE),
            "offer_id": _HOLE,
            "requested_amount": _HOLE,
            "credit_limit": _HOLE,
            "currency": "CNY",
            "tenor_months": form.tenor_months,
            "expires_on": _HOLE,
            "annual_rate": _rate(form.annual_rate),
            "annual_rate_ceiling": _rate(form.annual_rate_ceiling),
            "all_in_annual_cost": _rate(form.all_in_annual_cost),
            "rate_basis": _rate_basis(form.rate_basis),
            "collateral_required": form.collateral_required,
            "guarantee_required": form.guarantee_required,
            "guarantee_fee_rate": _rate(form.guarantee_fee_rate),
            "interest_subsidy": {
                "programmes": [_HOLE],
                "maximum_amount": _HOLE,
                "net_annual_rate_at_best": _HOLE_IN_TEXT,
                "note": _words(SUBSIDY_NOTE),
            },
            "risk_compensation": _HOLE,
            "conditions": [{"code": c.code, "message": _words(c.words)} for c in form.conditions],
        }
    )


@lru_cache(maxsize=4_096)
def _programme_pattern(programme: SubsidyProgramme, row: Any) -> bytes:
    return _pattern(
        {
            "id": programme.id,
            "name": _words(programme.name),
            "base": programme.base,
            "share_up_to": programme.share.at(row),
            "claim": programme.claim,
            "maximum_amount": _HOLE,
        }
    )


@lru_cache(maxsize=1_024)
def _cover_pattern(terms: RiskCompensationTerms | None) -> bytes:
    own = RiskCompensation(RiskStatus.NONE, terms, Yuan(0), Yuan(0))
    return _pattern(
        {
            "status": _HOLE,
            "pool": own.pool,
            "covered_amount": _HOLE,
            "reserved_amount": _HOLE,
            "shares": [{"bearer": s.bearer, "share": s.share} for s in own.shares],
        }
    )


def _pattern(document: dict[str, Any]) -> bytes:
    """The canonical form, to be filled in with the values of its holes in the order of their names."""
    return vouched_bytes(document, plain).replace(b"%", b"%%").replace(b"\0", b"%b")


# No canonical text holds this byte.
_HOLE, _HOLE_IN_TEXT = orjson.Fragment(b"\0"), orjson.Fragment(b'"\0"')


def _rate_basis(basis: RateBasis) -> dict[str, Any]:
    lpr: LprQuote | None = basis.lpr
    return {
        "kind": basis.method,
        "term": None if lpr is None else lpr.term,
        "lpr": None if lpr is None else rate_text(lpr.rate),
        "published_on": None if lpr is None else lpr.published_on,
        "spread_bps": basis.spread_bps,
        "conventional_rate": _rate(basis.conventional_rate),
        "discount_share": basis.discount_share,
        "fixed_at": "CONTRACT",
    }
