"""FastAPI with one raw INSERT and no rules: the least that a durable endpoint in FastAPI can do.

It validates the same body by the same schema, inserts it as it came, and answers with an id of thirty-six bytes; it
checks no key, decides nothing, reads nothing and sequences nothing. Told to carry as much as the service does, it
stores a row and sends an answer of the sizes of the service's own, made once and beforehand.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from fastapi import FastAPI, Request, Response

from app.adapters.identifiers import new_uuid7
from app.api.schemas import DecisionRequest

_TABLE = "CREATE TABLE IF NOT EXISTS taken (id text PRIMARY KEY, application_id text NOT NULL, body bytea NOT NULL)"
_PLAIN = "ALTER TABLE taken ALTER COLUMN body SET STORAGE EXTERNAL"
_INSERT = "INSERT INTO taken (id, application_id, body) VALUES ($1, $2, $3)"


def create_app() -> FastAPI:
    """This function will return the rival. The environment names its database."""
    pools: list[asyncpg.Pool] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        pool = await asyncpg.create_pool(os.environ["BENCH_DATABASE_URL"], min_size=16, max_size=16)
        await pool.execute(_TABLE)
        await pool.execute(_PLAIN)
        pools.append(pool)
        yield
        await pool.close()

    app = FastAPI(lifespan=lifespan)
    more_stored = os.urandom(int(os.environ.get("BENCH_MORE_STORED", "0")))
    answer = b"x" * int(os.environ.get("BENCH_ANSWER_BYTES", "0"))

    @app.post("/v1/decisions", status_code=201, response_model=None)
    async def take(request: Request, application: DecisionRequest) -> dict[str, str] | Response:
        taken = new_uuid7()
        row = await request.body() + more_stored
        async with pools[0].acquire() as connection:
            await connection.execute(_INSERT, taken, application.application_id, row)
        return Response(answer, 201, media_type="application/json") if answer else {"id": taken}

    return app
