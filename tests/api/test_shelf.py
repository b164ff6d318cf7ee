"""The shelf (金融超市): the previews of one company side by side, as a relationship manager reads them."""

from typing import Any

from app.api.examples import decision_examples, pre_approved, preview_examples
from app.api.shelf_schemas import PreviewAnswer
from tests.api.test_decisions import today
from tests.api.test_previews import preview, whole_zone
from tests.service import Service


def on_the_shelf_of(name: str) -> dict[str, Any]:
    """The example of that name without its product: what its whole zone would answer."""
    document = next(e.document for e in decision_examples(today()) if e.name == name)
    return {key: value for key, value in document.items() if key != "product"}


class TestTheShelf:
    async def test_sets_every_product_beside_the_others_in_the_order_of_the_items(self, service: Service):
        answer = await preview(service, whole_zone())

        found = answer.json()
        assert [row["product"]["id"] for row in found["shelf"]] == [item["product"]["id"] for item in found["items"]]
        for row, item in zip(found["shelf"], found["items"], strict=True):
            offer = item["offer"]
            assert row["outcome"] == item["outcome"]
            for name in ("credit_limit", "annual_rate", "all_in_annual_cost", "expires_on", "tenor_months"):
                assert row[name] == (None if offer is None else offer[name]), name
            subsidy = None if offer is None else offer["interest_subsidy"]["maximum_amount"]
            assert row["maximum_interest_subsidy"] == subsidy

    async def test_of_every_example_is_what_the_contract_says(self, embedded: Service):
        for example in decision_examples(today()):
            answer = await preview(embedded, on_the_shelf_of(example.name))

            assert PreviewAnswer.model_validate_json(answer.content).shelf

    async def test_says_what_is_missing_and_it_is_so(self, embedded: Service):
        document = on_the_shelf_of("referred")
        row = next(row for row in (await preview(embedded, document)).json()["shelf"]
                   if row["product"]["id"] == "icbc/suzhou-innovation-points-loan")  # fmt: skip

        (way, *_) = row["better"]
        assert [change["fact"] for change in way["changes"]] == ["evidence.equity_financing_plan"]
        assert way["result"]["outcome"] == "PRE_APPROVED"
        document["evidence"]["equity_financing_plan"] = {
            "established": True, "on": document["evidence"]["technology_level"]["on"],
        }  # fmt: skip
        mended = (await preview(embedded, document)).json()["shelf"]
        then = next(row for row in mended if row["product"]["id"] == "icbc/suzhou-innovation-points-loan")
        assert (then["outcome"], then["credit_limit"]) == ("PRE_APPROVED", way["result"]["credit_limit"])

    async def test_marks_what_would_put_a_product_before_all_others(self, embedded: Service):
        rows = (await preview(embedded, on_the_shelf_of("guaranteed"))).json()["shelf"]
        best = max(int(row["credit_limit"].replace(".", "")) for row in rows if row["credit_limit"])

        ways = [way for row in rows for way in row["better"]]
        assert any(way["leads"] for way in ways)
        for way in ways:
            limit = way["result"]["credit_limit"]
            more = limit is not None and int(limit.replace(".", "")) > best
            assert way["leads"] or not more, way["text"]

    async def test_shows_listed_products_with_what_is_known_of_them(self, embedded: Service):
        rows = (await preview(embedded, on_the_shelf_of("listed"))).json()["shelf"]
        listed = [row for row in rows if row["product"]["status"] == "LISTED"]

        assert listed
        for row in listed:
            assert row["credit_limit"] is row["annual_rate"] is row["collateral_required"] is None
            assert row["product"]["known"]
            (reason,) = row["reasons"]
            assert reason["code"] in ("TERMS_NOT_PUBLISHED", "KIND_NOT_DECIDED")
            assert row["better"] == []

    async def test_tells_what_security_is_asked_for_whatever_the_answer_is(self, embedded: Service):
        rows = (await preview(embedded, on_the_shelf_of("declined"))).json()["shelf"]

        assert all(row["collateral_required"] is not None for row in rows if row["product"]["decides"])

    async def test_is_not_asked_for_with_one_product(self, embedded: Service):
        one = await preview(embedded, preview_examples(today())[1].document)

        assert one.json()["shelf"] is None

    async def test_holds_no_product_of_another_lender(self, service: Service):
        rows = (await preview(service, whole_zone())).json()["shelf"]

        assert {row["product"]["lender"]["id"] for row in rows} <= set(service.app.state.services.lenders)
        assert pre_approved(today())["product"] in {row["product"]["id"] for row in rows}
