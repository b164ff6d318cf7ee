"""API keys: what is stored of them, and what may be done with them: made, rotated, revoked.

Neighbours may rely on this: never the secret is stored, only its SHA-256; each change is decided from all keys as they
stand and is written with its record in the operator's log in one transaction, or not at all; the number of the newest
change says which state of the keys somebody has seen; the last key of an operator for every lender cannot be taken
away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from app.audit.application import instant_text
from app.audit.operator_record import OperatorAct
from app.domain.access import Role
from app.usecases.operator_log import OperatorRecords, Recording
from app.usecases.tokens import DecideTokens, RevokedToken, TokenChange


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as stored. `lenders` is its scope (lenders, or branches as `lender/branch`); empty means every lender."""

    key_id: str
    secret_sha256: bytes
    subject: str
    role: str
    lenders: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def is_sound(self, at: datetime) -> bool:
        """This function will tell whether the key may be used at that instant."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


@dataclass(frozen=True, slots=True)
class KeyChanges:
    """What one change writes: keys as they are from now on, new or known, and its records in the operator's log."""

    keys: tuple[ApiKey, ...] = ()
    recordings: tuple[Recording, ...] = ()


Decide = Callable[[Sequence[ApiKey]], KeyChanges]


class KeyRing(Protocol):
    """The keys of one installation."""

    async def newest_change(self) -> int:
        """This function will return the number of the newest change, 0 before the first."""
        ...

    async def all_keys(self) -> Sequence[ApiKey]:
        """This function will return every key, revoked ones included, the oldest first."""
        ...

    async def change(self, decide: Decide) -> KeyChanges:
        """This function will write what `decide` (pure, may run twice) makes of all keys; what it raises is passed on
        and nothing is written. Of two changes at once one comes after the other.
        """
        ...

    async def revoked_tokens(self) -> Sequence[RevokedToken]:
        """This function will return every revocation of tokens, the oldest first."""
        ...

    async def change_tokens(self, decide: DecideTokens) -> TokenChange:
        """This function will write what `decide` (pure, may run twice) makes of all revocations, as `change` does."""
        ...


class KeyNotChanged(Exception):
    """A key cannot be made or changed as asked; the words say why and what to do."""


def added(*keys: ApiKey, by: str, records: OperatorRecords) -> Decide:
    """This function will add new keys. Carried out, it raises KeyNotChanged where an id exists."""

    def decide(known: Sequence[ApiKey]) -> KeyChanges:
        ids = {key.key_id for key in known}
        for key in keys:
            if key.key_id in ids:
                raise KeyNotChanged(f"There is a key {key.key_id} already; choose another id. 密钥编号已存在")
        created = (records.recording(OperatorAct.API_KEY_CREATED, _told(key), by=by) for key in keys)
        return KeyChanges(keys, tuple(created))

    return decide


def rotated(
    key_id: str,
    make: Callable[[ApiKey], ApiKey],
    *,
    at: datetime,
    old_until: datetime,
    by: str,
    records: OperatorRecords,
) -> Decide:
    """This function will put what `make` makes of a sound key beside it and let the old one end at `old_until` at the
    latest. Carried out, it raises KeyNotChanged.
    """

    def decide(known: Sequence[ApiKey]) -> KeyChanges:
        old = _sound(known, key_id, at)
        ends = old_until if old.expires_at is None else min(old.expires_at, old_until)
        new = make(old)
        told = {**_told(new), "rotates": key_id, "rotated_ends_at": instant_text(ends)}
        return KeyChanges(
            (new, replace(old, expires_at=ends)), (records.recording(OperatorAct.API_KEY_ROTATED, told, by=by),)
        )

    return decide


def revoked(key_id: str, *, at: datetime, by: str, records: OperatorRecords) -> Decide:
    """This function will end a key now; one that has been revoked stays as it is. Carried out, it raises
    KeyNotChanged.
    """

    def decide(known: Sequence[ApiKey]) -> KeyChanges:
        key = _known(known, key_id)
        if key.revoked_at is not None:
            return KeyChanges()
        others = [other for other in known if other.key_id != key_id]
        if _runs_it_all(key, at) and not any(_runs_it_all(other, at) for other in others):
            raise KeyNotChanged(
                "This is the last key of an operator for every lender, and nobody could see the metrics any more. "
                "Make another first: `jifendai keys create --role operator --subject …`. "
                "这是最后一个全机构运维密钥，请先创建另一个"
            )
        recording = records.recording(OperatorAct.API_KEY_REVOKED, _told(key), by=by)
        return KeyChanges((replace(key, revoked_at=at),), (recording,))

    return decide


def _told(key: ApiKey) -> dict[str, Any]:
    """What the operator's log says of a key."""
    return {
        "key_id": key.key_id,
        "subject": key.subject,
        "role": key.role,
        "lenders": list(key.lenders),
        "expires_at": None if key.expires_at is None else instant_text(key.expires_at),
    }


def _known(known: Sequence[ApiKey], key_id: str) -> ApiKey:
    for key in known:
        if key.key_id == key_id:
            return key
    raise KeyNotChanged("There is no key of that id; see `jifendai keys list`. 没有此密钥")


def _sound(known: Sequence[ApiKey], key_id: str, at: datetime) -> ApiKey:
    key = _known(known, key_id)
    if not key.is_sound(at):
        raise KeyNotChanged(
            "The key has been revoked or has expired: make a new one with `jifendai keys create`. 密钥已吊销或到期"
        )
    return key


def _runs_it_all(key: ApiKey, at: datetime) -> bool:
    return key.role == Role.OPERATOR and not key.lenders and key.is_sound(at)
