"""A campaign against requests: how fast it goes through its list, and what a single request meanwhile waits.

All on PostgreSQL, in one service: 64 clients; a campaign alone; then requests that come singly, some a second, by
themselves, beside a forecast and beside a campaign; then one client that never pauses, by itself and beside a campaign.
Requests are as many by themselves as beside, and all are answered while the campaign runs or is forecast. All that was
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
from dataclasses import dataclass, field
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
_A_SECOND = 20


def measure(*, quick: bool) -> Section:
    """This function will measure both, and verify what was stored. Raises what any of it raises."""
    rounds, seconds, busy, single, companies = (
        (1, 0.3, 20, 5, 200) if quick else (3, 1.5, 400, 150, 20_000)
    )
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
        rates, alone, forecasting = [], [], []
        kinds = {
            "singly": _Kind({"clients": 1, "answers": single, "a_second": _A_SECOND}),
            "unpaused": _Kind({"clients": 1, "answers": busy}),
        }
        for number in range(rounds):
            servers.settle(server)
            runs.append(load.run(side, clients=64, seconds=seconds))
            rates.append(runs[-1]["per_second"])
            alone.append(_Campaign(side, key, f"alone-{number}", companies, 3 * number).run())
            forecast = _Campaign(side, key, f"forecast-{number}", 2 * companies, 0)
            runs.append(load.run(side, **kinds["singly"].asked))
            forecasting.append(runs[-1])
            if not quick and not forecast.is_("FORECASTING"):
                raise RuntimeError("the forecast was made before the requests were answered")
            forecast.cancel()
            for place, (name, kind) in enumerate(kinds.items(), 1):
                # What others have left to be written out is nobody's here.
                servers.settle(server)
                runs.append(load.run(side, **kind.asked))
                kind.normal.append(runs[-1])
                campaign = _Campaign(side, key, f"{name}-{number}", companies, 3 * number + place)
                campaign.ready()
                servers.settle(server)
                campaign.begin()
                runs.append(load.run(side, **kind.asked))
                kind.meanwhile.append(runs[-1])
                kind.beside.append(campaign.decided_a_second())
                if not quick and not campaign.is_("RUNNING"):
                    raise RuntimeError("the campaign had finished before the requests")
                campaign.end()
        stored = verify(side.database_url, [range(r["first_number"], r["first_number"] + r["answers"]) for r in runs])
    singly, pressed = kinds.values()
    lines = (
        Line("64 clients", f"{median(rates):,.0f}/s"),
        Line("a campaign alone", f"{median(alone):,.0f}/s"),
        at_least("a campaign alone ÷ 64 clients", _share(alone, rates), 0.8),
        Line(f"a campaign beside {_A_SECOND} requests a second", f"{median(singly.beside):,.0f}/s"),
        at_least("that ÷ 64 clients", _share(singly.beside, rates), 0.8),
        Line(f"{_A_SECOND} requests a second by themselves (p50, p99 in ms)", _latencies(singly.normal)),
        Line("the same beside a campaign", _latencies(singly.meanwhile)),
        at_most("their p50 beside ÷ by themselves", singly.ratio("p50_ms"), 2),
        at_most("their p99 beside ÷ by themselves", singly.ratio("p99_ms"), 2),
        Line("the same beside a forecast", _latencies(forecasting)),
        at_most("their p50 beside a forecast ÷ by themselves", _ratio(forecasting, singly.normal, "p50_ms"), 2),
        at_most("their p99 beside a forecast ÷ by themselves", _ratio(forecasting, singly.normal, "p99_ms"), 2),
        Line("a campaign beside one client without pause", f"{median(pressed.beside):,.0f}/s"),
        Line("that ÷ 64 clients", f"{_share(pressed.beside, rates):.2f} x"),
        Line("one client without pause by itself (p50, p99 in ms)", _latencies(pressed.normal)),
        Line("the same beside a campaign", _latencies(pressed.meanwhile)),
        at_most("its p50 beside ÷ by itself", pressed.ratio("p50_ms"), 2),
        at_most("its p99 beside ÷ by itself", pressed.ratio("p99_ms"), 2),
        Line("rows found again, logs and roots verified", f"{stored:,}"),
    )
    return Section(f"Campaigns of {companies:,} companies, PostgreSQL", lines)


def _latencies(runs: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{median(run[name] for run in runs):.1f}" for name in ("p50_ms", "p99_ms"))


def _share(part: Sequence[float], whole: Sequence[float]) -> float:
    return median(a / b for a, b in zip(part, whole, strict=True))


def _ratio(over: Sequence[Mapping[str, Any]], under: Sequence[Mapping[str, Any]], name: str) -> float:
    return _share([run[name] for run in over], [run[name] for run in under])


@dataclass
class _Kind:
    """One way in which requests come: how it is asked for, what each run by itself and beside a campaign came to, and
    how fast the campaigns went beside it.
    """

    asked: Mapping[str, Any]
    normal: list[Mapping[str, Any]] = field(default_factory=list)
    meanwhile: list[Mapping[str, Any]] = field(default_factory=list)
    beside: list[float] = field(default_factory=list)

    def ratio(self, name: str) -> float:
        """This function will return what of a figure there is beside, over what there is by itself."""
        return _ratio(self.meanwhile, self.normal, name)


class _Campaign:
    """One campaign over HTTP, forecast when it is made."""

    def __init__(self, side: Side, key: str, name: str, companies: int, place: int) -> None:
        self._side, self._key, self._companies = side, key, companies
        asked = {"name": name, "zone": "suzhou-snd", "products": _PRODUCT, "amount": "3000000", "tenor_months": "12",
                 "purpose": "raw-materials"}  # fmt: skip
        sheet = _sheet(_FIRST_COMPANY + place * companies, companies)
        made = self._ask("POST", f"/v1/campaigns/sheets?{urlencode(asked)}", sheet, "text/csv", name)
        self._id, self._began = made["campaign_id"], 0.0

    def ready(self) -> None:
        """This function will wait until its forecast is made."""
        self._until("READY")

    def cancel(self) -> None:
        """This function will end it."""
        self._ask("POST", f"/v1/campaigns/{self._id}/cancel", b"{}", "application/json", f"cancel-{self._id}")

    def run(self) -> float:
        """This function will run it and return decisions a second."""
        self.ready()
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

    def is_(self, state: str) -> bool:
        """This function will tell whether it is in that state."""
        return self._state() == state

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
