"""贴息: stacking, caps, exclusion and the ceiling of the interest itself, on programmes made for the test."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from app.domain.decision import InterestSubsidy
from app.domain.facts import Facts
from app.domain.money import Yuan
from app.domain.terms import ClaimKind, Parameter, ProductStatus, SubsidyBase, SubsidyProgramme, Words
from app.domain.trace import Basis, Reference
from app.rules.interest_subsidy import Loan, paying_programmes, subsidise
from tests.applications import ON, application, terms_of

ICBC = "icbc/suzhou-innovation-points-loan"
MADE_UP = Reference(Basis.ASSUMED, note="made for the test")
LOAN = Loan(Yuan.whole(1_000_000), Decimal("0.0360"), date(2026, 1, 1), 12)  # 365 days: interest 36,500.00


def programme(name: str, share: str, base: SubsidyBase = SubsidyBase.INTEREST_SHARE, **changes: object):
    made = SubsidyProgramme(
        id=f"zone/{name}",
        name=Words("贴息", name),
        path=f"interest_subsidies.{name}",
        status=ProductStatus.ACTIVE,
        base=base,
        claim=ClaimKind.AUTOMATIC,
        gates=(),
        share=parameter(Decimal(share)),
        lpr_term="1Y",
    )
    return replace(made, **changes)


def parameter(value: object) -> Parameter:
    return Parameter("interest_subsidies.made_up", value, MADE_UP)


def stacked(*programmes: SubsidyProgramme, loan: Loan = LOAN) -> InterestSubsidy:
    terms = replace(terms_of(ICBC), subsidies=programmes)
    paying = paying_programmes(terms, Facts(application(ICBC), ON), [], [])
    return subsidise(terms, paying, loan)


class TestOneProgramme:
    def test_pays_a_share_of_the_interest(self):
        assert stacked(programme("half", "0.50")).maximum_amount.text() == "18250.00"

    def test_pays_points_a_year_on_principal(self):
        found = stacked(programme("points", "0.01", SubsidyBase.PRINCIPAL_RATE))

        assert found.maximum_amount.text() == "10138.89"  # 1,000,000 × 0.01 × 365 ÷ 360 = 10,138.888…

    def test_pays_a_share_of_the_lpr(self):
        found = stacked(programme("lpr", "0.50", SubsidyBase.LPR_SHARE))

        assert found.maximum_amount.text() == "15208.33"  # 1,000,000 × 0.0300 × 0.50 × 365 ÷ 360

    def test_pays_no_more_than_its_cap_for_one_loan(self):
        capped = programme("capped", "0.50", cap_per_loan=parameter(Yuan.whole(10_000)))

        assert stacked(capped).maximum_amount.text() == "10000.00"

    def test_pays_for_no_longer_than_its_months(self):
        found = stacked(programme("half-year", "0.50", maximum_months=parameter(6)))

        assert found.maximum_amount.text() == "9050.00"  # 181 days of 365

    def test_pays_nothing_while_it_is_only_planned(self):
        found = stacked(programme("planned", "0.50", status=ProductStatus.PLANNED))

        assert found.programmes == ()
        assert found.net_annual_rate_at_best == LOAN.annual_rate

    def test_is_named_and_not_counted_while_its_terms_are_not_published(self):
        terms = replace(terms_of(ICBC), subsidies=(programme("listed", "0.50", status=ProductStatus.LISTED),))

        reasons = []
        paying = paying_programmes(terms, Facts(application(ICBC), ON), [], reasons)

        assert paying == ()
        assert [r.code.name for r in reasons] == ["SUBSIDY_TERMS_NOT_PUBLISHED"]


class TestAStack:
    def test_adds_up_in_its_stated_order(self):
        found = stacked(programme("city", "0.30"), programme("zone", "0.20"))

        assert [p.maximum_amount.text() for p in found.programmes] == ["10950.00", "7300.00"]
        assert found.maximum_amount.text() == "18250.00"
        assert found.net_annual_rate_at_best == Decimal("0.018")

    def test_never_exceeds_the_interest_and_cuts_the_last(self):
        found = stacked(programme("city", "0.80"), programme("zone", "0.50"))

        assert [p.maximum_amount.text() for p in found.programmes] == ["29200.00", "7300.00"]
        assert found.maximum_amount.text() == "36500.00"
        assert found.net_annual_rate_at_best == 0

    def test_counts_of_an_exclusion_group_only_the_one_that_pays_most(self):
        found = stacked(
            programme("small", "0.20", exclusion_group="g"),
            programme("other", "0.10"),
            programme("large", "0.30", exclusion_group="g"),
        )

        assert [p.programme.id for p in found.programmes] == ["zone/other", "zone/large"]

    def test_counts_the_earlier_of_two_that_exclude_each_other_and_pay_alike(self):
        found = stacked(
            programme("first", "0.30", exclusion_group="g"), programme("second", "0.30", exclusion_group="g")
        )

        assert [p.programme.id for p in found.programmes] == ["zone/first"]

    @given(
        st.lists(st.decimals(0, 1, places=2), max_size=4),
        st.integers(1, 10**11),
        st.integers(1, 60),
        st.decimals("0.0001", "0.2400", places=4),
    )
    def test_leaves_a_net_rate_between_nothing_and_the_rate(
        self, shares: list[Decimal], fen: int, months: int, rate: Decimal
    ):
        programmes = [programme(f"p{i}", str(share)) for i, share in enumerate(shares)]

        found = stacked(*programmes, loan=Loan(Yuan(fen), rate, ON, months))

        assert 0 <= found.net_annual_rate_at_best <= rate
        assert sum(p.maximum_amount for p in found.programmes) == found.maximum_amount
