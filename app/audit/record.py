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
from typing import Any

import orjson

from app.audit.application import instant_text, score_document
from app.audit.canonical import vouched_bytes
from app.audit.sm3 import with_sm3
from app.audit.trace import plain, trace_bytes, value_bytes
from app.domain.company import Application, ScoreLookup
from app.domain.decision import Decision, InterestSubsidy, PreApprovedOffer, RateBasis, Reason, RiskCompensation
from app.domain.money import Yuan, rate_text
from app.domain.pool import PoolStanding
from app.domain.standing import Commitment, Standing, Waived
from app.domain.terms import LprQuote, ProductTerms, Words

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
    offer, trace = decision.offer, trace_bytes(decision)
    return _DECISION % (
        value_bytes(application.application_id),
        trace.assumptions,
        b"" if sources.campaign is None else b',"campaign":"%b"' % sources.campaign.encode(),
        value_bytes(decision.decided_on),
        value_bytes(identity.decision_id),
        _exceptions(sources.standing.waived),
        b"null" if offer is None else _offer(offer, identity.offer_id, application.request.amount),
        value_bytes(decision.outcome),
        _product(sources.terms, sources.terms_digest),
        b",".join(map(_reason, decision.reasons)),
        instant_text(identity.recorded_at).encode(),
        identity.revision,
        value_bytes(identity.rules_edition),
        value_bytes(identity.supersedes),
        trace.lines,
    )


# A decision's keys, in the order that its canonical form asks for.
_DECISION = (
    b'{"application_id":%b,"assumptions":%b%b,"decided_on":%b,"decision_id":%b%b,"offer":%b,"outcome":%b,"product":%b,'
    b'"reasons":[%b],"recorded_at":"%b","revision":%d,"rules_edition":%b,"supersedes":%b,"trace":%b}'
)


def _exceptions(waived: tuple[Waived, ...]) -> bytes:
    # Absent where nothing was waived, so that records without it keep their bytes.
    return b',"exceptions":' + vouched_bytes([asdict(one) for one in waived]) if waived else b""


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


def _pool(found: PoolStanding) -> dict[str, Any]:
    company, lender = found.company_room, found.lender_room
    return {
        "id": found.pool,
        "room": found.room.text(),
        "company_room": None if company is None else company.text(),
        "lender_room": None if lender is None else lender.text(),
        "stopped": found.stopped,
    }


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


def _fragment(document: Any) -> orjson.Fragment:
    return orjson.Fragment(vouched_bytes(document, plain))


def _rate(rate: Decimal | None) -> str | None:
    return None if rate is None else rate_text(rate)


def _offer(offer: PreApprovedOffer, offer_id: str, requested: Yuan) -> bytes:
    before, between, after = _offer_around(offer)
    return b"%b%b%b%b%b" % (before, value_bytes(offer_id), between, value_bytes(requested), after)


@lru_cache(maxsize=2_048)
def _offer_around(offer: PreApprovedOffer) -> tuple[bytes, bytes, bytes]:
    """What of an offer is the same for every company that comes to the same figures, written once: all but its id
    and the amount that was asked for.
    """
    written = vouched_bytes(
        {
            "status": "INDICATIVE",
            "note": _words(INDICATIVE),
            "offer_id": orjson.Fragment(_HOLE),
            "requested_amount": orjson.Fragment(_HOLE),
            "credit_limit": offer.credit_limit,
            "currency": "CNY",
            "tenor_months": offer.tenor_months,
            "expires_on": offer.expires_on,
            "annual_rate": _rate(offer.annual_rate),
            "annual_rate_ceiling": _rate(offer.annual_rate_ceiling),
            "all_in_annual_cost": _rate(offer.all_in_annual_cost),
            "rate_basis": _rate_basis(offer.rate_basis),
            "collateral_required": offer.collateral_required,
            "guarantee_required": offer.guarantee_required,
            "guarantee_fee_rate": _rate(offer.guarantee_fee_rate),
            "interest_subsidy": _subsidy(offer.interest_subsidy),
            "risk_compensation": _cover(offer.risk_compensation),
            "conditions": [{"code": c.code, "message": _words(c.words)} for c in offer.conditions],
        },
        plain,
    )
    before, between, after = written.split(_HOLE)
    return before, between, after


# No canonical text holds this byte.
_HOLE = b"\0"


def _subsidy(subsidy: InterestSubsidy) -> dict[str, Any]:
    return {
        "programmes": [
            {
                "id": p.id,
                "name": _words(p.name),
                "base": p.base,
                "share_up_to": p.share_up_to,
                "claim": p.claim,
                "maximum_amount": p.maximum_amount,
            }
            for p in subsidy.programmes
        ],
        "maximum_amount": subsidy.maximum_amount,
        "net_annual_rate_at_best": rate_text(subsidy.net_annual_rate_at_best),
        "note": _words(SUBSIDY_NOTE),
    }


def _cover(cover: RiskCompensation) -> dict[str, Any]:
    return {
        "status": cover.status,
        "pool": cover.pool,
        "covered_amount": cover.covered_amount,
        "reserved_amount": cover.reserved_amount,
        "shares": [{"bearer": s.bearer, "share": s.share} for s in cover.shares],
    }


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
