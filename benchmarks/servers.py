"""The processes that are measured: our service and the rivals, PostgreSQL, and the load generator.

Neighbours may rely on this: everything listens on 127.0.0.1 or a Unix socket, lies in one temporary folder, and is
ended when the context closes. PostgreSQL syncs every commit to the disk (fsync on), with its log's files made
beforehand, as making one stalls it for tens of milliseconds.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psutil
import psycopg

from app.adapters.database.migrate import migrate
from tests.postgres import PostgresServer

ROOT = Path(__file__).parent.parent
_STARTS_WITHIN_S = 30.0
_POSTGRES = {
    "min_wal_size": "3GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
    "shared_buffers": "256MB",
}


class DidNotStart(Exception):
    """A process ended, or did not answer in time; the message holds its last words."""


@dataclass(frozen=True, slots=True)
class Side:
    """One service under load."""

    name: str
    port: int
    key: str
    process: subprocess.Popen[bytes]
    database_url: str | None = None

    def resident_megabytes(self) -> float:
        """This function will return the resident memory of the process, its children included."""
        return sum(one.memory_info().rss for one in _family(self.process.pid)) / 2**20

    def cpu_seconds(self) -> float:
        """This function will return the processor time that the process has used."""
        return _cpu_seconds(self.process.pid)


def _family(process_id: int) -> list[psutil.Process]:
    process = psutil.Process(process_id)
    return [process, *process.children(recursive=True)]


def _cpu_seconds(process_id: int) -> float:
    used = 0.0
    for one in _family(process_id):
        # PostgreSQL's helpers come and go.
        with contextlib.suppress(psutil.NoSuchProcess):
            used += sum(one.cpu_times()[:2])
    return used


def server_cpu_seconds(server: PostgresServer) -> float:
    """This function will return the processor time that PostgreSQL's living processes have used."""
    return _cpu_seconds(int((server.folder / "data" / "postmaster.pid").read_text().split()[0]))


@contextlib.contextmanager
def postgres(*, segments: int) -> Iterator[PostgresServer]:
    """This function will give a fresh PostgreSQL whose log has that many files of 16 MB ready to be written again."""
    server = PostgresServer(durable=True)
    try:
        server.start(**_POSTGRES)
        with psycopg.connect(server.url(), autocommit=True) as connection:
            for _ in range(segments):
                connection.execute("SELECT pg_logical_emit_message(false, 'bench', repeat('x', 16000000))")
            connection.execute("CHECKPOINT")
        yield server
    finally:
        server.remove()


def settle(server: PostgresServer) -> None:
    """This function will write out what is dirty, so that no side pays for what another left behind, and have every
    table's plans made anew for the size it has reached.
    """
    with psycopg.connect(server.url(), autocommit=True) as connection:
        databases = [row[0] for row in connection.execute("SELECT datname FROM pg_database WHERE NOT datistemplate")]
        connection.execute("CHECKPOINT")
    for name in databases:
        with psycopg.connect(server.url(name), autocommit=True) as connection:
            connection.execute("ANALYZE")


@contextlib.contextmanager
def our_service(
    name: str, folder: Path, *, database_url: str | None = None, more: Mapping[str, str] | None = None
) -> Iterator[Side]:
    """This function will start `jifendai serve` in demo mode, by default on SQLite in `folder`."""
    with _started(name, _SERVE, _environment(folder, database_url) | dict(more or {})) as side:
        keys = json.loads((folder / "demo-keys.json").read_text())
        yield replace(side, key=keys["loan_system"], database_url=database_url or f"sqlite:///{folder}/jifendai.db")


@contextlib.contextmanager
def without_book(name: str, folder: Path) -> Iterator[Side]:
    """This function will start the service with a book that keeps nothing."""
    with _rival(name, "null_book", _environment(folder, None)) as side:
        yield replace(side, key=json.loads((folder / "demo-keys.json").read_text())["loan_system"])


@contextlib.contextmanager
def unchecked(name: str, folder: Path, *, database_url: str, more: Mapping[str, str]) -> Iterator[Side]:
    """This function will start the service with a door that `open_door` opens and shuts."""
    with _rival(name, "unchecked", _environment(folder, database_url) | dict(more)) as side:
        keys = json.loads((folder / "demo-keys.json").read_text())
        yield replace(side, key=keys["loan_system"], database_url=database_url)


def open_door(side: Side, *, opened: bool) -> None:
    """This function will have the service ask nobody who he is, or everybody again."""
    side.process.send_signal(signal.SIGUSR1 if opened else signal.SIGUSR2)
    # Far longer than a signal takes; what is being measured begins after it.
    sleep(0.02)


@contextlib.contextmanager
def textbook(name: str, database_url: str, signing_key: Path) -> Iterator[Side]:
    """This function will migrate the database and start the textbook rival on it."""
    migrate(database_url)
    environment = {
        "BENCH_DATABASE_URL": database_url.replace("postgresql://", "postgresql+asyncpg://"),
        "BENCH_SIGNING_KEY": str(signing_key),
        "BENCH_API_KEY": "bench",
    }
    with _rival(name, "textbook", environment) as side:
        yield replace(side, key="bench", database_url=database_url)


@contextlib.contextmanager
def raw_insert(name: str, database_url: str, *, more_stored: int = 0, answer_bytes: int = 0) -> Iterator[Side]:
    """This function will start the rival that inserts and does nothing else; by default it stores just the body and
    answers with an id.
    """
    sizes = {"BENCH_MORE_STORED": str(more_stored), "BENCH_ANSWER_BYTES": str(answer_bytes)}
    with _rival(name, "raw_insert", {"BENCH_DATABASE_URL": database_url, **sizes}) as side:
        yield replace(side, key="bench", database_url=database_url)


class Load:
    """The load generator, one process for all runs; `documents` are sent instead of those of its own, document i with
    application and company i.
    """

    def __init__(self, on: date, *, each: int, documents: Sequence[Mapping[str, Any]] = ()) -> None:
        command = [sys.executable, "-m", "benchmarks.load"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        made = {"documents": documents} if documents else {"on": on.isoformat(), "each": each}
        self.bodies = self._ask(made)
        self._next_number = 1

    def run(
        self,
        side: Side,
        *,
        clients: int,
        seconds: float | None = None,
        answers: int | None = None,
        a_second: float | None = None,
    ) -> dict[str, Any]:
        """This function will put one side under load: without pause, or by one client to whom so many requests come `a
        second`. Raises RuntimeError for anything but 201.
        """
        command: dict[str, Any] = {"port": side.port, "key": side.key, "clients": clients}
        command |= {"first_number": self._next_number}
        if seconds is not None:
            command["seconds"] = seconds
        if answers is not None:
            command["answers"] = answers
        if a_second is not None:
            command["a_second"] = a_second
        found = self._ask(command)
        if "error" in found:
            raise RuntimeError(f"{side.name} at {clients} clients: {found['error']}")
        self._next_number += found["answers"]
        return found

    def end(self) -> None:
        """This function will end the process."""
        self._process.stdin.close()
        self._process.wait(timeout=10)

    def _ask(self, command: Mapping[str, Any]) -> dict[str, Any]:
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


# --- processes -------------------------------------------------------------------------------------------------


# What the command `jifendai` runs, of the tree that these measurements lie in.
_SERVE = [sys.executable, "-c", "from app.cli import main; raise SystemExit(main())", "serve"]


def _environment(folder: Path, database_url: str | None) -> dict[str, str]:
    own = {"JIFENDAI_DEMO": "1", "JIFENDAI_DATA_DIR": str(folder)}
    return own if database_url is None else own | {"JIFENDAI_DATABASE_URL": database_url}


@contextlib.contextmanager
def _rival(name: str, module: str, environment: Mapping[str, str]) -> Iterator[Side]:
    with _started(name, [sys.executable, "-m", "benchmarks.serve", module], environment) as side:
        yield side


@contextlib.contextmanager
def _started(name: str, command: list[str], environment: Mapping[str, str]) -> Iterator[Side]:
    side = start(name, command, environment)
    try:
        wait_until_up(side)
        yield side
    finally:
        stop(side)


def start(name: str, command: list[str], environment: Mapping[str, str]) -> Side:
    """This function will start a service on a free port; it does not wait."""
    port = _free_port()
    clean = {key: value for key, value in os.environ.items() if not key.startswith("JIFENDAI_")}
    process = subprocess.Popen(
        [*command, *([str(port)] if "benchmarks.serve" in command else [])],
        cwd=ROOT, env=clean | dict(environment) | {"JIFENDAI_PORT": str(port)},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return Side(name, port, "", process)


def start_ours(folder: Path) -> Side:
    """This function will start `jifendai serve` on SQLite in `folder`; it does not wait."""
    return start("start", _SERVE, _environment(folder, None))


def stop(side: Side) -> None:
    """This function will end a service in good order, or by force."""
    side.process.terminate()
    try:
        side.process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        side.process.kill()
        side.process.wait()
    side.process.stdout.close()


def wait_until_up(side: Side) -> None:
    """This function will return once the service takes connections. Raises DidNotStart."""
    deadline = monotonic() + _STARTS_WITHIN_S
    while True:
        with contextlib.suppress(OSError):
            asked = http.client.HTTPConnection("127.0.0.1", side.port, timeout=5)
            asked.request("GET", "/livez")
            asked.getresponse().read()
            return
        if side.process.poll() is not None or monotonic() > deadline:
            side.process.kill()
            raise DidNotStart(f"{side.name}: {side.process.stdout.read()[-2000:].decode(errors='replace')}")
        sleep(0.02)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
