"""事项重算: what was recorded of a line after its decision, worked out again from the records that came before it.

Neighbours may rely on this: nothing is consulted but the decision with its terms and the acts on the line, in the order
of the log. An event's figures, state and cover, a confirmation's cover, how a loss was borne and how a recovery was
returned are functions of those. What a shared pool had left at that moment stands in no lender's record: where room was
asked, the recorded answer is taken for it, and so is what a bound of the pool (balance, tiers, ceiling) let through.
docs/audit-record.md lists the kinds that are not worked out again, and why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Final, NamedTuple

import orjson

from app.domain.decision import RiskStatus
from app.domain.money import Yuan
from app.domain.pool import ClaimTerms, LossBasis, PoolStanding
from app.domain.reasons import ReasonCode
from app.ledger.claim import POOL, Loss, PoolSide, compensation, newly_returned
from app.ledger.offer import OfferLife, Refusal
from app.ledger.pool import Cover, CoveredLine, Entry, compensate, promise, recover, release
from app.usecases.act_rows import StoredAct
from app.usecases.days import day_in_shanghai
from app.usecases.external_pools import CONFIRMATION_FORMAT, confirmed_cover
from app.usecases.line_cover import CoverSeen, NamedPool, cover_after, covered_after, pool_named_by
from app.usecases.offers import EVENT_FORMAT, event_of, event_shown, pre_approval_of
from app.usecases.pool_acts import CLAIM_DECISION_FORMAT, CLAIM_FORMAT, RECOVERY_FORMAT
from app.usecases.pool_book import HeldCover, with_cover
from app.usecases.ports import StoredDecision
from app.usecases.replay import Difference, differences_between

POOL_FORMATS: Final = (CLAIM_FORMAT, CLAIM_DECISION_FORMAT, RECOVERY_FORMAT, CONFIRMATION_FORMAT)
"""What is recorded of a line with its pool as the subject; the line is named in the result."""
_MORE_THAN_ANY: Final = Yuan(10**18)
Shown = Mapping[str, Any]


def of_offer(acts: Iterable[StoredAct]) -> dict[str, list[StoredAct]]:
    """This function will put a lender's acts on pools together by the offer that each names."""
    found: dict[str, list[StoredAct]] = {}
    for act in acts:
        found.setdefault(_result(act).get("offer_id", ""), []).append(act)
    return found


def replay_acts(
    decision: StoredDecision, acts: Iterable[StoredAct]
) -> Iterator[tuple[StoredAct, tuple[Difference, ...]]]:
    """This function will work out each act on a line again, in the order of the log, and give what differs.

    Raises ValueError, LookupError, TypeError or ArithmeticError for what cannot be read.
    """
    yield from LineAgain.of(decision).follow(acts)


def _differing(act: StoredAct, again: Shown) -> Iterator[Difference]:
    """A record holds what its release knew to tell; it is held to that."""
    recorded = _result(act)
    for name, value in again.items():
        yield from differences_between(f"/result/{name}", recorded.get(name), value)


class Booked(NamedTuple):
    """An entry that a record of the line makes in its pool's book, and when it was recorded."""

    record_id: str
    at: datetime
    entry: Entry


@dataclass(slots=True)
class LineAgain:
    """A line while its acts are told again: its life, its cover, and what was booked of that."""

    life: OfferLife
    lender: str
    named: NamedPool | None
    held: HeldCover | None = None
    claims: dict[str, Loss] = field(default_factory=dict)
    borne: dict[str, Mapping[str, Yuan]] = field(default_factory=dict)
    recovered: dict[str, Yuan] = field(default_factory=dict)
    covered: dict[str, Yuan] = field(default_factory=dict)
    booked: list[Booked] = field(default_factory=list)
    broken_off: bool = False
    """Whether an event was not possible where the line stood: a record before it is missing or another's, and what
    comes behind it cannot be told.
    """

    @classmethod
    def of(cls, decision: StoredDecision) -> LineAgain:
        """This function will begin with what the decision offered, and reserved for it. Raises ValueError where it
        offered nothing.
        """
        offer, named = pre_approval_of(decision), pool_named_by(decision)
        decided = orjson.loads(decision.record)["decision"]
        told = decided["offer"]["risk_compensation"]
        line = cls(OfferLife(offer), decision.lender, named)
        if named is not None and told["status"] == RiskStatus.RESERVED:
            covered = CoveredLine(offer.offer_id, named.pool, line.lender, offer.uscc, named.shares[POOL])
            amount = Yuan.parse(told["covered_amount"])
            cover, entries = promise(covered, amount, held_until=offer.expires_on, on=offer.decided_on)
            line.held = HeldCover(cover, offer.decision_id, named.shares)
            line.book(offer.decision_id, datetime.fromisoformat(decided["recorded_at"]), entries)
        return line

    def follow(self, acts: Iterable[StoredAct]) -> Iterator[tuple[StoredAct, tuple[Difference, ...]]]:
        """This function will work out each act again, in the order of the log, and give what differs."""
        for act in sorted(acts, key=lambda one: one.index):
            worked_out = _AGAIN.get(act.format)
            if worked_out is None:
                continue
            try:
                again = worked_out(self, act)
            except Refusal as refusal:
                self.broken_off = True
                yield act, (Difference("/event", _document(act).get("event"), f"{refusal.reason.value} 此时不可能"),)
                return
            yield act, tuple(_differing(act, again))

    def superseded(self, by: str, at: datetime) -> None:
        """This function will give back what is reserved: a later decision took the offer's place."""
        if self.held is not None:
            cover, entries = release(self.held.cover, day_in_shanghai(at))
            self.held = with_cover(self.held, cover)
            self.book(by, at, entries)

    def book(self, record_id: str, at: datetime, entries: Iterable[Entry]) -> None:
        """This function will note what a record books."""
        self.booked += (Booked(record_id, at, entry) for entry in entries)


# ---- one kind after the other ---------------------------------------------------------------------------------------


def _event(line: LineAgain, act: StoredAct) -> Shown:
    event, on = event_of(_document(act), act.record_id), _day(act)
    line.life = replace(line.life, events=(*line.life.events, event))
    recorded = _result(act)["cover"]
    seen = CoverSeen(on, line.held, lambda cover: _room_as_recorded(recorded, cover), lambda: line.covered)
    moved = cover_after(seen, line.named, line.life, event.kind, line.lender, act.record_id)
    for change in moved.changes:
        line.held = change.held
        line.book(act.record_id, act.recorded_at, change.entries)
    line.covered[act.record_id] = covered_after(moved.shown)
    return {"state": line.life.status(on).value, **event_shown(event, line.life, moved, on)}


def _room_as_recorded(recorded: Shown, cover: Cover) -> PoolStanding:
    """What the pool must have had for the answer that was recorded."""
    match recorded["reason"]:
        case None:
            company = Yuan.parse(recorded["covered"]) - cover.outstanding
            return PoolStanding(cover.pool, _MORE_THAN_ANY, company_room=company)
        case ReasonCode.COVER_COMPANY_CAP_USED.name:
            return PoolStanding(cover.pool, _MORE_THAN_ANY, company_room=Yuan(0))
        case ReasonCode.COVER_LENDER_QUOTA_USED.name:
            return PoolStanding(cover.pool, _MORE_THAN_ANY, lender_room=Yuan(0))
        case ReasonCode.COVER_NO_ROOM.name:
            return PoolStanding(cover.pool, Yuan(0))
    return PoolStanding(cover.pool, Yuan(0), stopped=True)


def _confirmation(line: LineAgain, act: StoredAct) -> Shown:
    covered, offer = Yuan.parse(_document(act)["covered_amount"]), line.life.offer
    new = Cover(offer.offer_id, line.named.pool, line.lender, offer.uscc, line.named.shares[POOL])
    cover, entries = confirmed_cover(new, covered, line.life, _day(act))
    line.book(act.record_id, act.recorded_at, entries)
    line.held = HeldCover(cover, offer.decision_id, line.named.shares)
    return {"covered": covered.text(), "reserved": cover.reserved.text(), "committed": cover.committed.text()}


def _claim(line: LineAgain, act: StoredAct) -> Shown:
    said = _document(act)
    loss = Loss(*(Yuan.parse(said[name]) for name in ("principal", "interest")), _day(act))
    line.claims[act.record_id] = loss
    return {"principal": loss.principal.text(), "interest": loss.interest.text()}


def _claim_decision(line: LineAgain, act: StoredAct) -> Shown:
    recorded, paid = _result(act), _document(act)["outcome"] == "PAID"
    if not paid:
        return {"state": "REJECTED"}
    loss, claim_id, bounds = line.claims[recorded["claim_id"]], recorded["claim_id"], recorded["bounds"]
    whole = Yuan.parse(recorded["loss"])
    basis = LossBasis.PRINCIPAL if whole == loss.principal else LossBasis.PRINCIPAL_AND_INTEREST
    # Where the pool's own state kept its part low, what it let through stands for that state.
    told = {part["bearer"]: part["amount"] for part in recorded["borne"]}
    most = Yuan.parse(told[POOL]) if bounds else _MORE_THAN_ANY
    found = compensation(line.held.cover, loss, line.held.shares, ClaimTerms(loss_basis=basis), PoolSide(most))
    cover, entries = compensate(line.held.cover, found.by_pool, _day(act))
    line.book(act.record_id, act.recorded_at, entries)
    line.held = with_cover(line.held, cover)
    line.borne[claim_id] = found.borne
    return {"state": "PAID", "loss": found.loss.text(), "borne": _parts(found.borne)}


def _recovery(line: LineAgain, act: StoredAct) -> Shown:
    said = _document(act)
    net = Yuan(max(0, Yuan.parse(said["gross"]) - Yuan.parse(said["costs"])))
    before = line.recovered.get(said["claim_id"], Yuan(0))
    line.recovered[said["claim_id"]] = before + net
    returned = newly_returned(line.borne[said["claim_id"]], before, net)
    if returned.get(POOL):
        value_on = date.fromisoformat(said["value_on"]) if "value_on" in said else _day(act)
        entry = recover(line.held.cover, returned[POOL], value_on)
        line.book(act.record_id, act.recorded_at, (entry,))
    return {"net": net.text(), "returned": _parts(returned)}


_AGAIN: Final[Mapping[str, Callable[[LineAgain, StoredAct], Shown]]] = {
    EVENT_FORMAT: _event, CONFIRMATION_FORMAT: _confirmation, CLAIM_FORMAT: _claim,
    CLAIM_DECISION_FORMAT: _claim_decision, RECOVERY_FORMAT: _recovery,
}  # fmt: skip


def _parts(amounts: Mapping[str, Yuan]) -> list[dict[str, str]]:
    return [{"bearer": bearer, "amount": Yuan(amount).text()} for bearer, amount in amounts.items()]


def _result(act: StoredAct) -> Shown:
    return orjson.loads(act.record)["result"]


def _document(act: StoredAct) -> Shown:
    return orjson.loads(act.record)["document"]


def _day(act: StoredAct) -> date:
    return day_in_shanghai(act.recorded_at)


def complaints(differences: Sequence[Difference]) -> str:
    """This function will say what differs, in a line."""
    return "; ".join(f"{one.pointer}: recorded 记录 {one.recorded}, now 重算 {one.recomputed}" for one in differences)
