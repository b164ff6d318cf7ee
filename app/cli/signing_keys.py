"""jifendai keys signing: the key under which the logs are signed, and its replacement in three steps: begin, with both
signatures on every checkpoint from then on; restart; end. And jifendai keys verifiers: the public keys for everybody.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

from app.adapters.database import Database
from app.adapters.signing import LogSigner, make_key_file
from app.audit.operator_record import OPERATOR, OperatorAct, operator_records_among
from app.cli.installation import (
    FAULTY,
    Refused,
    its_catalogue,
    its_database,
    its_settings,
    its_signer,
    say,
    show,
    subject,
)
from app.settings import Settings
from app.usecases.known_logs import KnownLogs, read_known_logs
from app.usecases.operator_log import OperatorRecords
from app.usecases.ports import StoreUnavailable

_CHANGES = (OperatorAct.SIGNING_KEY_ROTATION_BEGUN, OperatorAct.SIGNING_KEY_ROTATION_ENDED)
_PAGE = 200


def create(options: argparse.Namespace) -> None:
    """This function will make the installation's first signing key."""
    settings = Settings.from_environment(os.environ)
    path = options.output or settings.signing_key_file or settings.data_dir / "signing-key.pem"
    _make(path)
    say("Keep a copy in a safe place: without it the logs cannot go on. 请妥善备份，遗失后日志无法延续")
    show(f"JIFENDAI_SIGNING_KEY_FILE={path.resolve()}")


def list_all(options: argparse.Namespace) -> None:
    """This function will show the keys in use, and every change of keys that is on record."""
    settings = its_settings()
    signer = its_signer(settings)
    for number, key in enumerate(signer.public_keys):
        role = "signs too, until the change ends 换钥期间并签" if number else "signs 签名"
        show(f"{fingerprint(key)}  {b64encode(key).decode()}  {role}")

    async def changes() -> None:
        async with its_database(settings) as database:
            for line in await _changes(database):
                show(line)

    asyncio.run(changes())


async def _changes(database: Database) -> list[str]:
    lines: list[str] = []
    before: int | None = None
    while page := await database.operator.entries(before=before, limit=_PAGE):
        for record in operator_records_among(entry.record for entry in page):
            if record.act in _CHANGES:
                keys = " ".join(f"{name} {value}" for name, value in record.document.items() if isinstance(value, str))
                lines.append(f"{record.recorded_at:%Y-%m-%d %H:%M:%SZ}  {record.act}  {record.by}  {keys}")
        before = page[-1].index
    return lines[::-1]


def rotate(options: argparse.Namespace) -> None:
    """This function will make the next key and put on record that it follows the one in use."""
    settings = its_settings()
    signer = its_signer(settings)
    if len(signer.public_keys) > 1:
        raise Refused(
            FAULTY,
            "A change of keys is under way: end it first with `jifendai keys signing finish`. 换钥尚未结束，请先结束",
        )
    path = options.output or _beside(settings.key_file)

    async def begin() -> None:
        async with its_database(settings) as database:
            # The record would be the first that nobody could believe, were the log not sound before it.
            await read_known_logs(database.trail, settings.log_name, signer.public_keys)
            _make(path)
            both = LogSigner.from_file(path, settings.key_file)
            following, current = both.public_keys
            document = {"next": b64encode(following).decode(), "previous": b64encode(current).decode()}
            await database.operator.append(
                OperatorRecords(both, settings.log_name).recording(
                    OperatorAct.SIGNING_KEY_ROTATION_BEGUN, document, by=subject()
                )
            )

    asyncio.run(begin())
    say(
        "On record. Set both for every replica, restart them one by one, and publish `jifendai keys verifiers`; keep a",
        "copy of the new key in a safe place. 已记录。请为各实例设置以下两项并逐一重启，公布新的验证公钥，并备份新密钥",
        "When every replica has been restarted 全部重启之后: jifendai keys signing finish",
    )
    show(
        f"JIFENDAI_SIGNING_KEY_FILE={path.resolve()}",
        f"JIFENDAI_PREVIOUS_SIGNING_KEY_FILE={settings.key_file.resolve()}",
    )


def finish(options: argparse.Namespace) -> None:
    """This function will put on record that the previous key signs no more."""
    settings = its_settings()
    signer = its_signer(settings)
    if len(signer.public_keys) < 2:
        raise Refused(
            FAULTY,
            "No change of keys is under way: JIFENDAI_PREVIOUS_SIGNING_KEY_FILE names no key. 没有进行中的换钥",
        )
    current, previous = signer.public_keys

    async def end() -> None:
        async with its_database(settings) as database:
            known = await read_known_logs(database.trail, settings.log_name, signer.public_keys)
            if previous not in known.announced:
                raise Refused(FAULTY, "No record tells that this change began. 没有开始换钥的记录")
            logs = {*await database.trail.lenders(), OPERATOR}
            sizes = {log: (await database.trail.extent(log)).signed for log in sorted(logs)}
            document = {"current": b64encode(current).decode(), "retired": b64encode(previous).decode()}
            recording = OperatorRecords(signer, settings.log_name).recording(
                OperatorAct.SIGNING_KEY_ROTATION_ENDED, document | {"sizes": sizes | {OPERATOR: sizes[OPERATOR] + 1}},
                by=subject(),
            )  # fmt: skip
            await database.operator.append(recording)

    asyncio.run(end())
    say(
        "On record: the previous key signs no more. Unset JIFENDAI_PREVIOUS_SIGNING_KEY_FILE, restart the replicas,",
        "destroy the old key, and keep its public key. 已记录。请取消该设置，重启各实例，销毁旧私钥并保留其公钥",
    )


def verifiers(options: argparse.Namespace) -> None:
    """This function will show the public keys of each log under its present name: while keys are changed, both."""
    settings = its_settings()
    signer = its_signer(settings)

    async def known() -> KnownLogs:
        try:
            async with its_database(settings) as database:
                return await read_known_logs(database.trail, settings.log_name, signer.public_keys)
        except (Refused, StoreUnavailable):
            say("The database cannot be read: these are the names of the first epoch. 无法读取数据库，按首个纪元列出")
            return KnownLogs(settings.log_name, signer.public_keys)

    logs = asyncio.run(known())
    for lender in sorted({*its_catalogue(settings).catalog.lenders, OPERATOR}):
        # The present name first; receipts of an earlier epoch verify under the name of then.
        for origin in reversed(logs.origins(lender)):
            show(*signer.verifier_keys(origin))


def fingerprint(public_key: bytes) -> str:
    """This function will return the first 16 hex digits of the key's SHA-256, by which people tell keys apart."""
    return sha256(public_key).hexdigest()[:16]


def _beside(path: Path) -> Path:
    number = 2
    while (following := path.with_name(f"{path.stem.rstrip('0123456789').rstrip('-')}-{number}.pem")).exists():
        number += 1
    return following


def _make(path: Path) -> None:
    try:
        make_key_file(path)
    except FileExistsError:
        raise Refused(
            FAULTY, f"{path} is there already, and a key is never written over. 文件已存在，不会覆盖"
        ) from None
    except OSError as error:
        raise Refused(FAULTY, f"{path} cannot be written: {error.strerror}. 无法写入") from None
