"""贴息预算: which programmes' budgets are used up, and since when.

Neighbours may rely on this: a budget's state is what the newest act on the operator's log says, with its reason and its
source, and there is a way back; it counts for what is decided after that record, whatever day it names. A used-up
budget changes an offer and never an approval. Where a programme's file states its budget, that its settlements have
filled it is noted by the service itself, once a budget.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar, Protocol

from app.audit.canonical import canonical_bytes
from app.audit.operator_record import OPERATOR
from app.domain.money import Yuan
from app.domain.standing import Standing
from app.domain.terms import ProductTerms
from app.products.catalog import Programme
from app.usecases.act_rows import ActsWanted, Lookup, Row, Written
from app.usecases.acts import Act, Result, Work
from app.usecases.obstacles import KeyReusedWithOtherBody
from app.usecases.subsidy_refusals import SubsidyRefusal, SubsidyRefused

USED_UP, AVAILABLE = "USED_UP", "AVAILABLE"
_TABLE = "subsidy_budget"


class SubsidyBudgets(Protocol):
    """The budgets' states as readers see them."""

    async def states(self) -> Sequence[Row]:
        """This function will return each programme's newest state, by id; a programme of which nothing was ever
        recorded is absent.
        """
        ...


def used_up_among(states: Iterable[Row]) -> frozenset[str]:
    """This function will name the programmes whose budget is used up."""
    return frozenset(str(row["programme"]) for row in states if row["used_up"])


def counted(standing: Standing, terms: ProductTerms, used_up: frozenset[str]) -> Standing:
    """This function will add to what a decision finds which of its own programmes' budgets are used up."""
    own = used_up.intersection([programme.id for programme in terms.subsidies]) if used_up else used_up
    return standing.with_used_up(own) if own else standing


class BudgetsInBatch:
    """What a batch knows of budgets: what was read, and what its earlier acts have changed since."""

    def __init__(self, used_up: frozenset[str]) -> None:
        self._used_up = used_up

    def counted(self, standing: Standing, terms: ProductTerms) -> Standing:
        return counted(standing, terms, self._used_up) if self._used_up else standing

    def take(self, rows: Iterable[Written]) -> None:
        for row in rows:
            if row.table == _TABLE:
                programme = frozenset({str((row.key or row.values)["programme"])})
                used_up = row.values["used_up"]
                self._used_up = self._used_up | programme if used_up else self._used_up - programme


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRecorded(Act):
    """预算状态登记: that a programme's budget is used up, or available again; the subject is the programme."""

    format: ClassVar[str] = "jifendai/subsidy-budget/1"
    lender: str = OPERATOR
    used_up: bool
    since: date

    def wants(self) -> ActsWanted:
        """This function will ask for the programme's state."""
        return ActsWanted(rows=(self._state,))

    @property
    def _state(self) -> Lookup:
        return Lookup(_TABLE, "programme", self.subject)

    def seal_into(self, work: Work, record_id: str) -> Result:
        """This function will change the state. Raises SubsidyRefused."""
        known = {programme.id for programme in work.room.catalogue.catalog.programmes(on=work.on)}
        if self.subject not in known:
            raise SubsidyRefused(SubsidyRefusal.NO_SUCH_PROGRAMME)
        if self.since > work.on:
            raise SubsidyRefused(SubsidyRefusal.IN_THE_FUTURE, "/since")
        before = next(iter(work.rows(self._state)), None)
        if (before is not None and before["used_up"]) == self.used_up:
            since = "" if before is None else before["since"].isoformat()
            raise SubsidyRefused(SubsidyRefusal.STATE_AS_BEFORE, "/state", since)
        if before is not None and self.since < before["since"]:
            raise SubsidyRefused(SubsidyRefusal.BEFORE_THE_LAST_STATE, "/since", before["since"].isoformat())
        values = {"used_up": self.used_up, "since": self.since, "record_id": record_id}
        key = {"programme": self.subject}
        row = Written(_TABLE, {**key, **values}) if before is None else Written(_TABLE, values, key)
        state = USED_UP if self.used_up else AVAILABLE
        shown = {"programme": self.subject, "since": self.since.isoformat()}
        return Result(state, shown, rows=(row,))


# ---- what settlements have filled ------------------------------------------------------------------------------------


async def note_used_up(
    programmes: Iterable[Programme],
    settled: Callable[[], Awaitable[Mapping[str, Yuan]]],
    states: Sequence[Row],
    submit: Callable[[BudgetRecorded], Awaitable[object]],
    on: date,
) -> int:
    """This function will note on the operator's log which budgets their settlements have filled, and return how many
    that was. A budget is noted once: whoever makes it available again is not contradicted until its amount changes.

    `settled` is asked only where a programme has a budget that is not noted as used up yet.
    """
    used_up = used_up_among(states)
    bounded = {p.id: p.budget for p in programmes if p.budget is not None and p.id not in used_up}
    if not bounded:
        return 0
    sums, noted = await settled(), 0
    for programme, budget in bounded.items():
        found = sums.get(programme, Yuan(0))
        if found < budget:
            continue
        document = {
            "state": USED_UP, "since": on.isoformat(), "reason": "SETTLED",
            "reference": f"{found.text()} of {budget.text()} CNY settled until {on.isoformat()}",
        }  # fmt: skip
        # No client's key holds a space.
        act = BudgetRecorded(
            subject=programme, idempotency_key=f"USED_UP {programme} {int(budget)}",
            document=canonical_bytes(document), submitted_by="jifendai", used_up=True, since=on,
        )  # fmt: skip
        try:
            answer: Any = await submit(act)
        except (SubsidyRefused, KeyReusedWithOtherBody):
            # Another replica was there first, or a person has made it available again since.
            continue
        noted += not answer.replayed
    return noted


def programme_document(programme: Programme, state: Row | None) -> dict[str, Any]:
    """This function will show a programme and the state of its budget."""
    return {
        "id": programme.id,
        "name": {"zh": programme.name.zh, "en": programme.name.en},
        "status": None if programme.status is None else programme.status.value,
        "claim": programme.claim.value,
        "claim_within_days": programme.claim_within_days,
        "budget": None if programme.budget is None else programme.budget.text(),
        "budget_state": USED_UP if state is not None and state["used_up"] else AVAILABLE,
        "since": None if state is None else state["since"].isoformat(),
        "record_id": None if state is None else state["record_id"],
    }
