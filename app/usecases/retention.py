"""保存期限: how long a decision is kept, what holds it back, and what may then be removed.

Neighbours may rely on this:
- a case is all decisions of one application at one lender with their offers, and every act about these. It is kept
  whole or pruned whole, `years` after the last day on which anything of it stood: the decision itself, the offer's or
  the credit line's last day, the newest act. A line with something outstanding has not ended at all.
- nothing is pruned while a legal hold names the company or one of the decisions. Holds stand in the operator's log and
  nowhere else; of the company they hold only a digest, as that log names no company.
- what is pruned leaves its leaf hash behind, so that every proof still verifies, and its id, so that whoever asks is
  told that it is gone.
- a score snapshot is kept as long from the day on which it was obtained, and longer while a hold names its company. A
  decision's record holds its own copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Any, Final, Protocol

from app.audit.operator_record import OperatorAct, OperatorRecord
from app.usecases.finding import ranges

SHORTEST_YEARS: Final = 10


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """One record of a case: a decision, or an act about it or its offer."""

    record_id: str
    index: int
    is_decision: bool


@dataclass(frozen=True, slots=True)
class Case:
    """All that was recorded of one application; `ended_on` is the last day on which anything of it stood, None while a
    line has something outstanding.
    """

    lender: str
    application_id: str
    companies: frozenset[str]
    records: tuple[CaseRecord, ...]
    offers: tuple[str, ...]
    ended_on: date | None

    @property
    def decisions(self) -> frozenset[str]:
        """The ids of its decisions."""
        return frozenset(record.record_id for record in self.records if record.is_decision)


@dataclass(frozen=True, slots=True)
class Hold:
    """保全: why a company's cases, or one decision's, are not pruned, and by whose word."""

    hold_id: str
    company: str | None
    decision: str | None
    reason: str
    person: str
    placed_by: str
    placed_at: str

    def covers(self, case: Case) -> bool:
        """This function will say whether the hold keeps the case."""
        if self.decision is not None:
            return self.decision in case.decisions
        return any(map(self.names, case.companies))

    def names(self, uscc: str) -> bool:
        """This function will say whether the hold names the company."""
        return self.company is not None and company_digest(self.hold_id, uscc) == self.company


def company_digest(hold_id: str, uscc: str) -> str:
    """This function will return what stands for a company in the operator's log, another for each hold."""
    return "sha256:" + sha256(f"{hold_id}\n{uscc}".encode()).hexdigest()


def holds_in(records: Iterable[OperatorRecord]) -> tuple[Hold, ...]:
    """This function will return the holds that stand, from the operator's records in their order."""
    standing: dict[str, Hold] = {}
    for record in records:
        document = record.document
        if record.act is OperatorAct.LEGAL_HOLD_PLACED:
            standing[document["hold_id"]] = Hold(
                document["hold_id"], document["company"], document["decision"], document["reason"],
                document["person"], record.by, f"{record.recorded_at:%Y-%m-%d}",
            )  # fmt: skip
        elif record.act is OperatorAct.LEGAL_HOLD_LIFTED:
            standing.pop(document["hold_id"], None)
    return tuple(standing.values())


def kept_until(ended_on: date, years: int) -> date:
    """This function will return the last day on which a case that ended on that day must be kept."""
    try:
        return ended_on.replace(year=ended_on.year + years)
    except ValueError:
        # The 29th of February has no anniversary: the day after it has.
        return date(ended_on.year + years, 3, 1)


def may_be_pruned(case: Case, on: date, years: int, holds: Sequence[Hold]) -> bool:
    """This function will say whether the case may be removed on that day."""
    if case.ended_on is None or on <= kept_until(case.ended_on, max(years, SHORTEST_YEARS)):
        return False
    return not any(hold.covers(case) for hold in holds)


def is_due(case: Case, on: date, years: int) -> bool:
    """This function will say whether the case's time is over, whatever holds it."""
    return may_be_pruned(case, on, years, ())


# ---- what is recorded of it ------------------------------------------------------------------------------------------


def hold_document(
    hold_id: str, *, company: str | None, decision: str | None, reason: str, person: str
) -> dict[str, Any]:
    """This function will write what the operator's record of a new hold says."""
    digest = None if company is None else company_digest(hold_id, company)
    return {"hold_id": hold_id, "company": digest, "decision": decision, "reason": reason, "person": person}


def lift_document(hold_id: str, *, reason: str, person: str) -> dict[str, Any]:
    """This function will write what the operator's record of a lifted hold says."""
    return {"hold_id": hold_id, "reason": reason, "person": person}


def prune_document(lender: str, cases: Sequence[Case], *, on: date, years: int) -> dict[str, Any]:
    """This function will write which records of the lender's log were pruned: half-open ranges of indices."""
    indices = sorted(record.index for case in cases for record in case.records)
    return {
        "log": lender,
        "records": len(indices),
        "ranges": [list(pair) for pair in ranges(indices)],
        "years": years,
        "on": on.isoformat(),
    }


def snapshots_document(lender: str, snapshots: int, *, before: date, on: date, years: int) -> dict[str, Any]:
    """This function will write how many of a lender's score snapshots were pruned: those obtained before that day."""
    return {
        "lender": lender, "snapshots": snapshots, "obtained_before": before.isoformat(), "years": years,
        "on": on.isoformat(),
    }  # fmt: skip


def pruned_in(records: Iterable[OperatorRecord]) -> dict[str, frozenset[int]]:
    """This function will return the pruned indices of each log, from the operator's records."""
    found: dict[str, set[int]] = {}
    for record in records:
        if record.act is OperatorAct.RECORDS_PRUNED:
            indices = found.setdefault(record.document["log"], set())
            for start, stop in record.document["ranges"]:
                indices.update(range(start, stop))
    return {lender: frozenset(indices) for lender, indices in found.items()}


# ---- the port --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CasePage:
    """Some cases of a log, in the order of their first decision; `after` is where the next page begins, None at the
    end of what can be due.
    """

    cases: tuple[Case, ...]
    after: int | None


class Pruning(Protocol):
    """What a prune decides behind the locks, with the operator's records as they then are: which of the cases, and what
    is recorded of it; no case, no record.
    """

    def __call__(
        self, cases: Sequence[Case], records: Sequence[OperatorRecord]
    ) -> tuple[Sequence[Case], dict[str, Any]]: ...


class Retention(Protocol):
    """The cases of a database, and their end."""

    async def cases(self, lender: str, after: int, decided_until: date) -> CasePage:
        """This function will return the cases whose first decision stands behind the index `after` and was decided no
        later than that day.
        """
        ...

    async def prune(self, cases: Sequence[Case], decide: Pruning, recording: Any) -> Sequence[Case]:
        """This function will read the cases again behind the locks, and remove those that `decide` names, in one
        transaction with the record of it that `recording` makes; it returns them.
        """
        ...

    async def snapshots(self, before: date) -> Mapping[str, int]:
        """This function will count, by lender, the score snapshots that were obtained before that day."""
        ...

    async def prune_snapshots(
        self, lender: str, before: date, after: str, recording: Callable[[int], Any]
    ) -> tuple[int, str | None]:
        """This function will remove some of the lender's snapshots of companies behind the code `after` that were
        obtained before that day and whose company no hold names, in one transaction with the record of it; it returns
        how many, and the code behind which to go on, None at the end.
        """
        ...
