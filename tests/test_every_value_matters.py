"""Changing any one value of a product that decides makes a named case fail.

Each value of its file, and of the framework, score scheme, subsidy, pool and lender that it uses, is changed alone and
in memory by the least step that can mean anything; the files it needs are read again and the cases decided again. A
change that the reader refuses is noticed too. What survives is listed with its place.
"""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
import yaml

from app.domain.facts import FACTS
from app.products.faults import CatalogueError
from app.products.parse import parse_catalogue
from tests.policy_cases import Case, all_cases, catalogue, differences, product_files

Path = tuple[Any, ...]

# Texts for people, ids and citations: what they say is shown and never decides.
TEXTS = {
    "name", "also_known_as", "words", "note", "description", "unit", "clause", "references", "reference", "known",
    "branch", "branches", "division", "platform", "authority", "evidence",
}  # fmt: skip
# What decides nothing on purpose, with the reason; every other value must matter.
INERT = {
    "complete": "whether a zone publishes all of its stages is told to readers; a stage is taken as the zone sends it",
    "fields": "which fields a zone ranks within is checked where a request is read, before any product is known",
    "grades": "which grades a zone gives is checked where a request is read; a product's own tables name what counts",
    "stages": "which stages a zone names is checked where a request is read; a product's own tables name what counts",
    "states": "which states a platform may answer is told to readers; the rules know all three",
    "book": "who keeps the pool's book matters to its ledger, after the decision",
    "leverage_multiple": "the pool's room is its ledger's, after the decision",
    "committed_capital": "the pool's room is its ledger's, after the decision",
    "phases": "the pool's room is its ledger's, after the decision",
    "lines": "whether a pool has stopped is its ledger's; a decision is told",
    "claims": "claims come after a loss, long after the decision",
    "filing": "a drawdown is filed after the decision",
}
SWAPPED = {
    "ACTIVE": "LISTED", "DECLINE": "REFER", "REFER": "DECLINE", "WORKING_CAPITAL_LOAN": "GUARANTEE",
    "FIXED_ASSET_LOAN": "GUARANTEE", "at_least": "at_most", "at_most": "at_least", "one_of": "none_of",
    "none_of": "one_of", "any_of": "all_of", "starts_with": "starts_with_none_of", "is": "one_of",
    "1Y": "5Y+", "5Y+": "1Y",
    "LPR": "CEILING", "CEILING": "LPR", "FIXED": "LPR", "DISCOUNT": "FIXED", "INTEREST_SHARE": "PRINCIPAL_RATE",
    "OFFER": "CREDIT_APPROVAL", "UNCOVERED": "REFER",
    "BY_COMPANY": "AUTOMATIC", "PLANNED": "LISTED", "LISTED": "PLANNED",
}  # fmt: skip
FACT_NAMES = {"score": "score.value", "stage": "score.stage", "grade": "score.grade"}


@dataclass(frozen=True)
class Change:
    """One value changed: in which file, where, from what to what."""

    file: str
    path: Path
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.file}: {'.'.join(map(str, self.path))}: {self.before!r} -> {self.after!r}"


# ---- which files a product needs, and which of their values it uses -------------------------------------------------


@cache
def _written(file: str) -> Any:
    return yaml.load(product_files()[file], Loader=yaml.CSafeLoader)


def _file_of(product: str) -> str:
    return f"lenders/{product}.yaml"


@cache
def _deciding() -> tuple[str, ...]:
    on = max(case.decided_on for case in all_cases())
    return tuple(p.id for p in catalogue().products(on=on) if catalogue().terms(p.id, on=on).decides)


@cache
def _files_of(products: tuple[str, ...]) -> dict[str, bytes]:
    """The least catalogue that holds these products."""
    needed = {"codes.yaml", "lpr.yaml"}
    for product in products:
        needed |= {_file_of(product), f"lenders/{product.split('/')[0]}/lender.yaml"}
        needed |= {f"zones/{zone}.yaml" for zone in _written(_file_of(product))["zones"]}
    return {file: product_files()[file] for file in sorted(needed)}


def _used_in_zone(zone: str, products: tuple[str, ...]) -> Iterator[Path]:
    """The parts of a zone's file that some of these products use."""
    file = _written(f"zones/{zone}.yaml")
    merged: list[Mapping[str, Any]] = []
    for product in products:
        own = _written(_file_of(product))
        merged.append(own)
        if "framework" in own:
            name = own["framework"].split("/")[1]
            merged.append(file["frameworks"][name])
            yield ("frameworks", name)
    yield from (("score_schemes", name) for name in file["score_schemes"])
    for section in merged:
        for name in section.get("interest_subsidies", ()):
            path = ("interest_subsidies", name.split("/")[1])
            status = file[path[0]][path[1]]["status"]["values"].values()
            # Of a programme whose terms are not published nothing but the status decides.
            yield path if any(entry["value"] == "ACTIVE" for entry in status) else (*path, "status")
        if "risk_compensation" in section:
            yield ("risk_compensation_pools", section["risk_compensation"]["pool"].split("/")[1])


# ---- the changes ----------------------------------------------------------------------------------------------------


def _changes(file: str, below: Path = ()) -> Iterator[Change]:
    part = _written(file)
    for key in below:
        part = part[key]
    step = 100_000 if "suzhou-technology-upgrade" in file else 10_000
    for path, before, after in _changes_of(part, below, step):
        yield Change(file, path, before, after)


def _changes_of(part: Any, path: Path, step: int) -> Iterator[tuple[Path, Any, Any]]:
    """Every leaf, list item and date below a part, each with what it may become."""
    key = path[-1] if path else None
    if key in TEXTS or key in INERT:
        return
    if isinstance(part, dict):
        if path and path[-1] == "values":
            yield from _dates(part, path)
        for name, below in part.items():
            yield from _changes_of(below, (*path, name), step)
        if path and path[-1] == "value":
            # A table by code or a split: shares move between bearers, a row is left out.
            yield from _rows(part, path)
    elif isinstance(part, list):
        for i, item in enumerate(part):
            if isinstance(item, dict):
                yield from _changes_of(item, (*path, i), step)
            elif len(part) > 1:
                yield path, part, [other for other in part if other != item]
            else:
                yield path, part, [FACT_NAMES.get(item, f"not-{item}")]
    else:
        yield from ((path, part, after) for after in _instead(part, path, step))


def _dates(values: dict[date, Any], path: Path) -> Iterator[tuple[Path, Any, Any]]:
    """Each value a day later; a status also a day earlier (an earlier value before its status changes nothing)."""
    days = [timedelta(1), timedelta(-1)] if path == ("status", "values") else [timedelta(1)]
    for since in values:
        for by in days:
            yield path, values, {(day + by if day == since else day): value for day, value in values.items()}


def _rows(table: dict[str, Any], path: Path) -> Iterator[tuple[Path, Any, Any]]:
    if set(table) <= {"POOL", "GUARANTOR", "REGUARANTOR", "INSURER", "BANK"}:
        names = list(table)
        for one, other in zip(names, names[1:] + names[:1], strict=True):
            by = Decimal("0.01")
            moved = {one: format(Decimal(table[one]) + by, "f"), other: format(Decimal(table[other]) - by, "f")}
            yield path, table, {**table, **moved}
        return
    for name in table if len(table) > 1 else ():
        yield path, table, {other: value for other, value in table.items() if other != name}


def _instead(value: Any, path: Path, step: int) -> Iterator[Any]:
    """What a value may become: the next one up and down in its own unit."""
    key = path[-1]
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from _whole(value, path, step)
    elif key in ("fact", "by", "of"):
        yield from _other_fact(value)
    elif value in SWAPPED:
        yield SWAPPED[value]
    elif key in ("pool", "framework"):
        yield f"{value}-of-another-name"
    elif _is_decimal(value):
        smallest = Decimal("0.0001") if "rate" in str(path) and Decimal(value) < 1 else Decimal("0.01")
        yield from (format(Decimal(value) + by, "f") for by in (smallest, -smallest))
    else:
        raise AssertionError(f"no change is known for {'.'.join(map(str, path))}: {value!r}")


def _whole(value: int, path: Path, step: int) -> Iterator[int]:
    """Gates move by one yuan, day or place; amounts by the unit they are rounded to; that unit by twice."""
    if "rounding_unit" in path:
        yield from (value * 2, value // 2)
    elif value >= 10_000 and "gates" not in path:
        yield from (value + step, value - step)
    else:
        yield from (value + 1, value - 1)


def _other_fact(name: str) -> Iterator[str]:
    if name not in {*FACTS, *FACT_NAMES} and not name.startswith("evidence."):
        # A share of the cap or of an earlier component: of the request instead, which no limit may lean on.
        yield "request.amount"
    elif name.startswith("evidence."):
        yield from {"evidence.technology_level", "evidence.equity_financing_plan"} - {name}
    else:
        kind = FACTS[FACT_NAMES.get(name, name)].kind
        alike = [fact.name for fact in FACTS.values() if fact.kind is kind]
        following = alike[(alike.index(FACT_NAMES.get(name, name)) + 1) % len(alike)]
        yield following if len(alike) > 1 else "company.employees"


def _is_decimal(value: Any) -> bool:
    return isinstance(value, str) and value.replace(".", "", 1).removeprefix("-").isdigit()


# ---- whether a case notices -----------------------------------------------------------------------------------------


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _applied(change: Change) -> bytes:
    document = copy.deepcopy(_written(change.file))
    *parents, last = change.path
    part = document
    for key in parents:
        part = part[key]
    part[last] = change.after
    return yaml.dump(document, Dumper=_Dumper, allow_unicode=True, sort_keys=False).encode()


def noticed(change: Change, products: tuple[str, ...], cases: tuple[Case, ...]) -> bool:
    """This function will tell whether the reader refuses the change or some case no longer holds under it."""
    try:
        changed = parse_catalogue({**_files_of(products), change.file: _applied(change)})
    except CatalogueError:
        return True
    return any(differences(case, changed) for case in cases)


def _survivors(changes: Iterator[Change], products: tuple[str, ...], cases: tuple[Case, ...]) -> list[str]:
    return [str(change) for change in changes if not noticed(change, products, cases)]


def _cases_of(*products: str) -> tuple[Case, ...]:
    return tuple(case for case in all_cases() if case.product in products)


def _zones() -> list[str]:
    return sorted({zone for product in _deciding() for zone in _written(_file_of(product))["zones"]})


class TestChangingAValue:
    @pytest.mark.parametrize("product", _deciding())
    def test_of_a_product_makes_a_case_fail(self, product: str):
        survivors = _survivors(_changes(_file_of(product)), (product,), _cases_of(product))

        assert not survivors, "no case notices\n" + "\n".join(survivors)

    @pytest.mark.parametrize("zone", _zones())
    def test_of_a_zone_that_its_products_use_makes_a_case_fail(self, zone: str):
        products = tuple(p for p in _deciding() if zone in _written(_file_of(p))["zones"])
        parts = dict.fromkeys(_used_in_zone(zone, products))
        changes = (change for part in parts for change in _changes(f"zones/{zone}.yaml", part))

        survivors = _survivors(changes, products, _cases_of(*products))

        assert not survivors, "no case notices\n" + "\n".join(survivors)

    @pytest.mark.parametrize("lender", sorted({product.split("/")[0] for product in _deciding()}))
    def test_of_a_lender_makes_a_case_fail(self, lender: str):
        products = tuple(p for p in _deciding() if p.startswith(f"{lender}/"))
        changes = _changes(f"lenders/{lender}/lender.yaml", ("company_cap",))

        survivors = _survivors(changes, products, _cases_of(*products))

        assert not survivors, "no case notices\n" + "\n".join(survivors)

    def test_of_a_prohibited_purpose_makes_a_case_fail(self):
        purposes = _written("codes.yaml")["purposes"]
        prohibited = [code for code, purpose in purposes.items() if purpose.get("prohibited")]
        suzhou = "icbc/suzhou-innovation-points-loan"
        changes = (Change("codes.yaml", ("purposes", code, "prohibited"), True, False) for code in prohibited)

        survivors = _survivors(changes, (suzhou,), _cases_of(suzhou))

        assert prohibited and not survivors, "no case notices\n" + "\n".join(survivors)


    def test_of_an_lpr_quote_makes_a_case_fail(self):
        products = ("icbc/kunshan-innovation-points-finance", "undisclosed/suzhou-technology-upgrade-loan")
        cases = tuple(case for case in all_cases() if case.file == "lpr")
        quotes = _written("lpr.yaml")["quotes"]
        rates = [
            Change("lpr.yaml", ("quotes", term, day, "value"), rate, format(Decimal(rate) + by, "f"))
            for term, dated in quotes.items()
            for day, rate in ((day, quote["value"]) for day, quote in dated.items())
            for by in (Decimal("0.0001"), Decimal("-0.0001"))
        ]
        days = [
            Change("lpr.yaml", ("quotes", term), day, {d + by if d == day else d: q for d, q in dated.items()})
            for term, dated in quotes.items()
            for day in dated
            # The first quote is older than any product, so that an even older one changes nothing.
            for by in ([timedelta(1), timedelta(-1)] if day != min(dated) else [timedelta(30)])
        ]
        confirmed = _written("lpr.yaml")["confirmed_through"]
        days.append(Change("lpr.yaml", ("confirmed_through",), confirmed, confirmed + timedelta(1)))

        survivors = _survivors(iter(rates + days), products, cases)

        assert not survivors, "no case notices\n" + "\n".join(survivors)


class TestTheChanges:
    def test_are_noticed_by_cases_and_not_by_the_files_being_read_again(self):
        product = _deciding()[0]
        revolving = _written(_file_of(product))["revolving"]
        unchanged = Change(_file_of(product), ("revolving",), revolving, revolving)

        assert not noticed(unchanged, (product,), _cases_of(product))

    def test_survive_where_no_case_looks(self):
        product = "boc/donghu-technology-credit-loan"
        changes = list(_changes(_file_of(product)))

        survivors = _survivors(iter(changes), (product,), ())

        assert len(survivors) > len(changes) // 2
        assert any("spread_bps" in survivor for survivor in survivors)

    def test_survive_where_the_case_on_the_threshold_is_taken_away(self):
        product = "boc/donghu-technology-credit-loan"
        left = tuple(case for case in _cases_of(product) if "revenue" not in case.name and case.file != "golden")
        changes = (c for c in _changes(_file_of(product)) if c.path[:2] == ("gates", "prior_year_revenue"))

        assert any("10000000 -> 9999999" in survivor for survivor in _survivors(changes, (product,), left))

    def test_leave_out_only_what_has_a_reason(self):
        written = {key for zone in _zones() for key in _keys(_written(f"zones/{zone}.yaml"))}

        assert set(INERT) <= written
        assert all(len(reason) > 20 for reason in INERT.values())


def _keys(part: Any) -> Iterator[Any]:
    if isinstance(part, dict):
        yield from part
        for below in part.values():
            yield from _keys(below)
    elif isinstance(part, list):
        for item in part:
            yield from _keys(item)
