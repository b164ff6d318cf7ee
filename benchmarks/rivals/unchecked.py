"""The service itself, whose door can be opened: on SIGUSR1 whoever asks is the loan system, and nothing is looked at to
know it; on SIGUSR2 it is the service's own again.

Everything else stays as it is, in the same process and on the same database, but that a batch let in by the open door
has no key to hold to the newest change of the keys, which it reads all the same.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence

from fastapi import FastAPI

import app.main
from app.api.access import Caller, Role
from app.api.sign_in import SignIn
from app.settings import Settings

_ANYBODY = Caller("anybody", frozenset({Role.LOAN_SYSTEM}), (), "anybody")


def create_app(settings: Settings) -> FastAPI:
    """This function will return the service, its door shut."""
    check = SignIn.caller

    async def anybody(self: SignIn, headers: Sequence[tuple[bytes, bytes]], *, asked_later: bool = False) -> Caller:
        return _ANYBODY

    def ask(with_check: bool) -> None:
        SignIn.caller = check if with_check else anybody  # type: ignore[method-assign]

    signal.signal(signal.SIGUSR1, lambda *_: ask(False))
    signal.signal(signal.SIGUSR2, lambda *_: ask(True))
    return app.main.create_app(settings)
