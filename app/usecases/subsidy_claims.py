"""贴息申领: that a company has claimed a subsidy, where its programme is paid on a claim and not by itself.

Neighbours may rely on this: a claim reaches every interest that was reported paid before it, on a day not after
`paid_until`, and that no earlier claim reached; what was paid longer ago than the programme lets it wait is forfeited,
and the claim says how much that was. The settlement (app/ledger/subsidy.py) counts by the claims alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, ClassVar

import orjson

from app.domain.money import Yuan
from app.domain.terms import ClaimKind, Parameter
from app.ledger.offer import EventKind
from app.products.build import terms_from_document
from app.usecases.act_rows import StoredAct
from app.usecases.acts import Act, Result, Work
from app.usecases.offers import EVENT_FORMAT, event_of
from app.usecases.ports import StoredDecision
from app.usecases.subsidy_refusals import SubsidyRefusal, SubsidyRefused

CLAIM_FORMAT = "jifendai/subsidy-claim/1"


@dataclass(frozen=True, slots=True)
class ClaimableProgramme:
    """A programme of an offer as its decision recorded it; `within_days` None: a claim is never too late."""

    id: str
    claim: ClaimKind
    within_days: int | None = None


def programmes_of(stored: StoredDecision) -> tuple[ClaimableProgramme, ...]:
    """This function will read from a decision's record and terms which programmes its offer named."""
    offer = orjson.loads(stored.record)["decision"]["offer"]
    known = {one.id: one for one in terms_from_document(orjson.loads(stored.terms)).subsidies}
    found = (known[one["id"]] for one in offer["interest_subsidy"]["programmes"])
    return tuple(ClaimableProgramme(one.id, one.claim, _days(one.claim_within_days)) for one in found)


def _days(said: Parameter | None) -> int | None:
    return None if said is None else said.value


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsidyClaimed(Act):
    """贴息申领登记: the subject is the offer; its evidence stands in the document."""

    format: ClassVar[str] = CLAIM_FORMAT
    programmes: Sequence[ClaimableProgramme]
    programme: str
    paid_until: date
    claimed_on: date

    def seal_into(self, work: Work, record_id: str) -> Result:
        """This function will record the claim. Raises SubsidyRefused."""
        programme = next((one for one in self.programmes if one.id == self.programme), None)
        if programme is None:
            named = ", ".join(one.id for one in self.programmes) or "0"
            raise SubsidyRefused(SubsidyRefusal.NOT_OFFERED, "/programme", named)
        if programme.claim is not ClaimKind.BY_COMPANY:
            raise SubsidyRefused(SubsidyRefusal.NOT_CLAIMED_BY_COMPANY, "/programme")
        if self.claimed_on > work.on:
            raise SubsidyRefused(SubsidyRefusal.IN_THE_FUTURE, "/claimed_on")
        reached = _unclaimed(work.history(self.lender, self.subject), self.programme, self.paid_until)
        if not reached:
            raise SubsidyRefused(SubsidyRefusal.NOTHING_PAID, "/paid_until")
        late = [paid for paid in reached if is_late(paid[0], self.claimed_on, programme.within_days)]
        shown = {
            "offer_id": self.subject, "programme": self.programme, "paid_until": self.paid_until.isoformat(),
            "claimed_on": self.claimed_on.isoformat(), "interest": _sum(reached), "interest_forfeited": _sum(late),
        }  # fmt: skip
        return Result("CLAIMED", shown)


def is_late(paid_on: date, claimed_on: date, within_days: int | None) -> bool:
    """This function will tell whether interest paid on a day was claimed too late; the day of the payment is not
    counted.
    """
    return within_days is not None and claimed_on > paid_on + timedelta(days=within_days)


def _unclaimed(acts: Iterable[StoredAct], programme: str, until: date) -> list[tuple[date, Yuan]]:
    """Interest that was reported paid until a day and has been claimed by nobody: (day, amount)."""
    acts = tuple(acts)
    told = [(event_of(orjson.loads(a.record)["document"], a.record_id), a) for a in acts if a.format == EVENT_FORMAT]
    gone = {event.reverses for event, _ in told}
    claims = [(orjson.loads(act.record)["document"], act.index) for act in acts if act.format == CLAIM_FORMAT]
    reaches = [(date.fromisoformat(said["paid_until"]), at) for said, at in claims if said["programme"] == programme]
    return [
        (event.value_on, event.interest)
        for event, act in told
        if event.kind is EventKind.REPAYMENT and event.interest and event.event_id not in gone
        and event.value_on <= until
        and not any(event.value_on <= reach and act.index < at for reach, at in reaches)
    ]  # fmt: skip


def _sum(paid: Iterable[tuple[date, Yuan]]) -> str:
    return Yuan(sum(amount for _, amount in paid)).text()


def claims_document(acts: Iterable[StoredAct]) -> list[dict[str, Any]]:
    """This function will show the claims among the acts on an offer, in the order of the log."""
    records = [(act, orjson.loads(act.record)) for act in acts if act.format == CLAIM_FORMAT]
    return [
        {
            "record_id": act.record_id,
            "submitted_by": act.submitted_by,
            "evidence": record["document"]["evidence"],
            **{name: record["result"][name] for name in _SHOWN},
        }
        for act, record in records
    ]


_SHOWN = ("recorded_at", "programme", "paid_until", "claimed_on", "interest", "interest_forfeited")
