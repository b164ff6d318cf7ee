"""外部检查点: each log's newest checkpoint, kept where whoever can change the database cannot change it.

Neighbours may rely on this: what lies outside is only ever replaced by a later checkpoint of the same log; where the
database has become older than it, it is left as it is, and that is said. A log's name decides the name under which its
checkpoint is kept, so that a new epoch never takes the place of the one whose end was lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from app.audit import EvidenceError
from app.audit.checkpoint import Checkpoint, open_checkpoint
from app.usecases.finding import Finding
from app.usecases.known_logs import KnownLogs
from app.usecases.log_trail import LogTrail
from app.usecases.self_check import Contradicted, contradicted

SUFFIX: Final = ".checkpoint"


class OutsideUnavailable(Exception):
    """The place outside cannot be reached, or does not take what is written."""


class Outside(Protocol):
    """A place outside the database: a folder, or what an address leads to."""

    async def read(self, name: str) -> bytes | None:
        """This function will return what is kept under the name, None where there is nothing. Raises
        OutsideUnavailable.
        """
        ...

    async def write(self, name: str, note: bytes) -> None:
        """This function will keep the note under the name, whole or not at all. Raises OutsideUnavailable."""
        ...


class OutsideNotOursError(EvidenceError):
    """What is kept outside under a log's name is no checkpoint of it."""


def kept_as(origin: str) -> str:
    """This function will return the name under which a log's checkpoint is kept."""
    return origin.rpartition("/")[2] + SUFFIX


async def read_outside(outside: Outside, known: KnownLogs, lenders: Iterable[str]) -> tuple[Checkpoint, ...]:
    """This function will return what is kept outside of these logs, of all their epochs, opened.

    Raises OutsideUnavailable, OutsideNotOursError.
    """
    found = []
    for lender in sorted(set(lenders)):
        for origin in known.origins(lender):
            checkpoint = await _read(outside, known, lender, origin)
            if checkpoint is not None:
                found.append(checkpoint)
    return tuple(found)


async def _read(outside: Outside, known: KnownLogs, lender: str, origin: str) -> Checkpoint | None:
    note = await outside.read(kept_as(origin))
    if note is None:
        return None
    try:
        checkpoint = open_checkpoint(note, known.verifiers(lender))
        if checkpoint.origin == origin:
            return checkpoint
        fault = Finding(f"it is of {checkpoint.origin}", f"它属于 {checkpoint.origin}")
    except EvidenceError as error:
        fault = Finding(error.en, error.zh)
    raise OutsideNotOursError(
        f"what is kept outside as {kept_as(origin)} is no checkpoint of {origin}: {fault.en}. Somebody changed it, or "
        "it is another installation's: find out whose it is, and move it away",
        f"外部保存的 {kept_as(origin)} 不是 {origin} 的检查点：{fault.zh}。它被改动过，或属于另一安装：请查明后移走",
    )


@dataclass(frozen=True, slots=True)
class Kept:
    """What came of keeping one log's checkpoint: how many records the one outside tells of now, or what is wrong."""

    size: int
    contradicted: Contradicted | None = None


async def keep(outside: Outside, trail: LogTrail, known: KnownLogs, lender: str) -> Kept:
    """This function will keep the log's newest checkpoint outside unless a later one is there already.

    Raises OutsideUnavailable, OutsideNotOursError, StoreUnavailable.
    """
    origin = known.origin(lender)
    there = await _read(outside, known, lender, origin)
    if there is not None:
        # Read after what lies outside: whatever that was copied from, the database had by then.
        for found in await contradicted(trail, known, (there,)):
            return Kept(there.size, found)
    extent = await trail.extent(lender)
    if extent.signed > (0 if there is None else there.size) and known.origin_of_size(lender, extent.signed) == origin:
        (newest,) = await trail.checkpoints(lender, extent.signed - 1, extent.signed)
        await outside.write(kept_as(origin), newest.note)
    return Kept(extent.signed)
