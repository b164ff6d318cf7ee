"""复核: a referral is not a dead end — a person decides, and that is a record of the lender's log.

Neighbours may rely on this: only a referral is reviewed, and only the newest decision of its application; of final
reviews there is one a decision, whoever asks at the same moment; a review changes nothing of the decision and promises
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Protocol

import orjson

from app.domain.decision import Outcome
from app.domain.review import ReviewOutcome
from app.usecases.act_rows import ActsWanted, StoredAct
from app.usecases.acts import Act, Result, Work
from app.usecases.obstacles import AlreadyReviewed, NotReferred, ReferralSuperseded
from app.usecases.ports import StoredDecision


@dataclass(frozen=True, slots=True)
class Referral:
    """What a review needs to know of the decision that it is about."""

    decision_id: str
    lender: str
    application_id: str
    product: str

    @classmethod
    def of(cls, stored: StoredDecision) -> Referral:
        """This function will read it from a decision. Raises NotReferred for any other outcome."""
        decided = orjson.loads(stored.answer)
        if decided["outcome"] != Outcome.REFERRED:
            raise NotReferred
        return cls(stored.decision_id, stored.lender, decided["application_id"], decided["product"]["id"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Review(Act):
    """One person's decision on a referral; the subject is the decision."""

    format: ClassVar[str] = "jifendai/review/1"

    referral: Referral

    def wants(self) -> ActsWanted:
        """This function will ask for the reviews so far, and for the newest decision of the application."""
        subject = (self.lender, self.subject)
        return ActsWanted(subjects=(subject,), applications=((self.lender, self.referral.application_id),))

    def seal_into(self, work: Work, record_id: str) -> Result:
        """This function will record the review. Raises AlreadyReviewed, ReferralSuperseded."""
        referral = self.referral
        so_far = [act for act in work.history(self.lender, self.subject) if act.format == self.format]
        if any(ReviewOutcome(act.state).is_final for act in so_far):
            raise AlreadyReviewed
        newest = work.newest_decision(self.lender, referral.application_id)
        if newest is not None and newest != self.subject:
            raise ReferralSuperseded
        sent = orjson.loads(self.document)
        outcome = ReviewOutcome(sent["outcome"])
        return Result(
            outcome.value,
            {
                "decision_id": self.subject,
                "application_id": referral.application_id,
                "product": referral.product,
                "outcome": outcome.value,
                "final": outcome.is_final,
                "reason": {"code": sent["reason"]["code"], "text": sent["reason"]["text"]},
                "reviewer": self.submitted_by,
            },
        )


def newest_review(acts: Sequence[StoredAct]) -> Mapping[str, Any] | None:
    """This function will return the last review among the acts on a decision, as it was answered."""
    reviews = [act for act in acts if act.format == Review.format]
    return orjson.loads(reviews[-1].answer) if reviews else None


# ---- the queue ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """Which open referrals; `scope` as in a search. `resubmitted` True: those whose application was asked for again."""

    scope: tuple[str, ...]
    product: str | None = None
    branch: str | None = None
    zone: str | None = None
    recorded_until: datetime | None = None
    resubmitted: bool | None = None


@dataclass(frozen=True, slots=True)
class OpenReferral:
    """A referral on which nobody has decided finally, and whose application has no newer decision; amounts in fen.
    `asked_again_at` is when it was last asked to be sent again.
    """

    decision_id: str
    lender: str
    recorded_at: datetime
    application_id: str
    product: str
    branch: str | None
    zone: str
    uscc: str
    reasons: tuple[str, ...]
    requested_amount: int
    asked_again_at: datetime | None


class ReviewQueue(Protocol):
    """The referrals that wait for a person."""

    async def open_referrals(
        self, asked: QueueFilter, *, limit: int, after: tuple[datetime, str] | None
    ) -> Sequence[OpenReferral]:
        """This function will return up to `limit` open referrals, oldest first, strictly after the position
        (recorded_at, decision_id).
        """
        ...
