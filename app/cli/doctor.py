"""jifendai doctor: what a deployment is like, and what to do about it."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import asdict

from app.adapters.clock import utc_now
from app.adapters.database import Database, open_database
from app.adapters.deployment import Finding, Level, durability_faults, examine_database, fault, warning
from app.adapters.signing import LogSigner, SigningKeyError
from app.adapters.webhook_secrets import PURPOSE, SecretBox, SecretUnreadable
from app.cli.installation import NOT_READY, Refused, its_catalogue, its_settings, say, show
from app.main import open_outside
from app.products.catalog import Catalog
from app.products.faults import CatalogueError
from app.settings import Settings
from app.usecases.keys import ApiKey
from app.usecases.readiness import Cause, KeyInUse
from app.usecases.self_check import LogsNotSoundError
from app.usecases.start_check import prove_consistent
from app.usecases.webhooks import Endpoint

_LONG_OWED_S = 3_600
_MARKS = {Level.OK: "ok  ", Level.WARNING: "WARN", Level.FAULT: "FAIL"}


def examine(options: argparse.Namespace) -> int:
    """This function will examine the deployment and return 0, or 3 where something has to be done."""
    found = asyncio.run(_examined(its_settings()))
    bad = [one for one in found if one.level is not Level.OK]
    faults = [one for one in bad if one.level is Level.FAULT]
    if options.json:
        show(json.dumps({"sound": not faults, "findings": [asdict(one) for one in found]}, ensure_ascii=False))
    else:
        for one in found:
            show(f"{_MARKS[one.level]}  {one.check:<20} {one.en} {one.zh}")
        warned = len(bad) - len(faults)
        say(f"{len(faults)} faults, {warned} warnings 故障 {len(faults)} 项，警告 {warned} 项")
    return NOT_READY if faults else 0


async def refuse_what_the_doctor_warns_of(settings: Settings) -> None:
    """This function will return where nothing is wrong, not even a little. Raises Refused, which names each."""
    bad = [one for one in await _examined(settings) if one.level is not Level.OK]
    if bad:
        lines = [f"{one.check}: {one.en} {one.zh}" for one in bad]
        raise Refused(NOT_READY, "JIFENDAI_STRICT=1, and jifendai doctor says 严格模式拒绝启动:", *lines)


async def refuse_a_database_that_loses(settings: Settings) -> None:
    """This function will return where a power cut leaves the database whole. Raises Refused, naming what is off."""
    database = open_database(settings.database_url)
    try:
        faults = await durability_faults(database)
    finally:
        await database.close()
    if faults:
        lines = [f"{one.check}: {one.en} {one.zh}" for one in faults]
        how = "JIFENDAI_ACCEPT_DATA_LOSS=1 starts all the same, for tests alone. 仅供测试，可设此变量后启动"
        raise Refused(NOT_READY, "The database would lose what was acknowledged 数据库会丢失已确认的决策:", *lines, how)


async def _examined(settings: Settings) -> list[Finding]:
    return [one async for one in _findings(settings)]


async def _findings(settings: Settings) -> AsyncIterator[Finding]:
    faults = settings.faults()
    for sentence in faults:
        yield fault("settings", "", sentence)
    if not faults:
        yield Finding("settings", Level.OK, "有效", "are sound")
    if settings.demo:
        yield warning("demo", "演示模式，不得存放真实数据。", "This is a demonstration: never real data.")
    if settings.migration_database_url and not settings.demo:
        yield warning("migration_account", "服务环境中含表所有者的口令；请只交给 jifendai migrate。",
                      "The environment holds the owner's password: give it to `jifendai migrate` alone.")  # fmt: skip
    try:
        LogSigner.from_file(settings.key_file, settings.previous_signing_key_file)
        yield Finding("signing_key", Level.OK, "可用", "can be read")
    except (SigningKeyError, OSError) as refused:
        yield fault("signing_key", "签名密钥不可用。", str(refused))
    database = open_database(settings.database_url)
    try:
        for one in await examine_database(database, settings.data_dir):
            yield one
        async for one in _of_the_installation(settings, database):
            yield one
    finally:
        await database.close()


async def _of_the_installation(settings: Settings, database: Database) -> AsyncIterator[Finding]:
    try:
        catalogue = its_catalogue(settings)
    except (CatalogueError, OSError) as refused:
        yield fault("catalogue", "产品目录有误。", f"The files have faults: {str(refused)[:500]}")
        return
    if await database.ready():
        return
    active = await database.catalogue.active()
    if active is None or active.digest != catalogue.digest:
        yield fault("catalogue", "本机目录不是现行生效的版本：请执行 jifendai catalogue activate 或更换文件。",
                    "These files are not the active edition: `jifendai catalogue activate` them.")  # fmt: skip
    else:
        yield Finding("catalogue", Level.OK, "即现行生效的版本", "is the active edition")
    async for one in _of_the_platforms(settings, catalogue.catalog):
        yield one
    yield _of_the_keys(settings, await database.keys.all_keys())
    async for one in _of_the_logs(settings, database, catalogue.catalog.lenders):
        yield one
    yield await _of_the_webhooks(settings, database)
    if not settings.outside_checkpoints:
        yield warning(
            "outside_checkpoint", "未设置外部检查点：整库回退将无从发现。请设置 JIFENDAI_OUTSIDE_CHECKPOINTS。",
            "No place outside is set for checkpoints, so nobody would notice a database that was set back as a whole: "
            "name one in JIFENDAI_OUTSIDE_CHECKPOINTS.",
        )  # fmt: skip


async def _of_the_platforms(settings: Settings, catalog: Catalog) -> AsyncIterator[Finding]:
    if settings.platforms_dir is None:
        return
    # Imported here: an installation without platforms is examined without what asks them.
    from app.adapters.asked_platforms import deadline_faults, not_reached
    from app.adapters.platform_files import PlatformsRefused, read_platforms, with_credentials

    try:
        found = read_platforms(settings.platforms_dir, catalog)
        if faults := deadline_faults(found, settings.request_deadline_s):
            raise PlatformsRefused(faults)
        silent = await not_reached(with_credentials(found, settings.platforms_dir))
    except (PlatformsRefused, OSError) as refused:
        yield fault("platforms", "积分平台文件有误。", f"The files have faults: {str(refused)[:500]}")
        return
    for zone, why in silent.items():
        yield warning("platforms", f"{zone} 的积分平台无法连接（{why}），未附积分的申请将转人工或采用留存积分。",
                      f"The platform of {zone} cannot be reached ({why}): applications without a score are referred, "
                      "or decided on a kept one.")  # fmt: skip
    if not silent:
        yield Finding("platforms", Level.OK, f"{len(found)} 个平台可达", f"{len(found)} platforms can be reached")


async def _of_the_webhooks(settings: Settings, database: Database) -> Finding:
    try:
        keys = LogSigner.from_file(settings.key_file, settings.previous_signing_key_file).derived_each(PURPOSE)
    except SigningKeyError:
        keys = ()
    unreadable = [one.endpoint_id for one in await database.webhook_queue.every_endpoint() if not _opens(keys, one)]
    if unreadable:
        named = ", ".join(unreadable[:5])
        zh = f"接收端点的密钥无法解读：{named}。请执行 jifendai webhooks rotate。"
        return warning("webhooks", zh, f"Secrets cannot be read: {named}. `jifendai webhooks rotate` them.")
    pending, dead, oldest_s, _ = await database.webhook_queue.backlog()
    if dead or oldest_s > _LONG_OWED_S:
        return warning(
            "webhooks", f"死信 {dead} 项，待投递 {pending} 项，最久 {oldest_s} 秒。见 jifendai webhooks list。",
            f"{dead} dead letters; {pending} wait, the oldest for {oldest_s} s: see `jifendai webhooks list`.",
        )  # fmt: skip
    return Finding("webhooks", Level.OK, f"待投递 {pending} 项", f"{pending} wait")


def _opens(keys: Sequence[bytes], endpoint: Endpoint) -> bool:
    try:
        SecretBox(keys).open(endpoint.endpoint_id, endpoint.secrets)
    except SecretUnreadable:
        return False
    return True


def _of_the_keys(settings: Settings, known: Sequence[ApiKey]) -> Finding:
    keys = [key for key in known if key.is_sound(utc_now())]
    if not keys and settings.tokens is None:
        return fault("keys", "没有可用的 API 密钥：请执行 jifendai keys create。",
                     "No API key is valid: run `jifendai keys create`.")  # fmt: skip
    endless = [f"{key.key_id} ({key.subject})" for key in keys if key.expires_at is None]
    if endless and not settings.demo:
        named = ", ".join(endless[:5]) + (" …" if len(endless) > 5 else "")
        return warning(
            "keys", f"{len(endless)} 个密钥永不到期：{named}。请执行 jifendai keys rotate ID --expires 365。",
            f"{len(endless)} keys never end: {named}. `jifendai keys rotate ID --expires 365` each.",
        )  # fmt: skip
    ends = [key.expires_at for key in keys if key.expires_at is not None]
    zh, en = (f"，最早于 {min(ends):%Y-%m-%d} 到期", f", the first ends on {min(ends):%Y-%m-%d}") if ends else ("", "")
    return Finding("keys", Level.OK, f"{len(keys)} 个 API 密钥{zh}", f"{len(keys)} API keys{en}")


async def _of_the_logs(settings: Settings, database: Database, lenders: Iterable[str]) -> AsyncIterator[Finding]:
    try:
        keys = LogSigner.from_file(settings.key_file, settings.previous_signing_key_file).public_keys
    except (SigningKeyError, OSError):
        # Has been named, and nothing can be held to a key that is not there.
        return
    if await KeyInUse(database.trail, settings.log_name, keys).cause() is Cause.SIGNING_KEY_RETIRED:
        yield fault("signing_key_in_use", "该密钥已记录为停用：请设置换钥后的新密钥并重启。",
                    "It is on record as retired: set the key that followed it, and restart.")  # fmt: skip
    try:
        await prove_consistent(
            database.trail, open_outside(settings), log_name=settings.log_name, public_keys=keys, lenders=lenders,
            warn=lambda words: None,
        )  # fmt: skip
    except LogsNotSoundError as error:
        for found in error.findings:
            yield fault("logs", found.zh, found.en)
    else:
        yield Finding("logs", Level.OK, "与签名及外部检查点相符", "fit what was signed, and kept outside")
