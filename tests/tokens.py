"""An identity provider for tests: its keys, the tokens it would issue, and those that somebody forges.

Neighbours may rely on this: `Provider` signs what it is told to; nothing here is checked on the way.
"""

import base64
import json
import time
import warnings
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes, hmac
from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from app.adapters.token_rules import TokenRules

ISSUER, AUDIENCE = "https://login.bank.example/realms/staff", "jifendai"
RULES = TokenRules(ISSUER, AUDIENCE, keys_url="https://login.bank.example/keys")
RSA = RSAKey.generate_key(2048, {"kid": "rsa-1", "use": "sig"}, auto_kid=False)
OTHER_RSA = RSAKey.generate_key(2048, {"kid": "rsa-1"})
SHORT_RSA = RSAKey.generate_key(1024, {"kid": "short"})
EC = ECKey.generate_key("P-256", {"kid": "ec-1", "alg": "ES256"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed-1"})

warnings.filterwarnings("ignore", category=SecurityWarning)


def encoded(content: Any) -> str:
    """This function will write bytes, a text or JSON in base64url without padding."""
    if not isinstance(content, bytes):
        content = (content if isinstance(content, str) else json.dumps(content)).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def claims(**changes: Any) -> dict[str, Any]:
    """This function will return the claims of a sound token, with changes; None leaves a claim out."""
    now = int(time.time())
    sound = {
        "iss": ISSUER, "aud": AUDIENCE, "sub": "E1001", "iat": now, "nbf": now, "exp": now + 7_200,
        "roles": ["loan_officer"], "lenders": ["icbc"],
    }  # fmt: skip
    return {name: value for name, value in (sound | changes).items() if value is not None}


def token(payload: Any = None, *, key: Any = RSA, header: dict[str, Any] | None = None) -> str:
    """This function will sign a payload (bytes, text or JSON; a sound one if absent) under a header of any kind."""
    named = {"alg": "RS256", "kid": key.kid, "typ": "JWT"} if header is None else header
    body = claims() if payload is None else payload
    written = body if isinstance(body, bytes | str) else json.dumps(body)
    return jws.serialize_compact(named, written, key, algorithms=[named["alg"]])


def raw(header: Any, payload: Any, signature: bytes) -> str:
    """This function will put a token together of whatever it is given."""
    return f"{encoded(header)}.{encoded(payload)}.{encoded(signature)}"


def signed_raw(header: Any, payload: Any, key: RSAKey = RSA) -> str:
    """This function will sign, with RS256, a header and a payload that no library would write."""
    from cryptography.hazmat.primitives.asymmetric import padding

    signing_input = f"{encoded(header)}.{encoded(payload)}"
    signature = key.private_key.sign(signing_input.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signing_input}.{encoded(signature)}"


def with_public_key_as_secret(secret: bytes) -> str:
    """This function will forge a token whose HMAC secret is the provider's public key."""
    signing_input = f"{encoded({'alg': 'HS256', 'kid': 'rsa-1'})}.{encoded(claims())}"
    made = hmac.HMAC(secret, hashes.SHA256())
    made.update(signing_input.encode())
    return f"{signing_input}.{encoded(made.finalize())}"


def jwks(*keys: Any, more: tuple[dict[str, Any], ...] = ()) -> bytes:
    """This function will write the set of the keys' public halves."""
    return json.dumps({"keys": [*(key.as_dict(private=False) for key in keys), *more]}).encode()


@dataclass
class Provider:
    """What the service fetches the set of keys from; `down` makes it fail, `asked` counts."""

    content: bytes = field(default_factory=lambda: jwks(RSA, EC, ED))
    down: bool = False
    asked: int = 0

    async def __call__(self) -> bytes:
        self.asked += 1
        if self.down:
            raise OSError("no route to the provider")
        return self.content


SECRET = OctKey.import_key("a" * 64, {"kid": "rsa-1"})
