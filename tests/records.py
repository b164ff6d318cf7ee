"""The operator's records as tests make them: under a key and a log name of their own.

Neighbours may rely on this: `RECORDS` makes any; `ACTIVATED` is a record for tests that activate a catalogue and care
for nothing of what is recorded of it; `verifier` opens the checkpoints of both.
"""

from app.audit.checkpoint import Signer, Verifier, sign_checkpoint
from app.audit.operator_record import OPERATOR, OperatorAct
from app.usecases.operator_log import OperatorRecords

LOG_NAME = "test.jifendai.example"
ORIGIN = f"{LOG_NAME}/{OPERATOR}"


class SeedSigner:
    """Signs every log with a key that anyone could make."""

    def sign(self, origin: str, size: int, root: bytes) -> bytes:
        """This function will return the signed note."""
        return sign_checkpoint(origin, size, root, Signer.from_seed(origin, b"\x07" * 32))


def verifier(origin: str = ORIGIN) -> Verifier:
    """This function will return what opens the notes."""
    return Verifier.from_vkey(Signer.from_seed(origin, b"\x07" * 32).verifier_key)


RECORDS = OperatorRecords(SeedSigner(), LOG_NAME)
ACTIVATED = RECORDS.recording(OperatorAct.CATALOGUE_ACTIVATED, {"catalogue": "sha256:0"}, by="test")
