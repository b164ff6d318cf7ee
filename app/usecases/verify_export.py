"""核验导出: a log's tiles and entries, held to the checkpoint that lies beside them and to those kept elsewhere.

Neighbours may rely on this: nothing is needed but the files and the log's public key. Every entry is hashed and held
to its leaf, every tile to the one above it, and the tree to the signed root; what does not hold is named by its record
or its file. One tile and one bundle are read at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import orjson

from app.audit import EvidenceError
from app.audit.checkpoint import Checkpoint, Verifier, open_checkpoint
from app.audit.merkle import Frontier, leaf_hash
from app.audit.receipt import WrongOriginError
from app.audit.sm3 import sm3_holds
from app.audit.tiles import (
    CHECKPOINT_PATH,
    ENTRIES,
    WIDTH,
    Tile,
    TileEdge,
    read_bundle,
    tile_hashes,
    tile_in,
)
from app.usecases.export_log import TileFiles, edge_in, record_path
from app.usecases.finding import Finding, ranges

MOST_NAMED = 100


@dataclass(frozen=True, slots=True)
class CheckedExport:
    """What came of it: the log, how many records its checkpoint covers, what kinds they are of, how many of them have
    no bytes here, and what does not hold.
    """

    origin: str
    size: int
    formats: tuple[tuple[str, int], ...]
    without_bytes: int
    findings: tuple[Finding, ...]


def verify_export(
    files: TileFiles,
    verifiers: Sequence[Verifier],
    *,
    outside: Sequence[Checkpoint] = (),
    since: int = 0,
    may_be_pruned: bool = False,
    told: Callable[[int, int], None] = lambda done, of: None,
) -> CheckedExport:
    """This function will verify the files of one log.

    What lies wholly before `since` may be missing: the files complete somebody's copy of so many records. With
    `may_be_pruned` a record without bytes is no finding: its hash stands, and the operator's log says why.
    Raises EvidenceError where there is no checkpoint that one of the keys has signed.
    """
    note = files.read(CHECKPOINT_PATH)
    if note is None:
        raise EvidenceError(
            "there is no file `checkpoint`: this folder is no export, or its export was never finished",
            "没有 checkpoint 文件：此文件夹不是导出，或导出从未完成",
        )
    signed = open_checkpoint(note, verifiers)
    if signed.origin not in {verifier.name for verifier in verifiers}:
        raise WrongOriginError(verifiers[0].name, signed.origin)
    work = _Work(files, signed, tuple(outside), min(since, signed.size), may_be_pruned)
    work.read_all(told)
    return CheckedExport(
        signed.origin, signed.size, tuple(sorted(work.formats.items())), work.without_bytes, tuple(work.findings)
    )


@dataclass(slots=True)
class _Work:
    files: TileFiles
    signed: Checkpoint
    outside: tuple[Checkpoint, ...]
    since: int
    may_be_pruned: bool
    findings: list[Finding] = field(default_factory=list)
    formats: Counter[str] = field(default_factory=Counter)
    without_bytes: int = 0
    _edge: TileEdge = field(default_factory=TileEdge)
    _broken: bool = False
    """The tree cannot be built: something of it is missing, and has been named."""

    def find(self, en: str, zh: str) -> None:
        if len(self.findings) < MOST_NAMED:
            self.findings.append(Finding(en, zh))
        elif len(self.findings) == MOST_NAMED:
            self.findings.append(Finding("… and more", "……另有其他不符"))

    def read_all(self, told: Callable[[int, int], None]) -> None:
        size, begins = self.signed.size, self.since // WIDTH * WIDTH
        try:
            self._edge = edge_in(self.files, size, begins)
        except EvidenceError as error:
            self._broken = True
            self.find(error.en, error.zh)
        for index in range(begins // WIDTH, -(-size // WIDTH)):
            tile = tile_in(size, 0, index)
            leaves = self._leaves(tile)
            self._hold_entries(tile, leaves)
            if leaves is None:
                self._broken = True
            elif not self._broken:
                self._grow(leaves)
            told(min(size, tile.start + WIDTH), size)
        if not self._broken:
            for tile, built in self._edge.partials():
                self._hold_tile(tile, built)
            self._hold(self.signed, ("the checkpoint in this folder", "本文件夹的检查点"), self._edge.frontier())
        for checkpoint in self.outside:
            if checkpoint.size > size:
                self.find(
                    f"this export is older than the checkpoint kept elsewhere: it has {size} records, the checkpoint "
                    f"tells of {checkpoint.size}",
                    f"此导出早于另行保存的检查点：导出有 {size} 条记录，检查点为 {checkpoint.size} 条",
                )

    # ---- the tree ----------------------------------------------------------------------------------------------------

    def _leaves(self, tile: Tile) -> tuple[bytes, ...] | None:
        content = self.files.read(tile.path)
        if content is None:
            self.find(f"{tile.path} is missing: it was removed", f"缺少 {tile.path}：已被删除")
            return None
        try:
            return tile_hashes(tile, content)
        except EvidenceError as error:
            self.find(error.en, error.zh)
            return None

    def _grow(self, leaves: Sequence[bytes]) -> None:
        """Append a tile's leaves; hold the tiles that become full, and the outside checkpoints that are passed."""
        begins, frontier = self._edge.size, None
        for checkpoint in sorted(self.outside, key=lambda one: one.size):
            if begins < checkpoint.size <= begins + len(leaves):
                frontier = frontier or self._edge.frontier()
                more = leaves[frontier.size - begins : checkpoint.size - begins]
                frontier = frontier.extend(more)
                self._hold(checkpoint, ("the checkpoint kept elsewhere", "另行保存的检查点"), frontier)
        for leaf in leaves:
            for tile, built in self._edge.append(leaf):
                self._hold_tile(tile, built)

    def _hold_tile(self, tile: Tile, built: bytes) -> None:
        if tile.level == 0:
            return
        stored = self.files.read(tile.path)
        if stored is None:
            self.find(f"{tile.path} is missing: it was removed", f"缺少 {tile.path}：已被删除")
        elif stored != built:
            self.find(
                f"{tile.path} does not fit the tiles below it: one of them, or it, was changed",
                f"{tile.path} 与其下层瓦片不符：其中之一被改动过",
            )

    def _hold(self, signed: Checkpoint, of: tuple[str, str], frontier: Frontier) -> None:
        root = frontier.root()
        if root != signed.root:
            en, zh = of
            self.find(
                f"{en} over {signed.size} records does not fit the tiles: records were changed, inserted, removed or "
                f"swapped, or the log was rebuilt (root {root.hex()}, signed {signed.root.hex()})",
                f"{zh}（{signed.size} 条记录）与瓦片不符：记录被改动、插入、删除或调换，或日志被重建"
                f"（根为 {root.hex()}，签名为 {signed.root.hex()}）",
            )

    # ---- the records -------------------------------------------------------------------------------------------------

    def _hold_entries(self, tile: Tile, leaves: Sequence[bytes] | None) -> None:
        bundle = Tile(ENTRIES, tile.index, tile.width)
        content = self.files.read(bundle.path)
        if content is None:
            self._hold_what_is_kept(tile, leaves)
            return
        try:
            records = read_bundle(bundle, content)
        except EvidenceError as error:
            self.find(error.en, error.zh)
            return
        hashes = [leaf_hash(record) for record in records]
        self.formats.update(map(format_of, records))
        for at, (found, leaf) in enumerate(zip(hashes, leaves or hashes, strict=True)):
            if found != leaf:
                self._changed(tile, at, found, leaves or ())
            elif not sm3_holds(records[at]):
                self.find(
                    f"record {tile.start + at}: the SM3 digest in it is not that of its other members",
                    f"第 {tile.start + at} 条记录：其中的 SM3 摘要与其余内容不符",
                )

    def _hold_what_is_kept(self, tile: Tile, leaves: Sequence[bytes] | None) -> None:
        """Where some records of a bundle were pruned, those that are kept lie by themselves."""
        missing = []
        for at in range(tile.width):
            record = self.files.read(record_path(tile.start + at))
            if record is None:
                missing.append(tile.start + at)
                continue
            self.formats[format_of(record)] += 1
            found = leaf_hash(record)
            if leaves is not None and found != leaves[at]:
                self._changed(tile, at, found, leaves)
        self.without_bytes += len(missing)
        if not self.may_be_pruned:
            for start, stop in ranges(missing):
                self.find(
                    f"the records {start} to {stop - 1} are missing: removed, or pruned (the operator's log then says "
                    "so, and --allow-pruned lets it be)",
                    f"缺少第 {start} 至 {stop - 1} 条记录：被删除，或已按保存期清除（操作日志中有记载时可加 "
                    "--allow-pruned）",
                )

    def _changed(self, tile: Tile, at: int, found: bytes, leaves: Sequence[bytes]) -> None:
        index = tile.start + at
        if found in leaves:
            other = tile.start + leaves.index(found)
            self.find(
                f"the bytes of record {other} stand at index {index}: records were swapped",
                f"序号 {index} 处是第 {other} 条记录的内容：记录被调换",
            )
        else:
            self.find(
                f"record {index} was changed: its bytes hash to {found.hex()}, its leaf is {leaves[at].hex()}",
                f"第 {index} 条记录被改动过：其内容的哈希为 {found.hex()}，叶为 {leaves[at].hex()}",
            )


def format_of(record: bytes) -> str:
    """This function will return the format that a record names, `?` where it names none."""
    try:
        named = orjson.loads(record)["format"]
    except (ValueError, LookupError, TypeError):
        return "?"
    return named if isinstance(named, str) else "?"
