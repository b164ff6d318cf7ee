"""Keys, roles and lenders."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts

from app.api.access import OPEN, PERMITTED, Role, new_key
from app.api.examples import DECISION_ID, pre_approved
from tests.api.test_decisions import today
from tests.service import Service

PATHS: dict[str, tuple[str, str]] = {
    "decide": ("POST", "/v1/decisions"),
    "preview": ("POST", "/v1/decisions/preview"),
    "list_decisions": ("GET", "/v1/decisions"),
    "get_decision": ("GET", f"/v1/decisions/{DECISION_ID}"),
    "get_receipt": ("GET", f"/v1/decisions/{DECISION_ID}/receipt"),
    "explain_decision": ("GET", f"/v1/decisions/{DECISION_ID}/explanation"),
    "replay_decision": ("POST", f"/v1/decisions/{DECISION_ID}/replay"),
    "list_previews": ("GET", "/v1/previews"),
    "get_checkpoint": ("GET", "/v1/logs/icbc/checkpoint"),
    "get_consistency": ("GET", "/v1/logs/icbc/consistency?from=1"),
    "get_operator_checkpoint": ("GET", "/v1/logs/operator/checkpoint"),
    "get_operator_consistency": ("GET", "/v1/logs/operator/consistency?from=1"),
    "list_operator_records": ("GET", "/v1/logs/operator/records"),
    "list_zones": ("GET", "/v1/zones"),
    "list_products": ("GET", "/v1/products"),
    "get_product": ("GET", "/v1/products/icbc/suzhou-innovation-points-loan"),
    "list_reasons": ("GET", "/v1/reasons"),
    "metrics": ("GET", "/metrics"),
}

# Written out by hand, so that a change of the matrix is a change of two files.
BY_HAND = {
    "decide": "loan_system loan_officer",
    "preview": "loan_system loan_officer risk_analyst",
    "list_decisions": "loan_system loan_officer risk_analyst auditor",
    "get_decision": "loan_system loan_officer risk_analyst auditor",
    "get_receipt": "loan_system loan_officer risk_analyst auditor",
    "explain_decision": "loan_system loan_officer risk_analyst auditor",
    "replay_decision": "loan_officer risk_analyst auditor",
    "list_previews": "risk_analyst auditor",
    "get_checkpoint": "loan_system loan_officer risk_analyst auditor operator",
    "get_consistency": "loan_system loan_officer risk_analyst auditor operator",
    "get_operator_checkpoint": "auditor operator",
    "get_operator_consistency": "auditor operator",
    "list_operator_records": "auditor operator",
    "list_zones": "loan_system loan_officer risk_analyst auditor operator",
    "list_products": "loan_system loan_officer risk_analyst auditor operator",
    "get_product": "loan_system loan_officer risk_analyst auditor operator",
    "list_reasons": "loan_system loan_officer risk_analyst auditor operator",
    "metrics": "operator",
}


async def ask(service: Service, operation: str, caller: str) -> Any:
    method, path = PATHS[operation]
    body = {"json": pre_approved(today())} if method == "POST" else {}
    headers = service.bearer(caller) | {"Idempotency-Key": f"{operation}-{caller}"}
    return await service.client.request(method, path, headers=headers, **body)


class TestTheMatrix:
    async def test_has_a_row_for_every_operation_and_no_other(self, embedded: Service):
        routes = {context.name for context in iter_route_contexts(embedded.app.routes)}

        assert routes == PERMITTED.keys() | OPEN
        assert PERMITTED.keys() == BY_HAND.keys() == PATHS.keys()

    @pytest.mark.parametrize("role", list(Role))
    async def test_is_carried_out(self, embedded: Service, role: Role):
        for operation, permitted in BY_HAND.items():
            answer = await ask(embedded, operation, role.value)

            if role.value in permitted.split():
                assert answer.status_code in (200, 201), (operation, answer.text)
            else:
                assert answer.status_code == 403, operation
                for needed in permitted.split():
                    assert needed in answer.json()["detail"]


class TestAKey:
    @pytest.mark.parametrize(
        "header",
        [None, "", "Bearer", "Bearer ", "Bearer nonsense", "Basic YTpi", "bearer",
         "Bearer jfd_0123456789abcdef_" + "A" * 43, "Bearer jfd_" + "A" * 300, "Bearer a b"],
    )  # fmt: skip
    @pytest.mark.parametrize("operation", ["decide", "list_zones", "metrics"])
    async def test_is_needed(self, embedded: Service, operation: str, header: str | None):
        method, path = PATHS[operation]
        answer = await embedded.client.request(method, path, headers={"Authorization": header} if header else {})

        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["type"] == "/problems/unauthenticated"

    async def test_of_which_one_character_differs_is_refused(self, embedded: Service):
        key = embedded.keys["loan_officer"]
        embedded.keys["wrong"] = key[:-1] + ("A" if key[-1] != "A" else "B")

        assert (await embedded.get("/v1/zones", caller="wrong")).status_code == 401

    async def test_sent_twice_is_refused(self, embedded: Service):
        headers = [*embedded.bearer("loan_officer").items(), *embedded.bearer("auditor").items()]

        assert (await embedded.client.get("/v1/zones", headers=headers)).status_code == 401

    async def test_that_has_expired_is_refused(self, embedded: Service):
        await embedded.add_key("short", "loan_officer", valid_for=timedelta(seconds=-1))

        assert (await embedded.get("/v1/zones", caller="short")).status_code == 401

    async def test_that_was_revoked_elsewhere_is_refused_within_a_second(self, service: Service):
        key_id = await service.add_key("gone", "loan_officer")
        before = await service.get("/v1/zones", caller="gone")
        async with service.database() as database:
            await database.keys.revoke(key_id)
        keys = service.app.state.services.keys
        keys._read_at -= 1.0
        after = await service.get("/v1/zones", caller="gone")

        assert (before.status_code, after.status_code) == (200, 401)

    async def test_that_is_new_is_known_at_its_first_use_once_the_ring_is_half_a_second_old(self, service: Service):
        await service.get("/v1/zones")
        keys = service.app.state.services.keys
        now = datetime.now(UTC)
        service.keys["new"], stored = new_key("test-new", "loan_officer", now=now)
        async with service.database() as database:
            await database.keys.add(stored)
        keys._read_at = keys._monotonic() - 0.6

        assert (await service.get("/v1/zones", caller="new")).status_code == 200

    async def test_is_not_needed_for_health_and_documentation(self, embedded: Service):
        for path in ("/livez", "/readyz", "/docs", "/docs/docs.js", "/openapi.json", "/openapi.yaml"):
            assert (await embedded.client.get(path)).status_code == 200, path


class TestALender:
    """What belongs to another lender is answered exactly as what does not exist."""

    @pytest.fixture
    async def narrow(self, service: Service) -> Service:
        await service.add_key("narrow", "loan_officer", "nbcb")
        await service.add_key("narrow_auditor", "auditor", "nbcb")
        return service

    async def same(self, service: Service, foreign: str, absent: str) -> None:
        answers = [await service.get(path, caller="narrow") for path in (foreign, absent)]
        assert {answer.status_code for answer in answers} == {404}
        assert answers[0].content == answers[1].content

    async def test_hides_its_decisions_from_another(self, narrow: Service):
        await self.same(narrow, f"/v1/decisions/{DECISION_ID}", "/v1/decisions/01990000-0000-7000-8000-00000000ffff")

    async def test_hides_its_receipts_from_another(self, narrow: Service):
        absent = "01990000-0000-7000-8000-00000000ffff"
        await self.same(narrow, f"/v1/decisions/{DECISION_ID}/receipt", f"/v1/decisions/{absent}/receipt")

    async def test_hides_its_replays_from_another(self, narrow: Service):
        absent = "01990000-0000-7000-8000-00000000ffff"
        answers = [
            await narrow.client.post(f"/v1/decisions/{decision_id}/replay", headers=narrow.bearer("narrow"))
            for decision_id in (DECISION_ID, absent)
        ]

        assert {answer.status_code for answer in answers} == {404}
        assert answers[0].content == answers[1].content

    @pytest.mark.parametrize("path", ["checkpoint", "consistency?from=1"])
    async def test_hides_its_log_from_another(self, narrow: Service, path: str):
        await self.same(narrow, f"/v1/logs/icbc/{path}", f"/v1/logs/no-such-lender/{path}")

    async def test_hides_its_products_from_another(self, narrow: Service):
        await self.same(narrow, "/v1/products/icbc/suzhou-innovation-points-loan", "/v1/products/icbc/no-such-product")
        shelf = (await narrow.get("/v1/products", caller="narrow")).json()["items"]
        assert {product["lender"]["id"] for product in shelf} == {"nbcb"}

    async def test_hides_its_decisions_from_another_ones_list(self, narrow: Service):
        for query in ("", "?lender=icbc", "?application_id=DEMO-G1", "?lender=no-such-lender"):
            assert (await narrow.get(f"/v1/decisions{query}", caller="narrow")).json()["items"] == []

    async def test_decides_no_other_ones_product(self, narrow: Service):
        foreign = await narrow.decide(pre_approved(today()), "foreign", caller="narrow")
        absent = await narrow.decide(pre_approved(today()) | {"product": "nbcb/none"}, "absent", caller="narrow")

        assert (foreign.status_code, absent.status_code) == (422, 422)
        assert foreign.content == absent.content

    async def test_previews_no_other_ones_product(self, narrow: Service):
        documents = [
            pre_approved(today()) | {"product": product}
            for product in ("icbc/suzhou-innovation-points-loan", "nbcb/none")
        ]
        answers = [
            await narrow.client.post("/v1/decisions/preview", json=document, headers=narrow.bearer("narrow"))
            for document in documents
        ]

        assert {answer.status_code for answer in answers} == {422}
        assert answers[0].content == answers[1].content

    async def test_previews_only_its_own_products_of_a_zone(self, narrow: Service):
        document = {key: value for key, value in pre_approved(today()).items() if key != "product"}
        answer = await narrow.client.post("/v1/decisions/preview", json=document, headers=narrow.bearer("narrow"))

        assert [item["product"]["id"] for item in answer.json()["items"]] == ["nbcb/suzhou-innovation-points-loan"]

    async def test_sees_only_its_own_previews(self, narrow: Service):
        document = {key: value for key, value in pre_approved(today()).items() if key != "product"}
        await narrow.client.post("/v1/decisions/preview", json=document, headers=narrow.bearer())
        found = (await narrow.get("/v1/previews", caller="narrow_auditor")).json()["items"]

        assert {row["lender"] for row in found} == {"nbcb"}
