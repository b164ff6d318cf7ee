"""R11: SIGTERM under load. Readiness turns 503 first, every request that was sent is answered, and what was answered
stands.

The callers do what a balancer makes of them: they stop when readiness says so, and leave a connection that is closing.
"""

import http.client
import json
import os
import signal
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select

from app.adapters.database import store
from app.adapters.database.tables import DECISION
from tests.cli.test_serve import Server, serving
from tests.postgres import as_owner

CALLERS = 8
STOPS, STOPS_SOAK = 1, 20


class Load:
    """Callers who ask for decisions until readiness is gone; `lost` are requests without a whole answer."""

    def __init__(self, server: Server, folder: Path) -> None:
        self._netloc = server.address.removeprefix("http://")
        self._key = json.loads((folder / "var" / "demo-keys.json").read_text())["loan_system"]
        self._body = next(line for line in server.text.splitlines() if line.startswith("curl ")).split(" -d '")[1][:-1]
        self.decided: list[str] = []
        self.statuses: set[int] = set()
        self.lost: list[str] = []
        self.unready_at = self.refused_at = float("inf")
        self._enough = threading.Event()
        self._callers = [threading.Thread(target=self._call, args=(n,), daemon=True) for n in range(CALLERS)]
        self._watch = threading.Thread(target=self._poll, daemon=True)

    def begin(self) -> None:
        """This function will begin to send and to poll readiness."""
        for thread in (*self._callers, self._watch):
            thread.start()

    def end(self) -> None:
        """This function will return when all have their answers."""
        for thread in (*self._callers, self._watch):
            thread.join(60)

    def _call(self, number: int) -> None:
        document, count = json.loads(self._body), 0
        connection = http.client.HTTPConnection(self._netloc, timeout=30)
        while not self._enough.is_set():
            count += 1
            key = f"{os.getpid()}-{number}-{count}"
            body = json.dumps(document | {"application_id": f"STOP-{number}-{count}"})
            headers = {
                "Authorization": f"Bearer {self._key}", "Content-Type": "application/json", "Idempotency-Key": key,
            }  # fmt: skip
            try:
                connection.request("POST", "/v1/decisions", body, headers)
                answer = connection.getresponse()
                text = answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(f"{key}: {error!r}")
                return
            self.statuses.add(answer.status)
            if answer.status == 201:
                self.decided.append(json.loads(text)["decision_id"])

    def _poll(self) -> None:
        while not self._enough.is_set():
            try:
                with closing(http.client.HTTPConnection(self._netloc, timeout=5)) as connection:
                    connection.request("GET", "/readyz")
                    if connection.getresponse().status == 503:
                        self.unready_at = time.monotonic()
                        self._enough.set()
            except OSError:
                self.refused_at = time.monotonic()
                self._enough.set()
            time.sleep(0.02)


def faults_of_a_stop(folder: Path, url: str = "", *, name: signal.Signals = signal.SIGTERM) -> list[str]:
    """This function will stop a service under load, on its own database or on that one, and say what was lost."""
    with serving(folder, JIFENDAI_DATABASE_URL=url) as server:
        load = Load(server, folder)
        load.begin()
        time.sleep(0.5)
        server.process.send_signal(name)
        load.end()
        code = server.process.wait(timeout=40)
    engine = create_engine(store.database_url(as_owner(url or f"sqlite:///{folder}/var/jifendai.db")))
    with engine.connect() as database:
        stored = set(database.execute(select(DECISION.c.decision_id)).scalars())
    engine.dispose()
    wrong = [*load.lost, *(f"{one} was answered and is not there" for one in load.decided if one not in stored)]
    if not load.decided:
        wrong.append("there was no load")
    if load.statuses - {201, 503}:
        wrong.append(f"answered {load.statuses}")
    if load.unready_at == float("inf"):
        wrong.append("the door was closed before readiness said so")
    if code != 0:
        wrong.append(f"it ended with {code}")
    return wrong


class TestAStop:
    def test_under_load_loses_nothing(self, tmp_path: Path):
        assert [fault for _ in range(STOPS) for fault in faults_of_a_stop(tmp_path)] == []

    def test_that_is_a_kill_is_seen_to_lose_something(self, tmp_path: Path):
        """The planted defect: a service that does not drain."""
        assert faults_of_a_stop(tmp_path, name=signal.SIGKILL)

    @pytest.mark.soak
    def test_under_load_loses_nothing_at_full_count(self, tmp_path: Path, database_url: str):
        assert [fault for _ in range(STOPS_SOAK) for fault in faults_of_a_stop(tmp_path, database_url)] == []
