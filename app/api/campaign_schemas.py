"""What is sent and answered about campaigns: shapes for the documentation, and for reading bodies.

Neighbours may rely on this: answers themselves are built from the campaign's row; contract tests hold them to these.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from app.api.answers import Answered, Count, Id, Moment, Money, Name, NextCursor, PlaceInLog
from app.api.fields import Code, Cursor, Day, EvidenceCode, PositiveAmount, ProductId, ScoreText, Text, whole
from app.api.schemas import (
    AuthorisationSent,
    CompanySent,
    CreditHistorySent,
    EvidenceSent,
    FinancialsSent,
    ScoreSent,
    Sent,
)

StateName = Literal["FORECASTING", "READY", "RUNNING", "PAUSED", "FINISHED", "CANCELLED"]
Products = Annotated[list[ProductId], Field(min_length=1, max_length=20)]


class CampaignRequestSent(Sent):
    """每家企业申请什么；名单写明的优先。What is asked for each company; what the list says counts before it."""

    amount: PositiveAmount = Field(description="金额，元。Amount in yuan.")
    tenor_months: whole(1, 360) = Field(description="期限（月）。Tenor in months.")
    purpose: Code = Field(description="贷款用途代码。Code of the purpose.")


class CompanyListed(Sent):
    """名单中的一家企业。A company of the list."""

    company: CompanySent
    innovation_score: ScoreSent | None = None
    financials: FinancialsSent | None = None
    evidence: Annotated[dict[EvidenceCode, EvidenceSent], Field(max_length=50)] | None = None
    credit_history: CreditHistorySent | None = None
    authorisation: AuthorisationSent | None = None


class SnapshotQuerySent(Sent):
    """以所存积分快照选取企业。Which of the companies whose scores are kept."""

    state: Literal["SCORED", "NOT_SCORED", "NOT_FOUND"] | None = Field(None, description="评价状态。The state.")
    stage: Code | None = Field(None, description="成长阶段代码。Stage.")
    field: Code | None = Field(None, description="技术领域代码。Field of technology.")
    score_min: ScoreText | None = Field(None, description="积分不低于。Score of at least.")
    score_max: ScoreText | None = Field(None, description="积分不高于。Score of at most.")
    rank_until: whole(1, 1_000_000) | None = Field(None, description="排名不低于第几名。Rank of at most.")


class CampaignSent(Sent):
    """预授信活动。A campaign: whom, which products, what is asked for."""

    name: Text = Field(description="名称。Name.")
    zone: Code = Field(description="高新区代码。Zone.")
    products: Products = Field(description="产品编号，同一机构。Products, of one lender.")
    request: CampaignRequestSent
    companies: Annotated[list[CompanyListed], Field(min_length=1, max_length=100)] | None = Field(
        None, description="名单；与 query 二选一，更长的以表格上传。The list, or `query`; a long one comes as a sheet."
    )
    query: SnapshotQuerySent | None = Field(None, description="从积分快照选取。Chosen from the scores that are kept.")


class CampaignSheetQuery(Sent):
    """A campaign whose list is a sheet."""

    model_config = Sent.model_config | {"strict": False}

    name: Text = Field(description="名称。Name.")
    zone: Code = Field(description="高新区代码。Zone.")
    products: Annotated[str, Field(max_length=2_600, pattern=r"^[a-z0-9/-]+(,[a-z0-9/-]+)*$")] = Field(
        description="产品编号，以逗号分隔。Products, by comma."
    )
    amount: PositiveAmount = Field(description="表中未写时每家申请的金额，元。Asked for where a row has none.")
    tenor_months: Annotated[int, Field(ge=1, le=360, json_schema_extra={"format": "int32"})] = Field(
        description="期限（月）。Tenor in months."
    )
    purpose: Code = Field(description="贷款用途代码。Code of the purpose.")
    as_of: Day | None = Field(None, description="表中无评价日期列时给出。The scores' day, where no column tells it.")
    scheme: Code | None = Field(None, description="积分体系代码，缺省为该区的。Scheme; the zone's if absent.")


class CampaignChangeSent(Sent):
    """启动、暂停或取消活动的说明。Why a campaign is run, paused or cancelled."""

    note: Text | None = Field(None, description="说明。A note.")


class CampaignsQuery(Sent):
    """Which page of campaigns."""

    model_config = Sent.model_config | {"strict": False}

    limit: Annotated[int, Field(ge=1, le=100, json_schema_extra={"format": "int32"})] = Field(
        50, description="每页条数，1 至 100。Rows a page, 1 to 100."
    )
    cursor: Cursor | None = Field(None, description="上一页的 next_cursor。next_cursor of the page before.")


class CampaignCounts(Answered):
    """已作出的决策：预授信不是授信，也不是放款。Decisions made so far: pre-approvals, no lines, nothing lent."""

    done: Count
    of: Count
    pre_approved: Count
    referred: Count
    declined: Count
    not_decided: Count
    pre_approved_limit: Money
    forecast_done: Count = Field(description="已测算的决策数。How many of them the forecast has come to.")


class ForecastReason(Answered):
    """一个原因及有它的决策数。A reason, and how many decisions would have it."""

    code: Name
    decisions: Count


class ForecastOutcomes(Answered):
    """各结果的数量。How many of each outcome."""

    PRE_APPROVED: Count
    REFERRED: Count
    DECLINED: Count


class ForecastPart(Answered):
    """测算结果：各结果数量、金额与原因。What it would come to: how many of each outcome, how much, and why not more."""

    outcomes: ForecastOutcomes
    not_decided: Count
    pre_approved_limit: Money
    covered_amount: Money
    top_reasons: Annotated[list[ForecastReason], Field(max_length=10)]


class ForecastOfProduct(ForecastPart):
    """一个产品的测算。One product's part."""

    product: Name


class ForecastOfPool(Answered):
    """资金池能否承受其应承担的部分；余量已计本机构的配额。

    Whether a pool would bear its part, `pool_amount`; its room counts the lender's quota.
    """

    pool: Name
    covered_amount: Money
    pool_amount: Money
    room: Money | None = Field(description="余量；null 为未知。What is left for this lender; null: nobody knows.")
    bears: bool | None
    would_bear: Money | None = Field(description="可承担的部分。What of pool_amount it could promise.")


class CampaignForecast(Answered):
    """预测：以当时的承诺情况按规则测算，不留记录。What would be decided now; nothing is kept."""

    total: ForecastPart
    products: Annotated[list[ForecastOfProduct], Field(max_length=20)]
    pools: Annotated[list[ForecastOfPool], Field(max_length=20)]


class CampaignConversion(Answered):
    """转化：预授信、申请、银行批准、提款，各为一数。Offered, applied, credit-approved, drawn: each by itself."""

    offered: Count
    offered_limit: Money
    applied: Count
    credit_approved: Count
    credit_approved_limit: Money
    drawn: Count
    disbursed: Money = Field(description="累计投放，含已还。Drawn in all, repaid or not.")


class CampaignAnswer(Answered):
    """预授信活动的现状。Where a campaign stands."""

    campaign_id: Id
    lender: Name
    branch: Name | None
    name: Name
    zone: Name
    state: StateName
    possible: Annotated[list[Name], Field(max_length=3)]
    products: Annotated[list[Name], Field(max_length=20)]
    companies: Count
    created_at: Moment
    created_by: Name
    source: dict[str, Any] = Field(description="名单的来源。Where the list is from.")
    counts: CampaignCounts
    forecast: CampaignForecast | None = Field(description="预测；null 为尚在测算。The forecast; null while it is made.")
    conversion: CampaignConversion | None


class CampaignPage(Answered):
    """活动清单，由新到旧。Campaigns, newest first."""

    items: Annotated[list[CampaignAnswer], Field(max_length=100)]
    next_cursor: NextCursor


class CampaignRecorded(Answered):
    """已记录。Recorded and durable."""

    record_id: Id
    recorded_at: Moment
    state: StateName
    campaign_id: Id
    act: Name
    audit_record: PlaceInLog

