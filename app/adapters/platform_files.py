"""The files of a folder of platforms: what describes each zone's, and the secrets that they name.

Neighbours may rely on this: what is read is sound or named with how to mend it; a secret lies in a file that nobody
else on the machine may read, or is refused.
"""

from __future__ import annotations

import ssl
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.domain.platform import ScorePlatform
from app.products.catalog import Catalog
from app.products.faults import CatalogueError
from app.products.platforms import parse_platforms

SIMULATED: Final = Path(__file__).parent / "simulated_platforms"
"""The demonstration's: each asks the simulator at its usual address."""
_LARGEST_FILE_BYTES: Final = 1_000_000


class PlatformsRefused(Exception):
    """The platforms cannot be asked; `faults` are sentences that say what is wrong and how to mend it."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the files of one platform held."""

    secret: bytes = b""
    signing_secret: bytes = b""
    tls: ssl.SSLContext | None = None


def read_platforms(folder: Path, catalog: Catalog) -> Mapping[str, ScorePlatform]:
    """This function will read a folder's platforms, by zone. Raises PlatformsRefused with every fault, OSError."""
    try:
        return parse_platforms(read_platform_files(folder), catalog)
    except CatalogueError as error:
        raise PlatformsRefused(tuple(f"{folder}/{fault}" for fault in error.faults)) from None


def read_platform_files(folder: Path) -> Mapping[str, bytes]:
    """This function will return the folder's own YAML files by name. Raises OSError."""
    files = {}
    for path in sorted(folder.iterdir()):
        if path.suffix in (".yaml", ".yml") and path.is_file():
            with path.open("rb") as file:
                files[path.name] = file.read(_LARGEST_FILE_BYTES + 1)
    return files


def with_credentials(
    platforms: Mapping[str, ScorePlatform], folder: Path
) -> Mapping[str, tuple[ScorePlatform, Credentials]]:
    """This function will read what the platforms' files name. Raises PlatformsRefused with every fault."""
    found, faults = {}, []
    for zone, platform in platforms.items():
        try:
            found[zone] = (platform, load_credentials(platform, folder))
        except PlatformsRefused as refused:
            faults += refused.faults
    if faults:
        raise PlatformsRefused(tuple(faults))
    return found


def load_credentials(platform: ScorePlatform, folder: Path) -> Credentials:
    """This function will read the files that a platform's own names. Raises PlatformsRefused."""
    faults: list[str] = []
    sent, signed = platform.authentication, platform.signature
    secret = _secret(platform.zone, folder, sent.secret_file, faults)
    signing = b"" if signed is None else _secret(platform.zone, folder, signed.secret_file, faults)
    for name in (sent.certificate_file, platform.authority_file):
        _present(platform.zone, folder, name, faults)
    _closed(platform.zone, folder, sent.private_key_file, faults)
    tls = None
    if not faults and platform.address.startswith("https:"):
        try:
            tls = ssl.create_default_context(
                cafile=str(folder / platform.authority_file) if platform.authority_file else None
            )
            if sent.certificate_file:
                tls.load_cert_chain(str(folder / sent.certificate_file), str(folder / sent.private_key_file))
        except (ssl.SSLError, OSError) as error:
            faults.append(
                f"{platform.zone}.yaml: its certificate files are not usable ({type(error).__name__}): PEM is wanted, "
                "the key without a passphrase and of that certificate. 证书或私钥不可用"
            )
    if faults:
        raise PlatformsRefused(tuple(faults))
    return Credentials(secret, signing, tls)


def _secret(zone: str, folder: Path, name: str, faults: list[str]) -> bytes:
    if not name or not _closed(zone, folder, name, faults):
        return b""
    secret = (folder / name).read_bytes().strip()
    if len(secret) < 16 or not secret.isascii() or any(byte < 0x21 or byte > 0x7E for byte in secret):
        faults.append(
            f"{zone}.yaml: {name} holds no usable secret: one line of at least 16 visible ASCII characters is wanted. "
            "密钥文件内容无效"
        )
        return b""
    return secret


def _closed(zone: str, folder: Path, name: str, faults: list[str]) -> bool:
    if not name or not _present(zone, folder, name, faults):
        return False
    if (folder / name).stat().st_mode & stat.S_IRWXO:
        faults.append(
            f"{zone}.yaml: everybody on this machine may read {folder / name}; run `chmod o= {folder / name}`. "
            "密钥文件对所有人可读"
        )
        return False
    return True


def _present(zone: str, folder: Path, name: str, faults: list[str]) -> bool:
    if name and not (folder / name).is_file():
        faults.append(f"{zone}.yaml: there is no file {folder / name}. 文件不存在")
        return False
    return bool(name)
