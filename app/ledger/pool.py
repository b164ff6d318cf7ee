"""资金池账: what a pool has, what it has promised, and the entries that lead from one to the other.

Neighbours may rely on these invariants:
- room = max(0, paid-in balance × multiple − reserved − committed); the sum of all entries is the balance.
- Two phases, as in TigerBeetle's transfers: room is reserved, a drawdown commits its part and leaves the rest reserved,
  what is over is released. At every moment promised = reserved + committed + released + compensated, so that each fen
  of a promise is resolved once; entries are never changed, a correction is an entry more.
- Nothing is newly promised beyond the room of its moment. A pay-out may leave less than is promised: then there is no
  room, and what was promised stands. A correction of the past (冲正) puts a promise back for the same reason.
- Time alone ends a reservation: past `held_until` it counts for nothing, whether or not an entry said so yet.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_FLOOR, Decimal
from enum import StrEnum
from typing import NamedTuple

from app.domain.money import Yuan
from app.domain.pool import (
    Denominator,
    Lines,
    Numerator,
    PoolStanding,
    PoolStatus,
    PoolTerms,
    fitting,
    pool_money,
)
from app.domain.reasons import ReasonCode
from app.domain.terms import PoolBook

_ZERO = Yuan(0)


class EntryKind(StrEnum):
    """分录: what an entry does."""

    CONTRIBUTED = "CONTRIBUTED"
    RESERVED = "RESERVED"
    COMMITTED = "COMMITTED"
    UNCOMMITTED = "UNCOMMITTED"
    RELEASED = "RELEASED"
    REINSTATED = "REINSTATED"
    COMPENSATED = "COMPENSATED"
    RECOVERED = "RECOVERED"


class Totals(NamedTuple):
    """A pool's sums, or what one entry adds to them; amounts of the pool's own money, in fen. `drawn` is all that was
    ever committed.
    """

    paid_in: Yuan = _ZERO
    reserved: Yuan = _ZERO
    committed: Yuan = _ZERO
    compensated: Yuan = _ZERO
    recovered: Yuan = _ZERO
    drawn: Yuan = _ZERO

    def __add__(self, other: Totals) -> Totals:
        return Totals._make([a + b if b else a for a, b in zip(self, other, strict=True)])

    @property
    def balance(self) -> Yuan:
        """What is in the pool: paid in, less what was paid out, with what came back."""
        return self.paid_in - self.compensated + self.recovered

    @property
    def promised(self) -> Yuan:
        """What stands promised."""
        return self.reserved + self.committed


class Entry(NamedTuple):
    """One immutable entry; `cover` is the offer's id, None for the pool's own capital."""

    kind: EntryKind
    change: Totals
    value_on: date
    lender: str | None = None
    cover: str | None = None


class CoveredLine(NamedTuple):
    """What a cover is of: an offer's id, the pool, who lends to whom, and the pool's share of a loss."""

    id: str
    pool: str
    lender: str
    uscc: str
    share: Decimal


@dataclass(frozen=True, slots=True)
class Cover:
    """One line's cover: how much of the loan is under it, and what that comes to in the pool's money.

    `covered` is the most of the loan that it answers for, `ever_covered` all that was put under it; `outstanding` and
    `undrawn` are the parts of `covered` which are drawn and which may still be. `held_until` is the last day on which
    the undrawn part counts (inclusive). `promised` is what was ever promised, `drawn` what was ever committed, in the
    pool's money. `closed` once the pool has paid.
    """

    id: str
    pool: str
    lender: str
    uscc: str
    share: Decimal
    covered: Yuan = _ZERO
    ever_covered: Yuan = _ZERO
    outstanding: Yuan = _ZERO
    undrawn: Yuan = _ZERO
    held_until: date | None = None
    promised: Yuan = _ZERO
    drawn: Yuan = _ZERO
    compensated: Yuan = _ZERO
    closed: bool = False

    def __post_init__(self) -> None:
        under = self.outstanding + self.undrawn if self.outstanding else self.undrawn
        held = pool_money(under, self.share)
        over = self.promised < (held + self.compensated if self.compensated else held)
        if over or self.outstanding < 0 or self.undrawn < 0 or self.drawn < 0 or self.compensated < 0:
            raise ValueError(f"cover {self.id}: each fen is resolved once, and none of them twice")

    @property
    def committed(self) -> Yuan:
        """The pool's part of what is drawn."""
        return pool_money(self.outstanding, self.share)

    @property
    def reserved(self) -> Yuan:
        """The pool's part of what may still be drawn, whether or not time has ended it."""
        if not self.outstanding:
            return pool_money(self.undrawn, self.share)
        return pool_money(self.outstanding + self.undrawn, self.share) - self.committed

    @property
    def released(self) -> Yuan:
        """What was promised and is given back."""
        return self.promised - pool_money(self.outstanding + self.undrawn, self.share) - self.compensated

    def counts(self, on: date) -> Yuan:
        """This function will return the loan amount that counts against the company's cap on a day."""
        return self.outstanding + (self.undrawn if self.held_until is not None and self.held_until >= on else _ZERO)


@dataclass(frozen=True, slots=True)
class LineFigures:
    """What the loan's own ledger says of a line: `outstanding` principal, all that was ever `disbursed`, and what may
    still be drawn until `available_until` (inclusive).
    """

    outstanding: Yuan
    disbursed: Yuan
    undrawn: Yuan
    available_until: date


# ---- room -----------------------------------------------------------------------------------------------------------


def room(terms: PoolTerms, totals: Totals, lapsed: Yuan = _ZERO) -> Yuan:
    """This function will return what may still be promised; `lapsed` is what of the reservations time has ended."""
    paid_in, reserved, committed, compensated, recovered, _ = totals
    balance = paid_in - compensated + recovered
    if terms.leverage_multiple != 1:
        balance = int((int(balance) * terms.leverage_multiple).to_integral_value(ROUND_FLOOR))
    return Yuan(max(0, balance - reserved - committed + lapsed))


def standing(
    terms: PoolTerms, totals: Totals, lapsed: Yuan, *, company: Yuan, lender: Yuan, lender_id: str, stopped: bool
) -> PoolStanding:
    """This function will say what room there is for one company and one lender.

    `company` is the loan amount that counts against its cap, over all lenders; `lender` what stands promised to it.
    """
    cap, quota = terms.per_company_cap, None if terms.lender_quotas is None else terms.quota_of(lender_id)
    company_room = None if cap is None else max(_ZERO, cap - company)
    lender_room = None if quota is None else max(_ZERO, quota - lender)
    return PoolStanding(terms.id, room(terms, totals, lapsed), company_room, lender_room, stopped)


def takes_cover(terms: PoolTerms) -> bool:
    """This function will tell whether we ourselves may reserve room: the book is ours, and the pool is active."""
    return terms.book is PoolBook.OWN and terms.status is PoolStatus.ACTIVE


# ---- promises -------------------------------------------------------------------------------------------------------

Moved = tuple[Cover, tuple[Entry, ...]]
"""A cover after something happened to it, and the entries that say so."""


def reserve(cover: Cover, covered: Yuan, *, held_until: date, on: date) -> Moved:
    """This function will promise cover for `covered` more of the loan; the caller has asked `fitting` first."""
    under = cover.outstanding + cover.undrawn
    amount = pool_money(under + covered, cover.share) - pool_money(under, cover.share)
    held = replace(
        cover,
        covered=cover.covered + covered,
        ever_covered=cover.ever_covered + covered,
        undrawn=cover.undrawn + covered,
        held_until=held_until,
        promised=cover.promised + amount,
    )
    entry = Entry(EntryKind.RESERVED, Totals(reserved=amount), on, cover.lender, cover.id)
    return held, (entry,) if amount else ()


def promise(line: CoveredLine, covered: Yuan, *, held_until: date, on: date) -> Moved:
    """This function will promise cover for a line that never had any: what `reserve` comes to, at a third of the cost,
    as it stands on the road of a decision.
    """
    amount = pool_money(covered, line.share)
    held = Cover(*line, covered, covered, _ZERO, covered, held_until, amount)
    entry = Entry(EntryKind.RESERVED, Totals(_ZERO, amount), on, line.lender, line.id)
    return held, (entry,) if amount else ()


def follow(cover: Cover, line: LineFigures, on: date) -> Moved:
    """This function will bring a promise to where the line's figures say that it stands on a day.

    The covered part of a line is drawn first and repaid last: committed is the pool's part of what is outstanding under
    cover, reserved its part of what may still be drawn under cover. What is over is released, what a correction brings
    back is put back, and never more than was promised at first.
    """
    if cover.closed:
        return cover, ()
    available = line.undrawn if line.available_until >= on else _ZERO
    outstanding = min(line.outstanding, cover.covered)
    undrawn = min(line.outstanding + available, cover.covered) - outstanding
    moved = replace(
        cover,
        outstanding=outstanding,
        undrawn=undrawn,
        held_until=line.available_until if undrawn else None,
        drawn=pool_money(max(outstanding, min(line.disbursed, cover.ever_covered)), cover.share),
    )
    return moved, tuple(_steps(cover, moved, EntryKind.REINSTATED, on))


def draw(
    cover: Cover, line: LineFigures, found: PoolStanding, on: date
) -> tuple[Cover, tuple[Entry, ...], ReasonCode | None]:
    """This function will cover a drawdown of a line whose product reserves at the drawdown, as far as all of it fits;
    `line` is what stands after it. The code says why a drawdown stays the lender's own.
    """
    extra = line.outstanding - cover.outstanding
    if cover.closed or extra <= 0:
        return *follow(cover, replace(line, undrawn=_ZERO), on), None
    fits = fitting(found, extra, cover.share)
    if isinstance(fits, ReasonCode):
        # What was repaid under cover does not come back for a drawdown that found no room.
        own = replace(cover, covered=cover.outstanding)
        return *follow(own, replace(line, undrawn=_ZERO), on), fits
    own = replace(cover, covered=cover.outstanding)
    held, reserved = reserve(own, fits, held_until=on, on=on)
    drawn, committed = follow(held, replace(line, undrawn=_ZERO), on)
    return drawn, (*reserved, *committed), None


class Step(NamedTuple):
    """One booking of a line that is in force: by how much it changed what is owed and, of a drawdown, how much it put
    under cover.
    """

    owed: Yuan
    put: Yuan | None = None


def drawn_by(cover: Cover, steps: Iterable[Step]) -> Cover:
    """This function will return the cover as bookings in force, in the order in which they came, have made it, for a
    line whose product reserves at the drawdown: what was taken back is as if it had never been. `follow` brings it to
    the line's figures.
    """
    if cover.closed:
        return cover
    covered = ever = under = owing = _ZERO
    for owed, put in steps:
        owing += owed
        if put is not None:
            # What was repaid under cover is gone for the drawdown: it puts its own part there.
            covered, ever = under + put, ever + put
        under = max(_ZERO, min(owing, covered))
    # Of two promises that were rounded apart, a fen may be missing to the part of both.
    promised = max(cover.promised, pool_money(covered, cover.share))
    return replace(cover, covered=covered, ever_covered=ever, promised=promised)


def release(cover: Cover, on: date) -> Moved:
    """This function will give back what is still reserved: the offer or the line has ended."""
    ended = replace(cover, undrawn=_ZERO, held_until=None)
    return ended, tuple(_steps(cover, ended, EntryKind.REINSTATED, on))


def compensate(cover: Cover, amount: Yuan, on: date) -> Moved:
    """This function will pay on a cover and close it: what the loss leaves of the promise is released.

    Raises ValueError where more is paid than was committed, or the cover has been paid on before.
    """
    if cover.closed or not 0 < amount <= cover.committed:
        raise ValueError(f"cover {cover.id}: {amount} cannot be paid, {cover.committed} is committed")
    closed = replace(cover, outstanding=_ZERO, undrawn=_ZERO, held_until=None, compensated=amount, closed=True)
    over = cover.committed - amount
    entries = [_entry(cover, EntryKind.COMPENSATED, on, committed=-amount, compensated=amount)]
    if over:
        entries.append(_entry(cover, EntryKind.UNCOMMITTED, on, reserved=over, committed=-over))
    if over + cover.reserved:
        entries.append(_entry(cover, EntryKind.RELEASED, on, reserved=-(over + cover.reserved)))
    return closed, tuple(entries)


def _steps(before: Cover, after: Cover, more: EntryKind, on: date) -> list[Entry]:
    """What leads from one state to the other, in the order of its telling: promise, commit or uncommit, release."""
    entries: list[Entry] = []
    promised = after.reserved + after.committed - before.reserved - before.committed
    committed, drawn = after.committed - before.committed, after.drawn - before.drawn
    if promised > 0:
        entries.append(_entry(after, more, on, reserved=promised))
    if committed or drawn:
        kind = EntryKind.COMMITTED if committed > 0 else EntryKind.UNCOMMITTED
        entries.append(_entry(after, kind, on, reserved=-committed, committed=committed, drawn=drawn))
    if promised < 0:
        entries.append(_entry(after, EntryKind.RELEASED, on, reserved=promised))
    return entries


def recover(cover: Cover, amount: Yuan, on: date) -> Entry:
    """This function will return to the pool its part of what was recovered."""
    return _entry(cover, EntryKind.RECOVERED, on, recovered=amount)


def contribute(amount: Yuan, on: date) -> Entry:
    """This function will pay capital in (到位); ValueError unless it is above zero."""
    if amount <= 0:
        raise ValueError("a contribution is an amount above zero")
    return Entry(EntryKind.CONTRIBUTED, Totals(paid_in=amount), on)


def _entry(cover: Cover, kind: EntryKind, on: date, **change: int) -> Entry:
    return Entry(kind, Totals(**{name: Yuan(value) for name, value in change.items()}), on, cover.lender, cover.id)


# ---- lines ----------------------------------------------------------------------------------------------------------


class LineState(StrEnum):
    """Where a pool's ratio stands."""

    CLEAR = "CLEAR"
    WARNED = "WARNED"
    STOPPED = "STOPPED"
    LIFTED = "LIFTED"


@dataclass(frozen=True, slots=True)
class Lift:
    """A person's word that new cover goes on past the stop line: it holds until the ratio's numerator has grown beyond
    what it was then.
    """

    numerator: Yuan


def ratio(lines: Lines, terms: PoolTerms, totals: Totals) -> tuple[Yuan, Yuan]:
    """This function will return the numerator and the denominator that a pool's lines name."""
    paid = totals.compensated
    above = paid if lines.numerator is Numerator.COMPENSATED else paid - totals.recovered
    below = {
        Denominator.PAID_IN: totals.paid_in,
        Denominator.COMMITTED_CAPITAL: committed_capital(terms),
        Denominator.COVERED_DRAWN: totals.drawn,
    }[lines.denominator]
    return above, below


def line_state(terms: PoolTerms, totals: Totals, lift: Lift | None = None) -> LineState:
    """This function will tell on which side of its lines a pool stands; a line is reached when the ratio is equal."""
    if terms.lines is None or totals.compensated <= 0:
        return LineState.CLEAR
    above, below = ratio(terms.lines, terms, totals)
    if above > 0 and terms.lines.stop is not None and int(above) >= int(below) * terms.lines.stop:
        return LineState.LIFTED if lift is not None and above <= lift.numerator else LineState.STOPPED
    warned = above > 0 and terms.lines.warn is not None and int(above) >= int(below) * terms.lines.warn
    return LineState.WARNED if warned else LineState.CLEAR


def committed_capital(terms: PoolTerms) -> Yuan:
    """This function will return the capital that its phases commit, or the pool's own figure where it has no phases."""
    if terms.phases:
        return Yuan(sum(phase.committed_capital for phase in terms.phases))
    return terms.committed_capital or _ZERO
