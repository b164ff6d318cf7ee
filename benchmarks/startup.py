"""From the command to the first answer, in a new folder and in one that has been used."""

from __future__ import annotations

import http.client
import json
import tempfile
from contextlib import suppress
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

from app.adapters.clock import utc_now
from app.usecases.decide import day_in_shanghai
from benchmarks import servers
from benchmarks.load import bodies, quick_code
from benchmarks.report import Section, at_most

_SECONDS = 3.0
_GIVE_UP_S = 30.0


def measure(*, quick: bool) -> Section:
    """This function will start `jifendai serve` and ask for a decision until it is answered, several times over."""
    before, between, after = bodies(day_in_shanghai(utc_now()), 1)[0]
    first, again = [], []
    for number in range(1 if quick else 5):
        with tempfile.TemporaryDirectory(prefix="jfd-bench-") as folder:
            for times in (first, again):
                digits = b"%09d" % (900_000_000 + 2 * number + (times is again))
                times.append(
                    _first_answer(Path(folder) / "data", before + digits + between + quick_code(digits) + after)
                )
    return Section(
        "From `jifendai serve` to its first 201, SQLite",
        (
            at_most("in a new folder: keys, tables, catalogue, examples", median(first), _SECONDS, "s"),
            at_most("in a folder that has been used", median(again), _SECONDS, "s"),
        ),
    )


def _first_answer(folder: Path, body: bytes) -> float:
    began = perf_counter()
    side = servers.start_ours(folder)
    try:
        while perf_counter() - began < _GIVE_UP_S:
            with suppress(OSError, KeyError, ValueError):
                # The port is taken before anything else, and answers once the service does.
                asked = http.client.HTTPConnection("127.0.0.1", side.port, timeout=_GIVE_UP_S)
                asked.connect()
                key = json.loads((folder / "demo-keys.json").read_text())["loan_system"]
                headers = {
                    "Authorization": f"Bearer {key}",
                    "Content-Type": "application/json",
                    "Idempotency-Key": "start",
                }
                headers["Idempotency-Key"] += str(began)
                asked.request("POST", "/v1/decisions", body, headers)
                answer = asked.getresponse()
                if answer.status == 201:
                    return perf_counter() - began
                raise RuntimeError(f"the first answer was {answer.status}: {answer.read()[:400]!r}")
            sleep(0.01)
        raise servers.DidNotStart("no answer")
    finally:
        servers.stop(side)
