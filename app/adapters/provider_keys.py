"""The identity provider's public keys (JWKS, RFC 7517), from an address or a file.

Neighbours may rely on this: an unknown key id has the set read anew, at most once in `FLOOR_S`, so that nobody who
makes key ids up can have the provider asked for each; a set is read again in the background once it is five minutes
old; while the provider is down the keys that are known go on. Symmetric keys, keys for encryption and RSA keys of less
than 2,048 bits are left out: a set that is published must not be able to make a secret of itself.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key

from app.usecases.obstacles import ProviderUnavailable
from app.usecases.tokens import TokenRefused

FLOOR_S: Final = 10.0
OLD_AFTER_S: Final = 300.0
MOST_BYTES: Final = 262_144
MOST_KEYS: Final = 100
LEAST_RSA_BITS: Final = 2_048
_WITHIN_S: Final = 5.0
_log = logging.getLogger("jifendai.access")

_KINDS: Final = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", None)),
    "ES256": ("EC", "P-256"), "ES384": ("EC", "P-384"), "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"), "Ed25519": ("OKP", "Ed25519"),
}  # fmt: skip

Fetch = Callable[[], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """One key of the set: what its owner says it is for, and the key itself."""

    key_id: str | None
    algorithm: str | None
    kind: tuple[str, str | None]
    key: Key

    def fits(self, algorithm: str) -> bool:
        """This function will tell whether the key is for that algorithm."""
        return self.kind == _KINDS[algorithm] and self.algorithm in (None, algorithm)


class ProviderKeys:
    """The newest set that could be read."""

    def __init__(self, fetch: Fetch, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._set: tuple[PublishedKey, ...] = ()
        self._content = b""
        self._read_at = self._tried_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        self.generation = 0

    async def find(self, key_id: str | None, algorithm: str) -> Key:
        """This function will return the key of that id, or without an id the only one that fits the algorithm.

        Raises TokenRefused, and ProviderUnavailable where no set could be read so far.
        """
        found = self._look_up(key_id, algorithm)
        if found is None:
            await self.refresh()
            found = self._look_up(key_id, algorithm)
        elif self._monotonic() - self._read_at >= OLD_AFTER_S:
            self._begin()
        if found is None:
            if not self._set:
                raise ProviderUnavailable
            raise TokenRefused("TOKEN_UNKNOWN_KEY")
        return found

    async def refresh(self) -> None:
        """This function will read the set anew, unless that was tried within the floor."""
        self._begin()
        if self._reading is not None:
            await asyncio.shield(self._reading)

    def _begin(self) -> None:
        if self._reading is not None and not self._reading.done():
            return
        self._reading = None
        if self._monotonic() - self._tried_at >= FLOOR_S:
            self._reading = asyncio.create_task(self._read())

    def _look_up(self, key_id: str | None, algorithm: str) -> Key | None:
        fitting = [one for one in self._set if one.fits(algorithm) and key_id in (None, one.key_id)]
        return fitting[0].key if len(fitting) == 1 else None

    async def _read(self) -> None:
        self._tried_at = self._monotonic()
        try:
            content = await self._fetch()
            keys = published_keys(content)
        except (OSError, ValueError, httpx.HTTPError) as error:
            # Its words may repeat what came from elsewhere, so only its kind is told.
            told = {"why": type(error).__name__, "known_keys": len(self._set)}
            _log.warning("the identity provider's keys cannot be read", extra={"event": told})
            return
        self._read_at = self._monotonic()
        if content != self._content:
            self._set, self._content = keys, content
            self.generation += 1


def published_keys(content: bytes) -> tuple[PublishedKey, ...]:
    """This function will return the keys of a JWKS with which signatures can be verified. Raises ValueError where it is
    none, or holds no such key.
    """
    try:
        document = json.loads(content)
        listed = document["keys"]
    except (RecursionError, LookupError, TypeError) as error:
        raise ValueError("not a JWKS: an object with a list `keys` is needed") from error
    if not isinstance(listed, list) or len(listed) > MOST_KEYS:
        raise ValueError(f"not a JWKS: `keys` is a list of at most {MOST_KEYS}")
    keys = tuple(key for key in map(_published, listed) if key is not None)
    if not keys:
        raise ValueError("the JWKS has no public key that verifies signatures")
    return keys


def _published(jwk: Any) -> PublishedKey | None:
    if not isinstance(jwk, dict) or jwk.get("kty") not in ("RSA", "EC", "OKP") or jwk.get("use", "sig") != "sig":
        return None
    if "verify" not in jwk.get("key_ops", ["verify"]):
        return None
    key_id, algorithm = jwk.get("kid"), jwk.get("alg")
    # What only the provider may know has no place here, and none in our memory either.
    public = {name: value for name, value in jwk.items() if name in ("kty", "crv", "x", "y", "n", "e")}
    try:
        key = JWKRegistry.import_key(public)
        bits = key.public_key.key_size if jwk["kty"] == "RSA" else LEAST_RSA_BITS
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    if bits < LEAST_RSA_BITS or not isinstance(key_id, str | None) or not isinstance(algorithm, str | None):
        return None
    return PublishedKey(key_id, algorithm, (jwk["kty"], jwk.get("crv")), key)


def from_file(path: Path) -> Fetch:
    """This function will return what reads the set from a file. Carried out, it raises OSError."""

    async def fetch() -> bytes:
        return await asyncio.to_thread(path.read_bytes)

    return fetch


def from_url(url: str, *, monotonic: Callable[[], float] = time.monotonic) -> Fetch:
    """This function will return what reads the set over HTTP: within five seconds, no redirect, no more than 256 KB,
    trusting the machine's own certificates. Carried out, it raises OSError, ValueError, httpx.HTTPError.
    """

    async def fetch() -> bytes:
        deadline, content = monotonic() + _WITHIN_S, b""
        options = {"verify": ssl.create_default_context(), "trust_env": False, "timeout": _WITHIN_S / 2}
        async with httpx.AsyncClient(**options) as client, client.stream("GET", url) as answer:
            if answer.status_code != 200:
                raise ValueError(f"status {answer.status_code}")
            async for chunk in answer.aiter_bytes():
                content += chunk
                if len(content) > MOST_BYTES or monotonic() > deadline:
                    raise ValueError("too much, or too slow")
        return content

    return fetch
