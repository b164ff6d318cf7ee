"""贴息结算: each quarter's list, from the decisions, the events and nothing else.

Neighbours may rely on this: a list holds what was reported until the quarter's end (Shanghai) less what was reported
until its beginning, so that a quarter that is over has the same list for ever; caps and budgets that lenders share are
filled by all of them, and a reader sees his own lenders' rows alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import orjson

from app.domain.money import Yuan
from app.domain.terms import Parameter, ProductTerms, SubsidyProgramme
from app.ledger.interest import Accrual, balances
from app.ledger.offer import Event, EventKind
from app.ledger.subsidy import (
    Claimed,
    InterestPaid,
    Programme,
    SettlementLine,
    SubsidisedLine,
    factor,
    owed,
    settlement,
)
from app.products.build import terms_from_document
from app.usecases.act_rows import StoredAct
from app.usecases.acts import Acts
from app.usecases.days import SHANGHAI
from app.usecases.offers import EVENT_FORMAT, Offers, StoredOffer, event_of
from app.usecases.pools import quarter
from app.usecases.subsidy_claims import CLAIM_FORMAT

_PAGE = 500


@dataclass(frozen=True, slots=True)
class _Told:
    """An offer with the events that were reported on it, in the order of the log."""

    stored: StoredOffer
    acts: tuple[StoredAct, ...]


async def settlement_list(
    acts: Acts, offers: Offers, lenders: Sequence[str], period: str
) -> tuple[SettlementLine, ...]:
    """This function will make the list of a quarter such as 2026Q4 over all these lenders."""
    days = quarter(period)
    since, until = (datetime.combine(day, time(), SHANGHAI) for day in days)
    told = [t for t in await _every_line(acts, offers, lenders, until) if t.stored.decision is not None]
    before = [line for t in told if (line := _line(t, since)) is not None]
    after = [line for t in told if (line := _line(t, until)) is not None]
    return settlement(before, after, (days[0] - timedelta(days=1), days[1] - timedelta(days=1)))


async def settled_in_all(acts: Acts, offers: Offers, lenders: Sequence[str], until: datetime) -> Mapping[str, Yuan]:
    """This function will return, by programme, what all that was reported before an instant comes to."""
    told = [t for t in await _every_line(acts, offers, lenders, until) if t.stored.decision is not None]
    sums: dict[str, Yuan] = {}
    for (_, programme), found in owed([line for t in told if (line := _line(t, until)) is not None]).items():
        sums[programme] = sums.get(programme, Yuan(0)) + found.amount
    return sums


async def _every_line(acts: Acts, offers: Offers, lenders: Sequence[str], until: datetime) -> list[_Told]:
    by_offer: dict[str, list[StoredAct]] = {}
    position: tuple[datetime, str] | None = (until, "")
    while True:
        page = await acts.search((EVENT_FORMAT, CLAIM_FORMAT), lenders, limit=_PAGE, after=position)
        for act in page:
            by_offer.setdefault(act.subject, []).append(act)
        if len(page) < _PAGE:
            break
        position = (page[-1].recorded_at, page[-1].record_id)
    told: list[_Told] = []
    for offer_id, found in sorted(by_offer.items()):
        stored = await offers.find(offer_id, lenders)
        if stored is not None:
            told.append(_Told(stored, tuple(sorted(found, key=lambda act: act.index))))
    return told


def _line(told: _Told, until: datetime) -> SubsidisedLine | None:
    """A line by what was reported before an instant; None while it has no interest paid and no programme."""
    events = [
        (event_of(orjson.loads(act.record)["document"], act.record_id), act)
        for act in told.acts
        if act.recorded_at < until and act.format == EVENT_FORMAT
    ]
    gone = {event.reverses for event, _ in events if event.reverses is not None}
    standing = [(event, act) for event, act in events if event.event_id not in gone]
    record = orjson.loads(told.stored.decision.record)
    offer = record["decision"]["offer"]
    rate = next((e.annual_rate for e, _ in standing if e.annual_rate is not None), None)
    rate = rate if rate is not None else _rate_of(offer)
    if rate is None or not offer["interest_subsidy"]["programmes"]:
        return None
    terms = terms_from_document(orjson.loads(told.stored.decision.terms))
    paid = [
        InterestPaid(event.value_on, event.interest, (act.recorded_at, act.record_id))
        for event, act in standing
        if event.kind is EventKind.REPAYMENT and event.interest
    ]
    moves = [(e.value_on, _movement(e)) for e, _ in standing if e.kind in (EventKind.DRAWDOWN, EventKind.REPAYMENT)]
    return SubsidisedLine(
        id=offer["offer_id"],
        company=record["application"]["company"]["uscc"],
        lender=told.stored.lender,
        accrual=Accrual(balances(moves), rate),
        paid=tuple(paid),
        stack=tuple(_programmes(terms, offer["interest_subsidy"]["programmes"], rate)),
        past_due=_past_due([event for event, _ in standing]),
        claims=tuple(_claim(act) for act in told.acts if act.recorded_at < until and act.format == CLAIM_FORMAT),
    )


def _claim(act: StoredAct) -> Claimed:
    said = orjson.loads(act.record)["document"]
    until, on = (date.fromisoformat(said[name]) for name in ("paid_until", "claimed_on"))
    return Claimed(said["programme"], until, on, (act.recorded_at, act.record_id))


def _rate_of(offer: Mapping[str, Any]) -> Decimal | None:
    written = offer["annual_rate"] or offer["annual_rate_ceiling"]
    return None if written is None else Decimal(written)


def _movement(event: Event) -> int:
    return int(event.amount) if event.kind is EventKind.DRAWDOWN else -int(event.amount)


def _past_due(events: Iterable[Event]) -> tuple[tuple[date, date], ...]:
    """From when until when something was past due: it ends when it is repaid, or reported to be nothing."""
    ranges: list[tuple[date, date]] = []
    owing, since, outstanding = 0, None, 0
    for event in sorted(events, key=lambda e: e.value_on):
        if event.kind is EventKind.DRAWDOWN:
            outstanding += int(event.amount)
        elif event.kind is EventKind.REPAYMENT:
            outstanding -= int(event.amount)
            owing = min(owing, outstanding)
        elif event.kind is EventKind.PAST_DUE:
            owing = int(event.amount)
            since = since or event.day
        if since is not None and owing <= 0:
            ranges.append((since, event.value_on))
            since = None
    if since is not None:
        ranges.append((since, date.max))
    return tuple(ranges)


def _programmes(terms: ProductTerms, offered: Iterable[Mapping[str, Any]], rate: Decimal) -> Iterable[Programme]:
    """The programmes that the offer named, in its order, by the terms that were recorded with it."""
    known = {programme.id: programme for programme in terms.subsidies}
    for named in offered:
        programme = known[named["id"]]
        lpr = None if programme.lpr_term is None else terms.lpr[programme.lpr_term].rate
        yield _programme(programme, Decimal(named["share_up_to"]), rate, lpr)


def _programme(programme: SubsidyProgramme, share: Decimal, rate: Decimal, lpr: Decimal | None) -> Programme:
    payers = _value(programme.payers)
    return Programme(
        id=programme.id,
        factor=factor(programme.base, share, rate, lpr),
        claim=programme.claim,
        cap_per_loan=_value(programme.cap_per_loan),
        cap_per_company_and_year=_value(programme.cap_per_company_year),
        cap_per_company=_value(programme.cap_per_company),
        maximum_months=_value(programme.maximum_months),
        exclusion_group=programme.exclusion_group,
        one_loan_only=programme.one_loan_only,
        forfeit=programme.forfeited_when,
        payers=() if payers is None else tuple(payers.items()),
        budget=_value(programme.budget),
        claim_within_days=_value(programme.claim_within_days),
    )


def _value(parameter: Parameter | None) -> Any:
    return None if parameter is None else parameter.value


# ---- as it is answered -----------------------------------------------------------------------------------------------

COLUMNS = (
    "period", "programme", "claim", "lender", "offer_id", "uscc", "interest_paid", "amount", "settled_in_all",
    "payers", "bounds",
)  # fmt: skip


def settlement_document(row: SettlementLine, period: str) -> dict[str, Any]:
    """This function will show one row of the list."""
    return {
        "period": period,
        "programme": row.programme,
        "claim": row.claim.value,
        "lender": row.lender,
        "offer_id": row.line,
        "uscc": row.company,
        "interest_paid": row.interest_paid.text(),
        "amount": row.amount.text(),
        "settled_in_all": row.in_all.text(),
        "payers": [{"payer": payer, "amount": Yuan(amount).text()} for payer, amount in row.payers.items()],
        "bounds": list(row.bounds),
    }


def settlement_cells(shown: Mapping[str, Any]) -> list[str]:
    """This function will write one row for a table, its lists in one cell each."""
    payers = " ".join(f"{part['payer']}:{part['amount']}" for part in shown["payers"])
    return [{**shown, "payers": payers, "bounds": " ".join(shown["bounds"])}[column] for column in COLUMNS]
