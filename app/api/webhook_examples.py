"""Worked examples of webhook endpoints; the demonstration has two that are disabled, so that nothing leaves it."""

from __future__ import annotations

from datetime import date
from typing import Final

from app.api.examples import Example

ENDPOINT_ID: Final = "01990000-0000-7000-8000-000000004001"
UNUSED_ENDPOINT_ID: Final = "01990000-0000-7000-8000-000000004002"
"""There to be deleted."""
EVENT_ID: Final = "tst_01990000-0000-7000-8000-0000000040e1"
"""What the demonstration's endpoint is owed."""


def webhook_examples(on: date) -> tuple[Example, ...]:
    """This function will return a new endpoint."""
    document = {
        "lender": "icbc", "url": f"https://los.example/jifendai/{on.isoformat()}", "description": "信贷系统 LOS",
        "events": ["decision.made", "offer.superseded", "offer.expired", "offer.event_recorded"],
    }  # fmt: skip
    return (Example("loan-system", "信贷系统接收决策与授信事件 A loan system that is told", document),)


def webhook_change_examples(on: date) -> tuple[Example, ...]:
    """This function will return changes of an endpoint, which may be made again and again."""
    return (
        Example("disable", "停用 Disable: what happens meanwhile stays owed", {"enabled": False}),
        Example("events", "只接收决策 Only decisions", {"events": ["decision.made"]}),
    )


def secret_rotation_examples(on: date) -> tuple[Example, ...]:
    """This function will return a rotation."""
    return (Example("a-day", "新旧密钥并用一日 Both secrets sign for a day", {"overlap_hours": 24}),)


WEBHOOK_ACTS: Final = {
    "create_webhook": webhook_examples,
    "update_webhook": webhook_change_examples,
    "rotate_webhook_secret": secret_rotation_examples,
}
"""What each operation that takes a body is shown with."""
