"""What the contract says holds of whatever a machine makes of it: schemathesis, 50 cases an operation in the gate."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import hypothesis.strategies as st
import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig

from tests.api.test_fields import codes
from tests.service import caller_for, demo_settings, listening

ROOT = Path(__file__).parents[2]
GATE, SOAK = 50, 2_500
CONFIG = {
    "checks": {
        # A code that fits its pattern need not be in the catalogue, and an id need not exist.
        "positive_data_acceptance": {"expected-statuses": ["2xx", 400, 401, 403, 404, 409, 422, 429]},
    },
}

schemathesis.openapi.format("uscc", codes())
# An id that fits its format is as good as any.
schemathesis.openapi.format("uuid", st.uuids().map(str))


def without_security() -> dict[str, Any]:
    """The contract as to everything but keys: each case bears a sound one, and tests/api/test_access.py is about
    others.
    """
    contract = yaml.safe_load((ROOT / "openapi.yaml").read_text("utf-8"))
    del contract["components"]["securitySchemes"]
    for path in contract["paths"].values():
        for operation in path.values():
            del operation["security"]
    return contract


schema = schemathesis.openapi.from_dict(without_security(), config=SchemathesisConfig.from_dict(CONFIG))
keys: dict[str, str] = {}


def operation_of(case: schemathesis.Case) -> str:
    return case.operation.definition.raw["operationId"]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a service listens whose keys are those above."""
    demo = demo_settings(tmp_path_factory.mktemp("fuzzed") / "data")
    with listening(demo) as address:
        keys.update(httpx.Response(200, content=demo.demo_keys_file.read_bytes()).json())
        yield address


@schema.parametrize()
@settings(max_examples=GATE, suppress_health_check=list(HealthCheck), deadline=None)
def test_every_operation_keeps_the_contract(case: schemathesis.Case, address: str):
    keeps_the_contract(case, address)


@pytest.mark.soak
@schema.parametrize()
@settings(max_examples=SOAK, suppress_health_check=list(HealthCheck), deadline=None)
def test_every_operation_keeps_the_contract_for_long(case: schemathesis.Case, address: str):
    keeps_the_contract(case, address)


def keeps_the_contract(case: schemathesis.Case, address: str) -> None:
    """This function will send the case with a sound key and hold the answer to the contract."""
    caller = caller_for(operation_of(case))
    case.call_and_validate(base_url=address, headers={"Authorization": f"Bearer {keys[caller]}"})
