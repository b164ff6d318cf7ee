"""Campaigns on both databases: lists, progress, results, and what became of them.

Neighbours may rely on this: a result is kept once, with the progress that it makes, in one transaction; what was kept
before a kill is not lost, and what was decided and not kept is found again by its key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Subquery,
    and_,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql

from app.adapters.database.campaign_tables import CAMPAIGN, CAMPAIGN_COMPANY, CAMPAIGN_RESULT
from app.adapters.database.plain_book import read_only
from app.adapters.database.store import EVERY_LENDER, Store
from app.adapters.database.tables import ACT, CREDIT_LINE, DECISION, LOG_ENTRY, OFFER, RECORDED, seen
from app.domain.access import Scope
from app.domain.money import Yuan
from app.ledger.offer import OfferStatus
from app.usecases.campaigns import KEY_BEGINS, Campaign, CampaignResult, CampaignState, Conversion, ListedCompany
from app.usecases.offers import EVENT_FORMAT
from app.usecases.ports import BatchState, Wanted

_AT_ONCE = 1_000
_COUNTED = {"PRE_APPROVED": "pre_approved", "REFERRED": "referred", "DECLINED": "declined", None: "not_decided"}


class Campaigns:
    """Keeps campaigns."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    async def state_for(self, wanted: Wanted) -> BatchState:
        """This function will read what a batch is decided from, without any lock."""
        return await self._store.read(
            lambda connection: read_only(connection, wanted, self._clock), lenders=wanted.lenders
        )

    async def prepare(self, lender: str, campaign_id: str, companies: Sequence[ListedCompany]) -> None:
        """This function will keep more of a list."""
        rows = [
            {"campaign_id": campaign_id, "number": c.number, "lender": lender, "uscc": c.uscc, "document": c.document}
            for c in companies
        ]

        def kept(connection: Connection) -> None:
            if companies[0].number == 0:
                # An earlier attempt may have been broken off before its campaign was created.
                stands = exists().where(CAMPAIGN.c.campaign_id == campaign_id)
                mine = CAMPAIGN_COMPANY.c.campaign_id == campaign_id
                connection.execute(delete(CAMPAIGN_COMPANY).where(mine, ~stands))
            connection.execute(insert(CAMPAIGN_COMPANY), rows)

        if rows:
            await self._store.write(kept, lenders=(lender,))

    async def find(self, campaign_id: str, scope: Scope) -> Campaign | None:
        """This function will return the campaign when it is within the scope."""
        query = select(CAMPAIGN).where(CAMPAIGN.c.campaign_id == campaign_id, seen(scope, CAMPAIGN))
        return next(iter(await self._found(query, scope)), None)

    async def listed(self, scope: Scope, *, limit: int, after: tuple[datetime, str] | None) -> Sequence[Campaign]:
        """This function will return campaigns, newest first."""
        c = CAMPAIGN.c
        query = select(CAMPAIGN).where(seen(scope, CAMPAIGN)).order_by(c.created_at.desc(), c.campaign_id.desc())
        if after is not None:
            at, campaign_id = after
            query = query.where(or_(c.created_at < at, and_(c.created_at == at, c.campaign_id < campaign_id)))
        return await self._found(query.limit(limit), scope)

    async def active(self) -> Sequence[Campaign]:
        """This function will return every campaign that is being forecast or run."""
        states = (CampaignState.FORECASTING.value, CampaignState.RUNNING.value)
        query = select(CAMPAIGN).where(CAMPAIGN.c.state.in_(states)).order_by(CAMPAIGN.c.created_at)
        return await self._found(query, EVERY_LENDER)

    async def _found(self, query: Select[Any], scope: Scope) -> Sequence[Campaign]:
        return await self._store.read(
            lambda connection: tuple(map(_to_campaign, connection.execute(query))), lenders=scope
        )

    async def companies(self, campaign: Campaign, after: int, limit: int) -> Sequence[ListedCompany]:
        """This function will return the companies of a list from the number `after` on."""
        c = CAMPAIGN_COMPANY.c
        query = (
            select(c.number, c.uscc, c.document)
            .where(c.campaign_id == campaign.campaign_id, c.number >= after)
            .order_by(c.number)
            .limit(limit)
        )
        return await self._store.read(
            lambda connection: tuple(ListedCompany(n, u, bytes(d)) for n, u, d in connection.execute(query)),
            lenders=(campaign.lender,),
        )

    async def forecast_reached(self, campaign: Campaign, done: int) -> bool:
        """This function will keep how far a campaign's forecast has come, and tell whether it is still being made."""
        return await self._forecast(campaign, forecast_done=done)

    async def forecast_made(self, campaign: Campaign, forecast: Mapping[str, Any]) -> None:
        """This function will make the campaign ready, if it is still being forecast."""
        made = {"forecast": orjson.dumps(dict(forecast)), "state": CampaignState.READY.value}
        await self._forecast(campaign, forecast_done=campaign.size, **made)

    async def _forecast(self, campaign: Campaign, **values: Any) -> bool:
        change = update(CAMPAIGN).where(_is(campaign), CAMPAIGN.c.state == CampaignState.FORECASTING.value)
        return await self._store.write(
            lambda connection: connection.execute(change.values(values)).rowcount > 0, lenders=(campaign.lender,)
        )

    async def progress(self, campaign: Campaign, results: Sequence[CampaignResult]) -> Campaign:
        """This function will keep results, none twice, and return the campaign as it then stands."""

        def kept(connection: Connection) -> Campaign:
            # The row is held first, so that two runs of one campaign take turns.
            held = select(CAMPAIGN).where(_is(campaign)).with_for_update()
            stands = _to_campaign(connection.execute(held).one())
            new = [result for result in results if result.number >= stands.done]
            if new:
                _keep(connection, [_result_row(campaign, result) for result in new])
                connection.execute(update(CAMPAIGN).where(_is(campaign)).values(_counted(new)))
            return _to_campaign(connection.execute(select(CAMPAIGN).where(_is(campaign))).one())

        return await self._store.write(kept, lenders=(campaign.lender,))

    async def results(
        self, campaign: Campaign, *, outcome: str | None, after: int, limit: int
    ) -> Sequence[CampaignResult]:
        """This function will return results behind the number `after`, in order."""
        c = CAMPAIGN_RESULT.c
        query = select(
            c.number, c.uscc, c.product, c.decision_id, c.outcome, c.credit_limit, c.problem
        ).where(c.campaign_id == campaign.campaign_id, c.number > after)  # fmt: skip
        if outcome is not None:
            query = query.where(c.outcome == outcome)
        query = query.order_by(c.number).limit(limit)
        return await self._store.read(
            lambda connection: tuple(CampaignResult(*row) for row in connection.execute(query)),
            lenders=(campaign.lender,),
        )

    async def records(self, campaign: Campaign, *, after: int, limit: int) -> Sequence[tuple[int, bytes]]:
        """This function will return the records of its pre-approvals, in the order of the list."""
        r = CAMPAIGN_RESULT.c
        query = (
            select(r.number, LOG_ENTRY.c.record)
            .join(DECISION, DECISION.c.decision_id == r.decision_id)
            .join(LOG_ENTRY, RECORDED)
            .where(r.campaign_id == campaign.campaign_id, r.outcome == "PRE_APPROVED", r.number > after)
            .order_by(r.number)
            .limit(limit)
        )
        return await self._store.read(
            lambda connection: tuple((number, bytes(record)) for number, record in connection.execute(query)),
            lenders=(campaign.lender,),
        )

    async def conversion(self, campaign: Campaign) -> Conversion:
        """This function will tell what became of the campaign's pre-approvals."""

        def told(connection: Connection) -> Conversion:
            counted = connection.execute(_conversion(campaign)).one()
            drawn = _disbursed(connection.execute(_newest_events(campaign)))
            return Conversion(*(int(value or 0) for value in counted), len(drawn), sum(drawn.values()))

        return await self._store.read_snapshot(told, lenders=(campaign.lender,))


_COLUMNS = ", ".join(column.name for column in CAMPAIGN_RESULT.columns)
_TYPED = ", ".join(f"{column.name} {column.type.compile(postgresql.dialect())}" for column in CAMPAIGN_RESULT.columns)
_KEEP_ALL = text(
    f"INSERT INTO campaign_result ({_COLUMNS}) "
    f"SELECT {_COLUMNS} FROM json_to_recordset(CAST(:rows AS json)) AS told({_TYPED})"
)


def _keep(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """A page at once. PostgreSQL is given one text: so many rows of parameters are milliseconds of this process, in
    which requests wait for their turn.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_KEEP_ALL, {"rows": orjson.dumps(rows).decode()})
    else:
        connection.execute(insert(CAMPAIGN_RESULT), rows)


def _is(campaign: Campaign) -> Any:
    return CAMPAIGN.c.campaign_id == campaign.campaign_id


def _counted(results: Sequence[CampaignResult]) -> dict[str, Any]:
    more: dict[str, int] = {"done": len(results)}
    for result in results:
        name = _COUNTED[result.outcome]
        more[name] = more.get(name, 0) + 1
        more["pre_approved_limit"] = more.get("pre_approved_limit", 0) + (result.credit_limit or 0)
    return {name: CAMPAIGN.c[name] + count for name, count in more.items()}


def _result_row(campaign: Campaign, result: CampaignResult) -> dict[str, Any]:
    return {
        "campaign_id": campaign.campaign_id, "lender": campaign.lender, "number": result.number, "uscc": result.uscc,
        "product": result.product, "decision_id": result.decision_id, "outcome": result.outcome,
        "credit_limit": result.credit_limit, "problem": result.problem,
    }  # fmt: skip


_LATER = DECISION.alias("later")
_OFFERED_LATER = _LATER.join(OFFER, OFFER.c.decision_id == _LATER.c.decision_id)


def _offered(campaign: Campaign) -> Subquery:
    """Each pre-approval of the campaign."""
    r = CAMPAIGN_RESULT.c
    return (
        select(r.number, r.uscc, r.product, r.lender, r.credit_limit, DECISION.c.recorded_at)
        .join(DECISION, DECISION.c.decision_id == r.decision_id)
        .where(r.campaign_id == campaign.campaign_id, r.outcome == "PRE_APPROVED")
        .subquery("offered")
    )


def _its_own(offered: Subquery) -> ColumnElement[bool]:
    """What the company later asked for itself, on the same product."""
    return and_(
        _LATER.c.uscc == offered.c.uscc, _LATER.c.lender == offered.c.lender, _LATER.c.product == offered.c.product,
        _LATER.c.recorded_at > offered.c.recorded_at, ~_LATER.c.idempotency_key.like(f"{KEY_BEGINS}%"),
    )  # fmt: skip


def _conversion(campaign: Campaign) -> Select[Any]:
    offered = _offered(campaign)
    applied = exists(select(_LATER.c.decision_id).where(_its_own(offered))).correlate(offered)
    approved = (
        select(CREDIT_LINE.c.credit_limit)
        .select_from(_OFFERED_LATER.join(CREDIT_LINE, CREDIT_LINE.c.offer_id == OFFER.c.offer_id))
        .where(_its_own(offered), CREDIT_LINE.c.credit_approved.is_(True))
        .correlate(offered)
    )
    return select(
        func.count(), func.sum(offered.c.credit_limit), func.sum(case((applied, 1), else_=0)),
        func.sum(case((exists(approved), 1), else_=0)),
        func.sum(approved.with_only_columns(func.sum(CREDIT_LINE.c.credit_limit)).scalar_subquery()),
    ).select_from(offered)  # fmt: skip


def _newest_events(campaign: Campaign) -> Select[Any]:
    """The record of the newest event of every offer that came of the campaign and was ever drawn on: no row of a line
    keeps what was disbursed, as only its events tell.
    """
    offered, drawn, newer = _offered(campaign), ACT.alias("drawn"), ACT.alias("newer")
    of_offer = and_(ACT.c.subject == OFFER.c.offer_id, ACT.c.lender == OFFER.c.lender, ACT.c.format == EVENT_FORMAT)
    was_drawn = exists().where(
        drawn.c.subject == ACT.c.subject, drawn.c.lender == ACT.c.lender, drawn.c.state == OfferStatus.DRAWN.value
    )
    is_newest = ~exists().where(
        newer.c.subject == ACT.c.subject, newer.c.lender == ACT.c.lender, newer.c.format == EVENT_FORMAT,
        newer.c.index > ACT.c.index,
    )  # fmt: skip
    kept = and_(LOG_ENTRY.c.lender == ACT.c.lender, LOG_ENTRY.c.index == ACT.c.index)
    return (
        select(offered.c.number, LOG_ENTRY.c.record)
        .select_from(offered.join(_OFFERED_LATER, _its_own(offered)).join(ACT, of_offer).join(LOG_ENTRY, kept))
        .where(was_drawn, is_newest)
    )


def _disbursed(events: Iterable[Row[Any]]) -> dict[int, int]:
    """What was drawn in all, by the number of the pre-approval; a drawdown that was reversed is none."""
    found: dict[int, int] = {}
    for number, record in events:
        told = orjson.loads(bytes(record or b"{}")).get("result")
        amount = 0 if told is None else int(Yuan.parse(told["offer"]["disbursed"]))
        if amount:
            found[number] = found.get(number, 0) + amount
    return found


def _to_campaign(row: Row[Any]) -> Campaign:
    values = dict(row._mapping)
    values["products"] = tuple(values["products"].split("|"))
    values["state"] = CampaignState(values["state"])
    for name in ("source", "forecast"):
        values[name] = None if values[name] is None else orjson.loads(bytes(values[name]))
    return Campaign(**values)
