"""What every test may ask for: databases, foreign tools by name, and a run that says what it left out.

Neighbours may rely on this: `database_url` runs a test on SQLite and on PostgreSQL, each with fresh, migrated tables;
a test that needs a tool asks for `needs_chromium` and the like (as a fixture it is the tool's path) and skips by name
where it is missing; with JIFENDAI_REQUIRE_ALL=1 every skip fails. No variable of the shell reaches the service.
"""

import functools
import gc
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import pytest

from app.products.catalog import Catalog
from app.products.parse import parse_catalogue
from tests.postgres import Databases, PostgresServer
from tests.sqlite import give_tables

ROOT = Path(__file__).parent.parent
REQUIRE_ALL = os.environ.get("JIFENDAI_REQUIRE_ALL") == "1"
SOAK = os.environ.get("JIFENDAI_SOAK") == "1"
_OURS = {
    "JIFENDAI_REQUIRE_ALL", "JIFENDAI_SOAK", "JIFENDAI_SOAK_DECISIONS", "JIFENDAI_SOAK_REPLAYS",
    "JIFENDAI_TEST_DATABASE_URL", "JIFENDAI_CHROMIUM",
}  # fmt: skip

hypothesis.settings.register_profile(
    "gate", derandomize=True, database=None, max_examples=50, deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)  # fmt: skip
hypothesis.settings.register_profile("soak", parent=hypothesis.settings.get_profile("gate"), max_examples=5_000)
hypothesis.settings.load_profile("soak" if SOAK else "gate")

# Somebody's shell may point at a real database; no test may ever find it.
for _name in [name for name in os.environ if name.startswith("JIFENDAI_") and name not in _OURS]:
    del os.environ[_name]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, as the service does."""
    return "asyncio"


# ---- databases ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def postgres_databases() -> Iterator[Databases]:
    """This run's source of PostgreSQL databases: our own server, or the one that JIFENDAI_TEST_DATABASE_URL names."""
    given = os.environ.get("JIFENDAI_TEST_DATABASE_URL")
    if given:
        databases = Databases(given)
        yield databases
        databases.remove_template()
        return
    server = PostgresServer(durable=False)
    try:
        server.start()
        yield Databases(server.url())
    finally:
        server.remove()


@pytest.fixture
def postgres_url(postgres_databases: Databases) -> Iterator[str]:
    """The address of a fresh, migrated PostgreSQL database."""
    with postgres_databases.fresh() as url:
        yield url


@pytest.fixture
def empty_postgres_url(postgres_databases: Databases) -> Iterator[str]:
    """The address of a fresh PostgreSQL database without any table."""
    with postgres_databases.fresh(migrated=False) as url:
        yield url


@pytest.fixture
def postgres_server() -> Iterator[PostgresServer]:
    """A durable server of the test's own (fsync on), running, to be killed and started again."""
    server = PostgresServer(durable=True)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The address of a fresh, migrated SQLite database."""
    give_tables(tmp_path / "jifendai.db")
    return f"sqlite:///{tmp_path}/jifendai.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of a fresh, migrated database; the test runs once on each kind."""
    return request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a fresh database without any table; the test runs once on each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/jifendai.db"
    return request.getfixturevalue("empty_postgres_url")


@pytest.fixture(autouse=True, scope="session")
def _catalogues_read_once() -> Iterator[None]:
    """The same files are the same catalogue, which every start would only read again."""
    read: dict[tuple[tuple[str, bytes], ...], Catalog] = {}

    def parse_once(files: Mapping[str, bytes]) -> Catalog:
        key = tuple(sorted(files.items()))
        if key not in read:
            read[key] = parse_catalogue(files)
        return read[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.main.parse_catalogue", parse_once)
        yield


# ---- foreign tools --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that only tests use; the first candidate that runs is taken."""

    name: str
    candidates: tuple[str, ...]
    version_flag: str
    install: str
    also: Path | None = None


TOOLS = {
    "needs_chromium": Tool(
        "Chromium",
        (os.environ.get("JIFENDAI_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"),
        "--version",
        "apt install chromium fonts-noto-cjk",
    ),
    "needs_node": Tool("Node", ("node",), "--version", "apt install nodejs npm"),
    "needs_spectral": Tool(
        "spectral",
        (str(ROOT / ".cache/node/node_modules/.bin/spectral"), "spectral"),
        "--version",
        "cp tests/contract/package*.json .cache/node/ && npm ci --prefix .cache/node  (needs Node)",
    ),
    "needs_owasp_rules": Tool(
        "spectral's OWASP rules",
        (str(ROOT / ".cache/node/node_modules/.bin/spectral"),),
        "--version",
        "cp tests/contract/package*.json .cache/node/ && npm ci --prefix .cache/node  (needs Node)",
        also=ROOT / ".cache/node/node_modules/@stoplight/spectral-owasp-ruleset",
    ),
    "needs_standardwebhooks": Tool(
        "the JavaScript library standardwebhooks",
        ("node",),
        "--version",
        "cp tests/contract/package*.json .cache/node/ && npm ci --prefix .cache/node  (needs Node)",
        also=ROOT / ".cache/node/node_modules/standardwebhooks",
    ),
    "needs_go": Tool(
        "Go with golang.org/x/mod",
        ("go",),
        "version",
        "apt install golang-go golang-golang-x-mod-dev",
        also=Path("/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog"),
    ),
}
_missing: set[str] = set()


@functools.cache
def _path_of(need: str) -> str | None:
    tool = TOOLS[need]
    if tool.also and not tool.also.is_dir():
        return None
    for candidate in filter(None, map(shutil.which, filter(None, tool.candidates))):
        # Shims exist and fail, so each candidate is run.
        command = [candidate, tool.version_flag]
        if subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL).returncode == 0:
            return candidate
    return None


def _require(need: str) -> str:
    path = _path_of(need)
    if path is None:
        pytest.skip(f"{TOOLS[need].name} is missing: {TOOLS[need].install}")
    return path


@pytest.fixture(scope="session")
def needs_chromium() -> str:
    """The path of a Chromium that runs."""
    return _require("needs_chromium")


@pytest.fixture(scope="session")
def needs_node() -> str:
    """The path of a Node that runs."""
    return _require("needs_node")


@pytest.fixture(scope="session")
def needs_spectral() -> str:
    """The path of a spectral that runs."""
    return _require("needs_spectral")


@pytest.fixture(scope="session")
def needs_owasp_rules() -> str:
    """The path of a spectral that has the OWASP rules beside it."""
    return _require("needs_owasp_rules")


@pytest.fixture(scope="session")
def needs_standardwebhooks() -> str:
    """The path of a Node that has the official library for webhooks beside it."""
    return _require("needs_standardwebhooks")


@pytest.fixture(scope="session")
def needs_go() -> str:
    """The path of a Go that runs, with the checksum database's own packages beside it."""
    return _require("needs_go")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for need in TOOLS:
        if item.get_closest_marker(need):
            _require(need)


# ---- what takes long ------------------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Collecting makes hundreds of thousands of objects and lets go of none: looking for what may be freed, then and in
    every test, only takes time.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


# ---- nothing is left out in silence ---------------------------------------------------------------------------------


def _fail_instead_of_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid}: skipped, and JIFENDAI_REQUIRE_ALL=1 lets nothing be skipped ({reason})"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    report = yield
    _fail_instead_of_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector):
    report = yield
    _fail_instead_of_skip(report)
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Notes what a skip lacked, here and not at the skip: with several processes this one alone hears of them all."""
    if report.skipped and isinstance(report.longrepr, tuple):
        _missing.update(need for need, tool in TOOLS.items() if f"{tool.name} is missing" in report.longrepr[2])


def pytest_unconfigure(config: pytest.Config) -> None:
    """The last lines of a run name what was missing, where nobody can overlook it."""
    for tool in (TOOLS[need] for need in sorted(_missing)):
        print(f"Left out, {tool.name} is missing 缺少 {tool.name}，相关测试未运行。 Install 安装: {tool.install}")
