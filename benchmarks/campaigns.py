"""A campaign against requests: how fast it goes through its list, and what a single request meanwhile waits.

Both on PostgreSQL, in one service: 64 clients first, then one client, then a campaign alone, then a campaign beside one
client, which sends as many requests as before and has them all answered while the campaign runs. All that was
acknowledged, and every decision of the campaigns, is found again.
"""

from __future__ import annotations

import csv
import http.client
import io
import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from statistics import median
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlencode

import psycopg

from app.adapters.clock import utc_now
from app.usecases.campaigns import KEY_BEGINS
from app.usecases.days import day_in_shanghai
from benchmarks import servers
from benchmarks.companies import company_code
from benchmarks.report import Line, Section, at_least, at_most
from benchmarks.servers import Load, Side
from benchmarks.verification import verify

_PRODUCT = "icbc/suzhou-innovation-points-loan"
_FIRST_COMPANY = 500_000_000
_WITHIN_S = 120.0


def measure(*, quick: bool) -> Section:
    """This function will measure both, and verify what was stored. Raises what any of it raises."""
    rounds, seconds, requests, companies = (1, 0.3, 20, 200) if quick else (3, 1.5, 400, 6_000)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jfd-bench-")))
        server = stack.enter_context(servers.postgres(segments=2 if quick else 60))
        server.create_database("campaigns", migrated=False)
        side = stack.enter_context(
            servers.our_service("campaigns", folder / "data", database_url=server.url("campaigns"))
        )
        key = json.loads((folder / "data" / "demo-keys.json").read_text())["loan_officer"]
        load = Load(day_in_shanghai(utc_now()), each=100 if quick else 2_000)
        stack.callback(load.end)
        runs = [load.run(side, clients=8, answers=50 if quick else 1_000)]
        rates, alone, beside, normal, meanwhile = [], [], [], [], []
        for number in range(rounds):
            servers.settle(server)
            runs.append(load.run(side, clients=64, seconds=seconds))
            rates.append(runs[-1]["per_second"])
            # What the 64 and the campaigns have left to be written out is nobody's here.
            servers.settle(server)
            runs.append(load.run(side, clients=1, answers=requests))
            normal.append(runs[-1])
            alone.append(_Campaign(side, key, f"alone-{number}", companies, 2 * number).run())
            campaign = _Campaign(side, key, f"beside-{number}", companies, 2 * number + 1)
            servers.settle(server)
            campaign.begin()
            runs.append(load.run(side, clients=1, answers=requests))
            meanwhile.append(runs[-1])
            beside.append(campaign.decided_a_second())
            if not quick and not campaign.is_running:
                raise RuntimeError("the campaign had finished before the client")
            campaign.end()
        stored = verify(side.database_url, [range(r["first_number"], r["first_number"] + r["answers"]) for r in runs])
    lines = (
        Line("64 clients", f"{median(rates):,.0f}/s"),
        Line("a campaign alone", f"{median(alone):,.0f}/s"),
        Line("a campaign beside one client", f"{median(beside):,.0f}/s"),
        at_least("a campaign alone ÷ 64 clients", median(a / r for a, r in zip(alone, rates, strict=True)), 0.8),
        Line("one client by itself (p50, p99 in ms)", _latencies(normal)),
        Line("one client beside a campaign", _latencies(meanwhile)),
        at_most("its p50 beside ÷ by itself", _ratio(meanwhile, normal, "p50_ms"), 2),
        at_most("its p99 beside ÷ by itself", _ratio(meanwhile, normal, "p99_ms"), 2),
        Line("rows found again, logs and roots verified", f"{stored:,}"),
    )
    return Section(f"Campaigns of {companies:,} companies, PostgreSQL", lines)


def _latencies(runs: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{median(run[name] for run in runs):.1f}" for name in ("p50_ms", "p99_ms"))


def _ratio(over: Sequence[Mapping[str, Any]], under: Sequence[Mapping[str, Any]], name: str) -> float:
    return median(o[name] / u[name] for o, u in zip(over, under, strict=True))


class _Campaign:
    """One campaign over HTTP, forecast when it is made."""

    def __init__(self, side: Side, key: str, name: str, companies: int, place: int) -> None:
        self._side, self._key, self._companies = side, key, companies
        asked = {"name": name, "zone": "suzhou-snd", "products": _PRODUCT, "amount": "3000000", "tenor_months": "12",
                 "purpose": "raw-materials"}  # fmt: skip
        sheet = _sheet(_FIRST_COMPANY + place * companies, companies)
        made = self._ask("POST", f"/v1/campaigns/sheets?{urlencode(asked)}", sheet, "text/csv", name)
        self._id, self._began = made["campaign_id"], 0.0
        self._until("READY")

    def run(self) -> float:
        """This function will run it and return decisions a second."""
        self.begin()
        return self.end()

    def begin(self) -> None:
        """This function will set it going."""
        self._began = monotonic()
        self._ask("POST", f"/v1/campaigns/{self._id}/run", b"{}", "application/json", f"run-{self._id}")

    def end(self) -> float:
        """This function will wait until it has finished and return decisions a second."""
        self._until("FINISHED")
        return self._companies / (monotonic() - self._began)

    def decided_a_second(self) -> float:
        """This function will return decisions a second so far."""
        seconds = monotonic() - self._began
        with psycopg.connect(self._side.database_url) as connection:
            its_own = (f"{KEY_BEGINS}{self._id} %",)
            query = "SELECT count(*) FROM decision WHERE idempotency_key LIKE %s"
            return connection.execute(query, its_own).fetchone()[0] / seconds

    @property
    def is_running(self) -> bool:
        """Whether it still goes through its list."""
        return self._state() == "RUNNING"

    def _state(self) -> str:
        found = self._ask("GET", "/v1/campaigns?limit=20")["items"]
        return next(one for one in found if one["campaign_id"] == self._id)["state"]

    def _until(self, state: str) -> None:
        until = monotonic() + _WITHIN_S
        while monotonic() < until:
            if self._state() == state:
                return
            # Each look is a request, too.
            sleep(0.1)
        raise TimeoutError(f"the campaign is not {state} after {_WITHIN_S:.0f} s")

    def _ask(self, method: str, path: str, body: bytes = b"", kind: str = "", key: str = "") -> Mapping[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self._side.port, timeout=_WITHIN_S)
        headers = {"Authorization": f"Bearer {self._key}"}
        if body:
            headers |= {"Content-Type": kind, "Idempotency-Key": key}
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        told = answer.read()
        connection.close()
        if answer.status not in (200, 201):
            raise RuntimeError(told.decode())
        return json.loads(told)


def _sheet(first: int, companies: int) -> bytes:
    day = (day_in_shanghai(utc_now()) - timedelta(days=20)).isoformat()
    text = io.StringIO(newline="")
    sheet = csv.writer(text)
    sheet.writerow(
        ("企业名称", "统一社会信用代码", "创新积分", "评价日期", "成长阶段", "技术水平评估", "股权融资计划", "逾期天数",
         "失信被执行人", "经营异常", "严重违法", "授权书编号", "授权日期", "成立日期")
    )  # fmt: skip
    for n in range(first, first + companies):
        score = f"{40 + n % 60}.{n % 100:02d}"
        sheet.writerow(
            (f"示例{n}", company_code(n), score, day, "初创期", day, day, 0, "否", "否", "否", f"SQ{n}", day, day)
        )
    return text.getvalue().encode()
