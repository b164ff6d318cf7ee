"""What tokens of the bank's own identity provider must be, as the environment says it.

Neighbours may rely on this: without an issuer no token is taken; a rule that would weaken the rest — a symmetric
algorithm, keys over plain HTTP, no audience — is a fault by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from app.domain.access import Role

ALGORITHMS: Final = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519",
)  # fmt: skip
SCOPE_ENTRY: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*(/[a-z0-9]+(-[a-z0-9]+)*)?")
EVERY_LENDER: Final = "*"
_BY_DEFAULT: Final = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
_MOST_LEEWAY_S: Final = 300
_LOOPBACK: Final = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True)
class TokenRules:
    """The rules. Keys come from `keys_url` or `keys_file`, one of which is set; `role_names` are pairs of the
    provider's name and ours; `lenders` what a token sees that names none: `*` is every lender, nothing refuses it.
    """

    issuer: str
    audience: str
    keys_url: str = ""
    keys_file: Path | None = None
    algorithms: tuple[str, ...] = _BY_DEFAULT
    leeway_s: int = 30
    subject_claim: str = "sub"
    roles_claim: str = "roles"
    lenders_claim: str = "lenders"
    branches_claim: str = "branches"
    role_names: tuple[tuple[str, str], ...] = tuple((role.value, role.value) for role in Role)
    lenders: tuple[str, ...] = ()


def token_rules(sent: Callable[[str, str], str]) -> tuple[TokenRules | None, tuple[str, ...]]:
    """This function will read the variables JIFENDAI_TOKEN_… and return the rules, None where no issuer is named, and
    what is wrong with them, each with how to mend it. `sent` gives a variable's text or its default.
    """
    issuer, file = sent("TOKEN_ISSUER", ""), sent("TOKEN_KEYS_FILE", "")
    if not issuer:
        return None, ()
    faults: list[str] = []
    rules = TokenRules(
        issuer=issuer,
        audience=sent("TOKEN_AUDIENCE", ""),
        keys_url=sent("TOKEN_KEYS_URL", ""),
        keys_file=Path(file) if file else None,
        algorithms=_words(sent("TOKEN_ALGORITHMS", " ".join(_BY_DEFAULT))),
        leeway_s=_leeway(sent("TOKEN_LEEWAY_S", "30"), faults),
        subject_claim=sent("TOKEN_SUBJECT_CLAIM", "sub"),
        roles_claim=sent("TOKEN_ROLES_CLAIM", "roles"),
        lenders_claim=sent("TOKEN_LENDERS_CLAIM", "lenders"),
        branches_claim=sent("TOKEN_BRANCHES_CLAIM", "branches"),
        role_names=_role_names(sent("TOKEN_ROLE_NAMES", ""), faults),
        lenders=_words(sent("TOKEN_LENDERS", "")),
    )
    return rules, (*faults, *_faults(rules))


def _faults(rules: TokenRules) -> list[str]:
    faults = []
    if not rules.audience:
        faults.append("JIFENDAI_TOKEN_AUDIENCE: name what tokens for this service bear in `aud`. 未设置令牌受众")
    if bool(rules.keys_url) == (rules.keys_file is not None):
        faults.append("JIFENDAI_TOKEN_KEYS_URL or JIFENDAI_TOKEN_KEYS_FILE: name one, for the JWKS. 二者须选其一")
    if rules.keys_url:
        url = urlsplit(rules.keys_url)
        if url.scheme != "https" and not (url.scheme == "http" and url.hostname in _LOOPBACK):
            faults.append("JIFENDAI_TOKEN_KEYS_URL: https://, or whoever is between chooses the keys. 须用 https")
    if rules.keys_file is not None and not rules.keys_file.is_file():
        faults.append(f"JIFENDAI_TOKEN_KEYS_FILE: there is no file {rules.keys_file}. 令牌公钥文件不存在")
    if unknown := [name for name in rules.algorithms if name not in ALGORITHMS] or (not rules.algorithms and ["none"]):
        faults.append(
            f"JIFENDAI_TOKEN_ALGORITHMS: {', '.join(unknown)} cannot be taken; of {', '.join(ALGORITHMS)}. "
            "算法须为非对称算法"
        )
    if any(entry != EVERY_LENDER and SCOPE_ENTRY.fullmatch(entry) is None for entry in rules.lenders):
        faults.append("JIFENDAI_TOKEN_LENDERS: lenders such as icbc, branches such as icbc/kunshan, or *. 机构代码有误")
    return faults


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


def _leeway(text: str, faults: list[str]) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 5 and int(text) <= _MOST_LEEWAY_S):
        faults.append(f"JIFENDAI_TOKEN_LEEWAY_S: whole seconds, 0 to {_MOST_LEEWAY_S}. 容差秒数有误")
        return 0
    return int(text)


def _role_names(text: str, faults: list[str]) -> tuple[tuple[str, str], ...]:
    """`credit-officers=loan_officer, auditors=auditor`; where nothing is said, the provider's names are ours."""
    if not text:
        return tuple((role.value, role.value) for role in Role)
    pairs = tuple((name, role) for name, _, role in (word.rpartition("=") for word in _words(text)))
    if any(not name or role not in Role._value2member_map_ for name, role in pairs):
        faults.append(f"JIFENDAI_TOKEN_ROLE_NAMES: such as officers=loan_officer, of {', '.join(Role)}. 角色对照有误")
        return ()
    return pairs
