"""Embedded databases by the dozen: migrated once, then copied."""

import functools
import sqlite3
import tempfile
from pathlib import Path

from app.adapters.database import migrate


def give_tables(file: Path) -> None:
    """This function will make a SQLite database with the newest tables and nothing in them."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file.touch(mode=0o600)
    file.write_bytes(_migrated())


@functools.cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "jifendai.db")
        migrate(f"sqlite:///{made}")
        # The file alone is copied, so what still lies in the write-ahead log goes into it first.
        connection = sqlite3.connect(made)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        return made.read_bytes()
