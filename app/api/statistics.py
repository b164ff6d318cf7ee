"""Statistics of decisions over HTTP.

Neighbours may rely on this: filters mean what they mean in a search; figures are exact; what would take too much is
refused with how to narrow it.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query
from starlette.responses import Response

from app.api.calls import LeanRoute, ThisCall
from app.api.problems import Problem, error
from app.api.schemas import StatisticsQuery
from app.api.search import search_of
from app.api.statistics_schemas import StatisticsAnswer
from app.audit.application import instant_text
from app.audit.search_figures import SCORE_UNIT
from app.domain.money import Yuan
from app.usecases.statistics import Dimension, Key, Tally, TooMuch, quartiles

router = APIRouter(route_class=LeanRoute, tags=["decisions"])

_MOST_REASONS = 10
_RATE_DIGITS = 10_000


@router.get("/v1/decisions/statistics", response_model=StatisticsAnswer)
async def get_statistics(call: ThisCall, query: Annotated[StatisticsQuery, Query()]) -> Response:
    """决策统计 Statistics of decisions

    按 by 所列维度任意组合分组，条件与查询决策相同。统计的是决策：同一申请决策三次即计三次；
    预授信额度不是授信，也不是放款。四分位数取最近秩，必为实际出现的数值。
    Grouped by any combination of dimensions, with the filters of a search. Decisions are counted: an application
    decided three times counts three times, and a limit indicated is neither approved by the bank nor drawn. Quartiles
    are by nearest rank: figures that occur.
    """
    asked = search_of(call, query)
    by = _dimensions(query.by)
    try:
        found = await call.services.statistics.of(asked, by)
    except TooMuch as refused:
        raise _too_much(refused) from None
    ordered = sorted(found.groups.items(), key=lambda one: tuple((part is None, part or "") for part in one[0]))
    body = {
        "recorded_from": None if asked.recorded_from is None else instant_text(asked.recorded_from),
        "recorded_until": None if asked.recorded_until is None else instant_text(asked.recorded_until),
        "by": [dimension.value for dimension in by],
        "total": _group((), (), found.total),
        "groups": [_group(by, key, tally) for key, tally in ordered] if by else [],
    }
    return Response(orjson.dumps(body), media_type="application/json")


def _dimensions(text: str | None) -> tuple[Dimension, ...]:
    names = [] if text is None else text.split(",")
    known = ", ".join(Dimension)
    if len(set(names)) < len(names) or not set(names) <= set(Dimension):
        words = (f"由逗号分隔、不重复的维度：{known}", f"dimensions separated by commas, each once: {known}")
        raise Problem("invalid-request", errors=[error(*words, parameter="by")])
    return tuple(map(Dimension, names))


def _too_much(refused: TooMuch) -> Problem:
    if refused.groups:
        zh = f"分组超过 {refused.most:,} 组。请减少维度或缩小范围。"
        en = f"More than {refused.most:,} groups. Take fewer dimensions or less time."
    else:
        zh = (
            f"范围内约有 {refused.found:,} 条记录，至多 {refused.most:,} 条。"
            "请以 decided_from 与 decided_until 或 lender 缩小范围。"
        )
        en = (
            f"The range holds about {refused.found:,} records, of at most {refused.most:,}. Narrow it by decided_from "
            "and decided_until, or by lender."
        )
    return Problem("statistics-too-large", detail=(zh, en))


def _group(by: tuple[Dimension, ...], key: Key, tally: Tally) -> dict[str, Any]:
    values = dict(zip((dimension.value for dimension in by), key, strict=True))
    approved, referred = tally.outcomes["PRE_APPROVED"], tally.outcomes["REFERRED"]
    reviewed = sum(tally.reviews.values())
    return {
        "group": {dimension.value: values.get(dimension.value) for dimension in Dimension},
        "decisions": tally.decisions,
        "outcomes": {name: tally.outcomes[name] for name in ("PRE_APPROVED", "REFERRED", "DECLINED")},
        "pre_approval_rate": _share(approved, tally.decisions),
        "requested_amount": Yuan(tally.requested).text(),
        "pre_approved_limit": {"total": Yuan(tally.offered).text(), **_quartiles(tally.limits, _yuan)},
        "campaigns": {
            "pre_approved": tally.in_campaigns,
            "pre_approved_limit": Yuan(tally.offered_in_campaigns).text(),
        },
        # Points of one scheme are no points of another's scale.
        "score": {"known": len(tally.scores), **_quartiles(tally.scores if len(tally.zones) == 1 else (), _score)},
        "top_reasons": _most(tally.reasons, "code")[:_MOST_REASONS],
        "decisive_components": _most(tally.decisive, "step"),
        "interest_subsidy_maximum": Yuan(tally.subsidy).text(),
        "covered_amount": Yuan(tally.covered).text(),
        "referrals": {
            "reviewed": reviewed, "waiting": max(0, referred - reviewed), "by_state": _most(tally.reviews, "state"),
        },
    }  # fmt: skip


def _share(part: int, whole: int) -> str | None:
    """A share to four places, half up."""
    if whole == 0:
        return None
    digits = (part * _RATE_DIGITS * 2 + whole) // (2 * whole)
    return f"{digits // _RATE_DIGITS}.{digits % _RATE_DIGITS:04d}"


def _quartiles(figures: Any, shown: Any) -> dict[str, str | None]:
    found = quartiles(figures) or (None, None, None)
    names = ("lower_quartile", "median", "upper_quartile")
    return {name: None if one is None else shown(one) for name, one in zip(names, found, strict=True)}


def _yuan(fen: int) -> str:
    return Yuan(fen).text()


def _score(units: int) -> str:
    text = f"{units // SCORE_UNIT}.{units % SCORE_UNIT:06d}"
    return text.rstrip("0").rstrip(".")


def _most(counted: Counter[str], name: str) -> list[dict[str, Any]]:
    """The greatest first, and of equals in the order of their names."""
    return [{name: value, "decisions": count} for value, count in sorted(counted.items(), key=lambda o: (-o[1], o[0]))]
