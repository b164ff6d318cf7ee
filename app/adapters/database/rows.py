"""The rows of a sealed batch, as tuples in the order of the tables' columns.

Neighbours may rely on this: instants, days and codes are already what the database holds, so that a driver can take the
tuples as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.adapters.database.column_types import to_codes, to_microseconds
from app.adapters.database.tables import DECISION, OFFER
from app.usecases.ports import DecisionRow, LogHead, OfferRow, Sealed

Row = tuple[Any, ...]
_DECISION_NAMES, _OFFER_NAMES = tuple(DECISION.columns.keys()), tuple(OFFER.columns.keys())


def entry_rows(sealed: Sealed) -> list[Row]:
    """This function will return the rows of log_entry, each led to its decision."""
    of_leaf = {(row.lender, row.index): row.decision_id for row in sealed.decisions}
    return [(e.lender, e.index, e.leaf_hash, e.record, of_leaf.get((e.lender, e.index))) for e in sealed.entries]


def decision_rows(sealed: Sealed) -> list[Row]:
    """This function will return the rows of decision."""
    return list(map(_decision, sealed.decisions))


def offer_rows(sealed: Sealed) -> tuple[list[Row], list[tuple[str, str]]]:
    """This function will return the rows of offer, and the (offer_id, superseded_by) of offers written earlier.

    An offer that was superseded within its own batch is born closed: an UPDATE beside its INSERT would not see it.
    """
    closed = dict(sealed.superseded)
    born = [_offer(row, closed.pop(row.commitment.offer_id, None)) for row in sealed.offers]
    return born, list(closed.items())


def member_rows(sealed: Sealed) -> list[Row]:
    """This function will return the rows of group_member."""
    return [(uscc, lender, group_id, True) for lender, uscc, group_id in sealed.members]


def checkpoint_rows(sealed: Sealed) -> list[Row]:
    """This function will return the rows of checkpoint."""
    return [(c.lender, c.size, c.root, c.note) for c in sealed.checkpoints]


def new_terms(sealed: Sealed, known: set[str]) -> list[Row]:
    """This function will return the rows of terms whose digest is not known to be stored."""
    return [(digest, canonical) for digest, canonical in sealed.terms if digest not in known]


def decision_values(row: DecisionRow) -> dict[str, Any]:
    """This function will return each column of a decision's row, as it is stored."""
    return dict(zip(_DECISION_NAMES, _decision(row), strict=True))


def offer_values(row: OfferRow, superseded_by: str | None) -> dict[str, Any]:
    """This function will return each column of an offer's row, as it is stored."""
    return dict(zip(_OFFER_NAMES, _offer(row, superseded_by), strict=True))


def head_values(head: LogHead) -> Row:
    """This function will return size, frontier and recorded_at of a head."""
    return head.size, head.frontier, None if head.recorded_at is None else to_microseconds(head.recorded_at)


def named(names: tuple[str, ...], rows: list[Row]) -> Iterator[dict[str, Any]]:
    """This function will give each row as a mapping from its columns' names."""
    return (dict(zip(names, row, strict=True)) for row in rows)


def _decision(d: DecisionRow) -> Row:
    return (
        d.decision_id, d.lender, d.index, d.idempotency_key, d.fingerprint, d.application_id, d.revision, d.supersedes,
        d.product, d.branch, d.zone, d.uscc, d.stage, d.score, d.outcome, to_codes(d.reasons), d.requested_amount,
        d.credit_limit, d.decided_on.isoformat(), to_microseconds(d.recorded_at), d.submitted_by, d.terms_digest,
        d.answer_from, d.answer_until, d.place,
    )  # fmt: skip


def _offer(row: OfferRow, superseded_by: str | None) -> Row:
    c = row.commitment
    return (
        c.offer_id, row.decision_id, row.lender, c.application_id, c.product, c.uscc, c.group_id, int(c.credit_limit),
        c.counts_until.isoformat(), c.credit_approved, superseded_by,
    )  # fmt: skip
