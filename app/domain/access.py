"""Who may be somebody here, and whose affairs they see: roles, and scopes of lenders and branches.

Neighbours may rely on this: a scope is a tuple of entries; `icbc` is the whole of a lender, `icbc/kunshan` one of its
branches and nothing else of it. What compares lenders alone therefore shows a branch's key nothing rather than too
much. A lender is a legal entity: its log, its idempotency keys and its application ids are the lender's; a branch only
narrows what is seen and decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

Scope = Sequence[str]


class Role(StrEnum):
    """角色."""

    LOAN_SYSTEM = "loan_system"
    LOAN_OFFICER = "loan_officer"
    RISK_ANALYST = "risk_analyst"
    AUDITOR = "auditor"
    OPERATOR = "operator"


def lender_of(name: str) -> str:
    """This function will return the lender's part of a product's id or of a scope's entry."""
    return name.partition("/")[0]


def sees(scope: Scope, lender: str, branch: str | None) -> bool:
    """This function will tell whether what a branch of the lender, or None of them, is in charge of is in the scope."""
    return lender in scope or (branch is not None and f"{lender}/{branch}" in scope)


def lenders_within(scope: Scope) -> tuple[str, ...]:
    """This function will return the lenders of which the scope holds at least a branch, each once."""
    return tuple(dict.fromkeys(map(lender_of, scope)))


def within(scope: Scope, lender: str) -> tuple[str, ...]:
    """This function will return what of the scope is that lender's."""
    return tuple(entry for entry in scope if lender_of(entry) == lender)


def branches_within(scope: Scope, lender: str) -> tuple[str, ...] | None:
    """This function will return the branches of the lender that are in the scope; None where all of the lender is."""
    if lender in scope:
        return None
    return tuple(entry.partition("/")[2] for entry in scope if lender_of(entry) == lender)
