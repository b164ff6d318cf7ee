"""Score snapshots: what platforms and sheets have told, kept per lender.

Neighbours may rely on this: of one company's snapshots in a zone the newest counts, which is the one of the latest
`observed_on`, then of the latest `obtained_at`, then of the greatest id; one that was kept before is never written
again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from app.domain.company import ScoreState
from app.domain.score_snapshot import ScoreSnapshot


@dataclass(frozen=True, slots=True)
class SnapshotFilter:
    """What a list asks for, of the companies' newest snapshots in one zone; None means any. Bounds are inclusive, and
    a snapshot without the value that a bound is about is left out.
    """

    zone: str
    state: ScoreState | None = None
    stage: str | None = None
    field: str | None = None
    score_from: Decimal | None = None
    score_until: Decimal | None = None
    rank_until: int | None = None


class ScoreSnapshots(Protocol):
    """Where snapshots are kept."""

    async def keep(self, snapshots: Sequence[ScoreSnapshot]) -> int:
        """This function will keep, in one transaction, those that are not kept yet, by lender and id, and return how
        many were new.
        """

    async def newest(self, lender: str, zone: str, usccs: Sequence[str]) -> Mapping[str, ScoreSnapshot]:
        """This function will return the newest snapshot of each company that has one, by code."""

    async def listed(
        self, lender: str, asked: SnapshotFilter, *, limit: int, after: str | None = None
    ) -> Sequence[ScoreSnapshot]:
        """This function will return up to `limit` companies' newest snapshots that fit, by code, strictly after the
        code `after`.
        """
