"""jifendai tokens revoke, restore, list: tokens of the bank's identity provider that are taken here no more."""

from __future__ import annotations

import argparse
import asyncio

from app.adapters.clock import utc_now
from app.cli.installation import FAULTY, Refused, its_database, its_records, its_settings, say, show, subject
from app.settings import Settings
from app.usecases.tokens import (
    DecideTokens,
    RevokedKind,
    RevokedToken,
    TokenChange,
    TokenNotChanged,
    token_revoked,
    tokens_restored,
)

_MOST = 255


def revoke(options: argparse.Namespace) -> None:
    """This function will refuse a token, or every token of a subject, from now on."""
    kind, name = (
        (RevokedKind.TOKEN, options.id) if options.subject is None else (RevokedKind.SUBJECT, options.subject)
    )
    if not 0 < len(name) <= _MOST or not name.isprintable():
        words = f"1 to {_MOST} printable characters, as the token says them. 须为 1 至 {_MOST} 个可见字符"
        raise Refused(FAULTY, words)
    settings = its_settings()
    _change(settings, token_revoked(kind, name, at=utc_now(), by=subject(), records=its_records(settings)))
    say("Revoked; every replica refuses it from now on. 已吊销，各实例即刻生效")


def restore(options: argparse.Namespace) -> None:
    """This function will have tokens of the subject that are issued from now on taken again."""
    settings = its_settings()
    made = tokens_restored(options.subject, at=utc_now(), by=subject(), records=its_records(settings))
    _change(settings, made)
    say("Tokens issued from now on are taken; those of before stay refused. 此后签发的令牌可用，此前的仍被拒绝")


def list_all(options: argparse.Namespace) -> None:
    """This function will show every revocation, the oldest first."""

    async def listed() -> None:
        async with its_database(its_settings()) as database:
            for one in await database.keys.revoked_tokens():
                show(_line(one))

    asyncio.run(listed())


def _line(one: RevokedToken) -> str:
    said = f"{one.kind:<8} {one.name:<24} revoked 吊销 {one.revoked_at:%Y-%m-%d %H:%M}Z"
    return said if one.restored_at is None else f"{said}  restored 恢复 {one.restored_at:%Y-%m-%d %H:%M}Z"


def _change(settings: Settings, decide: DecideTokens) -> TokenChange:
    async def changed() -> TokenChange:
        async with its_database(settings) as database:
            return await database.keys.change_tokens(decide)

    try:
        return asyncio.run(changed())
    except TokenNotChanged as refused:
        raise Refused(FAULTY, str(refused)) from None
