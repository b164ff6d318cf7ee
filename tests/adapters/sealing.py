"""A very small lender for tests of the book and the desk: it offers what is asked for, up to a cap a company.

Its log is a chain: frontier = SHA-256(frontier + record), so that whoever writes out of turn is found out.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from app.domain.company import Application, Company, CreditRequest
from app.domain.money import Yuan
from app.domain.standing import Commitment
from app.usecases.ports import (
    BatchState,
    DecisionRow,
    LogEntry,
    LogHead,
    OfferRow,
    Sealed,
    SignedCheckpoint,
    Submission,
    Wanted,
)

CAP, HUNDRED = Yuan.whole(1_000), Yuan.whole(100)
POISON = "poison"
COUNTS_DAYS = 30


class Poisoned(Exception):
    """The application that cannot be decided."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one submission is answered."""

    body: bytes
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class SealedBatch:
    """What the use case gives back."""

    sealed: Sealed
    results: tuple[Answer | Exception, ...]


def submission(
    key: str, *, lender: str = "icbc", application_id: str | None = None, uscc: str = "91999999MAT000018E",
    group_id: str | None = None, amount: Yuan = HUNDRED, payload: str = "", purpose: str = "raw-materials",
) -> Submission:  # fmt: skip
    """This function will return an application; `payload` makes its fingerprint another one."""
    application = Application(
        application_id=application_id or f"A-{key}",
        product=f"{lender}/loan",
        company=Company(uscc=uscc, name="示例净水科技有限公司", zone="suzhou-snd", group_id=group_id),
        request=CreditRequest(amount=amount, tenor_months=12, purpose=purpose),
    )
    return Submission(lender, key, hashlib.sha256(f"{key}{payload}".encode()).digest(), application, "tester")


def wanted(batch: Sequence[Submission]) -> Wanted:
    """This function will say what the batch must lock and read."""
    return Wanted(
        lenders=tuple(sorted({s.lender for s in batch})),
        keys=tuple(dict.fromkeys((s.lender, s.idempotency_key) for s in batch)),
        companies=tuple(
            dict.fromkeys((s.lender, s.application.company.uscc, s.application.company.group_id) for s in batch)
        ),
        applications=tuple(dict.fromkeys((s.lender, s.application.application_id) for s in batch)),
    )


@dataclass(slots=True)
class Writing:
    """A batch while it is being sealed."""

    state: BatchState
    heads: dict[str, LogHead]
    open: dict[str, list[Commitment]] = field(default_factory=dict)
    answered: dict[tuple[str, str], tuple[bytes, bytes]] = field(default_factory=dict)
    previous: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)
    entries: list[LogEntry] = field(default_factory=list)
    decisions: list[DecisionRow] = field(default_factory=list)
    offers: list[OfferRow] = field(default_factory=list)
    superseded: list[tuple[str, str]] = field(default_factory=list)
    members: dict[tuple[str, str, str], None] = field(default_factory=dict)


def seal(batch: Sequence[Submission], state: BatchState) -> SealedBatch:
    """This function will decide the batch in order; Poisoned for the application with the purpose "poison"."""
    writing = Writing(
        state,
        dict(state.heads),
        answered={key: (a.fingerprint, a.answer) for key, a in state.answered.items()},
        previous={key: (p.decision_id, p.revision) for key, p in state.previous.items()},
    )
    for lender, commitment in state.commitments:
        writing.open.setdefault(lender, []).append(commitment)
    results = tuple(_decide(one, writing) for one in batch)
    heads = tuple(writing.heads[lender] for lender in dict.fromkeys(e.lender for e in writing.entries))
    sealed = Sealed(
        entries=tuple(writing.entries), decisions=tuple(writing.decisions), offers=tuple(writing.offers),
        superseded=tuple(writing.superseded), terms=tuple({d.terms_digest: b"{}" for d in writing.decisions}.items()),
        heads=heads, members=tuple(writing.members),
        checkpoints=tuple(SignedCheckpoint(h.lender, h.size, h.frontier, b"note " + h.frontier) for h in heads),
    )  # fmt: skip
    return SealedBatch(sealed, results)


def _decide(one: Submission, writing: Writing) -> Answer | Exception:
    if one.application.request.purpose == POISON:
        raise Poisoned(one.idempotency_key)
    key, state, head = (one.lender, one.idempotency_key), writing.state, writing.heads[one.lender]
    if key in writing.answered:
        fingerprint, answer = writing.answered[key]
        return Answer(answer, True) if fingerprint == one.fingerprint else ValueError("another body")
    now = max(state.now, head.recorded_at or state.now)
    today = (now + timedelta(hours=8)).date()
    company, application_id = one.application.company, one.application.application_id
    supersedes, revision = writing.previous.get((one.lender, application_id), (None, 0))
    decision_id = f"{one.lender}-{head.size:08d}-{one.idempotency_key}"[:36]
    if company.group_id is not None and (one.lender, company.uscc, company.group_id) not in writing.state.members:
        writing.members[one.lender, company.uscc, company.group_id] = None
    offers = writing.open.setdefault(one.lender, [])
    for offer in [o for o in offers if o.application_id == application_id]:
        offers.remove(offer)
        writing.superseded.append((offer.offer_id, decision_id))
    used = sum(
        o.credit_limit for o in offers
        if o.counts_until >= today and (o.uscc == company.uscc or (company.group_id and o.group_id == company.group_id))
    )  # fmt: skip
    limit = one.application.request.amount if used + one.application.request.amount <= CAP else None
    record = f"{one.lender} {head.size} {one.idempotency_key} {application_id} {limit}".encode()
    answer = b"answer " + record + b" " * 2000
    frontier = hashlib.sha256(head.frontier + record).digest()
    writing.entries.append(LogEntry(one.lender, head.size, hashlib.sha256(record).digest(), record))
    writing.decisions.append(_row(one, decision_id, revision + 1, supersedes, limit, answer, today, now, head))
    if limit is not None:
        made = Commitment(
            f"offer-{decision_id}"[:36], application_id, one.application.product, company.uscc, company.group_id, limit,
            today + timedelta(days=COUNTS_DAYS),
        )  # fmt: skip
        offers.append(made)
        writing.offers.append(OfferRow(decision_id, one.lender, made))
    writing.heads[one.lender] = LogHead(one.lender, head.size + 1, frontier, now)
    writing.answered[key] = (one.fingerprint, answer)
    writing.previous[one.lender, application_id] = (decision_id, revision + 1)
    return Answer(answer)


def _row(
    one: Submission, decision_id: str, revision: int, supersedes: str | None, limit: Yuan | None, answer: bytes,
    today: date, now: datetime, head: LogHead,
) -> DecisionRow:  # fmt: skip
    application = one.application
    return DecisionRow(
        decision_id=decision_id, lender=one.lender, index=head.size, idempotency_key=one.idempotency_key,
        fingerprint=one.fingerprint, application_id=application.application_id, revision=revision,
        supersedes=supersedes, product=application.product, branch="kunshan", zone=application.company.zone,
        uscc=application.company.uscc, stage="startup", score="68.55",
        outcome="DECLINED" if limit is None else "PRE_APPROVED",
        reasons=("CAP_USED", "OTHER") if limit is None else (), requested_amount=int(application.request.amount),
        credit_limit=None if limit is None else int(limit), decided_on=today, recorded_at=now,
        submitted_by=one.submitted_by, terms_digest=f"sha256:{application.product}", answer_from=0, answer_until=0,
        place=answer,
    )  # fmt: skip


def poisoned(one: Submission) -> Submission:
    """This function will return the same submission, but nobody can decide it."""
    request = replace(one.application.request, purpose=POISON)
    return replace(one, application=replace(one.application, request=request))
