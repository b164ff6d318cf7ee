"""The installation that a command works on: its settings, its database, its catalogue, and who works on it.

Neighbours may rely on this: a command that cannot be carried out raises `Refused`, whose lines say why and what to do.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg.errors import InsufficientPrivilege
from sqlalchemy.exc import ArgumentError, ProgrammingError

from app.adapters.database import Database, migrate, open_database
from app.adapters.database.store import database_url
from app.adapters.signing import LogSigner
from app.settings import DEMO_LOG_NAME, Settings
from app.usecases.operator_log import OperatorRecords

if TYPE_CHECKING:
    from app.usecases.catalogue import ActiveCatalogue

DONE, FAULTY, NOT_READY = 0, 1, 3


class Refused(Exception):
    """A command cannot be carried out; `code` is the exit code."""

    def __init__(self, code: int, *lines: str) -> None:
        super().__init__(*lines)
        self.code = code
        self.lines = lines


def its_settings() -> Settings:
    """This function will read the settings; where none name an installation and this folder holds a demonstration,
    they are the demonstration's. Raises SettingsRefused, Refused.
    """
    settings = with_valid_address(Settings.from_environment(os.environ))
    named = ("JIFENDAI_DEMO", "JIFENDAI_SIGNING_KEY_FILE", "JIFENDAI_LOG_NAME", "JIFENDAI_DATABASE_URL")
    if not any(os.environ.get(name) for name in named) and settings.demo_keys_file.exists():
        say(f"The demonstration in {settings.data_dir}/ 使用演示环境")
        return replace(settings, demo=True, log_name=DEMO_LOG_NAME)
    return settings


def with_valid_address(settings: Settings) -> Settings:
    """This function will return the settings if they name a database. Raises Refused."""
    for name, url in (("", settings.database_url), ("MIGRATION_", settings.migration_database_url)):
        try:
            database_url(url or settings.database_url)
        except (ValueError, ArgumentError) as error:
            raise Refused(NOT_READY, f"JIFENDAI_{name}DATABASE_URL: {error}. 数据库地址有误") from None
    return settings


def make_data_dir(settings: Settings) -> None:
    """This function will make the data dir, for its owner alone, where it is missing."""
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)


def migrate_its_database(settings: Settings) -> None:
    """This function will bring the database to the newest tables, under the owner's account where one is named. Raises
    Refused where that account, or the service's, may not.
    """
    try:
        migrate(settings.database_url, owner_url=settings.migration_database_url)
    except LookupError as unknown:
        raise Refused(
            NOT_READY,
            f"JIFENDAI_DATABASE_URL: PostgreSQL has no account {unknown}. 数据库中没有此账号",
            f"Make it once, as an administrator 请由管理员创建: CREATE ROLE {unknown} LOGIN PASSWORD '…'",
        ) from None
    except ProgrammingError as refused:
        if not isinstance(refused.orig, InsufficientPrivilege):
            raise
        raise Refused(
            NOT_READY,
            "The database lacks tables, and this account may not make them. 数据库缺少表，且此账号无权创建",
            "Run `jifendai migrate` with JIFENDAI_MIGRATION_DATABASE_URL, the tables' owner. 请以表的所有者执行迁移",
        ) from None


def its_catalogue(settings: Settings) -> ActiveCatalogue:
    """This function will read the catalogue's files. Raises CatalogueError."""
    from app.main import load_catalogue

    return load_catalogue(settings)


def its_records(settings: Settings) -> OperatorRecords:
    """This function will return what makes the operator's records, signed by the installation's key. Raises
    SettingsRefused, SigningKeyError.
    """
    return OperatorRecords(its_signer(settings), settings.log_name)


def its_signer(settings: Settings) -> LogSigner:
    """This function will return what signs for the installation. Raises SettingsRefused, SigningKeyError."""
    settings.check()
    return LogSigner.from_file(settings.key_file, settings.previous_signing_key_file)


@asynccontextmanager
async def its_database(settings: Settings) -> AsyncIterator[Database]:
    """This function will open the database for as long as it is needed. Raises Refused where it is not ready."""
    make_data_dir(settings)
    database = open_database(settings.database_url)
    try:
        if faults := await database.ready():
            raise Refused(NOT_READY, *faults)
        yield database
    finally:
        await database.close()


def subject() -> str:
    """This function will say whose account gives the command, for the records; LOGNAME and USER may say anything."""
    if sys.platform == "win32":
        return f"cli:{os.getlogin()}"
    import pwd

    try:
        return f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:
        # A container's account need not have a name.
        return f"cli:{os.getuid()}"


def settle_for_long_work() -> None:
    """This function will keep the collector from going through all that was loaded, over and over."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)


def say(*lines: str) -> None:
    """This function will tell whoever gives the command, on standard error."""
    sys.stderr.write("".join(f"{line}\n" for line in lines))


def show(*lines: str) -> None:
    """This function will give what was asked for, on standard output."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def write(text: str, output: Path | None) -> None:
    """This function will write what was asked for into the file, or to standard output. Raises Refused."""
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, "utf-8")
    except OSError as error:
        raise Refused(FAULTY, f"{output} cannot be written: {error.strerror}. 无法写入") from None
