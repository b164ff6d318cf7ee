"""One attempt at one endpoint, over HTTP.

Neighbours may rely on this: an attempt is over within its deadline, follows no redirect, reads nothing of an answer but
its status and its Retry-After, and goes to the very address that was checked, under the endpoint's own name in TLS. It
never raises for what an endpoint does: whatever that is has an outcome. httpx is imported at the first attempt, not at
start.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from time import perf_counter
from typing import Any, Final, NamedTuple

from app.adapters.clock import utc_now
from app.adapters.webhook_addresses import AddressRules, NoAddress, Resolve, resolve_by_system
from app.usecases.webhooks import Outcome, UrlRefused

ANSWERS_WITHIN_S: Final = 10.0


class Sent(NamedTuple):
    """What came of it, the HTTP status if one was answered, and for how long the endpoint asked to be left alone."""

    outcome: Outcome
    status: int | None = None
    took_ms: int = 0
    asked_wait: timedelta | None = None


class Sender:
    """Sends to endpoints within the rules."""

    def __init__(
        self,
        rules: AddressRules,
        *,
        resolve: Resolve = resolve_by_system,
        answers_within_s: float = ANSWERS_WITHIN_S,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._rules = rules
        self._resolve = resolve
        self._within_s = answers_within_s
        self._now = now
        self._tls: ssl.SSLContext | None = None

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Sent:
        """This function will post the body and say what came of it."""
        began = perf_counter()

        def came_of_it(outcome: Outcome, status: int | None = None, asked_wait: timedelta | None = None) -> Sent:
            return Sent(outcome, status, int((perf_counter() - began) * 1000), asked_wait)

        httpx = await asyncio.to_thread(_httpx)
        try:
            async with asyncio.timeout(self._within_s):
                status, asked_wait = await self._post(httpx, url, headers, body)
        except UrlRefused:
            return came_of_it(Outcome.ADDRESS_REFUSED)
        except NoAddress:
            return came_of_it(Outcome.NO_ADDRESS)
        except (TimeoutError, httpx.TimeoutException):
            return came_of_it(Outcome.TIMED_OUT)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            return came_of_it(Outcome.TLS_FAILED if _is_tls(error) else Outcome.NOT_CONNECTED)
        outcome = _outcome(status)
        return came_of_it(outcome, status, None if outcome is Outcome.DELIVERED else asked_wait)

    async def _post(
        self, httpx: Any, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, timedelta | None]:
        target = await self._rules.target(url, self._resolve)
        if self._tls is None:
            self._tls = await asyncio.to_thread(httpx.create_ssl_context)
        # A client each time: one whose request was cut off in the middle is not used again.
        async with httpx.AsyncClient(
            verify=self._tls, follow_redirects=False, trust_env=False, timeout=self._within_s
        ) as client:
            request = client.build_request(
                "POST", target.url, content=body,
                headers={"Host": target.host, "Content-Type": "application/cloudevents+json; charset=utf-8",
                         "User-Agent": "jifendai-webhooks/1", **headers},
                extensions={"sni_hostname": target.name},
            )  # fmt: skip
            answer = await client.send(request, stream=True)
            # What an endpoint says beyond its status is nothing to us, however much of it there is.
            await answer.aclose()
            return int(answer.status_code), _asked_wait(answer.headers.get("retry-after", ""), self._now())


def _asked_wait(text: str, now: datetime) -> timedelta | None:
    """Retry-After (RFC 9110, section 10.2.3): seconds or a date; whatever else stands there asks for nothing."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=int(text[:9]))
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return None if at.tzinfo is None or at <= now else at - now


def _outcome(status: int) -> Outcome:
    if 200 <= status < 300:
        return Outcome.DELIVERED
    if status == 410:
        return Outcome.GONE
    return Outcome.REDIRECTED if 300 <= status < 400 else Outcome.REFUSED_STATUS


def _is_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _httpx() -> Any:
    import httpx

    return httpx

