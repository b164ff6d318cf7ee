"""Checkpoints, sound and malformed: the rules of C2SP signed-note and tlog-checkpoint, broken one at a time."""

from app.audit.checkpoint import Signer
from app.audit.strict_base64 import to_base64
from tests.vectors.small_log import LOG, ORIGIN, WITNESS, signer

KEY = signer(ORIGIN)
ROOT = to_base64(bytes(range(32)))


def signed(text: str, *signers: Signer) -> str:
    """This function will sign any text, also one that is no checkpoint."""
    lines = [held.signature_line(text.encode()) for held in signers or (KEY,)]
    return text + "\n" + "".join(lines)


def vector(what: str, note: str, refused: str | None, known: tuple[str, ...] = (KEY.verifier_key,)) -> dict:
    return {
        "what": what,
        "refused": refused,
        "origin": ORIGIN,
        "verifier_keys": list(known),
        "note": note.split("\n"),
    }


_sound = LOG.checkpoint(11).decode()
_line = _sound.splitlines(keepends=True)[-1]

CHECKPOINTS = {
    "sound": vector("as the service writes it", _sound, None),
    "sound-empty-log": vector("size 0", LOG.checkpoint(0).decode(), None),
    "sound-with-extension-line": vector(
        "a signed line of somebody else's", signed(f"{ORIGIN}\n5\n{ROOT}\nx y\n"), None
    ),
    "sound-signed-twice-alike": vector("one line repeated", _sound + _line, None),
    "sound-sixteen-signatures": vector(
        "as many as must be taken",
        signed(f"{ORIGIN}\n5\n{ROOT}\n", KEY, *(signer(WITNESS, str(n)) for n in range(15))),
        None,
    ),
    "largest-size": vector("2**63 - 1", signed(f"{ORIGIN}\n{2**63 - 1}\n{ROOT}\n"), None),
    "size-beyond-63-bits": vector("2**63", signed(f"{ORIGIN}\n{2**63}\n{ROOT}\n"), "MalformedNoteError"),
    "size-of-four-hundred-digits": vector(
        "1 and 399 zeros", signed(f"{ORIGIN}\n1{'0' * 399}\n{ROOT}\n"), "MalformedNoteError"
    ),
    "size-with-leading-zero": vector("011", signed(f"{ORIGIN}\n011\n{ROOT}\n"), "MalformedNoteError"),
    "size-with-sign": vector("+11", signed(f"{ORIGIN}\n+11\n{ROOT}\n"), "MalformedNoteError"),
    "size-negative": vector("-1", signed(f"{ORIGIN}\n-1\n{ROOT}\n"), "MalformedNoteError"),
    "size-in-wide-digits": vector("５", signed(f"{ORIGIN}\n５\n{ROOT}\n"), "MalformedNoteError"),
    "root-of-31-bytes": vector(
        "one byte short", signed(f"{ORIGIN}\n5\n{to_base64(bytes(31))}\n"), "MalformedNoteError"
    ),
    "root-missing": vector("two lines", signed(f"{ORIGIN}\n5\n"), "MalformedNoteError"),
    "root-spelt-otherwise": vector(
        "stray bits in the last character of the base64", signed(f"{ORIGIN}\n5\n{'A' * 42}B=\n"), "MalformedNoteError"
    ),
    "origin-empty": vector("the first line is empty", signed(f"\n5\n{ROOT}\n"), "MalformedNoteError"),
    "extension-line-empty": vector(
        "an empty line in the text", signed(f"{ORIGIN}\n5\n{ROOT}\n\nx\n"), "MalformedNoteError"
    ),
    "origin-with-a-space-more": vector(
        "the origin is compared exactly", signed(f"{ORIGIN} \n5\n{ROOT}\n"), "UnknownKeyError"
    ),
    "control-character": vector("a tab", signed(f"{ORIGIN}\t\n5\n{ROOT}\n"), "MalformedNoteError"),
    "no-signature-block": vector("text alone", _sound.rpartition("\n\n")[0] + "\n", "MalformedNoteError"),
    "empty-signature-block": vector(
        "an empty line at the end", _sound.rpartition("\n\n")[0] + "\n\n", "MalformedNoteError"
    ),
    "cut-last-newline": vector("no newline at the end", _sound[:-1], "MalformedNoteError"),
    "hyphen-for-dash": vector("- instead of —", _sound.replace("— ", "- "), "MalformedNoteError"),
    "signature-not-base64": vector("a star in it", _sound[:-5] + "*" + _sound[-4:], "MalformedNoteError"),
    "signature-without-bytes": vector("the key's id alone", _sound + f"— {ORIGIN} AAAAAA==\n", "MalformedNoteError"),
    "signature-cut-to-63-bytes": vector(
        "one byte short", _sound.replace(_line, f"— {ORIGIN} {_line.split(' ')[2][:88]}\n"), "BadSignatureError"
    ),
    "text-after-signatures": vector("a line that is not a signature", _sound + "note\n", "MalformedNoteError"),
    "text-before-signed-text": vector("a second text above the signed one", "evil\n\n" + _sound, "BadSignatureError"),
    "name-with-plus": vector("a key's name with a plus", _sound.replace(f"— {ORIGIN}", "— a+b"), "MalformedNoteError"),
    "name-missing": vector("no key's name", _sound.replace(f"— {ORIGIN} ", "—  "), "MalformedNoteError"),
    "hundred-and-one-signatures": vector("more than we read", _sound + _line * 100, "MalformedNoteError"),
}
