"""Bearer tokens of the bank's own identity provider, as the service sees them once they have been verified.

Neighbours may rely on this: whoever implements `Tokens` answers only for a token whose signature, issuer, audience and
times were checked; which claim says what is the adapter's matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from app.domain.access import Role


@dataclass(frozen=True, slots=True)
class TokenBearer:
    """Who bears a sound token: the scope `lenders` (empty: every lender), and until when, in seconds since 1970."""

    subject: str
    roles: frozenset[Role]
    lenders: tuple[str, ...]
    until: int


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
