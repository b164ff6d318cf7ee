"""Bearer tokens of the bank's own identity provider, as the service sees them once they have been verified, and those
that were revoked here.

Neighbours may rely on this: whoever implements `Tokens` answers only for a token whose signature, issuer, audience and
times were checked; which claim says what is the adapter's matter. A revocation is a change of keys like any other: it
is numbered with them, so that every replica knows it at the next request, and stands in the operator's log.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

from app.audit.operator_record import OperatorAct
from app.domain.access import Role
from app.usecases.operator_log import OperatorRecords, Recording


@dataclass(frozen=True, slots=True)
class TokenBearer:
    """Who bears a sound token: the scope `lenders` (empty: every lender), until when, and since when where it says so,
    in seconds since 1970; `token_id` is its `jti`.
    """

    subject: str
    roles: frozenset[Role]
    lenders: tuple[str, ...]
    until: int
    token_id: str | None = None
    issued_at: int | None = None


class TokenRefused(Exception):
    """The token is not taken; `why` is one of a closed list of codes and holds nothing that was sent."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Tokens(Protocol):
    """Verifies tokens."""

    @property
    def generation(self) -> int:
        """Counts the provider's sets of keys: what was verified under an earlier set is verified again."""
        ...

    async def bearer(self, token: str) -> TokenBearer:
        """This function will verify the token. Raises TokenRefused, ProviderUnavailable."""
        ...


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)


class RevokedKind(StrEnum):
    """What was revoked: one token by its `jti`, or every token of a subject."""

    TOKEN = "TOKEN"  # nosec B105
    SUBJECT = "SUBJECT"


@dataclass(frozen=True, slots=True)
class RevokedToken:
    """A revocation. Once it was restored, a subject's tokens of before stay refused, and later ones are taken."""

    kind: RevokedKind
    name: str
    revoked_at: datetime
    restored_at: datetime | None = None

    def refuses(self, bearer: TokenBearer) -> bool:
        """This function will tell whether the token may not be used."""
        if self.name != (bearer.token_id if self.kind is RevokedKind.TOKEN else bearer.subject):
            return False
        if self.restored_at is None or bearer.issued_at is None:
            return True
        # A token tells its second: one of the very second is refused.
        return bearer.issued_at <= (self.restored_at - _EPOCH) // _SECOND


@dataclass(frozen=True, slots=True)
class TokenChange:
    """What one change writes: the revocation as it is from now on, and its record; neither where nothing changes."""

    revoked: RevokedToken | None = None
    recording: Recording | None = None


DecideTokens = Callable[[Sequence[RevokedToken]], TokenChange]


class TokenNotChanged(Exception):
    """A revocation cannot be made or taken back as asked; the words say why and what to do."""


def token_revoked(kind: RevokedKind, name: str, *, at: datetime, by: str, records: OperatorRecords) -> DecideTokens:
    """This function will refuse the token, or every token of the subject, from now on; what is revoked stays so."""

    def decide(known: Sequence[RevokedToken]) -> TokenChange:
        if any(one.kind is kind and one.name == name and one.restored_at is None for one in known):
            return TokenChange()
        told = records.recording(OperatorAct.TOKEN_REVOKED, {"kind": kind.value, "name": name}, by=by)
        return TokenChange(RevokedToken(kind, name, at), told)

    return decide


def tokens_restored(subject: str, *, at: datetime, by: str, records: OperatorRecords) -> DecideTokens:
    """This function will have tokens of the subject that are issued from now on taken again. Carried out, it raises
    TokenNotChanged where they were not revoked.
    """

    def decide(known: Sequence[RevokedToken]) -> TokenChange:
        for one in known:
            if one.kind is RevokedKind.SUBJECT and one.name == subject and one.restored_at is None:
                told = records.recording(OperatorAct.TOKEN_RESTORED, {"kind": one.kind.value, "name": subject}, by=by)
                return TokenChange(replace(one, restored_at=at), told)
        raise TokenNotChanged(
            "No tokens of this subject are revoked; see `jifendai tokens list`. 该持有者的令牌未被吊销"
        )

    return decide
