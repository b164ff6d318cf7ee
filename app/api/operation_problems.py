"""Which problems each operation can answer with, and how the contract tells of them.

Neighbours may rely on this: an operation is in `PROBLEMS` once, by the name of its function; what any request can meet
before it reaches an operation is added to each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from app.api.pool_examples import POOL_ACTS
from app.api.problems import KINDS, MEDIA_TYPE, Problem, error
from app.api.subsidy_examples import SUBSIDY_ACTS

_KEYED: Final = (
    "actor-not-valid", "unauthenticated", "forbidden", "too-many-requests", "store-unavailable", "tokens-unavailable",
    "deadline-exceeded", "internal-error",
)  # fmt: skip
_ANY: Final = ("uri-too-long", "headers-too-large")
_BODY: Final = ("malformed-json", "request-timeout", "body-too-large", "unsupported-media-type", "invalid-request")
_CODES: Final = ("unknown-product", "unknown-code", "fact-from-the-future")
PROBLEMS: Final[Mapping[str, Sequence[str]]] = {
    "decide": (
        "idempotency-key-missing", "idempotency-key-malformed", *_BODY, "idempotency-key-reused", *_CODES,
        "record-too-large", "offer-already-approved", "application-of-another-branch", "commit-unknown", "desk-full",
        "catalogue-not-active", *_KEYED,
    ),
    "preview": (*_BODY, *_CODES, *_KEYED),
    "list_decisions": ("cursor-not-valid", "invalid-request", *_KEYED),
    "get_statistics": ("invalid-request", "statistics-too-large", *_KEYED),
    "get_decision": ("not-found", "pruned", "invalid-request", *_KEYED),
    "get_receipt": ("not-found", "invalid-request", *_KEYED),
    "review_decision": (
        "idempotency-key-missing", "idempotency-key-malformed", *_BODY, "idempotency-key-reused", "not-found",
        "pruned", "not-referred", "already-reviewed", "referral-superseded", "record-too-large", "commit-unknown",
        "desk-full", "catalogue-not-active", *_KEYED,
    ),
    "list_open_referrals": ("cursor-not-valid", "invalid-request", *_KEYED),
    "export_decisions": ("invalid-request", "exports-busy", *_KEYED),
    "explain_decision": ("not-found", "pruned", "invalid-request", "not-explainable", *_KEYED),
    "replay_decision": ("not-found", "pruned", "invalid-request", "not-replayable", *_KEYED),
    "list_previews": ("cursor-not-valid", "invalid-request", *_KEYED),
    "list_repeated_previews": ("cursor-not-valid", "invalid-request", *_KEYED),
    "get_offer": ("not-found", "invalid-request", *_KEYED),
    "record_offer_event": (
        "idempotency-key-missing", "idempotency-key-malformed", "if-match-malformed", *_BODY, "idempotency-key-reused",
        "not-found", "event-refused", "offer-changed", "record-too-large", "commit-unknown", "desk-full",
        "catalogue-not-active", *_KEYED,
    ),
    "request_exception": (
        "idempotency-key-missing", "idempotency-key-malformed", *_BODY, "idempotency-key-reused", "not-found",
        "exception-refused", "record-too-large", "commit-unknown", "desk-full", "catalogue-not-active", *_KEYED,
    ),
    "settle_exception": (
        "idempotency-key-missing", "idempotency-key-malformed", *_BODY, "idempotency-key-reused", "not-found", *_CODES,
        "exception-refused", "offer-already-approved", "record-too-large", "commit-unknown", "desk-full",
        "catalogue-not-active", *_KEYED,
    ),
    "list_exceptions": ("cursor-not-valid", "invalid-request", *_KEYED),
    "get_exception": ("not-found", "invalid-request", *_KEYED),
    "get_record_receipt": ("not-found", "invalid-request", *_KEYED),
    "list_pools": ("invalid-request", *_KEYED),
    **dict.fromkeys(("get_group", "get_pool"), ("not-found", "invalid-request", *_KEYED)),
    "list_pool_entries": ("not-found", "cursor-not-valid", "invalid-request", *_KEYED),
    "list_pool_claims": ("not-found", "cursor-not-valid", "invalid-request", *_KEYED),
    "list_pool_filings": ("not-found", "cursor-not-valid", "invalid-request", *_KEYED),
    **dict.fromkeys(SUBSIDY_ACTS, (
        "idempotency-key-missing", "idempotency-key-malformed", *_BODY, "idempotency-key-reused", "not-found",
        "subsidy-refused", "record-too-large", "commit-unknown", "desk-full", "catalogue-not-active", *_KEYED,
    )),
    "get_pool_statement": ("not-found", "invalid-request", *_KEYED),
    **dict.fromkeys((*POOL_ACTS, "register_group"), (
        "idempotency-key-missing", "idempotency-key-malformed", *_BODY, "idempotency-key-reused", "not-found",
        "pool-refused", "record-too-large", "commit-unknown", "desk-full", "catalogue-not-active", *_KEYED,
    )),
    "create_campaign": (
        "idempotency-key-missing", "idempotency-key-malformed", *_BODY, "idempotency-key-reused", "unknown-product",
        "record-too-large", "commit-unknown", "desk-full", "catalogue-not-active", *_KEYED,
    ),
    "create_campaign_from_sheet": (
        "idempotency-key-missing", "idempotency-key-malformed", "sheet-too-large", "unsupported-sheet-type",
        "request-timeout", "unknown-code", "unknown-product", "invalid-request", "sheet-refused", "sheets-busy",
        "idempotency-key-reused", "record-too-large", "commit-unknown", "desk-full", "catalogue-not-active", *_KEYED,
    ),
    "list_campaigns": ("cursor-not-valid", "invalid-request", *_KEYED),
    "get_campaign": ("not-found", "invalid-request", *_KEYED),
    "get_campaign_outreach": ("not-found", "invalid-request", *_KEYED),
    **dict.fromkeys(("run_campaign", "pause_campaign", "cancel_campaign"), (
        "idempotency-key-missing", "idempotency-key-malformed", *_BODY, "idempotency-key-reused", "not-found",
        "campaign-refused", "record-too-large", "commit-unknown", "desk-full", "catalogue-not-active", *_KEYED,
    )),
    "import_score_sheet": (
        "sheet-too-large", "unsupported-sheet-type", "request-timeout", "unknown-code", "not-found", "invalid-request",
        "sheet-refused", "sheets-busy", *_KEYED,
    ),
    **dict.fromkeys(("list_settlements", "list_subsidy_programmes"), ("invalid-request", *_KEYED)),
    "get_checkpoint": ("not-found", "invalid-request", *_KEYED),
    "get_consistency": ("not-found", "invalid-request", *_KEYED),
    "get_operator_checkpoint": ("not-found", "invalid-request", *_KEYED),
    "get_operator_consistency": ("not-found", "invalid-request", *_KEYED),
    "list_operator_records": ("not-found", "cursor-not-valid", "invalid-request", *_KEYED),
    "list_zones": ("invalid-request", *_KEYED),
    "list_products": ("invalid-request", *_KEYED),
    "get_product": ("not-found", "invalid-request", *_KEYED),
    "list_reasons": ("invalid-request", *_KEYED),
    "create_webhook": (
        *_BODY, "unknown-code", "webhook-url-taken", "too-many-webhooks", "webhook-url-refused", *_KEYED,
    ),
    "list_webhooks": ("cursor-not-valid", "invalid-request", *_KEYED),
    "get_webhook": ("not-found", "invalid-request", *_KEYED),
    "update_webhook": (
        "if-match-malformed", *_BODY, "not-found", "webhook-url-taken", "webhook-changed", "webhook-url-refused",
        *_KEYED,
    ),
    "rotate_webhook_secret": ("if-match-malformed", *_BODY, "not-found", "webhook-changed", *_KEYED),
    "list_webhook_deliveries": ("not-found", "cursor-not-valid", "invalid-request", *_KEYED),
    **dict.fromkeys(
        ("delete_webhook", "test_webhook", "get_webhook_delivery", "replay_webhook_delivery", "replay_dead_webhooks"),
        ("not-found", "invalid-request", *_KEYED),
    ),
    "livez": ("invalid-request", "internal-error"),
    "readyz": ("invalid-request", "not-ready", "store-unavailable", "internal-error"),
    "metrics": ("not-found", "invalid-request", *_KEYED),
}  # fmt: skip

QUOTA_HEADERS: Final = {
    name: {"description": words, "schema": {"type": "string", "maxLength": 128}}
    for name, words in (
        ("RateLimit-Policy", "配额 q 与窗口秒数 w，设有限额时给出。Quota q in w seconds, where one is set."),
        ("RateLimit", "剩余 r，t 秒后恢复。What remains (r), and in how many seconds all is there again (t)."),
    )
}


def problem_responses(slugs: Iterable[str], *, keyed: bool) -> dict[str, Any]:
    """This function will return the contract's responses for these problems and for those of any operation, by status.
    """
    by_status: dict[int, list[str]] = {}
    for slug in (*slugs, *_ANY):
        by_status.setdefault(KINDS[slug].status, []).append(slug)
    return {str(status): _problem_response(status, found, keyed) for status, found in sorted(by_status.items())}


def _problem_response(status: int, slugs: Sequence[str], keyed: bool) -> dict[str, Any]:
    headers = {
        "X-Request-Id": {"description": "请求编号。Id of the request.", "schema": {"type": "string", "maxLength": 128}}
    }
    if status == 401:
        headers["WWW-Authenticate"] = {
            "description": "所需的认证方式。How to authenticate.",
            "schema": {"type": "string", "maxLength": 128},
        }
    # A caller who was recognised is told his quota with any answer, a refusal too.
    if keyed:
        headers |= QUOTA_HEADERS
    if status in (429, 503):
        wait = {"type": "integer", "format": "int32", "minimum": 0, "maximum": 3600}
        headers["Retry-After"] = {"description": "几秒后重试。Seconds to wait.", "schema": wait}
    places = [error("须为字符串", "must be a string", pointer="/request/amount")]
    examples = {
        slug: {
            "summary": KINDS[slug].title,
            "value": Problem(slug, errors=places if slug == "invalid-request" else ()).body(),
        }
        for slug in slugs
    }
    return {
        "description": "；".join(KINDS[slug].title_zh for slug in slugs) + "。"
        + "; ".join(KINDS[slug].title_en for slug in slugs) + ".",
        "headers": headers,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples}},
    }  # fmt: skip
