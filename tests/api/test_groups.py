"""The lender's own register of groups, over HTTP: his cap counts a group together whatever an application says."""

from stdnum.cn import uscc

from app.api.examples import pre_approved
from tests.api.test_decisions import today
from tests.service import Service

GROUP = "/v1/groups/icbc/G-7"


async def register(service: Service, members: list[str], key: str, caller: str = "loan_officer", group: str = GROUP):
    headers = service.bearer(caller) | {"Idempotency-Key": key}
    return await service.client.post(group, json={"members": members, "reference": "LIST-1"}, headers=headers)


def application(number: int, uscc: str) -> dict:
    document = pre_approved(today())
    company = {**document["company"], "uscc": uscc, "group_id": None}
    return {**document, "application_id": f"GROUP-{number}", "company": company}


class TestARegisteredGroup:
    async def test_is_counted_together_although_the_applications_leave_it_out(self, service: Service):
        first, second = codes()
        answer = await register(service, [first, second], "register")
        made = (await service.decide(application(1, first), "first")).json()
        decided = (await service.decide(application(2, second), "second")).json()
        shown = (await service.get(GROUP)).json()

        assert (answer.status_code, answer.json()["joined"]) == (201, sorted([first, second])), answer.text
        assert shown["members"] == sorted([first, second])
        [_, cap] = [line for line in decided["trace"] if line["facts"].keys() == {"cap", "used"}]
        assert cap["facts"]["used"] == made["offer"]["credit_limit"], cap

    async def test_is_replaced_whole_and_dissolved_by_an_empty_list(self, service: Service):
        first, second = codes()
        await register(service, [first, second], "both")
        left = (await register(service, [second], "one")).json()
        gone = (await register(service, [], "none")).json()
        back = (await register(service, [first], "again")).json()

        assert (left["left"], left["joined"]) == ([first], [])
        assert (gone["state"], gone["left"]) == ("DISSOLVED", [second])
        assert (back["joined"], (await service.get(GROUP)).json()["members"]) == ([first], [first])

    async def test_is_not_joined_again_by_an_application_of_whoever_was_taken_out(self, service: Service):
        first, second = codes()
        await register(service, [first, second], "two")
        await register(service, [second], "one-left")
        named = application(7, first) | {"company": {**application(7, first)["company"], "group_id": "G-7"}}
        decided = (await service.decide(named, "out")).json()
        members = (await service.get(GROUP)).json()["members"]
        after = (await service.decide(application(8, second), "other")).json()

        assert (decided["outcome"], members) == ("PRE_APPROVED", [second])
        # What he was offered counts against nobody else's cap; what the group holds counts against his own.
        lines = [line for line in after["trace"] if line["facts"].keys() == {"cap", "used"}]
        assert {line["facts"]["used"] for line in lines} == {"0.00"}, lines

    async def test_of_another_lender_is_answered_as_none(self, service: Service):
        for group in ("/v1/groups/nobody/G-7",):
            assert (await register(service, [], "foreign", group=group)).status_code == 404

    async def test_is_refused_with_what_is_no_company(self, service: Service):
        assert (await register(service, ["91999999MAT0000310"], "bad")).status_code == 422


def codes() -> tuple[str, str]:
    return tuple(body + uscc.calc_check_digit(body) for body in ("91999999MAT000031", "91999999MAT000032"))
