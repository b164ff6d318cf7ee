"""人工复核: what a person decides on a referral, and the words for why.

Neighbours may rely on this: the lists are closed and ordered and no code is ever reused; a code goes with the outcomes
that it names. A review is final unless it asks for the application to be sent again.
"""

from __future__ import annotations

from enum import Enum, StrEnum

from app.domain.terms import Words


class ReviewOutcome(StrEnum):
    """人工批准 / 人工拒绝 / 补充后重新提交. An approval by a person is not yet the bank's credit approval (审批)."""

    APPROVED_BY_PERSON = "APPROVED_BY_PERSON"
    DECLINED_BY_PERSON = "DECLINED_BY_PERSON"
    RESUBMIT = "RESUBMIT"

    @property
    def is_final(self) -> bool:
        """Whether nothing more is decided on the referral."""
        return self is not ReviewOutcome.RESUBMIT


_APPROVED, _DECLINED, _RESUBMIT = ReviewOutcome


class ReviewReason(Enum):
    """复核理由: value is (number, outcomes that it goes with, words)."""

    FACTS_VERIFIED = (1, frozenset({_APPROVED}), Words("已核实所缺信息", "what was missing has been verified"))
    EVIDENCE_SEEN = (2, frozenset({_APPROVED}), Words("已查看证明材料原件", "the evidence itself has been seen"))
    RISK_ACCEPTED = (3, frozenset({_APPROVED}), Words("综合判断，风险可接受", "on the whole the risk is acceptable"))
    FACTS_NOT_CONFIRMED = (
        11,
        frozenset({_DECLINED}),
        Words("所缺信息无法核实或不属实", "what was missing cannot be verified, or is not so"),
    )
    RISK_NOT_ACCEPTED = (
        12,
        frozenset({_DECLINED}),
        Words("综合判断，风险不可接受", "on the whole the risk is not acceptable"),
    )
    WITHDRAWN_BY_COMPANY = (13, frozenset({_DECLINED}), Words("企业放弃申请", "the company has given up"))
    INFORMATION_NEEDED = (21, frozenset({_RESUBMIT}), Words("请补充信息", "more information is needed"))
    SCORE_NEEDED = (
        22,
        frozenset({_RESUBMIT}),
        Words("请取得有效积分后重新提交", "a score that can be used is needed"),
    )
    CORRECTION_NEEDED = (23, frozenset({_RESUBMIT}), Words("请更正所提交的信息", "what was sent needs correction"))
    OTHER = (99, frozenset(ReviewOutcome), Words("其他，见说明", "another reason, in the text"))

    def __init__(self, number: int, outcomes: frozenset[ReviewOutcome], words: Words) -> None:
        self.number = number
        self.outcomes = outcomes
        self.words = words
