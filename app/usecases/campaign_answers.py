"""What a campaign reads of an answer: the outcome, why, how much, and what a pool would cover of it.

Neighbours may rely on this: amounts are exact; the longest part of an answer, its trace, is passed over unread.
"""

from __future__ import annotations

from typing import Final

import msgspec

from app.audit.application import amount_from
from app.domain.money import Yuan


class AnsweredReason(msgspec.Struct, gc=False):
    """A reason's code, and what it does to the outcome."""

    code: str
    severity: str


class AnsweredShare(msgspec.Struct, gc=False):
    """Who bears which share of a loss."""

    bearer: str
    share: str


class AnsweredCover(msgspec.Struct, gc=False):
    """What a pool would cover (None: no pool would)."""

    pool: str | None
    covered_amount: Yuan
    shares: tuple[AnsweredShare, ...]


class AnsweredOffer(msgspec.Struct, gc=False):
    """How much was offered."""

    credit_limit: Yuan
    risk_compensation: AnsweredCover


class AnsweredDecision(msgspec.Struct, gc=False):
    """One decision as it was answered."""

    decision_id: str
    outcome: str
    offer: AnsweredOffer | None
    reasons: tuple[AnsweredReason, ...]


def answered(body: bytes) -> AnsweredDecision:
    """This function will read an answer of our own."""
    return _DECODER.decode(body)


_DECODER: Final = msgspec.json.Decoder(AnsweredDecision, dec_hook=amount_from)
