"""The reason codes: a closed list whose numbers never move."""

from app.domain.reasons import ReasonCode

# A code once published stays what it was: this table only ever grows.
PUBLISHED = {
    "PRODUCT_NOT_IN_FORCE": 101, "PRODUCT_PLANNED": 102, "TERMS_NOT_PUBLISHED": 103, "KIND_NOT_DECIDED": 104,
    "ZONE_NOT_SERVED": 105, "AUTHORISATION_MISSING": 201, "AUTHORISATION_NOT_VALID": 202, "SCORE_MISSING": 211,
    "SCORE_NOT_SCORED": 212, "SCORE_NOT_FOUND": 213, "SCORE_SCHEME_NOT_ACCEPTED": 214,
    "SCORE_VERSION_NOT_ACCEPTED": 215, "SCORE_INVALID": 216, "SCORE_STALE": 217, "SCORE_UNVOUCHED": 218,
    "SCORE_VETOED": 219, "SCORE_UNAVAILABLE": 220, "SCORE_KEPT": 221,
    "FACT_UNKNOWN": 301, "FACT_STALE": 302, "SCORE_BELOW_MINIMUM": 401,
    "GRADE_NOT_ELIGIBLE": 402, "RANK_NOT_ELIGIBLE": 403, "STAGE_NOT_ELIGIBLE": 404, "FIELD_NOT_ELIGIBLE": 405,
    "QUALIFICATION_MISSING": 406, "SECTOR_NOT_ELIGIBLE": 407, "COMPANY_AGE_NOT_ELIGIBLE": 408,
    "TIME_IN_ZONE_NOT_ELIGIBLE": 409, "AREA_NOT_ELIGIBLE": 410, "SIZE_NOT_ELIGIBLE": 411,
    "EMPLOYEES_NOT_ELIGIBLE": 412, "REVENUE_NOT_ELIGIBLE": 413, "REVENUE_CHANGE_NOT_ELIGIBLE": 414,
    "RD_EXPENSE_NOT_ELIGIBLE": 415, "RD_INTENSITY_NOT_ELIGIBLE": 416, "PROFIT_NOT_ELIGIBLE": 417,
    "NET_ASSETS_NOT_ELIGIBLE": 418, "BALANCE_NOT_ELIGIBLE": 419, "EVIDENCE_NOT_ESTABLISHED": 420,
    "FIRST_LOAN_NOT_ELIGIBLE": 421, "PAST_DUE": 422, "CREDIT_ELSEWHERE_NOT_ELIGIBLE": 423,
    "DISHONESTY_LISTED": 424, "PURPOSE_NOT_ALLOWED": 425, "AMOUNT_NOT_ELIGIBLE": 426, "TENOR_NOT_ELIGIBLE": 427,
    "CAP_USED": 501, "LIMIT_BELOW_FLOOR": 502, "REPLACED_LINE_UNKNOWN": 503, "LIMIT_BELOW_REQUEST": 504,
    "TABLE_HAS_NO_ROW": 505, "LPR_UNCONFIRMED": 601, "SUBSIDY_TERMS_NOT_PUBLISHED": 602, "COVER_PARTIAL": 603,
    "COVER_PLANNED": 604,
}  # fmt: skip


class TestTheReasonCodes:
    def test_keep_the_numbers_they_were_published_with(self):
        found = {code.name: code.number for code in ReasonCode}

        assert {name: found.get(name) for name in PUBLISHED} == PUBLISHED

    def test_stand_in_the_order_of_their_numbers_and_share_none(self):
        numbers = [code.number for code in ReasonCode]

        assert numbers == sorted(set(numbers))

    def test_have_a_sentence_in_each_language(self):
        for code in ReasonCode:
            assert any("一" <= character <= "鿿" for character in code.zh), code
            assert code.en.isascii() or "…" in code.en, code
            assert ("{fact_zh}" in code.zh) == ("{fact_en}" in code.en), code
