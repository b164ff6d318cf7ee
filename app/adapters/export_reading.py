"""Exported files read back, row by row.

Neighbours may rely on this: what `export_text` and `export_workbook` wrote comes back as the rows that went in, but for
the spelling of zeros; ValueError, with a sentence, for a file that is none of theirs.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import orjson

from app.adapters.export_text import text_of_cell
from app.usecases.export_columns import COLUMNS, NAMES, Cell, Kind, Row


def exported_rows(path: Path) -> Iterator[Row]:
    """This function will read a file by what its name ends in: csv, jsonl, parquet or xlsx. OSError, ValueError."""
    readers = {".csv": _from_csv, ".jsonl": _from_json, ".parquet": _from_parquet, ".xlsx": _from_xlsx}
    reader = readers.get(path.suffix)
    if reader is None:
        raise ValueError("files that end in .csv, .jsonl, .parquet or .xlsx are read")
    for number, found in enumerate(reader(path), 1):
        try:
            yield tuple(_cell(column.kind, found[column.name]) for column in COLUMNS)
        except (KeyError, TypeError, ValueError):
            raise ValueError(f"row {number} is not one of an export") from None


def _from_csv(path: Path) -> Iterator[Mapping[str, Any]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        texts = {column.name for column in COLUMNS if column.kind is Kind.TEXT}
        for row in csv.DictReader(file):
            yield {name: text_of_cell(cell) if name in texts and cell else cell for name, cell in row.items()}


def _from_json(path: Path) -> Iterator[Mapping[str, Any]]:
    with path.open("rb") as file:
        for line in file:
            yield orjson.loads(line)


def _from_parquet(path: Path) -> Iterator[Mapping[str, Any]]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=5_000, columns=list(NAMES)):
                yield from batch.to_pylist()
    except pa.ArrowException as error:
        raise ValueError("not a Parquet file") from error


def _from_xlsx(path: Path) -> Iterator[Mapping[str, Any]]:
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, BadZipFile, KeyError) as error:
        raise ValueError("not an Excel workbook") from error
    try:
        for sheet in book.worksheets:
            rows = sheet.iter_rows(values_only=True)
            # A head says a column's words, and below them its name.
            names = [str(cell).rpartition("\n")[2] for cell in next(rows, ())]
            for row in rows:
                yield dict(zip(names, row, strict=False))
    finally:
        book.close()


def _cell(kind: Kind, value: Any) -> Cell:
    if value is None or value == "":
        return None
    if kind is Kind.COUNT:
        return int(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if kind is Kind.DAY else value.astimezone(UTC).isoformat()
    return str(value)
