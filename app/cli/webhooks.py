"""jifendai webhooks …: where lenders' events go, what became of them, and sending them again; no server is needed.

Neighbours may rely on this: a secret is shown once, on standard output, by the command that makes it.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from app.adapters.clock import utc_now
from app.cli.installation import (
    FAULTY,
    Refused,
    its_catalogue,
    its_database,
    its_settings,
    its_signer,
    say,
    show,
    subject,
)
from app.usecases.webhook_endpoints import Asked, WebhookEndpoints
from app.usecases.webhook_events import EventType
from app.usecases.webhooks import MOST_ENDPOINTS, Endpoint, TooManyEndpoints, UrlRefused, UrlTaken

_T = TypeVar("_T")
_SOLD = frozenset(EventType) - {EventType.ENDPOINT_TEST}


def create(options: argparse.Namespace) -> None:
    """This function will add an endpoint and show its secret, this once."""
    if not its_catalogue(its_settings()).catalog.knows_lender(options.lender):
        raise Refused(FAULTY, f"--lender {options.lender}: the catalogue has no such lender. 目录中没有此机构")
    made, secret = _done(
        lambda endpoints, _: endpoints.create(
            options.lender, options.url, description=options.description or "", events=_events(options), by=subject()
        )
    )
    _show_once(made, secret)


def list_all(options: argparse.Namespace) -> None:
    """This function will show every endpoint with what it is owed."""
    async def listed(endpoints: WebhookEndpoints, asked: Asked) -> None:
        owed = await endpoints.kept.owed(asked.scope)
        for one in await endpoints.kept.listed(asked.scope, limit=MOST_ENDPOINTS * len(asked.scope)):
            counts = " ".join(f"{state}:{count}" for state, count in sorted(owed.get(one.endpoint_id, {}).items()))
            state = "enabled 启用" if one.enabled else f"disabled 停用 ({one.why_disabled})"
            kinds = ",".join(one.events) or "every event 全部事件"
            show("  ".join((one.endpoint_id, one.lender, state, one.url, kinds, counts)))

    _done(listed)


def update(options: argparse.Namespace) -> None:
    """This function will change the endpoint's address, description or events."""
    changes = {name: value for name in ("url", "description") if (value := getattr(options, name)) is not None}
    if options.event:
        changes["events"] = _events(options)
    if not changes:
        raise Refused(FAULTY, "Name what to change: --url, --description or --event. 请指明要更改的项目")
    _change(options.id, changes)


def enable(options: argparse.Namespace) -> None:
    """This function will send to the endpoint again, beginning with what it is still owed."""
    _change(options.id, {"enabled": True})


def disable(options: argparse.Namespace) -> None:
    """This function will send the endpoint nothing; what happens meanwhile stays owed."""
    _change(options.id, {"enabled": False})


def delete(options: argparse.Namespace) -> None:
    """This function will remove the endpoint with all that it is owed."""
    if not options.yes:
        raise Refused(
            FAULTY, "What is still owed is lost with it: say --yes, or disable it. 未投递的事件将丢失，请确认"
        )
    _found(_done(lambda endpoints, asked: endpoints.delete(options.id, asked)))
    say("Deleted. 已删除")


def rotate(options: argparse.Namespace) -> None:
    """This function will make a new secret, beside which the present one signs until the overlap is over."""
    overlap = timedelta(hours=options.overlap)
    made, secret = _found(_done(lambda endpoints, asked: endpoints.rotate(options.id, asked, overlap)))
    say(f"Both secrets sign until 新旧密钥并用至 {made.secret_overlaps_until:%Y-%m-%d %H:%M}Z")
    _show_once(made, secret)


def test(options: argparse.Namespace) -> None:
    """This function will owe the endpoint a test event, which a running service sends."""
    event_id = _found(_done(lambda endpoints, asked: endpoints.test(options.id, asked)))
    say("A running service sends it within a second or two; see `webhooks deliveries`. 由运行中的服务投递")
    show(event_id)


def deliveries(options: argparse.Namespace) -> None:
    """This function will show what the endpoint is owed and was, the newest first."""
    async def listed(endpoints: WebhookEndpoints, asked: Asked) -> None:
        _found(await endpoints.kept.find(options.id, asked.scope))
        rows = await endpoints.kept.deliveries(
            options.id, asked.scope, state=options.state, limit=options.limit, before=None
        )
        for row in rows:
            came = "-" if row.last_outcome is None else f"{row.last_outcome} {row.last_status or ''}".strip()
            again = f"next 下次 {row.next_at:%Y-%m-%d %H:%M:%S}Z" if row.state.value == "PENDING" else ""
            show("  ".join((row.event_id, row.type, row.state.value, f"{row.attempts}×", came, again)).rstrip())

    _done(listed)


def replay(options: argparse.Namespace) -> None:
    """This function will owe one event again, or every dead letter."""
    async def again(endpoints: WebhookEndpoints, asked: Asked) -> int:
        _found(await endpoints.kept.find(options.id, asked.scope))
        return await endpoints.kept.replay(options.id, asked.scope, options.event_id, utc_now())

    count = _done(again)
    if options.event_id is not None and not count:
        raise Refused(FAULTY, "The endpoint was never owed such an event. 没有此事件")
    say(f"Owed again 重新投递: {count}")


# ---- the parts -------------------------------------------------------------------------------------------------------


def _done(act: Callable[[WebhookEndpoints, Asked], Awaitable[_T]]) -> _T:
    from app.main import open_webhooks

    async def acting() -> _T:
        settings = its_settings()
        signer = its_signer(settings)
        lenders = tuple(its_catalogue(settings).catalog.lenders)
        async with its_database(settings) as database:
            endpoints = open_webhooks(settings, database, signer, utc_now)
            return await act(endpoints, Asked(subject(), lenders))

    try:
        return asyncio.run(acting())
    except UrlRefused as refused:
        raise Refused(FAULTY, *reversed(refused.detail)) from None
    except UrlTaken:
        raise Refused(FAULTY, "The lender has an endpoint at this address already. 该机构已有此接收地址") from None
    except TooManyEndpoints:
        raise Refused(
            FAULTY, f"The lender has {MOST_ENDPOINTS} endpoints, as many as it may: delete one first. 接收端点已达上限"
        ) from None


def _change(endpoint_id: str, changes: dict[str, Any]) -> None:
    _found(_done(lambda endpoints, asked: endpoints.update(endpoint_id, asked, changes)))
    say("Changed. 已更改")


def _found(found: _T | None) -> _T:
    if found is None:
        raise Refused(FAULTY, "There is no such endpoint; see `jifendai webhooks list`. 没有此接收端点")
    return found


def _events(options: argparse.Namespace) -> tuple[str, ...]:
    for name in options.event:
        if name not in _SOLD:
            raise Refused(FAULTY, f"--event {name}: one of {', '.join(sorted(_SOLD))}. 事件类型须为以上之一")
    return tuple(options.event)


def _show_once(made: Endpoint, secret: str) -> None:
    say(f"Endpoint 接收端点 {made.endpoint_id} of {made.lender}; its secret is shown this once. 密钥仅显示这一次:")
    show(secret)
