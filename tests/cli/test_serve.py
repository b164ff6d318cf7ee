"""jifendai serve, as a process of its own: what a newcomer sees, pastes and stops."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("JIFENDAI_")}


class Server:
    """A running `jifendai serve`; `text` is what it has said until it listened."""

    def __init__(self, process: subprocess.Popen[str], text: str) -> None:
        self.process = process
        self.text = text
        self.address = re.search(r"http://[0-9.:]+", text)[0]

    def status(self, path: str) -> int:
        """This function will return the status that the path is answered with."""
        try:
            with urllib.request.urlopen(self.address + path, timeout=5) as answer:
                return answer.status
        except urllib.error.HTTPError as refused:
            return refused.code

    def stop(self, name: signal.Signals) -> int:
        """This function will send the signal and return the exit code."""
        self.process.send_signal(name)
        return self.process.wait(timeout=20)


@contextmanager
def serving(folder: Path, **settings: str) -> Iterator[Server]:
    """A server on a free port, begun in `folder`."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import sys; from app.cli import main; sys.exit(main(['serve']))"],
        cwd=folder, env=ENVIRONMENT | {"JIFENDAI_DEMO": "1", "JIFENDAI_PORT": "0"} | settings,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
    )  # fmt: skip
    try:
        said = []
        for line in process.stdout:
            said.append(line)
            if "Ctrl-C" in line or line.startswith("Jifendai 积分贷: "):
                break
        assert said, process.stderr.read()
        yield Server(process, "".join(said))
    finally:
        process.kill()
        process.communicate()


class TestTheDemonstration:
    def test_prints_a_curl_that_decides_each_time_it_is_pasted(self, tmp_path: Path):
        with serving(tmp_path) as server:
            pasted = next(line for line in server.text.splitlines() if line.startswith("curl "))

            first, second = (
                json.loads(subprocess.run(["sh", "-c", pasted], capture_output=True, check=True).stdout)
                for _ in range(2)
            )

        assert (first["outcome"], second["outcome"]) == ("PRE_APPROVED", "PRE_APPROVED")
        assert second["supersedes"] == first["decision_id"]

    def test_prints_keys_that_only_their_owner_can_read_and_keeps_them(self, tmp_path: Path):
        with serving(tmp_path) as server:
            server.stop(signal.SIGINT)
            first = server.text
        file = tmp_path / "var" / "demo-keys.json"
        keys = json.loads(file.read_text("utf-8"))
        with serving(tmp_path) as server:
            second = server.text

        assert file.stat().st_mode & 0o777 == 0o600
        assert set(keys) == {"loan_system", "loan_officer", "risk_analyst", "auditor", "operator", "second_officer"}
        assert all(key in first and key in second for key in keys.values())

    def test_shows_where_swagger_is(self, tmp_path: Path):
        with serving(tmp_path) as server:
            assert f"{server.address}/docs" in server.text
            assert server.status("/docs") == 200


class TestStopping:
    @pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
    def test_is_no_failure(self, tmp_path: Path, name: signal.Signals):
        with serving(tmp_path) as server:
            assert server.stop(name) == 0
            assert server.process.stderr.read() == ""

    def test_turns_readiness_away_first(self, tmp_path: Path):
        with serving(tmp_path) as server:
            ready = server.status("/readyz")
            server.process.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + 5
            while (stopping := server.status("/readyz")) == 200 and time.monotonic() < deadline:
                time.sleep(0.02)
            alive = server.status("/livez")

        assert (ready, stopping, alive) == (200, 503, 200)


class TestAServerThatCannotStart:
    def test_names_what_is_missing_outside_the_demonstration(self, tmp_path: Path):
        refused = run(tmp_path, JIFENDAI_DEMO="0")

        assert refused.returncode == 3
        assert "JIFENDAI_SIGNING_KEY_FILE" in refused.stderr
        assert "JIFENDAI_LOG_NAME" in refused.stderr
        assert not (tmp_path / "var").exists()

    def test_says_that_the_port_is_taken_and_touches_nothing(self, tmp_path: Path):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            refused = run(tmp_path, JIFENDAI_PORT=str(taken.getsockname()[1]))

        assert refused.returncode == 3
        assert "JIFENDAI_PORT" in refused.stderr
        assert not (tmp_path / "var").exists()

    def test_names_the_faults_of_its_catalogue(self, tmp_path: Path):
        (tmp_path / "catalogue").mkdir()
        (tmp_path / "catalogue" / "codes.yaml").write_text("no_such_key: 1\n")

        refused = run(tmp_path, JIFENDAI_CATALOGUE_DIR="catalogue")

        assert refused.returncode == 3
        assert "codes.yaml:1" in refused.stderr
        assert "Traceback" not in refused.stderr


def run(folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """A server that is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-c", "import sys; from app.cli import main; sys.exit(main(['serve']))"],
        cwd=folder, env=ENVIRONMENT | {"JIFENDAI_DEMO": "1", "JIFENDAI_PORT": "0"} | settings,
        capture_output=True, text=True, timeout=60, encoding="utf-8",
    )  # fmt: skip
