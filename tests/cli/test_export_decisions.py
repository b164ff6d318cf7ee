"""jifendai export decisions, and jifendai verify rows."""

import csv
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.adapters.demo import FIRST_DECISION_ID
from app.api.schemas import DecisionFilters
from app.audit.checkpoint import Signer
from app.cli import DECISION_FILTERS
from tests.cli.conftest import Jifendai

FORMATS = ("csv", "jsonl", "parquet", "xlsx")


def exported(jifendai: Jifendai, form: str, *filters: str) -> Path:
    """This function will export into a file, and return it."""
    path = Path(f"decisions.{form}")
    written = jifendai("export", "decisions", "--output", path, *filters)
    assert (written.code, written.out) == (0, ""), written.err
    return path


class TestExportDecisions:
    def test_takes_every_filter_of_the_contract(self):
        assert tuple(DecisionFilters.model_fields) == DECISION_FILTERS

    def test_writes_to_standard_output_and_says_how_many(self, demonstration: Path, jifendai: Jifendai):
        written = jifendai("export", "decisions", "--format", "jsonl", "--outcome", "DECLINED")

        assert written.err.endswith("1 decisions written. 已导出 1 项决策\n")
        assert [json.loads(line)["outcome"] for line in written.out.splitlines()] == ["DECLINED"]

    @pytest.mark.parametrize(
        ("arguments", "named"),
        [
            (["--zone", "Nowhere!"], "--zone: "),
            (["--score-min", "80", "--score-max", "70"], "--score-min: "),
            (["--format", "xls"], "--format: "),
            (["--output", "no/such/folder.csv"], "no/such/folder.csv cannot be written"),
        ],
    )
    def test_refuses_by_name_and_leaves_nothing(
        self, demonstration: Path, jifendai: Jifendai, arguments: list[str], named: str
    ):
        refused = jifendai("export", "decisions", *arguments)

        assert refused.code == 1
        assert named in refused.err
        assert [path.name for path in demonstration.iterdir()] == ["var"]


class TestVerifyRows:
    @pytest.mark.parametrize("form", FORMATS)
    def test_finds_what_was_exported_sound(self, demonstration: Path, jifendai: Jifendai, form: str):
        with closing(sqlite3.connect(demonstration / "var" / "jifendai.db")) as database:
            decided, logs = database.execute("SELECT count(*), count(DISTINCT lender) FROM decision").fetchone()

        found = jifendai("verify", "rows", exported(jifendai, form))

        assert decided > logs > 1
        assert (found.code, found.out) == (0, "")
        assert found.err.splitlines()[-1].startswith(f"{decided} rows of {logs} logs verified; faults: 0.")

    def test_needs_nothing_but_the_public_keys(self, demonstration: Path, jifendai: Jifendai):
        path = exported(jifendai, "csv", "--lender", "icbc")
        keys = [line.split()[-1] for line in jifendai("keys", "verifiers").out.splitlines() if "/icbc+" in line]

        assert jifendai("verify", "rows", path, "--vkey", keys[0]).code == 0
        assert jifendai("verify", "rows", path, "--vkey", OTHER).code == 1

    @pytest.mark.parametrize(
        ("column", "value", "said"),
        [
            ("credit_limit", "20000000.00", "credit_limit is 20000000.00, and 10000000.00 in the record"),
            ("uscc", "91999999MAD0000990", "uscc is 91999999MAD0000990"),
            ("leaf_hash", "0" * 64, "leaf_hash is "),
            ("log_index", "1", "record 1: stands in two rows"),
            ("log_index", "99", "record 99: beyond the checkpoint"),
            ("log_origin", "demo.jifendai.example/nbcb", "nbcb: 0 checkpoints instead of one"),
        ],
    )
    def test_names_the_row_that_was_changed(
        self, demonstration: Path, jifendai: Jifendai, column: str, value: str, said: str
    ):
        path = exported(jifendai, "csv")
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        next(row for row in rows if row["decision_id"].strip() == FIRST_DECISION_ID)[column] = value
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)

        found = jifendai("verify", "rows", path)

        assert found.code == 1
        assert said in found.out, found.out

    def test_finds_a_record_that_was_changed_since(self, demonstration: Path, jifendai: Jifendai):
        path = exported(jifendai, "jsonl")
        with closing(sqlite3.connect(demonstration / "var" / "jifendai.db")) as database, database:
            database.execute(
                "UPDATE log_entry SET record = CAST(replace(CAST(record AS TEXT), ?, ?) AS BLOB) WHERE decision_id = ?",
                ('"annual_rate":"0.0345"', '"annual_rate":"0.0245"', FIRST_DECISION_ID),
            )

        found = jifendai("verify", "rows", path)

        assert found.code == 1
        assert "annual_rate is 0.0345, and 0.0245 in the record" in found.out
        assert "does not have the root that the file's checkpoint signs" in found.out

    @pytest.mark.parametrize("name", ["none.csv", "rows.xlsx", "empty.parquet", "other.csv", "other.jsonl"])
    def test_says_of_any_other_file_what_it_is_not(self, demonstration: Path, jifendai: Jifendai, name: str):
        if name != "none.csv":
            Path(name).write_text('{"a": 1}\n"')

        found = jifendai("verify", "rows", name)

        assert found.code == 1
        assert name in found.err


OTHER = Signer("demo.jifendai.example/icbc", Ed25519PrivateKey.generate()).verifier_key
