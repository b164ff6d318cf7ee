"""Subsidies' budgets as readers of the memory see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.usecases.act_rows import Row


class MemorySubsidyBudgets:
    """Reads what the book in memory holds of budgets."""

    def __init__(self, rows: Mapping[str, Sequence[Row]]) -> None:
        self._rows = rows

    async def states(self) -> Sequence[Row]:
        """This function will return each programme's newest state, by id."""
        return sorted(self._rows.get("subsidy_budget", ()), key=lambda row: row["programme"])
