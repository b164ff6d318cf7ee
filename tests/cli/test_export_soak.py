"""An export's memory does not grow with what is exported: a million decisions under 300 MB, in every format."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest

from app.audit.application import application_from_document
from app.audit.canonical import vouched_bytes
from app.usecases.days import day_in_shanghai
from app.usecases.decide import submission_of
from app.usecases.ports import Submission
from benchmarks.companies import applications
from tests.applications import deciding_products, terms_of
from tests.service import demo_settings, running

DECISIONS = int(os.environ.get("JIFENDAI_SOAK_DECISIONS", "1000000"))
MOST_MB = 300
# The command, and then the peaks of its own process and of the one that it starts: together they are never more.
MEASURED = """
import resource, sys
from app.cli import main
code = main(sys.argv[1:])
peaks = [resource.getrusage(who).ru_maxrss // 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print("peaks", *peaks, file=sys.stderr)
raise SystemExit(code)
"""


async def fill(folder: Path, count: int) -> None:
    """This function will decide `count` applications, those of a demonstration besides."""
    on = day_in_shanghai(datetime.now(UTC))
    async with running(demo_settings(folder / "var")) as service:
        desk, products = service.app.state.services.desk, deciding_products()
        for number, product in enumerate(products):
            share = count // len(products) + (number < count % len(products))
            made = applications(terms_of(product), on=on, count=share, seed=1, first_number=number * 10_000_000)
            while batch := list(islice(made, 256)):
                await asyncio.gather(*(desk.submit(_submission(document, number)) for document in batch))


def _submission(document: dict, number: int) -> Submission:
    name = f"{document['application_id']}-{number}"
    document = document | {"application_id": name}
    read = application_from_document(document)
    return submission_of(vouched_bytes(document), read, idempotency_key=name, submitted_by="soak")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("filled")
    asyncio.run(fill(folder, DECISIONS))
    yield folder


@pytest.mark.soak
class TestAnExportOfAMillion:
    @pytest.mark.parametrize("form", ["csv", "jsonl", "parquet", "xlsx"])
    def test_stays_below_the_bound_and_has_every_row(self, filled: Path, form: str):
        path = filled / f"decisions.{form}"
        command = [sys.executable, "-c", MEASURED, "export", "decisions", "--output", str(path)]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("JIFENDAI_")}

        finished = subprocess.run(command, cwd=filled, env=kept, capture_output=True, text=True, timeout=3_600)
        path.unlink(missing_ok=True)

        assert finished.returncode == 0, finished.stderr[-2_000:]
        assert f"{DECISIONS + 10:,} decisions written" in finished.stderr
        peaks = re.search(r"peaks (\d+) (\d+)", finished.stderr)
        print(form, *peaks.groups(), "MB")
        assert sum(map(int, peaks.groups())) < MOST_MB
