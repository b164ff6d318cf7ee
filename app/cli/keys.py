"""jifendai keys: the signing key of the installation, and the API keys of those who call it."""

from __future__ import annotations

import argparse
import asyncio
from datetime import timedelta

from app.adapters.clock import utc_now
from app.api.access import Role, new_key
from app.audit.operator_record import OPERATOR
from app.cli import signing_keys
from app.cli.installation import FAULTY, Refused, its_catalogue, its_database, its_settings, its_signer, say, show
from app.usecases.known_logs import KnownLogs, read_known_logs
from app.usecases.ports import ApiKey, StoreUnavailable


def create(options: argparse.Namespace) -> None:
    """This function will make the signing key, or with a role an API key."""
    if options.role is None:
        _create_signing_key(options)
        return
    if options.role not in Role._value2member_map_:
        raise Refused(FAULTY, f"--role is one of: {', '.join(Role)}. 角色须为以上之一")
    if not options.subject:
        raise Refused(
            FAULTY, "--subject: name the system or person who will hold the key; four eyes go by it. 请指明密钥持有者"
        )
    settings = its_settings()
    lenders = its_catalogue(settings).catalog.lenders
    for lender in options.lender:
        if lender not in lenders:
            known = ", ".join(sorted(lenders))
            raise Refused(FAULTY, f"--lender {lender}: the catalogue has {known}. 目录中没有此机构")
    valid_for = None if options.expires is None else timedelta(days=options.expires)
    text, key = new_key(options.subject, options.role, options.lender, now=utc_now(), valid_for=valid_for)

    async def add() -> None:
        async with its_database(settings) as database:
            await database.keys.add(key)

    asyncio.run(add())
    say(f"Key {key.key_id} of {key.subject}; it is shown this once. 密钥仅显示这一次:")
    show(text)


def _create_signing_key(options: argparse.Namespace) -> None:
    if options.lender or options.subject or options.expires is not None:
        raise Refused(FAULTY, "An API key needs --role; without it a signing key is made. 创建 API 密钥需要 --role")
    signing_keys.create(options)


def list_all(options: argparse.Namespace) -> None:
    """This function will show every API key, revoked ones included."""
    async def listed() -> None:
        async with its_database(its_settings()) as database:
            for key in await database.keys.all_keys():
                show(_line(key))

    asyncio.run(listed())


def _line(key: ApiKey) -> str:
    ends = (("expires 到期", key.expires_at), ("revoked 吊销", key.revoked_at))
    return "  ".join(
        (
            key.key_id, f"{key.role:<12}", f"{key.subject:<24}", ",".join(key.lenders) or "every lender 全部机构",
            f"{key.created_at:%Y-%m-%d}", *(f"{word} {at:%Y-%m-%d}" for word, at in ends if at is not None),
        )
    )  # fmt: skip


def revoke(options: argparse.Namespace) -> None:
    """This function will end an API key now."""
    async def end() -> None:
        async with its_database(its_settings()) as database:
            if not await database.keys.revoke(options.id):
                raise Refused(FAULTY, "There is no key of that id; see `jifendai keys list`. 没有此密钥")

    asyncio.run(end())
    say("Revoked; every replica refuses it within a second. 已吊销，一秒内各实例生效")


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
        show(*signer.verifier_keys(logs.origin(lender)))
