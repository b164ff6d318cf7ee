"""The rows of a decision and of its offer, made again from the signed record alone.

Neighbours may rely on this: decision_row.py makes the same rows from what was decided with; whoever verifies holds what
is stored to these. A record of a release that did not yet hold its idempotency key says nothing of that column.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final

import orjson

from app.audit.open_record import score_used
from app.audit.record import place_bytes
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


def recorded_rows(record: bytes, place: RecordPlace, idempotency_key: str) -> RecordedRows:
    """This function will make the rows of a decision's record; `idempotency_key` is for a record that holds none.

    Raises ValueError where it cannot be read.
    """
    try:
        document = orjson.loads(record)
        application, decided = document["application"], document["decision"]
        offer = _offer(application, decided, place.lender)
        return RecordedRows(
            decision=_decision(record, document, place, idempotency_key),
            offer=offer,
            replaces=None if offer is None else _replaced(application, document["standing"]),
            group_id=application["company"].get("group_id"),
        )
    except (ArithmeticError, AttributeError, LookupError, TypeError) as error:
        raise ValueError("not a record of a decision") from error


def _decision(record: bytes, document: dict[str, Any], place: RecordPlace, idempotency_key: str) -> DecisionRow:
    application, decided = document["application"], document["decision"]
    company, score, offer = application["company"], score_used(document), decided["offer"]
    branch = decided["product"]["lender"]["branch"]
    # A quote inside a text is escaped, so these bytes stand nowhere but between the record's own members.
    begins = record.index(_DECISION) + len(_DECISION) - 1
    decision_id = decided["decision_id"]
    return DecisionRow(
        decision_id=decision_id,
        lender=place.lender,
        index=place.index,
        idempotency_key=document.get("idempotency_key", idempotency_key),
        fingerprint=sha256(record[len(_APPLICATION) : begins - len(_DECISION) + 1]).digest(),
        application_id=application["application_id"],
        revision=decided["revision"],
        supersedes=decided["supersedes"],
        product=application["product"],
        branch=None if branch is None else branch["id"],
        zone=company["zone"],
        uscc=company["uscc"],
        stage=None if score is None else score.get("stage"),
        score=None if score is None or score.get("value") is None else str(Decimal(score["value"])),
        outcome=decided["outcome"],
        reasons=tuple(dict.fromkeys(reason["code"] for reason in decided["reasons"])),
        requested_amount=int(Yuan.parse(application["request"]["amount"])),
        credit_limit=None if offer is None else int(Yuan.parse(offer["credit_limit"])),
        decided_on=date.fromisoformat(decided["decided_on"]),
        recorded_at=datetime.fromisoformat(decided["recorded_at"]),
        submitted_by=document["submitted_by"],
        terms_digest=document["terms"],
        answer_from=begins,
        answer_until=record.rindex(_FORMAT) - 1,
        place=place_bytes(
            decision_id=decision_id, origin=place.origin, index=place.index, leaf_hash=place.leaf_hash,
            sm3=document.get("sm3"),
        ),
    )


def _offer(application: dict[str, Any], decided: dict[str, Any], lender: str) -> OfferRow | None:
    offer, company = decided["offer"], application["company"]
    if offer is None or decided.get("campaign") is not None:
        # A campaign's pre-approval is an offer to nobody yet, and has no row.
        return None
    commitment = Commitment(
        offer_id=offer["offer_id"],
        application_id=application["application_id"],
        product=application["product"],
        uscc=company["uscc"],
        group_id=company.get("group_id"),
        credit_limit=Yuan.parse(offer["credit_limit"]),
        counts_until=date.fromisoformat(offer["expires_on"]),
    )
    return OfferRow(decided["decision_id"], lender, commitment)


def _replaced(application: dict[str, Any], standing: list[dict[str, Any]]) -> str | None:
    """A line that the bank has approved ends by the bank's word alone."""
    named = application["request"].get("replaces")
    if named is None:
        return None
    return next((c["offer_id"] for c in standing if c["offer_id"] == named and not c["credit_approved"]), None)
