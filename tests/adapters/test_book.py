"""The book, held to one contract in memory, on SQLite and on PostgreSQL."""

import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Connection

from app.adapters.database import Database, open_database, sqlite
from app.adapters.database.postgresql_statements import reading
from app.adapters.database.sqlite import SqliteBook
from app.adapters.database.store import NO_LENDER
from app.domain.money import Yuan
from app.usecases.ports import BatchState, Book, Sealed, StoreUnavailable, Submission, Wanted
from tests.adapters.conftest import SetClock, opened
from tests.adapters.sealing import COUNTS_DAYS, Answer, Poisoned, poisoned, seal, submission, wanted
from tests.records import ACTIVATED

OTHER_COMPANY = "91999999MAT000026X"


async def write(book: Book, *batch: Submission) -> tuple[Answer | Exception, ...]:
    """This function will decide and write a batch and return its results."""
    results: tuple[Answer | Exception, ...] = ()

    def sealing(state: BatchState) -> Sealed:
        nonlocal results
        sealed = seal(batch, state)
        results = sealed.results
        return sealed.sealed

    await book.transact(wanted(batch), sealing)
    return results


async def look(book: Book, *batch: Submission) -> BatchState:
    """This function will return what the book reads for a batch, and write nothing."""
    seen: list[BatchState] = []

    def sealing(state: BatchState) -> Sealed:
        seen.append(state)
        return Sealed()

    await book.transact(wanted(batch), sealing)
    return seen[0]


def changed(batch: Sequence[Submission], change: Callable[[Sealed], Sealed]) -> Callable[[BatchState], Sealed]:
    """This function will return a seal whose outcome is changed before it is written."""
    return lambda state: change(seal(batch, state).sealed)


@pytest.fixture(params=["memory", "sqlite", "postgresql", "plain"])
async def database(request: pytest.FixtureRequest, clock: SetClock) -> AsyncIterator[Database]:
    """A fresh, open database of each kind, and the portable SQL that another database would be given."""
    async with opened(request.param, request, clock) as database:
        yield database


class TestTheBook:
    async def test_gives_the_head_of_a_lender_never_seen_before_as_an_empty_log(self, database: Database):
        state = await look(database.book, submission("k1", lender="never-seen-1"))

        head = state.heads["never-seen-1"]
        assert (head.lender, head.size, head.frontier, head.recorded_at) == ("never-seen-1", 0, b"", None)

    async def test_reads_back_the_head_the_key_the_decision_and_the_offer_that_it_wrote(self, database: Database):
        (answer,) = await write(database.book, submission("k1"))

        state = await look(database.book, submission("k1"))

        head = state.heads["icbc"]
        assert (head.size, len(head.frontier)) == (1, 32)
        assert state.answered["icbc", "k1"].answer == answer.body
        assert state.answered["icbc", "k1"].fingerprint == submission("k1").fingerprint
        assert state.previous["icbc", "A-k1"].revision == 1
        [(lender, commitment)] = state.commitments
        assert (lender, commitment.application_id, commitment.credit_limit) == ("icbc", "A-k1", Yuan.whole(100))
        assert isinstance(commitment.credit_limit, Yuan)

    async def test_keeps_an_instant_to_the_microsecond_and_in_utc(self, database: Database, clock: SetClock):
        clock.now = datetime(2038, 1, 19, 3, 14, 8, 1, tzinfo=UTC)

        await write(database.book, submission("k1"))

        recorded_at = (await look(database.book, submission("k2"))).heads["icbc"].recorded_at
        assert recorded_at == clock.now
        assert recorded_at.tzinfo is UTC

    async def test_never_reads_a_clock_below_the_newest_record_of_the_log(self, database: Database, clock: SetClock):
        await write(database.book, submission("k1"))
        newest = clock.now
        clock.now -= timedelta(hours=1)

        state = await look(database.book, submission("k2"))

        assert state.now == newest

    async def test_reads_the_catalogue_that_is_active(self, database: Database):
        assert (await look(database.book, submission("k1"))).edition is None

        await database.catalogue.activate("sha256:one", "operator", ACTIVATED)
        await database.catalogue.activate("sha256:two", "operator", ACTIVATED)

        assert (await look(database.book, submission("k1"))).edition == "sha256:two"

    async def test_writes_one_batch_for_several_lenders_each_in_its_own_log(self, database: Database):
        await write(
            database.book,
            submission("k1", lender="icbc"),
            submission("k1", lender="boc"),
            submission("k2", lender="boc"),
        )

        state = await look(database.book, submission("k1", lender="icbc"), submission("k1", lender="boc"))

        assert {lender: head.size for lender, head in state.heads.items()} == {"icbc": 1, "boc": 2}
        assert state.answered["icbc", "k1"].answer != state.answered["boc", "k1"].answer

    async def test_reads_the_newest_of_many_decisions_on_one_application(self, database: Database):
        for key in ("k1", "k2", "k3"):
            await write(database.book, submission(key, application_id="A"))

        state = await look(database.book, submission("k4", application_id="A"))

        assert state.previous["icbc", "A"].revision == 3
        assert state.previous["icbc", "A"].decision_id.endswith("k3")

    async def test_keeps_amounts_beyond_what_a_double_can_hold(self, database: Database):
        def huge(sealed: Sealed) -> Sealed:
            offer = sealed.offers[0]
            return replace(
                sealed, offers=(replace(offer, commitment=replace(offer.commitment, credit_limit=Yuan(2**53 + 1))),)
            )

        await database.book.transact(wanted([submission("k1")]), changed([submission("k1")], huge))

        [(_, commitment)] = (await look(database.book, submission("k1"))).commitments
        assert commitment.credit_limit == 2**53 + 1

    async def test_stores_terms_once_whatever_comes_later_under_their_digest(self, database: Database):
        def other_terms(sealed: Sealed) -> Sealed:
            return replace(sealed, terms=(("sha256:icbc/loan", b"another"),))

        await write(database.book, submission("k1"))
        await database.book.transact(wanted([submission("k2")]), changed([submission("k2")], other_terms))

        assert [stored.terms async for stored in database.decisions.every_decision()] == [b"{}", b"{}"]


class TestABatchThatFails:
    async def test_has_written_nothing_when_seal_raises_and_passes_the_exception_on(self, database: Database):
        with pytest.raises(Poisoned):
            await write(database.book, submission("k1"), poisoned(submission("k2")))

        state = await look(database.book, submission("k1"))
        assert (state.heads["icbc"].size, dict(state.answered), state.commitments) == (0, {}, ())

    async def test_has_written_nothing_when_one_of_its_rows_is_refused(self, database: Database):
        await write(database.book, submission("k1"))

        def key_taken(sealed: Sealed) -> Sealed:
            first, second = sealed.decisions
            return replace(sealed, decisions=(first, replace(second, idempotency_key="k1")))

        batch = [submission("k2"), submission("k3")]
        with pytest.raises(Exception, match=r"(?i)unique"):
            await database.book.transact(wanted(batch), changed(batch, key_taken))

        state = await look(database.book, submission("k2"))
        assert (state.heads["icbc"].size, dict(state.answered)) == (1, {})

    async def test_leaves_the_book_fit_for_the_next_one(self, database: Database):
        for number in range(3):
            with pytest.raises(Poisoned):
                await write(database.book, poisoned(submission(f"bad{number}")))
            await write(database.book, submission(f"good{number}"))

        assert (await look(database.book, submission("k"))).heads["icbc"].size == 3


class TestABatchWithoutEntries:
    async def test_writes_nothing_not_even_heads(self, database: Database):
        await write(database.book, submission("k1"))

        (answer,) = await write(database.book, submission("k1"))

        assert answer.replayed
        assert (await look(database.book, submission("k1"))).heads["icbc"].size == 1


class TestCommitmentsOfABatch:
    async def test_are_the_companys_and_its_groups_and_nobody_elses(self, database: Database):
        await write(
            database.book,
            submission("own"),
            submission("group", uscc=OTHER_COMPANY, group_id="G"),
            submission("stranger", uscc="91999999MAT000034P"),
            submission("other-lender", lender="boc"),
        )

        state = await look(database.book, submission("k", group_id="G"))

        assert sorted(c.application_id for _, c in state.commitments) == ["A-group", "A-own"]

    async def test_come_once_when_company_group_and_application_all_lead_to_them(self, database: Database):
        await write(database.book, submission("k1", application_id="A", group_id="G"))

        state = await look(database.book, submission("k2", application_id="A", group_id="G"))

        assert len(state.commitments) == 1

    async def test_include_the_offer_made_for_the_same_application_to_another_company(self, database: Database):
        await write(database.book, submission("k1", application_id="A"))

        state = await look(database.book, submission("k2", application_id="A", uscc=OTHER_COMPANY))

        assert [c.application_id for _, c in state.commitments] == ["A"]

    async def test_leave_out_what_a_later_batch_superseded(self, database: Database):
        await write(database.book, submission("k1", application_id="A"))
        await write(database.book, submission("k2", application_id="A"))

        state = await look(database.book, submission("k3", application_id="A"))

        assert [c.offer_id for _, c in state.commitments] == ["offer-icbc-00000001-k2"]

    async def test_leave_out_what_the_very_batch_that_made_it_superseded(self, database: Database):
        """An UPDATE beside its own INSERT in one statement of PostgreSQL would not see the row."""
        await write(database.book, submission("k1", application_id="A"), submission("k2", application_id="A"))

        state = await look(database.book, submission("k3", application_id="A"))

        assert [c.offer_id for _, c in state.commitments] == ["offer-icbc-00000001-k2"]

    @pytest.mark.parametrize(("days_after_the_last", "count"), [(0, 1), (1, 1), (2, 0)])
    async def test_are_left_out_once_no_clock_in_shanghai_could_still_count_them(
        self, database: Database, clock: SetClock, days_after_the_last: int, count: int
    ):
        """One day of grace: the day in Shanghai and the day in UTC differ by at most one."""
        clock.now = datetime(2026, 11, 20, 2, tzinfo=UTC)
        await write(database.book, submission("k1"))

        clock.now += timedelta(days=COUNTS_DAYS + days_after_the_last)

        assert len((await look(database.book, submission("k2"))).commitments) == count

    async def test_keep_group_days_and_approval(self, database: Database):
        def approved(sealed: Sealed) -> Sealed:
            offer = sealed.offers[0]
            commitment = replace(offer.commitment, credit_approved=True, counts_until=date(2026, 12, 31))
            return replace(sealed, offers=(replace(offer, commitment=commitment),))

        batch = [submission("k1", group_id="G|1")]
        await database.book.transact(wanted(batch), changed(batch, approved))

        [(_, commitment)] = (await look(database.book, *batch)).commitments
        assert (commitment.group_id, commitment.counts_until) == ("G|1", date(2026, 12, 31))
        assert commitment.credit_approved is True


class TestTheBookOfARealDatabase:
    async def test_reads_the_clock_of_its_day(self, real_database: Database):
        before = datetime.now(UTC)

        state = await look(real_database.book, submission("k1"))

        assert before - timedelta(seconds=2) < state.now < datetime.now(UTC) + timedelta(seconds=2)

    async def test_survives_being_closed_and_opened(self, database_url: str):
        first = open_database(database_url)
        await write(first.book, submission("k1"))
        await first.close()

        again = open_database(database_url)
        state = await look(again.book, submission("k1"))
        await again.close()

        assert state.heads["icbc"].size == 1

    @pytest.mark.parametrize("decisions", [0, 300, 2000])
    async def test_is_read_by_what_tells_rows_apart_however_many_there_are(
        self, real_database: Database, decisions: int
    ):
        """The plan is made once, perhaps while the tables are empty; a batch may not become slower as they fill."""
        for start in range(0, decisions, 100):
            batch = [submission(f"k{number}", uscc=f"91{number:016d}") for number in range(start, start + 100)]
            await write(real_database.book, *batch)

        plan = await _plan_of_reading(real_database)

        for column in ("idempotency_key", "application_id", "uscc", "group_id"):
            assert re.search(rf"(USING INDEX \S+ |Index Cond: )\(+{column}(\)::text )?=", plan), plan
        wrong = r"SCAN (decision|offer)|Seq Scan on (decision|offer)|ix_decision_lender|Materialize"
        assert not re.search(wrong, plan), plan

    @pytest.mark.parametrize("url", ["sqlite:////proc/nowhere/x.db", "postgresql://postgres@/x?host=/nowhere-at-all"])
    async def test_says_so_when_it_cannot_be_reached(self, url: str):
        with pytest.raises(StoreUnavailable):
            database = open_database(url)
            try:
                await database.book.transact(Wanted(("icbc",), (), (), ()), lambda _: Sealed())
            finally:
                await database.close()


async def _plan_of_reading(database: Database) -> str:
    """The database's own account of how a batch is read, under the settings of the hot road."""
    if isinstance(database.book, SqliteBook):
        statements = [
            sqlite._ANSWERED, sqlite._PREVIOUS, *sqlite._OPEN_OF.values(), sqlite._GROUPS_OF, sqlite._MEMBERS_OF,
        ]  # fmt: skip
        values = ("icbc", "[]", "2026-01-01")

        def explain(connection: Connection) -> str:
            return "\n".join(
                row[3]
                for s in statements
                for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {s}", values[: s.count("?")])
            )

        return await database._store.read(explain, lenders=NO_LENDER)
    connection = await database.book._connected()
    plans = []
    for batch in ([submission("k1")], [submission("k1"), submission("k2")]):
        statement, asked = reading(wanted(batch), None)
        # Without values to look at, as in the plan that is kept.
        types = ", ".join(re.search(rf"\${n}::(\S+?)[),\s]", statement)[1] for n in range(1, len(asked) + 1))
        await connection.execute(f"PREPARE planned ({types}) AS {statement}")
        nothing = ", ".join(["NULL"] * len(asked))
        plans += await connection.fetch(f"EXPLAIN (COSTS off) EXECUTE planned ({nothing})")
        await connection.execute("DEALLOCATE planned")
    return "\n".join(row[0] for row in plans)
