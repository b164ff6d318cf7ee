"""就绪 What keeps a running instance from deciding, by codes that stay.

Neighbours may rely on this: every cause that holds is told, none hides behind another; a code and its words never hold
an address, a path or anything else of the installation. docs/operations.md lists them, and `jifendai doctor` says more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from app.audit import EvidenceError
from app.audit.operator_record import OPERATOR
from app.usecases.known_logs import read_known_logs
from app.usecases.log_trail import LogTrail


@dataclass(frozen=True, slots=True)
class _Words:
    zh: str
    en: str


class Cause(Enum):
    """A reason for not being ready, in the order in which they are told."""

    DRAINING = _Words("服务正在停止。", "The service is stopping: send requests elsewhere.")
    DATABASE_UNREACHABLE = _Words(
        "无法连接数据库：请检查数据库与 JIFENDAI_DATABASE_URL。",
        "The database cannot be reached: check the server and JIFENDAI_DATABASE_URL.",
    )
    DATABASE_SLOW = _Words(
        "数据库未在 3 秒内应答：请检查其负载。", "The database does not answer within 3 s: check its load."
    )
    MIGRATIONS_MISSING = _Words(
        "数据库尚未升级：请执行 jifendai migrate。", "Tables are missing: run `jifendai migrate`."
    )
    SIGNING_KEY_UNREADABLE = _Words(
        "签名密钥文件缺失、无法读取或对他人开放：请执行 jifendai doctor。",
        "The signing key's file is missing, unreadable or open to others: run `jifendai doctor`.",
    )
    SIGNING_KEY_CHANGED = _Words(
        "签名密钥文件中已是另一密钥：请恢复原密钥，或重启本实例。",
        "The signing key's file holds another key than this instance signs with: put it back, or restart the instance.",
    )
    SIGNING_KEY_RETIRED = _Words(
        "本实例仍用已停用的签名密钥：请设置新密钥并重启。",
        "This instance signs with a key that is on record as retired: set the new one and restart it.",
    )
    LOGS_DO_NOT_FIT = _Words(
        "日志与已签名或外部保存的检查点不符：请执行 jifendai verify database。",
        "The logs do not fit what was signed, or kept outside: run `jifendai verify database`.",
    )
    CATALOGUE_NOT_ACTIVATED = _Words(
        "尚无生效的产品目录：请执行 jifendai catalogue activate。",
        "No catalogue has been activated: run `jifendai catalogue activate`.",
    )
    CATALOGUE_DIFFERS = _Words(
        "本实例的目录文件不是现行生效的版本：请更换文件并重启，或启用本版本。",
        "This instance's files are not the active edition: replace them and restart it, or activate them.",
    )
    CLOCK_DIFFERS = _Words(
        "本机时钟与数据库相差超过 60 秒：请校时。",
        "This machine's clock differs from the database's by more than 60 s: set it.",
    )
    DISK_FULL = _Words(
        "数据所在磁盘不足 100 MB：请清理或扩容。", "Less than 100 MB are left where the data lies: make room."
    )

    @property
    def code(self) -> str:
        """The code, which stays."""
        return self.name

    def told(self) -> dict[str, Any]:
        """This function will return the cause as it is answered."""
        return {"code": self.name, "message": {"zh": self.value.zh, "en": self.value.en}}

    @property
    def words(self) -> str:
        """The cause for people, in both languages."""
        return f"{self.value.en} {self.value.zh}"


class KeyInUse:
    """Whether the key that this process signs with is still to be signed with, by the operator's log."""

    def __init__(self, trail: LogTrail, log_name: str, public_keys: Sequence[bytes]) -> None:
        self._trail, self._log_name, self._public_keys = trail, log_name, tuple(public_keys)
        self._size = -1
        self._found: Cause | None = None

    async def cause(self) -> Cause | None:
        """This function will name what is wrong; the log is read again only when it has grown. Raises
        StoreUnavailable.
        """
        size = (await self._trail.extent(OPERATOR)).signed
        if size != self._size:
            self._found = await self._read()
            self._size = size
        return self._found

    async def _read(self) -> Cause | None:
        try:
            known = await read_known_logs(self._trail, self._log_name, self._public_keys)
        except EvidenceError:
            return Cause.LOGS_DO_NOT_FIT
        retired = {key.public_key for key in known.retired}
        return Cause.SIGNING_KEY_RETIRED if self._public_keys[0] in retired else None
