"""What stands against recording something of a subsidy, in words.

Neighbours may rely on this: nothing was recorded, and no key is bound; where anything would fit, the words say what.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from app.usecases.obstacles import Obstacle


class SubsidyRefusal(StrEnum):
    """Why it is refused."""

    NO_SUCH_PROGRAMME = "NO_SUCH_PROGRAMME"
    STATE_AS_BEFORE = "STATE_AS_BEFORE"
    BEFORE_THE_LAST_STATE = "BEFORE_THE_LAST_STATE"
    IN_THE_FUTURE = "IN_THE_FUTURE"
    NOT_OFFERED = "NOT_OFFERED"
    NOT_CLAIMED_BY_COMPANY = "NOT_CLAIMED_BY_COMPANY"
    NOTHING_PAID = "NOTHING_PAID"


class SubsidyRefused(Obstacle):
    """The act does not fit the programme or what was recorded of it; `facts` say what would."""

    def __init__(self, why: SubsidyRefusal, pointer: str | None = None, facts: str = "") -> None:
        super().__init__(pointer)
        zh, en = _WHY[why]
        self.detail = (
            f"{zh}{f'（{facts}）' if facts else ''}。未记录任何内容，更正后可用同一 Idempotency-Key 重发。",
            f"{en}{f' ({facts})' if facts else ''}. Nothing was recorded; mend it and use the same Idempotency-Key.",
        )
        self.members: Mapping[str, Any] = {"reason": why.value, "fits": facts or None}


_WHY: Mapping[SubsidyRefusal, tuple[str, str]] = {
    SubsidyRefusal.NO_SUCH_PROGRAMME: ("目录中没有此贴息项目", "The catalogue has no such programme"),
    SubsidyRefusal.STATE_AS_BEFORE: ("预算状态与现状相同", "The budget's state is this already"),
    SubsidyRefusal.BEFORE_THE_LAST_STATE: (
        "日期早于最近一次登记的状态，其日期为", "It is dated before the state that was recorded last, of",
    ),
    SubsidyRefusal.IN_THE_FUTURE: ("日期晚于今日（上海）", "It is dated after today in Shanghai"),
    SubsidyRefusal.NOT_OFFERED: (
        "该授信没有此贴息项目，其项目为", "The offer does not have this programme, but",
    ),
    SubsidyRefusal.NOT_CLAIMED_BY_COMPANY: (
        "该项目免申即享，无须申领", "The programme is paid automatically; nothing is claimed",
    ),
    SubsidyRefusal.NOTHING_PAID: (
        "截至该日没有尚未申领的已付利息", "No interest was reported paid until that day that is not claimed already",
    ),
}  # fmt: skip
