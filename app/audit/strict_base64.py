"""Standard base64 (RFC 4648 section 4) in its one canonical spelling, so that evidence has one spelling too."""

from binascii import Error, a2b_base64, b2a_base64


def to_base64(raw: bytes) -> str:
    """This function will encode with padding and without line breaks."""
    return b2a_base64(raw, newline=False).decode()


def from_base64(encoded: str) -> bytes | None:
    """This function will decode, and return None for whatever `to_base64` would not have written."""
    try:
        raw = a2b_base64(encoded, strict_mode=True)
    except (Error, ValueError):
        return None
    # Strict mode still takes stray bits in the last character.
    return raw if to_base64(raw) == encoded else None
