"""积分快照: one company's innovation score as one source told it once, and when.

Neighbours may rely on this: a snapshot never changes; a newer one stands beside it. Two times are kept apart: the day
that the score is of (`observed_on`) and the instant at which this installation got it (`obtained_at`, UTC). It belongs
to the lender for whom it was obtained, and no other lender's decision sees it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from app.domain.company import InnovationScore


@dataclass(frozen=True, slots=True)
class ScoreSnapshot:
    """积分快照. `score.source` says who vouches: the platform's query, or the sheet and its row. What is kept under one
    `snapshot_id` of a lender is kept once: whoever derives it from a file and a row may send the file again.
    """

    snapshot_id: str
    lender: str
    zone: str
    uscc: str
    score: InnovationScore
    obtained_at: datetime
    observed_on: date
    """The day that the score is of: its `as_of`, or the day in Shanghai on which it was obtained where none is told."""
    name: str | None = None
    """The company's name as the source wrote it."""
