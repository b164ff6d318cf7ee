"""Worked examples of what people send of interest subsidies; they fit the demonstration on any day.

Neighbours may rely on this: a budget's state is recorded once, and so is a claim: it reaches what was paid before it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final

from app.api.examples import Example


def _budget(on: date) -> tuple[Example, ...]:
    document: Mapping[str, Any] = {
        "state": "USED_UP", "since": on.isoformat(), "reason": "本年度预算已用完 This year's budget is used up",
        "reference": "高新区财政局 2026-11 号通知 Notice 2026-11 of the zone's finance bureau",
    }  # fmt: skip
    return (Example("used-up", "预算已用完（登记一次） The budget is used up, recorded once", document),)


def _claim(on: date) -> tuple[Example, ...]:
    document: Mapping[str, Any] = {
        "programme": "suzhou-snd/startup-interest-subsidy", "paid_until": on.isoformat(), "claimed_on": on.isoformat(),
        "evidence": "贴息申请表 TX-2026-1 Application for the subsidy TX-2026-1",
    }  # fmt: skip
    return (Example("claimed", "企业就已付利息申领（一次） The company claims for interest paid, once", document),)


SUBSIDY_ACTS: Final[Mapping[str, Callable[[date], tuple[Example, ...]]]] = {
    "record_subsidy_budget": _budget, "claim_subsidy": _claim,
}  # fmt: skip
