"""授信事件: what core banking tells of an offer, recorded as acts; and the offer as it then stands.

Neighbours may rely on this: an offer's life is told from its decision and its events alone (app/ledger/offer.py),
inside a batch and outside it; an event that does not fit is an `EventRefused`, which says where the offer stands and
what is possible from there, and binds no key: the same event may be sent again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar, Protocol

import orjson

from app.audit.canonical import canonical_bytes
from app.domain.money import Yuan, rate_text
from app.ledger.offer import Checks, Event, EventKind, OfferLife, OfferStatus, PreApproval, Refusal, RefusalReason
from app.usecases.act_rows import ActsWanted, StoredAct
from app.usecases.acts import Act, Result, Work
from app.usecases.line_cover import CoverMoved, NamedPool, cover_after, line_lookups, pool_named_by, seen_by
from app.usecases.obstacles import KeyReusedWithOtherBody, Obstacle
from app.usecases.ports import StoredDecision

EVENT_FORMAT = "jifendai/offer-event/1"
_NOTHING = "nothing, ask for a new decision"
_LISTS = ("judgment_defaulter", "abnormal_operation", "serious_illegal")


@dataclass(frozen=True, slots=True)
class StoredOffer:
    """An offer, the decision that made it, and the one that superseded it, if one has."""

    offer_id: str
    lender: str
    decision: StoredDecision
    superseded_by: str | None


class Offers(Protocol):
    """The offers as readers see them; they never lock the writer."""

    async def find(self, offer_id: str, lenders: Sequence[str]) -> StoredOffer | None:
        """This function will return the offer when its decision is within the scope, else None."""
        ...

    async def ended(self, before: date, *, limit: int) -> Sequence[tuple[str, str]]:
        """This function will return (offer_id, lender) of up to `limit` offers and undrawn lines of every lender whose
        last day lies before that day, and of which no act says that time has ended them.
        """
        ...


class OfferChanged(Obstacle):
    """The offer has other events than the caller has seen (If-Match)."""


class EventRefused(Obstacle):
    """The event does not fit the offer's life; nothing was recorded."""

    def __init__(self, refusal: Refusal, life: OfferLife, on: date) -> None:
        super().__init__()
        status, possible = life.status(on), life.possible(on)
        zh, en = _WHY[refusal.reason]
        at_most = "" if refusal.at_most is None else refusal.at_most.text()
        named = ", ".join(possible)
        self.detail = (
            f"{zh}{f'（{at_most}）' if at_most else ''}。授信现为 {status}；现在可报送：{named or '无，须另行申请'}。",
            f"{en}{f' ({at_most})' if at_most else ''}. The offer is {status}; possible now: {named or _NOTHING}.",
        )
        self.members: Mapping[str, Any] = {
            "reason": refusal.reason.value, **where_it_stands(life, on), "at_most": at_most or None,
        }  # fmt: skip


def where_it_stands(life: OfferLife, on: date) -> dict[str, Any]:
    """This function will say in what state an offer is, and what is possible from there."""
    possible = [kind.value for kind in life.possible(on)]
    return {"offer_status": life.status(on).value, "possible_events": possible}


_WHY: Mapping[RefusalReason, tuple[str, str]] = {
    RefusalReason.NOT_POSSIBLE_NOW: ("该事件在此状态下不可能", "This event is not possible where the offer stands"),
    RefusalReason.ABOVE_CREDIT_LIMIT: (
        "审批额度不得超过预授信额度",
        "The approved limit is never above the credit limit",
    ),
    RefusalReason.ABOVE_AVAILABLE: ("提款超过当日可用额度", "More than what was available on that day"),
    RefusalReason.ABOVE_OUTSTANDING: ("超过当日贷款余额", "More than what was outstanding on that day"),
    RefusalReason.BEFORE_THE_OFFER: ("生效日早于预授信之日", "It is dated before the offer was made"),
    RefusalReason.IN_THE_FUTURE: ("生效日晚于今日（上海）", "It is dated after today in Shanghai"),
    RefusalReason.OUTSIDE_AVAILABILITY: (
        "生效日不在有效期内",
        "It is dated outside the days on which that is possible",
    ),
    RefusalReason.FROZEN_ON_THAT_DAY: ("当日额度已冻结", "The line was frozen on that day"),
    RefusalReason.VETOED: ("积分已被一票否决，不得提款", "The score is vetoed, so nothing may be drawn"),
    RefusalReason.LISTED: ("企业已被列入名单，不得提款", "The company is on a list, so nothing may be drawn"),
    RefusalReason.STILL_OUTSTANDING: (
        "尚有贷款余额，不能撤回或结清",
        "What is outstanding stands against withdrawing or closing it",
    ),
    RefusalReason.LATER_EVENTS_REST_ON_IT: (
        "其后的事件以此为前提；请先冲正其后的事件",
        "Later events rest on what this would change; reverse those first",
    ),
    RefusalReason.NO_SUCH_EVENT: ("没有所指的事件", "There is no event of that id on this offer"),
    RefusalReason.CANNOT_BE_REVERSED: (
        "该事件不可冲正，或已冲正；可冲正的是提款、还款、逾期与分类",
        "It cannot be reversed, or has been; drawdowns, repayments, past-due notes and classifications can",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferEvent(Act):
    """One event on its way into a batch. `expected` is the version that the caller has seen, None for any."""

    format: ClassVar[str] = EVENT_FORMAT

    offer: PreApproval
    expected: int | None = None
    pool: NamedPool | None = None

    def wants(self) -> ActsWanted:
        """This function will ask for the offer's events, for what it counts as, and for the pool that covers it."""
        rows = line_lookups(self.pool, self.subject, self.offer.uscc)
        return ActsWanted(subjects=((self.lender, self.subject),), offers=(self.subject,), rows=rows)

    def seal_into(self, work: Work, record_id: str) -> Result:
        """This function will add the event to the offer's life. Raises EventRefused, OfferChanged."""
        acts, on = work.history(self.lender, self.subject), work.on
        standing = work.offer(self.subject)
        life = life_of(self.offer, acts, None if standing is None else standing.superseded_by)
        if self.expected is not None and self.expected != len(life.events):
            raise OfferChanged
        event = event_of(orjson.loads(self.document), record_id)
        if event.kind is EventKind.EXPIRED:
            return self._expired(work, life, event, record_id)
        try:
            later = life.after(event, on)
        except Refusal as refusal:
            raise EventRefused(refusal, life, on) from None
        seen = seen_by(work, self.pool, self.subject, acts)
        moved = cover_after(seen, self.pool, later, event.kind, self.lender, record_id)
        shown = event_shown(event, later, moved, on)
        return Result(
            later.status(on).value, shown, commitments=(later.counts(on),), pool_changes=moved.changes
        )

    def _expired(self, work: Work, life: OfferLife, event: Event, record_id: str) -> Result:
        """Time has ended it already; the note changes nothing but the pool's entries, and is made once."""
        on = work.on
        status = life.status(on)
        if status not in (OfferStatus.EXPIRED, OfferStatus.LAPSED) or any(e.kind is event.kind for e in life.events):
            raise EventRefused(Refusal(RefusalReason.NOT_POSSIBLE_NOW), life, on)
        noted = OfferLife(life.offer, (*life.events, event), life.superseded_by)
        seen = seen_by(work, self.pool, self.subject, ())
        moved = cover_after(seen, self.pool, noted, event.kind, self.lender, record_id)
        return Result(status.value, event_shown(event, noted, moved, on), pool_changes=moved.changes)


async def note_ended(
    offers: Offers, submit: Callable[[OfferEvent], Awaitable[object]], on: date, *, at_once: int = 100
) -> int:
    """This function will note in the log what time has ended before that day, and return how many offers that was.

    Each note is an act like any other, and made once: its key is the offer's.
    """
    noted = 0
    while ended := await offers.ended(on, limit=at_once):
        for offer_id, lender in ended:
            found = await offers.find(offer_id, (lender,))
            document = {"core_reference": "jifendai", "event": EventKind.EXPIRED.value, "value_on": on.isoformat()}
            try:
                await submit(
                    OfferEvent(
                        lender=lender,
                        subject=offer_id,
                        # No client's key holds a space.
                        idempotency_key=f"EXPIRED {offer_id}",
                        document=canonical_bytes(document),
                        submitted_by="jifendai",
                        offer=pre_approval_of(found.decision),
                        pool=pool_named_by(found.decision),
                    )
                )
            except (EventRefused, KeyReusedWithOtherBody):
                # Another replica was there first.
                continue
            noted += 1
        if len(ended) < at_once:
            break
    return noted


def pre_approval_of(stored: StoredDecision) -> PreApproval:
    """This function will read what a decision offered from its record and terms. Raises ValueError where it offered
    nothing.
    """
    record = orjson.loads(stored.record)
    application, decision = record["application"], record["decision"]
    offer = decision["offer"]
    if offer is None:
        raise ValueError("the decision offers nothing")
    return PreApproval(
        offer_id=offer["offer_id"],
        decision_id=stored.decision_id,
        application_id=application["application_id"],
        product=application["product"],
        uscc=application["company"]["uscc"],
        group_id=application["company"].get("group_id"),
        credit_limit=Yuan.parse(offer["credit_limit"]),
        decided_on=date.fromisoformat(decision["decided_on"]),
        expires_on=date.fromisoformat(offer["expires_on"]),
        revolving=orjson.loads(stored.terms)["revolving"],
    )


def life_of(offer: PreApproval, acts: Iterable[StoredAct], superseded_by: str | None) -> OfferLife:
    """This function will tell an offer's life from the acts that were recorded on it, in the order of the log."""
    events = tuple(
        event_of(orjson.loads(act.record)["document"], act.record_id) for act in acts if act.format == EVENT_FORMAT
    )
    return OfferLife(offer, events, superseded_by)


def event_of(document: Mapping[str, Any], event_id: str) -> Event:
    """This function will read an event as it was posted; its shape has been checked."""
    kind = EventKind(document["event"])
    amount = next((document[name] for name in _AMOUNTS if document.get(name) is not None), "0.00")
    day = next((document[name] for name in _DAYS if document.get(name) is not None), None)
    checks, rate = document.get("checks"), document.get("annual_rate")
    return Event(
        event_id=event_id,
        kind=kind,
        value_on=date.fromisoformat(document["value_on"]),
        amount=Yuan.parse(amount),
        interest=Yuan.parse(document.get("interest") or "0.00"),
        secured=Yuan.parse(document.get("secured_amount") or "0.00"),
        day=None if day is None else date.fromisoformat(day),
        annual_rate=None if rate is None else Decimal(rate),
        classification=document.get("classification"),
        checks=None if checks is None else Checks(checks["score_vetoed"], *(checks[name] for name in _LISTS)),
        reverses=document.get("reverses"),
    )


_AMOUNTS = ("approved_limit", "amount", "principal")
_DAYS = ("available_until", "matures_on", "since")


# ---- as it is answered -----------------------------------------------------------------------------------------------


def event_shown(event: Event, life: OfferLife, moved: CoverMoved, on: date) -> dict[str, Any]:
    """This function will show what an event came to: the offer after it, and its cover."""
    return {"event": event.kind.value, "offer": offer_document(life, on), "cover": moved.shown}


def offer_document(life: OfferLife, on: date) -> dict[str, Any]:
    """This function will show where an offer stands on a day, each figure by itself."""
    offer, figures = life.offer, life.figures()
    counting = life.counts(on).counts_on(on)
    live = counting is not None and life.superseded_by is None
    return {
        "offer_id": offer.offer_id,
        "decision_id": offer.decision_id,
        "application_id": offer.application_id,
        "product": offer.product,
        "uscc": offer.uscc,
        "status": life.status(on).value,
        "version": len(life.events),
        "superseded_by": life.superseded_by,
        "possible_events": [kind.value for kind in life.possible(on)],
        "revolving": offer.revolving,
        "credit_limit": offer.credit_limit.text(),
        "expires_on": offer.expires_on.isoformat(),
        "approved_limit": None if figures.approved_limit is None else figures.approved_limit.text(),
        "annual_rate": None if figures.annual_rate is None else rate_text(figures.annual_rate),
        "available_until": _iso(figures.available_until),
        "available": life.available(on).text(),
        "unsecured_part": figures.unsecured_part.text(),
        "disbursed": figures.disbursed.text(),
        "outstanding": figures.outstanding.text(),
        "interest_paid": figures.interest_paid.text(),
        "matures_on": _iso(figures.matures_on),
        "past_due": {"principal": figures.past_due.text(), "since": _iso(figures.past_due_since)},
        "classification": figures.classification,
        "frozen": figures.frozen,
        "counts_against_cap": counting.credit_limit.text() if live else "0.00",
    }


def events_document(acts: Sequence[StoredAct], life: OfferLife) -> list[dict[str, Any]]:
    """This function will show an offer's events in the order of the log, each as it was posted."""
    gone = life.reversed_ids()
    return [
        {
            "record_id": act.record_id,
            "recorded_at": orjson.loads(act.answer)["recorded_at"],
            "submitted_by": act.submitted_by,
            "reversed": act.record_id in gone,
            "document": orjson.loads(act.record)["document"],
        }
        for act in acts
        if act.format == EVENT_FORMAT
    ]


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
