"""Checkpoints (检查点): a log's size and root, signed. C2SP tlog-checkpoint in a C2SP signed-note with Ed25519.

Neighbours may rely on this:
- the key that signs for a log bears the log's name: the checkpoint's first line, its origin. What a key of another name
  signs (a witness, another log) never makes a checkpoint of this log.
- `open_checkpoint` returns only what a known key of that name has signed, and refuses the note if any known key's
  signature is bad. Lines of unknown keys are passed over, so that keys may be rotated and witnesses may sign too.
- where the specifications leave room we are strict (canonical base64, sizes below 2**63): a note has one spelling.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from app.audit import EvidenceError
from app.audit.strict_base64 import from_base64, to_base64

LARGEST_SIZE: Final = 2**63 - 1
LARGEST_NOTE_BYTES: Final = 1_000_000
MOST_SIGNATURES: Final = 100

_ED25519: Final = b"\x01"
_SIGNATURE_MARK: Final = "— "
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_KEY_ID: Final = re.compile(r"[0-9a-f]{8}")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")


class MalformedNoteError(EvidenceError):
    """A text that is not a signed checkpoint at all."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(f"not a signed checkpoint: {en}", f"不是已签名的检查点：{zh}")


class UnknownKeyError(EvidenceError):
    """A checkpoint that no key known to us has signed for this log; `named` are the keys that claim to have."""

    def __init__(self, origin: str, named: tuple[str, ...]) -> None:
        claimed = ", ".join(named)
        super().__init__(
            f"no known key of log {origin} has signed this checkpoint (it names {claimed}): the key at hand is "
            "not the log's, or the checkpoint is not; get the current key from the bank itself",
            f"没有日志 {origin} 的已知密钥为此检查点签名（其中列出 {claimed}）："
            "手头的验证密钥或此检查点不属于该日志；请直接向银行取得现行密钥",
        )
        self.origin = origin
        self.named = named


class BadSignatureError(EvidenceError):
    """A signature of a known key that does not fit the text: the text or the signature was changed."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"the signature of {key} does not fit the checkpoint: its text or the signature was changed",
            f"{key} 的签名与检查点内容不符：内容或签名被改动过",
        )
        self.key = key


class VerifierKeyError(EvidenceError):
    """A verifier key (vkey) that cannot be read."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(
            f"not a verifier key: {en}; copy it whole, as `name+id+key`",
            f"不是验证密钥：{zh}；请完整复制，形如“名称+标识+密钥”",
        )


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log at one moment: whose it is, how many records it holds, and the root over them (32 bytes)."""

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        if not self.origin or "\n" in self.origin or _CONTROL.search(self.origin):
            raise ValueError("an origin is one line of text")
        if not 0 <= self.size <= LARGEST_SIZE:
            raise ValueError(f"a log's size is from 0 to {LARGEST_SIZE}, not {self.size}")
        if len(self.root) != 32:
            raise ValueError(f"a root has 32 bytes, not {len(self.root)}")

    def text(self) -> str:
        """This function will return the note's text, which is what gets signed."""
        return f"{self.origin}\n{self.size}\n{to_base64(self.root)}\n"


class Signer:
    """A log's signing key, kept loaded; `name` is the log's origin, `verifier_key` what anyone needs to verify."""

    __slots__ = ("_line_start", "_prefix", "_sign", "name", "verifier_key")

    def __init__(self, name: str, private_key: Ed25519PrivateKey) -> None:
        if not _is_key_name(name):
            raise ValueError("a key's name is text without spaces, control characters and plus signs")
        public = _ED25519 + private_key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.name = name
        self._prefix = _key_id(name, public)
        self._sign = private_key.sign
        self._line_start = _SIGNATURE_MARK + name + " "
        self.verifier_key = f"{name}+{self._prefix.hex()}+{to_base64(public)}"

    @classmethod
    def from_pem(cls, name: str, pem: bytes, password: bytes | None = None) -> Self:
        """This function will read an Ed25519 private key in PEM (PKCS #8).

        Raises ValueError if it is another kind of key or cannot be read, TypeError if the password is missing.
        """
        key = load_pem_private_key(pem, password)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError(f"the signing key of {name} is not Ed25519; make one with `jifendai keys signing create`")
        return cls(name, key)

    @classmethod
    def from_seed(cls, name: str, seed: bytes) -> Self:
        """This function will take the 32 bytes that RFC 8032 calls the private key; ValueError for another length."""
        return cls(name, Ed25519PrivateKey.from_private_bytes(seed))

    def signature_line(self, text: bytes) -> str:
        """This function will return the note's line that carries this key's signature of the text."""
        return f"{self._line_start}{to_base64(self._prefix + self._sign(text))}\n"

    def __repr__(self) -> str:
        return f"Signer({self.verifier_key})"


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key known to whoever verifies, by name and id."""

    name: str
    key_id: bytes
    public_key: Ed25519PublicKey = field(compare=False, repr=False)

    @classmethod
    def from_vkey(cls, vkey: str) -> Self:
        """This function will read a verifier key of the signed-note specification. Raises VerifierKeyError."""
        name, _, rest = vkey.strip().partition("+")
        claimed_id, _, encoded = rest.partition("+")
        public = from_base64(encoded)
        if not _is_key_name(name) or not _KEY_ID.fullmatch(claimed_id) or not public:
            raise VerifierKeyError("its three parts cannot be told apart", "无法分出三个部分")
        if public[:1] != _ED25519 or len(public) != 33:
            raise VerifierKeyError("it is not an Ed25519 key of 32 bytes", "不是 32 字节的 Ed25519 密钥")
        if _key_id(name, public).hex() != claimed_id:
            raise VerifierKeyError(
                f"its id {claimed_id} does not fit its name and key", f"标识 {claimed_id} 与名称和密钥不符"
            )
        return cls(name, bytes.fromhex(claimed_id), Ed25519PublicKey.from_public_bytes(public[1:]))

    @classmethod
    def of(cls, name: str, public_key: bytes) -> Self:
        """This function will take the 32 bytes of an Ed25519 public key under a name. Raises ValueError."""
        typed = _ED25519 + public_key
        return cls(name, _key_id(name, typed), Ed25519PublicKey.from_public_bytes(public_key))

    @property
    def public_bytes(self) -> bytes:
        """The 32 bytes of the public key."""
        return self.public_key.public_bytes(Encoding.Raw, PublicFormat.Raw)

    def accepts(self, text: bytes, signature: bytes) -> bool:
        """This function will say whether the signature is this key's, of this text."""
        try:
            self.public_key.verify(signature, text)
        except InvalidSignature:
            return False
        return True


def sign_checkpoint(origin: str, size: int, root: bytes, *signers: Signer) -> bytes:
    """This function will return the signed note. The first signer is the log itself, so its name is the origin.

    Raises ValueError.
    """
    if not signers or signers[0].name != origin:
        raise ValueError(f"a checkpoint of {origin} is signed first by the key of that name")
    text = Checkpoint(origin, size, root).text()
    signed = text.encode()
    return f"{text}\n{''.join([signer.signature_line(signed) for signer in signers])}".encode()


def open_checkpoint(note: bytes, verifiers: Iterable[Verifier]) -> Checkpoint:
    """This function will return what the note says once a known key of the log has been found to have signed it.

    Raises MalformedNoteError, UnknownKeyError, BadSignatureError.
    """
    text, lines = _split_note(note)
    known = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
    signatures = [_read_signature(line) for line in lines]
    signed_by = set()
    for name, key_id, signature in signatures:
        verifier = known.get((name, key_id))
        if verifier is None:
            continue
        if not verifier.accepts(text.encode(), signature):
            raise BadSignatureError(f"{name}+{key_id.hex()}")
        signed_by.add(name)
    checkpoint = _read_text(text)
    if checkpoint.origin not in signed_by:
        raise UnknownKeyError(checkpoint.origin, tuple(f"{name}+{key_id.hex()}" for name, key_id, _ in signatures))
    return checkpoint


def read_checkpoint(note: bytes) -> Checkpoint:
    """This function will return what the note says, whoever wrote it: nothing is verified.

    Raises MalformedNoteError.
    """
    return _read_text(_split_note(note)[0])


# ---- the note's form ------------------------------------------------------------------------------------------------


def _split_note(note: bytes) -> tuple[str, list[str]]:
    if len(note) > LARGEST_NOTE_BYTES:
        raise MalformedNoteError(f"larger than {LARGEST_NOTE_BYTES} bytes", f"超过 {LARGEST_NOTE_BYTES} 字节")
    try:
        content = note.decode()
    except UnicodeDecodeError:
        raise MalformedNoteError("not UTF-8", "不是 UTF-8 文本") from None
    if "\r" in content:
        raise MalformedNoteError(
            "its line ends were changed to CRLF; copy it as a file, unconverted",
            "换行被改成 CRLF；请以文件方式原样复制",
        )
    if _CONTROL.search(content):
        raise MalformedNoteError("it holds control characters", "含有控制字符")
    above, separator, block = content.rpartition("\n\n")
    if not separator or not block.endswith("\n"):
        raise MalformedNoteError(
            "the signature lines under an empty line are missing or cut", "缺少空行之后的签名行，或已被截断"
        )
    lines = block[:-1].split("\n")
    if len(lines) > MOST_SIGNATURES:
        raise MalformedNoteError(f"more than {MOST_SIGNATURES} signatures", f"签名超过 {MOST_SIGNATURES} 个")
    return above + "\n", lines


def _read_signature(line: str) -> tuple[str, bytes, bytes]:
    """This function will return the key's name, the key's id and the signature."""
    name, _, encoded = line.removeprefix(_SIGNATURE_MARK).partition(" ")
    blob = from_base64(encoded)
    if not line.startswith(_SIGNATURE_MARK) or not _is_key_name(name) or blob is None or len(blob) < 5:
        raise MalformedNoteError("a signature line is not `— name base64`", "签名行不是“— 名称 base64”的形式")
    return name, blob[:4], blob[4:]


def _read_text(text: str) -> Checkpoint:
    # Extension lines may follow the three; they are opaque, signed, and none of ours.
    origin, *rest = text[:-1].split("\n")
    if len(rest) < 2 or not origin or not all(rest):
        raise MalformedNoteError("the text is not origin, size and root on three lines", "正文不是来源、大小、根三行")
    root = from_base64(rest[1])
    if not _NUMBER.fullmatch(rest[0]) or int(rest[0]) > LARGEST_SIZE:
        raise MalformedNoteError("the second line is not a size in plain decimal digits", "第二行不是十进制的大小")
    if root is None or len(root) != 32:
        raise MalformedNoteError("the third line is not the base64 of a 32-byte root", "第三行不是 32 字节根的 base64")
    return Checkpoint(origin, int(rest[0]), root)


def _is_key_name(name: str) -> bool:
    # Whatever `split` takes for a space is one; the other control characters are not.
    return bool(name) and "+" not in name and name.split() == [name] and _CONTROL.search(name) is None


def _key_id(name: str, typed_public_key: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + typed_public_key).digest()[:4]
