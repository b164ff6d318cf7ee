"""What a batch is decided with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.audit.origin import origin_of
from app.usecases.catalogue import ActiveCatalogue
from app.usecases.ports import CheckpointSigner, Identifiers


@dataclass(frozen=True, slots=True)
class Room:
    """What a batch is decided with: the catalogue, where ids come from, who signs, and the installation's log name."""

    catalogue: ActiveCatalogue
    new_id: Identifiers
    signer: CheckpointSigner
    log_name: str
    sm3: bool = False
    """Whether each record has its SM3 digest beside the log's SHA-256 (国密)."""
    epochs: Mapping[str, int] = field(default_factory=dict)
    """The logs that have been begun anew, and in which epoch they are."""

    def origin(self, lender: str) -> str:
        """This function will return the name of one lender's log, which no two installations share."""
        return origin_of(self.log_name, lender, self.epochs.get(lender, 1))
