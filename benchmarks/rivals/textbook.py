"""The textbook design: FastAPI, async SQLAlchemy ORM, a row lock on the log's head, one commit a request.

What is generous to it: it decides and seals with the service's own rules and record (`seal` on a batch of one, so that
it writes the very same rows), holds the lock only for what needs it, asks three SELECTs and lets the unit of work
send one INSERT a table, reuses connections and prepared statements, hands bytes to bytea columns, and is served as the
service is, with the garbage collector frozen after start. What makes it the textbook: a session and a transaction a
request, objects for rows, a lock on the head from its SELECT to its COMMIT, and a `response_model`.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import orjson
from fastapi import Depends, FastAPI, Header, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import bindparam, or_, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from app.adapters.database import tables
from app.adapters.database.column_types import to_codes
from app.adapters.identifiers import new_uuid7
from app.adapters.signing import LogSigner
from app.api.answers import DecisionAnswer
from app.api.schemas import DecisionRequest
from app.audit.application import application_from_bytes
from app.audit.canonical import canonical_bytes
from app.domain.money import Yuan
from app.domain.standing import Commitment
from app.main import load_catalogue
from app.settings import Settings
from app.usecases.decide import Answer, seal, submission_of
from app.usecases.obstacles import Obstacle
from app.usecases.ports import BatchState, LogHead, OfferRow, Previous, Sealed, Submission, answer_in
from app.usecases.room import Room


class Base(DeclarativeBase):
    """The mapped rows: the service's own tables."""


class HeadOfLog(Base):
    """log_head."""

    __table__ = tables.LOG_HEAD


class Leaf(Base):
    """log_entry."""

    __table__ = tables.LOG_ENTRY


class DecisionMade(Base):
    """decision."""

    __table__ = tables.DECISION


class OfferMade(Base):
    """offer."""

    __table__ = tables.OFFER


class CheckpointSigned(Base):
    """checkpoint."""

    __table__ = tables.CHECKPOINT


class Application:
    """What the routes share."""

    sessions: async_sessionmaker[AsyncSession]
    room: Room
    key: str


def create_app() -> FastAPI:
    """This function will return the rival. The environment names its database, signing key and API key."""
    shared = Application()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # As many connections as help: beyond these the requests only wait for the head inside PostgreSQL instead.
        engine = create_async_engine(os.environ["BENCH_DATABASE_URL"], pool_size=16, max_overflow=0, pool_timeout=60)
        catalogue = load_catalogue(Settings())
        shared.sessions = async_sessionmaker(engine, expire_on_commit=False)
        shared.room = Room(
            catalogue, new_uuid7, LogSigner.from_file(Path(os.environ["BENCH_SIGNING_KEY"])), "bench.example"
        )
        shared.key = os.environ["BENCH_API_KEY"]
        async with shared.sessions.begin() as session:
            heads = [{"lender": lender, "size": 0, "frontier": b""} for lender in catalogue.catalog.lenders]
            await session.execute(postgresql_insert(tables.LOG_HEAD).on_conflict_do_nothing(), heads)
        yield
        await engine.dispose()

    app = FastAPI(lifespan=lifespan)
    bearer = HTTPBearer()

    async def caller(sent: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]) -> str:
        if sent.credentials != shared.key:
            raise HTTPException(401)
        return "loan_system"

    async def session() -> AsyncIterator[AsyncSession]:
        async with shared.sessions() as opened:
            yield opened

    @app.post("/v1/decisions", status_code=201, response_model=DecisionAnswer)
    async def decide(
        application: DecisionRequest,
        idempotency_key: Annotated[str, Header()],
        subject: Annotated[str, Depends(caller)],
        opened: Annotated[AsyncSession, Depends(session)],
    ) -> object:
        document = canonical_bytes(application.model_dump(exclude_none=True))
        asked = submission_of(
            document, application_from_bytes(document), idempotency_key=idempotency_key, submitted_by=subject
        )
        async with opened.begin():
            return orjson.loads(await _decided(opened, asked, shared.room))

    return app


# Built once: putting a statement together costs as much as compiling it from SQLAlchemy's cache.
_LENDER = bindparam("lender")
_HEAD = select(HeadOfLog).where(HeadOfLog.lender == _LENDER).with_for_update()
_DECIDED = (
    select(DecisionMade)
    .where(
        DecisionMade.lender == _LENDER,
        or_(
            DecisionMade.idempotency_key == bindparam("key"),
            DecisionMade.application_id == bindparam("application_id"),
        ),
    )
    .order_by(DecisionMade.revision)
)
_OFFERED = select(OfferMade).where(
    OfferMade.lender == _LENDER, OfferMade.uscc == bindparam("uscc"), OfferMade.superseded_by.is_(None)
)


async def _decided(session: AsyncSession, asked: Submission, room: Room) -> bytes:
    """Lock, read, decide, write; the caller commits."""
    application = asked.application
    given = {"lender": asked.lender, "key": asked.idempotency_key}
    given |= {"application_id": application.application_id, "uscc": application.company.uscc}
    head = (await session.scalars(_HEAD, given)).one()
    previous: dict[tuple[str, str], Previous] = {}
    for one in await session.scalars(_DECIDED, given):
        if one.idempotency_key == asked.idempotency_key:
            if one.fingerprint != asked.fingerprint:
                raise HTTPException(422)
            leaf = await session.get_one(Leaf, (one.lender, one.index))
            return answer_in(leaf.record, one.answer_from, one.answer_until, one.place)
        previous[one.lender, one.application_id] = Previous(one.decision_id, one.revision)
    offers = await session.scalars(_OFFERED, given)
    state = BatchState(
        now=datetime.now(UTC),
        edition=room.catalogue.digest,
        heads={asked.lender: LogHead(head.lender, head.size, head.frontier, head.recorded_at)},
        answered={},
        previous=previous,
        commitments=[(asked.lender, _commitment(offer)) for offer in offers],
    )
    batch = seal([asked], state, room)
    (answer,) = batch.results
    if isinstance(answer, Obstacle):
        raise HTTPException(422)
    _add(session, head, batch.sealed)
    await _keep_terms(session, batch.sealed)
    assert isinstance(answer, Answer)
    return answer.body


_TERMS_KEPT: set[str] = set()


async def _keep_terms(session: AsyncSession, sealed: Sealed) -> None:
    for digest, canonical in sealed.terms:
        if digest not in _TERMS_KEPT:
            row = {"digest": digest, "canonical": canonical}
            await session.execute(postgresql_insert(tables.TERMS).on_conflict_do_nothing(), [row])
            _TERMS_KEPT.add(digest)


def _add(session: AsyncSession, head: HeadOfLog, sealed: Sealed) -> None:
    (leaf,), (made,), (moved,), (signed,) = sealed.entries, sealed.decisions, sealed.heads, sealed.checkpoints
    head.size, head.frontier, head.recorded_at = moved.size, moved.frontier, moved.recorded_at
    session.add(
        Leaf(
            lender=leaf.lender,
            index=leaf.index,
            leaf_hash=leaf.leaf_hash,
            record=leaf.record,
            decision_id=made.decision_id,
        )
    )
    columns = {name: getattr(made, name) for name in DecisionMade.__table__.columns.keys()}
    session.add(DecisionMade(**columns | {"reasons": to_codes(made.reasons)}))
    session.add_all(OfferMade(**_offer_columns(offer)) for offer in sealed.offers)
    session.add(CheckpointSigned(lender=signed.lender, size=signed.size, root=signed.root, note=signed.note))


def _offer_columns(row: OfferRow) -> dict[str, object]:
    found = row.commitment
    return {
        "offer_id": found.offer_id,
        "decision_id": row.decision_id,
        "lender": row.lender,
        "application_id": found.application_id,
        "product": found.product,
        "uscc": found.uscc,
        "group_id": found.group_id,
        "credit_limit": int(found.credit_limit),
        "counts_until": found.counts_until,
        "credit_approved": found.credit_approved,
        "superseded_by": None,
    }


def _commitment(row: OfferMade) -> Commitment:
    return Commitment(
        offer_id=row.offer_id,
        application_id=row.application_id,
        product=row.product,
        uscc=row.uscc,
        group_id=row.group_id,
        credit_limit=Yuan(row.credit_limit),
        counts_until=row.counts_until,
        credit_approved=row.credit_approved,
    )
