"""Score snapshots in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.domain.score_snapshot import ScoreSnapshot
from app.usecases.score_snapshots import SnapshotFilter


class MemoryScoreSnapshots:
    """Keeps and finds snapshots."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], ScoreSnapshot] = {}

    async def keep(self, snapshots: Sequence[ScoreSnapshot]) -> int:
        """This function will keep those that are not kept yet, and return how many were new."""
        before = len(self._kept)
        for snapshot in snapshots:
            self._kept.setdefault((snapshot.lender, snapshot.snapshot_id), snapshot)
        return len(self._kept) - before

    async def newest(self, lender: str, zone: str, usccs: Sequence[str]) -> Mapping[str, ScoreSnapshot]:
        """This function will return the newest snapshot of each company that has one."""
        found = self._newest(lender, zone)
        return {uscc: found[uscc] for uscc in dict.fromkeys(usccs) if uscc in found}

    async def listed(
        self, lender: str, asked: SnapshotFilter, *, limit: int, after: str | None = None
    ) -> Sequence[ScoreSnapshot]:
        """This function will return the newest snapshots that fit, by code."""
        found = sorted(self._newest(lender, asked.zone).items())
        fitting = (one for uscc, one in found if (after is None or uscc > after) and _fits(one, asked))
        return tuple(fitting)[:limit]

    def _newest(self, lender: str, zone: str) -> dict[str, ScoreSnapshot]:
        mine = [one for one in self._kept.values() if (one.lender, one.zone) == (lender, zone)]
        mine.sort(key=lambda one: (one.observed_on, one.obtained_at, one.snapshot_id))
        return {one.uscc: one for one in mine}


def _fits(one: ScoreSnapshot, asked: SnapshotFilter) -> bool:
    score = one.score
    return (
        asked.state in (None, score.state)
        and asked.stage in (None, score.stage)
        and asked.field in (None, score.field)
        and (asked.score_from is None or (score.value is not None and score.value >= asked.score_from))
        and (asked.score_until is None or (score.value is not None and score.value <= asked.score_until))
        and (asked.rank_until is None or (score.rank is not None and score.rank.position <= asked.rank_until))
    )
