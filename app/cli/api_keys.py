"""jifendai keys create, list, rotate, revoke, roles: the API keys of those who call this installation.

Whoever may run commands on the installation, with its database's address and its signing key, may make keys; the
operator's log names the account of the machine. So nobody is locked out for good: a key is made here without a key.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Final

from app.adapters.clock import utc_now
from app.api.access import Role, matrix
from app.api.sign_in import new_key
from app.cli.installation import (
    FAULTY,
    Refused,
    its_catalogue,
    its_database,
    its_records,
    its_settings,
    say,
    show,
    subject,
)
from app.domain.access import lender_of
from app.products.catalog import Catalog
from app.settings import Settings
from app.usecases.keys import ApiKey, Decide, KeyChanges, KeyNotChanged, added, revoked, rotated

_SUBJECT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:|/-]{0,63}")


def create(options: argparse.Namespace) -> None:
    """This function will make an API key and show it, this once."""
    if options.role is None:
        raise Refused(
            FAULTY, f"--role: an API key needs one of: {', '.join(Role)}. 创建 API 密钥需要 --role",
            "The installation's signing key is another thing 签名密钥另行创建: jifendai keys signing create",
        )  # fmt: skip
    if options.role not in Role._value2member_map_:
        raise Refused(FAULTY, f"--role is one of: {', '.join(Role)}. 角色须为以上之一")
    if not options.subject:
        raise Refused(
            FAULTY, "--subject: name the system or person who will hold the key; four eyes go by it. 请指明密钥持有者"
        )
    if _SUBJECT.fullmatch(options.subject) is None:
        raise Refused(
            FAULTY,
            "--subject: a system's name or a staff id (工号), never a person's name: 1 to 64 letters, digits or "
            ". _ @ : | / -. 持有者为系统名或工号，勿用姓名",
        )
    settings = its_settings()
    scope = _scope(options, its_catalogue(settings).catalog)
    text, key = new_key(options.subject, options.role, scope, now=utc_now(), valid_for=_validity(options.expires))
    _change(settings, added(key, by=subject(), records=its_records(settings)))
    _show_once(text, key)


def _scope(options: argparse.Namespace, catalog: Catalog) -> tuple[str, ...]:
    """Lenders, and branches as lender/branch; a lender of which a branch is named is not meant as a whole."""
    for lender in options.lender:
        if not catalog.knows_lender(lender):
            known = ", ".join(sorted(catalog.lenders))
            raise Refused(FAULTY, f"--lender {lender}: the catalogue has {known}. 目录中没有此机构")
    for branch in options.branch:
        lender, _, code = branch.partition("/")
        listed = [one.id for one in catalog.branches(lender)] if catalog.knows_lender(lender) else []
        if code not in listed:
            known = ", ".join(f"{lender}/{one}" for one in listed) or "lender/branch, such as icbc/kunshan"
            raise Refused(FAULTY, f"--branch {branch}: the catalogue has {known}. 目录中没有此分支机构")
    narrowed = {lender_of(branch) for branch in options.branch}
    return (*(lender for lender in options.lender if lender not in narrowed), *options.branch)


def rotate(options: argparse.Namespace) -> None:
    """This function will make a new key like an old one, which then ends after the overlap."""
    now, made = utc_now(), []

    def like(old: ApiKey) -> ApiKey:
        valid_for = None if old.expires_at is None else old.expires_at - old.created_at
        if options.expires is not None:
            valid_for = _validity(options.expires)
        text, key = new_key(old.subject, old.role, old.lenders, now=now, valid_for=valid_for)
        made[:] = [(text, key)]
        return key

    until = now + timedelta(hours=options.overlap)
    settings = its_settings()
    changes = _change(
        settings,
        rotated(options.id, like, at=now, old_until=until, by=subject(), records=its_records(settings)),
    )
    [(text, key)] = made
    ends = changes.keys[1].expires_at
    say(f"The old key {options.id} ends 旧密钥失效于 {ends:%Y-%m-%d %H:%M}Z")
    _show_once(text, key)


def revoke(options: argparse.Namespace) -> None:
    """This function will end an API key now."""
    settings = its_settings()
    _change(settings, revoked(options.id, at=utc_now(), by=subject(), records=its_records(settings)))
    say("Revoked; every replica refuses it from now on. 已吊销，各实例即刻生效")


def list_all(options: argparse.Namespace) -> None:
    """This function will show every API key, revoked ones included, the oldest first."""
    async def listed() -> None:
        async with its_database(its_settings()) as database:
            for key in await database.keys.all_keys():
                show(_line(key, utc_now()))

    asyncio.run(listed())


def roles(options: argparse.Namespace) -> None:
    """This function will show which role may do which operation."""
    show(matrix())


def _line(key: ApiKey, now: datetime) -> str:
    ends = (("expires 到期", key.expires_at), ("revoked 吊销", key.revoked_at))
    said = ["never ends 永不到期"] if key.expires_at is None and key.revoked_at is None else []
    said += [f"{word} {at.astimezone(UTC):%Y-%m-%d}" for word, at in ends if at is not None]
    if key.revoked_at is None and key.expires_at is not None and key.expires_at <= now:
        said[-1] = f"expired 已到期 {key.expires_at:%Y-%m-%d}"
    return "  ".join(
        (
            key.key_id, f"{key.role:<12}", f"{key.subject:<24}", ",".join(key.lenders) or "every lender 全部机构",
            f"{key.created_at:%Y-%m-%d}", *said,
        )
    )  # fmt: skip


def _validity(days: int) -> timedelta | None:
    return timedelta(days=days) if days else None


def _change(settings: Settings, decide: Decide) -> KeyChanges:
    async def changed() -> KeyChanges:
        async with its_database(settings) as database:
            return await database.keys.change(decide)

    try:
        return asyncio.run(changed())
    except KeyNotChanged as refused:
        raise Refused(FAULTY, str(refused)) from None


def _show_once(text: str, key: ApiKey) -> None:
    ends = "it never ends 永不到期" if key.expires_at is None else f"to {key.expires_at:%Y-%m-%d %H:%M}Z 有效期至"
    say(f"Key {key.key_id} of {key.subject}, {ends}; it is shown this once. 密钥仅显示这一次:")
    show(text)
