"""Cases as policy people write them: a base application a file, a line or two a case, and what is expected.

Neighbours may rely on this: a case's keys are paths into the wire form (`innovation_score.value: "59.99"`); null makes
a fact unknown; whole yuan may be written as integers. `differences` answers what a case finds otherwise than expected,
nothing where it holds; reasons that decline or refer, and notes (INFO), are compared whole and in order.
"""

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from app.audit.application import application_from_document
from app.domain.decision import Decision, Subsidy
from app.domain.money import Yuan, decimal_text
from app.domain.pool import PoolStanding
from app.domain.standing import Commitment, Standing
from app.domain.terms import ProductTerms, Severity
from app.products.catalog import Catalog
from app.products.parse import parse_catalogue
from app.rules.decide import decide

CASES = Path(__file__).parent / "cases"
PRODUCTS = Path(__file__).parent.parent / "app" / "products"
KEYS = {"name", "product", "decided_on", "given", "standing", "expect", "published", "assumed", "source", "why", "pool"}


class _Loader(yaml.CSafeLoader):
    """Dates stay the strings that the wire carries, and only true and false are flags (`on` is a key of the wire)."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag.rpartition(":")[2] not in ("timestamp", "bool")]
    for first, found in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true|false"), ["t", "f"])


@dataclass(frozen=True)
class Case:
    """One case: a sentence, an application on a day, what is promised already, and what is expected."""

    file: str
    name: str
    product: str
    decided_on: date
    document: Mapping[str, Any]
    standing: Standing
    pool: Mapping[str, Any]
    expect: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.file}: {self.name}"


@cache
def product_files() -> Mapping[str, bytes]:
    """This function will return the catalogue's files by path."""
    return {path.relative_to(PRODUCTS).as_posix(): path.read_bytes() for path in sorted(PRODUCTS.rglob("*.yaml"))}


@cache
def catalogue() -> Catalog:
    """This function will return the catalogue as it stands."""
    return parse_catalogue(product_files())


@cache
def all_cases() -> tuple[Case, ...]:
    """This function will return every case of tests/cases, file by file, in the order written."""
    return tuple(case for path in sorted(CASES.glob("*.yaml")) for case in cases_of(path))


def cases_of(path: Path) -> Iterator[Case]:
    file = yaml.load(path.read_text("utf-8"), Loader=_Loader)
    for written in file["cases"]:
        unknown = set(written) - KEYS
        assert not unknown, f"{path.name}: {written.get('name')}: unknown keys {sorted(unknown)}"
        yield _case(path.stem, file, written)


def _case(stem: str, file: Mapping[str, Any], written: Mapping[str, Any]) -> Case:
    product = written.get("product", file.get("product"))
    document = copy.deepcopy(file.get("given", {}))
    document["product"] = product
    document.setdefault("application_id", "CASE")
    for part in ("published", "assumed", "given"):
        for key, value in written.get(part, {}).items():
            _put(document, key.split("."), value)
    standing = Standing(tuple(_commitment(line, i, document) for i, line in enumerate(written.get("standing", ()))))
    on = date.fromisoformat(written.get("decided_on", file.get("decided_on")))
    pool = written.get("pool", {})
    return Case(stem, written["name"], product, on, _on_the_wire(document), standing, pool, written["expect"])


def _put(document: dict[str, Any], path: list[str], value: Any) -> None:
    """Set one value; a part that is unknown so far is made."""
    *parents, last = path
    for key in parents:
        if document.get(key) is None:
            document[key] = {}
        document = document[key]
    if value is None and parents == ["evidence"]:
        # A kind of evidence that nobody looked for is left out; the wire has no null there.
        document.pop(last, None)
    else:
        document[last] = value


MONEY = re.compile(
    r"amount|revenue|previous_revenue|rd_expense|net_profit|net_assets|total_assets|latest_valuation|working_capital|"
    r"credit_elsewhere"
)


def _on_the_wire(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _on_the_wire(part, name) for name, part in value.items()}
    if MONEY.fullmatch(key) and isinstance(value, int):
        return Yuan.whole(value).text()
    return value


def _commitment(line: Mapping[str, Any], index: int, document: Mapping[str, Any]) -> Commitment:
    """A live line of the same company on the same product, unless the case says otherwise."""
    return Commitment(
        offer_id=line.get("offer_id", f"offer-{index}"),
        application_id=line.get("application_id", f"EARLIER-{index}"),
        product=line.get("product", document["product"]),
        uscc=line.get("uscc", document["company"]["uscc"]),
        group_id=line.get("group_id"),
        credit_limit=Yuan.whole(line["credit_limit"]),
        counts_until=date.fromisoformat(line.get("counts_until", "2099-12-31")),
    )


# ---- running --------------------------------------------------------------------------------------------------------


def answer(case: Case, catalog: Catalog) -> tuple[Decision, ProductTerms]:
    """This function will decide a case under a catalogue."""
    terms = catalog.terms(case.product, on=case.decided_on)
    standing = replace(case.standing, pool=_pool(case, terms, catalog))
    return decide(application_from_document(case.document), terms, standing, case.decided_on), terms


def _pool(case: Case, terms: ProductTerms, catalog: Catalog) -> PoolStanding | None:
    """What a pool that reserves at the offer has left: more than enough, unless the case says otherwise."""
    cover = terms.risk_compensation
    if cover is None or not cover.reserves_at_offer:
        return None
    pool = catalog.pool(cover.pool, on=case.decided_on)
    cap, used = pool.per_company_cap, Yuan.whole(case.pool.get("company_used", 0))
    return PoolStanding(
        pool.id,
        Yuan.whole(case.pool.get("room", 1_000_000_000)),
        company_room=None if cap is None else cap - used,
        stopped=case.pool.get("stopped", False),
    )


def differences(case: Case, catalog: Catalog) -> list[str]:
    """This function will return what the case finds otherwise than expected: what, expected, found."""
    decision, terms = answer(case, catalog)
    found = found_in(decision, terms)
    complaints = []
    expected = {"reasons": [], "notes": [], **case.expect}
    if decision.offer is None and "notes" not in case.expect:
        # Notes beside a refusal are worth a case only where one asks for them.
        del expected["notes"]
    for key, wanted in expected.items():
        assert key in found, f"{case}: the runner knows nothing of {key!r}"
        if isinstance(wanted, int) and not isinstance(wanted, bool) and key in AMOUNTS:
            wanted = Yuan.whole(wanted).text()
        if key in RATES and wanted is not None and found[key] is not None and Decimal(wanted) == Decimal(found[key]):
            continue
        if found[key] != wanted:
            complaints.append(f"{key}: expected {wanted!r}, found {found[key]!r}")
    return complaints


AMOUNTS = {"credit_limit", "subsidy_maximum", "covered_amount", "reserved_amount"}
RATES = {"annual_rate", "annual_rate_ceiling", "all_in_annual_cost", "net_annual_rate", "guarantee_fee_rate"}


def found_in(decision: Decision, terms: ProductTerms) -> dict[str, Any]:
    """This function will put a decision into the words that cases use."""
    binding = [s.step for s in decision.trace() if s.decisive and s.step.startswith("credit_limit.")]
    found: dict[str, Any] = {
        "outcome": decision.outcome.value,
        "reasons": [r.code.name for r in decision.reasons if r.severity is not Severity.INFO],
        "notes": [r.code.name for r in decision.reasons if r.severity is Severity.INFO],
        "unknown": [m[1] for r in decision.reasons if (m := re.search(r"missing: .*\((.*)\)", r.words.en))],
        "binding": binding[0].removeprefix("credit_limit.") if binding else None,
        "revolving": terms.revolving,
        "waivers": [
            f"{g.path} on {g.waiver.fact} at most {g.waiver.at_most}" for g in terms.gates if g.waiver is not None
        ],
    }
    offer = decision.offer
    if offer is None:
        return found | dict.fromkeys(OFFER)
    form, subsidy, covered = offer.form, offer.interest_subsidy, offer.risk_compensation
    return found | {
        "credit_limit": offer.credit_limit.text(),
        "tenor_months": form.tenor_months,
        "expires_on": offer.expires_on.isoformat(),
        "annual_rate": _text(form.annual_rate),
        "annual_rate_ceiling": _text(form.annual_rate_ceiling),
        "all_in_annual_cost": _text(form.all_in_annual_cost),
        "lpr": f"{form.rate_basis.lpr.term} {_text(form.rate_basis.lpr.rate)}" if form.rate_basis.lpr else None,
        "lpr_published_on": form.rate_basis.lpr.published_on.isoformat() if form.rate_basis.lpr else None,
        "collateral_required": form.collateral_required,
        "guarantee_required": form.guarantee_required,
        "guarantee_fee_rate": _text(form.guarantee_fee_rate),
        "subsidies": [_subsidy(paid) for paid in subsidy.programmes],
        "subsidy_maximum": subsidy.maximum_amount.text(),
        "net_annual_rate": _text(subsidy.net_annual_rate_at_best),
        "cover": f"{covered.status} {covered.pool}" if covered.pool else covered.status.value,
        "covered_amount": covered.covered_amount.text(),
        "reserved_amount": covered.reserved_amount.text(),
        "shares": {s.bearer: _text(s.share) for s in covered.shares},
        "conditions": [condition.code.lower().replace("_", "-") for condition in form.conditions],
    }


OFFER = (
    "credit_limit", "tenor_months", "expires_on", "annual_rate", "annual_rate_ceiling", "all_in_annual_cost", "lpr",
    "lpr_published_on",
    "collateral_required", "guarantee_required", "guarantee_fee_rate", "subsidies", "subsidy_maximum",
    "net_annual_rate", "cover", "covered_amount", "reserved_amount", "shares", "conditions",
)  # fmt: skip


def _subsidy(paid: Subsidy) -> str:
    return f"{paid.programme.id} {paid.programme.base} {_text(paid.share_up_to)} {paid.programme.claim}"


def _text(value: Decimal | None) -> str | None:
    return None if value is None else decimal_text(value)
