"""预测: what a campaign would come to, decided on the same road and thrown away.

Neighbours may rely on this: a forecast is made by the rules themselves on what is promised now; it writes nothing,
holds nothing and binds no key. The limits of several products for one company are each indicated by themselves: they
are not what the company could have together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from app.domain.money import Yuan
from app.domain.pool import pool_money
from app.usecases.campaign_answers import AnsweredDecision, answered
from app.usecases.decide import Answer
from app.usecases.obstacles import Obstacle
from app.usecases.ports import Submission

OUTCOMES: Final = ("PRE_APPROVED", "REFERRED", "DECLINED")
_MOST_REASONS: Final = 10


@dataclass(slots=True)
class _Part:
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    limit: int = 0
    covered: Counter[str] = field(default_factory=Counter)

    def add(self, decided: AnsweredDecision) -> None:
        self.outcomes[decided.outcome] += 1
        self.reasons.update({reason.code for reason in decided.reasons if reason.severity != "INFO"})
        offer = decided.offer
        if offer is not None:
            self.limit += int(offer.credit_limit)
            cover = offer.risk_compensation
            if cover.pool is not None:
                share = next((one.share for one in cover.shares if one.bearer == "POOL"), "0")
                self.covered[cover.pool, share] += int(cover.covered_amount)

    def document(self) -> dict[str, Any]:
        return {
            "outcomes": {name: self.outcomes[name] for name in OUTCOMES},
            "not_decided": self.outcomes["NOT_DECIDED"],
            "pre_approved_limit": Yuan(self.limit).text(),
            "covered_amount": Yuan(sum(self.covered.values())).text(),
            "top_reasons": [
                {"code": code, "decisions": count}
                for code, count in sorted(self.reasons.items(), key=lambda one: (-one[1], one[0]))[:_MOST_REASONS]
            ],
        }


class Forecast:
    """A forecast while it is being made."""

    def __init__(self) -> None:
        self.total = _Part()
        self.products: dict[str, _Part] = {}

    def add(self, batch: Sequence[Submission], results: Sequence[Answer | Obstacle]) -> None:
        """This function will add what a batch would come to."""
        for asked, result in zip(batch, results, strict=True):
            part = self.products.setdefault(asked.application.product, _Part())
            if isinstance(result, Obstacle):
                part.outcomes["NOT_DECIDED"] += 1
                self.total.outcomes["NOT_DECIDED"] += 1
                continue
            decided = answered(result.body)
            part.add(decided)
            self.total.add(decided)

    @property
    def covered(self) -> Mapping[str, tuple[Yuan, Yuan]]:
        """By pool: the amount that would be under cover, and the pool's own part of it, rounded up to the fen."""
        found: dict[str, tuple[Yuan, Yuan]] = {}
        for (pool, share), amount in self.total.covered.items():
            covered, part = found.get(pool, (Yuan(0), Yuan(0)))
            found[pool] = (covered + amount, part + pool_money(Yuan(amount), Decimal(share)))
        return found

    def document(self, rooms: Mapping[str, Yuan | None]) -> dict[str, Any]:
        """This function will write the forecast; `rooms` is what each pool has left for this lender, None where nobody
        knows; `would_bear` is what of its part the pool could promise.
        """
        pools = []
        for pool, (covered, part) in sorted(self.covered.items()):
            room = rooms.get(pool)
            pools.append(
                {
                    "pool": pool, "covered_amount": covered.text(), "pool_amount": part.text(),
                    "room": None if room is None else room.text(), "bears": None if room is None else part <= room,
                    "would_bear": None if room is None else min(part, room).text(),
                }
            )  # fmt: skip
        return {
            "total": self.total.document(),
            "products": [{"product": name, **part.document()} for name, part in self.products.items()],
            "pools": pools,
        }
