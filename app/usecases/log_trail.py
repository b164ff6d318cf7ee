"""What a database holds of its logs and of what was promised, for whoever verifies it; nothing of it is believed.

Neighbours may rely on this: rows come as they are stored, every column by name; pages are of the adapter's size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from app.domain.standing import Commitment
from app.usecases.act_rows import StoredAct, Value
from app.usecases.ports import DecisionRow, LogEntry, LogHead, OfferRow, SignedCheckpoint, StoredDecision


@dataclass(frozen=True, slots=True)
class StoredCover:
    """What is stored of an offer in its pool's book (None: no row), its entries by their number among the lender's;
    whether the decision that they name was pruned.
    """

    values: Mapping[str, Any] | None = None
    entries: Sequence[Mapping[str, Any]] = ()
    pruned: bool = False


@dataclass(frozen=True, slots=True)
class StoredLine:
    """What an offer is stored as counting as since its first event (None: no row), the events on it in log order, the
    decision that made the offer, the one that took its place and when, and its cover; `acts_until` is the index before
    which the log's acts had been recorded.
    """

    offer_id: str
    values: Mapping[str, Any] | None
    acts: Sequence[StoredAct]
    decision: StoredDecision | None
    superseded: tuple[str, datetime] | None = None
    cover: StoredCover = StoredCover()
    acts_until: int = 0


@dataclass(frozen=True, slots=True)
class PartSums:
    """What the entries of one holder of a pool (None: its own capital) come to: how many there are, whether their own
    numbers count from 0 without a gap and in the order of their recording, and their sums by column.
    """

    holder: str | None
    entries: int
    in_order: bool
    sums: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class StoredPool:
    """One pool's book as it is stored, all of one moment: its own row, its holders' rows, what its entries come to,
    holder by holder, and whether their numbers count from 0 without a gap.
    """

    own: Mapping[str, Any] | None
    holders: Sequence[Mapping[str, Any]]
    parts: Sequence[PartSums]
    numbered: bool


@dataclass(frozen=True, slots=True)
class StoredOperatorRows:
    """What the operator's acts have made, all of one moment: the acts, in the order of the log; the entries of pools'
    own capital by pool and number; managers' statements; the newest state of budgets; and, by pool, at what ratio's
    numerator its stop was lifted.
    """

    acts: Sequence[StoredAct]
    capital: Sequence[Mapping[str, Any]]
    statements: Sequence[Mapping[str, Any]]
    budgets: Sequence[Mapping[str, Any]]
    lifted: Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class StoredMember:
    """One company's row of a group; `since`: a decision on it, or a registration of the group, is there that the
    verification does not reach.
    """

    uscc: str
    group_id: str
    is_member: bool
    since: bool


class PoolTrail(Protocol):
    """What is stored of pools and budgets, for whoever verifies it."""

    async def uncovered(self, lender: str, offer_ids: Sequence[str]) -> Sequence[str]:
        """This function will return those of these offers of which there is no cover's row."""
        ...

    async def claims(self, lender: str) -> tuple[Sequence[Mapping[str, Any]], int]:
        """This function will return the lender's claims, and the index before which its acts had been recorded."""
        ...

    async def entries_of_no_offer(self, lender: str) -> Sequence[str]:
        """This function will name, by record, up to 100 of the lender's entries that are of no offer."""
        ...

    async def pools(self) -> Sequence[str]:
        """This function will return the id of every pool of which there is a row."""
        ...

    async def pool(self, pool: str, cover: Callable[[Mapping[str, Any]], None]) -> StoredPool:
        """This function will return a pool's book, and give `cover` each of its covers that holds room until a day."""
        ...

    async def operator_rows(self) -> StoredOperatorRows:
        """This function will return what the operator's acts have made."""
        ...

    def stored(self, values: Mapping[str, Value]) -> Mapping[str, Any]:
        """This function will return the values as a row holds them."""
        ...


class StandingTrail(Protocol):
    """What is stored of what was promised, for whoever verifies it."""

    async def lines(self, lender: str, after: str) -> Sequence[StoredLine]:
        """This function will return a page of the offers with a credit line, an event, a cover or an entry, by id
        behind `after`, all of one moment; nothing at the end.
        """
        ...

    async def pool_acts(self, lender: str, since: int = 0) -> Sequence[StoredAct]:
        """This function will return the lender's acts on pools that tell of a line, in the order of the log, from the
        index `since` on.
        """
        ...

    def stored_line(self, lender: str, commitment: Commitment) -> Mapping[str, Any]:
        """This function will return the columns that a credit line is stored as."""
        ...

    async def members(self, lender: str, until: int) -> Sequence[StoredMember]:
        """This function will return every row of the lender's groups; `since` where a decision on the company or a
        registration of the group stands at or behind the index `until`.
        """
        ...


@dataclass(frozen=True, slots=True)
class LogExtent:
    """How far a log reaches, read at one moment: its head, one more than the greatest index of an entry, and the size
    of the newest stored checkpoint; nothing of this is believed.
    """

    head: LogHead | None
    entries: int
    signed: int


@dataclass(frozen=True, slots=True)
class StoredLeaf:
    """One entry of a log as it is stored, and the row of the decision or act that it is said to be of, if there is one:
    every column by name, as the database itself holds it.
    """

    index: int
    leaf_hash: bytes
    record: bytes
    decision_id: str | None
    row: Mapping[str, Any] | None
    act: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class StoredOffer:
    """The row of an offer, every column by name; the index of the decision that it says has superseded it, or whether
    that one was pruned; and whether events have made a credit line of it.
    """

    values: Mapping[str, Any]
    superseded_at: int | None
    superseded_by_pruned: bool
    has_line: bool


@dataclass(frozen=True, slots=True)
class OffersBeyond:
    """What the table of offers holds for one lender: how many belong to decisions of its log, and the ids of those that
    belong to none.
    """

    count: int
    unlisted: tuple[str, ...]


class LogTrail(Protocol):
    """What a database holds of its logs, for whoever verifies it; pages are of the adapter's size and empty at the
    end.
    """

    standing: StandingTrail
    pools: PoolTrail

    async def lenders(self) -> tuple[str, ...]:
        """This function will return every lender of which there is a row."""

    async def sizes(self) -> Sequence[tuple[str, int]]:
        """This function will return how many records each log's head tells of, at one moment."""

    async def extent(self, lender: str) -> LogExtent:
        """This function will return how far the log reaches."""

    async def leaves(self, lender: str, after: int | None, until: int) -> Sequence[StoredLeaf]:
        """This function will return the entries behind the index `after` (None: from the first) and before `until`."""

    async def checkpoints(self, lender: str, after: int, until: int) -> Sequence[SignedCheckpoint]:
        """This function will return the checkpoints of more than `after` and at most `until` records, by size."""

    async def newest_checkpoint(self, lender: str, until: int | None = None) -> SignedCheckpoint | None:
        """This function will return the newest checkpoint of at most `until` records (None: of all), if there is
        one.
        """

    async def entries(self, lender: str, start: int, stop: int) -> Sequence[LogEntry]:
        """This function will return a page of entries from the index `start` on and before `stop`, in order, without
        what belongs to them; none once there are no more.
        """

    async def leaf_hashes(self, lender: str, start: int, stop: int) -> Sequence[bytes]:
        """This function will return the leaf hashes from `start` up to, and without, `stop`, in order."""

    async def decisions_without_leaf(self, lender: str, limit: int) -> Sequence[str]:
        """This function will return ids of decisions whose place in the log is not that of their own record."""

    async def acts_without_leaf(self, lender: str, limit: int) -> Sequence[str]:
        """This function will return ids of acts whose place in the log is no record, or a decision's."""

    async def terms(self) -> Sequence[tuple[str, bytes]]:
        """This function will return all stored terms: digest and canonical bytes."""

    def stored_row(self, row: DecisionRow) -> Mapping[str, Any]:
        """This function will return the columns that the row is stored as."""

    async def offers(self, offer_ids: Sequence[str]) -> Mapping[str, StoredOffer]:
        """This function will return the offers of those ids, by id; at most 500 are asked for."""

    def stored_offer(self, row: OfferRow, superseded_by: str | None) -> Mapping[str, Any]:
        """This function will return the columns that the offer is stored as."""

    async def offers_beyond(self, lender: str, until: int) -> OffersBeyond:
        """This function will count the lender's offers of decisions before the index `until`, and name up to 100 that
        are of no decision of its log.
        """
