"""Examples are no time bombs: each succeeds as it stands, today and with the clock five years on."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.api.examples import DECISION_ID
from app.usecases.days import day_in_shanghai
from tests.service import caller_for, demo_settings, running

NOW = datetime.now(UTC)
DAYS = {
    "today": NOW,
    "five years on": NOW + timedelta(days=5 * 365 + 1),
    "on the last day of a leap February": datetime(2028, 2, 29, 3, tzinfo=UTC),
    "on New Year's Day": datetime(2027, 1, 1, 3, tzinfo=UTC),
    "just after midnight in Shanghai": datetime(2027, 3, 31, 16, 0, 1, tzinfo=UTC),
}


# An exception is settled once, and so is a claim; a stop is lifted only where the pool has stopped: this one has not.
# A campaign is run once, and then there is nothing to pause or cancel.
# A budget's state is recorded once; a company claims once for interest that was reported paid.
# A manager states and confirms for pools that are kept elsewhere, and a drawdown is filed once.
TIMES = {
    "decide_pool_claim": 1, "lift_pool_stop": 0, "settle_exception": 1, "run_campaign": 0, "pause_campaign": 0,
    "cancel_campaign": 1, "record_manager_statement": 0, "confirm_pool_cover": 0, "record_pool_filing": 1,
    "create_webhook": 1, "record_subsidy_budget": 1, "claim_subsidy": 1,
}  # fmt: skip

CSV = {"Content-Type": "text/csv", "Idempotency-Key": "a-sheet"}


def first_example(content: dict[str, Any]) -> Any:
    return next(iter(content["examples"].values()))["value"]


class TestEveryExampleOfTheServedContract:
    @pytest.mark.parametrize("day", DAYS)
    async def test_succeeds_as_it_stands(self, tmp_path: Path, sqlite_url: str, day: str):
        at = DAYS[day]
        async with running(demo_settings(tmp_path / "data", sqlite_url), clock=lambda: at) as service:
            contract = (await service.client.get("/openapi.json")).json()
            executed = 0
            for path, operations in contract["paths"].items():
                for method, operation in operations.items():
                    name, place = operation["operationId"], path
                    headers = service.bearer(caller_for(name))
                    for parameter in operation.get("parameters", ()):
                        if parameter["in"] == "path":
                            place = place.replace(f"{{{parameter['name']}}}", parameter["example"])
                    query = {
                        parameter["name"]: parameter["example"]
                        for parameter in operation.get("parameters", ())
                        if parameter["in"] == "query" and parameter.get("required")
                    }
                    if "requestBody" not in operation:
                        answer = await service.client.request(method, place, headers=headers, params=query)
                        assert answer.status_code == 200, (name, answer.text)
                        executed += 1
                        continue
                    content = operation["requestBody"]["content"]
                    if "text/csv" in content:
                        sheet = {"content": first_example(content["text/csv"]), "params": query}
                        answer = await service.client.post(place, headers=headers | CSV, **sheet)
                        assert answer.status_code in (200, 201), (name, answer.text)
                        executed += 1
                        continue
                    for example, shown in content["application/json"]["examples"].items():
                        for time in range(TIMES.get(name, 2)):
                            fresh = headers | {"Idempotency-Key": f"{example}-{time}"}
                            answer = await service.client.request(method, place, headers=fresh, json=shown["value"])
                            assert answer.status_code in (200, 201), (name, example, answer.text)
                            self.comes_out_as_it_says(name, example, answer.json(), at)
                            executed += 1

        assert executed > 15

    def comes_out_as_it_says(self, name: str, example: str, answer: dict[str, Any], at: datetime) -> None:
        if name == "decide":
            expected = {"pre-approved": "PRE_APPROVED", "guaranteed": "PRE_APPROVED", "declined": "DECLINED"}
            expected["fetched"] = "PRE_APPROVED"
            assert answer["outcome"] == expected.get(example, "REFERRED"), example
            assert answer["decided_on"] == day_in_shanghai(at).isoformat()
        elif name == "review_decision":
            assert (answer["outcome"], answer["final"]) == ("RESUBMIT", False)
        elif name == "settle_exception":
            assert answer["new_decision"]["outcome"] == "PRE_APPROVED"
        elif name == "claim_subsidy":
            assert (answer["interest"], answer["interest_forfeited"]) == ("958.33", "0.00")
        elif name == "preview":
            assert answer["items"][0]["outcome"] == "PRE_APPROVED"

    async def test_names_a_decision_that_a_demonstration_has(self, tmp_path: Path):
        async with running(demo_settings(tmp_path / "data")) as service:
            found = (await service.get(f"/v1/decisions/{DECISION_ID}")).json()

        assert found["outcome"] == "PRE_APPROVED"
        assert found["offer"]["credit_limit"] == "10000000.00"
