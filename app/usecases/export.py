"""导出: the decisions that a search finds, page by page, each with its place in the log and each log with the signed
checkpoint under which it was exported.

Neighbours may rely on this: what was recorded when the export began comes once, newest first, and nothing recorded
later; every row lies under the checkpoint of its log that the export carries; nothing but a page is held at a time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

import orjson

from app.usecases.export_columns import Row
from app.usecases.export_row import exported_row
from app.usecases.ports import DecisionLog
from app.usecases.search import DecisionSearch, FoundRow, Search, Sort

PAGE_ROWS = 200


@dataclass(frozen=True, slots=True)
class Exported:
    """One page: what was found, and the checkpoints (as text) of the logs that come up in it for the first time."""

    found: Sequence[FoundRow]
    checkpoints: Mapping[str, str]

    def rows(self) -> list[Row]:
        """This function will make the rows: all the work of a page, for whichever thread has time for it."""
        waiting = dict(self.checkpoints)
        return [_row(found, waiting) for found in self.found]


async def exported_pages(asked: Search, search: DecisionSearch, decisions: DecisionLog) -> AsyncIterator[Exported]:
    """This function will give what the search finds, page by page."""
    position, shown = None, set()
    while True:
        page = await search.page(asked, sort=Sort.NEWEST, limit=PAGE_ROWS, position=position)
        checkpoints = {}
        for lender in dict.fromkeys(found.lender for found in page.rows if found.lender not in shown):
            # Read after the first page, whose beginning is the end of the listing: so it covers every row.
            newest = await decisions.newest_checkpoint(lender)
            checkpoints[lender] = "" if newest is None else newest.note.decode()
            shown.add(lender)
        if page.rows:
            yield Exported(page.rows, checkpoints)
        position = page.following
        if position is None:
            return


def _row(found: FoundRow, waiting: dict[str, str]) -> Row:
    place = orjson.loads(b"{" + found.answer[found.answer.rindex(b'"audit_record":') :])["audit_record"]
    return exported_row(
        found.record,
        origin=place["origin"],
        index=found.index,
        leaf_hash=place["leaf_hash"],
        checkpoint=waiting.pop(found.lender, None),
    )
