"""The signing key's file, and what it signs."""

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from app.adapters.signing import LogSigner, SigningKeyError, make_key_file
from app.audit.checkpoint import UnknownKeyError, Verifier, open_checkpoint

ROOT = bytes(32)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A fresh key."""
    path = tmp_path / "keys" / "signing-key.pem"
    make_key_file(path)
    return path


class TestAKeyFile:
    def test_is_its_owners_alone(self, key_file: Path):
        assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
        assert stat.S_IMODE(key_file.parent.stat().st_mode) == 0o700

    def test_is_never_written_over(self, key_file: Path):
        before = key_file.read_bytes()

        with pytest.raises(FileExistsError):
            make_key_file(key_file)

        assert key_file.read_bytes() == before

    def test_leaves_nothing_beside_it(self, key_file: Path):
        assert list(key_file.parent.iterdir()) == [key_file]

    @pytest.mark.parametrize("mode", [0o400, 0o600, 0o440, 0o640])
    def test_is_read_by_its_owner_or_group(self, key_file: Path, mode: int):
        key_file.chmod(mode)

        assert LogSigner.from_file(key_file)

    @pytest.mark.parametrize("mode", [0o660, 0o604, 0o601, 0o602])
    def test_that_is_open_to_others_is_refused(self, key_file: Path, mode: int):
        key_file.chmod(mode)

        with pytest.raises(SigningKeyError, match="chmod 600"):
            LogSigner.from_file(key_file)

    def test_that_is_missing_is_named(self, tmp_path: Path):
        with pytest.raises(SigningKeyError, match="jifendai keys signing create"):
            LogSigner.from_file(tmp_path / "absent.pem")

    def test_of_another_kind_is_refused(self, tmp_path: Path):
        other = generate_private_key(65_537, 2_048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path = tmp_path / "rsa.pem"
        path.touch(0o600)

        for content in (other, b"", b"-----BEGIN PRIVATE KEY-----\n"):
            path.write_bytes(content)
            with pytest.raises(SigningKeyError, match="Ed25519"):
                LogSigner.from_file(path)


class TestTheSigner:
    def test_signs_each_log_under_its_own_name(self, key_file: Path):
        signer = LogSigner.from_file(key_file)
        one, other = (
            Verifier.from_vkey(signer.verifier_key(name)) for name in ("bank.example/icbc", "bank.example/boc")
        )

        note = signer.sign("bank.example/icbc", 7, ROOT)

        assert open_checkpoint(note, [one]).size == 7
        with pytest.raises(UnknownKeyError):
            open_checkpoint(note, [other])

    def test_derives_the_same_secret_on_every_replica_and_another_for_each_purpose(self, key_file: Path):
        one, other = LogSigner.from_file(key_file), LogSigner.from_file(key_file)

        assert one.derived("cursor") == other.derived("cursor")
        assert one.derived("cursor") != one.derived("session")
        assert len(one.derived("cursor")) == 32
