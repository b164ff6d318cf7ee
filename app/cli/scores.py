"""jifendai scores import: a zone's sheet of scores, straight into the database, with a trial run first."""

from __future__ import annotations

import argparse
import asyncio
import sys
from datetime import date
from hashlib import sha256
from pathlib import Path

from app.adapters.clock import utc_now
from app.adapters.sheet_files import SheetFiles
from app.adapters.workbook import workbook
from app.cli.installation import FAULTY, Refused, its_catalogue, its_database, its_settings, say
from app.products.catalog import UnknownZone
from app.settings import Settings
from app.usecases.catalogue import ActiveCatalogue
from app.usecases.days import day_in_shanghai
from app.usecases.score_sheets import ScoreImport, SheetReport, import_scores, mending_rows
from app.usecases.sheet_columns import letter
from app.usecases.sheet_rows import NoScheme, ReadRow, SheetRefused, Vocabulary, vocabulary_of

_MOST_SHOWN = 20


def import_sheet(options: argparse.Namespace) -> int:
    """This function will tell what would be taken, then take it where --yes says so; 1 where rows have faults."""
    settings = its_settings()
    catalogue = its_catalogue(settings)
    if not catalogue.catalog.knows_lender(options.lender):
        raise Refused(FAULTY, f"--lender: the catalogue has no lender {options.lender}. 目录中没有该机构")
    known = its_vocabulary(catalogue, options)
    content = its_content(options.file)
    return asyncio.run(_importing(settings, content, known, options))


def its_content(path: Path) -> bytes:
    """This function will read a sheet's file. Raises Refused."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise Refused(FAULTY, f"{path} cannot be read: {error.strerror}. 无法读取") from None


def its_vocabulary(catalogue: ActiveCatalogue, options: argparse.Namespace, *, whole: bool = False) -> Vocabulary:
    """This function will gather what the words of the zone's sheets stand for. Raises Refused."""
    today = day_in_shanghai(utc_now())
    try:
        as_of = None if options.as_of is None else date.fromisoformat(options.as_of)
        return vocabulary_of(
            catalogue.catalog, options.zone, today=today, as_of=as_of, scheme=options.scheme, whole=whole
        )
    except UnknownZone:
        raise Refused(FAULTY, f"--zone: the catalogue has no zone {options.zone}. 目录中没有该高新区") from None
    except NoScheme as found:
        raise Refused(FAULTY, f"--scheme: one of {', '.join(found.schemes)}. 请指明积分体系") from None
    except ValueError:
        raise Refused(FAULTY, "--as-of: a day such as 2026-09-30. 应为日期") from None


async def _importing(settings: Settings, content: bytes, known: Vocabulary, options: argparse.Namespace) -> int:
    reference = options.reference or f"{options.file.name} sha256:{sha256(content).hexdigest()[:16]}"
    bad: list[ReadRow] = []
    async with its_database(settings) as database:
        sheets = SheetFiles(settings.data_dir)
        for trial in (True, False) if options.yes else (True,):
            asked = ScoreImport(options.lender, known, utc_now(), reference, trial)
            bad.clear()
            try:
                async with sheets.open(content, known) as sheet:
                    report = await import_scores(
                        sheet, asked, database.score_snapshots, faulty=bad.append, progress=_told
                    )
            except SheetRefused as refused:
                raise Refused(FAULTY, f"{options.file}: {refused.words.en}. {refused.words.zh}") from None
            _summary(report, trial)
    if not options.yes:
        say("Nothing was taken: repeat it with --yes. 试运行，未导入：加 --yes 正式导入")
    if bad:
        mend(options.file, options.mend, report, bad)
    return FAULTY if bad else 0


def mend(file: Path, wanted: Path | None, report: SheetReport, bad: list[ReadRow]) -> None:
    """This function will write the bad rows as a sheet beside the file."""
    path = wanted or file.with_name(f"{file.stem}-to-mend.xlsx")
    heads, lines = mending_rows(report.layout, bad)
    path.write_bytes(workbook("to mend 待更正", heads, lines))
    say(f"{len(bad):,} rows to mend are in {path}. 待更正的行见 {path}")


def _told(report: SheetReport) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{report.rows:,} rows 行 …")
        sys.stderr.flush()
    elif report.rows % 10_000 == 0:
        say(f"{report.rows:,} rows 行 …")


def _summary(report: SheetReport, trial: bool) -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r")
    if trial:
        for column in report.layout.columns:
            say(f"  {letter(column.place)} {column.head} → {column.path}")
        for left in report.layout.left_out:
            why = "" if left.why is None else f": {left.why.en} {left.why.zh}"
            say(f"  {letter(left.place)} {left.head}: left out 未采用{why}")
        for row, fault in report.faults[:_MOST_SHOWN]:
            say(f"  row {row} {fault.cell or ''} {fault.head or ''}: {fault.words.en} {fault.words.zh}")
        if len(report.faults) > _MOST_SHOWN:
            say("  …")
    what = ("would be taken", "可导入") if trial else ("taken", "已导入")
    say(
        f"{report.rows:,} rows: {report.taken:,} {what[0]} ({report.new:,} new), {report.faulty:,} not. "
        f"共 {report.rows:,} 行，{what[1]} {report.taken:,} 行（新 {report.new:,}），有误 {report.faulty:,} 行"
    )
