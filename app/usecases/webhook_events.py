"""What a lender's loan systems are told: events, and their bodies (CloudEvents 1.0, structured JSON).

Neighbours may rely on this: an event of the log is a function of its record alone, so that whoever reads the log again
makes the same event under the same id with the same bytes; what the log does not hold is written as a row of
`webhook_event` in the transaction of what it tells of (`owed`). A body names what happened and where to look it up: no
company, no person, no figure beyond what identifies an offer leaves the house by push.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson

from app.audit.application import instant_text
from app.audit.canonical import Document, canonical_bytes
from app.audit.origin import origin_of
from app.audit.record import FORMAT as DECISION_FORMAT
from app.ledger.offer import EventKind
from app.usecases.act_rows import Written
from app.usecases.offers import EVENT_FORMAT

TABLE = "webhook_event"
CAMPAIGN_FORMAT = "jifendai/campaign/1"


class EventType(StrEnum):
    """事件类型. Closed; a value is never reused."""

    DECISION_MADE = "decision.made"
    OFFER_SUPERSEDED = "offer.superseded"
    OFFER_EXPIRED = "offer.expired"
    OFFER_EVENT_RECORDED = "offer.event_recorded"
    POOL_STOPPED = "pool.stopped"
    CAMPAIGN_FINISHED = "campaign.finished"
    ENDPOINT_TEST = "endpoint.test"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `subject` is what it is about: what concerns one subject is told in order. `place` is
    its record's index in the lender's log, None for what is in no log.
    """

    event_id: str
    type: EventType
    lender: str
    subject: str
    at: datetime
    data: Mapping[str, Document]
    place: int | None = None


@dataclass(frozen=True, slots=True)
class LoggedRecord:
    """One entry of a log, and the offers that its decision superseded: (offer_id, application_id)."""

    lender: str
    index: int
    record: bytes
    superseded: tuple[tuple[str, str], ...] = ()


def events_in(entry: LoggedRecord) -> tuple[Event, ...]:
    """This function will tell what a record of the log is to be told of: nothing for most acts, and for what retention
    has removed.
    """
    found = orjson.loads(entry.record) if entry.record else {}
    if found.get("format") == DECISION_FORMAT:
        return tuple(_of_decision(entry, found["decision"]))
    if found.get("format") == EVENT_FORMAT:
        return (_of_offer_event(entry, found["subject"], found["result"]),)
    if found.get("format") == CAMPAIGN_FORMAT and found["result"]["state"] == "FINISHED":
        return (_of_campaign(entry, found["subject"], found["result"]),)
    return ()


def _of_decision(entry: LoggedRecord, decision: Mapping[str, Any]) -> Iterable[Event]:
    decision_id, offer, at = decision["decision_id"], decision["offer"], _instant(decision["recorded_at"])
    for offer_id, application_id in entry.superseded:
        data = {
            "offer_id": offer_id, "application_id": application_id, "superseded_by": decision_id,
            "href": f"/v1/offers/{offer_id}",
        }  # fmt: skip
        yield Event(
            f"sup_{offer_id}", EventType.OFFER_SUPERSEDED, entry.lender, offer_id, at, data, entry.index
        )
    data = {
        "decision_id": decision_id, "application_id": decision["application_id"], "revision": decision["revision"],
        "supersedes": decision["supersedes"], "product": decision["product"]["id"], "outcome": decision["outcome"],
        "decided_on": decision["decided_on"], "reasons": [reason["code"] for reason in decision["reasons"]],
        "offer": None if offer is None else {
            name: offer[name] for name in ("offer_id", "credit_limit", "expires_on", "tenor_months")
        },
        # A campaign's decisions are offers to nobody yet.
        "campaign": decision.get("campaign"), "href": f"/v1/decisions/{decision_id}",
    }  # fmt: skip
    subject = decision_id if offer is None else offer["offer_id"]
    yield Event(f"dec_{decision_id}", EventType.DECISION_MADE, entry.lender, subject, at, data, entry.index)


def _of_offer_event(entry: LoggedRecord, offer_id: str, result: Mapping[str, Any]) -> Event:
    expired, offer = result["event"] == EventKind.EXPIRED, result["offer"]
    data = {
        "record_id": result["record_id"], "event": result["event"], "offer_id": offer_id,
        "decision_id": offer["decision_id"], "application_id": offer["application_id"], "status": offer["status"],
        "version": offer["version"], "href": f"/v1/offers/{offer_id}",
    }  # fmt: skip
    kind = EventType.OFFER_EXPIRED if expired else EventType.OFFER_EVENT_RECORDED
    at = _instant(result["recorded_at"])
    return Event(f"rec_{result['record_id']}", kind, entry.lender, offer_id, at, data, entry.index)


def _of_campaign(entry: LoggedRecord, campaign_id: str, result: Mapping[str, Any]) -> Event:
    names = ("done", "pre_approved", "referred", "declined", "not_decided")
    data = {"campaign_id": campaign_id, **{name: result[name] for name in names if name in result}}
    data["href"] = f"/v1/campaigns/{campaign_id}"
    event_id, at = f"rec_{result['record_id']}", _instant(result["recorded_at"])
    return Event(event_id, EventType.CAMPAIGN_FINISHED, entry.lender, campaign_id, at, data, entry.index)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


# ---- what is in no log ----------------------------------------------------------------------------------------------


def owed(
    kind: EventType, *, event_id: str, audience: Iterable[str], subject: str, at: datetime, data: Mapping[str, Document]
) -> Written:
    """This function will return the row that owes an event to every endpoint of these lenders, to be written in the
    transaction of what it tells of; `event_id` stays the same however often that is tried.
    """
    values = {
        "event_id": event_id, "type": kind.value, "audience": f"|{'|'.join(sorted(set(audience)))}|",
        "subject": subject, "at": at, "data": canonical_bytes(dict(data)),
    }  # fmt: skip
    return Written(TABLE, values)


# ---- the body -------------------------------------------------------------------------------------------------------


def body_of(event: Event, log_name: str) -> bytes:
    """This function will write what an endpoint is sent, the same bytes however often. `sequence` orders what one log
    tells.
    """
    document: dict[str, Document] = {
        "specversion": "1.0", "id": event.event_id, "source": origin_of(log_name, event.lender),
        "type": event.type.value, "subject": event.subject, "time": instant_text(event.at),
        "datacontenttype": "application/json", "data": dict(event.data),
    }  # fmt: skip
    if event.place is not None:
        document["sequence"] = f"{event.place:016d}"
    return canonical_bytes(document)
