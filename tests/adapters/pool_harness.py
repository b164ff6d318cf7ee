"""One pool shared by four lenders, worked on by several processes that are killed: load, races, and what must hold.

The check knows only the pool's rows and what was answered. It goes through the entries in their order and works out the
room of each moment by itself.
"""

import asyncio
import itertools
import os
import random
import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from functools import cache, partial
from pathlib import Path

import orjson

import app.rules.risk_compensation as rule
from app.adapters.database import Database, act_statements, open_database
from app.adapters.desk import Desk
from app.adapters.identifiers import new_uuid7
from app.audit.application import application_from_bytes
from app.audit.canonical import canonical_bytes
from app.domain.money import Yuan
from app.ledger.claim import Loss
from app.ledger.pool import LineFigures, follow
from app.products.parse import parse_catalogue
from app.usecases.act_rows import ActsWanted
from app.usecases.acts import Act, Result, Work
from app.usecases.catalogue import ActiveCatalogue
from app.usecases.decide import seal, submission_of, wanted
from app.usecases.obstacles import Obstacle
from app.usecases.pool_acts import Claim, ClaimDecision, Contribution
from app.usecases.pool_book import TOTALS, PoolChange, cover_lookup, pool_lookups, with_cover
from app.usecases.ports import CommitUnknown, StoreUnavailable, Submission
from app.usecases.room import Room
from tests.applications import sound
from tests.policy_cases import product_files
from tests.processes import forked
from tests.records import ACTIVATED
from tests.usecases.test_decide import OneKey

POOL, SLUG = "zhongkai/illustration", "zhongkai-pool-illustration"
LENDERS = ("boc", "icbc", "psbc", "undisclosed")
OTHER = "zhongkai-innovation-points-loan"


@cache
def shared_catalogue() -> ActiveCatalogue:
    """The built-in catalogue in which four lenders have the product that reserves from one pool."""
    files = dict(product_files())
    of = {slug: files[f"lenders/undisclosed/{slug}.yaml"] for slug in (SLUG, OTHER)}
    caps = b"\ncompany_cap: {values: {2022-01-01: {value: 50_000_000, reference: {basis: assumed, note: test}}}}\n"
    for lender in LENDERS[:-1]:
        files[f"lenders/{lender}/{SLUG}.yaml"] = of[SLUG]
        if b"company_cap" not in files[f"lenders/{lender}/lender.yaml"]:
            files[f"lenders/{lender}/lender.yaml"] += caps
    return ActiveCatalogue(parse_catalogue(files))


def asked(lender: str, name: str, *, yuan: int = 5_000_000, slug: str = SLUG) -> Submission:
    """This function will apply for a company of that name."""
    uscc = f"9199{abs(hash_of(name)) % 10**13:013d}X"
    document = sound(f"undisclosed/{slug}", application_id=name, company__uscc=uscc, request__amount=f"{yuan}.00")
    sent = canonical_bytes({**document, "product": f"{lender}/{slug}"})
    return submission_of(
        sent, application_from_bytes(sent), idempotency_key=f"{lender}/{slug}/{name}/{yuan}", submitted_by="los"
    )


def hash_of(name: str) -> int:
    """This function will number a name alike in every process."""
    return int.from_bytes(name.encode()[-7:], "big")


class Moved(Act):
    """A kind of act for tests: brings a cover to what is drawn of its line, as the events of an offer do."""

    format = "jifendai/test-moved/1"

    def wants(self) -> ActsWanted:
        """This function will ask for the pool and the cover."""
        return ActsWanted(rows=(*pool_lookups(POOL), cover_lookup(self.subject)))

    def seal_into(self, work: Work, record_id: str) -> Result:
        """This function will follow the line."""
        held, said = work.pools.cover(self.subject), orjson.loads(self.document)
        drawn = Yuan(min(Yuan.whole(said["drawn"]), held.cover.covered))
        left = Yuan(0) if said["ended"] else held.cover.covered - drawn
        line = LineFigures(drawn, drawn, left, work.on + timedelta(days=300))
        cover, entries = follow(held.cover, line, work.on)
        return Result("MOVED", {}, pool_changes=(PoolChange(POOL, record_id, entries, with_cover(held, cover)),))


class Bank:
    """A database and a desk at which four lenders share the pool."""

    def __init__(self, database: Database) -> None:
        self.database, self._keys = database, itertools.count()
        catalogue = shared_catalogue()
        reads = partial(wanted, pools=catalogue.pools_reserved_from)
        room = Room(catalogue, new_uuid7, OneKey(), "test.example/log")
        # Small batches, so that many of them meet.
        self.desk = Desk(database.book, wanted=reads, seal=partial(seal, room=room), longest_batch=8)

    async def decide(self, submission: Submission) -> dict:
        """This function will decide an application."""
        return orjson.loads((await self.desk.submit(submission)).body)

    async def act(self, kind: type[Act], lender: str, *, subject: str = POOL, by: str = "1", **fields: object) -> dict:
        """This function will record an act."""
        document = canonical_bytes(fields.pop("said", {}))
        key = f"{os.getpid()}-{next(self._keys)}-{time.monotonic_ns()}"
        made = kind(lender=lender, subject=subject, idempotency_key=key, document=document, submitted_by=by, **fields)
        return orjson.loads((await self.desk.submit(made)).body)

    async def contribute(self, yuan: int) -> None:
        """This function will pay capital in."""
        await self.act(Contribution, "operator", amount=Yuan.whole(yuan), value_on=date(2023, 1, 1))


async def prepared(url: str, yuan: int) -> None:
    """This function will activate the catalogue and pay capital in."""
    database = open_database(url)
    await database.start()
    await database.catalogue.activate(shared_catalogue().digest, "test", ACTIVATED)
    await Bank(database).contribute(yuan)
    await database.close()


# ---- the load -------------------------------------------------------------------------------------------------------


async def one_client(bank: Bank, name: str, chance: random.Random, counter: Callable[[], bool]) -> None:
    """This function will reserve, draw, repay, give back, claim and pay until told to end; a refusal is an answer."""
    for number in itertools.count():
        if not counter():
            return
        lender = chance.choice(LENDERS)
        try:
            answer = await bank.decide(asked(lender, f"{name}-{number}", yuan=chance.choice((1, 3, 5)) * 1_000_000))
            if answer["offer"] is None or answer["offer"]["risk_compensation"]["status"] != "RESERVED":
                continue
            await _live(bank, lender, answer, chance, counter)
        except (Obstacle, StoreUnavailable, CommitUnknown):
            continue


async def _live(bank: Bank, lender: str, answer: dict, chance: random.Random, counter: Callable[[], bool]) -> None:
    offer_id, limit = answer["offer"]["offer_id"], int(float(answer["offer"]["credit_limit"]))
    for _ in range(chance.randrange(4)):
        if not counter():
            return
        drawn, ended = chance.randrange(0, limit + 1, 500_000), chance.random() < 0.3
        await bank.act(Moved, lender, subject=offer_id, said={"drawn": drawn, "ended": ended})
    if chance.random() < 0.2 and counter():
        loss = Loss(Yuan.whole(500_000), Yuan(0), date(2023, 1, 1), ("loan-contract", "demand-letter"))
        claim = await bank.act(Claim, lender, offer_id=offer_id, loss=loss)
        await bank.act(ClaimDecision, lender, claim_id=claim["claim_id"], offer_id=offer_id, pays=True, by="2")
    elif chance.random() < 0.6 and counter():
        # An application that is decided anew takes the place of its offer: with less, or with nothing.
        await bank.decide(asked(lender, answer["application_id"], yuan=chance.choice((1, 2)) * 1_000_000))


def work_on(url: str, name: str, clients: int, operations: int, defect: str | None) -> None:
    """This function will run in a process of its own."""
    asyncio.run(_work_on(url, name, clients, operations, defect))


async def _work_on(url: str, name: str, clients: int, operations: int, defect: str | None) -> None:
    database = defective(open_database(url), defect)
    await database.start()
    bank, left, chance = Bank(database), itertools.count(operations, -1), random.Random(name)
    names = [f"{name}{client}" for client in range(clients)]
    await asyncio.gather(*(one_client(bank, n, random.Random(chance.random()), lambda: next(left) > 0) for n in names))
    await database.close()


def defective(database: Database, defect: str | None) -> Database:
    """This function will plant a defect into this process."""
    if defect == "never locks":
        # The rows of pools are read without being held.
        act_statements.locking = lambda wanted: ""
    elif defect == "sees no end":
        fits = rule.fitting
        rule.fitting = lambda found, *asked: fits(found._replace(room=Yuan.whole(10**12)), *asked)
    return database


# ---- what must hold -------------------------------------------------------------------------------------------------


async def faults(url: str, *, at_rest: bool = True) -> list[str]:
    """This function will return what is wrong with the pool now; while others write, what is read at one moment."""
    database = open_database(url)
    try:
        own, entries = await database.pools.every_entry(POOL)
        covers = await database.pools.covers(POOL, LENDERS)
        _, holders = await database.pools.book(POOL, LENDERS)
    finally:
        await database.close()
    wrong = [*_sums_that_differ(own[0], entries), *_beyond_capacity(entries)]
    return wrong + _covers_that_differ(covers, holders, own[0]) if at_rest else wrong


def _sums_that_differ(own: dict, entries: Sequence[dict]) -> list[str]:
    wrong = [] if [e["number"] for e in entries] == list(range(own["entries"])) else ["entries are missing, or twice"]
    for holder in {entry["holder"] for entry in entries}:
        numbers = [entry["own_number"] for entry in entries if entry["holder"] == holder]
        if numbers != list(range(len(numbers))):
            wrong.append(f"{holder}: entries of its own are missing, or twice")
    for name in TOTALS:
        if (found := sum(entry[name] for entry in entries)) != own[name]:
            wrong.append(f"{name}: the entries sum to {found}, the book holds {own[name]}")
    return wrong


def _beyond_capacity(entries: Sequence[dict]) -> list[str]:
    """The multiple is 1, and nothing lapses while the harness runs."""
    wrong, balance, promised = [], 0, 0
    for entry in entries:
        balance += entry["paid_in"] - entry["compensated"] + entry["recovered"]
        promised += entry["reserved"] + entry["committed"]
        if entry["kind"] == "RESERVED" and promised > balance:
            wrong.append(f"entry {entry['number']} was promised beyond the room of its moment by {promised - balance}")
    return wrong


def _covers_that_differ(covers: Sequence[dict], holders: Sequence[dict], own: dict) -> list[str]:
    held = sum(cover["outstanding"] for cover in covers)
    undrawn = sum(cover["undrawn"] for cover in covers)
    promised = {name: sum(row[name] for row in holders) for name in ("reserved", "committed")}
    wrong = []
    if own["entries"] != own["own_entries"] + sum(row["entries"] for row in holders):
        wrong.append("the parts have other entries than the pool")
    if (undrawn, held) != (own["reserved"], own["committed"]):
        wrong.append(f"covers hold {undrawn} and {held}, the pool {own['reserved']} and {own['committed']}")
    if promised != {name: own[name] for name in promised}:
        wrong.append(f"holders have {promised}")
    return wrong


def faults_under_load(
    url: str,
    *,
    processes: int,
    clients: int,
    operations: int,
    kills: int,
    capital: int = 60_000_000,
    defect: str | None = None,
) -> list[str]:
    """This function will let processes work on the pool, kill some, sample, and return whatever was wrong."""
    asyncio.run(prepared(url, capital))
    each = operations // processes
    running = {n: forked(work_on, url, f"{n}-0-", clients, each, defect) for n in range(processes)}
    wrong, killed, chance = [], 0, random.Random(processes)
    while any(process.is_alive() for process in running.values()):
        time.sleep(0.3)
        if killed < kills:
            n = chance.choice(list(running))
            running[n].kill()
            running[n].join()
            killed += 1
            running[n] = forked(work_on, url, f"{n}-{killed}-", clients, each // 2, defect)
            time.sleep(chance.random())
        wrong += asyncio.run(faults(url, at_rest=False))
    return wrong + asyncio.run(faults(url))


# ---- a race for the last places -------------------------------------------------------------------------------------


def rush(url: str, name: str, lenders: Sequence[str], count: int, start: Path, defect: str | None) -> None:
    """This function will run in a process of its own: everybody asks at once."""
    asyncio.run(_rush(url, name, lenders, count, start, defect))


async def _rush(url: str, name: str, lenders: Sequence[str], count: int, start: Path, defect: str | None) -> None:
    database = defective(open_database(url), defect)
    await database.start()
    bank = Bank(database)
    batch = [asked(lenders[n % len(lenders)], f"{name}-{n}") for n in range(count)]
    (start.parent / f"ready-{name}").touch()
    while not start.exists():
        await asyncio.sleep(0.005)
    answers = await asyncio.gather(*(bank.decide(one) for one in batch), return_exceptions=True)
    failed = [answer for answer in answers if isinstance(answer, Exception)]
    assert not failed or defect, failed[:3]
    await database.close()


def faults_after_rush(
    url: str, folder: Path, *, count: int, capital: int, defect: str | None = None
) -> tuple[int, list[str]]:
    """This function will let two processes ask for more places than there are, and return how many they got."""
    asyncio.run(prepared(url, capital))
    start = folder / "start"
    asked_by = [
        forked(rush, url, name, lenders, count, start, defect)
        for name, lenders in (("a", LENDERS[:2]), ("b", LENDERS[2:]))
    ]
    while len(list(folder.glob("ready-*"))) < len(asked_by):
        assert all(process.is_alive() for process in asked_by), "a process ended before it had asked"
        time.sleep(0.02)
    start.touch()
    for process in asked_by:
        process.join(120)
    return asyncio.run(_reserved(url)), asyncio.run(faults(url))


async def _reserved(url: str) -> int:
    database = open_database(url)
    _, entries = await database.pools.every_entry(POOL)
    await database.close()
    return sum(entry["kind"] == "RESERVED" for entry in entries)
