"""One sheet on its way in, read by a process of its own: XLSX or CSV, hostile until proved.

Neighbours may rely on this: `python -m app.adapters.sheet_process PATH` reads the vocabulary from standard input and
gives JSON lines: the layout, then row by row what was read, then an end, or why nothing of the file is taken. What the
process may use of memory and time is bounded by the operating system; whatever a file does to it, the service goes on.
Formulas are shown as formulas by the library (openpyxl) and never carried out, nor is what the file says they came to
looked at; a macro, an encrypted or a binary workbook, and an archive that would unfold beyond bounds, are refused
before anything of them is read.
"""

from __future__ import annotations

import contextlib
import csv
import io
import sys
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import Any, Final

import msgspec

from app.usecases.sheet_cells import BrokenCell, Cell, Formula, Numeric
from app.usecases.sheet_columns import MOST_COLUMNS, AmbiguousHead, Layout, NoHead
from app.usecases.sheet_rows import MOST_ROWS, ReadRow, SheetReading, SheetRefused, TooManyRows, Vocabulary, read_sheet

LARGEST_UNFOLDED_BYTES: Final = 256 << 20
_MOST_PARTS: Final = 2_000
_MEMORY_BYTES: Final = 1 << 30
_SECONDS: Final = 300
_LAST_ROW: Final = 1_048_576
_OLE: Final = bytes.fromhex("d0cf11e0a1b11ae1")
_Rows = Iterator[tuple[int, Sequence[Cell]]]


def main(arguments: Sequence[str]) -> int:
    """This function will read the sheet and return the exit code 0, whatever the file was."""
    _limit()
    known = msgspec.json.decode(sys.stdin.buffer.read(), type=Vocabulary)
    out = sys.stdout.buffer
    encode = msgspec.json.Encoder().encode
    try:
        for line in lines_of(Path(arguments[0]), known):
            out.write(encode(line) + b"\n")
    except SheetRefused as refused:
        out.write(encode({"refused": [refused.code, refused.words.zh, refused.words.en]}) + b"\n")
    except MemoryError:
        out.write(b'{"refused":["TOO_LARGE","%b","reading the file takes more memory than it may"]}\n' % _TOO_LARGE)
    out.flush()
    return 0


_TOO_LARGE: Final = "读取该文件所需内存超出上限".encode()


def lines_of(path: Path, known: Vocabulary) -> Iterator[dict[str, Any]]:
    """This function will give what is told of a file, line by line. Raises SheetRefused."""
    reading = None
    try:
        with contextlib.closing(_open(path, known)) as tried:
            for reading in tried:
                yield {"layout": _layout(reading.layout)}
                count = 0
                for count, row in enumerate(reading.rows, 1):  # noqa: B007 - the last number is the count
                    yield _line(row)
                yield {"end": count}
                return
    except AmbiguousHead as found:
        raise SheetRefused(
            "AMBIGUOUS_HEAD", f"{found.first} 列与 {found.second} 列都是“{found.words.zh}”，请只留一列",
            f"columns {found.first} and {found.second} are both {found.words.en}: keep one",
        ) from None  # fmt: skip
    except TooManyRows:
        raise SheetRefused("TOO_MANY_ROWS", f"一份表至多 {MOST_ROWS} 行，请拆分",
                           f"a sheet has at most {MOST_ROWS} rows: split it") from None  # fmt: skip
    except (SheetRefused, MemoryError):
        raise
    except Exception as fault:  # whatever a library makes of a hostile file is a refusal
        raise SheetRefused("UNREADABLE", "文件损坏或不是 XLSX、CSV 表格，无法读取",
                           "the file is damaged, or neither XLSX nor CSV") from fault  # fmt: skip
    raise SheetRefused(
        "NO_HEAD", "没有找到表头：前 30 行中须有一行写明“统一社会信用代码”和“企业名称”",
        "no head was found: one of the first 30 rows names 统一社会信用代码 and 企业名称",
    )  # fmt: skip


def _open(path: Path, known: Vocabulary) -> Iterator[SheetReading]:
    """The first sheet that has a head."""
    with path.open("rb") as file:
        begins = file.read(8)
    if begins.startswith(b"PK"):
        sheets, since_1904 = _workbook(path)
    elif begins == _OLE:
        raise SheetRefused("OLD_OR_ENCRYPTED", "旧版 XLS 或加密的工作簿：请另存为不加密的 XLSX",
                           "an old XLS or an encrypted workbook: save it as XLSX without a password")  # fmt: skip
    else:
        sheets, since_1904 = iter([_csv(path.read_bytes())]), False
    for rows in sheets:
        with contextlib.suppress(NoHead):
            yield read_sheet(rows, known, since_1904=since_1904)
            return


# ---- XLSX -----------------------------------------------------------------------------------------------------------


def _workbook(path: Path) -> tuple[Iterator[_Rows], bool]:
    _check_archive(path)
    # A process that reads CSV starts without it.
    import openpyxl
    from openpyxl.utils.datetime import CALENDAR_MAC_1904

    warnings.simplefilter("ignore")
    # By its name alone the library would refuse a file that has none; it is open for as long as the process lasts.
    book = openpyxl.load_workbook(path.open("rb"), read_only=True, data_only=False, keep_links=False)
    visible = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
    return map(_sheet_rows, visible), book.epoch == CALENDAR_MAC_1904


def _check_archive(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
        names = {part.filename.casefold() for part in parts}
        kinds = b""
        # Reading stops at the size that a part declares (zipfile), so that what is declared bounds what unfolds.
        if len(parts) > _MOST_PARTS or sum(part.file_size for part in parts) > LARGEST_UNFOLDED_BYTES:
            raise SheetRefused("TOO_LARGE", "解压后过大，疑为压缩炸弹", "it unfolds to more than it may: a zip bomb?")
        if "[content_types].xml" in names:
            kinds = archive.read("[Content_Types].xml")
    if any("vbaproject" in name or "macrosheets/" in name for name in names) or b"macroEnabled" in kinds:
        raise SheetRefused("MACROS", "工作簿含宏：请另存为不含宏的 XLSX", "the workbook holds macros: save it as XLSX")
    if any(part.flag_bits & 1 for part in parts) or "xl/workbook.xml" not in names:
        raise SheetRefused("NOT_XLSX", "不是 XLSX 工作簿，请另存为 XLSX 或 CSV", "not an XLSX workbook: save it as one")


def _sheet_rows(sheet: Any) -> _Rows:
    if not hasattr(sheet, "_cells_by_row"):
        return
    rows = sheet.iter_rows(min_row=1, max_row=_LAST_ROW, min_col=1, max_col=MOST_COLUMNS)
    for number, cells in enumerate(rows, 1):
        found = [_cell(cell) for cell in cells]
        while found and found[-1] is None:
            found.pop()
        if found:
            yield number, found


def _cell(cell: Any) -> Cell:
    value, kind = cell.value, cell.data_type
    if value is None:
        return None
    if kind == "f":
        return Formula(value if isinstance(value, str) else "=")
    if kind == "e":
        return BrokenCell(str(value)[:64])
    if isinstance(value, bool | str):
        return value
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    if isinstance(value, int):
        return Numeric(str(value)) if abs(value) < 10**40 else BrokenCell("#NUM!")
    if isinstance(value, float) and isfinite(value) and abs(value) < 1e40:
        # Fifteen digits are what a spreadsheet keeps and shows: 79.160000000000004 is 79.16.
        return Numeric(format(Decimal(f"{value:.15g}").normalize(), "f"))
    return BrokenCell(str(value)[:64])


# ---- CSV ------------------------------------------------------------------------------------------------------------


def _csv(content: bytes) -> _Rows:
    text = _decoded(content)
    first = text[:20_000]
    delimiter = max(",\t;", key=first.count)
    try:
        for number, cells in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), 1):
            if number > _LAST_ROW:
                raise TooManyRows
            if any(cells):
                yield number, [cell or None for cell in cells[:MOST_COLUMNS]]
    except csv.Error as fault:
        raise SheetRefused(
            "UNREADABLE", "CSV 引号或分隔有误，请用电子表格重新保存",
            "quotes or separators of the CSV are wrong: save it again from a spreadsheet",
        ) from fault  # fmt: skip


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content:
        raise SheetRefused("ENCODING", "编码不是 UTF-8 或 GB18030：请另存为“CSV UTF-8”",
                           "neither UTF-8 nor GB18030: save it as CSV UTF-8")  # fmt: skip
    for encoding in ("utf-8-sig", "gb18030"):
        with contextlib.suppress(UnicodeDecodeError):
            return content.decode(encoding)
    raise SheetRefused("ENCODING", "编码不是 UTF-8 或 GB18030：请另存为“CSV UTF-8”",
                       "neither UTF-8 nor GB18030: save it as CSV UTF-8")  # fmt: skip


# ---- lines ----------------------------------------------------------------------------------------------------------


def _layout(layout: Layout) -> dict[str, Any]:
    return {
        "first_row": layout.first_row,
        "heads": layout.heads,
        "columns": [{"place": p.place, "head": p.head, "path": p.column.path} for p in layout.columns],
        "left_out": [asdict(left) for left in layout.left_out],
    }


def _line(row: ReadRow) -> dict[str, Any]:
    if row.document is not None:
        return {"row": row.number, "document": row.document}
    faults = [[f.code, f.words.zh, f.words.en, f.cell, f.head] for f in row.faults]
    return {"row": row.number, "faults": faults, "cells": row.cells}


def _limit() -> None:
    try:
        import resource
    except ImportError:
        # Windows has none of these bounds; there only the archive's own are kept.
        return
    for what, bound in ((resource.RLIMIT_AS, _MEMORY_BYTES), (resource.RLIMIT_CPU, _SECONDS)):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (bound, bound))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
