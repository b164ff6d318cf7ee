"""What a batch finds promised, and what it has promised itself since.

Neighbours may rely on this: who belongs to a group is what the lender has seen or registered, not only what one request
says: a request that leaves its group out is counted with it all the same. Whoever the register took out of a group is
counted with it where he names it himself, and does not belong to it again by that: only the register takes him back.
"""

from __future__ import annotations

from collections.abc import Iterable

from app.domain.standing import Commitment, Standing
from app.usecases.act_rows import Member


class Promised:
    """The open commitments that the batch can see, found by company, by application and by a group's members."""

    def __init__(
        self, commitments: Iterable[tuple[str, Commitment]], members: Iterable[Member], left: Iterable[Member] = ()
    ) -> None:
        self._found: dict[tuple[str, str, str], dict[str, Commitment]] = {}
        self._members: dict[tuple[str, str], set[str]] = {}
        self._groups: dict[tuple[str, str], set[str]] = {}
        self._left = set(left)
        for lender, commitment in commitments:
            self.add(lender, commitment)
        for member in members:
            self.join(member)

    def add(self, lender: str, commitment: Commitment) -> None:
        for place in self._places(lender, commitment):
            self._found.setdefault(place, {})[commitment.offer_id] = commitment

    def remove(self, lender: str, commitment: Commitment) -> None:
        for place in self._places(lender, commitment):
            self._found.get(place, {}).pop(commitment.offer_id, None)

    def join(self, member: Member) -> None:
        self._left.discard(member)
        lender, uscc, group_id = member
        self._members.setdefault((lender, group_id), set()).add(uscc)
        self._groups.setdefault((lender, uscc), set()).add(group_id)

    def joins(self, member: Member) -> bool:
        """This function will tell whether an application that names its group makes the company a member of it."""
        return member[2] is not None and member not in self._left and not self.knows(member)

    def leave(self, member: Member) -> None:
        self._left.add(member)
        lender, uscc, group_id = member
        self._members.get((lender, group_id), set()).discard(uscc)
        self._groups.get((lender, uscc), set()).discard(group_id)

    def members(self, lender: str, group_id: str) -> frozenset[str]:
        return frozenset(self._members.get((lender, group_id), ()))

    def knows(self, member: Member) -> bool:
        lender, uscc, group_id = member
        return uscc in self._members.get((lender, group_id), ())

    def standing(self, lender: str, uscc: str, group_id: str | None) -> Standing:
        own = self._found.get((lender, "company", uscc), {})
        groups = self._groups.get((lender, uscc), ())
        if not groups and group_id is None:
            return Standing(tuple(own.values()))
        counted = dict(own)
        for group in sorted({*groups, group_id} - {None}):
            for member in sorted(self._members.get((lender, group), ())):
                counted |= self._found.get((lender, "company", member), {})
        return Standing(tuple(counted.values()))

    def for_application(self, lender: str, application_id: str) -> Iterable[Commitment]:
        return self._found.get((lender, "application", application_id), {}).values()

    @staticmethod
    def _places(lender: str, commitment: Commitment) -> list[tuple[str, str, str]]:
        return [(lender, "company", commitment.uscc), (lender, "application", commitment.application_id)]
