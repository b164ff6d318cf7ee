"""Exported rows as typed files, made in a process of their own: XLSX for spreadsheets, Parquet for analysis.

Neighbours may rely on this: `python -m app.adapters.export_workbook FORM FOLDER` reads JSON lines until an empty line,
makes the file in FOLDER, and only then gives its bytes to standard output; what ends before the empty line was broken
off and leaves nothing. Libraries and their memory come and go with the process, and the service keeps its own. Decimals
are exact: fixed point in Parquet; in XLSX a number of at most fifteen digits, all that a spreadsheet has.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from importlib.abc import MetaPathFinder
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson

from app.usecases.export_columns import COLUMNS, Column, Kind

DATA_ROWS_A_SHEET: Final = 1_048_575
"""What a sheet of XLSX holds below its head."""
# What is known of every group stays in memory to the end: few groups, put together of slices that Python holds one of.
_ROWS_A_SLICE: Final = 1_000
_SLICES_A_GROUP: Final = 6

_XLSX_FORMATS: Final = {
    Kind.MONEY: "#,##0.00", Kind.RATE: "0.00######%", Kind.SCORE: "0.00####", Kind.COUNT: "0", Kind.DAY: "yyyy-mm-dd",
    Kind.INSTANT: "@", Kind.TEXT: "@",
}  # fmt: skip
_WIDTHS: Final = {Kind.TEXT: 24, Kind.INSTANT: 28, Kind.DAY: 12, Kind.COUNT: 10, Kind.MONEY: 18}


def main(arguments: Sequence[str]) -> int:
    """This function will make the file and return the exit code: 1 where its rows were broken off."""
    form, folder = arguments[0], Path(arguments[1])
    path = folder / f"rows.{form}"
    try:
        rows = _Rows(sys.stdin.buffer)
        {"xlsx": _write_xlsx, "parquet": _write_parquet}[form](rows, path)
        if not rows.complete:
            return 1
        with path.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer, 1 << 18)
        sys.stdout.buffer.flush()
        return 0
    except BrokenPipeError:
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Rows:
    """The rows that come in; `complete` once the empty line has come."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self.complete = False

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for line in self._source:
            if line == b"\n":
                self.complete = True
                return
            yield orjson.loads(line)


def _write_xlsx(rows: _Rows, path: Path) -> None:
    import xlsxwriter

    options = {
        "constant_memory": True, "tmpdir": str(path.parent), "strings_to_formulas": False, "strings_to_numbers": False,
        "strings_to_urls": False, "default_date_format": "yyyy-mm-dd",
    }  # fmt: skip
    book = xlsxwriter.Workbook(path, options)
    head = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
    formats = {kind: book.add_format({"num_format": shown}) for kind, shown in _XLSX_FORMATS.items()}
    source, number, more = iter(rows), 0, True
    while more:
        number += 1
        sheet = book.add_worksheet("decisions" if number == 1 else f"decisions {number}")
        sheet.freeze_panes(1, 1)
        for place, column in enumerate(COLUMNS):
            sheet.set_column(place, place, _WIDTHS.get(column.kind, 14))
            sheet.write_string(0, place, f"{column.words.zh}\n{column.name}", head)
        written = 0
        for row in islice(source, DATA_ROWS_A_SHEET):
            written += 1
            for place, column in enumerate(COLUMNS):
                _write_cell(sheet, (written, place), column, row[column.name], formats)
        sheet.autofilter(0, 0, written, len(COLUMNS) - 1)
        more = written == DATA_ROWS_A_SHEET
    book.close()


def _write_cell(sheet: Any, at: tuple[int, int], column: Column, value: Any, formats: dict[Kind, Any]) -> None:
    if value is None:
        return
    kind = column.kind
    if kind is Kind.DAY:
        sheet.write_datetime(*at, datetime.fromisoformat(value), formats[kind])
    elif kind in (Kind.TEXT, Kind.INSTANT):
        sheet.write_string(*at, value, formats[kind])
    else:
        sheet.write_number(*at, float(value), formats[kind])


# By these a reader leaves groups out.
_SOUGHT_BY: Final = ["decided_on", "recorded_at", "lender", "product", "log_index"]


class _WithoutPandas(MetaPathFinder):
    """Where pandas is installed pyarrow would load it at the first array, 45 MB of which nothing is used here."""

    def find_spec(self, name: str, *_: Any) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("not for the making of a file", name=name)


def _write_parquet(rows: _Rows, path: Path) -> None:
    sys.meta_path.insert(0, _WithoutPandas())
    import pyarrow as pa
    from pyarrow import parquet

    types = {
        Kind.TEXT: pa.string(), Kind.COUNT: pa.int64(), Kind.DAY: pa.date32(), Kind.INSTANT: pa.timestamp("us", "UTC"),
        Kind.MONEY: pa.decimal128(18, 2), Kind.RATE: pa.decimal128(18, 12), Kind.SCORE: pa.decimal128(18, 6),
    }  # fmt: skip
    # The pool that pyarrow brings keeps what was freed; the system's gives some 30 MB back.
    pa.set_memory_pool(pa.system_memory_pool())
    fields = [
        pa.field(c.name, types[c.kind], metadata={"zh": c.words.zh, "en": c.words.en}) for c in COLUMNS
    ]
    schema, source = pa.schema(fields), iter(rows)

    def slices() -> Iterator[pa.RecordBatch]:
        while some := list(islice(source, _ROWS_A_SLICE)):
            columns = [[_typed(column.kind, row[column.name]) for row in some] for column in COLUMNS]
            arrays = [pa.array(values, field.type) for values, field in zip(columns, fields, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    with parquet.ParquetWriter(path, schema, compression="zstd", write_statistics=_SOUGHT_BY) as writer:
        each = slices()
        while group := list(islice(each, _SLICES_A_GROUP)):
            writer.write_table(pa.Table.from_batches(group, schema))


def _typed(kind: Kind, value: Any) -> Any:
    if value is None or kind in (Kind.TEXT, Kind.COUNT):
        return value
    if kind is Kind.DAY:
        return date.fromisoformat(value)
    return datetime.fromisoformat(value) if kind is Kind.INSTANT else Decimal(value)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
