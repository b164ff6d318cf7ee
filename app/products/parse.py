"""Bytes to a catalogue.

Neighbours may rely on this: `parse_catalogue` is pure, and either answers a catalogue in which every ACTIVE loan can
decide on every day it is ACTIVE, or raises a CatalogueError that names all faults of the stage it got to: first what
cannot be read, then names that mean nothing, then what an ACTIVE loan lacks.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.products.catalog import Catalog
from app.products.completeness import check_completeness
from app.products.faults import Faults, Place
from app.products.forms import REFERENCES, Reading, Record, Section, Unreadable
from app.products.layout import LENDER, LENDER_FILE, PRODUCT, PRODUCT_FILE, SINGLE_FILES, ZONE, ZONE_FILE
from app.products.links import check_links
from app.products.reader import read_yaml
from app.products.sources import Product, Sources, laid_over

NEEDED = ("codes.yaml", "lpr.yaml")


def parse_catalogue(files: Mapping[str, bytes]) -> Catalog:
    """This function will read a catalogue from its files, by path relative to its folder. Raises CatalogueError.

    Files whose name does not end in .yaml or .yml are passed over.
    """
    faults = Faults()
    read = {path: _read_file(path, files[path], faults) for path in sorted(files) if path.endswith((".yaml", ".yml"))}
    for path in NEEDED:
        if path not in read:
            faults.add(Place(path, 1), "the file is missing", f"Write {path}; it belongs to every catalogue.")
    faults.refuse()

    sources = _sources(read, faults)
    check_links(sources, faults)
    faults.refuse()
    check_completeness(sources, faults)
    faults.refuse()
    return Catalog(sources, {path: files[path] for path in read})


def _read_file(path: str, content: bytes, faults: Faults) -> Section | None:
    form = _form_of(path)
    if form is None:
        mend = (
            "Names: codes, lpr, holidays, zones/<zone>, lenders/<lender>/lender, lenders/<lender>/<slug>; then .yaml."
        )
        faults.add(Place(path, 1), "no file of this name belongs to a catalogue", mend)
        return None
    top = read_yaml(path, content, faults)
    if top is None:
        return None
    cited = top.get("references")
    try:
        references = REFERENCES.read(cited, Reading(Faults())) if cited is not None else {}
    except Unreadable:
        references = {}
    try:
        return form.read(top, Reading(faults, references))
    except Unreadable:
        return None


def _form_of(path: str) -> Record | None:
    if path in SINGLE_FILES:
        return SINGLE_FILES[path]
    if ZONE_FILE.fullmatch(path):
        return ZONE
    if LENDER_FILE.fullmatch(path):
        return LENDER
    return PRODUCT if PRODUCT_FILE.fullmatch(path) else None


def _sources(read: Mapping[str, Section], faults: Faults) -> Sources:
    zones = {m[1]: section for path, section in read.items() if (m := ZONE_FILE.fullmatch(path))}
    lenders = {m[1]: section for path, section in read.items() if (m := LENDER_FILE.fullmatch(path))}
    products = {}
    for path, own in read.items():
        match = PRODUCT_FILE.fullmatch(path)
        if match is None or LENDER_FILE.fullmatch(path):
            continue
        name = f"{match[1]}/{match[2]}"
        products[name] = Product(name, match[1], own, laid_over(own, _framework(own, zones, faults)))
    return Sources(
        codes=read["codes.yaml"],
        lpr=read["lpr.yaml"],
        holidays=read.get("holidays.yaml"),
        zones=zones,
        lenders=lenders,
        products=products,
        subsidies=_by_id(zones, "interest_subsidies"),
        pools=_by_id(zones, "risk_compensation_pools"),
    )


def _by_id(zones: Mapping[str, Section], kind: str) -> dict[str, Section]:
    return {f"{zone}/{name}": part for zone, section in zones.items() for name, part in section.get(kind, {}).items()}


def _framework(own: Section, zones: Mapping[str, Section], faults: Faults) -> Section | None:
    if "framework" not in own:
        return None
    known = _by_id(zones, "frameworks")
    framework = known.get(own["framework"])
    if framework is None:
        mend = f"Name one that a zone's file has ({', '.join(known) or 'there are none'}), or write it there."
        faults.add(own.places["framework"], f"the framework {own['framework']} is not known", mend)
    return framework
