"""New ids.

Neighbours may rely on this: UUIDv7 as 36 lower-case characters, so that ids made later sort later (to the millisecond).
"""

from __future__ import annotations

from uuid_utils import uuid7


def new_uuid7() -> str:
    """This function will return a new id."""
    return str(uuid7())
