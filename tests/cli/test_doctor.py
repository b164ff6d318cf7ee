"""jifendai doctor: each danger is named, with what to do; a sound deployment is told so."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from app.adapters import deployment
from app.adapters.signing import make_key_file
from tests.cli.conftest import Jifendai
from tests.postgres import as_owner


def findings(outcome: object) -> dict[str, str]:
    """This function will return the level of each check."""
    return {one["check"]: one["level"] for one in outcome.json()["findings"]}


@pytest.fixture
def installation(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Names an installation of production in the environment, on the given database."""

    def named(url: str) -> None:
        make_key_file(folder / "key.pem")
        monkeypatch.setenv("JIFENDAI_SIGNING_KEY_FILE", "key.pem")
        monkeypatch.setenv("JIFENDAI_LOG_NAME", "bank.example/jifendai")
        monkeypatch.setenv("JIFENDAI_DATABASE_URL", url)
        (folder / "var").mkdir(mode=0o700)

    return named


class TestTheDoctor:
    def test_finds_the_demonstration_in_working_order(self, demonstration: Path, jifendai: Jifendai):
        outcome = jifendai("doctor", "--json")

        found = findings(outcome)
        assert outcome.code == 0, outcome.out
        assert {check for check, level in found.items() if level != "OK"} <= {"demo", "outside_checkpoint", "disk"}
        assert {"settings", "signing_key", "journal_mode", "file_mode", "integrity", "keys"} <= found.keys()

    def test_speaks_both_languages_and_counts(self, demonstration: Path, jifendai: Jifendai):
        outcome = jifendai("doctor")

        assert "WARN  demo" in outcome.out and "演示模式" in outcome.out
        assert "0 faults" in outcome.err and "故障 0 项" in outcome.err

    def test_names_a_database_that_others_may_read(self, demonstration: Path, jifendai: Jifendai):
        os.chmod("var/jifendai.db", 0o644)

        outcome = jifendai("doctor", "--json")

        assert outcome.code == 3
        assert findings(outcome)["file_mode"] == "FAULT"
        assert "chmod 600" in outcome.out

    def test_names_missing_settings_and_migrations(
        self, folder: Path, jifendai: Jifendai, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("JIFENDAI_LOG_NAME", "bank.example/jifendai")
        (folder / "var").mkdir()

        outcome = jifendai("doctor", "--json")

        assert outcome.code == 3
        assert (findings(outcome)["settings"], findings(outcome)["database"]) == ("FAULT", "FAULT")
        assert "jifendai migrate" in outcome.out

    @pytest.mark.parametrize(("free_mb", "level"), [(99, "FAULT"), (101, "WARNING"), (3_000, "OK")])
    def test_looks_at_the_disk(
        self, demonstration: Path, jifendai: Jifendai, monkeypatch: pytest.MonkeyPatch, free_mb: int, level: str
    ):
        usage = type("Usage", (), {"free": free_mb << 20})
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)

        assert findings(jifendai("doctor", "--json"))["disk"] == level

    def test_of_the_services_own_account_finds_it_bound(
        self, postgres_url: str, installation: Callable[[str], None], jifendai: Jifendai
    ):
        installation(postgres_url)

        found = findings(jifendai("doctor", "--json"))

        assert (found["account"], found["row_security"], found["clock"]) == ("OK", "OK", "OK")
        # The tests' own server forgoes durability, and nothing was activated.
        assert (found["fsync"], found["full_page_writes"], found["synchronous_commit"]) == ("FAULT", "FAULT", "WARNING")
        assert (found["min_wal_size"], found["catalogue"], found["keys"]) == ("WARNING", "FAULT", "FAULT")

    def test_of_the_owners_account_says_so(
        self, postgres_url: str, installation: Callable[[str], None], jifendai: Jifendai
    ):
        installation(as_owner(postgres_url))
        with psycopg.connect(as_owner(postgres_url), autocommit=True) as connection:
            connection.execute("ALTER TABLE decision DISABLE ROW LEVEL SECURITY")

        outcome = jifendai("doctor", "--json")

        assert (findings(outcome)["account"], findings(outcome)["row_security"]) == ("WARNING", "FAULT")
        assert "Give the service an account of its own" in outcome.out

    def test_of_a_clock_that_is_wrong_says_so(
        self, postgres_url: str, installation: Callable[[str], None], jifendai: Jifendai,
        monkeypatch: pytest.MonkeyPatch,
    ):  # fmt: skip
        from datetime import timedelta

        from app.adapters.clock import utc_now

        installation(postgres_url)
        for seconds, level in ((1, "OK"), (10, "WARNING"), (90, "FAULT")):
            monkeypatch.setattr(deployment, "utc_now", lambda seconds=seconds: utc_now() - timedelta(seconds=seconds))
            assert findings(jifendai("doctor", "--json"))["clock"] == level


class TestAStrictService:
    def test_does_not_start_on_what_the_doctor_warns_of(
        self, demonstration: Path, jifendai: Jifendai, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("JIFENDAI_DEMO", "1")
        monkeypatch.setenv("JIFENDAI_STRICT", "1")
        monkeypatch.setenv("JIFENDAI_PORT", "0")

        outcome = jifendai("serve")

        assert outcome.code == 3
        assert "JIFENDAI_STRICT" in outcome.err and "demo:" in outcome.err


class TestAServiceOnADatabaseThatLoses:
    def test_does_not_start_and_names_what_is_off(
        self, postgres_url: str, installation: Callable[[str], None], jifendai: Jifendai,
        monkeypatch: pytest.MonkeyPatch,
    ):  # fmt: skip
        installation(postgres_url)
        monkeypatch.setenv("JIFENDAI_PORT", "0")

        outcome = jifendai("serve")

        assert outcome.code == 3
        assert "fsync: fsync is off" in outcome.err and "full_page_writes:" in outcome.err
        assert "JIFENDAI_ACCEPT_DATA_LOSS=1" in outcome.err


class TestMigrating:
    def test_under_the_owner_grants_the_services_account(
        self, empty_postgres_url: str, postgres_url: str, installation: Callable[[str], None], jifendai: Jifendai,
        monkeypatch: pytest.MonkeyPatch,
    ):  # fmt: skip
        from sqlalchemy import make_url

        service = make_url(postgres_url).set(database=make_url(empty_postgres_url).database)
        url = service.render_as_string(hide_password=False)
        installation(url)

        refused = jifendai("migrate")
        monkeypatch.setenv("JIFENDAI_MIGRATION_DATABASE_URL", empty_postgres_url)
        done = jifendai("migrate")

        assert refused.code == 3 and "JIFENDAI_MIGRATION_DATABASE_URL" in refused.err
        assert done.code == 0
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM decision").fetchone() == (0,)
