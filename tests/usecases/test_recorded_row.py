"""The rows made again from a record are those that were written beside it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.usecases.act_rows import MoreWanted
from app.usecases.decide import Answer, seal
from app.usecases.ports import Sealed
from app.usecases.recorded_row import RecordedRows, RecordPlace, recorded_rows
from app.usecases.verify_offers import OpenOffers
from tests.applications import ON, commitment, documents, products_without_a_pool
from tests.usecases.test_decide import ICBC, asked, room, sealed, state


def made_again(written: Sealed) -> list[RecordedRows]:
    return [
        recorded_rows(
            entry.record,
            RecordPlace(entry.lender, f"test.example/log/{entry.lender}", entry.index, entry.leaf_hash),
            row.idempotency_key,
        )
        for entry, row in zip(written.entries, written.decisions, strict=True)
    ]


def superseded_in(rows: list[RecordedRows]) -> dict[str, str]:
    offers = OpenOffers()
    for one in rows:
        offers.follow(one)
    return {offer.commitment.offer_id: by for offer, by in offers.all_that_is_left() if by is not None}


class TestTheRowsOfARecord:
    @given(st.lists(documents(products_without_a_pool), min_size=1, max_size=4), st.booleans())
    def test_are_those_that_were_written(self, sent: list[dict], with_sm3: bool):
        batch = [asked(f"k{n}", document | {"application_id": f"A{n % 2}"}) for n, document in enumerate(sent)]

        try:
            made = seal(batch, state(), replace(room(), sm3=with_sm3))
        except MoreWanted:
            # A pool's room would have to be read first; rows of such decisions are no others.
            assume(False)

        assert any(isinstance(result, Answer) for result in made.results) == bool(made.sealed.decisions)
        assert tuple(rows.decision for rows in made_again(made.sealed)) == made.sealed.decisions
        assert tuple(rows.offer for rows in made_again(made.sealed) if rows.offer) == made.sealed.offers

    def test_tell_of_an_offer_whose_place_its_application_s_next_decision_took(self):
        made = sealed(asked("k1", application_id="A"), asked("k2", application_id="A"), asked("k3", application_id="B"))

        assert len(made.sealed.superseded) == 1
        assert superseded_in(made_again(made.sealed)) == dict(made.sealed.superseded)

    def test_tell_of_an_offer_that_the_request_replaces(self):
        held = commitment(ICBC, 1_000_000, offer_id="O-1", application_id="OTHER", counts_until=ON + timedelta(days=9))

        made = sealed(asked("k1", request__replaces="O-1"), commitments=(("icbc", held),))
        (rows,) = made_again(made.sealed)

        assert made.sealed.superseded == (("O-1", rows.decision.decision_id),)
        assert rows.replaces == "O-1"

    def test_replace_no_line_that_the_bank_has_approved(self):
        held = commitment(ICBC, 1_000_000, offer_id="O-1", application_id="OTHER", credit_approved=True)

        made = sealed(asked("k1", request__replaces="O-1"), commitments=(("icbc", held),))

        assert [rows.replaces for rows in made_again(made.sealed)] == [None]
        assert made.sealed.superseded == ()

    @pytest.mark.parametrize("record", [b"", b"nonsense", b"[]", b'{"decision":{}}', b'{"application":1,"decision":2}'])
    def test_are_not_made_of_what_is_no_record(self, record: bytes):
        with pytest.raises(ValueError, match=r"."):
            recorded_rows(record, RecordPlace("icbc", "log/icbc", 0, bytes(32)), "k")
