"""The benchmark still runs: seconds instead of minutes, its figures mean nothing here.

It is more than a smoke test all the same: every rival engine must agree with `decide` on every company, no side may
answer anything but 201, and whatever was acknowledged must be found again in logs that hold together.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


class TestTheBenchmark:
    def test_runs_whole_agrees_and_finds_everything_again(self):
        command = [sys.executable, "-m", "benchmarks", "--quick"]

        finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

        assert finished.returncode == 0, finished.stderr[-4000:]
        for measured in ("zen-engine", "textbook", "raw INSERT", "logs and roots verified", "first 201"):
            assert measured in finished.stdout
