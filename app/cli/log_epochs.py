"""jifendai log: a new epoch of the logs after a restore that lost their end, asked for by one person and opened by
another.
"""

from __future__ import annotations

import argparse
import asyncio
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from app.adapters.clock import utc_now
from app.adapters.database import Database
from app.adapters.identifiers import new_uuid7
from app.cli.installation import (
    FAULTY,
    NOT_READY,
    Refused,
    its_catalogue,
    its_database,
    its_settings,
    its_signer,
    say,
    show,
    subject,
)
from app.cli.verifying import read
from app.main import open_outside
from app.usecases.epochs import EpochRefused, EpochRequest, ask_for_epoch, open_epoch
from app.usecases.known_logs import KnownLogs, OperatorLogNotSoundError, read_known_logs
from app.usecases.operator_log import OperatorRecords
from app.usecases.outside import Outside, OutsideNotOursError, OutsideUnavailable

_ROLES = frozenset({"operator", "auditor"})


@dataclass(frozen=True, slots=True)
class _Logs:
    """What both commands work on."""

    database: Database
    outside: Outside
    known: KnownLogs
    records: OperatorRecords
    lenders: tuple[str, ...]
    by: str


def new_epoch(options: argparse.Namespace) -> None:
    """This function will ask for a new epoch of every log that the checkpoints outside contradict."""
    asyncio.run(_ask(options.reason, options.api_key_file))


def open_it(options: argparse.Namespace) -> None:
    """This function will open what another person has asked for."""
    asyncio.run(_open(options.id, options.api_key_file))


async def _ask(reason: str, key_file: Path | None) -> None:
    async with _logs(key_file) as logs:
        request = await ask_for_epoch(
            logs.database.trail, logs.outside, logs.database.epochs, logs.known, lenders=logs.lenders, reason=reason,
            by=logs.by, request_id=new_uuid7(), now=utc_now(),
        )  # fmt: skip
    _tell(request)
    say("Asked for. Another person opens it 已申请，须由另一人开启:")
    show(f"jifendai log open-epoch {request.request_id}")


async def _open(request_id: str, key_file: Path | None) -> None:
    async with _logs(key_file) as logs:
        request = await open_epoch(
            logs.database.trail, logs.outside, logs.database.epochs, logs.known, logs.records, lenders=logs.lenders,
            request_id=request_id, by=logs.by,
        )  # fmt: skip
    _tell(request)
    say(
        "Opened and on record. Restart every replica, and publish `jifendai keys verifiers`: the logs go on under new",
        "names. What lies outside under the old names stays, as evidence. 已开启并记录。请重启各实例并公布新的验证公钥",
    )


def _tell(request: EpochRequest) -> None:
    say(f"{request.requested_by}: {request.reason}")
    for log in request.lost:
        say(
            f"{log['old_origin']}: {log['restored_size']:,} records here, {log['old_size']:,} told of outside; "
            f"goes on as 以新名称延续 {log['origin']}"
        )


@asynccontextmanager
async def _logs(key_file: Path | None) -> AsyncIterator[_Logs]:
    settings = its_settings()
    signer = its_signer(settings)
    outside = open_outside(settings)
    if outside is None:
        raise Refused(
            FAULTY,
            "JIFENDAI_OUTSIDE_CHECKPOINTS: name the place with the checkpoints that the database does not reach. "
            "请指明外部检查点所在",
        )
    lenders = tuple(its_catalogue(settings).catalog.lenders)
    try:
        async with its_database(settings) as database:
            by = subject() if key_file is None else await _bearer(database, key_file)
            known = await read_known_logs(database.trail, settings.log_name, signer.public_keys)
            yield _Logs(database, outside, known, OperatorRecords(signer, settings.log_name), lenders, by)
    except (EpochRefused, OperatorLogNotSoundError, OutsideNotOursError) as refused:
        raise Refused(FAULTY, refused.en, f"    {refused.zh}") from None
    except OutsideUnavailable as error:
        raise Refused(NOT_READY, f"{error}. 无法读取外部检查点") from None


async def _bearer(database: Database, key_file: Path) -> str:
    """Where everybody works under one account, a person is known by an API key: an operator's or an auditor's."""
    sent = sha256(read(key_file).strip()).digest()
    for key in await database.keys.all_keys():
        sound = key.revoked_at is None and (key.expires_at is None or key.expires_at > utc_now()) and not key.lenders
        if hmac.compare_digest(key.secret_sha256, sent) and sound and key.role in _ROLES:
            return key.subject
    raise Refused(
        FAULTY, "--api-key-file: holds no sound key of an operator or auditor of the whole installation. API 密钥无效"
    )
