"""Previews, activations and API keys, in memory, on SQLite and on PostgreSQL."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from app.adapters.database import Database, open_database
from app.audit.operator_record import OperatorAct, read_operator_record
from app.usecases.keys import ApiKey, KeyNotChanged, added, revoked, rotated
from app.usecases.ports import Activation, BatchState, PreviewRow, Sealed, Wanted
from tests.adapters.conftest import SetClock
from tests.records import ACTIVATED, RECORDS

PREVIEW = PreviewRow(
    preview_id="p1", previewed_at=datetime(2026, 11, 20, 2, 15, 0, 123456, tzinfo=UTC), previewed_by="officer",
    lender="icbc", product="icbc/loan", zone="suzhou-snd", uscc="91999999MAT000018E", on=date(2026, 11, 20),
    outcome="PRE_APPROVED", credit_limit=1_000_000_000_01, fingerprint=b"\x00\xff", branch="suzhou-xinqu",
    previewed_for="E1001",
)  # fmt: skip
KEY = ApiKey(
    key_id="key-1", secret_sha256=b"\x00" * 32, subject="loan-system", role="loan_system", lenders=("icbc", "boc"),
    created_at=datetime(2026, 11, 20, 2, 15, 0, 123456, tzinfo=UTC),
    expires_at=datetime(2027, 11, 20, tzinfo=UTC),
)  # fmt: skip


BY = {"by": "operator", "records": RECORDS}


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
            (["icbc/suzhou-xinqu", "boc"], None, None, 9, ["p2", "p1"]),
            (["icbc/kunshan"], None, None, 9, []),
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

        await database.keys.change(added(KEY, **BY))
        await database.keys.change(added(everywhere, **BY))

        assert await database.keys.all_keys() == (everywhere, KEY)

    async def test_are_refused_under_an_id_that_exists(self, database: Database):
        await database.keys.change(added(KEY, **BY))

        with pytest.raises(KeyNotChanged, match="key-1"):
            await database.keys.change(added(replace(KEY, subject="another"), **BY))

        assert await database.keys.all_keys() == (KEY,)
        assert await database.keys.newest_change() == 1

    async def test_stay_when_revoked_with_the_instant_of_the_first_revocation(self, database: Database):
        await database.keys.change(added(KEY, **BY))
        at = KEY.created_at + timedelta(days=1)

        await database.keys.change(revoked("key-1", at=at, **BY))
        await database.keys.change(revoked("key-1", at=at + timedelta(days=1), **BY))

        assert await database.keys.all_keys() == (replace(KEY, revoked_at=at),)
        assert await database.keys.newest_change() == 2

    async def test_go_on_for_the_overlap_when_rotated(self, database: Database):
        await database.keys.change(added(KEY, **BY))
        at, until = KEY.created_at + timedelta(days=1), KEY.created_at + timedelta(days=2)
        new = replace(KEY, key_id="key-2", secret_sha256=b"\x01" * 32, created_at=at)

        await database.keys.change(rotated("key-1", lambda old: new, at=at, old_until=until, **BY))

        assert await database.keys.all_keys() == (replace(KEY, expires_at=until), new)

    async def test_are_never_changed_without_a_record_in_the_operators_log(self, database: Database):
        await database.keys.change(added(KEY, by="cli:wang", records=RECORDS))
        new = replace(KEY, key_id="key-2")
        at = KEY.created_at
        rotate = rotated("key-1", lambda old: new, at=at, old_until=at, by="cli:li", records=RECORDS)
        await database.keys.change(rotate)
        await database.keys.change(revoked("key-2", at=at, by="cli:wang", records=RECORDS))
        await database.keys.change(revoked("key-2", at=at, by="cli:li", records=RECORDS))

        entries = await database.operator.entries(before=None, limit=9)
        told = [read_operator_record(entry.record) for entry in entries]
        assert [(one.act, one.document["key_id"], one.by) for one in told] == [
            (OperatorAct.API_KEY_REVOKED, "key-2", "cli:wang"),
            (OperatorAct.API_KEY_ROTATED, "key-2", "cli:li"),
            (OperatorAct.API_KEY_CREATED, "key-1", "cli:wang"),
        ]
        assert all(KEY.secret_sha256.hex() not in entry.record.decode() for entry in entries)

    async def test_tell_each_batch_which_change_is_the_newest(self, database: Database):
        seen = []

        def look(state: BatchState) -> Sealed:
            seen.append(state.key_change)
            return Sealed()

        wanted = Wanted(("icbc",), (("icbc", "k"),), (("icbc", "91999999MAT000018E", None),), (("icbc", "A"),))
        await database.book.transact(wanted, look)
        await database.keys.change(added(KEY, **BY))
        await database.book.transact(wanted, look)

        assert seen == [0, 1]

    async def test_changed_at_one_moment_by_several_replicas_are_changed_one_after_the_other(self, database_url: str):
        replicas = [open_database(database_url) for _ in range(4)]
        keys = [replace(KEY, key_id=f"key-{n}") for n in range(8)]

        await asyncio.gather(*(replicas[n % 4].keys.change(added(key, **BY)) for n, key in enumerate(keys)))

        assert {key.key_id for key in await replicas[0].keys.all_keys()} == {key.key_id for key in keys}
        assert await replicas[0].keys.newest_change() == 8
        for replica in replicas:
            await replica.close()

    async def test_of_operators_are_never_all_taken_away_by_two_at_once(self, database_url: str):
        replicas = [open_database(database_url) for _ in range(2)]
        operators = [replace(KEY, key_id=f"key-{n}", role="operator", lenders=(), expires_at=None) for n in range(2)]
        await replicas[0].keys.change(added(*operators, **BY))
        at = KEY.created_at

        results = await asyncio.gather(
            *(r.keys.change(revoked(f"key-{n}", at=at, **BY)) for n, r in enumerate(replicas)),
            return_exceptions=True,
        )

        assert sum(isinstance(result, KeyNotChanged) for result in results) == 1
        assert sum(key.is_sound(at) for key in await replicas[0].keys.all_keys()) == 1
        for replica in replicas:
            await replica.close()
