"""导出的列: the columns of an exported table, in every kind of file, and what each holds.

Neighbours may rely on this: nothing but the vocabulary is needed to know them, so that the process which makes a file
stays small.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from app.domain.terms import Words

Cell = str | int | None
Row = tuple[Cell, ...]


class Kind(Enum):
    """What a column holds, and so how a typed file keeps it."""

    TEXT = "text"
    COUNT = "count"
    MONEY = "money"
    RATE = "rate"
    SCORE = "score"
    DAY = "day"
    INSTANT = "instant"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name in every file, and its words for people."""

    name: str
    kind: Kind
    words: Words


def _column(name: str, kind: Kind, zh: str, en: str) -> Column:
    return Column(name, kind, Words(zh, en))


_TEXT, _COUNT, _MONEY, _RATE, _DAY = Kind.TEXT, Kind.COUNT, Kind.MONEY, Kind.RATE, Kind.DAY

COLUMNS: Final = (
    _column("decision_id", _TEXT, "决策编号", "decision"),
    _column("decided_on", _DAY, "决策日", "policy day in Shanghai"),
    _column("recorded_at", Kind.INSTANT, "记录时刻(UTC)", "recorded at, UTC"),
    _column("lender", _TEXT, "机构", "lender"),
    _column("branch", _TEXT, "经办机构", "branch"),
    _column("product", _TEXT, "产品", "product"),
    _column("zone", _TEXT, "高新区", "zone"),
    _column("application_id", _TEXT, "申请编号", "application"),
    _column("revision", _COUNT, "第几次决策", "revision"),
    _column("supersedes", _TEXT, "取代的决策", "decision superseded"),
    _column("uscc", _TEXT, "统一社会信用代码", "unified social credit code"),
    _column("company_name", _TEXT, "企业名称", "company"),
    _column("score_scheme", _TEXT, "积分体系", "score scheme"),
    _column("score", Kind.SCORE, "创新积分", "innovation score"),
    _column("grade", _TEXT, "积分等级", "score grade"),
    _column("stage", _TEXT, "成长阶段", "company stage"),
    _column("outcome", _TEXT, "结果", "outcome"),
    _column("reasons", _TEXT, "原因代码", "reason codes, by semicolon"),
    _column("requested_amount", _MONEY, "申请金额(元)", "amount asked for, yuan"),
    _column("requested_tenor_months", _COUNT, "申请期限(月)", "tenor asked for, months"),
    _column("purpose", _TEXT, "贷款用途", "purpose"),
    _column("credit_limit", _MONEY, "预授信额度(元)", "pre-approved limit, yuan"),
    _column("limit_set_by", _TEXT, "决定额度的组成", "component that set the limit"),
    _column("annual_rate", _RATE, "年利率", "annual rate"),
    _column("annual_rate_ceiling", _RATE, "年利率上限", "ceiling of the annual rate"),
    _column("all_in_annual_cost", _RATE, "综合年化成本", "all-in annual cost"),
    _column("net_annual_rate_at_best", _RATE, "贴息后最低年利率", "net annual rate at best"),
    _column("interest_subsidy_maximum", _MONEY, "贴息最高额(元)", "interest subsidy at most, yuan"),
    _column("covered_amount", _MONEY, "风险补偿覆盖额(元)", "amount under cover, yuan"),
    _column("pool", _TEXT, "风险补偿资金池", "risk-compensation pool"),
    _column("expires_on", _DAY, "有效期至", "offer expires at the end of"),
    _column("assumptions", _TEXT, "所用示例取值", "parameters assumed, by semicolon"),
    _column("rules_edition", _TEXT, "规则版本", "edition of the rules"),
    _column("terms_digest", _TEXT, "条款摘要", "digest of the terms"),
    _column("submitted_by", _TEXT, "提交者", "submitted by"),
    _column("campaign", _TEXT, "预授信活动", "campaign whose run asked: an offer to nobody yet"),
    _column("log_origin", _TEXT, "审计日志", "audit log"),
    _column("log_index", _COUNT, "日志序号", "index in the log"),
    _column("leaf_hash", _TEXT, "叶哈希", "leaf hash"),
    _column("checkpoint", _TEXT, "签名检查点(每个日志首行)", "signed checkpoint, in the first row of each log"),
)
CHECKPOINT: Final = len(COLUMNS) - 1
NAMES: Final = tuple(column.name for column in COLUMNS)
