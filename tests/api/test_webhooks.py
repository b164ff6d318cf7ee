"""Webhook endpoints over HTTP."""

from typing import Any

import pytest

from app.adapters import demo_webhooks
from app.adapters.database import webhooks as kept_webhooks
from app.api.webhook_examples import ENDPOINT_ID, EVENT_ID, UNUSED_ENDPOINT_ID
from tests.service import Service

NEW = {"lender": "icbc", "url": "https://los.example/hook"}
OPERATOR = "operator"


async def sent(service: Service, method: str, path: str, document: Any = None, **headers: str) -> Any:
    more = {} if document is None else {"json": document}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await service.client.request(method, path, headers=service.bearer(OPERATOR) | named, **more)


class TestAnEndpoint:
    async def test_is_made_with_a_secret_that_is_shown_this_once(self, service: Service):
        made = await sent(service, "POST", "/v1/webhooks", NEW)
        path = made.headers["location"]
        read, listed = await sent(service, "GET", path), await sent(service, "GET", "/v1/webhooks?lender=icbc")

        assert made.status_code == 201
        assert made.json()["secret"].startswith("whsec_")
        assert read.json() == {name: value for name, value in made.json().items() if name != "secret"}
        assert "whsec_" not in read.text + listed.text
        assert made.headers["etag"] == read.headers["etag"] == '"1"'

    async def test_at_an_address_that_the_lender_has_is_refused(self, service: Service):
        await sent(service, "POST", "/v1/webhooks", NEW)
        again = await sent(service, "POST", "/v1/webhooks", NEW)

        assert (again.status_code, again.json()["type"]) == (409, "/problems/webhook-url-taken")

    async def test_is_listed_page_by_page_and_one_too_many_is_refused(
        self, embedded: Service, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(kept_webhooks, "MOST_ENDPOINTS", 4)
        made = [
            await sent(embedded, "POST", "/v1/webhooks", NEW | {"url": f"https://los{n}.example/"}) for n in range(3)
        ]
        first = (await sent(embedded, "GET", "/v1/webhooks?lender=icbc&limit=3")).json()
        cursor = first["next_cursor"]
        rest = (await sent(embedded, "GET", f"/v1/webhooks?lender=icbc&limit=3&cursor={cursor}")).json()
        elsewhere = await sent(embedded, "GET", f"/v1/webhooks?lender=boc&limit=3&cursor={cursor}")

        assert [answer.status_code for answer in made] == [201, 201, 409]
        assert made[2].json()["type"] == "/problems/too-many-webhooks"
        assert [one["url"] for one in (*first["items"], *rest["items"])][2:] == [
            "https://los0.example/", "https://los1.example/",
        ]  # fmt: skip
        assert (rest["next_cursor"], elsewhere.json()["type"]) == (None, "/problems/cursor-not-valid")

    async def test_at_an_inner_address_is_refused_unless_its_network_is_named(self, embedded: Service):
        for url in ("https://10.0.0.1/", "https://169.254.169.254/latest", "http://los.example/", "ftp://x/",
                    "https://user@los.example/", "https://[::ffff:10.0.0.1]/", "https://0.0.0.0/"):  # fmt: skip
            answer = await sent(embedded, "POST", "/v1/webhooks", NEW | {"url": url})
            if url == "http://los.example/":
                # A demonstration may speak plainly to its own machine; whether this is one is seen when it is sent to.
                assert answer.status_code == 201
            else:
                assert answer.status_code == 422, url
        local = await sent(embedded, "POST", "/v1/webhooks", NEW | {"url": "http://127.0.0.1:9/hook"})
        assert local.status_code == 201

    async def test_of_no_lender_that_the_caller_sees_is_refused_alike(self, service: Service):
        await service.add_key("branch", OPERATOR, "boc")
        answers = [
            await service.client.post("/v1/webhooks", json=NEW | {"lender": lender}, headers=service.bearer("branch"))
            for lender in ("icbc", "none-of-that")
        ]

        assert [answer.status_code for answer in answers] == [422, 422]
        assert answers[0].json() == answers[1].json()

    async def test_is_changed_where_the_caller_saw_the_newest_version(self, service: Service):
        path = f"/v1/webhooks/{ENDPOINT_ID}"
        stale = await sent(service, "PATCH", path, {"description": "x"}, If_Match='"7"')
        first = await sent(service, "PATCH", path, {"enabled": True}, If_Match='"1"')
        second = await sent(service, "PATCH", path, {"enabled": False, "events": ["decision.made"]})

        assert (stale.status_code, stale.json()["type"]) == (412, "/problems/webhook-changed")
        assert (first.json()["enabled"], first.json()["why_disabled"]) == (True, None)
        assert (second.json()["enabled"], second.json()["why_disabled"]) == (False, "BY_PERSON")
        assert (second.json()["events"], second.json()["version"]) == (["decision.made"], 3)

    async def test_gets_a_new_secret_and_keeps_the_old_for_a_while(self, service: Service):
        rotated = await sent(service, "POST", f"/v1/webhooks/{ENDPOINT_ID}/secret", {"overlap_hours": 1})

        assert rotated.status_code == 200
        assert rotated.json()["secret"].startswith("whsec_")
        assert rotated.json()["secret_overlaps_until"] is not None

    async def test_is_removed(self, service: Service):
        path = f"/v1/webhooks/{UNUSED_ENDPOINT_ID}"
        gone = await sent(service, "DELETE", path)

        assert gone.status_code == 200
        assert (await sent(service, "GET", path)).status_code == 404
        assert (await sent(service, "DELETE", path)).status_code == 404

    async def test_leaves_every_change_in_the_operators_log(self, service: Service):
        made = await sent(service, "POST", "/v1/webhooks", NEW)
        path = made.headers["location"]
        await sent(service, "PATCH", path, {"description": "x"})
        await sent(service, "POST", f"{path}/secret", {"overlap_hours": 0})
        await sent(service, "DELETE", path)
        found = await service.get("/v1/logs/operator/records", caller="auditor")

        acts = [item["record"]["act"] for item in found.json()["items"][:4]]
        assert acts == ["WEBHOOK_DELETED", "WEBHOOK_SECRET_ROTATED", "WEBHOOK_CHANGED", "WEBHOOK_CREATED"]
        assert made.json()["secret"] not in found.text


class TestADelivery:
    async def test_is_shown_with_what_it_says_and_is_sent_again_when_asked_for(self, service: Service):
        path = f"/v1/webhooks/{ENDPOINT_ID}/deliveries"
        tested = (await sent(service, "POST", f"/v1/webhooks/{ENDPOINT_ID}/test")).json()["event_id"]
        page = (await sent(service, "GET", f"{path}?limit=1")).json()
        rest = (await sent(service, "GET", f"{path}?limit=1&cursor={page['next_cursor']}")).json()
        read = (await sent(service, "GET", f"{path}/{tested}")).json()

        assert [page["items"][0]["event_id"], rest["items"][0]["event_id"]] == [tested, EVENT_ID]
        assert rest["next_cursor"] is None
        assert (read["state"], read["tries"]) == ("PENDING", [])
        assert f'"id":"{tested}"' in read["body"]
        assert (await sent(service, "POST", f"{path}/{tested}/replay")).json() == {"replayed": 1}
        assert (await sent(service, "POST", f"{path}/tst_none/replay")).status_code == 404
        assert (await sent(service, "POST", f"/v1/webhooks/{ENDPOINT_ID}/replay")).json() == {"replayed": 0}

    async def test_ids_of_the_examples_are_the_demonstrations(self):
        found = (demo_webhooks.ENDPOINT_ID, demo_webhooks.UNUSED_ENDPOINT_ID, demo_webhooks.EVENT_ID)

        assert found == (ENDPOINT_ID, UNUSED_ENDPOINT_ID, EVENT_ID)
