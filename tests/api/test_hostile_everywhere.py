"""Every operation of the contract under the hostile corpus that is made from it (promise R6), against a service that
listens on a port: 4xx, a problem, nothing repeated, nothing recorded; and the harness sees what it is there to see.
"""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

import app.api.calls
from app.adapters.database.store import database_url
from app.adapters.database.tables import METADATA
from app.api.problems import Problem
from tests.api import hostile
from tests.api.hostile import Operation, Request
from tests.service import demo_settings, listening

OPERATIONS = {one.name: one for one in hostile.operations()}

_ROWS = sa.union_all(
    *(
        sa.select(sa.literal(name).label("name"), sa.select(sa.func.count()).select_from(table).scalar_subquery())
        for name, table in METADATA.tables.items()
        if not name.startswith("search_")
    )
)


class Attacked:
    """A service that listens, a client that keeps its connection, and its database beside it."""

    def __init__(self, client: httpx.Client, keys: dict[str, str], url: str) -> None:
        self.client, self.keys, self._engine = client, keys, sa.create_engine(database_url(url))

    def send(self, operation: Operation, request: Request) -> httpx.Response:
        """This function will send the request with a key of a role that may."""
        return hostile.send(self.client, request, self.keys[hostile.caller(operation)])

    def recorded(self) -> dict[str, int]:
        """This function will count the rows of every table, but for the marks that are made behind the decisions."""
        with self._engine.connect() as connection:
            return dict(connection.execute(_ROWS).all())

    def close(self) -> None:
        """This function will let go of the database."""
        self._engine.dispose()

    def settled(self) -> dict[str, int]:
        """This function will count once what an earlier sound request has set going (a campaign) has ended."""
        found = self.recorded()
        for _ in range(60):
            time.sleep(0.1)
            before, found = found, self.recorded()
            if before == found:
                break
        return found

    def faults(self, operation: Operation, *, most: int = 5) -> list[str]:
        """This function will say in which answers to the hostile requests something is wrong, and whether anything
        was recorded for any of them.
        """
        before, wrong = self.settled(), []
        for request in hostile.requests(operation):
            said = f"where {request.wrong} is wrong: {request.method} {request.target[:120]}"
            wrong += hostile.faults(self.send(operation, request), after=said)
            if len(wrong) >= most:
                return wrong
        return wrong if self.recorded() == before else [*wrong, "something was recorded"]


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    settings = demo_settings(tmp_path_factory.mktemp("attacked") / "data")
    with listening(settings) as address, httpx.Client(base_url=address, timeout=30) as client:
        attacked = Attacked(client, json.loads(settings.demo_keys_file.read_bytes()), settings.database_url)
        yield attacked
        attacked.close()


class TestEveryOperation:
    @pytest.mark.parametrize("name", OPERATIONS)
    def test_refuses_whatever_is_wrong_in_one_place_and_records_nothing(self, attacked: Attacked, name: str):
        assert attacked.faults(OPERATIONS[name]) == []
        # What the hostile requests differ from is understood: it is not for another reason that they were refused.
        meant = attacked.send(OPERATIONS[name], hostile.sound(OPERATIONS[name], f"sound-{name}"))
        assert meant.status_code in (200, 201, 409), meant.text


    @pytest.mark.parametrize("name", [one.name for one in OPERATIONS.values() if list(hostile.sound_numbers(one))])
    def test_takes_the_numbers_that_the_contract_allows_in_its_query(self, attacked: Attacked, name: str):
        for request in hostile.sound_numbers(OPERATIONS[name]):
            answer = attacked.send(OPERATIONS[name], request)
            # A log need not have grown to that size yet, nor the page be there.
            assert answer.status_code in (200, 404) or "whole number" not in answer.text, (request.wrong, answer.text)


class TestTheHarness:
    """It sees each defect that is planted into the road of every request."""

    def test_sees_an_answer_that_repeats_what_was_sent(self, attacked: Attacked, monkeypatch: pytest.MonkeyPatch):
        def echoing(refusal: Any, names: list[str]) -> Problem:
            return Problem("invalid-request", detail=("", " ".join(names)))

        monkeypatch.setattr(app.api.calls, "invalid_query", echoing)

        assert "repeats what was sent" in str(attacked.faults(OPERATIONS["list_pools"]))

    def test_sees_a_failure_that_nobody_foresaw(self, attacked: Attacked, monkeypatch: pytest.MonkeyPatch):
        def failing(*_: Any) -> None:
            raise RuntimeError("not foreseen")

        monkeypatch.setattr(app.api.calls, "_read_query", failing)

        assert "status 500" in str(attacked.faults(OPERATIONS["list_reasons"]))

    def test_sees_that_something_else_was_done_and_recorded(
        self, attacked: Attacked, monkeypatch: pytest.MonkeyPatch
    ):
        one, read = OPERATIONS["issue_pool_statement"], app.api.calls.read_body

        async def forgiving(kind: Any, headers: Any, receive: Any) -> Any:
            async def sound() -> dict[str, Any]:
                return {"type": "http.request", "body": json.dumps(one.bodies[0]).encode(), "more_body": False}

            return await read(kind, [(b"content-type", b"application/json")], sound)

        monkeypatch.setattr(app.api.calls, "read_body", forgiving)
        found = attacked.faults(one, most=1_000)

        assert "status 201" in str(found)
        assert found[-1] == "something was recorded"

    def test_makes_requests_for_every_place_of_every_operation(self):
        for one in OPERATIONS.values():
            wrong = " ".join(request.wrong for request in hostile.requests(one))
            assert all(parameter["name"] in wrong for parameter in one.among("path"))
            assert all(f"{parameter['name']} twice" in wrong for parameter in one.among("query"))
            assert ("body: deep" in wrong) == bool(one.bodies)
        assert sum(1 for one in OPERATIONS.values() for _ in hostile.requests(one)) >= 3_000

    def test_refuses_an_operation_of_which_it_can_make_nothing(self):
        body = {"content": {"application/json": {"schema": {}}}}
        contract = {"paths": {"/v1/new": {"post": {"operationId": "new_one", "requestBody": body}}}}

        with pytest.raises(ValueError, match="new_one"):
            list(hostile.operations(contract))
