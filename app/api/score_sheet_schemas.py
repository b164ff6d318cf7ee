"""What is sent and answered where sheets of scores come in, as models for the documentation.

Neighbours may rely on this: a sheet is sent as a file, and read by the function that its operation names.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, RootModel

from app.api.answers import Answered, BothLanguages, Count, Name


class SheetFile(RootModel[Annotated[str, Field(max_length=16 << 20)]]):
    """XLSX 或 CSV 文件本身。The XLSX or CSV file itself."""


class ColumnRead(Answered):
    """采用的列。A column that is read."""

    column: Name
    head: Name
    taken_as: Name = Field(description="在申请中的位置。Where its value goes in an application.")


class ColumnNotRead(Answered):
    """未采用的列。A column that is not read."""

    column: Name
    head: Name
    why: BothLanguages | None


class CellFaultAnswer(Answered):
    """未采用的原因。Why a row is not taken."""

    row: Count
    cell: Name | None
    head: Name | None
    code: Name
    message: BothLanguages


class SheetReportAnswer(Answered):
    """试运行或导入的结果。What a trial run or an import came to."""

    trial: bool
    lender: Name
    zone: Name
    scheme: Name
    rows: Count
    taken: Count = Field(description="可采用的行。Rows that are good.")
    new: Count = Field(description="其中此前没有的。Of these, the ones not known before.")
    unchanged: Count
    faulty: Count = Field(description="有误的行。Rows with a fault.")
    head_row: Count
    columns: Annotated[list[ColumnRead], Field(max_length=64)]
    left_out: Annotated[list[ColumnNotRead], Field(max_length=64)]
    faults: Annotated[list[CellFaultAnswer], Field(max_length=500)]
