"""Subsidies' budgets as readers see them, on both databases."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from app.adapters.database.store import NO_LENDER, Store
from app.adapters.database.tables import SUBSIDY_BUDGET
from app.usecases.act_rows import Row


class SubsidyBudgets:
    """Reads which programmes' budgets are used up."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def states(self) -> Sequence[Row]:
        """This function will return each programme's newest state, by id."""
        query = select(SUBSIDY_BUDGET).order_by(SUBSIDY_BUDGET.c.programme)
        return await self._store.read(
            lambda connection: [dict(row) for row in connection.execute(query).mappings()], lenders=NO_LENDER
        )
