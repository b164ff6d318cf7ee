"""EVIDENCE: canonical bytes, records, the Merkle tree, signed checkpoints and receipts; pure.

Neighbours may rely on this: whatever fails to verify raises an `EvidenceError`, whose English and Chinese sentences are
fit for whoever asked for the verification. Bytes that verify here verify with Go's sumdb code as well, and the reverse.
"""


class EvidenceError(Exception):
    """Evidence (证据) that does not hold; `en` and `zh` say what was found, of what, and what to do next."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.en = en
        self.zh = zh

    def __str__(self) -> str:
        return self.en
