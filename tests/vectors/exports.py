"""A log as tiles and entries, changed here and there: what somebody hands over who was handed an export."""

from base64 import b64encode
from collections.abc import Callable

from app.audit.tiles import ENTRIES, WIDTH, Tile, TileEdge, write_bundle
from tests.vectors.small_log import LOG, ORIGIN, OTHER_LOG, OTHER_ORIGIN, SmallLog, record, signer

SIZE = 11
LARGE = SmallLog(tuple(b"record %d" % number for number in range(WIDTH + 4)))
Files = dict[str, bytes]


def files_of(log: SmallLog, size: int, *signers: object) -> Files:
    """This function will write a log's files as they are at that size."""
    edge, files = TileEdge(), {"checkpoint": log.checkpoint(size, *signers)}
    for leaf in log.leaves[:size]:
        files |= {tile.path: content for tile, content in edge.append(leaf)}
    files |= {tile.path: content for tile, content in edge.partials()}
    for start in range(0, size, WIDTH):
        held = log.records[start : min(size, start + WIDTH)]
        files[Tile(ENTRIES, start // WIDTH, len(held)).path] = write_bundle(held)
    return files


def vector(what: str, refused: str | None, files: Files, *, outside: tuple[bytes, ...] = ()) -> dict:
    checkpoint = files.get("checkpoint", b"")
    return {
        "what": what,
        "refused": refused,
        "origin": ORIGIN,
        "verifier_keys": [signer(ORIGIN).verifier_key],
        "checkpoint": checkpoint.decode().split("\n"),
        "files": {path: b64encode(held).decode() for path, held in sorted(files.items()) if path != "checkpoint"},
        "outside": [note.decode().split("\n") for note in outside],
    }


def changed(path: str, change: Callable[[bytes], bytes | None], log: SmallLog = LOG, size: int = SIZE) -> Files:
    """This function will change one file, or remove it."""
    files = files_of(log, size)
    content = change(files.pop(path))
    return files if content is None else files | {path: content}


def bundle(records: tuple[bytes, ...]) -> Callable[[bytes], bytes]:
    return lambda _: write_bundle(records)


def flipped(content: bytes) -> bytes:
    return bytes([content[0] ^ 1]) + content[1:]


ENTRY, TILE = "tile/entries/000.p/11", "tile/0/000.p/11"
HELD = LOG.records[:SIZE]
FORGED = LOG.with_record(3, record(3, 1))

EXPORTS = {
    "sound": vector("eleven records", None, files_of(LOG, SIZE)),
    "sound-only-record": vector("one record", None, files_of(LOG, 1)),
    "sound-full-tile": vector("256 records: a full tile, and one of width 1 above it", None, files_of(LARGE, WIDTH)),
    "sound-beyond-a-tile": vector("260 records", None, files_of(LARGE, WIDTH + 4)),
    "sound-since-outside-checkpoint": vector(
        "a checkpoint over 6 was kept", None, files_of(LOG, SIZE), outside=(LOG.checkpoint(6),)
    ),
    "changed-record": vector(
        "record 3's limit is 0.01", "record 3 was changed", changed(ENTRY, bundle(FORGED.records[:SIZE]))
    ),
    "changed-leaf": vector(
        "the leaf hash of record 0 is another", "record 0 was changed", changed(TILE, flipped)
    ),
    "changed-record-and-leaf": vector(
        "record 3 and its leaf hash", "the checkpoint in this folder over 11 records does not fit",
        files_of(LOG, SIZE) | {ENTRY: write_bundle(FORGED.records[:SIZE]), TILE: b"".join(FORGED.leaves[:SIZE])},
    ),
    "changed-upper-tile": vector(
        "the hash over the first 256 records", "tile/1/000.p/1 does not fit the tiles below it",
        changed("tile/1/000.p/1", flipped, LARGE, WIDTH + 4),
    ),
    "swapped-records": vector(
        "records 1 and 2 changed places", "the bytes of record 2 stand at index 1",
        changed(ENTRY, bundle((HELD[0], HELD[2], HELD[1], *HELD[3:]))),
    ),
    "missing-record": vector(
        "record 4 was left out of its bundle", "tile/entries/000.p/11 holds 10 whole entries",
        changed(ENTRY, bundle(HELD[:4] + HELD[5:])),
    ),
    "inserted-record": vector(
        "a record more than promised", "tile/entries/000.p/11 holds 11 whole entries",
        changed(ENTRY, bundle((*HELD, record(11)))),
    ),
    "truncated-bundle": vector(
        "the last entry is cut", "tile/entries/000.p/11 holds 10 whole entries", changed(ENTRY, lambda held: held[:-1])
    ),
    "truncated-tile": vector("the last hash is cut", "tile/0/000.p/11 has 351 bytes", changed(TILE, lambda h: h[:-1])),
    "missing-bundle": vector(
        "no records at all", "the records 0 to 10 are missing", changed(ENTRY, lambda _: None)
    ),
    "missing-tile": vector("no leaf hashes", "tile/0/000.p/11 is missing", changed(TILE, lambda _: None)),
    "missing-upper-tile": vector(
        "no hash over the first 256", "tile/1/000.p/1 is missing",
        changed("tile/1/000.p/1", lambda _: None, LARGE, WIDTH + 4),
    ),
    "missing-checkpoint": vector(
        "nothing signed", "there is no file `checkpoint`", changed("checkpoint", lambda _: None)
    ),
    "truncated-log-under-old-checkpoint": vector(
        "the files of 10 records under the checkpoint over 11", "tile/0/000.p/11 is missing",
        files_of(LOG, 10) | {"checkpoint": LOG.checkpoint(SIZE)},
    ),
    "rebuilt-under-old-checkpoint": vector(
        "every file made anew around a changed record", "the checkpoint in this folder over 11 records does not fit",
        files_of(FORGED, SIZE) | {"checkpoint": LOG.checkpoint(SIZE)},
    ),
    "rebuilt-without-the-key": vector(
        "another key of the log's name signed it", "no known key of log",
        files_of(FORGED, SIZE, signer(ORIGIN, "thief")),
    ),
    "rebuilt-with-the-key": vector(
        "the log's own key signed it; a checkpoint over 6 was kept",
        "the checkpoint kept elsewhere over 6 records does not fit",
        files_of(FORGED, SIZE), outside=(LOG.checkpoint(6),),
    ),
    "older-than-outside-checkpoint": vector(
        "sound files of 8 records; a checkpoint over 11 was kept", "this export is older than the checkpoint",
        files_of(LOG, 8), outside=(LOG.checkpoint(SIZE),),
    ),
    "other-log": vector(
        "the files of another log", "no known key of log", files_of(OTHER_LOG, SIZE, signer(OTHER_ORIGIN))
    ),
}  # fmt: skip
