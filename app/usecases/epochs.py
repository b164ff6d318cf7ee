"""新纪元: a log goes on under another name after a restore that lost its end, once two people have answered for it.

Neighbours may rely on this: an epoch is asked for by one subject and opened by another; both times the database itself
must be sound and the very same checkpoints outside must contradict it. What is lost stays named in the operator's log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

import orjson

from app.audit.application import instant_text
from app.audit.canonical import canonical_bytes
from app.audit.operator_record import OPERATOR, OperatorAct
from app.audit.origin import origin_of
from app.usecases.finding import Finding
from app.usecases.known_logs import Epoch, KnownLogs
from app.usecases.log_trail import LogTrail
from app.usecases.operator_log import OperatorRecords, Recording
from app.usecases.outside import Outside, read_outside
from app.usecases.self_check import Contradicted, accounts_for, check_logs, contradicted
from app.usecases.verify import KnownLog

LONGEST_REASON = 500


class EpochRefused(Exception):
    """A new epoch cannot be asked for, or not be opened; `en` and `zh` say why and what to do."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.en, self.zh = en, zh


@dataclass(frozen=True, slots=True)
class EpochRequest:
    """What one person asks for: `logs` are the canonical bytes of what each log lost."""

    request_id: str
    logs: bytes
    reason: str
    requested_by: str
    requested_at: datetime
    opened_by: str | None = None

    @property
    def lost(self) -> list[Mapping[str, Any]]:
        """What each log lost, as the operator's record will tell it."""
        return orjson.loads(self.logs)


class EpochRequests(Protocol):
    """Requests for new epochs, until somebody else opens them."""

    async def ask(self, request: EpochRequest) -> None:
        """This function will keep the request."""

    async def find(self, request_id: str) -> EpochRequest | None:
        """This function will return the request, None where there is none."""

    async def open(self, request_id: str, by: str, recording: Recording) -> bool:
        """This function will close the request and write its record, in one transaction; False where it is closed."""


async def ask_for_epoch(
    trail: LogTrail, outside: Outside, requests: EpochRequests, known: KnownLogs, *, lenders: Iterable[str],
    reason: str, by: str, request_id: str, now: datetime,
) -> EpochRequest:  # fmt: skip
    """This function will ask for a new epoch of every log that the checkpoints outside contradict.

    Raises EpochRefused, LogsNotSoundError where the database is damaged in itself, OutsideUnavailable.
    """
    if not 0 < len(reason.strip()) <= LONGEST_REASON:
        raise EpochRefused(
            f"a reason of 1 to {LONGEST_REASON} characters is needed", f"须说明理由，1 至 {LONGEST_REASON} 字"
        )
    logs = await _lost(trail, outside, known, lenders)
    if not logs:
        raise EpochRefused(
            "no checkpoint outside contradicts the database: nothing is lost, and the service may start",
            "没有外部检查点与数据库矛盾：未丢失记录，服务可以启动",
        )
    request = EpochRequest(request_id, canonical_bytes(logs), reason.strip(), by, now)
    await requests.ask(request)
    return request


async def open_epoch(
    trail: LogTrail, outside: Outside, requests: EpochRequests, known: KnownLogs, records: OperatorRecords, *,
    lenders: Iterable[str], request_id: str, by: str,
) -> EpochRequest:  # fmt: skip
    """This function will open what another person has asked for, and put both on record.

    Raises EpochRefused, LogsNotSoundError, OutsideUnavailable.
    """
    request = await requests.find(request_id)
    if request is None or request.opened_by is not None:
        raise EpochRefused("there is no open request of that id", "没有该编号的待批申请")
    if _person(by) == _person(request.requested_by):
        raise EpochRefused(
            f"{request.requested_by} asked for it, so another person must open it",
            f"申请人为 {request.requested_by}，须由另一人开启",
        )
    if canonical_bytes(await _lost(trail, outside, known, lenders)) != request.logs:
        raise EpochRefused(
            "the database or the checkpoints outside have changed since it was asked for: ask anew",
            "申请之后数据库或外部检查点已变化：请重新申请",
        )
    document = {
        "logs": request.lost,
        "reason": request.reason,
        "request_id": request.request_id,
        "requested_at": instant_text(request.requested_at),
        "requested_by": request.requested_by,
    }
    own = [log["epoch"] for log in request.lost if log["log"] == OPERATOR]
    recording = records.recording(OperatorAct.LOG_EPOCH_OPENED, document, by=by, epoch=own[0] if own else None)
    if not await requests.open(request_id, by, recording):
        raise EpochRefused("somebody else has just opened it", "另一人刚刚开启了它")
    return replace(request, opened_by=by)


async def _lost(
    trail: LogTrail, outside: Outside, known: KnownLogs, lenders: Iterable[str]
) -> list[dict[str, str | int]]:
    logs = {OPERATOR, *lenders, *(lender for lender, _ in await trail.sizes())}
    await check_logs(trail, known, logs, ())
    found = await contradicted(trail, known, await read_outside(outside, known, logs))
    for one in found:
        if one.outside.origin != known.origin(one.lender):
            raise EpochRefused(
                f"{one.outside.origin} ended with an earlier epoch, which accounts for less than is kept outside: "
                "more was lost than was told then; keep that checkpoint as evidence, elsewhere",
                f"{one.outside.origin} 已于此前的纪元结束，而外部检查点超出当时承认的范围；请将该检查点另存为证据",
            )
    return [_of(known, one) for one in found]


def _of(known: KnownLogs, found: Contradicted) -> dict[str, str | int]:
    number = 2 + len(known.of(found.lender))
    return {
        "log": found.lender,
        "epoch": number,
        "origin": origin_of(known.log_name, found.lender, number),
        "old_origin": found.outside.origin,
        "old_size": found.outside.size,
        "old_root": found.outside.root.hex(),
        "restored_size": found.size,
    }


def _person(subject: str) -> str:
    # One person's account and API key may bear one name.
    return subject.removeprefix("cli:").casefold()


# ---- when logs are verified -----------------------------------------------------------------------------------------


def lost_range(epoch: Epoch, ended: str) -> Finding:
    """This function will say what was lost before the epoch, who answers for it and why; `ended` is the name before."""
    if epoch.old_size > epoch.restored_size:
        en = f"the records {epoch.restored_size} to {epoch.old_size - 1} of {ended} are lost"
        zh = f"{ended} 的第 {epoch.restored_size} 至 {epoch.old_size - 1} 条记录已丢失"
    else:
        en = f"{ended} had {epoch.old_size} records that are others than those here"
        zh = f"{ended} 曾有 {epoch.old_size} 条记录，与现有记录不同"
    return Finding(
        f"{en} (root {epoch.old_root.hex()}): epoch {epoch.number} was opened on {epoch.opened_at} by "
        f"{epoch.opened_by}, asked for by {epoch.requested_by}: {epoch.reason}",
        f"{zh}：{epoch.opened_at} 由 {epoch.requested_by} 申请、{epoch.opened_by} 开启第 {epoch.number} 纪元",
    )


def settled(log: KnownLog) -> tuple[KnownLog, tuple[Finding, ...]]:
    """This function will return the log with the outside checkpoints that its records can be held to, and a finding for
    each that tells of more than any epoch accounts for; what an epoch accounts for is left out.
    """
    if log.known is None:
        return log, ()
    origins, epochs = log.known.origins(log.lender), log.known.of(log.lender)
    kept, findings = [], []
    for checkpoint in log.outside:
        number = origins.index(checkpoint.origin)
        ended = epochs[number] if number < len(epochs) else None
        if ended is None or (checkpoint.size <= ended.restored_size and not accounts_for(ended, checkpoint)):
            kept.append(checkpoint)
        elif not accounts_for(ended, checkpoint):
            findings.append(Finding(
                f"the checkpoint kept outside tells of {checkpoint.size} records of {checkpoint.origin}, root "
                f"{checkpoint.root.hex()}; the epoch that followed accounts for {ended.old_size}, root "
                f"{ended.old_root.hex()}: more is lost than was told",
                f"外部检查点为 {checkpoint.origin} 的 {checkpoint.size} 条记录，"
                f"而其后的纪元仅承认 {ended.old_size} 条：丢失的多于所报",
            ))  # fmt: skip
    return replace(log, outside=tuple(kept)), tuple(findings)
