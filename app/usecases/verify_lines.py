"""核验授信与集团: what offers count as since their events, and who was seen in which group, held to the log.

Neighbours may rely on this: a credit line's row is made again from the decision and the acts on its offer, in the order
of the log, and a member's from the decisions that named the group and its registrations. What a service writes
meanwhile is no finding.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from app.ledger.offer import EventKind, OfferLife, Refusal
from app.usecases.act_rows import StoredAct
from app.usecases.days import day_in_shanghai
from app.usecases.finding import Finding, differences
from app.usecases.log_trail import PoolTrail, StandingTrail, StoredLine
from app.usecases.offers import EVENT_FORMAT, life_of, pre_approval_of
from app.usecases.replay import Difference
from app.usecases.replay_acts import LineAgain, complaints, of_offer
from app.usecases.verify_pools import cover_findings, hold_claims

Member = tuple[str, str]
"""Company and group."""


@dataclass(slots=True)
class Members:
    """Who belongs to which group by the records read so far, and whom a registration has taken out."""

    belong: set[Member] = field(default_factory=set)
    left: set[Member] = field(default_factory=set)

    def named(self, member: Member) -> None:
        """This function will take a decision whose application named the group: who was taken out stays out."""
        if member not in self.left:
            self.belong.add(member)

    def registered(self, record: bytes) -> None:
        """This function will take the record of a registration."""
        result = orjson.loads(record)["result"]
        for uscc in result["joined"]:
            self.belong.add((uscc, result["group_id"]))
            self.left.discard((uscc, result["group_id"]))
        for uscc in result["left"]:
            self.belong.discard((uscc, result["group_id"]))
            self.left.add((uscc, result["group_id"]))


async def hold_lines(standing: StandingTrail, pools: PoolTrail, lender: str) -> AsyncIterator[tuple[str, Finding]]:
    """This function will hold every credit line of the lender to the acts on its offer, and its cover and claims to
    them and to the acts on pools: each finding with its kind.
    """
    after, acts = "", list(await standing.pool_acts(lender))
    by_offer = of_offer(acts)
    while page := await standing.lines(lender, after):
        await _catch_up(standing, lender, page[0].acts_until, acts, by_offer)
        for line in page:
            own = [act for act in by_offer.get(line.offer_id, ()) if act.index < line.acts_until]
            for found in _of_line(standing, line):
                yield "line", found
            for kind, found in _worked_out_again(pools, line, own):
                yield kind, found
        after = page[-1].offer_id
    claims, until = await pools.claims(lender)
    await _catch_up(standing, lender, until, acts, by_offer)
    async for found in hold_claims(pools, lender, [act for act in acts if act.index < until], claims):
        yield "claim", found


async def _catch_up(
    trail: StandingTrail, lender: str, until: int, acts: list[StoredAct], by_offer: dict[str, list[StoredAct]]
) -> None:
    """Acts on pools that a service has recorded since, as rows of the moment before `until` were made by them."""
    since = acts[-1].index + 1 if acts else 0
    if since >= until:
        return
    new = await trail.pool_acts(lender, since)
    acts += new
    for offer_id, of in of_offer(new).items():
        by_offer.setdefault(offer_id, []).extend(of)


def _worked_out_again(
    trail: PoolTrail, line: StoredLine, pool_acts: Sequence[StoredAct]
) -> Sequence[tuple[str, Finding]]:
    try:
        again = None if line.decision is None else LineAgain.of(line.decision)
        acts = () if again is None else again.follow((*line.acts, *pool_acts))
        found = [("line", _unlike(line, act, bad)) for act, bad in acts if bad]
        if again is not None and again.broken_off:
            return found
        return (*found, *(("cover", one) for one in cover_findings(trail, line, again)))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        # What cannot be read is named where its record is held.
        return ()


def _unlike(line: StoredLine, act: StoredAct, bad: Sequence[Difference]) -> Finding:
    return Finding(
        f"act {act.record_id} on credit line {line.offer_id} does not follow from the records before it: "
        f"{complaints(bad)}",
        f"授信 {line.offer_id} 的事项 {act.record_id} 与此前记录推出的不符：{complaints(bad)}",
    )


def _of_line(trail: StandingTrail, line: StoredLine) -> Sequence[Finding]:
    offer_id = line.offer_id
    try:
        due = _due(trail, line)
    except (ArithmeticError, LookupError, Refusal, TypeError, ValueError):
        # What cannot be read is named where its record is held, and what cannot follow where it is worked out again.
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
    acts = [act for act in line.acts if act.format == EVENT_FORMAT]
    if line.decision is None or not acts:
        return None
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
    for uscc, group in sorted(named.belong):
        member = stored.get((uscc, group))
        if member is None or not (member.is_member or member.since):
            what = ("is not listed", "未列入") if member is None else ("is listed as having left", "被列为已退出")
            yield Finding(
                f"company {uscc} was recorded in group {group} and {what[0]}: its row was removed or changed",
                f"企业 {uscc} 在记录中属于集团 {group}，而{what[1]}：该行被删除或改动过",
            )
    for (uscc, group), member in stored.items():
        known = named.belong if member.is_member else named.belong | named.left
        if all_there and not member.since and (uscc, group) not in known:
            yield Finding(
                f"company {uscc} is listed in group {group}, where no record names it: it was inserted",
                f"企业 {uscc} 列于集团 {group}，而没有任何记录如此记载：系插入",
            )
