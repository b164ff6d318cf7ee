"""核验预授信: the offers of a log as its records say they stand, and whether the table of offers says the same.

Neighbours may rely on this: an offer is open from the decision that made it until its last day, unless a later decision
took its place; that is found again by reading the records in their order, and nothing is kept of an offer that can no
longer change, so that memory is bounded by what is open.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from app.usecases.finding import Finding, differences
from app.usecases.log_trail import LogTrail
from app.usecases.ports import OfferRow
from app.usecases.recorded_row import RecordedRows

_AT_ONCE = 500


@dataclass(slots=True)
class OpenOffers:
    """The offers of one log while it is being read, in log order."""

    read: int = 0
    """How many offers the records have named so far."""
    _open: dict[str, OfferRow] = field(default_factory=dict)
    _of_application: dict[str, list[str]] = field(default_factory=dict)
    _ending: dict[date, list[str]] = field(default_factory=dict)
    _closed: list[tuple[OfferRow, str | None]] = field(default_factory=list)
    _on: date = date.min

    def follow(self, rows: RecordedRows) -> None:
        """This function will let one decision make its offer and end those whose place it takes."""
        decision = rows.decision
        self._let_time_pass(decision.decided_on)
        for offer_id in [*self._of_application.get(decision.application_id, ()), *filter(None, [rows.replaces])]:
            self._close(offer_id, decision.decision_id)
        if rows.offer is not None:
            commitment = rows.offer.commitment
            self.read += 1
            self._open[commitment.offer_id] = rows.offer
            self._of_application.setdefault(commitment.application_id, []).append(commitment.offer_id)
            self._ending.setdefault(commitment.counts_until, []).append(commitment.offer_id)

    def closed(self) -> Sequence[tuple[OfferRow, str | None]]:
        """This function will give the offers that can no longer change, each once, with the decision that superseded
        it.
        """
        closed, self._closed = self._closed, []
        return closed

    def all_that_is_left(self) -> Sequence[tuple[OfferRow, str | None]]:
        """This function will give the offers that are still open where the log ends."""
        return [*self.closed(), *((offer, None) for offer in self._open.values())]

    def _let_time_pass(self, on: date) -> None:
        if on > self._on:
            self._on = on
            for day in sorted(day for day in self._ending if day < on):
                for offer_id in self._ending.pop(day):
                    self._close(offer_id, None)

    def _close(self, offer_id: str, superseded_by: str | None) -> None:
        offer = self._open.pop(offer_id, None)
        if offer is not None:
            own = self._of_application[offer.commitment.application_id]
            own.remove(offer_id)
            if not own:
                del self._of_application[offer.commitment.application_id]
            self._closed.append((offer, superseded_by))


async def hold_offers(
    trail: LogTrail, expected: Sequence[tuple[OfferRow, str | None]], until: int
) -> AsyncIterator[Finding]:
    """This function will hold stored offers to what the records before the index `until` say of them."""
    for some in _in_batches(expected):
        stored = await trail.offers([offer.commitment.offer_id for offer, _ in some])
        for offer, superseded_by in some:
            offer_id = offer.commitment.offer_id
            found = stored.get(offer_id)
            if found is None:
                yield Finding(
                    f"offer {offer_id} of decision {offer.decision_id} is missing: it was removed",
                    f"决策 {offer.decision_id} 的预授信 {offer_id} 缺失：已被删除",
                )
                continue
            values = dict(found.values)
            since = found.superseded_at is not None and found.superseded_at >= until
            if superseded_by is None and (since or found.superseded_by_pruned):
                # A service that goes on writing has ended the offer since; or what ended it was pruned.
                values["superseded_by"] = None
            if found.has_line:
                # Events say until when it counts, and so whether there was anything to supersede.
                values["superseded_by"] = superseded_by
            for column, told, due in differences(values, trail.stored_offer(offer, superseded_by)):
                yield Finding(
                    f"offer {offer_id}: its {column} says {told}, the records say {due}: the row was changed",
                    f"预授信 {offer_id} 的 {column} 为 {told}，而记录为 {due}：该行被改动过",
                )


async def hold_the_number_of_offers(trail: LogTrail, lender: str, read: int, until: int) -> AsyncIterator[Finding]:
    """This function will name the offers that no record makes."""
    extra = await trail.offers_beyond(lender, until)
    for offer_id in extra.unlisted:
        yield Finding(
            f"offer {offer_id} is none that a decision of this log made: it was inserted",
            f"预授信 {offer_id} 并非本日志任何决策所作出：系插入",
        )
    if extra.count > read:
        yield Finding(
            f"there are {extra.count} offers for {read} that the records made: {extra.count - read} were inserted",
            f"预授信共 {extra.count} 项，而记录中只有 {read} 项：有 {extra.count - read} 项系插入",
        )


def _in_batches(
    expected: Sequence[tuple[OfferRow, str | None]],
) -> list[Sequence[tuple[OfferRow, str | None]]]:
    return [expected[at : at + _AT_ONCE] for at in range(0, len(expected), _AT_ONCE)]
