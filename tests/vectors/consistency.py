"""Two checkpoints of one log and the proof between them: what an auditor who kept an earlier checkpoint asks for."""

from app.audit.strict_base64 import to_base64
from tests.vectors.small_log import LOG, ORIGIN, SmallLog, record, signer

OLD, NEW = 6, 11
SOUND = LOG.consistency(OLD, NEW)


def vector(
    what: str,
    refused: str | None,
    *,
    old: bytes = LOG.checkpoint(OLD),
    new: bytes = LOG.checkpoint(NEW),
    proof: tuple[bytes, ...] = SOUND,
) -> dict:
    return {
        "what": what,
        "refused": refused,
        "origin": ORIGIN,
        "verifier_keys": [signer(ORIGIN).verifier_key],
        "old": old.decode().split("\n"),
        "new": new.decode().split("\n"),
        "proof": [to_base64(held) for held in proof],
    }


def history(what: str, log: SmallLog, refused: str = "RootMismatchError") -> dict:
    """This function will forge: the later checkpoint and the proof come from another history than the earlier one."""
    return vector(what, refused, new=log.checkpoint(NEW), proof=log.consistency(OLD, NEW))


_records = LOG.records

CONSISTENCY = {
    "sound": vector("the log grew from 6 to 11", None),
    "sound-from-a-power-of-two": vector(
        "from 8: the earlier root is not repeated", None, old=LOG.checkpoint(8), proof=LOG.consistency(8, NEW)
    ),
    "sound-from-one": vector("from the first record", None, old=LOG.checkpoint(1), proof=LOG.consistency(1, NEW)),
    "sound-did-not-grow": vector("11 to 11", None, old=LOG.checkpoint(NEW), proof=()),
    "changed-record": history("record 2 has another limit", LOG.with_record(2, record(2, 1))),
    "changed-last-common-record": history("record 5 has another limit", LOG.with_record(5, record(5, 1))),
    "deleted-record": history("record 2 is gone", SmallLog((*_records[:2], *_records[3:]))),
    "inserted-record": history("a record before record 2", SmallLog((*_records[:2], record(99), *_records[2:]))),
    "swapped-records": history(
        "records 2 and 4 have changed places",
        SmallLog((*_records[:2], _records[4], _records[3], _records[2], *_records[5:])),
    ),
    "truncated-log": vector("the later log is smaller", "ProofError", old=LOG.checkpoint(NEW), new=LOG.checkpoint(OLD)),
    "stale-restore": vector(
        "restored from an old copy, then other records appended up to the same size",
        "RootMismatchError",
        old=LOG.checkpoint(NEW),
        new=SmallLog((*_records[:OLD], *(record(number) for number in range(100, 105)))).checkpoint(NEW),
        proof=(),
    ),
    "two-histories-of-one-size": vector(
        "two checkpoints of 11, both signed",
        "RootMismatchError",
        old=LOG.checkpoint(NEW),
        new=LOG.with_record(NEW - 1, record(NEW - 1, 1)).checkpoint(NEW),
        proof=(),
    ),
    "rebuilt-without-the-key": vector(
        "the later checkpoint bears the log's name, another key signed it",
        "UnknownKeyError",
        new=LOG.with_record(2, record(2, 1)).checkpoint(NEW, signer(ORIGIN, "thief")),
    ),
    "from-nothing": vector("an empty log proves nothing", "ProofError", old=LOG.checkpoint(0), proof=()),
    "truncated-proof": vector("the last hash is missing", "ProofError", proof=SOUND[:-1]),
    "empty-proof": vector("no hashes", "ProofError", proof=()),
    "lengthened-proof": vector("one hash twice", "ProofError", proof=(*SOUND, SOUND[0])),
    "reordered-proof": vector("hashes from the top down", "RootMismatchError", proof=SOUND[::-1]),
    "proof-of-other-sizes": vector("from 7 instead of 6", "ProofError", proof=LOG.consistency(7, NEW)),
    "proof-where-none-is-needed": vector("11 to 11 with hashes", "ProofError", old=LOG.checkpoint(NEW)),
}
