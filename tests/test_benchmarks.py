"""The benchmark still runs: seconds instead of minutes, its figures mean nothing here.

It is more than a smoke test all the same: every rival engine must agree with `decide` on every company, no side may
answer anything but 201, and whatever was acknowledged must be found again in logs that hold together.
"""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from app.main import create_app
from benchmarks.__main__ import PARTS
from benchmarks.verification import Broken, verify
from tests.service import demo_settings

ROOT = Path(__file__).parent.parent


SHOWN = {
    "rules": ("zen-engine", "json-logic"),
    "replay": ("÷ decide",),
    "http": ("textbook", "raw INSERT", "logs and roots verified"),
    "access": ("an API key", "no check at all"),
    "pools": ("what the pool costs",),
    "campaigns": ("a campaign alone",),
    "start": ("first 201",),
}
"""What each part's table says, among the rest."""


class TestTheBenchmark:
    def test_is_run_here_in_all_its_parts(self):
        assert set(SHOWN) == set(PARTS)

    @pytest.mark.timeout(300)
    @pytest.mark.parametrize("part", SHOWN)
    def test_runs_agrees_and_finds_everything_again(self, part: str):
        command = [sys.executable, "-m", "benchmarks", "--quick", part]

        finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

        assert finished.returncode == 0, finished.stderr[-4000:]
        for measured in SHOWN[part]:
            assert measured in finished.stdout


@pytest.fixture
async def used_database(tmp_path: Path) -> Path:
    """A SQLite database in which a demonstration's decisions stand."""
    app = create_app(demo_settings(tmp_path / "data"))
    async with app.router.lifespan_context(app):
        pass
    return tmp_path / "data" / "jifendai.db"


class TestTheVerificationAfterTheLoad:
    async def test_finds_nothing_wrong_with_what_the_service_wrote(self, used_database):
        leaves = verify(f"sqlite:///{used_database}", [])

        assert leaves > 1

    @pytest.mark.parametrize(
        "defect",
        [
            'DELETE FROM log_entry WHERE "index" = 0',
            "UPDATE log_entry SET record = CAST(record || ' ' AS BLOB) WHERE \"index\" = 0",
            'DELETE FROM decision WHERE "index" = 0',
            "UPDATE checkpoint SET root = zeroblob(32)",
            "UPDATE log_head SET size = size + 1",
            "DELETE FROM offer",
        ],
    )
    async def test_catches(self, used_database, defect):
        with sqlite3.connect(used_database) as connection:
            connection.execute(defect)

        with pytest.raises(Broken):
            verify(f"sqlite:///{used_database}", [])

    async def test_catches_an_acknowledged_decision_that_is_not_stored(self, used_database):
        with pytest.raises(Broken, match="not stored"):
            verify(f"sqlite:///{used_database}", [range(7, 8)])
