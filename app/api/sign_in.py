"""Who calls: API keys of this installation, tokens of the bank's identity provider, and the person a system speaks for.

Neighbours may rely on this: a key that was revoked, rotated away or made is so on every replica at once, and so is a
token that was revoked here. Each request
asks the database for the number of the newest change of the keys — requests that arrive together share the question —
and the keys are read again only when it has moved; a decision asks within its own batch, and so pays nothing. What was
verified is remembered by its SHA-256: neither a key nor a token is kept.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from app.api.access import Caller, Role
from app.api.problems import Problem
from app.usecases.keys import ApiKey, KeyRing
from app.usecases.tokens import RevokedToken, TokenRefused, Tokens

ACTOR_HEADER: Final = "Jifendai-Actor"
ACTOR_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._@:-]{0,63}$"
MOST_REMEMBERED: Final = 10_000
_KEY: Final = re.compile(rb"jfd_([0-9a-f]{16})_[A-Za-z0-9_-]{43}")
_BEARER: Final = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr] +([!-~]{1,8192})")
_ACTOR: Final = re.compile(ACTOR_PATTERN[1:-1].encode())
# What tells who asks for a token that he need only fetch another one; the rest is the log's. (Words, no passwords.)
_TOLD: Final = {"TOKEN_EXPIRED": "the token has expired", "TOKEN_NOT_YET": "the token is not valid yet"}  # nosec B105


class SignInFailed(Problem):
    """Nobody known calls; `scheme` and `why` are codes, `key_id` the id of a key of ours or None."""

    def __init__(self, scheme: str, why: str, key_id: str | None = None) -> None:
        challenge = 'Bearer realm="jifendai"'
        if why != "NO_CREDENTIALS":
            challenge += ', error="invalid_token"'
        if why in _TOLD:
            challenge += f', error_description="{_TOLD[why]}"'
        super().__init__("unauthenticated", headers={"WWW-Authenticate": challenge})
        self.scheme, self.why, self.key_id = scheme, why, key_id


@dataclass(frozen=True, slots=True)
class _Remembered:
    caller: Caller
    until: float
    generation: int | None


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


class SignIn:
    """The key ring and the tokens as this process knows them."""

    def __init__(self, ring: KeyRing, tokens: Tokens | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self.ring = ring
        self._tokens = tokens
        self._clock = clock
        self._known: dict[bytes, ApiKey] = {}
        self._revoked: tuple[RevokedToken, ...] = ()
        self._change = -1
        self._remembered: dict[bytes, _Remembered] = {}
        self._reading: asyncio.Task[None] | None = None
        self._next_reading: asyncio.Task[None] | None = None

    async def caller(self, headers: Sequence[tuple[bytes, bytes]], *, asked_later: bool = False) -> Caller:
        """This function will return who bears the key or token in Authorization. With `asked_later` whoever carries the
        request out asks himself whether the keys have changed since `keys_seen`.

        Raises SignInFailed (401), Problem (400) for an actor that may not be named, StoreUnavailable.
        """
        sent = actor = None
        for name, value in headers:
            if name == b"authorization":
                if sent is not None:
                    raise SignInFailed("none", "SENT_TWICE")
                sent = value
            elif name == b"jifendai-actor":
                actor = value if actor is None else b""
        if sent is None:
            raise SignInFailed("none", "NO_CREDENTIALS")
        if not asked_later:
            await self.refresh()
        name = sha256(sent).digest()
        found = self._remembered.get(name)
        if found is None or self._clock() >= found.until or found.generation not in (None, self._generation):
            found = await self._look_up(sent, refreshed=not asked_later)
            self._remember(name, found)
        return found.caller if actor is None else _speaking_for(found.caller, actor)

    async def refresh(self) -> None:
        """This function will return once the keys are known as they were at some moment after it was called."""
        # A reading that began before may have missed a change; the next one, which all who wait share, has not.
        if self._next_reading is None:
            self._next_reading = asyncio.create_task(self._read_after(self._reading))
            # A failure that nobody waits for is not lost: the next request reads again.
            self._next_reading.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.shield(self._next_reading)

    @property
    def _generation(self) -> int | None:
        return None if self._tokens is None else self._tokens.generation

    def _remember(self, name: bytes, found: _Remembered) -> None:
        if len(self._remembered) >= MOST_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[name] = found

    async def _look_up(self, sent: bytes, *, refreshed: bool) -> _Remembered:
        found = _BEARER.fullmatch(sent)
        if found is None:
            raise SignInFailed("none", "MALFORMED")
        text = found[1]
        if not text.startswith(b"jfd_"):
            return await self._look_up_token(text)
        key = _KEY.fullmatch(text)
        if key is None:
            raise SignInFailed("key", "MALFORMED")
        if key[1] not in self._known and not refreshed:
            # The key may be younger than what is known.
            await self.refresh()
        return self._look_up_key(text, key[1])

    def _look_up_key(self, text: bytes, key_id: bytes) -> _Remembered:
        key = self._known.get(key_id)
        if key is None:
            raise SignInFailed("key", "UNKNOWN_KEY")
        if not hmac.compare_digest(sha256(text).digest(), key.secret_sha256):
            raise SignInFailed("key", "WRONG_SECRET", key.key_id)
        if key.revoked_at is not None:
            raise SignInFailed("key", "REVOKED_KEY", key.key_id)
        if not key.is_sound(datetime.fromtimestamp(self._clock(), UTC)):
            raise SignInFailed("key", "EXPIRED_KEY", key.key_id)
        caller = Caller(
            key.subject, frozenset({Role(key.role)}), key.lenders, f"jfd_{key.key_id}", keys_seen=self._change
        )
        until = float("inf") if key.expires_at is None else key.expires_at.timestamp()
        return _Remembered(caller, until, None)

    async def _look_up_token(self, text: bytes) -> _Remembered:
        if self._tokens is None:
            raise SignInFailed("token", "TOKENS_NOT_TAKEN")
        generation = self._generation
        try:
            bearer = await self._tokens.bearer(text.decode("ascii"))
        except TokenRefused as refused:
            raise SignInFailed("token", refused.why) from None
        # What was revoked is known as the keys are, and was looked up while the token was verified, at the latest.
        if self._change < 0:
            await self.refresh()
        if any(one.refuses(bearer) for one in self._revoked):
            raise SignInFailed("token", "REVOKED_TOKEN")
        caller = Caller(bearer.subject, bearer.roles, bearer.lenders, bearer.subject, keys_seen=self._change)
        return _Remembered(caller, bearer.until, generation)

    async def _read_after(self, earlier: asyncio.Task[None] | None) -> None:
        if earlier is not None and not earlier.done():
            await asyncio.wait([earlier])
        self._reading, self._next_reading = self._next_reading, None
        # The number comes first: keys that change between the two are then read once more, and never missed.
        newest = await self.ring.newest_change()
        if newest != self._change:
            keys = await self.ring.all_keys()
            self._revoked = () if self._tokens is None else tuple(await self.ring.revoked_tokens())
            self._known = {key.key_id.encode(): key for key in keys if key.role in Role._value2member_map_}
            self._remembered = {}
            self._change = newest


def _speaking_for(caller: Caller, actor: bytes) -> Caller:
    """A system says for whom it speaks; a person speaks for nobody else."""
    if Role.LOAN_SYSTEM not in caller.roles or _ACTOR.fullmatch(actor) is None:
        raise Problem("actor-not-valid")
    return replace(caller, actor=actor.decode("ascii"))
