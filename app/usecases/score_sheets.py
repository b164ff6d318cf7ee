"""积分情况表: a zone's sheet of scores on its way into the snapshots of one lender.

Neighbours may rely on this: a trial run tells what would be taken and takes nothing; otherwise the good rows go in,
page by page, and the bad ones are given to whoever mends them. A row that was taken before is not taken again, whatever
file it comes in: the same file twice changes nothing, nor does one that was broken off and is sent again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import sha256
from typing import Any, Final, Protocol

from app.audit.application import instant_text, score_from_bytes
from app.audit.canonical import canonical_bytes
from app.domain.company import SourceKind
from app.domain.score_snapshot import ScoreSnapshot
from app.domain.terms import Words
from app.usecases.score_snapshots import ScoreSnapshots
from app.usecases.sheet_rows import ReadRow, RowFault, Vocabulary

MOST_FAULTS_TOLD: Final = 500


@dataclass(frozen=True, slots=True)
class ColumnTaken:
    """A column that is read, by its place counted from 0, its head, and where its value goes."""

    place: int
    head: str
    path: str


@dataclass(frozen=True, slots=True)
class ColumnLeftOut:
    """A column that is not read, and why where there is more to say than that nobody knows it."""

    place: int
    head: str
    why: Words | None


@dataclass(frozen=True, slots=True)
class SheetLayout:
    """What was found at the top of a sheet."""

    first_row: int
    heads: tuple[str, ...]
    columns: tuple[ColumnTaken, ...]
    left_out: tuple[ColumnLeftOut, ...]


class OpenSheet(Protocol):
    """A sheet while it is being read."""

    layout: SheetLayout

    def pages(self) -> AsyncIterator[tuple[ReadRow, ...]]:
        """This function will give the rows, page by page. Raises SheetRefused."""
        ...


class Sheets(Protocol):
    """What opens sheets."""

    def open(self, content: bytes, known: Vocabulary) -> AbstractAsyncContextManager[OpenSheet]:
        """This function will open one. Raises SheetRefused, SheetsBusy."""
        ...


@dataclass(slots=True)
class SheetReport:
    """What became of a sheet's rows: `taken` are good, `new` of these were not known, the rest have `faults`."""

    layout: SheetLayout
    rows: int = 0
    taken: int = 0
    new: int = 0
    faulty: int = 0
    faults: list[tuple[int, RowFault]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ScoreImport:
    """Whose scores come in, how they were read, who sends them and when; `reference` names the sheet."""

    lender: str
    known: Vocabulary
    at: datetime
    reference: str | None = None
    trial: bool = True


async def import_scores(
    sheet: OpenSheet,
    asked: ScoreImport,
    snapshots: ScoreSnapshots,
    *,
    faulty: Callable[[ReadRow], None] = lambda row: None,
    progress: Callable[[SheetReport], None] = lambda report: None,
) -> SheetReport:
    """This function will take the good rows, unless it is a trial, and give the bad ones to `faulty`."""
    report = SheetReport(sheet.layout)
    async for page in sheet.pages():
        good = [_snapshot(row.document, asked) for row in page if row.document is not None]
        report.new += await (_unknown(good, asked, snapshots) if asked.trial else snapshots.keep(good))
        report.rows += len(page)
        report.taken += len(good)
        for row in page:
            if row.document is None:
                report.faulty += 1
                report.faults += [(row.number, why) for why in row.faults][: MOST_FAULTS_TOLD - len(report.faults)]
                faulty(row)
        progress(report)
    return report


async def _unknown(found: Sequence[ScoreSnapshot], asked: ScoreImport, snapshots: ScoreSnapshots) -> int:
    known = await snapshots.newest(asked.lender, asked.known.zone, [snapshot.uscc for snapshot in found])
    return sum(1 for one in found if one.uscc not in known or known[one.uscc].snapshot_id != one.snapshot_id)


def _snapshot(document: Mapping[str, Any], asked: ScoreImport) -> ScoreSnapshot:
    """A snapshot's id is made of what it says, so that it is kept once however often it comes."""
    company, told = document["company"], document["innovation_score"]
    said = canonical_bytes({"zone": asked.known.zone, "uscc": company["uscc"], "score": dict(told)})
    source = {"kind": SourceKind.SCORE_SHEET.value, "obtained_at": instant_text(asked.at)}
    if asked.reference is not None:
        source["reference"] = asked.reference
    return ScoreSnapshot(
        snapshot_id=f"sheet-{sha256(said).hexdigest()[:30]}",
        lender=asked.lender,
        zone=asked.known.zone,
        uscc=company["uscc"],
        score=score_from_bytes(canonical_bytes({**told, "source": source})),
        obtained_at=asked.at,
        observed_on=date.fromisoformat(told["as_of"]),
        name=company["name"],
    )


def mending_rows(layout: SheetLayout, rows: Sequence[ReadRow]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """This function will return the head and the lines of the sheet in which bad rows go back: as they stood, and why
    they were not taken.
    """
    width = len(layout.heads)
    lines = []
    for row in rows:
        cells = (*row.cells, *("",) * (width - len(row.cells)))
        why = "\n".join(f"{fault.cell or ''} {fault.words.zh} {fault.words.en}".strip() for fault in row.faults)
        lines.append((*cells[:width], str(row.number), why))
    return (*layout.heads, "原行号 row", "未采用原因 why not"), lines
