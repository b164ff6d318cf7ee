"""A demonstration's campaign: one company, one product, forecast and not yet run.

Neighbours may rely on this: whoever seeds it again changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final

from app.adapters.desk import Desk
from app.audit.canonical import canonical_bytes
from app.usecases.campaigns import Campaign, CampaignAct, Campaigns, CampaignState, CampaignVerb, listed_company
from app.usecases.decide import seal, wanted
from app.usecases.ports import Book
from app.usecases.room import Room

_BY: Final = "demo-officer"


async def seed_campaign(
    book: Book, campaigns: Campaigns, room: Room, now: datetime, *, campaign_id: str, document: Mapping[str, Any]
) -> None:
    """This function will create the campaign, unless that was done or the catalogue lacks its product."""
    product = document["products"][0]
    lender = product.partition("/")[0]
    if not room.catalogue.catalog.knows_product(product) or await campaigns.find(campaign_id, (lender,)) is not None:
        return
    campaign = Campaign(
        campaign_id, lender, None, "DEMO: 积分名单预授信", document["zone"], CampaignState.FORECASTING, (product,), 1,
        now, _BY, {"kind": "COMPANIES"},
    )  # fmt: skip
    await campaigns.prepare(lender, campaign_id, [listed_company(0, document["companies"][0], document["request"])])
    await Desk(book, wanted=wanted, seal=partial(seal, room=room)).submit(
        CampaignAct(
            lender=lender, subject=campaign_id, idempotency_key="demo-campaign", document=canonical_bytes(document),
            submitted_by=_BY, verb=CampaignVerb.CREATE, created=campaign,
        )
    )  # fmt: skip
