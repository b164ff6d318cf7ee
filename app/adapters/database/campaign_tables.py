"""The tables of campaigns: each campaign, its list, and what was decided of it.

Neighbours may rely on this: a list and its results are only added to; a campaign's row is changed by acts, by its
forecast, and by the progress of its run.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, LargeBinary, PrimaryKeyConstraint, String, Table, Text

from app.adapters.database.column_types import Instant
from app.adapters.database.tables import METADATA

ID, NAME = String(36), String(255)

# `done` of companies × products are decided; the state changes by acts alone, and by the forecast that is made.
CAMPAIGN = Table(
    "campaign",
    METADATA,
    Column("campaign_id", ID, nullable=False),
    Column("lender", NAME, nullable=False),
    Column("branch", NAME),
    Column("name", NAME, nullable=False),
    Column("zone", NAME, nullable=False),
    Column("state", String(32), nullable=False),
    Column("products", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", NAME, nullable=False),
    Column("source", LargeBinary, nullable=False),
    *(
        Column(name, BigInteger, nullable=False)
        for name in (
            "companies", "done", "pre_approved", "referred", "declined", "not_decided", "pre_approved_limit",
            "forecast_done",
        )
    ),
    Column("forecast", LargeBinary),
    PrimaryKeyConstraint("campaign_id"),
    Index(None, "lender", "created_at"),
)  # fmt: skip

CAMPAIGN_COMPANY = Table(
    "campaign_company",
    METADATA,
    Column("campaign_id", ID, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("lender", NAME, nullable=False),
    Column("uscc", String(18), nullable=False),
    Column("document", LargeBinary, nullable=False),
    PrimaryKeyConstraint("campaign_id", "number"),
)

CAMPAIGN_RESULT = Table(
    "campaign_result",
    METADATA,
    Column("campaign_id", ID, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("lender", NAME, nullable=False),
    Column("uscc", String(18), nullable=False),
    Column("product", NAME, nullable=False),
    Column("decision_id", ID),
    Column("outcome", String(32)),
    Column("credit_limit", BigInteger),
    Column("problem", NAME),
    PrimaryKeyConstraint("campaign_id", "number"),
)
