"""What the service is installed from and packed into: the locks, and the image as far as it can be tried here."""

import json
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
LOCKS = ["requirements.lock", "requirements-dev.lock", "requirements-bench.lock"]


def pins(lock: str) -> dict[str, str]:
    """This function will return the version of each package in a lock."""
    return dict(re.findall(r"^([a-z0-9-]+)(?:\[[a-z,-]+\])?==([^ ;]+)", (ROOT / lock).read_text("utf-8"), re.MULTILINE))


class TestALock:
    @pytest.mark.parametrize("lock", LOCKS)
    def test_gives_every_package_an_exact_version_and_a_hash(self, lock: str):
        entries = re.split(r"\n(?=\S)", (ROOT / lock).read_text("utf-8").strip())

        unpinned = [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry]

        assert len(entries) > 30
        assert unpinned == []

    @pytest.mark.parametrize("lock", LOCKS)
    def test_names_no_address(self, lock: str):
        assert "://" not in (ROOT / lock).read_text("utf-8")

    @pytest.mark.parametrize("lock", LOCKS[1:])
    def test_of_the_tests_holds_the_very_versions_that_are_served(self, lock: str):
        assert pins("requirements.lock").items() <= pins(lock).items()

    def test_holds_every_dependency_that_pyproject_names(self):
        named = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]

        names = {re.match(r"[a-z0-9-]+", one).group() for one in named}

        assert names <= pins("requirements.lock").keys()


class Readiness(BaseHTTPRequestHandler):
    """A stand-in for the service: answers /readyz with the status that the test wants."""

    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/readyz" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing is printed in a test."""


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Readiness) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


class TestTheImage:
    def health(self, port: int) -> int:
        command = json.loads(re.search(r"HEALTHCHECK .*CMD (\[.*\])", DOCKERFILE).group(1))
        environment = {"JIFENDAI_PORT": str(port)}
        return subprocess.run([sys.executable, *command[1:]], env=environment, capture_output=True).returncode

    def test_is_healthy_exactly_while_the_service_is_ready(self, port: int, monkeypatch: pytest.MonkeyPatch):
        assert self.health(port) == 0

        monkeypatch.setattr(Readiness, "status", 503)

        assert self.health(port) != 0

    def test_is_unhealthy_where_nothing_listens(self):
        assert self.health(1) != 0

    def test_starts_from_a_pinned_base_and_ends_as_an_account_without_rights(self):
        base = re.search(r"^ARG PYTHON_IMAGE=(\S+)$", DOCKERFILE, re.MULTILINE).group(1)
        accounts = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)

        assert re.fullmatch(r"python:3\.\d+(\.\d+)?-slim-\w+", base)
        assert accounts[-1] == "10001:10001"

    def test_is_made_of_the_lock_by_hash_and_of_nothing_from_an_index_after_it(self):
        installs = re.findall(r"pip install (.*)", DOCKERFILE)

        assert len(installs) == 2
        assert "--require-hashes" in installs[0]
        assert "--no-index" in installs[1]

    def test_packs_only_files_that_are_there(self):
        packed = [line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line[:1] == "!"]

        missing = [name for name in packed if not (ROOT / name).exists()]

        assert missing == []
