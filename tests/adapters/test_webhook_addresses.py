"""Nothing is sent where nobody outside should reach: private, local and reserved addresses, whatever they look like."""

import pytest

from app.adapters.webhook_addresses import AddressRules, NoAddress, networks_in
from app.usecases.webhooks import UrlRefused

STRICT, NAMED = AddressRules(), AddressRules(networks_in("10.0.0.0/8, fd00:1::/32"))
INNER = (
    "10.1.2.3", "127.0.0.1", "0.0.0.0", "169.254.169.254", "100.100.100.200", "172.16.0.1", "192.168.1.1", "224.0.0.1",
    "240.0.0.1", "255.255.255.255", "198.18.0.1", "::1", "::", "fe80::1", "fd00:ec2::254", "ff02::1", "2001:db8::1",
    "::ffff:10.1.2.3", "::ffff:127.0.0.1", "::10.1.2.3", "64:ff9b::a01:203", "64:ff9b::a9fe:a9fe", "2002:a01:203::",
    "2002:7f00:1::", "::ffff:0:127.0.0.1",
)  # fmt: skip
OUTER = ("8.8.8.8", "2001:4860:4860::8888", "1.1.1.1")


def resolving(*addresses: str):
    asked = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return list(addresses)

    return resolve, asked


class TestAnAddress:
    @pytest.mark.parametrize("address", INNER)
    async def test_that_is_not_of_the_internet_is_refused_by_name_and_as_it_is(self, address: str):
        literal = f"https://[{address}]/" if ":" in address else f"https://{address}/"
        with pytest.raises(UrlRefused):
            STRICT.check_url(literal)
        with pytest.raises(UrlRefused):
            await STRICT.target("https://hook.example/", resolving(address)[0])

    @pytest.mark.parametrize("address", OUTER)
    async def test_of_the_internet_is_connected_to_as_it_was_looked_up_once(self, address: str):
        resolve, asked = resolving(address)
        target = await STRICT.target("https://hook.example:8443/a/b?c=d", resolve)

        shown = f"[{address}]" if ":" in address else address
        assert target.url == f"https://{shown}:8443/a/b?c=d"
        assert (target.host, target.name) == ("hook.example:8443", "hook.example")
        assert asked == ["hook.example"]

    async def test_among_several_of_a_name_refuses_the_name(self):
        with pytest.raises(UrlRefused):
            await STRICT.target("https://hook.example/", resolving("8.8.8.8", "10.0.0.1")[0])

    @pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "fd00:1::5"])
    async def test_of_a_network_that_is_named_is_taken_also_without_tls(self, address: str):
        for scheme in ("https", "http"):
            assert (await NAMED.target(f"{scheme}://los.inner/", resolving(address)[0])).name == "los.inner"

    async def test_outside_the_named_networks_is_never_spoken_to_without_tls(self):
        with pytest.raises(UrlRefused):
            await NAMED.target("http://hook.example/", resolving("8.8.8.8")[0])
        with pytest.raises(UrlRefused):
            await NAMED.target("https://hook.example/", resolving("192.168.1.1")[0])

    @pytest.mark.parametrize("url", [
        "ftp://hook.example/", "https://", "https://user:pass@hook.example/", "https://hook.example/#part",
        "https://hook.example:99999/", "http://hook.example/", "https://hook.example/ a", "https://høok.example/",
        "https://[::1", "file:///etc/passwd", "https://hook.example/" + "a" * 1_000, "https://127.0.0.1:8000/",
        "https://2130706433/", "https://0x7f.1/",
    ])  # fmt: skip
    async def test_that_is_no_address_of_an_endpoint_is_refused(self, url: str):
        # Numbers in strange spellings are names to us; the system's resolver tells what they mean, and that is checked.
        with pytest.raises(UrlRefused):
            await STRICT.target(url, resolving("127.0.0.1")[0])

    async def test_of_a_name_that_nobody_knows_is_none(self):
        with pytest.raises(NoAddress):
            await STRICT.target("https://hook.example/", resolving()[0])
