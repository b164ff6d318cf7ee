"""The system's clock.

Neighbours may rely on this: an instant always carries UTC, never a bare local time.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime


def utc_now() -> datetime:
    """This function will return the instant now, in UTC."""
    return datetime.now(UTC)


def elapsed_s() -> float:
    """This function will return seconds that only tell how long something took."""
    return time.monotonic()
