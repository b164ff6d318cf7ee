"""jifendai backup, jifendai restore: the embedded database as one file, and back, held to checkpoints kept
elsewhere.
"""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from app.adapters.clock import utc_now
from app.adapters.database import migrate
from app.adapters.database.backup import InUse, NotABackup, NotEmbedded, back_up, check, database_file, put_in_place
from app.audit.operator_record import OPERATOR
from app.audit.origin import origin_of
from app.cli.installation import DONE, FAULTY, NOT_READY, Refused, its_database, its_settings, make_data_dir, say, show
from app.cli.verifying import verified
from app.main import load_catalogue, open_outside
from app.settings import Settings
from app.usecases.outside import OutsideUnavailable, kept_as


def backup(options: argparse.Namespace) -> None:
    """This function will write the embedded database into a new file, while a service goes on."""
    told = 0

    def tell(done: int, of: int) -> None:
        nonlocal told
        percent = done * 100 // of if of else 100
        if percent >= told + 10:
            told = percent
            say(f"{percent} % …")

    try:
        back_up(_embedded(its_settings()), options.file, tell)
    except FileExistsError:
        raise Refused(
            FAULTY, f"{options.file} is there already, and is not written over. 文件已存在，不会覆盖"
        ) from None
    except FileNotFoundError as error:
        raise Refused(FAULTY, f"There is no database at {error.args[0]}. 没有数据库") from None
    except NotABackup as error:
        raise Refused(FAULTY, f"The copy is not sound: {error}; look at the disk. 副本已损坏，请检查磁盘") from None
    except OSError as error:
        raise Refused(FAULTY, f"{options.file} cannot be written: {error.strerror}. 无法写入") from None
    show(str(options.file))
    say(
        "It holds companies' figures, and neither the signing key nor checkpoints: keep those elsewhere. "
        "内含企业数据，不含签名密钥与检查点，请另行保存"
    )


def restore(options: argparse.Namespace) -> int:
    """This function will put a backup in the database's place once it has been held to the checkpoints kept elsewhere;
    what lies there is kept aside.
    """
    settings = its_settings()
    target = _embedded(settings)
    make_data_dir(settings)
    copy = target.with_name(f".{target.name}.restoring")
    try:
        check(options.file)
        copy.unlink(missing_ok=True)
        back_up(options.file, copy)
    except (NotABackup, FileNotFoundError) as error:
        raise Refused(FAULTY, f"{options.file} is no sound backup: {error}. 不是完好的备份") from None
    except OSError as error:
        raise Refused(FAULTY, f"{options.file} cannot be restored: {error.strerror}. 无法恢复") from None
    try:
        return _restored(options, settings, target, copy)
    finally:
        for suffix in ("", "-wal", "-shm"):
            copy.with_name(copy.name + suffix).unlink(missing_ok=True)


def _restored(options: argparse.Namespace, settings: Settings, target: Path, copy: Path) -> int:
    there = replace(settings, database_url=f"sqlite:///{copy}")
    # A backup of an earlier release is read with this one's tables; the backup itself stays as it is.
    migrate(there.database_url)
    with TemporaryDirectory(prefix="jifendai-restore-") as folder:
        files = [*options.checkpoint, *_kept_outside(settings, there, Path(folder), anyway=options.anyway)]
        faults = asyncio.run(verified(there, options.vkey, files))
    if faults and not options.anyway:
        say(
            "Nothing was restored. Take a newer backup; or --anyway: what is named above is then lost, and the service "
            "serves only after two people have opened a new epoch (`jifendai log new-epoch`). "
            "未恢复：请用更新的备份；或加 --anyway，则以上所列即告丢失，须由两人开启新的日志纪元后方可服务"
        )
        return FAULTY
    aside = target.with_name(f"{target.name}.replaced-{utc_now():%Y%m%dT%H%M%SZ}")
    try:
        replaced = put_in_place(copy, target, aside)
    except InUse:
        raise Refused(
            NOT_READY, f"{target} is in use: stop the service first. 数据库正在使用，请先停止服务"
        ) from None
    except FileExistsError:
        raise Refused(FAULTY, f"{aside} is there already. 文件已存在") from None
    if replaced:
        say(f"What was there is kept in 原数据库保存为 {aside}")
    show(str(target))
    return DONE


def _kept_outside(settings: Settings, there: Settings, folder: Path, *, anyway: bool) -> list[Path]:
    """The newest checkpoints that the service itself has kept elsewhere; those of an address are put into `folder`.

    Raises Refused where the address does not answer, unless `anyway`.
    """
    place = settings.outside_checkpoints
    if place and "://" in place:
        try:
            return asyncio.run(_fetched(settings, there, folder))
        except OutsideUnavailable as error:
            if anyway:
                say(f"The copy was not held to the checkpoints outside: {error}. 未与外部检查点比对")
                return []
            raise Refused(
                NOT_READY,
                f"The checkpoints outside cannot be read: {error}. Nothing was restored: do it again once they can be "
                "read, or with --anyway. 无法读取外部检查点，未恢复",
            ) from None
    if not place or not Path(place).is_dir():
        return []
    return sorted(path for path in Path(place).iterdir() if path.is_file() and not path.name.startswith("."))


async def _fetched(settings: Settings, there: Settings, folder: Path) -> list[Path]:
    outside = open_outside(settings)
    if outside is None:
        return []
    async with its_database(there) as database:
        # A log may have begun after the backup was taken.
        lenders = {OPERATOR, *load_catalogue(settings).catalog.lenders, *await database.trail.lenders()}
    found: list[Path] = []
    for lender in sorted(lenders):
        number = 1
        while (note := await outside.read(kept_as(origin_of(settings.log_name, lender, number)))) is not None:
            found.append(folder / kept_as(origin_of(settings.log_name, lender, number)))
            found[-1].write_bytes(note)
            number += 1
    return found


def _embedded(settings: Settings) -> Path:
    try:
        return database_file(settings.database_url)
    except NotEmbedded:
        raise Refused(
            FAULTY,
            "The database is PostgreSQL's: use pg_basebackup and its WAL archive, docs/operations.md says how. "
            "PostgreSQL 请使用 pg_basebackup 与 WAL 归档，见 docs/operations.md",
        ) from None
