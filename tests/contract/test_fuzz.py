"""What the contract says holds of whatever a machine makes of it (promise R6): schemathesis on both databases, with
fixed seeds; 12 cases an operation and database in the gate, and at least 20,000 a database in the soak.
"""

import functools
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from copy import deepcopy
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import load_all_checks
from schemathesis.config import SchemathesisConfig
from schemathesis.generation.feedback import FeedbackSources
from schemathesis.generation.hypothesis import builder
from schemathesis.pytest._test_builder import build_operation_test
from schemathesis.python._constants.orchestrator import make_constants_value_source

from app.api.bodies import SHEET_KINDS
from tests.api.test_fields import codes
from tests.postgres import Databases
from tests.published import published
from tests.service import caller_for, demo_settings, listening

ROOT = Path(__file__).parents[2]
GATE, SOAK_CASES = 12, 20_000
CONFIG = {
    "checks": {
        # A code that fits its pattern need not be in the catalogue, and an id need not exist.
        "negative_data_rejection": {
            "expected-statuses": [400, 401, 403, 404, 405, 409, 413, 414, 415, 422, 428, 429, 431]
        },
        # A version that fits its form may be an old one, and a list of sound rows longer than a body may be.
        "positive_data_acceptance": {"expected-statuses": ["2xx", 400, 401, 403, 404, 409, 412, 413, 422, 429]},
    },
}

LEFT_OUT = (
    builder.UnsatisfiableExampleMark, builder.NonSerializableMark, builder.UnserializablePayloadMark,
    builder.InvalidRegexMark, builder.InvalidHeadersExampleMark, builder.MissingPathParameters,
)  # fmt: skip

schemathesis.openapi.format("uscc", codes())
# An id that fits its format is as good as any.
schemathesis.openapi.format("uuid", st.uuids().map(str))
# What is called a workbook is any bytes, and none of them is one.
schemathesis.serializer.alias(SHEET_KINDS[0], "application/octet-stream")


def without_security() -> dict[str, Any]:
    """The contract as to everything but keys: each case bears a sound one, and tests/api/test_access.py is about
    others.
    """
    contract = deepcopy(published())
    del contract["components"]["securitySchemes"]
    for path in contract["paths"].values():
        for operation in path.values():
            del operation["security"]
    return contract


# What takes nothing has one case, so that the others have more each; hypothesis ends early where there are no more.
TAKING = sum(
    bool(one.get("parameters") or one.get("requestBody"))
    for path in published()["paths"].values()
    for one in path.values()
)
every_operation = pytest.mark.parametrize(
    ("path", "method"),
    [
        pytest.param(path, method, id=f"{method.upper()} {path}")
        for path, operations in published()["paths"].items()
        for method in operations
    ],
)
# What schemathesis counts out by itself (boundaries, some 400 cases for a search) is the same on either database, so
# that in the gate one of them is enough.
WITHOUT_COVERAGE = {"phases": {"coverage": {"enabled": False}}}


@functools.cache
def schema_of(counted_out: bool) -> Any:
    config = CONFIG if counted_out else CONFIG | WITHOUT_COVERAGE
    return schemathesis.openapi.from_dict(without_security(), config=SchemathesisConfig.from_dict(config))


def try_cases(
    keeps: Callable[[schemathesis.Case], None], path: str, method: str, drawn: int, counted_out: bool
) -> None:
    """This function will hold one operation to `keeps`, with as many drawn cases.

    It is what `schema.parametrize()` does, but where the test runs: there each process that collects makes the cases of
    every operation, and three processes take a minute for it.
    """

    @settings(max_examples=drawn, suppress_health_check=list(HealthCheck), deadline=None)
    def one_case(case: schemathesis.Case) -> None:
        keeps(case)

    schema = schema_of(counted_out)
    test = build_operation_test(
        config=schema.config, operation=schema[path][method], test_func=one_case, given_kwargs={},
        feedback=FeedbackSources(constants_value_source=make_constants_value_source(schema)),
    )  # fmt: skip
    load_all_checks()
    test()
    # What could not be tried of the operation is left out in silence otherwise.
    assert not any(mark.is_set(test) for mark in LEFT_OUT)


class Services:
    """The services that listen, one a database, each started once it is asked for; and how many cases each was sent."""

    def __init__(self, folder: Path, postgres: Databases, stack: ExitStack) -> None:
        self._folder, self._postgres, self._stack = folder, postgres, stack
        self._addresses: dict[str, tuple[str, dict[str, str]]] = {}
        self.cases: Counter[str] = Counter()

    def on(self, database: str) -> Callable[[schemathesis.Case], None]:
        """This function will return what sends a case there with a sound key and holds the answer to the contract."""
        address, keys = self._listening(database)

        def keeps_the_contract(case: schemathesis.Case) -> None:
            caller = caller_for(case.operation.definition.raw["operationId"])
            self.cases[database] += 1
            case.call_and_validate(base_url=address, headers={"Authorization": f"Bearer {keys[caller]}"})

        return keeps_the_contract

    def _listening(self, database: str) -> tuple[str, dict[str, str]]:
        if database not in self._addresses:
            url = None if database == "sqlite" else self._stack.enter_context(self._postgres.fresh())
            demo = demo_settings(self._folder / database, url)
            address = self._stack.enter_context(listening(demo))
            self._addresses[database] = address, json.loads(demo.demo_keys_file.read_bytes())
        return self._addresses[database]


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory, postgres_databases: Databases) -> Iterator[Services]:
    """Where the cases go."""
    with ExitStack() as stack:
        yield Services(tmp_path_factory.mktemp("fuzzed"), postgres_databases, stack)


@every_operation
def test_every_operation_keeps_the_contract_on_sqlite(path: str, method: str, services: Services):
    try_cases(services.on("sqlite"), path, method, GATE, counted_out=True)


@every_operation
def test_every_operation_keeps_the_contract_on_postgresql(path: str, method: str, services: Services):
    try_cases(services.on("postgresql"), path, method, GATE, counted_out=False)


@pytest.mark.soak
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
@every_operation
def test_every_operation_keeps_the_contract_for_long(path: str, method: str, services: Services, database: str):
    drawn = 1 + SOAK_CASES * 5 // (4 * TAKING)
    try_cases(services.on(database), path, method, drawn, counted_out=True)


@pytest.mark.soak
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_as_many_cases_were_tried_as_was_promised(services: Services, database: str):
    assert services.cases[database] >= SOAK_CASES
