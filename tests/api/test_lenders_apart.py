"""R7: what is another lender's looks, over every operation, as if it did not exist."""

import difflib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import app.api.cursor
import app.api.offers
from app.adapters.database.decision_log import STORED, DecisionLog, to_stored
from app.adapters.database.previews import PreviewLog
from app.adapters.database.store import EVERY_LENDER
from app.adapters.database.tables import DECISION
from app.api.access import Caller
from app.api.acts import expected_version
from app.api.calls import Call
from app.api.problems import Problem
from app.domain.access import lenders_within
from app.usecases.offers import StoredOffer
from tests.api.apart import as_branch, findings, worlds

SHORT, FULL = 400, 5_000
# A planted defect shows after some attempts, and only one that does not show takes them all.
UNTIL_FOUND = 2_000


class TestAnotherLendersAffairs:
    @pytest.mark.parametrize("count", [SHORT, pytest.param(FULL, marks=[pytest.mark.soak, pytest.mark.timeout(900)])])
    async def test_do_not_show_through_any_operation(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int):
        async with worlds(tmp_path, monkeypatch) as (full, empty, foreign):
            found = await findings(full, empty, foreign, count)
            branch, others = await as_branch(full, foreign)
            found += await findings(branch, None, others, count)

        assert len(foreign.uuids) > 10
        assert len(foreign.cursors) > 0
        assert len(foreign.offers) > 3
        assert found == [], "\n\n".join(
            f"{one.why}: {one.attempt.operation} as {one.attempt.role}: {str(one.attempt.sent)[:300]}\n"
            + "\n".join(differing(*one.answers))
            for one in found
        )

    async def test_show_to_these_attempts_where_a_defect_is_planted(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        missed = []
        async with worlds(tmp_path, monkeypatch) as (full, empty, foreign):
            for name, plant in PLANTED.items():
                with monkeypatch.context() as planted:
                    plant(planted)
                    if not await findings(full, empty, foreign, UNTIL_FOUND, most=1):
                        missed.append(name)
            branch, others = await as_branch(full, foreign)
            for name, plant in PLANTED_FOR_BRANCHES.items():
                with monkeypatch.context() as planted:
                    plant(planted)
                    if not await findings(branch, None, others, UNTIL_FOUND, most=1):
                        missed.append(name)

        assert missed == []


def differing(one: tuple[int, str], other: tuple[int, str] = (0, "")) -> list[str]:
    """The parts of two answers that differ."""
    lines = difflib.ndiff(*(re.split(r"(?<=[,{])", str(answer)) for answer in (one, other)))
    return [line[:400] for line in lines if line[0] in "+-"][:20]


async def find_anybodys(log: DecisionLog, decision_id: str, lenders: Any) -> Any:
    query = STORED.where(DECISION.c.decision_id == decision_id)
    row = await log._store.read(lambda connection: connection.execute(query).first(), lenders=EVERY_LENDER)
    return to_stored(*row) if row else None


async def tell_foreign_from_absent(log: DecisionLog, decision_id: str, lenders: Any) -> Any:
    found = await find_anybodys(log, decision_id, lenders)
    if found is not None and found.lender not in lenders:
        raise Problem("forbidden")
    return found


def sees_everything(planted: pytest.MonkeyPatch) -> None:
    planted.setattr(Caller, "sees", lambda caller, lender, branch=None: True)


def sees_every_log(planted: pytest.MonkeyPatch) -> None:
    planted.setattr(Caller, "sees_some_of", lambda caller, lender: True)


def reaches_every_lender(planted: pytest.MonkeyPatch) -> None:
    planted.setattr(Caller, "scope", lambda caller, every_lender: tuple(every_lender))


def finds_anybodys(planted: pytest.MonkeyPatch) -> None:
    planted.setattr(DecisionLog, "find", find_anybodys)


def says_forbidden_for_what_is_foreign(planted: pytest.MonkeyPatch) -> None:
    planted.setattr(DecisionLog, "find", tell_foreign_from_absent)


def lists_anybodys_previews(planted: pytest.MonkeyPatch) -> None:
    search = PreviewLog.search
    planted.setattr(PreviewLog, "search", lambda log, lenders, **asked: search(log, ("icbc", "boc", "nbcb"), **asked))


def compares_versions_before_it_looks_whose_offer_it_is(planted: pytest.MonkeyPatch) -> None:
    own = app.api.offers._offer

    async def compare_first(call: Call, offer_id: str) -> StoredOffer:
        found = await call.services.offers.find(offer_id, call.services.lenders)
        if found is not None and expected_version(call) is not None:
            raise Problem("offer-changed")
        return await own(call, offer_id)

    planted.setattr(app.api.offers, "_offer", compare_first)


def seals_cursors_to_nobody(planted: pytest.MonkeyPatch) -> None:
    sealed = app.api.cursor._seal
    planted.setattr(app.api.cursor, "_seal", lambda key, text, scope, filters: sealed(key, text, (), filters))


PLANTED: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    plant.__name__: plant
    for plant in (
        sees_everything, sees_every_log, reaches_every_lender, finds_anybodys, says_forbidden_for_what_is_foreign,
        lists_anybodys_previews, compares_versions_before_it_looks_whose_offer_it_is, seals_cursors_to_nobody,
    )
}  # fmt: skip


def finds_any_branchs(planted: pytest.MonkeyPatch) -> None:
    find = DecisionLog.find
    planted.setattr(DecisionLog, "find", lambda log, one, scope: find(log, one, lenders_within(scope)))


def reaches_every_branch(planted: pytest.MonkeyPatch) -> None:
    planted.setattr(Caller, "scope", lambda caller, every_lender: lenders_within(caller.lenders or every_lender))


PLANTED_FOR_BRANCHES = {plant.__name__: plant for plant in (finds_any_branchs, reaches_every_branch)}
