"""Companies that were previewed again and again with different facts: a report to look at, and no verdict.

Neighbours may rely on this: facts are different where the body that was sent is; a product counts by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from app.usecases.ports import PreviewRow


@dataclass(frozen=True, slots=True)
class RepeatedPreviews:
    """Which repetitions to report: previewed from (inclusive) until (exclusive), with at least so many different sets
    of facts. `after` is the last one shown: its newest preview, company and product.
    """

    scope: tuple[str, ...]
    since: datetime
    until: datetime
    least: int
    uscc: str | None = None
    after: tuple[datetime, str, str] | None = None


@dataclass(frozen=True, slots=True)
class RepeatedPreview:
    """One company and product: how often it was previewed, with how many different sets of facts, and the first of
    these previews, in order.
    """

    previews: int
    variants: int
    newest: datetime
    attempts: tuple[PreviewRow, ...]


class RepeatedPreviewLog(Protocol):
    """Reports who was previewed again and again."""

    async def repeated(self, asked: RepeatedPreviews, limit: int) -> Sequence[RepeatedPreview]:
        """This function will return companies that were previewed again and again, the newest first."""
        ...
