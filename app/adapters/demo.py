"""The demonstration: golden cases with invented companies, decided through the real desk under fixed ids.

Neighbours may rely on this: the ids below never change, so that documentation may name them (the examples of the
OpenAPI document do); only an empty database is ever seeded; every date lies a fixed number of days before today, so
that a demonstration begun on any day is fresh. Companies, codes and figures are invented: code area 999999 is nobody's.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from app.adapters.desk import Desk
from app.adapters.identifiers import new_uuid7
from app.audit.application import application_from_bytes
from app.audit.canonical import canonical_bytes
from app.usecases.catalogue import ActiveCatalogue
from app.usecases.decide import seal, submission_of, wanted
from app.usecases.exceptions import ExceptionRefused, ExceptionRequest
from app.usecases.keys import ApiKey, KeyRing, added
from app.usecases.line_cover import pool_named_by
from app.usecases.offers import OfferEvent, pre_approval_of
from app.usecases.operator_log import OperatorRecords
from app.usecases.ports import Book, CheckpointSigner, DecisionLog, Submission
from app.usecases.room import Room

FIRST_DECISION_ID = "01990000-0000-7000-8000-000000000010"
"""Case G1, pre-approved: the one that the documentation's examples name."""
GOLDEN_DECISION_IDS = {f"G{n}": f"{FIRST_DECISION_ID[:-2]}{n}0" for n in range(1, 10)}
"""The seeded decisions by case; G8 is referred, the others are pre-approved. An offer's id ends in f instead of 0."""
DECLINED_DECISION_ID = f"{FIRST_DECISION_ID[:-3]}100"

EXCEPTION_DECISION_ID = f"{FIRST_DECISION_ID[:-3]}110"
"""Referred like G8; the second officer has asked for an exception, which another person may settle."""
EXCEPTION_RECORD_ID = "01990000-0000-7000-8000-0000000000e3"
LINE_RECORD_IDS = ("01990000-0000-7000-8000-0000000000e1", "01990000-0000-7000-8000-0000000000e2")
"""What became of G9's offer: its credit approval and a drawdown."""
SUBSIDISED_DECISION_ID = f"{FIRST_DECISION_ID[:-3]}120"
"""Pre-approved like G1, with a subsidy that the company claims; its line was approved and drawn, and interest paid."""
_SUBSIDISED_RECORD_IDS = tuple(f"01990000-0000-7000-8000-0000000001{number}" for number in ("e1", "e2", "e3"))

DEMO_KEYS = {
    "loan_system": "loan_system",
    "loan_officer": "loan_officer",
    "risk_analyst": "risk_analyst",
    "auditor": "auditor",
    "operator": "operator",
    "second_officer": "loan_officer",
}
"""The keys of a demonstration: name and role; each has a subject of its own."""


class MadeKey(Protocol):
    """What makes a key: its text, shown once, and what is stored."""

    def __call__(self, subject: str, role: str) -> tuple[str, ApiKey]: ...


@dataclass(frozen=True, slots=True)
class SeededCase:
    """One decision of the demonstration."""

    decision_id: str
    idempotency_key: str
    document: Mapping[str, Any]


def seeded_cases(today: date) -> tuple[SeededCase, ...]:
    """This function will return the golden cases and one decline, as they would be sent today."""
    return tuple(
        SeededCase(decision_id, f"demo-{case}", document(today, f"DEMO-{case}"))
        for case, decision_id, document in (
            *((case, GOLDEN_DECISION_IDS[case], document) for case, document in _GOLDEN.items()),
            ("DECLINED", DECLINED_DECISION_ID, _declined),
            ("SUBSIDISED", SUBSIDISED_DECISION_ID, _subsidised),
            # The last one tells that all were decided; others are put before it.
            ("EXCEPTION", EXCEPTION_DECISION_ID, _excepted),
        )
    )


async def seed(
    book: Book,
    decisions: DecisionLog,
    *,
    catalogue: ActiveCatalogue,
    signer: CheckpointSigner,
    log_name: str,
    today: date,
) -> int:
    """This function will decide the cases in an empty database, or go on where an earlier start was interrupted, and
    return how many were asked for.
    """
    cases = seeded_cases(today)
    lenders = sorted(catalogue.catalog.lenders)
    async for _ in decisions.every_decision():
        begun = await decisions.find(cases[0].decision_id, lenders)
        if begun is None or await decisions.find(cases[-1].decision_id, lenders) is not None:
            return 0
        break
    room = Room(catalogue, new_uuid7, signer, log_name)
    for case in cases:
        await decide_case(case, book, room)
    return len(cases)


async def decide_case(case: SeededCase, book: Book, room: Room) -> None:
    """This function will decide one case under its fixed ids."""
    ids = iter((case.decision_id, case.decision_id[:-1] + "f"))
    own = replace(room, new_id=partial(next, ids))
    reads = partial(wanted, pools=room.catalogue.pools_reserved_from)
    await Desk(book, wanted=reads, seal=partial(seal, room=own)).submit(_submission(case))


async def seed_exception(
    book: Book, decisions: DecisionLog, *, catalogue: ActiveCatalogue, signer: CheckpointSigner, log_name: str,
    today: date,
) -> None:  # fmt: skip
    """This function will ask for an exception, as the second officer, unless that was done."""
    decision = await decisions.find(EXCEPTION_DECISION_ID, ("boc",))
    if decision is None:
        return
    room = Room(catalogue, lambda: EXCEPTION_RECORD_ID, signer, log_name)
    document = {
        "gate": "gates.prior_year_revenue", "evidence": "DEMO: 同阶段排名第一 rank 1 within its stage",
        "reason": "DEMO: 研发投入期 it invests in research",
    }  # fmt: skip
    with suppress(ExceptionRefused):
        await Desk(book, wanted=wanted, seal=partial(seal, room=room)).submit(
            ExceptionRequest(
                lender="boc", subject=EXCEPTION_DECISION_ID, idempotency_key="demo-exception",
                document=canonical_bytes(document), submitted_by="demo-second-officer", decision=decision,
                person="demo-second-officer",
            )
        )  # fmt: skip


async def seed_line(
    book: Book, decisions: DecisionLog, *, catalogue: ActiveCatalogue, signer: CheckpointSigner, log_name: str,
    today: date,
) -> None:  # fmt: skip
    """This function will tell what became of two offers, unless that was done: both approved and drawn, and interest
    paid on one.
    """
    drawn = _line_events(today, approved="20000000.00", annual_rate="0.0300", drawn="5000000.00")
    subsidised = _line_events(today, approved="10000000.00", annual_rate="0.0345", drawn="10000000.00")
    paid = {"event": "REPAYMENT", **_told(today), "principal": "0.00", "interest": "958.33"}
    for name, decision_id, lender, ids, events in (
        ("line", GOLDEN_DECISION_IDS["G9"], "undisclosed", LINE_RECORD_IDS, drawn),
        ("subsidised", SUBSIDISED_DECISION_ID, "icbc", _SUBSIDISED_RECORD_IDS, (*subsidised, paid)),
    ):
        decision = await decisions.find(decision_id, (lender,))
        offer = None if decision is None else pre_approval_of(decision)
        if offer is None or offer.decided_on != today:
            continue
        room = Room(catalogue, partial(next, iter(ids)), signer, log_name)
        desk = Desk(book, wanted=wanted, seal=partial(seal, room=room))
        for number, event in enumerate(events, 1):
            await desk.submit(
                OfferEvent(
                    lender=lender, subject=offer.offer_id, idempotency_key=f"demo-{name}-{number}",
                    document=canonical_bytes(event), submitted_by="demo-loan-system", offer=offer,
                    pool=pool_named_by(decision),
                )
            )  # fmt: skip


def _told(today: date) -> dict[str, str]:
    return {"value_on": today.isoformat(), "core_reference": "DEMO"}


def _line_events(today: date, *, approved: str, annual_rate: str, drawn: str) -> tuple[dict[str, Any], ...]:
    clear = dict.fromkeys(("score_vetoed", "judgment_defaulter", "abnormal_operation", "serious_illegal"), False)
    return (
        {
            "event": "CREDIT_APPROVED", **_told(today), "approved_limit": approved, "annual_rate": annual_rate,
            "available_until": (today + timedelta(days=365)).isoformat(), "approval_reference": "DEMO-A",
            "contract_reference": "DEMO-C",
        },
        {
            "event": "DRAWDOWN", **_told(today), "amount": drawn,
            "matures_on": (today + timedelta(days=300)).isoformat(), "checks": clear,
        },
    )  # fmt: skip


async def demo_keys(ring: KeyRing, path: Path, make: MadeKey, records: OperatorRecords) -> dict[str, str]:
    """This function will return the demonstration's keys by name, from the file at `path`; those that are missing
    there, or that the database does not know, are made anew.
    """
    kept = _read_keys(path)
    known = {key.secret_sha256 for key in await ring.all_keys() if key.revoked_at is None}
    keys, new = {}, []
    for name, role in DEMO_KEYS.items():
        text = kept.get(name, "")
        if sha256(text.encode()).digest() not in known:
            text, stored = make(f"demo-{name.replace('_', '-')}", role)
            new.append(stored)
        keys[name] = text
    if new:
        await ring.change(added(*new, by="demo", records=records))
    if keys != kept:
        _write_keys(path, keys)
    return keys


def _read_keys(path: Path) -> dict[str, str]:
    try:
        kept = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return {name: text for name, text in kept.items() if isinstance(text, str)} if isinstance(kept, dict) else {}


def _write_keys(path: Path, keys: Mapping[str, str]) -> None:
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(json.dumps(keys, indent=2) + "\n")
    beside.replace(path)


def _submission(case: SeededCase) -> Submission:
    document = canonical_bytes(case.document)
    application = application_from_bytes(document)
    return submission_of(document, application, idempotency_key=case.idempotency_key, submitted_by="demo-loan-system")


# ---- the cases ------------------------------------------------------------------------------------------------------


def _application(
    today: date, application_id: str, product: str, zone: str, *,
    company: Mapping[str, Any], score: Mapping[str, Any], request: Mapping[str, Any],
    financials: Mapping[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """An application of a sound company; the case adds what it is about."""

    def ago(days: int) -> str:
        return (today - timedelta(days=days)).isoformat()

    found = {"established": True, "reference": "DEMO", "on": ago(41)}
    return {
        "application_id": application_id,
        "product": product,
        "company": {
            "zone": zone, "founded_on": ago(2_000), "in_zone_since": ago(2_000), "industry_code": "3463",
            "size": "SMALL", "employees": 45, "group_id": None,
            "qualifications": [{"code": "high-tech", "valid_until": ago(-400)}], **company,
        },
        "innovation_score": {
            "scheme": zone, "state": "SCORED", "vetoed": False, "as_of": ago(51),
            "source": {"kind": "PLATFORM_QUERY", "reference": "DEMO", "obtained_at": f"{ago(1)}T02:10:00Z"}, **score,
        },
        "financials": {
            "year": today.year - 1, "basis": "AUDITED", "revenue": "12000000.00", "previous_revenue": "9000000.00",
            "rd_expense": "4000000.00", "net_profit": "500000.00", "net_assets": "20000000.00", **(financials or {}),
        },
        "evidence": {"technology_level": found, "equity_financing_plan": found},
        "credit_history": {
            "first_loan": False, "past_due_days": 0, "credit_elsewhere": "0.00",
            "listings": {"judgment_defaulter": False, "abnormal_operation": False, "serious_illegal": False},
        },
        "authorisation": {"reference": "DEMO", "granted_on": ago(2), "valid_until": ago(-362)},
        "request": {"tenor_months": 12, "purpose": "raw-materials", **request},
    }  # fmt: skip


def _case(product: str, zone: str, **parts: Mapping[str, Any]) -> Callable[[date, str], dict[str, Any]]:
    return lambda today, application_id: _application(today, application_id, product, zone, **parts)


def _company(uscc: str, name: str, area: str, **more: Any) -> dict[str, Any]:
    return {"uscc": uscc, "name": name, "registered_area": area, **more}


_GOLDEN: Mapping[str, Callable[[date, str], dict[str, Any]]] = {
    "G1": _case(
        "icbc/suzhou-innovation-points-loan", "suzhou-snd",
        company=_company("91999999MAD0000017", "示例清源科技有限公司", "320505"),
        score={"scheme_version": "2025", "value": "68.55", "stage": "startup", "field": "resources-environment",
               "rank": {"position": 8, "within": "STAGE_AND_FIELD"}},
        request={"amount": "10000000.00"},
    ),
    "G2": _case(
        "icbc/suzhou-innovation-points-loan", "suzhou-snd",
        company=_company("91999999MAD000002A", "示例康护医疗器械有限公司", "320505"),
        score={"value": "55.20"}, financials={"revenue": "0.00", "previous_revenue": "0.00"},
        request={"amount": "5000000.00", "purpose": "research"},
    ),
    "G3": _case(
        "undisclosed/suzhou-technology-upgrade-loan", "suzhou-snd",
        company=_company("91999999MAD000003D", "示例晶能装备有限公司", "320505", size="LARGE", employees=1_800,
                         qualifications=[{"code": "national-manufacturing-champion"}]),
        score={"value": "79.16"}, financials={"revenue": "900000000.00", "previous_revenue": "800000000.00"},
        request={"amount": "100000000.00", "tenor_months": 60, "purpose": "technology-upgrade"},
    ),
    "G4": _case(
        "icbc/kunshan-innovation-points-finance", "kunshan",
        company=_company("91999999MAD000004G", "示例柏联电子科技有限公司", "320583"),
        score={"value": "72.00", "rank": {"position": 120, "within": "ZONE"}},
        request={"amount": "7000000.00"},
    ),
    "G5": _case(
        "boc/zhongkai-innovation-points-loan", "zhongkai",
        company=_company("91999999MAD000005K", "示例纳光科技有限公司", "441300"),
        score={"value": "82.00", "stage": "growth"}, financials={"revenue": "25000000.00"},
        request={"amount": "10000000.00"},
    ),
    "G6": _case(
        "undisclosed/zhongkai-innovation-points-loan", "zhongkai",
        company=_company("91999999MAD000006N", "示例聚力机械有限公司", "441300"),
        score={"value": "74.00", "stage": "growth"},
        request={"amount": "8000000.00"},
    ),
    "G7": _case(
        "shengjing/fuxin-points-loan", "fuxin",
        company=_company("91999999MAD000007R", "示例轻合金材料有限公司", "210900"),
        score={"value": "70", "grade": "B"},
        request={"amount": "7000000.00"},
    ),
    "G8": _case(
        "boc/donghu-technology-credit-loan", "donghu",
        company=_company("91999999MAD000008W", "示例灵犀医疗科技有限公司", "420100"),
        score={"value": "88.00", "stage": "maturity", "rank": {"position": 1, "within": "STAGE"}},
        financials={"revenue": "4000000.00", "previous_revenue": "15000000.00", "net_profit": "-6000000.00"},
        request={"amount": "6000000.00", "purpose": "research"},
    ),
    "G9": _case(
        "undisclosed/nanchang-innovation-points-line", "nanchang",
        company=_company("91999999MAD0000090", "示例众禾高科技有限公司", "360100"),
        score={"value": "85.00", "stage": "maturity"}, financials={"revenue": "300000000.00"},
        request={"amount": "20000000.00"},
    ),
}  # fmt: skip

_excepted = _case(
    "boc/donghu-technology-credit-loan", "donghu",
    company=_company("91999999MAD0000118", "示例光谷医疗科技有限公司", "420100"),
    score={"value": "86.00", "stage": "maturity", "rank": {"position": 1, "within": "STAGE"}},
    financials={"revenue": "5000000.00", "previous_revenue": "15000000.00"},
    request={"amount": "6000000.00", "purpose": "research"},
)

_subsidised = _case(
    "icbc/suzhou-innovation-points-loan", "suzhou-snd",
    company=_company("91999999MAD000014H", "示例远恒软件有限公司", "320505"),
    score={"value": "71.20", "stage": "startup"},
    request={"amount": "10000000.00"},
)

_declined = _case(
    "icbc/suzhou-innovation-points-loan", "suzhou-snd",
    company=_company("91999999MAD0000105", "示例低分制造有限公司", "320505"),
    score={"value": "39.99", "stage": "startup"},
    request={"amount": "3000000.00"},
)  # fmt: skip
