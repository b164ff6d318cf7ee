"""Sheets for tests: as a spreadsheet writes them, or a hostile hand."""

import csv
import io
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import xlsxwriter

from app.adapters.catalogue_files import read_catalogue_files
from app.adapters.sheet_process import lines_of
from app.domain.uscc import normalised_uscc
from app.products.catalog import Catalog
from app.products.parse import parse_catalogue
from app.settings import BUILT_IN_CATALOGUE
from app.usecases.sheet_rows import Vocabulary, vocabulary_of

TODAY = date(2026, 11, 21)
HEADS = ("企业名称", "统一社会信用代码", "创新积分", "评价日期")
_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CATALOG: list[Catalog] = []


def company_code(number: int) -> str:
    """This function will return the code of a company that is none."""
    base = f"91999999MA{number:07d}"
    total = sum(_ALPHABET.index(c) * pow(3, i, 31) for i, c in enumerate(base))
    code = base + _ALPHABET[-total % 31]
    assert normalised_uscc(code) == code
    return code


def words_of(zone: str = "suzhou-snd", **more: Any) -> Vocabulary:
    """This function will return the words of a zone's sheets in the built-in catalogue."""
    if not _CATALOG:
        _CATALOG.append(parse_catalogue(read_catalogue_files(BUILT_IN_CATALOGUE)))
    return vocabulary_of(_CATALOG[0], zone, today=TODAY, **more)


def xlsx(rows: Sequence[Sequence[Any]], *, since_1904: bool = False) -> bytes:
    """This function will write a workbook: dates as dates, text beginning with = as a formula, the rest as it is."""
    written = io.BytesIO()
    book = xlsxwriter.Workbook(written, {"in_memory": True, "date_1904": since_1904})
    sheet, days = book.add_worksheet(), book.add_format({"num_format": "yyyy/m/d"})
    for number, row in enumerate(rows):
        for place, cell in enumerate(row):
            if isinstance(cell, date):
                sheet.write_datetime(number, place, cell, days)
            elif isinstance(cell, str) and cell.startswith("="):
                sheet.write_formula(number, place, cell, value=99)
            elif isinstance(cell, str):
                sheet.write_string(number, place, cell)
            elif cell is not None:
                sheet.write(number, place, cell)
    book.close()
    return written.getvalue()


def as_csv(rows: Sequence[Sequence[Any]], encoding: str = "utf-8") -> bytes:
    """This function will write the rows as CSV."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode(encoding)


def read(content: bytes, folder: Path, known: Vocabulary | None = None) -> list[dict[str, Any]]:
    """This function will return what the reading process would tell of the file, in this process."""
    path = folder / "sheet"
    path.write_bytes(content)
    return list(lines_of(path, known or words_of()))


def rows_in(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """This function will return the lines that are rows."""
    return [line for line in lines if "row" in line]


def codes_in(line: dict[str, Any]) -> list[tuple[str, str | None]]:
    """This function will return the faults of a row: code and cell."""
    return [(fault[0], fault[3]) for fault in line["faults"]]
