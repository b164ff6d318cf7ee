"""What it costs to know who asks: POST /v1/decisions with an API key and with a token, against no check at all.

One process on one PostgreSQL is all three sides: its door is opened and shut between short runs, so that nothing else
differs. Every round takes every side, in each order as often, and a ratio is taken inside each round. The token is an
ES256 one of 600 characters; it is verified once and then found by its hash, as a system's is. The question for the
newest change of keys rides in each batch's statement on every side.
"""

from __future__ import annotations

import json
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from itertools import permutations
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
from benchmarks.rounds import ratio, within
from benchmarks.servers import Load, Side
from benchmarks.verification import verify

_WORDS = {"none": "no check at all", "key": "**an API key**", "token": "**a token (ES256)**"}
_ISSUER, _AUDIENCE = "https://login.bank.example", "jifendai"
_CLIENTS = (16, 64)


def measure(*, quick: bool) -> Section:
    """This function will start the service, measure, and verify what it stored. Raises what any of it raises."""
    rounds, seconds = (1, 0.3) if quick else (54, 0.4)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jfd-bench-")))
        server = stack.enter_context(servers.postgres(segments=2 if quick else 80))
        server.create_database("access", migrated=False)
        token, rules = _provider(folder)
        service = stack.enter_context(
            servers.unchecked("service", folder / "data", database_url=server.url("access"), more=rules)
        )
        sides = {"none": service, "key": service, "token": replace(service, key=token)}
        load = Load(day_in_shanghai(utc_now()), each=100 if quick else 2_000)
        stack.callback(load.end)
        found = _rounds(load, sides, server, rounds, seconds, 20 if quick else 500)
        verify(service.database_url, [answer["numbers"] for answers in found.values() for answer in answers])
    return Section(f"POST /v1/decisions with and without knowing who asks, PostgreSQL, {rounds} rounds", _lines(found))


def _rounds(
    load: Load, sides: dict[str, Side], server: Any, rounds: int, seconds: float, warm: int
) -> dict[tuple[str, int], list[dict[str, Any]]]:
    found: dict[tuple[str, int], list[dict[str, Any]]] = {(n, c): [] for n in sides for c in (*_CLIENTS, 8)}
    orders = list(permutations(sides))
    for name in sides:
        found[name, 8].append(_run(load, name, sides[name], clients=8, answers=warm))
    for number in range(rounds):
        if number % len(orders) == 0:
            servers.settle(server)
        for clients in _CLIENTS:
            for name in orders[number % len(orders)]:
                found[name, clients].append(_run(load, name, sides[name], clients=clients, seconds=seconds))
    return found


def _run(load: Load, name: str, side: Side, **how: Any) -> dict[str, Any]:
    servers.open_door(side, opened=name == "none")
    used = side.cpu_seconds()
    answer = load.run(side, **how)
    first = answer["first_number"]
    cpu_us = (side.cpu_seconds() - used) / answer["answers"] * 1e6
    return answer | {"numbers": range(first, first + answer["answers"]), "cpu_us": cpu_us}


def _lines(found: dict[tuple[str, int], list[dict[str, Any]]]) -> tuple[Line, ...]:
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
            answered = of(name, clients, "per_second"), of("none", clients, "per_second")
            # The service is what is busy, and its processor time suffers less from whatever else is under way.
            worked = of("none", clients, "cpu_us"), of(name, clients, "cpu_us")
            for words, both in (("answers a second", answered), ("answers a second of processor time", worked)):
                least, most = within(*both)
                what = f"{name} ÷ none, {clients} clients: {words} (19 times in 20 within {least:.2f} to {most:.2f})"
                lines.append(at_least(what, ratio(*both), 0.9))
    return tuple(lines)


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
