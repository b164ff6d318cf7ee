"""EVIDENCE: canonical bytes, records, the Merkle tree and signed checkpoints; pure."""
