"""A log of a dozen made-up records, and the means to forge one: what the vectors are cut from."""

from dataclasses import dataclass
from hashlib import sha256

from app.audit.canonical import canonical_bytes
from app.audit.checkpoint import Signer, sign_checkpoint
from app.audit.merkle import Frontier, consistency_proof, inclusion_proof, leaf_hash
from app.audit.receipt import write_receipt

ORIGIN = "jifendai.example/lender-a"
OTHER_ORIGIN = "jifendai.example/lender-b"
WITNESS = "witness.example/w1"


def signer(name: str, key: str = "first") -> Signer:
    """This function will make the key of that name; `key` tells several keys of one name apart."""
    return Signer.from_seed(name, sha256(f"{name} {key}".encode()).digest())


def record(number: int, limit: int | None = None) -> bytes:
    """This function will make a record of a decision, its limit in fen."""
    return canonical_bytes(
        {
            "application_id": f"LOS-2026-{number:06d}",
            "company": "示例净水科技有限公司",
            "credit_limit": limit if limit is not None else (number + 1) * 10_000_000,
            "outcome": "PRE_APPROVED",
        }
    )


@dataclass(frozen=True, slots=True)
class SmallLog:
    """A log's records, in order."""

    records: tuple[bytes, ...]
    origin: str = ORIGIN

    @property
    def leaves(self) -> list[bytes]:
        """The leaf hashes."""
        return [leaf_hash(held) for held in self.records]

    def checkpoint(self, size: int, *signers: Signer) -> bytes:
        """This function will sign the log as it was at that size, with the log's own key unless others are named."""
        root = Frontier().extend(self.leaves[:size]).root()
        return sign_checkpoint(self.origin, size, root, *(signers or (signer(self.origin),)))

    def receipt(self, index: int, size: int, *signers: Signer, extra: bytes | None = None) -> str:
        """This function will write the receipt of one record in the log as it was at that size."""
        proof = inclusion_proof(self.leaves, index, size)
        return write_receipt(index, proof, self.checkpoint(size, *signers), extra)

    def consistency(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        """This function will prove that the log only grew between the two sizes."""
        return consistency_proof(self.leaves, old_size, new_size)

    def with_record(self, index: int, changed: bytes) -> "SmallLog":
        """This function will forge the log that has another record at that index."""
        return SmallLog((*self.records[:index], changed, *self.records[index + 1 :]), self.origin)


LOG = SmallLog(tuple(record(number) for number in range(13)))
OTHER_LOG = SmallLog(tuple(record(number, 1) for number in range(13)), OTHER_ORIGIN)
