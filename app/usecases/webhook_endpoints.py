"""What people do to webhook endpoints, over HTTP and at the command line alike; each change is a record in the
operator's log.

Neighbours may rely on this: a secret is returned by what makes it, and by nothing else ever; an address that nothing
would be sent to is refused before it is kept; what belongs to another lender is as if it did not exist (None).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from app.audit.operator_record import OperatorAct
from app.usecases.operator_log import OperatorRecords
from app.usecases.webhook_events import Event, EventType, body_of
from app.usecases.webhooks import Endpoint, EndpointChanged, Webhooks


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, within which scope, and the version that they have seen, None for any."""

    by: str
    scope: Sequence[str]
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class WebhookEndpoints:
    """The endpoints of one installation. `seal` and `unseal` keep secrets, `check_url` raises UrlRefused."""

    kept: Webhooks
    records: OperatorRecords
    log_name: str
    seal: Callable[[str, Sequence[str]], bytes]
    unseal: Callable[[str, bytes], Sequence[str]]
    new_secret: Callable[[], str]
    check_url: Callable[[str], Any]
    now: Callable[[], datetime]
    new_id: Callable[[], str]

    async def create(
        self, lender: str, url: str, *, description: str = "", events: Sequence[str] = (), by: str,
        endpoint_id: str | None = None, enabled: bool = True,
    ) -> tuple[Endpoint, str]:  # fmt: skip
        """This function will keep a new endpoint, owed what happens from now on, and return it with its secret. Raises
        UrlRefused, UrlTaken, TooManyEndpoints.
        """
        self.check_url(url)
        endpoint_id, secret, at = endpoint_id or self.new_id(), self.new_secret(), self.now()
        endpoint = Endpoint(
            endpoint_id=endpoint_id, lender=lender, url=url, description=description, events=tuple(events),
            enabled=enabled, why_disabled=None if enabled else "BY_PERSON", version=1,
            secrets=self.seal(endpoint_id, [secret]), secret_overlaps_until=None, position=0, numbered=0,
            created_at=at, created_by=by, changed_at=at,
        )  # fmt: skip
        said = {"lender": lender, "url": url, "events": list(events)}
        recording = self._recording(OperatorAct.WEBHOOK_CREATED, endpoint_id, said, by)
        return await self.kept.add(endpoint, recording), secret

    async def update(self, endpoint_id: str, asked: Asked, changes: Mapping[str, Any]) -> Endpoint | None:
        """This function will change `url`, `description`, `events`, `enabled`: whichever are given. Raises UrlRefused,
        UrlTaken, EndpointChanged.
        """
        if "url" in changes:
            self.check_url(changes["url"])
        at = self.now()

        def changed(found: Endpoint) -> Endpoint:
            _expect(found, asked)
            made = replace(found, **changes, version=found.version + 1, changed_at=at)
            why = None if made.enabled else "BY_PERSON" if found.enabled else found.why_disabled
            return replace(made, why_disabled=why)

        said = {name: list(value) if name == "events" else value for name, value in changes.items()}
        recording = self._recording(OperatorAct.WEBHOOK_CHANGED, endpoint_id, said, asked.by)
        return await self.kept.change(endpoint_id, asked.scope, changed, recording)

    async def rotate(self, endpoint_id: str, asked: Asked, overlap: timedelta) -> tuple[Endpoint, str] | None:
        """This function will make a new secret, beside which the present one signs until the overlap is over. Raises
        EndpointChanged.
        """
        secret, at = self.new_secret(), self.now()

        def rotated(found: Endpoint) -> Endpoint:
            _expect(found, asked)
            sealed = self.seal(endpoint_id, [secret, *self._present(found)])
            return replace(
                found, secrets=sealed, secret_overlaps_until=at + overlap, version=found.version + 1, changed_at=at
            )

        said = {"overlap_hours": overlap // timedelta(hours=1)}
        recording = self._recording(OperatorAct.WEBHOOK_SECRET_ROTATED, endpoint_id, said, asked.by)
        made = await self.kept.change(endpoint_id, asked.scope, rotated, recording)
        return None if made is None else (made, secret)

    def _present(self, found: Endpoint) -> Sequence[str]:
        """The secret in use; none where the key that sealed it is gone: a new one is then the way out."""
        try:
            return self.unseal(found.endpoint_id, found.secrets)[:1]
        except LookupError:
            return ()

    async def delete(self, endpoint_id: str, asked: Asked) -> Endpoint | None:
        """This function will remove the endpoint with all that it is owed."""
        recording = self._recording(OperatorAct.WEBHOOK_DELETED, endpoint_id, {}, asked.by)
        return await self.kept.remove(endpoint_id, asked.scope, recording)

    async def test(self, endpoint_id: str, asked: Asked) -> str | None:
        """This function will owe the endpoint a test event and return its id."""
        found = await self.kept.find(endpoint_id, asked.scope)
        if found is None:
            return None
        event_id, at = f"tst_{self.new_id()}", self.now()
        data = {"endpoint_id": endpoint_id, "lender": found.lender}
        event = Event(event_id, EventType.ENDPOINT_TEST, found.lender, event_id, at, data)
        await self.kept.owe(found, event_id, event.type.value, event_id, body_of(event, self.log_name), at)
        return event_id

    def _recording(self, act: OperatorAct, endpoint_id: str, said: Mapping[str, Any], by: str) -> Any:
        return self.records.recording(act, {"endpoint": endpoint_id, **said}, by=by)


def _expect(found: Endpoint, asked: Asked) -> None:
    if asked.expected is not None and asked.expected != found.version:
        raise EndpointChanged
