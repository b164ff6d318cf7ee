"""Worked examples: invented companies, codes of no real region, days counted back from the day they are shown.

Neighbours may rely on this: every example is answered 2xx on any day, and the first of each kind comes out as its
name says under the catalogue that is built in. Fixed dates would be time bombs: a score would be stale within the
year.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

DECISION_ID: Final = "01990000-0000-7000-8000-000000000010"
OFFER_ID: Final = "01990000-0000-7000-8000-00000000009f"
"""The demonstration's line: case G9, credit-approved and drawn in part."""
SUBSIDISED_OFFER_ID: Final = "01990000-0000-7000-8000-00000000012f"
"""A line of the demonstration on which interest was paid, and whose company may claim a subsidy."""
REFERRED_DECISION_ID: Final = "01990000-0000-7000-8000-000000000080"
"""Case G8: referred on its revenue, a gate that the product lets go for the first of its stage."""
EXCEPTION_ID: Final = "01990000-0000-7000-8000-0000000000e3"
"""An exception of the demonstration that waits for another person."""
FETCHED_COMPANY: Final = "91999999MAP0000015"
"""A company whose score the demonstration's platform tells."""
RECORD_ID: Final = "01990000-0000-7000-8000-0000000000e1"
PRODUCT: Final = "icbc/suzhou-innovation-points-loan"

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Example:
    """A request that works as it stands."""

    name: str
    summary: str
    document: Document


def decision_examples(on: date) -> tuple[Example, ...]:
    """This function will return applications for a decision on that day: what a loan officer tries first."""
    return (
        Example(
            "pre-approved", "预授信：苏州高新区创新积分贷 Pre-approved: score 68.55, start-up stage", pre_approved(on)
        ),
        Example("referred", "转人工：缺少股权融资计划 Referred: no equity-financing plan was sent", _referred(on)),
        Example(
            "declined", "拒绝：存在逾期且被列入失信名单 Declined: past due, and a judgment defaulter", _declined(on)
        ),
        Example(
            "guaranteed", "预授信：阜新绿色通道，利率下浮15% Pre-approved: 15 % below the usual rate", _guaranteed(on)
        ),
        Example("listed", "转人工：产品条款未公布 A product whose terms are not published", _listed(on)),
        Example("fetched", "查询积分：未附积分，查询演示平台后预授信 Pre-approved: the score is fetched", _fetched(on)),
        Example("minimal", "仅必填项：其余未知，转人工 Only what is required: the rest is unknown", _minimal()),
    )


def preview_examples(on: date) -> tuple[Example, ...]:
    """This function will return applications for a preview on that day."""
    document = pre_approved(on)
    whole_zone = {key: value for key, value in document.items() if key != "product"}
    return (
        Example("every-product", "全部产品比选 Every product of the company's zone, best first", whole_zone),
        Example("one-product", "单一产品 One product", document),
        Example("on-a-day", "按指定日期的条款 On the terms of a given day", document | {"on": on.isoformat()}),
    )


def review_examples(on: date) -> tuple[Example, ...]:
    """This function will return a review of a referral that may be sent any number of times: it is not final."""
    document = {
        "outcome": "RESUBMIT",
        "reason": {"code": "INFORMATION_NEEDED", "text": "请补充最近一年的审计报告 the audited accounts of last year"},
    }
    return (Example("resubmit", "请补充后重新提交 Ask for the application to be sent again", document),)


def offer_event_examples(on: date) -> tuple[Example, ...]:
    """This function will return events that fit the demonstration's line on any day, as often as they are sent."""
    told = {"value_on": on.isoformat(), "core_reference": "CORE-0001"}
    drawn = {
        "event": "DRAWDOWN", **told, "amount": "100000.00", "matures_on": (on + timedelta(days=300)).isoformat(),
        "checks": {
            "score_vetoed": False, "judgment_defaulter": False, "abnormal_operation": False, "serious_illegal": False,
        },
    }  # fmt: skip
    repaid = {"event": "REPAYMENT", **told, "principal": "10000.00", "interest": "345.00"}
    return (
        Example("drawdown", "提款 A drawdown, checks repeated", drawn),
        Example("repayment", "还款：本金与利息 A repayment of principal and interest", repaid),
        Example("classified", "五级分类 A classification", {"event": "CLASSIFIED", **told, "classification": "NORMAL"}),
    )


def group_examples(on: date) -> tuple[Example, ...]:
    """This function will return a registration of two companies as one group."""
    document = {"members": ["91999999MAD0000118", "91999999MAD000012B"], "reference": "集团客户名单 2026-11 Group list"}
    return (Example("two-companies", "两家企业为一个集团 Two companies are one group", document),)


def exception_examples(on: date) -> tuple[Example, ...]:
    """This function will return what one person asks for on case G8."""
    document = {
        "gate": "gates.prior_year_revenue",
        "evidence": "同阶段排名第一，平台查询 DEMO / ranked first within its stage, platform query DEMO",
        "reason": "研发投入期，收入暂时下降 / revenue fell while it invests in research",
    }
    return (Example("prior-year-revenue", "上年营收未达要求，同阶段排名第一 Revenue fell, rank 1", document),)


def settlement_examples(on: date) -> tuple[Example, ...]:
    """This function will return what another person decides; it can be settled once."""
    document = {"outcome": "APPROVED", "authority": "分行行长 / the branch's president", "comment": "同意 / agreed"}
    return (Example("approved", "批准：据此作出新决策 Approved: a new decision is made", document),)


# ---- the documents ---------------------------------------------------------------------------------------------------


def pre_approved(on: date) -> Document:
    """This function will return an application that the built-in catalogue pre-approves on that day."""
    return {
        "application_id": "LOS-DEMO-000001",
        "product": PRODUCT,
        "company": _company("91999999MAEX000106", "示例净水科技有限公司", "suzhou-snd", "320505"),
        "innovation_score": _score(on, "suzhou-snd", "68.55", stage="startup", field="resources-environment")
        | {"rank": {"position": 8, "within": "STAGE_AND_FIELD"}},
        "financials": _financials(on),
        "evidence": {
            "technology_level": _finding(on, "示例技术评估中心", "PG-0001"),
            "equity_financing_plan": _finding(on, "示例净水科技有限公司", "RZ-0001"),
        },
        "credit_history": _history(),
        "authorisation": _authorisation(on),
        "request": {"amount": "10000000.00", "tenor_months": 12, "purpose": "raw-materials"},
    }


def _referred(on: date) -> Document:
    document = pre_approved(on) | {"application_id": "LOS-DEMO-000002"}
    document["company"] = _company("91999999MAEX000207", "示例传感技术有限公司", "suzhou-snd", "320505")
    del document["evidence"]["equity_financing_plan"]
    return document


def _declined(on: date) -> Document:
    document = pre_approved(on) | {"application_id": "LOS-DEMO-000003"}
    document["company"] = _company("91999999MAEX000308", "示例精密仪器有限公司", "suzhou-snd", "320505")
    document["credit_history"] = _history() | {
        "past_due_days": 45,
        "listings": {"judgment_defaulter": True, "abnormal_operation": False, "serious_illegal": False},
    }
    return document


def _guaranteed(on: date) -> Document:
    document = pre_approved(on) | {
        "application_id": "LOS-DEMO-000004",
        "product": "undisclosed/fuxin-green-channel-loan",
        "company": _company("91999999MAEX000409", "示例轻金属有限公司", "fuxin", "210902"),
        "innovation_score": _score(on, "fuxin", "126") | {"grade": "A"},
        "request": {"amount": "6000000.00", "tenor_months": 12, "purpose": "raw-materials"},
    }
    del document["evidence"]
    return document


def _listed(on: date) -> Document:
    document = pre_approved(on) | {
        "application_id": "LOS-DEMO-000005",
        "product": "cib/kunshan-technology-flow",
        "company": _company("91999999MAEX00050A", "示例智能装备有限公司", "kunshan", "320583"),
        "innovation_score": _score(on, "kunshan", "72.30"),
    }
    return document


def _fetched(on: date) -> Document:
    document = pre_approved(on) | {"application_id": "LOS-DEMO-000007"}
    document["company"] = _company(FETCHED_COMPANY, "示例待查科技有限公司", "suzhou-snd", "320505")
    del document["innovation_score"]
    return document


def _minimal() -> Document:
    return {
        "application_id": "LOS-DEMO-000006",
        "product": PRODUCT,
        "company": {"uscc": "91999999MAEX00060B", "name": "示例初创企业有限公司", "zone": "suzhou-snd"},
        "request": {"amount": "1000000.00", "tenor_months": 12, "purpose": "research"},
    }


def _company(uscc: str, name: str, zone: str, area: str) -> Document:
    return {
        "uscc": uscc, "name": name, "zone": zone, "founded_on": "2021-05-01", "in_zone_since": "2021-05-01",
        "registered_area": area, "industry_code": "3463", "size": "SMALL", "employees": 45,
        "qualifications": [{"code": "high-tech"}],
    }  # fmt: skip


def _score(on: date, scheme: str, value: str, **codes: str) -> Document:
    return {
        "scheme": scheme, "state": "SCORED", "value": value, "vetoed": False, **codes, "as_of": _before(on, 30),
        "source": {
            "kind": "PLATFORM_QUERY", "reference": "CX-000001", "obtained_at": f"{_before(on, 1)}T02:10:00Z",
        },
    }  # fmt: skip


def _financials(on: date) -> Document:
    return {
        "year": on.year - 1, "basis": "AUDITED", "revenue": "12000000.00", "previous_revenue": "9000000.00",
        "rd_expense": "4000000.00", "net_profit": "500000.00", "net_assets": "20000000.00",
    }  # fmt: skip


def _finding(on: date, by: str, reference: str) -> Document:
    return {"established": True, "by": by, "reference": reference, "on": _before(on, 40)}


def _history() -> Document:
    listings = {"judgment_defaulter": False, "abnormal_operation": False, "serious_illegal": False}
    return {"first_loan": False, "past_due_days": 0, "credit_elsewhere": "0.00", "listings": listings}


def _authorisation(on: date) -> Document:
    return {"reference": "SQ-000001", "granted_on": _before(on, 2), "valid_until": _before(on, -363)}


def _before(on: date, days: int) -> str:
    return (on - timedelta(days=days)).isoformat()
