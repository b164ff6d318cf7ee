"""The demonstration's webhook endpoints: disabled, so that nothing leaves it, with fixed ids for the worked examples.

Neighbours may rely on this: what was made before is left as it is.
"""

from __future__ import annotations

from app.usecases.webhook_endpoints import WebhookEndpoints
from app.usecases.webhook_events import Event, EventType, body_of
from app.usecases.webhooks import UrlTaken

ENDPOINT_ID, UNUSED_ENDPOINT_ID = (f"01990000-0000-7000-8000-00000000400{number}" for number in (1, 2))
EVENT_ID = "tst_01990000-0000-7000-8000-0000000040e1"
_URLS = ("https://receiver.example/jifendai", "https://receiver.example/unused")
_LENDER, _BY = "icbc", "demo-operator"


async def seed_webhooks(endpoints: WebhookEndpoints) -> None:
    """This function will make the two endpoints, and owe the first a test."""
    for endpoint_id, url in zip((ENDPOINT_ID, UNUSED_ENDPOINT_ID), _URLS, strict=True):
        if await endpoints.kept.find(endpoint_id, (_LENDER,)) is not None:
            continue
        try:
            made, _ = await endpoints.create(
                _LENDER, url, description="DEMO", by=_BY, endpoint_id=endpoint_id, enabled=False
            )
        except UrlTaken:
            continue
        if endpoint_id == ENDPOINT_ID:
            at = endpoints.now()
            event = Event(EVENT_ID, EventType.ENDPOINT_TEST, _LENDER, EVENT_ID, at, {"endpoint_id": endpoint_id})
            body = body_of(event, endpoints.log_name)
            await endpoints.kept.owe(made, EVENT_ID, event.type.value, EVENT_ID, body, at)
