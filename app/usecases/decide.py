"""Deciding a batch: what to lock and read, and then — purely — everything that one transaction writes.

Neighbours may rely on this: `seal` touches nothing but its arguments and the ids it draws; an obstacle stops its own
application and no other; within a batch, later applications see what earlier ones were promised; a key seen twice in a
batch is decided once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.audit.act_record import act_place, act_record, act_with_sm3
from app.audit.application import instant_text
from app.audit.merkle import Frontier, leaf_hash
from app.audit.record import (
    LARGEST_RECORD,
    Identity,
    Sources,
    decision_bytes,
    decision_with_sm3,
    decision_within,
    place_bytes,
    record_bytes,
)
from app.domain.access import lender_of
from app.domain.company import Application
from app.domain.decision import Decision
from app.domain.standing import Commitment, Standing, Waived
from app.products.catalog import UnknownProduct
from app.rules.decide import EDITION, decide
from app.usecases.act_rows import ActRow, KeyedAnswer, Lookup, Member, OfferStanding, Row, StoredAct
from app.usecases.acts import Act, ActsInBatch, Result, wanted_of
from app.usecases.catalogue import ResolvedTerms, check_codes
from app.usecases.days import check_days, day_in_shanghai
from app.usecases.decision_row import decision_row
from app.usecases.obstacles import (
    BeyondTheWaiver,
    CatalogueNotActive,
    KeyReusedWithOtherBody,
    KeysChanged,
    NoSuchProduct,
    Obstacle,
    OfferAlreadyApproved,
    OfferOfAnotherBranch,
    RecordTooLarge,
)
from app.usecases.offer_cover import Asker, covers_of, lookups_of, pool_changes, replaced_by, room_for, with_rows
from app.usecases.pool_book import HeldCover, PoolsInBatch
from app.usecases.pool_stops import book_and_tell
from app.usecases.ports import (
    BatchState,
    DecisionRow,
    LogEntry,
    LogHead,
    OfferRow,
    Previous,
    Sealed,
    SignedCheckpoint,
    Submission,
    Wanted,
    answer_in,
)
from app.usecases.promised import Promised
from app.usecases.room import Room
from app.usecases.subsidy_budgets import BudgetsInBatch

_NO_POOLS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Answer:
    """The bytes to answer with; `replayed` when the key had been answered before."""

    body: bytes
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class SealedBatch:
    """What to write, and for each submission, in order, its answer or its obstacle."""

    sealed: Sealed
    results: tuple[Answer | Obstacle, ...]


def submission_of(
    document: bytes,
    application: Application,
    *,
    idempotency_key: str,
    submitted_by: str,
    submitted_for: str | None = None,
    keys_seen: int | None = None,
    branches: tuple[str, ...] | None = None,
) -> Submission:
    """This function will make the submission of an application and of the canonical bytes that it was read from."""
    lender = lender_of(application.product)
    who = submitted_by, submitted_for, keys_seen
    return Submission(lender, idempotency_key, document, application, *who, branches=branches)


def wanted(batch: Sequence[Submission | Act], *, pools: Mapping[str, str] = _NO_POOLS) -> Wanted:
    """This function will say what must be locked and read before the batch can be sealed. `pools` names, by product,
    the pool from which its offers reserve.
    """
    asked = [s for s in batch if type(s) is Submission]
    deciding, others, acts = asked, [], None
    if len(asked) < len(batch):
        others = [s for s in batch if type(s) is not Submission]
        deciding, acts = [*asked, *(a for a in others if a.application is not None)], wanted_of(others)
    companies = {(s.lender, s.application.company.uscc, s.application.company.group_id): None for s in deciding}
    applications = {(s.lender, s.application.application_id): None for s in deciding}
    if acts is not None:
        applications |= dict.fromkeys(acts.applications)
        companies |= dict.fromkeys(company for act in others for company in act.companies)
    # A campaign reserves nothing, so it reads no pool.
    named = ((s.application.product, s.application.company.uscc) for s in deciding if _promises(s))
    lookups = lookups_of(named, pools) if pools else ()
    found = Wanted(
        lenders=tuple(sorted({s.lender for s in batch})),
        keys=tuple({(s.lender, s.idempotency_key): None for s in asked}),
        companies=tuple(companies),
        applications=tuple(applications),
        acts=acts,
    )
    return with_rows(found, lookups) if lookups else found


def _promises(asked: Submission | Act) -> bool:
    return type(asked) is not Submission or asked.campaign is None


def seal(batch: Sequence[Submission | Act], state: BatchState, room: Room) -> SealedBatch:
    """This function will decide the batch and return all that it writes.

    Raises CatalogueNotActive for the whole batch when this replica does not hold the active edition.
    """
    if state.edition != room.catalogue.digest:
        raise CatalogueNotActive
    work = _Work(state, room)
    return SealedBatch(results=tuple(work.answer(s) for s in batch), sealed=work.sealed())


@dataclass(slots=True)
class _Tail:
    """What a batch appends to one lender's log."""

    head: LogHead
    hashes: list[bytes] = field(default_factory=list)

    @property
    def next_index(self) -> int:
        return self.head.size + len(self.hashes)


class _Work:
    """A batch while it is being decided. An application or act changes it only once everything about it is known."""

    def __init__(self, state: BatchState, room: Room) -> None:
        self.room = room
        # recorded_at never runs backwards within a log, whatever the clocks of two database hosts say.
        known = [head.recorded_at for head in state.heads.values() if head.recorded_at is not None]
        self.now = max([state.now, *known])
        self._key_change = state.key_change
        self.on = day_in_shanghai(self.now)
        self._answered = dict(state.answered)
        self._previous = dict(state.previous)
        self._promised = Promised(state.commitments, state.members, state.left)
        self._budgets = BudgetsInBatch(state.used_up)
        self._joined: list[Member] = []
        self._regrouped: set[Member] = set()
        self._tails = {lender: _Tail(head) for lender, head in state.heads.items()}
        self._entries: list[LogEntry] = []
        self._decisions: list[DecisionRow] = []
        self._offers: list[OfferRow] = []
        self._superseded: dict[str, str] = {}
        self._terms: dict[str, bytes] = {}
        self._acts = None if state.acts is None else ActsInBatch(state.acts)
        self.pools = None if state.acts is None else PoolsInBatch(state.acts.rows)

    def answer(self, submission: Submission | Act) -> Answer | Obstacle:
        seen, now = submission.keys_seen, self._key_change
        if seen is not None and now is not None and seen != now:
            return KeysChanged()
        if type(submission) is not Submission:
            return self._answer_act(submission, self._acts)
        known = self._answered.get((submission.lender, submission.idempotency_key))
        if known is not None:
            same = known.fingerprint == submission.fingerprint
            return Answer(known.answer, replayed=True) if same else KeyReusedWithOtherBody()
        try:
            return self._decide(submission)
        except Obstacle as obstacle:
            return obstacle

    def _decide(self, submission: Submission, waived: tuple[Waived, ...] = ()) -> Answer:
        application, lender, catalog = submission.application, submission.lender, self.room.catalogue.catalog
        try:
            resolved = self.room.catalogue.terms(application.product, on=self.on)
        except UnknownProduct:
            raise NoSuchProduct("/product") from None
        check_codes(application, catalog)
        check_days(application, self.on)
        promises, replaces = submission.campaign is None, application.request.replaces
        superseded = self._superseded_by(submission) if promises else []
        standing = self._promised.standing(lender, application.company.uscc, application.company.group_id)
        for commitment in superseded:
            # What the request itself names, the rules leave out: they must find it to know that it stands.
            if commitment.offer_id != replaces:
                standing = standing.without(commitment.offer_id)
        standing = self._as_seen_by(submission, standing.live(self.on))
        replaced = replaced_by(standing, replaces, superseded) if promises else ()
        cover = resolved.terms.risk_compensation
        if promises and cover is not None and cover.reserves_at_offer:
            asker = Asker(lender, application.company.uscc, self.on, (*superseded, *replaced))
            standing = standing.with_room(room_for(cover, asker, self.pools, self.room.catalogue))
        standing = self._budgets.counted(standing, resolved.terms)
        if waived:
            standing = replace(standing, waived=waived)
        decision = decide(application, resolved.terms, standing, self.on)
        if waived and decision.offer is not None and not standing.waiver_covers(decision.offer.credit_limit):
            raise BeyondTheWaiver(decision.offer.credit_limit)
        ended = superseded if decision.offer is None else [*superseded, *replaced]
        freed = covers_of(ended, self.pools, self.room.catalogue)
        return self._record(submission, resolved, standing, decision, ended, freed)

    def _superseded_by(self, submission: Submission) -> list[Commitment]:
        """The application's own open offer, which the new decision takes the place of."""
        found = self._promised.for_application(submission.lender, submission.application.application_id)
        live = [c for c in found if c.counts_on(self.on) is not None]
        if not all(self._may_end(submission, c) for c in live):
            raise OfferOfAnotherBranch("/application_id")
        if any(c.credit_approved for c in live):
            raise OfferAlreadyApproved("/application_id")
        return live

    def _as_seen_by(self, submission: Submission, standing: Standing) -> Standing:
        """What another branch has offered counts as ever, and is as if absent where the request names it."""
        replaces = submission.application.request.replaces
        named = None if replaces is None else standing.find(replaces)
        if named is None or self._may_end(submission, named):
            return standing
        return standing.without_name(named)

    def _may_end(self, submission: Submission, commitment: Commitment) -> bool:
        """Whether the offer is of a branch that the caller speaks for."""
        if submission.branches is None:
            return True
        return self.room.catalogue.catalog.branch_of(commitment.product) in submission.branches

    def _record(
        self,
        submission: Submission,
        resolved: ResolvedTerms,
        standing: Standing,
        decision: Decision,
        ended: list[Commitment],
        freed: tuple[HeldCover, ...],
    ) -> Answer:
        application, lender, room = submission.application, submission.lender, self.room
        previous = self._previous.get((lender, application.application_id))
        identity = Identity(
            decision_id=room.new_id(),
            offer_id="" if decision.offer is None else room.new_id(),
            revision=1 if previous is None else previous.revision + 1,
            supersedes=None if previous is None else previous.decision_id,
            recorded_at=self.now,
            rules_edition=EDITION,
        )
        sources = Sources(
            resolved.terms, resolved.digest, standing, submission.submitted_by, submission.submitted_for,
            application.score_lookup, submission.idempotency_key, submission.campaign,
        )  # fmt: skip
        decided = decision_bytes(decision, application, sources, identity)
        record = record_bytes(decided, submission.document, sources)
        within, sm3 = decision_within(decided, submission.document), None
        if room.sm3:
            record, sm3 = decision_with_sm3(record, within[1])
        if len(record) > LARGEST_RECORD:
            raise RecordTooLarge
        tail = self._tails[lender]
        index, leaf = tail.next_index, leaf_hash(record)
        place = place_bytes(
            decision_id=identity.decision_id, origin=room.origin(lender), index=index, leaf_hash=leaf, sm3=sm3
        )
        body = answer_in(record, *within, place)
        tail.hashes.append(leaf)
        self._entries.append(LogEntry(lender, index, leaf, record))
        self._decisions.append(decision_row(submission, resolved, decision, identity, index, within, place))
        self._terms[resolved.digest] = resolved.document
        self._answered[lender, submission.idempotency_key] = KeyedAnswer(submission.fingerprint, body)
        member = (lender, application.company.uscc, application.company.group_id)
        if self._promised.joins(member):
            if member in self._regrouped:
                raise RuntimeError("one batch moves a company out of a group and in again")
            self._promised.join(member)
            self._joined.append(member)
        self._previous[lender, application.application_id] = Previous(identity.decision_id, identity.revision)
        for commitment in ended:
            self._promised.remove(lender, commitment)
            self._superseded[commitment.offer_id] = identity.decision_id
        if decision.offer is not None and submission.campaign is None:
            self._promise(submission, decision, identity)
        # Without a pool that was read, no cover can be held or freed.
        if self.pools is not None:
            holder = Asker(lender, application.company.uscc, self.on)
            for change in pool_changes(decision, identity.decision_id, identity.offer_id, holder, freed):
                self.pools.book(change, self.now)
            self.pools.is_new(identity.offer_id)
        return Answer(body)

    def _promise(self, submission: Submission, decision: Decision, identity: Identity) -> None:
        application, offer = submission.application, decision.offer
        commitment = Commitment(
            offer_id=identity.offer_id,
            application_id=application.application_id,
            product=application.product,
            uscc=application.company.uscc,
            group_id=application.company.group_id,
            credit_limit=offer.credit_limit,
            counts_until=offer.expires_on,
        )
        self._promised.add(submission.lender, commitment)
        self._offers.append(OfferRow(identity.decision_id, submission.lender, commitment))

    def sealed(self) -> Sealed:
        """This function will close the batch: new heads, one root and one signed checkpoint a lender."""
        heads: list[LogHead] = []
        checkpoints: list[SignedCheckpoint] = []
        for lender, tail in self._tails.items():
            if not tail.hashes:
                continue
            frontier = Frontier.from_bytes(tail.head.size, tail.head.frontier).extend(tail.hashes)
            root = frontier.root()
            note = self.room.signer.sign(self.room.origin(lender), frontier.size, root)
            heads.append(LogHead(lender, frontier.size, frontier.to_bytes(), self.now))
            checkpoints.append(SignedCheckpoint(lender, frontier.size, root, note))
        return Sealed(
            entries=tuple(self._entries),
            decisions=tuple(self._decisions),
            offers=tuple(self._offers),
            superseded=tuple(self._superseded.items()),
            terms=tuple(self._terms.items()),
            heads=tuple(heads),
            checkpoints=tuple(checkpoints),
            members=tuple(self._joined),
            acts=None if self._acts is None else self._acts.written(self.pools.written()),
        )

    # ---- acts ------------------------------------------------------------------------------------------------------

    def decide_again(self, submission: Submission, waived: tuple[Waived, ...]) -> bytes:
        return self._decide(submission, waived).body

    def history(self, lender: str, subject: str) -> tuple[StoredAct, ...]:
        return self._acts.history(lender, subject)

    def rows(self, lookup: Lookup) -> tuple[Row, ...]:
        return self._acts.rows(lookup)

    def members(self, lender: str, group_id: str) -> frozenset[str]:
        return self._promised.members(lender, group_id)

    def newest_decision(self, lender: str, application_id: str) -> str | None:
        found = self._previous.get((lender, application_id))
        return None if found is None else found.decision_id

    def offer(self, offer_id: str) -> OfferStanding | None:
        found = self._acts.offers.get(offer_id)
        closed = self._superseded.get(offer_id)
        return found if found is None or closed is None else replace(found, superseded_by=closed)

    def _answer_act(self, act: Act, acts: ActsInBatch) -> Answer | Obstacle:
        known = acts.answered.get(act.key)
        if known is not None:
            same = known.fingerprint == act.fingerprint
            return Answer(known.answer, replayed=True) if same else KeyReusedWithOtherBody()
        try:
            return self._record_act(act, acts)
        except Obstacle as obstacle:
            return obstacle

    def _regroup(self, result: Result) -> None:
        """Who joins and who leaves counts from the next in the batch on."""
        moved = {*result.joined, *result.left}
        if moved & self._regrouped or moved & set(self._joined):
            # One statement cannot change one row twice: the desk does such a batch one by one.
            raise RuntimeError("one batch moves a company in and out of a group")
        self._regrouped |= moved
        for member in result.joined:
            self._promised.join(member)
            self._joined.append(member)
        for member in result.left:
            self._promised.leave(member)

    def _record_act(self, act: Act, acts: ActsInBatch) -> Answer:
        record_id, lender = self.room.new_id(), act.lender
        result = act.seal_into(self, record_id)
        made = act_record(
            act_format=act.format,
            document=act.document,
            subject=act.subject,
            submitted_by=act.submitted_by,
            submitted_for=act.submitted_for,
            idempotency_key=act.idempotency_key,
            result={
                "record_id": record_id, "recorded_at": instant_text(self.now), "state": result.state, **result.shown,
            },
        )  # fmt: skip
        sm3 = None
        if self.room.sm3:
            made, sm3 = act_with_sm3(made)
        if len(made.record) > LARGEST_RECORD:
            raise RecordTooLarge
        tail = self._tails[lender]
        index, leaf = tail.next_index, leaf_hash(made.record)
        place = act_place(record_id=record_id, origin=self.room.origin(lender), index=index, leaf_hash=leaf, sm3=sm3)
        body = answer_in(made.record, made.answer_from, made.answer_until, place)
        tail.hashes.append(leaf)
        self._entries.append(LogEntry(lender, index, leaf, made.record))
        row = ActRow(
            record_id, lender, index, act.format, act.idempotency_key, act.fingerprint, act.subject, result.state,
            self.now, act.submitted_by, made.answer_from, made.answer_until, place,
        )  # fmt: skip
        stored = StoredAct(
            record_id, lender, index, act.format, act.subject, result.state, self.now, act.submitted_by, made.record,
            body,
        )  # fmt: skip
        for commitment in result.commitments:
            self._promised.remove(lender, commitment)
            self._promised.add(lender, commitment)
        told = [
            owed
            for change in result.pool_changes
            for owed in book_and_tell(self.pools, change, self.room.catalogue, self.on, self.now)
        ]
        if result.joined or result.left:
            self._regroup(result)
        self._budgets.take(result.rows)
        acts.add(row, stored, KeyedAnswer(act.fingerprint, body), replace(result, rows=(*result.rows, *told)))
        return Answer(body)
