"""The command line as somebody in an empty folder uses it.

Neighbours may rely on this: `jifendai` runs one command in the test's own folder; `demonstration` is such a folder in
which a demonstration has been started once.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.api.examples import pre_approved
from app.cli import main
from app.usecases.decide import day_in_shanghai


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


@pytest.fixture
def demonstration(folder: Path, jifendai: Jifendai, application: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a demonstration, as `make run` leaves it behind."""
    with monkeypatch.context() as environment:
        environment.setenv("JIFENDAI_DEMO", "1")
        assert jifendai("decide", application, "--preview").code == 0
    return folder
