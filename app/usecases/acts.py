"""Acts: whatever goes on a lender's log besides the decision of an application — a person's review of a referral, an
event of an offer, an exception, an operation of a pool.

Neighbours may rely on this: an act takes the road of a decision. It queues at the same desk, is sealed in the same
batch and written in the same transaction, in the order in which it came; it is one leaf of the lender's log; its answer
is the recorded result, byte for byte, and its place; its Idempotency-Key is bound for ever, like a decision's, within
its lender and its `format`.

A new kind of act is one class and no new statement:

    class Review(Act):
        format = "jifendai/review/1"
        def wants(self):            what must be read under the lock: histories, offers, rows of tables
        def seal_into(self, work, record_id):   purely: look at `work`, raise an Obstacle or return a `Result`

`subject` is what it is about (a decision, an offer, a pool): the acts on one subject are its history, read back in the
order of the log, so that what is true of a subject can be told from its acts alone. Tables beside that (`Lookup`,
`Written`) are for what is shared or searched: a migration and app/adapters/database/tables.py name them, no adapter
does. Whoever changes what is promised returns `commitments`; the leaf that each act appends moves the head, which the
optimistic write of decisions depends on (docs/decisions/0004, 0009).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import sha256
from typing import ClassVar, Protocol

from app.audit.canonical import Document
from app.domain.company import Application
from app.domain.standing import Commitment, Waived
from app.usecases.act_rows import (
    ActRow,
    ActsRead,
    ActsWanted,
    ActsWritten,
    KeyedAnswer,
    Lookup,
    Member,
    NewRows,
    OfferStanding,
    Row,
    StoredAct,
    Value,
    Written,
)
from app.usecases.pool_book import PoolChange, PoolsInBatch
from app.usecases.ports import Submission
from app.usecases.room import Room


@dataclass(frozen=True, slots=True)
class Result:
    """What an act comes to: `state` is what it leaves its subject in, `shown` the rest of what is recorded and answered
    beside `record_id` and `recorded_at`; what follows is what it changes.
    """

    state: str
    shown: Mapping[str, Document]
    commitments: tuple[Commitment, ...] = ()
    rows: tuple[Written, ...] = ()
    pool_changes: tuple[PoolChange, ...] = ()
    joined: tuple[Member, ...] = ()
    left: tuple[Member, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Act(ABC):
    """One act on its way into a batch. `document` is the canonical form of the body as it was sent."""

    format: ClassVar[str]

    lender: str
    subject: str
    idempotency_key: str
    document: bytes
    submitted_by: str
    submitted_for: str | None = None
    """The person for whom a system speaks."""
    keys_seen: int | None = None
    """The change of the API keys at which the caller's was found sound; None where it was no key."""
    fingerprint: bytes = field(init=False)
    """What the key is bound to: SHA-256 over the subject, which the path names, and the document."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "fingerprint", act_fingerprint(self.subject, self.document))

    @property
    def key(self) -> tuple[str, str, str]:
        """What the idempotency key is unique within: lender and format."""
        return self.lender, self.format, self.idempotency_key

    @property
    def application(self) -> Application | None:
        """What is decided once more, for an act that asks for that: all that a decision needs is read then."""
        return None

    @property
    def companies(self) -> tuple[tuple[str, str, str | None], ...]:
        """Whose commitments must be read: (lender, uscc, group_id or None)."""
        return ()

    def wants(self) -> ActsWanted:
        """This function will say what must be read under the lock; the key is read for every act."""
        return ActsWanted(subjects=((self.lender, self.subject),))

    @abstractmethod
    def seal_into(self, work: Work, record_id: str) -> Result:
        """This function will purely work out what the act comes to. Raises Obstacle, with nothing changed."""


def act_fingerprint(subject: str, document: bytes) -> bytes:
    """This function will return what the idempotency key of an act is bound to."""
    return sha256(subject.encode() + b"\0" + document).digest()


class Work(Protocol):
    """A batch while it is sealed, as an act sees it: with all that came before it in the batch."""

    @property
    def now(self) -> datetime: ...

    @property
    def on(self) -> date: ...

    @property
    def room(self) -> Room: ...

    @property
    def pools(self) -> PoolsInBatch: ...

    def history(self, lender: str, subject: str) -> tuple[StoredAct, ...]:
        """This function will return the acts on a subject that was wanted, in the order of the log."""
        ...

    def offer(self, offer_id: str) -> OfferStanding | None:
        """This function will return what stands of an offer that was wanted."""
        ...

    def members(self, lender: str, group_id: str) -> frozenset[str]:
        """This function will return who belongs to a group whose members were read with an act's companies."""
        ...

    def newest_decision(self, lender: str, application_id: str) -> str | None:
        """This function will return the id of the newest decision of an application that was wanted, if it has one."""
        ...

    def rows(self, lookup: Lookup) -> tuple[Row, ...]:
        """This function will return the rows of a lookup that was wanted."""
        ...

    def decide_again(self, submission: Submission, waived: tuple[Waived, ...]) -> bytes:
        """This function will decide an application anew, some gates let go, and return the answer's bytes. It is the
        last thing that an act does: it is recorded, and the act right after it. Raises Obstacle, with nothing changed.
        """
        ...


class Acts(Protocol):
    """The acts as readers see them; they never lock the writer."""

    async def find(self, record_id: str, lenders: Sequence[str]) -> StoredAct | None:
        """This function will return the act when it belongs to one of the lenders, else None."""
        ...

    async def about(self, subjects: Sequence[str], lenders: Sequence[str]) -> Sequence[StoredAct]:
        """This function will return the acts on these subjects, each subject's in the order of the log."""
        ...

    async def search(
        self, formats: Sequence[str], lenders: Sequence[str], *, limit: int, after: tuple[datetime, str] | None
    ) -> Sequence[StoredAct]:
        """This function will return up to `limit` acts of these formats, newest first, strictly after the position
        (recorded_at, record_id).
        """
        ...

    async def answered(self, lender: str, act_format: str, idempotency_key: str) -> KeyedAnswer | None:
        """This function will return what the key is bound to, if it is."""
        ...


def wanted_of(acts: Iterable[Act]) -> ActsWanted:
    """This function will put together what the acts of a batch want, each thing once."""
    keys: dict[tuple[str, str, str], None] = {}
    parts: tuple[dict, ...] = ({}, {}, {}, {})
    for act in acts:
        keys[act.key] = None
        asked = act.wants()
        named = (asked.subjects, asked.offers, asked.rows, asked.applications)
        for part, found in zip(parts, named, strict=True):
            part.update(dict.fromkeys(found))
    return ActsWanted(tuple(keys), *map(tuple, parts))


class ActsInBatch:
    """What a batch knows of acts: what was read, and what its earlier acts have changed since."""

    def __init__(self, read: ActsRead) -> None:
        self.answered = dict(read.answered)
        self.offers = dict(read.offers)
        self._history = dict(read.history)
        self._rows: dict[str, list[dict[str, Value]]] = {}
        for lookup, found in read.rows.items():
            if not found:
                continue
            known = self._rows.setdefault(lookup.table, [])
            known += [dict(row) for row in found if dict(row) not in known]
        self._acts: list[ActRow] = []
        self._commitments: dict[str, tuple[str, Commitment]] = {}
        self._written: list[Written] = []

    def history(self, lender: str, subject: str) -> tuple[StoredAct, ...]:
        return self._history.get((lender, subject), ())

    def rows(self, lookup: Lookup) -> tuple[Row, ...]:
        return tuple(row for row in self._rows.get(lookup.table, ()) if row.get(lookup.column) == lookup.value)

    def add(self, row: ActRow, act: StoredAct, answer: KeyedAnswer, result: Result) -> None:
        self._acts.append(row)
        self.answered[row.lender, row.format, row.idempotency_key] = answer
        self._history[row.lender, row.subject] = (*self.history(row.lender, row.subject), act)
        for commitment in result.commitments:
            self._commitments[commitment.offer_id] = (row.lender, commitment)
            self.offers[commitment.offer_id] = OfferStanding(row.lender, commitment)
        for written in result.rows:
            self._write(written)

    def written(self, pools: tuple[Written | NewRows, ...]) -> ActsWritten:
        return ActsWritten(tuple(self._acts), tuple(self._commitments.values()), (*self._written, *pools))

    def _write(self, written: Written) -> None:
        self._written.append(written)
        known = self._rows.setdefault(written.table, [])
        if written.key is None:
            known.append(dict(written.values))
            return
        for row in known:
            if all(row.get(name) == value for name, value in written.key.items()):
                row.update(written.values)
