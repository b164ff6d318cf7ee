"""A log as files that anybody's library can read: C2SP tlog-tiles.

Neighbours may rely on this: a tile holds up to 256 hashes of one level, each the root over a full tile of the level
below (level 0: leaf hashes); the entries of a level-0 tile lie beside it in a bundle, each behind its length in 16
bits. Only the last tile of a level may be partial, and its path says how wide it is. `TileEdge` is what appending
needs: nothing but the unfinished tiles, at most 255 hashes a level.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from app.audit import EvidenceError
from app.audit.merkle import HASH_BYTES, Frontier, subtree_root

WIDTH: Final = 256
"""Hashes in a full tile."""

ENTRIES: Final = -1
"""Stands for the level of entry bundles."""

CHECKPOINT_PATH: Final = "checkpoint"


class MalformedTileError(EvidenceError):
    """A file that is not the tile or the bundle that its path promises."""


class Tile(NamedTuple):
    """A tile of the log: level (0 are the leaves, `ENTRIES` the records themselves), index within it, and width."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Where it lies, below the log's prefix."""
        level = "entries" if self.level == ENTRIES else str(self.level)
        part = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{level}/{index_path(self.index)}{part}"

    @property
    def start(self) -> int:
        """The first leaf under it."""
        return self.index * WIDTH ** (max(self.level, 0) + 1)


def index_path(index: int) -> str:
    """This function will write an index in groups of three digits, all but the last behind an `x`: `x001/x234/067`."""
    digits = str(index)
    digits = digits.rjust(-(-len(digits) // 3) * 3, "0")
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    return "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])


def tile_in(size: int, level: int, index: int) -> Tile:
    """This function will return that tile as it is in a log of `size` records, full or partial. Raises ValueError."""
    per_hash = WIDTH ** max(level, 0)
    width = min(WIDTH, size // per_hash - index * WIDTH)
    if width <= 0:
        raise ValueError(f"a log of {size} records has no tile {index} at level {level}")
    return Tile(level, index, width)


def partial_tiles(size: int) -> Iterator[Tile]:
    """This function will give the partial tiles of a log of that size, its entry bundle among them, lowest first."""
    level, count = 0, size
    while count:
        if width := count % WIDTH:
            if level == 0:
                yield Tile(ENTRIES, count // WIDTH, width)
            yield Tile(level, count // WIDTH, width)
        level, count = level + 1, count // WIDTH


class TileEdge:
    """The right edge of a tiled log: at each level, the hashes of its unfinished tile."""

    def __init__(self, levels: Sequence[Sequence[bytes]] = (), size: int = 0) -> None:
        self.levels: list[list[bytes]] = [list(hashes) for hashes in levels]
        self.size = size

    def append(self, leaf: bytes) -> tuple[tuple[Tile, bytes], ...]:
        """This function will add a leaf hash and return each tile that became full, lowest first, with its bytes."""
        index, level, node = self.size, 0, leaf
        self.size += 1
        full: list[tuple[Tile, bytes]] = []
        while True:
            if level == len(self.levels):
                self.levels.append([])
            hashes = self.levels[level]
            hashes.append(node)
            if len(hashes) < WIDTH:
                return tuple(full)
            index //= WIDTH
            full.append((Tile(level, index), b"".join(hashes)))
            node = subtree_root(hashes)
            hashes.clear()
            level += 1

    def partials(self) -> Iterator[tuple[Tile, bytes]]:
        """This function will give the unfinished tiles with their bytes, lowest first."""
        for level, hashes in enumerate(self.levels):
            if hashes:
                yield Tile(level, self.size // WIDTH ** (level + 1), len(hashes)), b"".join(hashes)

    def frontier(self) -> Frontier:
        """This function will return the frontier of the log's tree, which gives its root."""
        joined: list[bytes] = []
        for hashes in reversed(self.levels):
            start, left = 0, len(hashes)
            while left:
                width = 1 << (left.bit_length() - 1)
                joined.append(subtree_root(hashes[start : start + width]))
                start, left = start + width, left - width
        return Frontier(self.size, tuple(joined))


# ---- their bytes ----------------------------------------------------------------------------------------------------


def tile_hashes(tile: Tile, content: bytes) -> tuple[bytes, ...]:
    """This function will read a tile's hashes. Raises MalformedTileError for a file of another length."""
    if len(content) != tile.width * HASH_BYTES:
        raise MalformedTileError(
            f"{tile.path} has {len(content)} bytes, not {tile.width} hashes of {HASH_BYTES}: it was cut or lengthened",
            f"{tile.path} 有 {len(content)} 字节，应为 {tile.width} 个 {HASH_BYTES} 字节的哈希：文件被截断或加长",
        )
    return tuple(content[at : at + HASH_BYTES] for at in range(0, len(content), HASH_BYTES))


def write_bundle(records: Sequence[bytes]) -> bytes:
    """This function will write an entry bundle. Raises OverflowError for a record of more than 65,535 bytes."""
    return b"".join([part for record in records for part in (len(record).to_bytes(2), record)])


def read_bundle(tile: Tile, content: bytes) -> tuple[bytes, ...]:
    """This function will read the records of an entry bundle. Raises MalformedTileError unless it holds as many as its
    path promises, and nothing more.
    """
    records, at = [], 0
    while at < len(content) and len(records) < tile.width:
        length = int.from_bytes(content[at : at + 2])
        record = content[at + 2 : at + 2 + length]
        if at + 2 > len(content) or len(record) < length:
            break
        records.append(record)
        at += 2 + length
    if at != len(content) or len(records) != tile.width:
        raise MalformedTileError(
            f"{tile.path} holds {len(records)} whole entries and {len(content) - at} bytes more, not "
            f"{tile.width} entries: it was cut or lengthened",
            f"{tile.path} 含 {len(records)} 条完整记录，另余 {len(content) - at} 字节，应为 {tile.width} 条："
            "文件被截断或加长",
        )
    return tuple(records)
