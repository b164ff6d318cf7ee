"""jifendai export log: a lender's log, or the operator's, as tiles and entries that other people's libraries read."""

from __future__ import annotations

import argparse
import asyncio

from app.adapters.tile_folder import TileFolder
from app.audit import EvidenceError
from app.cli.installation import FAULTY, Refused, its_database, its_settings, say
from app.usecases.export_log import Exported, export_log


def export(options: argparse.Namespace) -> None:
    """This function will bring the folder up to the newest checkpoint of the log."""
    done = asyncio.run(_exporting(options))
    if done.was == done.size:
        say(f"{done.origin}: nothing new, {done.size:,} records lie there. 没有新增，已有 {done.size:,} 条记录")
    else:
        say(
            f"{done.origin}: records {done.was:,} to {done.size - 1:,} written, {done.size:,} in all. "
            f"已写入第 {done.was:,} 至 {done.size - 1:,} 条，共 {done.size:,} 条",
            "Check it anywhere 在任何机器上核验: "
            f"jifendai verify export {options.to} --vkey KEY  (jifendai keys verifiers)",
        )


async def _exporting(options: argparse.Namespace) -> Exported:
    def tell(seen: int, of: int) -> None:
        if seen < of:
            say(f"{options.lender}: {seen:,} / {of:,} …")

    async with its_database(its_settings()) as database:
        try:
            return await export_log(
                database.trail, options.lender, TileFolder(options.to), since=options.since, told=tell
            )
        except EvidenceError as error:
            raise Refused(FAULTY, error.en, f"    {error.zh}") from None
        except OSError as error:
            raise Refused(FAULTY, f"{options.to} cannot be written: {error.strerror}. 无法写入") from None
