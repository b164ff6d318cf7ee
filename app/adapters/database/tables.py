"""The tables, once for both databases.

Neighbours may rely on this: an amount is whole fen in a BIGINT; an instant is microseconds since 1970 in UTC in a
BIGINT and a day is ISO text, so that both sort and come back exactly on every database; bytes are bytes. A list of
codes is text such as `|A|B|`, so that `LIKE '%|A|%'` finds one without a second row a decision.

No row refers to another by FOREIGN KEY where decisions are written: all of a batch is written in one transaction from
one sealed value, and on PostgreSQL each reference would lock the row of terms that every decision of a product shares.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    and_,
    or_,
)

from app.adapters.database.column_types import Day, Instant
from app.domain.access import Scope

# Names follow a rule, so that a later migration can name what it drops on every database.
METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

_ID = String(36)
_NAME = String(255)
_DIGEST = String(80)

LOG_HEAD = Table(
    "log_head",
    METADATA,
    Column("lender", _NAME, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
    Column("recorded_at", Instant),
    PrimaryKeyConstraint("lender"),
)

# `decision_id` leads from a leaf to its decision: leaves are read in log order, and this spares the decisions an index.
LOG_ENTRY = Table(
    "log_entry",
    METADATA,
    Column("lender", _NAME, nullable=False),
    Column("index", BigInteger, nullable=False),
    Column("leaf_hash", LargeBinary, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Column("decision_id", _ID),
    PrimaryKeyConstraint("lender", "index"),
)

DECISION = Table(
    "decision",
    METADATA,
    Column("decision_id", _ID, nullable=False),
    Column("lender", _NAME, nullable=False),
    Column("index", BigInteger, nullable=False),
    Column("idempotency_key", _NAME, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("application_id", _NAME, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("supersedes", _ID),
    Column("product", _NAME, nullable=False),
    Column("branch", _NAME),
    Column("zone", _NAME, nullable=False),
    Column("uscc", String(18), nullable=False),
    Column("stage", _NAME),
    Column("score", String(64)),
    Column("outcome", String(32), nullable=False),
    Column("reasons", Text, nullable=False),
    Column("requested_amount", BigInteger, nullable=False),
    Column("credit_limit", BigInteger),
    Column("decided_on", Day, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("submitted_by", _NAME, nullable=False),
    Column("terms_digest", _DIGEST, nullable=False),
    # The answer is not kept twice: these bytes of the record, and then its place in the log.
    Column("answer_from", Integer, nullable=False),
    Column("answer_until", Integer, nullable=False),
    Column("place", LargeBinary, nullable=False),
    PrimaryKeyConstraint("decision_id"),
    # What tells rows apart comes first: an index that began with the lender would serve any question about that lender,
    # badly, and a plan made while the table was small would keep using it.
    UniqueConstraint("idempotency_key", "lender"),
    UniqueConstraint("application_id", "lender", "revision"),
    # One company's history; the list, newest first. Each index is paid for by every decision, so there are no more.
    Index(None, "uscc", "lender"),
    Index(None, "lender", "recorded_at"),
)

OFFER = Table(
    "offer",
    METADATA,
    Column("offer_id", _ID, nullable=False),
    Column("decision_id", _ID, nullable=False),
    Column("lender", _NAME, nullable=False),
    Column("application_id", _NAME, nullable=False),
    Column("product", _NAME, nullable=False),
    Column("uscc", String(18), nullable=False),
    Column("group_id", _NAME),
    Column("credit_limit", BigInteger, nullable=False),
    Column("counts_until", Day, nullable=False),
    Column("credit_approved", Boolean(create_constraint=False), nullable=False),
    Column("superseded_by", _ID),
    PrimaryKeyConstraint("offer_id"),
    Index(None, "uscc", "lender"),
    Index(None, "application_id", "lender"),
)

# What an offer counts as since its first event: what the table of offers says of it is what was decided.
CREDIT_LINE = Table(
    "credit_line",
    METADATA,
    Column("offer_id", _ID, nullable=False),
    Column("lender", _NAME, nullable=False),
    Column("credit_limit", BigInteger, nullable=False),
    Column("counts_until", Day, nullable=False),
    Column("credit_approved", Boolean(create_constraint=False), nullable=False),
    Column("outstanding", BigInteger, nullable=False),
    PrimaryKeyConstraint("offer_id"),
)

# Which company was ever seen with, or registered in, which group: leaving the group out of a request does not leave it.
GROUP_MEMBER = Table(
    "group_member",
    METADATA,
    Column("uscc", String(18), nullable=False),
    Column("lender", _NAME, nullable=False),
    Column("group_id", _NAME, nullable=False),
    Column("is_member", Boolean(create_constraint=False), nullable=False),
    PrimaryKeyConstraint("uscc", "lender", "group_id"),
    Index(None, "group_id", "lender"),
)

# What stands on a log besides decisions; what an act says is in its record.
ACT = Table(
    "act",
    METADATA,
    Column("record_id", _ID, nullable=False),
    Column("lender", _NAME, nullable=False),
    Column("index", BigInteger, nullable=False),
    Column("format", String(64), nullable=False),
    Column("idempotency_key", _NAME, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("subject", _NAME, nullable=False),
    Column("state", String(64), nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("submitted_by", _NAME, nullable=False),
    Column("answer_from", Integer, nullable=False),
    Column("answer_until", Integer, nullable=False),
    Column("place", LargeBinary, nullable=False),
    PrimaryKeyConstraint("record_id"),
    UniqueConstraint("idempotency_key", "lender", "format"),
    UniqueConstraint("lender", "index"),
    Index(None, "subject", "lender"),
    Index(None, "format", "lender", "recorded_at"),
)

TERMS = Table(
    "terms",
    METADATA,
    Column("digest", _DIGEST, nullable=False),
    Column("canonical", LargeBinary, nullable=False),
    PrimaryKeyConstraint("digest"),
)

CHECKPOINT = Table(
    "checkpoint",
    METADATA,
    Column("lender", _NAME, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", LargeBinary, nullable=False),
    PrimaryKeyConstraint("lender", "size"),
)

PREVIEW = Table(
    "preview",
    METADATA,
    Column("preview_id", _ID, nullable=False),
    Column("previewed_at", Instant, nullable=False),
    Column("previewed_by", _NAME, nullable=False),
    Column("lender", _NAME, nullable=False),
    Column("product", _NAME, nullable=False),
    Column("zone", _NAME, nullable=False),
    Column("uscc", String(18), nullable=False),
    Column("on", Day, nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("credit_limit", BigInteger),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("branch", _NAME),
    Column("previewed_for", _NAME),
    PrimaryKeyConstraint("preview_id"),
    Index(None, "uscc", "lender"),
    Index(None, "lender", "previewed_at"),
)

# `number` counts the activations; the greatest counts.
CATALOGUE_ACTIVATION = Table(
    "catalogue_activation",
    METADATA,
    Column("number", BigInteger, autoincrement=False, nullable=False),
    Column("digest", _DIGEST, nullable=False),
    Column("activated_at", Instant, nullable=False),
    Column("activated_by", _NAME, nullable=False),
    PrimaryKeyConstraint("number"),
)

LOG_EPOCH_REQUEST = Table(
    "log_epoch_request",
    METADATA,
    Column("request_id", _ID, nullable=False),
    Column("logs", LargeBinary, nullable=False),
    Column("reason", Text, nullable=False),
    Column("requested_by", _NAME, nullable=False),
    Column("requested_at", Instant, nullable=False),
    Column("opened_by", _NAME),
    PrimaryKeyConstraint("request_id"),
)

API_KEY = Table(
    "api_key",
    METADATA,
    Column("key_id", _NAME, nullable=False),
    Column("secret_sha256", LargeBinary, nullable=False),
    Column("subject", _NAME, nullable=False),
    Column("role", String(64), nullable=False),
    Column("lenders", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
    PrimaryKeyConstraint("key_id"),
)

# What searches know of blocks of a log (usecases/search_blocks.py): a code's mark, or a figure's column whose value is
# empty. `search_progress` says how many places of a log have marks, when the last decision among them was recorded, and
# how often marks were mended since they were made.
SEARCH_BLOCK = Table(
    "search_block",
    METADATA,
    Column("lender", _NAME, nullable=False),
    Column("name", String(64), nullable=False),
    Column("value", _NAME, nullable=False),
    Column("block", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
    PrimaryKeyConstraint("lender", "name", "value", "block"),
)

SEARCH_PROGRESS = Table(
    "search_progress",
    METADATA,
    Column("lender", _NAME, nullable=False),
    Column("places", BigInteger, nullable=False),
    Column("recorded_at", Instant),
    Column("mended", BigInteger, nullable=False),
    PrimaryKeyConstraint("lender"),
)

# `number` counts the changes of the keys; the greatest says which state of them somebody has seen. What was changed,
# and by whom, is in the operator's log.
KEY_CHANGE = Table(
    "key_change",
    METADATA,
    Column("number", BigInteger, autoincrement=False, nullable=False),
    Column("changed_at", Instant, nullable=False),
    PrimaryKeyConstraint("number"),
)

# `kind` is TOKEN, whose `name` is the `jti`, or SUBJECT. A change of these is a change of keys (above).
REVOKED_TOKEN = Table(
    "revoked_token",
    METADATA,
    Column("kind", String(16), nullable=False),
    Column("name", _NAME, nullable=False),
    Column("revoked_at", Instant, nullable=False),
    Column("restored_at", Instant),
    PrimaryKeyConstraint("kind", "name"),
)

# Pools are shared by lenders. `holder` is the lender whose the row is (row_security keeps holders apart); where it is
# null, the row is the pool's own capital.
_TOTALS = ("paid_in", "reserved", "committed", "compensated", "recovered", "drawn")


def _amounts(*names: str) -> tuple[Column[Any], ...]:
    return tuple(Column(name, BigInteger, nullable=False) for name in names)


# `reserved_by_day` is what of `reserved` counts until which day, such as "2027-01-20:500": time alone ends a
# reservation, and whoever asks for room must know without looking at every cover. The pool's row has sums alone and
# names nobody.
POOL = Table(
    "pool",
    METADATA,
    Column("pool_id", _NAME, nullable=False),
    *_amounts("entries", *_TOTALS),
    Column("reserved_by_day", Text, nullable=False),
    Column("lifted_at", BigInteger),
    Column("own_entries", BigInteger, nullable=False),
    PrimaryKeyConstraint("pool_id"),
)

POOL_HOLDER = Table(
    "pool_holder",
    METADATA,
    Column("pool_id", _NAME, nullable=False),
    Column("holder", _NAME, nullable=False),
    *_amounts(*_TOTALS),
    Column("entries", BigInteger, nullable=False),
    Column("reserved_by_day", Text, nullable=False),
    PrimaryKeyConstraint("pool_id", "holder"),
)

POOL_COVER = Table(
    "pool_cover",
    METADATA,
    Column("offer_id", _ID, nullable=False),
    Column("pool_id", _NAME, nullable=False),
    Column("holder", _NAME, nullable=False),
    Column("uscc", String(18), nullable=False),
    Column("decision_id", _ID, nullable=False),
    Column("share", String(32), nullable=False),
    Column("shares", Text, nullable=False),
    *_amounts("covered", "ever_covered", "outstanding", "undrawn"),
    Column("held_until", Day),
    *_amounts("promised", "drawn", "compensated"),
    Column("closed", Boolean(create_constraint=False), nullable=False),
    PrimaryKeyConstraint("offer_id"),
    Index(None, "uscc"),
)

POOL_ENTRY = Table(
    "pool_entry",
    METADATA,
    Column("pool_id", _NAME, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("holder", _NAME),
    Column("offer_id", _ID),
    Column("decision_id", _ID),
    Column("record_id", _ID, nullable=False),
    *_amounts(*_TOTALS),
    Column("value_on", Day, nullable=False),
    Column("booked_at", Instant, nullable=False),
    Column("own_number", BigInteger, nullable=False),
    PrimaryKeyConstraint("pool_id", "number"),
    Index("ix_pool_entry_pool_id_holder", "pool_id", "holder", "own_number"),
)

# What the manager of a pool that is kept elsewhere has stated of it: sums of all who share it, so that nobody holds it.
POOL_STATEMENT = Table(
    "pool_statement", METADATA, Column("record_id", _ID, nullable=False), Column("pool_id", _NAME, nullable=False),
    Column("as_of", Day, nullable=False), *_amounts(*_TOTALS), Column("reference", Text, nullable=False),
    PrimaryKeyConstraint("record_id"), Index(None, "pool_id", "as_of"),
)  # fmt: skip

POOL_CLAIM = Table(
    "pool_claim",
    METADATA,
    Column("claim_id", _ID, nullable=False),
    Column("pool_id", _NAME, nullable=False),
    Column("holder", _NAME, nullable=False),
    Column("offer_id", _ID, nullable=False),
    Column("state", String(32), nullable=False),
    *_amounts("principal", "interest"),
    Column("since", Day, nullable=False),
    Column("claimed_on", Day, nullable=False),
    Column("review_until", Day),
    Column("claimed_by", _NAME, nullable=False),
    Column("borne", Text, nullable=False),
    Column("recovered", BigInteger, nullable=False),
    PrimaryKeyConstraint("claim_id"),
    Index(None, "pool_id"),
    Index(None, "offer_id"),
)

# Whether a subsidy programme's budget is used up, by the newest act on the operator's log that says so (`record_id`). A
# budget is the installation's matter and names nobody.
SUBSIDY_BUDGET = Table(
    "subsidy_budget", METADATA, Column("programme", _NAME, nullable=False),
    Column("used_up", Boolean(create_constraint=False), nullable=False), Column("since", Day, nullable=False),
    Column("record_id", _ID, nullable=False), PrimaryKeyConstraint("programme"),
)  # fmt: skip

# What retention has removed: whoever asks for it is told so, and its leaf hash stays in the log.
PRUNED_RECORD = Table(
    "pruned_record",
    METADATA,
    Column("record_id", _ID, nullable=False),
    Column("lender", _NAME, nullable=False),
    Column("index", BigInteger, nullable=False),
    Column("pruned_at", Instant, nullable=False),
    PrimaryKeyConstraint("record_id"),
)

# What platforms and score sheets have told (usecases/score_snapshots.py): `score` is the score as a request sends it,
# the columns before it are what lists ask for. A score is counted in millionths, which is as exact as one can be sent.
SCORE_SNAPSHOT = Table(
    "score_snapshot",
    METADATA,
    Column("snapshot_id", String(64), nullable=False),
    Column("lender", _NAME, nullable=False),
    Column("zone", _NAME, nullable=False),
    Column("uscc", String(18), nullable=False),
    Column("observed_on", Day, nullable=False),
    Column("obtained_at", Instant, nullable=False),
    Column("state", String(32), nullable=False),
    Column("value_millionths", BigInteger),
    Column("stage", _NAME),
    Column("field", _NAME),
    Column("rank_position", BigInteger),
    Column("name", _NAME),
    Column("score", LargeBinary, nullable=False),
    PrimaryKeyConstraint("snapshot_id", "lender"),
    Index(None, "uscc", "lender", "zone", "observed_on"),
    Index(None, "lender", "zone", "uscc"),
)

# What an answer is put together from, in the order in which `answer_in` takes it, and how a decision finds its record.
ANSWER = (LOG_ENTRY.c.record, DECISION.c.answer_from, DECISION.c.answer_until, DECISION.c.place)
RECORDED = and_(LOG_ENTRY.c.lender == DECISION.c.lender, LOG_ENTRY.c.index == DECISION.c.index)


def seen(scope: Scope, table: Table) -> ColumnElement[bool]:
    """This function will return the condition that a row, by its lender and its branch, is within the scope."""
    whole = table.c.lender.in_([entry for entry in scope if "/" not in entry])
    parts = [entry.split("/", 1) for entry in scope if "/" in entry]
    return or_(whole, *(and_(table.c.lender == lender, table.c.branch == branch) for lender, branch in parts))
