"""The tables of webhooks: endpoints, what each is owed or was, every attempt, and what is owed but stands in no log.

Neighbours may rely on this: they are part of the same METADATA, and types mean what they mean in `tables`.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from app.adapters.database.column_types import Instant
from app.adapters.database.tables import METADATA

_ID, _NAME = String(36), String(255)

# Where a lender's events go (usecases/webhooks.py). `position` is the next place of the log that the endpoint has not
# been owed; whoever delivers holds the lease, so that of several replicas one does. `secrets` are sealed.
WEBHOOK_ENDPOINT = Table(
    "webhook_endpoint",
    METADATA,
    Column("endpoint_id", _ID, nullable=False),
    Column("lender", _NAME, nullable=False),
    Column("url", String(2_000), nullable=False),
    Column("description", Text, nullable=False),
    Column("events", Text, nullable=False),
    Column("enabled", Boolean(create_constraint=False), nullable=False),
    Column("why_disabled", String(64)),
    Column("version", Integer, nullable=False),
    Column("secrets", LargeBinary, nullable=False),
    Column("secret_overlaps_until", Instant),
    Column("position", BigInteger, nullable=False),
    Column("numbered", BigInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", _NAME, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("leased_by", _NAME),
    Column("leased_until", Instant),
    PrimaryKeyConstraint("endpoint_id"),
    UniqueConstraint("lender", "url"),
)

# What an endpoint is owed, or was, until retention removes it. `number` orders what one endpoint is owed.
WEBHOOK_DELIVERY = Table(
    "webhook_delivery",
    METADATA,
    Column("endpoint_id", _ID, nullable=False),
    Column("event_id", _NAME, nullable=False),
    Column("lender", _NAME, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("type", String(64), nullable=False),
    Column("subject", _NAME, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("owed_since", Instant, nullable=False),
    Column("next_at", Instant, nullable=False),
    Column("last_outcome", String(32)),
    Column("last_status", Integer),
    Column("ended_at", Instant),
    PrimaryKeyConstraint("endpoint_id", "event_id"),
    UniqueConstraint("endpoint_id", "number"),
    Index(None, "state", "endpoint_id", "subject", "number"),
)

WEBHOOK_ATTEMPT = Table(
    "webhook_attempt",
    METADATA,
    Column("endpoint_id", _ID, nullable=False),
    Column("event_id", _NAME, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("lender", _NAME, nullable=False),
    Column("at", Instant, nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("status", Integer),
    Column("took_ms", Integer, nullable=False),
    PrimaryKeyConstraint("endpoint_id", "event_id", "attempt"),
)

# What is owed and stands in no log, such as a pool's stop: written in the transaction of what it tells of, taken out in
# the one that owes it to the endpoints. It is no one lender's row: `audience` are those who are told.
WEBHOOK_EVENT = Table(
    "webhook_event",
    METADATA,
    Column("event_id", _NAME, nullable=False),
    Column("type", String(64), nullable=False),
    Column("audience", Text, nullable=False),
    Column("subject", _NAME, nullable=False),
    Column("at", Instant, nullable=False),
    Column("data", LargeBinary, nullable=False),
    PrimaryKeyConstraint("event_id"),
)
