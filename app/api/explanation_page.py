"""An explanation as a page for the file: one A4 sheet, whatever it has to say.

Neighbours may rely on this: the page loads nothing and runs nothing; its only style is the block whose hash the policy
names. Its height is reckoned from above before it is set: the type shrinks from 9 to 6.5 points as far as it must, and
what does not fit even then is counted in so many words — the JSON has all of it — and never cut off in silence.
"""

from __future__ import annotations

import unicodedata
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from html import escape
from typing import Any, Final

from app.api.wording import OUTCOMES, Language, in_
from app.domain.terms import Words

_WIDTHS: Final = {"limit": (32, 38, 18, 12), "gates": (32, 32, 18, 8, 10)}
_COLUMN_WIDTHS: Final = "\n".join(
    f".{name} th:nth-child({place}){{width:{width}%}}"
    for name, widths in _WIDTHS.items()
    for place, width in enumerate(widths, 1)
)
_STYLE: Final = (
    """
@page{size:A4;margin:10mm 12mm}
*{box-sizing:border-box;margin:0;padding:0}
body{font-family:"Noto Sans CJK SC","Source Han Sans SC","Microsoft YaHei","PingFang SC",sans-serif;color:#111;
line-height:1.32;width:186mm;margin:0 auto;overflow-wrap:anywhere}
.p90{font-size:9pt}.p85{font-size:8.5pt}.p80{font-size:8pt}.p75{font-size:7.5pt}.p70{font-size:7pt}.p65{font-size:6.5pt}
h1{font-size:1.7em;font-weight:600}
h2{font-size:1.1em;font-weight:600;margin:1.7mm 0 .5mm;border-bottom:.3mm solid #1a4b8c;color:#1a4b8c}
header{display:flex;justify-content:space-between;align-items:flex-end;border-bottom:.5mm solid #111;padding-bottom:1mm}
.outcome{font-size:1.35em;font-weight:600;border:.4mm solid;padding:.3mm 2.5mm;white-space:nowrap}
.PRE_APPROVED{color:#0a6b2d}.REFERRED{color:#8a5a00}.DECLINED{color:#a01818}
table{border-collapse:collapse;width:100%;table-layout:fixed}
th,td{text-align:left;vertical-align:top;padding:.25mm 1mm .25mm 0;border-bottom:.1mm solid #bbb;font-weight:400}
th{color:#555}.facts th{width:15%}.facts td{width:35%}
.n{text-align:right}.b td{font-weight:600;background:#eef3fa}.bad td{font-weight:600}
ul{list-style:none}li{padding-left:1.2em;text-indent:-1.2em}
footer{margin-top:1.5mm;padding-top:.8mm;border-top:.3mm solid #111;color:#333}
@media screen{body{padding:8mm 0}}
"""
    + _COLUMN_WIDTHS
).strip()

_HASH: Final = b64encode(sha256(_STYLE.encode()).digest()).decode()
POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_HEIGHT: Final = 26_500
"""In hundredths of a millimetre. The sheet has 277 mm between its margins; the rest is for what reckoning cannot know,
such as another font.
"""
_WIDTH: Final = 18_600
_SIZES: Final = (90, 85, 80, 75, 70, 65)
_MARKS: Final = {"PASSED": "✓", "FAILED": "✗", "UNKNOWN": "?"}

_TITLE: Final = Words("授信决策说明", "Explanation of a credit decision")
_HEADINGS: Final = {
    "reasons": Words("原因", "Reasons"),
    "limit": Words(
        "额度如何得出（取各项中最小者，向下取整）", "How the limit came about (the least of these, rounded down)"
    ),
    "gates": Words("准入条件", "Eligibility"),
    "better": Words("怎样会更好（逐条重新决策验证）", "What would better it (each proved by deciding again)"),
    "worse": Words("怎样会更差（逐条重新决策验证）", "What would worsen it (each proved by deciding again)"),
    "sources": Words("各项数值的来源", "Where the figures come from"),
}
_COLUMNS: Final = {
    "limit": (
        Words("组成", "Component"), Words("依据", "Reckoned from"), Words("金额", "Amount"), Words("来源", "Source"),
    ),
    "gates": (
        Words("条件", "Condition"), Words("要求", "Required"), Words("实际", "Actual"), Words("结果", "Result"),
        Words("来源", "Source"),
    ),
}  # fmt: skip
_BASES: Final = {"published": Words("已公布", "published"), "assumed": Words("示例取值", "assumed")}
_NOTHING: Final = Words(
    "本产品条款中没有单独一项门槛能改变此结果。", "No threshold of the product's terms changes this result."
)
_MORE: Final = Words("另有 {} 项，见 JSON 说明。", "{} more are in the JSON.")


@dataclass(frozen=True, slots=True)
class Block:
    """One part of the page: a heading, and rows of cells whose widths are percentages; `marks` are the rows' classes.
    Rows beyond `shown` are only counted.
    """

    name: str
    widths: tuple[int, ...]
    rows: tuple[tuple[str, ...], ...]
    marks: tuple[str, ...]
    shown: int

    @property
    def hidden(self) -> int:
        """How many rows are only counted."""
        return max(0, len(self.rows) - self.shown)


def explanation_page(document: Mapping[str, Any], language: Language) -> str:
    """This function will set the page from the document of an explanation in that language."""
    blocks = tuple(_blocks(document, language))
    size, blocks = _fitted(_top(document, language), blocks, _bottom(document, language))
    body = "".join(_block_html(block, language) for block in blocks)
    title = in_(language, _TITLE)
    outcome = document["outcome"]
    return (
        f'<!doctype html><html lang="{"zh-CN" if language == "zh" else "en"}"><head><meta charset="utf-8">'
        f"<title>{escape(title)} {escape(document['decision_id'])}</title><style>{_STYLE}</style></head>"
        f'<body class="p{size}"><header><h1>{escape(title)}</h1>'
        f'<div class="outcome {outcome}">{escape(in_(language, OUTCOMES[outcome]))}</div></header>'
        f"{_facts_html(_top(document, language))}{body}"
        f"<footer>{'<br>'.join(escape(line) for line in _bottom(document, language))}</footer></body></html>"
    )


# ---- what stands on the page ----------------------------------------------------------------------------------------


def _top(document: Mapping[str, Any], language: Language) -> tuple[tuple[str, str], ...]:
    product, company = document["product"], document["company"]
    lender = " · ".join(filter(None, (product["lender"], product["branch"])))
    months = document["requested_tenor_months"]
    asked = Words(f"{_grouped(document['requested_amount'])} 元，{months} 个月",
                  f"CNY {_grouped(document['requested_amount'])} for {months} months")  # fmt: skip
    pairs = (
        (Words("企业", "Company"), company["name"]),
        (Words("统一社会信用代码", "Credit code"), company["uscc"]),
        (Words("机构", "Lender"), lender),
        (Words("产品", "Product"), f"{product['name']} ({product['id']})"),
        (Words("申请", "Asked for"), in_(language, asked)),
        (Words("申请编号", "Application"), document["application_id"]),
        (Words("决策日", "Decided on"), document["decided_on"]),
        (Words("决策编号", "Decision"), document["decision_id"]),
        (Words("结论", "Result"), document["summary"]),
    )
    return tuple((in_(language, label), text) for label, text in pairs)


def _grouped(amount: str) -> str:
    yuan, _, fen = amount.partition(".")
    return f"{int(yuan):,}" + (f".{fen}" if int(fen) else "")


def _bottom(document: Mapping[str, Any], language: Language) -> tuple[str, ...]:
    place = document["audit_record"]
    proof = Words(
        f"审计日志 {place['origin']} 第 {place['index']} 条，叶哈希 {place['leaf_hash']}；规则版本 "
        f"{document['rules_edition']}，条款 {document['product']['terms']}；记录于 {document['recorded_at']}。",
        f"Audit log {place['origin']}, record {place['index']}, leaf hash {place['leaf_hash']}; rules "
        f"{document['rules_edition']}, terms {document['product']['terms']}; recorded at {document['recorded_at']}.",
    )
    return document["note"], in_(language, proof)


def _blocks(document: Mapping[str, Any], language: Language) -> Iterator[Block]:
    reasons = [(f"{r['text']} ({r['code']})", "bad" * (r["severity"] != "INFO")) for r in document["reasons"]]
    if reasons:
        yield _list("reasons", reasons)
    if document["limit"] is not None:
        yield _table("limit", [_limit_row(row, language) for row in document["limit"]["components"]])
    if document["gates"]:
        # What did not pass comes first, so that it is never among what is only counted.
        gates = sorted(document["gates"], key=lambda gate: gate["answer"] == "PASSED")
        yield _table("gates", [_gate_row(gate, language) for gate in gates])
    for effect in ("BETTER", "WORSE"):
        found = [c["text"] for c in document["would_change_it"] if c["effect"] == effect]
        if not found and effect == "BETTER" and document["outcome"] != "PRE_APPROVED":
            found = [in_(language, _NOTHING)]
        if found:
            yield _list(effect.lower(), [(f"· {text}", "") for text in found])
    yield _list("sources", [(_source_text(source, language), "") for source in document["sources"]])


def _limit_row(row: Mapping[str, Any], language: Language) -> tuple[tuple[str, ...], str]:
    cells = (row["label"], row["reckoned_from"], row["amount_text"], _basis(row["source"], language))
    return cells, "b" if row["binding"] else ""


def _gate_row(gate: Mapping[str, Any], language: Language) -> tuple[tuple[str, ...], str]:
    required = f"{gate['fact_label']} {gate['required_text']}"
    cells = (gate["label"], required, gate["actual_text"], _MARKS[gate["answer"]], _basis(gate["source"], language))
    return cells, "" if gate["answer"] == "PASSED" else "bad"


def _basis(source: Mapping[str, Any] | None, language: Language) -> str:
    return "" if source is None else in_(language, _BASES[source["basis"]])


def _source_text(source: Mapping[str, Any], language: Language) -> str:
    basis, words = in_(language, _BASES[source["basis"]]), source["title"] or source["note"]
    labels = in_(language, Words("、", ", ")).join(source["labels"])
    return f"{basis}{'' if words is None else in_(language, Words('：', ': ')) + words} — {labels}"


def _table(name: str, rows: Sequence[tuple[tuple[str, ...], str]]) -> Block:
    return Block(name, _WIDTHS[name], tuple(cells for cells, _ in rows), tuple(mark for _, mark in rows), len(rows))


def _list(name: str, rows: Sequence[tuple[str, str]]) -> Block:
    return Block(name, (100,), tuple((text,) for text, _ in rows), tuple(mark for _, mark in rows), len(rows))


# ---- whether it fits ------------------------------------------------------------------------------------------------


def _fitted(
    top: Sequence[tuple[str, str]], blocks: tuple[Block, ...], bottom: Sequence[str]
) -> tuple[int, tuple[Block, ...]]:
    """The greatest type in which everything fits; in the smallest, as many rows as fit, the longest part giving way."""
    for size in _SIZES:
        if _height(top, blocks, bottom, size) <= _HEIGHT:
            return size, blocks
    size = _SIZES[-1]
    while _height(top, blocks, bottom, size) > _HEIGHT and any(block.shown > 1 for block in blocks):
        longest = max(blocks, key=lambda block: block.shown and _block_height(block, size) if block.shown > 1 else 0)
        blocks = tuple(replace(b, shown=b.shown - 1) if b is longest else b for b in blocks)
    return size, blocks


def _height(top: Sequence[tuple[str, str]], blocks: Sequence[Block], bottom: Sequence[str], size: int) -> int:
    """The page's height, in hundredths of a millimetre."""
    line = _line(size)
    pairs = [_lines(text, 34, size) for _, text in top[:-1]]
    facts = sum(map(max, zip(pairs[::2], pairs[1::2], strict=True))) + _lines(top[-1][1], 84, size)
    head = 2 * line + 300 + facts * line + (len(top) // 2 + 1) * _ROW
    foot = sum(_lines(text, 100, size) for text in bottom) * line + 300
    return head + foot + sum(_block_height(block, size) for block in blocks)


def _block_height(block: Block, size: int) -> int:
    line, rows = _line(size), block.rows[: block.shown]
    lines = sum(max(map(_lines, row, block.widths, (size,) * len(row))) for row in rows)
    table = len(block.widths) > 1
    heading = line * 11 // 10 + 260 + (line + _ROW if table else 0)
    return heading + lines * line + (len(rows) * _ROW if table else 0) + (line if block.hidden else 0)


_ROW: Final = 60
"""What a row of a table has above and below its lines."""


def _em(size: int) -> int:
    """The size of the type in hundredths of a millimetre."""
    return size * 3528 // 1000


def _line(size: int) -> int:
    return _em(size) * 135 // 100 + 1


def _lines(text: str, percent: int, size: int) -> int:
    """How many lines a text takes in a column; a line is never filled to its end, as words do not break."""
    room = _WIDTH * percent // 100 - 150
    wide = sum(100 if unicodedata.east_asian_width(c) in "WFA" else 57 for c in text)
    return max(1, -(-wide * _em(size) // (96 * room)))


# ---- HTML -----------------------------------------------------------------------------------------------------------


def _facts_html(pairs: Sequence[tuple[str, str]]) -> str:
    cells = [f"<th>{escape(label)}</th><td>{escape(text)}</td>" for label, text in pairs[:-1]]
    rows = "".join(f"<tr>{a}{b}</tr>" for a, b in zip(cells[::2], cells[1::2], strict=True))
    label, text = pairs[-1]
    return f'<table class="facts">{rows}<tr><th>{escape(label)}</th><td colspan="3">{escape(text)}</td></tr></table>'


def _block_html(block: Block, language: Language) -> str:
    heading = f"<h2>{escape(in_(language, _HEADINGS[block.name]))}</h2>"
    more = f"<p>{escape(in_(language, _MORE).format(block.hidden))}</p>" if block.hidden else ""
    rows = tuple(zip(block.rows, block.marks, strict=True))[: block.shown]
    if len(block.widths) == 1:
        items = "".join(f"<li>{_bold(cells[0], mark)}</li>" for cells, mark in rows)
        return f"{heading}<ul>{items}</ul>{more}"
    head = "".join(f"<th>{escape(in_(language, label))}</th>" for label in _COLUMNS[block.name])
    body = "".join(
        f'<tr class="{mark}">{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>' for cells, mark in rows
    )
    return f'{heading}<table class="{block.name}"><tr>{head}</tr>{body}</table>{more}'


def _bold(text: str, mark: str) -> str:
    return f"<b>{escape(text)}</b>" if mark else escape(text)
