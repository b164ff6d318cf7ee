"""Where an endpoint may lie: the address is looked up once, held to the rules, and the connection goes to just that.

Neighbours may rely on this: private, loopback, link-local, metadata, multicast and reserved addresses are refused, also
where they are written as IPv4 inside IPv6, unless a network that the configuration names holds them; if one address of
a name is refused, so is the name. Between the check and the connection nothing is looked up again. Plain http goes to
named networks alone.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from app.usecases.webhooks import UrlRefused

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

LONGEST_URL: Final = 1_000
def networks_in(text: str) -> tuple[Network, ...]:
    """This function will read networks such as `10.0.0.0/8, 192.168.7.0/24`. Raises ValueError."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


# Addresses of IPv6 that carry one of IPv4 in their last four bytes: mapped, compatible, NAT64 and translated.
_CARRIERS: Final = networks_in("::ffff:0:0/96, ::/96, 64:ff9b::/96, 64:ff9b:1::/48, ::ffff:0:0:0/96")
_6TO4: Final = ip_network("2002::/16")


class NoAddress(Exception):
    """The name has no address, or nobody could tell it."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect: `url` names the address itself; `host` is what Host and the certificate must say."""

    url: str
    host: str
    name: str


@dataclass(frozen=True, slots=True)
class AddressRules:
    """`allowed` are the networks that the configuration names."""

    allowed: tuple[Network, ...] = ()

    def check_url(self, url: str) -> tuple[str, int]:
        """This function will return host and port of a URL that may be kept. Raises UrlRefused; what its name means
        is looked up when something is sent.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            raise UrlRefused("不是有效的地址", "it is no valid URL") from None
        if parts.scheme not in ("https", "http") or not host or len(url) > LONGEST_URL or not url.isascii():
            raise UrlRefused(
                "须为 https:// 地址，ASCII，至多 1000 个字符", "an https:// URL of at most 1,000 ASCII characters"
            )
        if parts.username is not None or parts.fragment or any(character <= " " for character in url):
            raise UrlRefused("不得含用户名、密码、片段或空白", "without a user, a password, a fragment or a space")
        if parts.scheme == "http" and not self.allowed:
            raise UrlRefused(
                "须为 https://；http:// 仅限 JIFENDAI_WEBHOOK_NETWORKS 所列网络",
                "https://; plain http:// only into the networks of JIFENDAI_WEBHOOK_NETWORKS",
            )
        literal = _literal(host)
        if literal is not None:
            self.check(literal, plain=parts.scheme == "http")
        return host, port

    def check(self, address: Address, *, plain: bool) -> None:
        """This function will return if something may be sent to the address. Raises UrlRefused."""
        meant = _meant(address)
        if any(one in network for one in (address, meant) for network in self.allowed):
            return
        # `is_global` is False for private, shared (100.64/10), loopback, link-local, benchmarking and reserved ones.
        if plain or not (address.is_global and meant.is_global) or meant.is_multicast or address.is_multicast:
            raise UrlRefused(
                "解析到内部或保留地址；如确需投递，请在 JIFENDAI_WEBHOOK_NETWORKS 中列出",
                "it leads to an address that is private, local or reserved, or is plain http; where that is meant, "
                "name the network in JIFENDAI_WEBHOOK_NETWORKS",
            )

    async def target(self, url: str, resolve: Resolve) -> Target:
        """This function will look the name up, once, and return where to connect. Raises UrlRefused, NoAddress."""
        host, port = self.check_url(url)
        parts = urlsplit(url)
        literal = _literal(host)
        found = [str(literal)] if literal is not None else await resolve(host, port)
        if not found:
            raise NoAddress(host)
        addresses = [ip_address(one.partition("%")[0]) for one in found]
        for address in addresses:
            self.check(address, plain=parts.scheme == "http")
        first = addresses[0]
        shown = f"[{first}]" if first.version == 6 else str(first)
        netloc = parts.netloc.rpartition("@")[2]
        return Target(urlunsplit((parts.scheme, f"{shown}:{port}", parts.path, parts.query, "")), netloc, host)


async def resolve_by_system(host: str, port: int) -> Sequence[str]:
    """This function will ask the system for the name's addresses. Raises NoAddress."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NoAddress(host) from None
    return [str(entry[4][0]) for entry in found]


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _meant(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, else the address itself."""
    if address.version == 4:
        return address
    if address in _6TO4:
        return IPv4Address(address.packed[2:6])
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in carrier for carrier in _CARRIERS) and address not in (IPv6Address("::"), IPv6Address("::1")):
        return IPv4Address(address.packed[12:])
    return address
