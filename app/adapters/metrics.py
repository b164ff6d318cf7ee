"""What the service counts, for Prometheus.

Neighbours may rely on this: labels come from closed sets — operations, statuses, outcomes, the catalogue's products,
the reason codes — so that no caller can fill the memory; nothing here names a company. One registry an application,
so that tests do not share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from app.usecases.ports import DecisionRow

_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """Counts requests, decisions and batches; it is the desk's observer, too."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=registry)
        named = {"namespace": "jifendai", "registry": registry}
        self._decisions = Counter("decisions", "Decisions made", ("outcome", "product"), **named)
        self._reasons = Counter("decision_reasons", "Reasons given in decisions", ("reason", "product"), **named)
        self._requests = Counter("requests", "Answers sent", ("operation", "status"), **named)
        self._seconds = Histogram("request_seconds", "Time to answer", ("operation",), buckets=_SECONDS, **named)
        self._batch = Histogram("batch_size", "Applications in a batch that was written", buckets=_SIZES, **named)
        self._batch_s = Histogram("batch_seconds", "Time from lock to commit", buckets=_SECONDS, **named)
        self._failed = Counter("batches_failed", "Batches that were not written, or of which nobody knows", **named)
        self._refused = Counter("submissions_refused", "Applications refused as too many were waiting", **named)
        self._sign_ins = Counter("sign_ins_failed", "Requests of nobody known", ("scheme", "why"), **named)
        self._refusals = Counter("refusals", "Requests of a role that may not", ("operation", "role"), **named)
        self._asked_s = Histogram(
            "platform_seconds", "Time that a question to a score platform took", ("zone", "outcome"), buckets=_SECONDS,
            **named,
        )  # fmt: skip
        self._lookups = Counter("score_lookups", "Scores looked up", ("zone", "answer", "why"), **named)
        self._resting = Gauge("platforms_resting", "Score platforms that failed so often that none is asked", **named)
        self._waiting = Gauge("queue_length", "Applications that no batch has taken yet", **named)
        self._owed = Gauge(
            "outside_checkpoint_owed_seconds", "For how long a newest checkpoint is not yet outside", **named
        )
        self._webhooks = Counter("webhook_attempts", "Webhooks tried", ("outcome",), **named)
        self._webhook_s = Histogram("webhook_seconds", "Time that an endpoint took", buckets=_SECONDS, **named)
        self._webhooks_owed = Gauge("webhooks_owed", "Webhooks that wait, and dead letters", ("state",), **named)
        self._webhook_wait = Gauge("webhook_oldest_seconds", "For how long the oldest webhook has waited", **named)
        self._webhooks_behind = Gauge(
            "webhook_places_behind", "Places of lenders' logs that enabled endpoints have not been owed yet", **named
        )
        self._counters: dict[tuple[Counter, str, str], Counter] = {}
        self._timers: dict[str, Histogram] = {}

    def answered(self, operation: str, status: int, seconds: float) -> None:
        """This function will count one answer and how long it took."""
        self._count(self._requests, operation, str(status))
        timer = self._timers.get(operation)
        if timer is None:
            timer = self._timers[operation] = self._seconds.labels(operation)
        timer.observe(seconds)

    def decided(self, decisions: Iterable[DecisionRow]) -> None:
        """This function will count decisions that are durable."""
        for row in decisions:
            self._count(self._decisions, row.outcome, row.product)
            for reason in row.reasons:
                self._count(self._reasons, reason, row.product)

    def watch_queue(self, length: Callable[[], int]) -> None:
        """This function will report the queue's length as it is whenever somebody asks."""
        self._waiting.set_function(length)

    def platform_asked(self, zone: str, outcome: str, seconds: float) -> None:
        """This function will count one question to a score platform."""
        self._asked_s.labels(zone, outcome).observe(seconds)

    def score_looked_up(self, zone: str, answer: str, why: str) -> None:
        """This function will count what came of a lookup."""
        self._lookups.labels(zone, answer, why).inc()

    def watch_platforms(self, resting: Callable[[], int]) -> None:
        """This function will report how many platforms are left alone for now."""
        self._resting.set_function(resting)

    def watch_outside(self, owed_s: Callable[[], float]) -> None:
        """This function will report for how long a checkpoint has been owed to the place outside."""
        self._owed.set_function(owed_s)

    def webhook_tried(self, outcome: str, seconds: float) -> None:
        """This function will count an attempt at an endpoint."""
        self._webhooks.labels(outcome).inc()
        self._webhook_s.observe(seconds)

    def webhooks_owed(self, pending: int, dead: int, oldest_s: int, behind: int) -> None:
        """This function will note what is owed to endpoints."""
        self._webhooks_behind.set(behind)
        self._webhooks_owed.labels("PENDING").set(pending)
        self._webhooks_owed.labels("DEAD").set(dead)
        self._webhook_wait.set(oldest_s)

    def batch_written(self, size: int, seconds: float, waiting: int) -> None:
        """This function will count a batch."""
        self._batch.observe(size)
        self._batch_s.observe(seconds)

    def batch_failed(self, size: int, error: Exception) -> None:
        """This function will count a batch that was not written."""
        self._failed.inc()

    def submission_refused(self, waiting: int) -> None:
        """This function will count a refusal."""
        self._refused.inc()

    def sign_in_failed(self, scheme: str, why: str) -> None:
        """This function will count a request of nobody known."""
        self._count(self._sign_ins, scheme, why)

    def refused(self, operation: str, role: str) -> None:
        """This function will count a request of somebody whose role may not do it."""
        self._count(self._refusals, operation, role)

    def exposition(self) -> tuple[bytes, str]:
        """This function will return everything counted, and its media type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    def _count(self, counter: Counter, first: str, second: str) -> None:
        # Finding a label's child takes a lock and a tuple; the children are few and stay.
        child = self._counters.get((counter, first, second))
        if child is None:
            child = self._counters[counter, first, second] = counter.labels(first, second)
        child.inc()
