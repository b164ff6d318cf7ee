"""Processes of the tests' own, to be killed, raced and watched, each forked from one that has imported the service.

A process that starts from nothing spends over a second on imports before it does anything. Neighbours may rely on this:
what runs here shares nothing with the test that starts it but files and what it is given, dies of `kill` as any process
does, and has no variable JIFENDAI_… that it is not given. That `jifendai` starts as its users start it is for
tests/cli/test_serve.py and tests/test_readme.py to show, which start it so.
"""

import contextlib
import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path

FORKED = multiprocessing.get_context("forkserver")
_ROOT = Path(__file__).parent.parent
_IMPORTED = ["app.main", "app.cli.serving", "app.adapters.server", "tests.service", "tests.adapters.harness"]


def forked(target: object, *args: object) -> BaseProcess:
    """This function will start `target(*args)` in a process of its own, which ends with the tests at the latest."""
    _ready()
    process = FORKED.Process(target=target, args=args, daemon=True)
    process.start()
    return process


def jifendai(
    arguments: Sequence[str], variables: Mapping[str, str], log: Path, *, defect: str = ""
) -> BaseProcess:
    """This function will start `jifendai` with those arguments and variables; what it says is added to `log`.

    `defect` is Python that the process runs first: a planted one.
    """
    return forked(_run, list(arguments), dict(variables), log, defect)


def _run(arguments: list[str], variables: dict[str, str], log: Path, defect: str) -> None:
    said = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for descriptor in (1, 2):
        os.dup2(said, descriptor)
    for name in [name for name in os.environ if name.startswith("JIFENDAI_")]:
        del os.environ[name]
    os.environ.update(variables)
    exec(defect, {})
    from app.cli import main

    sys.exit(main(arguments))


def _ready() -> None:
    """The process that the others are forked from imports from the folder in which it starts."""
    FORKED.set_forkserver_preload(_IMPORTED)
    with contextlib.chdir(_ROOT):
        forkserver.ensure_running()
