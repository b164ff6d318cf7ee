"""Four times what can be carried, over HTTP, of a process of its own: whoever is let in is answered about as soon as
ever, the others are told at once when to come again, memory does not grow, and afterwards all is as before.

The book's cost is simulated and large beside this machine's own noise: a commit of 100 ms and 10 ms a decision.
"""

import asyncio
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import pytest
import uvicorn

import app.main
from app.adapters.server import configured
from app.api.examples import pre_approved
from app.api.problems import connection_refusals
from tests.api.test_decisions import today
from tests.processes import FORKED, forked
from tests.service import demo_settings

COMMIT_S, EACH_S = 0.100, 0.010
SUSTAINABLE_PER_S = 0.8 / EACH_S
MOST_TIMES_NORMAL, MOST_GROWTH_BYTES = 4, 40 * 2**20


def serve_slowly(folder: Path, told: Connection, admits: bool) -> None:
    """This function will serve, in a process of its own, over a book that takes its time, and tell the port and a
    key; without `admits` everybody is let in (the planted defect).
    """
    transact = app.main._Counted.transact

    async def costly(self: Any, wanted: Any, seal: Any) -> Any:
        sealed = await transact(self, wanted, seal)
        await asyncio.sleep(COMMIT_S + EACH_S * len(sealed.entries))
        return sealed

    # The demonstration's own first cases are written before.
    settings = demo_settings(folder / "data")
    app.main._Counted.transact = costly
    if not admits:
        app.main.Desk.admit = lambda self: None
    config = configured(app.main.create_app(settings), connection_refusals())
    config.lifespan, config.host, config.port = "on", "127.0.0.1", 0
    server = uvicorn.Server(config)

    async def serve() -> None:
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        told.send((f"http://127.0.0.1:{port}", settings.demo_keys_file.read_text()))
        await serving

    asyncio.run(serve())


@contextmanager
def slow_service(folder: Path, *, admits: bool) -> Iterator[tuple[str, str, psutil.Process]]:
    """This function will start such a process and yield its address, a key and the process."""
    here, there = FORKED.Pipe()
    process = forked(serve_slowly, folder, there, admits)
    try:
        assert here.poll(60), "the service did not start"
        address, keys = here.recv()
        yield address, json.loads(keys)["loan_system"], psutil.Process(process.pid)
    finally:
        process.kill()
        process.join(10)


@dataclass
class Phase:
    """What came of sending at one rate: how long the accepted took, and how soon the others were refused."""

    accepted_s: list[float] = field(default_factory=list)
    refused_s: list[float] = field(default_factory=list)
    others: list[int] = field(default_factory=list)
    unanswered_s: list[float] = field(default_factory=list)


class Client:
    """Sends bytes over connections that it keeps: what asks four times too often must itself cost little."""

    def __init__(self, address: str, key: str) -> None:
        self._host, _, port = address.removeprefix("http://").partition(":")
        self._port = int(port)
        self._head = (
            f"POST /v1/decisions HTTP/1.1\r\nHost: {self._host}\r\nAuthorization: Bearer {key}\r\n"
            "Content-Type: application/json\r\nIdempotency-Key: {}\r\nContent-Length: {}\r\n\r\n"
        )
        self._body = json.dumps(pre_approved(today()) | {"application_id": "@"})
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def decide(self, name: str) -> tuple[int, bool]:
        """This function will ask for a decision, and return its status and whether it says when to come again."""
        pair = self._idle.pop() if self._idle else await asyncio.open_connection(self._host, self._port)
        reader, writer = pair
        body = self._body.replace('"@"', f'"{name}"')
        writer.write((self._head.format(name, len(body.encode())) + body).encode())
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(re.search(rb"content-length: (\d+)", head)[1]))
        if b"connection: close" in head:
            writer.close()
        else:
            self._idle.append(pair)
        return int(head.split(b" ", 2)[1]), b"\r\nretry-after: " in head


async def send(address: str, key: str, name: str, per_s: float, for_s: float, waits_s: float = 20) -> Phase:
    """This function will send at that rate whatever comes back, and wait for the rest of the answers."""
    phase, client = Phase(), Client(address, key)

    async def one(number: int) -> None:
        began = time.perf_counter()
        try:
            status, comes_again = await client.decide(f"{name}-{number}")
        except asyncio.CancelledError:
            phase.unanswered_s.append(time.perf_counter() - began)
            return
        took = time.perf_counter() - began
        if status == 201:
            phase.accepted_s.append(took)
        elif status == 503 and comes_again:
            phase.refused_s.append(took)
        else:
            phase.others.append(status)

    tasks, began, number = [], time.perf_counter(), 0
    while (elapsed := time.perf_counter() - began) < for_s:
        while number < elapsed * per_s:
            tasks.append(asyncio.create_task(one(number)))
            number += 1
        await asyncio.sleep(0.01)
    _, late = await asyncio.wait(tasks, timeout=waits_s)
    for task in late:
        task.cancel()
    await asyncio.gather(*late)
    return phase


@pytest.mark.timeout(180)
class TestAnOverloadedService:
    async def test_answers_whom_it_lets_in_within_four_times_the_usual_and_recovers_by_itself(self, tmp_path: Path):
        with slow_service(tmp_path, admits=True) as (address, key, process):
            normal = await send(address, key, "n", SUSTAINABLE_PER_S, 2.5)
            before = process.memory_info().rss
            overload = await send(address, key, "o", 4 * SUSTAINABLE_PER_S, 4)
            grown = process.memory_info().rss - before
            after = await send(address, key, "a", SUSTAINABLE_PER_S, 2.5)

        usual = median(normal.accepted_s)
        assert (normal.others, overload.others, after.others, overload.unanswered_s) == ([], [], [], [])
        assert median(overload.accepted_s) <= MOST_TIMES_NORMAL * usual
        assert len(overload.refused_s) > len(overload.accepted_s)
        assert median(overload.refused_s) < usual
        assert grown < MOST_GROWTH_BYTES
        assert median(after.accepted_s) <= MOST_TIMES_NORMAL / 2 * usual
        assert after.refused_s == []

    async def test_would_be_seen_to_keep_everybody_waiting_if_it_let_everybody_in(self, tmp_path: Path):
        """The planted defect: the bound of the queue alone."""
        with slow_service(tmp_path, admits=False) as (address, key, _):
            normal = await send(address, key, "n", SUSTAINABLE_PER_S, 2)
            overload = await send(address, key, "o", 4 * SUSTAINABLE_PER_S, 4, waits_s=2)

        waited = [*overload.accepted_s, *overload.unanswered_s]
        assert median(waited) > MOST_TIMES_NORMAL * median(normal.accepted_s)
