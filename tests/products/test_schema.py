"""The schema for editors takes what the reader takes, and knows the shapes that the reader refuses."""

import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from app.adapters.platform_files import SIMULATED
from app.products.faults import Faults
from app.products.layout import LENDER_FILE, SINGLE_FILES, ZONE_FILE
from app.products.reader import Mapping, Node, Scalar, Sequence, read_yaml
from app.products.schema import SCHEMAS, platform_schema, product_schema, schema_text
from tests.products.catalogues import HERE, MALFORMED, SHIPPED, SOUND, files_below
from tests.products.test_platforms import MAPPED as MAPPED_PLATFORM
from tests.products.test_platforms import SOUND as SOUND_PLATFORM

DOCUMENTED = HERE.parent.parent / "docs" / "product.schema.json"
VALIDATORS = {name: jsonschema_rs.validator_for(schema()) for name, schema in SCHEMAS.items()}
SHAPES = [
    "misspelt_key", "unknown_key", "form_not_carried_out", "missing_key", "text_for_a_list", "empty_list",
    "listed_twice", "empty_mapping", "list_for_gates", "unquoted_decimal", "decimal_with_exponent",
    "flag_written_as_no", "flag_in_quotes", "amount_in_quotes", "float_for_an_amount", "date_without_zeros",
    "code_with_capitals", "word_of_no_closed_list", "parameter_without_values", "dated_value_with_unknown_key",
    "dated_value_without_value", "table_by_unknown_fact", "table_by_two_facts", "unit_that_does_not_fit",
    "gate_on_unknown_fact", "gate_that_only_informs", "row_with_unknown_key", "table_where_none_may_be",
    "lpr_term_not_known", "bearer_not_known",
]  # fmt: skip


def as_editors_see(node: Node) -> Any:
    """The YAML 1.2 value of a node: what a schema-aware editor validates."""
    match node:
        case Mapping():
            return {key.text: as_editors_see(value) for key, value in node.entries}
        case Sequence():
            return [as_editors_see(item) for item in node.items]
        case Scalar(quoted=False, text="null" | ""):
            return None
        case Scalar(quoted=False, text="true" | "false"):
            return node.text == "true"
        case Scalar(quoted=False) if re.fullmatch("-?(0|[1-9][0-9]*)", node.text):
            return int(node.text)
        case Scalar(quoted=False) if re.fullmatch(r"-?[0-9]+\.[0-9]+", node.text):
            return float(node.text)
        case Scalar():
            return node.text


def kind_of(path: str) -> str:
    if path in SINGLE_FILES:
        return path.removesuffix(".yaml")
    if ZONE_FILE.fullmatch(path):
        return "zone"
    return "lender" if LENDER_FILE.fullmatch(path) else "product"


def accepts(path: str, content: bytes) -> bool:
    node = read_yaml(path, content, Faults())
    assert node is not None
    return VALIDATORS[kind_of(path)].is_valid(as_editors_see(node))


SOUND_FILES = [(f"sound/{path}", path, content) for path, content in SOUND.items()]
SHIPPED_FILES = [(f"app/products/{path}", path, content) for path, content in files_below(SHIPPED).items()]


class TestASchema:
    @pytest.mark.parametrize(("path", "content"), [pytest.param(p, c, id=n) for n, p, c in SOUND_FILES + SHIPPED_FILES])
    def test_takes_every_file_that_the_reader_takes(self, path: str, content: bytes):
        node = read_yaml(path, content, Faults())

        VALIDATORS[kind_of(path)].validate(as_editors_see(node))

    @pytest.mark.parametrize("case", [case for case in MALFORMED if case.name in SHAPES], ids=lambda case: case.name)
    def test_refuses_the_shapes_that_the_reader_refuses(self, case: Any):
        assert not accepts(case.at, case.content)

    def test_is_tried_on_every_shape_listed(self):
        assert set(SHAPES) <= {case.name for case in MALFORMED}

    def test_of_products_is_the_one_that_the_docs_keep(self):
        assert DOCUMENTED.read_text("utf-8") == schema_text(product_schema()), (
            "docs/product.schema.json is old: `jifendai products schema product --output docs/product.schema.json`"
        )


class TestTheSchemaOfPlatforms:
    VALIDATOR = jsonschema_rs.validator_for(platform_schema())

    @pytest.mark.parametrize("path", sorted(SIMULATED.glob("*.yaml")), ids=lambda path: path.name)
    def test_takes_every_file_of_the_demonstration(self, path: Path):
        self.VALIDATOR.validate(as_editors_see(read_yaml(path.name, path.read_bytes(), Faults())))

    @pytest.mark.parametrize("text", [SOUND_PLATFORM, MAPPED_PLATFORM])
    def test_takes_what_the_reader_takes(self, text: str):
        self.VALIDATOR.validate(as_editors_see(read_yaml("fuxin.yaml", text.encode(), Faults())))

    @pytest.mark.parametrize(
        ("sound", "faulty"),
        [
            ("scheme: fuxin\n", ""), ("kind: KEY", "kind: PASSWORD"), ("kind: KEY", "secret: abc, kind: KEY"),
            ('"150"', "150"), (', largest_change: "40"', ""), ("{at: /code}", "{at: code}"),
            ("constant: SCORED", "constant: MAYBE"), ("form: CHINESE", "form: ROMAN"),
            ("answer:", "code: run\nanswer:"),
            ("  as_of: {at: /day, form: CHINESE}\n", ""), ("answer:", "deadline_ms: 60000\nanswer:"),
        ],
    )  # fmt: skip
    def test_refuses_the_shapes_that_the_reader_refuses(self, sound: str, faulty: str):
        text = MAPPED_PLATFORM.replace(sound, faulty)
        assert text != MAPPED_PLATFORM

        assert not self.VALIDATOR.is_valid(as_editors_see(read_yaml("fuxin.yaml", text.encode(), Faults())))

    def test_is_the_one_that_the_docs_keep(self):
        documented = DOCUMENTED.with_name("platform.schema.json")

        assert documented.read_text("utf-8") == schema_text(platform_schema()), (
            "docs/platform.schema.json is old: `jifendai platforms schema --output docs/platform.schema.json`"
        )
