"""What a shared pool shows over HTTP: room to all who share it, its sums to whoever sees every lender."""

from tests.service import Service

POOL = "/v1/pools/zhongkai/illustration"
SUMS = ("balance", "paid_in", "compensated", "recovered")


async def shown(service: Service, caller: str) -> dict:
    answer = await service.get(POOL, caller=caller)
    assert answer.status_code == 200, answer.text
    [listed] = [one for one in (await service.get("/v1/pools", caller=caller)).json()["items"] if one["id"] in POOL]
    assert listed == answer.json()
    return listed


class TestASharedPool:
    async def test_shows_a_lender_room_and_its_own_part_and_no_sum_of_all(self, embedded: Service):
        await embedded.add_key("lender", "risk_analyst", "boc")
        await embedded.add_key("sharer", "auditor", "undisclosed")

        lender, sharer, whole = [await shown(embedded, name) for name in ("lender", "sharer", "auditor")]

        assert [lender[name] for name in SUMS] == [None] * 4
        assert (lender["holdings"], lender["room"]) == ([], whole["room"])
        assert [part["amount"] for part in (lender["lines"]["numerator"], lender["lines"]["denominator"])] == [None] * 2
        assert lender["lines"]["state"] == whole["lines"]["state"]
        assert None not in [whole[name] for name in SUMS]
        # Whoever alone holds something of it knows his own part, and not that it is all.
        assert [sharer[name] for name in SUMS] == [None] * 4
        assert sharer["holdings"] == whole["holdings"]

    async def test_shows_its_capitals_entries_to_whoever_sees_every_lender(self, embedded: Service):
        await embedded.add_key("sharer", "auditor", "undisclosed")

        own = (await embedded.get(f"{POOL}/entries", caller="sharer")).json()["items"]
        every = (await embedded.get(f"{POOL}/entries", caller="auditor")).json()["items"]

        assert {entry["lender"] for entry in own} == {"undisclosed"}
        assert {entry["lender"] for entry in every} == {"undisclosed", None}
        assert [entry for entry in every if entry["lender"] is not None] == own


class TestTheListOfClaims:
    async def test_gives_each_claim_once_a_page_at_a_time_the_earliest_first(self, embedded: Service):
        whole = (await claims(embedded))["items"]

        found, cursor = [], None
        while cursor is not None or not found:
            page = await claims(embedded, limit="1", **({} if cursor is None else {"cursor": cursor}))
            assert len(page["items"]) == 1
            found += page["items"]
            cursor = page["next_cursor"]

        assert len(whole) > 1
        assert found == whole == sorted(whole, key=lambda one: (one["claimed_on"], one["claim_id"]))

    async def test_has_those_of_one_state_alone_where_it_is_asked_for(self, embedded: Service):
        [paid] = (await claims(embedded, state="PAID"))["items"]

        assert paid["state"] == "PAID"
        assert (await claims(embedded, state="REJECTED"))["items"] == []

    async def test_takes_no_cursor_of_another_filter_or_of_another_tenant(self, embedded: Service):
        await embedded.add_key("sharer", "auditor", "undisclosed")
        cursor = (await claims(embedded, limit="1"))["next_cursor"]

        answers = [
            await embedded.client.get(f"{POOL}/claims", params=asked, headers=embedded.bearer(caller))
            for caller, asked in (
                ("loan_officer", {"cursor": cursor, "state": "PAID"}), ("sharer", {"cursor": cursor}),
            )
        ]  # fmt: skip

        assert {(a.status_code, a.json()["type"].rpartition("/")[2]) for a in answers} == {(400, "cursor-not-valid")}


async def claims(service: Service, **asked: str) -> dict:
    answer = await service.client.get(f"{POOL}/claims", params=asked, headers=service.bearer())
    assert answer.status_code == 200, answer.text
    return answer.json()
