"""Previews, activations and API keys, in memory, on SQLite and on PostgreSQL."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from app.adapters.database import Database, open_database
from app.usecases.ports import Activation, ApiKey, PreviewRow
from tests.adapters.conftest import SetClock
from tests.records import ACTIVATED

PREVIEW = PreviewRow(
    preview_id="p1", previewed_at=datetime(2026, 11, 20, 2, 15, 0, 123456, tzinfo=UTC), previewed_by="officer",
    lender="icbc", product="icbc/loan", zone="suzhou-snd", uscc="91999999MAT000018E", on=date(2026, 11, 20),
    outcome="PRE_APPROVED", credit_limit=1_000_000_000_01, fingerprint=b"\x00\xff",
)  # fmt: skip
KEY = ApiKey(
    key_id="key-1", secret_sha256=b"\x00" * 32, subject="loan-system", role="loan_system", lenders=("icbc", "boc"),
    created_at=datetime(2026, 11, 20, 2, 15, 0, 123456, tzinfo=UTC),
    expires_at=datetime(2027, 11, 20, tzinfo=UTC),
)  # fmt: skip


class TestPreviews:
    async def test_come_back_as_they_were_kept_newest_first(self, database: Database):
        newer = replace(PREVIEW, preview_id="p2", previewed_at=PREVIEW.previewed_at + timedelta(microseconds=1))
        declined = replace(PREVIEW, preview_id="p3", credit_limit=None, outcome="DECLINED")

        await database.previews.keep([PREVIEW, newer, declined])

        assert await database.previews.search(["icbc"], uscc=None, previewed_by=None, limit=9) == (
            newer, declined, PREVIEW,
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("lenders", "uscc", "previewed_by", "limit", "ids"),
        [
            (["icbc"], None, None, 9, ["p2", "p1"]),
            (["icbc"], None, None, 1, ["p2"]),
            (["boc"], None, None, 9, []),
            ([], None, None, 9, []),
            (["icbc"], "91999999MAT000018E", None, 9, ["p2", "p1"]),
            (["icbc"], "91999999MAT000026X", None, 9, []),
            (["icbc"], None, "officer", 9, ["p1"]),
        ],
    )
    async def test_are_found_by_company_and_by_who_looked(
        self, database: Database, lenders: list[str], uscc: str | None, previewed_by: str | None, limit: int,
        ids: list[str],
    ):  # fmt: skip
        await database.previews.keep([PREVIEW, replace(PREVIEW, preview_id="p2", previewed_by="another")])

        rows = await database.previews.search(lenders, uscc=uscc, previewed_by=previewed_by, limit=limit)

        assert [row.preview_id for row in rows] == ids

    async def test_may_be_none(self, database: Database):
        await database.previews.keep([])

        assert await database.previews.search(["icbc"], uscc=None, previewed_by=None, limit=9) == ()


class TestActivations:
    async def test_are_none_at_first(self, database: Database):
        assert await database.catalogue.active() is None

    async def test_leave_the_newest_active(self, database: Database, clock: SetClock):
        await database.catalogue.activate("sha256:one", "operator", ACTIVATED)
        clock.now += timedelta(seconds=1)

        made = await database.catalogue.activate("sha256:two", "operator-2", ACTIVATED)

        assert made == Activation("sha256:two", clock.now, "operator-2")
        assert await database.catalogue.active() == made

    async def test_of_what_is_active_change_nothing(self, database: Database, clock: SetClock):
        standing = await database.catalogue.activate("sha256:one", "operator", ACTIVATED)
        clock.now += timedelta(seconds=1)

        assert await database.catalogue.activate("sha256:one", "another", ACTIVATED) == standing

    async def test_may_return_to_an_earlier_catalogue(self, database: Database):
        for digest in ("sha256:one", "sha256:two", "sha256:one"):
            await database.catalogue.activate(digest, "operator", ACTIVATED)

        assert (await database.catalogue.active()).digest == "sha256:one"

    async def test_at_the_same_moment_from_several_replicas_end_with_one_of_them_active(self, database_url: str):
        replicas = [open_database(database_url) for _ in range(4)]

        made = await asyncio.gather(
            *(replica.catalogue.activate(f"sha256:{n}", "operator", ACTIVATED) for n, replica in enumerate(replicas))
        )

        assert (await replicas[0].catalogue.active()) in made
        for replica in replicas:
            await replica.close()


class TestKeys:
    async def test_come_back_as_they_were_stored_oldest_first(self, database: Database):
        earlier = datetime(2026, 1, 1, tzinfo=UTC)
        everywhere = replace(KEY, key_id="key-0", lenders=(), expires_at=None, created_at=earlier)

        await database.keys.add(KEY)
        await database.keys.add(everywhere)

        assert await database.keys.all_keys() == (everywhere, KEY)

    async def test_are_refused_under_an_id_that_exists(self, database: Database):
        await database.keys.add(KEY)

        with pytest.raises(ValueError, match="key-1"):
            await database.keys.add(replace(KEY, subject="another"))

        assert await database.keys.all_keys() == (KEY,)

    async def test_stay_when_revoked_with_the_instant_of_the_first_revocation(
        self, database: Database, clock: SetClock
    ):
        await database.keys.add(KEY)
        revoked_at = clock.now

        assert await database.keys.revoke("key-1") is True
        clock.now += timedelta(days=1)
        assert await database.keys.revoke("key-1") is True

        assert await database.keys.all_keys() == (replace(KEY, revoked_at=revoked_at),)

    async def test_cannot_be_revoked_where_there_is_none(self, database: Database):
        assert await database.keys.revoke("absent") is False
