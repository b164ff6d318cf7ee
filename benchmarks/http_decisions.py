"""POST /v1/decisions side by side: our service on both databases, the same without a book, and two rival designs.

All sides run at once and idle but for the one under load; every round takes every side at 1, 16 and 64 clients in
turn; a ratio is taken inside each round. Afterwards every database is verified.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

from app.adapters.clock import utc_now
from app.usecases.decide import day_in_shanghai
from benchmarks import servers
from benchmarks.report import Line, Section, at_least, at_most
from benchmarks.rounds import ratio
from benchmarks.servers import Load, Side
from benchmarks.verification import verify, verify_raw

CLIENTS = (1, 16, 64)
POSTGRESQL, SQLITE, NULL, TEXTBOOK, RAW, ALIKE = "postgresql", "sqlite", "null", "textbook", "raw", "alike"
_WORDS = {
    POSTGRESQL: "**our service on PostgreSQL**",
    SQLITE: "**our service on SQLite**",
    NULL: "our service, book that keeps nothing",
    ALIKE: "FastAPI, one raw INSERT, no rules; row and answer of our sizes",
    RAW: "FastAPI, one raw INSERT, no rules; row of 1.4 KB, answer of 36 bytes",
    TEXTBOOK: "textbook: FastAPI, async ORM, head lock, commit each",
}
_ENOUGH_DECISIONS, _MEGABYTES = 100_000, 200.0
# What a record has beyond the request, and what an answer comes to, in bytes, over the benchmark's own bodies.
_RECORD_BEYOND_BODY, _ANSWER = 6_700, 7_000

Found = dict[tuple[str, int], list[dict[str, Any]]]


def measure(*, quick: bool) -> list[Section]:
    """This function will start everything, measure, fill the memory, and verify. Raises what any of it raises."""
    rounds, seconds, decisions = (1, 0.3, 600) if quick else (5, 1.5, _ENOUGH_DECISIONS)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jfd-bench-")))
        server = stack.enter_context(servers.postgres(segments=2 if quick else 120))
        for name in (POSTGRESQL, TEXTBOOK, RAW, ALIKE):
            server.create_database(name, migrated=False)
        ours = stack.enter_context(
            servers.our_service(POSTGRESQL, folder / "ours", database_url=server.url(POSTGRESQL))
        )
        key = folder / "ours" / "demo-signing-key.pem"
        sides = {
            POSTGRESQL: ours,
            SQLITE: stack.enter_context(servers.our_service(SQLITE, folder / "sqlite")),
            NULL: stack.enter_context(servers.without_book(NULL, folder / "null")),
            TEXTBOOK: stack.enter_context(servers.textbook(TEXTBOOK, server.url(TEXTBOOK), key)),
            RAW: stack.enter_context(servers.raw_insert(RAW, server.url(RAW))),
            ALIKE: stack.enter_context(
                servers.raw_insert(ALIKE, server.url(ALIKE), more_stored=_RECORD_BEYOND_BODY, answer_bytes=_ANSWER)
            ),
        }
        load = Load(_today(), each=100 if quick else 2_000)
        stack.callback(load.end)
        acknowledged: dict[str, list[range]] = {name: [] for name in sides}
        for side in sides.values():
            # Connections, prepared statements and the rivals' own caches are not what is compared.
            _under_load(load, side, acknowledged, clients=8, answers=50 if quick else 500)
        found: Found = {(name, clients): [] for name in sides for clients in CLIENTS}
        for number in range(rounds):
            servers.settle(server)
            for clients in CLIENTS:
                names = list(sides)
                for name in names[number % len(names) :] + names[: number % len(names)]:
                    used = sides[name].cpu_seconds(), servers.server_cpu_seconds(server)
                    answer = _under_load(load, sides[name], acknowledged, clients=clients, seconds=seconds)
                    answer["cpu_us"] = (sides[name].cpu_seconds() - used[0]) / answer["answers"] * 1e6
                    answer["server_cpu_us"] = (servers.server_cpu_seconds(server) - used[1]) / answer["answers"] * 1e6
                    found[name, clients].append(answer)
        sections = [_throughput(found, load.bodies), _goals(found), _processor_time(found)]
        servers.settle(server)
        sections.append(_memory(load, ours, acknowledged, decisions))
        stored = sum(verify(sides[name].database_url, acknowledged[name]) for name in (POSTGRESQL, SQLITE, TEXTBOOK))
        stored += sum(verify_raw(sides[name].database_url, acknowledged[name]) for name in (RAW, ALIKE))
    answered = sum(len(numbers) for every in acknowledged.values() for numbers in every)
    sections[-1] = Section(sections[-1].title, (*sections[-1].lines, Line("answers, none but 201", f"{answered:,}")))
    lines = (*sections[-1].lines, Line("rows found again, logs and roots verified", f"{stored:,}"))
    sections[-1] = Section(sections[-1].title, lines)
    return sections


def _today() -> date:
    return day_in_shanghai(utc_now())


def _under_load(load: Load, side: Side, acknowledged: dict[str, list[range]], **how: Any) -> dict[str, Any]:
    answer = load.run(side, **how)
    first = answer["first_number"]
    acknowledged[side.name].append(range(first, first + answer["answers"]))
    return answer


# --- figures ---------------------------------------------------------------------------------------------------


def _throughput(found: Found, bodies: dict[str, Any]) -> Section:
    lines = []
    for name, words in _WORDS.items():
        each = []
        for clients in CLIENTS:
            answers = found[name, clients]
            rate, p50, p99 = (median(a[key] for a in answers) for key in ("per_second", "p50_ms", "p99_ms"))
            each.append(f"{rate:,.0f}/s ({p50:.1f}, {p99:.1f})")
        lines.append(Line(words, " · ".join(each)))
    return Section(
        f"POST /v1/decisions at {', '.join(map(str, CLIENTS))} clients: answers a second (p50, p99 in ms), medians; "
        f"{bodies['bodies']:,} bodies of {bodies['bytes']:,} bytes",
        tuple(lines),
    )


def _goals(found: Found) -> Section:
    def rates(name: str, clients: int) -> list[float]:
        return [answer["per_second"] for answer in found[name, clients]]

    def tails(name: str, clients: int) -> list[float]:
        return [answer["p99_ms"] for answer in found[name, clients]]

    ours: Sequence[tuple[str, str]] = ((POSTGRESQL, "PostgreSQL"), (SQLITE, "SQLite"))
    lines = [
        at_least("PostgreSQL ÷ textbook, 64 clients", ratio(rates(POSTGRESQL, 64), rates(TEXTBOOK, 64)), 8),
        at_most(
            "p99 of PostgreSQL ÷ p99 of textbook, 64 clients", ratio(tails(POSTGRESQL, 64), tails(TEXTBOOK, 64)), 0.34
        ),
        at_least("PostgreSQL ÷ no book, 16 clients", ratio(rates(POSTGRESQL, 16), rates(NULL, 16)), 0.75),
        at_least("PostgreSQL ÷ no book, 64 clients", ratio(rates(POSTGRESQL, 64), rates(NULL, 64)), 0.75),
        at_least(
            "PostgreSQL ÷ raw INSERT of our sizes, 64 clients", ratio(rates(POSTGRESQL, 64), rates(ALIKE, 64)), 1.5
        ),
        at_least("PostgreSQL ÷ raw INSERT of our sizes, 1 client", ratio(rates(POSTGRESQL, 1), rates(ALIKE, 1)), 0.8),
        at_least("PostgreSQL ÷ raw INSERT of 1.4 KB, 64 clients", ratio(rates(POSTGRESQL, 64), rates(RAW, 64)), 1.5),
        at_least("PostgreSQL ÷ raw INSERT of 1.4 KB, 1 client", ratio(rates(POSTGRESQL, 1), rates(RAW, 1)), 0.8),
    ]
    for name, words in ours[1:]:
        for clients in CLIENTS:
            shares = ratio(rates(name, clients), rates(POSTGRESQL, clients))
            lines.append(Line(f"{words} ÷ PostgreSQL, {clients} clients", f"{shares:.2f} x"))
    return Section("Ratios, each taken inside a round, medians", tuple(lines))


def _processor_time(found: Found) -> Section:
    """What a request costs whatever else the machine was doing; the load generator's own share is left out."""
    lines = []
    for name, words in _WORDS.items():
        answers = found[name, 64]
        service, server = (median(answer[key] for answer in answers) for key in ("cpu_us", "server_cpu_us"))
        lines.append(Line(words, f"{service:,.0f} + {server:,.0f}" if server > 1 else f"{service:,.0f}"))
    return Section("Processor time a request at 64 clients, µs: service + PostgreSQL, medians", tuple(lines))


def _memory(load: Load, side: Side, acknowledged: dict[str, list[range]], decisions: int) -> Section:
    """Resident memory while the process makes its first `decisions`, sampled by fifths."""
    done = sum(len(numbers) for numbers in acknowledged[side.name])
    step = max(decisions // 5, 1)
    samples = [(done, side.resident_megabytes())]
    while done < decisions:
        answer = _under_load(load, side, acknowledged, clients=64, answers=min(step, decisions - done))
        done += answer["answers"]
        samples.append((done, side.resident_megabytes()))
    said = " · ".join(f"{number:,}: {megabytes:.0f}" for number, megabytes in samples)
    last, halfway = samples[-1][1], samples[len(samples) // 2][1]
    return Section(
        "Memory and what was stored",
        (
            Line("resident MB after decisions", said),
            at_most(f"resident after {done:,} decisions", last, _MEGABYTES, "MB"),
            at_most("last ÷ halfway (flat)", last / halfway, 1.05),
        ),
    )
