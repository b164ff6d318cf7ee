"""The embedded database as one file elsewhere, and back again.

Neighbours may rely on this: a backup is one moment of the database, taken while a service writes on, whole or not there
at all, and its owner's alone; a database that is put in another's place leaves that one aside, never deleted, and is
refused while anybody has it open.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from app.adapters.database.store import database_url

_PAGES_AT_ONCE = 4_096
_WAITS_S = 10


class NotEmbedded(Exception):
    """The database is a server's, which has means of its own."""


class NotABackup(Exception):
    """A file that is no database of ours, or a spoilt one."""


class InUse(Exception):
    """Somebody has the database open."""


def database_file(url: str) -> Path:
    """This function will return the file of the embedded database. Raises NotEmbedded."""
    parsed = database_url(url)
    if parsed.get_backend_name() != "sqlite":
        raise NotEmbedded
    return Path(parsed.database or "")


def back_up(source: Path, target: Path, told: Callable[[int, int], None] = lambda done, of: None) -> None:
    """This function will write the database as it is at this moment into a new file; `told` hears of pages done, of
    how many. Raises FileExistsError, FileNotFoundError, NotABackup.
    """
    if target.exists():
        raise FileExistsError(target)
    if not source.is_file():
        raise FileNotFoundError(source)
    beside = target.with_name(f".{target.name}.new")
    os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    try:
        with (
            closing(sqlite3.connect(source, timeout=_WAITS_S, isolation_level=None)) as reading,
            closing(sqlite3.connect(beside, isolation_level=None)) as writing,
        ):
            # What this transaction sees is what is copied, whatever is written meanwhile.
            reading.execute("BEGIN")
            reading.execute("SELECT count(*) FROM sqlite_master").fetchone()
            reading.backup(
                writing, pages=_PAGES_AT_ONCE, progress=lambda status, left, pages: told(pages - left, pages), sleep=0
            )
            # One file, without the side files of a database at work.
            writing.execute("PRAGMA journal_mode=DELETE")
        check(beside)
        _settle(beside)
        beside.rename(target)
        _settle(target.parent)
    finally:
        with suppress(FileNotFoundError):
            beside.unlink()


def check(file: Path) -> None:
    """This function will return if the file is a sound database of ours. Raises NotABackup."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise NotABackup(found)
            connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.DatabaseError as error:
        raise NotABackup(str(error)) from None


def put_in_place(file: Path, target: Path, aside: Path) -> bool:
    """This function will move the file to where the database lies, and what lies there aside; it says whether anything
    did. Raises InUse, FileExistsError.
    """
    _close(file)
    replaced = target.exists()
    if replaced:
        if aside.exists():
            raise FileExistsError(aside)
        _close(target)
        target.rename(aside)
    for suffix in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            target.with_name(target.name + suffix).unlink()
    file.rename(target)
    _settle(target.parent)
    return replaced


def _close(file: Path) -> None:
    """Fold what is still in the write-ahead log into the file; only who is alone with it can do that."""
    try:
        with closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as connection:
            (mode,) = connection.execute("PRAGMA journal_mode=DELETE").fetchone()
    except sqlite3.OperationalError as error:
        raise InUse(str(error)) from None
    except sqlite3.DatabaseError:
        # Whatever it is, it is no database that anybody works with; it is kept aside as it stands.
        return
    if mode != "delete":
        raise InUse(mode)


def _settle(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
