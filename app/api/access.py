"""Who may do what: API keys, roles, and the one matrix of roles and operations.

Neighbours may rely on this: an operation that has no row in `PERMITTED` cannot be reached; what belongs to another
lender is answered exactly as what does not exist; a key that was revoked anywhere is refused everywhere within a
second.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final

from app.api.problems import Problem
from app.usecases.ports import ApiKey, KeyRing

REFRESHED_AFTER_S: Final = 0.5
TRUSTED_FOR_S: Final = 1.0
_KEY: Final = re.compile(rb"jfd_([0-9a-f]{16})_[A-Za-z0-9_-]{43}")
_BEARER: Final = re.compile(rb"[Bb]earer +([!-~]{1,256})")


class Role(StrEnum):
    """角色."""

    LOAN_SYSTEM = "loan_system"
    LOAN_OFFICER = "loan_officer"
    RISK_ANALYST = "risk_analyst"
    AUDITOR = "auditor"
    OPERATOR = "operator"


_EVERYONE: Final = frozenset(Role)
_BUSINESS: Final = frozenset({Role.LOAN_SYSTEM, Role.LOAN_OFFICER, Role.RISK_ANALYST})
_READERS: Final = _BUSINESS | {Role.AUDITOR}
_SUPERVISORS: Final = frozenset({Role.AUDITOR, Role.OPERATOR})

# operation -> roles. The operator runs the service and sees no company's data; the auditor sees all, changes nothing.
PERMITTED: Final[dict[str, frozenset[Role]]] = {
    "decide": frozenset({Role.LOAN_SYSTEM, Role.LOAN_OFFICER}),
    "preview": _BUSINESS,
    "list_decisions": _READERS,
    "get_decision": _READERS,
    "get_receipt": _READERS,
    "explain_decision": _READERS,
    "replay_decision": frozenset({Role.LOAN_OFFICER, Role.RISK_ANALYST, Role.AUDITOR}),
    "list_previews": frozenset({Role.RISK_ANALYST, Role.AUDITOR}),
    # Whoever keeps checkpoints outside the installation may be anyone; there is no company in them.
    "get_checkpoint": _EVERYONE,
    "get_consistency": _EVERYONE,
    "get_operator_checkpoint": _SUPERVISORS,
    "get_operator_consistency": _SUPERVISORS,
    "list_operator_records": _SUPERVISORS,
    "list_zones": _EVERYONE,
    "list_products": _EVERYONE,
    "get_product": _EVERYONE,
    "list_reasons": _EVERYONE,
    "metrics": frozenset({Role.OPERATOR}),
}
# What needs no key: health for the platform, and the documentation.
OPEN: Final = frozenset({"livez", "readyz", "docs", "openapi_json", "openapi_yaml"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks; `lenders` empty means every lender of the installation."""

    subject: str
    role: Role
    lenders: tuple[str, ...]

    def sees(self, lender: str) -> bool:
        """This function will tell whether the lender's affairs are this caller's."""
        return not self.lenders or lender in self.lenders

    def scope(self, every_lender: Sequence[str]) -> tuple[str, ...]:
        """This function will return the lenders whose affairs this caller sees."""
        return self.lenders or tuple(every_lender)


def permit(caller: Caller, operation: str) -> None:
    """This function will return if the caller's role may do the operation. Raises Problem (403) that names the roles
    which may.
    """
    permitted = PERMITTED[operation]
    if caller.role not in permitted:
        needed = ", ".join(role for role in Role if role in permitted)
        raise Problem(
            "forbidden",
            detail=(f"此操作需要以下角色之一：{needed}。", f"This needs a key of one of these roles: {needed}."),
        )


def new_key(
    subject: str, role: str, lenders: Sequence[str] = (), *, now: datetime, valid_for: timedelta | None = None
) -> tuple[str, ApiKey]:
    """This function will make a key: its text, which is shown once, and what is stored. Raises ValueError for an
    unknown role.
    """
    key_id = secrets.token_hex(8)
    text = f"jfd_{key_id}_{secrets.token_urlsafe(32)}"
    expires_at = None if valid_for is None else now + valid_for
    return text, ApiKey(
        key_id, sha256(text.encode()).digest(), subject, Role(role).value, tuple(lenders), now, expires_at
    )


class Keys:
    """The key ring as this process knows it, read anew before it is a second old."""

    def __init__(self, ring: KeyRing, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.ring = ring
        self._monotonic = monotonic
        self._known: dict[bytes, tuple[ApiKey, Caller]] = {}
        self._sound: dict[bytes, tuple[ApiKey, Caller]] = {}
        self._read_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    async def caller(self, headers: Sequence[tuple[bytes, bytes]]) -> Caller:
        """This function will return who bears the key in Authorization. Raises Problem (401), StoreUnavailable."""
        sent = [value for name, value in headers if name == b"authorization"]
        if len(sent) != 1:
            raise _unauthenticated(tried=bool(sent))
        await self._fresh()
        # Who was found to bear a sound key need not be looked at again before the ring is.
        stored = self._sound.get(sent[0]) or self._look_up(sent[0])
        if stored is None and self._reading is not None and not self._reading.done():
            # A key may be younger than what is known; what is being read will tell.
            await asyncio.shield(self._reading)
            stored = self._look_up(sent[0])
        if stored is None:
            raise _unauthenticated(tried=True)
        key, caller = stored
        if key.expires_at is not None and datetime.now(UTC) >= key.expires_at:
            raise _unauthenticated(tried=True)
        return caller

    def _look_up(self, sent: bytes) -> tuple[ApiKey, Caller] | None:
        found = _BEARER.fullmatch(sent)
        key = _KEY.fullmatch(found[1]) if found else None
        stored = self._known.get(key[1]) if key else None
        if stored is None or not hmac.compare_digest(sha256(key[0]).digest(), stored[0].secret_sha256):
            return None
        self._sound[sent] = stored
        return stored

    async def _fresh(self) -> None:
        age = self._monotonic() - self._read_at
        if age < REFRESHED_AFTER_S:
            return
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
            # A failure that nobody waits for is not lost: the next caller reads again.
            self._reading.add_done_callback(lambda task: task.cancelled() or task.exception())
        if age >= TRUSTED_FOR_S:
            await asyncio.shield(self._reading)

    async def _read(self) -> None:
        began = self._monotonic()
        keys = await self.ring.all_keys()
        self._known = {
            key.key_id.encode(): (key, Caller(key.subject, Role(key.role), key.lenders))
            for key in keys
            if key.revoked_at is None and key.role in Role._value2member_map_
        }
        self._sound = {}
        self._read_at = began


def _unauthenticated(*, tried: bool) -> Problem:
    challenge = 'Bearer realm="jifendai"'
    return Problem("unauthenticated", headers={"WWW-Authenticate": challenge + ', error="invalid_token"' * tried})
