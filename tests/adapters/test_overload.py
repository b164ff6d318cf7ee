"""Four times what can be carried: whoever is let in is answered about as soon as ever, and afterwards all is as before.

The book's cost is simulated and large beside this machine's own noise: what is measured is the desk's rule, as a ratio.
"""

import asyncio
from collections.abc import Callable
from statistics import median
from time import perf_counter

from app.adapters.desk import Desk, DeskFull
from app.adapters.memory import MemoryDatabase
from app.usecases.ports import BatchState, Sealed, Wanted
from tests.adapters.sealing import seal, submission, wanted

COMMIT_S, EACH_S = 0.010, 0.002
SUSTAINABLE_PER_S = 0.8 / EACH_S
MOST_TIMES_NORMAL = 4


class CostlyBook:
    """A book whose batch takes a commit, and more for each decision."""

    def __init__(self) -> None:
        self._book = MemoryDatabase().book

    async def transact(self, wanted: Wanted, seal: Callable[[BatchState], Sealed]) -> Sealed:
        """This function will take its time and write the batch."""
        sealed = await self._book.transact(wanted, seal)
        await asyncio.sleep(COMMIT_S + EACH_S * len(sealed.entries))
        return sealed


async def latencies(desk: Desk, prefix: str, per_s: float, for_s: float, *, admits: bool) -> tuple[list[float], int]:
    """This function will send at that rate whatever comes back, and return what the accepted waited, and the refused
    were.
    """
    waited: list[float] = []
    refused = 0

    async def one(number: int) -> None:
        nonlocal refused
        began = perf_counter()
        try:
            if admits:
                desk.admit()
            await desk.submit(submission(f"{prefix}{number}", uscc=f"91{number:016d}"))
        except DeskFull as full:
            assert full.retry_after_s >= 1
            refused += 1
        else:
            waited.append(perf_counter() - began)

    async with asyncio.TaskGroup() as tasks:
        began, number = perf_counter(), 0
        while (elapsed := perf_counter() - began) < for_s:
            # What is due now, however late the loop has come back to it.
            while number < elapsed * per_s:
                tasks.create_task(one(number))
                number += 1
            await asyncio.sleep(0.002)
    return waited, refused


async def under_load(*, admits: bool, for_s: float) -> tuple[float, float, int, int]:
    """This function will return by how much the accepted were slower at four times the load, and afterwards, how many
    were refused under it, and how many afterwards.
    """
    desk = Desk(CostlyBook(), wanted=wanted, seal=seal)
    normal, _ = await latencies(desk, "n", SUSTAINABLE_PER_S, for_s, admits=admits)
    accepted, refused = await latencies(desk, "o", 4 * SUSTAINABLE_PER_S, for_s, admits=admits)
    after, refused_after = await latencies(desk, "a", SUSTAINABLE_PER_S, for_s, admits=admits)
    return median(accepted) / median(normal), median(after) / median(normal), refused, refused_after


class TestAnOverloadedDesk:
    async def test_answers_whom_it_lets_in_within_four_times_the_usual_and_recovers_by_itself(self):
        slower, slower_after, refused, refused_after = await under_load(admits=True, for_s=1.0)

        assert slower <= MOST_TIMES_NORMAL
        assert refused > 0
        assert slower_after <= MOST_TIMES_NORMAL / 2
        assert refused_after == 0

    async def test_would_be_seen_to_keep_everybody_waiting_if_it_let_everybody_in(self):
        """The planted defect: the bound of the queue alone."""
        slower, *_ = await under_load(admits=False, for_s=1.5)

        assert slower > MOST_TIMES_NORMAL
