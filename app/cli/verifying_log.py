"""jifendai verify export, jifendai verify log: a copy of a log, and a service's log, held to what was signed.

Both work on any machine with nothing but the log's public key and checkpoints that were kept.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import orjson

from app.adapters.tile_folder import TileFolder
from app.audit import EvidenceError
from app.audit.checkpoint import Checkpoint, Verifier, open_checkpoint
from app.audit.merkle import RootMismatchError, verify_consistency
from app.audit.origin import parts_of
from app.audit.receipt import WrongOriginError
from app.audit.strict_base64 import from_base64
from app.cli.installation import DONE, FAULTY, Refused, say, show
from app.cli.verifying import read, verifiers_of
from app.usecases.verify_export import verify_export

_TELLS_EVERY = 65_536
_LONGEST_ANSWER = 1_000_000
_WAITS_S = 30


# ---- an export -------------------------------------------------------------------------------------------------------


def export(options: argparse.Namespace) -> int:
    """This function will check every record and tile of an exported log."""
    verifiers = verifiers_of(options.vkey)
    outside = [_opened(path, read(path), verifiers) for path in options.checkpoint]
    told = 0

    def tell(done: int, of: int) -> None:
        nonlocal told
        if done - told >= _TELLS_EVERY:
            told = done
            say(f"{done:,} / {of:,} …")

    if not options.folder.is_dir():
        raise Refused(FAULTY, f"There is no folder {options.folder}. 没有此文件夹")
    try:
        found = verify_export(
            TileFolder(options.folder), verifiers, outside=outside, since=options.since,
            may_be_pruned=options.allow_pruned, told=tell,
        )  # fmt: skip
    except EvidenceError as error:
        show(f"{options.folder}: {error.en}", f"    {error.zh}")
        return FAULTY
    for fault in found.findings:
        show(f"{found.origin}: {fault.en}", f"    {fault.zh}")
    kinds = ", ".join(f"{name} {count:,}" for name, count in found.formats)
    if found.without_bytes and options.allow_pruned:
        say(
            f"{found.without_bytes:,} records have no bytes here; only their hashes were verified. "
            f"{found.without_bytes:,} 条记录无内容，仅核验其哈希"
        )
    say(
        f"{found.origin}: {found.size:,} records 条记录 ({kinds}): "
        f"{'NOT SOUND 不符' if found.findings else 'sound 相符'}"
    )
    return FAULTY if found.findings else DONE


# ---- a service's log -------------------------------------------------------------------------------------------------


def log(options: argparse.Namespace) -> int:
    """This function will check that a log has only grown: since the checkpoints that were kept, up to the newest of a
    running service, or between two of them by a proof in a file.
    """
    verifiers = verifiers_of(options.vkey)
    kept = sorted((_opened(path, read(path), verifiers) for path in options.checkpoint), key=lambda one: one.size)
    if options.url is None and (len(kept) != 2 or options.proof is None):
        raise Refused(
            FAULTY,
            "Give --url, or two --checkpoint and the --proof between them. 请给出 --url，或两个检查点及其间的证明",
        )
    try:
        return _between(kept, options.proof) if options.url is None else _of_service(options, verifiers, kept)
    except EvidenceError as error:
        show(f"{verifiers[0].name}: {error.en}", f"    {error.zh}")
        return FAULTY


def _between(kept: Sequence[Checkpoint], proof: Path) -> int:
    old, new = kept
    _hold(old, new, read(proof))
    return _sound(new, old)


def _of_service(options: argparse.Namespace, verifiers: Sequence[Verifier], kept: Sequence[Checkpoint]) -> int:
    parts = parts_of(verifiers[0].name)
    if parts is None:
        raise Refused(FAULTY, f"--vkey: {verifiers[0].name} names no log of an installation. 不是本类日志的名称")
    lender = parts[1]
    at = f"{options.url.rstrip('/')}/v1/logs/{quote(lender, safe='')}"
    key = _api_key(options.key_file)
    note = _fetched(f"{at}/checkpoint", key)
    newest = _of_log(open_checkpoint(note, verifiers), verifiers)
    for old in kept:
        if old.size > newest.size:
            raise EvidenceError(
                f"the service's log is older than the checkpoint kept elsewhere: it has {newest.size} records, the "
                f"checkpoint tells of {old.size}; it was restored from a stale copy or cut off, and the records "
                f"{newest.size} to {old.size - 1} are lost",
                f"服务的日志早于另行保存的检查点：现有 {newest.size} 条记录，检查点为 {old.size} 条；"
                f"由旧备份恢复或被截断，第 {newest.size} 至 {old.size - 1} 条记录丢失",
            )
        if old.size:
            proof = b"" if old == newest else _fetched(f"{at}/consistency?from={old.size}&to={newest.size}", key)
            _hold(old, newest, proof)
    if options.save is not None:
        _save(options.save, note)
    if not kept:
        say(
            "Only the newest checkpoint's signature was verified: keep it (--save FILE), and give it next time as "
            "--checkpoint. 仅核验了最新检查点的签名：请用 --save 保存，下次以 --checkpoint 给出"
        )
    return _sound(newest, *kept)


def _hold(old: Checkpoint, new: Checkpoint, proof: bytes) -> None:
    """Raises EvidenceError unless the earlier log begins the later one."""
    if old.size == new.size:
        if old.root != new.root:
            raise RootMismatchError(
                old.root, new.root, (f"two logs of {old.size} records", f"两份 {old.size} 条记录的日志")
            )
        return
    try:
        document = orjson.loads(proof)
        sizes, hashes = (document["from"], document["to"]), [from_base64(line) for line in document["hashes"]]
    except (ValueError, LookupError, TypeError):
        raise EvidenceError(
            "the proof is not what /v1/logs/…/consistency answers", "证明不是一致性接口的答复"
        ) from None
    if sizes != (old.size, new.size) or None in hashes:
        raise EvidenceError(
            f"the proof is from {sizes[0]} to {sizes[1]} records, not from {old.size} to {new.size}",
            f"证明是从 {sizes[0]} 条到 {sizes[1]} 条，而不是从 {old.size} 条到 {new.size} 条",
        )
    try:
        verify_consistency(old_size=old.size, old_root=old.root, new_size=new.size, new_root=new.root, proof=hashes)
    except RootMismatchError as error:
        raise EvidenceError(
            f"the log of {new.size} records does not begin with the {old.size} that were signed for before: one of "
            f"them was changed, removed, inserted or swapped, or the log was rebuilt ({error.en})",
            f"{new.size} 条记录的日志并非以先前签名的 {old.size} 条开头：其中有记录被改动、删除、插入或调换，"
            f"或日志被重建（{error.zh}）",
        ) from None


def _sound(newest: Checkpoint, *kept: Checkpoint) -> int:
    sizes = ", ".join(f"{checkpoint.size:,}" for checkpoint in kept)
    grown = f", and the log has only grown since {sizes} 自 {sizes} 条起只增未改" if kept else ""
    say(f"{newest.origin}: {newest.size:,} records 条记录{grown}: sound 相符")
    return DONE


# ---- what is given, and what is fetched ------------------------------------------------------------------------------


def _opened(path: Path, note: bytes, verifiers: Sequence[Verifier]) -> Checkpoint:
    try:
        return _of_log(open_checkpoint(note, verifiers), verifiers)
    except EvidenceError as error:
        raise Refused(FAULTY, f"{path}: {error.en}", f"    {error.zh}") from None


def _of_log(checkpoint: Checkpoint, verifiers: Sequence[Verifier]) -> Checkpoint:
    if checkpoint.origin != verifiers[0].name:
        raise WrongOriginError(verifiers[0].name, checkpoint.origin)
    return checkpoint


def _api_key(file: Path | None) -> str:
    key = read(file).decode("ascii", "replace").strip() if file else os.environ.get("JIFENDAI_API_KEY", "").strip()
    if not key:
        raise Refused(
            FAULTY, "An API key of any role is needed: JIFENDAI_API_KEY or --key-file FILE. 需要任一角色的 API 密钥"
        )
    return key


def _fetched(url: str, key: str) -> bytes:
    # Imported here, so that whoever verifies offline does not wait for it.
    import httpx

    try:
        with httpx.stream("GET", url, headers={"Authorization": f"Bearer {key}"}, timeout=_WAITS_S) as answer:
            body = b""
            for part in answer.iter_bytes():
                body += part
                if len(body) > _LONGEST_ANSWER:
                    raise Refused(FAULTY, f"{url} answers more than {_LONGEST_ANSWER} bytes. 答复过长")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Refused(FAULTY, f"{url} cannot be read: {error}. 无法读取") from None
    if answer.status_code == 404:
        raise EvidenceError(
            "the service knows no such log: it has recorded nothing, everything was removed, or the key may not see it",
            "服务没有此日志：尚无记录、记录已被全部删除，或该密钥无权查看",
        )
    if answer.status_code != 200:
        raise Refused(FAULTY, f"{url} answers {answer.status_code}. 服务答复 {answer.status_code}")
    return body


def _save(path: Path, note: bytes) -> None:
    beside = path.with_name(path.name + ".new")
    try:
        beside.write_bytes(note)
        beside.replace(path)
    except OSError as error:
        raise Refused(FAULTY, f"{path} cannot be written: {error.strerror}. 无法写入") from None
