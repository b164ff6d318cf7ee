"""回执: the proof that a decision stands in its lender's log, for whoever verifies it later without us; and 一致性证明:
that an earlier state of the log is the beginning of a later one.

Neighbours may rely on this: a receipt is made against the first checkpoint that covers the record, so that it is the
same whenever it is asked for; what has been hashed of a log is remembered, as nothing in a log ever changes.
"""

from __future__ import annotations

from app.audit.merkle import NodeId, consistency_nodes, inclusion_nodes, proof_from_nodes, subtree_root
from app.audit.receipt import write_receipt
from app.usecases.ports import DecisionLog

BLOCK_LEVEL = 10
"""Subtrees of this height (1,024 records) and above are remembered; below it the leaves are read again."""

MOST_REMEMBERED = 100_000


class Receipts:
    """Makes receipts from one installation's logs."""

    def __init__(self, decisions: DecisionLog) -> None:
        self._decisions = decisions
        self._remembered: dict[tuple[str, NodeId], bytes] = {}

    async def receipt(self, decision_id: str, lenders: tuple[str, ...]) -> str | None:
        """This function will return the receipt (C2SP tlog-proof) of a decision of those lenders, or None."""
        found = await self._decisions.find(decision_id, lenders) or await self._decisions.pruned(decision_id, lenders)
        if found is None:
            return None
        return await self.receipt_at(found.lender, found.index)

    async def receipt_at(self, lender: str, index: int) -> str:
        """This function will return the receipt of the record that stands at an index of the lender's log."""
        checkpoint = await self._decisions.checkpoint_over(lender, index)
        hashes = await self._proof(lender, inclusion_nodes(index, checkpoint.size))
        return write_receipt(index, hashes, checkpoint.note)

    async def consistency(self, lender: str, old_size: int, new_size: int) -> tuple[bytes, ...]:
        """This function will prove that the lender's log of `old_size` records begins the one of `new_size`, which the
        log has reached. Raises ValueError unless 0 < old_size <= new_size.
        """
        return await self._proof(lender, consistency_nodes(old_size, new_size))

    async def _proof(self, lender: str, groups: tuple[tuple[NodeId, ...], ...]) -> tuple[bytes, ...]:
        hashes = {node: await self._hash(lender, node) for group in groups for node in group}
        return proof_from_nodes(groups, hashes.__getitem__)

    async def _hash(self, lender: str, node: NodeId) -> bytes:
        known = self._remembered.get((lender, node))
        if known is not None:
            return known
        if node.level <= BLOCK_LEVEL:
            leaves = await self._decisions.leaf_hashes(lender, node.leaves.start, node.leaves.stop)
            found = subtree_root(leaves)
        else:
            halves = [await self._hash(lender, NodeId(node.level - 1, 2 * node.index + half)) for half in (0, 1)]
            found = subtree_root(halves)
        if node.level >= BLOCK_LEVEL:
            if len(self._remembered) >= MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[lender, node] = found
        return found
