"""Score platforms over a real wire: what they may do to us, and how they know that it is we who ask."""

import asyncio
import contextlib
import datetime
import logging
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.adapters.http_client import CallFailed, Deadline, Failure, call
from app.adapters.platform_files import (
    SIMULATED,
    Credentials,
    read_platforms,
)
from app.adapters.platform_simulator import FAULTY, FREE, MAPPED, Fault, PlatformSimulator
from app.adapters.platforms import MOST_AT_ONCE, Platforms, RetryBudget
from app.domain.company import LookupAnswer, ScoreLookup, ScoreState
from app.domain.platform import (
    AnswerRefused,
    Authentication,
    AuthenticationKind,
    PlatformUnavailable,
    ScorePlatform,
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

    async def test_has_the_less_time_the_more_its_caller_has_spent_before(self):
        async with simulated() as (platforms, simulator, _):
            simulator.faults[COMPANY] = Fault.HANG
            began = time.monotonic()
            with pytest.raises(PlatformUnavailable) as silent:
                await platforms.ask(platforms.of_zone("suzhou-snd"), COMPANY, platforms.moment() - 0.35)

        assert (silent.value.why, time.monotonic() - began < DEADLINE_MS / 1_000) == (WhyNot.DEADLINE, True)

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
            # Who asked is answered by the deadline; what runs on the wire ends right behind it.
            async with asyncio.timeout(5):
                while any(zone.running for zone in platforms._zones.values()):
                    await asyncio.sleep(0.01)

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


class TestACall:
    @pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://[::1]:1/", "http://nobody.invalid/"])
    async def test_that_cannot_be_made_fails_by_name(self, url: str):
        with pytest.raises(CallFailed) as failed:
            await call("GET", url, headers={}, deadline=Deadline(1), largest_bytes=100)

        assert failed.value.failure in (Failure.CONNECTION, Failure.DEADLINE)


def keyed(platform: ScorePlatform) -> ScorePlatform:
    """This function will return the platform with a key."""
    return replace(platform, authentication=Authentication(AuthenticationKind.KEY, "X-Api-Key", "Key"))


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
