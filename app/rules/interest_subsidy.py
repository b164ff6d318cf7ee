"""贴息: what the programmes would pay if the line were fully drawn for the whole tenor and paid on time.

Neighbours may rely on this: programmes stack in the product's stated order, each within its own caps; of an
exclusion group the one that pays most counts; the sum never exceeds the interest; a programme whose terms are not
published, whose gate fails or whose fact is unknown pays nothing here. Accrual is ACT/360, first day counted and
last not (conventions.md, "Interest subsidy").
"""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from app.domain.decision import GateAnswers, InterestSubsidy, Reason, SharedLines, Subsidy
from app.domain.facts import Facts, add_months
from app.domain.money import Yuan, rate_rounded
from app.domain.reasons import ReasonCode
from app.domain.terms import ProductStatus, ProductTerms, Severity, SubsidyBase, SubsidyProgramme
from app.domain.trace import Line, line_form
from app.rules.eligibility import answer_gates, reason
from app.rules.tables import look_up

DAYS_IN_YEAR = 360

Paying = tuple[int, Any]
"""A programme that pays, by its place in the product's stack, and the row of its table that applies."""

Amount = tuple[SubsidyProgramme, Any, Decimal]
"""A programme, the row of its table that applies, and the exact amount in fen that it would pay."""


class Loan(NamedTuple):
    """What is subsidised: principal, rate, first day and tenor."""

    principal: Yuan
    annual_rate: Decimal
    begins_on: date
    tenor_months: int

    def days(self, months: int | None = None) -> int:
        """This function will count the days of the whole tenor, or of its first `months`."""
        counted = self.tenor_months if months is None else min(months, self.tenor_months)
        return (add_months(self.begins_on, counted) - self.begins_on).days


def paying_programmes(
    terms: ProductTerms,
    facts: Facts,
    lines: list[Line | GateAnswers],
    reasons: list[Reason],
    used_up: frozenset[str] = frozenset(),
) -> tuple[Paying, ...]:
    """This function will answer each programme's gates and name those that pay for this company; one whose budget is
    `used_up` pays nothing, and changes the offer but not the approval.
    """
    paying: list[Paying] = []
    for i, programme in enumerate(terms.subsidies):
        if programme.status is ProductStatus.ACTIVE:
            answered = answer_gates(programme.gate_columns, facts, decisive=False)
            lines.append(answered)
            if all(answered.answers):
                share, names, found, row, _ = look_up(programme.share, facts)
                lines.append((programme.share.forms[names][False], share, found))
                lines += _limits(programme)
                if programme.id in used_up:
                    # An authority may call a budget used up whose amount nobody has published.
                    path, budget = f"{programme.path}.budget", programme.budget
                    form = line_form(path) if budget is None else line_form(path, (), budget.reference)
                    lines.append((form, None if budget is None else budget.value, ()))
                    reasons.append(reason(ReasonCode.SUBSIDY_BUDGET_USED, Severity.INFO, clause=path))
                elif share is not None:
                    paying.append((i, row))
        elif programme.status is ProductStatus.LISTED:
            lines.append((line_form(f"{programme.path}.status"), programme.status, ()))
            listed = ReasonCode.SUBSIDY_TERMS_NOT_PUBLISHED
            reasons.append(reason(listed, Severity.INFO, clause=programme.path))
    return tuple(paying)


@lru_cache(maxsize=4_096)
def _limits(programme: SubsidyProgramme) -> tuple[SharedLines, ...]:
    """What bounds a programme for everybody."""
    limits = [limit for limit in (programme.maximum_months, programme.cap_per_loan) if limit is not None]
    lines = tuple((limit.forms[()][False], limit.value, ()) for limit in limits)
    return (SharedLines(lines),) if lines else ()


def subsidise(terms: ProductTerms, paying: tuple[Paying, ...], loan: Loan) -> InterestSubsidy:
    """This function will stack the programmes that pay: what each pays, their sum and the best net rate."""
    if not paying:
        return InterestSubsidy((), _NOTHING, loan.annual_rate)
    stacked, days, excluding = _stacked(terms, paying, *loan[1:])
    principal = int(loan.principal)
    amounts: list[Amount] = []
    for programme, row, rate, counted, cap in stacked:
        amount = principal * rate * counted / DAYS_IN_YEAR
        amounts.append((programme, row, amount if cap is None else min(amount, cap)))
    left = principal * loan.annual_rate * days / DAYS_IN_YEAR
    total, so_far = Decimal(0), _NOTHING
    programmes: list[Subsidy] = []
    for programme, row, amount in _without_excluded(amounts) if excluding else amounts:
        paid = min(amount, left)
        left -= paid
        total += paid
        # The running sum is rounded, so that the parts always add up to the whole.
        most = _fen_half_up(total) - so_far
        so_far += most
        programmes.append(Subsidy(programme, row, most))
    net = loan.annual_rate
    if total:
        net = rate_rounded(net - total * DAYS_IN_YEAR / (principal * days))
    return InterestSubsidy(tuple(programmes), so_far, net)


_NOTHING = Yuan(0)

Reckoned = tuple[SubsidyProgramme, Any, Decimal, int, Decimal | None]
"""A programme, the row of its table, what it comes to as a rate a year on principal, for how many days, and its cap in
fen."""


@lru_cache(maxsize=4_096)
def _stacked(
    terms: ProductTerms, paying: tuple[Paying, ...], annual_rate: Decimal, begins_on: date, tenor_months: int
) -> tuple[tuple[Reckoned, ...], int, bool]:
    """What the programmes have in common for every principal, the days of the tenor, and whether any
    excludes another.
    """
    loan = Loan(_NOTHING, annual_rate, begins_on, tenor_months)
    stacked = []
    for i, row in paying:
        programme = terms.subsidies[i]
        months, cap = programme.maximum_months, programme.cap_per_loan
        rate = _rate(programme, programme.share.at(row), terms, annual_rate)
        days = loan.days(None if months is None else months.value)
        stacked.append((programme, row, rate, days, None if cap is None else Decimal(int(cap.value))))
    return tuple(stacked), loan.days(), any(one[0].exclusion_group is not None for one in stacked)


def _rate(programme: SubsidyProgramme, share: Decimal, terms: ProductTerms, annual_rate: Decimal) -> Decimal:
    """What a share comes to as a rate a year on principal."""
    if programme.base is SubsidyBase.INTEREST_SHARE:
        return annual_rate * share
    return share if programme.base is SubsidyBase.PRINCIPAL_RATE else terms.lpr[programme.lpr_term].rate * share


def _fen_half_up(exact: Decimal) -> Yuan:
    return Yuan(exact.to_integral_value(ROUND_HALF_UP))


def _without_excluded(amounts: list[Amount]) -> list[Amount]:
    """Of each exclusion group only the one that pays most stays, the earlier one where two pay alike."""
    best: dict[str, Amount] = {}
    for row in amounts:
        group = row[0].exclusion_group
        if group is not None and (group not in best or row[2] > best[group][2]):
            best[group] = row
    return [row for row in amounts if row[0].exclusion_group is None or best[row[0].exclusion_group] is row]
