"""试算: what would be decided, on any day, without deciding anything.

Neighbours may rely on this: a preview writes no record, holds no room and binds no key; who previewed what is kept
apart. A score that is not sent is looked up as a decision's would be, for each lender by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import orjson

from app.audit.record import Identity, Sources, decision_bytes
from app.domain.access import Scope, lender_of, sees
from app.domain.company import Application
from app.domain.decision import Decision, Outcome
from app.domain.pool import PoolStanding
from app.domain.standing import Standing
from app.products.catalog import Catalog, UnknownProduct
from app.rules.decide import EDITION, decide
from app.usecases.catalogue import ActiveCatalogue, check_codes
from app.usecases.days import check_days
from app.usecases.obstacles import NoSuchProduct
from app.usecases.platforms import ScoreLookups
from app.usecases.pool_book import PoolsInBatch, company_lookup, pool_lookups
from app.usecases.pools import Pools
from app.usecases.ports import DecisionLog, Identifiers, PreviewLog, PreviewRow
from app.usecases.subsidy_budgets import SubsidyBudgets, counted, used_up_among

_ORDER = {Outcome.PRE_APPROVED: 0, Outcome.REFERRED: 1, Outcome.DECLINED: 2}
_MADE_BY_THE_LOG = ("decision_id", "revision", "supersedes", "recorded_at")


@dataclass(frozen=True, slots=True)
class Preview:
    """Who asks, for whom, when, and about which day. `lenders` is a scope (app/domain/access.py)."""

    application: Application
    fingerprint: bytes
    previewed_by: str
    lenders: tuple[str, ...]
    at: datetime
    on: date
    previewed_for: str | None = None


class Previewed(NamedTuple):
    """One product's answer that was not given, and what it was made from."""

    application: Application
    decision: Decision
    sources: Sources


def products_of(catalog: Catalog, application: Application, lenders: Scope, on: date) -> tuple[str, ...]:
    """This function will name the product asked for, or every product within the scope in the company's zone."""
    if application.product:
        return (application.product,)
    shelf = catalog.products(on=on, zone=application.company.zone)
    return tuple(p.id for p in shelf if sees(lenders, p.lender.id, None if p.branch is None else p.branch.id))


async def preview(
    asked: Preview,
    *,
    catalogue: ActiveCatalogue,
    decisions: DecisionLog,
    previews: PreviewLog,
    pools: Pools,
    budgets: SubsidyBudgets,
    new_id: Identifiers,
    lookups: ScoreLookups | None = None,
) -> tuple[Previewed, ...]:
    """This function will return the decisions that would be made, best first, and keep who asked. `lookups` finds a
    score where none is sent; None where nobody is to be asked, as about another day.

    Raises NoSuchProduct, UnknownCode, FactFromTheFuture.
    """
    on = asked.on
    check_codes(asked.application, catalogue.catalog)
    check_days(asked.application, on)
    found: list[Previewed] = []
    standings: dict[str, tuple[Standing, tuple[str, ...]]] = {}
    used_up = used_up_among(await budgets.states())
    for application in await _with_scores(asked, catalogue.catalog, lookups):
        product = application.product
        try:
            resolved = catalogue.terms(product, on=on)
        except UnknownProduct:
            raise NoSuchProduct("/product") from None
        lender = lender_of(product)
        if lender not in standings:
            standings[lender] = await _standing(decisions, lender, application, on)
        standing, ending = standings[lender]
        standing = counted(standing, resolved.terms, used_up)
        cover = resolved.terms.risk_compensation
        if cover is not None and cover.reserves_at_offer:
            standing = standing.with_room(await _room(pools, catalogue, cover.pool, application, ending, on))
        decision = decide(application, resolved.terms, standing, on)
        sources = Sources(resolved.terms, resolved.digest, standing, asked.previewed_by)
        found.append(Previewed(application, decision, sources))
    found.sort(key=_best_first)
    await previews.keep([_row(asked, *row, new_id()) for row in found])
    return tuple(found)


async def _with_scores(
    asked: Preview, catalog: Catalog, lookups: ScoreLookups | None
) -> Sequence[Application]:
    """The application as it is asked of each product, with the score that its lender would decide on."""
    products = products_of(catalog, asked.application, asked.lenders, asked.on)
    each = [replace(asked.application, product=product) for product in products]
    lacking = [] if lookups is None else [one.product for one in each if lookups.wants(one)]
    if not lacking:
        return each
    found = await lookups.looked_up(asked.application, tuple(dict.fromkeys(map(lender_of, lacking))))
    scored = {product: replace(found[lender_of(product)], product=product) for product in lacking}
    return [scored.get(one.product, one) for one in each]


async def _standing(
    decisions: DecisionLog, lender: str, application: Application, on: date
) -> tuple[Standing, tuple[str, ...]]:
    """What a decision would be given: without the offer that it would supersede, unless the request names that one; and
    the offers that would end with it.
    """
    company, replaces = application.company, application.request.replaces
    commitments = await decisions.commitments(lender, company.uscc, company.group_id, on)
    own = {c.offer_id for c in commitments if c.application_id == application.application_id}
    others = (c for c in commitments if c.offer_id not in own or c.offer_id == replaces)
    ending = own | {c.offer_id for c in commitments if c.offer_id == replaces and not c.credit_approved}
    return Standing(tuple(others)).live(on), tuple(ending)


async def _room(
    pools: Pools, catalogue: ActiveCatalogue, pool: str, application: Application, ending: Iterable[str], on: date
) -> PoolStanding:
    """What room a decision would find now: that of the offers which it would end included, and nothing is held."""
    uscc = application.company.uscc
    lender = lender_of(application.product)
    own, holders, covers = await pools.for_company(pool, lender, uscc)
    head, others = pool_lookups(pool)
    book = PoolsInBatch({head: own, others: holders, company_lookup(uscc): covers})
    free = [held.cover for held in map(book.cover, ending) if held is not None]
    return book.standing(catalogue.pool(pool, on=on), uscc, lender, on, without=free)


def _best_first(row: Previewed) -> tuple[int, int, Decimal, str]:
    application, decision, _ = row
    offer = decision.offer
    if offer is None:
        return _ORDER[decision.outcome], 0, Decimal(0), application.product
    net = offer.interest_subsidy.net_annual_rate_at_best
    return _ORDER[decision.outcome], -int(offer.credit_limit), net, application.product


def previewed_document(found: Previewed, at: datetime) -> Mapping[str, Any]:
    """This function will write a previewed decision as it would be answered, without what the log alone gives it."""
    application, decision, sources = found
    unmade = Identity("", "", 0, None, at, EDITION)
    document = orjson.loads(decision_bytes(decision, application, sources, unmade))
    for name in _MADE_BY_THE_LOG:
        del document[name]
    if document["offer"] is not None:
        del document["offer"]["offer_id"]
    return document


def _row(
    asked: Preview, application: Application, decision: Decision, sources: Sources, preview_id: str
) -> PreviewRow:
    branch = sources.terms.branch
    return PreviewRow(
        preview_id=preview_id,
        previewed_at=asked.at,
        previewed_by=asked.previewed_by,
        lender=lender_of(application.product),
        product=application.product,
        zone=application.company.zone,
        uscc=application.company.uscc,
        on=asked.on,
        outcome=decision.outcome.value,
        credit_limit=None if decision.offer is None else int(decision.offer.credit_limit),
        fingerprint=asked.fingerprint,
        branch=None if branch is None else branch.id,
        previewed_for=asked.previewed_for,
    )
