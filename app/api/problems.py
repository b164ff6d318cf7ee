"""Problems (RFC 9457): every answer that is not the one asked for, in one table.

Neighbours may rely on this: a problem's `type` is stable and documented in docs/problems.md; its texts are Chinese
and English; it never repeats what was sent, except the name of an unknown key that is harmless; and it says what to
do next. Whoever cannot answer raises a `Problem`, or an obstacle of the use cases that `OBSTACLES` maps to one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from pydantic import ValidationError
from starlette.responses import Response

from app.api.fields import PATTERN_WORDS
from app.usecases.webhooks import MOST_ENDPOINTS

MEDIA_TYPE: Final = "application/problem+json"
MOST_ERRORS: Final = 20
_HARMLESS: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table: `detail` says what happened and what to do."""

    slug: str
    status: int
    title_zh: str
    title_en: str
    detail_zh: str
    detail_en: str

    @property
    def type(self) -> str:
        """The problem's stable name, a path below the service."""
        return f"/problems/{self.slug}"

    @property
    def title(self) -> str:
        """The problem's name in both languages."""
        return f"{self.title_zh} {self.title_en}"


_TABLE: Final = (
    Kind("malformed-json", 400, "请求体不是有效的 JSON", "The body is not valid JSON",
         "请求体须为 UTF-8 编码的一个 JSON 对象，键不得重复，不得含 NaN 或 Infinity，"
         "嵌套至多 200 层，整数至多 4300 位。请更正后重发。",
         "The body must be one JSON object in UTF-8, without duplicate keys, NaN or Infinity, nested at most 200 deep, "
         "with at most 4,300 digits in a whole number. Mend and resend it."),
    Kind("malformed-request", 400, "不是有效的 HTTP 请求", "This is no HTTP request",
         "请求行或请求头不符合 HTTP/1.1。请更正后重发。",
         "The request line or a header does not fit HTTP/1.1. Mend and resend it."),
    Kind("idempotency-key-missing", 400, "缺少 Idempotency-Key", "Idempotency-Key is missing",
         "请在请求头 Idempotency-Key 中给出贵方的唯一键；重试时使用同一键。",
         "Send a key of your own in the header Idempotency-Key, and the same one when you try again."),
    Kind("idempotency-key-malformed", 400, "Idempotency-Key 格式有误", "Idempotency-Key is malformed",
         "键为 1 至 255 个可见 ASCII 字符，可加双引号；该请求头只能出现一次。",
         "A key is 1 to 255 visible ASCII characters, bare or in double quotes; the header is sent once."),
    Kind("if-match-malformed", 400, "If-Match 格式有误", "If-Match is malformed",
         "请原样给出读取时的 ETag，例如 \"3\"（含双引号），且只出现一次；不需要时请省略。",
         "Send the ETag as it was read, such as \"3\" with its quotes, and once; or leave the header out."),
    Kind("cursor-not-valid", 400, "游标无效", "The cursor is not valid",
         "游标须原样取自同一调用者、同一组筛选条件的上一页。请从第一页重新开始。",
         "A cursor is taken as it is from the page before, of the same caller and the same filters. "
         "Start again from the first page."),
    Kind("actor-not-valid", 400, "不能指明该经办人", "This actor cannot be named",
         "请求头 Jifendai-Actor 仅限 loan_system 角色使用，至多一次：经办人工号，1 至 64 个字母、数字或 . _ @ : -，"
         "以字母或数字开头。",
         "The header Jifendai-Actor is for systems (role loan_system) and is sent once: the id of the person for whom "
         "the system speaks, 1 to 64 letters, digits or . _ @ : -, beginning with a letter or digit."),
    Kind("unauthenticated", 401, "需要有效的密钥或令牌", "A valid key or token is needed",
         "请在请求头 Authorization 中以“Bearer …”给出有效的 API 密钥（由运维人员发放）或贵行身份平台签发的令牌。",
         "Send `Bearer …` in the header Authorization, once: a valid API key, which the operator issues, or a token of "
         "your institution's identity provider."),
    Kind("forbidden", 403, "该角色无此权限", "Your role may not do this",
         "请使用具有所需角色的密钥或令牌。", "Use a key or token of a role that may."),
    Kind("not-found", 404, "未找到", "Not found",
         "没有此资源，或它不属于贵机构。请核对路径与编号。",
         "There is no such thing, or it is not your institution's. Check the path and the id."),
    Kind("method-not-allowed", 405, "不支持该方法", "The method is not allowed here",
         "请改用响应头 Allow 所列的方法。", "Use one of the methods that the header Allow names."),
    Kind("offer-already-approved", 409, "原预授信已经银行批准", "The offer is already credit-approved",
         "同一申请的预授信已由银行最终审批，不能再被取代；如需增额，请以 request.replaces 提交新申请。",
         "The bank has credit-approved the offer of this application, so it cannot be superseded; "
         "for an increase send a new application with request.replaces."),
    Kind("application-of-another-branch", 409, "该申请编号已由其他分支机构使用", "The application is another branch's",
         "本机构另一分支已就该 application_id 出具预授信，未予取代。请使用另一申请编号，或由全机构权限者提交。",
         "Another branch of your lender has an open offer under this application_id, and it was left as it is. Use "
         "another application_id, or have somebody submit it who speaks for the whole lender."),
    Kind("event-refused", 409, "该事件与授信现状不符", "The event does not fit where the offer stands",
         "未记录任何内容。offer_status 为授信现状，possible_events 为现在可报送的事件，at_most 为可行的最大金额。"
         "更正后可用同一 Idempotency-Key 重发。",
         "Nothing was recorded. `offer_status` says where the offer stands, `possible_events` what can be told now, "
         "`at_most` the amount that would fit. Mend and resend it; the same Idempotency-Key may be used again."),
    Kind("exception-refused", 409, "不能如此申请或批准破格", "This exception cannot be asked for, or settled so",
         "未记录任何内容；reason 说明原因。",
         "Nothing was recorded; `reason` says why."),
    Kind("offer-changed", 412, "授信已有新的事件", "The offer has changed meanwhile",
         "If-Match 所示版本已不是最新。请重新读取授信后再报送。",
         "The version that If-Match names is not the newest. Read the offer again, then send the event."),
    Kind("webhook-url-taken", 409, "该机构已有此接收地址", "The lender has an endpoint at this address",
         "请更改已有的端点（GET /v1/webhooks），或使用另一地址。",
         "Change the endpoint that is there (GET /v1/webhooks), or use another address."),
    Kind("too-many-webhooks", 409, "接收端点已达上限", "The lender has as many endpoints as it may",
         f"每家机构至多 {MOST_ENDPOINTS} 个。请更改或删除已有的端点（GET /v1/webhooks）。",
         f"At most {MOST_ENDPOINTS} for each lender. Change or delete one that is there (GET /v1/webhooks)."),
    Kind("webhook-changed", 412, "接收端点已被更改", "The endpoint has changed meanwhile",
         "If-Match 所示版本已不是最新。请重新读取后再更改。",
         "The version that If-Match names is not the newest. Read the endpoint again, then change it."),
    Kind("webhook-url-refused", 422, "不向此地址投递", "Nothing is sent to this address",
         "请使用公网 https 地址；内部地址须由运维列入 JIFENDAI_WEBHOOK_NETWORKS。",
         "Use a public https address; networks of your own are named in JIFENDAI_WEBHOOK_NETWORKS."),
    Kind("pool-refused", 409, "资金池的规则或现状不允许", "The pool's rules or its state stand against it",
         "未记录任何内容。reason 为原因代码，fits 为可行的金额、日期或所缺材料。更正后可用同一 Idempotency-Key 重发。",
         "Nothing was recorded. `reason` is a code, `fits` the amount or day that would fit, or what is missing. "
         "Mend and resend it; the same Idempotency-Key may be used again."),
    Kind("subsidy-refused", 409, "与贴息项目或已登记的内容不符", "It does not fit the programme, or its records",
         "未记录任何内容。reason 为原因代码，fits 为可行的内容。更正后可用同一 Idempotency-Key 重发。",
         "Nothing was recorded. `reason` is a code, `fits` what would fit. Mend and resend it; the same "
         "Idempotency-Key may be used again."),
    Kind("not-replayable", 409, "该决策无法重算", "The decision cannot be replayed",
         "其记录、条款或规则版本在此无法读取，记录可能被改动过。请运维人员执行 `jifendai verify database`，"
         "并升级到最新版本。",
         "Its record, its terms or its edition of the rules cannot be read here; they may have been changed. "
         "The operator runs `jifendai verify database`, and has the newest release."),
    Kind("pruned", 410, "该决策的保存期已满", "The decision was kept for its time, and removed",
         "其记录已按保存期规定清除；日志中保留其叶哈希，先前取得的回执仍可核验，也仍可索取回执。请勿重试。",
         "Its record was removed when the time for which it is kept was over. Its leaf hash stays in the log: receipts "
         "still verify, and can still be had. Do not ask again."),
    Kind("not-referred", 409, "该决策不是转人工", "The decision is not a referral",
         "只复核转人工的决策。预授信请在 /v1/offers/{id}/events 报送后续；拒绝的决策可补充或更正后重新提交申请。",
         "Only a referral is reviewed. What becomes of an offer is told at /v1/offers/{id}/events; after a decline the "
         "application may be sent again with what was missing or wrong."),
    Kind("already-reviewed", 409, "已有最终复核", "The referral has been reviewed",
         "该决策已由人作出最终复核，见 GET /v1/decisions/{id} 的 review。如需重新考虑，请以同一 application_id "
         "重新提交申请，形成新的决策后再复核。",
         "A person has decided finally on this referral: see `review` at GET /v1/decisions/{id}. To have it considered "
         "again, send the application again under the same application_id, and review the new decision."),
    Kind("referral-superseded", 409, "已有更新的决策", "The application has a newer decision",
         "同一 application_id 已有更新的决策，请复核最新的一项；查询：GET /v1/decisions?application_id=…",
         "There is a newer decision of the same application_id; review that one. "
         "GET /v1/decisions?application_id=… finds it."),
    Kind("not-explainable", 409, "该决策无法说明", "The decision cannot be explained",
         "只说明能够重算出同样字节的决策；该记录无法读取，或与重算结果不符。不符之处见 POST /v1/decisions/{id}/replay，"
         "并请运维人员执行 `jifendai verify database`。",
         "Only a decision that comes out with the same bytes is explained; this record is not readable, or differs. "
         "POST /v1/decisions/{id}/replay names the difference; the operator runs `jifendai verify database`."),
    Kind("campaign-refused", 409, "活动的现状不允许", "The campaign's state stands against it",
         "未作任何变动。state 为活动现状，possible 为现在可做的事。",
         "Nothing was changed. `state` says where the campaign stands, `possible` what can be done now."),
    Kind("request-timeout", 408, "请求未及时送达", "The request did not arrive in time",
         "请求头与请求体须在 10 秒内完整送达。请重发。",
         "Headers and body arrive within 10 seconds. Send it again."),
    Kind("body-too-large", 413, "请求体过大", "The body is too large",
         "请求体至多 65536 字节。请精简后重发。", "A body has at most 65,536 bytes. Shorten it and send it again."),
    Kind("uri-too-long", 414, "请求地址过长", "The address is too long",
         "路径与查询合计至多 4096 字节。", "Path and query together have at most 4,096 bytes."),
    Kind("sheet-too-large", 413, "表格过大", "The sheet is too large",
         "一份表至多 16 MiB、100,000 行。请拆分，或在服务器上用 `jifendai scores import`。",
         "A sheet has at most 16 MiB and 100,000 rows. Split it, or use `jifendai scores import` on the server."),
    Kind("unsupported-sheet-type", 415, "须为 XLSX 或 CSV 文件", "An XLSX or CSV file is needed",
         "请直接发送文件，不压缩；Content-Type 为 text/csv 或 "
         "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet。",
         "Send the file itself, uncompressed, as application/vnd.openxmlformats-officedocument.spreadsheetml.sheet or "
         "text/csv."),
    Kind("sheet-refused", 422, "无法采用该表", "Nothing of the sheet can be taken",
         "未采用任何内容。code 与 reason 说明原因与更正方法。",
         "Nothing was taken. `code` and `reason` say why, and what to do."),
    Kind("unsupported-media-type", 415, "不支持的内容类型", "The media type is not supported",
         "请以 Content-Type: application/json 发送，不压缩。",
         "Send it as Content-Type: application/json, uncompressed."),
    Kind("invalid-request", 422, "请求内容有误", "The request does not fit the contract",
         "errors 逐条列出位置与更正方法。更正后可用同一 Idempotency-Key 重发。",
         "`errors` lists each place and how to mend it. The same Idempotency-Key may be used again."),
    Kind("statistics-too-large", 422, "统计范围过大", "The statistics would take too much",
         "请缩小时间范围、指定机构，或减少分组维度。",
         "Narrow the range of time, name a lender, or group by fewer dimensions."),
    Kind("idempotency-key-reused", 422, "Idempotency-Key 已用于另一请求",
         "The Idempotency-Key was used for another body",
         "该键已绑定于内容不同的请求。新请求请使用新键；重试须与首次请求内容一致。",
         "This key is bound to a different body. Use a new key for a new request; a retry sends the first body again."),
    Kind("unknown-product", 422, "未知产品", "The product is not known",
         "没有此产品，或它不属于贵机构。可用产品见 /v1/products。",
         "There is no such product, or it is not your institution's. See /v1/products."),
    Kind("unknown-code", 422, "未知代码", "A code is not in the catalogue",
         "errors 所指位置的代码不在目录中。可用代码见 /v1/zones。",
         "The code at the place named in `errors` is not in the catalogue. See /v1/zones."),
    Kind("fact-from-the-future", 422, "所述日期晚于决策日", "A fact is dated after the decision's day",
         "errors 所指位置的日期不得晚于决策日（上海日期）。请更正该日期。",
         "The day at the place named in `errors` is never after the decision's day in Shanghai. Correct it."),
    Kind("record-too-large", 422, "记录过大", "The record would be too large",
         "该申请形成的审计记录超过 65535 字节。请缩短文字或减少证明材料。",
         "The audit record of this application would exceed 65,535 bytes. Shorten its texts or send fewer findings."),
    Kind("too-many-requests", 429, "请求过于频繁", "Too many requests",
         "已超出本实例给予该调用者的配额，见响应头 RateLimit-Policy 与 RateLimit。请在 Retry-After 之后重试。",
         "This replica's quota for the caller is used up; see the headers RateLimit-Policy and RateLimit. "
         "Try again after Retry-After."),
    Kind("headers-too-large", 431, "请求头过大", "The headers are too large",
         "请求行与请求头合计至多 32768 字节，至多 100 个。",
         "Request line and headers have at most 32,768 bytes together, and there are at most 100 of them."),
    Kind("internal-error", 500, "服务内部错误", "The service failed",
         "未作出决策，或结果未知。请用同一 Idempotency-Key 重试；若再次发生，请把响应头 X-Request-Id 告知运维人员。",
         "No decision was made, or its fate is unknown. Try again with the same Idempotency-Key; "
         "should it happen again, tell the operator the header X-Request-Id."),
    Kind("commit-unknown", 503, "提交结果未知", "It is not known whether the decision stands",
         "写入时与数据库的连接中断。请用同一 Idempotency-Key 重试，将得到同一结果。",
         "The connection to the database was lost while committing. Try again with the same Idempotency-Key: "
         "it will tell."),
    Kind("store-unavailable", 503, "数据库不可用", "The database cannot be reached",
         "未写入任何内容。请在 Retry-After 之后用同一 Idempotency-Key 重试。",
         "Nothing was written. Try again after Retry-After, with the same Idempotency-Key."),
    Kind("desk-full", 503, "请求过多", "Too many applications are waiting",
         "未写入任何内容。请在 Retry-After 之后用同一 Idempotency-Key 重试。",
         "Nothing was written. Try again after Retry-After, with the same Idempotency-Key."),
    Kind("sheets-busy", 503, "正在读取的表格已满", "As many sheets are read as may be",
         "请稍后以同一文件重试，已采用的行不会重复。", "Send the same file again later: nothing is taken twice."),
    Kind("exports-busy", 503, "导出任务过多", "Too many exports are running",
         "未导出任何内容。请在 Retry-After 之后重试，或缩小查询条件。",
         "Nothing was exported. Try again after Retry-After, or ask for less."),
    Kind("deadline-exceeded", 503, "未能及时完成", "It took too long",
         "处理时间超出上限。写操作可能已经生效：请在 Retry-After 之后用同一 Idempotency-Key 重试，将得到同一结果。",
         "The operation took longer than it may. A write may stand: try again after Retry-After, with the same "
         "Idempotency-Key, and it will tell."),
    Kind("not-ready", 503, "尚未就绪", "Not ready",
         "causes 逐一列出原因与处理办法。", "`causes` names every reason, and what to do about it."),
    Kind("tokens-unavailable", 503, "暂时无法验证令牌", "Tokens cannot be verified at present",
         "尚未取得身份平台的公钥。请在 Retry-After 之后重试，或使用 API 密钥；运维人员请检查 JIFENDAI_TOKEN_KEYS_URL。",
         "The identity provider's public keys have not been read yet. Try again after Retry-After, or use an API key; "
         "the operator checks JIFENDAI_TOKEN_KEYS_URL."),
    Kind("catalogue-not-active", 503, "没有生效的产品目录", "No catalogue is active here",
         "本实例没有现行生效的产品目录。请运维人员执行 `jifendai catalogue activate` 或更新目录文件。",
         "This instance does not have the active catalogue. The operator runs `jifendai catalogue activate` "
         "or updates the files."),
)  # fmt: skip

KINDS: Final[Mapping[str, Kind]] = {kind.slug: kind for kind in _TABLE}
RETRY_AFTER_S: Final = {
    "commit-unknown": "1",
    "store-unavailable": "2",
    "desk-full": "1",
    "exports-busy": "30",
    "sheets-busy": "15",
    "deadline-exceeded": "5",
    "not-ready": "5",
    "tokens-unavailable": "10",
    "catalogue-not-active": "5",
}
# What the framework raises by itself, by status.
BY_STATUS: Final = {404: "not-found", 405: "method-not-allowed", 413: "body-too-large", 415: "unsupported-media-type"}


class Problem(Exception):
    """An answer that is not the one asked for; `errors` say where, and never repeat what was sent."""

    def __init__(
        self,
        slug: str,
        *,
        detail: tuple[str, str] | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(slug)
        self.kind = KINDS[slug]
        self.detail = detail or (self.kind.detail_zh, self.kind.detail_en)
        self.errors = errors
        self.members = members or {}
        self.headers = {"Retry-After": RETRY_AFTER_S[slug], **(headers or {})} if slug in RETRY_AFTER_S else headers

    def with_members(self, members: Mapping[str, Any]) -> Problem:
        """This function will return the same problem with more members."""
        told = {**self.members, **members}
        return Problem(self.kind.slug, detail=self.detail, errors=self.errors, headers=self.headers, members=told)

    def body(self) -> dict[str, Any]:
        """This function will return the problem's members."""
        body: dict[str, Any] = {
            "type": self.kind.type,
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": " ".join(self.detail),
            **self.members,
        }
        if self.errors:
            body["errors"] = list(self.errors)
        return body

    def response(self) -> Response:
        """This function will return the answer to send."""
        return Response(orjson.dumps(self.body()), self.kind.status, self.headers, MEDIA_TYPE)


def error(zh: str, en: str, *, pointer: str | None = None, parameter: str | None = None) -> dict[str, Any]:
    """This function will return one entry of `errors`: a place in the body (JSON Pointer) or a query parameter, and
    what is wrong.
    """
    place = {"parameter": parameter} if parameter is not None else {"pointer": pointer or ""}
    return {**place, "message": {"zh": zh, "en": en}}


# ---- what Pydantic says, in our words --------------------------------------------------------------------------------

_WORDS: Final[dict[str, tuple[str, str]]] = {
    "missing": ("必填，请补上", "is required; add it"),
    "extra_forbidden": (
        "契约中没有此项，请删去或更正名称",
        "is not part of the contract; remove it or correct its name",
    ),
    "string_type": ("须为字符串（金额、比率与积分也写作字符串）", "must be a string (amounts, rates and scores too)"),
    "int_type": ("须为整数", "must be a whole number"),
    "int_from_float": ("须为整数", "must be a whole number"),
    "int_parsing": ("须为整数", "must be a whole number"),
    "bool_type": ("须为 true 或 false", "must be true or false"),
    "list_type": ("须为数组", "must be an array"),
    "dict_type": ("须为对象", "must be an object"),
    "model_type": ("须为对象", "must be an object"),
    "model_attributes_type": ("须为对象", "must be an object"),
    "no_such_day": ("没有这一天", "there is no such day"),
    "uscc": (
        "不是有效的统一社会信用代码：18 位，含校验位（GB 32100）；请核对",
        "is not a unified social credit code: 18 characters with a check digit (GB 32100); check it",
    ),
    "repeated": ("该参数只能出现一次", "must be given once"),
}
_LIMITS: Final[dict[str, tuple[str, str, str]]] = {
    "string_too_long": ("max_length", "至多 {} 个字符", "has at most {} characters"),
    "string_too_short": ("min_length", "至少 {} 个字符", "has at least {} characters"),
    "too_long": ("max_length", "至多 {} 项", "has at most {} entries"),
    "greater_than_equal": ("ge", "至少为 {}", "is at least {}"),
    "less_than_equal": ("le", "至多为 {}", "is at most {}"),
    "literal_error": ("expected", "须为以下之一：{}", "is one of: {}"),
    "enum": ("expected", "须为以下之一：{}", "is one of: {}"),
}
_OTHERWISE: Final = ("不符合契约，请对照 /docs", "does not fit the contract; see /docs")


def _words(kind: str, context: Mapping[str, Any]) -> tuple[str, str]:
    if kind == "string_pattern_mismatch":
        return PATTERN_WORDS.get(context["pattern"], _OTHERWISE)
    if kind in _LIMITS:
        key, zh, en = _LIMITS[kind]
        return zh.format(context[key]), en.format(context[key])
    return _WORDS.get(kind, _OTHERWISE)


def _place(location: Iterable[str | int], document: object) -> tuple[str, int | None]:
    """This function will return the JSON Pointer, cut before the first key that may not be named, and that key's
    position from 1.
    """
    pointer = ""
    for part in location:
        if part == "[key]":
            continue
        if isinstance(part, str) and _HARMLESS.fullmatch(part) is None:
            keys = list(document) if isinstance(document, dict) else []
            return pointer, keys.index(part) + 1 if part in keys else 0
        pointer += f"/{part}"
        if isinstance(document, dict):
            document = document.get(part)
        elif isinstance(document, list) and isinstance(part, int) and part < len(document):
            document = document[part]
    return pointer, None


def invalid_body(refusal: ValidationError, document: object) -> Problem:
    """This function will turn Pydantic's refusal of a body into a problem that names each place and repeats nothing
    that was sent.
    """
    errors = []
    for found in refusal.errors(include_url=False, include_input=False)[:MOST_ERRORS]:
        zh, en = _words(found["type"], found.get("ctx") or {})
        pointer, position = _place(found["loc"], document)
        if position is not None:
            zh, en = f"此对象的第 {position} 项：{zh}", f"member {position} of this object {en}"
        errors.append(error(zh, en, pointer=pointer))
    return Problem("invalid-request", errors=errors)


def invalid_query(refusal: ValidationError, sent: Sequence[str]) -> Problem:
    """This function will do the same for a query whose parameter names came in the order of `sent`."""
    errors = []
    for found in refusal.errors(include_url=False, include_input=False)[:MOST_ERRORS]:
        zh, en = _words(found["type"], found.get("ctx") or {})
        name = str(found["loc"][0]) if found["loc"] else ""
        if _HARMLESS.fullmatch(name) is None:
            position = sent.index(name) + 1 if name in sent else 0
            zh, en, name = f"第 {position} 个参数：{zh}", f"parameter {position} {en}", ""
        errors.append(error(zh, en, parameter=name))
    return Problem("invalid-request", errors=errors)


# ---- the obstacles of the use cases ----------------------------------------------------------------------------------


def obstacle_problem(obstacle: Exception) -> Problem | None:
    """This function will return the problem that an obstacle of the use cases is answered with, or None for what is
    no obstacle.
    """
    for kind in type(obstacle).__mro__:
        slug = OBSTACLES.get(kind.__name__)
        if slug is not None:
            pointer = getattr(obstacle, "pointer", None)
            found = KINDS[slug]
            errors = [error(found.title_zh, found.title_en, pointer=pointer)] if pointer else ()
            wait = getattr(obstacle, "retry_after_s", None)
            return Problem(
                slug,
                detail=getattr(obstacle, "detail", None),
                errors=errors,
                headers=None if wait is None else {"Retry-After": str(wait)},
                members=getattr(obstacle, "members", None),
            )
    return None


# By name, so that the table reads as one; a test holds every name to a class of the use cases.
OBSTACLES: Final[Mapping[str, str]] = {
    "KeyReusedWithOtherBody": "idempotency-key-reused",
    "NoSuchProduct": "unknown-product",
    "UnknownCode": "unknown-code",
    "FactFromTheFuture": "fact-from-the-future",
    "OfferAlreadyApproved": "offer-already-approved",
    "OfferOfAnotherBranch": "application-of-another-branch",
    "EventRefused": "event-refused",
    "ExceptionRefused": "exception-refused",
    "BeyondTheWaiver": "exception-refused",
    "PoolRefused": "pool-refused",
    "SubsidyRefused": "subsidy-refused",
    "OfferChanged": "offer-changed",
    "EndpointChanged": "webhook-changed",
    "UrlTaken": "webhook-url-taken",
    "TooManyEndpoints": "too-many-webhooks",
    "UrlRefused": "webhook-url-refused",
    "CatalogueNotActive": "catalogue-not-active",
    "ExportsBusy": "exports-busy",
    "SheetsBusy": "sheets-busy",
    "CampaignRefused": "campaign-refused",
    "ProductsApart": "invalid-request",
    "NotReferred": "not-referred",
    "AlreadyReviewed": "already-reviewed",
    "ReferralSuperseded": "referral-superseded",
    "RecordTooLarge": "record-too-large",
    "CommitUnknown": "commit-unknown",
    "StoreUnavailable": "store-unavailable",
    "KeysChanged": "store-unavailable",
    "ProviderUnavailable": "tokens-unavailable",
    "DeskFull": "desk-full",
}


def connection_refusals() -> dict[int, bytes]:
    """This function will return the problems of what never becomes a request, by status."""
    slugs = ("malformed-request", "request-timeout", "headers-too-large")
    return {KINDS[slug].status: orjson.dumps(Problem(slug).body()) for slug in slugs}


def documentation() -> str:
    """This function will return docs/problems.md, made from the table."""
    lines = [
        "# Problems 问题类型", "",
        "Every 4xx and 5xx is `application/problem+json` (RFC 9457). `type` never changes its meaning; `errors`, where",
        "present, names each place by JSON Pointer (`pointer`) or query parameter (`parameter`). Nothing sent is",
        "repeated. This page is made from the table in `app/api/problems.py`.", "",
        "所有 4xx 与 5xx 均为 `application/problem+json`（RFC 9457）。`type` 含义永不改变；`errors` 以 JSON Pointer",
        "或参数名指出位置；不回显任何输入。", "",
    ]  # fmt: skip
    for kind in _TABLE:
        lines += [f"## {kind.type}", "", f"**{kind.status}** {kind.title}", "", kind.detail_zh, "", kind.detail_en, ""]
    return "\n".join(lines)
