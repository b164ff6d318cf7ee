"""Bad platforms (R9): decisions are asked for while the platform hangs, drips, resets, floods, redirects and lies.

Neighbours may rely on this: what is complained of is what no platform may bring about: an answer later than its
deadline and 100 ms, any answer but a decision, an approval on a score that is stale, invalid or not the one that was
obtained, a record that gives other bytes. The harness is shown planted defects.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import orjson

from app.adapters.circuit_breaker import CircuitBreaker
from app.adapters.clock import utc_now
from app.adapters.platform_files import SIMULATED
from app.adapters.platform_simulator import Fault, PlatformSimulator
from app.api.examples import pre_approved
from app.usecases.days import day_in_shanghai
from app.usecases.replay import replay_stored
from tests.service import Service, demo_settings, running

DEADLINE_MS = 300
AT_ONCE = 4
BAD_TLS = "BAD_TLS"
SAYS_NOTHING = frozenset({
    Fault.HANG, Fault.DRIP, Fault.SLOW_HEAD, Fault.RESET, Fault.TRUNCATED, Fault.ERROR, Fault.NOT_HTTP, Fault.FLOOD,
    Fault.REDIRECT, BAD_TLS,
})  # fmt: skip
"""After these a snapshot kept earlier may stand in; after the others nothing may."""
HARMLESS = frozenset({Fault.UNSIGNED})
FAULTS = (*(fault for fault in Fault if fault not in HARMLESS), BAD_TLS)
_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


@dataclass(frozen=True, slots=True)
class Asked:
    """A service and the platform that it asks."""

    service: Service
    simulator: PlatformSimulator


@contextlib.asynccontextmanager
async def asked_service(folder: Path, database_url: str, deadline_ms: int = DEADLINE_MS) -> AsyncIterator[Asked]:
    """This function will start a service whose zones' platforms are a simulator of the test's own; kunshan's speaks no
    TLS where TLS is asked for.
    """
    simulator = PlatformSimulator(today)
    port = await simulator.start()
    platforms = folder / "platforms"
    platforms.mkdir()
    for path in SIMULATED.glob("*.yaml"):
        text = path.read_text("utf-8").replace(":8090", f":{port}").replace("1_500", str(deadline_ms))
        text = text.replace("http:", "https:") if path.stem == "kunshan" else text
        (platforms / path.name).write_text(text, "utf-8")
    settings = demo_settings(folder / "data", database_url, PLATFORMS_DIR=str(platforms))
    try:
        async with running(settings) as service:
            for zone in service.app.state.services.lookups._platforms._zones.values():
                # One that rests would keep the faults away from what is tried here.
                zone.breaker = CircuitBreaker(time.monotonic, trips_after=2**31)
            yield Asked(service, simulator)
    finally:
        await simulator.close()


def today() -> date:
    """This function will return the day in Shanghai."""
    return day_in_shanghai(utc_now())


def company_codes() -> Iterator[str]:
    """This function will give codes of companies that nobody has."""
    for number in itertools.count(1):
        body = f"91999999MAQ{number:06d}"
        total = sum(_ALPHABET.index(character) * pow(3, place, 31) for place, character in enumerate(body))
        yield body + _ALPHABET[-total % 31]


def application(uscc: str, application_id: str, zone: str = "suzhou-snd") -> dict[str, Any]:
    """This function will return an application that lacks nothing but a score."""
    document = pre_approved(today())
    del document["innovation_score"]
    document |= {"application_id": application_id}
    document["company"] |= {"uscc": uscc, "zone": zone}
    if zone == "kunshan":
        document["product"] = "icbc/kunshan-innovation-points-finance"
        document["company"]["registered_area"] = "320583"
    document["request"]["amount"] = "1000000.00"
    return document


async def faults_of(
    asked: Asked, rounds: int, *, faults: Sequence[Fault | str] = FAULTS, slack_s: float = 0.1
) -> list[str]:
    """This function will ask for decisions under the faults, so many rounds, with and without a snapshot kept before,
    and say what is wrong then.
    """
    codes, gate, wrong = company_codes(), asyncio.Semaphore(AT_ONCE), []

    async def one(fault: Fault | str, kept: bool, number: int) -> None:
        async with gate:
            wrong.extend(await _under(asked, fault, kept, next(codes), f"r9-{number}", slack_s))

    cases = [(fault, kept) for _ in range(rounds) for fault in faults for kept in (False, True)]
    # Nobody can see a jump who does not know from where.
    cases = [case for case in cases if case != (Fault.JUMP, False)]
    await asyncio.gather(*(one(*case, number) for number, case in enumerate(cases)))
    return wrong + await _not_replayed(asked.service)


async def _under(asked: Asked, fault: Fault | str, kept: bool, uscc: str, key: str, slack_s: float) -> list[str]:
    service, zone = asked.service, "kunshan" if fault == BAD_TLS else "suzhou-snd"
    asked.simulator.known[uscc] = "suzhou-snd"
    if kept and fault != BAD_TLS:
        # A sound platform, too, may be late on a busy machine; it is believed at the latest when asked again.
        for n in range(3):
            before = await service.decide(application(uscc, f"{key}-before-{n}"), f"{key}-before-{n}")
            if before.json()["outcome"] == "PRE_APPROVED":
                break
        else:
            return [f"{fault}: a sound platform was not believed: {before.json()['reasons']}"]
    if fault != BAD_TLS:
        asked.simulator.faults[uscc] = fault
    control = asyncio.create_task(_undisturbed(service, uscc, key))
    began = time.monotonic()
    answer = await service.decide(application(uscc, key, zone), key)
    took_s = time.monotonic() - began
    # What the machine adds to the control it may add to each half: to the lookup, and to what is decided on it.
    allowed_s = 2 * await control - DEADLINE_MS / 1_000
    found = [] if took_s < allowed_s + slack_s else [f"{fault}: answered after {took_s:.3f} s"]
    if answer.status_code != 201:
        return [*found, f"{fault}: answered {answer.status_code} {answer.text[:200]}"]
    return found + _wrong_with(answer.json(), fault, kept and fault != BAD_TLS)


def _wrong_with(decision: dict[str, Any], fault: Fault | str, kept: bool) -> list[str]:
    codes, outcome = {reason["code"] for reason in decision["reasons"]}, decision["outcome"]
    # A lie that comes after the deadline is none: it was never read.
    may_approve = kept and (fault in SAYS_NOTHING or _why_no_answer(decision) == "DEADLINE")
    if outcome == "PRE_APPROVED" and not may_approve:
        return [f"{fault}: approved on what cannot be believed: {sorted(codes)}"]
    if outcome == "PRE_APPROVED" and "SCORE_KEPT" not in codes:
        return [f"{fault}: approved on a kept snapshot, and does not say so"]
    if may_approve and outcome != "PRE_APPROVED":
        return [f"{fault}: a kept snapshot that is fresh did not stand in: {sorted(codes)}"]
    said = codes & {"SCORE_UNAVAILABLE", "SCORE_INVALID", "SCORE_STALE", "SCORE_NOT_FOUND", "SCORE_KEPT"}
    return [] if said else [f"{fault}: {outcome}, and nothing is said of the platform: {sorted(codes)}"]


def _why_no_answer(decision: dict[str, Any]) -> str | None:
    lines = [line["facts"] for line in decision["trace"] if line["step"] == "eligibility.score"]
    return lines[0].get("why") if lines else None


async def _not_replayed(service: Service) -> list[str]:
    async with service.database() as database:
        return [
            f"{stored.decision_id} gives other bytes"
            async for stored in database.decisions.every_decision()
            if replay_stored(stored)
        ]


def snapshots_used(record: bytes) -> dict[str, Any] | None:
    """This function will return what a record says of a lookup."""
    return orjson.loads(record).get("snapshot")


async def _undisturbed(service: Service, uscc: str, key: str) -> float:
    """How long a pause of the deadline's length and a decision on a score that is sent take at that very moment: what a
    busy machine adds to these it adds to any.
    """
    document = application(uscc, f"{key}-control") | {"innovation_score": {"scheme": "none", "state": "NOT_SCORED"}}
    began = time.monotonic()
    await asyncio.sleep(DEADLINE_MS / 1_000)
    await service.decide(document, f"{key}-control")
    return time.monotonic() - began
