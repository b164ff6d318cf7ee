"""The service itself with a book that keeps nothing: what it costs when no database is asked.

Everything else is as in the service: the route, the key, the schema, the desk, the rules, the record, the tree, the
signed checkpoint, the answer. The book keeps the heads of the logs and forgets all else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

import app.main
from app.adapters.clock import utc_now
from app.settings import Settings
from app.usecases.ports import BatchState, Book, LogHead, Sealed, Wanted
from app.usecases.room import Room


class NullBook:
    """Answers as an empty database would, and remembers where each log ends."""

    def __init__(self, edition: str) -> None:
        self._edition = edition
        self._heads: dict[str, LogHead] = {}

    async def transact(self, wanted: Wanted, seal: Callable[[BatchState], Sealed]) -> Sealed:
        """This function will seal the batch and keep its heads."""
        heads = {lender: self._heads.get(lender) or LogHead(lender, 0, b"", None) for lender in wanted.lenders}
        # Requests that arrived in the same turn of the loop share a batch, as they would while a database writes.
        await asyncio.sleep(0)
        sealed = seal(BatchState(utc_now(), self._edition, heads, {}, {}, ()))
        self._heads.update((head.lender, head) for head in sealed.heads)
        return sealed


def create_app(settings: Settings) -> FastAPI:
    """This function will return the service, its book replaced."""
    with_book = app.main.open_desk

    def without_book(book: Book, room: Room, *others: Any) -> Any:
        return with_book(NullBook(room.catalogue.digest), room, *others)

    app.main.open_desk = without_book
    return app.main.create_app(settings)
