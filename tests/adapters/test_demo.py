"""The demonstration: fixed ids, fresh on any day, only in an empty database."""

from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import orjson
import pytest

from app.adapters.database import open_database
from app.adapters.demo import (
    DECLINED_DECISION_ID,
    DEMO_KEYS,
    FIRST_DECISION_ID,
    GOLDEN_DECISION_IDS,
    demo_keys,
    seed,
    seeded_cases,
)
from app.adapters.signing import LogSigner, make_key_file
from app.api import examples
from app.api.sign_in import new_key
from app.usecases.catalogue import ActiveCatalogue
from app.usecases.days import day_in_shanghai
from app.usecases.keys import revoked
from tests.policy_cases import catalogue
from tests.records import ACTIVATED, RECORDS

pytestmark = pytest.mark.anyio


@pytest.fixture
def signer(tmp_path: Path) -> LogSigner:
    """A key of the test's own."""
    make_key_file(tmp_path / "key.pem")
    return LogSigner.from_file(tmp_path / "key.pem")


async def seeded(url: str, signer: LogSigner, *, now: datetime | None = None) -> tuple[int, dict[str, dict]]:
    """How many cases were asked for, and every decision that the database holds then."""
    now = now or datetime.now(UTC)
    edition = ActiveCatalogue(catalogue())
    database = open_database(url, clock=lambda: now)
    try:
        await database.catalogue.activate(edition.digest, "test", ACTIVATED)
        count = await seed(
            database.book, database.decisions,
            catalogue=edition, signer=signer, log_name="demo.example", today=day_in_shanghai(now),
        )  # fmt: skip
        answers = [orjson.loads(row.answer) async for row in database.decisions.every_decision()]
    finally:
        await database.close()
    return count, {answer["decision_id"]: answer for answer in answers}


class TestSeeding:
    @pytest.mark.parametrize("later", [0, 100, 365, 5 * 365])
    async def test_comes_out_alike_on_any_day(self, sqlite_url: str, signer: LogSigner, later: int):
        _, answers = await seeded(sqlite_url, signer, now=datetime.now(UTC) + timedelta(days=later))

        outcomes = {case: answers[decision_id]["outcome"] for case, decision_id in GOLDEN_DECISION_IDS.items()}
        assert outcomes == dict.fromkeys(GOLDEN_DECISION_IDS, "PRE_APPROVED") | {"G8": "REFERRED"}
        assert answers[DECLINED_DECISION_ID]["outcome"] == "DECLINED"

    async def test_gives_offers_ids_that_end_in_f(self, sqlite_url: str, signer: LogSigner):
        _, answers = await seeded(sqlite_url, signer)

        assert answers[FIRST_DECISION_ID]["offer"]["offer_id"] == FIRST_DECISION_ID[:-1] + "f"

    async def test_happens_once(self, sqlite_url: str, signer: LogSigner):
        first, before = await seeded(sqlite_url, signer)

        second, after = await seeded(sqlite_url, signer)

        assert (first, second) == (12, 0)
        assert after == before

    async def test_goes_on_where_it_was_interrupted(
        self, sqlite_url: str, signer: LogSigner, monkeypatch: pytest.MonkeyPatch
    ):
        with monkeypatch.context() as interrupted:
            interrupted.setattr("app.adapters.demo.seeded_cases", lambda today: seeded_cases(today)[:4])
            await seeded(sqlite_url, signer)

        _, answers = await seeded(sqlite_url, signer)

        assert len(answers) == 12


class TestTheCases:
    def test_bear_the_id_that_the_examples_name(self):
        assert examples.DECISION_ID == FIRST_DECISION_ID

    def test_are_of_companies_that_no_example_asks_about(self):
        today = date(2026, 11, 20)
        seeded_companies = {case.document["company"]["uscc"] for case in seeded_cases(today)}
        shown = {
            example.document["company"]["uscc"]
            for example in (*examples.decision_examples(today), *examples.preview_examples(today))
        }

        assert len(seeded_companies) == 12
        assert not seeded_companies & shown


class TestDemoKeys:
    async def test_are_kept_and_those_that_are_missing_are_made(self, sqlite_url: str, tmp_path: Path):
        database = open_database(sqlite_url)
        path = tmp_path / "demo-keys.json"
        make = partial(new_key, now=datetime.now(UTC))
        try:
            first = await demo_keys(database.keys, path, make, RECORDS)
            kept = await demo_keys(database.keys, path, make, RECORDS)
            now = datetime.now(UTC)
            await database.keys.change(revoked(first["auditor"].split("_")[1], at=now, by="test", records=RECORDS))
            mended = await demo_keys(database.keys, path, make, RECORDS)
            path.write_text("{")
            anew = await demo_keys(database.keys, path, make, RECORDS)
            stored = {key.subject for key in await database.keys.all_keys()}
        finally:
            await database.close()

        assert kept == first
        assert {name for name in first if mended[name] != first[name]} == {"auditor"}
        assert not set(anew.values()) & set(mended.values())
        assert len(stored) == len(DEMO_KEYS)
        assert path.stat().st_mode & 0o777 == 0o600
