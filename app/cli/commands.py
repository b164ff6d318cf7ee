"""How a command is told to the parser: by a name, a sentence in both languages, and a module that is imported when the
command is carried out.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module
from typing import Any

CarryOut = Callable[[argparse.Namespace], int | None]


def in_module(module: str, name: str) -> CarryOut:
    """This function will return what imports the command when it is carried out."""
    return lambda options: getattr(import_module(f"app.cli.{module}"), name)(options)


def command(commands: Any, name: str, carry_out: CarryOut, zh: str, en: str) -> argparse.ArgumentParser:
    """This function will add a command and return its parser."""
    parser = commands.add_parser(name, help=f"{en} {zh}", description=f"{en[:1].upper()}{en[1:]}. {zh}。")
    parser.set_defaults(carry_out=carry_out)
    return parser


def group(commands: Any, name: str, zh: str, en: str) -> Any:
    """This function will add a name under which commands stand together, and return what takes them."""
    parser = commands.add_parser(name, help=f"{en} {zh}", description=f"{en[:1].upper()}{en[1:]}. {zh}。")
    return parser.add_subparsers(metavar="COMMAND", required=True)
