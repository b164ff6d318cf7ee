"""jifendai webhooks …, and a service that delivers to a receiver of ours as a bank's loan system would run one."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from app.api.examples import pre_approved
from tests.api.test_decisions import today
from tests.cli.conftest import Jifendai
from tests.service import demo_settings, listening


class Receiver:
    """What a loan system does: verifies, and answers 204."""

    def __init__(self) -> None:
        self.secret = ""
        self.received: list[dict] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.received.append(Webhook(receiver.secret).verify(body, dict(self.headers)))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def wait_for(self, count: int) -> list[dict]:
        """This function will return once so much was received, or after a while."""
        until = time.monotonic() + 15
        while len(self.received) < count and time.monotonic() < until:
            time.sleep(0.05)
        return self.received

    def close(self) -> None:
        """This function will stop it."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver on this machine."""
    receiver = Receiver()
    yield receiver
    receiver.close()


def id_of(jifendai: Jifendai, url: str) -> str:
    """This function will find the endpoint at that address."""
    return next(line for line in jifendai("webhooks", "list").out.splitlines() if url in line)[:36]


class TestWebhooks:
    def test_reach_a_receiver_that_verifies_them_with_the_official_library(
        self, jifendai: Jifendai, folder: Path, receiver: Receiver
    ):
        with listening(demo_settings(folder / "var")) as address:
            made = jifendai("webhooks", "create", "--lender", "icbc", "--url", receiver.url)
            receiver.secret = made.out.strip()
            endpoint_id = id_of(jifendai, receiver.url)
            keys = json.loads((folder / "var/demo-keys.json").read_text())
            headers = {"Authorization": f"Bearer {keys['loan_officer']}", "Idempotency-Key": "one"}
            decided = httpx.post(f"{address}/v1/decisions", json=pre_approved(today()), headers=headers).json()
            assert jifendai("webhooks", "test", endpoint_id).code == 0
            received = receiver.wait_for(2)

        by_type = {event["type"]: event for event in received}
        assert by_type["decision.made"]["data"]["decision_id"] == decided["decision_id"]
        assert by_type["endpoint.test"]["data"]["endpoint_id"] == endpoint_id
        listed = jifendai("webhooks", "deliveries", endpoint_id, "--state", "DELIVERED")
        assert f"dec_{decided['decision_id']}  decision.made  DELIVERED  1×  DELIVERED 204" in listed.out
        assert receiver.secret not in made.err + listed.out + listed.err

    def test_are_managed_from_the_command_line(self, jifendai: Jifendai, demonstration: Path):
        url = "https://los.example/"
        made = jifendai("webhooks", "create", "--lender", "icbc", "--url", url, "--event", "pool.stopped")
        endpoint_id = id_of(jifendai, url)
        rotated = jifendai("webhooks", "rotate", endpoint_id, "--overlap", "1")

        assert made.out.startswith("whsec_") and rotated.out.startswith("whsec_") and made.out != rotated.out
        assert jifendai("webhooks", "disable", endpoint_id).code == 0
        assert "disabled 停用 (BY_PERSON)" in jifendai("webhooks", "list").out
        assert jifendai("webhooks", "enable", endpoint_id).code == 0
        assert jifendai("webhooks", "update", endpoint_id, "--event", "decision.made").code == 0
        assert jifendai("webhooks", "replay", endpoint_id).err.endswith(": 0\n")
        assert jifendai("webhooks", "delete", endpoint_id).code == 1
        assert jifendai("webhooks", "delete", endpoint_id, "--yes").code == 0
        assert jifendai("webhooks", "deliveries", endpoint_id).code == 1

    @pytest.mark.parametrize("arguments", [
        ("--lender", "none", "--url", "https://los.example/"), ("--lender", "icbc", "--url", "https://10.0.0.1/"),
        ("--lender", "icbc", "--url", "https://los.example/", "--event", "nothing"),
    ])  # fmt: skip
    def test_that_cannot_be_are_refused_in_words(self, jifendai: Jifendai, demonstration: Path, arguments: tuple):
        refused = jifendai("webhooks", "create", *arguments)

        assert (refused.code, refused.out) == (1, "")
        assert refused.err
