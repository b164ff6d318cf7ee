"""What crosses between acts and the book: what a batch must have read for its acts, what was found, and what it writes.

Neighbours may rely on this: every value is frozen and made of plain types; a table is named as the migrations name it,
and no adapter knows which act reads or writes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

from app.domain.standing import Commitment

Member = tuple[str, str, str]
"""A company in a group, as one lender knows it: (lender, uscc, group_id)."""
Value = str | int | bool | bytes | date | datetime | None
Row = Mapping[str, Value]


class Lookup(NamedTuple):
    """The rows of a table in which `column` has that value. `locked` holds them against every other writer until the
    commit: for what several lenders share; what is one lender's own is guarded by the head of his log.
    """

    table: str
    column: str
    value: str
    locked: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """A row to write: a new one, or, where `key` is given, changes of the row that it names."""

    table: str
    values: Row
    key: Row | None = None


@dataclass(frozen=True, slots=True)
class NewRows:
    """Many new rows of one table, each its values in the order of `columns`."""

    table: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


@dataclass(frozen=True, slots=True)
class ActsWanted:
    """What acts must have read: `keys` are (lender, format, idempotency key), `subjects` (lender, subject), `offers`
    ids; `applications` those whose newest decision is asked for.
    """

    keys: tuple[tuple[str, str, str], ...] = ()
    subjects: tuple[tuple[str, str], ...] = ()
    offers: tuple[str, ...] = ()
    rows: tuple[Lookup, ...] = ()
    applications: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class StoredAct:
    """An act as it was recorded: `record` are the leaf's bytes, the answer is found in them; `state` is what it left
    its subject in.
    """

    record_id: str
    lender: str
    index: int
    format: str
    subject: str
    state: str
    recorded_at: datetime
    submitted_by: str
    record: bytes
    answer: bytes


@dataclass(frozen=True, slots=True)
class OfferStanding:
    """What the book holds of an offer: what it counts as, and the decision that superseded it, if one has."""

    lender: str
    commitment: Commitment
    superseded_by: str | None = None


@dataclass(frozen=True, slots=True)
class ActsRead:
    """What was read for acts, under the lock; what was not found is absent. Histories are in the order of the log."""

    answered: Mapping[tuple[str, str, str], KeyedAnswer] = field(default_factory=dict)
    history: Mapping[tuple[str, str], tuple[StoredAct, ...]] = field(default_factory=dict)
    offers: Mapping[str, OfferStanding] = field(default_factory=dict)
    rows: Mapping[Lookup, tuple[Row, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ActRow:
    """An act's columns. The answer is not kept twice: it is the record's bytes from `answer_from` until `answer_until`
    and then `place`.
    """

    record_id: str
    lender: str
    index: int
    format: str
    idempotency_key: str
    fingerprint: bytes
    subject: str
    state: str
    recorded_at: datetime
    submitted_by: str
    answer_from: int
    answer_until: int
    place: bytes


@dataclass(frozen=True, slots=True)
class ActsWritten:
    """What a batch writes for its acts; `commitments` are (lender, what an offer counts as from now on)."""

    acts: tuple[ActRow, ...] = ()
    commitments: tuple[tuple[str, Commitment], ...] = ()
    rows: tuple[Written | NewRows, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyedAnswer:
    """What an idempotency key is bound to."""

    fingerprint: bytes
    answer: bytes


class MoreWanted(Exception):
    """Only what was read told what else must be read: the batch is undone and asked anew with these as well."""

    def __init__(self, *lookups: Lookup) -> None:
        super().__init__(*lookups)
        self.lookups = lookups
