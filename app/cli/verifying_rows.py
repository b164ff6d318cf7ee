"""jifendai verify rows: an exported file, held to the log of the database."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from app.adapters.export_reading import exported_rows
from app.audit import EvidenceError
from app.audit.checkpoint import Verifier
from app.audit.origin import parts_of
from app.cli.installation import DONE, FAULTY, Refused, its_database, its_settings, its_signer, say, show
from app.settings import Settings
from app.usecases.verify_rows import VerifiedRows, verify_rows

_TELLS_EVERY = 10_000
VerifiersOf = Callable[[str], Sequence[Verifier]]


def rows(options: argparse.Namespace) -> int:
    """This function will verify the file and name every row that is not what its record says."""
    found = asyncio.run(_verifying(options.file, options.vkey))
    for finding in found.findings:
        show(f"{options.file}: {finding.en}", f"    {finding.zh}")
    say(
        f"{found.rows:,} rows of {found.logs} logs verified; faults: {len(found.findings)}. "
        f"已核验 {found.logs} 个日志的 {found.rows:,} 行，{len(found.findings)} 处不符"
    )
    return FAULTY if found.findings else DONE


async def _verifying(path: Path, vkeys: Sequence[str]) -> VerifiedRows:
    told = 0

    def tell(seen: int, of: int) -> None:
        nonlocal told
        if seen - told >= _TELLS_EVERY or seen < told:
            told = seen
            say(f"{seen:,} / {of:,} …")

    settings = its_settings()
    async with its_database(settings) as database:
        try:
            verifiers_of = _named(vkeys) if vkeys else _own(settings)
            return await verify_rows(lambda: exported_rows(path), database.trail, verifiers_of, tell)
        except EvidenceError as error:
            raise Refused(FAULTY, f"--vkey: {error.en}", f"    {error.zh}") from None
        except OSError as error:
            raise Refused(FAULTY, f"{path} cannot be read: {error.strerror}. 无法读取文件") from None
        except ValueError as error:
            raise Refused(FAULTY, f"{path}: {error}. 不是导出文件，或已损坏") from None


def _named(vkeys: Sequence[str]) -> VerifiersOf:
    given = [Verifier.from_vkey(vkey) for vkey in vkeys]
    return lambda name: [verifier for verifier in given if verifier.name == name]


def _own(settings: Settings) -> VerifiersOf:
    """The installation's own keys, under the names of its own logs."""
    keys = its_signer(settings).public_keys

    def verifiers_of(name: str) -> Sequence[Verifier]:
        parts = parts_of(name)
        return [Verifier.of(name, key) for key in keys] if parts and parts[0] == settings.log_name else []

    return verifiers_of
