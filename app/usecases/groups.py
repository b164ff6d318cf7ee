"""集团登记: which companies a lender holds to be one group. His cap counts them together, whatever an application says.

Neighbours may rely on this: a registration replaces the whole membership of one group, on the record; from that moment
on every decision of that lender counts by it. What an application names beyond it is counted as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from app.usecases.act_rows import ActsWanted, Member, Written
from app.usecases.acts import Act, Result, Work


class Groups(Protocol):
    """The groups as readers see them."""

    async def members(self, lender: str, group_id: str) -> Sequence[str]:
        """This function will return the codes of a group's members as that lender knows it, in order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRegistered(Act):
    """The members of one group, all of them; none at all dissolves it."""

    format: ClassVar[str] = "jifendai/group/1"
    members: tuple[str, ...]

    @property
    def companies(self) -> tuple[tuple[str, str, str | None], ...]:
        """What the group's members and those named have promised is read as well: the next in the batch count it."""
        return tuple((self.lender, uscc, self.subject) for uscc in self.members or ("",))

    def wants(self) -> ActsWanted:
        """This function will ask for nothing: the members are read with the companies."""
        return ActsWanted()

    def seal_into(self, work: Work, record_id: str) -> Result:
        """This function will let in who is new and out who is not named any more."""
        known, named = work.members(self.lender, self.subject), frozenset(self.members)
        left = tuple((self.lender, uscc, self.subject) for uscc in sorted(known - named))
        rows = tuple(Written("group_member", {"is_member": False}, _key(member)) for member in left)
        shown = {
            "lender": self.lender, "group_id": self.subject, "members": sorted(named),
            "joined": sorted(named - known), "left": sorted(known - named),
        }  # fmt: skip
        joined = tuple((self.lender, uscc, self.subject) for uscc in sorted(named - known))
        return Result("REGISTERED" if named else "DISSOLVED", shown, rows=rows, joined=joined, left=left)


def _key(member: Member) -> dict[str, str]:
    lender, uscc, group_id = member
    return {"uscc": uscc, "lender": lender, "group_id": group_id}
