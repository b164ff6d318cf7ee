"""What callers send to a pool and what they are answered; shapes only.

Neighbours may rely on this: amounts, days and codes are bounded as everywhere (fields.py); what fits a pool's rules and
state is the ledger's to say.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from app.api.answers import Answered, BothLanguages, Count, Date, Id, Money, Name, NextCursor
from app.api.fields import Amount, Code, Cursor, Day, DecisionId, PositiveAmount, Text, _text
from app.api.schemas import Sent

Period = _text(r"^20[0-9]{2}Q[1-4]$", 6, "期间形如 2026Q4", "a period is a quarter, such as 2026Q4")
PoolState = Literal["PLANNED", "ACTIVE", "SUSPENDED", "CLOSED"]
LineStateName = Literal["CLEAR", "WARNED", "STOPPED", "LIFTED"]


class ContributionRequest(Sent):
    """到位资金。Capital that was paid in."""

    amount: PositiveAmount = Field(description="金额。The amount.")
    value_on: Day = Field(description="到位日。The day on which it was paid in.")
    reference: Text = Field(description="凭证。What vouches for it.")


class LiftRequest(Sent):
    """解除止损。A person's word that new cover goes on."""

    authority: Text = Field(description="批准依据或机构。The authority under which.")
    reason: Text = Field(description="理由。Why.")


class DocumentSent(Sent):
    """材料。A document."""

    code: Code = Field(description="材料代码，如 loan-contract。Its code, such as loan-contract.")
    reference: Text = Field(description="存放处或编号。Where it is kept.")


class ClaimRequest(Sent):
    """代偿申请。A lender's loss on a covered line."""

    offer_id: DecisionId = Field(description="授信编号。The offer.")
    principal: PositiveAmount = Field(description="逾期本金。Principal past due.")
    interest: Amount = Field("0.00", description="逾期利息。Interest past due.")
    past_due_since: Day = Field(description="逾期起始日。Since when.")
    documents: Annotated[list[DocumentSent], Field(max_length=50)] = Field(
        default_factory=list, description="材料。The documents."
    )


class ClaimDecisionRequest(Sent):
    """代偿审核。What another person decides on a claim."""

    outcome: Literal["PAID", "REJECTED"] = Field(description="结论。What is decided.")
    reason: Text = Field(description="理由。Why.")


class RecoveryRequest(Sent):
    """追偿回收。What came back after a compensation."""

    claim_id: DecisionId = Field(description="代偿申请编号。The claim.")
    gross: PositiveAmount = Field(description="回收额。What came back.")
    costs: Amount = Field("0.00", description="追偿费用。What it cost.")
    value_on: Day = Field(description="到账日。The day on which it came.")


class ManagerStatementRequest(Sent):
    """管理人报表。What the manager of an external pool states of the whole pool."""

    as_of: Day = Field(description="截止日。The day as of which it is stated.")
    paid_in: Amount = Field(description="到位资金。What was paid in.")
    reserved: Amount = Field(description="预留。What is reserved.")
    committed: Amount = Field(description="已用。What is committed.")
    compensated: Amount = Field("0.00", description="已补偿。What was paid out.")
    recovered: Amount = Field("0.00", description="已追回。What came back.")
    reference: Text = Field(description="报表编号或存放处。The statement's number, or where it is kept.")


class ConfirmationRequest(Sent):
    """确认补偿额。The manager's confirmation of cover for one line."""

    offer_id: DecisionId = Field(description="授信编号。The offer.")
    covered_amount: PositiveAmount = Field(description="纳入补偿的贷款金额。How much of the loan is under cover.")
    confirmed_on: Day = Field(description="确认日。The day of the confirmation.")
    reference: Text = Field(description="确认文号。What vouches for it.")


class FilingRequest(Sent):
    """备案。A drawdown that was filed with the pool."""

    offer_id: DecisionId = Field(description="授信编号。The offer.")
    event_id: DecisionId = Field(description="提款事件的 record_id。The drawdown's record_id.")
    filed_on: Day = Field(description="备案日。The day on which it was filed.")
    reference: Text = Field(description="备案回执。What vouches for it.")


FilingStateName = Literal["DUE", "LATE", "FILED", "FILED_LATE"]


class _PoolPage(Sent):
    # A query's values are all text.
    model_config = Sent.model_config | {"strict": False}

    limit: Annotated[int, Field(ge=1, le=200, json_schema_extra={"format": "int32"})] = Field(
        50, description="每页条数，1 至 200。Rows a page, 1 to 200."
    )
    cursor: Cursor | None = Field(None, description="上一页的 next_cursor。next_cursor of the page before.")


class FilingsQuery(_PoolPage):
    """Which filings to show."""

    state: FilingStateName | None = Field(None, description="状态，如 LATE。The state, such as LATE.")


ClaimStateName = Literal["CLAIMED", "PAID", "REJECTED", "REPLACED"]


class ClaimsQuery(_PoolPage):
    """Which claims to show."""

    state: ClaimStateName | None = Field(None, description="状态，如 CLAIMED。The state, such as CLAIMED.")


class StatementRequest(Sent):
    """出具对账单。The period of which a statement is put on record."""

    period: Period = Field(description="季度。The quarter.")
    lender: Code = Field(description="机构。The lender whose part it is.")


class EntriesQuery(_PoolPage):
    """Which page of a pool's entries to show."""


class StatementQuery(Sent):
    """Which statement to show."""

    period: Period = Field(description="季度。The quarter.")
    lender: Code = Field(description="机构。The lender whose part it is.")


# ---- answers ---------------------------------------------------------------------------------------------------------


class PhaseShown(Answered):
    """一期资本。A phase of the capital."""

    name: BothLanguages
    committed_capital: Money


class RatioPart(Answered):
    """比率的一项。One part of a ratio."""

    name: Name
    amount: Money | None


class LinesShown(Answered):
    """警戒线与止损线。Where the ratio stands."""

    state: LineStateName
    numerator: RatioPart
    denominator: RatioPart
    warn: Name | None
    stop: Name | None


class Holding(Answered):
    """本机构在资金池中的部分。One lender's own part."""

    lender: Name
    quota: Money | None
    reserved: Money
    committed: Money
    compensated: Money
    recovered: Money


class StatedShown(Answered):
    """管理人报表。What the manager of an external pool stated."""

    record_id: Name
    as_of: Date
    reference: Name
    paid_in: Money | None
    reserved: Money | None
    committed: Money | None
    compensated: Money | None
    recovered: Money | None
    room: Money


class PoolAnswer(Answered):
    """资金池：余量对共享机构可见；占用只见本机构的。Room for all who share it; holdings are the caller's own."""

    id: Name
    name: BothLanguages
    zone: Name
    status: PoolState
    book: Literal["OWN", "EXTERNAL"]
    leverage_multiple: Name
    per_company_cap: Money | None
    committed_capital: Money
    phases: Annotated[list[PhaseShown], Field(max_length=100)]
    balance: Money | None = Field(description="合计仅向可见全部机构者显示。Sums are for whoever sees every lender.")
    paid_in: Money | None
    compensated: Money | None
    recovered: Money | None
    room: Money = Field(description="余量。What may still be promised now.")
    lines: LinesShown | None
    on: Date
    manager_statement: StatedShown | None = Field(
        description="外部资金池：管理人最近的报表。An external pool: what its manager stated last."
    )
    holdings: Annotated[list[Holding], Field(max_length=1000)]


class PoolPage(Answered):
    """全部资金池。Every pool."""

    items: Annotated[list[PoolAnswer], Field(max_length=1000)]
    next_cursor: NextCursor


class EntryShown(Answered):
    """一笔分录，永不更改。One entry; it never changes."""

    number: Count
    kind: Name
    lender: Name | None
    offer_id: Name | None
    decision_id: Name | None
    record_id: Name
    paid_in: Money
    reserved: Money
    committed: Money
    compensated: Money
    recovered: Money
    value_on: Date
    booked_on: Date


class EntryPage(Answered):
    """分录，由旧到新。Entries, oldest first."""

    items: Annotated[list[EntryShown], Field(max_length=200)]
    next_cursor: NextCursor


class BornePart(Answered):
    """一方承担或取回的金额。What one bearer bears or gets back."""

    bearer: Name
    amount: Money


class ClaimShown(Answered):
    """代偿申请。A claim."""

    claim_id: Name
    pool: Name
    lender: Name
    offer_id: Name
    state: ClaimStateName
    principal: Money
    interest: Money
    past_due_since: Date
    claimed_on: Date
    review_until: Date | None = Field(description="审核期限。Last day of review; null if unknown.")
    review_is_late: bool
    borne: Annotated[list[BornePart], Field(max_length=10)]
    recovered: Money


class ClaimPage(Answered):
    """本机构的代偿申请。The caller's own claims."""

    items: Annotated[list[ClaimShown], Field(max_length=100_000)]
    next_cursor: NextCursor


class FilingShown(Answered):
    """一笔须备案的提款。A drawdown that must be filed."""

    event_id: Name
    offer_id: Name
    lender: Name
    amount: Money
    drawn_on: Date
    due_on: Date | None = Field(description="备案期限；节假日未公布则为空。Last day; null if unknown.")
    filed_on: Date | None
    state: FilingStateName


class FilingPage(Answered):
    """备案清单，先列最早的提款。What must be filed, the earliest drawdown first."""

    on: Date
    items: Annotated[list[FilingShown], Field(max_length=100_000)]
    next_cursor: NextCursor


class Sums(Answered):
    """各项合计。Sums."""

    paid_in: Money
    reserved: Money
    committed: Money
    compensated: Money
    recovered: Money
    balance: Money


class StatementLineShown(Answered):
    """一项决策在期内的变动。What the period changed for one decision."""

    decision_id: Name | None
    offer_id: Name | None
    lender: Name | None
    change: Sums
    entries: dict[str, Count]


class StatementAnswer(Answered):
    """对账单：期初加各项变动等于期末，逐项对应决策编号。Opening and lines make the closing, decision by decision."""

    pool: Name
    lender: Name | None
    since: Date
    until: Date = Field(description="不含该日。Exclusive.")
    opening: Sums
    lines: Annotated[list[StatementLineShown], Field(max_length=1_000_000)]
    closing: Sums
    reconciled: bool


class PlaceShown(Answered):
    """在审计日志中的位置。The place in the audit log."""

    origin: Name
    index: Count
    leaf_hash: Name
    receipt: Name


class PoolActAnswer(Answered):
    """已记录的事项。What was recorded; which members there are depends on the operation."""

    record_id: Id
    recorded_at: Name
    state: Name
    pool: Name
    audit_record: PlaceShown
    claim_id: Name | None = None
    offer_id: Name | None = None
    decision_id: Name | None = None
    amount: Money | None = None
    paid_in: Money | None = None
    review_until: Date | None = None
    loss: Money | None = None
    borne: list[BornePart] | None = None
    returned: list[BornePart] | None = None
    net: Money | None = None
    bounds: list[Name] | None = None
    opening: dict[str, Any] | None = None
    closing: dict[str, Any] | None = None
    lines_digest: Name | None = None
    as_of: Date | None = None
    room: Money | None = None
    covered: Money | None = None
    reserved: Money | None = None
    committed: Money | None = None
    confirmed_on: Date | None = None
    event_id: Name | None = None
    filed_on: Date | None = None
    due_on: Date | None = None
