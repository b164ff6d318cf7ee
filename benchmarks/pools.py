"""One hot pool that four lenders share: decisions that reserve from it, against the same decisions without a pool.

Both sides are services of their own on PostgreSQL, under POST /v1/decisions by 64 clients in turn; the only difference
is that one catalogue has the product reserve at its offer. Afterwards the entries are added up and held to the book.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from app.adapters.catalogue_files import read_catalogue_files
from app.adapters.clock import utc_now
from app.adapters.database import open_database
from app.settings import BUILT_IN_CATALOGUE
from app.usecases.days import day_in_shanghai
from app.usecases.pool_book import TOTALS
from benchmarks import servers
from benchmarks.companies import company_code
from benchmarks.report import Line, Section, at_most
from benchmarks.servers import Load, Side

LENDERS = ("boc", "icbc", "psbc", "undisclosed")
POOL, SLUG = "zhongkai/illustration", "zhongkai-pool-illustration"
POOLED, PLAIN = "pooled", "plain"
CLIENTS = 64
_CAP = b"\ncompany_cap: {values: {2022-01-01: {value: 50_000_000, reference: {basis: assumed, note: benchmark}}}}\n"
_CAPITAL = 9_000_000_000_000


def measure(*, quick: bool) -> Section:
    """This function will measure both sides in turn and give the share of throughput that the pool costs."""
    rounds, seconds = (1, 0.3) if quick else (9, 2.0)
    runs: dict[str, list[Mapping[str, Any]]] = {POOLED: [], PLAIN: []}
    today, answers = day_in_shanghai(utc_now()), 0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jfd-bench-")))
        server = stack.enter_context(servers.postgres(segments=2 if quick else 60))
        sides = {name: _side(stack, server, folder / name, name) for name in runs}
        _contribute(sides[POOLED], folder / POOLED, today)
        load = Load(today, each=0, documents=[_application(number, today) for number in range(1_000)])
        stack.callback(load.end)
        for name, side in sides.items():
            warm = load.run(side, clients=8, answers=50 if quick else 1_000)
            answers += warm["answers"] if name == POOLED else 0
        for number in range(rounds):
            servers.settle(server)
            for name in sorted(sides, reverse=bool(number % 2)):
                used = sides[name].cpu_seconds(), servers.server_cpu_seconds(server)
                run = load.run(sides[name], clients=CLIENTS, seconds=seconds)
                run["cpu_us"] = (sides[name].cpu_seconds() - used[0]) / run["answers"] * 1e6
                run["server_cpu_us"] = (servers.server_cpu_seconds(server) - used[1]) / run["answers"] * 1e6
                runs[name].append(run)
        answers += sum(run["answers"] for run in runs[POOLED])
        reserved = asyncio.run(_reservations(sides[POOLED].database_url))
    assert reserved >= answers, f"{reserved} reservations for {answers} answers"
    words = ((PLAIN, "no pool"), (POOLED, "each reserves from one pool of four lenders"))
    rates = [Line(f"decisions a second, {told}", f"{_median(runs[name], 'per_second'):,.0f}") for name, told in words]
    times = [Line(f"service + PostgreSQL, processor time, {told}", _times(runs[name])) for name, told in words]
    share = median(a["per_second"] / b["per_second"] for a, b in zip(runs[POOLED], runs[PLAIN], strict=True))
    cost = at_most("what the pool costs of the throughput", 100 * (1 - share), 20, "%")
    sums = Line("reservations whose entries add up to the pool's book", f"{reserved:,}")
    return Section(
        f"A hot pool: POST /v1/decisions on PostgreSQL, {CLIENTS} clients", (*rates, cost, *times, sums)
    )


def _median(runs: Sequence[Mapping[str, Any]], name: str) -> float:
    return median(run[name] for run in runs)


def _times(runs: Sequence[Mapping[str, Any]]) -> str:
    return f"{_median(runs, 'cpu_us'):,.0f} + {_median(runs, 'server_cpu_us'):,.0f} µs"


def _side(stack: ExitStack, server: Any, folder: Path, name: str) -> Side:
    for path, content in _catalogue(pooled=name == POOLED).items():
        (folder / "catalogue" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "catalogue" / path).write_bytes(content)
    server.create_database(name, migrated=False)
    more = {"JIFENDAI_CATALOGUE_DIR": str(folder / "catalogue")}
    return stack.enter_context(
        servers.our_service(name, folder / "data", database_url=server.url(name), more=more)
    )


def _contribute(side: Side, folder: Path, today: date) -> None:
    """The pool's capital, beside which what is reserved is little."""
    key = json.loads((folder / "data" / "demo-keys.json").read_text())["operator"]
    sent = {"amount": f"{_CAPITAL // 2}.00", "reference": "BENCH", "value_on": today.isoformat()}
    connection = http.client.HTTPConnection("127.0.0.1", side.port, timeout=10)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", "Idempotency-Key": "capital"}
    connection.request("POST", f"/v1/pools/{POOL}/contributions", json.dumps(sent), headers)
    answer = connection.getresponse()
    told = answer.read()
    connection.close()
    if answer.status != 201:
        raise RuntimeError(told.decode())


async def _reservations(database_url: str) -> int:
    """How many there are. Raises AssertionError where sums differ."""
    database = open_database(database_url)
    try:
        own, entries = await database.pools.every_entry(POOL)
    finally:
        await database.close()
    for name in TOTALS:
        assert sum(entry[name] for entry in entries) == own[0][name], name
    return sum(entry["kind"] == "RESERVED" for entry in entries)


def _catalogue(*, pooled: bool) -> dict[str, bytes]:
    """The built-in catalogue, in which four lenders have the product; without a pool it is the same but for that."""
    files = dict(read_catalogue_files(BUILT_IN_CATALOGUE))
    product = files[f"lenders/undisclosed/{SLUG}.yaml"]
    if not pooled:
        product = product.replace(b"  reserve_at: OFFER\n", b"")
    for lender in LENDERS:
        files[f"lenders/{lender}/{SLUG}.yaml"] = product
        if b"company_cap" not in files[f"lenders/{lender}/lender.yaml"]:
            files[f"lenders/{lender}/lender.yaml"] += _CAP
    zone = files["zones/zhongkai.yaml"].decode()
    head, mark, rest = zone.partition("  illustration:\n")
    rest = re.sub(r"committed_capital: 1_000_000_000", f"committed_capital: {_CAPITAL}", rest, count=1)
    files["zones/zhongkai.yaml"] = (head + mark + rest).encode()
    return files


def _application(number: int, today: date) -> dict[str, Any]:
    """A company that nobody has seen, for the lenders in turn."""

    def ago(days: int) -> str:
        return (today - timedelta(days)).isoformat()

    return {
        "application_id": f"B-{number:09d}",
        "product": f"{LENDERS[number % len(LENDERS)]}/{SLUG}",
        "company": {"uscc": company_code(number), "name": "示例", "zone": "zhongkai", "founded_on": ago(2_000)},
        "innovation_score": {
            "scheme": "zhongkai", "state": "SCORED", "value": "75.00", "as_of": ago(51),
            "source": {"kind": "PLATFORM_QUERY", "reference": "BENCH", "obtained_at": f"{ago(1)}T02:10:00Z"},
        },
        "credit_history": {
            "past_due_days": 0,
            "listings": {"judgment_defaulter": False, "abnormal_operation": False, "serious_illegal": False},
        },
        "authorisation": {"reference": "BENCH", "granted_on": ago(2), "valid_until": ago(-362)},
        "request": {"amount": "5000000.00", "tenor_months": 12, "purpose": "raw-materials"},
    }  # fmt: skip
