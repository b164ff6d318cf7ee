"""The published contract: the file, what is served, and a linter's opinion."""

import json
import re
import subprocess
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.api.access import OPEN, PERMITTED
from app.main import openapi_yaml
from tests.published import FILE, published, read_contract
from tests.service import demo_settings, running

PUBLISHED_AT = datetime(2026, 11, 20, 4, tzinfo=UTC)


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    return published()


def every_operation(contract: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for path in contract["paths"].values() for operation in path.values()]


class TestTheFile:
    def test_is_what_the_code_says(self):
        assert FILE.read_text("utf-8") == openapi_yaml(), "write it anew: make openapi"

    async def test_is_what_is_served_on_the_day_it_was_published(self, tmp_path: Path):
        async with running(demo_settings(tmp_path / "data"), clock=lambda: PUBLISHED_AT) as service:
            served = await service.client.get("/openapi.yaml")
            as_json = await service.client.get("/openapi.json")

        assert served.text == FILE.read_text("utf-8")
        assert as_json.json() == json.loads(json.dumps(read_contract(served.text), default=str))

    async def test_differs_from_what_is_served_on_another_day_in_the_examples_alone(self, tmp_path: Path):
        later = datetime(2031, 3, 1, 4, tzinfo=UTC)
        async with running(demo_settings(tmp_path / "data"), clock=lambda: later) as service:
            served = (await service.client.get("/openapi.json")).json()

        assert without_examples(served) == without_examples(published())

    def test_is_clean_under_the_rules_of_spectral(self, needs_spectral: str, tmp_path: Path):
        ruleset = tmp_path / "ruleset.yaml"
        ruleset.write_text("extends: ['spectral:oas']\n")
        command = [needs_spectral, "lint", str(FILE), "--ruleset", str(ruleset), "--fail-severity", "hint"]
        finished = subprocess.run(command, capture_output=True, text=True)

        assert finished.returncode == 0, finished.stdout + finished.stderr

    @pytest.mark.needs_owasp_rules
    def test_is_clean_under_the_rules_of_owasp(self, needs_spectral: str, needs_owasp_rules: str, tmp_path: Path):
        finished = linted_for_owasp(needs_spectral, tmp_path, FILE.read_text("utf-8"))

        assert finished.returncode == 0, finished.stdout + finished.stderr

    @pytest.mark.needs_owasp_rules
    def test_shows_owasp_a_planted_danger(self, needs_spectral: str, needs_owasp_rules: str, tmp_path: Path):
        document = with_one_path("/v1/decisions")
        document["paths"]["/v1/decisions"]["get"]["security"] = []
        document["components"]["schemas"]["Planted"] = {"type": "string"}

        finished = linted_for_owasp(needs_spectral, tmp_path, json.dumps(document, default=str))

        assert finished.returncode != 0
        assert "owasp:api4:2023-string-limit" in finished.stdout

    def test_shows_a_planted_fault_to_the_linter(self, needs_spectral: str, tmp_path: Path):
        (tmp_path / "ruleset.yaml").write_text("extends: ['spectral:oas']\n")
        document = with_one_path("/v1/decisions")
        planted = document["paths"]["/v1/decisions"]["post"]["requestBody"]["content"]["application/json"]["examples"]
        planted["declined"]["value"]["request"]["amount"] = 5
        (tmp_path / "planted.json").write_text(json.dumps(document, default=str))
        command = [needs_spectral, "lint", str(tmp_path / "planted.json"), "--ruleset", str(tmp_path / "ruleset.yaml")]
        finished = subprocess.run(command, capture_output=True, text=True)

        assert finished.returncode != 0
        assert "oas3-valid-media-example" in finished.stdout


def with_one_path(path: str) -> dict[str, Any]:
    """This function will return the published contract cut to one path, which is linted in a moment."""
    contract = deepcopy(published())
    return contract | {"paths": {path: contract["paths"][path]}}


def linted_for_owasp(spectral: str, folder: Path, contract: str) -> subprocess.CompletedProcess[str]:
    """This function will lint a contract under tests/contract/owasp.yaml."""
    rules = FILE.parent / ".cache/node/node_modules/@stoplight/spectral-owasp-ruleset/dist/ruleset.mjs"
    ruleset = (Path(__file__).parent / "owasp.yaml").read_text("utf-8")
    (folder / "ruleset.yaml").write_text(ruleset.replace("RULESET", str(rules)), "utf-8")
    (folder / "openapi.yaml").write_text(contract, "utf-8")
    command = [spectral, "lint", "openapi.yaml", "--ruleset", "ruleset.yaml", "--fail-severity", "hint"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def without_examples(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: without_examples(value) for key, value in part.items() if key not in ("examples", "example")}
    return [without_examples(one) for one in part] if isinstance(part, list) else part


class TestTheContract:
    def test_documents_every_operation_that_is_not_a_page(self, contract: dict[str, Any]):
        documented = {operation["operationId"] for operation in every_operation(contract)}

        assert documented == PERMITTED.keys() | (OPEN - {"docs", "openapi_json", "openapi_yaml"})

    def test_describes_everything_in_both_languages(self, contract: dict[str, Any]):
        for where, text in described(contract, ""):
            assert re.search(r"[一-鿿]", text) and re.search(r"[A-Za-z]{2}", text), where

    def test_describes_every_field_that_is_sent(self, contract: dict[str, Any]):
        for name, schema in contract["components"]["schemas"].items():
            if name.endswith(("Sent", "Request")):
                for field, shown in schema["properties"].items():
                    assert "description" in shown or "$ref" in shown, f"{name}.{field}"

    def test_bounds_every_text_and_number_that_is_sent(self, contract: dict[str, Any]):
        for name, schema in contract["components"]["schemas"].items():
            if name.endswith(("Sent", "Request")):
                assert schema["additionalProperties"] is False
                for where, shown in leaves(schema["properties"], name):
                    if shown.get("type") == "string" and not {"enum", "const"} & shown.keys():
                        assert {"maxLength", "pattern"} <= shown.keys(), where
                    if shown.get("type") == "integer":
                        assert {"minimum", "maximum", "format"} <= shown.keys(), where

    def test_answers_nothing_but_problems_beyond_2xx(self, contract: dict[str, Any]):
        for operation in every_operation(contract):
            for status, answer in operation["responses"].items():
                if status.startswith("2"):
                    assert "application/problem+json" not in answer["content"]
                else:
                    assert list(answer["content"]) == ["application/problem+json"]
                    assert answer["content"]["application/problem+json"]["examples"]

    def test_needs_a_key_for_all_but_health(self, contract: dict[str, Any]):
        for operation in every_operation(contract):
            name = operation["operationId"]
            assert operation["security"] == ([] if name in OPEN else [{"ApiKey": []}, {"Token": []}])
            assert ("401" in operation["responses"]) == (name not in OPEN)

    def test_names_no_address_of_another_host(self, contract: dict[str, Any]):
        # Names under .example are nobody's (RFC 2606): a webhook's example has to name some receiver.
        assert not re.findall(r"https?://(?![a-z.]+\.example/)", FILE.read_text("utf-8"))


def described(part: Any, where: str) -> list[tuple[str, str]]:
    found = []
    if isinstance(part, dict):
        for key, value in part.items():
            if key in ("example", "examples"):
                continue
            if key in ("description", "summary") and isinstance(value, str):
                found.append((where, value))
            found += described(value, f"{where}/{key}")
    elif isinstance(part, list):
        for position, value in enumerate(part):
            found += described(value, f"{where}/{position}")
    return found


def leaves(part: Any, where: str) -> list[tuple[str, dict[str, Any]]]:
    if isinstance(part, list):
        return [found for one in part for found in leaves(one, where)]
    if not isinstance(part, dict):
        return []
    here = [(where, part)] if "type" in part and isinstance(part["type"], str) else []
    return here + [found for key, value in part.items() for found in leaves(value, f"{where}.{key}")]
