"""What an explanation is answered as, for the documentation alone; contract tests hold every answer to it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from app.api.answers import (
    Answered,
    Count,
    Date,
    Id,
    Moment,
    Money,
    Name,
    PlaceInLog,
    Rate,
    Words200,
)

Answer = Literal["PASSED", "FAILED", "UNKNOWN"]
OutcomeName = Literal["PRE_APPROVED", "REFERRED", "DECLINED"]


class SourceShown(Answered):
    """依据及说明。What a figure rests on; a note says why an assumed one was chosen."""

    basis: Literal["published", "assumed"]
    title: Words200 | None
    note: Words200 | None


class SourceWithFigures(SourceShown):
    """一个来源及其支撑的数值。One source, and every figure that stands on it."""

    steps: Annotated[list[Name], Field(max_length=500)]
    labels: Annotated[list[Words200], Field(max_length=500)]


class ExplainedProduct(Answered):
    """产品。The product."""

    id: Name
    name: Words200
    lender: Words200
    branch: Words200 | None
    terms: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$", max_length=71)]


class ExplainedCompany(Answered):
    """企业。The company."""

    uscc: Name
    name: Name
    zone: Name


class ExplainedReason(Answered):
    """原因。A reason in words."""

    code: Name
    severity: Literal["DECLINE", "REFER", "INFO"]
    text: Words200
    clause: Words200 | None


class ComponentExplained(Answered):
    """额度的一个组成。One of the amounts whose least is the limit."""

    step: Name
    label: Words200
    amount: Money | None = Field(description="null：所需信息未知。null where a fact was unknown.")
    amount_text: Words200
    binding: bool = Field(description="是否决定额度。Whether this one set the limit.")
    reckoned_from: Words200
    source: SourceShown | None


class LimitExplained(Answered):
    """额度如何得出。How the limit came about."""

    credit_limit: Money | None
    set_by: Name | None = Field(description="决定额度的组成。The component that set the limit.")
    components: Annotated[list[ComponentExplained], Field(max_length=100)]
    rounding_unit: Money
    floor: Money


class CheckExplained(Answered):
    """准入之前的检查。What is asked before the gates: zone, consent, score, age of facts."""

    step: Name
    label: Words200
    answer: Answer
    facts: dict[str, Any] = Field(description="依据的事实。The facts it used.")
    source: SourceShown | None


class GateExplained(Answered):
    """准入条件：要求与实际。A gate: what it requires and what it found."""

    step: Name
    label: Words200
    fact: Name
    fact_label: Words200
    test: Literal[
        "at_least", "at_most", "one_of", "none_of", "starts_with", "starts_with_none_of", "any_of", "all_of", "is"
    ]
    required: Any = Field(description="要求的值。The threshold, exactly.")
    required_text: Words200
    actual: Any = Field(description="实际的值，null 为未知。The actual value; null is unknown.")
    actual_text: Words200
    answer: Answer
    severity: Literal["DECLINE", "REFER", "INFO"]
    waivable: bool = Field(description="可否由人破格。Whether people may waive it.")
    source: SourceShown | None


class ChangeExplained(Answered):
    """一处不同。One thing that would be otherwise."""

    fact: Name
    label: Words200
    actual: Any = Field(description="实际的值，null 为未知。The actual value; null is unknown.")
    value: Any = Field(description="假设的值。The value supposed.")
    text: Words200


class ResultExplained(Answered):
    """重新决策的结果。What deciding again came to."""

    outcome: OutcomeName
    credit_limit: Money | None
    annual_rate: Rate | None
    annual_rate_ceiling: Rate | None
    net_annual_rate_at_best: Rate | None


class CounterfactualShown(Answered):
    """若有这些不同，且仅有这些不同，结果即如此；每条都经同一版规则重新决策验证。

    With these changes, and nothing else otherwise, this is the result: proved by deciding again under the recorded
    edition of the rules.
    """

    effect: Literal["BETTER", "WORSE"]
    text: Annotated[str, Field(max_length=5000)]
    changes: Annotated[list[ChangeExplained], Field(max_length=100)]
    result: ResultExplained


class ExplanationAnswer(Answered):
    """决策说明。Why the decision came out as it did."""

    decision_id: Id
    application_id: Name
    language: Literal["zh", "en"] = Field(description="所有文字的语言。The language of every text.")
    outcome: OutcomeName
    summary: Words200
    decided_on: Date
    recorded_at: Moment
    rules_edition: Name
    product: ExplainedProduct
    company: ExplainedCompany
    requested_amount: Money
    requested_tenor_months: Count
    credit_limit: Money | None
    reasons: Annotated[list[ExplainedReason], Field(max_length=500)]
    limit: LimitExplained | None = Field(description="null：未计算额度。null where no limit was reckoned.")
    checks: Annotated[list[CheckExplained], Field(max_length=20)]
    gates: Annotated[list[GateExplained], Field(max_length=500)]
    would_change_it: Annotated[list[CounterfactualShown], Field(max_length=200)] = Field(
        description="怎样会不同：更好的、改动少的在先。What would change it; the better and the fewer changes first."
    )
    sources: Annotated[list[SourceWithFigures], Field(max_length=500)]
    assumptions: Annotated[list[Name], Field(max_length=500)]
    note: Words200
    audit_record: PlaceInLog
