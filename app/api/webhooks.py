"""Webhook endpoints over HTTP: who is told, with which secret, what became of each event, and sending it again.

Neighbours may rely on this: a secret is in the answer that made it and in no other; an endpoint of another lender is
answered as one that does not exist.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from app.api.acts import IfMatch, expected_version
from app.api.calls import Call, LeanRoute, ThisCall
from app.api.cursor import open_cursor, read_cursor, seal_cursor, write_cursor
from app.api.decisions import JSON
from app.api.fields import DecisionId, WebhookId
from app.api.problems import Problem
from app.api.webhook_schemas import (
    DeliveriesPage,
    DeliveriesQuery,
    DeliveryRead,
    Replayed,
    SecretRotationSent,
    WebhookChangeSent,
    WebhookMade,
    WebhooksAnswer,
    WebhookSent,
    WebhookShown,
    WebhooksQuery,
    WebhookTested,
)
from app.audit.application import instant_text
from app.domain.access import within
from app.usecases.obstacles import UnknownCode
from app.usecases.webhook_endpoints import Asked
from app.usecases.webhooks import Attempt, Delivery, DeliveryState, Endpoint

router = APIRouter(route_class=LeanRoute, tags=["webhooks"])
EndpointId = Annotated[DecisionId, Path()]
ThisEvent = Annotated[WebhookId, Path()]


@router.post("/v1/webhooks", status_code=201, response_model=WebhookMade)
async def create_webhook(call: ThisCall, webhook: WebhookSent) -> Response:
    """新建接收端点 Add an endpoint

    此后该机构的事件投递至此；签名密钥仅在本次答复中给出。
    From now on the lender's events are posted there; the secret that signs them is in this answer alone.
    """
    services, caller = call.services, call.caller
    if webhook.lender not in services.lenders or not caller.sees(webhook.lender):
        raise UnknownCode("/lender", "lender")
    made, secret = await services.webhooks.create(
        webhook.lender, webhook.url, description=webhook.description or "", events=webhook.events or (),
        by=caller.person,
    )  # fmt: skip
    headers = {"Location": f"/v1/webhooks/{made.endpoint_id}", "ETag": f'"{made.version}"'}
    return Response(orjson.dumps(_shown(made) | {"secret": secret}), 201, headers, JSON)


@router.get("/v1/webhooks", response_model=WebhooksAnswer)
async def list_webhooks(call: ThisCall, query: Annotated[WebhooksQuery, Query()]) -> Response:
    """接收端点 Endpoints, the oldest first"""
    scope, key, filters = _scope(call), call.services.cursor_key, {"of": "webhooks", "lender": query.lender}
    asked = scope if query.lender is None else within(scope, query.lender)
    kept = call.services.webhooks.kept
    after = None if query.cursor is None else read_cursor(key, query.cursor, scope, filters)
    found = await kept.listed(asked, limit=query.limit + 1, after=after)
    shown, following = found[: query.limit], None
    if len(found) > query.limit:
        following = write_cursor(key, (shown[-1].created_at, shown[-1].endpoint_id), scope, filters)
    owed = await kept.owed(tuple({one.lender for one in shown}))
    items = [_shown(one, owed.get(one.endpoint_id, {})) for one in shown]
    return Response(orjson.dumps({"items": items, "next_cursor": following}), media_type=JSON)


@router.get("/v1/webhooks/{endpoint_id}", response_model=WebhookShown)
async def get_webhook(call: ThisCall, endpoint_id: EndpointId) -> Response:
    """读取接收端点 Read one endpoint"""
    return await _answer(call, await call.services.webhooks.kept.find(endpoint_id, _scope(call)))


@router.patch("/v1/webhooks/{endpoint_id}", response_model=WebhookShown)
async def update_webhook(
    call: ThisCall, endpoint_id: EndpointId, changes: WebhookChangeSent, if_match: IfMatch = None
) -> Response:
    """更改、停用或启用接收端点 Change, disable or enable an endpoint

    停用期间的事件保留；启用后从停用处继续，三日期限重新起算。
    What happens while it is disabled stays owed; enabled again, it goes on from there, with three days anew.
    """
    sent = {name: value for name in WebhookChangeSent.model_fields if (value := getattr(changes, name)) is not None}
    return await _answer(call, await call.services.webhooks.update(endpoint_id, _asked(call), sent))


@router.delete("/v1/webhooks/{endpoint_id}", response_model=WebhookShown)
async def delete_webhook(call: ThisCall, endpoint_id: EndpointId) -> Response:
    """删除接收端点 Remove an endpoint, with all that it is owed

    未投递的事件一并删除且不可恢复；暂停请改用停用。
    What has not been delivered is lost; to stop for a while, disable it instead.
    """
    return await _answer(call, await call.services.webhooks.delete(endpoint_id, _asked(call)))


@router.post("/v1/webhooks/{endpoint_id}/secret", response_model=WebhookMade)
async def rotate_webhook_secret(
    call: ThisCall, endpoint_id: EndpointId, rotation: SecretRotationSent, if_match: IfMatch = None
) -> Response:
    """更换签名密钥 Make a new secret

    重叠期内每条消息附新旧两个签名，对方可随时切换；新密钥仅在本次答复中给出。
    During the overlap each message bears both signatures, so that the receiver changes over when it likes.
    """
    overlap = timedelta(hours=rotation.overlap_hours)
    made = await call.services.webhooks.rotate(endpoint_id, _asked(call), overlap)
    if made is None:
        raise Problem("not-found")
    return await _answer(call, made[0], secret=made[1])


@router.post("/v1/webhooks/{endpoint_id}/test", response_model=WebhookTested)
async def test_webhook(call: ThisCall, endpoint_id: EndpointId) -> Response:
    """发送测试事件 Send a test event

    即刻排入投递；结果见投递记录。Owed at once; what came of it is among the deliveries.
    """
    event_id = await call.services.webhooks.test(endpoint_id, _asked(call))
    if event_id is None:
        raise Problem("not-found")
    return Response(orjson.dumps({"event_id": event_id}), media_type=JSON)


@router.get("/v1/webhooks/{endpoint_id}/deliveries", response_model=DeliveriesPage)
async def list_webhook_deliveries(
    call: ThisCall, endpoint_id: EndpointId, query: Annotated[DeliveriesQuery, Query()]
) -> Response:
    """投递记录 What an endpoint is owed, and was"""
    scope, key = _scope(call), call.services.cursor_key
    if await call.services.webhooks.kept.find(endpoint_id, scope) is None:
        raise Problem("not-found")
    filters = {"endpoint": endpoint_id, "state": query.state}
    before = None if query.cursor is None else int(open_cursor(key, query.cursor, scope, filters))
    rows = await call.services.webhooks.kept.deliveries(
        endpoint_id, scope, state=query.state, limit=query.limit + 1, before=before
    )
    following = None
    if len(rows) > query.limit:
        following = seal_cursor(key, str(rows[query.limit - 1].number).encode(), scope, filters)
    items = [_delivery(row) for row in rows[: query.limit]]
    return Response(orjson.dumps({"items": items, "next_cursor": following}), media_type=JSON)


@router.get("/v1/webhooks/{endpoint_id}/deliveries/{event_id}", response_model=DeliveryRead)
async def get_webhook_delivery(call: ThisCall, endpoint_id: EndpointId, event_id: ThisEvent) -> Response:
    """一项投递及每次尝试 One delivery, what it says, and every attempt"""
    found = await call.services.webhooks.kept.delivery(endpoint_id, event_id, _scope(call))
    if found is None:
        raise Problem("not-found")
    delivery, tries = found
    told = {"body": delivery.body.decode(), "tries": [_attempt(one) for one in tries]}
    return Response(orjson.dumps(_delivery(delivery) | told), media_type=JSON)


@router.post("/v1/webhooks/{endpoint_id}/deliveries/{event_id}/replay", response_model=Replayed)
async def replay_webhook_delivery(call: ThisCall, endpoint_id: EndpointId, event_id: ThisEvent) -> Response:
    """重放一项 Send one event again, under the same webhook-id"""
    services = call.services
    replayed = await services.webhooks.kept.replay(endpoint_id, _scope(call), event_id, services.now())
    if not replayed:
        raise Problem("not-found")
    return Response(orjson.dumps({"replayed": replayed}), media_type=JSON)


@router.post("/v1/webhooks/{endpoint_id}/replay", response_model=Replayed)
async def replay_dead_webhooks(call: ThisCall, endpoint_id: EndpointId) -> Response:
    """重放全部死信 Send every dead letter again"""
    services, scope = call.services, _scope(call)
    if await services.webhooks.kept.find(endpoint_id, scope) is None:
        raise Problem("not-found")
    replayed = await services.webhooks.kept.replay(endpoint_id, scope, None, services.now())
    return Response(orjson.dumps({"replayed": replayed}), media_type=JSON)


# ---- the parts -------------------------------------------------------------------------------------------------------


def _scope(call: Call) -> tuple[str, ...]:
    return call.caller.scope(call.services.lenders)


def _asked(call: Call) -> Asked:
    return Asked(call.caller.person, _scope(call), expected_version(call))


async def _answer(call: Call, found: Endpoint | None, **more: str) -> Response:
    if found is None:
        raise Problem("not-found")
    owed = (await call.services.webhooks.kept.owed((found.lender,))).get(found.endpoint_id, {})
    return Response(
        orjson.dumps(_shown(found, owed) | more), headers={"ETag": f'"{found.version}"'}, media_type=JSON
    )


def _shown(found: Endpoint, owed: Any = None) -> dict[str, Any]:
    counts = owed or {}
    return {
        "endpoint_id": found.endpoint_id, "lender": found.lender, "url": found.url, "description": found.description,
        "events": list(found.events), "enabled": found.enabled, "why_disabled": found.why_disabled,
        "version": found.version, "secret_overlaps_until": _instant(found.secret_overlaps_until),
        "created_at": _instant(found.created_at), "created_by": found.created_by,
        "changed_at": _instant(found.changed_at),
        "owed": {state.value.lower(): counts.get(state.value, 0) for state in DeliveryState},
    }  # fmt: skip


def _delivery(row: Delivery) -> dict[str, Any]:
    waits = row.state is DeliveryState.PENDING
    return {
        "event_id": row.event_id, "number": row.number, "type": row.type, "subject": row.subject,
        "state": row.state.value, "attempts": row.attempts, "owed_since": _instant(row.owed_since),
        "next_attempt_at": _instant(row.next_at) if waits else None, "last_outcome": row.last_outcome,
        "last_status": row.last_status, "ended_at": _instant(row.ended_at),
    }  # fmt: skip


def _attempt(one: Attempt) -> dict[str, Any]:
    return {
        "attempt": one.attempt, "at": _instant(one.at), "outcome": one.outcome.value, "status": one.status,
        "took_ms": one.took_ms,
    }  # fmt: skip


def _instant(at: Any) -> str | None:
    return None if at is None else instant_text(at)
