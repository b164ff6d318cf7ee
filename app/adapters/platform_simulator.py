"""A simulated score platform: what a newcomer's decisions, and the tests', ask instead of a zone's own.

Neighbours may rely on this: it speaks the neutral protocol (docs/platforms.md), and for `MAPPED` zones a form of its
own, as other platforms do; it knows the demonstration's companies and, in each zone, one that has nothing promised yet
(`FREE`); any fault is done on request, to one company, to a zone or to everybody. A company of `FAULTY` always meets
its fault. It is no part of what decides.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from app.adapters.demo import seeded_cases
from app.adapters.platforms import REQUEST_ID, answer_signature

PORT: Final = 8090
MAPPED: Final = ("fuxin", "donghu")
SIGNATURE: Final = "Platform-Signature"
FREE: Final[Mapping[str, str]] = {
    "suzhou-snd": "91999999MAP0000015", "kunshan": "91999999MAP0000028", "zhongkai": "91999999MAP000003B",
    "fuxin": "91999999MAP000004E", "donghu": "91999999MAP000005H", "nanchang": "91999999MAP000006L",
}  # fmt: skip


class Fault(StrEnum):
    """What a platform may do instead of answering, or say instead of the truth."""

    HANG = "HANG"
    DRIP = "DRIP"
    SLOW_HEAD = "SLOW_HEAD"
    RESET = "RESET"
    TRUNCATED = "TRUNCATED"
    ERROR = "ERROR"
    GARBAGE = "GARBAGE"
    NOT_HTTP = "NOT_HTTP"
    FLOOD = "FLOOD"
    BOMB = "BOMB"
    REDIRECT = "REDIRECT"
    OTHER_COMPANY = "OTHER_COMPANY"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    JUMP = "JUMP"
    TOMORROW = "TOMORROW"
    STALE = "STALE"
    UNKNOWN_STAGE = "UNKNOWN_STAGE"
    UNSIGNED = "UNSIGNED"
    NOT_FOUND = "NOT_FOUND"


_CODES: Final = (
    "1U", "2Y", "32", "45", "58", "6B", "7E", "8H", "9L", "0R", "1W", "20", "33", "46", "59", "6C", "7F", "8J", "9M",
)  # fmt: skip
FAULTY: Final[Mapping[str, Fault]] = {
    f"91999999MAPF000{number // 10}{end}": fault
    for number, (fault, end) in enumerate(zip(Fault, _CODES, strict=True), start=1)
}
"""Companies that always meet a fault, in every zone, such as 91999999MAPF00001U: HANG."""
_LONGEST_HEAD: Final = 16_384
_HANGS_S: Final = 3_600.0
_FLOOD_BYTES: Final = 1_000_000_000


class PlatformSimulator:
    """All zones' platforms behind one port."""

    def __init__(self, today: Callable[[], date], *, signing_secret: bytes = b"") -> None:
        self._today = today
        self._signing_secret = signing_secret
        self._server: asyncio.Server | None = None
        self._talking: set[asyncio.Task[None]] = set()
        self.faults: dict[str, Fault] = {}
        """By company, by zone, or `*`."""
        self.known: dict[str, str] = {}
        """More companies, and the zone whose free company's score they have."""
        self.asked = 0

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """This function will listen, and return the port. Raises OSError."""
        self._server = await asyncio.start_server(self._met, host, port, limit=_LONGEST_HEAD)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """This function will stop, whoever still waits for an answer."""
        if self._server is not None:
            self._server.close()
        for task in self._talking:
            task.cancel()
        await asyncio.gather(*self._talking, return_exceptions=True)

    async def _met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._talking.add(task)
        try:
            await self._talk(reader, writer)
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            # Whoever asks may go away at any moment, or speak something else.
            pass
        finally:
            self._talking.discard(task)
            with contextlib.suppress(OSError, RuntimeError):
                writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *rest = head.split("\r\n")
        method, target, _ = line.split(" ", 2)
        headers = {name.strip().lower(): value.strip() for name, _, value in (one.partition(":") for one in rest)}
        body = await reader.readexactly(min(int(headers.get("content-length", "0")), _LONGEST_HEAD))
        path = target.partition("?")[0].strip("/").split("/")
        if path[0] == "faults":
            _send(writer, 200, self._set_fault(method, path[1:], body.decode("utf-8", "replace").strip()))
        elif len(path) == 3 and path[1] == "companies" and path[0] in FREE:
            self.asked += 1
            fault = FAULTY.get(path[2]) or next(
                (self.faults[name] for name in (path[2], path[0], "*") if name in self.faults), None
            )
            await self._answer(writer, path[0], path[2], fault, headers.get(REQUEST_ID.lower(), ""))
        else:
            _send(writer, 404 if path != [""] else 200, self.contents())
        await writer.drain()

    def contents(self) -> dict[str, Any]:
        """This function will return what can be asked for."""
        known: dict[str, list[str]] = {}
        for zone, uscc in self._scores():
            known.setdefault(zone, []).append(uscc)
        return {
            "ask": "GET /{zone}/companies/{uscc}",
            "companies": known,
            "companies_that_meet_a_fault": {uscc: fault.value for uscc, fault in FAULTY.items()},
            "any fault": "PUT /faults/{uscc, zone or *} with its name; DELETE /faults ends all",
            "faults": {name: fault.value for name, fault in self.faults.items()},
        }

    def _set_fault(self, method: str, path: list[str], name: str) -> dict[str, Any]:
        if method == "DELETE":
            self.faults.clear()
        elif method in ("PUT", "POST") and path and name.upper() in Fault.__members__:
            self.faults[path[0]] = Fault[name.upper()]
        return self.contents()

    def _scores(self) -> dict[tuple[str, str], dict[str, Any]]:
        found, cases = {}, seeded_cases(self._today())
        for case in cases:
            company, score = case.document["company"], case.document["innovation_score"]
            found[company["zone"], company["uscc"]] = score
        for zone, uscc in FREE.items():
            found[zone, uscc] = next(
                case.document["innovation_score"] for case in cases if case.document["company"]["zone"] == zone
            )
        return found

    async def _answer(
        self, writer: asyncio.StreamWriter, zone: str, uscc: str, fault: Fault | None, request_id: str
    ) -> None:
        if fault is not None and fault in _ON_THE_WIRE:
            await _ON_THE_WIRE[fault](writer)
            return
        known = self._scores()
        like_free = uscc in FAULTY or self.known.get(uscc) == zone
        score = dict(known.get((zone, uscc)) or (known[zone, FREE[zone]] if like_free else {}))
        self._tell_lies(score, fault)
        told = {"uscc": FREE["fuxin"] if fault is Fault.OTHER_COMPANY else uscc, "innovation_score": score}
        document = _mapped(told) if zone in MAPPED else _neutral(told, zone)
        content = json.dumps(document, ensure_ascii=False).encode()
        headers = {}
        if self._signing_secret and fault is not Fault.UNSIGNED:
            headers[SIGNATURE] = answer_signature(self._signing_secret, request_id, content)
        _send(writer, 200, content, headers)

    def _tell_lies(self, score: dict[str, Any], fault: Fault | None) -> None:
        today = self._today()
        if not score or fault is Fault.NOT_FOUND:
            score.clear()
        elif fault is Fault.OUT_OF_RANGE:
            score["value"] = "999999.5"
        elif fault is Fault.JUMP:
            score["value"] = str(Decimal(score["value"]) + (25 if Decimal(score["value"]) <= 75 else -25))
        elif fault is Fault.TOMORROW:
            score["as_of"] = (today + timedelta(days=2)).isoformat()
        elif fault is Fault.STALE:
            score["as_of"] = (today - timedelta(days=1_100)).isoformat()
        elif fault is Fault.UNKNOWN_STAGE:
            score["stage"] = "unicorn"
            score["grade"] = "Z"


def _neutral(told: dict[str, Any], zone: str) -> dict[str, Any]:
    score = told["innovation_score"]
    if not score:
        return {"uscc": told["uscc"], "innovation_score": {"scheme": zone, "state": "NOT_FOUND"}, "reference": "SIM"}
    shown = {name: value for name, value in score.items() if name != "source"}
    return {"uscc": told["uscc"], "innovation_score": shown, "reference": "SIM"}


def _mapped(told: dict[str, Any]) -> dict[str, Any]:
    """As platforms here do write: everything in an envelope, names in pinyin, words in Chinese."""
    score = told["innovation_score"]
    if not score:
        return {"code": 404, "msg": "查无此企业", "data": None}
    stages = {"startup": "初创期", "maturity": "成熟期"}
    return {
        "code": 0,
        "msg": "成功",
        "data": {
            "tyshxydm": told["uscc"], "jf": score["value"], "dj": score.get("grade", ""),
            "yqpj": "1" if score["vetoed"] else "0", "czjd": stages.get(score.get("stage"), score.get("stage", "")),
            "jdpm": score["rank"]["position"] if "rank" in score else None, "tjrq": score["as_of"].replace("-", ""),
            "lsh": "SIM",
        },
    }  # fmt: skip


# ---- what can go wrong on the wire -----------------------------------------------------------------------------------


def _send(
    writer: asyncio.StreamWriter, status: int, document: dict[str, Any] | bytes,
    headers: Mapping[str, str] | None = None,
) -> None:  # fmt: skip
    content = document if isinstance(document, bytes) else json.dumps(document, ensure_ascii=False, indent=2).encode()
    told = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    head = f"HTTP/1.1 {status} Simulated\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n{told}"
    writer.write(f"{head}connection: close\r\n\r\n".encode() + content)


_HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"


async def _hang(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(_HANGS_S)


async def _drip(writer: asyncio.StreamWriter) -> None:
    writer.write(_HEAD % 60_000)
    for _ in range(60_000):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def _slow_head(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(100_000):
        writer.write(b"x-%d: 1\r\n" % number)
        await writer.drain()
        await asyncio.sleep(0.02)


async def _reset(writer: asyncio.StreamWriter) -> None:
    writer.write(_HEAD % 1_000)
    await writer.drain()
    writer.transport.abort()


async def _truncated(writer: asyncio.StreamWriter) -> None:
    writer.write(_HEAD % 1_000 + b'{"uscc":')
    await writer.drain()


async def _error(writer: asyncio.StreamWriter) -> None:
    _send(writer, 503, {"error": "simulated"})


async def _garbage(writer: asyncio.StreamWriter) -> None:
    _send(writer, 200, bytes(range(256)) * 8)


async def _not_http(writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x15\x03\x01\x00\x02\x02\x46SSH-2.0-simulated\r\n")


async def _flood(writer: asyncio.StreamWriter) -> None:
    """A gigabyte, in pieces and without a length, so that only a cap ends it."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
    piece = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    for _ in range(_FLOOD_BYTES // 65_536):
        writer.write(piece)
        await writer.drain()


async def _bomb(writer: asyncio.StreamWriter) -> None:
    """What says that it is compressed."""
    _send(writer, 200, b"\x1f\x8b" + b"\0" * 100, {"content-encoding": "gzip"})


async def _redirect(writer: asyncio.StreamWriter) -> None:
    _send(writer, 302, {}, {"location": "http://169.254.169.254/latest/meta-data/"})


_ON_THE_WIRE: Final = {
    Fault.HANG: _hang, Fault.DRIP: _drip, Fault.SLOW_HEAD: _slow_head, Fault.RESET: _reset,
    Fault.TRUNCATED: _truncated, Fault.ERROR: _error, Fault.GARBAGE: _garbage, Fault.NOT_HTTP: _not_http,
    Fault.FLOOD: _flood, Fault.BOMB: _bomb, Fault.REDIRECT: _redirect,
}  # fmt: skip
