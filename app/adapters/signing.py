"""The installation's signing key: one Ed25519 private key in a file, under which every log of the installation is
signed; and while it is being replaced, the previous one beside it, so that each checkpoint bears both signatures.

Neighbours may rely on this: a key file is made once, whole, readable by its owner alone, and never written over; the
key signs each log under that log's own name (its origin), so that no signature of one log fits another. Only signing is
done here: a PKCS #11 module or a KMS would be another adapter of the same port.
"""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from app.audit.checkpoint import Signer, sign_checkpoint

# A group may read the file, as secrets mounted into a container are often owned by root and read through a group; it
# may not write it, and the rest of the world may do nothing.
_NOBODY_ELSE = stat.S_IWGRP | stat.S_IRWXO


class SigningKeyError(Exception):
    """The signing key is missing, open to others or no Ed25519 key; the message says what to do."""


class LogSigner:
    """Signs the heads of all logs with one private key; while keys are being changed, with the previous one too."""

    def __init__(self, private_key: Ed25519PrivateKey, previous: Ed25519PrivateKey | None = None) -> None:
        self._keys = (private_key,) if previous is None else (private_key, previous)
        self._signers: dict[str, tuple[Signer, ...]] = {}

    @classmethod
    def from_file(cls, path: Path, previous: Path | None = None) -> Self:
        """This function will read the key file, and that of the previous key if there is one. Raises
        SigningKeyError.
        """
        return cls(_read_key(path), None if previous is None else _read_key(previous))

    def sign(self, origin: str, size: int, root: bytes) -> bytes:
        """This function will return the C2SP signed note over the head of the log of that name."""
        return sign_checkpoint(origin, size, root, *self._signers_of(origin))

    def verifier_key(self, origin: str) -> str:
        """This function will return what anyone needs to verify that log's checkpoints."""
        return self.verifier_keys(origin)[0]

    def verifier_keys(self, origin: str) -> tuple[str, ...]:
        """This function will return the verifier key, and behind it that of the previous key if there is one."""
        return tuple(signer.verifier_key for signer in self._signers_of(origin))

    @property
    def public_keys(self) -> tuple[bytes, ...]:
        """The public keys (32 bytes each): the one in use first, then the previous one if there is one."""
        return tuple(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw) for key in self._keys)

    def derived_each(self, purpose: str) -> tuple[bytes, ...]:
        """This function will return 32 secret bytes for a purpose from each key, that in use first: for what is kept
        beyond a change of keys, and so is sealed under both while there are two.
        """
        seeds = (key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()) for key in self._keys)
        return tuple(HKDF(SHA256(), 32, salt=None, info=purpose.encode()).derive(seed) for seed in seeds)

    def derived(self, purpose: str) -> bytes:
        """This function will return 32 secret bytes for another purpose, the same on every replica with this key.

        While keys are being changed they are those of the previous key, which the replicas of before have as well.
        """
        return self.derived_each(purpose)[-1]

    def _signers_of(self, origin: str) -> tuple[Signer, ...]:
        # Reading an id from the public key costs as much as a signature, so each log's signers are made once.
        signers = self._signers.get(origin)
        return signers or self._signers.setdefault(origin, tuple(Signer(origin, key) for key in self._keys))


def _read_key(path: Path) -> Ed25519PrivateKey:
    try:
        mode = path.stat().st_mode
        pem = path.read_bytes()
    except FileNotFoundError:
        raise SigningKeyError(
            f"There is no signing key at {path}: make one with `jifendai keys signing create`. 没有签名密钥，请先创建"
        ) from None
    except OSError as error:
        raise SigningKeyError(f"The signing key at {path} cannot be read: {error.strerror}. 无法读取签名密钥") from None
    if mode & _NOBODY_ELSE and sys.platform != "win32":
        raise SigningKeyError(
            f"The signing key at {path} is open to others (mode {stat.S_IMODE(mode):04o}): "
            f"run `chmod 600 {path}`. 签名密钥的文件权限过宽"
        )
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningKeyError(
            f"{path} holds no unencrypted Ed25519 private key in PEM: make one with `jifendai keys signing create` in "
            "another place, and keep this file. 文件中没有可用的 Ed25519 私钥"
        )
    return key


def make_key_file(path: Path) -> None:
    """This function will make a new key in a file of mode 0600. Raises FileExistsError: a key is never written over."""
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Written beside its place and linked into it: nobody ever sees half a key, and of two makers one is told.
    handle, beside = tempfile.mkstemp(prefix=".signing-key-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        os.link(beside, path)
    finally:
        os.unlink(beside)
