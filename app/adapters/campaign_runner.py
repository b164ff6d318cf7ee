"""Campaigns while they run: forecasts are made and lists decided, behind the requests and through the same desk.

Neighbours may rely on this: what was begun goes on after a restart, wherever it stopped, and nothing is decided twice:
each request has a key of its own and never changes. The desk takes a campaign's requests behind all others, and so few
at once that these hardly wait. Campaigns that run at once take turns, page by page; one that is paused or cancelled
here stops once the desk has decided what it was given, and that is kept. Of two processes that run one campaign the
same keys give the same answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from app.domain.money import Yuan
from app.usecases.acts import Act
from app.usecases.campaign_forecasts import Forecast
from app.usecases.campaigns import (
    Campaign,
    CampaignAct,
    CampaignRefused,
    CampaignResult,
    Campaigns,
    CampaignState,
    CampaignVerb,
    ListedCompany,
    result_of,
    submissions_of,
)
from app.usecases.decide import Answer, seal, wanted
from app.usecases.obstacles import CatalogueNotActive, Obstacle
from app.usecases.ports import CommitUnknown, StoreUnavailable, Submission
from app.usecases.room import Room

LOOKS_EVERY_S: Final = 1.0
_AGAIN_AFTER_S: Final = 1.0
COMPANIES_AT_ONCE: Final = 256
WINDOW: Final = 24
"""How many of a campaign's requests may be in the desk at a time: two of its batches, so that one is made while the
other is being written."""
_FORECAST_AT_ONCE: Final = 32
# A forecast and requests share one interpreter: few are tried at once, and none for a while where somebody waits.
_TRIED_AT_ONCE, _LOOKS_AGAIN_TIMES, _LOOKS_AGAIN_S = 8, 20, 0.001
_TELLS_EVERY_S: Final = 0.5
_log = logging.getLogger("jifendai.campaigns")


class Desk(Protocol):
    """Where requests are decided."""

    @property
    def is_writing(self) -> bool:
        """Whether a batch is on its way."""
        ...

    def submit(self, submission: Submission | Act) -> asyncio.Future[Answer]:
        """This function will queue the request."""
        ...


@dataclass(slots=True)
class _Making:
    """A forecast that is being made: of how many companies so far, and when that was last told."""

    forecast: Forecast = field(default_factory=Forecast)
    companies: int = 0
    told_at: float = 0.0


class CampaignRunner:
    """Makes forecasts and runs campaigns; `room_of` tells what a pool has left, None where nobody knows."""

    def __init__(
        self,
        campaigns: Campaigns,
        desk: Desk,
        room: Room,
        *,
        room_of: Callable[[str, str], Any],
        looks_every_s: float = LOOKS_EVERY_S,
        window: int = WINDOW,
    ) -> None:
        self._campaigns = campaigns
        self._desk = desk
        self._room = room
        self._room_of = room_of
        self._looks_every_s = looks_every_s
        self._window = window
        self._task: asyncio.Task[None] | None = None
        self._nudged = asyncio.Event()
        self._forecasts: dict[str, _Making] = {}

    def start(self) -> None:
        """This function will begin to look for campaigns in the running event loop."""
        self._task = asyncio.get_running_loop().create_task(self._look_on())

    def nudge(self) -> None:
        """This function will let it look at once."""
        self._nudged.set()

    async def stop(self) -> None:
        """This function will return once nothing runs any more; what was begun goes on after the next start."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _look_on(self) -> None:
        while True:
            try:
                went_on = await self._turn()
            except Exception as error:  # noqa: BLE001 - a database that went away comes back
                _log.warning("campaigns go on in %s s: %s", self._looks_every_s, type(error).__name__)
                went_on = False
            if not went_on:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._looks_every_s):
                        await self._nudged.wait()

    async def _turn(self) -> bool:
        """One step of every campaign, and whether any went on; one that cannot go on holds no other up."""
        self._nudged.clear()
        went_on = False
        active = await self._campaigns.active()
        wanted_still = {one.campaign_id for one in active if one.state is CampaignState.FORECASTING}
        self._forecasts = {name: making for name, making in self._forecasts.items() if name in wanted_still}
        for campaign in active:
            try:
                went_on |= await self._step(campaign)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next turn tries again
                told = {"campaign": campaign.campaign_id, "why": type(error).__name__}
                _log.warning("a campaign could not go on", extra={"event": told})
        return went_on

    async def carry_on(self, campaign: Campaign) -> None:
        """This function will make a campaign's forecast, or run it as far as it goes."""
        if campaign.state is CampaignState.FORECASTING:
            while await self._forecast(campaign):
                pass
        while campaign.state is CampaignState.RUNNING:
            campaign = await self._page(campaign)

    async def _step(self, campaign: Campaign) -> bool:
        if campaign.state is CampaignState.FORECASTING:
            await self._forecast(campaign)
            return True
        return (await self._page(campaign)).done > campaign.done

    # ---- the forecast ----------------------------------------------------------------------------------------------

    async def _forecast(self, campaign: Campaign) -> bool:
        """The next page of its forecast, and whether there is more of it."""
        making = self._forecasts.setdefault(campaign.campaign_id, _Making())
        companies = await self._campaigns.companies(campaign, making.companies, _FORECAST_AT_ONCE)
        if companies:
            batch = [asked for company in companies for asked in submissions_of(campaign, company)]
            making.forecast.add(batch, await self._tried(batch))
            making.companies = companies[-1].number + 1
            if making.told_at + _TELLS_EVERY_S > asyncio.get_running_loop().time():
                return True
            making.told_at = asyncio.get_running_loop().time()
            if await self._campaigns.forecast_reached(campaign, making.companies * len(campaign.products)):
                return True
        else:
            forecast = making.forecast
            rooms: dict[str, Yuan | None] = {
                pool: await self._room_of(pool, campaign.lender) for pool in forecast.covered
            }
            await self._campaigns.forecast_made(campaign, forecast.document(rooms))
        # It is made, or nobody wants it any more.
        del self._forecasts[campaign.campaign_id]
        return False

    async def _tried(self, batch: Sequence[Submission]) -> list[Answer | Obstacle]:
        state, results = await self._campaigns.state_for(wanted(batch)), list[Answer | Obstacle]()
        for begin in range(0, len(batch), _TRIED_AT_ONCE):
            await self._nobody_waits()
            # In a thread, so that requests are taken meanwhile.
            tried = await asyncio.to_thread(seal, batch[begin : begin + _TRIED_AT_ONCE], state, self._room)
            results += tried.results
        return results

    async def _nobody_waits(self) -> None:
        """Returns once the desk is idle, or has been busy for so long that a forecast would come to nothing."""
        for _ in range(_LOOKS_AGAIN_TIMES):
            if not self._desk.is_writing:
                return
            await asyncio.sleep(_LOOKS_AGAIN_S)

    # ---- the run ---------------------------------------------------------------------------------------------------

    async def _page(self, campaign: Campaign) -> Campaign:
        if campaign.done < campaign.size:
            begin = campaign.done // len(campaign.products)
            companies = await self._campaigns.companies(campaign, begin, COMPANIES_AT_ONCE)
            campaign = await self._campaigns.progress(campaign, await self._decided(campaign, companies))
        if campaign.state is CampaignState.RUNNING and campaign.done >= campaign.size:
            await self._finish(campaign)
            return replace(campaign, state=CampaignState.FINISHED)
        return campaign

    async def _decided(self, campaign: Campaign, companies: Sequence[ListedCompany]) -> list[CampaignResult]:
        results: list[CampaignResult] = []
        room = asyncio.Semaphore(self._window)
        async with asyncio.TaskGroup() as group:
            for number, asked in _requests(campaign, companies):
                # Each is made when there is room for it: whoever asks meanwhile waits for the making of one.
                await room.acquire()
                if self._nudged.is_set() and results:
                    # Somebody has changed a campaign, perhaps this one: what is decided is kept, then it is looked at.
                    break
                group.create_task(self._result(number, asked, results, room))
        return sorted(results, key=lambda result: result.number)

    async def _result(
        self, number: int, asked: Submission, results: list[CampaignResult], room: asyncio.Semaphore
    ) -> None:
        results.append(result_of(number, asked, await self._answer(asked)))
        room.release()

    async def _answer(self, asked: Submission) -> bytes | Obstacle:
        while True:
            try:
                return (await self._desk.submit(asked)).body
            except CatalogueNotActive:
                await asyncio.sleep(_AGAIN_AFTER_S)
            except Obstacle as obstacle:
                return obstacle
            except (CommitUnknown, StoreUnavailable):
                await asyncio.sleep(_AGAIN_AFTER_S)
            except Exception as error:
                # The desk is full, or stops: the same request later.
                if not hasattr(error, "retry_after_s"):
                    raise
                await asyncio.sleep(_AGAIN_AFTER_S)

    async def _finish(self, campaign: Campaign) -> None:
        done = CampaignAct(
            lender=campaign.lender, subject=campaign.campaign_id, idempotency_key=f"finished {campaign.campaign_id}",
            document=b"{}", submitted_by=campaign.created_by, verb=CampaignVerb.FINISH,
        )  # fmt: skip
        # Somebody may have paused it at this very moment, or another process finished it.
        with contextlib.suppress(CampaignRefused):
            await self._desk.submit(done)


def _requests(campaign: Campaign, companies: Sequence[ListedCompany]) -> Iterator[tuple[int, Submission]]:
    """What is not decided yet, each with its number."""
    for company in companies:
        for place, asked in enumerate(submissions_of(campaign, company)):
            number = company.number * len(campaign.products) + place
            if number >= campaign.done:
                yield number, asked
