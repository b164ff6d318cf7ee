"""R12: what is secret is sent in every place of every operation, and looked for wherever the service writes.

The inputs come from the contract, so that an operation which is new is tried as well. What policy lets out: an unknown
key or parameter is named where its name is harmless (64 of A-Z, a-z, 0-9, `_.-`), a request id goes back in its header
and into the log where it is, and a key's id may be in the log; so the canaries sing in other places and with a space.
"""

import io
import logging
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote

import pytest

import app.api.calls
from app.adapters.log_lines import JsonLine
from app.api.edge import current_request_id
from app.api.problems import Problem
from app.domain.uscc import normalised_uscc
from tests.published import published
from tests.service import Service

CONTRACT = published()
OPERATIONS = [
    (method.upper(), path, operation)
    for path, found in CONTRACT["paths"].items()
    for method, operation in found.items()
]
# Full count: so many requests on each database, each with canaries in every place, under names drawn by seed.
FULL = 20_000


@dataclass(frozen=True)
class Canaries:
    """What is sent in every place and may be found nowhere: a secret, a company's code and a company's name."""

    secret: str = "canaryNightingale7"
    company: str = "91999999MAT000018E"
    name: str = "金丝雀示例有限公司"

    @classmethod
    def drawn(cls, seed: int) -> Self:
        """This function will draw others, the code with its check digit."""
        chance = random.Random(seed)
        letters = "0123456789ABCDEFGHJKLMNPQRTUWXY"
        code = next(
            found for digits in iter(lambda: chance.choices(letters, k=10), None)
            if (found := normalised_uscc("91999999" + "".join(digits))) is not None
        )  # fmt: skip
        drawn = "".join(chance.choices("abcdefghkmnprstuvwxyz", k=12))
        return cls(f"canary{drawn}", code, "".join(chance.choices("金丝雀云峰海岳松竹梅兰", k=9)) + "公司")

    @property
    def key(self) -> str:
        """The secret in the form of an API key."""
        return f"jfd_0123456789abcdef_{self.secret}" + "k" * (43 - len(self.secret))

    @property
    def all(self) -> tuple[str, ...]:
        """Each, and the beginning of the name as an address would say it."""
        return self.secret, self.company, self.name, quote(self.name)[:9]


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


def poisoned(document: Any, sung: Canaries) -> Any:
    """This function will return the document with a canary in the place of every text."""
    if isinstance(document, dict):
        more = {f"{sung.secret} {sung.name}": sung.name}
        return {key: poisoned(value, sung) for key, value in document.items()} | more
    if isinstance(document, list):
        return [poisoned(one, sung) for one in document]
    return f"{sung.secret} {sung.name}" if isinstance(document, str) else document


def requests_of(path: str, operation: dict[str, Any], sung: Canaries) -> Iterator[dict[str, Any]]:
    """This function will give the ways of sending canaries to one operation."""
    named = [p for p in operation.get("parameters", ()) if p["in"] == "query"]
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    shown = next((example["value"] for example in content.get("examples", {}).values()), {})
    for canary in (sung.secret, sung.company, sung.name):
        filled = path
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "path":
                filled = filled.replace("{" + parameter["name"] + "}", canary)
        yield {"url": filled, "params": {p["name"]: canary for p in named}, "json": poisoned(shown, sung)}
        unknown = {f"{canary} no name": canary}
        yield {"url": path.replace("{", "").replace("}", ""), "params": unknown, "content": canary.encode()}
    meant = path
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            meant = meant.replace("{" + parameter["name"] + "}", str(parameter["example"]))
    company = (shown.get("company") or {}) | {"uscc": sung.company, "name": sung.name}
    # The last is done, where a company belongs: what is recorded is no more in the log than what is refused.
    sound = shown | ({"company": company, "application_id": sung.secret[:60]} if "company" in shown else {})
    yield {"url": meant, "json": sound, "key": f"key-{sung.secret}"}


def headers_of(bearer: str, sung: Canaries, key: str) -> dict[str, str]:
    """This function will return headers that each hold a canary."""
    return {
        "Authorization": bearer, "Idempotency-Key": key, "X-Request-Id": f"{sung.secret} no id",
        "Cookie": sung.secret, "traceparent": sung.secret, "User-Agent": sung.secret, "Referer": sung.secret,
        "X-Api-Key": sung.key, "Actor": f"{sung.secret} no actor",
    }  # fmt: skip


async def hits(
    service: Service, lines: io.StringIO, method: str, path: str, operation: dict[str, Any], sung: Canaries
) -> tuple[int, list[str]]:
    """This function will send the canaries to one operation, and return how many requests that took and where one of
    them was found again.
    """
    count, found = 0, []
    lines.seek(0)
    lines.truncate()
    for bearer in (f"Bearer {sung.key}", f"Basic {sung.secret}", service.bearer()["Authorization"]):
        for sent in requests_of(path, operation, sung):
            key = sent.pop("key", f"{sung.secret} no key")
            answer = await service.client.request(method, headers=headers_of(bearer, sung, key), **sent)
            count += 1
            if answer.status_code >= 500:
                found.append(f"{answer.status_code} {answer.text}")
            said = "".join(f"{name}: {value}\n" for name, value in answer.headers.items())
            said += answer.text if answer.status_code >= 400 else ""
            found += [f"{canary} in the answer {said}" for canary in sung.all if canary in said]
    metrics = (await service.get("/metrics", caller="operator")).text
    for place, text in (("metrics", metrics), ("log", lines.getvalue())):
        found += [f"{canary} in the {place}" for canary in sung.all if canary in text]
    return count, found


def with_each(operations: Iterable[tuple[str, str, dict[str, Any]]]) -> pytest.MarkDecorator:
    """This function will try a test with each of the operations."""
    chosen = list(operations)
    ids = [one["operationId"] for _, _, one in chosen]
    return pytest.mark.parametrize(("method", "path", "operation"), chosen, ids=ids)


class TestACanary:
    @with_each(one for one in OPERATIONS if one[0].upper() == "GET")
    async def test_that_is_read_with_is_neither_in_problems_nor_in_metrics_nor_in_the_log(
        self, lasting: Service, lines: io.StringIO, method: str, path: str, operation: dict[str, Any]
    ):
        count, found = await hits(lasting, lines, method, path, operation, Canaries())

        assert count > 0
        assert found == []

    @with_each(one for one in OPERATIONS if one[0].upper() != "GET")
    async def test_is_neither_in_problems_nor_in_metrics_nor_in_the_log(
        self, embedded: Service, lines: io.StringIO, method: str, path: str, operation: dict[str, Any]
    ):
        count, found = await hits(embedded, lines, method, path, operation, Canaries())

        assert count > 0
        assert found == []

    @pytest.mark.soak
    @pytest.mark.timeout(3_600)
    async def test_is_found_nowhere_at_full_count(self, service: Service, lines: io.StringIO):
        count, seed = 0, 0
        while count < FULL:
            seed += 1
            for method, path, operation in OPERATIONS:
                sent, found = await hits(service, lines, method, path, operation, Canaries.drawn(seed))
                assert found == [], (seed, operation["operationId"])
                count += sent

        assert count >= FULL

    async def test_would_be_seen_in_an_answer_and_in_the_log(
        self, embedded: Service, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
    ):
        """The planted defects: a refusal that repeats what was sent, and logs it."""

        def telling(refusal: Any, names: list[str]) -> Problem:
            logging.getLogger("jifendai.test").warning("refused %s", names)
            return Problem("invalid-request", detail=("", " ".join(names)))

        monkeypatch.setattr(app.api.calls, "invalid_query", telling)
        _, found = await hits(embedded, lines, "GET", "/v1/zones", {}, Canaries())

        assert any("in the answer" in one for one in found)
        assert any("in the log" in one for one in found)
