"""The catalogue: zones, lenders, products and codes, and a product's terms on a day.

Neighbours may rely on this: a catalogue never changes; terms are the same object for all days between two dates of
change, so that they can be compared and cached by identity; asking again for the same product and day costs one
dictionary look-up.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from app.domain.company import ScoreState
from app.domain.money import Yuan
from app.domain.pool import PoolTerms
from app.domain.terms import (
    Branch,
    ClaimKind,
    Lender,
    PoolBook,
    ProductKind,
    ProductStatus,
    ProductTerms,
    ReservedAt,
    Words,
)
from app.domain.trace import Reference
from app.domain.working_days import WorkingDays
from app.products.build import terms_from_document
from app.products.forms import Section
from app.products.pools import pool_terms, working_days
from app.products.resolve import Document, dates_of_change, status_on, terms_document
from app.products.sources import Product, Sources

# Days come from callers (preview), and callers must not fill the memory: beyond this many pairs all are forgotten.
MOST_REMEMBERED = 10_000


class UnknownProduct(LookupError):
    """No product of that id is in the catalogue."""


class UnknownZone(LookupError):
    """No zone of that id is in the catalogue."""


class UnknownLender(LookupError):
    """No lender of that id is in the catalogue."""


@dataclass(frozen=True, slots=True)
class KnownFact:
    """Something a source tells that decides nothing: shown on the shelf."""

    fact: Words
    reference: Reference


@dataclass(frozen=True, slots=True)
class ShelfProduct:
    """A product as the shelf (金融超市) shows it on a day."""

    id: str
    name: Words
    also_known_as: tuple[str | Words, ...]
    lender: Lender
    branch: Branch | None
    zones: tuple[str, ...]
    kind: ProductKind
    status: ProductStatus
    status_reference: Reference | None
    revolving: bool
    known: tuple[KnownFact, ...]


@dataclass(frozen=True, slots=True)
class Scheme:
    """积分体系 of a zone on a day. `stages_complete` False: the zone publishes only some of the names."""

    id: str
    name: Words
    scale_maximum: str | None
    versions: tuple[str, ...] | None
    stages: Mapping[str, Words]
    stages_complete: bool
    fields: Mapping[str, Words]
    grades: tuple[str, ...]
    veto: bool
    states: tuple[ScoreState, ...]
    note: Words | None
    known: tuple[KnownFact, ...]


@dataclass(frozen=True, slots=True)
class Measure:
    """A subsidy programme or a pool of a zone as the shelf shows it on a day; status None: not in force."""

    id: str
    name: Words
    status: ProductStatus | None
    note: Words | None
    known: tuple[KnownFact, ...]


@dataclass(frozen=True, slots=True)
class Programme:
    """贴息项目 as its zone has it on a day; `budget` and `claim_within_days` None where the file states none."""

    id: str
    name: Words
    status: ProductStatus | None
    claim: ClaimKind
    budget: Yuan | None
    claim_within_days: int | None


@dataclass(frozen=True, slots=True)
class Zone:
    """高新区 on a day."""

    id: str
    name: Words
    division: str | None
    platform: Words | None
    platform_since: date | None
    schemes: Mapping[str, Scheme]
    interest_subsidies: tuple[Measure, ...]
    risk_compensation_pools: tuple[Measure, ...]
    known: tuple[KnownFact, ...]


@dataclass(frozen=True, slots=True)
class Codes:
    """The catalogue's own code lists, each with its words."""

    qualifications: Mapping[str, Words]
    purposes: Mapping[str, Words]
    prohibited_purposes: frozenset[str]
    fields: Mapping[str, Words]
    evidence: Mapping[str, Words]
    conditions: Mapping[str, Words]


class Catalog:
    """Everything the catalogue's files say."""

    def __init__(self, sources: Sources, files: Mapping[str, bytes]) -> None:
        self.sources = sources
        self.codes = _codes(sources.codes)
        self.lenders: Mapping[str, Lender] = MappingProxyType(
            {name: Lender(name, s["name"], s["kind"]) for name, s in sorted(sources.lenders.items())}
        )
        self._files = MappingProxyType(dict(files))
        self._changes = {product.id: dates_of_change(sources, product) for product in sources.products.values()}
        self._terms: dict[tuple[str, int], ProductTerms] = {}
        self._remembered: dict[tuple[str, date], ProductTerms] = {}

    # ---- the edition ----

    @property
    def digest_source(self) -> bytes:
        """This property is what identifies the edition: for each file, by path, its path, its length and its bytes."""
        parts = []
        for path, content in sorted(self._files.items()):
            parts += [path.encode(), b"\0", str(len(content)).encode(), b"\0", content]
        return b"".join(parts)

    # ---- terms ----

    def terms(self, product_id: str, *, on: date) -> ProductTerms:
        """This function will return the product's terms on a day. Raises UnknownProduct."""
        found = self._remembered.get((product_id, on))
        return found if found is not None else self._resolve(product_id, on)

    def _resolve(self, product_id: str, on: date) -> ProductTerms:
        product = self._product(product_id)
        interval = (product_id, bisect_right(self._changes[product_id], on))
        terms = self._terms.get(interval)
        if terms is None:
            terms = self._terms.setdefault(interval, terms_from_document(terms_document(self.sources, product, on)))
        if len(self._remembered) >= MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered[product_id, on] = terms
        return terms

    def terms_document(self, product_id: str, *, on: date) -> Document:
        """This function will return a fresh copy of the product's plain form on a day. Raises UnknownProduct."""
        return terms_document(self.sources, self._product(product_id), on)

    def dates_of_change(self, product_id: str) -> tuple[date, ...]:
        """This function will return the days on which the product's terms may change, ascending. Raises
        UnknownProduct.
        """
        self._product(product_id)
        return self._changes[product_id]

    def knows_product(self, product_id: str) -> bool:
        """This function will tell whether there is such a product, whatever its status."""
        return product_id in self.sources.products

    def branch_of(self, product_id: str) -> str | None:
        """This function will return the code of the branch in charge of the product; None where the whole lender is, or
        there is no such product.
        """
        product = self.sources.products.get(product_id)
        return None if product is None else product.own.get("branch")

    def _product(self, product_id: str) -> Product:
        try:
            return self.sources.products[product_id]
        except KeyError:
            raise UnknownProduct(product_id) from None

    # ---- the shelf ----

    def products(
        self, *, on: date, zone: str | None = None, lender: str | None = None, kind: ProductKind | None = None
    ) -> tuple[ShelfProduct, ...]:
        """This function will return what stands on the shelf on a day, by id: all that is announced and not closed."""
        shelf = (self.product(product_id, on=on) for product_id in sorted(self.sources.products))
        return tuple(
            p
            for p in shelf
            if p.status is not ProductStatus.CLOSED
            and (zone is None or zone in p.zones)
            and (lender is None or p.lender.id == lender)
            and (kind is None or p.kind is kind)
        )

    def product(self, product_id: str, *, on: date) -> ShelfProduct:
        """This function will return one product as the shelf shows it, also a closed one. Raises UnknownProduct."""
        product = self._product(product_id)
        own, lender = product.own, self.sources.lenders[product.lender]
        entry = product.status.on(on)
        branch = own.get("branch")
        return ShelfProduct(
            id=product.id,
            name=own["name"],
            also_known_as=tuple(own.get("also_known_as", ())),
            lender=self.lenders[product.lender],
            branch=None if branch is None else Branch(branch, lender["branches"][branch]["name"]),
            zones=tuple(sorted(product.zones)),
            kind=product.kind,
            status=status_on(product.status, on),
            status_reference=None if entry is None else entry.reference,
            revolving=own.get("revolving", False),
            known=_known(own),
        )

    # ---- zones and lenders ----

    def zones(self, *, on: date) -> tuple[Zone, ...]:
        """This function will return every zone as it stands on a day, by id."""
        return tuple(self.zone(name, on=on) for name in sorted(self.sources.zones))

    def zone(self, zone_id: str, *, on: date) -> Zone:
        """This function will return one zone as it stands on a day. Raises UnknownZone."""
        section = self.sources.zones.get(zone_id)
        if section is None:
            raise UnknownZone(zone_id)
        platform = section.get("platform", {})
        return Zone(
            id=zone_id,
            name=section["name"],
            division=section.get("division"),
            platform=platform.get("name"),
            platform_since=platform.get("since"),
            schemes={name: self._scheme(name, s, on) for name, s in section.get("score_schemes", {}).items()},
            interest_subsidies=_measures(zone_id, section.get("interest_subsidies", {}), on),
            risk_compensation_pools=_measures(zone_id, section.get("risk_compensation_pools", {}), on),
            known=_known(section),
        )

    def programmes(self, *, on: date) -> tuple[Programme, ...]:
        """This function will return every zone's subsidy programmes as they stand on a day, by id."""
        return tuple(_programme(name, found, on) for name, found in sorted(self.sources.subsidies.items()))

    def pools(self, *, on: date) -> tuple[PoolTerms, ...]:
        """This function will return every risk-compensation pool as it stands on a day, by id."""
        return tuple(pool_terms(pool_id, self.sources.pools[pool_id], on) for pool_id in sorted(self.sources.pools))

    def pool(self, pool_id: str, *, on: date) -> PoolTerms | None:
        """This function will return one pool as it stands on a day, None where there is none of that id."""
        section = self.sources.pools.get(pool_id)
        return None if section is None else pool_terms(pool_id, section, on)

    def pools_reserved_from(self) -> Mapping[str, str]:
        """This function will return, by product, the pool from which its offers themselves reserve room."""
        covers = ((p.id, p.sections.get("risk_compensation", {})) for p in self.sources.products.values())
        asked = {id_: cover["pool"] for id_, cover in covers if cover.get("reserve_at") is ReservedAt.OFFER}
        pools = self.sources.pools
        return {id_: pool for id_, pool in asked.items() if pools[pool].get("book") is not PoolBook.EXTERNAL}

    def working_days(self) -> WorkingDays:
        """This function will return the years whose holidays are announced."""
        return working_days(self.sources)

    def _scheme(self, name: str, scheme: Section, on: date) -> Scheme:
        maximum, versions = (None if key not in scheme else scheme[key].on(on) for key in ("scale_maximum", "versions"))
        return Scheme(
            id=name,
            name=scheme["name"],
            scale_maximum=None if maximum is None else format(maximum.value, "f"),
            versions=None if versions is None else tuple(versions.value),
            stages=dict(scheme.get("stages", {})),
            stages_complete=scheme.get("complete", False),
            fields={code: self.codes.fields[code] for code in scheme.get("fields", ())},
            grades=tuple(scheme.get("grades", ())),
            veto=scheme.get("veto", False),
            states=tuple(scheme.get("states", tuple(ScoreState))),
            note=scheme.get("note"),
            known=_known(scheme),
        )

    def knows_zone(self, zone_id: str) -> bool:
        """This function will tell whether there is such a zone."""
        return zone_id in self.sources.zones

    def knows_scheme(self, zone_id: str, scheme_id: str) -> bool:
        """This function will tell whether the zone scores by that scheme."""
        return scheme_id in self._schemes(zone_id)

    def knows_stage(self, zone_id: str, code: str) -> bool:
        """This function will tell whether a scheme of the zone names that stage."""
        return any(code in scheme.get("stages", ()) for scheme in self._schemes(zone_id).values())

    def knows_field(self, zone_id: str, code: str) -> bool:
        """This function will tell whether a scheme of the zone ranks within that field of technology.

        A zone that lists no fields takes every field of the catalogue.
        """
        listed = [scheme["fields"] for scheme in self._schemes(zone_id).values() if "fields" in scheme]
        return any(code in fields for fields in listed) if listed else code in self.codes.fields

    def knows_grade(self, zone_id: str, code: str) -> bool:
        """This function will tell whether a scheme of the zone has that grade; a zone that lists no grades has any."""
        listed = [scheme["grades"] for scheme in self._schemes(zone_id).values() if "grades" in scheme]
        return any(code in grades for grades in listed) if listed else True

    def _schemes(self, zone_id: str) -> Mapping[str, Section]:
        zone = self.sources.zones.get(zone_id)
        return {} if zone is None else zone.get("score_schemes", {})

    def knows_qualification(self, code: str) -> bool:
        """This function will tell whether codes.yaml has that qualification."""
        return code in self.codes.qualifications

    def knows_purpose(self, code: str) -> bool:
        """This function will tell whether codes.yaml has that purpose, prohibited ones included."""
        return code in self.codes.purposes

    def knows_evidence(self, code: str) -> bool:
        """This function will tell whether codes.yaml has that kind of evidence."""
        return code in self.codes.evidence

    def knows_lender(self, lender_id: str) -> bool:
        """This function will tell whether there is such a lender."""
        return lender_id in self.lenders

    def lender(self, lender_id: str) -> Lender:
        """This function will return a lender. Raises UnknownLender."""
        try:
            return self.lenders[lender_id]
        except KeyError:
            raise UnknownLender(lender_id) from None

    def branches(self, lender_id: str) -> tuple[Branch, ...]:
        """This function will return a lender's branches. Raises UnknownLender."""
        self.lender(lender_id)
        listed = self.sources.lenders[lender_id].get("branches", {})
        return tuple(Branch(code, branch["name"]) for code, branch in listed.items())


def _codes(section: Section) -> Codes:
    purposes = section.get("purposes", {})
    lists = {
        key: MappingProxyType(dict(section.get(key, {})))
        for key in ("qualifications", "fields", "evidence", "conditions")
    }
    return Codes(
        purposes=MappingProxyType({code: Words(p["zh"], p["en"]) for code, p in purposes.items()}),
        prohibited_purposes=frozenset(code for code, p in purposes.items() if p.get("prohibited")),
        **lists,
    )


def _measures(zone_id: str, measures: Mapping[str, Section], on: date) -> tuple[Measure, ...]:
    return tuple(
        Measure(
            id=f"{zone_id}/{name}",
            name=measure["name"],
            status=None if (entry := measure["status"].on(on)) is None else entry.value,
            note=measure.get("note"),
            known=_known(measure),
        )
        for name, measure in measures.items()
    )


def _programme(name: str, programme: Section, on: date) -> Programme:
    entries = (programme[key].on(on) if key in programme else None for key in ("status", "budget", "claim_within_days"))
    status, budget, within = (None if entry is None else entry.value for entry in entries)
    return Programme(name, programme["name"], status, programme["claim"], budget, within)


def _known(section: Section) -> tuple[KnownFact, ...]:
    return tuple(KnownFact(known["fact"], known["reference"]) for known in section.get("known", ()))
