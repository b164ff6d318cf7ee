"""What the cells of a sheet say: text as people type it, become a score, a day, an amount, a yes or no.

Neighbours may rely on this: a cell either has the meaning that its column asks for, or `CellFault` says why not, in
Chinese and English; nothing is guessed: a year without a day, an amount without a unit and a formula are faults.
Numbers arrive as the text of their digits, never as floats.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from app.domain.money import Yuan
from app.domain.terms import Words
from app.domain.uscc import normalised_uscc


@dataclass(frozen=True, slots=True)
class Numeric:
    """A number of a spreadsheet: its digits as the spreadsheet shows them, at most fifteen that count."""

    text: str


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula. It is never carried out, and what the file says it came to is not looked at."""

    text: str


@dataclass(frozen=True, slots=True)
class BrokenCell:
    """What a spreadsheet shows where it could not work something out, such as #N/A."""

    text: str


Cell = str | Numeric | Formula | BrokenCell | date | bool | None


class CellFault(Exception):
    """Why a cell, or a row, is not taken: a code that stays, and the words for it."""

    def __init__(self, code: str, zh: str, en: str) -> None:
        super().__init__(en)
        self.code = code
        self.words = Words(zh, en)


def is_blank(cell: Cell) -> bool:
    """This function will tell whether there is nothing in a cell: spaces and a dash alone are nothing."""
    return cell is None or (isinstance(cell, str) and _bare(cell) in _BLANKS)


def shown(cell: Cell) -> str:
    """This function will write a cell as it goes back to whoever mends the sheet."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, date):
        return cell.isoformat()
    text = cell if isinstance(cell, str) else cell.text
    return _UNSEEN.sub(" ", text)[:_LONGEST_SHOWN]


def text_of(cell: Cell) -> str:
    """This function will return one line of at most 200 characters. Raises CellFault."""
    _refuse_formula(cell)
    if isinstance(cell, date | bool):
        raise CellFault("NOT_A_TEXT", "应为文字", "a text belongs here")
    text = _SPACES.sub(" ", _UNSEEN.sub(" ", _raw(cell))).strip()
    if text.startswith("="):
        raise CellFault(*_FORMULA)
    if len(text) > 200:
        raise CellFault("TOO_LONG", "文字超过 200 字", "a text has at most 200 characters")
    return text


def uscc_of(cell: Cell) -> str:
    """This function will return the normalised company code. Raises CellFault."""
    _refuse_formula(cell)
    if isinstance(cell, Numeric):
        if len(cell.text) > 15:
            raise CellFault(
                "CODE_ROUNDED", "代码存成了数值，超过 15 位的数字已被电子表格舍去：请将该列设为“文本”后重新填写",
                "the code was kept as a number, and a spreadsheet rounds what is beyond 15 digits: make the column "
                "text and enter it again",
            )  # fmt: skip
        found = None
    else:
        found = normalised_uscc(_SPACES.sub("", _bare(_raw(cell)))) if not isinstance(cell, date | bool) else None
    if found is None:
        raise CellFault(
            "NOT_A_COMPANY_CODE", "不是有效的统一社会信用代码：18 位，末位为校验位",
            "not a unified social credit code: 18 characters, the last a check digit",
        )  # fmt: skip
    return found


def decimal_of(cell: Cell) -> Decimal:
    """This function will return an exact number, thousands separators and full width understood. Raises CellFault."""
    _refuse_formula(cell)
    if not isinstance(cell, date | bool):
        text = _bare(_raw(cell))
        if len(text) <= 40 and _NUMBER.fullmatch(text):
            return Decimal(text.replace(",", ""))
    raise CellFault("NOT_A_NUMBER", "不是数字", "not a number")


def score_of(cell: Cell, maximum: Decimal | None) -> str:
    """This function will return a score as decimal text, `maximum` included. Raises CellFault."""
    if isinstance(cell, str):
        cell = _bare(cell).removesuffix("分").strip()
    score = decimal_of(cell)
    if score < 0 or score >= 1_000_000 or (maximum is not None and score > maximum):
        until = "999999.999999" if maximum is None else format(maximum, "f")
        raise CellFault("OUT_OF_RANGE", f"积分须在 0 至 {until} 之间", f"a score lies between 0 and {until}")
    if -_exponent(score) > 6:
        raise CellFault("TOO_MANY_DECIMALS", "积分至多六位小数", "a score has at most six decimals")
    return format(score, "f")


def count_of(cell: Cell, least: int, most: int) -> int:
    """This function will return a whole number from `least` to `most`. Raises CellFault."""
    if isinstance(cell, str):
        cell = _COUNTED.sub(r"\1", _bare(cell))
    found = decimal_of(cell)
    if found != found.to_integral_value():
        raise CellFault("NOT_WHOLE", "须为整数", "a whole number is needed")
    if not least <= found <= most:
        raise CellFault(
            "OUT_OF_RANGE", f"须在 {least} 至 {most} 之间", f"a whole number between {least} and {most} is needed"
        )
    return int(found)


UNITS: Final[Mapping[str, int]] = {"元": 1, "千元": 1_000, "万": 10_000, "万元": 10_000, "百万元": 1_000_000,
                                   "亿": 100_000_000, "亿元": 100_000_000}  # fmt: skip


def amount_of(cell: Cell, unit: int | None, *, signed: bool = False, positive: bool = False) -> str:
    """This function will return an amount as the wire has it, in yuan; a unit in the cell counts before the column's,
    which is `unit` yuan. Raises CellFault.
    """
    if isinstance(cell, str):
        match = _AMOUNT.fullmatch(_bare(cell).lstrip("¥￥").strip())
        if match is not None and match[2]:
            cell, unit = match[1], UNITS[match[2]]
        elif match is not None:
            cell = match[1]
    found = decimal_of(cell)
    if unit is None:
        raise CellFault("NO_UNIT", "金额没有单位：请在表头注明（元）或（万元）",
                        "the amount has no unit: name 元 or 万元 in the column's head")  # fmt: skip
    fen = found * unit * 100
    if fen != fen.to_integral_value():
        raise CellFault("TOO_MANY_DECIMALS", "金额精确到分", "an amount is exact to the fen")
    if abs(fen) >= 10**15 or (fen < 0 and not signed) or (fen == 0 and positive):
        raise CellFault("OUT_OF_RANGE", "金额超出范围", "the amount is out of range")
    return Yuan(int(fen)).text()


def day_of(cell: Cell, *, since_1904: bool = False) -> str:
    """This function will return a day as ISO text: a date of the spreadsheet, its serial number (of 1900 or 1904), or
    text as people write days. Raises CellFault.
    """
    _refuse_formula(cell)
    if isinstance(cell, date):
        return _checked_day(cell.year, cell.month, cell.day)
    if not isinstance(cell, bool):
        text = _bare(_raw(cell)).translate(_CHINESE_DIGITS) if isinstance(cell, str) else _raw(cell)
        if match := _DAY.fullmatch(text):
            return _checked_day(int(match[1]), _small(match[2]), _small(match[3]))
        if match := _SERIAL.fullmatch(text):
            return _from_serial(int(match[1]), since_1904)
        if _MONTH.fullmatch(text):
            raise CellFault("NO_DAY", "只有年月，须写明日期", "a month alone: the day is needed as well")
    raise CellFault("NOT_A_DAY", "不是日期，例如 2026-09-30", "not a day, such as 2026-09-30")


def flag_of(cell: Cell) -> bool:
    """This function will return yes or no. Raises CellFault."""
    _refuse_formula(cell)
    if isinstance(cell, bool):
        return cell
    if not isinstance(cell, date):
        text = _bare(_raw(cell)).casefold()
        if text in _YES or text in _NO:
            return text in _YES
    raise CellFault("NOT_YES_OR_NO", "应填“是”或“否”", "yes (是) or no (否) belongs here")


def code_of(cell: Cell, names: Mapping[str, str], what: Words) -> str:
    """This function will return the code that a name, spelled as `spelling` does, stands for. Raises CellFault, which
    lists what could have been written.
    """
    found = names.get(spelling(text_of(cell)))
    if found is None:
        codes = "、".join(dict.fromkeys(names.values()))[:400]
        zh, en = f"不是已知的{what.zh}，可填：{codes}", f"no {what.en} known here: one of {codes}"
        raise CellFault("UNKNOWN_CODE", zh, en)
    return found


def codes_of(cell: Cell, names: Mapping[str, str], what: Words) -> tuple[str, ...]:
    """This function will return the codes of a list, such as 高新技术企业、专精特新; 无 is none. Raises CellFault."""
    text = text_of(cell)
    if spelling(text) in _NO:
        return ()
    parts = (part for part in _LIST.split(text) if part.strip())
    return tuple(dict.fromkeys(code_of(part, names, what) for part in parts))


def spelling(text: str) -> str:
    """This function will write a name as names are compared: half width, no spaces, small letters."""
    return _SPACES.sub("", unicodedata.normalize("NFKC", text)).casefold()


def spellings(named: Iterable[tuple[str, Words | None]], *endings: str) -> Mapping[str, str]:
    """This function will map every way to write each code to the code: itself, and its names with and without the
    endings.
    """
    found: dict[str, str] = {}
    for code, words in named:
        texts = (code,) if words is None else (code, words.zh, words.en)
        for name in map(spelling, texts):
            found[name] = code
            for ending in endings:
                found.setdefault(name.removesuffix(ending), code)
                found.setdefault(name.removesuffix(ending) + ending, code)
    return found


# ---- the parts ------------------------------------------------------------------------------------------------------

_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_SPACES = re.compile(r"[\s\u200b\u200c\u200d\u2060]+")
_LONGEST_SHOWN: Final = 1_000
_BLANKS: Final = frozenset({"", "-", "--", "—", "——", "/", "\\"})
_FORMULA: Final = (
    "FORMULA", "单元格是公式：公式不予计算，请复制后“选择性粘贴—数值”",
    "the cell is a formula, and formulas are never carried out: copy it and paste it as a value",
)  # fmt: skip
_NUMBER = re.compile(r"-?(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.[0-9]+)?")
_COUNTED = re.compile(r"^(?:第\s*)?(-?[0-9,]+)\s*(?:名|位|人|个月|月|天)?$")
_AMOUNT = re.compile(r"(-?[0-9][0-9,]*(?:\.[0-9]+)?)\s*(元|千元|万|万元|百万元|亿|亿元)?")
_LIST = re.compile(r"[、,，;；|/\n]")
_CHINESE_DIGITS = str.maketrans("〇○零一二三四五六七八九", "000123456789")
_DAY = re.compile(
    r"([12][0-9]{3})(?:[-/.年])([0-9十]{1,3})(?:[-/.月])([0-9十]{1,3})[日号]?"
    r"(?:[T ]?[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.0+)?)?Z?)?"
)
_MONTH = re.compile(r"[12][0-9]{3}(?:[-/.年][0-9十]{1,3}月?|年度?)?")
_SERIAL = re.compile(r"([0-9]{5}|[0-9]{8})(?:\.[0-9]+)?")
_YES: Final = frozenset({"是", "有", "y", "yes", "true", "1", "√", "✓", "✔"})
_NO: Final = frozenset({"否", "无", "没有", "n", "no", "false", "0", "×", "x", "✗", "✘", "none"})
_EPOCH_1900, _EPOCH_1904 = date(1899, 12, 30), date(1904, 1, 1)


def _bare(text: str) -> str:
    """Half width, outer spaces gone."""
    return _SPACES.sub(" ", unicodedata.normalize("NFKC", text)).strip()


def _raw(cell: str | Numeric | BrokenCell | Formula | None) -> str:
    if cell is None:
        raise CellFault("MISSING", "未填写", "nothing is filled in")
    if isinstance(cell, BrokenCell):
        raise CellFault("BROKEN_CELL", "单元格是错误值", "the cell holds an error of the spreadsheet")
    return cell if isinstance(cell, str) else cell.text


def _refuse_formula(cell: Cell) -> None:
    if isinstance(cell, Formula) or (isinstance(cell, str) and cell.lstrip().startswith("=")):
        raise CellFault(*_FORMULA)


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def _small(text: str) -> int:
    """A day or month, in figures or as 十, 十一, 二十, 三十一 with their digits turned to figures."""
    if "十" not in text:
        return int(text)
    tens, _, ones = text.partition("十")
    if not (tens or "1").isdigit() or not (ones or "0").isdigit():
        return 0
    return int(tens or "1") * 10 + int(ones or "0")


def _checked_day(year: int, month: int, day: int) -> str:
    try:
        found = date(year, month, day)
    except ValueError:
        raise CellFault("NOT_A_DAY", "没有这一天", "there is no such day") from None
    if not 1900 <= year <= 2199:
        raise CellFault("NOT_A_DAY", "年份须在 1900 至 2199 之间", "a year lies between 1900 and 2199")
    return found.isoformat()


def _from_serial(number: int, since_1904: bool) -> str:
    if number >= 10_000_000:
        return _checked_day(number // 10_000, number // 100 % 100, number % 100)
    found = (_EPOCH_1904 if since_1904 else _EPOCH_1900) + timedelta(days=number)
    return _checked_day(found.year, found.month, found.day)
