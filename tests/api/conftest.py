"""A running service for each test, on both databases or, where the database does not matter, on one."""

import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from app.settings import Settings
from tests.postgres import Databases
from tests.service import Service, begun, demo_settings, listening, running, start_and_stop


@pytest.fixture(params=["sqlite", "postgresql"])
async def service(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Service]:
    """A service on each kind of database, started once before."""
    if request.param == "sqlite":
        settings = demo_settings(begun(tmp_path / "data"))
    else:
        settings = request.getfixturevalue("begun_on_postgresql")
    async with running(settings) as service:
        yield service


@pytest.fixture(scope="session")
def _begun_on_postgresql(postgres_databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with postgres_databases.fresh() as url:
        settings = demo_settings(tmp_path_factory.mktemp("begun") / "data", url)
        start_and_stop(settings)
        yield settings


@pytest.fixture
def begun_on_postgresql(
    postgres_databases: Databases, _begun_on_postgresql: Settings, tmp_path: Path
) -> Iterator[Settings]:
    """The settings of a demonstration on PostgreSQL that was started once and stopped."""
    shutil.copytree(_begun_on_postgresql.data_dir, tmp_path / "data")
    with postgres_databases.fresh(like=_begun_on_postgresql.database_url) as url:
        yield demo_settings(tmp_path / "data", url)


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[Service]:
    """A service on the embedded database, for what no database can change."""
    async with running(demo_settings(begun(tmp_path / "data"))) as service:
        yield service


@pytest.fixture(scope="module")
async def lasting(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """A service on the embedded database, one a module, for tests that change nothing in it."""
    async with running(demo_settings(begun(tmp_path_factory.mktemp("lasting") / "data"))) as service:
        yield service


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
async def lasting_on_each(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    """The same on each kind of database."""
    folder = tmp_path_factory.mktemp("lasting") / "data"
    with ExitStack() as stack:
        if request.param == "sqlite":
            settings = demo_settings(begun(folder))
        else:
            made, databases = (request.getfixturevalue(name) for name in ("_begun_on_postgresql", "postgres_databases"))
            shutil.copytree(made.data_dir, folder)
            settings = demo_settings(folder, stack.enter_context(databases.fresh(like=made.database_url)))
        async with running(settings) as service:
            yield service


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a service that listens on a port, with the loan officer's key; one a module."""
    settings = demo_settings(tmp_path_factory.mktemp("listening") / "data")
    with listening(settings) as address, httpx.Client(base_url=address, timeout=30) as client:
        keys = httpx.Response(200, content=settings.demo_keys_file.read_bytes()).json()
        client.headers["Authorization"] = f"Bearer {keys['loan_officer']}"
        yield client
