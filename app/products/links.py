"""What names mean across files, and whether an ACTIVE loan has all it needs."""

from __future__ import annotations

from app.products.faults import Faults
from app.products.sources import Sources


def check_links(sources: Sources, faults: Faults) -> None:
    """This function will note every name that means nothing."""


def check_completeness(sources: Sources, faults: Faults) -> None:
    """This function will note what an ACTIVE loan lacks, and from when."""
