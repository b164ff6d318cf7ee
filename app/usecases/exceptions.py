"""破格: one person asks that a failed gate be let go, another approves, and a new decision is made that says so.

Neighbours may rely on this: people are told apart by who they are (工号), never by key; nobody approves what he asked
for himself; a gate is let go only where the product's own terms say that it may be, of a decision that is the newest on
its application and was referred or declined. Request, approval and the new decision are records of the log; the new
decision names the original, the gate, the evidence, the authority, the amount that it covers and both people; it is not
made where it would offer more. Where a product names its authorities, only those approve, each up to its amount;
elsewhere the approver's own word is taken, and the decision says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

import orjson

from app.audit.open_record import OpenRecord, open_record
from app.domain.company import Application
from app.domain.facts import Facts
from app.domain.money import Yuan
from app.domain.standing import AuthorityBasis, Waived
from app.domain.terms import Authority, Gate, Waiver
from app.products.build import terms_from_document
from app.products.catalog import UnknownProduct
from app.rules.eligibility import may_be_waived
from app.usecases.act_rows import StoredAct
from app.usecases.acts import Act, Result, Work
from app.usecases.obstacles import BeyondTheWaiver, Obstacle
from app.usecases.ports import StoredDecision, Submission

REQUEST_FORMAT = "jifendai/exception/1"
APPROVAL_FORMAT = "jifendai/exception-approval/1"


class ExceptionState(StrEnum):
    """破格状态."""

    REQUESTED = "REQUESTED"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"


class WhyNot(StrEnum):
    """Why an exception cannot be asked for, or approved."""

    DECISION_NOT_OPEN = "DECISION_NOT_OPEN"
    DECISION_NOT_NEWEST = "DECISION_NOT_NEWEST"
    NO_SUCH_GATE = "NO_SUCH_GATE"
    GATE_DID_NOT_FAIL = "GATE_DID_NOT_FAIL"
    GATE_NOT_WAIVABLE = "GATE_NOT_WAIVABLE"
    CONDITION_NOT_MET = "CONDITION_NOT_MET"
    SETTLED_BEFORE = "SETTLED_BEFORE"
    SAME_PERSON = "SAME_PERSON"
    ABOVE_AUTHORITY = "ABOVE_AUTHORITY"
    NO_SUCH_AUTHORITY = "NO_SUCH_AUTHORITY"


class ExceptionRefused(Obstacle):
    """The exception cannot be asked for, or not approved so; nothing was recorded."""

    def __init__(self, reason: WhyNot, facts: str = "", authorities: Sequence[Authority] | None = None) -> None:
        super().__init__()
        zh, en = _WORDS[reason]
        named = () if authorities is None else [f"{one.code} ≤ {one.up_to.value.text()}" for one in authorities]
        told = "; ".join([*([facts] if facts else []), *named])
        self.detail = (
            f"{zh}{f'（{told}）' if told else ''}。未记录任何内容。",
            f"{en}{f' ({told})' if told else ''}. Nothing was recorded.",
        )
        self.members: Mapping[str, Any] = {
            "reason": reason.value, "needed": facts or None, "authorities": authorities_document(authorities),
        }  # fmt: skip
        self.reason = reason


def authorities_document(named: Sequence[Authority] | None) -> list[dict[str, Any]] | None:
    """This function will show who may approve and up to what; None where the product names nobody."""
    if named is None:
        return None
    return [
        {"code": one.code, "name": {"zh": one.name.zh, "en": one.name.en}, "up_to": one.up_to.value.text()}
        for one in named
    ]


_WORDS: Mapping[WhyNot, tuple[str, str]] = {
    WhyNot.DECISION_NOT_OPEN: (
        "只有转人工或拒绝的决策可以申请破格",
        "Only a decision that was referred or declined can have an exception",
    ),
    WhyNot.DECISION_NOT_NEWEST: (
        "该申请已有更新的决策；请对最新的决策申请",
        "There is a newer decision on this application; ask on that one",
    ),
    WhyNot.NO_SUCH_GATE: (
        "该决策的条款中没有此准入条件；条件名见决策的 trace",
        "The decision's terms have no such gate; the decision's trace names them",
    ),
    WhyNot.GATE_DID_NOT_FAIL: (
        "该准入条件并非不满足：已满足，或所需信息缺失（请补充信息后重新申请）",
        "The gate was not failed: it was met, or its fact is missing (send the fact with a new application)",
    ),
    WhyNot.GATE_NOT_WAIVABLE: ("产品条款不允许对此条件破格", "The product's terms do not let this gate be waived"),
    WhyNot.CONDITION_NOT_MET: (
        "企业不满足产品条款所列的破格条件",
        "The company does not meet what the product's terms ask for a waiver",
    ),
    WhyNot.SETTLED_BEFORE: ("该破格申请已有结论", "This exception has been settled already"),
    WhyNot.SAME_PERSON: (
        "申请人不得批准自己的申请；须由另一人（以工号区分，不以密钥区分）批准",
        "Nobody settles his own request; another person does (told apart by subject, not by key)",
    ),
    WhyNot.ABOVE_AUTHORITY: (
        "重新决策的额度高于审批人权限所及：由权限足够者批准，或以较小金额重新申请；所需权限",
        "The new limit is above what the authority covers: let somebody approve who has it, or ask for less; needed is",
    ),
    WhyNot.NO_SUCH_AUTHORITY: (
        "产品条款未列此授权；authority 须为下列代码之一",
        "The product's terms name no such authority; write one of these codes as authority",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionRequest(Act):
    """Asks that a gate be let go; its record's id is the exception's."""

    format: ClassVar[str] = REQUEST_FORMAT

    decision: StoredDecision
    person: str

    @property
    def application(self) -> Application:
        """What the decision was on: its newest decision is read with it."""
        return open_record(self.decision.record).application

    def seal_into(self, work: Work, record_id: str) -> Result:
        """This function will record the request. Raises ExceptionRefused."""
        opened, gate_name = open_record(self.decision.record), orjson.loads(self.document)["gate"]
        _refuse_closed(work, opened, self.lender)
        gate = _failed_gate(self.decision, opened, gate_name)
        waiver = gate.waiver
        shown = {
            "exception_id": record_id,
            "decision_id": self.subject,
            "gate": gate.path,
            "requested_by": self.person,
            "authority_needed": {"zh": waiver.authority.zh, "en": waiver.authority.en},
            "evidence_needed": {"zh": waiver.evidence.zh, "en": waiver.evidence.en},
            "authorities": authorities_document(waiver.authorities),
        }
        return Result(ExceptionState.REQUESTED.value, shown)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionApproval(Act):
    """Settles a request: approved, a new decision is made with the gate let go; rejected, none is."""

    format: ClassVar[str] = APPROVAL_FORMAT

    request: StoredAct
    decision: StoredDecision
    person: str

    @property
    def application(self) -> Application:
        """What is decided once more."""
        return open_record(self.decision.record).application

    def seal_into(self, work: Work, record_id: str) -> Result:
        """This function will settle the request, a new decision first. Raises ExceptionRefused and what stops a
        decision.
        """
        asked, said = orjson.loads(self.request.record), orjson.loads(self.document)
        requested_by = asked["result"]["requested_by"]
        # By person: neither another key of the same subject, nor a system that speaks for him, is another.
        if self.person in (requested_by, asked["submitted_by"]) or self.submitted_by == requested_by:
            raise ExceptionRefused(WhyNot.SAME_PERSON)
        if settlement_of(self.request, work.history(self.lender, self.subject)) is not None:
            raise ExceptionRefused(WhyNot.SETTLED_BEFORE)
        shown: dict[str, Any] = {
            "exception_id": self.request.record_id,
            "decision_id": self.subject,
            "gate": asked["document"]["gate"],
            "requested_by": requested_by,
            "settled_by": self.person,
            "authority": said["authority"],
            "authority_basis": None,
            "up_to": None,
            "new_decision": None,
        }
        if said["outcome"] == ExceptionState.REJECTED:
            return Result(ExceptionState.REJECTED.value, shown)
        opened = open_record(self.decision.record)
        _refuse_closed(work, opened, self.lender)
        waiver = self._waiver(work, opened, shown["gate"])
        basis, up_to = _covered(waiver, said, opened.application.request.amount)
        shown |= {"authority_basis": basis.value, "up_to": up_to.text()}
        waived = Waived(
            gate=shown["gate"],
            exception_id=self.request.record_id,
            original=self.subject,
            evidence=asked["document"]["evidence"],
            authority=said["authority"],
            requested_by=requested_by,
            approved_by=self.person,
            up_to=up_to,
            authority_basis=basis,
        )
        try:
            made = orjson.loads(work.decide_again(self._submission(opened), (*opened.standing.waived, waived)))
        except BeyondTheWaiver as beyond:
            needed = beyond.credit_limit.text()
            raise ExceptionRefused(WhyNot.ABOVE_AUTHORITY, needed, waiver.authorities) from None
        offer = made["offer"]
        shown["new_decision"] = {
            "decision_id": made["decision_id"],
            "outcome": made["outcome"],
            "offer_id": None if offer is None else offer["offer_id"],
        }
        return Result(ExceptionState.APPROVED.value, shown)

    def _waiver(self, work: Work, opened: OpenRecord, gate_name: str) -> Waiver:
        """The new decision is made under today's terms, so they too must let the gate go."""
        try:
            terms = work.room.catalogue.terms(opened.application.product, on=work.on).terms
        except UnknownProduct:
            raise ExceptionRefused(WhyNot.GATE_NOT_WAIVABLE) from None
        gate = next((gate for gate in terms.gates if gate.path == gate_name), None)
        if gate is None or not may_be_waived(gate, Facts(opened.application, work.on)):
            raise ExceptionRefused(WhyNot.GATE_NOT_WAIVABLE)
        return gate.waiver

    def _submission(self, opened: OpenRecord) -> Submission:
        """The application as it was sent, decided once more; no client's key holds a space."""
        record = self.decision.record
        sent = record[len(b'{"application":') : record.index(b',"decision":{')]
        key = f"exception {self.request.record_id}"
        return Submission(self.lender, key, sent, opened.application, self.submitted_by, self.submitted_for)


def _covered(waiver: Waiver, said: Mapping[str, Any], asked: Yuan) -> tuple[AuthorityBasis, Yuan]:
    """What the approver's authority covers: whoever approves without an amount approves what was asked for, and no
    more; where the product names its authorities, never more than it gives the one that is named. Raises
    ExceptionRefused.
    """
    up_to = asked if said.get("up_to") is None else Yuan.parse(said["up_to"])
    if waiver.authorities is None:
        return AuthorityBasis.APPROVER, up_to
    named = waiver.named(said["authority"])
    if named is None:
        raise ExceptionRefused(WhyNot.NO_SUCH_AUTHORITY, "", waiver.authorities)
    if said.get("up_to") is not None and up_to > named.up_to.value:
        raise ExceptionRefused(WhyNot.ABOVE_AUTHORITY, up_to.text(), waiver.authorities)
    return AuthorityBasis.PRODUCT, min(up_to, named.up_to.value)


def settlement_of(request: StoredAct, history: Sequence[StoredAct]) -> StoredAct | None:
    """This function will return the act that settled a request, if one has."""
    for act in history:
        of = orjson.loads(act.record)["result"] if act.format == APPROVAL_FORMAT else {}
        if of.get("exception_id") == request.record_id:
            return act
    return None


def exception_document(request: StoredAct, settled: StoredAct | None) -> dict[str, Any]:
    """This function will show an exception: what was asked for, by whom, and what became of it."""
    asked = orjson.loads(request.record)
    told = None if settled is None else orjson.loads(settled.record)
    return {
        "exception_id": request.record_id,
        "lender": request.lender,
        "decision_id": request.subject,
        "state": request.state if settled is None else settled.state,
        "gate": asked["document"]["gate"],
        "evidence": asked["document"]["evidence"],
        "reason": asked["document"]["reason"],
        "authority_needed": asked["result"]["authority_needed"],
        "evidence_needed": asked["result"]["evidence_needed"],
        "authorities": asked["result"].get("authorities"),
        "requested_by": asked["result"]["requested_by"],
        "requested_at": asked["result"]["recorded_at"],
        "settled_by": None if told is None else told["result"]["settled_by"],
        "settled_at": None if told is None else told["result"]["recorded_at"],
        "authority": None if told is None else told["document"]["authority"],
        "authority_basis": None if told is None else told["result"].get("authority_basis"),
        "up_to": None if told is None else told["result"].get("up_to"),
        "comment": None if told is None else told["document"].get("comment"),
        "new_decision": None if told is None else told["result"]["new_decision"],
    }


# ---- what stands against it ------------------------------------------------------------------------------------------


def _refuse_closed(work: Work, opened: OpenRecord, lender: str) -> None:
    if orjson.loads(opened.decision)["outcome"] not in ("REFERRED", "DECLINED"):
        raise ExceptionRefused(WhyNot.DECISION_NOT_OPEN)
    if work.newest_decision(lender, opened.application.application_id) != opened.identity.decision_id:
        raise ExceptionRefused(WhyNot.DECISION_NOT_NEWEST)


def _failed_gate(decision: StoredDecision, opened: OpenRecord, name: str) -> Gate:
    """The gate of that path, as the decision's own terms have it, if it failed and may be let go."""
    terms = terms_from_document(orjson.loads(decision.terms))
    gate = next((gate for gate in terms.gates if gate.path == name), None)
    if gate is None:
        raise ExceptionRefused(WhyNot.NO_SUCH_GATE)
    lines = [line for line in orjson.loads(opened.decision)["trace"] if line["step"] == name]
    waived = {one.gate for one in opened.standing.waived}
    if name in waived or not any(line["answer"] is False for line in lines):
        raise ExceptionRefused(WhyNot.GATE_DID_NOT_FAIL)
    if gate.waiver is None:
        raise ExceptionRefused(WhyNot.GATE_NOT_WAIVABLE)
    if not may_be_waived(gate, Facts(opened.application, opened.decided_on)):
        raise ExceptionRefused(WhyNot.CONDITION_NOT_MET)
    return gate
