"""积分情况表, row by row: what a sheet says of each company, or why a row is not taken, by cell.

Neighbours may rely on this: every row with anything in it becomes one `ReadRow`, with the parts of an application in
the contract's own form, or with at least one fault; nothing is taken of a row that has a fault. A company comes up
once a sheet: its second row is a fault that names the first. Whatever was read fits the contract's schemas.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final

from app.domain.terms import Words
from app.usecases.sheet_cells import (
    Cell,
    CellFault,
    amount_of,
    code_of,
    codes_of,
    count_of,
    day_of,
    flag_of,
    is_blank,
    score_of,
    shown,
    spelling,
    spellings,
    text_of,
    uscc_of,
)
from app.usecases.sheet_columns import BOUNDS, ROWS_ABOVE, Kind, Layout, Placed, find_layout, letter

if TYPE_CHECKING:
    from app.products.catalog import Catalog

MOST_ROWS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What the words of a zone's sheets stand for, on a day; plain values, so that another process can have it."""

    zone: str
    scheme: str
    today: str
    scale_maximum: str | None
    states: tuple[str, ...]
    grades: Mapping[str, str] | None
    """None where the zone lists no grades, and so has any."""
    stages: Mapping[str, str]
    fields: Mapping[str, str]
    zones: Mapping[str, str]
    qualifications: Mapping[str, str]
    purposes: Mapping[str, str]
    evidence: Mapping[str, tuple[str, str]]
    as_of: str | None = None
    """The day that the whole sheet's scores are of, where no column says so."""
    whole: bool = False
    """Whether all that an application tells is read, or the score alone; only then may a row be without a score."""


class NoScheme(Exception):
    """The zone scores by no scheme, or by several of which none was named."""

    def __init__(self, schemes: Sequence[str]) -> None:
        super().__init__(", ".join(schemes))
        self.schemes = tuple(schemes)


def vocabulary_of(
    catalog: Catalog, zone: str, *, today: date, as_of: date | None = None, scheme: str | None = None,
    whole: bool = False,
) -> Vocabulary:  # fmt: skip
    """This function will gather the words of a zone. Raises UnknownZone, NoScheme."""
    found = catalog.zone(zone, on=today)
    names = (scheme,) if scheme in found.schemes else tuple(found.schemes)
    if len(names) != 1 or scheme not in (None, names[0]):
        raise NoScheme(tuple(found.schemes))
    chosen, codes = found.schemes[names[0]], catalog.codes
    named = chosen.fields or codes.fields
    zones = spellings((z.id, z.name) for z in catalog.zones(on=today))
    return Vocabulary(
        zone=zone,
        scheme=chosen.id,
        today=today.isoformat(),
        scale_maximum=chosen.scale_maximum,
        states=tuple(chosen.states),
        grades=_grades(chosen.grades) if chosen.grades else None,
        stages=spellings(chosen.stages.items(), "企业", "阶段"),
        fields=spellings(named.items(), "技术", "领域"),
        zones={name: code for name, code in zones.items() if code == zone},
        qualifications=spellings(codes.qualifications.items(), "企业"),
        purposes=spellings(codes.purposes.items()),
        evidence={code: (words.zh, words.en) for code, words in codes.evidence.items()},
        as_of=None if as_of is None else as_of.isoformat(),
        whole=whole,
    )


def _grades(grades: Iterable[str]) -> Mapping[str, str]:
    return {spelling(name): grade for grade in grades for name in (grade, f"{grade}级", f"{grade}等")}


@dataclass(frozen=True, slots=True)
class RowFault:
    """One reason why a row is not taken; `cell` such as C7, where it is one cell's."""

    code: str
    words: Words
    cell: str | None = None
    head: str | None = None


@dataclass(frozen=True, slots=True)
class ReadRow:
    """One row: `document` the parts of an application that it tells, or the faults, and its cells as they stood."""

    number: int
    document: Mapping[str, Any] | None = None
    faults: tuple[RowFault, ...] = ()
    cells: tuple[str, ...] = ()


@dataclass(slots=True)
class SheetReading:
    """A sheet while it is being read; `rows` may be gone through once."""

    layout: Layout
    rows: Iterator[ReadRow]


class TooManyRows(Exception):
    """More rows than one sheet may bring."""


class SheetRefused(Exception):
    """Nothing of a file is taken: a code that stays, and why, in words."""

    def __init__(self, code: str, zh: str, en: str) -> None:
        super().__init__(code, zh, en)
        self.code = code
        self.words = Words(zh, en)


def read_sheet(
    rows: Iterable[tuple[int, Sequence[Cell]]], known: Vocabulary, *, since_1904: bool = False
) -> SheetReading:
    """This function will find the head, and then give row by row what follows it. Raises NoHead, AmbiguousHead at once,
    TooManyRows while rows are gone through.
    """
    source = iter(rows)
    first = list(islice(_with_something(source), ROWS_ABOVE))
    evidence = {code: Words(*words) for code, words in known.evidence.items()} if known.whole else {}
    layout = find_layout(first, evidence)
    data = (row for row in chain(first, _with_something(source)) if row[0] >= layout.first_row + layout.rows)
    return SheetReading(layout, _Rows(layout, known, since_1904).read(data))


def _with_something(rows: Iterable[tuple[int, Sequence[Cell]]]) -> Iterator[tuple[int, Sequence[Cell]]]:
    return ((number, cells) for number, cells in rows if any(not is_blank(cell) for cell in cells))


Reader = Callable[[Cell, Placed], Any]
_SCORE, _RANK = "innovation_score", "innovation_score.rank."
_ALWAYS: Final = ("company.uscc", "company.name", "company.zone")
_SIZES: Final = {"微型": "MICRO", "小型": "SMALL", "中型": "MEDIUM", "大型": "LARGE"}
_BASES: Final = {"审计": "AUDITED", "已审计": "AUDITED", "税务": "TAX", "纳税申报": "TAX", "管理": "MANAGEMENT",
                 "未审计": "MANAGEMENT", "管理报表": "MANAGEMENT"}  # fmt: skip
_STATES: Final = {
    "scored": "SCORED", "已评价": "SCORED", "已评分": "SCORED", "已赋分": "SCORED", "是": "SCORED", "有": "SCORED",
    "not_scored": "NOT_SCORED", "未评价": "NOT_SCORED", "未评分": "NOT_SCORED", "未赋分": "NOT_SCORED",
    "未参评": "NOT_SCORED", "暂无积分": "NOT_SCORED", "否": "NOT_SCORED", "无": "NOT_SCORED",
    "not_found": "NOT_FOUND", "未查到": "NOT_FOUND", "查无此企业": "NOT_FOUND", "未入库": "NOT_FOUND",
}  # fmt: skip


@dataclass(slots=True)
class _Rows:
    layout: Layout
    known: Vocabulary
    since_1904: bool
    _seen: dict[str, int] = field(default_factory=dict)
    _readers: list[tuple[Placed, Reader]] = field(init=False)

    def __post_init__(self) -> None:
        wanted = (p for p in self.layout.columns if self.known.whole or _is_score(p.column.path))
        readers = _readers(self.known, self.since_1904)
        self._readers = [(placed, readers[placed.column.kind]) for placed in wanted]

    def read(self, rows: Iterable[tuple[int, Sequence[Cell]]]) -> Iterator[ReadRow]:
        for count, (number, cells) in enumerate(rows, 1):
            if count > MOST_ROWS:
                raise TooManyRows
            yield self._read(number, cells)

    def _read(self, number: int, cells: Sequence[Cell]) -> ReadRow:
        found: dict[str, Any] = {}
        faults: list[RowFault] = []
        for placed, reader in self._readers:
            cell = cells[placed.place] if placed.place < len(cells) else None
            if is_blank(cell):
                continue
            try:
                found[placed.column.path] = reader(cell, placed)
            except CellFault as fault:
                faults.append(RowFault(fault.code, fault.words, f"{letter(placed.place)}{number}", placed.head))
        faulty = {fault.cell for fault in faults}
        for why in self._missing(number, found, faulty):
            faults.append(why)
        if not faults:
            try:
                return ReadRow(number, _document(found, self.known, self.layout.financial_year))
            except CellFault as fault:
                faults.append(RowFault(fault.code, fault.words))
        return ReadRow(number, None, tuple(faults), tuple(map(shown, cells[: len(self.layout.heads)])))

    def _missing(self, number: int, found: Mapping[str, Any], faulty: set[str | None]) -> Iterator[RowFault]:
        for path, zh, en in _NEEDED:
            placed = next((p for p in self.layout.columns if p.column.path == path), None)
            cell = None if placed is None else f"{letter(placed.place)}{number}"
            if path not in found and (cell is None or cell not in faulty):
                words = Words(f"缺少{zh}", f"the {en} is missing")
                yield RowFault("MISSING", words, cell, None if placed is None else placed.head)
        uscc = found.get("company.uscc")
        if uscc is not None:
            first = self._seen.setdefault(uscc, number)
            if first != number:
                words = Words(f"该企业已在第 {first} 行出现", f"the company is on row {first} already")
                yield RowFault("DUPLICATE", words)


def _is_score(path: str) -> bool:
    return path in _ALWAYS or path.startswith(f"{_SCORE}.")


def _readers(known: Vocabulary, since_1904: bool) -> Mapping[Kind, Reader]:
    maximum = None if known.scale_maximum is None else Decimal(known.scale_maximum)
    states = {name: state for name, state in _STATES.items() if state in known.states}

    def score(cell: Cell, placed: Placed) -> Any:
        # A score's place may say that there is none.
        if isinstance(cell, str) and spelling(cell) in states and spelling(cell) not in ("是", "否", "有"):
            return _NoScore(states[spelling(cell)])
        return score_of(cell, maximum)

    def coded(names: Mapping[str, str], zh: str, en: str) -> Reader:
        return lambda cell, placed: code_of(cell, names, Words(zh, en))

    return {
        Kind.USCC: lambda cell, placed: uscc_of(cell),
        Kind.NAME: lambda cell, placed: text_of(cell),
        Kind.TEXT: lambda cell, placed: _short(text_of(cell)),
        Kind.ZONE: coded(known.zones, "本次高新区的名称", "name of this zone"),
        Kind.STATE: coded(states, "评价状态", "state"),
        Kind.SCORE: score,
        Kind.GRADE: (lambda cell, placed: _short(text_of(cell))) if known.grades is None
        else coded(known.grades, "积分等级", "grade"),
        Kind.STAGE: coded(known.stages, "成长阶段", "stage"),
        Kind.FIELD: coded(known.fields, "技术领域", "field"),
        Kind.DAY: lambda cell, placed: _day(cell, placed, since_1904),
        Kind.FLAG: lambda cell, placed: flag_of(cell),
        Kind.EVIDENCE: lambda cell, placed: _finding(cell, since_1904),
        Kind.COUNT: lambda cell, placed: count_of(cell, *BOUNDS.get(placed.column.path, (1, 1_000_000))),
        Kind.MONEY: lambda cell, placed: amount_of(
            cell, placed.unit, signed=placed.column.path in _SIGNED, positive=placed.column.path == "request.amount"
        ),
        Kind.SIZE: coded(_size_names(), "企业规模", "size"),
        Kind.BASIS: coded(_BASES | {v.casefold(): v for v in _BASES.values()}, "财务口径", "basis"),
        Kind.PURPOSE: coded(known.purposes, "贷款用途", "purpose"),
        Kind.QUALIFICATIONS: lambda cell, placed: codes_of(cell, known.qualifications, Words("资质", "qualification")),
        Kind.AREA: lambda cell, placed: _digits(cell, (6, 9, 12), "行政区划代码为 6、9 或 12 位数字",
                                                "a division code has 6, 9 or 12 digits"),
        Kind.INDUSTRY: lambda cell, placed: _digits(cell, (4,), "行业代码为 4 位数字", "an industry code has 4 digits"),
    }  # fmt: skip


_NEEDED: Final = (("company.uscc", "统一社会信用代码", "company code"), ("company.name", "企业名称", "name"))
_SIGNED: Final = frozenset({"financials.net_profit", "financials.net_assets"})


@dataclass(frozen=True, slots=True)
class _NoScore:
    state: str


def _size_names() -> Mapping[str, str]:
    return {
        name: code for zh, code in _SIZES.items() for name in (zh, f"{zh}企业", zh.removesuffix("型"), code.casefold())
    }


def _finding(cell: Cell, since_1904: bool) -> bool | str:
    """A finding on paper: yes or no, or the day on which it was established."""
    try:
        return flag_of(cell)
    except CellFault:
        return day_of(cell, since_1904=since_1904)


def _short(text: str) -> str:
    if len(text) > 64:
        raise CellFault("TOO_LONG", "文字超过 64 字", "a text has at most 64 characters")
    return text


def _day(cell: Cell, placed: Placed, since_1904: bool) -> str | None:
    if placed.column.path.endswith("valid_until") and isinstance(cell, str) and spelling(cell) in ("长期", "长期有效"):
        return None
    return day_of(cell, since_1904=since_1904)


def _digits(cell: Cell, lengths: Sequence[int], zh: str, en: str) -> str:
    text = spelling(text_of(cell))
    if not (text.isascii() and text.isdigit() and len(text) in lengths):
        raise CellFault("NOT_A_CODE", zh, en)
    return text


def _document(found: Mapping[str, Any], known: Vocabulary, year: int | None) -> Mapping[str, Any]:
    """The parts of an application that a row tells."""
    parts: dict[str, Any] = {"company": {"zone": known.zone}}
    for path, value in found.items():
        if path.startswith(_SCORE) or path == "company.zone" or value is None:
            continue
        *sections, name = path.split(".")
        at = parts
        for section in sections:
            at = at.setdefault(section, {})
        at[name] = value
    if "qualifications" in parts["company"]:
        parts["company"]["qualifications"] = [{"code": code} for code in parts["company"]["qualifications"]]
    if "evidence" in parts:
        parts["evidence"] = {
            code: {"established": True, "on": told} if isinstance(told, str) else {"established": told}
            for code, told in parts["evidence"].items()
        }
        for finding in parts["evidence"].values():
            _not_after_today(finding.get("on"), known, "证明材料日期")
    _check_figures(parts, known, year)
    score = _score(found, known)
    if score is not None:
        parts["innovation_score"] = score
    return parts


def _check_figures(parts: dict[str, Any], known: Vocabulary, year: int | None) -> None:
    figures = parts.get("financials")
    if figures is not None:
        figures.setdefault("year", year)
        # Whose figures they are is told by nobody: the weakest basis.
        figures.setdefault("basis", "MANAGEMENT")
        if figures["year"] is None:
            raise CellFault(
                "NO_YEAR", "财务数据没有年度：请增加“财务年度”列，或在表头写明（如 2025年营业收入）",
                "the figures have no year: add 财务年度, or name it in the head, such as 2025年营业收入",
            )  # fmt: skip
    authorised = parts.get("authorisation")
    if authorised is not None and not {"reference", "granted_on"} <= authorised.keys():
        raise CellFault("INCOMPLETE", "授权须同时写明编号和日期", "an authorisation has both a reference and a day")
    for name, zh in (("founded_on", "成立日期"), ("in_zone_since", "入园日期")):
        _not_after_today(parts["company"].get(name), known, zh)
    if authorised is not None:
        _not_after_today(authorised["granted_on"], known, "授权日期")


def _not_after_today(day: str | None, known: Vocabulary, zh: str) -> None:
    if day is not None and day > known.today:
        raise CellFault("IN_THE_FUTURE", f"{zh}在未来", "a day that has not come yet")


def _score(found: Mapping[str, Any], known: Vocabulary) -> Mapping[str, Any] | None:
    value, state = found.get(f"{_SCORE}.value"), found.get(f"{_SCORE}.state")
    if isinstance(value, _NoScore):
        value, state = None, value.state
    told = {path.removeprefix(f"{_SCORE}."): v for path, v in found.items() if path.startswith(f"{_SCORE}.")}
    if value is None and state in (None, "SCORED") and told.get("grade") is None:
        if known.whole and state is None:
            return None
        raise CellFault("MISSING", "没有积分，也没有注明“未评价”", "neither a score nor the words that there is none")
    if value is not None and state in ("NOT_SCORED", "NOT_FOUND"):
        raise CellFault("CONTRADICTION", "既注明未评价又填有积分", "a score where the row says that there is none")
    as_of = told.get("as_of", known.as_of)
    if as_of is None:
        raise CellFault("NO_DATE", "没有评价日期：请增加“评价日期”列，或在导入时给出 as_of",
                        "no day that the score is of: add 评价日期, or give as_of with the import")  # fmt: skip
    _not_after_today(as_of, known, "评价日期")
    ranks = [{"position": p, "within": path.removeprefix(_RANK)} for path, p in found.items() if path.startswith(_RANK)]
    score = {
        "scheme": known.scheme, "state": state or "SCORED", "scheme_version": told.get("scheme_version"),
        "value": value, "grade": told.get("grade"), "vetoed": told.get("vetoed"), "stage": told.get("stage"),
        "field": told.get("field"), "rank": max(ranks, key=_closest, default=None), "as_of": as_of,
        "valid_until": told.get("valid_until"),
    }  # fmt: skip
    return {name: value for name, value in score.items() if value is not None}


def _closest(rank: Mapping[str, Any]) -> int:
    """An application tells one rank: the one among the fewest."""
    return ("ZONE", "STAGE", "STAGE_AND_FIELD").index(rank["within"])
