"""Webhook endpoints: where a lender's events go, what they are signed with, and when an attempt is made again.

Neighbours may rely on this: an endpoint belongs to one lender; what is owed to it is never given up before three days
of trying, and then kept as a dead letter that may be sent again; a disabled endpoint is owed what happens meanwhile. A
secret is shown once, when it is made; after a rotation both secrets sign until the overlap is over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from app.usecases.obstacles import Obstacle
from app.usecases.operator_log import Recording
from app.usecases.webhook_events import EventType

FIRST_WAIT: Final = timedelta(seconds=5)
LONGEST_WAIT: Final = timedelta(hours=8)
GIVES_UP_AFTER: Final = timedelta(days=3)
DRAWS: Final = 1_000
"""The jitter is one of so many draws, each as likely."""
MOST_ENDPOINTS: Final = 50
"""So many endpoints may one lender have: each follows the log by itself."""
LONGEST_OVERLAP: Final = timedelta(days=7)
KEPT: Final = {"DELIVERED": timedelta(days=30), "DEAD": timedelta(days=90)}
"""For how long what is over is kept, with its attempts; what is still owed is never removed."""


class DeliveryState(StrEnum):
    """投递状态."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    DEAD = "DEAD"


class Outcome(StrEnum):
    """What came of one attempt. Closed; `adapters` find it, metrics count it, the delivery log keeps it."""

    DELIVERED = "DELIVERED"
    REFUSED_STATUS = "REFUSED_STATUS"
    REDIRECTED = "REDIRECTED"
    GONE = "GONE"
    TIMED_OUT = "TIMED_OUT"
    NOT_CONNECTED = "NOT_CONNECTED"
    NO_ADDRESS = "NO_ADDRESS"
    ADDRESS_REFUSED = "ADDRESS_REFUSED"
    TLS_FAILED = "TLS_FAILED"
    SECRET_UNREADABLE = "SECRET_UNREADABLE"  # nosec B105


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint. `events` empty: all. `secrets` are sealed; `position` is the next place of the lender's log that it
    has not been owed yet, `numbered` how many events it was ever owed; `version` counts its changes.
    """

    endpoint_id: str
    lender: str
    url: str
    description: str
    events: tuple[str, ...]
    enabled: bool
    why_disabled: str | None
    version: int
    secrets: bytes
    secret_overlaps_until: datetime | None
    position: int
    numbered: int
    created_at: datetime
    created_by: str
    changed_at: datetime

    def takes(self, kind: str) -> bool:
        """This function will tell whether the endpoint asked for events of that type; a test is always for it."""
        return not self.events or kind in self.events or kind == EventType.ENDPOINT_TEST


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one endpoint is owed, or was. `owed_since` is when trying began, anew after a replay."""

    endpoint_id: str
    event_id: str
    lender: str
    number: int
    type: str
    subject: str
    body: bytes
    state: DeliveryState
    attempts: int
    owed_since: datetime
    next_at: datetime
    last_outcome: str | None = None
    last_status: int | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: `status` is the HTTP status that was answered, None where none was; `asked_wait` how long the endpoint
    asked to be left alone (Retry-After).
    """

    attempt: int
    at: datetime
    outcome: Outcome
    status: int | None
    took_ms: int
    asked_wait: timedelta | None = None


class Backlog(NamedTuple):
    """What is owed to all endpoints: deliveries that wait, dead letters, for how many seconds the oldest has waited,
    and how many places of their logs enabled endpoints have not been owed yet.
    """

    pending: int
    dead: int
    oldest_s: int
    behind: int


class EndpointChanged(Obstacle):
    """The endpoint is of another version than the caller has seen (If-Match)."""


class UrlRefused(Obstacle):
    """Nothing is sent to such an address; `detail` says why, in both languages."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__("/url")
        self.detail = (f"地址不可用：{zh}。", f"Nothing is sent there: {en}.")


class UrlTaken(Obstacle):
    """The lender has an endpoint at this address already."""


class TooManyEndpoints(Obstacle):
    """The lender has as many endpoints as it may."""


Change = Callable[[Endpoint], Endpoint]


class Webhooks(Protocol):
    """The endpoints and what they are owed, as people and systems manage them. `scope` are lenders."""

    async def add(self, endpoint: Endpoint, recording: Recording) -> Endpoint:
        """This function will keep a new endpoint, owed what happens from now on. Raises UrlTaken, TooManyEndpoints."""
        ...

    async def change(
        self, endpoint_id: str, scope: Sequence[str], change: Change, recording: Recording
    ) -> Endpoint | None:
        """This function will write what `change` makes of the endpoint; None where there is none. What `change` raises
        is passed on. Raises UrlTaken.
        """
        ...

    async def remove(self, endpoint_id: str, scope: Sequence[str], recording: Recording) -> Endpoint | None:
        """This function will remove the endpoint with all that it is owed."""
        ...

    async def find(self, endpoint_id: str, scope: Sequence[str]) -> Endpoint | None:
        """This function will return the endpoint within the scope."""
        ...

    async def listed(
        self, scope: Sequence[str], *, limit: int, after: tuple[datetime, str] | None = None
    ) -> Sequence[Endpoint]:
        """This function will return up to `limit` endpoints of these lenders, the oldest first, strictly after the
        position (created_at, id).
        """
        ...

    async def owe(self, endpoint: Endpoint, event_id: str, kind: str, subject: str, body: bytes, at: datetime) -> None:
        """This function will owe one event to this endpoint alone: a test."""
        ...

    async def deliveries(
        self, endpoint_id: str, scope: Sequence[str], *, state: str | None, limit: int, before: int | None
    ) -> Sequence[Delivery]:
        """This function will return up to `limit` deliveries, newest first, of numbers below `before`."""
        ...

    async def delivery(
        self, endpoint_id: str, event_id: str, scope: Sequence[str]
    ) -> tuple[Delivery, Sequence[Attempt]] | None:
        """This function will return one delivery and its attempts, the first first."""
        ...

    async def replay(self, endpoint_id: str, scope: Sequence[str], event_id: str | None, at: datetime) -> int:
        """This function will owe the event again, whatever became of it, or without `event_id` every dead letter, and
        return how many.
        """
        ...

    async def owed(self, scope: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        """This function will count deliveries by endpoint and state."""
        ...


def next_attempt(
    owed_since: datetime, now: datetime, draw: int, asked_wait: timedelta | None = None
) -> datetime | None:
    """This function will say when to try again after an attempt that failed, None when to give up. The wait is twice
    the time tried so far, so that attempts stand at 5 s, 15 s, 45 s … and then every 8 hours, each wait shortened by up
    to a half by a draw from 0 up to and without `DRAWS`; the last attempt is made when three days are over. An endpoint
    that asked for a longer wait gets it, of at most 8 hours.
    """
    until = owed_since + GIVES_UP_AFTER
    if now >= until:
        return None
    wait = min(max(FIRST_WAIT, 2 * (now - owed_since)), LONGEST_WAIT)
    asked = min(asked_wait or timedelta(), LONGEST_WAIT)
    return min(now + max(wait - wait * draw // (2 * DRAWS), asked), until)


def tried_since(delivery: Delivery, attempt: Attempt) -> datetime:
    """This function will say since when the event has been tried: what had to wait for its first attempt has three days
    from then.
    """
    return attempt.at if delivery.attempts == 0 else delivery.owed_since


def settled(delivery: Delivery, attempt: Attempt, draw: int) -> tuple[DeliveryState, datetime]:
    """This function will say what an attempt leaves its delivery in, and when it is looked at again."""
    if attempt.outcome is Outcome.DELIVERED:
        return DeliveryState.DELIVERED, attempt.at
    again = next_attempt(tried_since(delivery, attempt), attempt.at, draw, attempt.asked_wait)
    return (DeliveryState.DEAD, attempt.at) if again is None else (DeliveryState.PENDING, again)
