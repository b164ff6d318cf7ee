"""JSON Schema of the catalogue's files, and of platforms', for editors.

Neighbours may rely on this: the schemas are made from the forms by which the reader reads, so that what an editor
completes is what the reader takes. They say less than the reader: what names mean, dates ascending and shares summing
to 1 are its business alone. Schemas see YAML 1.2 values: whole numbers as integers, decimals and days as strings.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from app.products.forms import Record, Schema
from app.products.layout import CODES, HOLIDAYS, LENDER, LPR, PRODUCT, ZONE
from app.products.platforms import PLATFORM

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_text(schema: Schema) -> str:
    """This function will return a schema as the text that docs/ keeps and editors read."""
    return json.dumps(schema, ensure_ascii=False, indent=2) + "\n"


def product_schema() -> Schema:
    """This function will return the schema of lenders/<lender>/<slug>.yaml."""
    return _schema(PRODUCT, "Product 产品", "lenders/<lender>/<slug>.yaml")


def lender_schema() -> Schema:
    """This function will return the schema of lenders/<lender>/lender.yaml."""
    return _schema(LENDER, "Lender 机构", "lenders/<lender>/lender.yaml")


def zone_schema() -> Schema:
    """This function will return the schema of zones/<zone>.yaml."""
    return _schema(ZONE, "Zone 高新区", "zones/<zone>.yaml")


def codes_schema() -> Schema:
    """This function will return the schema of codes.yaml."""
    return _schema(CODES, "Codes 代码", "codes.yaml")


def lpr_schema() -> Schema:
    """This function will return the schema of lpr.yaml."""
    return _schema(LPR, "LPR 贷款市场报价利率", "lpr.yaml")


def holidays_schema() -> Schema:
    """This function will return the schema of holidays.yaml."""
    return _schema(HOLIDAYS, "Holidays 节假日", "holidays.yaml")


def platform_schema() -> Schema:
    """This function will return the schema of <zone>.yaml in a folder of platforms."""
    return _schema(PLATFORM, "Score platform 积分平台", "<zone>.yaml", "in a folder of score platforms 积分平台文件夹")


SCHEMAS: dict[str, Callable[[], Schema]] = {
    "product": product_schema,
    "lender": lender_schema,
    "zone": zone_schema,
    "codes": codes_schema,
    "lpr": lpr_schema,
    "holidays": holidays_schema,
}


def _schema(form: Record, title: str, file: str, of: str = "of a Jifendai catalogue 积分贷产品目录") -> Schema:
    definitions: Schema = {}
    body = form.schema(definitions)
    head = {"$schema": DIALECT, "title": title, "description": f"{file} {of}"}
    return {**head, **body, "$defs": dict(sorted(definitions.items()))}
