"""操作日志: what those who run the installation do is a record, in a log like each lender's.

Neighbours may rely on this: a change and its record are one transaction: both stand or neither. So whoever writes a
change takes a `Recording`, made here, and its adapter calls it behind the lock on the operator's head:

    await database.catalogue.activate(digest, by, records.recording(OperatorAct.CATALOGUE_ACTIVATED, {...}, by=by))

What changes nothing records nothing. It is not hot: these logs grow by a few records a day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from app.audit.merkle import Frontier, leaf_hash
from app.audit.operator_record import OPERATOR, OperatorAct, OperatorRecord, operator_record_bytes
from app.audit.origin import origin_of, parts_of
from app.audit.record import LARGEST_RECORD
from app.usecases.ports import CheckpointSigner, LogEntry, LogHead, Sealed, SignedCheckpoint

Recording = Callable[[LogHead, datetime, str | None], Sealed]
"""Pure: behind this head, at this instant (not before the head's own), everything that the record writes. The third is
the name under which the newest checkpoint of the log was signed, None where there is none."""


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
        self._log_name = log_name

    def recording(
        self, act: OperatorAct, document: Mapping[str, Any], *, by: str, epoch: int | None = None
    ) -> Recording:
        """This function will return what seals the record: leaf, head and signed checkpoint. `document` is plain JSON
        without secrets; `by` the subject who acts; `epoch` is given where the record opens one of this very log.
        Raises ValueError when it is carried out, for a record too long.
        """

        def seal(head: LogHead, now: datetime, signed_as: str | None) -> Sealed:
            record = operator_record_bytes(OperatorRecord(act, document, by, now))
            if len(record) > LARGEST_RECORD:
                raise ValueError(f"an operator's record has at most {LARGEST_RECORD} bytes, not {len(record)}")
            leaf = leaf_hash(record)
            frontier = Frontier.from_bytes(head.size, head.frontier).extend((leaf,))
            root = frontier.root()
            origin = origin_of(self._log_name, OPERATOR, self._epoch(signed_as) if epoch is None else epoch)
            note = self._signer.sign(origin, frontier.size, root)
            return Sealed(
                entries=(LogEntry(OPERATOR, head.size, leaf, record),),
                heads=(LogHead(OPERATOR, frontier.size, frontier.to_bytes(), now),),
                checkpoints=(SignedCheckpoint(OPERATOR, frontier.size, root, note),),
            )

        return seal

    def _epoch(self, signed_as: str | None) -> int:
        """The log goes on under its name; one that is not ours is not taken up."""
        parts = None if signed_as is None else parts_of(signed_as)
        return parts[2] if parts is not None and parts[:2] == (self._log_name, OPERATOR) else 1
