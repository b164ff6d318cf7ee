"""核验资金池与预算: covers, entries, claims, statements, sums and budgets, held to the log.

Neighbours may rely on this: each row is made again from the signed records: a lender's covers, entries and claims from
his own log, line by line, capital, statements, lifted stops and budgets from the operator's, and a pool's sums from its
entries and covers. Of a pool's entries the common number is held to nothing but having no gap: in which order the
entries of several lenders came stands in no log. What a service writes meanwhile is no finding.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Final, NamedTuple

import orjson

from app.domain.money import Yuan
from app.domain.terms import Words
from app.ledger.pool import Cover, contribute
from app.usecases.act_rows import StoredAct, Value
from app.usecases.external_pools import ManagerStatement
from app.usecases.finding import Finding, differences
from app.usecases.log_trail import PoolTrail, StoredLine, StoredPool
from app.usecases.pool_acts import (
    CLAIM_DECISION_FORMAT,
    CLAIM_FORMAT,
    RECOVERY_FORMAT,
    ClaimState,
    Contribution,
    StopLifted,
)
from app.usecases.pool_book import TOTALS, PoolChange, cover_values, days_text, entry_values, shares_text
from app.usecases.replay_acts import LineAgain
from app.usecases.subsidy_budgets import USED_UP, BudgetRecorded

OPERATOR_FORMATS: Final = (
    Contribution.format, StopLifted.format, ManagerStatement.format, BudgetRecorded.format,
)  # fmt: skip
Stored = Mapping[str, Any]


# ---- a line's cover and its entries ----------------------------------------------------------------------------------


def cover_findings(trail: PoolTrail, line: StoredLine, again: LineAgain | None) -> Iterator[Finding]:
    """This function will hold an offer's cover and entries to what its records make of them (None: no decision of the
    log made the offer).
    """
    if again is None and line.cover.pruned:
        return
    if again is not None and line.superseded is not None and _was_released(line):
        again.superseded(*line.superseded)
    of = f"the cover of offer {line.offer_id}", f"预授信 {line.offer_id} 的补偿额度"
    held = None if again is None else again.held
    due = None if held is None else trail.stored(cover_values(held))
    yield from _row_findings(of, line.cover.values, due)
    booked = [] if again is None else [
        trail.stored(entry_values(
            PoolChange(again.named.pool, one.record_id, (one.entry,), again.held), one.entry, one.at
        ))
        for one in again.booked
    ]  # fmt: skip
    yield from _entry_findings((f"offer {line.offer_id}", f"预授信 {line.offer_id}"), line.cover.entries, booked)


def _was_released(line: StoredLine) -> bool:
    """A product that reserves at the offer no more frees nothing: time ends what its earlier offers held."""
    by, values = line.superseded[0], line.cover.values
    return any(row["record_id"] == by for row in line.cover.entries) or (values is not None and not values["undrawn"])


def _entry_findings(of: tuple[str, str], stored: Sequence[Stored], due: Sequence[Stored]) -> Iterator[Finding]:
    agreeing = [{name: row[name] for name in expected} for row, expected in zip(stored, due, strict=False)]
    if len(stored) == len(due) and agreeing == list(due):
        return
    left = list(stored)
    for expected in due:
        same = [row for row in left if all(row[name] == expected[name] for name in ("record_id", "kind"))]
        if not same:
            yield Finding(
                f"{of[0]}: its entry {expected['kind']} of record {expected['record_id']} is missing: it was removed "
                "or changed",
                f"{of[1]} 记录 {expected['record_id']} 的分录 {expected['kind']} 缺失：已被删除或改动",
            )
            continue
        left.remove(same[0])
        for column, told, said in differences(same[0], expected):
            yield Finding(
                f"{of[0]}: the {column} of its entry {expected['kind']} of record {expected['record_id']} says {told}, "
                f"the records say {said}: the row was changed",
                f"{of[1]} 记录 {expected['record_id']} 的分录 {expected['kind']} 的 {column} 为 {told}，"
                f"而记录为 {said}：该行被改动过",
            )
    for row in left:
        yield Finding(
            f"{of[0]} has an entry {row['kind']} under record {row['record_id']}, which makes none: it was inserted",
            f"{of[1]} 有记录 {row['record_id']} 名下的分录 {row['kind']}，而该记录并无此分录：系插入",
        )
    kept = [row["record_id"] for row in stored if row not in left]
    if not left and len(kept) == len(due) and kept != [row["record_id"] for row in due]:
        yield Finding(
            f"{of[0]}: its entries do not stand in the order of their records: their numbers were changed",
            f"{of[1]} 的分录次序与记录不符：编号被改动过",
        )


class _Sentences(NamedTuple):
    """What is said of a row that is missing, of one too many, and of a column that says otherwise."""

    missing: Words
    inserted: Words
    changed: Words


_OF_THE_LOG: Final = _Sentences(
    Words("{of}依日志应有一行，而该行缺失：已被删除", "{of} is missing, though the log makes it: its row was removed"),
    Words(
        "{of}有一行，而日志中没有相应记录：系插入",
        "{of} has a row, and no record of the log makes one: it was inserted",
    ),
    Words(
        "{of}的 {column} 为 {told}，而记录为 {said}：该行被改动过",
        "{of}: its {column} says {told}, the records say {said}: the row was changed",
    ),
)
_OF_SUMS: Final = _Sentences(
    Words(
        "{of}有分录而无账：该行已被删除",
        "{of} is missing, though there are entries of it: its row was removed",
    ),
    Words(
        "{of}有账而无分录：系插入，或分录被删除",
        "{of} has sums, and there are no entries of it: it was inserted, or they were removed",
    ),
    Words(
        "{of}的 {column} 为 {told}，而分录与补偿额度合计为 {said}：有行被改动、删除或插入",
        "{of}: its {column} says {told}, its entries and covers come to {said}: a row was changed, removed or inserted",
    ),
)


def _row_findings(
    of: tuple[str, str], stored: Stored | None, due: Stored | None, sentences: _Sentences = _OF_THE_LOG
) -> Iterator[Finding]:
    def found(sentence: Words, **facts: Any) -> Finding:
        return Finding(sentence.en.format(of=of[0], **facts), sentence.zh.format(of=of[1], **facts))

    if stored is None and due is not None:
        yield found(sentences.missing)
    elif stored is not None and due is None:
        yield found(sentences.inserted)
    elif stored is not None and due is not None:
        for column, told, said in differences(stored, due):
            yield found(sentences.changed, column=column, told=told, said=said)


async def hold_reserved(trail: PoolTrail, lender: str, reserved: Sequence[str]) -> AsyncIterator[Finding]:
    """This function will name the offers for which their decisions reserved room and of which there is no cover."""
    for offer_id in await trail.uncovered(lender, reserved) if reserved else ():
        yield Finding(
            f"the cover of offer {offer_id} is missing, though its decision reserved room: its row was removed",
            f"预授信 {offer_id} 的决策已预留补偿额度，而相应行缺失：已被删除",
        )


async def hold_claims(
    trail: PoolTrail, lender: str, acts: Sequence[StoredAct], stored: Sequence[Stored]
) -> AsyncIterator[Finding]:
    """This function will hold the lender's claims to its acts on pools, all of those that the rows were made by."""
    due = {claim_id: {**claim, "holder": lender} for claim_id, claim in _claims(acts).items()}
    for found in _rows_by("claim_id", ("claim", "代偿申请"), stored, due):
        yield found
    for record_id in await trail.entries_of_no_offer(lender):
        yield Finding(
            f"an entry of {lender} under record {record_id} is of no offer: it was inserted or changed",
            f"{lender} 记录 {record_id} 名下有一条不属于任何预授信的分录：系插入或被改动",
        )


def _claims(acts: Sequence[StoredAct]) -> dict[str, dict[str, Value]]:
    found: dict[str, dict[str, Value]] = {}
    for act in acts:
        result = orjson.loads(act.record)["result"]
        claim = found.get(result.get("claim_id", ""))
        if act.format == CLAIM_FORMAT:
            for earlier in found.values():
                if (earlier["offer_id"], earlier["state"]) == (result["offer_id"], ClaimState.CLAIMED.value):
                    earlier["state"] = ClaimState.REPLACED.value
            until = result["review_until"]
            found[act.record_id] = {
                "claim_id": act.record_id, "pool_id": act.subject, "offer_id": result["offer_id"],
                "state": ClaimState.CLAIMED.value, "principal": int(Yuan.parse(result["principal"])),
                "interest": int(Yuan.parse(result["interest"])), "since": result["past_due_since"],
                "claimed_on": result["claimed_on"], "review_until": until, "claimed_by": act.submitted_by,
                "borne": "", "recovered": 0,
            }  # fmt: skip
        elif act.format == CLAIM_DECISION_FORMAT and claim is not None:
            borne = {part["bearer"]: int(Yuan.parse(part["amount"])) for part in result.get("borne", ())}
            claim |= {"state": result["state"], "borne": shares_text(borne)}
        elif act.format == RECOVERY_FORMAT and claim is not None:
            claim["recovered"] += int(Yuan.parse(result["net"]))
    return found


# ---- the operator's: capital, stops, statements, budgets -------------------------------------------------------------


@dataclass(slots=True)
class _OperatorRows:
    """What the operator's acts make, told one after the other."""

    capital: dict[str, list[Stored]] = field(default_factory=dict)
    statements: dict[str, Stored] = field(default_factory=dict)
    budgets: dict[str, Stored] = field(default_factory=dict)
    lifted: dict[str, int] = field(default_factory=dict)

    def tell(self, trail: PoolTrail, act: StoredAct) -> None:
        record = orjson.loads(act.record)
        result, said = record["result"], record["document"]
        if act.format == Contribution.format:
            entry = contribute(Yuan.parse(result["amount"]), date.fromisoformat(result["value_on"]))
            made = entry_values(PoolChange(act.subject, act.record_id, (entry,)), entry, act.recorded_at)
            self.capital.setdefault(act.subject, []).append(trail.stored(made))
        elif act.format == StopLifted.format:
            self.lifted[act.subject] = int(Yuan.parse(result["numerator"]))
        elif act.format == ManagerStatement.format:
            sums = {name: int(Yuan.parse(said.get(name) or "0.00")) for name in TOTALS}
            self.statements[act.record_id] = {
                "record_id": act.record_id, "pool_id": act.subject, "as_of": said["as_of"],
                "reference": said["reference"], **sums,
            }  # fmt: skip
        else:
            self.budgets[act.subject] = {
                "programme": act.subject, "used_up": result["state"] == USED_UP, "since": result["since"],
                "record_id": act.record_id,
            }  # fmt: skip


async def hold_operator_rows(trail: PoolTrail) -> AsyncIterator[Finding]:
    """This function will hold what the operator's acts have made: capital, lifted stops, statements and budgets."""
    stored, due = await trail.operator_rows(), _OperatorRows()
    for act in stored.acts:
        # What cannot be read is named where its record is held.
        with suppress(ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            due.tell(trail, act)
    for pool in sorted(due.capital.keys() | {row["pool_id"] for row in stored.capital}):
        own = [row for row in stored.capital if row["pool_id"] == pool]
        of = _of("the capital of pool", "资金池资本", pool)
        for found in _entry_findings(of, own, due.capital.get(pool, ())):
            yield found
    for pool in sorted(stored.lifted.keys() | due.lifted.keys()):
        told, said = stored.lifted.get(pool), due.lifted.get(pool)
        if told != said:
            yield Finding(
                f"pool {pool}: its lifted_at says {told}, the records say {said}: the row was changed",
                f"资金池 {pool} 的 lifted_at 为 {told}，而记录为 {said}：该行被改动过",
            )
    for found in _rows_by("record_id", ("the manager's statement", "管理人报表"), stored.statements, due.statements):
        yield found
    for found in _rows_by("programme", ("the budget of subsidy", "贴息项目预算"), stored.budgets, due.budgets):
        yield found


def _rows_by(
    key: str, of: tuple[str, str], stored: Sequence[Stored], due: Mapping[str, Stored]
) -> Iterator[Finding]:
    there = {row[key]: row for row in stored}
    for name in sorted(there.keys() | due.keys()):
        yield from _row_findings(_of(*of, name), there.get(name), due.get(name))


def _of(en: str, zh: str, name: str) -> tuple[str, str]:
    return f"{en} {name}", f"{zh} {name} "


# ---- a pool's sums ---------------------------------------------------------------------------------------------------


async def verify_pools(trail: PoolTrail, lenders: Sequence[str]) -> tuple[Finding, ...]:
    """This function will hold each pool's sums, and its holders', to its entries and covers; `lenders` have a log."""
    findings: list[Finding] = []
    for name in await trail.pools():
        held: dict[str, dict[date, int]] = {}

        def take(row: Stored, held: dict[str, dict[date, int]] = held) -> None:
            cover = Cover(
                row["offer_id"], "", row["holder"], "", Decimal(row["share"]), outstanding=Yuan(row["outstanding"]),
                undrawn=Yuan(row["undrawn"]), promised=Yuan(row["outstanding"] + row["undrawn"]),
            )  # fmt: skip
            until, days = date.fromisoformat(row["held_until"]), held.setdefault(row["holder"], {})
            days[until] = days.get(until, 0) + int(cover.reserved)

        stored = await trail.pool(name, take)
        findings += _sum_findings(name, stored, held, lenders)
    return tuple(findings)


def _sum_findings(
    name: str, stored: StoredPool, held: Mapping[str, Mapping[date, int]], lenders: Sequence[str]
) -> Iterator[Finding]:
    of = f"pool {name}", f"资金池 {name}"
    parts = {part.holder: part for part in stored.parts}
    every, days = dict.fromkeys(TOTALS, 0), dict[date, int]()
    for part in stored.parts:
        every = {column: every[column] + part.sums[column] for column in TOTALS}
    for own in held.values():
        for day, fen in own.items():
            days[day] = days.get(day, 0) + fen
    capital = parts.get(None)
    count = sum(part.entries for part in stored.parts)
    due: dict[str, Any] = {"entries": count, **every, "reserved_by_day": days_text(days)}
    due["own_entries"] = 0 if capital is None else capital.entries
    yield from _book_findings(of, stored.own, due if count or held else None)
    holders = {row["holder"]: row for row in stored.holders}
    for holder in sorted(holders.keys() | held.keys() | {part for part in parts if part is not None}):
        part = parts.get(holder)
        sums = dict.fromkeys(TOTALS, 0) if part is None else part.sums
        own_due = {"entries": 0 if part is None else part.entries, **sums,
                   "reserved_by_day": days_text(held.get(holder, {}))}  # fmt: skip
        of_holder = f"{of[0]}, the part of {holder}", f"{of[1]}中 {holder} 的部分"
        yield from _book_findings(of_holder, holders.get(holder), own_due if part is not None else None)
        if holder not in lenders:
            yield Finding(
                f"{of_holder[0]}: {holder} has no log: its rows were inserted",
                f"{of_holder[1]}：{holder} 没有日志，其行系插入",
            )
    if not stored.numbered or not all(part.in_order for part in stored.parts):
        yield Finding(
            f"{of[0]}: its entries are not numbered one after the other in the order of their recording: entries were "
            "removed, or numbers changed",
            f"{of[1]} 的分录编号不连续，或与记录先后不符：分录被删除，或编号被改动",
        )


def _book_findings(of: tuple[str, str], stored: Stored | None, due: Stored | None) -> Iterator[Finding]:
    if due is None and stored is not None and not any(stored[name] for name in (*TOTALS, "entries", "reserved_by_day")):
        # A pool whose share of a loss is nothing is promised nothing, and has no entries.
        return
    yield from _row_findings(of, stored, due, _OF_SUMS)
