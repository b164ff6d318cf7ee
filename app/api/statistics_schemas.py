"""What statistics and reports answer, as models for the documentation alone.

Neighbours may rely on this: nothing here runs on the road of a request; contract tests hold the answer to these models.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from app.api.answers import Answered, Count, Date, Moment, Money, Name, NextCursor, PreviewShown, Share

ScoreShown = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?$", max_length=24)]


class GroupKey(Answered):
    """分组；未按其分组者为 null。The group; null where decisions are not grouped by it or have none."""

    day: Date | None
    month: Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}$", max_length=7)] | None
    zone: Name | None
    product: Name | None
    lender: Name | None
    stage: Name | None
    outcome: Name | None
    campaign: Name | None
    score_band: Name | None = Field(description="积分档起点，档宽 10 分。Where the band of ten points begins.")


class OutcomesCounted(Answered):
    """各结果的决策数。Decisions by outcome."""

    PRE_APPROVED: Count
    REFERRED: Count
    DECLINED: Count


class LimitsStated(Answered):
    """预授信额度：仅供参考，非授信、非放款。Limits indicated: no commitment, nothing lent."""

    total: Money
    lower_quartile: Money | None
    median: Money | None
    upper_quartile: Money | None


class CampaignsStated(Answered):
    """预授信活动所作：尚未向企业提供，不计入其他金额。What campaigns pre-approved: offered to nobody yet."""

    pre_approved: Count
    pre_approved_limit: Money


class ScoresStated(Answered):
    """积分，以其方案自身分制计；跨高新区分制不同，四分位为空。Scores, on their scheme's own scale; over several
    zones there are no quartiles, as their points differ.
    """

    known: Count
    lower_quartile: ScoreShown | None
    median: ScoreShown | None
    upper_quartile: ScoreShown | None


class ReasonCounted(Answered):
    """原因及决策数。A reason, and in how many decisions it stands."""

    code: Name
    decisions: Count


class StepCounted(Answered):
    """决定额度的步骤及决策数。The step that set the limit, and in how many decisions it did."""

    step: Name
    decisions: Count


class ReviewCounted(Answered):
    """人工复核的结论及决策数。What people made of referrals."""

    state: Name
    decisions: Count


class ReferralsStated(Answered):
    """转人工的决策中，已由人复核的与待复核的。Referrals that people have decided, and those that wait."""

    reviewed: Count
    waiting: Count
    by_state: Annotated[list[ReviewCounted], Field(max_length=20)]


class GroupStated(Answered):
    """一组决策。One group of decisions."""

    group: GroupKey
    decisions: Count
    outcomes: OutcomesCounted
    pre_approval_rate: Share | None = Field(
        description="预授信数占决策数，非银行审批通过率。Pre-approved of all decided; not the bank's own approvals."
    )
    requested_amount: Money = Field(description="申请金额合计。Amounts asked for, together.")
    pre_approved_limit: LimitsStated
    score: ScoresStated
    top_reasons: Annotated[list[ReasonCounted], Field(max_length=10)]
    decisive_components: Annotated[list[StepCounted], Field(max_length=100)]
    interest_subsidy_maximum: Money = Field(
        description="贴息最高额合计：全额用款、满期、按时付息。"
        "At most, if fully drawn for the whole tenor and paid on time."
    )
    covered_amount: Money = Field(
        description="拟补偿金额合计：补偿资金池未必已预留。Under a pool's proposed cover; not necessarily reserved."
    )
    referrals: ReferralsStated


class StatisticsAnswer(Answered):
    """决策统计。Statistics of decisions: of decisions, not of companies and not of money lent."""

    recorded_from: Moment | None
    recorded_until: Moment | None
    by: Annotated[list[Name], Field(max_length=8)]
    total: GroupStated
    groups: Annotated[list[GroupStated], Field(max_length=1000)]


class RepeatedPreviewShown(Answered):
    """同一企业、同一产品以不同事实反复试算。One company and product, previewed with different facts."""

    lender: Name
    product: Name
    zone: Name
    uscc: Name
    previews: Count
    variants: Count = Field(description="不同的事实有几组。How many different sets of facts.")
    first_previewed_at: Moment
    last_previewed_at: Moment
    previewed_by: Annotated[list[Name], Field(max_length=20)]
    improved: bool = Field(description="所列末次结果优于首次。The last one listed came out better than the first.")
    attempts: Annotated[list[PreviewShown], Field(max_length=20)] = Field(
        description="按时间先后，至多 20 次。In order, at most 20."
    )


class RepeatedPreviewPage(Answered):
    """反复试算报告，由新到旧。Repeated previews, newest first."""

    previewed_from: Moment
    previewed_until: Moment
    items: Annotated[list[RepeatedPreviewShown], Field(max_length=200)]
    next_cursor: NextCursor
