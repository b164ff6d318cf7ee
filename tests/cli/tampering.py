"""What somebody with every right in the database, and without the signing key, may do to one lender's log.

Neighbours may rely on this: an `Intruder` works on both databases, and leaves the tables as consistent as it can.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, Table, create_engine, delete, insert, select, update

from app.adapters.database import open_database
from app.adapters.database.store import EVERY_LENDER, database_url
from app.adapters.database.tables import CHECKPOINT, DECISION, LOG_ENTRY, LOG_HEAD, METADATA, OFFER, TERMS
from app.audit.checkpoint import Signer, sign_checkpoint
from app.audit.merkle import Frontier, leaf_hash
from app.audit.record import place_bytes
from tests.cli.conftest import Outcome
from tests.postgres import as_owner

Rows = dict[str, list[dict[str, Any]]]
Sign = Callable[[str, int, bytes], bytes]


Tampering = Callable[[Connection], object]


@dataclass
class Installation:
    """A demonstration with some history, and what verifies it."""

    url: str
    verify: Callable[[], Outcome]

    def tamper(self, *changes: Tampering) -> None:
        """This function will change rows as their owner."""

        def change(connection: Connection) -> None:
            for one in changes:
                one(connection)

        async def changing() -> None:
            database = open_database(as_owner(self.url))
            try:
                await database._store.write(change, lenders=EVERY_LENDER)
            finally:
                await database.close()

        asyncio.run(changing())


class Intruder:
    """Somebody inside one transaction on the database."""

    def __init__(self, connection: Connection, origin: str) -> None:
        self._connection = connection
        self.origin = origin
        self.lender = origin.rpartition("/")[2]

    def run(self, statement: Any) -> Any:
        """This function will carry out a statement."""
        return self._connection.execute(statement)

    def of(self, statement: Any, table: Table, index: int | None = None) -> Any:
        """This function will narrow a statement to the lender's rows, or to its row at one index."""
        narrowed = statement.where(table.c.lender == self.lender)
        return narrowed if index is None else narrowed.where(table.c.index == index)

    def entry(self, index: int) -> dict[str, Any]:
        """This function will return the entry at the index."""
        return dict(self.run(self.of(select(LOG_ENTRY), LOG_ENTRY, index)).mappings().one())

    def size(self) -> int:
        """This function will return how many entries there are."""
        return len(self.run(self.of(select(LOG_ENTRY.c.index), LOG_ENTRY)).all())

    def set_entry(self, index: int, **values: Any) -> None:
        """This function will change the entry at the index."""
        self.run(self.of(update(LOG_ENTRY), LOG_ENTRY, index).values(**values))

    def change_record(self, index: int = 1) -> None:
        """This function will make the record another one of the same length."""
        record = bytes(self.entry(index)["record"])
        self.set_entry(index, record=record.replace(b'"tenor_months":12', b'"tenor_months":21', 1))

    def delete_record(self, index: int = 1) -> None:
        """This function will remove the record and its decision."""
        self.run(delete(DECISION).where(DECISION.c.decision_id == self.entry(index)["decision_id"]))
        self.run(self.of(delete(LOG_ENTRY), LOG_ENTRY, index))

    def move(self, old: int, new: int) -> None:
        """This function will give a record and its decision another index."""
        self.run(self.of(update(LOG_ENTRY), LOG_ENTRY, old).values(index=new))
        self.run(self.of(update(DECISION), DECISION, old).values(index=new))

    def delete_record_and_close_the_gap(self) -> None:
        """This function will remove a record and move those behind it."""
        last = self.size()
        self.delete_record(1)
        for index in range(2, last):
            self.move(index, index - 1)
        self.rebuild()

    def insert_record(self) -> None:
        """This function will put a copy of a record in front of the last ones."""
        for index in reversed(range(1, self.size())):
            self.move(index, index + 1)
        self.run(insert(LOG_ENTRY).values(self.entry(0) | {"index": 1}))
        self.rebuild()

    def insert_record_at_the_end(self) -> None:
        """This function will add a copy of a record."""
        self.run(insert(LOG_ENTRY).values(self.entry(0) | {"index": self.size()}))

    def swap_bytes(self) -> None:
        """This function will exchange what two entries hold, and leave their leaf hashes."""
        one, other = self.entry(1), self.entry(2)
        self.set_entry(1, record=other["record"])
        self.set_entry(2, record=one["record"])

    def swap_entries(self) -> None:
        """This function will exchange two entries, leaf hashes included."""
        self.run(self.of(update(LOG_ENTRY), LOG_ENTRY, 1).values(index=-1))
        self.run(self.of(update(LOG_ENTRY), LOG_ENTRY, 2).values(index=1))
        self.run(self.of(update(LOG_ENTRY), LOG_ENTRY, -1).values(index=2))

    def swap_entries_and_their_decisions(self) -> None:
        """This function will exchange two entries and whatever names their place."""
        self.move(1, -1)
        self.move(2, 1)
        self.move(-1, 2)
        self.rebuild()

    def truncate(self) -> None:
        """This function will remove the newest record and nothing else."""
        self.delete_record(self.size() - 1)

    def truncate_whole(self) -> None:
        """This function will remove the newest record, its checkpoint, and set the head back."""
        self.truncate()
        self.run(self.of(delete(CHECKPOINT), CHECKPOINT).where(CHECKPOINT.c.size > self.size()))
        self.rebuild_head()

    def rebuild(self, sign: Sign | None = None) -> None:
        """This function will make leaf hashes, places, head and every checkpoint anew; the notes by `sign`, or left."""
        size = self.size()
        tree, roots = Frontier(), {}
        for index in range(size):
            found = self.entry(index)
            leaf = leaf_hash(bytes(found["record"]))
            tree = tree.append(leaf)
            roots[index + 1] = tree.root()
            self.set_entry(index, leaf_hash=leaf)
            decision_id = found["decision_id"]
            place = place_bytes(decision_id=decision_id, origin=self.origin, index=index, leaf_hash=leaf)
            sent = bytes(found["record"]).partition(b',"decision":{')[0].removeprefix(b'{"application":')
            self.run(
                update(DECISION).where(DECISION.c.decision_id == decision_id)
                .values(place=place, fingerprint=sha256(sent).digest())
            )  # fmt: skip
        for row in self.run(self.of(select(CHECKPOINT), CHECKPOINT)).mappings().all():
            values = {"root": roots.get(row["size"], row["root"])}
            if sign is not None:
                values["note"] = sign(self.origin, row["size"], values["root"])
            here = self.of(update(CHECKPOINT), CHECKPOINT).where(CHECKPOINT.c.size == row["size"])
            self.run(here.values(**values))
        self.rebuild_head()

    def rebuild_head(self) -> None:
        """This function will make the head that the entries lead to."""
        leaves = [bytes(self.entry(index)["leaf_hash"]) for index in range(self.size())]
        tree = Frontier().extend(leaves)
        self.run(self.of(update(LOG_HEAD), LOG_HEAD).values(size=tree.size, frontier=tree.to_bytes()))

    def change_and_rebuild(self) -> None:
        """This function will change a record and make anew what needs no key."""
        self.change_record()
        self.rebuild()

    def change_and_rebuild_with_another_key(self) -> None:
        """This function will change a record and sign all that follows from it by a key of the log's name."""
        signer = Signer(self.origin, Ed25519PrivateKey.generate())
        self.change_record()
        self.rebuild(lambda origin, size, root: sign_checkpoint(origin, size, root, signer))

    def rebuild_and_remove_the_checkpoints(self) -> None:
        """This function will change a record and leave nothing that was signed."""
        self.change_and_rebuild()
        self.run(self.of(delete(CHECKPOINT), CHECKPOINT))

    def set_a_checkpoint_back(self) -> None:
        """This function will put an earlier checkpoint's note in the place of the newest."""
        notes = self.run(self.of(select(CHECKPOINT), CHECKPOINT).order_by(CHECKPOINT.c.size)).mappings().all()
        newest = self.of(update(CHECKPOINT), CHECKPOINT).where(CHECKPOINT.c.size == notes[-1]["size"])
        self.run(newest.values(note=notes[-2]["note"]))

    def change_a_decision(self) -> None:
        """This function will let a decision be answered from the record of another."""
        one, other = self.entry(1), self.entry(2)
        self.run(update(DECISION).where(DECISION.c.decision_id == one["decision_id"]).values(index=-1))
        self.run(update(DECISION).where(DECISION.c.decision_id == other["decision_id"]).values(index=1))

    def remove_from_the_list(self) -> None:
        """This function will remove a decision, and leave its record."""
        self.run(self.of(delete(DECISION), DECISION, 1))

    def insert_decision(self) -> None:
        """This function will list a decision that was never made."""
        row = dict(self.run(self.of(select(DECISION), DECISION, 1)).mappings().one())
        new = {"decision_id": "invented", "idempotency_key": "invented", "application_id": "invented"}
        self.run(insert(DECISION).values(row | new))

    def change_an_answer(self) -> None:
        """This function will let an answer name another place in the log."""
        place = bytes(self.run(self.of(select(DECISION.c.place), DECISION, 1)).scalar_one())
        self.run(self.of(update(DECISION), DECISION, 1).values(place=place.replace(b'"index":1', b'"index":2')))

    def change_the_terms(self) -> None:
        """This function will change one figure in the terms of every product."""
        for row in self.run(select(TERMS)).all():
            changed = bytes(row.canonical).replace(b"1", b"2", 1)
            self.run(update(TERMS).where(TERMS.c.digest == row.digest).values(canonical=changed))

    def remove_the_terms(self) -> None:
        """This function will remove the terms of every product."""
        self.run(delete(TERMS))

    def spoil_a_leaf_hash(self) -> None:
        """This function will leave something in a hash's place that is none."""
        self.set_entry(1, leaf_hash=b"none")

    def remove_the_head(self) -> None:
        """This function will remove what the next record is joined to."""
        self.run(self.of(delete(LOG_HEAD), LOG_HEAD))

    def invent_a_lender(self) -> None:
        """This function will write an entry for a lender whose name cannot be one."""
        self.run(insert(LOG_ENTRY).values(self.entry(0) | {"lender": "No lender+"}))

    def newest(self, table: Table) -> dict[str, Any]:
        """This function will return the newest decision that made an offer, or that offer."""
        of_offer = select(OFFER).where(OFFER.c.lender == self.lender).order_by(OFFER.c.offer_id.desc())
        offer = dict(self.run(of_offer).mappings().first())
        if table is OFFER:
            return offer
        return dict(self.run(select(table).where(table.c.decision_id == offer["decision_id"])).mappings().one())

    def change_a_column(self, table: Table, column: str) -> None:
        """This function will let one column of a decision's row, or of an offer's, say something else."""
        row = self.newest(table)
        key = next(iter(table.primary_key.columns))
        value = _something_else(row[column])
        self.run(update(table).where(key == row[key.name]).values({column: value}))

    def close_an_offer(self) -> None:
        """This function will say that an open offer was superseded, so that its room looks free."""
        row = self.newest(OFFER)
        self.run(update(OFFER).where(OFFER.c.offer_id == row["offer_id"]).values(superseded_by=row["decision_id"]))

    def remove_an_offer(self) -> None:
        """This function will remove an open offer."""
        self.run(delete(OFFER).where(OFFER.c.offer_id == self.newest(OFFER)["offer_id"]))

    def insert_an_offer(self) -> None:
        """This function will add a copy of an offer under a decision's name."""
        self.run(insert(OFFER).values(self.newest(OFFER) | {"offer_id": "invented"}))

    def insert_an_offer_of_no_decision(self) -> None:
        """This function will add an offer that nobody decided."""
        self.run(insert(OFFER).values(self.newest(OFFER) | {"offer_id": "invented", "decision_id": "invented"}))

    def change_the_head(self) -> None:
        """This function will spoil what the next record is joined to."""
        head = bytes(self.run(self.of(select(LOG_HEAD.c.frontier), LOG_HEAD)).scalar_one())
        self.run(self.of(update(LOG_HEAD), LOG_HEAD).values(frontier=bytes(32) + head[32:]))


def _something_else(value: Any) -> Any:
    """A value of the same type, and not the same."""
    match value:
        case bool():
            return not value
        case int():
            # Far enough that no other row of its application or log has it.
            return value + 1_000
        case bytes():
            return bytes([value[0] ^ 1]) + value[1:]
        case date() if not isinstance(value, datetime):
            return value + timedelta(days=1)
        case datetime():
            return value + timedelta(microseconds=1)
        case None:
            return "changed"
        case _:
            return "changed"[: len(value)] if value != "changed"[: len(value)] else "another"


def tamper(url: str, origin: str, attack: str, *arguments: Any) -> None:
    """This function will carry out one attack, by the name of the intruder's method."""
    engine = create_engine(database_url(as_owner(url)))
    with engine.begin() as connection:
        getattr(Intruder(connection, origin), attack)(*arguments)
    engine.dispose()


def copied(url: str) -> Rows:
    """This function will return every row of the database, as a backup holds them."""
    engine = create_engine(database_url(as_owner(url)))
    with engine.begin() as connection:
        rows = {t.name: [dict(r) for r in connection.execute(select(t)).mappings()] for t in METADATA.sorted_tables}
    engine.dispose()
    return rows


def restored(url: str, rows: Rows) -> None:
    """This function will put the rows in the place of what there is."""
    engine = create_engine(database_url(as_owner(url)))
    with engine.begin() as connection:
        for table in METADATA.sorted_tables:
            connection.execute(delete(table))
            if rows[table.name]:
                connection.execute(insert(table), rows[table.name])
    engine.dispose()
