"""核验日志: every record of a log, hashed again, against every checkpoint that was signed over it.

Neighbours may rely on this: nothing is believed but the bytes of the records and the signatures. Each leaf is hashed
from its record, the tree is built anew, and its root is held to every stored checkpoint and to those kept outside the
database; what people are shown and search by (a decision's row, its answer, its terms, its offer) is held to the
record. What does not hold is a `Finding` that names the place. A log is read a page at a time, up to where it reached
when the verification began, so that a service may go on writing. What is held beyond its hash depends on the kind
that a record's `format` names.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.audit import EvidenceError
from app.audit.canonical import digest
from app.audit.checkpoint import Checkpoint, Verifier, open_checkpoint
from app.audit.merkle import HASH_BYTES, Frontier, leaf_hash
from app.audit.operator_record import OPERATOR, read_operator_record
from app.audit.sm3 import sm3_holds
from app.usecases.finding import Finding, differences
from app.usecases.groups import GroupRegistered
from app.usecases.known_logs import KnownLogs
from app.usecases.log_trail import LogExtent, LogTrail, StoredLeaf
from app.usecases.ports import DecisionRow, OfferRow, SignedCheckpoint
from app.usecases.recorded_row import RecordPlace, recorded_rows
from app.usecases.verify_acts import act_findings
from app.usecases.verify_lines import Members, hold_lines, hold_members
from app.usecases.verify_offers import OpenOffers, hold_offers, hold_the_number_of_offers
from app.usecases.verify_pools import hold_operator_rows, hold_reserved

MOST_NAMED = 100
"""Findings of one kind are named up to here; a log that is wrong throughout is not listed record by record."""


# What was done to the log comes first, what follows from it last.
_ORDER = (
    "stale", "missing", "inserted", "changed", "swapped", "moved", "root outside", "root stored", "note", "unsigned",
    "head", "unlisted", "stray", "answer", "column", "offer", "line", "cover", "claim", "member",
    "terms", "sm3", "act",
)  # fmt: skip

FORMAT_OF_A_DECISION = b'"format":"jifendai/decision/1"'
# What an answer is put together from.
_ANSWER = frozenset({"decision_id", "answer_from", "answer_until", "place"})


@dataclass(frozen=True, slots=True)
class KnownLog:
    """A log that can be verified: whose it is, its name, the keys that may sign for it, and the checkpoints of it that
    were kept outside the database (opened, so their signatures hold).
    """

    lender: str
    origin: str
    verifiers: tuple[Verifier, ...]
    outside: tuple[Checkpoint, ...] = ()
    known: KnownLogs | None = None
    """What the operator's log tells of names and keys; None where nothing is known but these keys."""

    def origin_of_size(self, size: int) -> str:
        """This function will return the name under which the log of that size was signed."""
        return self.origin if self.known is None else self.known.origin_of_size(self.lender, size)

    def was_pruned(self, index: int) -> bool:
        """This function will say whether the operator's log tells that this record was pruned."""
        return self.known is not None and index in self.known.pruned.get(self.lender, ())

    def verifiers_of_size(self, size: int) -> tuple[Verifier, ...]:
        """This function will return the keys that may have signed the log of that size."""
        return self.verifiers if self.known is None else self.known.verifiers(self.lender, size)


@dataclass(frozen=True, slots=True)
class Verified:
    """What came of it: how many records were read, and what was found; nothing when all holds."""

    origin: str
    size: int
    findings: tuple[Finding, ...]
    pruned: int = 0
    """How many of the records were pruned, so that their hashes alone were held to the tree."""


async def verify_log(trail: LogTrail, log: KnownLog, told: Callable[[int, int], None]) -> Verified:
    """This function will verify one lender's log; `told` hears after each page how many of how many were read."""
    work = _Work(log, await trail.extent(log.lender), await _terms(trail), trail.stored_row)
    checkpoints = _checkpoints(trail, log.lender, work.extent.signed)
    await work.next_stored(checkpoints)
    after: int | None = None
    while page := await trail.leaves(log.lender, after, work.extent.entries):
        for leaf in page:
            work.read(leaf)
            if work.is_at_a_checkpoint():
                work.hold_to_outside()
                await work.hold_to_stored(checkpoints)
        await _hold_offers(trail, work, work.offers.closed())
        async for found in hold_reserved(trail.pools, log.lender, work.reserved):
            work.find("cover", found.en, found.zh)
        work.reserved.clear()
        after = page[-1].index
        told(work.size, work.extent.entries)
    while work.stored is not None:
        # What is left speaks of records that are not there; its signature is looked at all the same.
        work.opened(work.stored)
        await work.next_stored(checkpoints)
    work.end()
    await _hold_offers(trail, work, work.offers.all_that_is_left())
    async for found in hold_the_number_of_offers(trail, log.lender, work.offers.read, work.extent.entries):
        work.find("offer", found.en, found.zh)
    async for kind, found in hold_lines(trail.standing, trail.pools, log.lender):
        work.find(kind, found.en, found.zh)
    if log.lender == OPERATOR:
        async for found in hold_operator_rows(trail.pools):
            work.find("cover", found.en, found.zh)
    whole = not work.pruned
    async for found in hold_members(trail.standing, log.lender, work.members, work.extent.entries, all_there=whole):
        work.find("member", found.en, found.zh)
    decisions = await trail.decisions_without_leaf(log.lender, MOST_NAMED)
    acts = await trail.acts_without_leaf(log.lender, MOST_NAMED)
    for en, zh in [(f"decision {i}", f"决策 {i}") for i in decisions] + [(f"act {i}", f"事项 {i}") for i in acts]:
        work.find(
            "stray",
            f"{en} is listed, but the log has no record of it in its place: it was inserted or moved, or its record "
            "was removed",
            f"{zh} 出现在列表中，但日志相应位置没有它的记录：系插入、移动，或其记录被删除",
        )
    return Verified(log.origin, work.size, work.findings(), work.pruned)


async def _hold_offers(trail: LogTrail, work: _Work, expected: Sequence[tuple[OfferRow, str | None]]) -> None:
    async for found in hold_offers(trail, expected, work.extent.entries):
        work.find("offer", found.en, found.zh)


async def verify_terms(trail: LogTrail) -> tuple[Finding, ...]:
    """This function will hold all stored terms to the digests by which records name them."""
    return tuple(
        Finding(
            f"the terms {name} were changed: their bytes have the digest {found}",
            f"条款 {name} 被改动过：其内容的摘要为 {found}",
        )
        for name, found in (await _terms(trail)).items()
        if name != found
    )


async def _terms(trail: LogTrail) -> Mapping[str, str]:
    return {name: digest(canonical) for name, canonical in await trail.terms()}


async def _checkpoints(trail: LogTrail, lender: str, until: int) -> AsyncIterator[SignedCheckpoint]:
    after = -1
    while page := await trail.checkpoints(lender, after, until):
        for checkpoint in page:
            yield checkpoint
        after = page[-1].size


@dataclass(slots=True)
class _Work:
    """One log while it is being read, leaf by leaf."""

    log: KnownLog
    extent: LogExtent
    terms: Mapping[str, str]
    stored_row: Callable[[DecisionRow], Mapping[str, Any]]
    offers: OpenOffers = field(default_factory=OpenOffers)
    members: Members = field(default_factory=Members)
    reserved: list[str] = field(default_factory=list)
    """The offers, of the page at hand, for which their decisions reserved room."""
    size: int = 0
    pruned: int = 0
    stored: SignedCheckpoint | None = None
    """The next stored checkpoint that the tree has not reached."""
    _tree: Frontier = field(default_factory=Frontier)
    _hashes: list[bytes] = field(default_factory=list)
    _has_gap: bool = False
    _matched: int = 0
    _changed: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)
    _more_changed: int = 0
    _found: dict[str, list[Finding]] = field(default_factory=dict)
    _count: dict[str, int] = field(default_factory=dict)

    def find(self, kind: str, en: str, zh: str) -> None:
        self._count[kind] = self._count.get(kind, 0) + 1
        if self._count[kind] <= MOST_NAMED:
            self._found.setdefault(kind, []).append(Finding(en, zh))

    def findings(self) -> tuple[Finding, ...]:
        found = []
        for kind, named in sorted(self._found.items(), key=lambda pair: _ORDER.index(pair[0])):
            found += named
            more = self._count[kind] - len(named)
            if more:
                found.append(Finding(f"… and {more:,} more of this kind", f"……同类另有 {more:,} 项"))
        return tuple(found)

    # ---- leaves ----------------------------------------------------------------------------------------------------

    def read(self, leaf: StoredLeaf) -> None:
        if leaf.index < self.size:
            self.find(
                "inserted",
                f"a record stands at index {leaf.index}, where no log has one: it was inserted",
                f"序号 {leaf.index} 处有一条记录，而日志没有这样的序号：系插入",
            )
            return
        if leaf.index > self.size:
            self._has_gap = True
            self._miss(self.size, leaf.index)
        if not leaf.record:
            self._is_without_bytes(leaf)
            return
        calculated = leaf_hash(leaf.record)
        # What a changed record says is held against nothing: that it was changed is said already.
        if calculated != leaf.leaf_hash:
            self._has_changed(leaf, calculated)
        elif not sm3_holds(leaf.record):
            self.find(
                "sm3",
                f"record {leaf.index}: the SM3 digest in it is not that of its other members",
                f"第 {leaf.index} 条记录：其中的 SM3 摘要与其余内容不符",
            )
        elif self.log.lender == OPERATOR and leaf.act is None:
            self._hold_act(leaf)
        else:
            self._hold_rows(leaf)
        # The tree goes on with the stored hash: if that leads to the signed root, the named record alone was changed.
        self._hashes.append(leaf.leaf_hash if len(leaf.leaf_hash) == HASH_BYTES else calculated)
        self.size = leaf.index + 1

    def _is_without_bytes(self, leaf: StoredLeaf) -> None:
        """A record that was pruned stands by its hash alone; the operator's log says that it was."""
        if self.log.was_pruned(leaf.index):
            self.pruned += 1
        else:
            self.find(
                "missing",
                f"the bytes of record {leaf.index} are missing: removed, and no record of pruning names it",
                f"缺少第 {leaf.index} 条记录的内容：被删除，而操作日志中没有清除它的记载",
            )
        self._hashes.append(leaf.leaf_hash if len(leaf.leaf_hash) == HASH_BYTES else leaf_hash(b""))
        self.size = leaf.index + 1

    def _has_changed(self, leaf: StoredLeaf, calculated: bytes) -> None:
        if len(self._changed) < MOST_NAMED:
            self._changed[leaf.index] = (calculated, leaf.leaf_hash)
        else:
            self._more_changed += 1

    def _miss(self, start: int, stop: int, *, at_the_end: bool = False) -> None:
        en = f"record {start} is" if stop == start + 1 else f"records {start} to {stop - 1} are"
        zh = f"第 {start} 条记录" if stop == start + 1 else f"第 {start} 至 {stop - 1} 条记录"
        how = (" at the end: the log was cut off", "：日志末尾被截断") if at_the_end else (": deleted", "：被删除")
        self.find("missing", f"{en} missing{how[0]}", f"缺少{zh}{how[1]}")

    def _hold_act(self, leaf: StoredLeaf) -> None:
        try:
            read_operator_record(leaf.record)
        except EvidenceError as error:
            self.find("act", f"record {leaf.index}: {error.en}", f"第 {leaf.index} 条记录：{error.zh}")

    def _hold_rows(self, leaf: StoredLeaf) -> None:
        """What people search by, are answered and were promised is what the record says."""
        row = leaf.row
        if FORMAT_OF_A_DECISION not in leaf.record:
            findings = list(act_findings(leaf, self._place(leaf)))
            for kind, found in findings:
                self.find(kind, found.en, found.zh)
            if not findings and leaf.act["format"] == GroupRegistered.format:
                self.members.registered(leaf.record)
            return
        try:
            due = recorded_rows(leaf.record, self._place(leaf), "" if row is None else str(row["idempotency_key"]))
        except ValueError:
            self._answers_otherwise(leaf)
            return
        self.offers.follow(due)
        if due.reserved:
            self.reserved.append(due.offer.commitment.offer_id)
        if due.group_id is not None:
            self.members.named((due.decision.uscc, due.group_id))
        if row is None:
            self.find(
                "unlisted",
                f"record {leaf.index} ({leaf.decision_id}) has no decision in the list: it was removed from there",
                f"第 {leaf.index} 条记录（{leaf.decision_id}）在决策列表中没有对应项：已从列表中删除",
            )
        elif row["index"] != leaf.index:
            self.find(
                "moved",
                f"the record at index {leaf.index} is that of decision {leaf.decision_id}, whose place is "
                f"{row['index']}: records were swapped or moved",
                f"序号 {leaf.index} 处是决策 {leaf.decision_id} 的记录，而它的位置应为 {row['index']}："
                "记录被调换或移动",
            )
        else:
            self._hold_columns(leaf, row, due.decision)

    def _hold_columns(self, leaf: StoredLeaf, row: Mapping[str, Any], due: DecisionRow) -> None:
        held = self.stored_row(due)
        # Nearly every row is what it should be, which one comparison tells.
        different = {} if row == held else {name: (told, said) for name, told, said in differences(row, held)}
        if _ANSWER & different.keys():
            self._answers_otherwise(leaf)
        if "terms_digest" in different or self.terms.get(due.terms_digest) != due.terms_digest:
            self.find(
                "terms",
                f"the terms of decision {leaf.decision_id} (index {leaf.index}) are missing, or not those recorded",
                f"决策 {leaf.decision_id}（序号 {leaf.index}）的条款缺失，或与所记录的不符",
            )
        for column, (told, said) in different.items():
            if column not in _ANSWER and column != "terms_digest":
                self.find(
                    "column",
                    f"decision {leaf.decision_id} (index {leaf.index}): its {column} says {told}, its record says "
                    f"{said}: the row was changed, and searches find it under what was never decided",
                    f"决策 {leaf.decision_id}（序号 {leaf.index}）的 {column} 为 {told}，而记录为 {said}："
                    "该行被改动过，检索结果与所作决策不符",
                )

    def _answers_otherwise(self, leaf: StoredLeaf) -> None:
        self.find(
            "answer",
            f"decision {leaf.decision_id} (index {leaf.index}) is answered otherwise than recorded: its row, its "
            "place in the log or its record was changed",
            f"决策 {leaf.decision_id}（序号 {leaf.index}）的答复与记录不符：其列表行、日志位置或记录被改动过",
        )

    def _place(self, leaf: StoredLeaf) -> RecordPlace:
        return RecordPlace(self.log.lender, self.log.origin_of_size(leaf.index + 1), leaf.index, leaf.leaf_hash)

    # ---- checkpoints -----------------------------------------------------------------------------------------------

    async def next_stored(self, checkpoints: AsyncIterator[SignedCheckpoint]) -> None:
        self.stored = await anext(checkpoints, None)

    def is_at_a_checkpoint(self) -> bool:
        here = self.stored is not None and self.stored.size <= self.size
        return here or any(checkpoint.size == self.size for checkpoint in self.log.outside)

    async def hold_to_stored(self, checkpoints: AsyncIterator[SignedCheckpoint]) -> None:
        while self.stored is not None and self.stored.size <= self.size:
            signed = self.opened(self.stored)
            if signed is not None and signed.size == self.size:
                self._hold(signed, "root stored", ("the stored checkpoint", "库中检查点"))
            await self.next_stored(checkpoints)

    def hold_to_outside(self) -> None:
        self._grow()
        for checkpoint in self.log.outside:
            if checkpoint.size == self.size:
                self._hold(checkpoint, "root outside", ("the checkpoint kept outside", "外部保存的检查点"))

    def opened(self, stored: SignedCheckpoint) -> Checkpoint | None:
        try:
            signed = open_checkpoint(stored.note, self.log.verifiers_of_size(stored.size))
        except EvidenceError as error:
            self.find(
                "note",
                f"the stored checkpoint over {stored.size} records was changed or made without the key: {error.en}",
                f"库中 {stored.size} 条记录的检查点被改动过，或未用密钥签成：{error.zh}",
            )
            return None
        origin = self.log.origin_of_size(stored.size)
        if (signed.origin, signed.size, signed.root) != (origin, stored.size, stored.root):
            self.find(
                "note",
                f"the stored checkpoint over {stored.size} records is signed over another log, size or root: its row "
                "was changed",
                f"库中 {stored.size} 条记录的检查点，其签名对应另一日志、大小或根：该行被改动过",
            )
            return None
        return signed

    def _grow(self) -> None:
        if not self._has_gap:
            self._tree = self._tree.extend(self._hashes)
        self._hashes.clear()

    def _hold(self, signed: Checkpoint, kind: str, of: tuple[str, str]) -> None:
        # A gap has been named already, and there is no tree over what is missing.
        if self._has_gap:
            return
        root = self._tree.root()
        if root == signed.root:
            self._matched = max(self._matched, signed.size)
        elif kind not in self._count:
            en, zh = of
            self.find(
                kind,
                f"{en} over {signed.size} records does not fit: of the records {self._matched} to {signed.size - 1} at "
                f"least one was changed, inserted or swapped, or the log was rebuilt (root {root.hex()}, signed "
                f"{signed.root.hex()})",
                f"{zh}（{signed.size} 条记录）不符：第 {self._matched} 至 {signed.size - 1} 条记录中至少一条被改动、"
                f"插入或调换，或日志被重建（根为 {root.hex()}，签名为 {signed.root.hex()}）",
            )

    # ---- the end ---------------------------------------------------------------------------------------------------

    def end(self) -> None:
        self._grow()
        self._name_changed()
        head, signed = self.extent.head, self.extent.signed
        promised = max(head.size if head else 0, signed)
        if promised > self.size:
            self._miss(self.size, promised, at_the_end=True)
        if signed < self.size:
            self.find(
                "unsigned",
                f"the records {signed} to {self.size - 1} stand under no signed checkpoint: they were inserted, or "
                "checkpoints were removed",
                f"第 {signed} 至 {self.size - 1} 条记录没有已签名的检查点：记录系插入，或检查点被删除",
            )
        holds = head is not None and (head.size, head.frontier) == (self.size, self._tree.to_bytes())
        if self.size and not holds and not self._has_gap:
            self.find(
                "head",
                "the head of the log does not fit its records: it was changed, and what is recorded next would not fit",
                "日志头与记录不符：日志头被改动过，后续记录将无法衔接",
            )
        for checkpoint in self.log.outside:
            if checkpoint.size > self.size:
                self.find(
                    "stale",
                    f"the database is older than the checkpoint kept outside: it has {self.size} records, the "
                    f"checkpoint tells of {checkpoint.size}; it was restored from a stale copy or cut off, and the "
                    f"records {self.size} to {checkpoint.size - 1} are lost",
                    f"数据库早于外部保存的检查点：现有 {self.size} 条记录，检查点为 {checkpoint.size} 条；"
                    f"由旧备份恢复或被截断，第 {self.size} 至 {checkpoint.size - 1} 条记录丢失",
                )

    def _name_changed(self) -> None:
        places = {stored: index for index, (_, stored) in self._changed.items()}
        for index, (calculated, stored) in self._changed.items():
            other = places.get(calculated)
            if other is None:
                self.find(
                    "changed",
                    f"record {index} was changed: its bytes hash to {calculated.hex()}, its leaf is {stored.hex()}",
                    f"第 {index} 条记录被改动过：其内容的哈希为 {calculated.hex()}，叶为 {stored.hex()}",
                )
            else:
                self.find(
                    "swapped",
                    f"the bytes of record {other} stand at index {index}: records were swapped",
                    f"序号 {index} 处是第 {other} 条记录的内容：记录被调换",
                )
        if self._more_changed:
            self._found.setdefault("changed", [])
            self._count["changed"] = self._count.get("changed", 0) + self._more_changed
