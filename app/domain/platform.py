"""积分平台: a zone's score platform as its file describes it, and what can be wrong with it.

Neighbours may rely on this: everything here is data; addresses and the names of files with secrets, never a secret. A
code of `WhyNot` is closed, and short enough for a trace, a metric and a line of the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class WhyNot(StrEnum):
    """Why there is no score although a platform was asked."""

    DEADLINE = "DEADLINE"
    """It did not answer whole within the deadline."""
    CONNECTION = "CONNECTION"
    """It could not be reached, or broke off."""
    TLS = "TLS"
    """Its certificate, or ours, was not accepted."""
    STATUS = "STATUS"
    """It answered with an error."""
    REDIRECT = "REDIRECT"
    """It sent us elsewhere; nobody follows."""
    TOO_LARGE = "TOO_LARGE"
    """It sent more than an answer can be."""
    CIRCUIT_OPEN = "CIRCUIT_OPEN"
    """It failed so often that it is not asked for a while."""
    BUSY = "BUSY"
    """So many questions wait for it that no more are asked."""

    SIGNATURE = "SIGNATURE"
    """The answer is not signed, or not by the zone, or not for this question."""
    NOT_JSON = "NOT_JSON"
    SHAPE = "SHAPE"
    """A member is missing, or is not what the protocol or the mapping says."""
    OTHER_COMPANY = "OTHER_COMPANY"
    OTHER_SCHEME = "OTHER_SCHEME"
    UNKNOWN_CODE = "UNKNOWN_CODE"
    """A stage, grade or field that the zone's scheme does not have."""
    RANGE = "RANGE"
    JUMP = "JUMP"
    """The score is further from the last one than the zone's file allows."""
    FUTURE_AS_OF = "FUTURE_AS_OF"
    RUNS_BACKWARDS = "RUNS_BACKWARDS"
    """It is of an earlier day than what the platform has told before."""


class PlatformUnavailable(Exception):
    """There is no answer; a snapshot kept earlier may stand in."""

    def __init__(self, why: WhyNot) -> None:
        super().__init__(why.value)
        self.why = why


class AnswerRefused(Exception):
    """There is an answer and it cannot be believed; `member` is the place in it, a JSON Pointer of ours, if any."""

    def __init__(self, why: WhyNot, member: str = "") -> None:
        super().__init__(f"{why.value} {member}".strip())
        self.why = why
        self.member = member


class AuthenticationKind(StrEnum):
    """How a platform knows who asks."""

    NONE = "NONE"
    """For a simulator on this machine alone."""
    KEY = "KEY"
    HMAC = "HMAC"
    CERTIFICATE = "CERTIFICATE"


@dataclass(frozen=True, slots=True)
class Authentication:
    """认证: files are named, relative to the folder of the zone's file or absolute."""

    kind: AuthenticationKind
    header: str = ""
    prefix: str = ""
    key_id: str = ""
    secret_file: str = ""
    certificate_file: str = ""
    private_key_file: str = ""


class SignatureKind(StrEnum):
    """By what a zone signs its answers."""

    HMAC_SHA256 = "HMAC_SHA256"
    ED25519 = "ED25519"


@dataclass(frozen=True, slots=True)
class AnswerSignature:
    """答复签名: over the question's id, a line feed and the body; in hex or base64, in that header."""

    kind: SignatureKind
    header: str
    secret_file: str = ""
    public_key: str = ""


class DayForm(StrEnum):
    """How a platform writes a day."""

    ISO = "ISO"
    """2026-09-30, also at the beginning of an instant"""
    COMPACT = "COMPACT"
    """20260930"""
    SLASHED = "SLASHED"
    """2026/9/30"""
    CHINESE = "CHINESE"
    """2026年9月30日"""
    EPOCH_MS = "EPOCH_MS"
    """milliseconds since 1970; the day is the one in Shanghai"""


@dataclass(frozen=True, slots=True)
class Member:
    """Where in an answer something stands (a JSON Pointer, RFC 6901), or what it always is; `values` turns the
    platform's words into ours, and a word that it does not have is a fault; `form` is how it writes a day.
    """

    at: str | None = None
    constant: str | None = None
    values: Mapping[str, str] | None = None
    form: DayForm = DayForm.ISO


@dataclass(frozen=True, slots=True)
class Envelope:
    """信封: where a platform answers 200 and says in the body how it went; any other word is an error of its own."""

    at: str
    answered: tuple[str, ...]
    not_found: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AnswerMap:
    """映射: what of an answer is which part of a score. `parts` by the names of `InnovationScore`, and `uscc`,
    `rank_position`, `rank_within`, `reference`.
    """

    parts: Mapping[str, Member]
    envelope: Envelope | None = None
    not_found_status: int | None = None


@dataclass(frozen=True, slots=True)
class AnswerChecks:
    """核查: what a score can be; both bounds inclusive. `largest_change` is the most that it may move from one snapshot
    to the next of the same version.
    """

    least: Decimal
    most: Decimal
    largest_change: Decimal


@dataclass(frozen=True, slots=True)
class ScorePlatform:
    """One zone's platform: where and how it is asked, and how its answer is read."""

    zone: str
    scheme: str
    address: str
    authentication: Authentication
    answer: AnswerMap
    checks: AnswerChecks
    signature: AnswerSignature | None = None
    body: Mapping[str, str] | None = None
    """Sent by POST where it is there, as a JSON object of texts; a question is a GET otherwise."""
    deadline_ms: int = 2_000
    largest_bytes: int = 65_536
    authority_file: str = ""
    """The certificates by which the platform's own is trusted; the system's where none is named."""
