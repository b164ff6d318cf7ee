"""Replay over HTTP."""

import pytest
from sqlalchemy import create_engine, select, update

from app.adapters.database.store import database_url
from app.adapters.database.tables import DECISION, LOG_ENTRY, TERMS
from app.api.examples import DECISION_ID, decision_examples
from tests.api.test_decisions import today
from tests.postgres import as_owner
from tests.service import Service


async def replayed(service: Service, decision_id: str = DECISION_ID, caller: str = "auditor"):
    """This function will ask for a replay."""
    return await service.client.post(f"/v1/decisions/{decision_id}/replay", headers=service.bearer(caller))


def tampered(service: Service, old: bytes, new: bytes, table=LOG_ENTRY) -> None:
    """This function will exchange bytes in the demonstration's first record, or in its terms."""
    column = table.c.record if table is LOG_ENTRY else table.c.canonical
    engine = create_engine(database_url(as_owner(service.settings.database_url)))
    with engine.begin() as connection:
        digest = select(DECISION.c.terms_digest).where(DECISION.c.decision_id == DECISION_ID).scalar_subquery()
        which = table.c.decision_id == DECISION_ID if table is LOG_ENTRY else table.c.digest == digest
        held = connection.execute(select(column).where(which)).scalar_one()
        assert old in held
        connection.execute(update(table).where(which).values({column: bytes(held).replace(old, new, 1)}))
    engine.dispose()


class TestAReplay:
    async def test_of_every_outcome_is_identical(self, service: Service):
        ids = [
            (await service.decide(example.document, example.name)).json()["decision_id"]
            for example in decision_examples(today())
        ]

        answers = [await replayed(service, decision_id) for decision_id in [DECISION_ID, *ids]]

        assert {answer.status_code for answer in answers} == {200}
        assert [answer.json() for answer in answers] == [{"result": "IDENTICAL", "differences": []}] * len(answers)

    async def test_decides_nothing(self, embedded: Service):
        before = await embedded.get("/v1/logs/icbc/checkpoint")
        await replayed(embedded)

        assert (await embedded.get("/v1/logs/icbc/checkpoint")).content == before.content

    async def test_names_the_place_of_each_difference(self, service: Service):
        tampered(service, b'"annual_rate":"0.0345"', b'"annual_rate":"0.0245"')

        answer = (await replayed(service)).json()

        assert answer == {
            "result": "DIFFERENT",
            "differences": [{"pointer": "/offer/annual_rate", "recorded": "0.0245", "recomputed": "0.0345"}],
        }

    async def test_finds_another_decisions_record_in_the_place(self, service: Service):
        other = DECISION_ID[:-2] + "20"
        engine = create_engine(database_url(as_owner(service.settings.database_url)))
        with engine.begin() as connection:
            of = select(LOG_ENTRY.c.record).where(LOG_ENTRY.c.decision_id == other)
            record = connection.execute(of).scalar_one()
            connection.execute(update(LOG_ENTRY).where(LOG_ENTRY.c.decision_id == DECISION_ID).values(record=record))
        engine.dispose()

        answer = (await replayed(service)).json()

        assert answer["differences"] == [{"pointer": "/decision_id", "recorded": other, "recomputed": DECISION_ID}]

    @pytest.mark.parametrize(
        ("old", "new", "table"),
        [
            (b'"jifendai/decision/1"', b'"jifendai/decision/9"', LOG_ENTRY),
            (b'"rules_edition":"2', b'"rules_edition":"3', LOG_ENTRY),
            (b'{"application":', b'{"applicatiom":', LOG_ENTRY),
            (b'{"application":', b'["application":', LOG_ENTRY),
            (b"1", b"2", TERMS),
        ],
    )
    async def test_of_what_cannot_be_read_is_a_problem_that_says_what_to_do(
        self, embedded: Service, old: bytes, new: bytes, table
    ):
        tampered(embedded, old, new, table)

        answer = await replayed(embedded)

        assert answer.status_code == 409
        assert answer.json()["type"] == "/problems/not-replayable"
        assert "jifendai verify database" in answer.json()["detail"]

    async def test_takes_no_parameters(self, embedded: Service):
        path = f"/v1/decisions/{DECISION_ID}/replay?again=1"

        assert (await embedded.client.post(path, headers=embedded.bearer())).status_code == 422
