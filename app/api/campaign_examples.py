"""Campaigns as the documentation shows them: each example works as it stands.

Neighbours may rely on this: a demonstration has the campaign of CAMPAIGN_ID.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from app.api.examples import Example, pre_approved

CAMPAIGN_ID: Final = "01990000-0000-7000-8000-00000000c0de"


def campaign_examples(on: date) -> tuple[Example, ...]:
    """This function will return examples of a new campaign."""
    told = pre_approved(on)
    parts = ("company", "innovation_score", "financials", "evidence", "credit_history", "authorisation")
    document = {
        "name": "积分名单预授信", "zone": told["company"]["zone"], "products": [told["product"]],
        "request": {"amount": "5000000.00", "tenor_months": 12, "purpose": "raw-materials"},
        "companies": [{name: told[name] for name in parts}],
    }  # fmt: skip
    return (Example("companies", "一家企业的名单 A list of one company", document),)


def _noted(on: date) -> tuple[Example, ...]:
    return (Example("noted", "附说明 With a note", {"note": "按行长办公会决定"}),)


CAMPAIGN_ACTS: Final = {
    "create_campaign": campaign_examples, "run_campaign": _noted, "pause_campaign": _noted, "cancel_campaign": _noted,
}  # fmt: skip
"""By operation: its examples of a day."""
