"""The row of a decision, made from what it was decided with; recorded_row.py makes the same from its record alone.

Neighbours may rely on this: it holds nothing that the record does not.
"""

from __future__ import annotations

from app.audit.record import Identity
from app.domain.decision import Decision
from app.usecases.catalogue import ResolvedTerms
from app.usecases.ports import DecisionRow, Submission


def decision_row(
    submission: Submission,
    resolved: ResolvedTerms,
    decision: Decision,
    identity: Identity,
    index: int,
    within: tuple[int, int],
    place: bytes,
) -> DecisionRow:
    """This function will return the columns by which people search."""
    application, branch = submission.application, resolved.terms.branch
    score, offer = application.innovation_score, decision.offer
    return DecisionRow(
        decision_id=identity.decision_id,
        lender=submission.lender,
        index=index,
        idempotency_key=submission.idempotency_key,
        fingerprint=submission.fingerprint,
        application_id=application.application_id,
        revision=identity.revision,
        supersedes=identity.supersedes,
        product=application.product,
        branch=None if branch is None else branch.id,
        zone=application.company.zone,
        uscc=application.company.uscc,
        stage=None if score is None else score.stage,
        score=None if score is None or score.value is None else str(score.value),
        outcome=decision.outcome.value,
        reasons=tuple(dict.fromkeys(r.code.name for r in decision.reasons)),
        requested_amount=int(application.request.amount),
        credit_limit=None if offer is None else int(offer.credit_limit),
        decided_on=decision.decided_on,
        recorded_at=identity.recorded_at,
        submitted_by=submission.submitted_by,
        terms_digest=resolved.digest,
        answer_from=within[0],
        answer_until=within[1],
        place=place,
    )
