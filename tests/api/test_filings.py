"""Filings over HTTP: what must be filed by when, and the record that it was."""

from tests.service import Service

POOL = "/v1/pools/zhongkai/illustration"
ID = "01990000-0000-7000-8000-0000000030"
SENT = {"offer_id": f"{ID}3f", "event_id": f"{ID}32", "filed_on": "2026-11-20", "reference": "FILE-1"}


async def listed(service: Service, **query: str) -> list[dict]:
    answer = await service.client.get(f"{POOL}/filings", params=query, headers=service.bearer())
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def record(service: Service, key: str, **changed: str):
    headers = service.bearer("loan_system") | {"Idempotency-Key": key}
    return await service.client.post(f"{POOL}/filings", json=SENT | changed, headers=headers)


class TestFilings:
    async def test_of_a_drawdown_are_due_until_they_are_recorded_and_recorded_once(self, embedded: Service):
        [due] = [one for one in await listed(embedded) if one["event_id"] == SENT["event_id"]]
        day = due["drawn_on"]

        first, again = [await record(embedded, key, filed_on=day) for key in ("file-1", "file-2")]

        assert (due["state"], due["amount"], due["filed_on"]) == ("DUE", "3000000.00", None)
        assert first.json()["state"] == "FILED", first.text
        assert (again.status_code, again.json()["reason"]) == (409, "FILED_BEFORE")
        [filed] = [one for one in await listed(embedded, state="FILED") if one["event_id"] == SENT["event_id"]]
        assert filed["filed_on"] == day

    async def test_are_refused_for_what_is_no_drawdown_and_for_days_that_cannot_be(self, embedded: Service):
        day = (await listed(embedded))[0]["drawn_on"]
        reasons = {
            "NO_SUCH_DRAWDOWN": {"event_id": f"{ID}31", "filed_on": day},
            "BEFORE_THE_DRAWDOWN": {"filed_on": "2020-01-01"},
            "IN_THE_FUTURE": {"filed_on": "2099-01-01"},
        }

        answers = {why: await record(embedded, f"bad-{why}", **changed) for why, changed in reasons.items()}

        assert {why: (a.status_code, a.json()["reason"]) for why, a in answers.items()} == {
            why: (409, why) for why in reasons
        }

    async def test_of_a_foreign_offer_are_answered_as_of_none(self, embedded: Service):
        answer = await record(embedded, "none", offer_id="01990000-0000-7000-8000-00000000fffe")

        assert answer.status_code == 404
