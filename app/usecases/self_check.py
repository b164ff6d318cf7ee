"""自检: before the service serves, each log is held to what was last signed over it, here and outside.

Neighbours may rely on this: it reads a few rows a log and never the records, so it takes milliseconds however large a
log is. It names a database that was cut, damaged, or set back to an older state of itself (a stale restore); records
changed in the middle are found by `jifendai verify database`, which hashes them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.audit import EvidenceError
from app.audit.checkpoint import Checkpoint, open_checkpoint
from app.audit.merkle import Frontier
from app.audit.operator_record import OPERATOR
from app.usecases.finding import Finding
from app.usecases.known_logs import Epoch, KnownLogs
from app.usecases.log_trail import LogExtent, LogTrail


class LogsNotSoundError(Exception):
    """The database does not fit what was signed over it; `findings` say what, of which log, and what to do."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("\n".join(found.en for found in findings))
        self.findings = findings


@dataclass(frozen=True, slots=True)
class Contradicted:
    """A checkpoint kept outside that the database does not reach, or does not fit: a new epoch may account for it."""

    lender: str
    outside: Checkpoint
    size: int
    """How many records the database has."""

    @property
    def finding(self) -> Finding:
        """What to say of it."""
        there = f"{self.outside.origin}: the checkpoint kept outside tells of {self.outside.size} records"
        zh_there = f"{self.outside.origin}：外部检查点为 {self.outside.size} 条记录"
        if self.outside.size > self.size:
            en, zh = f"the database has {self.size}: it is older", f"数据库仅有 {self.size} 条，早于外部检查点"
        else:
            en, zh = "the database's own of that size is another, or missing", "数据库中同一大小的检查点与其不同或缺失"
        return Finding(
            f"{there}, {en}. It was restored from a stale copy, cut off or rebuilt. Restore a newer copy; if there is "
            "none, two people open a new epoch: jifendai log new-epoch --reason …",
            f"{zh_there}，{zh}。系由旧备份恢复、被截断或重建。"
            "请恢复更新的备份；若没有，须由两人开启新纪元：jifendai log new-epoch --reason …",
        )


async def check_logs(
    trail: LogTrail, known: KnownLogs, lenders: Iterable[str], outside: Sequence[Checkpoint]
) -> None:
    """This function will return if every log holds; `outside` are checkpoints kept elsewhere, opened. Raises
    LogsNotSoundError.
    """
    findings: list[Finding] = []
    for lender in sorted({OPERATOR, *lenders}):
        extent = await trail.extent(lender)
        findings += await _faults(trail, known, lender, extent)
    findings += [found.finding for found in await contradicted(trail, known, outside)]
    if findings:
        raise LogsNotSoundError(tuple(findings))


async def contradicted(
    trail: LogTrail, known: KnownLogs, outside: Sequence[Checkpoint]
) -> tuple[Contradicted, ...]:
    """This function will return the outside checkpoints that the database contradicts and no epoch accounts for."""
    found = []
    by_origin: Mapping[str, tuple[str, int]] = {
        origin: (lender, number)
        for lender in {OPERATOR, *(epoch.lender for epoch in known.epochs), *_lenders(known, outside)}
        for number, origin in enumerate(known.origins(lender))
    }
    for checkpoint in outside:
        lender, number = by_origin[checkpoint.origin]
        epochs = known.of(lender)
        ended = epochs[number] if number < len(epochs) else None
        if ended is not None and accounts_for(ended, checkpoint):
            continue
        extent = await trail.extent(lender)
        size = extent.signed if ended is None else ended.restored_size
        stored = await trail.checkpoints(lender, checkpoint.size - 1, checkpoint.size)
        fits = checkpoint.size <= size and [c.root for c in stored] == [checkpoint.root]
        if checkpoint.size and not fits:
            found.append(Contradicted(lender, checkpoint, size))
    return tuple(found)


def accounts_for(ended: Epoch, checkpoint: Checkpoint) -> bool:
    """This function will tell whether the loss that two people accepted is the one that the checkpoint tells of."""
    if checkpoint.size == ended.old_size:
        return checkpoint.root == ended.old_root
    return ended.restored_size < checkpoint.size < ended.old_size


def _lenders(known: KnownLogs, outside: Sequence[Checkpoint]) -> set[str]:
    start = f"{known.log_name}/"
    return {checkpoint.origin.removeprefix(start).partition("@")[0] for checkpoint in outside}


# ---- one log --------------------------------------------------------------------------------------------------------


async def _faults(trail: LogTrail, known: KnownLogs, lender: str, extent: LogExtent) -> list[Finding]:
    origin, head = known.origin(lender), extent.head
    size = 0 if head is None else head.size
    if not size == extent.entries == extent.signed:
        return [_damaged(
            origin, f"its head tells of {size} records, there are {extent.entries}, and {extent.signed} were signed",
            f"日志头为 {size} 条，现有 {extent.entries} 条，已签名 {extent.signed} 条",
        )]  # fmt: skip
    if not size:
        return []
    (newest,) = await trail.checkpoints(lender, size - 1, size)
    try:
        signed = open_checkpoint(newest.note, known.verifiers(lender, size))
        root = Frontier.from_bytes(head.size, head.frontier).root()
    except EvidenceError as error:
        return [_damaged(origin, f"its newest checkpoint: {error.en}", f"最新检查点：{error.zh}")]
    except ValueError:
        return [_damaged(origin, "its head cannot be read", "日志头无法读取")]
    expected = known.origin_of_size(lender, size)
    if (signed.origin, signed.size) != (expected, size):
        return [_damaged(
            origin, f"its newest checkpoint is of {signed.origin} over {signed.size} records",
            f"最新检查点属于 {signed.origin}，{signed.size} 条记录",
        )]  # fmt: skip
    if not signed.root == root == newest.root:
        return [_damaged(
            origin, f"its head leads to the root {root.hex()}, signed is {signed.root.hex()}",
            f"日志头推出的根为 {root.hex()}，签名为 {signed.root.hex()}",
        )]  # fmt: skip
    return []


def _damaged(origin: str, en: str, zh: str) -> Finding:
    return Finding(
        f"{origin}: {en}. The database was damaged or changed, or JIFENDAI_LOG_NAME or the signing key is another "
        "one's; `jifendai verify database` names every place. Put settings right, or restore a sound copy",
        f"{origin}：{zh}。数据库受损或被改动，或日志名称、签名密钥有误；"
        "`jifendai verify database` 可逐项指出。请更正设置或恢复完好的备份",
    )
