"""What is stored of what was promised, as whoever verifies the logs reads it, on both databases.

Neighbours may rely on this: a page of lines, their events and decisions are of one moment; nothing here takes a lock
that a writer would wait for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, and_, exists, or_, select, union

from app.adapters.database.act_statements import to_act
from app.adapters.database.acts import STORED as STORED_ACT
from app.adapters.database.decision_log import STORED, to_stored
from app.adapters.database.pool_trail import acts_until, covers_of, raw_rows
from app.adapters.database.store import Store
from app.adapters.database.tables import ACT, CREDIT_LINE, DECISION, GROUP_MEMBER, OFFER, POOL_COVER, POOL_ENTRY
from app.domain.standing import Commitment
from app.usecases.act_rows import StoredAct
from app.usecases.groups import GroupRegistered
from app.usecases.log_trail import StoredCover, StoredLine, StoredMember
from app.usecases.offers import EVENT_FORMAT
from app.usecases.replay_acts import POOL_FORMATS

_PAGE = 200


class StandingTrail:
    """Reads credit lines and groups as they are stored."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def lines(self, lender: str, after: str) -> Sequence[StoredLine]:
        """This function will return a page of the offers with a credit line, an event, a cover or an entry, by id
        behind `after`.
        """

        def found(connection: Connection) -> Sequence[StoredLine]:
            lines = select(CREDIT_LINE.c.offer_id.label("id")).where(
                CREDIT_LINE.c.lender == lender, CREDIT_LINE.c.offer_id > after
            )
            events = select(ACT.c.subject).where(
                ACT.c.lender == lender, ACT.c.format == EVENT_FORMAT, ACT.c.subject > after
            )
            covers, entries = (
                select(table.c.offer_id).where(table.c.holder == lender, table.c.offer_id > after)
                for table in (POOL_COVER, POOL_ENTRY)
            )
            page = union(lines, events, covers, entries).order_by("id").limit(_PAGE)
            return _of(connection, lender, list(connection.execute(page).scalars()))

        return await self._store.read_snapshot(found, lenders=(lender,))

    async def pool_acts(self, lender: str, since: int = 0) -> Sequence[StoredAct]:
        """This function will return the lender's acts on pools that tell of a line, in the order of the log, from the
        index `since` on.
        """
        query = STORED_ACT.where(ACT.c.lender == lender, ACT.c.format.in_(POOL_FORMATS), ACT.c.index >= since)
        query = query.order_by(ACT.c.index)
        return await self._store.read(
            lambda connection: [to_act(row) for row in connection.execute(query)], lenders=(lender,)
        )

    def stored_line(self, lender: str, commitment: Commitment) -> Mapping[str, Any]:
        """This function will return the columns that a credit line is stored as."""
        return {
            "offer_id": commitment.offer_id, "lender": lender, "credit_limit": int(commitment.credit_limit),
            "counts_until": commitment.counts_until.isoformat(), "credit_approved": commitment.credit_approved,
            "outstanding": int(commitment.outstanding),
        }  # fmt: skip

    async def members(self, lender: str, until: int) -> Sequence[StoredMember]:
        """This function will return every row of the lender's groups."""
        later = or_(
            exists().where(
                DECISION.c.uscc == GROUP_MEMBER.c.uscc, DECISION.c.lender == GROUP_MEMBER.c.lender,
                DECISION.c.index >= until,
            ),
            exists().where(
                ACT.c.subject == GROUP_MEMBER.c.group_id, ACT.c.lender == GROUP_MEMBER.c.lender,
                ACT.c.format == GroupRegistered.format, ACT.c.index >= until,
            ),
        )  # fmt: skip
        query = select(GROUP_MEMBER.c.uscc, GROUP_MEMBER.c.group_id, GROUP_MEMBER.c.is_member, later).where(
            GROUP_MEMBER.c.lender == lender
        )
        return await self._store.read(
            lambda connection: [StoredMember(*row) for row in connection.execute(query)], lenders=(lender,)
        )


def _of(connection: Connection, lender: str, ids: Sequence[str]) -> Sequence[StoredLine]:
    if not ids:
        return ()
    rows = raw_rows(connection, CREDIT_LINE, CREDIT_LINE.c.offer_id.in_(ids))
    lines = {row["offer_id"]: row for row in rows}
    acts: dict[str, list[Any]] = {}
    about = STORED_ACT.where(ACT.c.subject.in_(ids), ACT.c.lender == lender, ACT.c.format == EVENT_FORMAT)
    for act in map(to_act, connection.execute(about.order_by(ACT.c.index))):
        acts.setdefault(act.subject, []).append(act)
    made = STORED.add_columns(OFFER.c.offer_id).join(OFFER, OFFER.c.decision_id == DECISION.c.decision_id)
    decisions = {
        row[-1]: to_stored(*row[:-1])
        for row in connection.execute(made.where(OFFER.c.offer_id.in_(ids), DECISION.c.lender == lender))
    }
    later = select(OFFER.c.offer_id, DECISION.c.decision_id, DECISION.c.recorded_at).join(
        DECISION, and_(DECISION.c.decision_id == OFFER.c.superseded_by, DECISION.c.lender == OFFER.c.lender)
    )
    rows = connection.execute(later.where(OFFER.c.offer_id.in_(ids), OFFER.c.lender == lender))
    superseded = {offer_id: (by, at) for offer_id, by, at in rows}
    covers, until = covers_of(connection, lender, ids), acts_until(connection, lender)
    return [
        StoredLine(
            name, lines.get(name), acts.get(name, ()), decisions.get(name), superseded.get(name),
            covers.get(name, StoredCover()), until,
        )
        for name in ids
    ]  # fmt: skip
