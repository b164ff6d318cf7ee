"""jifendai demo-data and jifendai log reindex."""

import sqlite3
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.adapters.demo import FIRST_DECISION_ID
from app.adapters.demo_history import Companies, Plan
from app.domain.review import ReviewOutcome
from app.domain.uscc import normalised_uscc
from app.main import load_catalogue
from app.settings import Settings
from tests.cli.conftest import Jifendai

UNTIL = datetime(2026, 11, 21, 3, tzinfo=UTC)


class TestDemoData:
    def test_makes_a_past_that_verifies_replays_and_ends_with_the_seeded_cases(
        self, folder: Path, jifendai: Jifendai, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("JIFENDAI_DEMO", "1")

        made = jifendai("demo-data", "--decisions", "700", "--seed", "3")

        assert made.code == 0, made.err
        assert "700 decisions in" in made.err
        replayed = jifendai("replay", FIRST_DECISION_ID)
        assert (replayed.code, replayed.out) == (0, "")
        assert jifendai("verify", "database").code == 0
        reindexed = jifendai("log", "reindex")
        assert " 0 differed" in reindexed.err, reindexed.err
        with closing(sqlite3.connect(folder / "var" / "jifendai.db")) as database:
            days, zones, outcomes, previews = database.execute(
                "SELECT (SELECT count(DISTINCT decided_on) FROM decision), count(DISTINCT zone), "
                "count(DISTINCT outcome), (SELECT count(*) FROM preview) FROM decision"
            ).fetchone()
            reviewed = dict(
                database.execute("SELECT state, count(*) FROM act WHERE format = 'jifendai/review/1' GROUP BY state")
            )
        assert days > 200 and zones == 6 and outcomes == 3 and previews > 6
        assert set(reviewed) == set(ReviewOutcome) and sum(reviewed.values()) > 50, reviewed

    def test_is_for_an_empty_demonstration_alone(self, demonstration: Path, jifendai: Jifendai):
        refused = jifendai("demo-data", "--decisions", "5")

        assert refused.code == 1
        assert "holds decisions already" in refused.err

    def test_is_never_made_outside_a_demonstration(self, folder: Path, jifendai: Jifendai):
        refused = jifendai("demo-data", "--decisions", "5")

        assert refused.code == 3
        assert "demonstrations only" in refused.err


class TestAHistory:
    def test_of_the_same_seed_is_the_same(self):
        catalog = load_catalogue(Settings()).catalog
        plans = [Plan(50, seed, UNTIL) for seed in (1, 1, 2)]

        drawn = [[Companies(catalog, plan).application(UNTIL.date()) for _ in range(3)] for plan in plans]

        assert drawn[0] == drawn[1] != drawn[2]

    def test_is_of_companies_whose_codes_are_well_formed_and_that_come_again(self):
        companies = Companies(load_catalogue(Settings()).catalog, Plan(200, 1, UNTIL))

        codes = [companies.application(UNTIL.date())["company"]["uscc"] for _ in range(200)]

        assert all(normalised_uscc(code) == code for code in codes)
        assert max(Counter(codes).values()) > 2

    def test_goes_forward_in_working_hours_and_ends_before_today(self):
        moments = [at for at, _ in Plan(900, 1, UNTIL).moments()]

        assert moments == sorted(moments) and len(moments) == 900
        assert max(moments) < UNTIL.replace(hour=0)
        assert all(1 <= at.hour < 10 and at.weekday() < 5 for at in moments)
