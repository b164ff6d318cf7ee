"""The zones' score platforms: who is asked how, and how often.

Neighbours may rely on this: whoever asks is answered by the platform's deadline, attempts, pauses and what the caller
did since the moment that it names included, even where the connection takes longer to come to its end; callers who ask
about one company at one moment share one question, and one of them going away ends nobody's. Only a GET is asked
again, after a pause with jitter, while the zone's budget lasts; what fails again and again is left alone for a while;
of one zone at most `MOST_AT_ONCE` questions are under way. Secrets are in no message, metric or line of the log.
"""

from __future__ import annotations

import asyncio
import binascii
import hmac
import json
import logging
import time
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Protocol
from urllib.parse import quote, urlsplit

import stamina
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from app.adapters.circuit_breaker import CircuitBreaker
from app.adapters.http_client import CallFailed, Deadline, Failure, HttpAnswer, call
from app.adapters.identifiers import new_uuid7
from app.adapters.platform_files import Credentials
from app.domain.company import LookupAnswer, ScoreLookup
from app.domain.platform import (
    AnswerRefused,
    AnswerSignature,
    AuthenticationKind,
    PlatformUnavailable,
    ScorePlatform,
    SignatureKind,
    WhyNot,
)
from app.usecases.platforms import Answered

MOST_AT_ONCE: Final = 64
ATTEMPTS: Final = 3
REQUEST_ID: Final = "Jifendai-Request-Id"
_PAUSE_S: Final = 0.05
# An attempt that begins later could not be answered any more.
_WORTH_S: Final = 0.25
_log = logging.getLogger("jifendai.platforms")
# Its own hooks would log an exception's words and count into a registry that nobody reads.
stamina.instrumentation.set_on_retry_hooks([])


class Observer(Protocol):
    """Counts questions; labels are zones and closed codes."""

    def platform_asked(self, zone: str, outcome: str, seconds: float) -> None:
        """This function will count one question and how long it took."""

    def score_looked_up(self, zone: str, answer: str, why: str) -> None:
        """This function will count what came of a lookup."""


class RetryBudget:
    """Asking again may at most be a tenth of asking, after ten of a sudden."""

    COSTS: Final = 10
    MOST: Final = 100

    def __init__(self) -> None:
        self._left = self.MOST

    def asked(self) -> None:
        """This function will count a question."""
        self._left = min(self.MOST, self._left + 1)

    def take(self) -> bool:
        """This function will tell whether one may be asked again, and count it."""
        if self._left < self.COSTS:
            return False
        self._left -= self.COSTS
        return True


@dataclass(slots=True)
class _Zone:
    platform: ScorePlatform
    credentials: Credentials
    breaker: CircuitBreaker
    budget: RetryBudget = field(default_factory=RetryBudget)
    running: dict[str, asyncio.Task[Answered]] = field(default_factory=dict)


class _AskAgain(Exception):
    """An attempt failed in a way that may pass; `why` is what remains of it."""

    def __init__(self, why: WhyNot) -> None:
        super().__init__(why.value)
        self.why = why


class Platforms:
    """The platforms of an installation, by zone."""

    def __init__(
        self,
        platforms: Mapping[str, tuple[ScorePlatform, Credentials]],
        observer: Observer,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._zones = {
            zone: _Zone(platform, credentials, CircuitBreaker(monotonic))
            for zone, (platform, credentials) in platforms.items()
        }
        self._observer = observer
        self._monotonic = monotonic
        self._wall = wall

    def of_zone(self, zone: str) -> ScorePlatform | None:
        """This function will return the zone's platform."""
        found = self._zones.get(zone)
        return None if found is None else found.platform

    def resting(self) -> tuple[str, ...]:
        """This function will return the zones whose platform is left alone for now."""
        return tuple(zone for zone, found in self._zones.items() if found.breaker.is_open)

    def moment(self) -> float:
        """This function will tell the moment, in seconds."""
        return self._monotonic()

    async def ask(self, platform: ScorePlatform, uscc: str, since: float | None = None) -> Answered:
        """This function will ask about a company and answer within the deadline, which runs since the moment, or from
        now on. Raises PlatformUnavailable, AnswerRefused.
        """
        gone_s = 0.0 if since is None else self._monotonic() - since
        zone = self._zones[platform.zone]
        running = zone.running.get(uscc)
        if running is None:
            if len(zone.running) >= MOST_AT_ONCE:
                raise PlatformUnavailable(WhyNot.BUSY)
            running = zone.running[uscc] = asyncio.create_task(self._asked(zone, uscc))
            running.add_done_callback(lambda done: _ended(zone, uscc, done))
        # Whoever goes away, or has waited for as long as may be, leaves the others and the connection to come to their
        # own end: nothing that is on the wire is cancelled.
        done, _ = await asyncio.wait((running,), timeout=max(0.0, platform.deadline_ms / 1_000 - gone_s))
        if not done:
            raise PlatformUnavailable(WhyNot.DEADLINE)
        return running.result()

    async def close(self) -> None:
        """This function will wait for the questions that are under way, which their deadlines end."""
        running = [task for zone in self._zones.values() for task in zone.running.values()]
        await asyncio.gather(*running, return_exceptions=True)

    def told(self, zone: str, uscc: str, lookup: ScoreLookup) -> None:
        """This function will note what came of a lookup."""
        self._observer.score_looked_up(zone, lookup.answer.value, lookup.why or "")
        event = {"zone": zone, "company": uscc, "answer": lookup.answer.value, "why": lookup.why,
                 "snapshot": lookup.snapshot_id}  # fmt: skip
        expected = lookup.answer in (LookupAnswer.OBTAINED, LookupAnswer.KEPT)
        level = logging.INFO if expected else logging.WARNING
        _log.log(level, "score lookup", extra={"event": event})

    async def _asked(self, zone: _Zone, uscc: str) -> Answered:
        began, outcome, attempts = self._monotonic(), "ANSWERED", [0]
        try:
            if not zone.breaker.passes():
                raise PlatformUnavailable(WhyNot.CIRCUIT_OPEN)
            return await self._within_deadline(zone, uscc, attempts)
        except (PlatformUnavailable, AnswerRefused) as failed:
            outcome = failed.why.value
            raise
        finally:
            seconds = self._monotonic() - began
            self._observer.platform_asked(zone.platform.zone, outcome, seconds)
            event = {"zone": zone.platform.zone, "company": uscc, "outcome": outcome, "attempts": attempts[0],
                     "milliseconds": round(seconds * 1_000)}  # fmt: skip
            _log.info("score platform asked", extra={"event": event})

    async def _within_deadline(self, zone: _Zone, uscc: str, attempts: list[int]) -> Answered:
        platform = zone.platform
        deadline = Deadline(platform.deadline_ms / 1_000, self._monotonic)
        zone.budget.asked()

        def may_ask_again(error: Exception) -> bool:
            passing = isinstance(error, _AskAgain) and platform.body is None
            return passing and deadline.left_s > _WORTH_S and zone.budget.take()

        try:
            async for attempt in stamina.retry_context(
                on=may_ask_again, attempts=ATTEMPTS, timeout=None, wait_initial=_PAUSE_S, wait_max=4 * _PAUSE_S,
                wait_jitter=_PAUSE_S,
            ):  # fmt: skip
                with attempt:
                    attempts[0] = attempt.num
                    answered = await self._once(zone, uscc, deadline)
        except AnswerRefused:
            # It answers, whatever it says.
            zone.breaker.succeeded()
            raise
        except _AskAgain as failed:
            zone.breaker.failed()
            raise PlatformUnavailable(failed.why) from None
        except BaseException:
            # Whatever it was: who was let through to try says so, or nobody would ever try again.
            zone.breaker.failed()
            raise
        zone.breaker.succeeded()
        return answered

    async def _once(self, zone: _Zone, uscc: str, deadline: Deadline) -> Answered:
        platform, request_id = zone.platform, new_uuid7()
        method, url, content = _question(platform, uscc)
        headers = {"Accept": "application/json", REQUEST_ID: request_id}
        if content is not None:
            headers["Content-Type"] = "application/json"
        headers |= self._authenticated(zone, method, url, content or b"", request_id)
        try:
            answer = await call(
                method, url, headers=headers, content=content, deadline=deadline,
                largest_bytes=platform.largest_bytes, tls=zone.credentials.tls,
            )  # fmt: skip
        except CallFailed as failed:
            why = WhyNot(failed.failure.value)
            if failed.failure is Failure.CONNECTION:
                raise _AskAgain(why) from None
            raise PlatformUnavailable(why) from None
        if answer.status >= 500:
            raise _AskAgain(WhyNot.STATUS)
        if answer.headers.get("content-encoding", "identity").lower() != "identity":
            raise AnswerRefused(WhyNot.NOT_JSON)
        if platform.signature is not None and answer.status == 200:
            _verify(platform.signature, zone.credentials.signing_secret, answer, request_id)
        return Answered(answer.status, answer.content)

    def _authenticated(
        self, zone: _Zone, method: str, url: str, content: bytes, request_id: str
    ) -> Mapping[str, str]:
        sent, secret = zone.platform.authentication, zone.credentials.secret
        if sent.kind is AuthenticationKind.KEY:
            return {sent.header: sent.prefix + (" " if sent.prefix else "") + secret.decode("ascii")}
        if sent.kind is AuthenticationKind.HMAC:
            at = str(int(self._wall()))
            return {
                "Jifendai-Key-Id": sent.key_id,
                "Jifendai-Timestamp": at,
                "Jifendai-Signature": request_signature(secret, method, url, at, request_id, content),
            }
        return {}


def request_signature(secret: bytes, method: str, url: str, at: str, request_id: str, content: bytes) -> str:
    """This function will sign a question: HMAC-SHA256 in hex over its method, target, instant, id and body."""
    parsed = urlsplit(url)
    target = parsed.path + (f"?{parsed.query}" if parsed.query else "")
    text = "\n".join((method, target, at, request_id, sha256(content).hexdigest()))
    return hmac.new(secret, text.encode("utf-8"), sha256).hexdigest()


def answer_signature(secret: bytes, request_id: str, content: bytes) -> str:
    """This function will sign an answer as a zone does by HMAC_SHA256: over the question's id, a line feed, the
    body.
    """
    return hmac.new(secret, request_id.encode("ascii") + b"\n" + content, sha256).hexdigest()


# ---- the parts -------------------------------------------------------------------------------------------------------


def _ended(zone: _Zone, uscc: str, done: asyncio.Task[Answered]) -> None:
    zone.running.pop(uscc, None)
    if not done.cancelled():
        # All who waited may have gone.
        done.exception()


def _question(platform: ScorePlatform, uscc: str) -> tuple[str, str, bytes | None]:
    url = platform.address.replace("{uscc}", quote(uscc, safe=""))
    if platform.body is None:
        return "GET", url, None
    said = {name: text.replace("{uscc}", uscc) for name, text in platform.body.items()}
    return "POST", url, json.dumps(said, ensure_ascii=False).encode("utf-8")


def _verify(signature: AnswerSignature, secret: bytes, answer: HttpAnswer, request_id: str) -> None:
    found = _signature_bytes(answer.headers.get(signature.header.lower(), ""))
    signed = request_id.encode("ascii") + b"\n" + answer.content
    if signature.kind is SignatureKind.HMAC_SHA256:
        if hmac.compare_digest(found, hmac.new(secret, signed, sha256).digest()):
            return
        raise AnswerRefused(WhyNot.SIGNATURE)
    try:
        Ed25519PublicKey.from_public_bytes(b64decode(signature.public_key)).verify(found, signed)
    except (InvalidSignature, ValueError):
        raise AnswerRefused(WhyNot.SIGNATURE) from None


def _signature_bytes(text: str) -> bytes:
    text = text.strip()
    try:
        return bytes.fromhex(text) if len(text) in (64, 128) else b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return b""
