"""The webhooks' rows of what tests/api/test_access.py holds the matrix to, written out by hand."""

from app.api.webhook_examples import ENDPOINT_ID, EVENT_ID, UNUSED_ENDPOINT_ID, WEBHOOK_ACTS

__all__ = ["WEBHOOK_ACTS", "WEBHOOK_PATHS", "WEBHOOK_ROLES"]

WEBHOOK = f"/v1/webhooks/{ENDPOINT_ID}"
WEBHOOK_PATHS = {
    "create_webhook": ("POST", "/v1/webhooks"),
    "list_webhooks": ("GET", "/v1/webhooks"),
    "get_webhook": ("GET", WEBHOOK),
    "update_webhook": ("PATCH", WEBHOOK),
    "delete_webhook": ("DELETE", f"/v1/webhooks/{UNUSED_ENDPOINT_ID}"),
    "rotate_webhook_secret": ("POST", f"{WEBHOOK}/secret"),
    "test_webhook": ("POST", f"{WEBHOOK}/test"),
    "list_webhook_deliveries": ("GET", f"{WEBHOOK}/deliveries"),
    "get_webhook_delivery": ("GET", f"{WEBHOOK}/deliveries/{EVENT_ID}"),
    "replay_webhook_delivery": ("POST", f"{WEBHOOK}/deliveries/{EVENT_ID}/replay"),
    "replay_dead_webhooks": ("POST", f"{WEBHOOK}/replay"),
}
WEBHOOK_ROLES = {
    **dict.fromkeys(("create_webhook", "update_webhook", "delete_webhook", "rotate_webhook_secret"), "operator"),
    **dict.fromkeys(("test_webhook", "replay_webhook_delivery", "replay_dead_webhooks"), "operator"),
    **dict.fromkeys(("list_webhooks", "get_webhook"), "auditor operator"),
    **dict.fromkeys(("list_webhook_deliveries", "get_webhook_delivery"), "auditor operator"),
}
