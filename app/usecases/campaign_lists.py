"""名单: whom a campaign is about, from a sheet or from the scores that are kept.

Neighbours may rely on this: lists come page by page; a row without a score gets the newest one that is kept of its
company, and that score stands in the list from then on; a row with a fault is left out, and its number told.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from app.audit.application import score_document
from app.usecases.campaigns import Campaign, ListedCompany, listed_company
from app.usecases.score_snapshots import ScoreSnapshots, SnapshotFilter
from app.usecases.sheet_rows import ReadRow

MOST_LEFT_OUT_TOLD: Final = 1_000
_PAGE: Final = 500


def campaign_id_of(lender: str, subject: str, key: str) -> str:
    """This function will make the id of a campaign from who asks and the key, so that a retry is about the same one; it
    has the form of a UUID (version 8).
    """
    made = sha256(f"{lender}\0{subject}\0{key}".encode()).hexdigest()
    return f"{made[:8]}-{made[8:12]}-8{made[13:16]}-8{made[17:20]}-{made[20:32]}"


async def from_snapshots(
    snapshots: ScoreSnapshots, lender: str, wanted: SnapshotFilter, request: Mapping[str, Any]
) -> AsyncIterator[Sequence[ListedCompany]]:
    """This function will list the companies whose newest score fits."""
    number, after = 0, None
    while found := await snapshots.listed(lender, wanted, limit=_PAGE, after=after):
        listed = []
        for snapshot in found:
            company = {"uscc": snapshot.uscc, "name": snapshot.name or snapshot.uscc, "zone": wanted.zone}
            parts = {"company": company, "innovation_score": score_document(snapshot.score)}
            listed.append(listed_company(number, parts, request))
            number += 1
        yield listed
        after = found[-1].uscc


async def from_sheet(
    pages: AsyncIterator[Sequence[ReadRow]], snapshots: ScoreSnapshots, campaign: Campaign,
    request: Mapping[str, Any], left_out: list[int],
) -> AsyncIterator[Sequence[ListedCompany]]:  # fmt: skip
    """This function will list a sheet's good rows, and add the numbers of the others to `left_out`."""
    number = 0
    async for page in pages:
        good = [dict(row.document) for row in page if row.document is not None]
        left_out += [row.number for row in page if row.document is None][: MOST_LEFT_OUT_TOLD - len(left_out)]
        bare = [parts["company"]["uscc"] for parts in good if "innovation_score" not in parts]
        known = await snapshots.newest(campaign.lender, campaign.zone, bare) if bare else {}
        listed = []
        for parts in good:
            snapshot = known.get(parts["company"]["uscc"])
            if snapshot is not None:
                parts["innovation_score"] = score_document(snapshot.score)
            elif "innovation_score" in parts:
                parts["innovation_score"] = {**parts["innovation_score"], "source": {"kind": "SCORE_SHEET"}}
            listed.append(listed_company(number, parts, request))
            number += 1
        yield listed
