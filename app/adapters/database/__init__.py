"""The databases: SQLite embedded, PostgreSQL for production; the same tests hold both.

Neighbours may rely on this: `open_database` returns every port that a database carries; the tables are `migrate`'s
matter.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Connection

from app.adapters.clock import utc_now
from app.adapters.database.acts import Acts
from app.adapters.database.campaigns import Campaigns
from app.adapters.database.catalogue_book import CatalogueBook
from app.adapters.database.decision_log import DecisionLog
from app.adapters.database.decision_search import DecisionSearch
from app.adapters.database.decision_statistics import DecisionStatistics
from app.adapters.database.epoch_requests import EpochRequests
from app.adapters.database.groups import Groups
from app.adapters.database.key_ring import KeyRing
from app.adapters.database.log_trail import LogTrail
from app.adapters.database.migrate import is_current, migrate, missing_migrations
from app.adapters.database.offers import Offers
from app.adapters.database.operator_log import OperatorLog
from app.adapters.database.pools import Pools
from app.adapters.database.previews import PreviewLog
from app.adapters.database.retention import Retention
from app.adapters.database.review_queue import ReviewQueue
from app.adapters.database.score_snapshots import ScoreSnapshots
from app.adapters.database.search_blocks import SearchBlocks
from app.adapters.database.sqlite import SqliteBook
from app.adapters.database.store import NO_LENDER, Store
from app.adapters.database.subsidy_budgets import SubsidyBudgets
from app.adapters.database.webhook_queue import WebhookQueue
from app.adapters.database.webhooks import Webhooks
from app.usecases.ports import StoreUnavailable

if TYPE_CHECKING:
    from app.adapters.database.postgresql import PostgresqlBook

_T = TypeVar("_T")

__all__ = ["Database", "is_current", "migrate", "open_database"]


class Database:
    """One open database, port by port."""

    def __init__(self, store: Store, book: SqliteBook | PostgresqlBook, clock: Callable[[], datetime]) -> None:
        self._store = store
        self.book = book
        self.decisions = DecisionLog(store)
        self.acts = Acts(store)
        self.offers = Offers(store)
        self.pools = Pools(store)
        self.budgets = SubsidyBudgets(store)
        self.groups = Groups(store)
        self.search = DecisionSearch(store)
        self.reviews = ReviewQueue(store)
        self.statistics = DecisionStatistics(store)
        self.blocks = SearchBlocks(store)
        self.trail = LogTrail(store)
        self.previews = PreviewLog(store)
        self.score_snapshots = ScoreSnapshots(store)
        self.campaigns = Campaigns(store, clock)
        self.catalogue = CatalogueBook(store, clock)
        self.keys = KeyRing(store, clock)
        self.operator = OperatorLog(store, clock)
        self.epochs = EpochRequests(store, clock)
        self.retention = Retention(store, clock)
        self.webhooks = Webhooks(store, clock)
        self.webhook_queue = WebhookQueue(store, clock)

    async def start(self) -> None:
        """This function will begin what runs beside the requests. It never fails: `ready` says what is missing."""
        self.book.start()

    async def close(self) -> None:
        """This function will wait for what is being written and give every connection back."""
        await self.book.close()
        await self._store.close()

    @property
    def is_embedded(self) -> bool:
        """Whether it is a file of this machine."""
        return self._store.url.get_backend_name() == "sqlite"

    async def look(self, examine: Callable[[Connection], _T]) -> _T:
        """This function will return what an examination finds, which sees no lender's rows. Raises StoreUnavailable."""
        return await self._store.read(examine, lenders=NO_LENDER)

    async def missing_migrations(self) -> tuple[str, ...]:
        """This function will return the migrations that the database has not seen. Raises StoreUnavailable."""
        return await self._store.read(missing_migrations, lenders=NO_LENDER)

    async def ready(self) -> list[str]:
        """This function will return what keeps this database from being used, in words; nothing when it is ready."""
        try:
            missing = await self.missing_migrations()
        except StoreUnavailable:
            return ["The database cannot be reached: check JIFENDAI_DATABASE_URL and the server. 无法连接数据库"]
        if missing:
            return [f"The database lacks the migrations {', '.join(missing)}: run `jifendai migrate`. 数据库尚未升级"]
        return []


def open_database(url: str, *, clock: Callable[[], datetime] | None = None) -> Database:
    """This function will return the database at `url` without connecting to it yet; call it in a running event loop.

    `clock` replaces the clock where time is simulated; otherwise PostgreSQL's own, and on SQLite the system's, is read.
    Raises ValueError for an address that is neither SQLite's nor PostgreSQL's.
    """
    store = Store(url)
    if store.url.get_backend_name() == "sqlite":
        return Database(store, SqliteBook(store, clock or utc_now), clock or utc_now)
    # Imported here, so that the embedded database starts without a driver it does not use.
    from app.adapters.database.postgresql import PostgresqlBook

    dsn = store.url.set(drivername="postgresql").render_as_string(hide_password=False)
    return Database(store, PostgresqlBook(dsn, now=clock), clock or utc_now)


