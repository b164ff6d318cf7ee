"""核验授信与集团: what offers count as since their events, and who was seen in which group, held to the log.

Neighbours may rely on this: a credit line's row is made again from the decision and the acts on its offer, in the order
of the log, and a member's from the decisions that named the group. What a service writes meanwhile is no finding.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from app.ledger.offer import EventKind, OfferLife
from app.usecases.days import day_in_shanghai
from app.usecases.finding import Finding, differences
from app.usecases.log_trail import StandingTrail, StoredLine
from app.usecases.offers import EVENT_FORMAT, life_of, pre_approval_of

Members = set[tuple[str, str]]
"""Company and group."""


async def hold_lines(trail: StandingTrail, lender: str) -> AsyncIterator[Finding]:
    """This function will hold every credit line of the lender to the acts on its offer."""
    after = ""
    while page := await trail.lines(lender, after):
        for line in page:
            for found in _of_line(trail, line):
                yield found
        after = page[-1].offer_id


def _of_line(trail: StandingTrail, line: StoredLine) -> Sequence[Finding]:
    offer_id = line.offer_id
    try:
        due = _due(trail, line)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        # What cannot be read is named where its record is held.
        return ()
    if due is None:
        if line.values is None:
            return ()
        return (
            Finding(
                f"credit line {offer_id} has a row, and no event of the log makes one: it was inserted",
                f"授信 {offer_id} 有一行，而日志中没有相应事件：系插入",
            ),
        )
    if line.values is None:
        return (
            Finding(
                f"credit line {offer_id} is missing, though the log has events on it: it was removed",
                f"授信 {offer_id} 在日志中有事件，而其行缺失：已被删除",
            ),
        )
    return tuple(
        Finding(
            f"credit line {offer_id}: its {column} says {told}, the records say {said}: the row was changed",
            f"授信 {offer_id} 的 {column} 为 {told}，而记录为 {said}：该行被改动过",
        )
        for column, told, said in differences(line.values, due)
    )


def _due(trail: StandingTrail, line: StoredLine) -> Mapping[str, Any] | None:
    if line.decision is None:
        return None
    acts = [act for act in line.acts if act.format == EVENT_FORMAT]
    life = life_of(pre_approval_of(line.decision), acts, None)
    # A note that time has ended an offer changes nothing of what it counts as.
    told = [place for place, event in enumerate(life.events) if event.kind is not EventKind.EXPIRED]
    if not told:
        return None
    until = OfferLife(life.offer, life.events[: told[-1] + 1], None)
    on = day_in_shanghai(acts[told[-1]].recorded_at)
    return trail.stored_line(line.decision.lender, until.counts(on))


async def hold_members(
    trail: StandingTrail, lender: str, named: Members, until: int, *, all_there: bool
) -> AsyncIterator[Finding]:
    """This function will hold the lender's members of groups to those that records before the index `until` named;
    where not `all_there`, a member may have been named by a record that was pruned.
    """
    stored = {(member.uscc, member.group_id): member for member in await trail.members(lender, until)}
    for uscc, group in sorted(named):
        member = stored.get((uscc, group))
        if member is None or not member.is_member:
            what = ("is not listed", "未列入") if member is None else ("is listed as having left", "被列为已退出")
            yield Finding(
                f"company {uscc} was recorded in group {group} and {what[0]}: its row was removed or changed",
                f"企业 {uscc} 在记录中属于集团 {group}，而{what[1]}：该行被删除或改动过",
            )
    for (uscc, group), member in stored.items():
        if all_there and not member.since and (uscc, group) not in named:
            yield Finding(
                f"company {uscc} is listed in group {group}, where no record names it: it was inserted",
                f"企业 {uscc} 列于集团 {group}，而没有任何记录如此记载：系插入",
            )
