"""One attempt: what an endpoint may do to us, and what comes of it."""

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from time import perf_counter

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.adapters.webhook_addresses import AddressRules, networks_in
from app.adapters.webhook_sender import Sender
from app.usecases.webhooks import Outcome

RULES = AddressRules(networks_in("127.0.0.0/8"))
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def endpoint(answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[int, list[bytes]]]:
    """This function will run an endpoint that answers so, and yield its port and what it was sent."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"content-length" in line)
            heard.append(head + await reader.readexactly(length))
            await answer(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1], heard
    finally:
        server.close()


def says(text: str) -> Answer:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(text.encode())
        await writer.drain()

    return answer


async def _drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nX: " + b"a" * 1_000:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.05)


async def _endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
    for _ in range(16_000):
        writer.write(b"x" * 65_536)
        await writer.drain()


async def sent(port: int, sender: Sender | None = None, url: str = "http://hook.example:{}/hook") -> tuple:
    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    sender = sender or Sender(RULES, resolve=resolve, answers_within_s=0.5)
    return await sender.send(url.format(port), {"webhook-id": "dec_1"}, b'{"a":1}')


class TestAnAttempt:
    @pytest.mark.parametrize(("text", "outcome", "status"), [
        ("HTTP/1.1 204 No Content\r\n\r\n", Outcome.DELIVERED, 204),
        ("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n", Outcome.REDIRECTED, 302),
        ("HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n", Outcome.GONE, 410),
        ("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n", Outcome.REFUSED_STATUS, 500),
        ("garbage\r\n\r\n", Outcome.NOT_CONNECTED, None),
        ("", Outcome.NOT_CONNECTED, None),
    ])  # fmt: skip
    async def test_has_the_outcome_that_the_status_says_and_follows_nothing(
        self, text: str, outcome: Outcome, status: int | None
    ):
        async with endpoint(says(text)) as (port, heard):
            found = await sent(port)

        assert found[:2] == (outcome, status)
        assert len(heard) == 1
        head, _, body = heard[0].partition(b"\r\n\r\n")
        assert (f"host: hook.example:{port}".encode() in head.lower(), body) == (True, b'{"a":1}')
        assert b"webhook-id: dec_1" in head.lower()

    @pytest.mark.parametrize(("status", "told", "asked"), [
        (503, "120", datetime.timedelta(minutes=2)),
        (429, "Fri, 20 Nov 2026 02:16:00 GMT", datetime.timedelta(minutes=1)),
        (503, "Fri, 20 Nov 2026 02:14:00 GMT", None),
        (503, "9" * 400, datetime.timedelta(seconds=999_999_999)),
        (503, "-5", None), (503, "soon", None), (503, "²", None), (503, "Mon, 99 Zzz 99999 99:99:99 GMT", None),
        (204, "120", None),
    ])  # fmt: skip
    async def test_tells_for_how_long_an_endpoint_that_refuses_asks_to_be_left_alone(
        self, status: int, told: str, asked: datetime.timedelta | None
    ):
        async def resolve(host: str, port: int) -> list[str]:
            return ["127.0.0.1"]

        now = datetime.datetime(2026, 11, 20, 2, 15, tzinfo=datetime.UTC)
        sender = Sender(RULES, resolve=resolve, now=lambda: now)
        text = f"HTTP/1.1 {status} So\r\nretry-after: {told}\r\ncontent-length: 0\r\n\r\n"
        async with endpoint(says(text)) as (port, _):
            found = await sent(port, sender)

        assert (found.status, found.asked_wait) == (status, asked)

    @pytest.mark.parametrize(("answer", "outcome"), [(_drips, Outcome.TIMED_OUT), (_endless, Outcome.DELIVERED)])
    async def test_is_over_within_its_deadline_however_slow_or_long_the_answer_is(
        self, answer: Answer, outcome: Outcome
    ):
        async with endpoint(answer) as (port, _):
            began = perf_counter()
            found = await sent(port)

        assert found[0] is outcome
        assert perf_counter() - began < 3

    async def test_at_an_address_that_is_refused_connects_to_nobody(self):
        async def resolve(host: str, port: int) -> list[str]:
            return ["127.0.0.1"]

        async with endpoint(says("HTTP/1.1 200 OK\r\n\r\n")) as (port, heard):
            found = await sent(port, Sender(AddressRules(), resolve=resolve), "https://hook.example:{}/")

        assert (found[0], heard) == (Outcome.ADDRESS_REFUSED, [])

    async def test_looks_the_name_up_once_so_that_no_second_answer_leads_elsewhere(self):
        answers = iter([["127.0.0.1"], ["10.0.0.1"]])

        async def rebinding(host: str, port: int) -> list[str]:
            return next(answers)

        async with endpoint(says("HTTP/1.1 204 No Content\r\n\r\n")) as (port, _):
            found = await sent(port, Sender(RULES, resolve=rebinding))

        assert found[0] is Outcome.DELIVERED
        assert next(answers) == ["10.0.0.1"]


class TestTls:
    @pytest.mark.parametrize(("name", "outcome"), [
        ("hook.example", Outcome.DELIVERED), ("other.example", Outcome.TLS_FAILED),
    ])  # fmt: skip
    async def test_holds_the_certificate_to_the_endpoints_own_name(
        self, name: str, outcome: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        certificate = self_signed(tmp_path, name)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)
        async with endpoint(says("HTTP/1.1 204 No Content\r\n\r\n"), tls) as (port, _):
            found = await sent(port, url="https://hook.example:{}/hook")

        assert found[0] is outcome


def self_signed(folder: Path, name: str) -> Path:
    """This function will make a certificate of that name, with its key, in one file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("192.0.2.1"))])
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1)).add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + made.public_bytes(serialization.Encoding.PEM)
    path = folder / "certificate.pem"
    path.write_bytes(pem)
    return path
