"""How often a caller may ask one replica.

Neighbours may rely on this: each key has a counter of its own, and tokens, which change by the hour, share their
subject's. The headers are those of draft-ietf-httpapi-ratelimit-headers-10: `RateLimit-Policy` says the quota `q` in
a window of `w` seconds, `RateLimit` what remains (`r`) and after how many seconds all of it is there again (`t`).

The quota comes back evenly (GCRA): one instant a key says all, which takes a tenth of what a counter of the library
`limits` does; there a request would cost 3 to 4 % of a decision.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from app.api.problems import Problem

Headers = list[tuple[bytes, bytes]]


class RateLimits:
    """The counters of one replica: `quota` requests within `window_s` seconds, all at once or spread."""

    def __init__(self, quota: int, window_s: int, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._window_s = float(window_s)
        self._interval_s = window_s / quota
        # The last request of a quota may miss its place by what roundings of floats add up to.
        self._slack_s = self._interval_s / 1000
        self._monotonic = monotonic
        self._full_again_at: dict[str, float] = {}
        self._policy = (b"ratelimit-policy", f'"key";q={quota};w={window_s}'.encode())

    def take(self, key: str) -> Headers:
        """This function will count one request and return the headers of its answer. Raises Problem (429)."""
        now = self._monotonic()
        full_at = max(self._full_again_at.get(key, now), now) + self._interval_s
        beyond_s = full_at - now - self._window_s
        if beyond_s > self._slack_s:
            headers = self._headers(0, full_at - self._interval_s - now)
            shown = {name.decode(): value.decode() for name, value in headers}
            raise Problem("too-many-requests", headers={"Retry-After": str(math.ceil(beyond_s)), **shown})
        self._full_again_at[key] = full_at
        return self._headers(int((self._slack_s - beyond_s) / self._interval_s), full_at - now)

    def _headers(self, remaining: int, full_in_s: float) -> Headers:
        return [self._policy, (b"ratelimit", b'"key";r=%d;t=%d' % (remaining, math.ceil(full_in_s)))]
