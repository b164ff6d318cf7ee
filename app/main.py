"""The composition root: wires adapters into use cases and serves them; nothing else.

Neighbours may rely on this: `create_app` does no I/O; everything opens when the application starts and closes, with
every accepted request answered, when it stops. Demo mode brings its own database tables, active catalogue, signing
key and API keys; outside it nothing is seeded. `app.state.stopping = True` turns readiness to 503 ahead of a stop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from fastapi import FastAPI

from app.adapters.campaign_runner import CampaignRunner
from app.adapters.catalogue_files import read_catalogue_files
from app.adapters.clock import utc_now
from app.adapters.database import Database, migrate, open_database
from app.adapters.demo import demo_keys, seed, seed_exception, seed_line, seeded_cases
from app.adapters.demo_campaign import seed_campaign
from app.adapters.demo_pool import seed_pool
from app.adapters.demo_webhooks import seed_webhooks
from app.adapters.desk import Desk
from app.adapters.export_files import ExportFiles
from app.adapters.identifiers import new_uuid7
from app.adapters.keeping_outside import KeepingOutside
from app.adapters.metrics import Metrics
from app.adapters.outside_checkpoints import outside_at
from app.adapters.search_follower import Follower
from app.adapters.sheet_files import SheetFiles
from app.adapters.signing import LogSigner, make_key_file
from app.adapters.sweeper import Sweeper
from app.adapters.webhook_addresses import AddressRules
from app.adapters.webhook_dispatcher import Dispatcher, holder_name
from app.adapters.webhook_secrets import PURPOSE, SecretBox, new_secret
from app.adapters.webhook_sender import Sender
from app.adapters.workbook import workbook
from app.api.application import new_application
from app.api.calls import Services
from app.api.campaign_examples import CAMPAIGN_ID, campaign_examples
from app.api.deadlines import Deadlines
from app.api.documentation import contract_as_yaml
from app.api.rate_limits import RateLimits
from app.api.sign_in import SignIn, new_key
from app.audit.operator_record import OPERATOR, OperatorAct
from app.audit.sm3 import has_sm3
from app.domain.company import ScoreLookup
from app.domain.money import Yuan
from app.domain.platform import ScorePlatform
from app.products.parse import parse_catalogue
from app.settings import BUILT_IN_CATALOGUE, Settings, SettingsRefused
from app.usecases.catalogue import ActiveCatalogue
from app.usecases.days import day_in_shanghai
from app.usecases.decide import Answer, wanted
from app.usecases.decide import seal as seal_batch
from app.usecases.obstacles import Obstacle
from app.usecases.offers import note_ended
from app.usecases.operator_log import OperatorRecords
from app.usecases.outside import Outside
from app.usecases.platforms import ScoreLookups
from app.usecases.pools import in_book, room_left
from app.usecases.ports import BatchState, Book, Sealed, Wanted
from app.usecases.readiness import Cause, KeyInUse
from app.usecases.receipt import Receipts
from app.usecases.room import Room
from app.usecases.start_check import prove_consistent
from app.usecases.subsidies import settled_in_all
from app.usecases.subsidy_budgets import note_used_up
from app.usecases.webhook_endpoints import WebhookEndpoints

if TYPE_CHECKING:
    from app.adapters.asked_platforms import AskedPlatforms

Clock = Callable[[], datetime]
_log = logging.getLogger("jifendai.start")


def create_app(settings: Settings, *, clock: Clock | None = None) -> FastAPI:
    """This function will return the service as an ASGI application. `clock` replaces every clock where time is
    simulated. Raises SettingsRefused for the well-known mistakes.
    """
    settings.check()
    if settings.sm3 and not has_sm3():
        raise SettingsRefused(("JIFENDAI_SM3: the OpenSSL at hand knows no SM3. 当前 OpenSSL 不支持 SM3",))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database = open_database(settings.database_url, clock=clock)
        metrics = Metrics()
        try:
            if settings.demo:
                await prepare_demo(settings)
            catalogue = load_catalogue(settings)
            signer = LogSigner.from_file(settings.key_file, settings.previous_signing_key_file)
            await database.start()
            keeping = await _proven(settings, database, signer, catalogue, metrics)
            room = Room(catalogue, new_uuid7, signer, settings.log_name, settings.sm3, keeping.known.numbers)
            if settings.demo:
                await _seed_demo(settings, database, room, (clock or utc_now)())
            asking = await open_platforms(settings, database, catalogue, metrics, clock or utc_now)
            desk = open_desk(database.book, room, metrics)
            follower = Follower(database.blocks, busy=lambda: desk.is_writing)
            follower.start()
            runner = CampaignRunner(database.campaigns, desk, room, room_of=partial(room_of_pool, database, catalogue))
            runner.start()
            app.state.services = Services(
                desk=desk, decisions=database.decisions, campaigns=database.campaigns,
                acts=database.acts, pools=database.pools, budgets=database.budgets, offers=database.offers,
                search=database.search,
                exports=ExportFiles(settings.data_dir), groups=database.groups,
                reviews=database.reviews, statistics=database.statistics, previews=database.previews,
                score_snapshots=database.score_snapshots, sheets=SheetFiles(settings.data_dir),
                catalogues=database.catalogue, catalogue=catalogue,
                keys=_sign_in(settings, database, clock or utc_now),
                metrics=metrics, cursor_key=signer.derived("jifendai cursor"),
                now=clock or utc_now, new_id=new_uuid7,
                receipts=Receipts(database.decisions),
                operator_log=database.operator,
                deadlines=Deadlines(settings.request_deadline_s),
                rate_limits=None if settings.rate_limit is None else RateLimits(*settings.rate_limit),
                ready=_readiness(settings, database, keeping, signer),
                notes=keeping.notes, workbook=workbook,
                webhooks=open_webhooks(settings, database, signer, clock or utc_now),
                lookups=asking.lookups, stopping=lambda: app.state.stopping, nudge_campaigns=runner.nudge,
                recorded_lenders=await _recorded_lenders(database),
            )
            app.state.keeping = keeping
            keeping.start()
            dispatcher = open_dispatcher(settings, database, signer, metrics, clock or utc_now)
            try:
                async with Sweeper(partial(_sweep, database, desk, catalogue, clock or utc_now)):
                    yield
            finally:
                app.state.stopping = True
                await runner.stop()
                await desk.drain()
                await asking.close()
                await follower.stop()
                await dispatcher.stop()
                await keeping.stop()
        finally:
            await database.close()

    return new_application(lifespan)


async def _sweep(database: Database, desk: Desk[Answer | Obstacle], catalogue: ActiveCatalogue, clock: Clock) -> int:
    """Notes what time has ended, and which budgets their settlements have filled."""
    now = clock()
    on, lenders = day_in_shanghai(now), tuple(catalogue.catalog.lenders)
    settled = partial(settled_in_all, database.acts, database.offers, lenders, now)
    states = await database.budgets.states()
    ended = await note_ended(database.offers, desk.submit, on)
    return ended + await note_used_up(catalogue.catalog.programmes(on=on), settled, states, desk.submit, on)


def load_catalogue(settings: Settings) -> ActiveCatalogue:
    """This function will read the catalogue's files. Raises CatalogueError, which names every fault with file and
    line.
    """
    return ActiveCatalogue(parse_catalogue(read_catalogue_files(settings.catalogue_dir)))


def openapi_yaml() -> str:
    """This function will return the published contract, which openapi.yaml at the top level holds."""
    files = read_catalogue_files(BUILT_IN_CATALOGUE)
    return contract_as_yaml(ActiveCatalogue(parse_catalogue(files)))


class _NobodyAsked:
    """No zone has a platform; scores that were kept are found all the same."""

    lookups: ScoreLookups | None = None

    def __init__(self, metrics: Metrics) -> None:
        self.platforms = self
        self._metrics = metrics

    def of_zone(self, zone: str) -> None:
        """This function will return no platform."""

    def moment(self) -> None:
        """This function will tell nothing."""

    async def ask(self, platform: ScorePlatform, uscc: str, since: None) -> NoReturn:
        """This function will never be called."""
        raise NotImplementedError

    def told(self, zone: str, uscc: str, lookup: ScoreLookup) -> None:
        """This function will count what came of a lookup."""
        self._metrics.score_looked_up(zone, lookup.answer.value, lookup.why or "")

    async def close(self) -> None:
        """This function will do nothing."""


async def open_platforms(
    settings: Settings, database: Database, catalogue: ActiveCatalogue, metrics: Metrics, clock: Clock
) -> AskedPlatforms | _NobodyAsked:
    """This function will return what asks the zones' platforms: those of the settings' folder, or in a demonstration
    the simulator's. Raises PlatformsRefused.
    """
    asking: AskedPlatforms | _NobodyAsked = _NobodyAsked(metrics)
    if settings.platforms_dir is not None or settings.demo:
        # Imported here: an installation without platforms starts without what asks them.
        from app.adapters.asked_platforms import asked_platforms, simulated_platforms
        from app.adapters.http_client import load

        await load()
        if settings.platforms_dir is None:
            asking = await simulated_platforms(catalogue.catalog, metrics, lambda: day_in_shanghai(clock()))
        else:
            asking = asked_platforms(
                settings.platforms_dir, catalogue.catalog, metrics, request_deadline_s=settings.request_deadline_s
            )
    asking.lookups = ScoreLookups(
        asking.platforms, database.score_snapshots, catalogue=catalogue, new_id=new_uuid7, now=clock
    )
    return asking


async def _proven(
    settings: Settings, database: Database, signer: LogSigner, catalogue: ActiveCatalogue, metrics: Metrics
) -> KeepingOutside:
    """What keeps checkpoints outside, once the database fits those that lie there and its own."""
    outside = open_outside(settings)
    known = await prove_consistent(
        database.trail, outside, log_name=settings.log_name, public_keys=signer.public_keys,
        lenders=catalogue.catalog.lenders, warn=_log.warning,
    )  # fmt: skip
    keeping = KeepingOutside(outside, database.trail, known)
    metrics.watch_outside(lambda: keeping.owed_s)
    return keeping


def open_outside(settings: Settings) -> Outside | None:
    """This function will return the place outside the database where checkpoints are kept, if the settings name one."""
    if not settings.outside_checkpoints:
        return None
    token = None if settings.outside_token_file is None else settings.outside_token_file.read_text("utf-8").strip()
    return outside_at(settings.outside_checkpoints, token)


def _readiness(
    settings: Settings, database: Database, keeping: KeepingOutside, signer: LogSigner
) -> Callable[[], Awaitable[list[Cause]]]:
    key_in_use = KeyInUse(database.trail, settings.log_name, signer.public_keys)

    async def causes() -> list[Cause]:
        # Needed when somebody asks, not when the service starts.
        from app.adapters.deployment import signing_key_cause, what_is_not_ready

        found = set(await what_is_not_ready(database, settings.data_dir, key_in_use))
        found.add(signing_key_cause(settings.key_file, settings.previous_signing_key_file, signer.public_keys))
        if keeping.faults():
            found.add(Cause.LOGS_DO_NOT_FIT)
        return [cause for cause in Cause if cause in found]

    return causes


async def room_of_pool(database: Database, catalogue: ActiveCatalogue, pool: str, lender: str) -> Yuan | None:
    """This function will tell what a pool has left for a lender today; None where there is no such pool."""
    on = day_in_shanghai(utc_now())
    terms = catalogue.pool(pool, on=on)
    if terms is None:
        return None
    book = in_book(pool, *await database.pools.book(pool, (lender,)))
    return room_left(terms, book, lender, on)


def open_desk(book: Book, room: Room, metrics: Metrics) -> Desk[Answer | Obstacle]:
    """This function will return the desk that decides in `room` and writes into `book`, counted by `metrics`."""
    reads = partial(wanted, pools=room.catalogue.pools_reserved_from)
    desk = Desk(_Counted(book, metrics), wanted=reads, seal=partial(seal_batch, room=room), observer=metrics)
    metrics.watch_queue(lambda: desk.waiting)
    return desk


def open_webhooks(settings: Settings, database: Database, signer: LogSigner, clock: Clock) -> WebhookEndpoints:
    """This function will return what people do to webhook endpoints with."""
    box = SecretBox(signer.derived_each(PURPOSE))
    return WebhookEndpoints(
        database.webhooks, OperatorRecords(signer, settings.log_name), settings.log_name, box.seal, box.open,
        new_secret, AddressRules(settings.webhooks_into).check_url, clock, new_uuid7,
    )  # fmt: skip


def open_dispatcher(
    settings: Settings, database: Database, signer: LogSigner, metrics: Metrics | None, clock: Clock
) -> Dispatcher:
    """This function will return what delivers webhooks, at work."""
    dispatcher = Dispatcher(
        database.webhook_queue,
        Sender(AddressRules(settings.webhooks_into)).send,
        SecretBox(signer.derived_each(PURPOSE)),
        log_name=settings.log_name, holder=holder_name(new_uuid7), now=clock, observer=metrics,
    )  # fmt: skip
    dispatcher.start()
    return dispatcher


class _Counted:
    """A book whose durable decisions are counted."""

    def __init__(self, book: Book, metrics: Metrics) -> None:
        self._book = book
        self._metrics = metrics

    async def transact(self, wanted: Wanted, seal: Callable[[BatchState], Sealed]) -> Sealed:
        sealed = await self._book.transact(wanted, seal)
        self._metrics.decided(sealed.decisions)
        return sealed


async def _recorded_lenders(database: Database) -> tuple[str, ...]:
    # A database that is not ready yet holds nothing that anybody could read.
    recorded = () if await database.ready() else await database.decisions.lenders()
    return tuple(lender for lender in recorded if lender != OPERATOR)


def _sign_in(settings: Settings, database: Database, clock: Clock) -> SignIn:
    def seconds() -> float:
        return clock().timestamp()

    if settings.tokens is None:
        return SignIn(database.keys, clock=seconds)
    # Imported here: an installation without an identity provider starts without what verifies tokens.
    from app.adapters.token_reader import open_token_reader

    return SignIn(database.keys, open_token_reader(settings.tokens, clock=seconds), clock=seconds)


# ---- demo mode -------------------------------------------------------------------------------------------------------


async def prepare_demo(settings: Settings) -> None:
    """This function will make the folder, the tables and the signing key that a demonstration lacks."""
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    await asyncio.to_thread(migrate, settings.database_url, owner_url=settings.migration_database_url)
    # Of two processes that start at once one makes the key, and both use it.
    with suppress(FileExistsError):
        make_key_file(settings.key_file)


async def _seed_demo(settings: Settings, database: Database, room: Room, now: datetime) -> None:
    records = await activate_demo(database, room)
    await demo_keys(database.keys, settings.demo_keys_file, partial(new_key, now=now), records)
    await seed_webhooks(open_webhooks(settings, database, room.signer, lambda: now))
    today = day_in_shanghai(now)
    if knows_cases(room, today):
        for part in (seed, seed_line, seed_exception, seed_pool):
            await part(
                database.book,
                database.decisions,
                catalogue=room.catalogue,
                signer=room.signer,
                log_name=room.log_name,
                today=today,
            )
        await _seed_campaign(database, room, now)


async def _seed_campaign(database: Database, room: Room, now: datetime) -> None:
    document = campaign_examples(day_in_shanghai(now))[0].document
    await seed_campaign(database.book, database.campaigns, room, now, campaign_id=CAMPAIGN_ID, document=document)


async def activate_demo(database: Database, room: Room) -> OperatorRecords:
    """This function will activate the catalogue, on record, and return what records the next act."""
    records = OperatorRecords(room.signer, room.log_name)
    recording = records.recording(OperatorAct.CATALOGUE_ACTIVATED, {"catalogue": room.catalogue.digest}, by="demo")
    await database.catalogue.activate(room.catalogue.digest, "demo", recording)
    return records


def knows_cases(room: Room, today: date) -> bool:
    """This function will tell whether the catalogue has the products of the demonstration: a bank's own need not."""
    return all(room.catalogue.catalog.knows_product(case.document["product"]) for case in seeded_cases(today))
