"""Score platforms over a real wire: what they may do to us, and how they know that it is we who ask."""

import asyncio
import contextlib
import datetime
import hmac
import logging
import ssl
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

from app.adapters.http_client import CallFailed, Deadline, Failure, call
from app.adapters.platform_files import (
    SIMULATED,
    Credentials,
    PlatformsRefused,
    load_credentials,
    read_platforms,
    with_credentials,
)
from app.adapters.platform_simulator import FAULTY, FREE, MAPPED, SIGNATURE, Fault, PlatformSimulator
from app.adapters.platforms import MOST_AT_ONCE, Platforms, RetryBudget
from app.domain.company import LookupAnswer, ScoreLookup, ScoreState
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
from app.products.platform_answers import read_answer
from tests.policy_cases import catalogue

_T = TypeVar("_T")
ON = datetime.date(2026, 11, 20)
COMPANY = FREE["suzhou-snd"]
DEADLINE_MS = 400
SECRET = b"a-secret-of-32-characters-or-so!"


class Counted:
    """Counts what is observed."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.looked_up: list[tuple[str, str, str]] = []

    def platform_asked(self, zone: str, outcome: str, seconds: float) -> None:
        """This function will count one question."""
        self.asked.append(outcome)

    def score_looked_up(self, zone: str, answer: str, why: str) -> None:
        """This function will count one lookup."""
        self.looked_up.append((zone, answer, why))


@contextlib.asynccontextmanager
async def simulated(
    change: Callable[[ScorePlatform], ScorePlatform] = lambda platform: platform,
    credentials: Credentials | None = None, signing_secret: bytes = b"",
) -> AsyncIterator[tuple[Platforms, PlatformSimulator, Counted]]:  # fmt: skip
    """This function will start a simulator and what asks it, with platforms changed by a test."""
    simulator, counted = PlatformSimulator(lambda: ON, signing_secret=signing_secret), Counted()
    port = await simulator.start()
    found = {}
    for zone, platform in read_platforms(SIMULATED, catalogue()).items():
        here = replace(platform, address=platform.address.replace(":8090", f":{port}"), deadline_ms=DEADLINE_MS)
        found[zone] = (change(here), credentials or Credentials())
    platforms = Platforms(found, counted)
    try:
        yield platforms, simulator, counted
    finally:
        await simulator.close()
        await platforms.close()


async def why_not(platforms: Platforms, zone: str, uscc: str) -> WhyNot | None:
    """This function will ask, and return why there is no score; None where there is one."""
    platform = platforms.of_zone(zone)
    try:
        found = await platforms.ask(platform, uscc)
        read_answer(found.status, found.content, uscc=uscc, platform=platform, catalog=catalogue())
    except (PlatformUnavailable, AnswerRefused) as failed:
        return failed.why
    return None


async def seconds_of(work: Awaitable[_T]) -> tuple[_T, float]:
    """This function will return what the work gives, and how long it took."""
    began = time.monotonic()
    found = await work
    return found, time.monotonic() - began


class TestThePlatformOfTheDemonstration:
    @pytest.mark.parametrize("zone", sorted(FREE))
    async def test_gives_each_zone_s_company_a_score(self, zone: str):
        async with simulated() as (platforms, _, _):
            platform = platforms.of_zone(zone)
            found = await platforms.ask(platform, FREE[zone])

        score = read_answer(
            found.status, found.content, uscc=FREE[zone], platform=platform, catalog=catalogue()
        )
        assert (score.state, score.scheme) == (ScoreState.SCORED, zone)
        assert score.value is not None

    @pytest.mark.parametrize("zone", ["suzhou-snd", *MAPPED])
    async def test_does_not_know_every_company(self, zone: str):
        async with simulated() as (platforms, _, _):
            platform = platforms.of_zone(zone)
            found = await platforms.ask(platform, "91999999MAT000106W")

        score = read_answer(
            found.status, found.content, uscc="91999999MAT000106W", platform=platform, catalog=catalogue()
        )
        assert score.state is ScoreState.NOT_FOUND


EXPECTED = {
    Fault.HANG: WhyNot.DEADLINE, Fault.DRIP: WhyNot.DEADLINE, Fault.SLOW_HEAD: WhyNot.DEADLINE,
    Fault.RESET: WhyNot.CONNECTION, Fault.TRUNCATED: WhyNot.CONNECTION, Fault.ERROR: WhyNot.STATUS,
    Fault.GARBAGE: WhyNot.NOT_JSON, Fault.NOT_HTTP: WhyNot.CONNECTION, Fault.FLOOD: WhyNot.TOO_LARGE,
    Fault.BOMB: WhyNot.NOT_JSON, Fault.REDIRECT: WhyNot.REDIRECT, Fault.OTHER_COMPANY: WhyNot.OTHER_COMPANY,
    Fault.OUT_OF_RANGE: WhyNot.RANGE, Fault.UNKNOWN_STAGE: WhyNot.UNKNOWN_CODE,
    Fault.JUMP: None, Fault.TOMORROW: None, Fault.STALE: None, Fault.UNSIGNED: None, Fault.NOT_FOUND: None,
}  # fmt: skip


class TestABadPlatform:
    @pytest.mark.parametrize(("uscc", "fault"), FAULTY.items(), ids=[fault.value for fault in FAULTY.values()])
    async def test_is_told_by_name_and_within_the_deadline(self, uscc: str, fault: Fault):
        async with simulated() as (platforms, _, _):
            slept = asyncio.create_task(seconds_of(asyncio.sleep(DEADLINE_MS / 1_000)))
            found, took_s = await seconds_of(why_not(platforms, "suzhou-snd", uscc))
            # What a busy machine adds to a pause of that length it adds to a question, too.
            _, allowed_s = await slept

        assert found is EXPECTED[fault]
        assert took_s < allowed_s + 0.1

    async def test_that_does_not_listen_is_not_reached(self):
        async with simulated() as (platforms, simulator, _):
            await simulator.close()

            assert await why_not(platforms, "suzhou-snd", COMPANY) is WhyNot.CONNECTION

    async def test_that_cannot_speak_tls_is_told_by_name(self):
        def encrypted(platform: ScorePlatform) -> ScorePlatform:
            return replace(platform, address=platform.address.replace("http:", "https:"))

        async with simulated(encrypted, Credentials(tls=ssl.create_default_context())) as (platforms, _, _):
            assert await why_not(platforms, "suzhou-snd", COMPANY) in (WhyNot.TLS, WhyNot.CONNECTION, WhyNot.DEADLINE)

    @pytest.mark.parametrize(
        ("shown", "why"),
        [
            (b"", WhyNot.DEADLINE), (b"HTTP/1.1 400 Bad Request\r\n\r\n", WhyNot.TLS),
            (b"\x16\x03\x03\x40\x00" + b"\x02" * 64, WhyNot.DEADLINE), (b"\x15\x03\x03\x00\x02\x02\x28", WhyNot.TLS),
            (b"\x16\x03\x03\xff\xff" + bytes(65_535), WhyNot.TLS), (b"\x00", WhyNot.DEADLINE),
        ],
        ids=["nothing", "plain", "half a record", "an alert", "a record too long", "a byte"],
    )  # fmt: skip
    async def test_whose_handshake_is_none_is_told_within_the_deadline(self, shown: bytes, why: WhyNot):
        async with self.asked_with_tls(ssl.create_default_context(), shown) as (platforms, _):
            slept = asyncio.create_task(seconds_of(asyncio.sleep(DEADLINE_MS / 1_000)))
            found, took_s = await seconds_of(why_not(platforms, "suzhou-snd", COMPANY))
            _, allowed_s = await slept

        assert found is why
        assert took_s < allowed_s + 0.1

    async def test_whose_certificate_nobody_vouches_for_is_told_by_name_and_at_once(self, tmp_path: Path):
        theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        theirs.load_cert_chain(*make_certificate(tmp_path, "127.0.0.1"))
        async with self.asked_with_tls(ssl.create_default_context(), b"", theirs) as (platforms, _):
            assert await why_not(platforms, "suzhou-snd", COMPANY) is WhyNot.TLS

    async def test_is_answered_for_by_the_deadline_even_where_its_connection_does_not_end(
        self, monkeypatch: pytest.MonkeyPatch
    ):
        async def never(*_: object, **__: object) -> None:
            await asyncio.sleep(60)

        monkeypatch.setattr("app.adapters.platforms.call", never)
        async with self.asked_with_tls(ssl.create_default_context(), b"") as (platforms, close):
            slept = asyncio.create_task(seconds_of(asyncio.sleep(DEADLINE_MS / 1_000)))
            found, took_s = await seconds_of(why_not(platforms, "suzhou-snd", COMPANY))
            _, allowed_s = await slept
            close()

        assert (found, took_s < allowed_s + 0.1) == (WhyNot.DEADLINE, True)

    @contextlib.asynccontextmanager
    async def asked_with_tls(
        self, ours: ssl.SSLContext, shown: bytes, theirs: ssl.SSLContext | None = None
    ) -> AsyncIterator[tuple[Platforms, Callable[[], None]]]:
        """A platform that is asked over TLS and shows these bytes, or a certificate, and nothing more; and what ends
        whatever still asks.
        """
        gone = asyncio.Event()

        async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(shown)
            await gone.wait()
            writer.close()

        server = await asyncio.start_server(met, "127.0.0.1", 0, ssl=theirs)
        base = read_platforms(SIMULATED, catalogue())["suzhou-snd"]
        address = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/{{uscc}}"
        there = replace(base, address=address, deadline_ms=DEADLINE_MS)
        platforms = Platforms({"suzhou-snd": (there, Credentials(tls=ours))}, Counted())

        def close() -> None:
            for zone in platforms._zones.values():
                for task in zone.running.values():
                    task.cancel()

        try:
            yield platforms, close
        finally:
            gone.set()
            server.close()
            await platforms.close()

    async def test_is_asked_again_while_it_may_pass_and_no_more_than_thrice(self):
        async with simulated() as (platforms, simulator, counted):
            simulator.faults["*"] = Fault.ERROR

            assert await why_not(platforms, "suzhou-snd", COMPANY) is WhyNot.STATUS

            assert simulator.asked in (2, 3)
            assert counted.asked == ["STATUS"]

    async def test_answers_in_the_end(self):
        async with simulated() as (platforms, simulator, _):
            simulator.faults["*"] = Fault.RESET
            asking = asyncio.create_task(why_not(platforms, "suzhou-snd", COMPANY))
            while simulator.asked == 0:
                await asyncio.sleep(0.001)
            simulator.faults.clear()

            assert await asking is None

    async def test_is_not_asked_twice_by_post(self):
        def posted(platform: ScorePlatform) -> ScorePlatform:
            return replace(platform, body={"code": "{uscc}"})

        async with simulated(posted) as (platforms, simulator, _):
            simulator.faults["*"] = Fault.ERROR

            assert await why_not(platforms, "suzhou-snd", COMPANY) is WhyNot.STATUS

            assert simulator.asked == 1

    async def test_is_left_alone_after_five_failures_in_a_row(self):
        async with simulated() as (platforms, simulator, _):
            simulator.faults["suzhou-snd"] = Fault.TRUNCATED
            for number in range(5):
                await why_not(platforms, "suzhou-snd", f"91999999MAT00000{number}X")
            before = simulator.asked

            assert await why_not(platforms, "suzhou-snd", COMPANY) is WhyNot.CIRCUIT_OPEN
            assert await why_not(platforms, "fuxin", FREE["fuxin"]) is None

            assert simulator.asked == before + 1
            assert platforms.resting() == ("suzhou-snd",)

    async def test_holds_up_no_more_than_so_many(self):
        async with simulated() as (platforms, simulator, _):
            simulator.faults["*"] = Fault.HANG
            found = await asyncio.gather(
                *(why_not(platforms, "suzhou-snd", f"{number:018d}") for number in range(MOST_AT_ONCE + 2))
            )

        assert sorted(found) == [WhyNot.BUSY] * 2 + [WhyNot.DEADLINE] * MOST_AT_ONCE


class TestAQuestion:
    async def test_is_shared_by_all_who_ask_at_once(self):
        async with simulated() as (platforms, simulator, _):
            found = await asyncio.gather(*(why_not(platforms, "suzhou-snd", COMPANY) for _ in range(20)))

        assert (found, simulator.asked) == ([None] * 20, 1)

    async def test_goes_on_for_the_others_when_one_goes_away(self):
        async with simulated() as (platforms, simulator, _):
            simulator.faults["*"] = Fault.HANG
            asking = [asyncio.create_task(why_not(platforms, "suzhou-snd", COMPANY)) for _ in range(2)]
            while simulator.asked == 0:
                await asyncio.sleep(0.001)

            asking[0].cancel()

            assert await asking[1] is WhyNot.DEADLINE

    async def test_leaves_nothing_behind(self):
        async with simulated() as (platforms, simulator, _):
            simulator.faults["*"] = Fault.DRIP
            await why_not(platforms, "suzhou-snd", COMPANY)

            assert all(not zone.running for zone in platforms._zones.values())

    async def test_is_logged_without_the_company_s_code_or_a_secret(self, caplog: pytest.LogCaptureFixture):
        from app.adapters.log_lines import JsonLine

        caplog.set_level(logging.INFO, "jifendai.platforms")
        credentials = Credentials(secret=SECRET)

        async with simulated(keyed, credentials) as (platforms, _, counted):
            await why_not(platforms, "suzhou-snd", COMPANY)
            platforms.told("suzhou-snd", COMPANY, ScoreLookup(LookupAnswer.INVALID, "JUMP"))

        lines = [JsonLine().format(record) for record in caplog.records if record.name == "jifendai.platforms"]
        assert len(lines) == 2
        assert '"why":"JUMP"' in lines[1] and '"outcome":"ANSWERED"' in lines[0]
        assert COMPANY not in "".join(lines) and SECRET.decode() not in "".join(lines)
        assert counted.looked_up == [("suzhou-snd", "INVALID", "JUMP")]


class TestTheBudgetOfRetries:
    def test_is_ten_of_a_sudden_and_then_one_in_ten(self):
        budget = RetryBudget()

        assert [budget.take() for _ in range(11)] == [True] * 10 + [False]
        for _ in range(10):
            assert not budget.take()
            budget.asked()
        assert budget.take()


# ---- who asks, and who answers ---------------------------------------------------------------------------------------


def keyed(platform: ScorePlatform) -> ScorePlatform:
    """This function will return the platform with a key."""
    return replace(platform, authentication=Authentication(AuthenticationKind.KEY, "X-Api-Key", "Key"))


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


class TestACall:
    @pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://[::1]:1/", "http://nobody.invalid/"])
    async def test_that_cannot_be_made_fails_by_name(self, url: str):
        with pytest.raises(CallFailed) as failed:
            await call("GET", url, headers={}, deadline=Deadline(1), largest_bytes=100)

        assert failed.value.failure in (Failure.CONNECTION, Failure.DEADLINE)


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """This function will write a certificate that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
    made = made.not_valid_after(now + datetime.timedelta(days=1))
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    if name[0].isdigit():
        import ipaddress

        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(name))])
        made = made.add_extension(names, critical=False)
    certificate = made.sign(key, hashes.SHA256())
    files = folder / f"{name}.pem", folder / f"{name}-key.pem"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    files[1].chmod(0o600)
    return files
