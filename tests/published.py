"""The published contract, read by libyaml: the file is large, and PyYAML's own reader takes seconds for it."""

import functools
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).parents[1] / "openapi.yaml"


def read_contract(text: str) -> dict[str, Any]:
    """This function will read a contract that is written as YAML."""
    return yaml.load(text, Loader=yaml.CSafeLoader)


@functools.cache
def published() -> dict[str, Any]:
    """This function will return what openapi.yaml says, the same each time: whoever changes it takes a copy."""
    return read_contract(FILE.read_text("utf-8"))
