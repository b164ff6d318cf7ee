"""What the use cases need of the outside, and the values that cross to it.

Neighbours may rely on this: an adapter implements these protocols and nothing more; every value here is frozen and
made of plain types, so that the in-memory simulator, SQLite and PostgreSQL can be held to the same tests.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import sha256
from typing import Protocol

from app.domain.company import Application
from app.domain.standing import Commitment
from app.usecases.act_rows import ActsRead, ActsWanted, ActsWritten, KeyedAnswer, Member

# --- the hot road: lock and read, then write ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Submission:
    """One application on its way into a batch. `document` is the canonical form of the body as it was sent, which is
    what the key is bound to and what the record keeps; `lender` comes from the product id.
    """

    lender: str
    idempotency_key: str
    document: bytes
    application: Application
    submitted_by: str
    submitted_for: str | None = None
    """The person for whom a system speaks, as the system says."""
    keys_seen: int | None = None
    """The change of the API keys at which the caller's key or token was found sound; None where neither was used."""
    campaign: str | None = None
    """The campaign whose run asks: what is decided promises nothing and reserves nothing."""
    branches: tuple[str, ...] | None = None
    """The lender's branches whose affairs the caller may end; None: the whole lender's."""
    fingerprint: bytes = field(init=False)
    """What the idempotency key is bound to: SHA-256 over the document."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "fingerprint", sha256(self.document).digest())


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a batch must lock and read. Lenders are in id order; `companies` are (lender, uscc, group_id or None),
    the rest (lender, value). `acts` is None where the batch holds applications alone.
    """

    lenders: tuple[str, ...]
    keys: tuple[tuple[str, str], ...]
    companies: tuple[tuple[str, str, str | None], ...]
    applications: tuple[tuple[str, str], ...]
    acts: ActsWanted | None = None


@dataclass(frozen=True, slots=True)
class LogHead:
    """The end of one lender's log: `size` leaves, the Merkle frontier's bytes, and the newest recorded_at (None for
    an empty log).
    """

    lender: str
    size: int
    frontier: bytes
    recorded_at: datetime | None


@dataclass(frozen=True, slots=True)
class Previous:
    """The newest decision made for the same lender and application_id."""

    decision_id: str
    revision: int


@dataclass(frozen=True, slots=True)
class BatchState:
    """What was read under the locks. `now` is the database's clock (UTC), read once after the locks; `edition` the
    active catalogue's digest, None before the first activation; `commitments` are (lender, commitment) not yet
    closed or superseded and possibly live; `members` are those of every group that a company was sent with, was ever
    seen with or is registered in, whose commitments are therefore there; `acts` what was read for acts, None where none
    were asked for; `key_change` the newest change of the API keys, None where none are kept; `used_up` the subsidy
    programmes whose budget is; `left` are members who were taken out of a group by its register.
    """

    now: datetime
    edition: str | None
    heads: Mapping[str, LogHead]
    answered: Mapping[tuple[str, str], KeyedAnswer]
    previous: Mapping[tuple[str, str], Previous]
    commitments: Sequence[tuple[str, Commitment]]
    members: Sequence[Member] = ()
    acts: ActsRead | None = None
    key_change: int | None = None
    used_up: frozenset[str] = frozenset()
    left: Sequence[Member] = ()


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One leaf: `record` is the canonical bytes that `leaf_hash` (RFC 6962) is taken over."""

    lender: str
    index: int
    leaf_hash: bytes
    record: bytes


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """The columns by which people search; amounts in fen, score as its decimal text.

    The answer is not kept twice: it is the record's bytes from `answer_from` until `answer_until` and then `place`.
    """

    decision_id: str
    lender: str
    index: int
    idempotency_key: str
    fingerprint: bytes
    application_id: str
    revision: int
    supersedes: str | None
    product: str
    branch: str | None
    zone: str
    uscc: str
    stage: str | None
    score: str | None
    outcome: str
    reasons: tuple[str, ...]
    requested_amount: int
    credit_limit: int | None
    decided_on: date
    recorded_at: datetime
    submitted_by: str
    terms_digest: str
    answer_from: int
    answer_until: int
    place: bytes


def answer_in(record: bytes, answer_from: int, answer_until: int, place: bytes) -> bytes:
    """This function will put an answer together again from its record and its place in the log."""
    return record[answer_from:answer_until] + place


@dataclass(frozen=True, slots=True)
class OfferRow:
    """A new offer, open until `counts_until` (inclusive) unless it is superseded."""

    decision_id: str
    lender: str
    commitment: Commitment


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """The signed note over one lender's log at `size`."""

    lender: str
    size: int
    root: bytes
    note: bytes


@dataclass(frozen=True, slots=True)
class Sealed:
    """Everything one batch writes, in one transaction. `terms` are (digest, canonical bytes), each stored once;
    `superseded` (offer_id, by decision_id); `heads` replace the heads that were locked; `members` were seen with their
    group for the first time; `acts` is None where there are none. An empty batch of entries writes nothing.
    """

    entries: tuple[LogEntry, ...] = ()
    decisions: tuple[DecisionRow, ...] = ()
    offers: tuple[OfferRow, ...] = ()
    superseded: tuple[tuple[str, str], ...] = ()
    terms: tuple[tuple[str, bytes], ...] = ()
    heads: tuple[LogHead, ...] = ()
    checkpoints: tuple[SignedCheckpoint, ...] = ()
    members: tuple[Member, ...] = ()
    acts: ActsWritten | None = None


class CommitUnknown(Exception):
    """The connection was lost while COMMIT was on its way: the batch may or may not stand; the same key will tell."""


class StoreUnavailable(Exception):
    """The database cannot be reached or refuses to write; nothing was written."""


class Book(Protocol):
    """The durable book: one transaction a batch."""

    async def transact(self, wanted: Wanted, seal: Callable[[BatchState], Sealed]) -> Sealed:
        """This function will lock the heads in id order, read the state after the locks, call `seal` (pure, may run
        in another thread) and write what it returns, then commit; it returns only what is durable. Heads of lenders
        never seen before come as size 0. An exception from `seal` rolls back and is passed on. Raises
        CommitUnknown, StoreUnavailable.
        """


# --- reading --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """One decision as it was answered, its record and where it stands."""

    decision_id: str
    lender: str
    index: int
    answer: bytes
    record: bytes
    terms: bytes


@dataclass(frozen=True, slots=True)
class PrunedPlace:
    """Where in a log a record stood that was removed when its time was over."""

    lender: str
    index: int


@dataclass(frozen=True, slots=True)
class DecisionFilter:
    """What a search asks for; None means any. Dates are decided_on, from inclusive, until exclusive. `lenders` is the
    caller's scope (app/domain/access.py).
    """

    lenders: tuple[str, ...]
    outcome: str | None = None
    zone: str | None = None
    product: str | None = None
    uscc: str | None = None
    application_id: str | None = None
    reason: str | None = None
    decided_from: date | None = None
    decided_until: date | None = None


@dataclass(frozen=True, slots=True)
class ListedDecision:
    """A row of a list: position in its order (newest first by recorded_at, decision_id) and the answer's bytes."""

    recorded_at: datetime
    decision_id: str
    answer: bytes


class DecisionLog(Protocol):
    """The decision log as readers see it; it never locks the writer."""

    async def find(self, decision_id: str, lenders: Sequence[str]) -> StoredDecision | None:
        """This function will return the decision when it is within the scope `lenders`, else None."""

    async def pruned(self, decision_id: str, lenders: Sequence[str]) -> PrunedPlace | None:
        """This function will return where a decision stood that retention has removed; only whoever sees the whole of
        the lender is told.
        """

    async def search(
        self, asked: DecisionFilter, *, limit: int, after: tuple[datetime, str] | None
    ) -> Sequence[ListedDecision]:
        """This function will return up to `limit` rows, newest first, strictly after the given position."""

    async def lenders(self) -> tuple[str, ...]:
        """This function will return every lender that has a log, by id; the operator's own counts as one."""

    async def checkpoint_over(self, lender: str, index: int) -> SignedCheckpoint:
        """This function will return the first checkpoint of that log that covers the record. Raises LookupError."""

    async def newest_checkpoint(self, lender: str) -> SignedCheckpoint | None:
        """This function will return the newest checkpoint of that log, None where nothing has been recorded."""

    async def leaf_hashes(self, lender: str, start: int, stop: int) -> Sequence[bytes]:
        """This function will return the leaf hashes from `start` up to, and without, `stop`, in order."""

    async def commitments(self, lender: str, uscc: str, group_id: str | None, since: date) -> Sequence[Commitment]:
        """This function will return the company's and its group's open commitments with that lender whose last day
        is not before `since`.
        """

    async def answered(self, lender: str, idempotency_key: str) -> KeyedAnswer | None:
        """This function will return what the key is bound to, if it is."""

    def every_decision(
        self, lenders: Sequence[str] | None = None, *, since: datetime | None = None
    ) -> AsyncIterator[StoredDecision]:
        """This function will give every stored decision in log order, a page at a time; `since` leaves out those that
        were recorded before.
        """
        ...


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """Who previewed what: kept so that facts changed until the answer pleases can be seen."""

    preview_id: str
    previewed_at: datetime
    previewed_by: str
    lender: str
    product: str
    zone: str
    uscc: str
    on: date
    outcome: str
    credit_limit: int | None
    fingerprint: bytes
    branch: str | None = None
    previewed_for: str | None = None


class PreviewLog(Protocol):
    """Previews, kept apart from decisions."""

    async def keep(self, rows: Sequence[PreviewRow]) -> None:
        """This function will keep the rows durably."""

    async def search(
        self,
        lenders: Sequence[str],
        *,
        uscc: str | None,
        previewed_by: str | None,
        limit: int,
        after: tuple[datetime, str] | None = None,
    ) -> Sequence[PreviewRow]:
        """This function will return the newest rows within the scope `lenders` first, strictly after the position
        (previewed_at, preview_id).
        """


@dataclass(frozen=True, slots=True)
class Activation:
    """Which catalogue decides from when on; `activated_by` a subject."""

    digest: str
    activated_at: datetime
    activated_by: str


class CatalogueBook(Protocol):
    """The activations; the newest counts."""

    async def activate(
        self, digest: str, activated_by: str, recording: Callable[[LogHead, datetime, str | None], Sealed]
    ) -> Activation:
        """This function will write the activation and, in the same transaction, its record in the operator's log;
        activating what is active already changes nothing, records nothing, and returns the standing one.
        """

    async def active(self) -> Activation | None:
        """This function will return the newest activation."""


# --- what makes the use cases deterministic -------------------------------------------------------------------------


class Identifiers(Protocol):
    """Where new ids come from (UUIDv7 outside, counted in tests)."""

    def __call__(self) -> str: ...


class CheckpointSigner(Protocol):
    """Signs the head of a log."""

    def sign(self, origin: str, size: int, root: bytes) -> bytes:
        """This function will return the C2SP signed note."""
