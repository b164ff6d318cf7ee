"""A batch's view of the pools: what was read of them under the lock, what its decisions and acts have changed since,
and the rows that come of it.

Neighbours may rely on this: the pool's row is locked from before anything of it is read until the commit, so that what
is promised here fits the room of its moment, whoever else writes; and however many decisions reserve from a pool, a
batch changes that pool's row once. Nothing changes before `book` is called.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from operator import attrgetter, itemgetter
from typing import NamedTuple

from app.domain.money import Yuan, decimal_text
from app.domain.pool import PoolStanding, PoolStatus, PoolTerms
from app.ledger.pool import Cover, Entry, Lift, LineState, Totals, line_state, standing
from app.usecases.act_rows import Lookup, NewRows, Row, Value, Written

TOTALS = Totals._fields
_NOTHING = Yuan(0)
_sums_in = itemgetter(*TOTALS)


class HeldCover(NamedTuple):
    """A cover with what its decision recorded: its id, and the shares of one loss by bearer."""

    cover: Cover
    decision_id: str
    shares: Mapping[str, Decimal]


class PoolChange(NamedTuple):
    """What one record does to a pool: entries, and the cover after them (None for the pool's own capital)."""

    pool: str
    record_id: str
    entries: tuple[Entry, ...]
    held: HeldCover | None = None
    lift: Lift | None = None


def pool_lookups(pool: str) -> tuple[Lookup, ...]:
    """This function will say what must be read before anything of a pool is worked out; the lock comes first."""
    return Lookup("pool", "pool_id", pool, True), Lookup("pool_holder", "pool_id", pool)


def company_lookup(uscc: str) -> Lookup:
    """This function will say what must be read to know a company's covers over all lenders."""
    return Lookup("pool_cover", "uscc", uscc)


def cover_lookup(offer_id: str) -> Lookup:
    """This function will say what must be read to know one offer's cover."""
    return Lookup("pool_cover", "offer_id", offer_id)


Sums = tuple[int, ...]
"""Totals in plain fen: on the road of a decision integers are added at a fifth of the cost of amounts."""
_ZEROS: Sums = (0,) * len(TOTALS)


def _plus(sums: Sums, change: Totals) -> Sums:
    # Written out, which is three times as fast as any loop.
    a, b, c, d, e, f = sums
    paid_in, reserved, committed, compensated, recovered, drawn = change
    return (
        a + int(paid_in) if paid_in else a, b + int(reserved) if reserved else b,
        c + int(committed) if committed else c, d + int(compensated) if compensated else d,
        e + int(recovered) if recovered else e, f + int(drawn) if drawn else f,
    )  # fmt: skip


@dataclass(slots=True)
class _Part:
    """What a lender holds of a pool: its entries, which are numbered by themselves so that no number tells of anybody
    else's, their sums, and until when what is reserved is held.
    """

    entries: int = 0
    sums: Sums = _ZEROS
    held: dict[date, int] = field(default_factory=dict)
    _lapsed: tuple[date, Yuan] | None = None

    def lapsed(self, on: date) -> Yuan:
        # Asked at every decision, and always about the batch's day.
        if self._lapsed is None or self._lapsed[0] != on:
            self._lapsed = on, Yuan(sum(fen for day, fen in self.held.items() if day < on))
        return self._lapsed[1]

    def move(self, until: date, fen: int) -> None:
        """This function will add what is reserved until a day, or take it away."""
        self.held[until] = self.held.get(until, 0) + fen
        if self._lapsed is not None and until < self._lapsed[0]:
            self._lapsed = None


@dataclass(slots=True)
class _Pool(_Part):
    """One pool in the batch, with all that all hold of it; `entries` counts everybody's, `own_entries` those of the
    pool's own capital.
    """

    known: bool = False
    own_entries: int = 0
    lift: Lift | None = None
    changed: bool = False


class PoolsInBatch:
    """The pools that a batch has read."""

    def __init__(self, read: Mapping[Lookup, Iterable[Row]]) -> None:
        self._pools: dict[str, _Pool] = {}
        self._holders: dict[tuple[str, str], _Part] = {}
        self._covers: dict[str, HeldCover] = {}
        self._of_company: dict[tuple[str, str], set[str]] = {}
        self._known_holders: set[tuple[str, str]] = set()
        self._known_covers: set[str] = set()
        self._asked = read
        self._made: set[str] = set()
        self._held = {lookup.value for lookup in read if lookup.table == "pool"}
        for lookup, rows in read.items():
            for row in rows:
                self._take(lookup.table, row)
        self._known_holders |= self._holders.keys()
        self._known_covers |= self._covers.keys()
        self._changed_holders: dict[tuple[str, str], None] = {}
        self._changed_covers: dict[str, None] = {}
        self._entries: list[tuple[Value, ...]] = []

    def has_read_pool(self, pool: str) -> bool:
        """This function will tell whether the batch holds the pool."""
        return pool in self._held

    def is_new(self, offer_id: str) -> None:
        """This function will hear of an offer that the batch makes: nothing that is stored covers it."""
        self._made.add(offer_id)

    def has_read(self, lookup: Lookup) -> bool:
        """This function will tell whether the batch asked for this, or made it."""
        return lookup in self._asked or (lookup.value in self._made and lookup == cover_lookup(lookup.value))

    def standing(
        self, terms: PoolTerms, uscc: str, lender: str, on: date, *, without: Iterable[Cover] = ()
    ) -> PoolStanding:
        """This function will say what room there is for one company and one lender, as if the reservations of `without`
        had been given back: those of offers that the decision itself supersedes.
        """
        pool = self._pool(terms.id)
        totals, company = Totals._make(pool.sums), self._company(terms.id, uscc, on)
        holder = _NOTHING
        if terms.lender_quotas is not None:
            part = self._part(terms.id, lender)
            holder = Totals._make(map(Yuan, part.sums)).promised - part.lapsed(on)
        for cover in without:
            back = cover.reserved if cover.held_until is not None and cover.held_until >= on else Yuan(0)
            totals = totals + Totals(reserved=Yuan(-back))
            holder -= back
            company -= cover.counts(on) if cover.uscc == uscc else 0
        stopped = terms.status is not PoolStatus.ACTIVE
        if terms.lines is not None and not stopped:
            stopped = line_state(terms, totals, pool.lift) is LineState.STOPPED
        return standing(
            terms, totals, pool.lapsed(on), company=company, lender=holder, lender_id=lender, stopped=stopped
        )

    def state(self, terms: PoolTerms) -> LineState:
        """This function will say where the pool's ratio stands."""
        pool = self._pool(terms.id)
        return line_state(terms, Totals._make(map(Yuan, pool.sums)), pool.lift)

    def totals(self, pool: str, lender: str | None = None) -> Totals:
        """This function will return the sums of a pool, or of one lender's part of it."""
        part = self._pool(pool) if lender is None else self._holders.get((pool, lender), _NO_PART)
        return Totals._make(map(Yuan, part.sums))

    def holders(self, pool: str) -> tuple[str, ...]:
        """This function will name the lenders who ever held a cover from the pool, by id."""
        return tuple(sorted(holder for pool_id, holder in self._holders if pool_id == pool))

    def cover(self, offer_id: str) -> HeldCover | None:
        """This function will return an offer's cover, None where it has none."""
        return self._covers.get(offer_id)

    def book(self, change: PoolChange, at: datetime) -> None:
        """This function will carry a record's entries out."""
        name, _, entries, held, lift = change
        pool = self._pool(name)
        for entry in entries:
            _, moved, _, lender, _ = entry
            pool.sums = _plus(pool.sums, moved)
            if lender is None:
                own_number, pool.own_entries = pool.own_entries, pool.own_entries + 1
            else:
                part = self._part(name, lender)
                part.sums = _plus(part.sums, moved)
                own_number, part.entries = part.entries, part.entries + 1
                self._changed_holders[name, lender] = None
            self._entries.append(_entry_row(change, pool.entries, own_number, entry, at))
            pool.entries += 1
        pool.changed = True
        if lift is not None:
            pool.lift = lift
        if held is not None:
            cover = held.cover
            before = self._covers.get(cover.id)
            if before is not None:
                self._move(pool, before.cover, -1)
            self._move(pool, cover, 1)
            self._know(held)
            self._changed_covers[cover.id] = None

    def written(self) -> tuple[Written | NewRows, ...]:
        """This function will return the rows to write: each pool, holder and cover once, and every entry."""
        rows: list[Written | NewRows] = []
        for name, pool in self._pools.items():
            if pool.changed:
                rows.append(_row("pool", {"pool_id": name}, _pool_values(pool), known=pool.known))
        for pool_id, holder in self._changed_holders:
            key = {"pool_id": pool_id, "holder": holder}
            known = (pool_id, holder) in self._known_holders
            rows.append(_row("pool_holder", key, _part_values(self._holders[pool_id, holder]), known=known))
        new = [self._covers[id_] for id_ in self._changed_covers if id_ not in self._known_covers]
        if new:
            # Lines of one product have the same shares, and what is written of them.
            alike = {id(held.shares): held for held in new}
            texts = {key: _written(held.cover.share, held.shares) for key, held in alike.items()}
            made = tuple([(*_cover_part(one.cover), one.decision_id, *texts[id(one.shares)]) for one in new])
            rows.append(NewRows("pool_cover", _COVER, made))
        for offer_id in self._changed_covers:
            if offer_id in self._known_covers:
                values = dict(zip(_COVER[1:], _cover_row(self._covers[offer_id])[1:], strict=True))
                rows.append(Written("pool_cover", values, {"offer_id": offer_id}))
        if self._entries:
            rows.append(NewRows("pool_entry", _ENTRY, tuple(self._entries)))
        return tuple(rows)

    # ---- what was read ---------------------------------------------------------------------------------------------

    def _take(self, table: str, row: Row) -> None:
        if table == "pool":
            lift = None if row["lifted_at"] is None else Lift(Yuan(row["lifted_at"]))
            part = (row["entries"], _sums_in(row), _days(row["reserved_by_day"]))
            self._pools[row["pool_id"]] = _Pool(*part, known=True, own_entries=row["own_entries"], lift=lift)
        elif table == "pool_holder":
            held = _days(row["reserved_by_day"])
            self._holders[row["pool_id"], row["holder"]] = _Part(row["entries"], _sums_in(row), held)
        elif table == "pool_cover":
            self._know(cover_of(row))

    def _know(self, held: HeldCover) -> None:
        cover = held.cover
        self._covers[cover.id] = held
        company = (cover.pool, cover.uscc)
        if company in self._of_company:
            self._of_company[company].add(cover.id)
        else:
            self._of_company[company] = {cover.id}

    def _pool(self, pool_id: str) -> _Pool:
        found = self._pools.get(pool_id)
        if found is None:
            found = self._pools[pool_id] = _Pool()
        return found

    def _part(self, pool_id: str, lender: str) -> _Part:
        found = self._holders.get((pool_id, lender))
        if found is None:
            found = self._holders[pool_id, lender] = _Part()
        return found

    def _move(self, pool: _Pool, cover: Cover, sign: int) -> None:
        """What a cover reserves counts until its day, for the pool and for its holder."""
        until = cover.held_until
        if until is not None:
            fen = sign * int(cover.reserved)
            pool.move(until, fen)
            self._part(cover.pool, cover.lender).move(until, fen)
            self._changed_holders[cover.pool, cover.lender] = None

    def _company(self, pool: str, uscc: str, on: date) -> Yuan:
        covers = self._of_company.get((pool, uscc))
        return _NOTHING if not covers else Yuan(sum([self._covers[offer_id].cover.counts(on) for offer_id in covers]))


# ---- rows -----------------------------------------------------------------------------------------------------------


def totals_of(row: Row) -> Totals:
    """This function will return the sums that a row holds."""
    return Totals._make(map(Yuan, _sums_in(row)))


def cover_of(row: Row) -> HeldCover:
    """This function will return the cover of a row."""
    amounts = ("covered", "ever_covered", "outstanding", "undrawn", "promised", "drawn", "compensated")
    cover = Cover(
        id=row["offer_id"], pool=row["pool_id"], lender=row["holder"], uscc=row["uscc"], share=Decimal(row["share"]),
        held_until=row["held_until"], closed=row["closed"], **{name: Yuan(row[name]) for name in amounts},
    )  # fmt: skip
    return HeldCover(cover, row["decision_id"], shares_of(row["shares"]))


_COVER = (
    "offer_id", "pool_id", "holder", "uscc", "held_until", "closed", "covered", "ever_covered", "outstanding",
    "undrawn", "promised", "drawn", "compensated", "decision_id", "share", "shares",
)  # fmt: skip
_cover_part = attrgetter("id", "pool", "lender", "uscc", *_COVER[4:13])


def _cover_row(held: HeldCover) -> tuple[Value, ...]:
    """The columns of a cover's row."""
    return (*_cover_part(held.cover), held.decision_id, *_written(held.cover.share, held.shares))


def cover_values(held: HeldCover) -> dict[str, Value]:
    """This function will return what a cover's row holds, by column."""
    return dict(zip(_COVER, _cover_row(held), strict=True))


def _written(share: Decimal, shares: Mapping[str, Decimal]) -> tuple[str, str]:
    return decimal_text(share), shares_text(shares)


def shares_text(shares: Mapping[str, Decimal]) -> str:
    """This function will write shares, or amounts, by bearer: "POOL:0.50 BANK:0.50"."""
    return " ".join([bearer + ":" + str(value) for bearer, value in shares.items()])


def shares_of(text: str) -> dict[str, Decimal]:
    """This function will read shares back."""
    return {bearer: Decimal(share) for bearer, _, share in (part.partition(":") for part in text.split())}


def _named(sums: Sums) -> dict[str, Value]:
    return dict(zip(TOTALS, sums, strict=True))


_NO_PART = _Part()


def _part_values(part: _Part) -> dict[str, Value]:
    return {"entries": part.entries, **_named(part.sums), "reserved_by_day": days_text(part.held)}


def _pool_values(pool: _Pool) -> dict[str, Value]:
    lifted = None if pool.lift is None else int(pool.lift.numerator)
    return {**_part_values(pool), "own_entries": pool.own_entries, "lifted_at": lifted}


def _days(text: str) -> dict[date, int]:
    return {date.fromisoformat(day): int(fen) for day, _, fen in (part.partition(":") for part in text.split())}


def _row(table: str, key: dict[str, Value], values: dict[str, Value], *, known: bool) -> Written:
    return Written(table, values, key) if known else Written(table, {**key, **values})


_ENTRY = (
    "pool_id", "number", "own_number", "kind", "holder", "offer_id", "decision_id", "record_id", "value_on",
    "booked_at", *TOTALS,
)  # fmt: skip


def _entry_row(change: PoolChange, number: int, own_number: int, entry: Entry, at: datetime) -> tuple[Value, ...]:
    pool, record_id, _, held, _ = change
    kind, moved, value_on, lender, cover = entry
    return (
        pool, number, own_number, kind.value, lender, cover, None if held is None else held.decision_id, record_id,
        value_on, at, *moved,
    )  # fmt: skip


def entry_values(change: PoolChange, entry: Entry, at: datetime) -> dict[str, Value]:
    """This function will return what an entry's row holds, by column; its numbers tell of all other entries."""
    values = dict(zip(_ENTRY, _entry_row(change, 0, 0, entry, at), strict=True))
    del values["number"], values["own_number"]
    return values


def days_text(held: Mapping[date, int]) -> str:
    """This function will write until which day how much is reserved: "2027-01-20:500"."""
    return " ".join(f"{day.isoformat()}:{fen}" for day, fen in sorted(held.items()) if fen)


def with_cover(held: HeldCover, cover: Cover) -> HeldCover:
    """This function will return the same cover as it stands now."""
    return held._replace(cover=cover)
