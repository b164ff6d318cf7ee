"""The demonstration's pool: capital, a loss that was paid, one to be decided and a line on which to claim.

Neighbours may rely on this: ids and keys are fixed, so that every worked example names something that is there; where
any of it was done before, it is done no second time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any

from app.adapters.desk import Desk
from app.audit.application import application_from_document
from app.audit.canonical import canonical_bytes
from app.audit.operator_record import OPERATOR
from app.domain.money import Yuan
from app.domain.terms import PoolBook
from app.ledger.claim import Loss
from app.usecases.acts import Act
from app.usecases.catalogue import ActiveCatalogue
from app.usecases.decide import seal, submission_of, wanted
from app.usecases.line_cover import pool_named_by
from app.usecases.offers import OfferEvent, pre_approval_of
from app.usecases.pool_acts import Claim, ClaimDecision, Contribution
from app.usecases.ports import Book, CheckpointSigner, DecisionLog
from app.usecases.room import Room

PRODUCT, POOL, LENDER = "undisclosed/zhongkai-pool-illustration", "zhongkai/illustration", "undisclosed"
_ID = "01990000-0000-7000-8000-0000000030"
PAID_CLAIM_ID, OPEN_CLAIM_ID, CLAIMABLE_OFFER_ID = f"{_ID}c1", f"{_ID}c2", f"{_ID}3f"
_USCC = ("91999999MAD0000118", "91999999MAD000012B", "91999999MAD000013E")
LINE_DECISION_IDS = tuple(f"{_ID}{number}0" for number, _ in enumerate(_USCC, 1))
"""The decisions behind the pool's lines, all pre-approved, after the other cases."""
_BY = "demo-loan-system"


async def seed_pool(
    book: Book, decisions: DecisionLog, *, catalogue: ActiveCatalogue, signer: CheckpointSigner, log_name: str,
    today: date,
) -> None:  # fmt: skip
    """This function will pay the illustration's capital in, decide three lines, draw them, and make two claims."""
    terms = catalogue.pool(POOL, on=today)
    if not catalogue.catalog.knows_product(PRODUCT) or terms is None or terms.book is not PoolBook.OWN:
        return
    first = await decisions.find(f"{_ID}10", (LENDER,))
    if first is not None and pre_approval_of(first).decided_on != today:
        return
    seeding = _Seeding(book, decisions, catalogue, signer, log_name, today)
    said = {"amount": "900000000.00", "reference": "DEMO", "value_on": today.isoformat()}
    capital = Yuan.whole(900_000_000)
    await seeding.act(Contribution, OPERATOR, POOL, said, f"{_ID}a1", amount=capital, value_on=today)
    for number, uscc in enumerate(_USCC, 1):
        await seeding.line(number, uscc)
    for number, claim_id in ((1, PAID_CLAIM_ID), (2, OPEN_CLAIM_ID)):
        await seeding.claim(number, claim_id)
    said = {"outcome": "PAID", "reason": "DEMO"}
    await seeding.act(ClaimDecision, LENDER, POOL, said, f"{_ID}d1", by="demo-risk-analyst", claim_id=PAID_CLAIM_ID,
                      offer_id=f"{_ID}1f", pays=True)  # fmt: skip


class _Seeding:
    def __init__(
        self, book: Book, decisions: DecisionLog, catalogue: ActiveCatalogue, signer: CheckpointSigner, log_name: str,
        today: date,
    ) -> None:  # fmt: skip
        self._book, self._decisions, self._catalogue, self._today = book, decisions, catalogue, today
        self._signer, self._log_name = signer, log_name

    def desk(self, *ids: str) -> Desk:
        room = Room(self._catalogue, partial(next, iter(ids)), self._signer, self._log_name)
        reads = partial(wanted, pools=self._catalogue.pools_reserved_from)
        return Desk(self._book, wanted=reads, seal=partial(seal, room=room))

    async def act(
        self, kind: type[Act], lender: str, subject: str, said: Mapping[str, Any], record_id: str, *, by: str = _BY,
        **fields: Any,
    ) -> None:  # fmt: skip
        document = canonical_bytes(dict(said))
        made = kind(lender=lender, subject=subject, idempotency_key=f"demo-{record_id}", document=document,
                    submitted_by=by, **fields)  # fmt: skip
        await self.desk(record_id).submit(made)

    async def line(self, number: int, uscc: str) -> None:
        decision_id, document = f"{_ID}{number}0", pool_application(self._today, f"DEMO-POOL-{number}", uscc)
        sent = canonical_bytes(document)
        key = f"demo-pool-line-{number}"
        asked = submission_of(sent, application_from_document(document), idempotency_key=key, submitted_by=_BY)
        await self.desk(decision_id, f"{_ID}{number}f").submit(asked)
        stored = await self._decisions.find(decision_id, (LENDER,))
        for place, event in enumerate(_events(self._today), 1):
            fields = {"offer": pre_approval_of(stored), "pool": pool_named_by(stored)}
            await self.act(OfferEvent, LENDER, f"{_ID}{number}f", event, f"{_ID}{number}{place}", **fields)

    async def claim(self, number: int, claim_id: str) -> None:
        papers, since = ("loan-contract", "demand-letter"), self._today - timedelta(days=90)
        said = claim_document(self._today, f"{_ID}{number}f")
        loss = Loss(Yuan.whole(1_000_000), Yuan(0), since, papers)
        await self.act(Claim, LENDER, POOL, said, claim_id, offer_id=f"{_ID}{number}f", loss=loss)


def claim_document(today: date, offer_id: str) -> dict[str, Any]:
    """This function will return a claim as a lender sends it."""
    return {
        "offer_id": offer_id, "principal": "1000000.00", "interest": "0.00",
        "past_due_since": (today - timedelta(days=90)).isoformat(),
        "documents": [{"code": code, "reference": "DEMO"} for code in ("loan-contract", "demand-letter")],
    }  # fmt: skip


def _events(today: date) -> Sequence[Mapping[str, Any]]:
    told = {"value_on": today.isoformat(), "core_reference": "DEMO"}
    clear = dict.fromkeys(("score_vetoed", "judgment_defaulter", "abnormal_operation", "serious_illegal"), False)
    return (
        {"event": "CREDIT_APPROVED", **told, "approved_limit": "5000000.00", "annual_rate": "0.0330",
         "available_until": (today + timedelta(days=365)).isoformat(), "approval_reference": "DEMO-A",
         "contract_reference": "DEMO-C"},
        {"event": "DRAWDOWN", **told, "amount": "3000000.00",
         "matures_on": (today + timedelta(days=300)).isoformat(), "checks": clear},
    )  # fmt: skip


def pool_application(today: date, application_id: str, uscc: str) -> dict[str, Any]:
    """This function will return an application for the product of the demonstration's pool, pre-approved."""

    def ago(days: int) -> str:
        return (today - timedelta(days=days)).isoformat()

    listings = {"judgment_defaulter": False, "abnormal_operation": False, "serious_illegal": False}
    return {
        "application_id": application_id,
        "product": PRODUCT,
        "company": {"uscc": uscc, "name": "示例资金池企业有限公司", "zone": "zhongkai", "founded_on": ago(2_000)},
        "innovation_score": {
            "scheme": "zhongkai", "state": "SCORED", "value": "75.00", "stage": "expansion", "as_of": ago(51),
            "source": {"kind": "PLATFORM_QUERY", "reference": "DEMO", "obtained_at": f"{ago(1)}T02:10:00Z"},
        },
        "credit_history": {"past_due_days": 0, "listings": listings},
        "authorisation": {"reference": "DEMO", "granted_on": ago(2), "valid_until": ago(-362)},
        "request": {"amount": "5000000.00", "tenor_months": 12, "purpose": "raw-materials"},
    }  # fmt: skip
