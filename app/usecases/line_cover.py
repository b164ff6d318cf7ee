"""Cover of a line: what the events of an offer do to the pool that its decision named.

Neighbours may rely on this: room is reserved when the product says (with the offer, the bank's approval, or each
drawdown), and a promise then follows the line's own figures: each drawdown commits its part, what ends or is repaid is
given back, a reversal puts back what it takes back. A line that finds no room is the lender's own, and says why; no
event is refused for want of room.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import orjson

from app.audit.canonical import Document
from app.domain.decision import RiskStatus
from app.domain.money import Yuan
from app.domain.pool import PoolStanding, fitting
from app.domain.reasons import ReasonCode
from app.domain.terms import PoolBook, ReservedAt
from app.ledger.claim import POOL
from app.ledger.offer import EventKind, OfferLife, OfferStatus
from app.ledger.pool import Cover, Entry, LineFigures, Step, draw, drawn_by, follow, release, reserve
from app.usecases.act_rows import Lookup, StoredAct
from app.usecases.acts import Work
from app.usecases.pool_book import HeldCover, PoolChange, company_lookup, cover_lookup, pool_lookups
from app.usecases.ports import StoredDecision

_OVER = (OfferStatus.EXPIRED, OfferStatus.WITHDRAWN, OfferStatus.SUPERSEDED)


@dataclass(frozen=True, slots=True)
class NamedPool:
    """The pool that a decision named for its offer, and when its room is reserved."""

    pool: str
    reserve_at: ReservedAt
    shares: Mapping[str, Decimal]
    external: bool = False
    """Whether its manager keeps the book, so that cover is only proposed until the confirmation is recorded."""


def pool_named_by(stored: StoredDecision) -> NamedPool | None:
    """This function will read from a decision's record and terms which pool of ours covers its offer, None where none
    does.
    """
    offer = orjson.loads(stored.record)["decision"]["offer"]
    told = None if offer is None else offer["risk_compensation"]
    if told is None or told["pool"] is None:
        return None
    terms: Mapping[str, Any] = orjson.loads(stored.terms)["risk_compensation"]
    shares = {part["bearer"]: Decimal(part["share"]) for part in told["shares"]}
    return NamedPool(told["pool"], ReservedAt(terms.get("reserve_at", ReservedAt.CREDIT_APPROVAL)), shares,
                     terms.get("book") == PoolBook.EXTERNAL)  # fmt: skip


def line_lookups(named: NamedPool | None, offer_id: str, uscc: str) -> tuple[Lookup, ...]:
    """This function will say what must be read before an event moves a line's cover."""
    return () if named is None else (*pool_lookups(named.pool), cover_lookup(offer_id), company_lookup(uscc))


@dataclass(frozen=True, slots=True)
class CoverSeen:
    """What an event finds of its line's cover: the day, what the line holds, and what room there would be for it."""

    on: date
    held: HeldCover | None
    standing: Callable[[Cover], PoolStanding]
    covered: Callable[[], Mapping[str, Yuan]]
    """By event, how much of the loan was recorded as under cover after it."""


def seen_by(work: Work, named: NamedPool | None, offer_id: str, acts: Iterable[StoredAct]) -> CoverSeen:
    """This function will look at the pool as a batch has it; `acts` are those on the offer."""
    held = None if named is None else work.pools.cover(offer_id)
    return CoverSeen(work.on, held, lambda cover: _standing(work, named, cover), lambda: _recorded(acts))


def covered_after(cover: Mapping[str, Any] | None) -> Yuan:
    """This function will read from what an event showed of its line's cover how much of the loan was under it."""
    return Yuan(0) if cover is None else Yuan.parse(cover["covered"])


def _recorded(acts: Iterable[StoredAct]) -> Mapping[str, Yuan]:
    results = ((act.record_id, orjson.loads(act.record)["result"]) for act in acts)
    return {event_id: covered_after(result["cover"]) for event_id, result in results if "cover" in result}


@dataclass(frozen=True, slots=True)
class CoverMoved:
    """What an event does to the pool, and what is told of it."""

    changes: tuple[PoolChange, ...] = ()
    shown: Mapping[str, Document] | None = None


def cover_after(
    seen: CoverSeen, named: NamedPool | None, life: OfferLife, kind: EventKind, lender: str, record_id: str
) -> CoverMoved:
    """This function will bring the cover to where the line stands after an event."""
    if named is None:
        return CoverMoved()
    offer, held = life.offer, seen.held
    start = held or HeldCover(
        Cover(offer.offer_id, named.pool, lender, offer.uscc, named.shares.get(POOL, Decimal(0))),
        offer.decision_id, named.shares,
    )  # fmt: skip
    why: ReasonCode | None = None
    if named.external and held is None:
        cover, entries = start.cover, ()
    elif life.figures().approved_limit is None:
        over = life.status(seen.on) in _OVER
        cover, entries = release(start.cover, seen.on) if over and held is not None else (start.cover, ())
    else:
        cover, entries, why = _of_line(seen, named, start.cover, life, kind)
    shown = {
        "pool": named.pool,
        "status": _status(named, cover),
        "covered": (cover.outstanding + cover.undrawn).text(),
        "reserved": cover.reserved.text(),
        "committed": cover.committed.text(),
        "reason": None if why is None else why.name,
    }
    # What was repaid is gone for later drawdowns even where no fen of the pool moves.
    if not entries and (held is None or cover == held.cover):
        return CoverMoved((), shown)
    moved = HeldCover(cover, start.decision_id, start.shares)
    return CoverMoved((PoolChange(named.pool, record_id, entries, moved),), shown)


def _status(named: NamedPool, cover: Cover) -> str:
    if not cover.promised:
        return (RiskStatus.PROPOSED if named.external else RiskStatus.NONE).value
    return (RiskStatus.CONFIRMED if named.external else RiskStatus.RESERVED).value


def line_figures(life: OfferLife) -> LineFigures:
    """This function will return what a line's own ledger says that its cover follows."""
    figures = life.figures()
    undrawn = Yuan(0) if figures.ended_by is not None else figures.undrawn(revolving=life.offer.revolving)
    return LineFigures(figures.outstanding, figures.disbursed, undrawn, figures.available_until)


def _of_line(
    seen: CoverSeen, named: NamedPool, cover: Cover, life: OfferLife, kind: EventKind
) -> tuple[Cover, tuple[Entry, ...], ReasonCode | None]:
    figures, on, line = life.figures(), seen.on, line_figures(life)
    if named.external:
        return *follow(cover, line, on), None
    if named.reserve_at is ReservedAt.DRAWDOWN:
        if kind is EventKind.DRAWDOWN:
            return draw(cover, line, seen.standing(cover), on)
        if kind is EventKind.REVERSAL:
            cover = drawn_by(cover, _steps(life, seen.covered()))
        return *follow(cover, LineFigures(line.outstanding, line.disbursed, Yuan(0), line.available_until), on), None
    if kind is not EventKind.CREDIT_APPROVED or named.reserve_at is not ReservedAt.CREDIT_APPROVAL:
        return *follow(cover, line, on), None
    fits = fitting(seen.standing(cover), figures.approved_limit, cover.share)
    if isinstance(fits, ReasonCode):
        return cover, (), fits
    return *reserve(cover, fits, held_until=figures.available_until, on=on), None


def _steps(life: OfferLife, covered: Mapping[str, Yuan]) -> Iterator[Step]:
    """The bookings in force, in the order in which they came, before the event that came last."""
    gone, before = life.reversed_ids(), Yuan(0)
    for event in life.events[:-1]:
        after = covered.get(event.event_id, before)
        if event.event_id not in gone and event.kind is EventKind.DRAWDOWN:
            yield Step(event.amount, after - before)
        elif event.event_id not in gone and event.kind is EventKind.REPAYMENT:
            yield Step(-event.amount)
        before = after


def _standing(work: Work, named: NamedPool, cover: Cover) -> PoolStanding:
    terms = work.room.catalogue.pool(named.pool, on=work.on)
    if terms is None:
        return PoolStanding(named.pool, Yuan(0), stopped=True)
    return work.pools.standing(terms, cover.uscc, cover.lender, work.on)
