"""A circuit breaker: what fails again and again is left alone for a while.

Neighbours may rely on this: after `trips_after` failures in a row nobody passes for `rests_s` seconds; then one passes
to try, and its success lets everybody pass again, its failure begins another rest. Whoever passes says how it went,
once. The clock is given; nothing here waits.
"""

from __future__ import annotations

from collections.abc import Callable


class CircuitBreaker:
    """Of one neighbour."""

    def __init__(self, monotonic: Callable[[], float], *, trips_after: int = 5, rests_s: float = 30.0) -> None:
        self._monotonic = monotonic
        self._trips_after = trips_after
        self._rests_s = rests_s
        self._failures = 0
        self._opened_at: float | None = None
        self._trying = False

    @property
    def is_open(self) -> bool:
        """Whether the next one would not pass."""
        return self._opened_at is not None and (self._trying or self._monotonic() - self._opened_at < self._rests_s)

    def passes(self) -> bool:
        """This function will tell whether to go ahead; who is told so says how it went."""
        if self._opened_at is None:
            return True
        if self.is_open:
            return False
        self._trying = True
        return True

    def succeeded(self) -> None:
        """This function will let everybody pass."""
        self._failures, self._opened_at, self._trying = 0, None, False

    def failed(self) -> None:
        """This function will count a failure."""
        self._failures += 1
        if self._trying or (self._opened_at is None and self._failures >= self._trips_after):
            self._opened_at, self._trying = self._monotonic(), False
