"""贴息: what the programmes would pay if the line were fully drawn for the whole tenor and paid on time.

Neighbours may rely on this: programmes stack in the product's stated order, each within its own caps; of an
exclusion group the one that pays most counts; the sum never exceeds the interest; a programme whose terms are not
published, whose gate fails or whose fact is unknown pays nothing here. Accrual is ACT/360, first day counted and
last not (conventions.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from app.domain.decision import InterestSubsidy, Reason, Step, Subsidy
from app.domain.facts import Facts, add_months
from app.domain.money import Yuan, rate_rounded
from app.domain.reasons import ReasonCode
from app.domain.terms import GateColumns, LprQuote, ProductStatus, ProductTerms, Severity, SubsidyBase, SubsidyProgramme
from app.rules.credit_limit import look_up
from app.rules.eligibility import answer_gates, reason

DAYS_IN_YEAR = 360


@dataclass(frozen=True, slots=True)
class Loan:
    """What is subsidised: principal, rate, first day and tenor."""

    principal: Yuan
    annual_rate: Decimal
    begins_on: date
    tenor_months: int

    def days(self, months: int | None = None) -> int:
        """This function will count the days of the whole tenor, or of its first `months`."""
        counted = self.tenor_months if months is None else min(months, self.tenor_months)
        return (add_months(self.begins_on, counted) - self.begins_on).days

    def interest(self, rate: Decimal, days: int) -> Decimal:
        """This function will return exact simple interest in fen, not rounded."""
        return int(self.principal) * rate * days / DAYS_IN_YEAR


def subsidise(
    terms: ProductTerms, facts: Facts, loan: Loan
) -> tuple[InterestSubsidy, tuple[Step, ...], tuple[Reason, ...]]:
    """This function will stack the programmes on one loan."""
    steps: list[Step] = []
    reasons: list[Reason] = []
    paying: list[tuple[SubsidyProgramme, Decimal, Decimal]] = []
    for programme in terms.subsidies:
        if programme.status is ProductStatus.LISTED:
            steps.append(Step(f"{programme.path}.status", programme.status.value))
            reasons.append(reason(ReasonCode.SUBSIDY_TERMS_NOT_PUBLISHED, Severity.INFO, clause=programme.path))
        elif programme.status is ProductStatus.ACTIVE:
            share, amount, answered = _most(programme, terms.lpr, facts, loan)
            steps.extend(answered)
            if amount:
                paying.append((programme, share, amount))
    kept = _without_excluded(paying)
    left = loan.interest(loan.annual_rate, loan.days())
    best = Decimal(0)
    programmes: list[Subsidy] = []
    for programme, share, amount in kept:
        amount = min(amount, left)
        left -= amount
        best += amount
        paid = Yuan(int(amount.to_integral_value(ROUND_HALF_UP)))
        programmes.append(Subsidy(programme.id, programme.name, programme.base, share, programme.claim, paid))
    saved = best * DAYS_IN_YEAR / (int(loan.principal) * loan.days())
    total = Yuan(int(best.to_integral_value(ROUND_HALF_UP)))
    net = loan.annual_rate if not best else rate_rounded(loan.annual_rate - saved)
    return InterestSubsidy(tuple(programmes), total, net), tuple(steps), tuple(reasons)


def _most(
    programme: SubsidyProgramme, lpr: dict[str, LprQuote], facts: Facts, loan: Loan
) -> tuple[Decimal | None, Decimal, list[Step]]:
    """The most that one programme pays: its share, the exact amount in fen, and its lines of the trace."""
    answered = answer_gates(GateColumns.of(programme.gates), facts)
    steps = list(answered.steps())
    if not all(answered.answers):
        return None, Decimal(0), [step._replace(decisive=False) for step in steps]
    found = look_up(programme.share, facts)
    if found.value is None:
        return None, Decimal(0), [*steps, Step(programme.share.path, None, found.facts, programme.share.reference)]
    months = None if programme.maximum_months is None else programme.maximum_months.value
    days = loan.days(months)
    rate = {
        SubsidyBase.INTEREST_SHARE: lambda: loan.annual_rate * found.value,
        SubsidyBase.PRINCIPAL_RATE: lambda: found.value,
        SubsidyBase.LPR_SHARE: lambda: lpr[programme.lpr_term].rate * found.value,
    }[programme.base]()
    amount = loan.interest(rate, days)
    shown = [*found.facts, ("days", days)]
    if programme.cap_per_loan is not None:
        amount = min(amount, Decimal(int(programme.cap_per_loan.value)))
    steps.append(Step(programme.share.path, found.value, tuple(shown), programme.share.reference))
    for limit in (programme.maximum_months, programme.cap_per_loan):
        if limit is not None:
            steps.append(Step(limit.path, limit.value, (), limit.reference))
    return found.value, amount, steps


def _without_excluded(
    paying: list[tuple[SubsidyProgramme, Decimal, Decimal]],
) -> list[tuple[SubsidyProgramme, Decimal, Decimal]]:
    """Of each exclusion group only the one that pays most stays, the earlier one where two pay alike."""
    best: dict[str, Decimal] = {}
    for programme, _, amount in paying:
        if programme.exclusion_group is not None:
            best[programme.exclusion_group] = max(best.get(programme.exclusion_group, Decimal(0)), amount)
    kept = []
    for row in paying:
        group = row[0].exclusion_group
        if group is None or best.get(group) == row[2]:
            kept.append(row)
            if group is not None:
                best[group] = Decimal(-1)
    return kept
