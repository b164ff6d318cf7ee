"""导出日志: the whole log as C2SP tlog-tiles, in a folder that other people's libraries read.

Neighbours may rely on this: whenever the folder's checkpoint is written, all that it promises lies there already, so
that an export that was interrupted goes on from its last checkpoint; an export that is repeated writes only what is
new. The root is built from what is written, and held to the signed one before the checkpoint stands. Memory holds one
bundle and the unfinished tiles.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn, Protocol

from app.audit import EvidenceError
from app.audit.checkpoint import Checkpoint, read_checkpoint
from app.audit.merkle import leaf_hash
from app.audit.tiles import (
    CHECKPOINT_PATH,
    ENTRIES,
    WIDTH,
    Tile,
    TileEdge,
    index_path,
    tile_hashes,
    tile_in,
    write_bundle,
)
from app.usecases.log_trail import LogTrail
from app.usecases.ports import LogEntry, SignedCheckpoint

STEP: Final = 65_536
"""A checkpoint is written about every so many records: what an interruption costs at most."""


class TileFiles(Protocol):
    """A log's files, by their paths below its prefix."""

    def read(self, path: str) -> bytes | None:
        """This function will return the file's bytes, None where there is none."""
        ...

    def write(self, path: str, content: bytes) -> None:
        """This function will write the file whole, or not at all."""
        ...

    def settle(self) -> None:
        """This function will return once everything written so far outlasts a loss of power."""
        ...

    def remove_partials(self, path: str) -> None:
        """This function will remove the partial tiles of a tile that has become full."""
        ...


class CannotExport(EvidenceError):
    """The folder, or the database, is not what this export could go on from."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What came of it: the size that the folder had before, and the size and origin of what it holds now."""

    origin: str
    was: int
    size: int


async def export_log(
    trail: LogTrail, lender: str, files: TileFiles, *, since: int | None, told: Callable[[int, int], None]
) -> Exported:
    """This function will bring the folder up to the log's newest checkpoint; `told` hears after each checkpoint how
    many of how many records lie there.

    `since` is for a folder of its own that completes somebody's copy of so many records: nothing is written that such a
    copy has. Raises CannotExport.
    """
    newest = await trail.newest_checkpoint(lender)
    if newest is None:
        raise CannotExport(
            f"there is no log of {lender}: nothing has been recorded, or the name is another",
            f"没有 {lender} 的日志：尚无记录，或名称有误",
        )
    work = await _begun(trail, newest, files, since)
    was = work.done
    while work.done < newest.size:
        target = await _next_checkpoint(trail, lender, work.done)
        await work.go_on_to(target)
        told(target.size, newest.size)
    if files.read(CHECKPOINT_PATH) is None:
        # Somebody's copy is as new as the log: its right edge and the checkpoint are all that is to be had.
        await work.go_on_to(newest)
    return Exported(read_checkpoint(newest.note).origin, was, newest.size)


async def _next_checkpoint(trail: LogTrail, lender: str, done: int) -> SignedCheckpoint:
    far = await trail.newest_checkpoint(lender, done + STEP)
    if far is not None and far.size > done:
        return far
    # A single batch was larger than a step.
    async for checkpoint in _checkpoints_after(trail, lender, done):
        return checkpoint
    raise CannotExport(
        f"no stored checkpoint covers record {done}: run `jifendai verify database`",
        f"没有检查点覆盖第 {done} 条记录：请运行 jifendai verify database",
    )


async def _checkpoints_after(trail: LogTrail, lender: str, done: int) -> AsyncIterator[SignedCheckpoint]:
    for checkpoint in await trail.checkpoints(lender, done, 2**63 - 1):
        yield checkpoint


async def _begun(trail: LogTrail, newest: SignedCheckpoint, files: TileFiles, since: int | None) -> _Export:
    note = files.read(CHECKPOINT_PATH)
    if note is None:
        begins = since or 0
        if begins > newest.size:
            raise CannotExport(
                f"--since {begins}: the log has {newest.size} records",
                f"--since {begins}：日志只有 {newest.size} 条记录",
            )
        edge = TileEdge()
        for start in range(0, begins // WIDTH * WIDTH, STEP):
            for leaf in await trail.leaf_hashes(newest.lender, start, min(start + STEP, begins // WIDTH * WIDTH)):
                edge.append(leaf)
        return _Export(trail, newest.lender, files, edge, begins)
    there = read_checkpoint(note)
    origin = read_checkpoint(newest.note).origin
    if there.origin != origin:
        raise CannotExport(
            f"the folder holds log {there.origin}, not {origin}: choose another folder",
            f"该文件夹中是日志 {there.origin}，而不是 {origin}：请另选文件夹",
        )
    if there.size > newest.size:
        raise CannotExport(
            f"the folder holds {there.size} records and the database only {newest.size}: the database is older than "
            "the export; it was restored from a stale copy or cut off. Keep the folder: it is evidence",
            f"该文件夹有 {there.size} 条记录，而数据库只有 {newest.size} 条：数据库早于此导出，系旧备份恢复或被截断。"
            "请保留该文件夹作为证据",
        )
    edge = edge_in(files, there.size, there.size)
    if edge.frontier().root() != there.root:
        raise CannotExport(
            f"the tiles in the folder do not lead to its checkpoint over {there.size} records: they were changed; "
            "run `jifendai verify export`, and export into another folder",
            f"文件夹中的瓦片与其 {there.size} 条记录的检查点不符：被改动过；"
            "请运行 jifendai verify export，并另选文件夹",
        )
    await _hold_the_unfinished_tile(trail, newest.lender, edge, there)
    return _Export(trail, newest.lender, files, _without_unfinished(edge), there.size)


async def _hold_the_unfinished_tile(trail: LogTrail, lender: str, edge: TileEdge, there: Checkpoint) -> None:
    begins = there.size // WIDTH * WIDTH
    told = list(await trail.leaf_hashes(lender, begins, there.size))
    if told != (edge.levels[0] if edge.levels else []):
        raise CannotExport(
            f"of the records {begins} to {there.size - 1} the database holds others than were exported: it was "
            "changed since; run `jifendai verify database --checkpoint` with the folder's checkpoint",
            f"第 {begins} 至 {there.size - 1} 条记录与已导出的不同：数据库在导出后被改动过；"
            "请以该文件夹的检查点运行 jifendai verify database --checkpoint",
        )


def _without_unfinished(edge: TileEdge) -> TileEdge:
    """The edge where the unfinished tile begins: its records are read again, since the bundle holds them all."""
    return TileEdge([[], *edge.levels[1:]], edge.size // WIDTH * WIDTH)


def edge_in(files: TileFiles, size: int, at: int) -> TileEdge:
    """This function will read from the files of a log of `size` records what its edge was at `at` records.

    Raises CannotExport where a file is missing, MalformedTileError where it is none.
    """
    levels: list[Sequence[bytes]] = []
    level, count = 0, at
    while count:
        hashes: Sequence[bytes] = ()
        if count % WIDTH:
            tile = tile_in(size, level, count // WIDTH)
            hashes = tile_hashes(tile, _needed(files, tile))[: count % WIDTH]
        levels.append(hashes)
        level, count = level + 1, count // WIDTH
    return TileEdge(levels, at)


def _needed(files: TileFiles, tile: Tile) -> bytes:
    content = files.read(tile.path)
    if content is None:
        raise CannotExport(f"{tile.path} is missing: it was removed", f"缺少 {tile.path}：已被删除")
    return content


class _Export:
    """An export on its way: what is done is signed for, what is appended is written."""

    def __init__(self, trail: LogTrail, lender: str, files: TileFiles, edge: TileEdge, done: int) -> None:
        self.done = done
        self._trail, self._lender, self._files, self._edge = trail, lender, files, edge
        self._records: list[bytes] = []

    async def go_on_to(self, target: SignedCheckpoint) -> None:
        """This function will write all that the checkpoint promises, and then the checkpoint."""
        full: list[Tile] = []
        while self._edge.size < target.size:
            page = await self._trail.entries(self._lender, self._edge.size, target.size)
            if not page:
                self._refuse(self._edge.size, ("is missing", "缺失"))
            for entry in page:
                full += self._append(entry)
        for tile, content in self._edge.partials():
            self._files.write(tile.path, content)
        if self._records:
            self._write_entries(Tile(ENTRIES, self._edge.size // WIDTH, len(self._records)))
        if self._edge.frontier().root() != target.root:
            raise CannotExport(
                f"the records do not lead to the root that was signed over {target.size} of them: the database was "
                "changed; run `jifendai verify database`. The folder's checkpoint is the last one that held",
                f"记录推出的根与 {target.size} 条记录的签名不符：数据库被改动过；请运行 jifendai verify database。"
                "文件夹中的检查点是最后一个相符的检查点",
            )
        self._files.settle()
        self._files.write(CHECKPOINT_PATH, target.note)
        self._files.settle()
        for tile in full:
            self._files.remove_partials(tile.path)
        self.done = target.size

    def _append(self, entry: LogEntry) -> list[Tile]:
        if entry.index != self._edge.size:
            self._refuse(self._edge.size, ("is missing", "缺失"))
        if entry.record and leaf_hash(entry.record) != entry.leaf_hash:
            self._refuse(entry.index, ("was changed", "被改动过"))
        self._records.append(entry.record)
        full = self._edge.append(entry.leaf_hash)
        for tile, content in full:
            self._files.write(tile.path, content)
        if not full:
            return []
        bundle = Tile(ENTRIES, full[0][0].index)
        self._write_entries(bundle)
        self._records.clear()
        return [bundle, *(tile for tile, _ in full)]

    def _write_entries(self, bundle: Tile) -> None:
        if all(self._records):
            self._files.write(bundle.path, write_bundle(self._records))
            return
        # What was pruned has no bytes, and a bundle with a hole would be no bundle: what is kept lies by itself.
        for index, record in enumerate(self._records, bundle.start):
            if record:
                self._files.write(record_path(index), record)

    def _refuse(self, index: int, what: tuple[str, str]) -> NoReturn:
        en, zh = what
        raise CannotExport(
            f"record {index} {en} in the database: run `jifendai verify database`",
            f"数据库中第 {index} 条记录{zh}：请运行 jifendai verify database",
        )


def record_path(index: int) -> str:
    """This function will say where a record's bytes lie by themselves: where its bundle is not whole, as others of it
    were pruned.
    """
    return f"record/{index_path(index)}"
