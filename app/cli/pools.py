"""jifendai pools show, statement, confirm: what an external pool's manager told us, recorded without a server."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import orjson

from app.adapters.identifiers import new_uuid7
from app.api.bodies import checked_document
from app.api.calls import Services
from app.api.external_pools import confirmed, stated
from app.api.pool_schemas import ConfirmationRequest, ManagerStatementRequest
from app.api.pools import shown_pool
from app.api.problems import Problem
from app.audit.canonical import canonical_bytes
from app.cli.deciding import given, show_answer
from app.cli.installation import say, subject
from app.domain.pool import PoolTerms
from app.usecases.acts import Act


def show(options: argparse.Namespace) -> None:
    """This function will show a pool, or all of them: room, sums, and what each lender holds."""

    async def shown(services: Services) -> Any:
        on, lenders = services.today(), services.lenders
        pools = services.catalogue.catalog.pools(on=on) if options.pool is None else (_terms(services, options.pool),)
        return [await shown_pool(services, terms, lenders, on, whole=True) for terms in pools]

    show_answer(shown)


def statement(options: argparse.Namespace) -> None:
    """This function will record what the manager states of the whole pool."""
    body = given(options.file)

    async def recorded(services: Services) -> Any:
        document, sent = checked_document(ManagerStatementRequest, body)
        pool = _terms(services, options.pool).id
        return await _record(services, options, document, lambda **act: stated(sent, pool, **act))

    show_answer(recorded)


def confirm(options: argparse.Namespace) -> None:
    """This function will record the manager's confirmation of cover for one line."""
    body = given(options.file)

    async def recorded(services: Services) -> Any:
        document, sent = checked_document(ConfirmationRequest, body)
        pool = _terms(services, options.pool).id
        found = await services.offers.find(sent.offer_id, services.lenders)
        return await _record(services, options, document, lambda **act: confirmed(sent, pool, found, **act))

    show_answer(recorded)


def _terms(services: Services, pool: str) -> PoolTerms:
    found = services.catalogue.pool(pool, on=services.today())
    if found is None:
        raise Problem("not-found")
    return found


async def _record(
    services: Services, options: argparse.Namespace, document: dict[str, Any], make: Callable[..., Act]
) -> Any:
    key = options.key or f"cli-{new_uuid7()}"
    say(f"Idempotency-Key: {key}")
    act = make(document=canonical_bytes(document), idempotency_key=key, submitted_by=subject())
    return orjson.loads((await services.desk.submit(act)).body)
