"""Who may do what: the one matrix of roles and operations, and whose affairs a caller sees.

Neighbours may rely on this: an operation that has no row in `PERMITTED` cannot be reached; what belongs to another
lender, or to another branch, is answered exactly as what does not exist. docs/access.md shows the matrix as it stands
here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.api.problems import Problem
from app.domain.access import Role, lenders_within, sees

__all__ = ["OPEN", "PERMITTED", "Caller", "Role", "matrix", "permit"]

_EVERYONE: Final = frozenset(Role)
_BUSINESS: Final = frozenset({Role.LOAN_SYSTEM, Role.LOAN_OFFICER, Role.RISK_ANALYST})
_READERS: Final = _BUSINESS | {Role.AUDITOR}
_SUPERVISORS: Final = frozenset({Role.AUDITOR, Role.OPERATOR})

# operation -> roles. The operator runs the service and sees no company's data; the auditor sees all, changes nothing.
PERMITTED: Final[dict[str, frozenset[Role]]] = {
    "decide": frozenset({Role.LOAN_SYSTEM, Role.LOAN_OFFICER}),
    "preview": _BUSINESS,
    "list_decisions": _READERS,
    "get_statistics": frozenset({Role.LOAN_OFFICER, Role.RISK_ANALYST, Role.AUDITOR}),
    "get_decision": _READERS,
    "get_receipt": _READERS,
    "explain_decision": _READERS,
    # A file leaves the house: not with a loan system's key.
    # A person decides: never a loan system, nor those who only look on.
    "review_decision": frozenset({Role.LOAN_OFFICER, Role.RISK_ANALYST}),
    "list_open_referrals": frozenset({Role.LOAN_OFFICER, Role.RISK_ANALYST, Role.AUDITOR}),
    "export_decisions": frozenset({Role.LOAN_OFFICER, Role.RISK_ANALYST, Role.AUDITOR}),
    "get_offer": _READERS,
    "record_offer_event": frozenset({Role.LOAN_SYSTEM, Role.LOAN_OFFICER}),
    "get_record_receipt": _READERS,
    # People ask and people settle: a system's key does neither, whomever it names.
    "request_exception": frozenset({Role.LOAN_OFFICER}),
    "settle_exception": frozenset({Role.LOAN_OFFICER, Role.RISK_ANALYST}),
    "list_exceptions": _READERS,
    "get_exception": _READERS,
    "get_group": _READERS,
    "register_group": frozenset({Role.LOAN_OFFICER, Role.RISK_ANALYST}),
    "list_pools": _EVERYONE,
    "get_pool": _EVERYONE,
    "list_pool_entries": _READERS,
    "list_pool_claims": _READERS,
    "get_pool_statement": _READERS,
    "issue_pool_statement": frozenset({Role.RISK_ANALYST}),
    # The pool's own capital and its stop are the installation's; a claim is a lender's, and two people's.
    "contribute_to_pool": frozenset({Role.OPERATOR}),
    "lift_pool_stop": frozenset({Role.OPERATOR}),
    "record_manager_statement": frozenset({Role.OPERATOR}),
    "confirm_pool_cover": frozenset({Role.LOAN_SYSTEM, Role.LOAN_OFFICER}),
    "list_pool_filings": _READERS,
    "record_pool_filing": frozenset({Role.LOAN_SYSTEM, Role.LOAN_OFFICER}),
    "claim_from_pool": frozenset({Role.LOAN_SYSTEM, Role.LOAN_OFFICER}),
    "decide_pool_claim": frozenset({Role.RISK_ANALYST}),
    "report_recovery": frozenset({Role.LOAN_SYSTEM, Role.LOAN_OFFICER}),
    # A campaign is people's work: they see its forecast before they run it, and take its sheet to the branches.
    "create_campaign": frozenset({Role.LOAN_OFFICER, Role.RISK_ANALYST}),
    "create_campaign_from_sheet": frozenset({Role.LOAN_OFFICER, Role.RISK_ANALYST}),
    "list_campaigns": frozenset({Role.LOAN_OFFICER, Role.RISK_ANALYST, Role.AUDITOR}),
    "get_campaign": frozenset({Role.LOAN_OFFICER, Role.RISK_ANALYST, Role.AUDITOR}),
    "run_campaign": frozenset({Role.LOAN_OFFICER, Role.RISK_ANALYST}),
    "pause_campaign": frozenset({Role.LOAN_OFFICER, Role.RISK_ANALYST}),
    "cancel_campaign": frozenset({Role.LOAN_OFFICER, Role.RISK_ANALYST}),
    "get_campaign_outreach": frozenset({Role.LOAN_OFFICER, Role.RISK_ANALYST}),
    # People bring scores in, and see which rows were not taken.
    "import_score_sheet": frozenset({Role.LOAN_OFFICER, Role.RISK_ANALYST}),
    "list_subsidy_programmes": _EVERYONE,
    "record_subsidy_budget": frozenset({Role.OPERATOR}),
    "claim_subsidy": frozenset({Role.LOAN_SYSTEM, Role.LOAN_OFFICER}),
    "list_settlements": frozenset({Role.LOAN_OFFICER, Role.RISK_ANALYST, Role.AUDITOR}),
    "replay_decision": frozenset({Role.LOAN_OFFICER, Role.RISK_ANALYST, Role.AUDITOR}),
    "list_repeated_previews": frozenset({Role.RISK_ANALYST, Role.AUDITOR}),
    "list_previews": frozenset({Role.RISK_ANALYST, Role.AUDITOR}),
    # Whoever keeps checkpoints outside the installation may be anyone; there is no company in them.
    "get_checkpoint": _EVERYONE,
    "get_consistency": _EVERYONE,
    "get_operator_checkpoint": _SUPERVISORS,
    "get_operator_consistency": _SUPERVISORS,
    "list_operator_records": _SUPERVISORS,
    "list_zones": _EVERYONE,
    "list_products": _EVERYONE,
    "get_product": _EVERYONE,
    "list_reasons": _EVERYONE,
    # Where a lender's events go is the installation's matter; no body names a company.
    **dict.fromkeys(
        ("create_webhook", "update_webhook", "delete_webhook", "rotate_webhook_secret", "test_webhook",
         "replay_webhook_delivery", "replay_dead_webhooks"), frozenset({Role.OPERATOR}),
    ),
    **dict.fromkeys(
        ("list_webhooks", "get_webhook", "list_webhook_deliveries", "get_webhook_delivery"), _SUPERVISORS
    ),
    "metrics": frozenset({Role.OPERATOR}),
}
PEOPLE_ONLY: Final = frozenset({"request_exception", "settle_exception"})
# What needs no key: health for the platform, and the documentation.
OPEN: Final = frozenset({"livez", "readyz", "docs", "openapi_json", "openapi_yaml"})
# The batch that decides asks the database itself whether the caller's key still holds; all others ask before they do.
ASKED_BY_THE_BATCH: Final = frozenset({"decide"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `lenders` is the scope (app/domain/access.py); empty, it means every lender of the installation.
    `key` names what was shown: the key by its public part, tokens by their subject. `actor` is the person for whom a
    system speaks; `keys_seen` the change of the keys at which this key or token was found sound.
    """

    subject: str
    roles: frozenset[Role]
    lenders: tuple[str, ...]
    key: str
    actor: str | None = None
    keys_seen: int | None = None

    @property
    def person(self) -> str:
        """Who acts, for whatever needs two people: the actor that a system names, or else the subject."""
        return self.actor or self.subject

    def sees(self, lender: str, branch: str | None = None) -> bool:
        """This function will tell whether the affairs of the lender's branch, or without one those of the lender as a
        whole, are this caller's.
        """
        return not self.lenders or sees(self.lenders, lender, branch)

    @property
    def sees_whole_pools(self) -> bool:
        """Whether the sums of a shared pool are this caller's to see: from them and his own part a lender would know
        what the others hold.
        """
        return not self.lenders

    def sees_some_of(self, lender: str) -> bool:
        """This function will tell whether the lender, or a branch of it, is this caller's."""
        return not self.lenders or lender in lenders_within(self.lenders)

    def scope(self, every_lender: Sequence[str]) -> tuple[str, ...]:
        """This function will return the caller's scope, each lender by name."""
        return self.lenders or tuple(every_lender)


def permit(caller: Caller, operation: str) -> None:
    """This function will return if a role of the caller may do the operation. Raises Problem (403) that names the roles
    which may.
    """
    permitted = PERMITTED[operation]
    if caller.roles.isdisjoint(permitted):
        needed = ", ".join(role for role in Role if role in permitted)
        raise Problem(
            "forbidden",
            detail=(f"此操作需要以下角色之一：{needed}。", f"This needs one of these roles: {needed}."),
        )
    if operation in PEOPLE_ONLY and Role.LOAN_SYSTEM in caller.roles:
        raise Problem(
            "forbidden",
            detail=("须由本人办理，系统密钥不可代办。", "A person does this himself, never a system's key."),
        )


def matrix() -> str:
    """This function will return the matrix as a table in Markdown, an operation a line."""
    lines = [f"| operation 操作 | {' | '.join(f'`{role}`' for role in Role)} |", "| --- |" + " :---: |" * len(Role)]
    for operation, permitted in PERMITTED.items():
        lines.append(f"| `{operation}` | {' | '.join('●' if role in permitted else '' for role in Role)} |")
    return "\n".join(lines)
