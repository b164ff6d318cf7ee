"""What stands in a file under a date is what the terms say on that day."""

import timeit
from datetime import date, timedelta
from decimal import Decimal

import pytest

from app.domain.company import ScoreState
from app.domain.money import Yuan
from app.domain.terms import Bands, PriceMethod, ProductKind, ProductStatus
from app.domain.trace import Basis
from app.products.catalog import Catalog, UnknownLender, UnknownProduct, UnknownZone
from app.products.parse import parse_catalogue
from tests.products.catalogues import LOAN, SOUND, ZONE, catalogue, catalogue_with, changed, loan, row

DAY = date(2026, 11, 20)
CHOSEN = "reference: chosen"


@pytest.fixture(scope="module")
def sound() -> Catalog:
    return catalogue()


class TestAStatus:
    @pytest.mark.parametrize(
        ("on", "status"),
        [
            (date(2022, 5, 31), ProductStatus.CLOSED),
            (date(2022, 6, 1), ProductStatus.PLANNED),
            (date(2022, 12, 31), ProductStatus.PLANNED),
            (date(2023, 1, 1), ProductStatus.ACTIVE),
            (date(2027, 12, 31), ProductStatus.ACTIVE),
            (date(2028, 1, 1), ProductStatus.CLOSED),
        ],
    )
    def test_holds_from_its_day_until_the_next(self, sound: Catalog, on: date, status: ProductStatus):
        terms = sound.terms("demo/loan", on=on)

        assert terms.status is status
        assert terms.decides is (status is ProductStatus.ACTIVE)

    def test_other_than_active_leaves_nothing_to_decide_by(self, sound: Catalog):
        terms = sound.terms("demo/loan", on=date(2022, 12, 31))

        assert (terms.score, terms.credit_limit, terms.pricing, terms.lpr) == (None, None, None, None)
        assert (terms.gates, terms.subsidies, terms.conditions) == ((), (), ())


class TestAParameter:
    @pytest.mark.parametrize(
        ("on", "threshold"),
        [(date(2025, 12, 31), "40"), (date(2026, 1, 1), "50"), (date(2026, 1, 2), "50")],
    )
    def test_holds_from_its_day_on(self, sound: Catalog, on: date, threshold: str):
        gate = next(g for g in sound.terms("demo/loan", on=on).gates if g.path == "gates.minimum_score")

        assert gate.threshold == Decimal(threshold)

    @pytest.mark.parametrize(
        ("on", "rate"),
        [(date(2024, 12, 31), None), (date(2025, 1, 1), Decimal("0.01")), (date(2026, 1, 1), None)],
    )
    def test_is_absent_before_its_first_date_and_from_its_null_on(self, on: date, rate: Decimal | None):
        sections = "guarantee: {fee_rate: {values: {2025-01-01: {value: '0.01', reference: chosen}, 2026-01-01: null}}}"
        found = catalogue_with({LOAN: loan(sections)}).terms("demo/loan", on=on).guarantee_fee_rate

        assert (found and found.value) == rate

    def test_keeps_its_path_and_its_reference(self, sound: Catalog):
        cap = sound.terms("demo/loan", on=DAY).credit_limit.cap

        assert (cap.path, cap.value) == ("credit_limit.cap", Yuan.whole(10_000_000))
        assert (cap.reference.basis, cap.reference.note) == (Basis.ASSUMED, "chosen for the tests")

    def test_may_be_a_table_by_a_number(self, sound: Catalog):
        band = sound.terms("demo/loan", on=DAY).credit_limit.components[0].parameter

        assert isinstance(band.value, Bands)
        assert row(band, Decimal("59.99")) == (Decimal(0), Yuan.whole(1_000_000))
        assert row(band, Decimal("60")) == (Decimal(60), Yuan.whole(5_000_000))
        assert row(band, Decimal("100")) == (Decimal(80), Yuan.whole(10_000_000))

    def test_may_give_nothing_in_its_first_row_on_purpose(self):
        table = "by: score, values: {2023-01-01: {value: [{from: '0', value: null}, {from: '60', value: 12}], " + CHOSEN
        found = catalogue_with({LOAN: loan("tenor: {maximum_months: {" + table + "}}}}")}).terms("demo/loan", on=DAY)

        assert found.maximum_tenor_months.value.find(Decimal("59.99")) is None
        assert row(found.maximum_tenor_months, Decimal("60")) == (Decimal(60), 12)

    def test_may_be_a_table_by_a_code(self, sound: Catalog):
        spread = sound.terms("demo/loan", on=DAY).pricing.spread_bps

        assert (spread.by, spread.at("A"), spread.value.find("C")) == ("score.grade", 45, None)


class TestAnLprQuote:
    @pytest.mark.parametrize(
        ("on", "rate", "published_on"),
        [
            (date(2026, 10, 19), "0.0300", date(2025, 5, 20)),
            (date(2026, 10, 20), "0.0300", date(2025, 5, 20)),
            (date(2026, 10, 21), "0.0290", date(2026, 10, 20)),
        ],
    )
    def test_counts_from_the_day_after_its_publication(self, sound: Catalog, on: date, rate: str, published_on: date):
        quote = sound.terms("demo/loan", on=on).lpr["1Y"]

        assert (quote.rate, quote.published_on) == (Decimal(rate), published_on)
        assert quote.confirmed_through == date(2026, 6, 30)


class TestAFramework:
    def test_gives_a_product_everything_it_does_not_say_itself(self, sound: Catalog):
        terms = sound.terms("demo/loan", on=DAY)

        assert [gate.path for gate in terms.gates] == [
            "gates.technology_level", "gates.minimum_score", "gates.purpose_prohibited",
        ]  # fmt: skip
        assert terms.pricing.method is PriceMethod.LPR
        assert terms.risk_compensation.shares.value == {
            "POOL": Decimal("0.50"), "GUARANTOR": Decimal("0.30"), "BANK": Decimal("0.20"),
        }  # fmt: skip

    def test_is_overridden_parameter_by_parameter(self):
        own = "credit_limit: {floor: {values: {2023-01-01: {value: 200_000, reference: chosen}}}}"
        limit = catalogue_with({LOAN: loan(own)}).terms("demo/loan", on=DAY).credit_limit

        assert limit.floor.value == Yuan.whole(200_000)
        assert limit.cap.value == Yuan.whole(10_000_000)

    def test_is_overridden_component_by_component_in_its_own_order(self):
        own = """
credit_limit:
  components:
    half_of_cap: {of: cap, unit: share, values: {2023-01-01: {value: "0.50", reference: chosen}}}
    score_band: {values: {2023-01-01: {value: 4_000_000, reference: chosen}}}
"""
        components = catalogue_with({LOAN: loan(own)}).terms("demo/loan", on=DAY).credit_limit.components

        assert [(c.name, c.of) for c in components] == [
            ("score_band", None), ("rd_multiple", "financials.rd_expense"), ("half_of_cap", "cap"),
        ]  # fmt: skip
        assert components[0].parameter.value == Yuan.whole(4_000_000)

    def test_loses_a_gate_that_the_product_ends(self):
        own = """
gates:
  minimum_score:
    {words: {zh: 积分, en: score}, fact: score, test: at_least, severity: REFER, values: {2026-01-01: null}}
"""
        found = catalogue_with({LOAN: loan(own)}).terms("demo/loan", on=DAY)

        assert [gate.path for gate in found.gates] == ["gates.technology_level", "gates.purpose_prohibited"]

    def test_gives_no_pricing_to_a_product_that_names_its_own_method(self):
        own = "pricing: {method: FIXED, annual_rate: {values: {2023-01-01: {value: '0.0300', reference: chosen}}}}"
        pricing = catalogue_with({LOAN: loan(own)}).terms("demo/loan", on=DAY).pricing

        assert (pricing.method, pricing.annual_rate.value) == (PriceMethod.FIXED, Decimal("0.0300"))
        assert (pricing.spread_bps, pricing.lpr_term) == (None, None)

    def test_gives_a_whole_list_that_the_product_may_replace(self):
        another = changed(
            ZONE,
            "risk_compensation_pools:",
            "  another:\n"
            "    name: {zh: 贴息, en: subsidy}\n"
            "    claim: AUTOMATIC\n"
            "    status: {values: {2022-01-01: {value: LISTED, reference: chosen}}}\n"
            "risk_compensation_pools:",
        )
        replaced = catalogue_with({ZONE: another, LOAN: loan("interest_subsidies: [testing/another]")})

        assert [s.id for s in replaced.terms("demo/loan", on=DAY).subsidies] == ["testing/another"]


class TestAProhibitedPurpose:
    def test_is_a_gate_of_every_loan_that_decides(self, sound: Catalog):
        gate = sound.terms("demo/loan", on=DAY).gates[-1]

        assert (gate.path, gate.fact, gate.clause) == ("gates.purpose_prohibited", "request.purpose", "第九条")
        assert gate.passes("raw-materials") is True
        assert gate.passes("securities") is False


class TestTerms:
    def test_are_the_same_object_between_two_dates_of_change(self, sound: Catalog):
        assert sound.terms("demo/loan", on=DAY) is sound.terms("demo/loan", on=DAY + timedelta(days=400 - 365))
        assert sound.terms("demo/loan", on=date(2025, 12, 31)) is not sound.terms("demo/loan", on=date(2026, 1, 1))

    def test_change_on_no_day_but_the_dates_of_change(self, sound: Catalog):
        changes = set(sound.dates_of_change("demo/loan"))
        before = sound.terms_document("demo/loan", on=date(2021, 12, 31))

        for offset in range(7 * 366):
            on = date(2022, 1, 1) + timedelta(days=offset)
            document = sound.terms_document("demo/loan", on=on)
            assert document == before or on in changes
            before = document

    def test_cost_one_look_up_when_asked_for_again(self, sound: Catalog):
        sound.terms("demo/loan", on=DAY)
        resolved = sound._terms.copy()

        # A resolution takes hundreds of times as long as this bound.
        assert min(timeit.repeat(lambda: sound.terms("demo/loan", on=DAY), number=1000, repeat=5)) < 0.02
        assert sound._terms == resolved

    def test_are_forgotten_rather_than_fill_the_memory(self, sound: Catalog, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("app.products.catalog.MOST_REMEMBERED", 8)
        fresh = catalogue()

        for offset in range(100):
            fresh.terms("demo/loan", on=DAY + timedelta(days=offset))

        assert len(fresh._remembered) <= 8

    def test_of_a_product_that_there_is_not_are_refused(self, sound: Catalog):
        for ask in (sound.terms, sound.terms_document, sound.product):
            with pytest.raises(UnknownProduct):
                ask("demo/gold", on=DAY)


class TestTheShelf:
    def test_shows_what_is_announced_and_not_closed(self, sound: Catalog):
        def shelf(on: date) -> list[str]:
            return [product.id for product in sound.products(on=on)]

        assert shelf(date(2022, 5, 31)) == ["demo/lease"]
        assert shelf(date(2022, 6, 1)) == ["demo/lease", "demo/loan"]
        assert shelf(date(2028, 1, 1)) == ["demo/lease"]

    def test_can_be_asked_by_zone_lender_and_kind(self, sound: Catalog):
        assert len(sound.products(on=DAY, zone="testing", lender="demo", kind=ProductKind.LEASE)) == 1
        assert sound.products(on=DAY, zone="elsewhere") == ()
        assert sound.products(on=DAY, lender="other") == ()

    def test_shows_what_is_known(self, sound: Catalog):
        product = sound.product("demo/loan", on=DAY)

        assert (product.branch.name.zh, product.also_known_as, product.revolving) == ("营业部", ("积分贷",), True)
        assert product.known[0].fact.zh == "已公布"
        assert product.status_reference.basis is Basis.ASSUMED


class TestAZone:
    def test_tells_its_scheme_on_a_day(self, sound: Catalog):
        scheme = sound.zone("testing", on=DAY).schemes["testing"]

        assert (scheme.scale_maximum, scheme.versions, scheme.veto) == ("100", ("2025",), True)
        assert (scheme.stages["startup"].zh, scheme.fields["new-materials"].zh) == ("初创期", "新材料")
        assert scheme.grades == ("AA", "A", "B") and scheme.stages_complete
        assert set(scheme.states) == set(ScoreState)
        assert sound.zone("testing", on=date(2027, 1, 1)).schemes["testing"].scale_maximum == "150"
        assert sound.zone("testing", on=date(2024, 12, 31)).schemes["testing"].versions is None

    def test_tells_its_measures_with_their_status(self, sound: Catalog):
        zone = sound.zone("testing", on=DAY)

        assert [(m.id, m.status) for m in zone.interest_subsidies] == [
            ("testing/startup-subsidy", ProductStatus.ACTIVE)
        ]
        assert [m.id for m in zone.risk_compensation_pools] == ["testing/pool"]
        assert sound.zone("testing", on=date(2021, 12, 31)).interest_subsidies[0].status is None

    def test_that_there_is_not_is_refused(self, sound: Catalog):
        assert [zone.id for zone in sound.zones(on=DAY)] == ["elsewhere", "testing"]
        with pytest.raises(UnknownZone):
            sound.zone("atlantis", on=DAY)


class TestACode:
    def test_is_known_or_not(self, sound: Catalog):
        assert sound.knows_zone("testing") and not sound.knows_zone("atlantis")
        assert sound.knows_scheme("testing", "testing") and not sound.knows_scheme("elsewhere", "testing")
        assert sound.knows_stage("testing", "growth") and not sound.knows_stage("testing", "seed")
        assert sound.knows_field("testing", "new-materials") and not sound.knows_field("testing", "magic")
        assert sound.knows_grade("testing", "AA") and not sound.knows_grade("testing", "C")
        assert sound.knows_qualification("high-tech") and not sound.knows_qualification("gazelle")
        assert sound.knows_purpose("securities") and not sound.knows_purpose("holidays")
        assert sound.knows_evidence("technology_level") and not sound.knows_evidence("charm")
        assert sound.knows_product("demo/lease") and not sound.knows_product("demo/gold")
        assert sound.knows_lender("demo") and not sound.knows_lender("ghost")
        assert not sound.knows_stage("atlantis", "growth")

    def test_of_a_zone_that_lists_none_is_taken_from_the_catalogue(self, sound: Catalog):
        assert sound.knows_field("elsewhere", "new-materials") and sound.knows_grade("elsewhere", "C")


class TestALender:
    def test_is_known_with_its_branches(self, sound: Catalog):
        assert sound.lender("demo").name.zh == "示例银行"
        assert [branch.id for branch in sound.branches("demo")] == ["main"]
        with pytest.raises(UnknownLender):
            sound.lender("ghost")


class TestAnEdition:
    def test_does_not_depend_on_the_order_of_files(self, sound: Catalog):
        assert parse_catalogue(dict(reversed(SOUND.items()))).digest_source == sound.digest_source

    def test_changes_with_any_byte_and_with_any_name(self, sound: Catalog):
        comment = parse_catalogue({**SOUND, LOAN: SOUND[LOAN] + b"# a comment\n"})
        renamed = parse_catalogue({(path.replace("lease", "hire")): content for path, content in SOUND.items()})

        assert len({sound.digest_source, comment.digest_source, renamed.digest_source}) == 3

    def test_does_not_change_with_what_is_no_yaml(self, sound: Catalog):
        assert parse_catalogue({**SOUND, "README.md": b"x"}).digest_source == sound.digest_source


class TestALaterCorrection:
    def test_changes_terms_only_from_its_own_day(self):
        corrected = catalogue_with({LOAN: changed(LOAN, "2028-01-01: null", "2027-06-01: null")})

        for on in (date(2023, 1, 1), date(2027, 5, 31)):
            assert corrected.terms_document("demo/loan", on=on) == catalogue().terms_document("demo/loan", on=on)
        assert corrected.terms("demo/loan", on=date(2027, 6, 1)).status is ProductStatus.CLOSED
