"""Cover of an offer: what a decision must read of a pool, what room it finds there, and what it does to it.

Neighbours may rely on this: a product that reserves nothing at its offer reads nothing here and writes nothing; an
offer that ends gives its room back in the transaction that ends it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from app.domain.decision import Decision, RiskStatus
from app.domain.pool import PoolStanding
from app.domain.standing import Commitment, Standing
from app.domain.terms import RiskCompensationTerms
from app.ledger.claim import POOL
from app.ledger.pool import CoveredLine, promise, release
from app.usecases.act_rows import ActsWanted, Lookup, MoreWanted
from app.usecases.catalogue import ActiveCatalogue
from app.usecases.pool_book import (
    HeldCover,
    PoolChange,
    PoolsInBatch,
    company_lookup,
    cover_lookup,
    pool_lookups,
    with_cover,
)
from app.usecases.ports import Wanted


def lookups_of(asked: Iterable[tuple[str, str]], pools: Mapping[str, str]) -> tuple[Lookup, ...]:
    """This function will say what must be read for applications of (product, company) whose offers reserve room."""
    reserving = [(pools[product], uscc) for product, uscc in asked if product in pools]
    named = dict.fromkeys(pool for pool, _ in reserving)
    companies = dict.fromkeys(uscc for _, uscc in reserving)
    return (*(lookup for pool in named for lookup in pool_lookups(pool)), *map(company_lookup, companies))


def with_rows(asked: Wanted, lookups: Iterable[Lookup]) -> Wanted:
    """This function will ask for these rows as well."""
    acts = asked.acts or ActsWanted()
    return replace(asked, acts=replace(acts, rows=tuple(dict.fromkeys((*acts.rows, *lookups)))))


class Asker(NamedTuple):
    """Who asks for room, when, and which of its open offers end with the decision."""

    lender: str
    uscc: str
    on: date
    ending: tuple[Commitment, ...] = ()


def room_for(
    cover: RiskCompensationTerms, asker: Asker, pools: PoolsInBatch | None, catalogue: ActiveCatalogue
) -> PoolStanding:
    """This function will say what room there is, that of the offers which the decision ends included. Raises MoreWanted
    where the product's pool is another today than it was when the batch was put together.
    """
    if pools is None or not pools.has_read_pool(cover.pool):
        raise MoreWanted(*pool_lookups(cover.pool), company_lookup(asker.uscc))
    free = ()
    if asker.ending:
        free = [held.cover for held in covers_of(asker.ending, pools, catalogue) if held.cover.pool == cover.pool]
    terms = catalogue.pool(cover.pool, on=asker.on)
    return pools.standing(terms, asker.uscc, asker.lender, asker.on, without=free)


def covers_of(
    ending: Iterable[Commitment], pools: PoolsInBatch | None, catalogue: ActiveCatalogue
) -> tuple[HeldCover, ...]:
    """This function will return the covers of offers that end, as far as their products reserve with the offer. Raises
    MoreWanted where they have not been read: an earlier offer may be another company's, or of another product.
    """
    if not catalogue.pools_reserved_from:
        return ()
    found: list[HeldCover] = []
    wanted: list[Lookup] = []
    for commitment in ending:
        pool = catalogue.pools_reserved_from.get(commitment.product)
        held = None if pools is None else pools.cover(commitment.offer_id)
        if held is not None:
            found.append(held)
        elif pool is not None:
            lookups = (*pool_lookups(pool), cover_lookup(commitment.offer_id))
            wanted += [lookup for lookup in lookups if pools is None or not pools.has_read(lookup)]
    if wanted:
        raise MoreWanted(*wanted)
    return tuple(found)


def pool_changes(
    decision: Decision, decision_id: str, offer_id: str, holder: Asker, freed: Iterable[HeldCover]
) -> list[PoolChange]:
    """This function will give what a decision does to pools: room is given back with the offers that end, and reserved
    with the new one.
    """
    changes: list[PoolChange] = []
    for held in freed:
        released, entries = release(held.cover, holder.on)
        changes.append(PoolChange(held.cover.pool, decision_id, entries, with_cover(held, released)))
    promised = None if decision.offer is None else decision.offer.risk_compensation
    if promised is not None and promised.status is RiskStatus.RESERVED:
        lender, uscc, on, _ = holder
        pool, shares = promised.terms.pool, promised.terms.shares.value
        line = CoveredLine(offer_id, pool, lender, uscc, shares.get(POOL, _NONE))
        cover, entries = promise(line, promised.covered_amount, held_until=decision.offer.expires_on, on=on)
        changes.append(PoolChange(pool, decision_id, entries, HeldCover(cover, decision_id, shares)))
    return changes


_NONE = Decimal(0)


def replaced_by(standing: Standing, replaces: str | None, superseded: list[Commitment]) -> list[Commitment]:
    """This function will return the offer whose place a new one takes, or the room of one cap would be promised twice;
    a line that the bank has approved ends by the bank's word alone.
    """
    found = None if replaces is None else standing.find(replaces)
    return [] if found is None or found.credit_approved or found in superseded else [found]
