"""jifendai keys signing: from one key to the next without a day on which nothing can be verified."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from app.audit.checkpoint import EvidenceError, Verifier, open_checkpoint
from tests.cli.conftest import Jifendai, Outcome
from tests.cli.test_keys import installation

__all__ = ["installation"]


def vkeys(jifendai: Jifendai, log: str) -> list[str]:
    """This function will return the verifier keys of one log, the one in use first."""
    return [line for line in jifendai("keys", "verifiers").out.splitlines() if f"/{log}+" in line]


def set_as_told(told: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    """This function will set what a command says is to be set."""
    for line in told.out.splitlines():
        monkeypatch.setenv(*line.split("=", 1))


async def nothing_in_the_way() -> list[object]:
    """What makes an instance ready, left out."""
    return []


def decide(jifendai: Jifendai, application: Path, number: int) -> dict:
    made = jifendai("decide", application, "--key", f"key-{number}")
    assert made.code == 0, made.err
    return made.json()


@pytest.fixture
def deciding(installation: Path, jifendai: Jifendai, application: Path) -> Path:
    """An installation that has decided once."""
    jifendai("catalogue", "activate")
    decide(jifendai, application, 0)
    return installation


class TestAChangeOfTheSigningKey:
    def test_has_both_sign_and_then_the_new_one_alone(
        self, deciding: Path, jifendai: Jifendai, application: Path, monkeypatch: pytest.MonkeyPatch
    ):
        (old,) = vkeys(jifendai, "icbc")
        begun = jifendai("keys", "signing", "rotate")
        set_as_told(begun, monkeypatch)
        decide(jifendai, application, 1)
        new, again = vkeys(jifendai, "icbc")
        between = jifendai("verify", "database")
        finished = jifendai("keys", "signing", "finish")
        monkeypatch.delenv("JIFENDAI_PREVIOUS_SIGNING_KEY_FILE")
        decide(jifendai, application, 2)
        after = jifendai("verify", "database")

        notes = self.notes(deciding)
        assert (again, begun.code, finished.code) == (old, 0, 0)
        assert vkeys(jifendai, "icbc") == [new]
        assert [self.accepted(note, old) for note in notes] == [True, True, False]
        assert [self.accepted(note, new) for note in notes] == [False, True, True]
        assert (between.code, between.out) == (0, ""), between.err
        assert (after.code, after.out) == (0, ""), after.err

    def notes(self, folder: Path) -> list[bytes]:
        rows = sqlite3.connect(folder / "var" / "jifendai.db").execute(
            "SELECT note FROM checkpoint WHERE lender = 'icbc' ORDER BY size"
        )
        return [note for (note,) in rows]

    def accepted(self, note: bytes, vkey: str) -> bool:
        try:
            open_checkpoint(note, [Verifier.from_vkey(vkey)])
        except EvidenceError:
            return False
        return True

    def test_is_on_record_with_who_and_when(
        self, deciding: Path, jifendai: Jifendai, monkeypatch: pytest.MonkeyPatch
    ):
        set_as_told(jifendai("keys", "signing", "rotate"), monkeypatch)
        jifendai("keys", "signing", "finish")

        listed = jifendai("keys", "signing", "list").out

        assert "SIGNING_KEY_ROTATION_BEGUN  cli:" in listed
        assert "SIGNING_KEY_ROTATION_ENDED  cli:" in listed

    def test_is_listed_where_a_contribution_to_a_pool_is_on_the_operator_s_log(
        self, demonstration: Path, jifendai: Jifendai, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("JIFENDAI_DEMO", "1")
        with closing(sqlite3.connect(demonstration / "var" / "jifendai.db")) as database:
            (acts,) = database.execute("SELECT count(*) FROM act WHERE lender = 'operator'").fetchone()

        listed = jifendai("keys", "signing", "list")

        assert acts > 0
        assert listed.code == 0, listed.err

    def test_makes_a_forgery_of_the_retired_key_known(
        self, deciding: Path, jifendai: Jifendai, application: Path, monkeypatch: pytest.MonkeyPatch
    ):
        old = os.environ["JIFENDAI_SIGNING_KEY_FILE"]
        set_as_told(jifendai("keys", "signing", "rotate"), monkeypatch)
        jifendai("keys", "signing", "finish")
        monkeypatch.delenv("JIFENDAI_PREVIOUS_SIGNING_KEY_FILE")
        new = os.environ["JIFENDAI_SIGNING_KEY_FILE"]
        monkeypatch.setenv("JIFENDAI_SIGNING_KEY_FILE", old)
        # Ours refuses to sign with a key that is on record as retired; a thief's program does not.
        with monkeypatch.context() as thief:
            thief.setattr("app.main._readiness", lambda *_: nothing_in_the_way)
            decide(jifendai, application, 9)
        monkeypatch.setenv("JIFENDAI_SIGNING_KEY_FILE", new)

        found = jifendai("verify", "database")

        assert found.code == 1
        assert "the stored checkpoint over 2 records was changed or made without the key" in found.out

    def test_is_not_begun_twice(self, deciding: Path, jifendai: Jifendai, monkeypatch: pytest.MonkeyPatch):
        set_as_told(jifendai("keys", "signing", "rotate"), monkeypatch)

        again = jifendai("keys", "signing", "rotate")

        assert again.code == 1
        assert "jifendai keys signing finish" in again.err

    def test_is_not_ended_where_none_is_under_way(self, deciding: Path, jifendai: Jifendai):
        assert jifendai("keys", "signing", "finish").code == 1

    def test_never_writes_over_a_key(self, deciding: Path, jifendai: Jifendai):
        first = (deciding / "var" / "signing-key.pem").read_bytes()

        refused = jifendai("keys", "signing", "rotate", "--output", "var/signing-key.pem")

        assert refused.code == 1
        assert (deciding / "var" / "signing-key.pem").read_bytes() == first
        assert "ROTATION" not in jifendai("keys", "signing", "list").out

    def test_refuses_one_file_as_both_keys(
        self, deciding: Path, jifendai: Jifendai, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("JIFENDAI_PREVIOUS_SIGNING_KEY_FILE", "var/signing-key.pem")

        refused = jifendai("keys", "verifiers")

        assert refused.code == 3
        assert "JIFENDAI_PREVIOUS_SIGNING_KEY_FILE" in refused.err


class TestTheFirstSigningKey:
    def test_is_made_by_a_command_of_its_own(self, jifendai: Jifendai, folder: Path):
        other = jifendai("keys", "create")
        made = jifendai("keys", "signing", "create")

        assert (other.code, other.out) == (1, "")
        assert "jifendai keys signing create" in other.err
        assert made.out == f"JIFENDAI_SIGNING_KEY_FILE={folder / 'var' / 'signing-key.pem'}\n"
