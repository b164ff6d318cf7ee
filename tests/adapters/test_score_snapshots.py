"""Score snapshots: kept once, the newest counts, and no lender sees another's."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from app.adapters.database import Database
from app.adapters.memory import MemoryDatabase
from app.domain.company import InnovationScore, Rank, RankScope, ScoreSource, ScoreState, SourceKind
from app.domain.score_snapshot import ScoreSnapshot
from app.usecases.score_snapshots import SnapshotFilter

AnyDatabase = Database | MemoryDatabase
AT = datetime(2026, 11, 20, 2, 15, 0, 123456, tzinfo=UTC)
FULL = InnovationScore(
    scheme="suzhou-snd", state=ScoreState.SCORED, scheme_version="2025", value=Decimal("68.55"), grade="B",
    vetoed=False, stage="startup", field="new-materials", rank=Rank(8, RankScope.STAGE_AND_FIELD),
    as_of=date(2026, 9, 30), valid_until=date(2027, 9, 29),
    source=ScoreSource(SourceKind.PLATFORM_QUERY, "Q-1", AT),
)  # fmt: skip
FIRST = ScoreSnapshot("s1", "icbc", "suzhou-snd", "91999999MAD0000017", FULL, AT, date(2026, 9, 30), "示例公司")
ZONE = SnapshotFilter("suzhou-snd")


def other(snapshot_id: str, uscc: str = FIRST.uscc, *, days: int = 0, **score: object) -> ScoreSnapshot:
    """This function will return a snapshot like the first, so many days later, with another score."""
    observed = FIRST.observed_on + timedelta(days=days)
    return replace(FIRST, snapshot_id=snapshot_id, uscc=uscc, observed_on=observed, score=replace(FULL, **score))


class TestASnapshot:
    @pytest.mark.parametrize(
        "score",
        [FULL, InnovationScore("fuxin", ScoreState.NOT_FOUND), replace(FULL, value=Decimal("0.000001"), rank=None),
         replace(FULL, source=ScoreSource(SourceKind.SCORE_SHEET, "sha256:ab!7"), value=Decimal("999999.999999"))],
    )  # fmt: skip
    async def test_comes_back_as_it_was_kept(self, database: AnyDatabase, score: InnovationScore):
        kept = replace(FIRST, score=score, name=None)

        assert await database.score_snapshots.keep([kept]) == 1

        assert await database.score_snapshots.newest("icbc", "suzhou-snd", [FIRST.uscc]) == {FIRST.uscc: kept}

    async def test_is_kept_once_however_often_it_is_sent(self, database: AnyDatabase):
        await database.score_snapshots.keep([FIRST])

        again = await asyncio.gather(
            *(database.score_snapshots.keep([replace(FIRST, name="another"), other("s2")]) for _ in range(3))
        )

        assert sorted(again) == [0, 0, 1]
        (found,) = await database.score_snapshots.listed("icbc", ZONE, limit=9)
        assert found == other("s2")

    async def test_of_two_of_one_day_is_the_one_that_was_obtained_later(self, database: AnyDatabase):
        later = replace(FIRST, snapshot_id="a", obtained_at=AT + timedelta(microseconds=1))
        await database.score_snapshots.keep([later, FIRST])

        assert await database.score_snapshots.newest("icbc", "suzhou-snd", [FIRST.uscc]) == {FIRST.uscc: later}

    async def test_of_an_earlier_day_is_not_the_newest_though_it_came_last(self, database: AnyDatabase):
        stale = replace(other("s2", days=-1), obtained_at=AT + timedelta(days=1))
        await database.score_snapshots.keep([FIRST, stale])

        assert await database.score_snapshots.newest("icbc", "suzhou-snd", [FIRST.uscc]) == {FIRST.uscc: FIRST}

    async def test_is_not_seen_by_another_lender_nor_in_another_zone(self, database: AnyDatabase):
        await database.score_snapshots.keep([FIRST, replace(FIRST, lender="boc", name="theirs")])

        seen = await database.score_snapshots.newest("boc", "suzhou-snd", [FIRST.uscc, "absent"])

        assert {uscc: found.name for uscc, found in seen.items()} == {FIRST.uscc: "theirs"}
        assert await database.score_snapshots.newest("icbc", "fuxin", [FIRST.uscc]) == {}
        assert await database.score_snapshots.listed("ccb", ZONE, limit=9) == ()

    async def test_many_are_kept_in_one_go(self, database: AnyDatabase):
        many = [other(f"m{number}", f"{number:018d}") for number in range(1_201)]

        assert await database.score_snapshots.keep([]) == 0
        assert await database.score_snapshots.keep(many) == 1_201

        assert len(await database.score_snapshots.newest("icbc", "suzhou-snd", [one.uscc for one in many])) == 1_201


class TestAList:
    COMPANIES = (
        other("a", "A", value=Decimal("60"), stage="growth", rank=Rank(10, RankScope.ZONE)),
        other("b", "B", value=Decimal("60.000001"), field="aerospace", rank=None),
        other("c", "C", state=ScoreState.NOT_SCORED, value=None, stage=None, rank=None),
        other("d-old", "D", days=-9, value=Decimal("90")),
        other("d", "D", value=Decimal("59.999999"), rank=Rank(11, RankScope.ZONE)),
    )

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            (ZONE, "ABCD"),
            (replace(ZONE, state=ScoreState.NOT_SCORED), "C"),
            (replace(ZONE, stage="growth"), "A"),
            (replace(ZONE, field="aerospace"), "B"),
            (replace(ZONE, score_from=Decimal("60")), "AB"),
            (replace(ZONE, score_from=Decimal("59.9999995")), "AB"),
            (replace(ZONE, score_until=Decimal("60")), "AD"),
            (replace(ZONE, score_until=Decimal("59.9999995")), "D"),
            (replace(ZONE, rank_until=10), "A"),
        ],
    )
    async def test_holds_each_companys_newest_that_fits(
        self, database: AnyDatabase, asked: SnapshotFilter, expected: str
    ):
        await database.score_snapshots.keep(self.COMPANIES)

        assert "".join(one.uscc for one in await database.score_snapshots.listed("icbc", asked, limit=9)) == expected

    async def test_goes_on_behind_the_last_code(self, database: AnyDatabase):
        await database.score_snapshots.keep(self.COMPANIES)

        page = await database.score_snapshots.listed("icbc", ZONE, limit=2, after="A")

        assert [one.uscc for one in page] == ["B", "C"]
