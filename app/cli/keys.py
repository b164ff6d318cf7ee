"""jifendai keys, jifendai tokens: their commands as the parser knows them; api_keys.py, signing_keys.py and tokens.py
carry them out.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

from app.cli.commands import command, group, in_module

# A key that nobody has ended by then ends by itself.
_A_YEAR: Final = 365


def key_commands(commands: Any) -> None:
    """This function will add the commands of keys."""
    keys = group(commands, "keys", "密钥", "the signing key and API keys")
    create = command(
        keys, "create", in_module("api_keys", "create"), "创建 API 密钥，仅显示一次",
        "make an API key, which is shown once",
    )  # fmt: skip
    create.add_argument("--role", help="loan_system, loan_officer, risk_analyst, auditor or operator 角色")
    create.add_argument("--subject", help="the system or person who holds the key 持有者")
    create.add_argument("--lender", action="append", default=[], help="only this, repeatable; all if absent 所属机构")
    create.add_argument(
        "--branch", action="append", default=[], metavar="LENDER/BRANCH",
        help="only this branch of a lender, repeatable 仅此分支机构，可重复",
    )  # fmt: skip
    create.add_argument(
        "--expires", type=_days_or_never, default=_A_YEAR, metavar="DAYS",
        help="valid for so many days, 365 if absent, or never 有效天数，缺省 365，never 为永久",
    )  # fmt: skip
    command(keys, "list", in_module("api_keys", "list_all"), "列出 API 密钥", "list the API keys")
    rotate = command(
        keys, "rotate", in_module("api_keys", "rotate"), "轮换 API 密钥：新旧并行一段时间",
        "make a new API key like an old one, which goes on for a while",
    )  # fmt: skip
    rotate.add_argument("id", metavar="ID", help="the first column of `jifendai keys list` 密钥编号")
    rotate.add_argument(
        "--overlap", type=_hours, default=24, metavar="HOURS",
        help="how long the old one goes on, 24 if absent 并行小时数，缺省 24",
    )  # fmt: skip
    rotate.add_argument(
        "--expires", type=_days_or_never, default=None, metavar="DAYS",
        help="valid for so many days, or never; as the old one if absent 有效天数或 never，缺省同旧密钥",
    )  # fmt: skip
    revoke = command(keys, "revoke", in_module("api_keys", "revoke"), "吊销 API 密钥", "revoke an API key at once")
    revoke.add_argument("id", metavar="ID", help="the first column of `jifendai keys list` 密钥编号")
    _signing_key_commands(keys)
    command(
        keys, "roles", in_module("api_keys", "roles"), "列出各角色可执行的操作",
        "show which role may do which operation",
    )  # fmt: skip
    command(
        keys, "verifiers", in_module("signing_keys", "verifiers"), "列出各日志的验证公钥",
        "show the public keys by which anyone verifies the logs",
    )  # fmt: skip


def token_commands(commands: Any) -> None:
    """This function will add the commands of tokens."""
    tokens = group(commands, "tokens", "令牌", "tokens of the bank's identity provider")
    revoke = command(
        tokens, "revoke", in_module("tokens", "revoke"), "吊销令牌，各实例即刻生效",
        "refuse a token, or every token of a subject, at once on every replica",
    )  # fmt: skip
    which = revoke.add_mutually_exclusive_group(required=True)
    which.add_argument("--subject", help="every token of whom 该持有者的全部令牌")
    which.add_argument("--id", metavar="JTI", help="one token, by its claim jti 单个令牌")
    restore = command(
        tokens, "restore", in_module("tokens", "restore"), "此后签发的令牌恢复可用",
        "take tokens of a subject again that are issued from now on",
    )  # fmt: skip
    restore.add_argument("--subject", required=True, help="whose 持有者")
    command(tokens, "list", in_module("tokens", "list_all"), "列出已吊销的令牌", "list what was revoked")


def _signing_key_commands(keys: Any) -> None:
    signing = group(keys, "signing", "签名密钥", "the key under which the logs are signed")
    create = command(
        signing, "create", in_module("signing_keys", "create"), "创建首个签名密钥", "make the first signing key"
    )  # fmt: skip
    create.add_argument("--output", type=Path, metavar="FILE", help="where it goes 签名密钥文件")
    command(
        signing, "list", in_module("signing_keys", "list_all"), "列出现用密钥及历次换钥",
        "show the keys in use and every change that is on record",
    )  # fmt: skip
    rotate = command(
        signing, "rotate", in_module("signing_keys", "rotate"), "开始换钥：其后检查点由新旧两把密钥并签",
        "begin a change of keys: checkpoints bear both signatures from then on",
    )  # fmt: skip
    rotate.add_argument("--output", type=Path, metavar="FILE", help="where the new key goes 新密钥文件")
    command(
        signing, "finish", in_module("signing_keys", "finish"), "结束换钥：旧密钥不再签名",
        "end the change of keys: the previous key signs no more",
    )  # fmt: skip


def _days_or_never(text: str) -> int:
    """So many days; 0 is never."""
    if text == "never":
        return 0
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 36_500):
        raise argparse.ArgumentTypeError("a whole number of days, 1 to 36500, or never 须为 1 至 36500 的整数或 never")
    return int(text)


def _hours(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 8_760):
        raise argparse.ArgumentTypeError("whole hours, 0 to 8760 小时数须为 0 至 8760 的整数")
    return int(text)
