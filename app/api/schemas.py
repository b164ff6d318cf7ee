"""What callers send: shapes only, strict, every field bounded, unknown keys refused.

Neighbours may rely on this: a document that passes `DecisionRequest` is read by `application_from_document` without
further questions of shape; what the codes in it mean is the catalogue's to say. Absent and null are the same, and
mean unknown. There is no field for a natural person's data. Dates and amounts stay strings here: the core gives them
their types.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.api.fields import (
    Amount,
    ApplicationId,
    Area,
    Code,
    Cursor,
    Day,
    DecisionId,
    EvidenceCode,
    GroupId,
    Industry,
    Instant,
    ParameterPath,
    PositiveAmount,
    ProductId,
    ReasonName,
    ScoreText,
    ShortText,
    SignedAmount,
    Text,
    Uscc,
    whole,
)

OutcomeName = Literal["PRE_APPROVED", "REFERRED", "DECLINED"]
ProductKindName = Literal["WORKING_CAPITAL_LOAN", "FIXED_ASSET_LOAN", "GUARANTEE", "LEASE"]


class Sent(BaseModel):
    """Common to everything callers send: nothing is coerced and nothing unknown is let through."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=False)


class QualificationSent(Sent):
    """资质。A qualification."""

    code: Code = Field(description="资质代码（目录），如 high-tech。Code of the catalogue, such as high-tech.")
    valid_until: Day | None = Field(None, description="有效期至（含当日）。Valid to the end of this day.")


class CompanySent(Sent):
    """企业。The company."""

    uscc: Uscc = Field(
        description="统一社会信用代码（GB 32100），核对校验位；首尾空格、全角与小写自动规范。"
        "Unified social credit code, check digit included; outer spaces, full width and lower case are normalised."
    )
    name: Text = Field(description="企业名称。Name of the company.")
    zone: Code = Field(description="所在高新区代码，见 /v1/zones。Code of the company's zone, see /v1/zones.")
    founded_on: Day | None = Field(None, description="成立日期。Date of founding.")
    in_zone_since: Day | None = Field(None, description="入园日期。Date of registration in the zone.")
    registered_area: Area | None = Field(
        None, description="注册地行政区划代码（GB/T 2260）。Division code of the place of registration."
    )
    industry_code: Industry | None = Field(None, description="国民经济行业代码（GB/T 4754）。Industry code.")
    size: Literal["MICRO", "SMALL", "MEDIUM", "LARGE"] | None = Field(
        None, description="企业规模。Size of the company."
    )
    employees: whole(0, 10_000_000) | None = Field(None, description="员工人数。Number of employees.")
    group_id: GroupId | None = Field(
        None,
        description="所属集团标识：统一授信按集团合并计算。Group of companies that the lender's cap counts together.",
    )
    qualifications: Annotated[list[QualificationSent], Field(max_length=50)] | None = Field(
        None, description="资质；缺省为未知，空数组为没有。Qualifications; absent is unknown, an empty array is none."
    )


class RankSent(Sent):
    """积分排名。A rank."""

    position: whole(1, 10_000_000) = Field(description="名次，从 1 起。Position, from 1.")
    within: Literal["ZONE", "STAGE", "STAGE_AND_FIELD"] = Field(
        description="排名范围。Among whom the rank was counted."
    )


class SourceSent(Sent):
    """积分来源。Who vouches for the score."""

    kind: Literal["PLATFORM_QUERY", "SCORE_SHEET", "SELF_DECLARED"] = Field(
        description="平台查询、积分情况表或企业自报；自报转人工。"
        "Platform query, score sheet, or the company's own word, which refers."
    )
    reference: Text | None = Field(None, description="查询或文件编号。Reference of the query or sheet.")
    obtained_at: Instant | None = Field(None, description="取得时刻（UTC）。When it was obtained.")


class ScoreSent(Sent):
    """企业创新积分。The innovation score."""

    scheme: Code = Field(description="积分体系代码。Code of the score scheme.")
    scheme_version: ShortText | None = Field(None, description="积分体系版本。Version of the scheme.")
    state: Literal["SCORED", "NOT_SCORED", "NOT_FOUND"] = Field(
        description="已评分、已纳入未评分、查无此企业。Scored; known but not scored; not found."
    )
    value: ScoreText | None = Field(None, description="创新积分原始值，十进制字符串。Raw score as a decimal string.")
    grade: ShortText | None = Field(None, description="积分等级。Grade.")
    vetoed: bool | None = Field(None, description="是否一票否决。Whether the score was vetoed.")
    stage: Code | None = Field(None, description="成长阶段代码。Code of the company stage in that scheme.")
    field: Code | None = Field(None, description="技术领域代码。Code of the field of technology.")
    rank: RankSent | None = Field(None, description="排名。Rank.")
    as_of: Day | None = Field(
        None, description="积分所属日期；不得晚于决策日。Day the score is of; never after the decision."
    )
    valid_until: Day | None = Field(None, description="积分有效期至。Last day on which the score is valid.")
    source: SourceSent | None = Field(None, description="来源。Who vouches for it.")


class FinancialsSent(Sent):
    """财务数据（一个会计年度）。Figures of one calendar year."""

    year: whole(1990, 2199) = Field(description="会计年度。Year.")
    basis: Literal["AUDITED", "TAX", "MANAGEMENT"] = Field(
        description="审计报告、纳税申报或管理报表。Audited, tax return, or management accounts."
    )
    revenue: Amount | None = Field(None, description="营业收入。Revenue.")
    previous_revenue: Amount | None = Field(None, description="上年营业收入。Revenue of the year before.")
    rd_expense: Amount | None = Field(None, description="研发费用。R&D expense.")
    net_profit: SignedAmount | None = Field(None, description="净利润，可为负。Net profit; may be negative.")
    net_assets: SignedAmount | None = Field(None, description="净资产，可为负。Net assets; may be negative.")
    total_assets: Amount | None = Field(None, description="总资产。Total assets.")
    latest_valuation: Amount | None = Field(None, description="最近一轮估值。Latest valuation.")
    working_capital: SignedAmount | None = Field(None, description="营运资金需求。Working-capital need.")


class EvidenceSent(Sent):
    """证明材料。A finding on paper."""

    established: bool = Field(description="是否成立。Whether it was established.")
    by: Text | None = Field(None, description="认定机构。By whom.")
    reference: Text | None = Field(None, description="文件编号。Where to find it.")
    on: Day | None = Field(None, description="认定日期。Its day.")


class ListingsSent(Sent):
    """名单。Lists of public credit information."""

    judgment_defaulter: bool | None = Field(None, description="失信被执行人。Judgment defaulter.")
    abnormal_operation: bool | None = Field(None, description="经营异常名录。List of abnormal operation.")
    serious_illegal: bool | None = Field(None, description="严重违法失信名单。List of serious illegality.")


class CreditHistorySent(Sent):
    """信用记录。Credit history."""

    first_loan: bool | None = Field(None, description="是否首贷。Whether this is the company's first loan.")
    past_due_days: whole(0, 36_500) | None = Field(None, description="当前逾期天数。Days past due at present.")
    credit_elsewhere: Amount | None = Field(None, description="他行授信。Credit at other lenders.")
    listings: ListingsSent | None = Field(None, description="名单核查。What the lists say.")


class AuthorisationSent(Sent):
    """数据使用授权。The company's consent to use its data."""

    reference: Text = Field(description="授权书编号。Reference of the consent.")
    granted_on: Day = Field(description="授权日期。Day on which it was granted.")
    valid_until: Day | None = Field(None, description="授权有效期至（含当日）。Valid to the end of this day.")


class CreditRequestSent(Sent):
    """授信申请。What is asked for."""

    amount: PositiveAmount = Field(description="申请金额，元，十进制字符串。Amount in yuan as a decimal string.")
    tenor_months: whole(1, 360) = Field(description="申请期限（月）。Tenor in months.")
    purpose: Code = Field(description="贷款用途代码（目录）。Code of the purpose, from the catalogue.")
    replaces: DecisionId | None = Field(
        None,
        description="被本次授信替换的原预授信编号（增额）。The offer that the new line replaces (an increase).",
    )


class _Facts(Sent):
    company: CompanySent
    request: CreditRequestSent
    innovation_score: ScoreSent | None = Field(None, description="企业创新积分。The innovation score.")
    financials: FinancialsSent | None = Field(None, description="财务数据。Figures.")
    evidence: Annotated[dict[EvidenceCode, EvidenceSent], Field(max_length=50)] | None = Field(
        None, description="证明材料，键为目录代码。Findings on paper, keyed by the catalogue's evidence codes."
    )
    credit_history: CreditHistorySent | None = Field(None, description="信用记录。Credit history.")
    authorisation: AuthorisationSent | None = Field(
        None, description="数据使用授权；缺失转人工。Consent; missing refers."
    )


class DecisionRequest(_Facts):
    """授信决策申请。An application for a decision."""

    application_id: ApplicationId = Field(description="贵方申请编号。Your own id of the application.")
    product: ProductId = Field(description="产品编号，见 /v1/products。Product id, see /v1/products.")


class PreviewRequest(_Facts):
    """预览：不作决策。The same application, previewed: no decision is made."""

    application_id: ApplicationId = Field(description="贵方申请编号。Your own id of the application.")
    product: ProductId | None = Field(
        None,
        description="缺省则试算该高新区内您可见机构的全部产品。Without it: every product of your lenders in that zone.",
    )
    on: Day | None = Field(
        None, description="按哪一天的条款试算，缺省为今日（上海）。Policy day; today in Shanghai if absent."
    )


# ---- queries ---------------------------------------------------------------------------------------------------------


class _Page(Sent):
    # A query's values are all text, so numbers are read from text here and nowhere else.
    model_config = ConfigDict(extra="forbid", strict=False)

    limit: Annotated[int, Field(ge=1, le=200, json_schema_extra={"format": "int32"})] = Field(
        50, description="每页条数，1 至 200。Rows a page, 1 to 200."
    )


SortName = Literal["newest", "oldest", "score", "requested_amount", "credit_limit"]


class DecisionFilters(Sent):
    """Which decisions are meant; all filters must hold."""

    model_config = ConfigDict(extra="forbid", strict=False)

    lender: Code | None = Field(None, description="机构代码。Lender.")
    branch: Code | None = Field(None, description="经办机构代码。Branch.")
    zone: Code | None = Field(None, description="高新区代码。Zone.")
    product: ProductId | None = Field(None, description="产品编号。Product.")
    stage: Code | None = Field(None, description="成长阶段代码。Company stage.")
    outcome: OutcomeName | None = Field(None, description="结果。Outcome.")
    reason: ReasonName | None = Field(None, description="原因代码，见 /v1/reasons。Reason code, see /v1/reasons.")
    decisive: ParameterPath | None = Field(
        None, description="决定额度的步骤。The step that set the credit limit, such as credit_limit.score_band."
    )
    assumption: ParameterPath | None = Field(
        None, description="所用的示例取值。A parameter used that no source states, such as gates.minimum_score."
    )
    exception: ParameterPath | None = Field(
        None,
        description="破格作出的决策：any，或被豁免的准入条件。Made by an exception: any, or the gate that was let go.",
    )
    campaign: DecisionId | None = Field(None, description="预授信活动编号。Campaign.")
    uscc: Uscc | None = Field(None, description="统一社会信用代码。Unified social credit code.")
    application_id: ApplicationId | None = Field(None, description="申请编号。Application.")
    score_min: ScoreText | None = Field(None, description="积分不低于。Score of at least.")
    score_max: ScoreText | None = Field(None, description="积分不高于。Score of at most.")
    requested_min: Amount | None = Field(None, description="申请金额不低于，元。Amount asked for of at least.")
    requested_max: Amount | None = Field(None, description="申请金额不高于，元。Amount asked for of at most.")
    credit_limit_min: Amount | None = Field(None, description="预授信额度不低于，元。Limit indicated of at least.")
    credit_limit_max: Amount | None = Field(None, description="预授信额度不高于，元。Limit indicated of at most.")
    decided_from: Day | None = Field(None, description="决策日起（含）。Decided on or after.")
    decided_until: Day | None = Field(None, description="决策日止（不含）。Decided before.")
    recorded_from: Instant | None = Field(None, description="记录时刻起（含）。Recorded at or after.")
    recorded_until: Instant | None = Field(None, description="记录时刻止（不含）。Recorded before.")


class DecisionsQuery(DecisionFilters, _Page):
    """A search for decisions."""

    sort: SortName = Field(
        "newest",
        description="排序：由新到旧、由旧到新，或由高到低（缺值在后）。By time, or the greatest first, none last.",
    )
    count: bool = Field(False, description="true：同时计数。true: say how many there are, too.")
    cursor: Cursor | None = Field(None, description="上一页的 next_cursor。next_cursor of the page before.")


class StatisticsQuery(DecisionFilters):
    """Which decisions to count, and by what to group them."""

    by: Annotated[str, Field(pattern=r"^[a-z_]+(,[a-z_]+)*$", min_length=1, max_length=80)] | None = Field(
        None,
        description="分组维度，逗号分隔：day、month、zone、product、lender、stage、outcome、score_band。"
        "Dimensions, separated by commas; without it everything is one group.",
    )


class PreviewsQuery(_Page):
    """What a search for previews may ask for."""

    lender: Code | None = Field(None, description="机构代码。Lender.")
    uscc: Uscc | None = Field(None, description="统一社会信用代码。Unified social credit code.")
    previewed_by: ShortText | None = Field(None, description="由谁试算。Subject who previewed.")
    cursor: Cursor | None = Field(None, description="上一页的 next_cursor。next_cursor of the page before.")


class RepeatedPreviewsQuery(_Page):
    """Which repeated previews to report."""

    lender: Code | None = Field(None, description="机构代码。Lender.")
    uscc: Uscc | None = Field(None, description="统一社会信用代码。Unified social credit code.")
    previewed_from: Day | None = Field(
        None, description="试算日起（含，上海），缺省为 30 日前。Previewed on or after; 30 days ago if absent."
    )
    previewed_until: Day | None = Field(None, description="试算日止（不含）。Previewed before; to now if absent.")
    variants: Annotated[int, Field(ge=2, le=100, json_schema_extra={"format": "int32"})] = Field(
        3, description="至少以几组不同的事实试算。With at least so many different sets of facts."
    )
    cursor: Cursor | None = Field(None, description="上一页的 next_cursor。next_cursor of the page before.")


class OperatorRecordsQuery(_Page):
    """Which page of the operator's records to show."""

    cursor: Cursor | None = Field(None, description="上一页的 next_cursor。next_cursor of the page before.")


class ProductsQuery(Sent):
    """Which products of the shelf to show, as of which day."""

    zone: Code | None = Field(None, description="高新区代码。Zone.")
    lender: Code | None = Field(None, description="机构代码。Lender.")
    kind: ProductKindName | None = Field(None, description="产品种类。Kind of product.")
    on: Day | None = Field(
        None, description="截至哪一天，缺省为今日（上海）。As of which day; today in Shanghai if absent."
    )


class ProductQuery(Sent):
    """As of which day a product's terms are shown."""

    on: Day | None = Field(
        None, description="截至哪一天，缺省为今日（上海）。As of which day; today in Shanghai if absent."
    )


class ConsistencyQuery(Sent):
    """From which size of a log to which the proof leads."""

    model_config = ConfigDict(extra="forbid", strict=False)

    from_: Annotated[int, Field(ge=1, le=2**53 - 1, json_schema_extra={"format": "int64"})] = Field(
        alias="from", description="较早的日志大小，至少为 1。Size of the earlier log, at least 1."
    )
    to: Annotated[int, Field(ge=1, le=2**53 - 1, json_schema_extra={"format": "int64"})] | None = Field(
        None, description="较新的日志大小，缺省为最新检查点。Size of the later log; the newest checkpoint if absent."
    )
