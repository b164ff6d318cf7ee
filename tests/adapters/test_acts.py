"""Acts on the road of decisions: one batch, one order, one transaction, held to the same on every database."""

import itertools
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import date

import orjson
import pytest

from app.adapters.database import Database
from app.audit.application import application_from_bytes
from app.audit.canonical import canonical_bytes
from app.domain.money import Yuan
from app.usecases.act_rows import ActsWanted, Lookup, StoredAct, Written
from app.usecases.acts import Act, Result, Work
from app.usecases.catalogue import ActiveCatalogue
from app.usecases.decide import Answer, seal, submission_of, wanted
from app.usecases.obstacles import KeyReusedWithOtherBody, Obstacle, OfferAlreadyApproved
from app.usecases.ports import BatchState, Sealed, Submission
from app.usecases.room import Room
from tests.adapters.conftest import SetClock, opened
from tests.applications import sound
from tests.policy_cases import catalogue
from tests.records import ACTIVATED
from tests.usecases.test_decide import OneKey, body

PRODUCT = "icbc/suzhou-innovation-points-loan"
CATALOGUE = ActiveCatalogue(catalogue())
POT = 3


class PotEmpty(Obstacle):
    """Nothing is left to take."""


class Take(Act):
    """A kind of act for tests: takes one of three from a pot; its row tells how many are gone."""

    format = "jifendai/test-take/1"

    def wants(self) -> ActsWanted:
        """This function will ask for the pot's history and its row, which lies in a table that nobody else uses."""
        return ActsWanted(subjects=((self.lender, self.subject),), rows=(self._pot(),))

    def _pot(self) -> Lookup:
        return Lookup("preview", "preview_id", self.subject, locked=True)

    def seal_into(self, work: Work, record_id: str) -> Result:
        """This function will take one, or refuse."""
        gone = len(work.history(self.lender, self.subject))
        found = work.rows(self._pot())
        assert [row["credit_limit"] for row in found] == [gone] * len(found)
        if gone == POT:
            raise PotEmpty
        if found:
            row = Written("preview", {"credit_limit": gone + 1}, {"preview_id": self.subject})
        else:
            row = Written("preview", {
                "preview_id": self.subject, "previewed_at": work.now, "previewed_by": self.submitted_by,
                "lender": self.lender, "product": PRODUCT, "zone": "z", "uscc": "U", "on": work.on, "outcome": "X",
                "credit_limit": 1, "fingerprint": b"\0\1",
            })  # fmt: skip
        return Result("TAKEN", {"taken": gone + 1}, rows=(row,))


class Approve(Act):
    """A kind of act for tests: makes an offer a line of half its limit."""

    format = "jifendai/test-approve/1"

    def wants(self) -> ActsWanted:
        """This function will ask for the offer."""
        return ActsWanted(offers=(self.subject,))

    def seal_into(self, work: Work, record_id: str) -> Result:
        """This function will approve it, unless a decision has superseded it."""
        offer = work.offer(self.subject)
        if offer.superseded_by is not None:
            raise OfferAlreadyApproved
        half = replace(
            offer.commitment, credit_limit=Yuan(int(offer.commitment.credit_limit) // 2), credit_approved=True,
            counts_until=date(2027, 11, 20),
        )  # fmt: skip
        return Result("CREDIT_APPROVED", {"half": half.credit_limit.text()}, commitments=(half,))


class Note(Act):
    """A kind of act for tests: writes a row for each text, and tells the texts that were written before."""

    format = "jifendai/test-note/1"

    def wants(self) -> ActsWanted:
        """This function will ask for all rows."""
        return ActsWanted(rows=(Lookup("preview", "zone", "noted"),))

    def seal_into(self, work: Work, record_id: str) -> Result:
        """This function will write them."""
        before = [
            [row["product"], row["branch"], int(row["credit_limit"]), row["on"].isoformat(), row["fingerprint"].hex()]
            for row in work.rows(Lookup("preview", "zone", "noted"))
        ]
        rows = [
            Written("preview", {
                "preview_id": f"{record_id}-{number:02d}", "previewed_at": work.now, "previewed_by": "p",
                "lender": "icbc", "product": text, "zone": "noted", "uscc": "U", "on": work.on, "outcome": "X",
                "credit_limit": Yuan(number), "fingerprint": b"\0\1", "branch": branch,
            })
            for number, (text, branch) in enumerate(orjson.loads(self.document)["texts"])
        ]  # fmt: skip
        return Result("NOTED", {"before": before}, rows=tuple(rows))


def take(key: str, subject: str = "pot", lender: str = "icbc", said: str = "please") -> Take:
    return Take(
        lender=lender, subject=subject, idempotency_key=key, document=canonical_bytes({"said": said}),
        submitted_by="1001",
    )  # fmt: skip


def approve(key: str, offer_id: str) -> Approve:
    return Approve(lender="icbc", subject=offer_id, idempotency_key=key, document=b"{}", submitted_by="core")


def asked(key: str, product: str = PRODUCT, **changes: object) -> Submission:
    sent = canonical_bytes(sound(product, **changes))
    return submission_of(sent, application_from_bytes(sent), idempotency_key=key, submitted_by="los")


class Bank:
    """A database and the room to decide in."""

    def __init__(self, database: Database) -> None:
        self.database = database
        counter = itertools.count(1)
        self.room = Room(CATALOGUE, lambda: f"id-{next(counter)}", OneKey(), "test.example/log")

    async def write(self, *batch: Submission | Act) -> Sequence[Answer | Obstacle]:
        """This function will seal and write a batch and return its results."""
        results: Sequence[Answer | Obstacle] = ()

        def sealing(state: BatchState) -> Sealed:
            nonlocal results
            made = seal(batch, state, self.room)
            results = made.results
            return made.sealed

        await self.database.book.transact(wanted(batch), sealing)
        return results

    async def history(self, subject: str) -> Sequence[StoredAct]:
        return await self.database.acts.about([subject], ["icbc"])


@pytest.fixture(params=["memory", "sqlite", "postgresql", "plain"])
async def bank(request: pytest.FixtureRequest, clock: SetClock) -> AsyncIterator[Bank]:
    """A bank on a fresh database of each kind."""
    async with opened(request.param, request, clock) as database:
        await database.catalogue.activate(CATALOGUE.digest, "operator", ACTIVATED)
        yield Bank(database)


class TestAnAct:
    async def test_is_a_leaf_of_the_log_between_the_decisions_around_it(self, bank: Bank):
        results = await bank.write(asked("k1", application_id="A1"), take("k2"), asked("k3", application_id="A3"))

        assert [body(result)["audit_record"]["index"] for result in results] == [0, 1, 2]
        [(stored)] = await bank.history("pot")
        assert (stored.index, stored.state, stored.answer) == (1, "TAKEN", results[1].body)
        begins = b'{"document":{"said":"please"},"format":"jifendai/test-take/1","idempotency_key":"k2","result":{'
        assert stored.record.startswith(begins)
        assert stored.record.endswith(b'"subject":"pot","submitted_by":"1001"}')

    async def test_binds_its_key_to_its_body_and_its_subject(self, bank: Bank):
        (first,) = await bank.write(take("k"))

        (again,) = await bank.write(take("k"))
        (other_body,) = await bank.write(take("k", said="more"))
        (other_subject,) = await bank.write(take("k", subject="pan"))

        assert (again.body, again.replayed) == (first.body, True)
        assert isinstance(other_body, KeyReusedWithOtherBody)
        assert isinstance(other_subject, KeyReusedWithOtherBody)
        assert len(await bank.history("pot")) == 1

    async def test_shares_no_keys_with_decisions_nor_with_other_lenders(self, bank: Bank):
        results = await bank.write(asked("k"), take("k"), take("k", "pan", lender="boc"))

        assert [result.replayed for result in results] == [False] * 3

    async def test_sees_what_came_before_it_in_its_batch_and_in_earlier_ones(self, bank: Bank):
        results = [*await bank.write(take("k1"), take("k2")), *await bank.write(take("k3"), take("k4"), take("k1"))]

        assert [body(r).get("taken") for r in (*results[:3], results[4])] == [1, 2, 3, 1]
        assert isinstance(results[3], PotEmpty)
        assert [act.submitted_by for act in await bank.history("pot")] == ["1001"] * 3

    async def test_that_is_refused_binds_no_key_and_stands_nowhere(self, bank: Bank):
        await bank.write(*(take(f"k{n}") for n in range(POT)))

        (refused,) = await bank.write(take("late"))

        assert isinstance(refused, PotEmpty)
        assert await bank.database.acts.answered("icbc", Take.format, "late") is None
        (answered,) = await bank.write(take("late", subject="pan"))
        assert body(answered)["taken"] == 1

    @pytest.mark.parametrize("odd", ["", "a\x1fb", "创新 积分", None], ids=["empty", "separator", "Chinese", "nothing"])
    async def test_writes_many_rows_alike_as_they_are_whatever_their_texts(self, bank: Bank, odd: str | None):
        texts = [[f"text {number}", f"branch {number}"] for number in range(9)] + [["other", odd]]
        notes = [
            Note(lender="icbc", subject="notes", idempotency_key=key, document=canonical_bytes({"texts": given}),
                 submitted_by="1001")
            for key, given in (("write", texts), ("read", []))
        ]  # fmt: skip

        results = [result for note in notes for result in await bank.write(note)]

        on = body(results[1])["before"][0][3]
        assert body(results[1])["before"] == [
            [text, branch, number, on, "0001"] for number, (text, branch) in enumerate(texts)
        ]

    async def test_changes_what_later_decisions_find_promised(self, bank: Bank):
        (decided,) = await bank.write(asked("k1", application_id="A1"))
        offer = body(decided)["offer"]

        approved, again = await bank.write(approve("k2", offer["offer_id"]), asked("k3", application_id="A1"))

        assert body(approved)["half"] == "5000000.00"
        assert isinstance(again, OfferAlreadyApproved)
        [commitment] = await bank.database.decisions.commitments("icbc", "91999999MAT000018E", None, date(2027, 1, 1))
        assert (commitment.credit_limit, commitment.credit_approved) == (Yuan.parse("5000000.00"), True)

    async def test_sees_that_a_decision_of_its_batch_has_superseded_its_offer(self, bank: Bank):
        (decided,) = await bank.write(asked("k1", application_id="A1"))

        _, approved = await bank.write(
            asked("k2", application_id="A1"), approve("k3", body(decided)["offer"]["offer_id"])
        )

        assert isinstance(approved, OfferAlreadyApproved)

    async def test_is_found_by_its_id_its_kind_and_its_key_by_its_own_lender_alone(self, bank: Bank, clock: SetClock):
        results = [*await bank.write(take("k1"), take("k2")), *await bank.write(take("k3", "pan", lender="boc"))]
        ids = [body(result)["record_id"] for result in results]
        acts = bank.database.acts

        newest = await acts.search([Take.format], ["icbc", "boc"], limit=2, after=None)
        rest = await acts.search(
            [Take.format], ["icbc", "boc"], limit=2, after=(newest[-1].recorded_at, newest[-1].record_id)
        )
        assert sorted(act.record_id for act in (*newest, *rest)) == sorted(ids)
        assert (await acts.find(ids[0], ["icbc"])).answer == results[0].body
        assert await acts.find(ids[0], ["boc"]) is None
        assert (await acts.answered("icbc", Take.format, "k1")).answer == results[0].body


A, B = "91999999MAT000018E", "91999999MAT000026X"


class TestAGroup:
    """Who was once seen in a group counts with it, whatever a later request leaves out."""

    @pytest.mark.parametrize("batches", [1, 3])
    async def test_is_not_left_by_leaving_it_out(self, bank: Bank, batches: int):
        every = [
            asked("k1", application_id="A1", company__uscc=A, company__group_id="G"),
            asked("k2", application_id="B1", company__uscc=B, company__group_id="G"),
            asked("k3", application_id="B2", company__uscc=B, company__group_id=None),
        ]
        size = len(every) // batches

        for start in range(0, len(every), size):
            await bank.write(*every[start : start + size])

        records = [orjson.loads(stored.record) async for stored in bank.database.decisions.every_decision()]
        last = next(r for r in records if r["decision"]["application_id"] == "B2")
        assert sorted(c["application_id"] for c in last["standing"]) == ["A1", "B1"]
        found = await bank.database.decisions.commitments("icbc", B, None, date(2026, 11, 20))
        assert sorted(c.application_id for c in found) == ["A1", "B1"]

    async def test_of_another_lender_is_another_group(self, bank: Bank):
        product = "boc/zhongkai-innovation-points-loan"
        await bank.write(asked("k1", product, company__group_id="G", company__uscc=A))

        await bank.write(asked("k2", application_id="B1", company__uscc=B, company__group_id="G"))

        found = await bank.database.decisions.commitments("icbc", B, "G", date(2026, 11, 20))
        assert [c.application_id for c in found] == ["B1"]


class TestABatchOfActsThatFails:
    async def test_has_written_nothing(self, bank: Bank):
        await bank.write(take("k1"))

        def key_taken(state: BatchState) -> Sealed:
            sealed = seal([asked("d"), take("k2")], state, bank.room).sealed
            row = replace(sealed.acts.acts[0], idempotency_key="k1")
            return replace(sealed, acts=replace(sealed.acts, acts=(row,)))

        with pytest.raises(Exception, match=r"(?i)unique"):
            await bank.database.book.transact(wanted([asked("d"), take("k2")]), key_taken)

        (answered,) = await bank.write(take("k3"))
        assert body(answered)["audit_record"]["index"] == 1
        assert body(answered)["taken"] == 2
