"""An explanation in words: the document that is answered, and from which the page is set.

Neighbours may rely on this: every text is in the one language that was asked for; beside each text stand the exact
values as they are in the record (amounts, rates and scores as decimal strings); nothing is rounded for show.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any

from app.api.wording import (
    OUTCOMES,
    Language,
    fact_label,
    facts_text,
    in_,
    money_text,
    percent_text,
    required_text,
    step_label,
    value_text,
)
from app.audit.application import instant_text
from app.audit.record import INDICATIVE
from app.domain.decision import Step
from app.domain.money import Yuan, decimal_text, rate_text
from app.domain.terms import Words
from app.domain.trace import Basis, Reference
from app.rules.counterfactual import Change, Counterfactual, Result
from app.usecases.explain import Explanation, GateAnswered, LimitRow

_ANSWERS = {True: "PASSED", False: "FAILED", None: "UNKNOWN"}


def explanation_document(found: Explanation, language: Language) -> dict[str, Any]:
    """This function will put an explanation into words."""
    opened, decision, terms = found.opened, found.decision, found.terms
    company, request, offer = opened.application.company, opened.application.request, decision.offer
    branch = terms.branch
    return {
        "decision_id": opened.identity.decision_id,
        "application_id": opened.application.application_id,
        "language": language,
        "outcome": decision.outcome,
        "summary": " ".join(_summary(found, language)),
        "decided_on": decision.decided_on.isoformat(),
        "recorded_at": instant_text(opened.identity.recorded_at),
        "rules_edition": opened.identity.rules_edition,
        "product": {
            "id": terms.id,
            "name": in_(language, terms.name),
            "lender": in_(language, terms.lender.name),
            "branch": None if branch is None else in_(language, branch.name),
            "terms": opened.terms_digest,
        },
        "company": {"uscc": company.uscc, "name": company.name, "zone": company.zone},
        "requested_amount": request.amount.text(),
        "requested_tenor_months": request.tenor_months,
        "credit_limit": None if offer is None else offer.credit_limit.text(),
        "reasons": [
            {"code": r.code.name, "severity": r.severity, "text": in_(language, r.words), "clause": r.clause}
            for r in decision.reasons
        ],
        "limit": _limit(found, language),
        "checks": [_check(line, found, language) for line in found.checks],
        "gates": [_gate(answered, language) for answered in found.gates],
        "would_change_it": [_counterfactual(c, language) for c in found.counterfactuals],
        "sources": list(_sources(found, language)),
        "assumptions": [f.step for f in found.figures if f.reference.basis is Basis.ASSUMED],
        "note": in_(language, INDICATIVE),
        "audit_record": found.place,
    }


def _summary(found: Explanation, language: Language) -> Iterator[str]:
    decision, offer = found.decision, found.decision.offer
    if offer is None:
        said = {
            "REFERRED": Words(
                "转人工：不是拒绝，下列事项须由人员判断或补充。",
                "Referred to a person: not a decline; the points below need a person's judgement or what is missing.",
            ),
            "DECLINED": Words("拒绝：未满足下列条件。", "Declined: the conditions below are not met."),
        }
        yield in_(language, said[decision.outcome])
        return
    form = offer.form
    limit, until = money_text(offer.credit_limit, language), offer.expires_on.isoformat()
    rate = _rate_words(form.annual_rate, form.annual_rate_ceiling, language)
    yield in_(
        language,
        Words(
            f"预授信：额度 {limit}，期限 {form.tenor_months} 个月，{rate}，有效期至 {until}（含当日）。",
            f"Pre-approved: a limit of {limit} for {form.tenor_months} months, {rate}, valid to the end of {until}.",
        ),
    )
    binding = found.binding
    label = step_label(binding.step, found.terms, language)
    amount = money_text(binding.amount, language)
    yield in_(
        language, Words(f"额度由“{label}”决定：{amount}。", f"The limit was set by {label}: {amount}.")
    )


def _rate_words(rate: Decimal | None, ceiling: Decimal | None, language: Language) -> str:
    if rate is not None:
        return in_(language, Words(f"年利率 {percent_text(rate)}", f"at {percent_text(rate)} a year"))
    most = percent_text(ceiling or Decimal(0))
    return in_(language, Words(f"年利率不超过 {most}", f"at no more than {most} a year"))


def _limit(found: Explanation, language: Language) -> dict[str, Any] | None:
    if not found.limit:
        return None
    offer, binding = found.decision.offer, found.binding
    return {
        "credit_limit": None if offer is None else offer.credit_limit.text(),
        "set_by": None if binding is None else binding.step,
        "components": [_component(row, found, language) for row in found.limit],
        "rounding_unit": found.terms.credit_limit.rounding_unit.value.text(),
        "floor": found.terms.credit_limit.floor.value.text(),
    }


def _component(row: LimitRow, found: Explanation, language: Language) -> dict[str, Any]:
    return {
        "step": row.step,
        "label": step_label(row.step, found.terms, language),
        "amount": None if row.amount is None else row.amount.text(),
        "amount_text": value_text(row.step, row.amount, language),
        "binding": row.binding,
        "reckoned_from": facts_text(row.facts, language),
        "source": _source(row.reference, language),
    }


def _check(line: Step, found: Explanation, language: Language) -> dict[str, Any]:
    step, answer, facts, reference, _ = line
    passed = answer if isinstance(answer, bool) else None if answer is None else False
    return {
        "step": step,
        "label": step_label(step, found.terms, language),
        "answer": _ANSWERS[passed],
        "facts": {name: plain(value) for name, value in facts},
        "source": _source(reference, language),
    }


def _gate(answered: GateAnswered, language: Language) -> dict[str, Any]:
    gate = answered.gate
    return {
        "step": gate.path,
        "label": in_(language, gate.words),
        "fact": gate.fact,
        "fact_label": fact_label(gate.fact, language),
        "test": gate.test,
        "required": plain(gate.threshold),
        "required_text": required_text(gate.fact, gate.test, gate.threshold, language),
        "actual": plain(answered.actual),
        "actual_text": value_text(gate.fact, answered.actual, language),
        "answer": _ANSWERS[answered.answer],
        "severity": gate.severity,
        "waivable": gate.waiver is not None,
        "source": _source(gate.reference, language),
    }


# ---- what would change it -------------------------------------------------------------------------------------------


def counterfactual_text(found: Counterfactual, language: Language) -> str:
    """This function will say in a sentence what would have to be otherwise, and what would come of it."""
    changes = in_(language, Words("，且", ", and ")).join(_change_text(c, language) for c in found.changes)
    return in_(language, Words("{}：{}。", "{}: {}.")).format(changes, _result_text(found.result, language))


def result_shown(result: Result) -> dict[str, Any]:
    """This function will write what deciding again came to."""
    return {
        "outcome": result.outcome.value,
        "credit_limit": None if result.credit_limit is None else result.credit_limit.text(),
        "annual_rate": _rate(result.annual_rate),
        "annual_rate_ceiling": _rate(result.annual_rate_ceiling),
        "net_annual_rate_at_best": _rate(result.net_annual_rate_at_best),
    }


def _counterfactual(found: Counterfactual, language: Language) -> dict[str, Any]:
    return {
        "effect": "BETTER" if found.better else "WORSE",
        "text": counterfactual_text(found, language),
        "changes": [
            {
                "fact": change.fact,
                "label": fact_label(change.fact, language),
                "actual": plain(change.actual),
                "value": plain(change.value),
                "text": _change_text(change, language),
            }
            for change in found.changes
        ],
        "result": result_shown(found.result),
    }


_SPECIAL = {
    "authorisation": Words("取得在决策日有效的企业授权", "an authorisation of the company that is valid on the day"),
    "innovation_score": Words("取得 {} 体系的有效积分", "a score of the scheme {} that can be used"),
    "innovation_score.source.kind": Words(
        "积分由平台或评分表佐证", "a platform or a score sheet that vouches for the score"
    ),
    "standing": Words("在有效预授信与授信（{0}）释放后", "once what is already promised ({0}) is released"),
    "request.replaces": Words("不指明拟替换的额度", "no line named to be replaced"),
}


def _change_text(change: Change, language: Language) -> str:
    if change.fact in _SPECIAL:
        shown = change.actual if change.fact == "standing" else change.value
        return in_(language, _SPECIAL[change.fact]).format(value_text(change.fact, shown, language))
    label = fact_label(change.fact, language)
    value, actual = (value_text(change.fact, v, language) for v in (change.value, change.actual))
    if isinstance(change.value, bool) or change.actual is None or not isinstance(change.value, int | Decimal):
        verb = "为"
    else:
        verb = "达到" if change.value > change.actual else "降至"
    now = actual if change.actual is None else f" {actual}"
    return in_(language, Words(f"{label}{verb} {value}（现为{now}）", f"{label}: {value} instead of {actual}"))


def _result_text(result: Result, language: Language) -> str:
    outcome = in_(language, OUTCOMES[result.outcome])
    if result.credit_limit is None:
        return outcome
    limit, net = money_text(result.credit_limit, language), result.net_annual_rate_at_best
    said = [outcome, in_(language, Words(f"额度 {limit}", limit))]
    said.append(_rate_words(result.annual_rate, result.annual_rate_ceiling, language))
    if net not in (None, result.annual_rate, result.annual_rate_ceiling):
        best = percent_text(net)
        said.append(in_(language, Words(f"贴息后最低 {best}", f"{best} net of subsidies at best")))
    return in_(language, Words("，", ", ")).join(said)


# ---- where figures come from ----------------------------------------------------------------------------------------


def _source(reference: Reference | None, language: Language) -> dict[str, Any] | None:
    if reference is None:
        return None
    return {"basis": reference.basis, "title": reference.title, "note": _note(reference.note, language)}


def _note(note: str | None, language: Language) -> str | None:
    """Notes are written `中文 / English`; where only one stands there it serves both."""
    zh, parted, en = (note or "").partition(" / ")
    return None if note is None else en if parted and language == "en" else zh


def _sources(found: Explanation, language: Language) -> Iterator[dict[str, Any]]:
    """Each source once, published ones first, with every figure that stands on it."""
    groups: dict[tuple[Basis, str | None, str | None], list[str]] = {}
    for figure in found.figures:
        reference = figure.reference
        key = (reference.basis, reference.title, _note(reference.note, language))
        groups.setdefault(key, []).append(figure.step)
    for (basis, title, note), steps in sorted(groups.items(), key=lambda group: group[0][0] is Basis.ASSUMED):
        labels = [step_label(step, found.terms, language) for step in steps]
        yield {"basis": basis, "title": title, "note": note, "steps": steps, "labels": labels}


# ---- exact values ---------------------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """This function will write a value as JSON has it: amounts and decimals as strings, sets as sorted arrays."""
    if isinstance(value, Yuan):
        return value.text()
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, date):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else value


def _rate(rate: Decimal | None) -> str | None:
    return None if rate is None else rate_text(rate)
