"""The pools' rows in memory, for the tests that use the database in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from app.usecases.act_rows import Row, Value

Tables = Mapping[str, list[dict[str, Value]]]


class MemoryPools:
    """Reads the pools' rows of a database in memory."""

    def __init__(self, rows: Tables) -> None:
        self._rows = rows

    async def book(self, pool: str, holders: Sequence[str]) -> tuple[Sequence[Row], Sequence[Row]]:
        """This function will return the pool's own row, if there is one, and these holders'."""
        its = self._of("pool_holder", pool, lambda row: row["holder"] in holders)
        return self._of("pool", pool), sorted(its, key=lambda row: str(row["holder"]))

    async def entries(
        self, pool: str, holders: Sequence[str], *, after: tuple[str | None, int] | None, limit: int, capital: bool
    ) -> Sequence[Row]:
        """This function will return entries of these holders, and of the pool's own capital as well, in order."""
        shown = (None, *holders) if capital else tuple(holders)
        seen = self._of("pool_entry", pool, lambda row: row["holder"] in shown)
        places = [(row["holder"], row["own_number"]) for row in seen]
        start = 0 if after is None else places.index(after) + 1
        return seen[start : start + limit]

    async def every_entry(self, pool: str) -> tuple[Sequence[Row], Sequence[Row]]:
        """This function will return the pool's own row and all its entries."""
        return self._of("pool", pool), self._of("pool_entry", pool)

    async def claims(self, pool: str, holders: Sequence[str]) -> Sequence[Row]:
        """This function will return the claims of these holders, the oldest first."""
        return self._of("pool_claim", pool, lambda row: row["holder"] in holders)

    async def covers(self, pool: str, holders: Sequence[str]) -> Sequence[Row]:
        """This function will return the covers of these holders."""
        return self._of("pool_cover", pool, lambda row: row["holder"] in holders)

    async def for_company(
        self, pool: str, holder: str, uscc: str
    ) -> tuple[Sequence[Row], Sequence[Row], Sequence[Row]]:
        """This function will return what a decision would read."""
        covers = self._of("pool_cover", pool, lambda row: row["uscc"] == uscc)
        return *await self.book(pool, (holder,)), covers

    async def statements(self, pool: str) -> Sequence[Row]:
        """This function will return what an external pool's manager has stated, the newest day first."""
        return sorted(self._of("pool_statement", pool), key=lambda row: (row["as_of"], row["record_id"]), reverse=True)

    async def claim(self, claim_id: str, holders: Sequence[str]) -> Row | None:
        """This function will return one claim where it is one of these holders', else None."""
        return self._one("pool_claim", "claim_id", claim_id, holders)

    async def cover(self, offer_id: str, holders: Sequence[str]) -> Row | None:
        """This function will return one offer's cover where it is one of these holders', else None."""
        return self._one("pool_cover", "offer_id", offer_id, holders)

    def _of(self, table: str, pool: str, seen: Callable[[Row], bool] = lambda row: True) -> list[Row]:
        return [dict(row) for row in self._rows.get(table, ()) if row["pool_id"] == pool and seen(row)]

    def _one(self, table: str, key: str, value: str, holders: Sequence[str]) -> Row | None:
        rows = self._rows.get(table, ())
        return next((dict(row) for row in rows if row[key] == value and row["holder"] in holders), None)
