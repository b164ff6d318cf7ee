"""jifendai log: after a restore that lost the end of a log, two people let it go on under another name."""

import asyncio
import contextlib
import io
import json
import os
import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.api.examples import pre_approved
from app.cli import main
from app.main import create_app
from app.settings import Settings
from app.usecases.days import day_in_shanghai
from app.usecases.self_check import LogsNotSoundError
from tests.cli.conftest import Jifendai
from tests.cli.tampering import copied
from tests.cli.tampering import restored as restored_rows
from tests.cli.test_keys import installation

__all__ = ["installation"]

DATABASE = Path("var/jifendai.db")


def serve_once() -> None:
    """This function will start the service and stop it, which keeps the newest checkpoints outside."""
    app = create_app(Settings.from_environment(os.environ))

    async def start_and_stop() -> None:
        async with app.router.lifespan_context(app):
            pass

    asyncio.run(start_and_stop())


def decide(jifendai: Jifendai, application: Path, number: int) -> dict:
    return jifendai("decide", application, "--key", f"key-{number}").json()


def backed_up(to: Path) -> None:
    source, target = sqlite3.connect(DATABASE), sqlite3.connect(to)
    source.backup(target)
    source.close()
    target.close()


def restored(copy: Path) -> None:
    for name in ("jifendai.db-wal", "jifendai.db-shm"):
        DATABASE.with_name(name).unlink(missing_ok=True)
    shutil.copy(copy, DATABASE)


SETTINGS = {
    "JIFENDAI_LOG_NAME": "bank.example/jifendai",
    "JIFENDAI_SIGNING_KEY_FILE": "var/signing-key.pem",
    "JIFENDAI_OUTSIDE_CHECKPOINTS": "outside",
}


def carry_out(*arguments: str) -> str:
    """This function will run one command and return what was asked for."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert main(arguments) == 0, arguments
    return said.getvalue()


@pytest.fixture(scope="module")
def _stale(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation that was restored from a copy of after its first decision; outside two more are known of."""
    folder = tmp_path_factory.mktemp("stale")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, value in SETTINGS.items():
            patch.setenv(name, value)
        (folder / "outside").mkdir()
        (folder / "application.json").write_text(json.dumps(pre_approved(day_in_shanghai(datetime.now(UTC)))), "utf-8")
        for command in ("keys signing create", "migrate", "catalogue activate"):
            carry_out(*command.split())
        (folder / "li.key").write_text(carry_out("keys", "create", "--role", "auditor", "--subject", "li"))
        carry_out("decide", "application.json", "--key", "key-0")
        backed_up(folder / "copy.db")
        for number in (1, 2):
            carry_out("decide", "application.json", "--key", f"key-{number}")
        carry_out("keys", "create", "--role", "operator", "--subject", "lost-with-the-restore")
        serve_once()
        restored(folder / "copy.db")
    return folder


@pytest.fixture
def stale(folder: Path, _stale: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, and we are in it."""
    shutil.copytree(_stale, folder, dirs_exist_ok=True)
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    return folder


def asked(jifendai: Jifendai) -> str:
    """This function will ask for a new epoch and return the id of the request."""
    answer = jifendai("log", "new-epoch", "--reason", "the disk of the database failed")
    assert answer.code == 0, answer.err
    return answer.out.split()[-1]


class TestANewEpoch:
    def test_lets_the_logs_go_on_and_names_what_is_lost(
        self, stale: Path, jifendai: Jifendai, application: Path, monkeypatch: pytest.MonkeyPatch
    ):
        with pytest.raises(LogsNotSoundError, match="older"):
            serve_once()
        request = asked(jifendai)
        opened = jifendai("log", "open-epoch", request, "--api-key-file", "li.key")
        serve_once()
        first = decide(jifendai, application, 1)
        serve_once()
        verified = jifendai("verify", "database", "--checkpoint", "outside")

        assert opened.code == 0, opened.err
        assert (first["audit_record"]["origin"], first["audit_record"]["index"]) == (
            "bank.example/jifendai/icbc@2", 1,
        )  # fmt: skip
        assert {path.name for path in (stale / "outside").iterdir()} == {
            "icbc.checkpoint", "icbc@2.checkpoint", "operator.checkpoint", "operator@2.checkpoint",
        }  # fmt: skip
        assert (verified.code, verified.out) == (0, ""), verified.out
        assert "the records 1 to 2 of bank.example/jifendai/icbc are lost" in verified.err
        assert "opened on" in verified.err and "by li, asked for by cli:" in verified.err
        assert "the disk of the database failed" in verified.err

    def test_is_not_opened_by_whoever_asked_for_it(self, stale: Path, jifendai: Jifendai):
        request = asked(jifendai)

        refused = jifendai("log", "open-epoch", request)

        assert refused.code == 1
        assert "another person must open it" in refused.err
        with pytest.raises(LogsNotSoundError):
            serve_once()

    def test_is_not_opened_by_the_same_person_under_a_key(
        self, stale: Path, jifendai: Jifendai, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("app.cli.log_epochs.subject", lambda: "cli:Li")
        request = asked(jifendai)

        assert jifendai("log", "open-epoch", request, "--api-key-file", "li.key").code == 1

    def test_is_opened_once(self, stale: Path, jifendai: Jifendai):
        request = asked(jifendai)
        jifendai("log", "open-epoch", request, "--api-key-file", "li.key")

        assert jifendai("log", "open-epoch", request, "--api-key-file", "li.key").code == 1

    def test_is_not_opened_once_the_database_has_moved(
        self, stale: Path, jifendai: Jifendai, application: Path, monkeypatch: pytest.MonkeyPatch
    ):
        request = asked(jifendai)
        monkeypatch.setenv("JIFENDAI_OUTSIDE_CHECKPOINTS", "")
        decide(jifendai, application, 7)
        monkeypatch.setenv("JIFENDAI_OUTSIDE_CHECKPOINTS", "outside")

        refused = jifendai("log", "open-epoch", request, "--api-key-file", "li.key")

        assert refused.code == 1
        assert "ask anew" in refused.err

    def test_is_not_asked_for_where_nothing_is_lost(
        self, installation: Path, jifendai: Jifendai, monkeypatch: pytest.MonkeyPatch
    ):
        (installation / "outside").mkdir()
        monkeypatch.setenv("JIFENDAI_OUTSIDE_CHECKPOINTS", "outside")
        jifendai("catalogue", "activate")
        serve_once()

        refused = jifendai("log", "new-epoch", "--reason", "to be on the safe side")

        assert refused.code == 1
        assert "nothing is lost" in refused.err

    def test_needs_a_reason(self, stale: Path, jifendai: Jifendai):
        assert jifendai("log", "new-epoch", "--reason", "  ").code == 1

    def test_needs_a_sound_key_where_one_is_given(self, stale: Path, jifendai: Jifendai):
        request = asked(jifendai)
        (stale / "wrong.key").write_text("jfd_0123456789abcdef_" + "A" * 43)

        assert jifendai("log", "open-epoch", request, "--api-key-file", "wrong.key").code == 1
        assert jifendai("log", "open-epoch", request, "--api-key-file", "absent.key").code == 1



class TestANewEpochOnPostgresql:
    def test_lets_the_logs_go_on_and_names_what_is_lost(
        self, folder: Path, postgres_url: str, jifendai: Jifendai, monkeypatch: pytest.MonkeyPatch
    ):
        for name, value in (SETTINGS | {"JIFENDAI_DATABASE_URL": postgres_url}).items():
            monkeypatch.setenv(name, value)
        (folder / "outside").mkdir()
        application = folder / "application.json"
        application.write_text(json.dumps(pre_approved(day_in_shanghai(datetime.now(UTC)))), "utf-8")
        for command in ("keys signing create", "catalogue activate"):
            carry_out(*command.split())
        (folder / "li.key").write_text(carry_out("keys", "create", "--role", "auditor", "--subject", "li"))
        decide(jifendai, application, 0)
        rows = copied(postgres_url)
        for number in (1, 2):
            decide(jifendai, application, number)
        serve_once()
        restored_rows(postgres_url, rows)

        with pytest.raises(LogsNotSoundError, match="older"):
            serve_once()
        opened = jifendai("log", "open-epoch", asked(jifendai), "--api-key-file", "li.key")
        serve_once()
        first = decide(jifendai, application, 1)
        serve_once()
        verified = jifendai("verify", "database", "--checkpoint", "outside")

        assert opened.code == 0, opened.err
        assert (first["audit_record"]["origin"], first["audit_record"]["index"]) == (
            "bank.example/jifendai/icbc@2", 1,
        )  # fmt: skip
        assert (verified.code, verified.out) == (0, ""), verified.out
        assert "the records 1 to 2 of bank.example/jifendai/icbc are lost" in verified.err
