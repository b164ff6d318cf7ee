"""The shelf over HTTP."""

from app.domain.reasons import ReasonCode
from tests.service import Service


class TestTheShelf:
    async def test_has_all_six_zones_with_their_schemes(self, embedded: Service):
        answer = (await embedded.get("/v1/zones")).json()

        zones = {zone["id"]: zone for zone in answer["items"]}
        assert zones.keys() == {"suzhou-snd", "kunshan", "zhongkai", "fuxin", "donghu", "nanchang"}
        assert zones["fuxin"]["score_schemes"][0]["scale_maximum"] == "150"
        assert "real-estate" not in {purpose["code"] for purpose in answer["codes"]["purposes"]}

    async def test_is_filtered_by_zone_lender_and_kind(self, embedded: Service):
        every = (await embedded.get("/v1/products")).json()["items"]
        for query, holds in (
            ("zone=fuxin", lambda product: "fuxin" in product["zones"]),
            ("lender=icbc", lambda product: product["lender"]["id"] == "icbc"),
            ("kind=LEASE", lambda product: product["kind"] == "LEASE"),
            ("kind=LEASE&lender=icbc", lambda product: False),
        ):
            found = (await embedded.get(f"/v1/products?{query}")).json()["items"]
            assert found == [product for product in every if holds(product)], query

    async def test_is_of_the_day_asked_for(self, embedded: Service):
        early = (await embedded.get("/v1/products?on=2022-06-01&zone=fuxin")).json()
        late = (await embedded.get("/v1/products?on=2026-06-01&zone=fuxin")).json()

        assert early["on"] == "2022-06-01"
        assert not any(product["decides"] for product in early["items"])
        assert any(product["decides"] for product in late["items"])

    async def test_says_of_each_product_whether_it_decides(self, embedded: Service):
        products = {product["id"]: product for product in (await embedded.get("/v1/products")).json()["items"]}

        assert products["icbc/suzhou-innovation-points-loan"]["decides"]
        assert not products["cib/kunshan-technology-flow"]["decides"]
        assert not products["fuxin-bank/fuxin-score-to-loan"]["decides"]
        assert not products["fuxin-guarantee/fuxin-innovation-points-guarantee"]["decides"]


class TestAProduct:
    async def test_shows_its_terms_with_their_references_and_the_digest_that_decisions_name(self, embedded: Service):
        shown = (await embedded.get("/v1/products/icbc/suzhou-innovation-points-loan")).json()
        decided = (await embedded.get("/v1/decisions?product=icbc/suzhou-innovation-points-loan&limit=1")).json()[
            "items"
        ]

        assert shown["digest"] == decided[0]["product"]["digest"]
        assert '"basis":"published"' in str(shown["terms"]).replace("'", '"').replace(" ", "")

    async def test_that_is_only_listed_is_shown_too(self, embedded: Service):
        shown = (await embedded.get("/v1/products/cib/kunshan-technology-flow")).json()

        assert shown["status"] == "LISTED"
        assert not shown["decides"]

    async def test_that_is_not_there_is_404(self, embedded: Service):
        answer = await embedded.get("/v1/products/icbc/none")

        assert answer.status_code == 404
        assert answer.json()["type"] == "/problems/not-found"


class TestTheReasons:
    async def test_are_all_there_in_order_in_both_languages(self, embedded: Service):
        listed = (await embedded.get("/v1/reasons")).json()["items"]

        assert [item["code"] for item in listed] == [code.name for code in ReasonCode]
        assert all(item["message"]["zh"] and item["message"]["en"] for item in listed)
