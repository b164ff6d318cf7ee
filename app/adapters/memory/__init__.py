"""A database that lives in memory: what tests and measurements use where a real one is not the point.

Neighbours may rely on this: it passes the very tests that SQLite and PostgreSQL pass, apart from surviving a restart;
and it can be told to fail where a real one may (`MemoryBook.next_failure`). Campaigns, webhooks and retention have no
twin here: no use case reads them but through a database, so that one would stand in for nothing and prove only itself;
their tests run on both real ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from app.adapters.clock import utc_now
from app.adapters.memory.acts import MemoryActs, MemoryOffers
from app.adapters.memory.pools import MemoryPools
from app.adapters.memory.previews import MemoryPreviewLog
from app.adapters.memory.reviews import MemoryReviewQueue
from app.adapters.memory.score_snapshots import MemoryScoreSnapshots
from app.adapters.memory.search import MemoryDecisionSearch, MemoryDecisionStatistics
from app.adapters.memory.subsidy_budgets import MemorySubsidyBudgets
from app.audit.operator_record import OPERATOR
from app.domain.access import sees
from app.domain.standing import Commitment
from app.usecases.act_rows import (
    ActRow,
    ActsRead,
    ActsWanted,
    ActsWritten,
    KeyedAnswer,
    Member,
    NewRows,
    OfferStanding,
    StoredAct,
    Value,
)
from app.usecases.keys import ApiKey, KeyChanges
from app.usecases.operator_log import Recording
from app.usecases.ports import (
    Activation,
    BatchState,
    DecisionFilter,
    DecisionRow,
    ListedDecision,
    LogEntry,
    LogHead,
    OfferRow,
    PreviewRow,
    Previous,
    PrunedPlace,
    Sealed,
    SignedCheckpoint,
    StoredDecision,
    Wanted,
    answer_in,
)
from app.usecases.tokens import DecideTokens, RevokedToken, TokenChange

Clock = Callable[[], datetime]


@dataclass(slots=True)
class _Tables:
    heads: dict[str, LogHead] = field(default_factory=dict)
    entries: dict[tuple[str, int], LogEntry] = field(default_factory=dict)
    decisions: dict[str, DecisionRow] = field(default_factory=dict)
    by_key: dict[tuple[str, str], DecisionRow] = field(default_factory=dict)
    by_application: dict[tuple[str, str], DecisionRow] = field(default_factory=dict)
    offers: dict[str, OfferRow] = field(default_factory=dict)
    superseded: dict[str, str] = field(default_factory=dict)
    terms: dict[str, bytes] = field(default_factory=dict)
    checkpoints: list[SignedCheckpoint] = field(default_factory=list)
    previews: list[PreviewRow] = field(default_factory=list)
    activations: list[Activation] = field(default_factory=list)
    keys: dict[str, ApiKey] = field(default_factory=dict)
    key_change: int = 0
    revoked_tokens: dict[tuple[str, str], RevokedToken] = field(default_factory=dict)
    acts: dict[str, ActRow] = field(default_factory=dict)
    rows: dict[str, list[dict[str, Value]]] = field(default_factory=dict)
    lines: dict[str, Commitment] = field(default_factory=dict)
    members: set[Member] = field(default_factory=set)
    left: set[Member] = field(default_factory=set)

    def stored_acts(self) -> list[StoredAct]:
        return [self._stored(row) for row in sorted(self.acts.values(), key=lambda row: (row.lender, row.index))]

    def answered_act(self, key: tuple[str, str, str]) -> KeyedAnswer | None:
        found = [row for row in self.acts.values() if (row.lender, row.format, row.idempotency_key) == key]
        return KeyedAnswer(found[0].fingerprint, self._stored(found[0]).answer) if found else None

    def _stored(self, row: ActRow) -> StoredAct:
        record = self.entries[row.lender, row.index].record
        return StoredAct(
            row.record_id, row.lender, row.index, row.format, row.subject, row.state, row.recorded_at,
            row.submitted_by, record, answer_in(record, row.answer_from, row.answer_until, row.place),
        )  # fmt: skip

    def every_decision(self) -> list[tuple[DecisionRow, bytes]]:
        """This function will return each decision's row and record."""
        return [(row, self.entries[row.lender, row.index].record) for row in self.decisions.values()]

    def answer(self, row: DecisionRow) -> bytes:
        """This function will put a decision's answer together again."""
        return answer_in(self.entries[row.lender, row.index].record, row.answer_from, row.answer_until, row.place)

    def record(self, recording: Recording, now: datetime) -> LogEntry:
        """This function will write an operator's record."""
        head = self.heads.get(OPERATOR, LogHead(OPERATOR, 0, b"", None))
        notes = [c.note for c in self.checkpoints if (c.lender, c.size) == (OPERATOR, head.size)]
        signed_as = notes[-1].partition(b"\n")[0].decode() if notes else None
        sealed = recording(head, now if head.recorded_at is None else max(now, head.recorded_at), signed_as)
        self.heads.update({head.lender: head for head in sealed.heads})
        self.entries.update({(entry.lender, entry.index): entry for entry in sealed.entries})
        self.checkpoints.extend(sealed.checkpoints)
        return sealed.entries[0]

    def open_offers(self, since: date) -> list[tuple[str, Commitment]]:
        counting = [
            (o.lender, self.lines.get(name, o.commitment).counts_on(since))
            for name, o in self.offers.items()
            if name not in self.superseded
        ]
        return [
            (lender, self.lines.get(found.offer_id, found)) for lender, found in counting if found is not None
        ]

    def members_of(self, companies: Iterable[tuple[str, str, str | None]]) -> tuple[Member, ...]:
        asked = {(lender, group) for lender, _, group in companies}
        asked |= {
            (lender, group)
            for lender, uscc, group in self.members
            if any((lender, uscc) == company[:2] for company in companies)
        }
        return tuple(member for member in sorted(self.members) if (member[0], member[2]) in asked)


class MemoryDatabase:
    """One database in memory, port by port."""

    def __init__(self, clock: Clock = utc_now) -> None:
        tables = _Tables()
        self.book = MemoryBook(tables, clock)
        self.decisions = MemoryDecisionLog(tables)
        self.acts = MemoryActs(tables)
        self.offers = MemoryOffers(self.decisions, tables)
        self.pools = MemoryPools(tables.rows)
        self.budgets = MemorySubsidyBudgets(tables.rows)
        self.search = MemoryDecisionSearch(tables.every_decision, tables.answer)
        self.reviews = MemoryReviewQueue(tables.every_decision, tables.stored_acts)
        self.statistics = MemoryDecisionStatistics(tables.every_decision)
        self.previews = MemoryPreviewLog(tables.previews)
        self.score_snapshots = MemoryScoreSnapshots()
        self.catalogue = MemoryCatalogueBook(tables, clock)
        self.keys = MemoryKeyRing(tables, clock)
        self.operator = MemoryOperatorLog(tables, clock)

    async def start(self) -> None:
        """This function will do nothing: there is nothing to start."""

    async def close(self) -> None:
        """This function will do nothing: there is nothing to give back."""

    async def ready(self) -> list[str]:
        """This function will return no problem."""
        return []


class MemoryBook:
    """The book in memory; `next_failure` is raised once, by the next batch, at its commit, with nothing written."""

    def __init__(self, tables: _Tables, clock: Clock) -> None:
        self._tables = tables
        self._clock = clock
        self._turn = asyncio.Lock()
        self.next_failure: Exception | None = None

    async def transact(self, wanted: Wanted, seal: Callable[[BatchState], Sealed]) -> Sealed:
        """This function will read, seal and write, one batch at a time."""
        async with self._turn:
            sealed = seal(self._read(wanted))
            # Others run while a real database writes; so they do here.
            await asyncio.sleep(0)
            if self.next_failure is not None:
                failure, self.next_failure = self.next_failure, None
                raise failure
            if sealed.entries:
                self._write(sealed)
            return sealed

    def _read(self, wanted: Wanted) -> BatchState:
        t = self._tables
        heads = {lender: t.heads.get(lender, LogHead(lender, 0, b"", None)) for lender in wanted.lenders}
        now = max([self._clock(), *(head.recorded_at for head in heads.values() if head.recorded_at is not None)])
        edition = t.activations[-1].digest if t.activations else None
        members = t.members_of(wanted.companies)
        companies = {(lender, uscc) for lender, uscc, _ in (*wanted.companies, *members)}
        applications = set(wanted.applications)
        return BatchState(
            now=now,
            edition=edition,
            heads=heads,
            answered={
                key: KeyedAnswer(t.by_key[key].fingerprint, t.answer(t.by_key[key]))
                for key in wanted.keys
                if key in t.by_key
            },
            previous={
                key: Previous(t.by_application[key].decision_id, t.by_application[key].revision)
                for key in wanted.applications
                if key in t.by_application
            },
            commitments=tuple(
                (lender, commitment)
                for lender, commitment in t.open_offers((now - timedelta(days=1)).date())
                if (lender, commitment.uscc) in companies or (lender, commitment.application_id) in applications
            ),
            members=members,
            acts=None if wanted.acts is None else self._read_acts(wanted.acts),
            key_change=t.key_change,
            used_up=frozenset(row["programme"] for row in t.rows.get("subsidy_budget", ()) if row["used_up"]),
            left=tuple(t.left),
        )

    def _read_acts(self, wanted: ActsWanted) -> ActsRead:
        t = self._tables
        answered = {key: t.answered_act(key) for key in wanted.keys}
        history: dict[tuple[str, str], tuple[StoredAct, ...]] = {}
        for act in t.stored_acts():
            if (act.lender, act.subject) in wanted.subjects:
                history[act.lender, act.subject] = (*history.get((act.lender, act.subject), ()), act)
        return ActsRead(
            answered={key: answer for key, answer in answered.items() if answer is not None},
            history=history,
            offers={
                offer_id: OfferStanding(o.lender, t.lines.get(offer_id, o.commitment), t.superseded.get(offer_id))
                for offer_id, o in t.offers.items()
                if offer_id in wanted.offers
            },
            rows={
                lookup: tuple(dict(row) for row in t.rows.get(lookup.table, ()) if row[lookup.column] == lookup.value)
                for lookup in wanted.rows
            },
        )

    def _write(self, sealed: Sealed) -> None:
        t = self._tables
        taken = [row.idempotency_key for row in sealed.decisions if (row.lender, row.idempotency_key) in t.by_key]
        if sealed.acts is not None:
            acts = sealed.acts.acts
            taken += [a.idempotency_key for a in acts if t.answered_act((a.lender, a.format, a.idempotency_key))]
        taken += [str(entry.index) for entry in sealed.entries if (entry.lender, entry.index) in t.entries]
        if taken:
            raise ValueError(f"rows that are unique would be there twice: {taken}")
        t.heads.update({head.lender: head for head in sealed.heads})
        t.entries.update({(entry.lender, entry.index): entry for entry in sealed.entries})
        for row in sealed.decisions:
            t.decisions[row.decision_id] = t.by_key[row.lender, row.idempotency_key] = row
            t.by_application[row.lender, row.application_id] = row
        t.offers.update({offer.commitment.offer_id: offer for offer in sealed.offers})
        t.superseded.update(sealed.superseded)
        t.members.update(sealed.members)
        t.left.difference_update(sealed.members)
        for digest, canonical in sealed.terms:
            t.terms.setdefault(digest, canonical)
        t.checkpoints.extend(sealed.checkpoints)
        if sealed.acts is not None:
            self._write_acts(sealed.acts)

    def _write_acts(self, written: ActsWritten) -> None:
        t = self._tables
        t.acts.update({act.record_id: act for act in written.acts})
        t.lines.update({commitment.offer_id: commitment for _, commitment in written.commitments})
        for row in written.rows:
            known = t.rows.setdefault(row.table, [])
            if isinstance(row, NewRows):
                known += [dict(zip(row.columns, values, strict=True)) for values in row.rows]
                continue
            if row.key is None:
                known.append(dict(row.values))
                continue
            if row.table == "group_member":
                member = (row.key["lender"], row.key["uscc"], row.key["group_id"])
                t.members.discard(member)
                t.left.add(member)
            for found in known:
                if all(found[name] == value for name, value in row.key.items()):
                    found.update(row.values)


class MemoryDecisionLog:
    """Reads what the book in memory holds."""

    def __init__(self, tables: _Tables) -> None:
        self._tables = tables

    async def find(self, decision_id: str, lenders: Sequence[str]) -> StoredDecision | None:
        """This function will return the decision when it is within the scope, else None."""
        row = self._tables.decisions.get(decision_id)
        return self._stored(row) if row is not None and sees(lenders, row.lender, row.branch) else None

    async def pruned(self, decision_id: str, lenders: Sequence[str]) -> PrunedPlace | None:
        """This function will return nothing: nothing is ever pruned here."""
        return None

    async def search(
        self, asked: DecisionFilter, *, limit: int, after: tuple[datetime, str] | None
    ) -> Sequence[ListedDecision]:
        """This function will return up to `limit` rows, newest first, strictly after the given position."""
        rows = [
            ListedDecision(row.recorded_at, row.decision_id, self._tables.answer(row))
            for row in self._tables.decisions.values()
            if _matches(row, asked) and (after is None or (row.recorded_at, row.decision_id) < after)
        ]
        return tuple(sorted(rows, key=lambda row: (row.recorded_at, row.decision_id), reverse=True)[:limit])

    async def lenders(self) -> tuple[str, ...]:
        """This function will return every lender that has a log, by id."""
        return tuple(sorted(self._tables.heads))

    async def checkpoint_over(self, lender: str, index: int) -> SignedCheckpoint:
        """This function will return the first checkpoint that covers the record. Raises LookupError."""
        covering = [c for c in self._tables.checkpoints if c.lender == lender and c.size > index]
        if not covering:
            raise LookupError(f"no checkpoint of {lender} covers record {index}")
        return min(covering, key=lambda checkpoint: checkpoint.size)

    async def newest_checkpoint(self, lender: str) -> SignedCheckpoint | None:
        """This function will return the newest checkpoint of that log, None where nothing has been recorded."""
        made = [checkpoint for checkpoint in self._tables.checkpoints if checkpoint.lender == lender]
        return max(made, key=lambda checkpoint: checkpoint.size, default=None)

    async def leaf_hashes(self, lender: str, start: int, stop: int) -> Sequence[bytes]:
        """This function will return the leaf hashes from `start` up to, and without, `stop`, in order."""
        entries = self._tables.entries
        return tuple(entries[lender, i].leaf_hash for i in range(start, stop) if (lender, i) in entries)

    async def commitments(self, lender: str, uscc: str, group_id: str | None, since: date) -> Sequence[Commitment]:
        """This function will return the open commitments that last to `since` or beyond."""
        companies = {uscc, *(member for _, member, _ in self._tables.members_of([(lender, uscc, group_id)]))}
        found = [c for of, c in self._tables.open_offers(since) if of == lender and c.uscc in companies]
        return tuple(sorted(found, key=lambda commitment: commitment.offer_id))

    async def answered(self, lender: str, idempotency_key: str) -> KeyedAnswer | None:
        """This function will return what the key is bound to, if it is."""
        row = self._tables.by_key.get((lender, idempotency_key))
        return None if row is None else KeyedAnswer(row.fingerprint, self._tables.answer(row))

    async def every_decision(
        self, lenders: Sequence[str] | None = None, *, since: datetime | None = None
    ) -> AsyncIterator[StoredDecision]:
        """This function will give every stored decision in log order."""
        for row in sorted(self._tables.decisions.values(), key=lambda row: (row.lender, row.index)):
            if (lenders is None or row.lender in lenders) and (since is None or row.recorded_at >= since):
                yield self._stored(row)

    def _stored(self, row: DecisionRow) -> StoredDecision:
        record = self._tables.entries[row.lender, row.index].record
        terms = self._tables.terms[row.terms_digest]
        return StoredDecision(row.decision_id, row.lender, row.index, self._tables.answer(row), record, terms)


def _matches(row: DecisionRow, asked: DecisionFilter) -> bool:
    names = ("outcome", "zone", "product", "uscc", "application_id")
    return (
        sees(asked.lenders, row.lender, row.branch)
        and all(getattr(asked, name) in (None, getattr(row, name)) for name in names)
        and (asked.reason is None or asked.reason in row.reasons)
        and (asked.decided_from is None or row.decided_on >= asked.decided_from)
        and (asked.decided_until is None or row.decided_on < asked.decided_until)
    )


class MemoryOperatorLog:
    """The operator's log in memory."""

    def __init__(self, tables: _Tables, clock: Clock) -> None:
        self._tables = tables
        self._clock = clock

    async def append(self, recording: Recording) -> LogEntry:
        """This function will write a record that belongs to no change in the database."""
        return self._tables.record(recording, self._clock())

    async def entries(self, *, before: int | None, limit: int) -> Sequence[LogEntry]:
        """This function will return up to `limit` records, newest first, from below the index `before`."""
        found = [e for e in self._tables.entries.values() if e.lender == OPERATOR]
        found = [e for e in found if before is None or e.index < before]
        return tuple(sorted(found, key=lambda entry: entry.index, reverse=True)[:limit])


class MemoryCatalogueBook:
    """Activations in memory."""

    def __init__(self, tables: _Tables, clock: Clock) -> None:
        self._tables = tables
        self._clock = clock

    async def activate(self, digest: str, activated_by: str, recording: Recording) -> Activation:
        """This function will write the activation and its record; what is active already stays, and records nothing."""
        standing = await self.active()
        if standing is not None and standing.digest == digest:
            return standing
        self._tables.record(recording, self._clock())
        self._tables.activations.append(Activation(digest, self._clock(), activated_by))
        return self._tables.activations[-1]

    async def active(self) -> Activation | None:
        """This function will return the newest activation."""
        return self._tables.activations[-1] if self._tables.activations else None


class MemoryKeyRing:
    """API keys in memory."""

    def __init__(self, tables: _Tables, clock: Clock) -> None:
        self._tables = tables
        self._clock = clock

    async def newest_change(self) -> int:
        """This function will return the number of the newest change, 0 before the first."""
        return self._tables.key_change

    async def all_keys(self) -> Sequence[ApiKey]:
        """This function will return every key, revoked ones included, the oldest first."""
        return tuple(sorted(self._tables.keys.values(), key=lambda key: (key.created_at, key.key_id)))

    async def change(self, decide: Callable[[Sequence[ApiKey]], KeyChanges]) -> KeyChanges:
        """This function will write what `decide` makes of all keys, and its records."""
        made = decide(await self.all_keys())
        for recording in made.recordings:
            self._tables.record(recording, self._clock())
        if made.keys:
            self._tables.keys.update((key.key_id, key) for key in made.keys)
            self._tables.key_change += 1
        return made

    async def revoked_tokens(self) -> Sequence[RevokedToken]:
        """This function will return every revocation of tokens, the oldest first."""
        return tuple(sorted(self._tables.revoked_tokens.values(), key=lambda one: (one.revoked_at, one.kind, one.name)))

    async def change_tokens(self, decide: DecideTokens) -> TokenChange:
        """This function will write what `decide` makes of all revocations, and its record."""
        made = decide(await self.revoked_tokens())
        if made.recording is not None:
            self._tables.record(made.recording, self._clock())
        if made.revoked is not None:
            self._tables.revoked_tokens[made.revoked.kind, made.revoked.name] = made.revoked
            self._tables.key_change += 1
        return made
