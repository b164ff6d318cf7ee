"""A table as an Excel workbook (XLSX), in memory: a quarter's list is small.

Neighbours may rely on this: every cell is text, so that no amount loses a digit and nothing is taken for a formula; the
writer is loaded when it is first used.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence


def workbook(sheet_name: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """This function will return the workbook's bytes."""
    import xlsxwriter

    written = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_numbers": False, "strings_to_urls": False}
    book = xlsxwriter.Workbook(written, options)
    sheet, head = book.add_worksheet(sheet_name), book.add_format({"bold": True})
    sheet.freeze_panes(1, 0)
    for place, column in enumerate(columns):
        sheet.set_column(place, place, 22)
        sheet.write_string(0, place, column, head)
    for number, row in enumerate(rows, 1):
        for place, cell in enumerate(row):
            sheet.write_string(number, place, cell)
    book.close()
    return written.getvalue()
