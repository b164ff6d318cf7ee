"""A decision and what it offers.

Neighbours may rely on this: a decision is a value, made by the rules alone; it holds no id, no clock and no place
in the log. A pre-approval is indicative — it holds room so that none is indicated twice — and is not the bank's
commitment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from app.domain.money import Yuan
from app.domain.reasons import ReasonCode
from app.domain.terms import (
    Condition,
    Gate,
    LprQuote,
    PriceMethod,
    RiskCompensationTerms,
    Severity,
    SubsidyProgramme,
    Words,
)
from app.domain.trace import Line, Reference


class Outcome(StrEnum):
    """通过 / 转人工 / 拒绝."""

    PRE_APPROVED = "PRE_APPROVED"
    REFERRED = "REFERRED"
    DECLINED = "DECLINED"


class Reason(NamedTuple):
    """Why: a code, what it does to the outcome, its words (a gate's own where it has some) and the clause or path
    it stands on.
    """

    code: ReasonCode
    severity: Severity
    words: Words
    clause: str | None = None


class Step(NamedTuple):
    """A line of the trace: which step answered what, from which facts, on whose word; `decisive` where it settled
    the outcome or the figure.
    """

    step: str
    answer: Any
    facts: tuple[tuple[str, Any], ...] = ()
    reference: Reference | None = None
    decisive: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class SharedLines:
    """Lines that are the same for every company: made once, told apart by identity."""

    lines: tuple[Line, ...]


class GateAnswers(NamedTuple):
    """The gates' part of the trace, column by column: gate i found `actuals[i]` and answered `answers[i]` (True,
    False, or None for unknown).
    """

    gates: tuple[Gate, ...]
    actuals: tuple[Any, ...]
    answers: tuple[bool | None, ...]
    decisive: bool = True

    def lines(self) -> Iterator[Line]:
        """This function will put the answers into lines of the trace, in the gates' declared order."""
        for gate, actual, answer in zip(self.gates, self.actuals, self.answers, strict=True):
            yield gate.line(actual, answer, decisive=self.decisive)


class RiskStatus(StrEnum):
    """风险补偿状态: PROPOSED until the pool's ledger has reserved room."""

    NONE = "NONE"
    PROPOSED = "PROPOSED"
    RESERVED = "RESERVED"
    CONFIRMED = "CONFIRMED"


class RateBasis(NamedTuple):
    """How the rate came about."""

    method: PriceMethod
    lpr: LprQuote | None = None
    spread_bps: int | None = None
    conventional_rate: Decimal | None = None
    discount_share: Decimal | None = None


class Subsidy(NamedTuple):
    """One programme of the stack, the row of its table that applies, and the most that it pays on this offer."""

    programme: SubsidyProgramme
    row: Any
    maximum_amount: Yuan

    @property
    def share_up_to(self) -> Decimal:
        """The share or rate of that row."""
        return self.programme.share.at(self.row)


class InterestSubsidy(NamedTuple):
    """贴息: if fully drawn for the whole tenor and paid on time. The sum never exceeds the interest."""

    programmes: tuple[Subsidy, ...]
    maximum_amount: Yuan
    net_annual_rate_at_best: Decimal


class LossShare(NamedTuple):
    """Who bears which share of one loss on the covered amount."""

    bearer: str
    share: Decimal


class RiskCompensation(NamedTuple):
    """风险补偿: the amount under cover of a pool (None: of none); what exceeds it is the lender's own."""

    status: RiskStatus
    terms: RiskCompensationTerms | None
    covered_amount: Yuan
    reserved_amount: Yuan

    @property
    def pool(self) -> str | None:
        """The pool's id."""
        return None if self.terms is None else self.terms.pool

    @property
    def shares(self) -> tuple[LossShare, ...]:
        """Who bears which share; without a pool the bank bears all."""
        if self.terms is None:
            return (LossShare("BANK", Decimal("1.00")),)
        return tuple(LossShare(bearer, share) for bearer, share in self.terms.shares.value.items())


@dataclass(frozen=True, slots=True, eq=False)
class OfferForm:
    """What of an offer is the same for every company at one of the product's prices: made once, told apart by
    identity.
    """

    tenor_months: int
    annual_rate: Decimal | None
    annual_rate_ceiling: Decimal | None
    all_in_annual_cost: Decimal | None
    rate_basis: RateBasis
    collateral_required: bool
    guarantee_required: bool
    guarantee_fee_rate: Decimal | None
    conditions: tuple[Condition, ...]


class PreApprovedOffer(NamedTuple):
    """预授信: its form and what is the company's own; `expires_on` is inclusive, to that day's end in Shanghai."""

    form: OfferForm
    expires_on: date
    credit_limit: Yuan
    interest_subsidy: InterestSubsidy
    risk_compensation: RiskCompensation


class Decision(NamedTuple):
    """决策: what the rules concluded. `steps` are the figures' lines; `gates` expands to the eligibility lines
    before them.
    """

    outcome: Outcome
    decided_on: date
    offer: PreApprovedOffer | None
    reasons: tuple[Reason, ...]
    checks: Sequence[Line]
    gates: GateAnswers
    steps: Sequence[Line | GateAnswers | SharedLines]

    def parts(self) -> Iterator[Line | GateAnswers | SharedLines]:
        """This function will give the trace as it was made: lines, and columns or blocks of lines, in order."""
        yield from self.checks
        yield self.gates
        yield from self.steps

    def trace(self) -> Iterator[Step]:
        """This function will give every line in the order in which it was answered: checks, gates, figures."""
        for part in self.parts():
            if type(part) is tuple:
                yield spelled_out(part)
            else:
                yield from map(spelled_out, part.lines if type(part) is SharedLines else part.lines())


def spelled_out(line: Line) -> Step:
    """This function will write a line of the trace for readers."""
    form, answer, values = line
    return Step(form.step, answer, tuple(zip(form.names, values, strict=True)), form.reference, form.decisive)
