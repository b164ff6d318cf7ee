"""Limits: how often, how long and how large; each refusal says so and costs the service nothing."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from app.adapters.connections import LONGEST_HEAD_BYTES, Connection
from app.api import bodies
from app.api.deadlines import Deadlines
from app.api.examples import DECISION_ID
from app.api.problems import Problem, connection_refusals
from app.api.rate_limits import RateLimits
from app.api.schemas import PreviewRequest
from tests.api.test_hostile import SOUND, assert_problem
from tests.service import Service, demo_settings, listening, running


class Monotonic:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        """This function will return the seconds that the test has set."""
        return self.now


def shown(headers: list[tuple[bytes, bytes]]) -> str:
    """This function will return the header RateLimit."""
    return dict(headers)[b"ratelimit"].decode()


def refused(limits: RateLimits, key: str = "los") -> dict[str, str]:
    """This function will return the headers of the refusal."""
    with pytest.raises(Problem) as problem:
        limits.take(key)
    assert problem.value.kind.slug == "too-many-requests"
    return dict(problem.value.headers)


class TestARateLimit:
    def test_lets_a_whole_quota_through_at_once_and_says_what_remains(self):
        limits = RateLimits(3, 60, monotonic=Monotonic())

        assert [shown(limits.take("los")) for _ in range(3)] == [
            '"key";r=2;t=20', '"key";r=1;t=40', '"key";r=0;t=60',
        ]  # fmt: skip
        assert refused(limits) == {
            "Retry-After": "20", "ratelimit-policy": '"key";q=3;w=60', "ratelimit": '"key";r=0;t=60',
        }  # fmt: skip

    @pytest.mark.parametrize(("waited_s", "allowed"), [(19.9, 0), (20, 1), (39.9, 1), (40, 2), (60, 3), (6_000, 3)])
    def test_gives_the_quota_back_evenly_and_never_more_than_all_of_it(self, waited_s: float, allowed: int):
        clock = Monotonic()
        limits = RateLimits(3, 60, monotonic=clock)
        for _ in range(3):
            limits.take("los")
        clock.now += waited_s

        for _ in range(allowed):
            limits.take("los")
        refused(limits)

    def test_counts_each_key_apart(self):
        limits = RateLimits(1, 60, monotonic=Monotonic())
        limits.take("los")

        limits.take("another")
        refused(limits, "los")

    def test_is_not_prolonged_by_those_who_do_not_wait(self):
        clock = Monotonic()
        limits = RateLimits(1, 10, monotonic=clock)
        limits.take("los")
        for _ in range(100):
            refused(limits)
        clock.now += 10

        limits.take("los")

    @pytest.mark.parametrize("quota", [1, 3, 7, 600, 100_000])
    def test_lets_exactly_its_quota_through(self, quota: int):
        limits = RateLimits(quota, 60, monotonic=Monotonic())
        for _ in range(quota):
            limits.take("los")
        refused(limits)

    async def test_is_told_with_every_answer_and_refused_as_a_problem(self, tmp_path: Path):
        settings = replace(demo_settings(tmp_path / "data"), rate_limit=(2, 600))
        async with running(settings) as service:
            first, second, third = [await service.get("/v1/zones") for _ in range(3)]
            other = await service.get("/v1/zones", caller="auditor")
            health = await service.client.get("/livez")

        assert (first.headers["ratelimit-policy"], first.headers["ratelimit"]) == (
            '"key";q=2;w=600', '"key";r=1;t=300',
        )  # fmt: skip
        assert (second.status_code, other.status_code, health.status_code) == (200, 200, 200)
        assert "ratelimit" not in health.headers
        assert third.status_code == 429
        assert int(third.headers["retry-after"]) <= 300
        assert third.headers["ratelimit"].startswith('"key";r=0')
        assert_problem(third)

    async def test_belongs_to_a_key_and_not_to_whoever_holds_it(self, tmp_path: Path):
        settings = replace(demo_settings(tmp_path / "data"), rate_limit=(1, 600))
        async with running(settings) as service:
            await service.add_key("desk", "risk_analyst")
            first = await service.get("/v1/zones", caller="desk")
            refused = await service.get("/v1/zones", caller="desk")
            await service.add_key("desk", "risk_analyst")
            second = await service.get("/v1/zones", caller="desk")

        assert [one.status_code for one in (first, refused, second)] == [200, 429, 200]

    async def test_is_none_where_none_is_set(self, embedded: Service):
        assert "ratelimit" not in (await embedded.get("/v1/zones")).headers


class _Hanging:
    """A log that never answers."""

    async def find(self, *_: object, **__: object) -> None:
        """This function will hang."""
        await asyncio.Event().wait()


class TestAnOperationThatTakesTooLong:
    async def test_is_ended_and_answered_503_and_the_next_one_is_answered_as_ever(self, embedded: Service):
        services = embedded.app.state.services
        embedded.app.state.services = replace(
            services, decisions=_Hanging(), deadlines=Deadlines(0.05, looks_every_s=0.02)
        )
        began = time.monotonic()

        answer = await embedded.get(f"/v1/decisions/{DECISION_ID}")

        assert time.monotonic() - began < 5
        assert answer.status_code == 503
        assert answer.json()["type"] == "/problems/deadline-exceeded"
        assert answer.headers["retry-after"] == "5"
        assert (await embedded.get("/v1/zones")).status_code == 200

    async def test_leaves_nothing_behind(self):
        deadlines = Deadlines(0.01, looks_every_s=0.01)

        async def operation(work: Callable[[], Awaitable[None]]) -> bool:
            task = deadlines.begin()
            try:
                await work()
            except asyncio.CancelledError:
                return deadlines.end(task) and task.cancelling() == 0
            finally:
                deadlines.end(task)
            return False

        assert await asyncio.create_task(operation(asyncio.Event().wait)) is True
        assert await asyncio.create_task(operation(lambda: asyncio.sleep(0))) is False
        await asyncio.sleep(0.05)
        assert (deadlines._running, deadlines._overdue, deadlines._timer) == ({}, set(), None)

    async def test_is_not_mistaken_for_one_that_somebody_else_cancelled(self):
        deadlines = Deadlines(60)
        began = asyncio.Event()

        async def operation() -> None:
            task = deadlines.begin()
            try:
                began.set()
                await asyncio.Event().wait()
            finally:
                assert deadlines.end(task) is False

        task = asyncio.create_task(operation())
        await began.wait()
        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task


class TestTheLimitsInsideABody:
    """They are the parser's own: what is beyond them is refused while it is read, and never built."""

    @pytest.mark.parametrize(("within", "beyond"), [
        (b'{"a":' * 200 + b"1" + b"}" * 200, b'{"a":' * 201 + b"1" + b"}" * 201),
        (b'{"a":%s}' % (b"9" * 4_300), b'{"a":%s}' % (b"9" * 4_301)),
    ], ids=["depth", "digits"])  # fmt: skip
    def test_are_those_that_the_problem_names(self, within: bytes, beyond: bytes):
        refusals = []
        for body in (within, beyond):
            with pytest.raises(Problem) as problem:
                bodies.checked_document(PreviewRequest, body)
            refusals.append(problem.value.kind.slug)

        assert refusals == ["invalid-request", "malformed-json"]


class TestABodyThatDrips:
    async def test_is_given_up_in_time(self, embedded: Service, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(bodies, "BODY_WITHIN_S", 0.05)

        async def drips():
            yield SOUND[:10]
            await asyncio.sleep(30)

        with pytest.raises(Problem) as refusal:
            pieces = drips()

            async def receive() -> dict[str, object]:
                return {"type": "http.request", "body": await anext(pieces), "more_body": True}

            await bodies._received(receive)

        assert refusal.value.kind.slug == "request-timeout"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory):
    """Where a service listens."""
    with listening(demo_settings(tmp_path_factory.mktemp("limited") / "data")) as address:
        yield httpx.URL(address)


def spoken(address: httpx.URL, *pieces: bytes) -> bytes:
    """This function will send the bytes over a connection of their own and return what comes back."""
    with socket.create_connection((address.host, address.port), timeout=20) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass
        found = b""
        try:
            while more := connection.recv(65_536):
                found += more
        except ConnectionResetError:
            pass
        return found


def assert_refused(answer: bytes, status: int) -> None:
    """This function will hold a refusal of the connection itself to what every answer is held to."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), answer[:200]
    for header in (b"application/problem+json", b"cache-control: no-store", b"nosniff", b"connection: close"):
        assert header in head
    assert b"server:" not in head.lower() and b"uvicorn" not in answer.lower()
    assert body == connection_refusals()[status]


GET = b"GET /livez HTTP/1.1\r\nHost: x\r\n"


class TestAHead:
    @pytest.mark.parametrize("sent", [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"hello\r\n\r\n",
        GET + b"a b: c\r\n\r\n", GET + b"X: a\x00b\r\n\r\n", GET + b"Content-Length: -1\r\n\r\n",
        GET + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        GET + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", GET + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /livez HTTP/1.1\r\n\r\n", GET + b"Host: x\r\n\r\n", GET + b"hOST: y\r\n\r\n",
    ])  # fmt: skip
    def test_that_is_no_http_is_refused_as_a_problem(self, address: httpx.URL, sent: bytes):
        answer = spoken(address, sent)

        assert_refused(answer, 400)

    @pytest.mark.parametrize("pieces", [
        (GET + b"X: " + b"x" * 40_000 + b"\r\n\r\n",),
        (GET + b"X: ", *[b"x" * 8_000] * 40),
        (b"GET /" + b"x" * 40_000,),
        (GET, *[b"X%d: y\r\n" % n for n in range(6_000)]),
    ])  # fmt: skip
    def test_that_is_too_long_is_refused_before_it_has_arrived(self, address: httpx.URL, pieces: tuple[bytes, ...]):
        assert_refused(spoken(address, *pieces), 431)

    def test_of_http_1_0_needs_no_host(self, address: httpx.URL):
        assert spoken(address, b"GET /livez HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 ")

    def test_of_more_than_a_hundred_headers_is_refused(self, address: httpx.URL):
        answer = spoken(
            address, GET + b"".join(b"X%d: y\r\n" % n for n in range(101)) + b"Connection: close\r\n\r\n"
        )

        assert answer.startswith(b"HTTP/1.1 431 ")
        assert b"x-request-id" in answer

    def test_just_below_the_limits_is_answered_and_its_body_is_not_counted(self, address: httpx.URL):
        padding = b"X: " + b"x" * (LONGEST_HEAD_BYTES - 200) + b"\r\n"
        body = b" " * 60_000
        post = b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\nConnection: close\r\n"

        assert spoken(address, GET + padding + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 200 ")
        assert spoken(address, post + padding + b"\r\n" + body).startswith(b"HTTP/1.1 405 ")

    def test_is_counted_anew_for_each_request_of_a_connection(self, address: httpx.URL):
        one = GET + b"X: " + b"x" * 20_000 + b"\r\n\r\n"

        answer = spoken(address, one, one, one, GET + b"Connection: close\r\n\r\n")

        assert answer.count(b"HTTP/1.1 200 ") == 4

    def test_that_drips_is_given_up(self, monkeypatch: pytest.MonkeyPatch):
        written: list[int] = []
        slow, idle = Connection.__new__(Connection), Connection.__new__(Connection)
        slow._head_since, idle._head_since = 100.0, None
        for connection in (slow, idle):
            connection.transport = type("Open", (), {"is_closing": lambda self: False})()
            connection.refuse = written.append

        for now in (100.0, 110.0, 110.1):
            slow.give_up_if_slow(now)
            idle.give_up_if_slow(now)

        assert written == [408]
