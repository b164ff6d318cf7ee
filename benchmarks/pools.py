"""One hot pool that four lenders share: decisions that reserve from it, against the same decisions without a pool.

Both sides are the desk and the book alone, on PostgreSQL with 64 clients, in one process: nothing of HTTP hides what
the pool costs. Afterwards the entries are added up and held to the book.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator, Mapping
from datetime import date
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from app.adapters.catalogue_files import read_catalogue_files
from app.adapters.clock import utc_now
from app.adapters.database import migrate, open_database
from app.adapters.desk import Desk
from app.adapters.identifiers import new_uuid7
from app.adapters.signing import LogSigner, make_key_file
from app.audit.application import application_from_document
from app.audit.canonical import canonical_bytes
from app.audit.operator_record import OPERATOR, OperatorAct
from app.domain.money import Yuan
from app.products.parse import parse_catalogue
from app.settings import BUILT_IN_CATALOGUE
from app.usecases.catalogue import ActiveCatalogue
from app.usecases.days import day_in_shanghai
from app.usecases.decide import seal, submission_of, wanted
from app.usecases.operator_log import OperatorRecords
from app.usecases.pool_acts import Contribution
from app.usecases.pool_book import TOTALS
from app.usecases.ports import Submission
from app.usecases.room import Room
from benchmarks import servers
from benchmarks.companies import company_code
from benchmarks.report import Line, Section, at_most
from benchmarks.rounds import started

LENDERS = ("boc", "icbc", "psbc", "undisclosed")
POOL, SLUG = "zhongkai/illustration", "zhongkai-pool-illustration"
CLIENTS = 64
_CAP = b"\ncompany_cap: {values: {2022-01-01: {value: 50_000_000, reference: {basis: assumed, note: benchmark}}}}\n"


def measure(*, quick: bool) -> Section:
    """This function will measure both sides in turn and give the share of throughput that the pool costs."""
    rounds, seconds = (1, 0.3) if quick else (7, 2.0)
    with servers.postgres(segments=2 if quick else 60) as server:
        return asyncio.run(_measure(server, rounds, seconds))


async def _measure(server: Any, rounds: int, seconds: float) -> Section:
    sides = {}
    for name, pooled in (("pooled", True), ("plain", False)):
        server.create_database(name, migrated=False)
        sides[name] = await _Side.opened(server.url(name), pooled=pooled)
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for side in sides.values():
        await side.load(seconds / 4)
    with started():
        for number in range(rounds):
            for name in sorted(sides, reverse=bool(number % 2)):
                rates[name].append(await sides[name].load(seconds))
    pooled = sorted(a / b for a, b in zip(rates["pooled"], rates["plain"], strict=True))[rounds // 2]
    reserved = await sides["pooled"].checked()
    for side in sides.values():
        await side.database.close()
    shown = [
        Line(f"decisions a second, {words}", f"{sorted(rates[name])[rounds // 2]:,.0f}")
        for name, words in (("plain", "no pool"), ("pooled", "each reserves from one pool of four lenders"))
    ]
    cost = at_most("what the pool costs of the throughput", 100 * (1 - pooled), 20, "%")
    sums = Line("reservations whose entries add up to the pool's book", f"{reserved:,}")
    return Section(f"A hot pool: desk and book on PostgreSQL, {CLIENTS} clients", (*shown, cost, sums))


class _Side:
    """One database, its catalogue and its desk."""

    def __init__(self, database: Any, catalogue: ActiveCatalogue, key: Path) -> None:
        self.database = database
        room = Room(catalogue, new_uuid7, LogSigner.from_file(key), "bench.example")
        reads = partial(wanted, pools=catalogue.pools_reserved_from)
        self.desk = Desk(database.book, wanted=reads, seal=partial(seal, room=room))
        self._asked = _applications(day_in_shanghai(utc_now()))

    @classmethod
    async def opened(cls, url: str, *, pooled: bool) -> _Side:
        await asyncio.to_thread(migrate, url)
        database = open_database(url)
        await database.start()
        key = Path(f"/tmp/jfd-bench-pool-{id(database)}.pem")
        make_key_file(key)
        try:
            catalogue = _catalogue(pooled=pooled)
            side = cls(database, catalogue, key)
            records = OperatorRecords(LogSigner.from_file(key), "bench.example")
        finally:
            key.unlink()
        told = records.recording(OperatorAct.CATALOGUE_ACTIVATED, {"catalogue": catalogue.digest}, by="bench")
        await database.catalogue.activate(catalogue.digest, "bench", told)
        if pooled:
            amount, on = Yuan.whole(9_000_000_000_000), date(2023, 1, 1)
            fields = {"document": b"{}", "submitted_by": "bench", "idempotency_key": "capital"}
            await side.desk.submit(Contribution(lender=OPERATOR, subject=POOL, amount=amount, value_on=on, **fields))
        return side

    async def load(self, seconds: float) -> float:
        """This function will keep the clients busy and return decisions a second."""
        ends, done = time.perf_counter() + seconds, 0

        async def client() -> None:
            nonlocal done
            while time.perf_counter() < ends:
                await self.desk.submit(next(self._asked))
                done += 1

        began = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(CLIENTS)))
        return done / (time.perf_counter() - began)

    async def checked(self) -> int:
        """This function will return how many reservations there are. Raises AssertionError where sums differ."""
        own, entries = await self.database.pools.every_entry(POOL)
        for name in TOTALS:
            assert sum(entry[name] for entry in entries) == own[0][name], name
        return sum(entry["kind"] == "RESERVED" for entry in entries)


def _catalogue(*, pooled: bool) -> ActiveCatalogue:
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
    rest = re.sub(r"committed_capital: 1_000_000_000", "committed_capital: 9_000_000_000_000", rest, count=1)
    files["zones/zhongkai.yaml"] = (head + mark + rest).encode()
    return ActiveCatalogue(parse_catalogue(files))


def _applications(today: date) -> Iterator[Submission]:
    """A company that nobody has seen, for the lenders in turn."""

    def ago(days: int) -> str:
        return date.fromordinal(today.toordinal() - days).isoformat()

    shared: Mapping[str, Any] = {
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
    for number in count():
        company = {"uscc": company_code(number), "name": "示例", "zone": "zhongkai", "founded_on": ago(2_000)}
        product = f"{LENDERS[number % len(LENDERS)]}/{SLUG}"
        document = {"application_id": f"B-{number}", "product": product, "company": company, **shared}
        yield submission_of(
            canonical_bytes(document), application_from_document(document), idempotency_key=f"b-{number}",
            submitted_by="bench",
        )  # fmt: skip
