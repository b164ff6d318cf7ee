"""Bringing a database to the newest tables.

Neighbours may rely on this: `migrate` may be called by any number of processes at once; one of them works and the
others find the work done. The migrations lie in `migrations/`, beside `app/`; row-level security and what the service's
account is granted are not migrations, as they hold of whatever tables there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.pool import NullPool

from app.adapters.database.row_security import EVERY_LENDER, allow, grant, guard, unguarded
from app.adapters.database.store import database_url, sqlite_engine

_MIGRATIONS = Path(__file__).resolve().parents[3] / "migrations"
# Any fixed number will do, as long as every release uses the same: all our migrations on one database queue behind it.
_ADVISORY_LOCK = 0x6A_69_66_65_6E_64_61_69


def migrate(url: str, *, owner_url: str = "") -> None:
    """This function will bring the database at `url` to the newest tables and keep their lenders apart; it does nothing
    where all is done. With an `owner_url` the tables belong to that address's account, and that of `url` is granted
    what the service needs.

    Raises LookupError where the account of `url` does not exist, and names it.
    """
    account = database_url(url).username if owner_url else None
    with _opened(owner_url or url) as engine, engine.begin() as connection:
        # An account that may create nothing has nothing to do where nothing is to be done.
        if account is None and not missing_migrations(connection) and not unguarded(connection):
            return
        # SQLite's transaction began with BEGIN IMMEDIATE, which makes the others wait just as well.
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
        # What a migration moves may be anybody's.
        allow(connection, EVERY_LENDER)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        guard(connection)
        if account is not None:
            grant(connection, account)


def is_current(url: str) -> bool:
    """This function will return whether the database at `url` has the newest tables."""
    with _opened(url) as engine, engine.connect() as connection:
        return not missing_migrations(connection)


@contextmanager
def _opened(url: str) -> Iterator[Engine]:
    """An engine that leaves nothing open behind it: whoever moves the file must be alone with it."""
    engine = _engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def missing_migrations(connection: Connection) -> tuple[str, ...]:
    """This function will return the migrations that the database has not seen, oldest first.

    A database that is ahead of this release, as happens while replicas are replaced one by one, misses nothing.
    """
    ours = _revisions()
    current = MigrationContext.configure(connection).get_current_revision()
    if current is None:
        return ours
    return ours[ours.index(current) + 1 :] if current in ours else ()


@cache
def _revisions() -> tuple[str, ...]:
    return tuple(script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions())[::-1]


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _engine(url: str) -> Engine:
    parsed = database_url(url)
    if parsed.get_backend_name() == "sqlite":
        file = Path(parsed.database or "")
        file.parent.mkdir(parents=True, exist_ok=True)
        # Companies' figures are nobody else's; SQLite gives its side files the mode that this one has.
        file.touch(mode=0o600)
        return sqlite_engine(parsed)
    return create_engine(parsed, poolclass=NullPool)
