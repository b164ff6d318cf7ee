"""What people made of a demonstration's referrals: reviews, some batches after the decision that they are about.

Neighbours may rely on this: the same seed and decisions give the same reviews; three referrals of four are reviewed,
and a referral whose application was asked for again meanwhile is left as it is.
"""

from __future__ import annotations

import contextlib
import random
from collections import deque
from typing import Any

import orjson

from app.adapters.desk import Desk
from app.audit.canonical import canonical_bytes
from app.domain.review import ReviewOutcome, ReviewReason
from app.usecases.obstacles import Obstacle
from app.usecases.review import Referral, Review

_REVIEWED, _AFTER_BATCHES = 0.75, (2, 60)
_LIKELY = {
    ReviewOutcome.APPROVED_BY_PERSON: 55, ReviewOutcome.DECLINED_BY_PERSON: 30, ReviewOutcome.RESUBMIT: 15,
}  # fmt: skip
_REASONS = {
    outcome: [reason for reason in ReviewReason if outcome in reason.outcomes and reason is not ReviewReason.OTHER]
    for outcome in ReviewOutcome
}


class Reviewers:
    """People who look at referrals, batch by batch."""

    def __init__(self, seed: int) -> None:
        # Nothing here is secret: what is drawn has to come out the same again.
        self._draw = random.Random(f"{seed} reviews")  # nosec B311
        self._seed = seed
        self._batch = self._made = 0
        self._waiting: dict[int, deque[Referral]] = {}

    def hear(self, answer: bytes) -> None:
        """This function will put a referral among those that somebody will look at, or leave it to the queue."""
        if self._draw.random() >= _REVIEWED:
            return
        found = orjson.loads(answer)
        referral = Referral(
            found["decision_id"], found["product"]["lender"]["id"], found["application_id"], found["product"]["id"]
        )
        self._waiting.setdefault(self._batch + self._draw.randint(*_AFTER_BATCHES), deque()).append(referral)

    async def review(self, desk: Desk[Any]) -> None:
        """This function will record the reviews that are due with the next batch."""
        self._batch += 1
        asked = [desk.submit(self._review(referral)) for referral in self._waiting.pop(self._batch, ())]
        for one in asked:
            # The application was asked for again meanwhile: its newer decision stands in this one's place.
            with contextlib.suppress(Obstacle):
                await one

    def _review(self, referral: Referral) -> Review:
        [outcome] = self._draw.choices(list(_LIKELY), list(_LIKELY.values()))
        reason = self._draw.choice(_REASONS[outcome])
        self._made += 1
        document = {"outcome": outcome.value, "reason": {"code": reason.name, "text": reason.words.zh}}
        return Review(
            lender=referral.lender, subject=referral.decision_id, document=canonical_bytes(document),
            idempotency_key=f"history-review-{self._seed}-{self._made}", submitted_by="demo-second-officer",
            referral=referral,
        )  # fmt: skip
