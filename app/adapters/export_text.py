"""Exported rows as text: CSV for spreadsheets, and JSON lines for programs.

Neighbours may rely on this: CSV is UTF-8 with a byte-order mark, RFC 4180, and safe to open: a text that a spreadsheet
would run as a formula has an apostrophe before it, and one that it would read as a number or a date has a tab, so that
no credit code becomes 9.14E+17. `text_of_cell` takes both away again, whatever the text was.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from typing import Final

import orjson

from app.usecases.export_columns import COLUMNS, NAMES, Cell, Kind, Row

BYTE_ORDER_MARK: Final = "\ufeff"
_TEXTS: Final = tuple(place for place, column in enumerate(COLUMNS) if column.kind is Kind.TEXT)
# What begins a formula, full width included, and what would hide one; and the apostrophe, so that it can be undone.
_ACTIVE: Final = frozenset("=+-@\t\r\n＝＋－＠'")
_MONTH: Final = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_LOOKS_LIKE_A_FIGURE: Final = re.compile(
    rf"[0-9]+([.,:/ -][0-9]+){{0,2}} ?(e[0-9]+|am|pm|a|p|%)?|[0-9]+[ /-]?{_MONTH}([ /-]?[0-9]+)?|{_MONTH}[ /-]?[0-9]+"
    r"([ /-][0-9]+)?|true|false|[.][0-9]+",
    re.IGNORECASE,
)


def csv_head() -> bytes:
    """This function will return the byte-order mark and the line of names."""
    return (BYTE_ORDER_MARK + _csv([NAMES])).encode()


def csv_lines(rows: Iterable[Row]) -> bytes:
    """This function will write rows as lines of CSV."""
    return _csv(map(_safe, rows)).encode()


def json_lines(rows: Iterable[Row]) -> bytes:
    """This function will write each row as one JSON object on a line of its own."""
    return b"".join(
        orjson.dumps(dict(zip(NAMES, row, strict=True)), option=orjson.OPT_APPEND_NEWLINE) for row in rows
    )


def safe_text(text: str) -> str:
    """This function will make a text harmless to a spreadsheet."""
    if text[:1] in _ACTIVE and text:
        return f"'{text}"
    return f"\t{text}" if _LOOKS_LIKE_A_FIGURE.fullmatch(text) else text


def text_of_cell(cell: str) -> str:
    """This function will give a cell's text back as it was."""
    return cell[1:] if cell[:1] in ("'", "\t") else cell


def _safe(row: Row) -> list[Cell]:
    cells = list(row)
    for place in _TEXTS:
        text = cells[place]
        if text:
            cells[place] = safe_text(text)
    return cells


def _csv(rows: Iterable[Iterable[Cell]]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerows(rows)
    return written.getvalue()
