"""The rows of a decision and of its offer, made again from the signed record alone.

Neighbours may rely on this: decision_row.py makes the same rows from what was decided with; whoever verifies holds what
is stored to these. A record of a release that did not yet hold its idempotency key says nothing of that column.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Final

import msgspec

from app.audit.record import place_bytes
from app.domain.decision import RiskStatus
from app.domain.money import Yuan
from app.domain.standing import Commitment
from app.usecases.ports import DecisionRow, OfferRow

_APPLICATION: Final = b'{"application":'
_DECISION: Final = b',"decision":{'
_FORMAT: Final = b',"format":"jifendai/decision/1",'


@dataclass(frozen=True, slots=True)
class RecordPlace:
    """Where a record stands: in which log, at which index, under which hash."""

    lender: str
    origin: str
    index: int
    leaf_hash: bytes


@dataclass(frozen=True, slots=True)
class RecordedRows:
    """What a decision's record says that its rows are, and the offers that it names; `replaces` is an open offer of the
    company's standing whose place the new offer took.
    """

    decision: DecisionRow
    offer: OfferRow | None
    replaces: str | None
    group_id: str | None = None
    reserved: bool = False
    """Whether the decision reserved room in a pool for its offer."""


def recorded_rows(record: bytes, place: RecordPlace, idempotency_key: str) -> RecordedRows:
    """This function will make the rows of a decision's record; `idempotency_key` is for a record that holds none.

    Raises ValueError where it cannot be read.
    """
    try:
        found = _DECODER.decode(record)
        offer = _offer(found, place.lender)
        return RecordedRows(
            decision=_decision(record, found, place, idempotency_key),
            offer=offer,
            replaces=None if offer is None else _replaced(found),
            group_id=found.application.company.group_id,
            reserved=offer is not None and found.decision.offer.risk_compensation.status == RiskStatus.RESERVED,
        )
    except ArithmeticError as error:
        raise ValueError("not a record of a decision") from error


def _decision(record: bytes, found: _Record, place: RecordPlace, idempotency_key: str) -> DecisionRow:
    application, decided = found.application, found.decision
    company, offer, branch = application.company, decided.offer, decided.product.lender.branch
    score = application.innovation_score if found.snapshot is None else found.snapshot.score
    # A quote inside a text is escaped, so these bytes stand nowhere but between the record's own members.
    begins = record.index(_DECISION) + len(_DECISION) - 1
    return DecisionRow(
        decision_id=decided.decision_id,
        lender=place.lender,
        index=place.index,
        idempotency_key=idempotency_key if found.idempotency_key is None else found.idempotency_key,
        fingerprint=sha256(record[len(_APPLICATION) : begins - len(_DECISION) + 1]).digest(),
        application_id=application.application_id,
        revision=decided.revision,
        supersedes=decided.supersedes,
        product=application.product,
        branch=None if branch is None else branch.id,
        zone=company.zone,
        uscc=company.uscc,
        stage=None if score is None else score.stage,
        score=None if score is None or score.value is None else str(score.value),
        outcome=decided.outcome,
        reasons=tuple(dict.fromkeys([reason.code for reason in decided.reasons])),
        requested_amount=int(Yuan.parse(application.request.amount)),
        credit_limit=None if offer is None else int(Yuan.parse(offer.credit_limit)),
        decided_on=decided.decided_on,
        recorded_at=decided.recorded_at,
        submitted_by=found.submitted_by,
        terms_digest=found.terms,
        answer_from=begins,
        answer_until=record.rindex(_FORMAT) - 1,
        place=place_bytes(
            decision_id=decided.decision_id, origin=place.origin, index=place.index, leaf_hash=place.leaf_hash,
            sm3=found.sm3,
        ),
    )  # fmt: skip


def _offer(found: _Record, lender: str) -> OfferRow | None:
    application, decided = found.application, found.decision
    offer, company = decided.offer, application.company
    if offer is None or decided.campaign is not None:
        # A campaign's pre-approval is an offer to nobody yet, and has no row.
        return None
    commitment = Commitment(
        offer_id=offer.offer_id,
        application_id=application.application_id,
        product=application.product,
        uscc=company.uscc,
        group_id=company.group_id,
        credit_limit=Yuan.parse(offer.credit_limit),
        counts_until=offer.expires_on,
    )
    return OfferRow(decided.decision_id, lender, commitment)


def _replaced(found: _Record) -> str | None:
    """A line that the bank has approved ends by the bank's word alone."""
    named = found.application.request.replaces
    if named is None:
        return None
    return next((c.offer_id for c in found.standing if c.offer_id == named and not c.credit_approved), None)


# ---- what is read of a record ---------------------------------------------------------------------------------------


class _Company(msgspec.Struct, gc=False):
    uscc: str
    zone: str
    group_id: str | None = None


class _Score(msgspec.Struct, gc=False):
    stage: str | None = None
    value: Decimal | None = None


class _Request(msgspec.Struct, gc=False):
    amount: str
    replaces: str | None = None


class _Application(msgspec.Struct, gc=False):
    application_id: str
    product: str
    company: _Company
    request: _Request
    innovation_score: _Score | None = None


class _Branch(msgspec.Struct, gc=False):
    id: str


class _Lender(msgspec.Struct, gc=False):
    branch: _Branch | None


class _Product(msgspec.Struct, gc=False):
    lender: _Lender


class _Reason(msgspec.Struct, gc=False):
    code: str


class _Covered(msgspec.Struct, gc=False):
    status: str


class _Offered(msgspec.Struct, gc=False):
    offer_id: str
    credit_limit: str
    expires_on: date
    risk_compensation: _Covered


class _Decided(msgspec.Struct, gc=False):
    decision_id: str
    decided_on: date
    recorded_at: datetime
    revision: int
    supersedes: str | None
    outcome: str
    reasons: tuple[_Reason, ...]
    product: _Product
    offer: _Offered | None
    campaign: str | None = None


class _Snapshot(msgspec.Struct, gc=False):
    score: _Score | None


class _Standing(msgspec.Struct, gc=False):
    offer_id: str
    credit_approved: bool


class _Record(msgspec.Struct, gc=False):
    application: _Application
    decision: _Decided
    standing: tuple[_Standing, ...]
    submitted_by: str
    terms: str
    idempotency_key: str | None = None
    sm3: str | None = None
    snapshot: _Snapshot | None = None


_DECODER: Final = msgspec.json.Decoder(_Record)
