"""Health, metrics and what every answer carries."""

import asyncio
from base64 import b64encode
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from app.adapters import deployment
from app.adapters.database.store import database_url
from app.adapters.signing import LogSigner, make_key_file
from app.audit.operator_record import OPERATOR, OperatorAct
from app.usecases.ports import StoreUnavailable
from app.usecases.readiness import Cause
from tests.api.test_decisions import application
from tests.postgres import as_owner
from tests.service import Service


def causes(answer: httpx.Response) -> list[str]:
    """This function will return the codes that a refusal of readiness names."""
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/not-ready")
    return [one["code"] for one in answer.json()["causes"]]


def as_its_owner(service: Service) -> AbstractContextManager[sa.Connection]:
    """This function will open the service's database past the service."""
    return sa.create_engine(database_url(as_owner(service.settings.database_url))).begin()


class TestReadiness:
    async def test_is_given_while_the_database_answers_and_the_catalogue_is_active(self, service: Service):
        answer = await service.client.get("/readyz")

        assert answer.status_code == 200
        assert answer.json()["status"] == "READY"

    async def test_is_lost_when_another_catalogue_was_activated_and_decisions_stop(self, service: Service):
        async with service.database() as database:
            other = "sha256:" + "0" * 64
            told = service.records.recording(OperatorAct.CATALOGUE_ACTIVATED, {"catalogue": other}, by="somebody")
            await database.catalogue.activate(other, "somebody", told)
        ready = await service.client.get("/readyz")
        decided = await service.decide(application(), "key")

        assert (ready.status_code, decided.status_code) == (503, 503)
        assert decided.json()["type"] == "/problems/catalogue-not-active"
        assert causes(ready) == ["CATALOGUE_DIFFERS"]
        assert (await service.client.get("/livez")).status_code == 200

    async def test_is_lost_ahead_of_a_stop_while_requests_are_still_answered(self, embedded: Service):
        embedded.app.state.stopping = True
        ready = await embedded.client.get("/readyz")
        decided = await embedded.decide(application(), "key")

        assert decided.status_code == 201
        assert causes(ready) == ["DRAINING"]
        assert "retry-after" in ready.headers

    async def test_is_lost_without_the_signing_key_s_file(self, embedded: Service):
        file = embedded.settings.key_file
        file.chmod(0o644)
        open_to_others = await embedded.client.get("/readyz")
        file.chmod(0o600)
        sound = await embedded.client.get("/readyz")
        file.unlink()
        missing = await embedded.client.get("/readyz")
        make_key_file(file)
        another = await embedded.client.get("/readyz")

        assert causes(open_to_others) == causes(missing) == ["SIGNING_KEY_UNREADABLE"]
        assert causes(another) == ["SIGNING_KEY_CHANGED"]
        assert sound.status_code == 200

    async def test_is_lost_once_the_signing_key_is_on_record_as_retired(self, service: Service):
        (own,) = LogSigner.from_file(service.settings.key_file).public_keys
        document = {"current": b64encode(bytes(32)).decode(), "retired": b64encode(own).decode()}
        async with service.database() as database:
            size = (await database.trail.extent(OPERATOR)).signed + 1
            ended = OperatorAct.SIGNING_KEY_ROTATION_ENDED
            recording = service.records.recording(ended, document | {"sizes": {OPERATOR: size}}, by="test")
            await database.operator.append(recording)

        assert causes(await service.client.get("/readyz")) == ["SIGNING_KEY_RETIRED"]

    async def test_tells_every_cause_at_once_and_no_path_or_address(
        self, service: Service, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(deployment, "LEAST_DISK_BYTES", 2**63)
        service.settings.key_file.unlink()
        service.app.state.stopping = True
        with as_its_owner(service) as owner:
            owner.execute(sa.text("DELETE FROM alembic_version"))
        answer = await service.client.get("/readyz")

        embedded = service.settings.database_url.startswith("sqlite")
        expected = ["DRAINING", "MIGRATIONS_MISSING", "SIGNING_KEY_UNREADABLE"]
        assert causes(answer) == expected + (["DISK_FULL"] if embedded else [])
        assert all(one["message"]["zh"] and one["message"]["en"] for one in answer.json()["causes"])
        assert str(service.settings.data_dir) not in answer.text
        assert "postgres" not in answer.text

    async def test_is_lost_when_the_database_does_not_answer_in_time(self, embedded: Service):
        class Hangs:
            is_embedded = False

            async def missing_migrations(self) -> None:
                await asyncio.sleep(60)

        found = await deployment.what_is_not_ready(Hangs(), embedded.settings.data_dir, None, within_s=0.01)

        assert found == [Cause.DATABASE_SLOW]

    async def test_names_causes_that_the_manual_explains(self):
        manual = (Path(__file__).parents[2] / "docs/operations.md").read_text("utf-8")

        assert [cause.code for cause in Cause if f"`{cause.code}`" not in manual] == []

    async def test_is_lost_when_the_database_is(self, embedded: Service):
        async def gone() -> list[str]:
            raise StoreUnavailable("no route to 10.0.0.7")

        services = embedded.app.state.services
        embedded.app.state.services = type(services)(
            **{name: getattr(services, name) for name in services.__slots__} | {"ready": gone}
        )
        answer = await embedded.client.get("/readyz")

        assert answer.status_code == 503
        assert "10.0.0.7" not in answer.text


class TestMetrics:
    async def test_count_decisions_by_outcome_product_and_reason_and_name_no_company(self, embedded: Service):
        await embedded.decide(application(), "one")
        await embedded.decide(application(), "one")
        declined = application(credit_history={"past_due_days": 30})
        await embedded.decide(declined | {"application_id": "LOS-2"}, "two")
        text = (await embedded.get("/metrics", caller="operator")).text

        product = 'product="icbc/suzhou-innovation-points-loan"'
        assert f'jifendai_decisions_total{{outcome="PRE_APPROVED",{product}}} 1.0' in text
        assert f'jifendai_decisions_total{{outcome="DECLINED",{product}}} 1.0' in text
        assert f'jifendai_decision_reasons_total{{{product},reason="PAST_DUE"}} 1.0' in text
        assert 'jifendai_requests_total{operation="decide",status="201"} 3.0' in text
        assert 'jifendai_request_seconds_bucket{le="0.1",operation="decide"}' in text
        assert "jifendai_batch_size_count 3.0" in text
        assert "jifendai_queue_length 0.0" in text
        assert application()["company"]["uscc"] not in text
        assert "净水" not in text

    async def test_count_unknown_paths_under_one_name(self, embedded: Service):
        for number in range(20):
            await embedded.client.get(f"/no/such/{number}")
        text = (await embedded.get("/metrics", caller="operator")).text

        assert 'jifendai_requests_total{operation="none",status="404"} 20.0' in text


class TestEveryAnswer:
    async def test_carries_the_security_headers(self, embedded: Service):
        paths = ("/livez", "/v1/zones", "/nope", "/docs", "/docs/docs.js", "/openapi.json", "/v1/decisions?x=1")
        for path in paths:
            answer = await embedded.get(path)
            headers = answer.headers
            assert headers["x-content-type-options"] == "nosniff", path
            assert headers["x-frame-options"] == "DENY"
            assert headers["referrer-policy"] == "no-referrer"
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]
            assert len(headers["x-request-id"]) == 32
            assert "server" not in headers

    async def test_of_data_is_never_stored(self, embedded: Service):
        for path in ("/v1/decisions", "/v1/zones", "/nope", "/openapi.json"):
            assert (await embedded.get(path)).headers["cache-control"] == "no-store"

    async def test_bears_the_trace_it_came_with(self, embedded: Service):
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        answer = await embedded.client.get("/livez", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})

        assert answer.headers["x-request-id"] == trace


class TestTheDay:
    async def test_turns_in_shanghai_and_not_in_greenwich(self, embedded: Service):
        services = embedded.app.state.services
        at = datetime(2026, 11, 20, 16, 0, tzinfo=UTC)
        fields = {name: getattr(services, name) for name in services.__slots__}

        assert type(services)(**fields | {"now": lambda: at}).today().isoformat() == "2026-11-21"
