"""jifendai verify: evidence checked without believing the service; what does not hold is named, and the exit code is
then 1.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from app.audit import EvidenceError
from app.audit.checkpoint import Checkpoint, Verifier, open_checkpoint
from app.audit.origin import origin_of, parts_of
from app.audit.receipt import WrongOriginError, open_receipt, verify_receipt
from app.audit.sm3 import sm3_holds
from app.cli.installation import DONE, FAULTY, Refused, its_database, its_settings, its_signer, say, show
from app.settings import Settings
from app.usecases.epochs import lost_range, settled
from app.usecases.finding import Finding
from app.usecases.known_logs import KnownLogs, OperatorLogNotSoundError, read_known_logs
from app.usecases.log_trail import LogTrail
from app.usecases.outside import SUFFIX
from app.usecases.verify import KnownLog, verify_log, verify_terms
from app.usecases.verify_pools import verify_pools

_TELLS_EVERY = 10_000
_LENDER = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_HEX = re.compile(r"[0-9a-f]{64}")


# ---- a receipt -------------------------------------------------------------------------------------------------------


def receipt(options: argparse.Namespace) -> int:
    """This function will check a receipt with the log's public key, and the record if there is one."""
    verifier = _verifier(options.vkey)
    try:
        text = read(options.receipt).decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(FAULTY, f"{options.receipt}: not a receipt: not UTF-8. 不是回执：不是 UTF-8 文本") from None
    leaf_hash = options.leaf_hash and options.leaf_hash.strip().lower()
    if leaf_hash is not None and _HEX.fullmatch(leaf_hash) is None:
        raise Refused(FAULTY, "--leaf-hash: 64 hex digits, as audit_record.leaf_hash. 须为 64 位十六进制数")
    record = None if options.record is None else read(options.record)
    try:
        index, checkpoint = _checked(text, verifier, record, leaf_hash)
    except EvidenceError as error:
        show(f"{options.receipt}: {error.en}", f"    {error.zh}")
        return FAULTY
    if record is not None and not sm3_holds(record):
        show(f"{options.record}: the SM3 digest in it is not that of its other members. 其中的 SM3 摘要与其余内容不符")
        return FAULTY
    show(f"{checkpoint.origin}: record {index} of {checkpoint.size} 第 {index} 条记录，日志共 {checkpoint.size} 条")
    if record is None and leaf_hash is None:
        say(
            "Only the checkpoint's signature was verified: give --record, or the receipt proves nothing of a record.",
            "仅核验了检查点的签名：请以 --record 给出记录，否则回执不能证明任何记录。",
        )
    else:
        say("The record stands in the log that was signed. 记录在已签名的日志之中")
    return DONE


def _checked(text: str, verifier: Verifier, record: bytes | None, leaf_hash: str | None) -> tuple[int, Checkpoint]:
    found = open_receipt(text)
    if record is None and leaf_hash is None:
        checkpoint = open_checkpoint(found.checkpoint_note, [verifier])
        if checkpoint.origin != verifier.name:
            raise WrongOriginError(verifier.name, checkpoint.origin)
        return found.index, checkpoint
    named = None if leaf_hash is None else bytes.fromhex(leaf_hash)
    return found.index, verify_receipt(
        text, verifiers=[verifier], origin=verifier.name, record=record, record_leaf_hash=named
    )


# ---- a database ------------------------------------------------------------------------------------------------------


def database(options: argparse.Namespace) -> int:
    """This function will verify the logs of the database and name whatever does not hold."""
    return FAULTY if asyncio.run(verified(its_settings(), options.vkey, options.checkpoint)) else DONE


async def verified(settings: Settings, vkeys: Sequence[str], files: Sequence[Path]) -> int:
    """This function will verify the logs of the database that the settings name, name whatever does not hold, and
    return how much that is. Raises Refused, SettingsRefused.
    """
    given = [_verifier(vkey) for vkey in vkeys]
    notes = [(path, read(path)) for place in files for path in _kept_at(place)]
    async with its_database(settings) as database:
        lenders = await database.trail.lenders()
        known = _named(given) if given else _own(settings, lenders, [note for _, note in notes])
        logs, faults = _with_outside(await _with_history(database.trail, known), notes)
        faults += _unverified(lenders, logs)
        faults += _shown("terms 条款", await verify_terms(database.trail))
        for log in logs:
            faults += await _verify(database.trail, log)
        faults += _shown("pools 资金池", await verify_pools(database.trail.pools, lenders))
    if not files:
        say(
            "No --checkpoint was given: a database set back to an older state, or built anew with the signing key, "
            "looks sound without one. 未给出外部检查点：旧备份恢复或用签名密钥重建，仅凭数据库无法发现"
        )
    say(f"{len(logs)} logs verified; faults: {faults}. 已核验 {len(logs)} 个日志，{faults} 处不符")
    return faults


def _unverified(lenders: Sequence[str], logs: Sequence[KnownLog]) -> int:
    known = {log.lender for log in logs}
    odd = [lender for lender in lenders if _LENDER.fullmatch(lender) is None]
    say(*(f"{lender}: left out, no --vkey for its log. 未核验：未给出其公钥" for lender in lenders
          if lender not in known and lender not in odd))  # fmt: skip
    en, zh = "there are rows of {!r}, which is no lender: they were inserted", "有 {!r} 的行，而它不是机构：系插入"
    return _shown("database 数据库", [Finding(en.format(lender), zh.format(lender)) for lender in odd])


async def _verify(trail: LogTrail, log: KnownLog) -> int:
    told = 0

    def tell(seen: int, of: int) -> None:
        nonlocal told
        if seen - told >= _TELLS_EVERY:
            told = seen
            say(f"{log.origin}: {seen:,} / {of:,} …")

    found = await verify_log(trail, log, tell)
    faults = _shown(log.origin, found.findings)
    sizes = ", ".join(f"{checkpoint.size:,}" for checkpoint in log.outside)
    against = f", held to the outside checkpoint of 对照外部检查点 {sizes}" if sizes else ""
    if found.pruned:
        against += f", {found.pruned:,} of them pruned 其中已按保存期清除 {found.pruned:,} 条"
    say(f"{log.origin}: {found.size:,} records 条记录{against}: {'NOT SOUND 不符' if faults else 'sound 相符'}")
    return faults


def _shown(of: str, findings: Sequence[Finding]) -> int:
    for found in findings:
        show(f"{of}: {found.en}", f"    {found.zh}")
    return len(findings)


def _named(verifiers: Iterable[Verifier]) -> list[KnownLog]:
    """The logs that the keys name: a log's name says its lender."""
    logs: dict[str, KnownLog] = {}
    for verifier in verifiers:
        parts = parts_of(verifier.name)
        if parts is None:
            raise Refused(FAULTY, f"--vkey: {verifier.name} is no name of a log: log name/lender. 不是日志名称")
        log_name, lender, _ = parts
        log = logs.setdefault(lender, KnownLog(lender, origin_of(log_name, lender), ()))
        if log.origin != origin_of(log_name, lender):
            raise Refused(
                FAULTY, f"--vkey: {log.origin} and {verifier.name} are both of {lender}. 同一机构有两个日志名称"
            )
        logs[lender] = replace(log, verifiers=(*log.verifiers, verifier))
    return list(logs.values())


def _own(settings: Settings, lenders: Sequence[str], notes: Sequence[bytes]) -> list[KnownLog]:
    """The installation's own logs: those in the database, and those that a checkpoint tells of."""
    signer, log_name = its_signer(settings), settings.log_name
    told = [parts_of(note.partition(b"\n")[0].decode("utf-8", "replace")) for note in notes]
    told_of = [parts[1] for parts in told if parts is not None and parts[0] == log_name]
    of = sorted({lender for lender in (*lenders, *told_of) if _LENDER.fullmatch(lender)})
    return [
        KnownLog(lender, origin, tuple(Verifier.of(origin, key) for key in signer.public_keys))
        for lender, origin in ((lender, origin_of(log_name, lender)) for lender in of)
    ]


async def _with_history(trail: LogTrail, logs: Sequence[KnownLog]) -> list[KnownLog]:
    """The logs with the names and keys that they had before; all of them have the same keys."""
    histories: dict[tuple[str, tuple[bytes, ...]], KnownLogs] = {}
    found = []
    for log in logs:
        of = log.origin.rpartition("/")[0], tuple(dict.fromkeys(v.public_bytes for v in log.verifiers))
        if of not in histories:
            try:
                histories[of] = await read_known_logs(trail, *of)
            except OperatorLogNotSoundError as error:
                # It is verified like any other log, which names the place; nothing that it says is believed.
                say(f"{error.en} {error.zh}")
                histories[of] = KnownLogs(*of)
        known = histories[of]
        found.append(
            replace(log, origin=known.origin(log.lender), verifiers=known.verifiers(log.lender), known=known)
        )
    return found


def _with_outside(logs: Sequence[KnownLog], notes: Sequence[tuple[Path, bytes]]) -> tuple[list[KnownLog], int]:
    """The logs with their outside checkpoints; one that no key has signed is a fault of its own."""
    verifiers = [verifier for log in logs for verifier in log.verifiers]
    outside: dict[str, list[Checkpoint]] = {}
    faults = 0
    for path, note in notes:
        try:
            checkpoint = open_checkpoint(note, verifiers)
        except EvidenceError as error:
            faults += _shown(str(path), [Finding(error.en, error.zh)])
        else:
            # Every name that a key bears here is one of a log's.
            outside.setdefault(parts_of(checkpoint.origin)[1], []).append(checkpoint)
    known = []
    for log in logs:
        settled_log, findings = settled(replace(log, outside=tuple(outside.get(log.lender, ()))))
        faults += _shown(log.origin, findings)
        known.append(settled_log)
        _tell_lost_ranges(log)
    return known, faults


def _tell_lost_ranges(log: KnownLog) -> None:
    """What two people have answered for is no fault, and it stays named."""
    for number, epoch in enumerate(log.known.of(log.lender) if log.known else ()):
        told = lost_range(epoch, log.known.origins(log.lender)[number])
        say(f"{log.origin}: {told.en}", f"    {told.zh}")


# ---- what is given ---------------------------------------------------------------------------------------------------


def _verifier(vkey: str) -> Verifier:
    try:
        return Verifier.from_vkey(vkey)
    except EvidenceError as error:
        raise Refused(FAULTY, f"--vkey: {error.en}", f"    {error.zh}") from None


def verifiers_of(vkeys: Sequence[str]) -> list[Verifier]:
    """This function will read the public keys of one log, of which it may have several while they change.

    Raises Refused.
    """
    verifiers = [_verifier(vkey) for vkey in vkeys]
    if len({verifier.name for verifier in verifiers}) > 1:
        raise Refused(FAULTY, "--vkey: the keys are of several logs. 公钥属于不同的日志")
    return verifiers


def _kept_at(place: Path) -> Sequence[Path]:
    """The file, or every checkpoint in the folder that JIFENDAI_OUTSIDE_CHECKPOINTS names."""
    if not place.is_dir():
        return (place,)
    found = sorted(place.glob(f"*{SUFFIX}"))
    if not found:
        raise Refused(FAULTY, f"{place} holds no file *{SUFFIX}. 文件夹中没有检查点")
    return found


def read(path: Path) -> bytes:
    """This function will read a file that was given. Raises Refused."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise Refused(FAULTY, f"{path} cannot be read: {error.strerror}. 无法读取文件") from None
