"""The command line as somebody in an empty folder uses it.

Neighbours may rely on this: `jifendai` runs one command in the test's own folder; `demonstration` is such a folder in
which a demonstration has been started once.
"""

import asyncio
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.api.examples import pre_approved
from app.cli import main
from app.main import create_app
from app.settings import Settings
from app.usecases.days import day_in_shanghai


@dataclass(frozen=True)
class Outcome:
    """What a command ended with, and what it wrote."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """This function will read what was asked for."""
        return json.loads(self.out)


Jifendai = Callable[..., Outcome]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and we are in it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def jifendai(folder: Path, capsys: pytest.CaptureFixture[str]) -> Jifendai:
    """Runs one command."""

    def run(*arguments: str | Path) -> Outcome:
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as ended:
            code = ended.code
        written = capsys.readouterr()
        return Outcome(code, written.out, written.err)

    return run


@pytest.fixture
def application(folder: Path) -> Path:
    """The file of an application that is pre-approved today."""
    path = folder / "application.json"
    path.write_text(json.dumps(pre_approved(day_in_shanghai(datetime.now(UTC)))), "utf-8")
    return path


@pytest.fixture(scope="session")
def _begun_demonstration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in which a demonstration has been started and stopped."""
    data_dir = tmp_path_factory.mktemp("demonstration") / "var"
    app = create_app(Settings.from_environment({"JIFENDAI_DEMO": "1", "JIFENDAI_DATA_DIR": str(data_dir)}))

    async def start_and_stop() -> None:
        async with app.router.lifespan_context(app):
            pass

    asyncio.run(start_and_stop())
    return data_dir


@pytest.fixture
def demonstration(folder: Path, _begun_demonstration: Path) -> Path:
    """A folder with a demonstration, as `make run` leaves it behind."""
    shutil.copytree(_begun_demonstration, folder / "var")
    return folder
