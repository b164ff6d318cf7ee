"""The contract: what FastAPI reads from the signatures, completed with problems, headers, security and worked
examples.

Neighbours may rely on this: the document is a function of the routes, the catalogue and a day, so that the published
file (of `PUBLISHED_ON`) and what is served differ in the examples' dates alone; every operation names every status it
can answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from typing import Any, Final

import orjson
import yaml
from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from app.api.access import OPEN, PERMITTED, Role
from app.api.answers import ProblemAnswer
from app.api.campaign_examples import CAMPAIGN_ACTS, CAMPAIGN_ID
from app.api.examples import (
    DECISION_ID,
    EXCEPTION_ID,
    OFFER_ID,
    RECORD_ID,
    REFERRED_DECISION_ID,
    SUBSIDISED_OFFER_ID,
    Example,
    decision_examples,
    exception_examples,
    group_examples,
    offer_event_examples,
    preview_examples,
    review_examples,
    settlement_examples,
)
from app.api.operation_problems import PROBLEMS, QUOTA_HEADERS, problem_responses
from app.api.pool_examples import OPEN_CLAIM_ID, POOL_ACTS
from app.api.sheet_examples import SHEETS, sheet_content
from app.api.shelf import shelf_document
from app.api.sign_in import ACTOR_HEADER, ACTOR_PATTERN
from app.api.subsidy_examples import SUBSIDY_ACTS
from app.api.webhook_examples import ENDPOINT_ID, EVENT_ID, UNUSED_ENDPOINT_ID, WEBHOOK_ACTS
from app.audit.application import application_from_document
from app.audit.canonical import vouched_bytes
from app.audit.merkle import leaf_hash
from app.audit.record import Identity, Sources, decision_bytes, decision_within, place_bytes, record_bytes
from app.domain.standing import NOTHING_PROMISED
from app.rules.decide import EDITION, decide
from app.usecases.catalogue import ActiveCatalogue
from app.usecases.ports import answer_in
from app.usecases.preview import Previewed, previewed_document
from app.usecases.shelf import shelf_rows

PUBLISHED_ON: Final = date(2026, 11, 20)
VERSION: Final = "1.0.0"

_DESCRIPTION: Final = """\
银行侧的创新积分贷决策服务：提交企业的创新积分、成长阶段与财务数据，按产品的条款（逐项附日期与依据）给出预授信、转人工或拒绝，
并附全部原因、完整过程及审计日志中的位置。预授信仅供参考，不是银行承诺。

Decides innovation-points loans on the bank's side: send a company's innovation score, stage and figures; one product's
dated terms answer with a pre-approved offer, a referral or a decline, all reasons, the full trace, and the decision's
place in the audit log. A pre-approval is indicative, not the bank's commitment.

金额与比率为十进制字符串；日期为 ISO 8601；时刻为 UTC。缺省与 null 同义，表示未知。未知的键与参数一律拒绝。
Amounts and rates are decimal strings, dates ISO 8601, instants UTC. Absent and null are the same: unknown. Unknown keys
and parameters are refused.
"""

_TAGS: Final = (
    ("decisions", "授信决策与试算。Decisions and previews."),
    ("reviews", "转人工决策的复核。Reviews: what people decide on referrals."),
    ("pools", "风险补偿资金池。Risk-compensation pools."),
    ("campaigns", "预授信活动：预测、运行、营销清单与转化。Pre-approval campaigns."),
    ("scores", "创新积分：情况表导入。Innovation scores: sheets that come in."),
    ("subsidies", "贴息结算。Settlement of interest subsidies."),
    ("offers", "授信：审批、提款、还款等事件与现状。Offers: what core banking tells of them, and where they stand."),
    ("exceptions", "破格：一人申请，另一人审批。Exceptions: asked for by one person, settled by another."),
    ("logs", "审计日志：检查点与一致性证明。The audit logs: checkpoints and consistency proofs."),
    ("catalogue", "高新区、产品与原因代码。Zones, products and reason codes."),
    ("webhooks", "事件推送：接收端点、密钥与投递记录。Webhooks: endpoints, their secrets, and what became of events."),
    ("operations", "运行状况。Health and metrics."),
)

_DONE: Final = {
    "review_decision": "复核已记录并持久保存。Recorded and durable.",
    "decide": "已作出决策并持久保存：三种结果同为 201。Decided and durable; 201 for every outcome.",
    "request_exception": "申请已记录，待另一人审批。Recorded; another person settles it.",
    "settle_exception": "审批已记录；批准的附新决策。Recorded, with the new decision where it was approved.",
    "record_offer_event": "事件已记录并持久保存。Recorded and durable.",
    "preview": "试算结果，按优劣排列。What would be decided, best first.",
}


def openapi_document(
    routes: Iterable[BaseRoute], *, on: date = PUBLISHED_ON, catalogue: ActiveCatalogue | None = None
) -> dict[str, Any]:
    """This function will return the contract of the routes with examples of that day; with a catalogue, answers are
    shown too.
    """
    document = get_openapi(
        title="Jifendai 积分贷",
        version=VERSION,
        description=_DESCRIPTION,
        contact={"name": "Jifendai 积分贷"},
        servers=[{"url": "/", "description": "本服务。This service."}],
        tags=[{"name": name, "description": words} for name, words in _TAGS],
        routes=list(routes),
    )
    components = document["components"]
    components["securitySchemes"] = _SECURITY_SCHEMES
    schemas = components["schemas"]
    for name in ("HTTPValidationError", "ValidationError", "SheetFile"):
        schemas.pop(name, None)
    schemas["Problem"] = _problem_schema()
    answers = {} if catalogue is None else _answers(on, catalogue)
    components["examples"] = {name: {"summary": name, "value": value} for name, value in answers.items()}
    for path in document["paths"].values():
        for operation in path.values():
            _complete(operation, on, catalogue, answers)
    return _tidied(document)


def written_as_yaml(document: Mapping[str, Any]) -> str:
    """This function will write the contract as YAML, each thing written out where it stands."""
    return yaml.dump(document, Dumper=_Plain, allow_unicode=True, sort_keys=False, width=120)


class _Plain(yaml.CSafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


# ---- one operation ---------------------------------------------------------------------------------------------------


def _complete(
    operation: dict[str, Any], on: date, catalogue: ActiveCatalogue | None, answers: Mapping[str, Any]
) -> None:
    name = operation["operationId"]
    operation["security"] = [] if name in OPEN else [{scheme: []} for scheme in _SECURITY_SCHEMES]
    if Role.LOAN_SYSTEM in PERMITTED.get(name, ()):
        operation.setdefault("parameters", []).append(_ACTOR)
    if name not in OPEN:
        roles = ", ".join(role for role in Role if role in PERMITTED[name])
        operation["description"] = f"{operation['description']}\n\n角色 Roles: {roles}"
    responses = {code: shown for code, shown in operation["responses"].items() if code.startswith("2")}
    for code, shown in responses.items():
        shown["description"] = _DONE.get(name, "成功。Done.")
        shown["headers"] = _headers(name, code)
        if name == "metrics":
            shown["content"] = {"text/plain": {"schema": {"type": "string", "maxLength": 10_000_000}}}
        for shape in (found["schema"] for kind, found in shown["content"].items() if kind.startswith("text/plain")):
            shape.setdefault("maxLength", 1_000_000)
        _show(shown, _ANSWERED_BY.get(name, {}), answers)
    operation["responses"] = responses | problem_responses(PROBLEMS[name], keyed=name not in OPEN)
    for parameter in operation.get("parameters", ()):
        _complete_parameter(parameter, _EXAMPLES_OF.get(name, {}))
    if name in SHEETS:
        operation["requestBody"] = {"required": True, "content": sheet_content(name)}
    if name in _REQUESTS:
        body = operation["requestBody"]["content"]["application/json"]
        shown = [e for e in _REQUESTS[name](on) if catalogue is None or _works(e, catalogue)]
        body["examples"] = {e.name: {"summary": e.summary, "value": e.document} for e in shown}


_SECURITY_SCHEMES: Final = {
    "ApiKey": {"type": "http", "scheme": "bearer", "description": "API 密钥。An API key, such as jfd_…"},
    "Token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "贵行身份平台签发的令牌（JWT，RFC8725）。A token of your identity provider (JWT, RFC8725).",
    },
}
_ACTOR: Final = {
    "name": ACTOR_HEADER,
    "in": "header",
    "required": False,
    "description": "系统所代表的经办人工号；仅限 loan_system 角色，随决策记录。"
    "Id of the person for whom a system speaks; for the role loan_system alone, recorded with the decision.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": ACTOR_PATTERN},
}
_REQUESTS: Final = {
    "decide": decision_examples, "preview": preview_examples, "review_decision": review_examples,
    "record_offer_event": offer_event_examples, "request_exception": exception_examples,
    "settle_exception": settlement_examples,
    "register_group": group_examples, **POOL_ACTS, **CAMPAIGN_ACTS, **WEBHOOK_ACTS, **SUBSIDY_ACTS,
}  # fmt: skip
# operation -> name of the example in its drop-down -> name in components.examples
_ANSWERED_BY: Final[Mapping[str, Mapping[str, str]]] = {
    "decide": {"pre-approved": "PreApproved", "referred": "Referred", "declined": "Declined"},
    "get_decision": {"pre-approved": "PreApproved"},
    "list_decisions": {"page": "DecisionPage"},
    "preview": {"every-product": "Preview"},
}


def _works(example: Example, catalogue: ActiveCatalogue) -> bool:
    """A bank's own catalogue need not have the product or the zone that an example names."""
    if "company" not in example.document:
        return True
    product, zone = example.document.get("product"), example.document["company"]["zone"]
    return catalogue.catalog.knows_zone(zone) and (product is None or catalogue.catalog.knows_product(product))


def _show(shown: dict[str, Any], named: Mapping[str, str], answers: Mapping[str, Any]) -> None:
    found = {name: {"$ref": f"#/components/examples/{of}"} for name, of in named.items() if of in answers}
    if found:
        shown["content"]["application/json"]["examples"] = found


def _headers(name: str, code: str) -> dict[str, Any]:
    text = {"type": "string", "maxLength": 128}
    headers = {"X-Request-Id": {"description": "请求编号。Id of the request.", "schema": text}}
    if name not in OPEN:
        headers |= QUOTA_HEADERS
    if name in ("decide", "create_webhook"):
        headers["Location"] = {"description": "地址。Where it is found.", "schema": text}
    if name in _VERSIONED:
        headers["ETag"] = {"description": "版本。The version that this is.", "schema": text}
    if code == "201" and name != "create_webhook":
        headers["Idempotent-Replayed"] = {
            "description": "true：重放此前的结果。true when an earlier answer is given again.",
            "schema": {"type": "string", "enum": ["true"]},
        }
    return headers


_VERSIONED: Final = frozenset({
    "get_offer", "record_offer_event", "create_webhook", "get_webhook", "update_webhook", "rotate_webhook_secret",
})  # fmt: skip
_PARAMETER_EXAMPLES: Final = {
    "campaign_id": CAMPAIGN_ID, "offer_id": OFFER_ID, "record_id": RECORD_ID, "exception_id": EXCEPTION_ID,
    "zone": "zhongkai", "products": "boc/zhongkai-innovation-points-loan", "amount": "5000000.00", "tenor_months": 12,
    "purpose": "raw-materials",
    "group_id": "GROUP-1", "name": "illustration", "claim_id": OPEN_CLAIM_ID, "period": "2026Q4",
    "Idempotency-Key": "01990000-0000-7000-8000-0000000000aa", "decision_id": DECISION_ID, "lender": "icbc",
    "slug": "suzhou-innovation-points-loan", "from": 1, "endpoint_id": ENDPOINT_ID, "event_id": EVENT_ID,
}  # fmt: skip
_PARAMETER_WORDS: Final = {
    "decision_id": "决策编号。Id of the decision.",
    "offer_id": "授信编号（决策答复中的 offer.offer_id）。Id of the offer, as the decision answered it.",
    "record_id": "事项编号。Id of the record.",
    "exception_id": "破格申请编号。Id of the exception.",
    "claim_id": "代偿申请编号。Id of the claim.",
    "endpoint_id": "接收端点编号。Id of the endpoint.",
    "event_id": "事件编号，即 webhook-id。Id of the event: the webhook-id.",
}


# Where an operation succeeds on another resource than most.
_EXAMPLES_OF: Final[Mapping[str, Mapping[str, Any]]] = {
    "review_decision": {"decision_id": REFERRED_DECISION_ID},
    "request_exception": {"decision_id": REFERRED_DECISION_ID},
    "delete_webhook": {"endpoint_id": UNUSED_ENDPOINT_ID},
    "record_subsidy_budget": {"zone": "suzhou-snd", "name": "startup-interest-subsidy"},
    "claim_subsidy": {"offer_id": SUBSIDISED_OFFER_ID},
}


def _complete_parameter(parameter: dict[str, Any], own: Mapping[str, Any]) -> None:
    schema = parameter["schema"]
    # A query cannot say null; it leaves the parameter out.
    if "anyOf" in schema:
        (kept,) = (branch for branch in schema.pop("anyOf") if branch != {"type": "null"})
        schema.update(kept)
    parameter.setdefault("description", _PARAMETER_WORDS.get(parameter["name"], ""))
    if parameter.get("required") and parameter["name"] in _PARAMETER_EXAMPLES:
        parameter["example"] = own.get(parameter["name"], _PARAMETER_EXAMPLES[parameter["name"]])


# ---- schemas ---------------------------------------------------------------------------------------------------------


def _problem_schema() -> dict[str, Any]:
    text = {"type": "string", "maxLength": 2000}
    place = {
        "type": "object",
        "required": ["message"],
        "properties": {
            "pointer": text | {"description": "JSON Pointer（RFC 6901）：请求体中的位置。A place in the body."},
            "parameter": text | {"description": "查询参数。A query parameter."},
            "message": {"$ref": "#/components/schemas/BothLanguages"},
        },
        "description": "问题所在与更正方法。A place and how to mend it.",
    }
    schema = ProblemAnswer.model_json_schema()
    schema["properties"]["errors"] = {"type": "array", "maxItems": 20, "items": place}
    return schema


def _tidied(part: Any, *, names: bool = False) -> Any:
    """This function will drop the titles that Pydantic makes of field names and the defaults that say nothing."""
    if isinstance(part, list):
        return [_tidied(one) for one in part]
    if not isinstance(part, dict):
        return part
    if names:
        return {key: _tidied(value) for key, value in part.items()}
    return {
        key: value if key in ("example", "examples", "info") else _tidied(value, names=key in ("properties", "schemas"))
        for key, value in part.items()
        if not (key == "title" and "openapi" not in part) and not (key == "default" and value is None)
    }


# ---- answers, made by the rules themselves -------------------------------------------------------------------------


def _answers(on: date, catalogue: ActiveCatalogue) -> dict[str, Any]:
    at = datetime.combine(on, time(2, 15), UTC)
    made: dict[str, Any] = {}
    for index, (name, example) in enumerate(
        zip(("PreApproved", "Referred", "Declined"), decision_examples(on), strict=False)
    ):
        if _works(example, catalogue):
            made[name] = _answer(example, index, at, catalogue)
    if "PreApproved" in made:
        made["DecisionPage"] = {
            "items": [made["PreApproved"]], "next_cursor": None, "count": None,
            "searched": {"complete": True, "recorded_from": None, "recorded_until": None},
        }  # fmt: skip
        made["Preview"] = _shelf(decision_examples(on)[0], at, catalogue)
    return made


def _shelf(example: Example, at: datetime, catalogue: ActiveCatalogue) -> Any:
    application, on = application_from_document(example.document), at.date()
    resolved = catalogue.terms(application.product, on=on)
    decision = decide(application, resolved.terms, NOTHING_PROMISED, on)
    found = Previewed(application, decision, Sources(resolved.terms, resolved.digest, NOTHING_PROMISED, "los"))
    rows = shelf_document(shelf_rows((found,), catalogue.catalog, on))
    return {"on": on.isoformat(), "items": [previewed_document(found, at)], "shelf": rows}


def _answer(example: Example, index: int, at: datetime, catalogue: ActiveCatalogue) -> Any:
    application = application_from_document(example.document)
    resolved = catalogue.terms(application.product, on=at.date())
    decision = decide(application, resolved.terms, NOTHING_PROMISED, at.date())
    decision_id = f"{DECISION_ID[:-2]}{index + 1}0"
    identity = Identity(decision_id, f"{decision_id[:-1]}f", 1, None, at, EDITION)
    sources = Sources(resolved.terms, resolved.digest, NOTHING_PROMISED, "los")
    decided = decision_bytes(decision, application, sources, identity)
    document = vouched_bytes(example.document)
    record = record_bytes(decided, document, sources)
    leaf = leaf_hash(record)
    origin = f"bank.example/jifendai/{resolved.terms.lender.id}"
    place = place_bytes(decision_id=decision_id, origin=origin, index=index, leaf_hash=leaf)
    return orjson.loads(answer_in(record, *decision_within(decided, document), place))
