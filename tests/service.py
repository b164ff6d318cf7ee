"""A running service for tests: in process with its lifespan, or on a port for a browser.

Neighbours may rely on this: every service here has its own data folder and the keys of a demonstration; time can be
simulated. What each start would only make again, as tables and seeds, is made once and copied where a test asks for it
with `begun`.
"""

import asyncio
import contextlib
import functools
import json
import shutil
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import uvicorn
from fastapi import FastAPI

from app.adapters.database import Database, open_database
from app.adapters.server import configured
from app.adapters.signing import LogSigner
from app.api.access import PERMITTED, Role
from app.api.problems import connection_refusals
from app.api.sign_in import new_key
from app.main import create_app
from app.settings import Settings
from app.usecases.keys import added, revoked
from app.usecases.operator_log import OperatorRecords
from tests.sqlite import give_tables

Clock = Callable[[], datetime]
SEEDED = 9
"""So many records a fresh demonstration has in the log of icbc: decisions, a line's events, a campaign."""


def demo_settings(data_dir: Path, database_url: str | None = None, **more: str) -> Settings:
    """This function will return the settings of a demonstration in that folder, with more variables JIFENDAI_…"""
    given = {f"JIFENDAI_{name}": value for name, value in more.items()}
    if database_url is not None:
        given["JIFENDAI_DATABASE_URL"] = database_url
    return Settings.from_environment({"JIFENDAI_DEMO": "1", "JIFENDAI_DATA_DIR": str(data_dir), **given})


def begun(data_dir: Path) -> Path:
    """This function will make the data folder of a demonstration that was started once today and stopped."""
    shutil.copytree(_once_begun().name, data_dir)
    return data_dir


@functools.cache
def _once_begun() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix="jifendai-begun-")
    start_and_stop(demo_settings(Path(folder.name)))
    return folder


def start_and_stop(settings: Settings) -> None:
    """This function will start a service and stop it, in a loop of its own; also where another loop runs."""

    async def once() -> None:
        async with running(settings):
            pass

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, once()).result()


def caller_for(operation: str) -> str:
    """This function will name a demonstration's key that may do the operation: the loan officer's wherever it may."""
    permitted = PERMITTED.get(operation, frozenset(Role))
    return Role.LOAN_OFFICER if Role.LOAN_OFFICER in permitted else min(permitted)


@dataclass(frozen=True, slots=True)
class Service:
    """A service in process: `client` speaks to it without a network, `keys` are its API keys by name."""

    app: FastAPI
    client: httpx.AsyncClient
    keys: dict[str, str]
    settings: Settings

    def bearer(self, name: str = "loan_officer") -> dict[str, str]:
        """This function will return the header that bears the key of that name."""
        return {"Authorization": f"Bearer {self.keys[name]}"}

    async def decide(self, document: object, key: str, *, caller: str = "loan_officer") -> httpx.Response:
        """This function will ask for a decision."""
        headers = self.bearer(caller) | {"Idempotency-Key": key}
        return await self.client.post("/v1/decisions", json=document, headers=headers)

    async def add_key(self, name: str, role: str, *lenders: str, valid_for: timedelta | None = None) -> str:
        """This function will issue a key, which `bearer` then knows by that name, and return its id."""
        now = datetime.now(UTC)
        self.keys[name], stored = new_key(f"test-{name}", role, lenders, now=now, valid_for=valid_for)
        async with self.database() as database:
            await database.keys.change(added(stored, by="test", records=self.records))
        return stored.key_id

    @property
    def records(self) -> OperatorRecords:
        """What makes this installation's records of its operator."""
        return OperatorRecords(LogSigner.from_file(self.settings.key_file), self.settings.log_name)

    async def revoke(self, key_id: str) -> None:
        """This function will revoke a key as another process does."""
        async with self.database() as database:
            await database.keys.change(revoked(key_id, at=datetime.now(UTC), by="test", records=self.records))

    @contextlib.asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        """This function will open the service's database beside the service."""
        database = open_database(self.settings.database_url)
        try:
            yield database
        finally:
            await database.close()

    async def get(self, path: str, *, caller: str = "loan_officer") -> httpx.Response:
        """This function will read."""
        return await self.client.get(path, headers=self.bearer(caller))


@contextlib.asynccontextmanager
async def running(settings: Settings, *, clock: Clock | None = None) -> AsyncIterator[Service]:
    """This function will start the service in process and stop it at the end."""
    app = create_app(settings, clock=clock)
    file = settings.data_dir / "jifendai.db"
    if str(file) in settings.database_url and not file.exists():
        give_tables(file)
    async with app.router.lifespan_context(app):
        keys = json.loads(settings.demo_keys_file.read_text())
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            yield Service(app, client, keys, settings)


@contextlib.contextmanager
def listening(settings: Settings) -> Iterator[str]:
    """This function will start the service on a free port of 127.0.0.1 in a thread and yield its address."""
    config = configured(create_app(settings), connection_refusals())
    config.lifespan, config.host, config.port = "on", "127.0.0.1", 0
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    try:
        for _ in range(600):
            if server.started:
                break
            thread.join(0.05)
            assert thread.is_alive(), "the service did not start"
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(15)
