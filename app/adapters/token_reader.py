"""Tokens of the bank's identity provider: JWS compact (RFC 7515, 7519), verified by joserfc under our own rules.

Neighbours may rely on this: the header chooses nothing but a key of the provider's own set and an algorithm of our
list, which is asymmetric throughout; a key is used for what it was published for; a header that names keys, addresses
or extensions is refused; every claim that is used has the type that it must have, and none is given twice. What is told
about a refusal is a code.
"""

from __future__ import annotations

import json
import re
import time
import warnings
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning

from app.adapters.provider_keys import ProviderKeys, from_file, from_url
from app.adapters.token_rules import EVERY_LENDER, SCOPE_ENTRY, TokenRules
from app.domain.access import Role, lender_of
from app.usecases.tokens import TokenBearer, TokenRefused

# EdDSA is what Ed25519 was called before RFC 9864, and what most providers still call it.
warnings.filterwarnings("ignore", "EdDSA is deprecated", SecurityWarning)

_PART: Final = re.compile(r"[A-Za-z0-9_-]+")
_SUBJECT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:|/=+-]{0,127}")
_TYPES: Final = {"jwt", "at+jwt", "application/at+jwt"}
# Each of these lets the sender of a token say how it is to be verified.
_NEVER: Final = {"jku", "jwk", "x5u", "x5c", "crit", "b64", "zip", "enc", "p2s", "p2c", "epk"}
_LATEST: Final = 2**40
_MOST_LENDERS: Final = 200


class TokenReader:
    """Verifies tokens under the rules."""

    def __init__(self, rules: TokenRules, keys: ProviderKeys, *, clock: Callable[[], float] = time.time) -> None:
        self._rules = rules
        self._keys = keys
        self._clock = clock
        self._roles = {name: Role(role) for name, role in rules.role_names}

    @property
    def generation(self) -> int:
        """Counts the provider's sets of keys."""
        return self._keys.generation

    async def bearer(self, token: str) -> TokenBearer:
        """This function will verify the token and return who bears it. Raises TokenRefused, ProviderUnavailable."""
        parts = token.split(".")
        if len(parts) != 3 or not all(map(_PART.fullmatch, parts)):
            raise TokenRefused("TOKEN_MALFORMED")
        algorithm, key_id = self._checked_header(_decoded(parts[0]))
        # The last part, too: a signature has one spelling.
        _decoded(parts[2])
        key = await self._keys.find(key_id, algorithm)
        try:
            verified = jws.deserialize_compact(token, key, algorithms=[algorithm])
        except (JoseError, ValueError, TypeError) as error:
            raise TokenRefused("TOKEN_SIGNATURE") from error
        return self._bearer(_object(verified.payload))

    def _checked_header(self, content: bytes) -> tuple[str, str | None]:
        header = _object(content)
        algorithm, key_id, kind = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
        if _NEVER & header.keys() or not isinstance(kind, str) or kind.lower() not in _TYPES:
            raise TokenRefused("TOKEN_HEADER")
        if not isinstance(algorithm, str) or algorithm not in self._rules.algorithms:
            raise TokenRefused("TOKEN_ALGORITHM")
        if key_id is not None and not (isinstance(key_id, str) and 0 < len(key_id) <= 256):
            raise TokenRefused("TOKEN_HEADER")
        return algorithm, key_id

    def _bearer(self, claims: dict[str, Any]) -> TokenBearer:
        rules, now = self._rules, self._clock()
        if claims.get("iss") != rules.issuer:
            raise TokenRefused("TOKEN_ISSUER")
        audience = claims.get("aud")
        if rules.audience not in ((audience,) if isinstance(audience, str) else _texts(audience, "TOKEN_AUDIENCE")):
            raise TokenRefused("TOKEN_AUDIENCE")
        until = _instant(claims.get("exp")) + rules.leeway_s
        if now >= until:
            raise TokenRefused("TOKEN_EXPIRED")
        if any(now < _instant(claims[name]) - rules.leeway_s for name in ("nbf", "iat") if name in claims):
            raise TokenRefused("TOKEN_NOT_YET")
        subject = _claim(claims, rules.subject_claim)
        if not isinstance(subject, str) or _SUBJECT.fullmatch(subject) is None:
            raise TokenRefused("TOKEN_SUBJECT")
        sent = _texts(_claim(claims, rules.roles_claim), "TOKEN_ROLES")
        roles = frozenset(self._roles[name] for name in sent if name in self._roles)
        if not roles:
            raise TokenRefused("TOKEN_ROLES")
        token_id = claims.get("jti")
        if token_id is not None and not (isinstance(token_id, str) and 0 < len(token_id) <= 255):
            raise TokenRefused("TOKEN_ID")
        issued_at = int(claims["iat"]) if "iat" in claims else None
        return TokenBearer(subject, roles, self._scope(claims), int(until), token_id, issued_at)

    def _scope(self, claims: dict[str, Any]) -> tuple[str, ...]:
        """Lenders, and branches as lender/branch; a lender of which a branch is named is not meant as a whole."""
        rules = self._rules
        lenders, branches = _claim(claims, rules.lenders_claim), _claim(claims, rules.branches_claim)
        named = rules.lenders if lenders is None else _texts(lenders, "TOKEN_LENDERS")
        parts = () if branches is None else _texts(branches, "TOKEN_LENDERS")
        if len(named) + len(parts) > _MOST_LENDERS or not all("/" in part for part in parts):
            raise TokenRefused("TOKEN_LENDERS")
        entries = (*named, *parts)
        if any(entry != EVERY_LENDER and SCOPE_ENTRY.fullmatch(entry) is None for entry in entries):
            raise TokenRefused("TOKEN_LENDERS")
        narrowed = {lender_of(entry) for entry in entries if "/" in entry}
        if not narrowed and EVERY_LENDER in named:
            return ()
        # Whoever has branches has those alone, even where another claim says that he may see every lender.
        scope = tuple(dict.fromkeys(e for e in entries if e != EVERY_LENDER and ("/" in e or e not in narrowed)))
        if not scope:
            raise TokenRefused("TOKEN_LENDERS")
        return scope


def open_token_reader(rules: TokenRules, *, clock: Callable[[], float]) -> TokenReader:
    """This function will return what verifies tokens; nothing is read before the first of them."""
    fetch = from_url(rules.keys_url) if rules.keys_file is None else from_file(rules.keys_file)
    return TokenReader(rules, ProviderKeys(fetch), clock=clock)


def _decoded(part: str) -> bytes:
    try:
        content = urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        raise TokenRefused("TOKEN_MALFORMED") from None
    if urlsafe_b64encode(content).rstrip(b"=").decode() != part:
        raise TokenRefused("TOKEN_MALFORMED")
    return content


def _object(content: bytes | None) -> dict[str, Any]:
    """The JSON object, none of whose members comes twice at any depth."""
    try:
        # From bytes the parser would take UTF-16 as well.
        found = json.loads((content or b"").decode(), object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise TokenRefused("TOKEN_MALFORMED") from None
    if not isinstance(found, dict):
        raise TokenRefused("TOKEN_MALFORMED")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a member comes twice")
    return made


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _instant(value: Any) -> float:
    """A NumericDate (RFC 7519, section 2)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LATEST:
        raise TokenRefused("TOKEN_TIMES")
    return value


def _texts(value: Any, why: str) -> tuple[str, ...]:
    """A text, which may hold several words, or a list of texts."""
    if isinstance(value, str):
        return tuple(value.split(" "))
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise TokenRefused(why)
    return tuple(value)


def _claim(claims: dict[str, Any], name: str) -> Any:
    """A claim by its name, or else by a path such as realm_access.roles."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found
