"""营销清单: a campaign's pre-approvals as a sheet for branches, in Chinese and English.

Neighbours may rely on this: every figure comes from the decision's record; whom the sheet names was offered nothing
yet, and each line says that the limit is indicative.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from app.audit.record import INDICATIVE
from app.domain.money import Yuan
from app.usecases.campaigns import Campaign, Campaigns

HEADS: Final = (
    "企业名称 company", "统一社会信用代码 uscc", "产品 product", "经办机构 branch", "参考额度(元) indicative limit",
    "年利率 annual rate", "为何 why", "有效期至 valid until", "须落实的条件 conditions", "说明 note",
    "决策编号 decision",
)  # fmt: skip
_PAGE: Final = 500


async def outreach_rows(campaigns: Campaigns, campaign: Campaign) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """This function will return the sheet's head and its lines, in the order of the list."""
    rows: list[tuple[str, ...]] = []
    after = -1
    while page := await campaigns.records(campaign, after=after, limit=_PAGE):
        rows += [_line(orjson.loads(record)) for _, record in page]
        after = page[-1][0]
    return HEADS, rows


def _line(record: dict[str, Any]) -> tuple[str, ...]:
    application, decided = record["application"], record["decision"]
    offer, company, product = decided["offer"], application["company"], decided["product"]
    branch = product["lender"]["branch"]
    return (
        company["name"], company["uscc"], product["name"], "" if branch is None else branch["name"],
        f"{int(Yuan.parse(offer['credit_limit'])) // 100:,}", offer["annual_rate"], _why(application, decided),
        offer["expires_on"], "；".join(f"{c['message']['zh']} {c['message']['en']}" for c in offer["conditions"]),
        f"{INDICATIVE.zh} {INDICATIVE.en}", decided["decision_id"],
    )  # fmt: skip


def _why(application: dict[str, Any], decided: dict[str, Any]) -> str:
    score = application.get("innovation_score") or {}
    parts = []
    if score.get("value") is not None:
        parts.append(f"创新积分 score {score['value']}")
    if score.get("grade") is not None:
        parts.append(f"等级 grade {score['grade']}")
    steps = (line["step"] for line in decided["trace"] if line["decisive"] and line["step"].startswith("credit_limit."))
    parts += [f"额度由 {step} 决定 set the limit" for step in steps]
    parts += [f"{reason['message']['zh']} {reason['message']['en']}" for reason in decided["reasons"]]
    return "；".join(parts)
