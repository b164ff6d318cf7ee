"""What a preview answers, and the shelf (金融超市) in it, for the documentation alone; tests hold answers to it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from app.api.answers import (
    Answered,
    BothLanguages,
    Date,
    Money,
    Name,
    PreviewedDecision,
    ProductOnShelf,
    Rate,
)
from app.api.explanation_schemas import OutcomeName, ResultExplained


class ShelfReason(Answered):
    """为何未予预授信。Why the product does not answer with an offer."""

    code: Name
    severity: Literal["DECLINE", "REFER"]
    message: BothLanguages


class ShelfChange(Answered):
    """一处不同。One thing that would be otherwise; the fact is named as in explanations."""

    fact: Name
    actual: Any = Field(description="实际的值，null 为未知。The actual value; null is unknown.")
    value: Any = Field(description="所需的值。The value that it takes.")


class BetterOnShelf(Answered):
    """还差什么：仅有这些不同时的结果，经重新决策验证。What is missing; the result with it is decided again."""

    text: BothLanguages
    changes: Annotated[list[ShelfChange], Field(max_length=100)]
    result: ResultExplained
    leads: bool = Field(
        description="true：将优于现在货架上的任何一项。true: it would then be better than what any product answers now."
    )


class ShelfRowShown(Answered):
    """货架上的一项产品：各项并列可比，未提供的为 null。One product on the shelf; what is not offered is null."""

    product: ProductOnShelf
    outcome: OutcomeName
    credit_limit: Money | None
    tenor_months: Annotated[int, Field(ge=1, le=1200, json_schema_extra={"format": "int32"})] | None
    expires_on: Date | None
    annual_rate: Rate | None
    annual_rate_ceiling: Rate | None
    all_in_annual_cost: Rate | None = Field(description="含担保费等的综合年成本。All costs a year, fees included.")
    maximum_interest_subsidy: Money | None
    net_annual_rate_at_best: Rate | None = Field(description="贴息后最低年利率。The rate net of subsidies at best.")
    collateral_required: bool | None = Field(description="null：条款未公布。null where terms are not published.")
    guarantee_required: bool | None
    guarantee_fee_rate: Rate | None
    reasons: Annotated[list[ShelfReason], Field(max_length=500)]
    better: Annotated[list[BetterOnShelf], Field(max_length=5)] = Field(
        description="改动少的在先，至多 5 项。The nearest first, at most 5."
    )
    assumed: bool = Field(description="所用数值是否含示例取值。Whether a figure used is one that no source states.")


class PreviewAnswer(Answered):
    """试算结果：预授信、转人工、拒绝依次排列。Previews: pre-approved, referred, declined, in this order."""

    on: Date = Field(description="按哪一天的条款。The policy day.")
    items: Annotated[list[PreviewedDecision], Field(max_length=1000)]
    shelf: Annotated[list[ShelfRowShown], Field(max_length=1000)] | None = Field(
        description="未指明产品时：与 items 同序的并列对比；否则为 null。"
        "Without a product: the same products side by side, in the order of items; null otherwise."
    )
