"""The catalogue as the use cases hold it: each product's terms on a day, with the digest under which they are recorded.

Neighbours may rely on this: the same terms give the same digest, and their bytes are canonical.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from app.audit.canonical import canonical_bytes, digest
from app.domain.company import Application
from app.domain.pool import PoolTerms
from app.domain.terms import ProductTerms
from app.products.catalog import Catalog
from app.usecases.obstacles import UnknownCode

_MOST_POOLS = 1_000


@dataclass(frozen=True, slots=True)
class ResolvedTerms:
    """Terms on a day, the bytes that are stored once, and their digest."""

    terms: ProductTerms
    digest: str
    document: bytes


class ActiveCatalogue:
    """One edition of the catalogue and its digest; it never changes."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.digest = digest(catalog.digest_source)
        # Terms are one object between two dates of change; holding them here keeps their identity from being reused.
        self._resolved: dict[int, ResolvedTerms] = {}

        self.working_days = catalog.working_days()
        self.pools_reserved_from = catalog.pools_reserved_from()
        """By product, the pool from which its offers themselves reserve room."""
        self._pools: dict[tuple[str, date], PoolTerms | None] = {}

    def pool(self, pool_id: str, *, on: date) -> PoolTerms | None:
        """This function will return a pool's terms on a day, None where there is no such pool."""
        found = self._pools.get((pool_id, on))
        if found is None:
            if len(self._pools) >= _MOST_POOLS:
                self._pools.clear()
            found = self._pools[pool_id, on] = self.catalog.pool(pool_id, on=on)
        return found

    def terms(self, product: str, *, on: date) -> ResolvedTerms:
        """This function will return a product's terms on a day; raises UnknownProduct of the catalogue."""
        terms = self.catalog.terms(product, on=on)
        found = self._resolved.get(id(terms))
        if found is None or found.terms is not terms:
            document = canonical_bytes(terms.document)
            found = self._resolved[id(terms)] = ResolvedTerms(terms, digest(document), document)
        return found


def check_codes(application: Application, catalog: Catalog) -> None:
    """This function will refuse codes that the catalogue does not know; UnknownCode names the place and the kind.

    A scheme of another zone is a matter for the rules, and so is a code that is known but not accepted.
    """
    company, score = application.company, application.innovation_score
    if not catalog.knows_zone(company.zone):
        raise UnknownCode("/company/zone", "zone")
    if not catalog.knows_purpose(application.request.purpose):
        raise UnknownCode("/request/purpose", "purpose")
    for i, held in enumerate(company.qualifications or ()):
        if not catalog.knows_qualification(held.code):
            raise UnknownCode(f"/company/qualifications/{i}/code", "qualification")
    for code in application.evidence or ():
        if not catalog.knows_evidence(code):
            raise UnknownCode("/evidence", "evidence")
    if score is not None and catalog.knows_scheme(company.zone, score.scheme):
        if score.stage is not None and not catalog.knows_stage(company.zone, score.stage):
            raise UnknownCode("/innovation_score/stage", "stage")
        if score.grade is not None and not catalog.knows_grade(company.zone, score.grade):
            raise UnknownCode("/innovation_score/grade", "grade")
        if score.field is not None and not catalog.knows_field(company.zone, score.field):
            raise UnknownCode("/innovation_score/field", "field")
