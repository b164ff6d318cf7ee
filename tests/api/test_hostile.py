"""Hostile bodies, queries and headers (promise R6), against a service that listens on a port.

Each is answered 4xx as a problem that repeats nothing of what was sent, and never harms what comes after it.
"""

import json
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from app.api.examples import DECISION_ID, pre_approved
from tests.api.test_decisions import today

MARK = "Zq9xCanary"
"""Put into hostile input, and looked for in every problem."""


def sound() -> dict[str, Any]:
    return pre_approved(today())


def with_value(pointer: str, value: Any) -> bytes:
    """This function will return a sound application in which one place holds something else."""
    document = sound()
    *parents, last = pointer.strip("/").split("/")
    place = document
    for parent in parents:
        place = place[parent]
    place[last] = value
    return json.dumps(document).encode()


def raw(pointer: str, text: str) -> bytes:
    """This function will return a sound application in which one place holds that text of JSON, whatever it means."""
    return with_value(pointer, "@@@").replace(b'"@@@"', text.encode("utf-8", "surrogatepass"))


def without(pointer: str) -> bytes:
    document = sound()
    *parents, last = pointer.strip("/").split("/")
    place = document
    for parent in parents:
        place = place[parent]
    del place[last]
    return json.dumps(document).encode()


SOUND = json.dumps(sound()).encode()
NINES = "9" * 400

BODIES: dict[str, bytes] = {
    # not JSON at all
    "empty": b"",
    "blank": b"  \n",
    "a word": b"null and void",
    "null": b"null",
    "an array": b"[]",
    "a string": b'"application"',
    "a number": b"1",
    "true": b"true",
    "open brace": b"{",
    "half a document": SOUND[: len(SOUND) // 2],
    "trailing comma": SOUND[:-1] + b",}",
    "two documents": SOUND + SOUND,
    "a comment": b"/* */" + SOUND,
    "byte order mark": b"\xef\xbb\xbf" + SOUND,
    "utf-16": SOUND.decode().encode("utf-16"),
    "gb18030": json.dumps(sound(), ensure_ascii=False).encode("gb18030"),
    "latin-1 byte": SOUND.replace(b"LOS-", b"\xff\xfe"),
    "overlong utf-8": SOUND.replace(b"LOS-", b"\xc0\xaf"),
    "raw surrogate": SOUND.replace(b"LOS-", b"\xed\xa0\x80"),
    "raw NUL": SOUND.replace(b"LOS-", b"\x00"),
    "raw tab in a string": SOUND.replace(b"LOS-", b"\t"),
    "single quotes": SOUND.replace(b'"', b"'"),
    "xml": b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
    "form": b"application_id=1&product=2",
    "deep arrays": b"[" * 30_000,
    "deep objects": b'{"a":' * 10_000,
    "deep and closed": b'{"company":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    "duplicate key": SOUND[:-1] + b',"application_id":"again"}',
    "duplicate key escaped": SOUND[:-1] + b',"\\u0061pplication_id":"again"}',
    "duplicate key inside": SOUND.replace(b'"zone":', b'"zone":"fuxin","zone":'),
    "NaN": raw("/request/amount", "NaN"),
    "minus NaN": raw("/request/amount", "-NaN"),
    "Infinity": raw("/request/amount", "Infinity"),
    "minus Infinity": raw("/request/tenor_months", "-Infinity"),
    "lone high surrogate": raw("/company/name", '"\\ud800"'),
    "lone low surrogate": raw("/company/name", '"a\\udc00b"'),
    "surrogates the wrong way round": raw("/company/name", '"\\udc00\\ud800"'),
    "surrogate in a key": SOUND[:-1] + b',"\\ud800":1}',
    "leading zero": raw("/request/tenor_months", "012"),
    "leading plus": raw("/request/tenor_months", "+12"),
    "hexadecimal": raw("/request/tenor_months", "0xC"),
    "bare dot": raw("/request/tenor_months", ".5"),
    # numbers
    "1e999": raw("/request/tenor_months", "1e999"),
    "1e999 as an amount": raw("/request/amount", "1e999"),
    "400 digits": raw("/request/tenor_months", NINES),
    "400 digits as an amount": raw("/request/amount", NINES),
    "400 digits in a string": with_value("/request/amount", NINES),
    "400 decimals": with_value("/request/amount", "1." + NINES),
    "huge exponent": raw("/request/tenor_months", "1e-999999999"),
    "amount as a number": with_value("/request/amount", 10_000_000),
    "amount as a fraction": with_value("/request/amount", 0.1),
    "three decimals": with_value("/request/amount", "100.001"),
    "negative amount": with_value("/request/amount", "-100.00"),
    "minus zero": with_value("/request/amount", "-0.00"),
    "zero amount": with_value("/request/amount", "0.00"),
    "zero amount, short": with_value("/request/amount", "0"),
    "leading zeros in an amount": with_value("/request/amount", "000100.00"),
    "amount with a sign": with_value("/request/amount", "+100.00"),
    "amount with an exponent": with_value("/request/amount", "1e7"),
    "amount with commas": with_value("/request/amount", "10,000,000.00"),
    "amount with a unit": with_value("/request/amount", "1000万"),
    "amount with a space": with_value("/request/amount", " 100.00"),
    "amount with a newline": with_value("/request/amount", "100.00\n"),
    "amount in Arabic digits": with_value("/request/amount", "١٠٠"),
    "amount in full width": with_value("/request/amount", "１００"),
    "amount NaN in a string": with_value("/request/amount", "NaN"),
    "amount Infinity in a string": with_value("/request/amount", "Infinity"),
    "amount of underscores": with_value("/request/amount", "1_000"),
    "amount empty": with_value("/request/amount", ""),
    "amount null": with_value("/request/amount", None),
    "amount an array": with_value("/request/amount", ["100.00"]),
    "amount an object": with_value("/request/amount", {"value": "100.00"}),
    "amount true": with_value("/request/amount", True),
    "revenue negative": with_value("/financials/revenue", "-1.00"),
    "tenor zero": with_value("/request/tenor_months", 0),
    "tenor negative": with_value("/request/tenor_months", -12),
    "tenor beyond": with_value("/request/tenor_months", 361),
    "tenor huge": with_value("/request/tenor_months", 2**63),
    "tenor a fraction": with_value("/request/tenor_months", 12.5),
    "tenor a whole fraction": raw("/request/tenor_months", "12.0"),
    "tenor a string": with_value("/request/tenor_months", "12"),
    "tenor true": with_value("/request/tenor_months", True),
    "score a number": with_value("/innovation_score/value", 68.55),
    "score with an exponent": with_value("/innovation_score/value", "1E2"),
    "score negative": with_value("/innovation_score/value", "-1"),
    "employees negative": with_value("/company/employees", -1),
    "past due a fraction": with_value("/credit_history/past_due_days", 0.5),
    "position zero": with_value("/innovation_score/rank/position", 0),
    "year beyond": with_value("/financials/year", 99_999),
    # texts
    "escaped NUL": raw("/company/name", '"a\\u0000b"'),
    "escape character": raw("/company/name", '"a\\u001b[31mb"'),
    "direction override": with_value("/company/name", "公司\u202etxt.exe"),
    "line separator": with_value("/company/name", "a\u2028b"),
    "name empty": with_value("/company/name", ""),
    "name blank": with_value("/company/name", " "),
    "name of 201": with_value("/company/name", "名" * 201),
    "name an array": with_value("/company/name", ["a"]),
    "application id with a newline": with_value("/application_id", "a\nb"),
    "application id with a path": with_value("/application_id", "../../etc"),
    "application id of markup": with_value("/application_id", f"<script>{MARK}</script>"),
    "application id of sql": with_value("/application_id", f"'; DROP TABLE decision; -- {MARK}"),
    "application id of 65": with_value("/application_id", "a" * 65),
    "application id a number": with_value("/application_id", 1),
    # codes
    "check digit wrong": with_value("/company/uscc", "91999999MAEX000107"),
    "check digit of another": with_value("/company/uscc", "914403001922038217"),
    "uscc too short": with_value("/company/uscc", "91999999MAEX00010"),
    "uscc with the letter I": with_value("/company/uscc", "91999999MAEXI00106"),
    "uscc with a hyphen": with_value("/company/uscc", "91999999-MAEX000106"),
    "uscc a number": with_value("/company/uscc", 914403001922038216),
    "uscc very long": with_value("/company/uscc", "9" * 10_000),
    "uscc null": with_value("/company/uscc", None),
    "zone unknown": with_value("/company/zone", "atlantis"),
    "zone in capitals": with_value("/company/zone", "SUZHOU-SND"),
    "zone empty": with_value("/company/zone", ""),
    "product unknown": with_value("/product", "icbc/none"),
    "lender unknown": with_value("/product", "none/none"),
    "product without a lender": with_value("/product", "suzhou-innovation-points-loan"),
    "product a path": with_value("/product", "../lenders/icbc"),
    "product of three parts": with_value("/product", "a/b/c"),
    "stage unknown": with_value("/innovation_score/stage", "adolescence"),
    "field unknown": with_value("/innovation_score/field", "alchemy"),
    "purpose unknown": with_value("/request/purpose", "gambling"),
    "qualification unknown": with_value("/company/qualifications", [{"code": "knighthood"}]),
    "evidence unknown": with_value("/evidence", {"crystal_ball": {"established": True}}),
    "size unknown": with_value("/company/size", "HUGE"),
    "state unknown": with_value("/innovation_score/state", "scored"),
    "replaces no id": with_value("/request/replaces", "none"),
    "area of letters": with_value("/company/registered_area", "32050X"),
    "industry of Arabic digits": with_value("/company/industry_code", "٣٤٦٣"),
    # days
    "31 February": with_value("/authorisation/granted_on", "2026-02-31"),
    "29 February of a common year": with_value("/authorisation/granted_on", "2027-02-29"),
    "a timestamp for a day": with_value("/authorisation/granted_on", "1619827200"),
    "a number for a day": with_value("/authorisation/granted_on", 1619827200),
    "a day with a time": with_value("/authorisation/granted_on", "2026-01-01T00:00:00"),
    "a compact day": with_value("/authorisation/granted_on", "20260101"),
    "a week day": with_value("/authorisation/granted_on", "2026-W01-1"),
    "year 0": with_value("/authorisation/granted_on", "0000-01-01"),
    "year 9999": with_value("/authorisation/valid_until", "9999-12-31"),
    "year 10000": with_value("/authorisation/valid_until", "10000-01-01"),
    "month 13": with_value("/company/founded_on", "2021-13-01"),
    "a day of Arabic digits": with_value("/company/founded_on", "٢٠٢١-٠٥-٠١"),
    "a score of tomorrow": with_value("/innovation_score/as_of", "2199-01-01"),
    "an instant without Z": with_value("/innovation_score/source/obtained_at", "2026-11-20T02:10:00"),
    "an instant of another zone": with_value("/innovation_score/source/obtained_at", "2026-11-20T02:10:00+08:00"),
    "25 o'clock": with_value("/innovation_score/source/obtained_at", "2026-11-20T25:10:00Z"),
    # keys and shapes
    "unknown key": with_value(f"/{MARK * 8}", 1),
    "unknown key of markup": with_value("/<img src=x onerror=alert(1)>", 1),
    "unknown key in Chinese": with_value("/企业名称", 1),
    "unknown key inside": with_value("/company/shareholders", [{"name": MARK}]),
    "empty key": SOUND[:-1] + b',"":1}',
    "prototype": SOUND[:-1] + b',"__proto__":{"admin":true}}',
    "the outcome itself": with_value("/outcome", "PRE_APPROVED"),
    "the day itself": with_value("/on", "2026-01-01"),
    "evidence with a wrong key": with_value("/evidence", {f"{MARK} x": {"established": True}}),
    "evidence a list": with_value("/evidence", []),
    "evidence of 51": with_value("/evidence", {f"code_{n}": {"established": True} for n in range(51)}),
    "qualifications of 51": with_value("/company/qualifications", [{"code": "high-tech"}] * 51),
    "established a word": with_value("/evidence/technology_level/established", "yes"),
    "established a number": with_value("/evidence/technology_level/established", 1),
    "company a string": with_value("/company", MARK),
    "company null": with_value("/company", None),
    "company an array": with_value("/company", []),
    "no company": without("/company"),
    "no request": without("/request"),
    "no amount": without("/request/amount"),
    "no product": without("/product"),
    "no application id": without("/application_id"),
    "no scheme": without("/innovation_score/scheme"),
    "an empty object": b"{}",
    # sizes
    "5 MB of spaces": b" " * 5_000_000,
    "5 MB in a string": with_value("/company/name", "x" * 5_000_000),
    "64 KB and one byte": SOUND + b" " * (65_537 - len(SOUND)),
    "10,000 keys": json.dumps({f"k{n}": n for n in range(5_000)}).encode(),
}  # fmt: skip

FATAL = ("Traceback", "pydantic", "sqlalchemy", "site-packages", "Error(", "line 1 column")


def assert_problem(answer: httpx.Response) -> None:
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert re.fullmatch(r"/problems/[a-z-]+", problem["type"])
    assert re.search(r"[一-鿿]", problem["title"])
    assert re.search(r"[A-Za-z]{3}", problem["detail"])
    assert len(answer.content) < 8_000
    assert MARK not in answer.text
    assert not [word for word in FATAL if word in answer.text]


@pytest.fixture
def healthy(listener: httpx.Client) -> Iterator[httpx.Client]:
    """The service, of which a sound application is still decided once the hostile one has been answered."""
    yield listener
    assert listener.get("/readyz").status_code == 200


class TestAHostileBody:
    @pytest.mark.parametrize("name", BODIES)
    def test_is_refused_by_decide(self, healthy: httpx.Client, name: str):
        headers = {"Content-Type": "application/json", "Idempotency-Key": "hostile"}
        assert_problem(healthy.post("/v1/decisions", content=BODIES[name], headers=headers))

    @pytest.mark.parametrize("name", [name for name in BODIES if name not in ("no product", "the day itself")])
    def test_is_refused_by_preview(self, healthy: httpx.Client, name: str):
        headers = {"Content-Type": "application/json"}
        assert_problem(healthy.post("/v1/decisions/preview", content=BODIES[name], headers=headers))

    def test_sent_in_drips_is_cut_off_at_the_cap(self, healthy: httpx.Client):
        def drips() -> Iterator[bytes]:
            for _ in range(100):
                yield b" " * 1_000

        headers = {"Content-Type": "application/json", "Idempotency-Key": "drips"}
        answer = healthy.post("/v1/decisions", content=drips(), headers=headers)

        assert answer.status_code == 413
        assert_problem(answer)

    def test_of_just_64_kb_is_read(self, healthy: httpx.Client):
        headers = {"Content-Type": "application/json", "Idempotency-Key": "just-64"}
        body = SOUND + b" " * (65_536 - len(SOUND))

        assert healthy.post("/v1/decisions", content=body, headers=headers).status_code == 201

    def test_names_an_unknown_key_only_when_it_is_harmless(self, healthy: httpx.Client):
        headers = {"Content-Type": "application/json", "Idempotency-Key": "unknown"}
        harmless = healthy.post("/v1/decisions", content=with_value("/shareholder.name_1-2", 1), headers=headers).json()
        harmful = healthy.post("/v1/decisions", content=with_value("/a b", 1), headers=headers).json()
        too_long = healthy.post("/v1/decisions", content=with_value("/" + "k" * 65, 1), headers=headers).json()

        assert harmless["errors"][0]["pointer"] == "/shareholder.name_1-2"
        assert harmful["errors"][0]["pointer"] == ""
        assert f"member {len(sound()) + 1} of this object" in harmful["errors"][0]["message"]["en"]
        assert "k" * 65 not in json.dumps(too_long)


class TestAHostileContentType:
    @pytest.mark.parametrize(
        "sent",
        ["", "text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
         "application/json; charset=gb18030", "application/json, text/plain", "application/problem+json", "*/*",
         "application/json; version=2"],
    )  # fmt: skip
    def test_is_refused(self, healthy: httpx.Client, sent: str):
        headers = {"Content-Type": sent, "Idempotency-Key": "type"}
        answer = healthy.post("/v1/decisions", content=SOUND, headers=headers)

        assert answer.status_code == 415
        assert_problem(answer)

    @pytest.mark.parametrize(
        "sent", ["application/json; charset=utf-8", "Application/JSON", 'application/json;charset="UTF-8"']
    )
    def test_that_only_looks_strange_is_taken(self, healthy: httpx.Client, sent: str):
        headers = {"Content-Type": sent, "Idempotency-Key": f"type-{len(sent)}"}

        assert healthy.post("/v1/decisions", content=SOUND, headers=headers).status_code == 201

    def test_compressed_is_refused(self, healthy: httpx.Client):
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip", "Idempotency-Key": "gzip"}
        answer = healthy.post("/v1/decisions", content=SOUND, headers=headers)

        assert answer.status_code == 415
        assert_problem(answer)


QUERIES = [
    "/v1/decisions?limit=0", "/v1/decisions?limit=201", "/v1/decisions?limit=-1", "/v1/decisions?limit=1e2",
    "/v1/decisions?limit=", "/v1/decisions?limit=NaN", "/v1/decisions?limit=" + "9" * 400, "/v1/decisions?limit=١",
    "/v1/decisions?limit=1&limit=2", f"/v1/decisions?{MARK * 8}=1", "/v1/decisions?Limit=1", "/v1/decisions?limit[]=1",
    "/v1/decisions?outcome=APPROVED", "/v1/decisions?outcome=pre_approved", "/v1/decisions?outcome=",
    f"/v1/decisions?zone={MARK}", "/v1/decisions?zone=a%00b", "/v1/decisions?zone=%ff%fe",
    "/v1/decisions?zone='%20OR%201=1",
    "/v1/decisions?product=icbc", "/v1/decisions?product=../x",
    "/v1/decisions?uscc=91999999MAEX000107", "/v1/decisions?uscc=",
    "/v1/decisions?reason=score", "/v1/decisions?reason=%25", "/v1/decisions?decided_from=yesterday",
    "/v1/decisions?decided_from=2026-02-30", "/v1/decisions?decided_until=1619827200", "/v1/decisions?cursor=",
    "/v1/decisions?cursor=AAAA", "/v1/decisions?cursor=" + "A" * 513,
    "/v1/decisions?cursor=a.b", "/v1/decisions?cursor=%00",
    "/v1/decisions?cursor=" + "A" * 22,
    "/v1/decisions?%ff=1", "/v1/decisions?" + "&".join(f"a{n}=1" for n in range(60)),
    "/v1/decisions?zone=" + "a" * 5_000, "/v1/products?on=0000-00-00",
    "/v1/products?kind=SHARES", "/v1/products?on=9999-12-31",
    "/v1/products/icbc/suzhou-innovation-points-loan?on=never", "/v1/zones?on=1", "/v1/reasons?x=1", "/livez?x=1",
    "/v1/decisions/x", "/v1/decisions/0199ABCD-0000-7000-8000-000000000010", f"/v1/decisions/{DECISION_ID}?full=1",
    "/v1/decisions/%00", "/v1/decisions/..%2f..%2fetc%2fpasswd", "/v1/products/icbc/%2e%2e", "/v1/products/ICBC/x",
    "/v1/products/" + "a" * 65 + "/x", "/v1/", "//v1/decisions", "/v1/decisions/",
    "/docs/../main.py", "/docs/docs.html%00",
    "/docs/..%2f..%2fmain.py", "/.env", "/admin", "/v1/zones/", "/openapi", "/metrics",
]  # fmt: skip


class TestAHostileQuery:
    @pytest.mark.parametrize("path", QUERIES, ids=lambda path: path[:60])
    def test_is_refused(self, healthy: httpx.Client, path: str):
        assert_problem(healthy.get(path))

    @pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "SEARCH"])
    @pytest.mark.parametrize("path", ["/v1/decisions", "/v1/zones", "/livez", f"/v1/decisions/{DECISION_ID}"])
    def test_by_a_method_that_is_not_there_is_405_and_says_which_are(
        self, healthy: httpx.Client, method: str, path: str
    ):
        answer = healthy.request(method, path)

        assert answer.status_code == 405
        assert answer.headers["allow"] == ("GET, POST" if path == "/v1/decisions" else "GET")
        assert_problem(answer)

    @pytest.mark.parametrize("method", ["GET", "PUT"])
    def test_by_a_method_that_only_a_path_like_it_has_is_405_whatever_else_is_wrong(
        self, healthy: httpx.Client, method: str
    ):
        answer = healthy.request(method, "/v1/decisions/preview?full=1", headers={"Jifendai-Actor": "zhang.wei"})

        assert answer.status_code == 405
        assert answer.headers["allow"] == "POST"
        assert_problem(answer)


HEADERS: dict[str, Callable[[], list[tuple[str, bytes]]]] = {
    "a key of 100 KB": lambda: [("Idempotency-Key", b"k" * 60_000)],
    "a key beyond ASCII": lambda: [("Idempotency-Key", "键".encode())],
    "two keys": lambda: [("Idempotency-Key", b"a"), ("Idempotency-Key", b"a")],
    "two content types": lambda: [("Idempotency-Key", b"a"), ("Content-Type", b"application/json")],
    "no key": list,
    "a key of control characters": lambda: [("Idempotency-Key", b"a\tb")],
    "another encoding": lambda: [("Idempotency-Key", b"a"), ("Content-Encoding", b"br")],
}


class TestAHostileHeader:
    @pytest.mark.parametrize("name", HEADERS)
    def test_is_refused(self, healthy: httpx.Client, name: str):
        headers = [("Content-Type", b"application/json"), *HEADERS[name]()]
        assert_problem(healthy.post("/v1/decisions", content=SOUND, headers=headers))

    @pytest.mark.parametrize("sent", ["x" * 65, "a b", f"<{MARK}>", "键".encode().decode("latin-1")])
    def test_request_id_is_given_back_only_when_harmless(self, healthy: httpx.Client, sent: str):
        answer = healthy.get("/livez", headers={"X-Request-Id": sent.encode("latin-1")})

        assert answer.headers["x-request-id"] != sent
        assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])

    def test_request_id_that_is_harmless_is_given_back(self, healthy: httpx.Client):
        assert healthy.get("/livez", headers={"X-Request-Id": "los-42"}).headers["x-request-id"] == "los-42"

    def test_that_promises_more_than_it_sends_leaves_no_trace(self, healthy: httpx.Client):
        host, port = healthy.base_url.host, healthy.base_url.port
        with socket.create_connection((host, port)) as connection:
            connection.sendall(
                b"POST /v1/decisions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Idempotency-Key: short\r\n"
                b"Authorization: "
                + healthy.headers["Authorization"].encode()
                + b"\r\nContent-Length: 60000\r\n\r\n"
                + SOUND
            )
        headers = {"Content-Type": "application/json", "Idempotency-Key": "short"}
        answer = healthy.post("/v1/decisions", content=SOUND, headers=headers)

        assert answer.status_code == 201
        assert "idempotent-replayed" not in answer.headers


class TestTheCorpus:
    def test_is_as_large_as_was_promised(self):
        assert len(BODIES) + len(QUERIES) + len(HEADERS) >= 120
