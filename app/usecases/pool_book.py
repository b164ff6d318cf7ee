"""A batch's view of the pools: what was read of them under the lock, what its decisions and acts have changed since,
and the rows that come of it.

Neighbours may rely on this: the pool's row is locked from before anything of it is read until the commit, so that what
is promised here fits the room of its moment, whoever else writes; and however many decisions reserve from a pool, a
batch changes that pool's row once. Nothing changes before `book` is called.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from decimal import Decimal

from app.domain.money import Yuan, decimal_text
from app.domain.pool import PoolStanding, PoolStatus, PoolTerms
from app.ledger.pool import Cover, Entry, Lift, LineState, Totals, line_state, standing
from app.usecases.acts import Lookup, Row, Value, Written

TOTALS = tuple(f.name for f in fields(Totals))
_NEW = Totals()


@dataclass(frozen=True, slots=True)
class HeldCover:
    """A cover with what its decision recorded: its id, and the shares of one loss by bearer."""

    cover: Cover
    decision_id: str
    shares: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class PoolChange:
    """What one record does to a pool: entries, and the cover after them (None for the pool's own capital)."""

    pool: str
    record_id: str
    entries: tuple[Entry, ...]
    held: HeldCover | None = None
    lift: Lift | None = None


def pool_lookups(pool: str) -> tuple[Lookup, ...]:
    """This function will say what must be read before anything of a pool is worked out; the lock comes first."""
    return Lookup("pool", "pool_id", pool, locked=True), Lookup("pool_holder", "pool_id", pool)


def company_lookup(uscc: str) -> Lookup:
    """This function will say what must be read to know a company's covers over all lenders."""
    return Lookup("pool_cover", "uscc", uscc)


def cover_lookup(offer_id: str) -> Lookup:
    """This function will say what must be read to know one offer's cover."""
    return Lookup("pool_cover", "offer_id", offer_id)


@dataclass(slots=True)
class _Part:
    """What a lender holds of a pool: its entries, which are numbered by themselves so that no number tells of anybody
    else's, their sums, and until when what is reserved is held.
    """

    entries: int = 0
    totals: Totals = _NEW
    held: dict[date, int] = field(default_factory=dict)

    def lapsed(self, on: date) -> Yuan:
        return Yuan(sum(fen for day, fen in self.held.items() if day < on))


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
        self._asked: set[Lookup] = set(read)
        self._held = {lookup.value for lookup in read if lookup.table == "pool"}
        for lookup, rows in read.items():
            for row in rows if lookup.table.startswith("pool") else ():
                self._take(lookup.table, row)
        self._known_holders |= self._holders.keys()
        self._known_covers |= self._covers.keys()
        self._changed_holders: dict[tuple[str, str], None] = {}
        self._changed_covers: dict[str, None] = {}
        self._entries: list[Written] = []

    def has_read_pool(self, pool: str) -> bool:
        """This function will tell whether the batch holds the pool."""
        return pool in self._held

    def has_read(self, lookup: Lookup) -> bool:
        """This function will tell whether the batch asked for this."""
        return lookup in self._asked

    def standing(
        self, terms: PoolTerms, uscc: str, lender: str, on: date, *, without: Iterable[Cover] = ()
    ) -> PoolStanding:
        """This function will say what room there is for one company and one lender, as if the reservations of `without`
        had been given back: those of offers that the decision itself supersedes.
        """
        pool = self._pool(terms.id)
        totals, company = pool.totals, self._company(terms.id, uscc, on)
        part = self._holders.get((terms.id, lender), _Part())
        holder = part.totals.promised - part.lapsed(on)
        for cover in without:
            back = cover.reserved if cover.held_until is not None and cover.held_until >= on else Yuan(0)
            totals = totals + Totals(reserved=Yuan(-back))
            holder -= back
            company -= cover.counts(on) if cover.uscc == uscc else 0
        state = line_state(terms, totals, pool.lift)
        return standing(
            terms, totals, pool.lapsed(on), company=company, lender=holder, lender_id=lender,
            stopped=state is LineState.STOPPED or terms.status is not PoolStatus.ACTIVE,
        )  # fmt: skip

    def state(self, terms: PoolTerms) -> LineState:
        """This function will say where the pool's ratio stands."""
        pool = self._pool(terms.id)
        return line_state(terms, pool.totals, pool.lift)

    def totals(self, pool: str, lender: str | None = None) -> Totals:
        """This function will return the sums of a pool, or of one lender's part of it."""
        return self._pool(pool).totals if lender is None else self._holders.get((pool, lender), _Part()).totals

    def cover(self, offer_id: str) -> HeldCover | None:
        """This function will return an offer's cover, None where it has none."""
        return self._covers.get(offer_id)

    def book(self, change: PoolChange, at: datetime) -> None:
        """This function will carry a record's entries out."""
        pool = self._pool(change.pool)
        before = None if change.held is None else self._covers.get(change.held.cover.id)
        for entry in change.entries:
            pool.totals = pool.totals + entry.change
            if entry.lender is None:
                own_number, pool.own_entries = pool.own_entries, pool.own_entries + 1
            else:
                part = self._part(change.pool, entry.lender)
                part.totals = part.totals + entry.change
                own_number, part.entries = part.entries, part.entries + 1
                self._changed_holders[change.pool, entry.lender] = None
            self._entries.append(_entry_row(change, pool.entries, own_number, entry, at))
            pool.entries += 1
        pool.changed = True
        if change.lift is not None:
            pool.lift = change.lift
        if change.held is not None:
            for held, sign in ((before, -1), (change.held, 1)):
                if held is not None:
                    _move(pool.held, held, sign)
                    _move(self._part(change.pool, held.cover.lender).held, held, sign)
                    self._changed_holders[change.pool, held.cover.lender] = None
            self._know(change.held)
            self._changed_covers[change.held.cover.id] = None

    def written(self) -> tuple[Written, ...]:
        """This function will return the rows to write: each pool, holder and cover once, and every entry."""
        rows: list[Written] = []
        for name, pool in self._pools.items():
            if pool.changed:
                rows.append(_row("pool", {"pool_id": name}, _pool_values(pool), known=pool.known))
        for pool_id, holder in self._changed_holders:
            key = {"pool_id": pool_id, "holder": holder}
            known = (pool_id, holder) in self._known_holders
            rows.append(_row("pool_holder", key, _part_values(self._holders[pool_id, holder]), known=known))
        for offer_id in self._changed_covers:
            held = self._covers[offer_id]
            values = cover_values(held)
            rows.append(_row("pool_cover", {"offer_id": offer_id}, values, known=offer_id in self._known_covers))
        return (*rows, *self._entries)

    # ---- what was read ---------------------------------------------------------------------------------------------

    def _take(self, table: str, row: Row) -> None:
        if table == "pool":
            lift = None if row["lifted_at"] is None else Lift(Yuan(row["lifted_at"]))
            part = (row["entries"], totals_of(row), _days(row["reserved_by_day"]))
            self._pools[row["pool_id"]] = _Pool(*part, known=True, own_entries=row["own_entries"], lift=lift)
        elif table == "pool_holder":
            held = _days(row["reserved_by_day"])
            self._holders[row["pool_id"], row["holder"]] = _Part(row["entries"], totals_of(row), held)
        elif table == "pool_cover":
            self._know(cover_of(row))

    def _know(self, held: HeldCover) -> None:
        self._covers[held.cover.id] = held
        self._of_company.setdefault((held.cover.pool, held.cover.uscc), set()).add(held.cover.id)

    def _pool(self, pool_id: str) -> _Pool:
        return self._pools.setdefault(pool_id, _Pool())

    def _part(self, pool_id: str, lender: str) -> _Part:
        return self._holders.setdefault((pool_id, lender), _Part())

    def _company(self, pool: str, uscc: str, on: date) -> Yuan:
        covers = self._of_company.get((pool, uscc), ())
        return Yuan(sum(self._covers[offer_id].cover.counts(on) for offer_id in covers))


# ---- rows -----------------------------------------------------------------------------------------------------------


def totals_of(row: Row) -> Totals:
    """This function will return the sums that a row holds."""
    return Totals(*(Yuan(row[name]) for name in TOTALS))


def cover_of(row: Row) -> HeldCover:
    """This function will return the cover of a row."""
    amounts = ("covered", "ever_covered", "outstanding", "undrawn", "promised", "drawn", "compensated")
    cover = Cover(
        id=row["offer_id"], pool=row["pool_id"], lender=row["holder"], uscc=row["uscc"], share=Decimal(row["share"]),
        held_until=row["held_until"], closed=row["closed"], **{name: Yuan(row[name]) for name in amounts},
    )  # fmt: skip
    return HeldCover(cover, row["decision_id"], shares_of(row["shares"]))


def cover_values(held: HeldCover) -> dict[str, Value]:
    """This function will return the columns of a cover's row, its key apart."""
    cover = held.cover
    return {
        "pool_id": cover.pool, "holder": cover.lender, "uscc": cover.uscc, "decision_id": held.decision_id,
        "share": decimal_text(cover.share), "shares": shares_text(held.shares), "covered": int(cover.covered),
        "ever_covered": int(cover.ever_covered), "outstanding": int(cover.outstanding), "undrawn": int(cover.undrawn),
        "held_until": cover.held_until, "promised": int(cover.promised), "drawn": int(cover.drawn),
        "compensated": int(cover.compensated), "closed": cover.closed,
    }  # fmt: skip


def shares_text(shares: Mapping[str, Decimal]) -> str:
    """This function will write shares, or amounts, by bearer: "POOL:0.50 BANK:0.50"."""
    return " ".join(f"{bearer}:{value}" for bearer, value in shares.items())


def shares_of(text: str) -> dict[str, Decimal]:
    """This function will read shares back."""
    return {bearer: Decimal(share) for bearer, _, share in (part.partition(":") for part in text.split())}


def _totals(totals: Totals) -> dict[str, Value]:
    return {name: int(getattr(totals, name)) for name in TOTALS}


def _part_values(part: _Part) -> dict[str, Value]:
    days = " ".join(f"{day.isoformat()}:{fen}" for day, fen in sorted(part.held.items()) if fen)
    return {"entries": part.entries, **_totals(part.totals), "reserved_by_day": days}


def _pool_values(pool: _Pool) -> dict[str, Value]:
    lifted = None if pool.lift is None else int(pool.lift.numerator)
    return {**_part_values(pool), "own_entries": pool.own_entries, "lifted_at": lifted}


def _days(text: str) -> dict[date, int]:
    return {date.fromisoformat(day): int(fen) for day, _, fen in (part.partition(":") for part in text.split())}


def _move(days: dict[date, int], of: HeldCover, sign: int) -> None:
    until = of.cover.held_until
    if until is not None:
        days[until] = days.get(until, 0) + sign * int(of.cover.reserved)


def _row(table: str, key: dict[str, Value], values: dict[str, Value], *, known: bool) -> Written:
    return Written(table, values, key) if known else Written(table, {**key, **values})


def _entry_row(change: PoolChange, number: int, own_number: int, entry: Entry, at: datetime) -> Written:
    held = change.held
    return Written(
        "pool_entry",
        {
            "pool_id": change.pool, "number": number, "own_number": own_number, "kind": entry.kind.value,
            "holder": entry.lender, "offer_id": entry.cover, "decision_id": None if held is None else held.decision_id,
            "record_id": change.record_id, **_totals(entry.change), "value_on": entry.value_on, "booked_at": at,
        },
    )  # fmt: skip


def with_cover(held: HeldCover, cover: Cover) -> HeldCover:
    """This function will return the same cover as it stands now."""
    return replace(held, cover=cover)
