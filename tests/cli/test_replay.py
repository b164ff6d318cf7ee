"""jifendai replay."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from app.adapters.demo import FIRST_DECISION_ID
from app.cli.replaying import _decided_again
from app.usecases.ports import StoredDecision
from tests.cli.conftest import Jifendai
from tests.usecases.test_decide import asked, sealed


@pytest.fixture
def recorded() -> list[StoredDecision]:
    made = sealed(asked("k1", application_id="A"), asked("k2", application_id="B")).sealed
    terms = dict(made.terms)
    return [
        StoredDecision(row.decision_id, row.lender, row.index, b"", entry.record, terms[row.terms_digest])
        for row, entry in zip(made.decisions, made.entries, strict=True)
    ]


def decisions_in(demonstration: Path) -> int:
    with closing(sqlite3.connect(demonstration / "var" / "jifendai.db")) as database:
        return database.execute("SELECT count(*) FROM decision").fetchone()[0]


class TestReplay:
    def test_finds_every_recorded_decision_identical(self, demonstration: Path, jifendai: Jifendai, application: Path):
        jifendai("decide", application)

        replayed = jifendai("replay")

        assert (replayed.code, replayed.out) == (0, "")
        assert f"{decisions_in(demonstration)} decisions decided again, 0 differ" in replayed.err

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

    def test_takes_those_recorded_since_a_day_or_an_instant(self, demonstration: Path, jifendai: Jifendai):
        assert "\n0 decisions decided again" in jifendai("replay", "--since", "2199-01-01").err
        every = f"{decisions_in(demonstration)} decisions decided again"
        assert every in jifendai("replay", "--since", "2020-01-01T00:00:00Z").err

    @pytest.mark.parametrize("wrong", [("--since", "yesterday"), ("--processes", "0")])
    def test_refuses_what_is_no_day_and_no_number_of_processes(self, jifendai: Jifendai, wrong: tuple[str, str]):
        assert jifendai("replay", *wrong).code == 2


class TestALongReplay:
    async def test_is_shared_by_processes_and_told_in_order(self, recorded: list[StoredDecision]):
        changed = [replace(one, record=one.record.replace(b'"PRE_APPROVED"', b'"REFERRED"')) for one in recorded[:1]]
        stored = recorded * 300 + changed + recorded

        async def found():
            for one in stored:
                yield one

        told = [one async for chunk in _decided_again(found(), processes=2) for one in chunk]

        assert [bool(complaints) for complaints in told] == [one in changed for one in stored]
