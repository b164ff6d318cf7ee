"""The types that fields on the wire are made of: each bounded, each with a pattern, each with its words in both
languages.

Neighbours may rely on this: a value that passes one of these types holds no control character, no surrogate and no
direction override, names a day that exists between 1900 and 2199, and is no longer than its type says. Patterns avoid
`\\d` (it takes Arabic digits) and look-ahead (neither Rust's engine nor every client has it), so that the published
pattern is the one that is carried out.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from app.domain.uscc import USCC, normalised_uscc

# What a refused pattern should have looked like, by pattern: (Chinese, English). `problems` speaks from it.
PATTERN_WORDS: Final[dict[str, tuple[str, str]]] = {}


def _text(pattern: str, longest: int, zh: str, en: str, **published: Any) -> Any:
    if PATTERN_WORDS.setdefault(pattern, (zh, en)) != (zh, en):
        raise ValueError(f"two types with the pattern {pattern} would be explained by the words of one")
    schema = Field(json_schema_extra=published) if published else None
    constraints = StringConstraints(strict=True, pattern=pattern, min_length=1, max_length=longest)
    return Annotated[str, constraints, schema] if schema else Annotated[str, constraints]


# Control characters, line and paragraph separators and direction overrides never belong into what people read.
_UNSEEN = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff"
LINE: Final = rf"^[^\s{_UNSEEN}][^{_UNSEEN}]*$"
_LINE_WORDS = (
    "须为一行文字，不以空白开头，不含控制字符",
    "one line of text that does not begin with a space and holds no control character",
)

ShortText = _text(LINE, 64, *_LINE_WORDS)
Text = _text(LINE, 200, *_LINE_WORDS)

ApplicationId = _text(
    r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$", 64,
    "申请编号由字母、数字和 . _ : / - 组成，以字母或数字开头",
    "an application id is made of letters, digits and . _ : / - and begins with a letter or digit",
)  # fmt: skip
# Companies count together where their ids are the same, so none may look like another: no spaces, no full width.
GroupId = _text(
    r"^[A-Za-z0-9][A-Za-z0-9._:-]*$", 64,
    "集团标识由字母、数字和 . _ : - 组成，以字母或数字开头；各成员企业须完全一致",
    "a group id is made of letters, digits and . _ : - and begins with a letter or digit; every member has the same",
)  # fmt: skip
Code = _text(
    r"^[a-z0-9]+(-[a-z0-9]+)*$", 64,
    "代码由小写字母、数字和连字符组成，例如 suzhou-snd",
    "a code is lower-case letters, digits and hyphens, such as suzhou-snd",
)  # fmt: skip
ProductId = _text(
    r"^[a-z0-9]+(-[a-z0-9]+)*/[a-z0-9]+(-[a-z0-9]+)*$", 129,
    "产品编号形如“机构/产品”，例如 icbc/suzhou-innovation-points-loan",
    "a product id is lender/slug, such as icbc/suzhou-innovation-points-loan",
)  # fmt: skip
EVIDENCE_CODE: Final = r"^[a-z][a-z0-9_]*$"
EvidenceCode = _text(
    EVIDENCE_CODE, 64,
    "证明材料代码由小写字母、数字和下划线组成，例如 technology_level",
    "an evidence code is lower-case letters, digits and underscores, such as technology_level",
)  # fmt: skip
DecisionId = _text(
    r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", 36,
    "决策编号是小写 UUID", "a decision id is a UUID in lower case", format="uuid",
)  # fmt: skip
WebhookUrl = _text(
    r"^https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?"
    r"([/?]([A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?$", 1_000,
    "须为 https 开头的 ASCII 地址", "an ASCII URL that begins with https", format="uri",
)  # fmt: skip
WebhookId = _text(
    r"^[a-z]{3}_[A-Za-z0-9_-]+$", 100, "事件编号即 webhook-id", "an event's id is the webhook-id that was sent",
)  # fmt: skip
Area = _text(
    r"^[0-9]{6}([0-9]{3}){0,2}$", 12,
    "行政区划代码（GB/T 2260）为 6、9 或 12 位数字", "a division code (GB/T 2260) has 6, 9 or 12 digits",
)  # fmt: skip
Industry = _text(
    r"^[0-9]{4}$", 4,
    "行业小类代码（GB/T 4754）为 4 位数字，不带门类字母",
    "an industry code (GB/T 4754) has 4 digits, without the section letter",
)  # fmt: skip
Cursor = _text(
    r"^[A-Za-z0-9_-]+$", 2048,
    "游标须原样取自上一页的 next_cursor", "a cursor is taken as it is from next_cursor of the page before",
)  # fmt: skip
ParameterPath = _text(
    r"^[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)*$", 200,
    "步骤或参数的路径，例如 credit_limit.score_band", "a step's or parameter's path, such as credit_limit.score_band",
)  # fmt: skip
GatePath = _text(
    r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$", 128,
    "准入条件的名称如 gates.prior_year_revenue，见决策的 trace",
    "a gate is named as in the decision's trace, such as gates.prior_year_revenue",
)  # fmt: skip
ReasonName = _text(
    r"^[A-Z][A-Z0-9_]*$",
    64,
    "原因代码由大写字母、数字和下划线组成",
    "a reason code is upper-case letters, digits and underscores",
)

# ---- amounts, rates, scores: decimal strings, never numbers ----------------------------------------------------------

_AMOUNT_WORDS = (
    '金额为十进制字符串，单位元，至多两位小数，例如 "10000000.00"',
    'an amount is a decimal string in yuan with at most two decimals, such as "10000000.00"',
)
Amount = _text(r"^(0|[1-9][0-9]{0,12})(\.[0-9]{1,2})?$", 16, *_AMOUNT_WORDS)
SignedAmount = _text(r"^-?(0|[1-9][0-9]{0,12})(\.[0-9]{1,2})?$", 17, *_AMOUNT_WORDS)
PositiveAmount = _text(
    r"^([1-9][0-9]{0,12}(\.[0-9]{1,2})?|0\.(0[1-9]|[1-9][0-9]?))$", 16,
    "金额须大于零，为十进制字符串，单位元，至多两位小数，例如 \"10000000.00\"",
    "an amount above zero, a decimal string in yuan with at most two decimals, such as \"10000000.00\"",
)  # fmt: skip
RateText = _text(
    r"^(0(\.[0-9]{1,8})?|1(\.0{1,8})?)$", 10,
    '年利率为十进制字符串，0 至 1，至多八位小数，例如 "0.0345"',
    'a rate a year is a decimal string from 0 to 1 with at most eight decimals, such as "0.0345"',
)  # fmt: skip
ScoreText = _text(
    r"^(0|[1-9][0-9]{0,5})(\.[0-9]{1,6})?$", 13,
    "积分为十进制字符串，例如 \"68.55\"", "a score is a decimal string, such as \"68.55\"",
)  # fmt: skip

# ---- days and instants -----------------------------------------------------------------------------------------------

DAY: Final = r"^(19|20|21)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
INSTANT: Final = (
    r"^(19|20|21)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?Z$"
)


def _existing_day(text: str) -> str:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise PydanticCustomError("no_such_day", "no such day") from None
    return text


def _existing_instant(text: str) -> str:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise PydanticCustomError("no_such_day", "no such day") from None
    return text


Day = Annotated[
    _text(
        DAY, 10, "日期形如 2026-11-20，年份 1900 至 2199", "a date such as 2026-11-20, from 1900 to 2199", format="date"
    ),
    AfterValidator(_existing_day),
]
Instant = Annotated[
    _text(INSTANT, 27, "时刻为 UTC，形如 2026-11-20T02:10:00Z", "an instant in UTC, such as 2026-11-20T02:10:00Z",
          format="date-time"),
    AfterValidator(_existing_instant),
]  # fmt: skip

# ---- 统一社会信用代码 (GB 32100-2015) --------------------------------------------------------------------------------

def _valid_uscc(value: object) -> str:
    if not isinstance(value, str):
        raise PydanticCustomError("string_type", "not a string")
    code = normalised_uscc(value)
    if code is None:
        raise PydanticCustomError("uscc", "not a unified social credit code")
    return code


Uscc = Annotated[
    str,
    BeforeValidator(_valid_uscc),
    WithJsonSchema({"type": "string", "format": "uscc", "pattern": USCC, "minLength": 18, "maxLength": 18}),
]


def whole(least: int, most: int) -> Any:
    """This function will return the type of a whole number from `least` to `most`, both included."""
    size = "int32" if most < 2**31 else "int64"
    return Annotated[int, Field(strict=True, ge=least, le=most, json_schema_extra={"format": size})]
