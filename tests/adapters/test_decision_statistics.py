"""Statistics, in memory and on both databases, against counting one by one."""

from collections import Counter
from collections.abc import Sequence
from statistics import quantiles

import pytest

from app.adapters.database import Database
from app.audit.search_figures import SCORE_UNIT, Figures
from app.usecases import statistics
from app.usecases.days import SHANGHAI
from app.usecases.search import Range, Search
from app.usecases.statistics import Dimension, Key, Tally, TooMuch, quartiles
from tests.adapters.varied import LENDERS, populated


def key_of(found: Figures, by: Sequence[Dimension]) -> Key:
    """This function will say to which group a decision belongs."""
    at = found.recorded_at.astimezone(SHANGHAI)
    band = None if found.score is None else str(found.score // SCORE_UNIT // 10 * 10)
    special = {"day": f"{at:%Y-%m-%d}", "month": f"{at:%Y-%m}", "score_band": band}
    return tuple(special[d] if d in special else getattr(found, d) for d in by)


def plain(tally: Tally) -> dict[str, object]:
    """This function will make a tally comparable, whatever the order in which it was made."""
    counters = {name: dict(getattr(tally, name)) for name in ("outcomes", "reasons", "decisive")}
    sums = {name: getattr(tally, name) for name in ("decisions", "requested", "offered", "subsidy", "covered")}
    return counters | sums | {
        "scores": sorted(tally.scores), "limits": sorted(tally.limits), "zones": tally.zones,
    }  # fmt: skip


def counted(every: Sequence[Figures]) -> dict[str, object]:
    """This function will count one by one."""
    offered = [f for f in every if f.outcome == "PRE_APPROVED"]
    return {
        "decisions": len(every), "outcomes": dict(Counter(f.outcome for f in every)),
        "reasons": dict(Counter(r for f in every for r in f.reasons)),
        "decisive": dict(Counter(f.extras.decisive for f in every if f.extras.decisive)),
        "requested": sum(f.requested_amount for f in every), "offered": sum(f.credit_limit for f in offered),
        "subsidy": sum(f.extras.subsidy for f in offered), "covered": sum(f.extras.covered for f in offered),
        "scores": sorted(f.score for f in every if f.score is not None),
        "limits": sorted(f.credit_limit for f in offered), "zones": {f.zone for f in every},
    }  # fmt: skip


class TestStatistics:
    async def test_are_those_of_counting_one_by_one(self, database: Database):
        book = await populated(database)
        questions = [
            (Search(LENDERS), ()), (Search(LENDERS), (Dimension.LENDER, Dimension.OUTCOME)),
            (Search(LENDERS), (Dimension.DAY,)), (Search(LENDERS), (Dimension.MONTH, Dimension.ZONE)),
            (Search(("icbc",)), (Dimension.PRODUCT, Dimension.STAGE, Dimension.SCORE_BAND)),
            (Search(("icbc/east", "boc"), score=Range(50 * SCORE_UNIT, None)), (Dimension.ZONE,)),
            *((book.question(), (Dimension.OUTCOME,)) for _ in range(8)),
        ]  # fmt: skip

        for asked, by in questions:
            found = await database.statistics.of(asked, by)
            every = [f for f in book.figures if asked.holds(f)]
            keys = {key_of(f, by) for f in every}
            assert {key: plain(tally) for key, tally in found.groups.items()} == {
                key: counted([f for f in every if key_of(f, by) == key]) for key in keys
            }, (asked, by)
            assert plain(found.total) == counted(every)

    async def test_of_more_than_may_be_gone_through_say_so(self, database: Database, monkeypatch: pytest.MonkeyPatch):
        await populated(database)
        monkeypatch.setattr(statistics, "MOST_DECISIONS", 1_000)
        with pytest.raises(TooMuch) as refused:
            await database.statistics.of(Search(LENDERS), ())
        assert (refused.value.most, refused.value.groups) == (1_000, False)

        monkeypatch.setattr(statistics, "MOST_GROUPS", 5)
        with pytest.raises(TooMuch) as refused:
            await database.statistics.of(Search(("nbcb", "boc")), (Dimension.ZONE, Dimension.SCORE_BAND))
        assert (refused.value.most, refused.value.groups) == (5, True)


class TestQuartiles:
    @pytest.mark.parametrize(
        ("figures", "right"),
        [([], None), ([7], (7, 7, 7)), ([2, 1], (1, 1, 2)), ([1, 2, 3, 4], (1, 2, 3)), ([5, 1, 3, 2, 4], (2, 3, 4))],
    )
    def test_are_figures_that_occur(self, figures: list[int], right: object):
        assert quartiles(figures) == right

    def test_lie_where_others_put_them(self):
        figures = [n * n for n in range(1, 400)]

        assert quartiles(figures) == tuple(quantiles(figures, n=4, method="exclusive"))
