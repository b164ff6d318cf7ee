"""R12: what is secret is sent in every place of every operation, and looked for wherever the service writes.

The inputs come from the contract, so that an operation which is new is tried as well. What policy lets out: an unknown
key or parameter is named where its name is harmless (64 of A-Z, a-z, 0-9, `_.-`), a request id goes back in its header
and into the log where it is, and a key's id may be in the log; so the canaries sing in other places and with a space.
"""

import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.adapters.log_lines import JsonLine
from app.api.edge import current_request_id
from tests.service import Service

CONTRACT = yaml.safe_load((Path(__file__).parents[2] / "openapi.yaml").read_text("utf-8"))
OPERATIONS = [
    (method.upper(), path, operation)
    for path, found in CONTRACT["paths"].items()
    for method, operation in found.items()
]
SECRET = "canaryNightingale7"
KEY = f"jfd_0123456789abcdef_{SECRET}" + "k" * (43 - len(SECRET))
COMPANY, NAME = "91999999MAT000018E", "金丝雀示例有限公司"
CANARIES = (SECRET, COMPANY, NAME, "%E9%87%91")


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What the log says meanwhile, of whomever and however little."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(JsonLine(current_request_id))
    root, ours = logging.getLogger(), logging.getLogger("jifendai")
    root.addHandler(handler)
    ours.setLevel(logging.INFO)
    yield text
    root.removeHandler(handler)
    ours.setLevel(logging.NOTSET)


def poisoned(document: Any) -> Any:
    """This function will return the document with a canary in the place of every text."""
    if isinstance(document, dict):
        return {key: poisoned(value) for key, value in document.items()} | {f"{SECRET} {NAME}": NAME}
    if isinstance(document, list):
        return [poisoned(one) for one in document]
    return f"{SECRET} {NAME}" if isinstance(document, str) else document


def requests_of(path: str, operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """This function will give the ways of sending canaries to one operation."""
    named = [p for p in operation.get("parameters", ()) if p["in"] == "query"]
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    shown = next((example["value"] for example in content.get("examples", {}).values()), {})
    for canary in (SECRET, COMPANY, NAME):
        filled = path
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "path":
                filled = filled.replace("{" + parameter["name"] + "}", canary)
        yield {"url": filled, "params": {p["name"]: canary for p in named}, "json": poisoned(shown)}
        unknown = {f"{canary} no name": canary}
        yield {"url": path.replace("{", "").replace("}", ""), "params": unknown, "content": canary.encode()}
    yield {"url": path, "json": shown | {"company": (shown.get("company") or {}) | {"uscc": COMPANY, "name": NAME}}}


def headers_of(bearer: str) -> dict[str, str]:
    """This function will return headers that each hold a canary."""
    return {
        "Authorization": bearer, "Idempotency-Key": f"{SECRET} no key", "X-Request-Id": f"{SECRET} no id",
        "Cookie": SECRET, "traceparent": SECRET, "User-Agent": SECRET, "Referer": SECRET, "X-Api-Key": KEY,
        "Actor": f"{SECRET} no actor",
    }  # fmt: skip


class TestACanary:
    @pytest.mark.parametrize(
        ("method", "path", "operation"), OPERATIONS, ids=[one["operationId"] for _, _, one in OPERATIONS]
    )
    async def test_is_neither_in_problems_nor_in_metrics_nor_in_the_log(
        self, embedded: Service, lines: io.StringIO, method: str, path: str, operation: dict[str, Any]
    ):
        problems = []
        for bearer in (f"Bearer {KEY}", f"Basic {SECRET}", embedded.bearer()["Authorization"]):
            for sent in requests_of(path, operation):
                answer = await embedded.client.request(method, headers=headers_of(bearer), **sent)
                assert answer.status_code != 500, (answer.text, sent)
                said = "".join(f"{name}: {value}\n" for name, value in answer.headers.items())
                problems.append(said + (answer.text if answer.status_code >= 400 else ""))
        metrics = (await embedded.get("/metrics", caller="operator")).text

        assert problems
        for canary in CANARIES:
            assert not [one for one in problems if canary in one]
            assert canary not in metrics
            assert canary not in lines.getvalue()

    def test_would_be_seen(self, lines: io.StringIO):
        logging.getLogger("jifendai.test").warning("the company %s", NAME)

        assert NAME in lines.getvalue()
