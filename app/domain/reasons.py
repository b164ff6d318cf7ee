"""Reason codes: why a decision came out as it did.

Neighbours may rely on this: the list is closed and ordered, a code is never reused or renamed, and each has a
sentence in Chinese and in English; `{fact_zh}` and `{fact_en}` name the fact that it is about.
"""

from __future__ import annotations

from enum import Enum


class ReasonCode(Enum):
    """原因代码: value is (number, zh, en); the number orders the codes and stays with its code for ever."""

    # The product itself.
    PRODUCT_NOT_IN_FORCE = (101, "该产品在决策日尚未生效或已停办", "the product is not in force on the decision date")
    PRODUCT_PLANNED = (102, "该产品仅为规划,尚未推出", "the product is only planned and has not been launched")
    TERMS_NOT_PUBLISHED = (
        103,
        "该产品条款未公布,无法据以决策,请联系该机构",
        "the product's terms are not published, so nothing can be decided on them; ask the institution",
    )
    KIND_NOT_DECIDED = (
        104,
        "该产品不是贷款(担保、租赁等),本服务不作决策",
        "the product is not a loan (a guarantee, a lease …), and this service does not decide it",
    )
    ZONE_NOT_SERVED = (105, "该产品不在企业所在高新区办理", "the product is not offered in the company's zone")

    # Consent and the score.
    AUTHORISATION_MISSING = (201, "缺少企业的数据使用授权", "the company's authorisation to use its data is missing")
    AUTHORISATION_NOT_VALID = (
        202,
        "企业的数据使用授权在决策日无效",
        "the company's authorisation is not valid on the decision date",
    )
    SCORE_MISSING = (211, "未提供创新积分", "no innovation score was given")
    SCORE_NOT_SCORED = (212, "企业已纳入平台但尚未评分", "the company is known to the platform but has not been scored")
    SCORE_NOT_FOUND = (213, "积分平台查无该企业", "the score platform does not know the company")
    SCORE_SCHEME_NOT_ACCEPTED = (
        214,
        "积分不属于该产品认可的积分体系",
        "the score belongs to a scheme that the product does not accept",
    )
    SCORE_VERSION_NOT_ACCEPTED = (
        215,
        "积分体系版本未获该产品认可或未注明",
        "the scheme version is not one that the product accepts, or was not given",
    )
    SCORE_INVALID = (216, "积分超出该体系的量程", "the score lies outside the scheme's scale")
    SCORE_STALE = (
        217,
        "积分已过期或超过产品允许的最长时限",
        "the score has lapsed or is older than the product allows",
    )
    SCORE_UNVOUCHED = (218, "积分未经平台或评分表佐证", "no platform and no score sheet vouches for the score")
    SCORE_VETOED = (219, "积分被一票否决", "the score was vetoed")
    SCORE_UNAVAILABLE = (220, "积分平台未能答复", "the score platform did not answer")
    SCORE_KEPT = (
        221,
        "积分平台未能答复,采用此前留存且未逾产品时限的积分",
        "the score platform did not answer; a snapshot kept earlier was used, which the product's maximum age allows",
    )

    # Facts that a gate or a figure needs.
    FACT_UNKNOWN = (301, "缺少所需信息:{fact_zh}", "a fact that is needed is missing: {fact_en}")
    FACT_STALE = (302, "信息过旧:{fact_zh}", "a fact is too old to be used: {fact_en}")

    # Gates: {fact_zh} of the company does not meet what the terms ask.
    SCORE_BELOW_MINIMUM = (401, "创新积分未达要求", "the innovation score is not in the range asked for")
    GRADE_NOT_ELIGIBLE = (402, "积分等级不符合要求", "the score grade is not eligible")
    RANK_NOT_ELIGIBLE = (403, "积分排名不符合要求", "the rank is not eligible")
    STAGE_NOT_ELIGIBLE = (404, "成长阶段不符合要求", "the company stage is not eligible")
    FIELD_NOT_ELIGIBLE = (405, "技术领域不符合要求", "the field of technology is not eligible")
    QUALIFICATION_MISSING = (406, "缺少所需资质", "a required qualification is missing")
    SECTOR_NOT_ELIGIBLE = (407, "所属行业不符合要求", "the industry is not eligible")
    COMPANY_AGE_NOT_ELIGIBLE = (408, "企业成立年限不符合要求", "the company's age is not eligible")
    TIME_IN_ZONE_NOT_ELIGIBLE = (409, "企业入园时间不符合要求", "the company's time in the zone is not eligible")
    AREA_NOT_ELIGIBLE = (410, "企业注册地不在服务区域内", "the place of registration is outside the area served")
    SIZE_NOT_ELIGIBLE = (411, "企业规模不符合要求", "the company's size is not eligible")
    EMPLOYEES_NOT_ELIGIBLE = (412, "员工人数不符合要求", "the number of employees is not eligible")
    REVENUE_NOT_ELIGIBLE = (413, "营业收入不符合要求", "revenue is not eligible")
    REVENUE_CHANGE_NOT_ELIGIBLE = (
        414,
        "营业收入较上年变动不符合要求",
        "the change in revenue on the year before is not eligible",
    )
    RD_EXPENSE_NOT_ELIGIBLE = (415, "研发费用不符合要求", "R&D expense is not eligible")
    RD_INTENSITY_NOT_ELIGIBLE = (416, "研发强度不符合要求", "R&D intensity is not eligible")
    PROFIT_NOT_ELIGIBLE = (417, "净利润不符合要求", "net profit is not eligible")
    NET_ASSETS_NOT_ELIGIBLE = (418, "净资产不符合要求", "net assets are not eligible")
    BALANCE_NOT_ELIGIBLE = (
        419,
        "资产、估值或营运资金不符合要求",
        "assets, valuation or working capital are not eligible",
    )
    EVIDENCE_NOT_ESTABLISHED = (
        420,
        "所需证明未成立:{fact_zh}",
        "evidence that is required was not established: {fact_en}",
    )
    FIRST_LOAN_NOT_ELIGIBLE = (421, "首贷/续贷情况不符合要求", "first loan or repeat loan: not eligible")
    PAST_DUE = (422, "存在逾期", "payments are past due")
    CREDIT_ELSEWHERE_NOT_ELIGIBLE = (423, "他行授信不符合要求", "credit elsewhere is not eligible")
    DISHONESTY_LISTED = (424, "企业被列入失信、经营异常或严重违法名单", "the company stands on a dishonesty list")
    PURPOSE_NOT_ALLOWED = (425, "贷款用途不被允许", "the purpose of the loan is not allowed")
    AMOUNT_NOT_ELIGIBLE = (426, "申请金额不符合要求", "the amount asked for is not eligible")
    TENOR_NOT_ELIGIBLE = (427, "申请期限不符合要求", "the tenor asked for is not eligible")
    GATE_WAIVED = (
        428,
        "未满足的准入条件经另一人批准破格",
        "a gate that was not met was let go by an approved exception",
    )

    # The limit.
    CAP_USED = (501, "在有效预授信与授信已占用额度上限", "live offers and lines already use the cap")
    LIMIT_BELOW_FLOOR = (502, "可给额度低于产品起点金额", "the limit comes out below the product's floor")
    REPLACED_LINE_UNKNOWN = (
        503,
        "拟替换的额度不存在或已失效",
        "the line to be replaced is not known or no longer live",
    )
    LIMIT_BELOW_REQUEST = (504, "额度低于申请金额", "the limit is below the amount asked for")
    TABLE_HAS_NO_ROW = (505, "条款表中没有对应的一行:{fact_zh}", "a table of the terms has no row for: {fact_en}")

    # What else the reader should know.
    LPR_UNCONFIRMED = (601, "LPR 数据超过 45 天未确认", "the LPR table was last confirmed more than 45 days ago")
    SUBSIDY_TERMS_NOT_PUBLISHED = (
        602,
        "贴息项目标准未公布,未计入",
        "an interest subsidy exists whose terms are not published; it is not counted",
    )
    COVER_PARTIAL = (
        603,
        "额度超出单户补偿上限,超出部分由本行自担",
        "the limit exceeds the pool's cap for one company; the rest is the lender's own",
    )
    COVER_PLANNED = (
        604,
        "风险补偿资金池仅为规划,不提供补偿",
        "the risk-compensation pool is only planned and covers nothing",
    )
    COVER_NO_ROOM = (
        605,
        "风险补偿资金池余量不足,不提供补偿",
        "the risk-compensation pool has no room left for this line, which it does not cover",
    )
    COVER_COMPANY_CAP_USED = (
        606,
        "该企业在资金池的单户补偿上限已用完",
        "the pool's cap for this company is used up, over all lenders",
    )
    COVER_LENDER_QUOTA_USED = (
        607,
        "本机构在资金池的配额已用完",
        "the lender's quota of the pool is used up",
    )
    COVER_STOPPED = (
        608,
        "资金池已触及止损线或已暂停,不再新增补偿",
        "the pool has reached its stop line or is suspended, and takes no new cover",
    )
    SUBSIDY_BUDGET_USED = (
        609,
        "贴息项目预算已用完,未计入",
        "the budget of an interest subsidy is used up; it is not counted",
    )

    def __init__(self, number: int, zh: str, en: str) -> None:
        self.number = number
        self.zh = zh
        self.en = en
