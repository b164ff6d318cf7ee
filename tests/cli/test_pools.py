"""jifendai pools."""

import json
import shutil
from pathlib import Path

import pytest

from app.adapters.clock import utc_now
from app.settings import BUILT_IN_CATALOGUE
from app.usecases.days import day_in_shanghai
from tests.cli.conftest import Jifendai

POOL = "zhongkai/illustration"


@pytest.fixture
def statement(folder: Path) -> Path:
    stated = {
        "as_of": day_in_shanghai(utc_now()).isoformat(), "paid_in": "500000000.00", "reserved": "0.00",
        "committed": "1.00", "reference": "REPORT-1",
    }  # fmt: skip
    (folder / "statement.json").write_text(json.dumps(stated), "utf-8")
    return folder / "statement.json"


class TestPools:
    def test_shows_room_and_holdings(self, demonstration: Path, jifendai: Jifendai):
        [shown] = jifendai("pools", "show", POOL).json()

        assert (shown["id"], shown["paid_in"]) == (POOL, "900000000.00")
        assert [one["lender"] for one in shown["holdings"]] == ["undisclosed"]

    def test_says_why_a_statement_is_not_taken(self, demonstration: Path, jifendai: Jifendai, statement: Path):
        own, nobody = jifendai("pools", "statement", POOL, statement), jifendai("pools", "show", "zhongkai/none")

        assert (own.code, own.out, nobody.code) == (1, "", 1)
        assert "The pool's book is kept here" in own.err

    def test_records_what_the_manager_of_an_external_pool_states_once_a_key(
        self, folder: Path, jifendai: Jifendai, statement: Path, monkeypatch: pytest.MonkeyPatch
    ):
        shutil.copytree(BUILT_IN_CATALOGUE, folder / "catalogue")
        zone = folder / "catalogue" / "zones" / "zhongkai.yaml"
        head, pool, rest = zone.read_text("utf-8").partition("  illustration:\n")
        zone.write_text(head + pool + rest.replace("    book: OWN\n", "    book: EXTERNAL\n", 1), "utf-8")
        product = folder / "catalogue" / "lenders" / "undisclosed" / "zhongkai-pool-illustration.yaml"
        product.write_text(product.read_text("utf-8").replace("  reserve_at: OFFER\n", ""), "utf-8")
        monkeypatch.setenv("JIFENDAI_DEMO", "1")
        monkeypatch.setenv("JIFENDAI_CATALOGUE_DIR", str(folder / "catalogue"))

        first, again = [jifendai("pools", "statement", POOL, statement, "--key", "november") for _ in range(2)]
        [shown] = jifendai("pools", "show", POOL).json()

        assert (first.code, again.out) == (0, first.out), first.err
        assert (shown["manager_statement"]["reference"], shown["room"]) == ("REPORT-1", "499999999.00")
