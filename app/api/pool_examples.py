"""Worked examples of what people send to a pool; they fit the demonstration's pool on any day.

Neighbours may rely on this: the ids are the demonstration's own. A claim is decided once, and a stop is lifted only
where there is one: their examples say what they need.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any, Final

from app.api.examples import Example

_ID: Final = "01990000-0000-7000-8000-0000000030"
PAID_CLAIM_ID: Final = f"{_ID}c1"
OPEN_CLAIM_ID: Final = f"{_ID}c2"
CLAIMABLE_OFFER_ID: Final = f"{_ID}3f"


def _contribution(on: date) -> Mapping[str, Any]:
    return {"amount": "1000000.00", "value_on": on.isoformat(), "reference": "FUND-2026-1"}


def _lift(on: date) -> Mapping[str, Any]:
    return {"authority": "资金池管理委员会 2026-3 Pool committee 2026-3", "reason": "增资到位 New capital was paid in"}


def _claim(on: date) -> Mapping[str, Any]:
    return {
        "offer_id": CLAIMABLE_OFFER_ID,
        "principal": "1000000.00",
        "interest": "0.00",
        "past_due_since": (on - timedelta(days=90)).isoformat(),
        "documents": [
            {"code": "loan-contract", "reference": "C-2026-1"},
            {"code": "demand-letter", "reference": "D-2026-1"},
        ],
    }


def _decision(on: date) -> Mapping[str, Any]:
    return {"outcome": "PAID", "reason": "材料齐备，核实无误 Documents complete and verified"}


def _recovery(on: date) -> Mapping[str, Any]:
    return {"claim_id": PAID_CLAIM_ID, "gross": "10000.00", "costs": "1000.00", "value_on": on.isoformat()}


def _statement(on: date) -> Mapping[str, Any]:
    return {"period": f"{on.year}Q{(on.month + 2) // 3}", "lender": "undisclosed"}


def _shown(name: str, summary: str, document: Callable[[date], Mapping[str, Any]]) -> Callable[[date], tuple[Example]]:
    return lambda on: (Example(name, summary, dict(document(on))),)


def _manager_statement(on: date) -> Mapping[str, Any]:
    return {
        "as_of": on.isoformat(), "paid_in": "500000000.00", "reserved": "20000000.00", "committed": "80000000.00",
        "reference": "FUND-REPORT-2026-11",
    }  # fmt: skip


def _confirmation(on: date) -> Mapping[str, Any]:
    return {
        "offer_id": CLAIMABLE_OFFER_ID, "covered_amount": "3000000.00", "confirmed_on": on.isoformat(),
        "reference": "FUND-2026-88",
    }  # fmt: skip


def _filing(on: date) -> Mapping[str, Any]:
    return {
        "offer_id": CLAIMABLE_OFFER_ID, "event_id": f"{_ID}32", "filed_on": on.isoformat(), "reference": "FILE-2026-1",
    }  # fmt: skip


POOL_ACTS: Final[Mapping[str, Callable[[date], tuple[Example, ...]]]] = {
    "contribute_to_pool": _shown("contribution", "资金到位 Capital that was paid in", _contribution),
    "lift_pool_stop": _shown("lift", "解除止损（须已触及止损线） A stop is lifted; the pool must have stopped", _lift),
    "claim_from_pool": _shown("claim", "代偿申请 A claim on a line that is past due", _claim),
    "decide_pool_claim": _shown("paid", "审核通过（每项申请一次） A claim is paid, once", _decision),
    "report_recovery": _shown("recovery", "追偿回收 What came back on a paid claim", _recovery),
    "record_manager_statement": _shown(
        "stated", "管理人月报（仅外部资金池） What the manager states; external pools only", _manager_statement
    ),
    "confirm_pool_cover": _shown(
        "confirmed", "管理人确认（仅外部资金池） The manager confirms; external pools only", _confirmation
    ),
    "record_pool_filing": _shown("filed", "提款已备案（每笔一次） A drawdown was filed, once", _filing),
    "issue_pool_statement": _shown("quarter", "本季度对账单 The statement of this quarter", _statement),
}
