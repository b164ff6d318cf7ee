"""Keys, roles and lenders."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from fastapi.routing import iter_route_contexts

from app.api.access import OPEN, PERMITTED, Role, matrix
from app.api.campaign_examples import CAMPAIGN_ACTS, CAMPAIGN_ID
from app.api.examples import (
    DECISION_ID,
    EXCEPTION_ID,
    OFFER_ID,
    RECORD_ID,
    REFERRED_DECISION_ID,
    exception_examples,
    group_examples,
    offer_event_examples,
    pre_approved,
    review_examples,
    settlement_examples,
)
from app.api.pool_examples import OPEN_CLAIM_ID, POOL_ACTS
from app.api.problems import Problem
from app.api.sheet_examples import SHEETS
from app.api.sign_in import SignIn, new_key
from app.api.subsidy_examples import SUBSIDY_ACTS
from app.usecases.keys import added
from app.usecases.replay import replay_stored
from tests.api.test_decisions import today
from tests.api.webhook_rows import WEBHOOK_ACTS, WEBHOOK_PATHS, WEBHOOK_ROLES
from tests.conftest import ROOT
from tests.service import Service

POOL = "/v1/pools/zhongkai/illustration"
LIST = "name=x&zone=zhongkai&products=boc/zhongkai-innovation-points-loan&amount=1000000&tenor_months=12&purpose=wages"
CAMPAIGN_CHANGES = ("run_campaign", "pause_campaign", "cancel_campaign")
PATHS: dict[str, tuple[str, str]] = {
    "decide": ("POST", "/v1/decisions"),
    "preview": ("POST", "/v1/decisions/preview"),
    "list_decisions": ("GET", "/v1/decisions"),
    "get_decision": ("GET", f"/v1/decisions/{DECISION_ID}"),
    "get_receipt": ("GET", f"/v1/decisions/{DECISION_ID}/receipt"),
    "get_offer": ("GET", f"/v1/offers/{OFFER_ID}"),
    "record_offer_event": ("POST", f"/v1/offers/{OFFER_ID}/events"),
    "get_record_receipt": ("GET", f"/v1/records/{RECORD_ID}/receipt"),
    "request_exception": ("POST", f"/v1/decisions/{REFERRED_DECISION_ID}/exceptions"),
    "settle_exception": ("POST", f"/v1/exceptions/{EXCEPTION_ID}/approval"),
    "list_exceptions": ("GET", "/v1/exceptions"),
    "get_exception": ("GET", f"/v1/exceptions/{EXCEPTION_ID}"),
    "export_decisions": ("GET", "/v1/decisions/export"),
    "review_decision": ("POST", f"/v1/decisions/{REFERRED_DECISION_ID}/review"),
    "list_open_referrals": ("GET", "/v1/reviews/queue"),
    "explain_decision": ("GET", f"/v1/decisions/{DECISION_ID}/explanation"),
    "replay_decision": ("POST", f"/v1/decisions/{DECISION_ID}/replay"),
    "list_previews": ("GET", "/v1/previews"),
    "list_repeated_previews": ("GET", "/v1/previews/repeated"),
    "get_statistics": ("GET", "/v1/decisions/statistics"),
    "get_checkpoint": ("GET", "/v1/logs/icbc/checkpoint"),
    "get_consistency": ("GET", "/v1/logs/icbc/consistency?from=1"),
    "get_operator_checkpoint": ("GET", "/v1/logs/operator/checkpoint"),
    "get_operator_consistency": ("GET", "/v1/logs/operator/consistency?from=1"),
    "list_operator_records": ("GET", "/v1/logs/operator/records"),
    "list_zones": ("GET", "/v1/zones"),
    "list_products": ("GET", "/v1/products"),
    "get_product": ("GET", "/v1/products/icbc/suzhou-innovation-points-loan"),
    "list_reasons": ("GET", "/v1/reasons"), "metrics": ("GET", "/metrics"),
    "get_group": ("GET", "/v1/groups/icbc/GROUP-1"), "register_group": ("POST", "/v1/groups/icbc/GROUP-1"),
    "list_pools": ("GET", "/v1/pools"),
    "get_pool": ("GET", POOL),
    "list_pool_entries": ("GET", f"{POOL}/entries"),
    "list_pool_claims": ("GET", f"{POOL}/claims"),
    "get_pool_statement": ("GET", f"{POOL}/statement?period=2026Q4&lender=undisclosed"),
    "issue_pool_statement": ("POST", f"{POOL}/statements"),
    "contribute_to_pool": ("POST", f"{POOL}/contributions"),
    "lift_pool_stop": ("POST", f"{POOL}/lifts"),
    "record_manager_statement": ("POST", f"{POOL}/manager-statements"),
    "confirm_pool_cover": ("POST", f"{POOL}/confirmations"),
    "list_pool_filings": ("GET", f"{POOL}/filings"), "record_pool_filing": ("POST", f"{POOL}/filings"),
    "claim_from_pool": ("POST", f"{POOL}/claims"),
    "decide_pool_claim": ("POST", f"{POOL}/claims/{OPEN_CLAIM_ID}/decision"),
    "report_recovery": ("POST", f"{POOL}/recoveries"),
    "create_campaign": ("POST", "/v1/campaigns"),
    "create_campaign_from_sheet": ("POST", f"/v1/campaigns/sheets?{LIST}"),
    "list_campaigns": ("GET", "/v1/campaigns"),
    "get_campaign": ("GET", f"/v1/campaigns/{CAMPAIGN_ID}"),
    "run_campaign": ("POST", f"/v1/campaigns/{CAMPAIGN_ID}/run"),
    "pause_campaign": ("POST", f"/v1/campaigns/{CAMPAIGN_ID}/pause"),
    "cancel_campaign": ("POST", f"/v1/campaigns/{CAMPAIGN_ID}/cancel"),
    "get_campaign_outreach": ("GET", f"/v1/campaigns/{CAMPAIGN_ID}/outreach"),
    "import_score_sheet": ("POST", "/v1/scores/sheets?zone=fuxin&lender=icbc"),
    "list_settlements": ("GET", "/v1/subsidies/settlements?period=2026Q4"),
    "list_subsidy_programmes": ("GET", "/v1/subsidies/programmes"),
    "record_subsidy_budget": ("POST", "/v1/subsidies/programmes/suzhou-snd/startup-interest-subsidy/budget"),
    "claim_subsidy": ("POST", f"/v1/offers/{OFFER_ID}/subsidy-claims"),
    **WEBHOOK_PATHS,
}

BODIES = {
    "review_decision": lambda on: review_examples(on)[0].document,
    "record_offer_event": lambda on: offer_event_examples(on)[-1].document,
    "request_exception": lambda on: exception_examples(on)[0].document,
    "settle_exception": lambda on: settlement_examples(on)[0].document,
}

# Written out by hand, so that a change of the matrix is a change of two files.
BY_HAND = {
    "decide": "loan_system loan_officer", "preview": "loan_system loan_officer risk_analyst",
    "list_decisions": "loan_system loan_officer risk_analyst auditor",
    "get_decision": "loan_system loan_officer risk_analyst auditor",
    "get_receipt": "loan_system loan_officer risk_analyst auditor",
    "get_offer": "loan_system loan_officer risk_analyst auditor",
    "record_offer_event": "loan_system loan_officer",
    "get_record_receipt": "loan_system loan_officer risk_analyst auditor",
    "request_exception": "loan_officer",
    "settle_exception": "loan_officer risk_analyst",
    **dict.fromkeys(("list_exceptions", "get_exception"), "loan_system loan_officer risk_analyst auditor"),
    "export_decisions": "loan_officer risk_analyst auditor",
    "review_decision": "loan_officer risk_analyst",
    "list_open_referrals": "loan_officer risk_analyst auditor",
    "explain_decision": "loan_system loan_officer risk_analyst auditor",
    "replay_decision": "loan_officer risk_analyst auditor",
    "list_previews": "risk_analyst auditor",
    "list_repeated_previews": "risk_analyst auditor",
    "get_statistics": "loan_officer risk_analyst auditor",
    "get_checkpoint": "loan_system loan_officer risk_analyst auditor operator",
    "get_consistency": "loan_system loan_officer risk_analyst auditor operator",
    **dict.fromkeys(
        ("get_operator_checkpoint", "get_operator_consistency", "list_operator_records"), "auditor operator"
    ),
    "list_zones": "loan_system loan_officer risk_analyst auditor operator",
    "list_products": "loan_system loan_officer risk_analyst auditor operator",
    "get_product": "loan_system loan_officer risk_analyst auditor operator",
    "list_reasons": "loan_system loan_officer risk_analyst auditor operator",
    "metrics": "operator",
    "get_group": "loan_system loan_officer risk_analyst auditor",
    **dict.fromkeys(("list_pools", "get_pool"), "loan_system loan_officer risk_analyst auditor operator"),
    **dict.fromkeys(
        ("list_pool_entries", "list_pool_claims", "get_pool_statement"), "loan_system loan_officer risk_analyst auditor"
    ),
    "issue_pool_statement": "risk_analyst",
    "contribute_to_pool": "operator", "lift_pool_stop": "operator", "record_manager_statement": "operator",
    "register_group": "loan_officer risk_analyst",
    "confirm_pool_cover": "loan_system loan_officer", "record_pool_filing": "loan_system loan_officer",
    "list_pool_filings": "loan_system loan_officer risk_analyst auditor", "decide_pool_claim": "risk_analyst",
    "claim_from_pool": "loan_system loan_officer",
    "report_recovery": "loan_system loan_officer",
    "create_campaign": "loan_officer risk_analyst",
    "create_campaign_from_sheet": "loan_officer risk_analyst",
    "list_campaigns": "loan_officer risk_analyst auditor",
    "get_campaign": "loan_officer risk_analyst auditor",
    **dict.fromkeys(CAMPAIGN_CHANGES, "loan_officer risk_analyst"),
    "get_campaign_outreach": "loan_officer risk_analyst",
    "import_score_sheet": "loan_officer risk_analyst",
    "list_settlements": "loan_officer risk_analyst auditor", "record_subsidy_budget": "operator",
    "list_subsidy_programmes": " ".join(Role), "claim_subsidy": "loan_system loan_officer",
    **WEBHOOK_ROLES,
}


async def ask(service: Service, operation: str, caller: str) -> Any:
    method, path = PATHS[operation]
    groups = {"register_group": group_examples}
    examples = (POOL_ACTS | CAMPAIGN_ACTS | WEBHOOK_ACTS | SUBSIDY_ACTS | groups).get(operation)
    make = BODIES.get(operation, pre_approved) if examples is None else lambda on: examples(on)[0].document
    body = {"json": make(today())} if method in ("POST", "PATCH") else {}
    headers = service.bearer(caller) | {"Idempotency-Key": f"{operation}-{caller}"}
    if operation in SHEETS:
        headers, body = headers | {"Content-Type": "text/csv"}, {"content": SHEETS[operation].encode()}
    return await service.client.request(method, path, headers=headers, **body)


class CountingRing:
    """A ring that counts how often its newest change is asked for."""

    def __init__(self, ring: Any) -> None:
        self._ring = ring
        self.asked = 0

    async def newest_change(self) -> int:
        self.asked += 1
        return await self._ring.newest_change()

    async def all_keys(self) -> Any:
        return await self._ring.all_keys()


class TestTheMatrix:
    async def test_has_a_row_for_every_operation_and_no_other(self, embedded: Service):
        routes = {context.name for context in iter_route_contexts(embedded.app.routes)}

        assert routes == PERMITTED.keys() | OPEN
        assert PERMITTED.keys() == BY_HAND.keys() == PATHS.keys()

    def test_stands_in_the_documentation_as_it_is(self):
        page = (ROOT / "docs" / "access.md").read_text("utf-8")

        assert matrix() in page, "put what `jifendai keys roles` prints into docs/access.md"

    @pytest.mark.parametrize("role", list(Role))
    async def test_is_carried_out(self, embedded: Service, role: Role):
        for operation, permitted in BY_HAND.items():
            answer = await ask(embedded, operation, role.value)

            if role.value in permitted.split():
                # The demonstration's pool has not stopped, and its book is kept here. Its offer has no subsidy.
                # A campaign is run, paused and cancelled once; the next role finds it so.
                pools = ("lift_pool_stop", "record_manager_statement", "confirm_pool_cover", "claim_subsidy")
                stopped = 409 if operation in (*pools, *CAMPAIGN_CHANGES) else 201
                assert answer.status_code in (200, 201, stopped), (operation, answer.text)
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
    async def test_is_needed(self, lasting: Service, operation: str, header: str | None):
        method, path = PATHS[operation]
        answer = await lasting.client.request(method, path, headers={"Authorization": header} if header else {})

        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["type"] == "/problems/unauthenticated"

    async def test_of_which_one_character_differs_is_refused(self, embedded: Service):
        key = embedded.keys["loan_officer"]
        embedded.keys["wrong"] = key[:-1] + ("A" if key[-1] != "A" else "B")

        assert (await embedded.get("/v1/zones", caller="wrong")).status_code == 401

    async def test_sent_twice_is_refused(self, lasting: Service):
        headers = [*lasting.bearer("loan_officer").items(), *lasting.bearer("auditor").items()]

        assert (await lasting.client.get("/v1/zones", headers=headers)).status_code == 401

    async def test_that_has_expired_is_refused(self, embedded: Service):
        await embedded.add_key("short", "loan_officer", valid_for=timedelta(seconds=-1))

        assert (await embedded.get("/v1/zones", caller="short")).status_code == 401

    @pytest.mark.parametrize("path", ["/v1/zones", "/v1/decisions"])
    async def test_that_was_revoked_elsewhere_is_refused_at_once(self, service: Service, path: str):
        key_id = await service.add_key("gone", "loan_officer")
        before = await service.get(path, caller="gone")
        await service.revoke(key_id)
        after = await service.get(path, caller="gone")

        assert (before.status_code, after.status_code) == (200, 401)

    async def test_that_was_revoked_elsewhere_decides_nothing_any_more_at_once(self, service: Service):
        key_id = await service.add_key("gone", "loan_officer")
        before = await service.decide(pre_approved(today()), "first", caller="gone")
        await service.revoke(key_id)
        replayed = await service.decide(pre_approved(today()), "first", caller="gone")
        after = await service.decide(pre_approved(today()), "second", caller="gone")
        others = await service.decide(pre_approved(today()), "third")

        assert (before.status_code, replayed.status_code, after.status_code, others.status_code) == (201, 401, 401, 201)

    async def test_revoked_in_the_middle_of_a_crowd_is_the_only_one_refused(self, service: Service):
        key_id = await service.add_key("gone", "loan_officer")
        documents = [pre_approved(today()) | {"application_id": f"CROWD-{n}"} for n in range(20)]
        await service.decide(documents[0], "warm", caller="gone")
        await service.decide(documents[1], "warm-too")
        await service.revoke(key_id)
        answers = await asyncio.gather(
            *(service.decide(d, f"k{n}", caller="gone" if n % 2 else "loan_officer") for n, d in enumerate(documents))
        )

        assert [answer.status_code for answer in answers] == [201, 401] * 10

    async def test_that_is_new_is_known_at_its_first_use(self, service: Service):
        await service.get("/v1/zones")
        service.keys["new"], stored = new_key("test-new", "loan_officer", now=datetime.now(UTC))
        async with service.database() as database:
            await database.keys.change(added(stored, by="test", records=service.records))

        assert (await service.decide(pre_approved(today()), "new", caller="new")).status_code == 201

    async def test_is_asked_for_once_by_requests_that_arrive_together(self, embedded: Service):
        ring = CountingRing(embedded.app.state.services.keys.ring)
        sign_in = SignIn(ring)
        headers = [(b"authorization", embedded.bearer()["Authorization"].encode())]
        await asyncio.gather(*(sign_in.caller(headers) for _ in range(50)))

        assert ring.asked <= 2

    async def test_is_not_needed_when_none_was_sent_for_the_database_to_be_asked(self, embedded: Service):
        ring = CountingRing(embedded.app.state.services.keys.ring)
        with pytest.raises(Problem):
            await SignIn(ring).caller([])

        assert ring.asked == 0

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

    async def test_is_not_given_another_ones_answer_by_another_ones_idempotency_key(self, narrow: Service):
        document = pre_approved(today())
        theirs = await narrow.decide(document, "the-same-key")
        own_document = document | {"product": "nbcb/suzhou-innovation-points-loan"}
        own = await narrow.decide(own_document, "the-same-key", caller="narrow")
        again = await narrow.decide(document, "the-same-key", caller="narrow")

        assert (theirs.status_code, own.status_code, again.status_code) == (201, 201, 422)
        assert "idempotent-replayed" not in own.headers
        assert own.json()["product"]["lender"]["id"] == "nbcb"
        assert again.json()["type"] == "/problems/unknown-product"

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


class TestABranch:
    """Of its lender a branch sees and decides what it is in charge of, and nothing else."""

    @pytest.fixture
    async def narrow(self, service: Service) -> Service:
        await service.add_key("branch", "loan_officer", "icbc/suzhou-xinqu")
        await service.add_key("branch_auditor", "auditor", "icbc/suzhou-xinqu")
        await service.add_key("other_branch", "loan_officer", "icbc/kunshan")
        return service

    async def test_reads_its_own_decisions_and_no_other_ones(self, narrow: Service):
        own = await narrow.get(f"/v1/decisions/{DECISION_ID}", caller="branch")
        foreign = await narrow.get(f"/v1/decisions/{DECISION_ID}", caller="other_branch")
        absent = await narrow.get("/v1/decisions/01990000-0000-7000-8000-00000000ffff", caller="other_branch")

        assert (own.status_code, foreign.status_code) == (200, 404)
        assert foreign.content == absent.content

    async def test_lists_its_own_decisions_and_no_other_ones(self, narrow: Service):
        lists = [
            (await narrow.get(f"/v1/decisions{query}", caller=caller)).json()["items"]
            for caller in ("branch", "other_branch")
            for query in ("", "?lender=icbc")
        ]

        branches = [{item["product"]["lender"]["branch"]["id"] for item in items} for items in lists]
        assert branches == [{"suzhou-xinqu"}] * 2 + [{"kunshan"}] * 2

    async def test_decides_its_own_products_and_no_other_ones(self, narrow: Service):
        own = await narrow.decide(pre_approved(today()), "own", caller="branch")
        foreign = await narrow.decide(pre_approved(today()), "foreign", caller="other_branch")
        document = pre_approved(today()) | {"product": "icbc/none"}
        absent = await narrow.decide(document, "absent", caller="other_branch")

        assert (own.status_code, foreign.status_code) == (201, 422)
        assert foreign.content == absent.content

    async def test_is_shown_its_own_products_and_no_other_ones(self, narrow: Service):
        shelf = (await narrow.get("/v1/products", caller="branch")).json()["items"]
        foreign = await narrow.get("/v1/products/icbc/suzhou-innovation-points-loan", caller="other_branch")

        assert {product["branch"]["id"] for product in shelf} == {"suzhou-xinqu"}
        assert foreign.status_code == 404

    async def test_sees_its_own_previews_and_no_other_ones(self, narrow: Service):
        document = {key: value for key, value in pre_approved(today()).items() if key != "product"}
        own = await narrow.client.post("/v1/decisions/preview", json=document, headers=narrow.bearer("branch"))
        await narrow.client.post("/v1/decisions/preview", json=document, headers=narrow.bearer())
        found = (await narrow.get("/v1/previews", caller="branch_auditor")).json()["items"]

        assert {item["product"]["id"] for item in own.json()["items"]} == {"icbc/suzhou-innovation-points-loan"}
        assert {row["product"] for row in found} == {"icbc/suzhou-innovation-points-loan"}

    async def test_verifies_receipts_against_its_lenders_log(self, narrow: Service):
        assert (await narrow.get(f"/v1/decisions/{DECISION_ID}/receipt", caller="branch")).status_code == 200
        assert (await narrow.get("/v1/logs/icbc/checkpoint", caller="branch")).status_code == 200


class TestAnActor:
    """A system says for whom it speaks."""

    async def test_is_recorded_with_the_decision_and_with_the_preview(self, service: Service):
        headers = service.bearer("loan_system") | {"Jifendai-Actor": "E1001", "Idempotency-Key": "acting"}
        document = pre_approved(today())
        decided = (await service.client.post("/v1/decisions", json=document, headers=headers)).json()
        await service.client.post("/v1/decisions/preview", json=document, headers=headers)
        async with service.database() as database:
            stored = await database.decisions.find(decided["decision_id"], ("icbc",))
        previews = (await service.get("/v1/previews", caller="auditor")).json()["items"]

        record = orjson.loads(stored.record)
        assert (record["submitted_by"], record["submitted_for"]) == ("demo-loan-system", "E1001")
        assert replay_stored(stored) == ()
        assert (previews[0]["previewed_by"], previews[0]["previewed_for"]) == ("demo-loan-system", "E1001")

    async def test_who_is_not_named_leaves_the_record_as_it_was(self, embedded: Service):
        decided = (await embedded.decide(pre_approved(today()), "alone", caller="loan_system")).json()
        async with embedded.database() as database:
            stored = await database.decisions.find(decided["decision_id"], ("icbc",))

        assert "submitted_for" not in orjson.loads(stored.record)

    @pytest.mark.parametrize("caller", ["loan_officer", "auditor"])
    async def test_is_named_by_no_person(self, lasting: Service, caller: str):
        headers = lasting.bearer(caller) | {"Jifendai-Actor": "E1001"}
        answer = await lasting.client.get("/v1/decisions", headers=headers)

        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/actor-not-valid")

    @pytest.mark.parametrize("actor", ["", " ", "张三", "a b", "-E1", "E" * 65, "E1\u00e9", 'E"1', "E1,E2"])
    async def test_whose_id_is_malformed_is_refused_and_not_repeated(self, lasting: Service, actor: str):
        headers = [*lasting.bearer("loan_system").items(), ("Jifendai-Actor", actor.encode())]
        answer = await lasting.client.get("/v1/decisions", headers=headers)

        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/actor-not-valid")
        assert len(actor) < 3 or actor not in answer.text

    async def test_named_twice_is_refused(self, lasting: Service):
        headers = [*lasting.bearer("loan_system").items(), ("Jifendai-Actor", "E1"), ("Jifendai-Actor", "E1")]

        assert (await lasting.client.get("/v1/decisions", headers=headers)).status_code == 400
