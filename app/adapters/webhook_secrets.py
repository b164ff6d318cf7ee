"""What webhooks are signed with (Standard Webhooks, symmetric: HMAC-SHA256, `v1`), and how the secrets are kept.

Neighbours may rely on this: a secret is sealed (AES-256-GCM, bound to its endpoint) under a key derived from the
installation's signing key; while that is being changed it is sealed under both, so that it opens before, during and
after the change. Nobody is shown a secret again, and none is ever logged.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PURPOSE: Final = "jifendai webhook secrets"
_PREFIX: Final = "whsec_"
_SECRET_BYTES, _NONCE_BYTES = 32, 12


class SecretUnreadable(LookupError):
    """The secrets were sealed under a signing key that is not at hand."""


class SecretBox:
    """Seals and opens under the keys at hand, the one in use first."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._ciphers = tuple(AESGCM(key) for key in keys)

    def seal(self, endpoint_id: str, found: Sequence[str]) -> bytes:
        """This function will seal an endpoint's secrets, the current one first, under every key at hand."""
        plain = orjson.dumps(list(found))
        sealed = []
        for cipher in self._ciphers:
            nonce = secrets.token_bytes(_NONCE_BYTES)
            sealed.append(b64encode(nonce + cipher.encrypt(nonce, plain, endpoint_id.encode())).decode())
        return orjson.dumps(sealed)

    def open(self, endpoint_id: str, sealed: bytes) -> tuple[str, ...]:
        """This function will return the secrets, the current one first. Raises SecretUnreadable."""
        for one in map(b64decode, orjson.loads(sealed)):
            for cipher in self._ciphers:
                try:
                    plain = cipher.decrypt(one[:_NONCE_BYTES], one[_NONCE_BYTES:], endpoint_id.encode())
                except InvalidTag:
                    continue
                return tuple(orjson.loads(plain))
        raise SecretUnreadable(endpoint_id)

    def is_whole(self, endpoint_id: str, sealed: bytes) -> bool:
        """This function will tell whether each key at hand opens it."""
        return all(_opens(cipher, endpoint_id, sealed) for cipher in self._ciphers)


def _opens(cipher: AESGCM, endpoint_id: str, sealed: bytes) -> bool:
    for one in map(b64decode, orjson.loads(sealed)):
        try:
            cipher.decrypt(one[:_NONCE_BYTES], one[_NONCE_BYTES:], endpoint_id.encode())
        except InvalidTag:
            continue
        return True
    return False


def new_secret() -> str:
    """This function will make a secret: 256 bits, as Standard Webhooks writes them."""
    return _PREFIX + b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signed_headers(found: Sequence[str], event_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """This function will return the headers that prove a message, one signature a secret."""
    seconds = int(at.timestamp())
    content = b"%b.%d.%b" % (event_id.encode(), seconds, body)
    proofs = [b64encode(hmac.digest(b64decode(one.removeprefix(_PREFIX)), content, "sha256")).decode() for one in found]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(f"v1,{proof}" for proof in proofs),
    }
