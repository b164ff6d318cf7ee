"""操作日志: what those who run the installation do is a record, in a log like each lender's.

Neighbours may rely on this: a change and its record are one transaction: both stand or neither. So whoever writes a
change takes a `Recording`, made here, and its adapter calls it behind the lock on the operator's head:

    await database.catalogue.activate(digest, by, records.recording(Act.CATALOGUE_ACTIVATED, {...}, by=by))

What changes nothing records nothing. It is not hot: these logs grow by a few records a day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from app.audit.merkle import Frontier, leaf_hash
from app.audit.operator_record import OPERATOR, Act, OperatorRecord, operator_record_bytes
from app.audit.record import LARGEST_RECORD
from app.usecases.ports import CheckpointSigner, LogEntry, LogHead, Sealed, SignedCheckpoint

Recording = Callable[[LogHead, datetime], Sealed]
"""Pure: behind this head, at this instant (not before the head's own), everything that the record writes."""


class OperatorLog(Protocol):
    """The operator's log; its checkpoints and leaf hashes are read like any log's, under the name `OPERATOR`."""

    async def append(self, recording: Recording) -> LogEntry:
        """This function will write a record that belongs to no change in the database; durable when it returns."""
        ...

    async def entries(self, *, before: int | None, limit: int) -> Sequence[LogEntry]:
        """This function will return up to `limit` records, newest first, from below the index `before` (None: from the
        end).
        """
        ...


class OperatorRecords:
    """Makes the operator's records of one installation."""

    def __init__(self, signer: CheckpointSigner, log_name: str) -> None:
        self._signer = signer
        self._origin = f"{log_name}/{OPERATOR}"

    def recording(self, act: Act, document: Mapping[str, Any], *, by: str) -> Recording:
        """This function will return what seals the record: leaf, head and signed checkpoint. `document` is plain JSON
        without secrets; `by` the subject who acts. Raises ValueError when it is carried out, for a record too long.
        """

        def seal(head: LogHead, now: datetime) -> Sealed:
            record = operator_record_bytes(OperatorRecord(act, document, by, now))
            if len(record) > LARGEST_RECORD:
                raise ValueError(f"an operator's record has at most {LARGEST_RECORD} bytes, not {len(record)}")
            leaf = leaf_hash(record)
            frontier = Frontier.from_bytes(head.size, head.frontier).extend((leaf,))
            root = frontier.root()
            note = self._signer.sign(self._origin, frontier.size, root)
            return Sealed(
                entries=(LogEntry(OPERATOR, head.size, leaf, record),),
                heads=(LogHead(OPERATOR, frontier.size, frontier.to_bytes(), now),),
                checkpoints=(SignedCheckpoint(OPERATOR, frontier.size, root, note),),
            )

        return seal
