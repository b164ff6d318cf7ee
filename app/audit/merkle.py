"""The Merkle tree of a log: RFC 6962 section 2.1 (RFC 9162 section 2.1 is the same tree, more fully explained).

Neighbours may rely on this:
- a log of n leaves is kept as a `Frontier`: n and at most 64 hashes. Appending needs nothing else, never the leaves.
- a proof is built from perfect subtrees, each named by a `NodeId`. `inclusion_nodes` and `consistency_nodes` say which,
  so that an adapter fetches only those; it may keep the nodes of some levels only (every eighth, as C2SP tlog-tiles
  does) and compute the others with `subtree_root` over `node.descendants(level)`.
- hashes are 32 bytes. Leaves are counted from 0, ranges of leaves are half-open.
- verifying trusts nothing but the roots handed in; a proof that does not lead there raises, holding both sides.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NamedTuple, Self

from app.audit import EvidenceError

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = sha256().digest()


class ProofError(EvidenceError):
    """A proof that cannot be one: of the wrong length, or for a place that the tree does not have."""


class RootMismatchError(EvidenceError):
    """A proof that leads to another root than the one expected: `expected` and `calculated`, 32 bytes each."""

    def __init__(self, expected: bytes, calculated: bytes, of: tuple[str, str]) -> None:
        en, zh = of
        super().__init__(
            f"{en}: the proof leads to root {calculated.hex()}, not to {expected.hex()}; the record, its place or the "
            "log was changed, or the proof belongs to another record",
            f"{zh}：证明推出的根为 {calculated.hex()}，应为 {expected.hex()}；"
            "记录、其位置或日志被改动过，或证明属于另一条记录",
        )
        self.expected = expected
        self.calculated = calculated


class NodeId(NamedTuple):
    """A perfect subtree: 2**level leaves, the index-th of its level from the left; level 0 are the leaves."""

    level: int
    index: int

    @property
    def leaves(self) -> range:
        """The leaves under this node."""
        return self.descendants(0)

    def descendants(self, level: int) -> range:
        """This function will return the indices of the nodes of that lower level that lie under this node."""
        down = self.level - level
        return range(self.index << down, (self.index + 1) << down)


def leaf_hash(record: bytes) -> bytes:
    """This function will return the hash by which the tree holds a record."""
    return sha256(b"\x00" + record).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """This function will return the hash of the node above two hashes."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """A log's right edge: the roots of its perfect subtrees, leftmost and largest first, one for each 1 bit of size."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.hashes) != self.size.bit_count():
            raise ValueError(f"a frontier of {self.size} leaves does not have {len(self.hashes)} hashes")
        for held in self.hashes:
            _expect_hash(held)

    @classmethod
    def from_bytes(cls, size: int, joined: bytes) -> Self:
        """This function will read what `to_bytes` wrote; ValueError if it is not the frontier of a log of that size."""
        if len(joined) % HASH_BYTES:
            raise ValueError(f"a frontier is a number of {HASH_BYTES}-byte hashes, not {len(joined)} bytes")
        return cls(size, tuple(joined[at : at + HASH_BYTES] for at in range(0, len(joined), HASH_BYTES)))

    def to_bytes(self) -> bytes:
        """This function will return the hashes one after the other; the size is kept apart."""
        return b"".join(self.hashes)

    def append(self, leaf: bytes) -> "Frontier":
        """This function will return the frontier of the log with one more leaf hash."""
        return self._grown((leaf,), None)

    def extend(self, leaves: Iterable[bytes]) -> "Frontier":
        """This function will return the frontier of the log with these leaf hashes after its own."""
        return self._grown(leaves, None)

    def extend_and_list(self, leaves: Iterable[bytes]) -> tuple["Frontier", tuple[tuple[NodeId, bytes], ...]]:
        """This function will extend, and list each node that became complete: leaves too, children before parents.

        It is for an adapter that keeps nodes: a node once complete never changes.
        """
        completed: list[tuple[NodeId, bytes]] = []
        return self._grown(leaves, completed), tuple(completed)

    def root(self) -> bytes:
        """This function will return the log's root hash."""
        return _folded(self.hashes) if self.hashes else EMPTY_ROOT

    def _grown(self, leaves: Iterable[bytes], completed: list[tuple[NodeId, bytes]] | None) -> "Frontier":
        edge = list(self.hashes)
        size = self.size
        for node in leaves:
            _expect_hash(node)
            index, level = size, 0
            if completed is not None:
                completed.append((NodeId(0, index), node))
            # Each 1 at the end of the size is a perfect subtree as large as the one in hand: together they are one.
            while index & 1:
                node = sha256(b"\x01" + edge.pop() + node).digest()
                index >>= 1
                level += 1
                if completed is not None:
                    completed.append((NodeId(level, index), node))
            edge.append(node)
            size += 1
        return Frontier(size, tuple(edge))


def subtree_root(hashes: Iterable[bytes]) -> bytes:
    """This function will return the root over neighbouring node hashes of one level, left to right."""
    return Frontier().extend(hashes).root()


# ---- building proofs ------------------------------------------------------------------------------------------------


def inclusion_nodes(index: int, size: int) -> tuple[tuple[NodeId, ...], ...]:
    """This function will name the nodes of which each hash of an inclusion proof is made: leaf `index`, tree of `size`.

    Nearly every hash is one node; the one at the tree's ragged right edge is folded from several.
    Raises ValueError unless 0 <= index < size.
    """
    if not 0 <= index < size:
        raise ValueError(f"a log of {size} records has none at index {index}")
    return tuple(_perfect_subtrees(*span) for span in _inclusion_spans(index, size))


def consistency_nodes(old_size: int, new_size: int) -> tuple[tuple[NodeId, ...], ...]:
    """This function will name the nodes of which each hash of the proof that the old tree begins the new is made.

    Raises ValueError unless 0 < old_size <= new_size.
    """
    if not 0 < old_size <= new_size:
        raise ValueError(
            f"consistency is proved from a log of at least 1 record to one no smaller, not {old_size} to {new_size}"
        )
    return tuple(_perfect_subtrees(*span) for span in _consistency_spans(old_size, new_size))


def proof_from_nodes(groups: Sequence[Sequence[NodeId]], look_up: Callable[[NodeId], bytes]) -> tuple[bytes, ...]:
    """This function will turn what `inclusion_nodes` or `consistency_nodes` named into the proof's hashes."""
    return tuple(_folded([look_up(node) for node in group]) for group in groups)


def inclusion_proof(leaves: Sequence[bytes], index: int, size: int) -> tuple[bytes, ...]:
    """This function will prove from the leaf hashes that leaf `index` is in the tree of the first `size` of them.

    It hashes all of them; with stored nodes use `inclusion_nodes` and `proof_from_nodes`. Raises ValueError.
    """
    return proof_from_nodes(inclusion_nodes(index, size), _from_leaves(leaves, size))


def consistency_proof(leaves: Sequence[bytes], old_size: int, new_size: int) -> tuple[bytes, ...]:
    """This function will prove from the leaf hashes that the tree of `old_size` is the beginning of that of `new_size`.

    Raises ValueError unless 0 < old_size <= new_size <= the number of leaves.
    """
    return proof_from_nodes(consistency_nodes(old_size, new_size), _from_leaves(leaves, new_size))


# ---- verifying ------------------------------------------------------------------------------------------------------


def verify_inclusion(*, leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """This function will return if the proof leads from the leaf hash at `index` to the root of the tree of `size`.

    Raises ProofError or RootMismatchError.
    """
    if not 0 <= index < size:
        raise ProofError(
            f"a log of {size} records has none at index {index}; the receipt's index or checkpoint was changed",
            f"共 {size} 条记录的日志没有序号 {index}；回执的序号或检查点被改动过",
        )
    spans = _inclusion_spans(index, size)
    _expect_hashes(proof, len(spans), ("inclusion proof", "包含证明"))
    calculated = leaf
    for (_, stop), sibling in zip(spans, proof, strict=True):
        calculated = node_hash(sibling, calculated) if stop <= index else node_hash(calculated, sibling)
    if calculated != root:
        raise RootMismatchError(
            root, calculated, (f"record {index} of {size}", f"第 {index} 条记录（日志共 {size} 条）")
        )


def verify_consistency(
    *, old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """This function will return if the proof shows that the old tree is the beginning of the new one.

    Raises ProofError or RootMismatchError.
    """
    if not 0 < old_size <= new_size:
        raise ProofError(
            f"consistency is proved from a log of at least 1 record to one no smaller, not {old_size} to {new_size}; "
            "a log that has become smaller was cut or restored from a stale copy",
            f"一致性只能从至少 1 条记录的日志证明到不少于它的日志，"
            f"而不是从 {old_size} 条到 {new_size} 条；变小的日志被截断过，或由旧备份恢复",
        )
    spans = _consistency_spans(old_size, new_size)
    _expect_hashes(proof, len(spans), ("consistency proof", "一致性证明"))
    old = new = old_root
    steps = list(zip(spans, proof, strict=True))
    if steps and steps[0][0][1] == old_size:
        # The old tree is not one perfect subtree: the proof begins with the last of those it consists of.
        _, old = steps.pop(0)
        new = old
    for (start, _), sibling in steps:
        if start < old_size:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
        else:
            new = node_hash(new, sibling)
    if old != old_root:
        raise RootMismatchError(old_root, old, (f"the earlier log of {old_size}", f"较早的日志（{old_size} 条）"))
    if new != new_root:
        raise RootMismatchError(new_root, new, (f"the later log of {new_size}", f"较新的日志（{new_size} 条）"))


# ---- the tree's shape -----------------------------------------------------------------------------------------------


def _inclusion_spans(index: int, size: int) -> list[tuple[int, int]]:
    """This function will return RFC 6962's PATH as ranges of leaves, from the leaf's sibling up to the root's child."""
    spans = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + _left_width(stop - start)
        if index < middle:
            spans.append((middle, stop))
            stop = middle
        else:
            spans.append((start, middle))
            start = middle
    return spans[::-1]


def _consistency_spans(old_size: int, new_size: int) -> list[tuple[int, int]]:
    """This function will return RFC 6962's PROOF as ranges of leaves, the lowest first."""
    spans = []
    start, stop = 0, new_size
    while stop != old_size:
        middle = start + _left_width(stop - start)
        if old_size <= middle:
            spans.append((middle, stop))
            stop = middle
        else:
            spans.append((start, middle))
            start = middle
    # Where the old tree is itself a subtree of the new one, whoever verifies has its root already.
    if start:
        spans.append((start, stop))
    return spans[::-1]


def _left_width(width: int) -> int:
    """This function will return the largest power of two below the width, which is at least 2."""
    return 1 << ((width - 1).bit_length() - 1)


def _perfect_subtrees(start: int, stop: int) -> tuple[NodeId, ...]:
    """This function will cut a span of the tree into perfect subtrees, largest first."""
    nodes = []
    while start < stop:
        level = (stop - start).bit_length() - 1
        nodes.append(NodeId(level, start >> level))
        start += 1 << level
    return tuple(nodes)


def _folded(hashes: Sequence[bytes]) -> bytes:
    """This function will join the roots of perfect subtrees, largest first, into the hash of the span they cover."""
    *larger, folded = hashes
    for left in reversed(larger):
        folded = node_hash(left, folded)
    return folded


def _from_leaves(leaves: Sequence[bytes], size: int) -> Callable[[NodeId], bytes]:
    if len(leaves) < size:
        raise ValueError(f"a proof in a log of {size} records cannot be built from {len(leaves)} leaf hashes")
    return lambda node: subtree_root(leaves[node.leaves.start : node.leaves.stop])


def _expect_hash(held: bytes) -> None:
    if len(held) != HASH_BYTES:
        raise ValueError(f"a hash has {HASH_BYTES} bytes, not {len(held)}")


def _expect_hashes(proof: Sequence[bytes], count: int, of: tuple[str, str]) -> None:
    en, zh = of
    if len(proof) != count or any(len(held) != HASH_BYTES for held in proof):
        raise ProofError(
            f"{en}: {count} hashes of {HASH_BYTES} bytes are needed, {len(proof)} came; it is for another size, or cut",
            f"{zh}：需要 {count} 个 {HASH_BYTES} 字节的哈希，收到 {len(proof)} 个；证明对应另一个大小，或已被截断",
        )
