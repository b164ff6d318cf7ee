"""FastAPI with one raw INSERT and no rules: the least that a durable endpoint in FastAPI can do.

It validates the same body by the same schema, inserts it as it came, and answers with an id of thirty-six bytes; it
checks no key, decides nothing, reads nothing and sequences nothing.
"""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from fastapi import FastAPI, Request

from app.adapters.identifiers import new_uuid7
from app.api.schemas import DecisionRequest

_TABLE = "CREATE TABLE IF NOT EXISTS taken (id text PRIMARY KEY, application_id text NOT NULL, body bytea NOT NULL)"
_INSERT = "INSERT INTO taken (id, application_id, body) VALUES ($1, $2, $3)"


def create_app() -> FastAPI:
    """This function will return the rival. The environment names its database."""
    pools: list[asyncpg.Pool] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        pool = await asyncpg.create_pool(os.environ["BENCH_DATABASE_URL"], min_size=16, max_size=16)
        await pool.execute(_TABLE)
        pools.append(pool)
        gc.collect()
        gc.freeze()
        yield
        await pool.close()

    app = FastAPI(lifespan=lifespan)

    @app.post("/v1/decisions", status_code=201)
    async def take(request: Request, application: DecisionRequest) -> dict[str, str]:
        taken = new_uuid7()
        async with pools[0].acquire() as connection:
            await connection.execute(_INSERT, taken, application.application_id, await request.body())
        return {"id": taken}

    return app
