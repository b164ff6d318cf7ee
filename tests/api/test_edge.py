"""The edge: what middleware may be, what is packed, whom the service believes, and what stopping does."""

import ast
import gzip
import json
import logging
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.adapters.server import configured
from app.api.documentation import takes_gzip
from app.api.problems import connection_refusals
from tests.service import Service, demo_settings, listening

ROOT = Path(__file__).parents[2]


def slow_middleware(folder: Path) -> list[str]:
    """This function will return the places that wrap requests otherwise than by pure ASGI."""
    found = []
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            named = getattr(node, "attr", getattr(node, "id", getattr(node, "name", "")))
            if named in ("BaseHTTPMiddleware", "add_middleware", "middleware", "Middleware", "BackgroundTasks"):
                found.append(f"{path.name}:{getattr(node, 'lineno', 0)}: {named}")
    return found


class TestMiddleware:
    def test_is_pure_asgi(self):
        assert slow_middleware(ROOT / "app") == []

    @pytest.mark.parametrize("planted", [
        "from starlette.middleware.base import BaseHTTPMiddleware\n", "@app.middleware('http')\ndef f(r, n): ...\n",
        "app.add_middleware(X)\n", "class A(BaseHTTPMiddleware): ...\n",
    ])  # fmt: skip
    def test_that_is_not_would_be_found(self, tmp_path: Path, planted: str):
        (tmp_path / "planted.py").write_text(planted)

        assert slow_middleware(tmp_path)


class TestTheDocumentation:
    @pytest.mark.parametrize("path", ["/docs", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css", "/docs/docs.js"])
    async def test_is_packed_for_whoever_takes_that(self, embedded: Service, path: str):
        plain = await embedded.client.get(path, headers={"Accept-Encoding": "identity"})
        async with embedded.client.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as answer:
            packed = b"".join([piece async for piece in answer.aiter_raw()])

        assert "content-encoding" not in plain.headers
        assert answer.headers["content-encoding"] == "gzip"
        assert plain.headers["vary"] == answer.headers["vary"] == "Accept-Encoding"
        assert gzip.decompress(packed) == plain.content
        assert len(packed) < len(plain.content)
        assert answer.headers["content-security-policy"] == plain.headers["content-security-policy"]

    async def test_of_swagger_ui_is_less_than_a_third(self, embedded: Service):
        headers = {"Accept-Encoding": "gzip"}
        answer = await embedded.client.get("/docs/swagger-ui-bundle.js", headers=headers)

        assert int(answer.headers["content-length"]) * 3 < len(answer.content)

    @pytest.mark.parametrize(
        ("sent", "taken"),
        [(b"gzip", True), (b"br, GZIP;q=0.5", True), (b"gzip; q=1.0, *;q=0", True), (b"gzip;q=0", False), (b"", False),
         (b"gzip; q=0.000", False), (b"br", False), (b"xgzip", False)],
    )  # fmt: skip
    def test_is_packed_only_where_gzip_is_allowed(self, sent: bytes, taken: bool):
        assert takes_gzip([sent]) is taken


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.URL]:
    with listening(demo_settings(tmp_path_factory.mktemp("edge") / "data")) as address:
        yield httpx.URL(address)


class TestOverTheWire:
    @pytest.mark.parametrize("path", ["/livez", "/nope", "/docs", "/v1/decisions", "/metrics"])
    def test_nothing_names_the_server(self, address: httpx.URL, path: str):
        with socket.create_connection((address.host, address.port)) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            while more := connection.recv(65_536):
                answer += more
        head = answer.partition(b"\r\n\r\n")[0].lower()

        assert not re.search(rb"(?m)^(server|x-powered-by|via):", head)
        assert b"uvicorn" not in head and b"python" not in head

    def test_an_upgrade_is_not_taken(self, address: httpx.URL):
        headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                   "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}  # fmt: skip
        answer = httpx.get(address.join("/livez"), headers=headers)

        assert answer.status_code == 200


class TestForwardedHeaders:
    async def scope_seen(self, allowed: str, peer: str) -> dict[str, object]:
        """This function will return the scope that the application sees of a request from `peer`."""
        seen: dict[str, object] = {}

        async def app(scope, receive, send) -> None:
            seen.update(scope)

        config = configured(app, connection_refusals(), allowed)
        config.load()
        headers = [(b"x-forwarded-for", b"203.0.113.9"), (b"x-forwarded-proto", b"https")]
        scope = {"type": "http", "client": (peer, 1), "scheme": "http", "headers": headers}
        await config.loaded_app(scope, None, None)
        return seen

    @pytest.mark.parametrize(
        ("allowed", "peer", "believed"),
        [("", "127.0.0.1", False), ("10.0.0.7", "10.0.0.7", True), ("10.0.0.7", "127.0.0.1", False),
         ("10.0.0.7", "10.0.0.8", False), ("10.0.0.0/24", "10.0.0.8", True)],
    )  # fmt: skip
    async def test_are_believed_from_named_hosts_alone(self, allowed: str, peer: str, believed: bool):
        seen = await self.scope_seen(allowed, peer)

        assert seen["client"] == (("203.0.113.9", 0) if believed else (peer, 1))
        assert seen["scheme"] == ("https" if believed else "http")


class TestWhileStopping:
    async def test_each_answer_closes_its_connection(self, embedded: Service):
        before = await embedded.get("/v1/zones")
        embedded.app.state.stopping = True

        after, health = await embedded.get("/v1/zones"), await embedded.client.get("/readyz")

        assert "connection" not in before.headers
        assert (after.status_code, after.headers["connection"]) == (200, "close")
        assert (health.status_code, health.headers["connection"]) == (503, "close")


class TestTheTrace:
    @pytest.mark.parametrize(
        ("sent", "taken"),
        [("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", True),
         ("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", True),
         ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", False),
         ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", False),
         ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", False),
         ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", False), ("nonsense", False)],
    )  # fmt: skip
    async def test_is_honoured_where_it_is_one(self, lasting: Service, sent: str, taken: bool):
        answer = await lasting.client.get("/livez", headers={"traceparent": sent})

        assert (answer.headers["x-request-id"] == "4bf92f3577b34da6a3ce929d0e0e4736") is taken
        assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])


class TestAFailure:
    async def test_is_a_line_in_the_log_that_bears_the_requests_id(
        self, embedded: Service, monkeypatch: pytest.MonkeyPatch
    ):
        from app.adapters.log_lines import JsonLine
        from app.api.edge import current_request_id

        lines: list[str] = []

        class Kept(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                lines.append(JsonLine(current_request_id).format(record))

        handler = Kept()
        logging.getLogger("jifendai").addHandler(handler)
        monkeypatch.setattr(type(embedded.app.state.services.decisions), "find", None)
        try:
            answer = await embedded.client.get(
                "/v1/decisions/01990000-0000-7000-8000-000000000010",
                headers=embedded.bearer() | {"X-Request-Id": "los-42"},
            )
        finally:
            logging.getLogger("jifendai").removeHandler(handler)

        assert answer.status_code == 500
        failed, not_answered = map(json.loads, lines)
        assert (failed["request_id"], not_answered["request_id"]) == ("los-42", "los-42")
        assert failed["level"] == "ERROR" and "TypeError" in failed["message"]
        assert (not_answered["operation"], not_answered["status"]) == ("get_decision", 500)
