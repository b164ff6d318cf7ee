"""What a branch may do to the offers of its lender's other branches: nothing."""

from app.api.examples import pre_approved
from tests.api.test_decisions import today
from tests.service import Service


class TestAKey:
    async def test_of_a_branch_ends_no_offer_of_another_branch(self, service: Service):
        await service.add_key("kunshan", "loan_officer", "icbc/kunshan")
        await service.add_key("icbc", "loan_officer", "icbc")
        theirs = (await service.decide(pre_approved(today()), "theirs")).json()
        asked = pre_approved(today()) | {"product": "icbc/kunshan-innovation-points-finance"}
        own = asked | {"application_id": "KS-1"}
        same_id = await service.decide(asked, "same-id", caller="kunshan")
        found = []
        for named in (theirs["offer"]["offer_id"], "01990000-0000-7000-8000-00000000fffe"):
            request = asked["request"] | {"replaces": named}
            found.append((await service.decide(own | {"request": request}, named, caller="kunshan")).json())
        left = (await service.get(f"/v1/decisions/{theirs['decision_id']}")).json()
        whole = await service.decide(asked, "whole", caller="icbc")

        assert (same_id.status_code, same_id.json()["type"]) == (409, "/problems/application-of-another-branch")
        assert found[0]["reasons"] == found[1]["reasons"]
        assert found[0]["outcome"] == found[1]["outcome"]
        assert left["offer"]["status"] == "INDICATIVE"
        assert (whole.status_code, whole.json()["supersedes"]) == (201, theirs["decision_id"])
