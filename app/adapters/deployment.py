"""What a deployment is like: its database, disk, clock and files, examined one by one.

Neighbours may rely on this: nothing is changed; each finding has a name that stays, a level, and says in both languages
what is wrong and what to do. OK says nothing, a WARNING is a danger that the service works with, a FAULT keeps it from
working or from keeping its promises.
"""

from __future__ import annotations

import asyncio
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text

from app.adapters.clock import utc_now
from app.adapters.database import Database
from app.adapters.database.row_security import unbound_account, unguarded
from app.adapters.signing import LogSigner, SigningKeyError
from app.usecases.ports import StoreUnavailable
from app.usecases.readiness import Cause, KeyInUse

LEAST_DISK_BYTES: Final = 100 * 2**20
_LITTLE_DISK_BYTES: Final = 2 * 2**30
_LARGE_CLOCK_DIFFERENCE_S, _CLOCK_DIFFERENCE_S = 60, 2
_ADVISED_WAL_MB: Final = 2_048
_READY_WITHIN_S: Final = 3.0


class Level(StrEnum):
    """How bad it is."""

    OK = "OK"
    WARNING = "WARNING"
    FAULT = "FAULT"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one examination found."""

    check: str
    level: Level
    zh: str
    en: str


def fault(check: str, zh: str, en: str) -> Finding:
    """This function will return a finding that keeps the service from its promises."""
    return Finding(check, Level.FAULT, zh, en)


def warning(check: str, zh: str, en: str) -> Finding:
    """This function will return a finding that the service works with."""
    return Finding(check, Level.WARNING, zh, en)


async def examine_database(database: Database, data_dir: Path) -> tuple[Finding, ...]:
    """This function will examine the database, its migrations and settings, its clock, and the disk."""
    missing = await database.ready()
    if missing:
        return (fault("database", "数据库尚未就绪", " ".join(missing)), *disk_findings(data_dir))
    found = await database.look(lambda connection: tuple(_database_findings(connection)))
    return (*found, *disk_findings(data_dir))


async def durability_faults(database: Database) -> tuple[Finding, ...]:
    """This function will return what would let a power cut damage the database; nothing of one that is not there."""
    if database.is_embedded or await database.ready():
        return ()
    found = await database.look(lambda connection: tuple(_durability(connection)))
    return tuple(one for one in found if one.level is Level.FAULT)


async def what_is_not_ready(
    database: Database, data_dir: Path, key_in_use: KeyInUse, *, within_s: float = _READY_WITHIN_S
) -> list[Cause]:
    """This function will return every cause that keeps a running service from deciding, as far as its database, its
    machine's clock and disk and its signing key go; nothing when it is ready.
    """
    try:
        async with asyncio.timeout(within_s):
            causes = await _of_the_database(database, key_in_use)
    except TimeoutError:
        causes = [Cause.DATABASE_SLOW]
    except StoreUnavailable:
        causes = [Cause.DATABASE_UNREACHABLE]
    if database.is_embedded and any(one.level is Level.FAULT for one in disk_findings(data_dir)):
        causes.append(Cause.DISK_FULL)
    return causes


async def _of_the_database(database: Database, key_in_use: KeyInUse) -> list[Cause]:
    if await database.missing_migrations():
        return [Cause.MIGRATIONS_MISSING]
    key = await key_in_use.cause()
    found = await database.look(lambda connection: tuple(_clock(connection)))
    clock = any(one.level is Level.FAULT for one in found)
    return [*([key] if key else ()), *([Cause.CLOCK_DIFFERS] if clock else ())]


def signing_key_cause(key_file: Path, previous: Path | None, public_keys: Sequence[bytes]) -> Cause | None:
    """This function will name what is wrong with the file of the key that a running service signs with."""
    try:
        now = LogSigner.from_file(key_file, previous).public_keys
    except (SigningKeyError, OSError):
        return Cause.SIGNING_KEY_UNREADABLE
    return None if now == tuple(public_keys) else Cause.SIGNING_KEY_CHANGED


def disk_findings(data_dir: Path) -> Iterator[Finding]:
    """This function will look how much room there is where the data lies."""
    place = next((folder for folder in (data_dir, *data_dir.absolute().parents) if folder.exists()), None)
    if place is None:
        return
    free = shutil.disk_usage(place).free
    if free < LEAST_DISK_BYTES:
        yield fault("disk", f"{place} 仅剩 {free >> 20} MB：请清理或扩容。",
                    f"{place} has {free >> 20} MB left: make room.")  # fmt: skip
    elif free < _LITTLE_DISK_BYTES:
        yield warning("disk", f"{place} 仅剩 {free >> 20} MB。", f"{place} has {free >> 20} MB left: make room soon.")
    else:
        yield Finding("disk", Level.OK, f"剩余 {free >> 30} GB", f"{free >> 30} GB are free")


def _database_findings(connection: Connection) -> Iterator[Finding]:
    if connection.dialect.name == "postgresql":
        yield from _postgresql(connection)
    else:
        yield from _sqlite(connection)
    yield from _clock(connection)


def _postgresql(connection: Connection) -> Iterator[Finding]:
    yield from _durability(connection)
    of = {name: _shown(connection, name) for name in ("synchronous_commit", "min_wal_size")}
    if of["synchronous_commit"] == "off":
        yield warning("synchronous_commit", "已关闭：服务会为决策自行打开，其余写入可能丢失。请设为 on。",
                      "is off: the service has it on for decisions, other writes may be lost. Set it on.")  # fmt: skip
    else:
        yield Finding("synchronous_commit", Level.OK, of["synchronous_commit"], of["synchronous_commit"])
    wal_mb = connection.execute(_WAL_MB).scalar_one()
    if wal_mb < _ADVISED_WAL_MB:
        yield warning("min_wal_size", f"为 {of['min_wal_size']}：请设为 2GB，以免偶发的慢批次。",
                      f"is {of['min_wal_size']}: set 2GB, which avoids most slow batches.")  # fmt: skip
    else:
        yield Finding("min_wal_size", Level.OK, of["min_wal_size"], of["min_wal_size"])
    yield from _accounts(connection)


def _durability(connection: Connection) -> Iterator[Finding]:
    for name in ("fsync", "full_page_writes"):
        if _shown(connection, name) == "off":
            yield fault(name, f"{name} 已关闭：断电会损坏数据库。请打开并重启数据库。",
                        f"{name} is off: a power cut damages the database. Turn it on.")  # fmt: skip
        else:
            yield Finding(name, Level.OK, "已打开", "is on")


def _shown(connection: Connection, name: str) -> str:
    return str(connection.execute(text(f"SHOW {name}")).scalar_one())


_WAL_MB = text("SELECT setting::bigint FROM pg_settings WHERE name = 'min_wal_size'")


def _accounts(connection: Connection) -> Iterator[Finding]:
    account = unbound_account(connection)
    if account is not None:
        yield warning(
            "account", f"账号 {account} 为表的所有者或超级用户，不受行级安全约束。请按运维手册分设两个账号。",
            f"{account} owns the tables or is a superuser: nothing stands behind the application's own filters, and "
            "records could be changed. Give the service an account of its own (docs/operations.md).",
        )  # fmt: skip
    else:
        yield Finding("account", Level.OK, "受行级安全约束", "is bound by row-level security")
    if tables := ", ".join(unguarded(connection)):
        yield fault("row_security", f"以下表未启用行级安全：{tables}。请执行 jifendai migrate。",
                    f"These tables show every lender's rows: {tables}. Run `jifendai migrate`.")  # fmt: skip
    else:
        yield Finding("row_security", Level.OK, "各表均已启用", "stands on every table")


def _sqlite(connection: Connection) -> Iterator[Finding]:
    file = Path(connection.engine.url.database or "")
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o077:
        yield fault("file_mode", f"{file} 对他人开放：chmod 600 {file}", f"{file} is open to others: chmod 600 {file}")
    else:
        yield Finding("file_mode", Level.OK, "仅所有者可读写", "is its owner's alone")
    for name, wanted in (("journal_mode", ("wal",)), ("synchronous", (2, 3)), ("foreign_keys", (1,))):
        value = connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
        if value in wanted:
            yield Finding(name, Level.OK, str(value), str(value))
        else:
            yield fault(name, f"为 {value}：请更正。", f"is {value}: another program changed it; mend that.")
    if (said := connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()) != "ok":
        yield fault("integrity", "文件已损坏：请从备份恢复。", f"The file is damaged ({said[:100]}): restore a backup.")
    else:
        yield Finding("integrity", Level.OK, "完好", "is sound")


def _clock(connection: Connection) -> Iterator[Finding]:
    if connection.dialect.name != "postgresql":
        return
    micros = connection.execute(text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")).scalar_one()
    seconds = abs((datetime.fromtimestamp(micros / 1_000_000, UTC) - utc_now()).total_seconds())
    words = f"与数据库相差 {seconds:.0f} 秒：请校时。", f"differs from the database's by {seconds:.0f} s: set it."
    if seconds > _LARGE_CLOCK_DIFFERENCE_S:
        yield fault("clock", *words)
    elif seconds > _CLOCK_DIFFERENCE_S:
        yield warning("clock", *words)
    else:
        yield Finding("clock", Level.OK, "与数据库一致", "agrees with the database's")
