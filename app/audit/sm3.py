"""SM3 (国密, GB/T 32905): a second digest inside a record, beside the log's SHA-256 and never in its place.

Neighbours may rely on this: where an installation has it switched on, a record has the member `sm3`: the SM3 digest (64
hex digits) of the record's own canonical bytes without that member. The leaf is taken over the whole record, so the
log's root covers it, and whoever verifies by SHA-256 alone needs to know nothing of it.
"""

from __future__ import annotations

from typing import Final

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SM3, Hash

from app.audit.canonical import vouched_bytes

_MEMBER: Final = b',"sm3":"'
_DIGITS: Final = 64


def sm3_hex(content: bytes) -> str:
    """This function will return the SM3 digest in hex. Raises UnsupportedAlgorithm where OpenSSL was built without."""
    hashing = Hash(SM3())
    hashing.update(content)
    return hashing.finalize().hex()


def has_sm3() -> bool:
    """This function will say whether the cryptography at hand knows SM3."""
    try:
        sm3_hex(b"")
    except UnsupportedAlgorithm:
        return False
    return True


def with_sm3(record: bytes, at: int) -> tuple[bytes, str]:
    """This function will put the digest into a record, behind the member that ends at `at`, and return both: it is the
    place where the name `sm3` sorts.
    """
    digest = sm3_hex(record)
    return b'%b%b%b"%b' % (record[:at], _MEMBER, digest.encode(), record[at:]), digest


def sm3_in(record: bytes) -> str | None:
    """This function will return the digest that a record names, None where it names none; nothing is verified."""
    at = record.rfind(_MEMBER)
    return None if at < 0 else record[at + len(_MEMBER) : at + len(_MEMBER) + _DIGITS].decode("ascii", "replace")


def without_sm3(record: bytes) -> bytes:
    """This function will return the record as it was before the digest was put in."""
    # Behind the member stand texts alone, in which a quote is escaped: so the last occurrence is the member itself.
    at = record.rfind(_MEMBER)
    return record if at < 0 else record[:at] + record[at + len(_MEMBER) + _DIGITS + 1 :]


def names_sm3(record: bytes) -> bool:
    """This function will say whether the record may have the member; without it nothing need be read."""
    return _MEMBER in record


def sm3_holds(record: bytes) -> bool:
    """This function will say whether the record's own digest, if it has one, is that of its other members."""
    if not names_sm3(record):
        return True
    try:
        document = orjson.loads(record)
        digest = document.pop("sm3", None)
        return digest is None or digest == sm3_hex(vouched_bytes(document))
    except (ValueError, AttributeError):
        return False
