"""What looks for known faults: bandit over our own code, pip-audit over what is locked."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def complaints(folder: Path) -> list[str]:
    """This function will return what bandit finds; an exception from a rule is justified where it stands."""
    finished = subprocess.run(
        [sys.executable, "-m", "bandit", "-q", "-r", str(folder), "-f", "json", "-c", str(ROOT / "pyproject.toml")],
        capture_output=True, text=True,
    )  # fmt: skip
    assert finished.stdout, finished.stderr
    found = json.loads(finished.stdout)
    assert not found["errors"], found["errors"]
    return [f"{one['filename']}:{one['line_number']}: {one['test_id']} {one['issue_text']}" for one in found["results"]]


class TestBandit:
    def test_finds_nothing_in_the_service(self):
        found = complaints(ROOT / "app")

        assert not found, "\n" + "\n".join(found)

    @pytest.mark.parametrize("planted", [
        "import subprocess\nsubprocess.run('ls ' + input(), shell=True)\n", "import yaml\nyaml.load(open('x'))\n",
        "import hashlib\nhashlib.md5(b'')\n", "import pickle\npickle.loads(b'')\n", "eval(input())\n",
    ])  # fmt: skip
    def test_would_find_what_is_planted(self, tmp_path: Path, planted: str):
        (tmp_path / "planted.py").write_text(planted)

        assert complaints(tmp_path)


class TestWhatIsLocked:
    @pytest.mark.soak
    def test_has_no_known_fault(self):
        """The list of known faults is asked for over the network: where that cannot be reached nothing is known."""
        finished = subprocess.run(
            [sys.executable, "-m", "pip_audit", "--require-hashes", "--disable-pip", "--progress-spinner=off",
             "--timeout=20", "--format=json", "-r", str(ROOT / "requirements.lock")],
            capture_output=True, text=True,
        )  # fmt: skip
        try:
            asked = json.loads(finished.stdout)["dependencies"]
        except ValueError:
            pytest.skip(f"pip-audit could not ask for known faults: {finished.stderr.strip()[-200:]}")
        # It calls a package that it could not ask about sound, and ends with 0 where it could ask about none.
        unknown = [f"{one['name']}: {one['skip_reason']}" for one in asked if "skip_reason" in one]
        assert not [one for one in asked if one.get("vulns")], finished.stderr
        assert asked, finished.stderr
        if unknown:
            pytest.skip(f"pip-audit could not ask about {len(unknown)} of {len(asked)} packages: {unknown[0]}")
