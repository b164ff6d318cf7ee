"""The columns of a sheet: what a head in Chinese or English asks for, wherever it stands.

Neighbours may rely on this: the head is the first of the sheet's first rows that names the company's code and at least
one thing more; what stands above it is a title; a head of two rows is read as one. A column of which nobody can tell
what it means is left out, and the layout says why.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from app.domain.terms import Words
from app.usecases.sheet_cells import UNITS, Cell, is_blank, spelling

ROWS_ABOVE: Final = 30
"""How many rows a title may take before the head must have come."""
MOST_COLUMNS: Final = 64


class Kind(Enum):
    """What the cells of a column hold."""

    USCC = "company code"
    NAME = "name"
    TEXT = "text"
    ZONE = "zone"
    STATE = "state"
    SCORE = "score"
    GRADE = "grade"
    STAGE = "stage"
    FIELD = "field"
    DAY = "day"
    FLAG = "flag"
    EVIDENCE = "a finding on paper"
    COUNT = "count"
    MONEY = "amount"
    SIZE = "size"
    BASIS = "basis"
    PURPOSE = "purpose"
    QUALIFICATIONS = "qualifications"
    AREA = "area"
    INDUSTRY = "industry"


@dataclass(frozen=True, slots=True)
class Column:
    """A column that is understood: where its value goes in an application, and the heads that ask for it."""

    path: str
    kind: Kind
    words: Words
    heads: tuple[str, ...]


def _column(path: str, kind: Kind, words: tuple[str, str], *heads: str) -> Column:
    return Column(path, kind, Words(*words), (words[0], words[1], *heads))


_S, _C, _F, _H = "innovation_score", "company", "financials", "credit_history"
COLUMNS: Final = (
    _column(f"{_C}.uscc", Kind.USCC, ("统一社会信用代码", "uscc"), "社会信用代码", "信用代码", "统一信用代码",
            "统一社会信用代码证号", "企业代码", "unified social credit code"),
    _column(f"{_C}.name", Kind.NAME, ("企业名称", "company"), "公司名称", "单位名称", "企业", "公司", "名称",
            "企业全称", "company name", "name"),
    _column(f"{_C}.zone", Kind.ZONE, ("高新区", "zone"), "园区", "所在高新区", "所属园区", "所在园区"),
    _column(f"{_S}.value", Kind.SCORE, ("创新积分", "score"), "积分", "积分值", "得分", "总分", "总积分", "积分总分",
            "综合得分", "综合积分", "创新积分值", "企业创新积分", "创新积分得分", "评价得分", "innovation score"),
    _column(f"{_S}.state", Kind.STATE, ("评价状态", "state"), "积分状态", "是否评价", "是否参评", "状态"),
    _column(f"{_S}.grade", Kind.GRADE, ("积分等级", "grade"), "等级", "评价等级", "创新积分等级", "评级"),
    _column(f"{_S}.stage", Kind.STAGE, ("成长阶段", "stage"), "企业阶段", "发展阶段", "阶段", "企业成长阶段"),
    _column(f"{_S}.field", Kind.FIELD, ("技术领域", "field"), "领域", "所属领域", "所属技术领域", "高新技术领域"),
    _column(f"{_S}.vetoed", Kind.FLAG, ("一票否决", "vetoed"), "是否一票否决", "是否被否决", "研发费用一票否决"),
    _column(f"{_S}.rank.ZONE", Kind.COUNT, ("全区排名", "rank in zone"), "全市排名", "园区排名", "总排名",
            "区内排名"),
    _column(f"{_S}.rank.STAGE", Kind.COUNT, ("同阶段排名", "rank in stage"), "阶段排名", "阶段内排名",
            "同成长阶段排名"),
    _column(f"{_S}.rank.STAGE_AND_FIELD", Kind.COUNT, ("同阶段同领域排名", "rank in stage and field"),
            "同领域同阶段排名", "阶段领域排名", "同阶段领域内排名"),
    _column(f"{_S}.scheme_version", Kind.TEXT, ("积分版本", "scheme version"), "指标版本", "评价版本", "模型版本"),
    _column(f"{_S}.as_of", Kind.DAY, ("评价日期", "as of"), "积分日期", "截止日期", "截至日期", "积分截止日期",
            "积分截至日期", "数据截止日期", "数据日期", "评价时间", "积分时间", "统计日期"),
    _column(f"{_S}.valid_until", Kind.DAY, ("积分有效期至", "valid until"), "有效期至", "有效期", "有效期截止"),
    _column(f"{_C}.founded_on", Kind.DAY, ("成立日期", "founded on"), "成立时间", "注册日期", "注册时间"),
    _column(f"{_C}.in_zone_since", Kind.DAY, ("入园日期", "in zone since"), "入区日期", "入园时间", "迁入日期"),
    _column(f"{_C}.registered_area", Kind.AREA, ("注册地代码", "registered area"), "注册地", "行政区划代码",
            "行政区划"),
    _column(f"{_C}.industry_code", Kind.INDUSTRY, ("行业代码", "industry code"), "国民经济行业代码", "所属行业代码"),
    _column(f"{_C}.size", Kind.SIZE, ("企业规模", "size"), "规模", "企业类型"),
    _column(f"{_C}.employees", Kind.COUNT, ("员工人数", "employees"), "从业人数", "职工人数", "人数", "员工数"),
    _column(f"{_C}.qualifications", Kind.QUALIFICATIONS, ("企业资质", "qualifications"), "资质", "资质认定",
            "企业称号"),
    _column(f"{_F}.year", Kind.COUNT, ("财务年度", "financial year"), "报表年度", "会计年度"),
    _column(f"{_F}.basis", Kind.BASIS, ("财务口径", "financials basis"), "报表类型", "报表口径"),
    _column(f"{_F}.revenue", Kind.MONEY, ("营业收入", "revenue"), "营收", "销售收入", "主营业务收入"),
    _column(f"{_F}.previous_revenue", Kind.MONEY, ("上年营业收入", "previous revenue"), "上年营收", "上一年营业收入"),
    _column(f"{_F}.rd_expense", Kind.MONEY, ("研发费用", "r&d expense"), "研发投入", "研发支出"),
    _column(f"{_F}.net_profit", Kind.MONEY, ("净利润", "net profit")),
    _column(f"{_F}.net_assets", Kind.MONEY, ("净资产", "net assets"), "所有者权益"),
    _column(f"{_F}.total_assets", Kind.MONEY, ("总资产", "total assets"), "资产总额"),
    _column(f"{_F}.latest_valuation", Kind.MONEY, ("最近估值", "latest valuation"), "估值", "最近一轮估值"),
    _column(f"{_F}.working_capital", Kind.MONEY, ("营运资金需求", "working capital"), "流动资金需求"),
    _column(f"{_H}.first_loan", Kind.FLAG, ("首贷", "first loan"), "是否首贷", "首贷户", "是否首贷户"),
    _column(f"{_H}.past_due_days", Kind.COUNT, ("逾期天数", "past due days"), "当前逾期天数"),
    _column(f"{_H}.credit_elsewhere", Kind.MONEY, ("他行授信", "credit elsewhere"), "他行授信余额"),
    _column(f"{_H}.listings.judgment_defaulter", Kind.FLAG, ("失信被执行人", "judgment defaulter"), "是否失信被执行人"),
    _column(f"{_H}.listings.abnormal_operation", Kind.FLAG, ("经营异常名录", "abnormal operation"), "经营异常",
            "是否经营异常"),
    _column(f"{_H}.listings.serious_illegal", Kind.FLAG, ("严重违法失信名单", "serious illegal"), "严重违法",
            "是否严重违法"),
    _column("authorisation.reference", Kind.TEXT, ("授权书编号", "authorisation"), "授权编号", "数据授权书编号"),
    _column("authorisation.granted_on", Kind.DAY, ("授权日期", "authorised on"), "授权时间", "数据授权日期"),
    _column("authorisation.valid_until", Kind.DAY, ("授权有效期至", "authorised until"), "授权有效期"),
    _column("request.amount", Kind.MONEY, ("意向金额", "amount"), "申请金额", "融资需求", "贷款需求", "拟授信金额"),
    _column("request.tenor_months", Kind.COUNT, ("期限(月)", "tenor months"), "期限", "贷款期限", "申请期限"),
    _column("request.purpose", Kind.PURPOSE, ("贷款用途", "purpose"), "用途", "资金用途"),
)  # fmt: skip
EVIDENCE: Final = "evidence."
BOUNDS: Final[Mapping[str, tuple[int, int]]] = {
    f"{_C}.employees": (0, 10_000_000), f"{_F}.year": (1990, 2199), f"{_H}.past_due_days": (0, 36_500),
    "request.tenor_months": (1, 360),
}  # fmt: skip
"""What the whole numbers of a column may be; ranks count from 1."""


class NoHead(Exception):
    """No row of the sheet's first ones names the company's code: nothing can be read."""


class AmbiguousHead(Exception):
    """Two columns ask for one thing; `heads` are the two places."""

    def __init__(self, words: Words, first: str, second: str) -> None:
        super().__init__(f"columns {first} and {second} are both {words.en}")
        self.words, self.first, self.second = words, first, second


@dataclass(frozen=True, slots=True)
class Placed:
    """A column where it stands; `unit` is what one of an amount is worth, in yuan."""

    place: int
    head: str
    column: Column
    unit: int | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A column that is not read, and why; no reason: nobody knows such a column."""

    place: int
    head: str
    why: Words | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything stands: `first_row` is the first row of the head, `rows` how many it takes."""

    first_row: int
    rows: int
    columns: tuple[Placed, ...]
    left_out: tuple[LeftOut, ...]
    heads: tuple[str, ...]
    financial_year: int | None = None
    """The year that heads such as 2025年营业收入 name."""


def letter(place: int) -> str:
    """This function will return a column's letters, counted from 0: A, B, …, Z, AA."""
    name = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def find_layout(rows: Sequence[tuple[int, Sequence[Cell]]], evidence: Mapping[str, Words]) -> Layout:
    """This function will find the head among the first rows, each with its number. Raises NoHead, AmbiguousHead."""
    known = _known(evidence)
    unit = None
    for at, (number, cells) in enumerate(rows):
        heads = [_head(cell) for cell in cells]
        found = [_find(head, known)[0] for head in heads]
        paths = {column.path for column in found if column is not None}
        if "company.uscc" not in paths or len(paths) < 2:
            unit = next((u for head in heads if (u := _unit_of_the_table(head)) is not None), unit)
            continue
        taken = 1
        if at + 1 < len(rows) and rows[at + 1][0] == number + 1:
            heads, taken = _with_second_row(heads, rows[at + 1][1], known)
        return _laid_out(number, taken, heads, known, unit)
    raise NoHead


def _known(evidence: Mapping[str, Words]) -> Mapping[str, Column]:
    known = {spelling(head): column for column in COLUMNS for head in column.heads}
    for code, words in evidence.items():
        column = Column(EVIDENCE + code, Kind.EVIDENCE, words, ())
        for head in (code, words.zh, words.en, f"{words.zh}是否具备"):
            known.setdefault(spelling(head), column)
    return known


def _head(cell: Cell) -> str:
    return cell.strip()[:100] if isinstance(cell, str) else ""


_UNIT = re.compile(r"[(\[【]?(?:单位[:：]?)?(元|千元|万元|百万元|亿元)[)\]】]?$")
_TABLE_UNIT = re.compile(r"单位[:：](?:人民币)?(元|千元|万元|百万元|亿元)")
_YEAR = re.compile(r"^((?:19|20)[0-9]{2})年度?")
_ORNAMENT = re.compile(r"[*＊:：]")
_HINT = re.compile(r"[(\[【][^)\]】]*[)\]】]$")


def _parts(head: str) -> tuple[str, int | None, int | None]:
    """A head's name, the unit and the year that it tells: 2025年营业收入(万元) is 营业收入, 10,000 and 2025."""
    text = spelling(_ORNAMENT.sub("", head))
    unit = year = None
    if match := _UNIT.search(text):
        text, unit = text[: match.start()], UNITS[match[1]]
    if (match := _YEAR.match(text)) and len(text) > match.end():
        text, year = text[match.end() :], int(match[1])
    return text, unit, year


def _find(head: str, known: Mapping[str, Column]) -> tuple[Column | None, int | None, int | None]:
    name, unit, year = _parts(head)
    # 期限(月) is a name of its own; 创新积分(满分150) is one with a hint.
    return known.get(name) or known.get(spelling(head)) or known.get(_HINT.sub("", name)), unit, year


def _unit_of_the_table(head: str) -> int | None:
    match = _TABLE_UNIT.search(spelling(head))
    return None if match is None else UNITS[match[1]]


def _with_second_row(
    heads: list[str], cells: Sequence[Cell], known: Mapping[str, Column]
) -> tuple[list[str], int]:
    """Under a head that spans columns stands a second one that names them; the company's code has nothing there."""
    below = [_head(cell) for cell in cells]
    places = [place for place, head in enumerate(heads) if (c := _find(head, known)[0]) and c.kind is Kind.USCC]
    at = places[0] if places else 0
    named = [place for place, head in enumerate(below) if head and _find(head, known)[0] is not None]
    if not named or not is_blank(cells[at] if at < len(cells) else None):
        return heads, 1
    length = max(len(heads), len(below))
    upper, lower = heads + [""] * (length - len(heads)), below + [""] * (length - len(below))
    return [low or high for high, low in zip(upper, lower, strict=True)], 2


def _laid_out(number: int, taken: int, heads: list[str], known: Mapping[str, Column], unit: int | None) -> Layout:
    columns: dict[str, Placed] = {}
    left_out: list[LeftOut] = []
    years: set[int] = set()
    for place, head in enumerate(heads[:MOST_COLUMNS]):
        if not head:
            continue
        column, own_unit, year = _find(head, known)
        if column is None:
            rank = spelling(head) in _RANKS
            left_out.append(LeftOut(place, head, _RANK_OF_WHAT if rank else None))
            continue
        if column.path in columns:
            raise AmbiguousHead(column.words, letter(columns[column.path].place), letter(place))
        if year is not None and column.path.startswith(_F):
            years.add(year)
        columns[column.path] = Placed(place, head, column, own_unit or unit)
    if len(years) > 1:
        kept = [placed for placed in columns.values() if not placed.column.path.startswith(_F)]
        left_out += [LeftOut(p.place, p.head, _SEVERAL_YEARS) for p in columns.values() if p not in kept]
        columns = {placed.column.path: placed for placed in kept}
    return Layout(
        number, taken, tuple(sorted(columns.values(), key=lambda placed: placed.place)),
        tuple(sorted(left_out, key=lambda left: left.place)), tuple(heads[:MOST_COLUMNS]),
        years.pop() if len(years) == 1 else None,
    )  # fmt: skip


_RANKS: Final = frozenset({"排名", "名次", "位次", "积分排名", "rank"})
_RANK_OF_WHAT: Final = Words(
    "未注明在何范围内排名，未采用：请改为“全区排名”“同阶段排名”或“同阶段同领域排名”",
    "not said among whom, so left out: call it 全区排名, 同阶段排名 or 同阶段同领域排名",
)
_SEVERAL_YEARS: Final = Words(
    "财务数据涉及多个年度，未采用：每行只认一个年度",
    "figures of several years, so left out: a row holds one year's",
)
