"""What a pool's rules or its state stand against, in words.

Neighbours may rely on this: nothing was recorded, and no key is bound; where anything would fit, the words say what.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from app.usecases.obstacles import Obstacle


class PoolRefusal(StrEnum):
    """Why a pool's operation is refused."""

    NO_SUCH_POOL = "NO_SUCH_POOL"
    NO_COVER = "NO_COVER"
    NO_SUCH_CLAIM = "NO_SUCH_CLAIM"
    BOOK_KEPT_ELSEWHERE = "BOOK_KEPT_ELSEWHERE"
    BOOK_IS_OURS = "BOOK_IS_OURS"
    ABOVE_COMMITTED_CAPITAL = "ABOVE_COMMITTED_CAPITAL"
    IN_THE_FUTURE = "IN_THE_FUTURE"
    CLAIM_DECIDED = "CLAIM_DECIDED"
    CLAIM_NOT_PAID = "CLAIM_NOT_PAID"
    SAME_PERSON = "SAME_PERSON"
    NOTHING_TO_PAY = "NOTHING_TO_PAY"
    MORE_THAN_LOST = "MORE_THAN_LOST"
    NOT_STOPPED = "NOT_STOPPED"
    NOTHING_COMMITTED = "NOTHING_COMMITTED"
    PAID_BEFORE = "PAID_BEFORE"
    TOO_EARLY = "TOO_EARLY"
    DOCUMENTS_MISSING = "DOCUMENTS_MISSING"
    MORE_THAN_OUTSTANDING = "MORE_THAN_OUTSTANDING"
    NOT_CREDIT_APPROVED = "NOT_CREDIT_APPROVED"
    CONFIRMED_BEFORE = "CONFIRMED_BEFORE"
    MORE_THAN_THE_LINE = "MORE_THAN_THE_LINE"
    ABOVE_COMPANY_CAP = "ABOVE_COMPANY_CAP"
    ABOVE_QUOTA = "ABOVE_QUOTA"
    NOTHING_TO_FILE = "NOTHING_TO_FILE"
    NO_SUCH_DRAWDOWN = "NO_SUCH_DRAWDOWN"
    FILED_BEFORE = "FILED_BEFORE"
    BEFORE_THE_DRAWDOWN = "BEFORE_THE_DRAWDOWN"


class PoolRefused(Obstacle):
    """What the rules or the state of a pool stand against; `facts` say what would fit, where anything would."""

    def __init__(self, why: PoolRefusal, pointer: str | None = None, facts: str = "") -> None:
        super().__init__(pointer)
        self.why = why
        self.facts = facts
        zh, en = _WHY[why]
        self.detail = (
            f"{zh}{f'（{facts}）' if facts else ''}。未记录任何内容，更正后可用同一 Idempotency-Key 重发。",
            f"{en}{f' ({facts})' if facts else ''}. Nothing was recorded; mend it and use the same Idempotency-Key.",
        )
        self.members: Mapping[str, Any] = {"reason": why.value, "fits": facts or None}


_WHY: Mapping[PoolRefusal, tuple[str, str]] = {
    PoolRefusal.NO_SUCH_POOL: ("没有此资金池", "There is no such pool"),
    PoolRefusal.NO_COVER: ("该授信在此资金池没有补偿额", "This offer has no cover in this pool"),
    PoolRefusal.NO_SUCH_CLAIM: ("没有此代偿申请", "There is no such claim on this pool"),
    PoolRefusal.BOOK_KEPT_ELSEWHERE: (
        "资金池由其管理人记账，请向管理人办理",
        "The pool's book is kept by its manager; turn to the manager",
    ),
    PoolRefusal.BOOK_IS_OURS: ("资金池由本系统记账", "The pool's book is kept here"),
    PoolRefusal.ABOVE_COMMITTED_CAPITAL: (
        "到位资金不得超过承诺资本，至多还可",
        "What is paid in is never above the committed capital; what may still come is at most",
    ),
    PoolRefusal.IN_THE_FUTURE: ("日期晚于今日（上海）", "It is dated after today in Shanghai"),
    PoolRefusal.CLAIM_DECIDED: ("该代偿申请已有结论", "The claim has been decided"),
    PoolRefusal.CLAIM_NOT_PAID: ("该代偿申请未曾补偿", "Nothing was paid on this claim"),
    PoolRefusal.SAME_PERSON: (
        "申请人不得自行审核，请由另一人审核",
        "Whoever made a claim never decides on it; another person does",
    ),
    PoolRefusal.NOTHING_TO_PAY: ("可补偿金额为零，受限于", "There is nothing to pay; what bounds it is"),
    PoolRefusal.MORE_THAN_LOST: ("回收额不得超过尚未收回的损失", "More than what is still lost, which is"),
    PoolRefusal.NOT_STOPPED: ("资金池未处于止损状态", "The pool has not stopped"),
    PoolRefusal.NOTHING_COMMITTED: ("该授信没有已用的补偿额", "Nothing of this cover is committed: nothing was drawn"),
    PoolRefusal.PAID_BEFORE: ("该授信已补偿过", "The pool has paid on this cover before"),
    PoolRefusal.TOO_EARLY: ("逾期天数不足，最早可申请日", "Not past due for long enough; the first possible day is"),
    PoolRefusal.DOCUMENTS_MISSING: ("材料不齐，缺少", "Documents are missing"),
    PoolRefusal.MORE_THAN_OUTSTANDING: ("超过贷款余额", "More principal than is outstanding, which is"),
    PoolRefusal.NOT_CREDIT_APPROVED: (
        "银行尚未审批该授信，或该授信已终结，不能登记确认",
        "The bank has not approved this line, or it has ended: no cover is confirmed",
    ),
    PoolRefusal.CONFIRMED_BEFORE: ("该授信的补偿额已确认过", "Cover of this line has been confirmed before"),
    PoolRefusal.MORE_THAN_THE_LINE: ("确认额不得超过审批额度", "More than the approved limit, which is"),
    PoolRefusal.ABOVE_COMPANY_CAP: ("超过资金池单户上限，至多", "Above the pool's cap for one company; at most"),
    PoolRefusal.ABOVE_QUOTA: (
        "超过本机构在资金池的配额，尚余",
        "Above the lender's quota in the pool; what is left is",
    ),
    PoolRefusal.NOTHING_TO_FILE: ("该资金池不要求备案", "This pool asks for no filing"),
    PoolRefusal.NO_SUCH_DRAWDOWN: (
        "没有此提款，或该提款已冲正",
        "There is no such drawdown under cover, or it was reversed",
    ),
    PoolRefusal.FILED_BEFORE: ("该提款已备案，日期为", "This drawdown has been filed, on"),
    PoolRefusal.BEFORE_THE_DRAWDOWN: ("备案日早于提款日", "It is dated before the drawdown, which was on"),
}
