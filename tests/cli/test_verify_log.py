"""jifendai verify log: whether a service's log has only grown, for whoever kept a checkpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from app.adapters.signing import LogSigner
from app.audit.checkpoint import Signer, sign_checkpoint
from app.audit.strict_base64 import to_base64
from app.settings import DEMO_LOG_NAME
from tests.api.test_decisions import application
from tests.cli.conftest import Jifendai, Outcome
from tests.cli.tampering import tamper
from tests.service import SEEDED, demo_settings, listening
from tests.vectors.small_log import LOG, ORIGIN, signer

ICBC = f"{DEMO_LOG_NAME}/icbc"


@dataclass
class Observer:
    """Somebody elsewhere with the log's public key, an API key, and a file in which checkpoints are kept."""

    url: str
    database_url: str
    vkey: str
    keys: dict[str, str]
    kept: Path
    jifendai: Jifendai
    signer: LogSigner

    def look(self, *more: object) -> Outcome:
        return self.jifendai("verify", "log", "--vkey", self.vkey, "--url", self.url, *more)

    def decide(self, number: int) -> None:
        """This function will let the log grow."""
        headers = {"Authorization": f"Bearer {self.keys['loan_system']}", "Idempotency-Key": f"observed-{number}"}
        document = application(application_id=f"OBSERVED-{number}")
        answer = httpx.post(f"{self.url}/v1/decisions", json=document, headers=headers)
        assert answer.status_code == 201, answer.text


@pytest.fixture
def observer(folder: Path, jifendai: Jifendai, monkeypatch: pytest.MonkeyPatch) -> Iterator[Observer]:
    settings = demo_settings(folder / "service")
    with listening(settings) as url:
        keys = json.loads(settings.demo_keys_file.read_text())
        signer = LogSigner.from_file(settings.key_file)
        monkeypatch.setenv("JIFENDAI_API_KEY", keys["auditor"])
        yield Observer(
            url, settings.database_url, signer.verifier_key(ICBC), keys, folder / "kept.txt", jifendai, signer
        )


class TestALog:
    def test_that_has_only_grown_is_sound(self, observer: Observer):
        first = observer.look("--save", observer.kept)
        observer.decide(1)

        found = observer.look("--checkpoint", observer.kept, "--save", observer.kept)
        again = observer.look("--checkpoint", observer.kept)

        assert (first.code, found.code, again.code) == (0, 0, 0)
        assert "keep it (--save FILE)" in first.err
        assert f"{SEEDED + 1} records 条记录, and the log has only grown since {SEEDED}" in found.err
        assert f"since {SEEDED + 1}" in again.err

    def test_that_was_cut_off_is_older_than_the_checkpoint(self, observer: Observer):
        observer.look("--save", observer.kept)
        tamper(observer.database_url, ICBC, "truncate_whole")

        found = observer.look("--checkpoint", observer.kept)

        assert found.code == 1
        assert f"it has {SEEDED - 1} records, the checkpoint tells of {SEEDED}" in found.out

    def test_that_was_rebuilt_with_the_stolen_key_is_told(
        self, observer: Observer, monkeypatch: pytest.MonkeyPatch
    ):
        observer.look("--save", observer.kept)
        monkeypatch.setattr("tests.cli.tampering.sign_checkpoint", lambda *args: observer.signer.sign(*args[:3]))
        tamper(observer.database_url, ICBC, "change_and_rebuild_with_another_key")
        same_size = observer.look("--checkpoint", observer.kept)
        observer.decide(1)

        found = observer.look("--checkpoint", observer.kept)

        assert (same_size.code, found.code) == (1, 1)
        assert f"two logs of {SEEDED} records" in same_size.out
        assert f"does not begin with the {SEEDED} that were signed for before" in found.out

    def test_whose_checkpoint_another_key_signed_is_told(self, observer: Observer):
        tamper(observer.database_url, ICBC, "change_and_rebuild_with_another_key")

        found = observer.look()

        assert found.code == 1
        assert "no known key of log" in found.out

    def test_is_refused_without_a_service_or_a_key(self, observer: Observer, monkeypatch: pytest.MonkeyPatch):
        nobody = observer.jifendai("verify", "log", "--vkey", observer.vkey, "--url", "http://127.0.0.1:9")
        monkeypatch.setenv("JIFENDAI_API_KEY", "jfd_nonsense")
        stranger = observer.look()
        monkeypatch.delenv("JIFENDAI_API_KEY")
        keyless = observer.look()

        assert (nobody.code, stranger.code, keyless.code) == (1, 1, 1)
        assert "cannot be read" in nobody.err
        assert "answers 401" in stranger.err
        assert "An API key of any role is needed" in keyless.err


class TestTwoCheckpoints:
    @pytest.fixture
    def between(self, folder: Path, jifendai: Jifendai):
        def run(old: bytes, new: bytes, proof: object) -> Outcome:
            (folder / "old.txt").write_bytes(old)
            (folder / "new.txt").write_bytes(new)
            (folder / "proof.json").write_text(json.dumps(proof))
            vkey = signer(ORIGIN).verifier_key
            return jifendai(
                "verify", "log", "--vkey", vkey, "--checkpoint", "old.txt", "--checkpoint", "new.txt",
                "--proof", "proof.json",
            )  # fmt: skip

        return run

    def test_are_held_to_the_proof_between_them(self, between):
        proof = {"from": 6, "to": 11, "hashes": _base64(LOG.consistency(6, 11))}

        assert between(LOG.checkpoint(6), LOG.checkpoint(11), proof).code == 0
        assert between(LOG.checkpoint(11), LOG.checkpoint(6), proof).code == 0

    @pytest.mark.parametrize(
        ("proof", "words"),
        [
            ({"from": 6, "to": 11, "hashes": []}, "consistency proof"),
            ({"from": 5, "to": 11, "hashes": []}, "from 5 to 11 records, not from 6 to 11"),
            ({"from": 6, "to": 11, "hashes": ["?"]}, "not from 6 to 11"),
            ([], "the proof is not what"),
        ],
    )
    def test_are_not_sound_under_another_proof(self, between, proof: object, words: str):
        found = between(LOG.checkpoint(6), LOG.checkpoint(11), proof)

        assert found.code == 1
        assert words in found.out

    def test_of_another_key_or_log_are_refused(self, between):
        forged = sign_checkpoint(ORIGIN, 11, bytes(32), Signer.from_seed(ORIGIN, bytes(32)))

        assert between(LOG.checkpoint(6), forged, {}).code == 1


def _base64(hashes: tuple[bytes, ...]) -> list[str]:
    return [to_base64(held) for held in hashes]
