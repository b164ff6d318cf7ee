"""核验导出文件: every row of an exported file, held to the records of the log that it names.

Neighbours may rely on this: nothing of the file is believed but the signature of the checkpoint that it carries. The
log is hashed anew up to that checkpoint, whose root it must give; a row is made again from the record at its index, and
must be the same in every column. What does not hold is a `Finding`. Rows are remembered by 16 bytes each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Final, Protocol

import orjson

from app.audit import EvidenceError
from app.audit.checkpoint import Checkpoint, Verifier, open_checkpoint
from app.audit.merkle import Frontier, leaf_hash
from app.audit.origin import parts_of
from app.usecases.export_columns import CHECKPOINT, COLUMNS, NAMES, Cell, Kind, Row
from app.usecases.export_row import exported_row
from app.usecases.finding import Finding, shown
from app.usecases.ports import LogEntry

MOST_NAMED: Final = 100
_PAGE: Final = 1_000
_ORIGIN, _INDEX = NAMES.index("log_origin"), NAMES.index("log_index")
_NUMBERS: Final = frozenset({Kind.MONEY, Kind.RATE, Kind.SCORE})


class Records(Protocol):
    """Where the records of a log are read."""

    async def entries(self, lender: str, start: int, stop: int) -> Sequence[LogEntry]:
        """This function will return entries from the index `start` and before `stop`, in order."""
        ...


@dataclass(slots=True)
class _Told:
    """What the file says of one log."""

    notes: dict[str, None] = field(default_factory=dict)
    rows: dict[int, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class VerifiedRows:
    """How many rows, of how many logs, and what does not hold."""

    rows: int = 0
    logs: int = 0
    findings: list[Finding] = field(default_factory=list)

    def add(self, en: str, zh: str) -> None:
        """This function will name one more thing, as long as anybody reads on."""
        if len(self.findings) < MOST_NAMED:
            self.findings.append(Finding(en, zh))


async def verify_rows(
    read: Callable[[], Iterable[Row]],
    records: Records,
    verifiers_of: Callable[[str], Sequence[Verifier]],
    told: Callable[[int, int], None],
) -> VerifiedRows:
    """This function will verify the rows that `read` gives, again whenever it is called; `verifiers_of` gives the keys
    that may sign under a name. ValueError where the file is none of ours.
    """
    result = VerifiedRows()
    wrong: dict[tuple[Log, int], Row] = {}
    for log, said in _by_log(read(), result).items():
        checkpoint = _checkpoint(log, said, verifiers_of, result)
        if checkpoint is not None:
            result.logs += 1
            wrong |= await _hold(log, said, checkpoint, records, result, told)
    for row in read() if wrong else ():
        due = wrong.pop((_log_of(row), int(row[_INDEX] or 0)), None)
        if due is not None:
            _name_differences(row, due, result)
    return result


Log = tuple[str, str]
"""A log's own name and its lender: an origin, whatever epoch it names."""


def _log_of(row: Row) -> Log:
    parts = parts_of(str(row[_ORIGIN]))
    if parts is None or not isinstance(row[_INDEX], int):
        raise ValueError(f"the row of {row[0]} has no place in a log")
    return parts[0], parts[1]


def _by_log(rows: Iterable[Row], result: VerifiedRows) -> Mapping[Log, _Told]:
    logs: dict[Log, _Told] = {}
    for row in rows:
        result.rows += 1
        log, index, note = _log_of(row), int(row[_INDEX] or 0), row[CHECKPOINT]
        said = logs.setdefault(log, _Told())
        if isinstance(note, str) and note:
            said.notes[note] = None
        if index in said.rows:
            result.add(f"{log[1]} record {index}: stands in two rows", f"{log[1]} 第 {index} 条：出现在两行中")
        said.rows[index] = _digest(row)
    return logs


def _checkpoint(
    log: Log, said: _Told, verifiers_of: Callable[[str], Sequence[Verifier]], result: VerifiedRows
) -> Checkpoint | None:
    origin, count = log[1], len(said.notes)
    if count != 1:
        result.add(f"{origin}: {count} checkpoints instead of one", f"{origin}：有 {count} 个检查点，应为一个")
        return None
    note = next(iter(said.notes))
    try:
        found = open_checkpoint(note.encode(), verifiers_of(note.partition("\n")[0]))
    except EvidenceError as error:
        result.add(f"{origin}: {error.en}", f"{origin}：{error.zh}")
        return None
    parts = parts_of(found.origin)
    if parts is None or parts[:2] != log:
        result.add(f"{origin}: the checkpoint is of {found.origin}", f"{origin}：检查点属于 {found.origin}")
        return None
    for index in sorted(index for index in said.rows if not 0 <= index < found.size):
        result.add(
            f"{origin} record {index}: beyond the checkpoint, of {found.size} records",
            f"{origin} 第 {index} 条：超出检查点的 {found.size} 条记录",
        )
    return found


async def _hold(
    log: Log,
    said: _Told,
    checkpoint: Checkpoint,
    records: Records,
    result: VerifiedRows,
    told: Callable[[int, int], None],
) -> Mapping[tuple[Log, int], Row]:
    """Hashes the log anew, and gives what the wrong rows should have been."""
    wrong: dict[tuple[Log, int], Row] = {}
    frontier, origin = Frontier(), log[1]
    while frontier.size < checkpoint.size:
        start = frontier.size
        entries = await records.entries(log[1], start, min(start + _PAGE, checkpoint.size))
        if not entries or [entry.index for entry in entries] != list(range(start, start + len(entries))):
            result.add(f"{origin}: record {start} or one soon after is missing", f"{origin}：第 {start} 条起有缺失")
            return wrong
        leaves = [leaf_hash(entry.record) if entry.record else entry.leaf_hash for entry in entries]
        for entry, leaf in zip(entries, leaves, strict=True):
            due = said.rows.get(entry.index)
            if due is None:
                continue
            try:
                made = exported_row(entry.record, origin="", index=entry.index, leaf_hash=leaf.hex())
            except ValueError:
                zh = f"{origin} 第 {entry.index} 条：不是决策的记录，或其内容已按保存期清除"
                result.add(f"{origin} record {entry.index}: no decision's record, or one whose bytes were pruned", zh)
                continue
            if _digest(made) != due and len(wrong) < MOST_NAMED:
                wrong[log, entry.index] = made
        frontier = frontier.extend(leaves)
        told(frontier.size, checkpoint.size)
    if frontier.root() != checkpoint.root:
        result.add(
            f"{origin}: the log does not have the root that the file's checkpoint signs",
            f"{origin}：日志的根与文件所附检查点不符",
        )
    return wrong


def _name_differences(row: Row, due: Row, result: VerifiedRows) -> None:
    place = f"{row[_ORIGIN]} record {row[_INDEX]}", f"{row[_ORIGIN]} 第 {row[_INDEX]} 条"
    for name, said, held in _compared(row, due):
        result.add(
            f"{place[0]}: {name} is {shown(said)}, and {shown(held)} in the record",
            f"{place[1]}：{name} 为 {shown(said)}，记录为 {shown(held)}",
        )


def _compared(row: Row, due: Row) -> Iterator[tuple[str, Cell, Cell]]:
    for column, said, held in zip(COLUMNS[:CHECKPOINT], row, due, strict=False):
        if column.name != "log_origin" and _exact(column.kind, said) != _exact(column.kind, held):
            yield column.name, said, held


def _digest(row: Row) -> bytes:
    cells = [_exact(column.kind, cell) for column, cell in zip(COLUMNS[:CHECKPOINT], row, strict=False)]
    # A log's origin names its epoch, which no record does; its log and lender are told from it before.
    cells[_ORIGIN] = None
    return blake2b(orjson.dumps(cells), digest_size=16).digest()


def _exact(kind: Kind, cell: Cell) -> Cell:
    """One spelling for each value: files differ in zeros at the end, and in whether an empty text is nothing."""
    if cell is None or cell == "":
        return None
    if kind in _NUMBERS:
        return format(Decimal(str(cell)).normalize(), "f")
    return datetime.fromisoformat(str(cell)).isoformat() if kind is Kind.INSTANT else cell
