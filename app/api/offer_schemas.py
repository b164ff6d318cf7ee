"""What callers send and are answered of offers.

Neighbours may rely on this: an event's members depend on its kind; `fits` names each that is missing and each that does
not belong. Answers are documented here and are the recorded bytes themselves.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field

from app.api.answers import Answered, Count, Date, Id, Moment, Money, Name, PlaceInLog, Rate, Words200
from app.api.fields import Amount, Day, DecisionId, PositiveAmount, RateText, ShortText, Text
from app.api.problems import Problem, error
from app.api.schemas import Sent

EventName = Literal[
    "CREDIT_APPROVED", "DRAWDOWN", "REPAYMENT", "REVERSAL", "PAST_DUE", "CLASSIFIED", "FROZEN", "UNFROZEN", "WITHDRAWN",
    "CLOSED",
]  # fmt: skip
RecordedEventName = Literal[
    "CREDIT_APPROVED", "DRAWDOWN", "REPAYMENT", "REVERSAL", "PAST_DUE", "CLASSIFIED", "FROZEN", "UNFROZEN", "WITHDRAWN",
    "CLOSED", "EXPIRED",
]  # fmt: skip
StatusName = Literal[
    "PRE_APPROVED", "CREDIT_APPROVED", "DRAWN", "REPAID", "SETTLED", "EXPIRED", "LAPSED", "WITHDRAWN", "SUPERSEDED"
]
Classification = Literal["NORMAL", "SPECIAL_MENTION", "SUBSTANDARD", "DOUBTFUL", "LOSS"]


class ChecksSent(Sent):
    """提款日的复核：四项均须作答。What was checked for the drawdown; each is answered."""

    score_vetoed: bool = Field(description="积分是否一票否决。Whether the score is vetoed.")
    judgment_defaulter: bool = Field(description="失信被执行人。Judgment defaulter.")
    abnormal_operation: bool = Field(description="经营异常名录。List of abnormal operation.")
    serious_illegal: bool = Field(description="严重违法失信名单。List of serious illegality.")


class OfferEventRequest(Sent):
    """授信事件：各种类所需的项不同。An event; which members it has depends on its kind."""

    event: EventName = Field(description="事件种类。Kind of event.")
    value_on: Day = Field(description="生效日（起息日），可早于报送日。Value date; may lie before the day it is sent.")
    core_reference: ShortText = Field(description="核心系统流水号。Reference of the core banking system.")
    approved_limit: PositiveAmount | None = Field(None, description="审批额度。CREDIT_APPROVED: the approved limit.")
    annual_rate: RateText | None = Field(None, description="合同年利率。CREDIT_APPROVED: the rate, such as 0.0345.")
    available_until: Day | None = Field(
        None, description="额度有效期至（含当日）。CREDIT_APPROVED: last day on which the line can be drawn."
    )
    approval_reference: ShortText | None = Field(None, description="审批文号。CREDIT_APPROVED: of the approval.")
    contract_reference: ShortText | None = Field(None, description="合同编号。CREDIT_APPROVED: of the contract.")
    secured_amount: Amount | None = Field(
        None, description="有抵质押覆盖的部分，缺省为 0。CREDIT_APPROVED: what collateral secures; absent is 0."
    )
    amount: PositiveAmount | None = Field(None, description="提款金额。DRAWDOWN: the amount.")
    matures_on: Day | None = Field(None, description="贷款到期日。DRAWDOWN: day on which the loan matures.")
    checks: ChecksSent | None = Field(None, description="提款日复核。DRAWDOWN: what was checked.")
    principal: Amount | None = Field(
        None, description="还款本金；逾期本金（0 为已结清逾期）。REPAYMENT: principal; PAST_DUE: principal past due."
    )
    interest: Amount | None = Field(None, description="还款利息。REPAYMENT: interest paid.")
    since: Day | None = Field(None, description="逾期起始日。PAST_DUE: since when.")
    reverses: DecisionId | None = Field(None, description="被冲正事件的 record_id。REVERSAL: the event taken back.")
    classification: Classification | None = Field(None, description="五级分类。CLASSIFIED: the class.")
    reason: Text | None = Field(None, description="原因。FROZEN, UNFROZEN, WITHDRAWN, REVERSAL: why.")


_MEMBERS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "CREDIT_APPROVED": (
        ("approved_limit", "annual_rate", "available_until", "approval_reference", "contract_reference"),
        ("secured_amount",),
    ),
    "DRAWDOWN": (("amount", "matures_on", "checks"), ()),
    "REPAYMENT": (("principal", "interest"), ()),
    "REVERSAL": (("reverses", "reason"), ()),
    "PAST_DUE": (("principal", "since"), ()),
    "CLASSIFIED": (("classification",), ()),
    "FROZEN": (("reason",), ()),
    "UNFROZEN": (("reason",), ()),
    "WITHDRAWN": (("reason",), ()),
    "CLOSED": ((), ("reason",)),
}
_COMMON: Final = frozenset({"event", "value_on", "core_reference"})


def fits(event: OfferEventRequest, document: dict[str, Any]) -> None:
    """This function will return if the event has the members of its kind and no others. Raises Problem (422)."""
    required, optional = _MEMBERS[event.event]
    sent = {name for name, value in document.items() if value is not None}
    errors = [
        error(f"{event.event} 须给出此项", f"is required of {event.event}; add it", pointer=f"/{name}")
        for name in required
        if name not in sent
    ]
    errors += [
        error(f"{event.event} 没有此项，请删去", f"does not belong to {event.event}; remove it", pointer=f"/{name}")
        for name in sorted(sent - _COMMON - {*required, *optional})
    ]
    if not errors:
        errors = _against_values(event)
    if errors:
        raise Problem("invalid-request", errors=errors)


def _against_values(event: OfferEventRequest) -> list[dict[str, Any]]:
    """What no single member's type can say."""
    until = event.available_until or event.matures_on
    if until is not None and until < event.value_on:
        name = "available_until" if event.available_until else "matures_on"
        return [error("不得早于 value_on", "is never before value_on", pointer=f"/{name}")]
    if event.since is not None and event.since > event.value_on:
        return [error("不得晚于 value_on", "is never after value_on", pointer="/since")]
    if event.event == "REPAYMENT" and not any((paid or "").strip("0.") for paid in (event.principal, event.interest)):
        return [error("本金与利息至少一项大于零", "principal or interest is above zero", pointer="/principal")]
    return []


# ---- what is answered ------------------------------------------------------------------------------------------------


class PastDueShown(Answered):
    """逾期。What is past due."""

    principal: Money
    since: Date | None


class OfferStanding(Answered):
    """授信现状：额度、敞口、投放、余额各自独立。Where an offer stands; each figure is separate."""

    offer_id: Id
    decision_id: Id
    application_id: Name
    product: Name
    uscc: Name
    status: StatusName
    version: Count = Field(description="已记录事件数，即 ETag。How many events are recorded: the ETag.")
    superseded_by: Id | None
    possible_events: list[EventName] = Field(description="现在可报送的事件。Events that are possible now.")
    revolving: bool = Field(description="是否循环额度。Whether what is repaid can be drawn again.")
    credit_limit: Money = Field(description="预授信额度。The credit limit that was indicated.")
    expires_on: Date = Field(description="预授信有效期至。Last day of the offer.")
    approved_limit: Money | None = Field(description="审批额度。The limit that the bank approved.")
    annual_rate: Rate | None
    available_until: Date | None = Field(description="额度有效期至。Last day on which the line can be drawn.")
    available: Money = Field(description="可用额度。What can be drawn now.")
    unsecured_part: Money = Field(description="敞口。The part of the approved limit that nothing secures.")
    disbursed: Money = Field(description="累计投放。Disbursed, cumulative.")
    outstanding: Money = Field(description="贷款余额。Outstanding balance.")
    interest_paid: Money
    matures_on: Date | None = Field(description="贷款到期日（最晚）。The latest maturity.")
    past_due: PastDueShown
    classification: Classification | None
    frozen: bool
    counts_against_cap: Money = Field(description="计入额度上限的金额。What counts against the caps now.")


class EventShown(Answered):
    """已记录的事件。A recorded event."""

    record_id: Id
    recorded_at: Moment
    submitted_by: Name
    reversed: bool
    document: dict[str, Any] = Field(description="报送原文。As it was posted.")


class SubsidyClaimShown(Answered):
    """企业申领贴息。A claim on a subsidy."""

    record_id: Id
    recorded_at: Moment
    submitted_by: Name
    evidence: Words200
    programme: Name
    paid_until: Date
    claimed_on: Date
    interest: Money
    interest_forfeited: Money


class OfferAnswer(OfferStanding):
    """授信及其全部事件。The offer, and its events in the order of the log."""

    on: Date
    events: list[EventShown]
    subsidy_claims: list[SubsidyClaimShown]


class LineCover(Answered):
    """该授信在资金池中的补偿额。What the line has under cover in its pool."""

    pool: Name
    status: Literal["NONE", "PROPOSED", "RESERVED", "CONFIRMED"] = Field(
        description="外部资金池确认前为 PROPOSED。PROPOSED until an external pool's manager has confirmed."
    )
    covered: Money
    reserved: Money
    committed: Money
    reason: Name | None = Field(description="无补偿的原因代码。Why there is no cover.")


class OfferEventAnswer(Answered):
    """事件已记录。The event, recorded; and the offer as it then stood."""

    record_id: Id
    recorded_at: Moment
    state: StatusName
    event: RecordedEventName
    offer: OfferStanding
    cover: LineCover | None
    audit_record: PlaceInLog
