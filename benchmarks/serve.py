"""`python -m benchmarks.serve SIDE PORT`: one rival in a process of its own, under the server that the service uses.

The environment says where its database is; see servers.py.
"""

from __future__ import annotations

import asyncio
import os
import sys
from importlib import import_module

from app.adapters import server
from app.api.problems import connection_refusals
from app.settings import Settings


async def _serve(side: str, port: int) -> None:
    made = import_module(f"benchmarks.rivals.{side}").create_app
    app = made(Settings.from_environment(os.environ)) if side in ("null_book", "unchecked") else made()
    bound = server.listener("127.0.0.1", port)
    async with app.router.lifespan_context(app):
        refusals = connection_refusals()
        await server.serve(app, bound, started=lambda: None, stopping=lambda: None, refusals=refusals)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=server.new_event_loop) as runner:
        runner.run(_serve(sys.argv[1], int(sys.argv[2])))
