"""Searching decisions over HTTP.

Neighbours may rely on this: a cursor leads on through the very listing that it comes from — the same key's scope,
filters and order — and is refused anywhere else; a page says what window of time it has looked through.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query
from starlette.responses import Response

from app.api.answers import DecisionPage
from app.api.calls import Call, LeanRoute, ThisCall
from app.api.cursor import open_cursor, seal_cursor
from app.api.problems import Problem, error
from app.api.schemas import DecisionFilters, DecisionsQuery
from app.audit.application import instant_text
from app.audit.search_figures import SCORE_UNIT
from app.domain.money import Yuan
from app.usecases.days import SHANGHAI
from app.usecases.search import Position, Range, Search, SearchPage, Sort

router = APIRouter(route_class=LeanRoute, tags=["decisions"])

_NOT_FILTERS = {"limit", "cursor", "count"}
_ALIKE = (
    "product", "branch", "zone", "stage", "outcome", "reason", "decisive", "assumption", "exception", "campaign",
    "uscc", "application_id",
)  # fmt: skip


@router.get("/v1/decisions", response_model=DecisionPage)
async def list_decisions(call: ThisCall, query: Annotated[DecisionsQuery, Query()]) -> Response:
    """查询决策 Search decisions

    所有条件须同时满足。翻页期间新增的决策不会造成重复或遗漏。searched 说明本页所查的时间范围。
    All filters must hold. What is recorded while you page through neither repeats nor hides anything. `searched` says
    which window of time the page has looked through; where it is not complete, next_cursor goes on.
    """
    services, sort = call.services, Sort(query.sort)
    asked = search_of(call, query)
    filters = query.model_dump(exclude=_NOT_FILTERS, exclude_none=True)
    listing = _Listing(services.cursor_key, call.caller.scope(services.lenders), filters)
    position = None if query.cursor is None else listing.position(query.cursor)
    page = await services.search.page(asked, sort=sort, limit=query.limit, position=position, counted=query.count)
    following = None if page.following is None else listing.cursor(page.following)
    body = b'{"items":[%b],"next_cursor":%b,"searched":%b,"count":%b}' % (
        b",".join(row.answer for row in page.rows),
        orjson.dumps(following),
        orjson.dumps(_searched(asked, sort, page)),
        orjson.dumps(None if page.count is None else {"value": page.count.value, "exact": page.count.exact}),
    )
    return Response(body, media_type="application/json")


def search_of(call: Call, query: DecisionFilters) -> Search:
    """This function will return what is asked for, within the caller's scope. Raises Problem (422) for a range that
    ends before it begins.
    """
    return search_within(call.caller.scope(call.services.lenders), query)


def search_within(scope: tuple[str, ...], query: DecisionFilters) -> Search:
    """This function will do the same for a scope that is known."""
    if query.lender is not None:
        scope = tuple(entry for entry in scope if entry.partition("/")[0] == query.lender)
    return Search(
        scope=scope,
        score=_range(query, "score", lambda text: int(Decimal(text) * SCORE_UNIT)),
        requested_amount=_range(query, "requested", Yuan.parse),
        credit_limit=_range(query, "credit_limit", Yuan.parse),
        recorded_from=_latest(query.decided_from, query.recorded_from, max),
        recorded_until=_latest(query.decided_until, query.recorded_until, min),
        **{name: getattr(query, name) for name in _ALIKE},
    )


def _range(query: DecisionFilters, name: str, read: Any) -> Range | None:
    least, most = (getattr(query, f"{name}_{end}") for end in ("min", "max"))
    if least is None and most is None:
        return None
    found = Range(None if least is None else read(least), None if most is None else read(most))
    if least is not None and most is not None and found.least > found.most:
        words = (f"不得大于 {name}_max", f"is at most {name}_max: no decision lies in between")
        raise Problem("invalid-request", errors=[error(*words, parameter=f"{name}_min")])
    return found


def _latest(day: str | None, instant: str | None, which: Any) -> datetime | None:
    """The policy's day is the day of recorded_at in Shanghai, so a day is an instant like any other."""
    given = []
    if day is not None:
        given.append(datetime.combine(date.fromisoformat(day), time(), SHANGHAI).astimezone(UTC))
    if instant is not None:
        given.append(datetime.fromisoformat(instant))
    return which(given, default=None)


def _searched(asked: Search, sort: Sort, page: SearchPage) -> Mapping[str, Any]:
    since, until = asked.recorded_from, asked.recorded_until
    if page.reached is not None:
        since, until = (since, page.reached) if sort is Sort.OLDEST else (page.reached, until)
    return {
        "complete": page.complete,
        "recorded_from": None if since is None else instant_text(since),
        "recorded_until": None if until is None else instant_text(until),
    }


@dataclass(frozen=True, slots=True)
class _Listing:
    """What a cursor is bound to. It names lenders by their place in the scope, so that it stays short."""

    key: bytes
    scope: Sequence[str]
    filters: Mapping[str, Any]

    def cursor(self, position: Position) -> str:
        """This function will seal where the next page begins."""
        lenders = self._lenders()
        places = [position.places.get(lender, 0) for lender in lenders]
        after = None
        if position.after is not None:
            figure, lender, index = position.after
            after = [figure, lenders.index(lender), index]
        return seal_cursor(self.key, orjson.dumps([places, after]), self.scope, self.filters)

    def position(self, cursor: str) -> Position:
        """This function will return where the page begins. Raises Problem (400) for another listing's cursor."""
        lenders = self._lenders()
        places, after = orjson.loads(open_cursor(self.key, cursor, self.scope, self.filters))
        if after is not None:
            figure, place, index = after
            after = (figure, lenders[place], index)
        return Position(dict(zip(lenders, places, strict=True)), after)

    def _lenders(self) -> Sequence[str]:
        return sorted({entry.partition("/")[0] for entry in self.scope})
