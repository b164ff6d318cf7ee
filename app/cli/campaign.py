"""jifendai campaign run: a list from a sheet, forecast, decided with a progress bar, summed up, and the outreach sheet.

Neighbours may rely on this: the same command on the same file goes on where it was broken off; nothing is decided
twice, whether the command or a service goes on with it.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import sys
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import Any

from app.adapters.campaign_runner import CampaignRunner
from app.adapters.clock import utc_now
from app.adapters.database import Database
from app.adapters.desk import Desk
from app.adapters.identifiers import new_uuid7
from app.adapters.sheet_files import SheetFiles
from app.adapters.workbook import workbook
from app.api.outreach import outreach_rows
from app.audit.canonical import canonical_bytes
from app.cli.installation import FAULTY, Refused, its_catalogue, its_database, its_settings, its_signer, say
from app.cli.scores import its_content, its_vocabulary
from app.domain.money import Yuan
from app.main import room_of_pool
from app.settings import Settings
from app.usecases.campaign_lists import campaign_id_of, from_sheet
from app.usecases.campaigns import (
    Campaign,
    CampaignAct,
    CampaignRefused,
    CampaignState,
    CampaignVerb,
    ProductsApart,
    products_for,
)
from app.usecases.catalogue import ActiveCatalogue
from app.usecases.days import day_in_shanghai
from app.usecases.decide import seal, wanted
from app.usecases.obstacles import NoSuchProduct
from app.usecases.room import Room
from app.usecases.sheet_rows import SheetRefused, Vocabulary

_BAR = 40


def run(options: argparse.Namespace) -> None:
    """This function will forecast and run a campaign, and write its outreach sheet."""
    settings = its_settings()
    catalogue, content = its_catalogue(settings), its_content(options.file)
    known = its_vocabulary(catalogue, options, whole=True)
    try:
        Yuan.parse(options.amount)
    except ValueError:
        raise Refused(FAULTY, "--amount: yuan, such as 5000000 金额以元计") from None
    asyncio.run(_Running(settings, catalogue, options).carried_out(content, known))


class _Running:
    def __init__(self, settings: Settings, catalogue: ActiveCatalogue, options: argparse.Namespace) -> None:
        self._settings, self._catalogue, self._options = settings, catalogue, options
        self._today = day_in_shanghai(utc_now())

    async def carried_out(self, content: bytes, known: Vocabulary) -> None:
        room = Room(
            self._catalogue, new_uuid7, its_signer(self._settings), self._settings.log_name, self._settings.sm3
        )
        async with its_database(self._settings) as database:
            await database.start()
            reads = partial(wanted, pools=self._catalogue.pools_reserved_from)
            desk: Any = Desk(database.book, wanted=reads, seal=partial(seal, room=room))
            rooms = partial(room_of_pool, database, self._catalogue)
            runner = CampaignRunner(database.campaigns, desk, room, room_of=rooms)
            campaign = await self._created(database, desk, content, known)
            if campaign.state is CampaignState.FORECASTING:
                say("Forecasting … 测算中")
                campaign = await _carried_on(database, runner, campaign)
            _forecast(campaign)
            if self._options.forecast_only:
                say("Nothing was decided. 仅测算，未作决策")
                return
            campaign = await self._run(database, desk, runner, campaign)
            _summary(campaign)
            await self._outreach(database, campaign)

    async def _created(self, database: Database, desk: Any, content: bytes, known: Vocabulary) -> Campaign:
        options, digest = self._options, sha256(content).hexdigest()
        lender, _ = self._lender()
        request = {"amount": options.amount, "tenor_months": options.tenor_months, "purpose": options.purpose}
        asked = {"zone": options.zone, "products": options.product, "request": request, "sheet": digest,
                 "name": options.name or options.file.stem}  # fmt: skip
        document, by = canonical_bytes(asked), f"cli:{getpass.getuser()}"
        key = f"campaign:{sha256(document).hexdigest()}"
        campaign_id = campaign_id_of(lender, by, key)
        standing = await database.campaigns.find(campaign_id, (lender,))
        if standing is not None:
            say(f"It goes on where it was: {standing.done:,} of {standing.size:,}. 从中断处继续")
            return standing
        left_out: list[int] = []
        campaign = Campaign(
            campaign_id, lender, None, asked["name"], options.zone, CampaignState.FORECASTING,
            tuple(options.product), 0, utc_now(), by, {},
        )  # fmt: skip
        try:
            async with SheetFiles(self._settings.data_dir).open(content, known) as opened:
                async for listed in from_sheet(
                    opened.pages(), database.score_snapshots, campaign, request, left_out
                ):
                    await database.campaigns.prepare(lender, campaign_id, listed)
                    campaign = replace(campaign, companies=campaign.companies + len(listed))
        except SheetRefused as refused:
            raise Refused(FAULTY, f"{options.file}: {refused.words.en}. {refused.words.zh}") from None
        if left_out:
            say(f"{len(left_out):,} rows have faults and are left out; `jifendai scores import` names them. "
                f"{len(left_out):,} 行有误，未入名单")  # fmt: skip
        if not campaign.companies:
            raise Refused(FAULTY, f"{options.file}: no row can be used. 没有可用的行")
        source = {"kind": "SHEET", "sha256": digest, "rows_left_out": left_out}
        await desk.submit(
            CampaignAct(
                lender=lender, subject=campaign_id, idempotency_key=key, document=document, submitted_by=by,
                verb=CampaignVerb.CREATE, created=replace(campaign, source=source),
            )
        )  # fmt: skip
        return await _again(database, campaign)

    def _lender(self) -> tuple[str, str | None]:
        catalog, names = self._catalogue.catalog, self._options.product
        if len(set(names)) < len(names):
            raise Refused(FAULTY, "--product: each once 产品不得重复")
        try:
            return products_for(catalog, names, self._options.zone, self._today, tuple(catalog.lenders))
        except NoSuchProduct:
            raise Refused(FAULTY, "--product: the catalogue lacks one of them. 目录中没有该产品") from None
        except ProductsApart:
            raise Refused(
                FAULTY, "--product: products of one lender that serve the zone. 须为同一机构、面向该高新区的产品"
            ) from None

    async def _run(self, database: Database, desk: Any, runner: CampaignRunner, campaign: Campaign) -> Campaign:
        if campaign.state in (CampaignState.READY, CampaignState.PAUSED):
            change = {
                "lender": campaign.lender, "subject": campaign.campaign_id, "submitted_by": campaign.created_by,
                "document": b"{}", "idempotency_key": f"run:{new_uuid7()}",
            }  # fmt: skip
            try:
                await desk.submit(CampaignAct(**change, verb=CampaignVerb.RUN))
            except CampaignRefused:
                say("Somebody else has changed it meanwhile. 他人已变更该活动")
            campaign = await _again(database, campaign)
        return await _carried_on(database, runner, campaign)

    async def _outreach(self, database: Database, campaign: Campaign) -> None:
        path = self._options.outreach or self._options.file.with_name(f"{self._options.file.stem}-outreach.xlsx")
        heads, rows = await outreach_rows(database.campaigns, campaign)
        path.write_bytes(workbook("outreach 营销清单", heads, rows))
        say(f"The outreach sheet: {path} ({len(rows):,} rows). 营销清单 {len(rows):,} 行")


async def _carried_on(database: Database, runner: CampaignRunner, campaign: Campaign) -> Campaign:
    going_on = asyncio.create_task(runner.carry_on(campaign))
    while not going_on.done():
        await asyncio.wait({going_on}, timeout=0.5)
        campaign = await _again(database, campaign)
        _bar(campaign)
    await going_on
    if sys.stderr.isatty():
        sys.stderr.write("\n")
    return await _again(database, campaign)


async def _again(database: Database, campaign: Campaign) -> Campaign:
    found = await database.campaigns.find(campaign.campaign_id, (campaign.lender,))
    return campaign if found is None else found


def _forecast(campaign: Campaign) -> None:
    told = campaign.forecast
    if told is None:
        return
    outcomes = told["total"]["outcomes"]
    say(
        f"Forecast 预测: pre-approved 预授信 {outcomes['PRE_APPROVED']:,}, referred 转人工 {outcomes['REFERRED']:,}, "
        f"declined 拒绝 {outcomes['DECLINED']:,}, not decided 无法决策 {told['total']['not_decided']:,}; "
        f"indicative limits 参考额度合计 {told['total']['pre_approved_limit']} 元"
    )
    for reason in told["total"]["top_reasons"]:
        say(f"  {reason['code']}: {reason['decisions']:,}")
    for pool in told["pools"]:
        bears = {True: "bears it 可承受", False: "does not bear it 不足", None: "unknown 未知"}[pool["bears"]]
        say(
            f"  {pool['pool']}: {pool['pool_amount']} of room 余量 {pool['room']}: {bears}, "
            f"would bear 可承担 {pool['would_bear']}"
        )


def _bar(campaign: Campaign) -> None:
    if not sys.stderr.isatty():
        return
    done = campaign.done if campaign.forecast is not None else campaign.forecast_done
    share = done * _BAR // max(1, campaign.size)
    sys.stderr.write(f"\r[{'#' * share}{'.' * (_BAR - share)}] {done:,} / {campaign.size:,}")
    sys.stderr.flush()


def _summary(campaign: Campaign) -> None:
    limit, pre_approved = Yuan(campaign.pre_approved_limit).text(), f"{campaign.pre_approved:,}"
    say(
        f"{campaign.state.value}: {campaign.done:,} of {campaign.size:,}: pre-approved 预授信 {pre_approved} "
        f"(indicative, no line 参考额度合计，非授信: {limit} 元), referred 转人工 {campaign.referred:,}, "
        f"declined 拒绝 {campaign.declined:,}, not decided 无法决策 {campaign.not_decided:,}",
        f"Campaign 活动编号: {campaign.campaign_id}",
    )

