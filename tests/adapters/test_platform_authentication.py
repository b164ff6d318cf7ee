"""How a platform knows that it is we who ask, and how we know that it is the platform that answers."""

import asyncio
import contextlib
import hmac
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.adapters.platform_files import (
    SIMULATED,
    Credentials,
    PlatformsRefused,
    load_credentials,
    read_platforms,
    with_credentials,
)
from app.adapters.platform_simulator import SIGNATURE, Fault
from app.adapters.platforms import Platforms
from app.domain.platform import (
    AnswerRefused,
    AnswerSignature,
    Authentication,
    AuthenticationKind,
    PlatformUnavailable,
    ScorePlatform,
    SignatureKind,
    WhyNot,
)
from tests.adapters.test_platforms import COMPANY, SECRET, Counted, make_certificate, simulated, why_not
from tests.policy_cases import catalogue


@contextlib.asynccontextmanager
async def noting(heads: list[str], tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """This function will listen, note what is sent and answer 404."""

    async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            writer.write(b"HTTP/1.1 404 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            await writer.drain()
            writer.close()

    server = await asyncio.start_server(met, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def question(sent: Authentication, credentials: Credentials, **more: object) -> dict[str, str]:
    """This function will ask once and return the headers that came over the wire."""
    heads: list[str] = []
    async with noting(heads) as port:
        address = f"http://127.0.0.1:{port}/companies/{{uscc}}?by=us"
        platform = replace(
            read_platforms(SIMULATED, catalogue())["suzhou-snd"], address=address, authentication=sent, **more
        )
        platforms = Platforms({"suzhou-snd": (platform, credentials)}, Counted(), wall=lambda: 1_800_000_000.9)
        await platforms.ask(platform, COMPANY)
    line, *rest = heads[0].strip().split("\r\n")
    return {":": line} | {name.lower(): value for name, _, value in (one.partition(": ") for one in rest)}


class TestAPlatformKnowsWhoAsks:
    async def test_by_a_key(self):
        sent = Authentication(AuthenticationKind.KEY, "X-Api-Key", "Key")

        assert (await question(sent, Credentials(secret=SECRET)))["x-api-key"] == f"Key {SECRET.decode()}"

    async def test_by_a_hmac_over_the_whole_question(self):
        found = await question(Authentication(AuthenticationKind.HMAC, key_id="bank-1"), Credentials(secret=SECRET))

        text = "\n".join((
            "GET", f"/companies/{COMPANY}?by=us", "1800000000", found["jifendai-request-id"], sha256(b"").hexdigest(),
        ))  # fmt: skip
        assert found["jifendai-signature"] == hmac.new(SECRET, text.encode(), sha256).hexdigest()
        assert (found["jifendai-key-id"], found["jifendai-timestamp"]) == ("bank-1", "1800000000")
        assert SECRET.decode() not in str(found)

    async def test_by_a_client_certificate(self, tmp_path: Path):
        ours, theirs = make_certificate(tmp_path, "bank"), make_certificate(tmp_path, "127.0.0.1")
        server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server_side.load_cert_chain(*theirs)
        server_side.verify_mode = ssl.CERT_REQUIRED
        server_side.load_verify_locations(ours[0])
        sent = Authentication(
            AuthenticationKind.CERTIFICATE, certificate_file=ours[0].name, private_key_file=ours[1].name
        )

        heads: list[str] = []
        async with noting(heads, server_side) as port:
            base = read_platforms(SIMULATED, catalogue())["suzhou-snd"]
            address = f"https://127.0.0.1:{port}/{{uscc}}"
            known = replace(base, address=address, authentication=sent, authority_file=theirs[0].name)
            unknown = replace(base, address=address, authority_file=theirs[0].name)
            stranger = replace(base, address=address, authentication=sent)
            found = {
                name: await self.asked(platform, tmp_path)
                for name, platform in (("known", known), ("unknown", unknown), ("stranger", stranger))
            }

        assert found["known"] == 404 and len(heads) == 1
        assert found["unknown"] in (WhyNot.TLS, WhyNot.CONNECTION)
        assert found["stranger"] is WhyNot.TLS

    async def asked(self, platform: ScorePlatform, folder: Path) -> int | WhyNot:
        """This function will ask, and return the status or why there was none."""
        platforms = Platforms({"suzhou-snd": (platform, load_credentials(platform, folder))}, Counted())
        try:
            return (await platforms.ask(platform, COMPANY)).status
        except PlatformUnavailable as failed:
            return failed.why


class TestAnAnswerThatTheZoneSigns:
    @pytest.mark.parametrize("fault", [None, Fault.UNSIGNED])
    async def test_is_believed_only_with_its_signature(self, fault: Fault | None):
        signature = AnswerSignature(SignatureKind.HMAC_SHA256, SIGNATURE)
        signed = simulated(
            lambda platform: replace(platform, signature=signature), Credentials(signing_secret=SECRET), SECRET
        )
        async with signed as (platforms, simulator, _):
            if fault is not None:
                simulator.faults["*"] = fault

            found = await why_not(platforms, "suzhou-snd", COMPANY)

        assert found is (None if fault is None else WhyNot.SIGNATURE)

    async def test_is_not_believed_when_it_was_signed_for_another_question(self):
        signature = AnswerSignature(SignatureKind.HMAC_SHA256, SIGNATURE)
        signed = simulated(
            lambda platform: replace(platform, signature=signature), Credentials(signing_secret=SECRET), SECRET[::-1]
        )
        async with signed as (platforms, _, _):
            assert await why_not(platforms, "suzhou-snd", COMPANY) is WhyNot.SIGNATURE

    @pytest.mark.parametrize("honest", [True, False])
    async def test_may_be_signed_by_a_key_that_only_the_zone_has(self, honest: bool):
        from app.adapters.http_client import HttpAnswer
        from app.adapters.platforms import _verify

        private = Ed25519PrivateKey.generate()
        public = b64encode(private.public_key().public_bytes_raw()).decode()
        signature = AnswerSignature(SignatureKind.ED25519, "X-Signature", public_key=public)
        signed = private.sign(b"id-1\n{}" if honest else b"id-2\n{}")
        answer = HttpAnswer(200, {"x-signature": b64encode(signed).decode()}, b"{}")

        if honest:
            _verify(signature, b"", answer, "id-1")
            return
        with pytest.raises(AnswerRefused, match="SIGNATURE"):
            _verify(signature, b"", answer, "id-1")


class TestAFileWithASecret:
    PLATFORM = replace(
        read_platforms(SIMULATED, catalogue())["fuxin"],
        authentication=Authentication(AuthenticationKind.KEY, "X-Api-Key", secret_file="fuxin.key"),
    )

    @pytest.mark.parametrize(
        ("content", "mode", "said"),
        [
            (None, 0, "there is no file"),
            (SECRET, 0o644, "chmod o="),
            (b"short", 0o600, "no usable secret"),
            (b"two lines of\na secret and more", 0o600, "no usable secret"),
            (SECRET + b"\n", 0o600, None),
        ],
    )
    def test_is_there_is_nobody_else_s_and_holds_one(
        self, tmp_path: Path, content: bytes | None, mode: int, said: str | None
    ):
        if content is not None:
            (tmp_path / "fuxin.key").write_bytes(content)
            (tmp_path / "fuxin.key").chmod(mode)

        if said is None:
            assert with_credentials({"fuxin": self.PLATFORM}, tmp_path)["fuxin"][1].secret == SECRET
            return
        with pytest.raises(PlatformsRefused) as refused:
            with_credentials({"fuxin": self.PLATFORM}, tmp_path)
        assert said in refused.value.faults[0] and refused.value.faults[0].startswith("fuxin.yaml: ")
