"""After the load: nothing that was acknowledged is missing, and every log holds together.

This is read straight from the tables, without the service.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import create_engine, func, select
from sqlalchemy.engine import Connection, make_url

from app.adapters.database.tables import ACT, CHECKPOINT, DECISION, LOG_ENTRY, LOG_HEAD, OFFER
from app.audit.merkle import Frontier, leaf_hash
from app.audit.operator_record import OPERATOR
from app.usecases.campaigns import KEY_BEGINS

_PAGE = 2_000


class Broken(Exception):
    """What was stored is not what was promised."""


def verify(database_url: str, acknowledged: Iterable[range]) -> int:
    """This function will check one database against the numbers of the applications that were answered 201, and return
    how many leaves its logs hold. Raises Broken.
    """
    engine = create_engine(_with_driver(database_url))
    with engine.connect() as connection:
        expected = {f"BENCH-{number:09d}" for numbers in acknowledged for number in numbers}
        stored = [row[0] for row in connection.execute(select(DECISION.c.application_id))]
        ours = [name for name in stored if name.startswith("BENCH-")]
        if missing := expected - set(ours):
            raise Broken(f"{len(missing)} acknowledged decisions are not stored, {min(missing)} for one")
        if len(ours) != len(expected):
            raise Broken(f"{len(ours)} decisions are stored for {len(expected)} that were acknowledged")
        heads = connection.execute(select(LOG_HEAD.c.lender, LOG_HEAD.c.size, LOG_HEAD.c.frontier)).all()
        held = {lender: _verify_log(connection, lender, size, frontier) for lender, size, frontier in heads}
        held.pop(OPERATOR, None)
        recorded = select(func.count()).select_from(ACT).where(ACT.c.lender != OPERATOR)
        leaves, acts = sum(held.values()), connection.execute(recorded).scalar_one()
        if leaves != len(stored) + acts:
            raise Broken(f"the logs hold {leaves} leaves for {len(stored)} decisions and {acts} acts")
        _verify_offers(connection)
    engine.dispose()
    return leaves


def _verify_log(connection: Connection, lender: str, size: int, frontier: bytes) -> int:
    """Indices without a gap, each leaf the hash of its record, each checkpoint the root of its size."""
    roots = dict(
        connection.execute(select(CHECKPOINT.c.size, CHECKPOINT.c.root).where(CHECKPOINT.c.lender == lender)).all()
    )
    built, met = Frontier.from_bytes(0, b""), 0
    for index, leaf, record in _leaves(connection, lender):
        if index != built.size or leaf != leaf_hash(record):
            raise Broken(f"leaf {index} of {lender}: index or hash is wrong where {built.size} is due")
        built = built.extend([leaf])
        if built.size in roots:
            met += 1
            if roots[built.size] != built.root():
                raise Broken(f"the checkpoint of {lender} at {built.size} has another root")
    if met != len(roots) or built.size != size or (size and size not in roots) or built.to_bytes() != frontier:
        raise Broken(
            f"the head of {lender} says {size}, its leaves {built.size}, with {met} of {len(roots)} checkpoints"
        )
    return built.size


def _leaves(connection: Connection, lender: str) -> Iterable[Any]:
    asked = select(LOG_ENTRY.c.index, LOG_ENTRY.c.leaf_hash, LOG_ENTRY.c.record).where(LOG_ENTRY.c.lender == lender)
    begin = 0
    while rows := connection.execute(
        asked.where(LOG_ENTRY.c.index >= begin).order_by(LOG_ENTRY.c.index).limit(_PAGE)
    ).all():
        yield from rows
        begin = rows[-1].index + 1


def _verify_offers(connection: Connection) -> None:
    # What a campaign pre-approves is an offer to nobody yet.
    asked = DECISION.c.outcome == "PRE_APPROVED", ~DECISION.c.idempotency_key.like(f"{KEY_BEGINS}%")
    approved = set(connection.scalars(select(DECISION.c.decision_id).where(*asked)))
    offered = list(connection.scalars(select(OFFER.c.decision_id)))
    if len(offered) != len(set(offered)) or set(offered) != approved:
        raise Broken(f"{len(offered)} offers stand for {len(approved)} pre-approvals")


def verify_raw(database_url: str, acknowledged: Iterable[range]) -> int:
    """This function will check that the raw rival stored each body once. Raises Broken."""
    engine = create_engine(_with_driver(database_url))
    with engine.connect() as connection:
        stored = [row[0] for row in connection.exec_driver_sql("SELECT application_id FROM taken")]
    engine.dispose()
    if sorted(stored) != sorted(f"BENCH-{number:09d}" for numbers in acknowledged for number in numbers):
        raise Broken("the raw rival did not store what it acknowledged")
    return len(stored)


def _with_driver(database_url: str) -> Any:
    url = make_url(database_url)
    return url.set(drivername="postgresql+psycopg") if url.get_backend_name() == "postgresql" else url
