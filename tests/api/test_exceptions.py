"""破格 over HTTP: never by oneself, never in silence, never for a gate that the product does not let go."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from app.adapters.demo import EXCEPTION_DECISION_ID, EXCEPTION_RECORD_ID
from app.api.examples import DECISION_ID, REFERRED_DECISION_ID, exception_examples, settlement_examples
from app.settings import BUILT_IN_CATALOGUE
from app.usecases.days import day_in_shanghai
from app.usecases.replay import replay_stored
from tests.api.test_offers import CLEAR
from tests.service import Service, demo_settings, running

NOW = datetime.now(UTC)
TODAY = day_in_shanghai(NOW)
ASKED = exception_examples(TODAY)[0].document
SETTLED = settlement_examples(TODAY)[0].document
OFFICER, SECOND = "loan_officer", "second_officer"


@pytest.fixture
async def service(tmp_path: Path, database_url: str) -> AsyncIterator[Service]:
    """A demonstration on each database."""
    async with running(demo_settings(tmp_path / "data", database_url), clock=lambda: NOW) as started:
        yield started


async def post(service: Service, path: str, document: Any, key: str, caller: str) -> httpx.Response:
    headers = service.bearer(caller) | {"Idempotency-Key": key}
    return await service.client.post(path, json=document, headers=headers)


async def ask(
    service: Service, key: str = "ask", caller: str = OFFICER, of: str = REFERRED_DECISION_ID, **changes: Any
) -> httpx.Response:
    return await post(service, f"/v1/decisions/{of}/exceptions", ASKED | changes, key, caller)


async def settle(
    service: Service, exception_id: str, key: str = "settle", caller: str = SECOND, **changes: Any
) -> httpx.Response:
    return await post(service, f"/v1/exceptions/{exception_id}/approval", SETTLED | changes, key, caller)


class TestCaseG8:
    async def test_is_pre_approved_by_a_recorded_exception_and_draws_half(self, service: Service):
        asked = (await ask(service)).json()
        settled = (await settle(service, asked["exception_id"])).json()

        made = settled["new_decision"]
        assert made["outcome"] == "PRE_APPROVED"
        decision = (await service.get(f"/v1/decisions/{made['decision_id']}")).json()
        assert decision["offer"]["credit_limit"] == "6000000.00"
        assert (decision["supersedes"], decision["revision"]) == (REFERRED_DECISION_ID, 2)
        [named] = decision["exceptions"]
        assert named == {
            "exception_id": asked["exception_id"], "original": REFERRED_DECISION_ID, "gate": ASKED["gate"],
            "evidence": ASKED["evidence"], "authority": SETTLED["authority"], "requested_by": "demo-loan-officer",
            "approved_by": "demo-second-officer", "up_to": "6000000.00", "authority_basis": "APPROVER",
        }  # fmt: skip
        assert f"exception.{ASKED['gate']}" in decision["assumptions"]
        assert "GATE_WAIVED" in [reason["code"] for reason in decision["reasons"]]
        for exception in ("any", ASKED["gate"]):
            found = await service.get(f"/v1/decisions?exception={exception}", caller="auditor")
            assert made["decision_id"] in [item["decision_id"] for item in found.json()["items"]]
        other = await service.get("/v1/decisions?exception=gates.no_such_gate", caller="auditor")
        assert other.json()["items"] == []
        await self.draws_half(service, made["offer_id"])
        performance = (await service.get(f"/v1/exceptions/{asked['exception_id']}")).json()["performance"]
        assert (performance["approved_limit"], performance["outstanding"]) == ("6000000.00", "3000000.00")

    async def draws_half(self, service: Service, offer_id: str) -> None:
        told = {"value_on": TODAY.isoformat(), "core_reference": "C"}
        last = TODAY.replace(year=TODAY.year + 1, day=1).isoformat()
        approved = {
            "event": "CREDIT_APPROVED", **told, "approved_limit": "6000000.00", "annual_rate": "0.035",
            "available_until": last, "approval_reference": "A", "contract_reference": "C",
        }  # fmt: skip
        drawn = {"event": "DRAWDOWN", **told, "amount": "3000000.00", "matures_on": last, "checks": CLEAR}
        for number, event in enumerate((approved, drawn)):
            answer = await post(service, f"/v1/offers/{offer_id}/events", event, f"e{number}", "loan_system")
            assert answer.status_code == 201, answer.text
        more = await post(service, f"/v1/offers/{offer_id}/events", drawn | {"amount": "3000000.01"}, "e3", OFFICER)
        assert more.json()["at_most"] == "3000000.00"

    async def test_can_be_decided_again_and_verified_from_its_record(self, service: Service):
        asked = (await ask(service)).json()
        made = (await settle(service, asked["exception_id"])).json()["new_decision"]

        async with service.database() as database:
            stored = await database.decisions.find(made["decision_id"], ("boc",))

        assert replay_stored(stored) == ()
        answer = await service.client.post(
            f"/v1/decisions/{made['decision_id']}/replay", headers=service.bearer(OFFICER)
        )
        assert answer.json()["result"] == "IDENTICAL"


class TestTheAuthority:
    @pytest.mark.parametrize(("up_to", "status"), [("5999999.99", 409), ("6000000.00", 201)])
    async def test_covers_so_much_and_no_fen_more(self, service: Service, up_to: str, status: int):
        exception_id = (await ask(service)).json()["exception_id"]

        answer = await settle(service, exception_id, up_to=up_to)

        assert answer.status_code == status, answer.text
        shown = (await service.get(f"/v1/exceptions/{exception_id}")).json()
        if status == 409:
            assert (answer.json()["reason"], answer.json()["needed"]) == ("ABOVE_AUTHORITY", "6000000.00")
            assert (shown["state"], shown["up_to"]) == ("REQUESTED", None)
        else:
            assert (shown["state"], shown["up_to"]) == ("APPROVED", up_to)

    async def test_that_sufficed_not_leaves_it_to_somebody_who_has_more(self, service: Service):
        exception_id = (await ask(service)).json()["exception_id"]
        await settle(service, exception_id, up_to="1.00")

        again = await settle(service, exception_id, up_to="7000000.00")

        assert again.json()["up_to"] == "7000000.00", again.text


AUTHORITIES = """      authorities:
        branch-president:
          name: {zh: 分行行长, en: the branch's president}
          up_to: {unit: CNY, values: {2022-09-01: {value: 5_999_999, reference: published}}}
        credit-committee:
          name: {zh: 总行贷审会, en: the head office's credit committee}
          up_to:
            values:
              2022-09-01: {value: 5_000_000, reference: published}
              2023-01-01: {value: 6_000_000, reference: published}
        founding-president:
          name: {zh: 首任行长, en: the first president}
          up_to:
            values:
              2022-09-01: {value: 90_000_000, reference: published}
              2023-01-01: {value: null}
"""
NAMED = [("branch-president", "5999999.00"), ("credit-committee", "6000000.00")]


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built-in catalogue, whose product names who may let its gate go."""
    folder = tmp_path_factory.mktemp("named") / "catalogue"
    shutil.copytree(BUILT_IN_CATALOGUE, folder)
    product = folder / "lenders" / "boc" / "donghu-technology-credit-loan.yaml"
    text, waiver = product.read_text("utf-8"), "      at_most: 1\n"
    known = "references:\n  published: {basis: published, title: 授权管理办法 2022}\n"
    assert text.count(waiver) == text.count("references:\n") == 1
    product.write_text(text.replace(waiver, waiver + AUTHORITIES).replace("references:\n", known), "utf-8")
    return folder


@pytest.fixture
async def naming(tmp_path: Path, sqlite_url: str, authorities: Path) -> AsyncIterator[Service]:
    """A demonstration under that catalogue."""
    settings = demo_settings(tmp_path / "data", sqlite_url, CATALOGUE_DIR=str(authorities))
    async with running(settings, clock=lambda: NOW) as started:
        yield started


class TestAProductThatNamesItsAuthorities:
    async def test_refuses_any_other_and_any_amount_above_and_says_who_may(self, naming: Service):
        asked = (await ask(naming)).json()
        refused = (
            ("NO_SUCH_AUTHORITY", {"authority": "分行行长"}),
            ("NO_SUCH_AUTHORITY", {"authority": "founding-president"}),
            ("ABOVE_AUTHORITY", {"authority": "branch-president"}),
            ("ABOVE_AUTHORITY", {"authority": "branch-president", "up_to": "5999999.01"}),
            ("ABOVE_AUTHORITY", {"authority": "credit-committee", "up_to": "6000000.01"}),
            ("ABOVE_AUTHORITY", {"authority": "credit-committee", "up_to": "5000000.00"}),
        )

        answers = [await settle(naming, asked["exception_id"], **said) for _, said in refused]

        told = [answer.json() for answer in answers]
        assert [(a.status_code, one["reason"]) for a, one in zip(answers, told, strict=True)] == [
            (409, reason) for reason, _ in refused
        ]
        for one in told:
            assert [(named["code"], named["up_to"]) for named in one["authorities"]] == NAMED
            assert one["authorities"] == asked["authorities"]
        assert (await naming.get(f"/v1/exceptions/{asked['exception_id']}")).json()["state"] == "REQUESTED"

    async def test_is_let_go_by_one_of_them_as_the_decision_says_by_its_reference(self, naming: Service):
        exception_id = (await ask(naming)).json()["exception_id"]

        settled = (await settle(naming, exception_id, authority="credit-committee")).json()

        assert (settled["authority_basis"], settled["up_to"]) == ("PRODUCT", "6000000.00")
        found = await naming.get(f"/v1/decisions/{settled['new_decision']['decision_id']}")
        decision, step = found.json(), f"exception.{ASKED['gate']}"
        [line] = [line for line in decision["trace"] if line["step"] == step]
        assert line["reference"]["title"] == "授权管理办法 2022"
        assert (line["facts"]["authority"], line["facts"]["authority_limit"]) == ("credit-committee", "6000000.00")
        assert step not in decision["assumptions"]
        assert decision["exceptions"][0]["authority_basis"] == "PRODUCT"
        again = await naming.client.post(
            f"/v1/decisions/{decision['decision_id']}/replay", headers=naming.bearer()
        )
        assert again.json()["result"] == "IDENTICAL"


class TestAnException:
    async def test_is_not_settled_by_whoever_asked_for_it(self, service: Service):
        exception_id = (await ask(service)).json()["exception_id"]

        own = await settle(service, exception_id, caller=OFFICER)

        assert (own.status_code, own.json()["reason"]) == (409, "SAME_PERSON")

    async def test_is_not_settled_by_the_same_person_under_another_key(self, service: Service):
        await service.add_key("one", "loan_officer")
        exception_id = (await ask(service, caller="one")).json()["exception_id"]
        service.keys["first"] = service.keys["one"]
        await service.add_key("one", "risk_analyst")

        own = await settle(service, exception_id, caller="one")

        assert (own.status_code, own.json()["reason"]) == (409, "SAME_PERSON")

    @pytest.mark.parametrize("caller", ["loan_system", "auditor", "operator"])
    async def test_is_not_settled_by(self, service: Service, caller: str):
        assert (await settle(service, EXCEPTION_RECORD_ID, caller=caller)).status_code == 403

    async def test_is_not_asked_for_or_settled_by_a_system_in_somebody_s_name(self, service: Service):
        headers = service.bearer("loan_system") | {"Idempotency-Key": "k", "Jifendai-Actor": "1001"}
        path = f"/v1/exceptions/{EXCEPTION_RECORD_ID}/approval"

        assert (await service.client.post(path, json=SETTLED, headers=headers)).status_code == 403

    async def test_is_settled_once(self, service: Service):
        exception_id = (await ask(service)).json()["exception_id"]
        first = await settle(service, exception_id, outcome="REJECTED")

        again = await settle(service, exception_id, "other")
        same = await settle(service, exception_id, outcome="REJECTED")

        assert first.json()["new_decision"] is None
        assert (again.status_code, again.json()["reason"]) == (409, "SETTLED_BEFORE")
        assert (same.content, same.headers["Idempotent-Replayed"]) == (first.content, "true")

    @pytest.mark.parametrize(
        ("of", "gate", "reason"),
        [
            (DECISION_ID, "gates.minimum_score", "DECISION_NOT_OPEN"),
            (REFERRED_DECISION_ID, "gates.no_such_gate", "NO_SUCH_GATE"),
            (REFERRED_DECISION_ID, "gates.not_past_due", "GATE_DID_NOT_FAIL"),
            ("01990000-0000-7000-8000-000000000100", "gates.minimum_score", "GATE_NOT_WAIVABLE"),
        ],
    )
    async def test_is_never_of(self, lasting_on_each: Service, of: str, gate: str, reason: str):
        answer = await ask(lasting_on_each, of=of, gate=gate)

        assert (answer.status_code, answer.json().get("reason")) == (409, reason), answer.text

    async def test_of_a_decision_that_is_not_the_newest_any_more_is_refused(self, service: Service):
        other = (await ask(service, "a")).json()["exception_id"]
        first = (await ask(service, "b")).json()["exception_id"]
        assert (await settle(service, first, "s1")).status_code == 201

        late = await settle(service, other, "s2")

        assert (late.status_code, late.json()["reason"]) == (409, "DECISION_NOT_NEWEST")

    async def test_whose_condition_does_not_hold_is_refused(self, service: Service):
        async with service.database() as database:
            record = (await database.decisions.find(REFERRED_DECISION_ID, ("boc",))).record
        document = orjson.loads(record)["application"]
        document["application_id"], document["innovation_score"]["rank"]["position"] = "RANK-2", 2
        referred = (await service.decide(document, key="r2")).json()

        answer = await ask(service, of=referred["decision_id"])

        assert (answer.status_code, answer.json()["reason"]) == (409, "CONDITION_NOT_MET")

    async def test_stands_in_the_list_newest_first_for_its_own_lender(self, service: Service):
        mine = (await ask(service)).json()["exception_id"]
        await service.add_key("foreign", "risk_analyst", "icbc")

        listed = (await service.get("/v1/exceptions", caller="risk_analyst")).json()["items"]
        first = (await service.get("/v1/exceptions?limit=1", caller="risk_analyst")).json()
        after = f"/v1/exceptions?limit=1&cursor={first['next_cursor']}"
        rest = (await service.get(after, caller="risk_analyst")).json()

        assert [item["exception_id"] for item in listed] == [mine, EXCEPTION_RECORD_ID]
        assert [first["items"][0], rest["items"][0]] == listed
        assert rest["next_cursor"] is None
        assert (await service.get("/v1/exceptions", caller="foreign")).json()["items"] == []
        foreign = await service.get(f"/v1/exceptions/{mine}", caller="foreign")
        absent = await service.get(f"/v1/exceptions/{EXCEPTION_DECISION_ID}", caller="foreign")
        assert (foreign.status_code, foreign.json()) == (404, absent.json())
