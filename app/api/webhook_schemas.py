"""Webhook endpoints on the wire: what is sent, and what is answered (for the documentation alone)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from app.api.answers import Answered, Count, Id, Moment, Name, NextCursor
from app.api.fields import Code, Cursor, Text, WebhookUrl
from app.api.schemas import Sent

EventName = Literal[
    "decision.made", "offer.superseded", "offer.expired", "offer.event_recorded", "pool.stopped", "campaign.finished"
]
StateName = Literal["PENDING", "DELIVERED", "DEAD"]
OutcomeName = Literal[
    "DELIVERED", "REFUSED_STATUS", "REDIRECTED", "GONE", "TIMED_OUT", "NOT_CONNECTED", "NO_ADDRESS", "ADDRESS_REFUSED",
    "TLS_FAILED", "SECRET_UNREADABLE",
]  # fmt: skip
_EVENTS = "事件类型，空或缺省为全部。Types of events; all if absent or empty."
Events = Annotated[list[EventName], Field(max_length=20)]
Status = Annotated[int, Field(ge=100, le=999, json_schema_extra={"format": "int32"})]
Milliseconds = Annotated[int, Field(ge=0, le=600_000, json_schema_extra={"format": "int32"})]
Version = Annotated[int, Field(ge=1, le=2**31 - 1, json_schema_extra={"format": "int32"})]
Url = Annotated[str, Field(max_length=1000)]
EventId = Annotated[str, Field(max_length=100)]


class WebhookSent(Sent):
    """新的接收端点。A new endpoint."""

    lender: Code = Field(description="机构代码。The lender whose events it is told.")
    url: WebhookUrl = Field(description="接收地址（https）。Where events are posted.")
    description: Text | None = Field(None, description="用途说明。What it is for.")
    events: Events | None = Field(None, description=_EVENTS)


class WebhookChangeSent(Sent):
    """要更改的项目，未给出的不变。What to change; what is absent stays."""

    url: WebhookUrl | None = Field(None, description="接收地址。Where events are posted.")
    description: Text | None = Field(None, description="用途说明。What it is for.")
    events: Events | None = Field(None, description=_EVENTS)
    enabled: bool | None = Field(
        None, description="false 为停用：其间的事件保留待投递。false disables it: what happens meanwhile stays owed."
    )


class SecretRotationSent(Sent):
    """更换密钥。A new secret."""

    overlap_hours: Annotated[int, Field(ge=0, le=168, json_schema_extra={"format": "int32"})] = Field(
        24, description="新旧密钥同时签名的小时数。For how many hours the old secret signs as well."
    )


class DeliveriesQuery(Sent):
    """Which deliveries to show, newest first."""

    model_config = Sent.model_config | {"strict": False}

    state: StateName | None = Field(None, description="投递状态。State of the delivery.")
    limit: Annotated[int, Field(ge=1, le=200, json_schema_extra={"format": "int32"})] = Field(
        50, description="每页条数，1 至 200。Rows a page, 1 to 200."
    )
    cursor: Cursor | None = Field(None, description="上一页的 next_cursor。next_cursor of the page before.")


class WebhooksQuery(Sent):
    """Whose endpoints to show, and which page of them."""

    model_config = Sent.model_config | {"strict": False}

    limit: Annotated[int, Field(ge=1, le=200, json_schema_extra={"format": "int32"})] = Field(
        50, description="每页条数，1 至 200。Rows a page, 1 to 200."
    )
    cursor: Cursor | None = Field(None, description="上一页的 next_cursor。next_cursor of the page before.")
    lender: Code | None = Field(None, description="机构代码。Lender.")


class OwedShown(Answered):
    """投递计数。How many events wait, were delivered, or are dead letters."""

    pending: Count
    delivered: Count
    dead: Count


class WebhookShown(Answered):
    """接收端点。An endpoint; its secret is never shown again."""

    endpoint_id: Id
    lender: Name
    url: Url
    description: Name
    events: Events = Field(description=_EVENTS)
    enabled: bool
    why_disabled: Literal["BY_PERSON", "GONE"] | None = Field(
        description="GONE：对方以 410 声明不再接收。GONE: it answered 410, which says for good."
    )
    version: Version
    secret_overlaps_until: Moment | None = Field(description="旧密钥签名至此。Until when the old secret signs as well.")
    created_at: Moment
    created_by: Name
    changed_at: Moment
    owed: OwedShown


class WebhookMade(WebhookShown):
    """新端点或新密钥；密钥仅显示这一次。A new endpoint or secret; the secret is shown this once."""

    secret: Annotated[str, Field(max_length=100, pattern=r"^whsec_[A-Za-z0-9+/]+=*$")]


class WebhooksAnswer(Answered):
    """接收端点，由旧到新。The endpoints, the oldest first."""

    items: Annotated[list[WebhookShown], Field(max_length=200)]
    next_cursor: NextCursor


class WebhookTested(Answered):
    """测试事件已排入投递。The test event is owed now."""

    event_id: EventId


class DeliveryShown(Answered):
    """一项投递。What an endpoint is owed, or was."""

    event_id: EventId = Field(description="即 webhook-id，重试与重放不变。The webhook-id; it stays the same.")
    number: Count
    type: Name
    subject: Name
    state: StateName
    attempts: Count
    owed_since: Moment
    next_attempt_at: Moment | None
    last_outcome: OutcomeName | None
    last_status: Status | None
    ended_at: Moment | None


class DeliveriesPage(Answered):
    """投递记录，由新到旧。Deliveries, newest first."""

    items: Annotated[list[DeliveryShown], Field(max_length=200)]
    next_cursor: NextCursor


class AttemptShown(Answered):
    """一次尝试。One attempt."""

    attempt: Count
    at: Moment
    outcome: OutcomeName
    status: Status | None
    took_ms: Milliseconds


class DeliveryRead(DeliveryShown):
    """一项投递、其内容与每次尝试。A delivery, what it says, and every attempt."""

    body: Annotated[str, Field(max_length=65_536)] = Field(description="逐字节即为所投递的内容。Just what is sent.")
    tries: Annotated[list[AttemptShown], Field(max_length=10_000)]


class Replayed(Answered):
    """重放的项数。How many are owed again."""

    replayed: Count
