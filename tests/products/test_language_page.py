"""docs/product-language.md says what the reader does: its examples are a catalogue, and its lists are whole."""

import re
from datetime import date

import pytest

from app.domain.facts import EVIDENCE, FACTS
from app.domain.terms import GateTest, PriceMethod, ProductStatus
from app.products.analysis import remarks
from app.products.forms import NOT_CARRIED_OUT
from app.products.parameters import UNITS
from app.products.parse import parse_catalogue
from tests.products.catalogues import HERE

PAGE = (HERE.parent.parent / "docs" / "product-language.md").read_text("utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
FILES = {match[1]: text.encode() for text in EXAMPLES if (match := re.match(r"# file: (\S+)\n", text))}
PARTS = [(match[1], text) for text in EXAMPLES if (match := re.match(r"# part: (\S+)\n", text))]
LOAN = "lenders/example-bank/points-loan.yaml"


class TestTheExamples:
    def test_are_a_sound_catalogue_without_remarks(self):
        catalog = parse_catalogue(FILES)

        assert remarks(catalog) == ()
        assert catalog.terms("example-bank/points-loan", on=date(2026, 11, 20)).decides

    def test_are_each_either_a_file_or_a_part_of_one(self):
        assert len(FILES) + len(PARTS) == len(EXAMPLES) and len(PARTS) == 2

    @pytest.mark.parametrize(("path", "text"), PARTS, ids=[path for path, _ in PARTS])
    def test_fit_into_the_product_where_they_say(self, path: str, text: str):
        section, key = path.split(".")
        loan = FILES[LOAN].decode()
        kept = re.sub(rf"^  {key}: .*\n", "", loan, flags=re.M)
        part = f"  {key}:\n" + "".join(f"    {line}\n" for line in text.splitlines())
        assert kept != loan

        changed = re.sub(rf"^{section}:.*\n", lambda match: match[0] + part, kept, flags=re.M)

        assert remarks(parse_catalogue({**FILES, LOAN: changed.encode()})) == ()


class TestTheLists:
    @pytest.mark.parametrize("fact", FACTS.values(), ids=FACTS)
    def test_have_every_fact_with_its_words(self, fact):
        assert f"| `{fact.name}` | {fact.kind.value} | {fact.zh} | {fact.en} |" in PAGE

    @pytest.mark.parametrize(
        "name",
        [*UNITS, *GateTest, *PriceMethod, *ProductStatus, *sorted(NOT_CARRIED_OUT), f"{EVIDENCE}<code>"],
    )
    def test_have(self, name: str):
        assert f"`{name}`" in PAGE
