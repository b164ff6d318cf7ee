"""A running service for each test, on both databases or, where the database does not matter, on one."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests.service import Service, demo_settings, listening, running


@pytest.fixture
async def service(tmp_path: Path, database_url: str) -> AsyncIterator[Service]:
    """A service on each kind of database."""
    async with running(demo_settings(tmp_path / "data", database_url)) as service:
        yield service


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[Service]:
    """A service on the embedded database, for what no database can change."""
    async with running(demo_settings(tmp_path / "data")) as service:
        yield service


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a service that listens on a port, with the loan officer's key; one a module."""
    settings = demo_settings(tmp_path_factory.mktemp("listening") / "data")
    with listening(settings) as address, httpx.Client(base_url=address, timeout=30) as client:
        keys = httpx.Response(200, content=settings.demo_keys_file.read_bytes()).json()
        client.headers["Authorization"] = f"Bearer {keys['loan_officer']}"
        yield client
