"""What it costs to know who asks: POST /v1/decisions with an API key and with a token, against no check at all.

All three on PostgreSQL, under the same load; every round takes every side in turn, and a ratio is taken inside each
round. The token is an ES256 one of 600 characters; it is verified once and then found by its hash, as a system's is.
"""

from __future__ import annotations

import json
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

from app.adapters.clock import utc_now
from app.usecases.days import day_in_shanghai
from benchmarks import servers
from benchmarks.load import LENDER
from benchmarks.report import Line, Section, at_least
from benchmarks.rounds import ratio
from benchmarks.servers import Load, Side
from benchmarks.verification import verify

_WORDS = {"none": "no check at all", "key": "**an API key**", "token": "**a token (ES256)**"}
_ISSUER, _AUDIENCE = "https://login.bank.example", "jifendai"
_CLIENTS = (16, 64)


def measure(*, quick: bool) -> Section:
    """This function will start both services, measure, and verify what they stored. Raises what any of it raises."""
    rounds, seconds = (1, 0.3) if quick else (7, 0.8)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jfd-bench-")))
        server = stack.enter_context(servers.postgres(segments=2 if quick else 40))
        for name in ("checked", "unchecked"):
            server.create_database(name, migrated=False)
        token, rules = _provider(folder)
        checked = stack.enter_context(
            servers.our_service("checked", folder / "checked", database_url=server.url("checked"), more=rules)
        )
        unchecked = stack.enter_context(
            servers.unchecked("unchecked", folder / "unchecked", database_url=server.url("unchecked"))
        )
        sides = {"none": unchecked, "key": checked, "token": replace(checked, key=token)}
        load = Load(day_in_shanghai(utc_now()), each=100 if quick else 2_000)
        stack.callback(load.end)
        found = _rounds(load, sides, server, rounds, seconds, 20 if quick else 500)
        verify(unchecked.database_url, _acknowledged(found, "none"))
        verify(checked.database_url, _acknowledged(found, "key", "token"))
    return Section("POST /v1/decisions with and without knowing who asks, PostgreSQL", tuple(_lines(found)))


def _rounds(
    load: Load, sides: dict[str, Side], server: Any, rounds: int, seconds: float, warm: int
) -> dict[tuple[str, int], list[dict[str, Any]]]:
    found: dict[tuple[str, int], list[dict[str, Any]]] = {(n, c): [] for n in sides for c in (*_CLIENTS, 8)}
    names = list(sides)
    for name in names:
        found[name, 8].append(_run(load, sides[name], clients=8, answers=warm))
    for number in range(rounds):
        servers.settle(server)
        for clients in _CLIENTS:
            for name in names[number % len(names) :] + names[: number % len(names)]:
                found[name, clients].append(_run(load, sides[name], clients=clients, seconds=seconds))
    return found


def _acknowledged(found: dict[tuple[str, int], list[dict[str, Any]]], *names: str) -> list[range]:
    return [answer["numbers"] for (name, _), answers in found.items() if name in names for answer in answers]


def _run(load: Load, side: Side, **how: Any) -> dict[str, Any]:
    used = side.cpu_seconds()
    answer = load.run(side, **how)
    first = answer["first_number"]
    cpu_us = (side.cpu_seconds() - used) / answer["answers"] * 1e6
    return answer | {"numbers": range(first, first + answer["answers"]), "cpu_us": cpu_us}


def _lines(found: dict[tuple[str, int], list[dict[str, Any]]]) -> list[Line]:
    def of(name: str, clients: int, figure: str) -> list[float]:
        return [answer[figure] for answer in found[name, clients]]

    lines = [
        Line(
            f"{words}: answers a second at 16, 64 clients; processor time of the service at 64",
            " · ".join(f"{median(of(name, clients, 'per_second')):,.0f}/s" for clients in _CLIENTS)
            + f" · {median(of(name, 64, 'cpu_us')):,.0f} µs",
        )
        for name, words in _WORDS.items()
    ]
    for name in ("key", "token"):
        for clients in _CLIENTS:
            value = ratio(of(name, clients, "per_second"), of("none", clients, "per_second"))
            lines.append(at_least(f"{name} ÷ none, {clients} clients", value, 0.9))
    return lines


def _provider(folder: Path) -> tuple[str, dict[str, str]]:
    """A token of a loan system, and the settings under which it is taken."""
    key = ECKey.generate_key("P-256", {"kid": "bench", "alg": "ES256"})
    file = folder / "keys.json"
    file.write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    now = int(time.time())
    claims = {
        "iss": _ISSUER, "aud": _AUDIENCE, "sub": "los", "iat": now, "nbf": now, "exp": now + 86_400,
        "roles": ["loan_system"], "lenders": [LENDER], "session": "0" * 200,
    }  # fmt: skip
    token = jwt.encode({"alg": "ES256", "kid": "bench"}, claims, key, algorithms=["ES256"])
    rules = {"ISSUER": _ISSUER, "AUDIENCE": _AUDIENCE, "KEYS_FILE": str(file)}
    return token, {f"JIFENDAI_TOKEN_{name}": value for name, value in rules.items()}
