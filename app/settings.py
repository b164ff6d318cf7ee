"""Settings: read once from the environment, frozen, and refused by name where they are a known mistake.

Neighbours may rely on this: only `main` and `cli` read settings; what is missing has a default in demo mode and a
sentence that says how to mend it outside. Nothing here writes anything.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping, Set
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final, Self

from app.adapters.token_rules import TokenRules, token_rules
from app.adapters.webhook_addresses import Network, networks_in

DEMO_LOG_NAME: Final = "demo.jifendai.example"
BUILT_IN_CATALOGUE: Final = Path(__file__).parent / "products"
# A log's name begins every checkpoint (C2SP signed note): no spaces, no plus sign.
_LOG_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")


class SettingsRefused(Exception):
    """The settings cannot be used; `faults` are sentences that say what is wrong and how to mend it."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Settings:
    """How one process of the service runs. `signing_key_file` None: in demo mode a key is made in the data dir;
    `migration_database_url` empty: the tables are the service's own account's.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    data_dir: Path = Path("var")
    database_url: str = "sqlite:///var/jifendai.db"
    migration_database_url: str = ""
    catalogue_dir: Path = BUILT_IN_CATALOGUE
    log_name: str = ""
    demo: bool = False
    signing_key_file: Path | None = None
    previous_signing_key_file: Path | None = None
    outside_checkpoints: str = ""
    outside_token_file: Path | None = None
    forwarded_allow_ips: str = ""
    sm3: bool = False
    tokens: TokenRules | None = None
    token_faults: tuple[str, ...] = ()
    retention_years: int = 10
    rate_limit: tuple[int, int] | None = None
    request_deadline_s: int = 30
    platforms_dir: Path | None = None
    strict: bool = False
    accept_data_loss: bool = False
    webhook_networks: tuple[Network, ...] = ()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """This function will read the variables JIFENDAI_…; an empty one counts as absent. Raises SettingsRefused."""
        faults: list[str] = []
        known: set[str] = set()

        def sent(name: str, otherwise: str) -> str:
            known.add(name)
            return environment.get(f"JIFENDAI_{name}", "").strip() or otherwise

        demo = _flag("DEMO", sent("DEMO", "0"), faults)
        sm3 = _flag("SM3", sent("SM3", "0"), faults)
        retention_years = _years(sent("RETENTION_YEARS", "10"), faults)
        strict = _flag("STRICT", sent("STRICT", "0"), faults)
        accept_data_loss = _flag("ACCEPT_DATA_LOSS", sent("ACCEPT_DATA_LOSS", "0"), faults)
        port = _whole(sent("PORT", "8000"), 0, 65_535, "PORT", faults)
        deadline_s = _whole(sent("REQUEST_DEADLINE_S", "30"), 1, 600, "REQUEST_DEADLINE_S", faults)
        rate_limit = _rate_limit(sent("RATE_LIMIT", ""), faults)
        networks = _networks(sent("WEBHOOK_NETWORKS", ""), faults)
        if demo and sent("LOG_NAME", DEMO_LOG_NAME) != DEMO_LOG_NAME:
            faults.append(
                "JIFENDAI_DEMO: a demonstration makes keys and decisions of its own, so it must not run where "
                "JIFENDAI_LOG_NAME names a real log; unset one of them. 演示模式不得用于正式日志，请取消其一"
            )
        if faults:
            raise SettingsRefused(tuple(faults))
        data_dir = Path(sent("DATA_DIR", "var"))
        tokens, token_faults = token_rules(sent)
        key_file, previous = sent("SIGNING_KEY_FILE", ""), sent("PREVIOUS_SIGNING_KEY_FILE", "")
        token = sent("OUTSIDE_TOKEN_FILE", "")
        platforms = sent("PLATFORMS_DIR", "")
        settings = cls(
            host=sent("HOST", "127.0.0.1"),
            port=port,
            data_dir=data_dir,
            database_url=sent("DATABASE_URL", f"sqlite:///{data_dir}/jifendai.db"),
            migration_database_url=sent("MIGRATION_DATABASE_URL", ""),
            catalogue_dir=Path(sent("CATALOGUE_DIR", str(BUILT_IN_CATALOGUE))),
            log_name=sent("LOG_NAME", DEMO_LOG_NAME if demo else ""),
            demo=demo,
            signing_key_file=Path(key_file) if key_file else None,
            previous_signing_key_file=Path(previous) if previous else None,
            outside_checkpoints=sent("OUTSIDE_CHECKPOINTS", ""),
            outside_token_file=Path(token) if token else None,
            forwarded_allow_ips=sent("FORWARDED_ALLOW_IPS", ""),
            sm3=sm3,
            tokens=tokens,
            token_faults=token_faults,
            retention_years=retention_years,
            rate_limit=rate_limit,
            request_deadline_s=deadline_s,
            platforms_dir=Path(platforms) if platforms else None,
            strict=strict,
            accept_data_loss=accept_data_loss,
            webhook_networks=networks,
        )
        if misspelt := _misspelt(environment, known):
            raise SettingsRefused(misspelt)
        return settings

    @property
    def key_file(self) -> Path:
        """Where the signing key lies, or in demo mode will lie."""
        return self.signing_key_file or self.data_dir / "demo-signing-key.pem"

    @property
    def webhooks_into(self) -> tuple[Network, ...]:
        """The networks of one's own that webhooks may go to; a demonstration's receiver is on the same machine."""
        return self.webhook_networks or (networks_in("127.0.0.0/8, ::1/128") if self.demo else ())

    @property
    def demo_keys_file(self) -> Path:
        """Where demo mode writes its API keys."""
        return self.data_dir / "demo-keys.json"

    def faults(self) -> tuple[str, ...]:
        """This function will return the well-known mistakes, each with how to mend it; none in demo mode but for real
        faults.
        """
        found = list(self.token_faults)
        if not self.catalogue_dir.is_dir():
            found.append(
                f"JIFENDAI_CATALOGUE_DIR: there is no folder {self.catalogue_dir}; name the one with codes.yaml. "
                "产品目录文件夹不存在"
            )
        if self.log_name and _LOG_NAME.fullmatch(self.log_name) is None:
            found.append(
                "JIFENDAI_LOG_NAME: a name such as bank.example/jifendai, of letters, digits, dots, hyphens, slashes. "
                "日志名称格式有误"
            )
        found += self._outside_faults()
        found += self._forwarding_faults()
        if self.platforms_dir is not None and not self.platforms_dir.is_dir():
            found.append(
                f"JIFENDAI_PLATFORMS_DIR: there is no folder {self.platforms_dir}; name the one with <zone>.yaml "
                "files, or unset it. 积分平台文件夹不存在"
            )
        if not self.demo:
            found += self._production_faults()
        return tuple(found)

    def _outside_faults(self) -> list[str]:
        found, place = [], self.outside_checkpoints
        if place and not place.startswith(("http://", "https://")) and not Path(place).is_dir():
            # A disk that is not mounted must not be taken for an empty one.
            found.append(
                f"JIFENDAI_OUTSIDE_CHECKPOINTS: there is no folder {place}; make it, or mount its disk. "
                "外部检查点文件夹不存在"
            )
        token = self.outside_token_file
        if token is not None and not token.is_file():
            found.append(f"JIFENDAI_OUTSIDE_TOKEN_FILE: there is no file {token}. 令牌文件不存在")
        elif token is not None and _open_to_others(token):
            found.append(
                f"JIFENDAI_OUTSIDE_TOKEN_FILE: everybody on this machine may read {token}; run `chmod o= {token}`. "
                "令牌文件对所有人可读"
            )
        return found

    def _forwarding_faults(self) -> list[str]:
        """Whoever is believed may say of himself that he is anybody else."""
        try:
            everybody = any(network.prefixlen == 0 for network in networks_in(self.forwarded_allow_ips))
        except ValueError:
            everybody = True
        if not everybody:
            return []
        where = "such as 10.0.0.7, 10.1.0.0/24, and never everybody"
        return [f"JIFENDAI_FORWARDED_ALLOW_IPS: name proxies by address, {where}. 须列明代理的地址或网段，不得为全部"]

    def _production_faults(self) -> list[str]:
        found = []
        found += self._previous_key_faults()
        if self.signing_key_file is None:
            found.append(
                "JIFENDAI_SIGNING_KEY_FILE: no signing key; make one with `jifendai keys signing create` and name its "
                "file. 缺少签名密钥"
            )
        elif not self.signing_key_file.is_file():
            found.append(f"JIFENDAI_SIGNING_KEY_FILE: there is no file {self.signing_key_file}. 签名密钥文件不存在")
        elif _open_to_others(self.signing_key_file):
            found.append(
                f"JIFENDAI_SIGNING_KEY_FILE: everybody on this machine may read {self.signing_key_file}; run "
                f"`chmod o= {self.signing_key_file}`. 签名密钥文件对所有人可读"
            )
        if not self.log_name:
            found.append(
                "JIFENDAI_LOG_NAME: the audit log has no name; choose one that only this installation has, such as "
                "bank.example/jifendai, and never change it. 未设置日志名称"
            )
        elif self.log_name == DEMO_LOG_NAME:
            found.append(
                f"JIFENDAI_LOG_NAME: {DEMO_LOG_NAME} is the demo's; choose one that only this installation has. "
                "日志名称为演示专用"
            )
        if self.data_dir.is_dir() and _open_to_others(self.data_dir):
            found.append(
                f"JIFENDAI_DATA_DIR: everybody on this machine may read {self.data_dir}; run "
                f"`chmod o= {self.data_dir}`. "
                "数据目录对所有人可读"
            )
        return found

    def _previous_key_faults(self) -> list[str]:
        name, file = "JIFENDAI_PREVIOUS_SIGNING_KEY_FILE", self.previous_signing_key_file
        if file is None:
            return []
        if not file.is_file():
            return [f"{name}: there is no file {file}; unset it once the change of keys has ended. 旧密钥文件不存在"]
        if _open_to_others(file):
            return [f"{name}: everybody on this machine may read {file}; run `chmod o= {file}`. 旧密钥文件对所有人可读"]
        if self.signing_key_file is not None and file.resolve() == self.signing_key_file.resolve():
            return [f"{name}: it is the key in use; name the one before it, or none. 新旧密钥不能相同"]
        return []

    def check(self) -> None:
        """This function will return if the settings can be used. Raises SettingsRefused with every fault."""
        if faults := self.faults():
            raise SettingsRefused(faults)


def _open_to_others(path: Path) -> bool:
    return bool(path.stat().st_mode & stat.S_IRWXO)


def _misspelt(environment: Mapping[str, str], known: Set[str]) -> tuple[str, ...]:
    """Variables almost of a setting's name: what somebody meant to set would stay unset in silence. Other names are
    other programs' affair.
    """
    names = (name.removeprefix("JIFENDAI_") for name in sorted(environment) if name.startswith("JIFENDAI_"))
    meant = ((name, get_close_matches(name, known, n=1, cutoff=0.85)) for name in names if name not in known)
    return tuple(
        f"JIFENDAI_{name}: there is no such setting; is JIFENDAI_{nearest[0]} meant? 没有该设置，名称是否有误"
        for name, nearest in meant
        if nearest
    )


def _flag(name: str, text: str, faults: list[str]) -> bool:
    if text not in ("0", "1"):
        faults.append(f"JIFENDAI_{name}: 1 or 0. 取值为 1 或 0")
    return text == "1"


def _years(text: str, faults: list[str]) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and int(text) >= 10):
        faults.append(
            "JIFENDAI_RETENTION_YEARS: a whole number of years, 10 or more: the time for which records are kept may "
            "only be lengthened. 保存年限只能延长，不得少于 10 年"
        )
        return 10
    return int(text)


def _whole(text: str, least: int, most: int, name: str, faults: list[str]) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and least <= int(text) <= most):
        faults.append(f"JIFENDAI_{name}: a whole number from {least} to {most}. 须为 {least} 至 {most} 的整数")
        return least
    return int(text)


def _networks(text: str, faults: list[str]) -> tuple[Network, ...]:
    try:
        return networks_in(text)
    except ValueError:
        faults.append(
            "JIFENDAI_WEBHOOK_NETWORKS: networks such as 10.0.0.0/8, 192.168.7.0/24, separated by commas. "
            "须为以逗号分隔的网络"
        )
        return ()


def _rate_limit(text: str, faults: list[str]) -> tuple[int, int] | None:
    """`600/60`: 600 requests within 60 seconds."""
    if not text:
        return None
    quota, _, window_s = text.partition("/")
    found: list[str] = []
    both = _whole(quota, 1, 10_000_000, "RATE_LIMIT", found), _whole(window_s, 1, 86_400, "RATE_LIMIT", found)
    if found:
        faults.append(
            "JIFENDAI_RATE_LIMIT: requests and seconds, such as 600/60; empty for no limit. 形如 600/60：60 秒内 600 次"
        )
        return None
    return both
