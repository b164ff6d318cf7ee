"""What the service answers, as models for the documentation alone: answers themselves are bytes that were recorded.

Neighbours may rely on this: nothing here runs on the road of a request; contract tests hold every answer to these
models. A field has a default only where an answer may lack it, so that every other is published as required.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_EXAMPLE_MONEY = "10000000.00"
Money = Annotated[str, Field(pattern=r"^-?[0-9]+\.[0-9]{2}$", max_length=20, description="元。Yuan.")]
Rate = Annotated[str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$", max_length=24, description="年利率。A year.")]
Share = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?$", max_length=24, description="0 至 1。From 0 to 1.")]
Date = Annotated[str, Field(json_schema_extra={"format": "date"}, max_length=10)]
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"}, max_length=32)]
Id = Annotated[str, Field(json_schema_extra={"format": "uuid"}, max_length=36)]
Words200 = Annotated[str, Field(max_length=2000)]
Name = Annotated[str, Field(max_length=200)]
Count = Annotated[int, Field(ge=0, le=2**53 - 1, json_schema_extra={"format": "int64"})]
Hash = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9+/]{43}=$", max_length=44, description="哈希，base64。A hash in base64.")
]
NextCursor = Annotated[str, Field(max_length=2048)] | None


class Answered(BaseModel):
    """Common to what is answered."""

    model_config = ConfigDict(extra="ignore")


class BothLanguages(Answered):
    """中英文。A text in both languages."""

    zh: Words200
    en: Words200


class ReferenceShown(Answered):
    """依据：published 为来源所载，assumed 为示例取值。What a value rests on: a source, or an assumption of ours."""

    basis: Literal["published", "assumed"]
    title: Words200 | None


class BranchShown(Answered):
    """经办机构。The branch."""

    id: Name
    name: Name


class LenderShown(Answered):
    """机构。The lender."""

    id: Name
    name: Name
    branch: BranchShown | None


class ProductDecided(Answered):
    """作出决策的产品及其条款摘要。The product, and the digest of the terms that were used."""

    id: Name
    name: Name
    name_en: Name
    lender: LenderShown
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$", max_length=71)]


class RateBasisShown(Answered):
    """利率由来。How the rate came about."""

    kind: Literal["LPR", "FIXED", "DISCOUNT", "CEILING"]
    term: Name | None
    lpr: Rate | None
    published_on: Date | None
    spread_bps: Annotated[int, Field(ge=-10_000, le=10_000, json_schema_extra={"format": "int32"})] | None
    conventional_rate: Rate | None
    discount_share: Share | None
    fixed_at: Literal["CONTRACT"]


class SubsidyShown(Answered):
    """贴息项目。One programme of interest subsidy."""

    id: Name
    name: BothLanguages
    base: Literal["INTEREST_SHARE", "PRINCIPAL_RATE", "LPR_SHARE"]
    share_up_to: Share
    claim: Literal["BY_COMPANY", "AUTOMATIC"]
    maximum_amount: Money


class InterestSubsidyShown(Answered):
    """贴息测算。What subsidies may come to, at most."""

    programmes: Annotated[list[SubsidyShown], Field(max_length=50)]
    maximum_amount: Money
    net_annual_rate_at_best: Rate
    note: BothLanguages


class LossShareShown(Answered):
    """损失分担。Who bears which share of one loss."""

    bearer: Name
    share: Share


class RiskCompensationShown(Answered):
    """风险补偿。Cover by a pool; what exceeds it is the lender's own."""

    status: Literal["NONE", "PROPOSED", "RESERVED", "CONFIRMED"]
    pool: Name | None
    covered_amount: Money
    reserved_amount: Money
    shares: Annotated[list[LossShareShown], Field(max_length=20)]


class ConditionShown(Answered):
    """前提条件。What the offer is subject to."""

    code: Name
    message: BothLanguages


class OfferPreviewed(Answered):
    """试算的预授信。The offer that would be made."""

    status: Literal["INDICATIVE"]
    note: BothLanguages
    requested_amount: Money
    credit_limit: Money = Field(description="额度，元。The limit in yuan.", examples=[_EXAMPLE_MONEY])
    currency: Literal["CNY"]
    tenor_months: Annotated[int, Field(ge=1, le=360, json_schema_extra={"format": "int32"})]
    expires_on: Date = Field(description="有效期至（含当日，上海）。Last day of the offer, in Shanghai.")
    annual_rate: Rate | None
    annual_rate_ceiling: Rate | None
    all_in_annual_cost: Rate | None = Field(
        description="综合年化成本，含担保费。All-in annual cost with guarantee fees."
    )
    rate_basis: RateBasisShown
    collateral_required: bool
    guarantee_required: bool
    guarantee_fee_rate: Rate | None
    interest_subsidy: InterestSubsidyShown
    risk_compensation: RiskCompensationShown
    conditions: Annotated[list[ConditionShown], Field(max_length=50)]


class OfferShown(OfferPreviewed):
    """预授信：仅供参考，不是银行承诺。A pre-approved offer: indicative, not the bank's commitment."""

    offer_id: Id


class ReasonShown(Answered):
    """原因。Why: a code of /v1/reasons, its severity and its words."""

    code: Name
    severity: Literal["DECLINE", "REFER", "INFO"]
    message: BothLanguages
    clause: Words200 | None


class StepShown(Answered):
    """决策过程的一步。A line of the trace."""

    step: Name
    answer: Any = Field(description="该步的结论。What the step answered.")
    decisive: bool
    facts: dict[str, Any] = Field(description="依据的事实。The facts it used.")
    reference: ReferenceShown | None


class PlaceInLog(Answered):
    """在审计日志中的位置。The decision's place in the audit log."""

    origin: Name
    index: Count
    leaf_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", max_length=64)]
    receipt: Name
    sm3: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", max_length=64)] | None = Field(
        default=None,
        description="启用国密时记录中的 SM3 摘要，否则无此项。The record's SM3 digest where switched on; else absent.",
    )


class PreviewedDecision(Answered):
    """一项产品的试算结果。What one product would answer."""

    application_id: Name
    outcome: Literal["PRE_APPROVED", "REFERRED", "DECLINED"] = Field(
        description="预授信、转人工、拒绝。Pre-approved, referred, or declined."
    )
    decided_on: Date = Field(description="决策日（上海）。The policy day, in Shanghai.")
    rules_edition: Name
    product: ProductDecided
    offer: OfferPreviewed | None
    reasons: Annotated[list[ReasonShown], Field(max_length=500)]
    trace: Annotated[list[StepShown], Field(max_length=1000)]
    assumptions: Annotated[list[Name], Field(max_length=500)] = Field(
        description="所用的示例取值（非银行公布）。Every parameter used that no source states."
    )


class DecisionAnswer(PreviewedDecision):
    """授信决策：三种结果同一形状。A decision; the same shape for every outcome."""

    decision_id: Id
    campaign: Id | None = Field(
        default=None,
        description="请其作出的预授信活动，尚非对企业的要约；他者无此项。"
        "The campaign whose run asked for it, so that it is an offer to nobody yet; else absent.",
    )
    offer: OfferShown | None
    revision: Annotated[int, Field(ge=1, le=2**31 - 1, json_schema_extra={"format": "int32"})]
    supersedes: Id | None = Field(description="被取代的上一决策。The decision that this one supersedes.")
    recorded_at: Moment = Field(description="记录时刻（UTC）。When it was recorded.")
    audit_record: PlaceInLog


class SearchedShown(Answered):
    """本页所查的时间范围。The window of time that this page has looked through; null is open."""

    complete: bool = Field(
        description="false：尚未查完，请用 next_cursor 继续。false: not all was looked through; next_cursor goes on."
    )
    recorded_from: Moment | None
    recorded_until: Moment | None


class CountShown(Answered):
    """符合条件的决策数；exact 为 false 时至少有这么多。How many there are; not exact: at least so many."""

    value: Count
    exact: bool


class DecisionPage(Answered):
    """决策列表。Decisions, in the order asked for."""

    items: Annotated[list[DecisionAnswer], Field(max_length=200)]
    next_cursor: NextCursor
    searched: SearchedShown
    count: CountShown | None


class DifferenceShown(Answered):
    """一处差异。One place where the decision made again differs from the recorded one."""

    pointer: Words200 = Field(description="JSON Pointer（RFC 6901）：决策中的位置。A place in the decision.")
    recorded: Any = Field(description="记录的内容，null 为没有。What was recorded; null is nothing.")
    recomputed: Any = Field(description="重算的内容，null 为没有。What came out now; null is nothing.")


class ReplayAnswer(Answered):
    """重算结果：与记录逐字节比对。The decision made again from its record, compared byte for byte."""

    result: Literal["IDENTICAL", "DIFFERENT"] = Field(description="完全一致、有差异。Identical, or different.")
    differences: Annotated[list[DifferenceShown], Field(max_length=5000)]


class ConsistencyAnswer(Answered):
    """一致性证明（RFC 6962）。Proof that the earlier log is the beginning of the later one."""

    model_config = ConfigDict(populate_by_name=True)

    from_: Annotated[int, Field(ge=1, le=2**53 - 1, json_schema_extra={"format": "int64"}, alias="from")]
    to: Count
    hashes: Annotated[list[Hash], Field(max_length=128)]


class OperatorRecord(Answered):
    """一项操作，见 docs/audit-record.md。One act of those who run the installation."""

    format: Literal["jifendai/operator/1"]
    act: Name
    by: Name = Field(description="操作人。The subject who acted.")
    recorded_at: Moment
    document: dict[str, Any] = Field(description="该种操作的内容。What belongs to an act of this kind.")


class OperatorAct(Answered):
    """运维方名下的事项，例如资金到位，见 docs/audit-record.md。An act on the operator's log, such as a contribution."""

    format: Annotated[str, Field(pattern=r"^jifendai/[a-z-]+/[0-9]+$", max_length=64)]
    subject: Name
    submitted_by: Name
    document: dict[str, Any] = Field(description="所发送的内容。The body as it was sent.")
    result: dict[str, Any] = Field(description="结果。What it came to.")


class OperatorRecordShown(Answered):
    """操作记录及其在日志中的位置。A record and its place in the operator's log."""

    index: Count
    leaf_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", max_length=64)]
    record: OperatorRecord | OperatorAct


class OperatorRecordPage(Answered):
    """操作记录，由新到旧。The operator's records, newest first."""

    items: Annotated[list[OperatorRecordShown], Field(max_length=200)]
    next_cursor: NextCursor


class PreviewShown(Answered):
    """一次试算的记录。Who previewed what."""

    preview_id: Id
    previewed_at: Moment
    previewed_by: Name
    previewed_for: Name | None
    lender: Name
    product: Name
    zone: Name
    uscc: Name
    on: Date
    outcome: Literal["PRE_APPROVED", "REFERRED", "DECLINED"]
    credit_limit: Money | None


class PreviewPage(Answered):
    """试算记录，由新到旧。Previews, newest first."""

    items: Annotated[list[PreviewShown], Field(max_length=200)]
    next_cursor: NextCursor


# ---- the catalogue ---------------------------------------------------------------------------------------------------


class CodeShown(Answered):
    """代码及名称。A code and its words."""

    code: Name
    name: BothLanguages


class KnownFactShown(Answered):
    """来源所述、不参与决策的事实。Something a source tells that decides nothing."""

    fact: BothLanguages
    reference: ReferenceShown


class SchemeShown(Answered):
    """积分体系。A score scheme."""

    id: Name
    name: BothLanguages
    scale_maximum: Share | None
    versions: list[Name] | None
    stages: list[CodeShown]
    stages_complete: bool = Field(description="阶段名称是否全部公布。Whether all stage names are published.")
    fields: list[CodeShown]
    grades: list[Name]
    veto: bool
    states: list[Literal["SCORED", "NOT_SCORED", "NOT_FOUND"]]


class MeasureShown(Answered):
    """贴息项目或风险补偿资金池。A subsidy programme or a pool."""

    id: Name
    name: BothLanguages
    status: Literal["ACTIVE", "LISTED", "PLANNED", "CLOSED"] | None
    known: list[KnownFactShown]


class ZoneShown(Answered):
    """高新区。A zone."""

    id: Name
    name: BothLanguages
    division: Name | None
    platform: BothLanguages | None
    score_schemes: list[SchemeShown]
    interest_subsidies: list[MeasureShown]
    risk_compensation_pools: list[MeasureShown]
    known: list[KnownFactShown]


class CodeLists(Answered):
    """目录代码。The catalogue's code lists."""

    qualifications: list[CodeShown]
    purposes: list[CodeShown]
    fields: list[CodeShown]
    evidence: list[CodeShown]


class ZonesAnswer(Answered):
    """高新区与通用代码。The zones, and the codes common to all."""

    on: Date
    items: list[ZoneShown]
    codes: CodeLists


class LenderOnShelf(Answered):
    """机构。The institution."""

    id: Name
    name: BothLanguages
    kind: Literal["BANK", "VILLAGE_BANK", "RURAL_COMMERCIAL_BANK", "LESSOR", "GUARANTOR", "INSURER", "FUND_MANAGER"]


class BranchOnShelf(Answered):
    """经办机构。The branch."""

    id: Name
    name: BothLanguages


class ProductOnShelf(Answered):
    """金融超市中的产品。A product on the shelf."""

    id: Name
    name: BothLanguages
    also_known_as: list[Name]
    lender: LenderOnShelf
    branch: BranchOnShelf | None
    zones: list[Name]
    kind: Literal["WORKING_CAPITAL_LOAN", "FIXED_ASSET_LOAN", "GUARANTEE", "LEASE"]
    status: Literal["ACTIVE", "LISTED", "PLANNED", "CLOSED"]
    decides: bool = Field(description="本服务当日是否据以决策。Whether the service decides on it on this day.")
    revolving: bool
    known: list[KnownFactShown]


class ProductsAnswer(Answered):
    """某日的产品。The shelf on a day."""

    on: Date
    items: list[ProductOnShelf]


class ProductTermsShown(ProductOnShelf):
    """某日的产品条款，每个数值均附依据。A product's terms on a day, every value with its reference."""

    on: Date
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$", max_length=71)]
    changes_on: list[Date] = Field(description="条款变动日期。Days on which the terms change.")
    terms: dict[str, Any] = Field(description="当日条款全文。The terms in full, as they stand on this day.")


class ReasonListed(Answered):
    """原因代码：封闭、有序、永不复用。A reason code; the list is closed and ordered, and no code is ever reused."""

    code: Name
    number: Annotated[int, Field(ge=1, le=9999, json_schema_extra={"format": "int32"})]
    message: BothLanguages


class ReasonsAnswer(Answered):
    """全部原因代码。Every reason code."""

    items: list[ReasonListed]


# ---- operations ------------------------------------------------------------------------------------------------------


class Alive(Answered):
    """进程存活。The process runs."""

    status: Literal["ALIVE"]


class Ready(Answered):
    """可以作出决策。The service can decide."""

    status: Literal["READY"]
    catalogue: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$", max_length=71)]
    notes: Annotated[list[Words200], Field(max_length=20)] = Field(
        description="应予关注的事项，例如外部检查点迟迟未能保存。What to look at, though the service can decide."
    )


class ProblemAnswer(Answered):
    """问题（RFC 9457）。A problem; see docs/problems.md."""

    type: Annotated[str, Field(pattern=r"^/problems/[a-z-]+$", max_length=64)]
    title: Words200
    status: Annotated[int, Field(ge=400, le=599, json_schema_extra={"format": "int32"})]
    detail: Words200
