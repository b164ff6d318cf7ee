"""Reviews on the wire: what people send, and what is answered."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from app.api.answers import Answered, DecisionAnswer, Id, Moment, Money, Name, NextCursor, PlaceInLog, Words200
from app.api.fields import Code, Cursor, Instant, ProductId, Text
from app.api.schemas import Sent, _Page
from app.domain.review import ReviewOutcome, ReviewReason

ReviewOutcomeName = Literal["APPROVED_BY_PERSON", "DECLINED_BY_PERSON", "RESUBMIT"]
ReviewReasonName = Literal[
    "FACTS_VERIFIED", "EVIDENCE_SEEN", "RISK_ACCEPTED", "FACTS_NOT_CONFIRMED", "RISK_NOT_ACCEPTED",
    "WITHDRAWN_BY_COMPANY", "INFORMATION_NEEDED", "SCORE_NEEDED", "CORRECTION_NEEDED", "OTHER",
]  # fmt: skip
_CODES = "；".join(f"{reason.name} {reason.words.zh} {reason.words.en}" for reason in ReviewReason)


class ReviewReasonSent(Sent):
    """复核理由。Why."""

    code: ReviewReasonName = Field(description=f"理由代码，须与结果相符。A code that goes with the outcome: {_CODES}.")
    text: Text = Field(description="说明，供日后查阅。In words, for whoever reads it later. No personal data.")


class ReviewRequest(Sent):
    """人对转人工决策的复核。What a person decides on a referral."""

    outcome: ReviewOutcomeName = Field(
        description="人工批准、人工拒绝（均为最终），或补充后重新提交。Approved or declined, both final; or resubmit."
    )
    reason: ReviewReasonSent

    @model_validator(mode="after")
    def _goes_with_its_reason(self) -> ReviewRequest:
        if ReviewOutcome(self.outcome) not in ReviewReason[self.reason.code].outcomes:
            raise PydanticCustomError("review_reason", "a reason of another outcome")
        return self


class ReasonOfReview(Answered):
    """复核理由。Why."""

    code: ReviewReasonName
    text: Words200


class ReviewAnswer(Answered):
    """复核记录，及其在审计日志中的位置。A review as it was recorded, and its place in the audit log."""

    record_id: Id
    recorded_at: Moment
    state: ReviewOutcomeName
    decision_id: Id
    application_id: Name
    product: Name
    outcome: ReviewOutcomeName
    final: bool = Field(description="是否最终。Whether nothing more is decided on this referral.")
    reason: ReasonOfReview
    reviewer: Name = Field(description="复核人。The subject who reviewed.")
    audit_record: PlaceInLog


class DecisionRead(DecisionAnswer):
    """授信决策；转人工者附最近一次复核。A decision; a referral with its last review."""

    review: ReviewAnswer | None = Field(
        default=None,
        description="仅转人工：最近一次复核，null 为尚无。Of a referral alone: the last review; null is none yet.",
    )


class OpenReferralShown(Answered):
    """待复核的转人工决策。A referral that waits for a person."""

    decision_id: Id
    lender: Name
    branch: Name | None
    product: Name
    zone: Name
    application_id: Name
    uscc: Name
    requested_amount: Money
    reasons: Annotated[list[Name], Field(max_length=500)]
    recorded_at: Moment
    waiting_days: Annotated[int, Field(ge=0, le=100_000, json_schema_extra={"format": "int32"})] = Field(
        description="已等待的整日数。Whole days it has waited."
    )
    asked_again_at: Moment | None = Field(
        description="最近一次要求重新提交的时刻。When it was last asked to be sent again."
    )


class ReviewQueuePage(Answered):
    """待复核队列，最久者在先。Open referrals, the oldest first."""

    items: Annotated[list[OpenReferralShown], Field(max_length=200)]
    next_cursor: NextCursor


class QueueQuery(_Page):
    """Which open referrals to show."""

    model_config = ConfigDict(extra="forbid", strict=False)

    lender: Code | None = Field(None, description="机构代码。Lender.")
    branch: Code | None = Field(None, description="经办机构代码。Branch.")
    product: ProductId | None = Field(None, description="产品编号。Product.")
    zone: Code | None = Field(None, description="高新区代码。Zone.")
    recorded_until: Instant | None = Field(
        None, description="记录于此时刻之前（即至少已等待多久）。Recorded before: which have waited at least so long."
    )
    resubmitted: bool | None = Field(
        None,
        description="true：已要求重新提交；false：尚无人处理。true: asked for again; false: not looked at yet.",
    )
    cursor: Cursor | None = Field(None, description="上一页的 next_cursor。next_cursor of the page before.")
