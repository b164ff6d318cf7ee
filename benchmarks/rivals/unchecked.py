"""The service itself with nobody at the door: whoever asks is the loan system, and nothing is looked at to know it.

Everything else is as in the service, but that no batch has a key to hold to the newest change of the keys.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI

import app.main
from app.api.access import Caller, Role
from app.api.sign_in import SignIn
from app.settings import Settings

_ANYBODY = Caller("anybody", frozenset({Role.LOAN_SYSTEM}), ())


def create_app(settings: Settings) -> FastAPI:
    """This function will return the service without its check."""

    async def anybody(self: SignIn, headers: Sequence[tuple[bytes, bytes]], *, asked_later: bool = False) -> Caller:
        return _ANYBODY

    SignIn.caller = anybody  # type: ignore[method-assign]
    return app.main.create_app(settings)
