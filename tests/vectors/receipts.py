"""Receipts, sound and forged. Each names the error that must be raised, or none."""

from app.audit.checkpoint import Signer
from app.audit.strict_base64 import from_base64, to_base64
from tests.vectors.small_log import LOG, ORIGIN, OTHER_LOG, OTHER_ORIGIN, WITNESS, SmallLog, record, signer

INDEX, SIZE = 3, 11
SOUND = LOG.receipt(INDEX, SIZE)
KNOWN = (signer(ORIGIN).verifier_key,)


def vector(
    what: str,
    receipt: str,
    refused: str | None,
    *,
    about: bytes = LOG.records[INDEX],
    known: tuple[str, ...] = KNOWN,
) -> dict:
    return {
        "what": what,
        "refused": refused,
        "origin": ORIGIN,
        "verifier_keys": list(known),
        "record": about.decode(),
        "receipt": receipt.split("\n"),
    }


def changed(old: str, new: str) -> str:
    """This function will forge the sound receipt by one replacement."""
    assert SOUND.count(old) == 1, old
    return SOUND.replace(old, new)


def lines_changed(change) -> str:
    """This function will forge the sound receipt's proof lines, which stand between index line and empty line."""
    above, _, note = SOUND.partition("\n\n")
    first, index, *hashes = above.split("\n")
    return "\n".join([first, index, *change(hashes)]) + "\n\n" + note


def signed_by_key_id_of_another(forger: Signer, victim: Signer) -> str:
    """This function will sign with one key and write another's id over it."""
    text, _, line = LOG.receipt(INDEX, SIZE, forger).rpartition(" ")
    blob = from_base64(line.strip())
    return f"{text} {to_base64(bytes.fromhex(victim.verifier_key.split('+')[1]) + blob[4:])}\n"


_swapped = SmallLog((*LOG.records[:3], LOG.records[4], LOG.records[3], *LOG.records[5:]))
_rewritten = LOG.with_record(INDEX, record(INDEX, 99_999_999))
_sound_note = SOUND.partition("\n\n")[2]

RECEIPTS = {
    # ---- sound
    "sound": vector("as the service writes it", SOUND, None),
    "sound-first-record": vector("index 0", LOG.receipt(0, SIZE), None, about=LOG.records[0]),
    "sound-last-record": vector("at the ragged right edge", LOG.receipt(10, SIZE), None, about=LOG.records[10]),
    "sound-only-record": vector("a log of one: no proof lines", LOG.receipt(0, 1), None, about=LOG.records[0]),
    "sound-with-extra": vector("extra is opaque", LOG.receipt(INDEX, SIZE, extra=b"\x00anything"), None),
    "sound-with-unknown-witness": vector(
        "a line of an unknown key is passed over", LOG.receipt(INDEX, SIZE, signer(ORIGIN), signer(WITNESS)), None
    ),
    "sound-after-key-rotation": vector(
        "the old key is unknown by now, the new one signs too",
        LOG.receipt(INDEX, SIZE, signer(ORIGIN, "old"), signer(ORIGIN)),
        None,
    ),
    # ---- the record, its place, its log
    "changed-record": vector("one digit of the limit", SOUND, "RootMismatchError", about=record(INDEX, 40_000_001)),
    "record-spelt-otherwise": vector(
        "a space that changes no meaning", SOUND, "RootMismatchError", about=LOG.records[INDEX].replace(b",", b", ", 1)
    ),
    "rewritten-log-under-old-checkpoint": vector(
        "proof from a log with the record changed, checkpoint from before",
        _rewritten.receipt(INDEX, SIZE).partition("\n\n")[0] + "\n\n" + _sound_note,
        "RootMismatchError",
        about=_rewritten.records[INDEX],
    ),
    "swapped-leaves": vector(
        "two neighbours change places in the tree",
        _swapped.receipt(INDEX, SIZE).partition("\n\n")[0] + "\n\n" + _sound_note,
        "RootMismatchError",
        about=LOG.records[4],
    ),
    "replayed-receipt-for-other-record": vector(
        "record 5 under record 3's receipt", SOUND, "RootMismatchError", about=LOG.records[5]
    ),
    "replayed-receipt-for-other-index": vector(
        "the index line says 2", changed("index 3\n", "index 2\n"), "RootMismatchError"
    ),
    "index-beyond-size": vector("index 11 of 11", changed("index 3\n", "index 11\n"), "ProofError"),
    "index-of-nineteen-digits": vector(
        "larger than any log", changed("index 3\n", "index 9999999999999999999\n"), "ProofError"
    ),
    # ---- the proof
    "truncated-proof": vector("the last hash is missing", lines_changed(lambda hashes: hashes[:-1]), "ProofError"),
    "no-proof": vector("all hashes are missing", lines_changed(lambda hashes: []), "ProofError"),
    "lengthened-proof": vector("one hash twice", lines_changed(lambda hashes: [*hashes, hashes[0]]), "ProofError"),
    "reordered-proof": vector(
        "hashes from the top down", lines_changed(lambda hashes: hashes[::-1]), "RootMismatchError"
    ),
    "proof-of-other-size": vector(
        "hashes of the log at size 12 under the checkpoint of 11",
        LOG.receipt(8, 12).partition("\n\n")[0] + "\n\n" + _sound_note,
        "RootMismatchError",
        about=LOG.records[8],
    ),
    "short-hash": vector(
        "31 bytes",
        lines_changed(lambda hashes: [to_base64(from_base64(hashes[0])[:31]), *hashes[1:]]),
        "MalformedReceiptError",
    ),
    "sixty-four-hashes": vector(
        "higher than any tree", lines_changed(lambda hashes: hashes[:1] * 64), "MalformedReceiptError"
    ),
    # ---- the checkpoint
    "changed-size": vector("12 where 11 was signed", changed("\n11\n", "\n12\n"), "BadSignatureError"),
    "changed-root": vector(
        "the root of another log, whose proof would fit",
        _rewritten.receipt(INDEX, SIZE).rpartition("\n\n")[0] + "\n\n" + _sound_note.rpartition("\n\n")[2],
        "BadSignatureError",
        about=_rewritten.records[INDEX],
    ),
    "changed-origin": vector(
        "another log's name over our signature",
        changed(f"\n\n{ORIGIN}\n", f"\n\n{OTHER_ORIGIN}\n"),
        "BadSignatureError",
    ),
    "added-extension-line": vector("a line that nobody signed", changed("\n11\n", "\n11\nx\n"), "BadSignatureError"),
    "signature-of-other-checkpoint": vector(
        "size 11's text over size 12's signature",
        SOUND.rpartition("\n\n")[0] + "\n\n" + LOG.receipt(INDEX, 12).rpartition("\n\n")[2],
        "BadSignatureError",
    ),
    "stripped-signature": vector("no signature line", SOUND.rpartition("\n\n")[0] + "\n\n", "MalformedNoteError"),
    "stripped-signature-witness-left": vector(
        "only a witness has signed, and its key is known",
        SOUND.rpartition("\n\n")[0]
        + "\n\n"
        + LOG.receipt(INDEX, SIZE, signer(ORIGIN), signer(WITNESS)).splitlines(keepends=True)[-1],
        "UnknownKeyError",
        known=(*KNOWN, signer(WITNESS).verifier_key),
    ),
    "other-key": vector(
        "a key of the same name that we do not know",
        LOG.receipt(INDEX, SIZE, signer(ORIGIN, "thief")),
        "UnknownKeyError",
    ),
    "other-key-under-our-key-id": vector(
        "another key's signature bears our key's id",
        signed_by_key_id_of_another(signer(ORIGIN, "thief"), signer(ORIGIN)),
        "BadSignatureError",
    ),
    "other-logs-key-on-our-origin": vector(
        "lender B signs a checkpoint that bears lender A's name; both keys are known",
        SmallLog(_rewritten.records, ORIGIN)
        .receipt(INDEX, SIZE, signer(ORIGIN), signer(OTHER_ORIGIN))
        .replace(
            _rewritten.receipt(INDEX, SIZE).splitlines(keepends=True)[-1],
            "",
        ),
        "UnknownKeyError",
        about=_rewritten.records[INDEX],
        known=(*KNOWN, signer(OTHER_ORIGIN).verifier_key),
    ),
    "wrong-origin": vector(
        "a sound receipt of lender B's log; both keys are known",
        OTHER_LOG.receipt(INDEX, SIZE),
        "WrongOriginError",
        about=OTHER_LOG.records[INDEX],
        known=(*KNOWN, signer(OTHER_ORIGIN).verifier_key),
    ),
    "one-good-one-bad-signature": vector(
        "two known keys of the log, the second's signature is of another text",
        SOUND + LOG.receipt(INDEX, 12, signer(ORIGIN, "second")).splitlines(keepends=True)[-1],
        "BadSignatureError",
        known=(*KNOWN, signer(ORIGIN, "second").verifier_key),
    ),
    "no-known-key": vector("whoever verifies has no key", SOUND, "UnknownKeyError", known=()),
    # ---- the text
    "truncated-file": vector(
        "cut in the middle of the checkpoint", SOUND[: SOUND.index("\n11\n") + 10], "MalformedNoteError"
    ),
    "missing-checkpoint": vector("ends after the proof", SOUND.partition("\n\n")[0] + "\n", "MalformedReceiptError"),
    "line-ends-changed": vector("CRLF", SOUND.replace("\n", "\r\n"), "MalformedReceiptError"),
    "other-format": vector("version 2", changed("@v1\n", "@v2\n"), "MalformedReceiptError"),
    "missing-index": vector("no index line", changed("index 3\n", ""), "MalformedReceiptError"),
    "negative-index": vector("index -3", changed("index 3\n", "index -3\n"), "MalformedReceiptError"),
    "index-with-leading-zero": vector("index 03", changed("index 3\n", "index 03\n"), "MalformedReceiptError"),
    "index-in-wide-digits": vector("index ３", changed("index 3\n", "index ３\n"), "MalformedReceiptError"),
    "extra-after-index": vector(
        "extra stands too low", changed("index 3\n", "index 3\nextra AA==\n"), "MalformedReceiptError"
    ),
    "extra-not-base64": vector("extra !", changed("index 3\n", "extra !\nindex 3\n"), "MalformedReceiptError"),
    "empty": vector("nothing at all", "", "MalformedReceiptError"),
}
