"""The hostile corpus over every operation that there is, made from the published contract (promise R6).

Neighbours may rely on this: each request is wrong by the contract in one place (a part of the path, a parameter, a
header, the body, a member of it) and right in all others, so that a sound service answers each with 4xx, records
nothing and repeats nothing; what was put in says `MARK` wherever it can. An operation that is new is covered as it is,
or refused here by name. tests/api/test_hostile.py has what only the road of a decision knows.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from tests.published import published
from tests.service import caller_for

MARK = "Zq9xCanary"
CONTRACT = published()
JSON = "application/json"
# Words of a stack trace, a library or a database.
FATAL = ("Traceback", "pydantic", "sqlalchemy", "asyncpg", "sqlite3", "site-packages", "Error(", "line 1 column", ".py")
# Health looks at nothing that is sent but its query.
TAKES_NO_ACTOR = ("livez", "readyz")


@dataclass(frozen=True)
class Request:
    """One request: `wrong` says in which place, `target` is the path with its query as they are sent."""

    wrong: str
    method: str
    target: str
    headers: tuple[tuple[str, bytes], ...] = ()
    content: bytes | None = None


@dataclass(frozen=True)
class Operation:
    """An operation of the contract, with what it takes."""

    name: str
    method: str
    path: str
    parameters: tuple[dict[str, Any], ...] = ()
    bodies: tuple[Any, ...] = ()
    other_bodies: tuple[str, ...] = field(default=())
    """Media types of bodies that are not JSON; the first has an example."""
    other_example: str = ""

    def among(self, place: str) -> tuple[dict[str, Any], ...]:
        """This function will return the parameters of one place: path, query or header."""
        return tuple(one for one in self.parameters if one["in"] == place)


def operations(contract: dict[str, Any] = CONTRACT) -> Iterator[Operation]:
    """This function will give every operation of the contract. Raises ValueError, which names one that has a body
    without an example, or a required parameter without.
    """
    for path, found in contract["paths"].items():
        for method, operation in found.items():
            name, parameters = operation["operationId"], tuple(operation.get("parameters", ()))
            content = operation.get("requestBody", {}).get("content", {})
            bodies = tuple(shown["value"] for shown in content.get(JSON, {}).get("examples", {}).values())
            if JSON in content and not bodies:
                raise ValueError(f"{name} has a body without an example: nothing hostile can be made of it")
            for one in parameters:
                if one["in"] != "header" and one.get("required") and "example" not in one:
                    raise ValueError(f"{name} needs {one['name']}, of which there is no example")
            others = tuple(media for media in content if media != JSON)
            shown = next((one["value"] for other in others for one in content[other].get("examples", {}).values()), "")
            if others and not shown:
                raise ValueError(f"{name} takes {', '.join(others)} without an example")
            yield Operation(name, method.upper(), path, parameters, bodies, others, shown)


def sound(operation: Operation, key: str) -> Request:
    """This function will return the request that all others differ from in one place."""
    return _request(operation, "nothing", key=key)


def sound_numbers(operation: Operation) -> Iterator[Request]:
    """This function will give requests that are sound: each with one number or flag that the contract allows."""
    for one in operation.among("query"):
        kinds = one["schema"].get("anyOf", [one["schema"]])
        for kind in kinds:
            if kind.get("type") == "integer":
                least = str(max(kind.get("minimum", 1), 1))
                yield _request(operation, f"{one['name']}={least}", query=[(one["name"], least)])
            elif kind.get("type") == "boolean":
                yield _request(operation, f"{one['name']}=true", query=[(one["name"], "true")])


def requests(operation: Operation) -> Iterator[Request]:
    """This function will give the hostile requests for an operation."""
    yield from _paths(operation)
    yield from _queries(operation)
    yield from _headers(operation)
    if operation.bodies:
        yield from _raw_bodies(operation)
        yield from _members(operation)
    for media in operation.other_bodies:
        yield _request(operation, f"no {media}", body=b"\x00\xff" + MARK.encode(), media=media)


def faults(answer: httpx.Response, *, after: str = "") -> list[str]:
    """This function will say what is wrong with the answer to a hostile request; nothing where it is as promised."""
    said = answer.text + "".join(f"{name}: {value}\n" for name, value in answer.headers.items())
    wrong = []
    if not 400 <= answer.status_code < 500:
        wrong.append(f"status {answer.status_code}")
    if answer.headers.get("content-type") != "application/problem+json":
        wrong.append(f"content type {answer.headers.get('content-type')}")
    elif answer.json().get("status") != answer.status_code or not answer.json()["type"].startswith("/problems/"):
        wrong.append("no problem")
    if MARK in said:
        wrong.append("the answer repeats what was sent")
    wrong += [f"the answer says {word}" for word in FATAL if word in said]
    if len(answer.content) > 8_000:
        wrong.append(f"{len(answer.content)} bytes")
    return [f"{one} {after}" for one in wrong]


def send(client: httpx.Client, request: Request, key: str) -> httpx.Response:
    """This function will send the request with that API key, its target byte for byte."""
    headers: list[tuple[str | bytes, str | bytes]] = [("Authorization", f"Bearer {key}")]
    named = {name.lower() for name, _ in request.headers}
    headers = [pair for pair in headers if pair[0].lower() not in named]
    base = client.base_url.copy_with(raw_path=request.target.encode("latin-1"))
    sent = [*headers, *((name, value) for name, value in request.headers)]
    return client.send(client.build_request(request.method, base, headers=sent, content=request.content))


# ---- the places ------------------------------------------------------------------------------------------------------

_SEGMENTS = {
    "NUL": "%00", "a way up": "..%2f..%2fetc%2fpasswd", "no UTF-8": "%ff%fe", "markup": f"%3Cscript%3E{MARK}",
    "sql": f"'%20OR%201=1--{MARK}", "Arabic digits": quote("١٢٣"), "direction override": quote("\u202e" + MARK),
    "300 characters": MARK * 30, "a newline": f"%0d%0aX-{MARK}:%201", "a template": "%7B%7B7*7%7D%7D",
}  # fmt: skip
_TEXTS = {
    "NUL": f"a\x00{MARK}", "a newline": f"a\r\nX-{MARK}: 1", "markup": f"<script>{MARK}</script>",
    "Arabic digits": "١٢٣", "direction override": f"\u202e{MARK}", "600 characters": MARK * 60, "NaN": "NaN",
    "1e999": "1e999", "400 digits": "9" * 400, "minus one": "-1", "empty": "", "a wrong word": MARK,
}  # fmt: skip


def _paths(operation: Operation) -> Iterator[Request]:
    for one in operation.among("path"):
        for wrong, segment in _SEGMENTS.items():
            yield _request(operation, f"{one['name']}: {wrong}", path={one["name"]: segment})


def _queries(operation: Operation) -> Iterator[Request]:
    for one in operation.among("query"):
        for wrong, text in _TEXTS.items():
            if not _fits(text, one["schema"]):
                yield _request(operation, f"{one['name']}: {wrong}", query=[(one["name"], text)])
        again = str(one.get("example", "1"))
        yield _request(operation, f"{one['name']} twice", query=[(one["name"], again), (one["name"], again)])
        yield _request(operation, f"{one['name']} as a list", query=[(f"{one['name']}[]", MARK)])
        if one.get("required"):
            yield _request(operation, f"no {one['name']}", without={one["name"]})
    yield _request(operation, "an unknown parameter", query=[(MARK * 8, MARK)])
    yield _request(operation, "60 parameters", query=[(f"a{n}", MARK) for n in range(60)])
    yield _request(operation, "an address of 5,000 bytes", query=[("x", MARK * 500)])
    yield _request(operation, "no UTF-8", raw_query="%ff%fe=%ff")


def _headers(operation: Operation) -> Iterator[Request]:
    names = {one["name"]: one for one in operation.among("header")}
    if "Idempotency-Key" in names:
        bad = [[b"a\tb"], [b"k" * 300], ["键".encode()], [b"a", b"a"], [b'"unclosed'], [b""]]
        bad += [[]] if names["Idempotency-Key"].get("required") else []
        for number, values in enumerate(bad):
            keys = tuple(("Idempotency-Key", value) for value in values)
            yield _request(operation, f"Idempotency-Key {number}", key=None, headers=keys)
    for value in (b"3", b'"' + MARK.encode() + b'"', b'"1", "2"', b"*") if "If-Match" in names else ():
        yield _request(operation, f"If-Match {value!r}", headers=(("If-Match", value),))
    if operation.name not in TAKES_NO_ACTOR and "Jifendai-Actor" in names:
        for value in (f"<{MARK}>".encode(), "张三".encode(), b"a" * 65, b"zhang.wei"):
            # The last is well-formed, and named by a person, who speaks for nobody.
            yield _request(operation, f"Jifendai-Actor {value[:12]!r}", headers=(("Jifendai-Actor", value),))
    if _needs_key(operation):
        for value in (f"Bearer {MARK}", f"Basic {MARK}", "Bearer jfd_0123456789abcdef_" + "x" * 43, "Bearer a.b.c", ""):
            yield _request(operation, f"Authorization {value[:14]!r}", headers=(("Authorization", value.encode()),))
    if operation.bodies:
        for value in ("text/plain", "application/xml", "application/json; charset=gb18030", ""):
            yield _request(operation, f"content type {value!r}", media=value)
        yield _request(operation, "compressed", headers=(("Content-Encoding", b"gzip"),))


def _raw_bodies(operation: Operation) -> Iterator[Request]:
    text = json.dumps(operation.bodies[0]).encode()
    bodies = {
        "empty": b"", "null": b"null", "an array": b"[]", "a word": MARK.encode(), "half": text[: len(text) // 2],
        "two documents": text + text, "a comment": b"/* */" + text, "byte order mark": b"\xef\xbb\xbf" + text,
        "utf-16": text.decode().encode("utf-16"), "latin-1": text[:-1] + b',"\xff":1}', "deep": b"[" * 30_000,
        "deep objects": b'{"a":' * 10_000, "5 MB": b" " * 5_000_000, "form": f"a={MARK}".encode(),
        "xml": b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
    }  # fmt: skip
    for wrong, body in bodies.items():
        yield _request(operation, f"body: {wrong}", body=body)


def _members(operation: Operation) -> Iterator[Request]:
    """Each member of each example, made wrong in every way that is wrong for any member."""
    seen = set()
    for example in operation.bodies:
        for place, value in _places(example):
            if place in seen:
                continue
            seen.add(place)
            for wrong, text in _wrong_values(value):
                body = json.dumps(_with(example, place, "@@@")).replace('"@@@"', text).encode("utf-8", "surrogatepass")
                yield _request(operation, f"/{'/'.join(map(str, place))}: {wrong}", body=body)
            if isinstance(value, dict):
                unknown = _with(example, place, value | {MARK * 8: MARK})
                yield _request(operation, f"/{'/'.join(map(str, place))}: unknown member", body=_bytes(unknown))
                twice = json.dumps(_with(example, place, "@@@")).replace('"@@@"', _twice(value)).encode()
                yield _request(operation, f"/{'/'.join(map(str, place))}: a member twice", body=twice)


def _wrong_values(value: Any) -> Iterator[tuple[str, str]]:
    yield from (("NaN", "NaN"), ("Infinity", "-Infinity"), ("a lone surrogate", '"\\ud800"'))
    yield "an escaped NUL", f'"{MARK}\\u0000"'
    yield "70,000 characters", f'"{MARK * 7_000}"'
    yield "1e999", "1e999"
    yield "a number of 400 digits", "9" * 400
    yield ("a text", f'"{MARK}\\u202e"') if isinstance(value, dict | list) else ("an object", f'{{"{MARK}": 1}}')
    if not isinstance(value, bool):
        yield "true", "true"


def _places(document: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    yield place, document
    if isinstance(document, dict):
        for name, value in document.items():
            yield from _places(value, (*place, name))
    elif isinstance(document, list) and document:
        yield from _places(document[0], (*place, 0))


def _with(document: Any, place: tuple[Any, ...], value: Any) -> Any:
    if not place:
        return value
    copy = document.copy()
    copy[place[0]] = _with(document[place[0]], place[1:], value)
    return copy


def _twice(value: dict[str, Any]) -> str:
    name, first = next(iter(value.items()), ("x", 1))
    return json.dumps(value)[:-1] + (", " if value else '"x": 1, ') + f'"{name}": {json.dumps(first)}}}'


# ---- the request -----------------------------------------------------------------------------------------------------


def _request(
    operation: Operation, wrong: str, *, path: dict[str, str] | None = None, query: list[tuple[str, str]] | None = None,
    raw_query: str = "", without: set[str] = frozenset(), headers: tuple[tuple[str, bytes], ...] = (),
    body: bytes | None = None, media: str = JSON, key: str | None = "hostile",
) -> Request:  # fmt: skip
    target = operation.path
    for one in operation.among("path"):
        target = target.replace(f"{{{one['name']}}}", (path or {}).get(one["name"]) or str(one["example"]))
    given = {name for name, _ in query or ()} | without
    needed = [(one["name"], str(one["example"])) for one in operation.among("query") if one.get("required")]
    pairs = [pair for pair in needed if pair[0] not in given] + (query or [])
    joined = "&".join(part for part in (urlencode(pairs), raw_query) if part)
    sent = list(headers)
    if key is not None and any(one["name"] == "Idempotency-Key" for one in operation.among("header")):
        sent.append(("Idempotency-Key", key.encode()))
    if operation.bodies or operation.other_bodies:
        if body is None:
            body = _bytes(operation.bodies[0]) if operation.bodies else operation.other_example.encode()
        media = operation.other_bodies[0] if media == JSON and not operation.bodies else media
        sent.append(("Content-Type", media.encode()))
    return Request(wrong, operation.method, f"{target}?{joined}" if joined else target, tuple(sent), body)


def _bytes(document: Any) -> bytes:
    return json.dumps(document).encode()


def _needs_key(operation: Operation) -> bool:
    return bool(CONTRACT["paths"][operation.path][operation.method.lower()].get("security"))


def _fits(text: str, schema: dict[str, Any]) -> bool:
    """Whether the contract itself allows that text, so that it is no hostile one."""
    kinds = schema.get("anyOf", [schema])
    return any(_fits_one(text, kind) for kind in kinds)


def _fits_one(text: str, schema: dict[str, Any]) -> bool:
    if "$ref" in schema:
        found = CONTRACT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return _fits_one(text, found)
    if "enum" in schema:
        return text in schema["enum"]
    kind = schema.get("type")
    if kind == "boolean":
        return text in ("true", "false")
    if kind == "integer":
        whole = re.fullmatch(r"-?[0-9]{1,30}", text) is not None
        return whole and schema.get("minimum", -(10**30)) <= int(text) <= schema.get("maximum", 10**30)
    if kind != "string":
        return kind not in ("null", None)
    if any(ord(character) < 32 for character in text) or "\u202e" in text:
        return False
    long = schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", 10**9)
    return long and re.search(schema.get("pattern", ""), text) is not None


def caller(operation: Operation) -> str:
    """This function will name a demonstration's key that may do the operation."""
    return caller_for(operation.name)
