"""导出的一行: one decision as a row for people who work with tables.

Neighbours may rely on this: a row is a function of the record's own bytes and of its place in the log, so that whoever
has the record can make it again and compare; amounts, rates and scores are decimal strings, days and instants ISO text,
whatever the file that they go into.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from app.audit.open_record import score_used
from app.usecases.export_columns import Row


def exported_row(record: bytes, *, origin: str, index: int, leaf_hash: str, checkpoint: str | None = None) -> Row:
    """This function will make the row of a decision's record. ValueError where it is not the record of a decision."""
    try:
        document = orjson.loads(record)
        return (*_facts(document), *_decided(document), origin, index, leaf_hash, checkpoint)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("not the record of a decision") from error


def _facts(document: Mapping[str, Any]) -> Row:
    application, decided = document["application"], document["decision"]
    company, score = application["company"], score_used(document) or {}
    branch = decided["product"]["lender"]["branch"]
    return (
        decided["decision_id"], decided["decided_on"], decided["recorded_at"],
        decided["product"]["lender"]["id"], None if branch is None else branch["id"], application["product"],
        company["zone"], application["application_id"], decided["revision"], decided["supersedes"], company["uscc"],
        company["name"], score.get("scheme"), score.get("value"), score.get("grade"), score.get("stage"),
    )  # fmt: skip


def _decided(document: Mapping[str, Any]) -> Row:
    application, decided = document["application"], document["decision"]
    request, codes = application["request"], dict.fromkeys(reason["code"] for reason in decided["reasons"])
    return (
        decided["outcome"], ";".join(codes), _two_places(request["amount"]), request["tenor_months"],
        request["purpose"], *_offered(decided), ";".join(decided["assumptions"]), decided["rules_edition"],
        document["terms"], document["submitted_by"], decided.get("campaign"),
    )  # fmt: skip


def _two_places(amount: str) -> str:
    """A request may leave the fen out; a column of amounts spells them all."""
    yuan, _, fen = amount.partition(".")
    return f"{yuan}.{fen:0<2}"


_NO_OFFER: Final[Row] = (None,) * 10


def _offered(decided: Mapping[str, Any]) -> Row:
    offer = decided["offer"]
    if offer is None:
        return _NO_OFFER
    steps = (line["step"] for line in decided["trace"] if line["decisive"] and line["step"].startswith("credit_limit."))
    subsidy, cover = offer["interest_subsidy"], offer["risk_compensation"]
    return (
        offer["credit_limit"], next(steps, None), offer["annual_rate"], offer["annual_rate_ceiling"],
        offer["all_in_annual_cost"], subsidy["net_annual_rate_at_best"], subsidy["maximum_amount"],
        cover["covered_amount"], cover["pool"], offer["expires_on"],
    )  # fmt: skip
