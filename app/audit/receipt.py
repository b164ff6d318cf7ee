"""Receipts (回执): C2SP tlog-proof texts, by which anyone can check later, without us, that a record is in the log.

Neighbours may rely on this: a receipt is a line naming the format, an optional `extra` line, the record's index, the
hashes of the inclusion proof from the leaf upwards, an empty line, and the signed checkpoint byte for byte. It does not
hold the record: whoever verifies brings the record's own bytes, the log's verifier key, and the log's expected name.
`extra` is authenticated by nothing.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from app.audit import EvidenceError
from app.audit.checkpoint import Checkpoint, Verifier, open_checkpoint
from app.audit.merkle import HASH_BYTES, leaf_hash, verify_inclusion
from app.audit.strict_base64 import from_base64, to_base64

FORMAT: Final = "c2sp.org/tlog-proof@v1"
LARGEST_RECEIPT_BYTES: Final = 2_000_000
# A log of fewer than 2**63 records is at most 63 levels high.
MOST_HASHES: Final = 63

_INDEX_LINE: Final = re.compile(r"index (0|[1-9][0-9]{0,18})")


class MalformedReceiptError(EvidenceError):
    """A text that is not a receipt at all."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(f"not a receipt: {en}", f"不是回执：{zh}")


class WrongOriginError(EvidenceError):
    """A sound receipt of another log than the one expected."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(
            f"the receipt is of log {found}, not of {expected}; ask the log that made the decision for its receipt",
            f"此回执属于日志 {found}，而不是 {expected}；请向作出该决策的日志索取回执",
        )
        self.expected = expected
        self.found = found


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt as read, nothing in it verified yet; `extra` is None where the line is missing."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint_note: bytes
    extra: bytes | None = None


def write_receipt(index: int, hashes: Sequence[bytes], checkpoint_note: bytes, extra: bytes | None = None) -> str:
    """This function will return the receipt of the record at `index`: its inclusion proof in the checkpoint's tree."""
    lines = [FORMAT]
    if extra is not None:
        lines.append(f"extra {to_base64(extra)}")
    lines.append(f"index {index}")
    lines += map(to_base64, hashes)
    return "\n".join(lines) + "\n\n" + checkpoint_note.decode()


def open_receipt(text: str) -> Receipt:
    """This function will read a receipt; it verifies nothing. Raises MalformedReceiptError."""
    if len(text) > LARGEST_RECEIPT_BYTES:
        raise MalformedReceiptError(
            f"longer than {LARGEST_RECEIPT_BYTES} characters", f"超过 {LARGEST_RECEIPT_BYTES} 个字符"
        )
    if "\r" in text:
        raise MalformedReceiptError(
            "its line ends were changed to CRLF; copy it as a file, unconverted",
            "换行被改成 CRLF；请以文件方式原样复制",
        )
    above, separator, note = text.partition("\n\n")
    first, *lines = above.split("\n")
    if first != FORMAT:
        raise MalformedReceiptError(f"the first line is not {FORMAT}", f"第一行不是 {FORMAT}")
    extra = _read_extra(lines.pop(0)) if lines and lines[0].startswith("extra ") else None
    index_line = _INDEX_LINE.fullmatch(lines.pop(0)) if lines else None
    if index_line is None:
        raise MalformedReceiptError(
            "the line `index …` is missing or not a plain number", "缺少“index …”行，或其值不是数字"
        )
    if not separator or not note:
        raise MalformedReceiptError("the checkpoint under the empty line is missing", "缺少空行之后的检查点")
    return Receipt(int(index_line[1]), _read_hashes(lines), _encoded(note), extra)


def verify_receipt(
    text: str,
    *,
    verifiers: Iterable[Verifier],
    origin: str,
    record: bytes | None = None,
    record_leaf_hash: bytes | None = None,
) -> Checkpoint:
    """This function will return the checkpoint that holds the record, once signature, origin and proof fit.

    The record is given as its bytes or as its leaf hash, one of the two (32 bytes could be either, so they are named).
    Raises an EvidenceError that says which part does not hold, TypeError if not exactly one of the two is given.
    """
    if (record is None) == (record_leaf_hash is None):
        raise TypeError("verify_receipt takes either record or record_leaf_hash")
    receipt = open_receipt(text)
    checkpoint = open_checkpoint(receipt.checkpoint_note, verifiers)
    if checkpoint.origin != origin:
        raise WrongOriginError(origin, checkpoint.origin)
    verify_inclusion(
        leaf=record_leaf_hash if record is None else leaf_hash(record),
        index=receipt.index,
        size=checkpoint.size,
        proof=receipt.hashes,
        root=checkpoint.root,
    )
    return checkpoint


def _read_extra(line: str) -> bytes:
    extra = from_base64(line.removeprefix("extra "))
    if extra is None:
        raise MalformedReceiptError("the line `extra …` is not base64", "“extra …”行不是 base64")
    return extra


def _read_hashes(lines: list[str]) -> tuple[bytes, ...]:
    if len(lines) > MOST_HASHES:
        raise MalformedReceiptError(
            f"{len(lines)} proof lines, {MOST_HASHES} at most", f"证明有 {len(lines)} 行，至多 {MOST_HASHES} 行"
        )
    hashes = tuple(map(from_base64, lines))
    for number, held in enumerate(hashes, start=1):
        if held is None or len(held) != HASH_BYTES:
            raise MalformedReceiptError(
                f"proof line {number} is not the base64 of {HASH_BYTES} bytes",
                f"证明第 {number} 行不是 {HASH_BYTES} 字节的 base64",
            )
    return hashes


def _encoded(note: str) -> bytes:
    try:
        return note.encode()
    except UnicodeEncodeError:
        raise MalformedReceiptError(
            "it holds lone surrogates, so it is not UTF-8 text", "含有孤立代理项，不是 UTF-8 文本"
        ) from None
