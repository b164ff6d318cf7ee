"""Searches, statistics and reports over HTTP, on the demonstration's decisions."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest

from app.adapters.demo import DECLINED_DECISION_ID, EXCEPTION_DECISION_ID, GOLDEN_DECISION_IDS, seeded_cases
from app.adapters.demo_pool import LINE_DECISION_IDS
from app.api.examples import pre_approved
from tests.api.test_decisions import today
from tests.service import Service

SEEDED = (*(case.decision_id for case in seeded_cases(today())), *LINE_DECISION_IDS)
"""Every decision of the demonstration, oldest first."""
REFERRED = {GOLDEN_DECISION_IDS["G8"], EXCEPTION_DECISION_ID}


def short(decision_id: str) -> str:
    """A seeded decision's number: 01 is case G1, 301 the pool's first line."""
    return f"{int(decision_id[-8:-1]):02}"


async def ids(service: Service, query: str, caller: str = "risk_analyst") -> list[str]:
    """This function will return the ids that a search gives, shortened."""
    answer = await service.get(f"/v1/decisions?{query}", caller=caller)
    assert answer.status_code == 200, answer.text
    return [short(item["decision_id"]) for item in answer.json()["items"]]


class TestASearch:
    async def test_finds_what_all_its_filters_mean(self, service: Service):
        right = {
            "sort=oldest": " ".join(map(short, SEEDED)),
            "": " ".join(map(short, reversed(SEEDED))),
            "branch=suzhou-xinqu": "12 10 02 01",
            "stage=growth": "06 05",
            "score_min=79.16&score_max=85": "09 05 03",
            "requested_min=20000000&sort=requested_amount": "03 09",
            "credit_limit_min=10000000&credit_limit_max=10000000.00": "12 05 01",
            "decisive=credit_limit.score_band&zone=suzhou-snd&lender=icbc": "12 02 01",
            "assumption=gates.minimum_score&outcome=DECLINED": "10",
            "recorded_until=2026-01-01T00:00:00Z": "",
        }

        assert {query: " ".join(await ids(service, query)) for query in right} == right

    async def test_counts_when_asked_and_says_what_it_looked_through(self, embedded: Service):
        asked = "/v1/decisions?limit=2&count=true&lender=icbc"
        page = (await embedded.get(asked, caller="auditor")).json()
        plain = (await embedded.get("/v1/decisions?limit=2", caller="auditor")).json()

        assert page["count"] == {"value": 5, "exact": True}
        assert plain["count"] is None
        assert plain["searched"] == {"complete": True, "recorded_from": None, "recorded_until": None}

    async def test_refuses_a_range_that_ends_before_it_begins(self, embedded: Service):
        answer = await embedded.get("/v1/decisions?score_min=70&score_max=60")

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["parameter"] == "score_min"


class TestACursor:
    @pytest.mark.parametrize("sort", ["newest", "oldest", "score", "credit_limit"])
    async def test_leads_through_the_whole_listing(self, embedded: Service, sort: str):
        found, cursor = [], ""
        while cursor is not None:
            page = (await embedded.get(f"/v1/decisions?limit=3&sort={sort}{cursor}")).json()
            found += [item["decision_id"] for item in page["items"]]
            cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"

        assert sorted(found) == sorted(SEEDED)

    @pytest.mark.parametrize("changed", ["sort=oldest", "zone=suzhou-snd", "score_min=1", "lender=icbc"])
    async def test_of_another_question_is_refused(self, embedded: Service, changed: str):
        cursor = (await embedded.get("/v1/decisions?limit=2")).json()["next_cursor"]

        answer = await embedded.get(f"/v1/decisions?limit=2&{changed}&cursor={cursor}")

        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/cursor-not-valid")

    async def test_of_another_tenant_is_refused(self, embedded: Service):
        await embedded.add_key("bank", "loan_officer", "icbc")
        cursor = (await embedded.get("/v1/decisions?limit=2&lender=icbc")).json()["next_cursor"]

        answer = await embedded.get(f"/v1/decisions?limit=2&lender=icbc&cursor={cursor}", caller="bank")

        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/cursor-not-valid")


class TestStatistics:
    async def test_are_grouped_and_never_mix_what_was_asked_with_what_was_indicated(self, service: Service):
        answer = (await service.get("/v1/decisions/statistics?by=outcome,lender", caller="auditor")).json()

        total, groups = answer["total"], answer["groups"]
        approved = len(set(SEEDED) - REFERRED - {DECLINED_DECISION_ID})
        assert total["outcomes"] == {"PRE_APPROVED": approved, "REFERRED": len(REFERRED), "DECLINED": 1}
        assert total["pre_approval_rate"] == f"{Decimal(approved) / len(SEEDED):.4f}"
        assert sum(group["decisions"] for group in groups) == len(SEEDED)
        declined = next(group for group in groups if group["group"]["outcome"] == "DECLINED")
        assert declined["group"]["lender"] == "icbc"
        assert (declined["requested_amount"], declined["pre_approved_limit"]["total"]) == ("3000000.00", "0.00")
        assert declined["pre_approved_limit"]["median"] is None
        assert declined["top_reasons"] == [{"code": "SCORE_BELOW_MINIMUM", "decisions": 1}]
        assert total["referrals"]["waiting"] == len(REFERRED)

    async def test_rank_scores_within_a_zone_and_never_over_schemes(self, embedded: Service):
        over_all = (await embedded.get("/v1/decisions/statistics?by=zone", caller="auditor")).json()

        known = [group["score"] for group in over_all["groups"] if group["score"]["known"]]
        assert len(known) > 1 and all(score["median"] is not None for score in known)
        assert over_all["total"]["score"]["known"] == sum(score["known"] for score in known)
        assert over_all["total"]["score"]["median"] is None

    @pytest.mark.parametrize("by", ["year", "day,day", "day,"])
    async def test_by_something_else_are_refused_by_name(self, embedded: Service, by: str):
        answer = await embedded.get(f"/v1/decisions/statistics?by={by}")

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["parameter"] == "by"

    async def test_show_a_bank_its_own_alone(self, embedded: Service):
        await embedded.add_key("bank", "risk_analyst", "boc")

        answer = (await embedded.get("/v1/decisions/statistics?by=lender", caller="bank")).json()

        assert [group["group"]["lender"] for group in answer["groups"]] == ["boc"]


class TestRepeatedPreviews:
    async def test_name_the_company_whose_facts_were_changed_until_the_answer_pleased(self, service: Service):
        document = pre_approved(today())
        for value in ("35.00", "38.00", "45.00", "68.55"):
            document["innovation_score"]["value"] = value
            await service.client.post(
                "/v1/decisions/preview", content=json.dumps(document), headers=service.bearer("loan_officer")
                | {"Content-Type": "application/json"},
            )  # fmt: skip

        [found] = (await service.get("/v1/previews/repeated", caller="risk_analyst")).json()["items"]

        assert (found["previews"], found["variants"], found["improved"]) == (4, 4, True)
        assert found["uscc"] == document["company"]["uscc"]
        assert [one["outcome"] for one in found["attempts"]] == ["DECLINED", "DECLINED", "PRE_APPROVED", "PRE_APPROVED"]
        assert (await service.get("/v1/previews/repeated?variants=5", caller="auditor")).json()["items"] == []

    async def test_are_paged_and_so_are_all_previews(self, embedded: Service):
        document = pre_approved(today())
        del document["product"]
        for amount in ("1000000.00", "2000000.00"):
            document["request"]["amount"] = amount
            await embedded.client.post("/v1/decisions/preview", json=document, headers=embedded.bearer())

        for path in ("/v1/previews?", "/v1/previews/repeated?variants=2&"):
            found, cursor = [], ""
            while cursor is not None:
                page = (await embedded.get(f"{path}limit=2{cursor}", caller="auditor")).json()
                found += [json.dumps(item) for item in page["items"]]
                cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
            everything = (await embedded.get(f"{path}limit=200", caller="auditor")).json()["items"]
            assert found == [json.dumps(item) for item in everything]
            assert len(found) > 2

    async def test_of_a_window_that_ends_before_it_begins_are_refused(self, embedded: Service):
        day = today() + timedelta(days=1)
        answer = await embedded.get(f"/v1/previews/repeated?previewed_from={day}", caller="auditor")

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["parameter"] == "previewed_from"
