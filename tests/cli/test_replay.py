"""jifendai replay."""

import sqlite3
from contextlib import closing
from pathlib import Path

from app.adapters.demo import FIRST_DECISION_ID
from tests.cli.conftest import Jifendai


class TestReplay:
    def test_finds_every_recorded_decision_identical(self, demonstration: Path, jifendai: Jifendai, application: Path):
        jifendai("decide", application)

        replayed = jifendai("replay")

        assert (replayed.code, replayed.out) == (0, "")
        assert "12 decisions decided again, 0 differ" in replayed.err

    def test_takes_ids(self, demonstration: Path, jifendai: Jifendai):
        assert "1 decisions" in jifendai("replay", FIRST_DECISION_ID).err

    def test_refuses_an_id_that_is_not_there(self, demonstration: Path, jifendai: Jifendai):
        assert jifendai("replay", "nobody").code == 1

    def test_shows_where_a_record_differs(self, demonstration: Path, jifendai: Jifendai):
        with closing(sqlite3.connect(demonstration / "var" / "jifendai.db")) as database, database:
            database.execute(
                "UPDATE log_entry SET record = CAST(replace(CAST(record AS TEXT), ?, ?) AS BLOB) WHERE decision_id = ?",
                ('"annual_rate":"0.0345"', '"annual_rate":"0.0245"', FIRST_DECISION_ID),
            )

        replayed = jifendai("replay")

        assert replayed.code == 1
        assert replayed.out == f"{FIRST_DECISION_ID}/offer/annual_rate: recorded 记录 0.0245, now 重算 0.0345\n"
