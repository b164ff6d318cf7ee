"""Pools as readers see them: room for everybody, and of what was promised each lender's own part alone.

Neighbours may rely on this: nothing here names another lender, or its companies, offers and decisions; a pool's own
sums, from which two lenders could each work out the other's part, are left out unless they are asked for whole. A
statement that does not reconcile with the pool's book is not given. Time has ended what it ended, whoever noted it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any, Protocol

from app.domain.money import Yuan, decimal_text
from app.domain.pool import PoolStatus, PoolTerms
from app.ledger.pool import Entry, EntryKind, LineState, Totals, committed_capital, ratio
from app.ledger.statement import BookedEntry, Statement, statement
from app.usecases.act_rows import Row
from app.usecases.days import day_in_shanghai
from app.usecases.pool_book import PoolsInBatch, pool_lookups, shares_of, totals_of

SHOWN = ("paid_in", "reserved", "committed", "compensated", "recovered")


class Pools(Protocol):
    """The pools' rows as readers see them; they never lock the writer."""

    async def book(self, pool: str, holders: Sequence[str]) -> tuple[Sequence[Row], Sequence[Row]]:
        """This function will return the pool's own row, if there is one, and these holders', read at one moment."""
        ...

    async def entries(
        self, pool: str, holders: Sequence[str], *, after: tuple[str | None, int] | None, limit: int, capital: bool
    ) -> Sequence[Row]:
        """This function will return up to `limit` entries of these holders, and of the pool's own `capital` as well, in
        order; behind the one of that holder and own number, or from the first.
        """
        ...

    async def every_entry(self, pool: str) -> tuple[Sequence[Row], Sequence[Row]]:
        """This function will return the pool's own row and all its entries, read at one moment."""
        ...

    async def claims(
        self, pool: str, holders: Sequence[str], *, state: str | None, after: tuple[date, str] | None, limit: int
    ) -> Sequence[Row]:
        """This function will return up to `limit` claims of these holders, in that state or in any, the oldest first;
        behind that day and id, or from the first.
        """
        ...

    async def covers(self, pool: str, holders: Sequence[str]) -> Sequence[Row]:
        """This function will return the covers of these holders, by offer."""
        ...

    async def for_company(
        self, pool: str, holder: str, uscc: str
    ) -> tuple[Sequence[Row], Sequence[Row], Sequence[Row]]:
        """This function will return what a decision would read: the pool's own row, the holder's, and the company's
        covers over all holders, at one moment. Nothing of others' covers is shown to anybody.
        """
        ...

    async def statements(self, pool: str) -> Sequence[Row]:
        """This function will return what an external pool's manager has stated, the newest day first."""
        ...

    async def claim(self, claim_id: str, holders: Sequence[str]) -> Row | None:
        """This function will return one claim where it is one of these holders', else None."""
        ...

    async def cover(self, offer_id: str, holders: Sequence[str]) -> Row | None:
        """This function will return one offer's cover where it is one of these holders', else None."""
        ...


def in_book(pool: str, own: Sequence[Row], holders: Sequence[Row]) -> PoolsInBatch:
    """This function will read rows as a batch reads them."""
    head, others = pool_lookups(pool)
    return PoolsInBatch({head: own, others: holders})


def room_left(terms: PoolTerms, book: PoolsInBatch, lender: str, on: date) -> Yuan:
    """This function will return how much more the pool could promise to a lender: its room, or what is left of the
    lender's quota where that is less; nothing where the pool takes no new cover.
    """
    found = book.standing(terms, "", lender, on)
    if found.stopped:
        return Yuan(0)
    return found.room if found.lender_room is None else min(found.room, found.lender_room)


def pool_document(
    terms: PoolTerms, book: PoolsInBatch, holders: Iterable[str], on: date, *, whole: bool
) -> dict[str, Any]:
    """This function will show a pool: what room is left, what these lenders hold of it and, `whole`, what it has."""
    totals, state = book.totals(terms.id), book.state(terms)
    found = book.standing(terms, "", "", on)
    return {
        "id": terms.id,
        "name": {"zh": terms.name.zh, "en": terms.name.en},
        "zone": terms.id.partition("/")[0],
        "status": terms.status.value,
        "book": terms.book.value,
        "leverage_multiple": decimal_text(terms.leverage_multiple),
        "per_company_cap": _text(terms.per_company_cap),
        "committed_capital": committed_capital(terms).text(),
        "phases": [
            {"name": {"zh": p.name.zh, "en": p.name.en}, "committed_capital": p.committed_capital.text()}
            for p in terms.phases
        ],
        "balance": totals.balance.text() if whole else None,
        "paid_in": totals.paid_in.text() if whole else None,
        "compensated": totals.compensated.text() if whole else None,
        "recovered": totals.recovered.text() if whole else None,
        "room": found.room.text() if terms.status is PoolStatus.ACTIVE and state is not LineState.STOPPED else "0.00",
        "lines": _lines(terms, totals, state, whole),
        "on": on.isoformat(),
        "holdings": [_holding(terms, book, lender) for lender in sorted(holders)],
    }


def _lines(terms: PoolTerms, totals: Totals, state: LineState, whole: bool) -> dict[str, Any] | None:
    if terms.lines is None:
        return None
    above, below = ratio(terms.lines, terms, totals)
    warn, stop = terms.lines.warn, terms.lines.stop
    return {
        "state": state.value,
        "numerator": {"name": terms.lines.numerator.value, "amount": above.text() if whole else None},
        "denominator": {"name": terms.lines.denominator.value, "amount": below.text() if whole else None},
        "warn": None if warn is None else decimal_text(warn),
        "stop": None if stop is None else decimal_text(stop),
    }


def _holding(terms: PoolTerms, book: PoolsInBatch, lender: str) -> dict[str, Any]:
    own = book.totals(terms.id, lender)
    return {
        "lender": lender,
        "quota": _text(terms.quota_of(lender)),
        **{name: getattr(own, name).text() for name in SHOWN[1:]},
    }


def entry_document(row: Row) -> dict[str, Any]:
    """This function will show one entry, by its number among its lender's: it tells nothing of others'."""
    return {
        "number": row["own_number"],
        "kind": row["kind"],
        "lender": row["holder"],
        "offer_id": row["offer_id"],
        "decision_id": row["decision_id"],
        "record_id": row["record_id"],
        **{name: Yuan(row[name]).text() for name in SHOWN},
        "value_on": row["value_on"].isoformat(),
        "booked_on": day_in_shanghai(row["booked_at"]).isoformat(),
    }


def claim_document(row: Row, on: date) -> dict[str, Any]:
    """This function will show one claim, and whether its review is late."""
    until = row["review_until"]
    return {
        "claim_id": row["claim_id"],
        "pool": row["pool_id"],
        "lender": row["holder"],
        "offer_id": row["offer_id"],
        "state": row["state"],
        "principal": Yuan(row["principal"]).text(),
        "interest": Yuan(row["interest"]).text(),
        "past_due_since": row["since"].isoformat(),
        "claimed_on": row["claimed_on"].isoformat(),
        "review_until": None if until is None else until.isoformat(),
        "review_is_late": row["state"] == "CLAIMED" and until is not None and on > until,
        "borne": [
            {"bearer": bearer, "amount": Yuan(int(amount)).text()} for bearer, amount in shares_of(row["borne"]).items()
        ],
        "recovered": Yuan(row["recovered"]).text(),
    }


# ---- statements -----------------------------------------------------------------------------------------------------


def pool_statement(
    own: Sequence[Row], rows: Iterable[Row], *, since: date, until: date, lender: str | None
) -> Statement:
    """This function will make the statement of a period from all entries. Raises DoesNotReconcile where they do not add
    up to what the pool's book holds.
    """
    booked = [
        BookedEntry(
            Entry(EntryKind(row["kind"]), totals_of(row), row["value_on"], row["holder"], row["offer_id"]),
            day_in_shanghai(row["booked_at"]),
            row["decision_id"],
        )
        for row in rows
    ]
    end = max((one.booked_on for one in booked), default=since) + timedelta(days=1)
    held = totals_of(own[0]) if own else Totals()
    # The whole book first: what a part of it says is worth nothing where the whole does not hold.
    statement(booked, since=end, until=end, closing=held)
    return statement(booked, since=since, until=until, lender=lender)


def statement_document(pool: str, lender: str | None, found: Statement) -> dict[str, Any]:
    """This function will show a statement, decision by decision."""
    return {
        "pool": pool,
        "lender": lender,
        "since": found.since.isoformat(),
        "until": found.until.isoformat(),
        "opening": _sums(found.opening),
        "lines": [
            {
                "decision_id": line.decision_id,
                "offer_id": line.cover,
                "lender": line.lender,
                "change": _sums(line.change),
                "entries": {kind.value: count for kind, count in line.kinds.items()},
            }
            for line in found.lines
        ],
        "closing": _sums(found.closing),
        "reconciled": True,
    }


def quarter(period: str) -> tuple[date, date]:
    """This function will return the days of a quarter such as 2026Q4: from the first, until, and without, the last."""
    year, number = int(period[:4]), int(period[5])
    return date(year, 3 * number - 2, 1), date(year + number // 4, 3 * number % 12 + 1, 1)


def _sums(totals: Totals) -> dict[str, str]:
    return {**{name: getattr(totals, name).text() for name in SHOWN}, "balance": totals.balance.text()}


def _text(amount: Yuan | None) -> str | None:
    return None if amount is None else amount.text()
