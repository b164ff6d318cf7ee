"""Groups over HTTP: which companies a lender holds to be one group, for his cap.

Neighbours may rely on this: a registration is an act of the lender's own log and replaces the whole membership; a
foreign lender's group is answered as one that does not exist.
"""

from __future__ import annotations

from typing import Annotated

import orjson
from fastapi import APIRouter, Path
from pydantic import Field
from starlette.responses import Response

from app.api.access import Caller
from app.api.acts import by_caller, record_act
from app.api.answers import Answered, Id, Name
from app.api.calls import Call, LeanRoute, ThisCall
from app.api.decisions import JSON, IdempotencyKey
from app.api.fields import Code, GroupId, Text, Uscc
from app.api.pool_schemas import PlaceShown
from app.api.problems import Problem
from app.api.schemas import Sent
from app.usecases.acts import Act
from app.usecases.groups import GroupRegistered

router = APIRouter(route_class=LeanRoute, tags=["offers"])
Lender = Annotated[Code, Path(description="机构。The lender.")]
Group = Annotated[GroupId, Path(description="集团标识。The group.")]
_Codes = Annotated[list[Name], Field(max_length=100_000)]


class GroupRequest(Sent):
    """集团成员：所列即全部。All members of a group; whoever is not listed belongs to it no more."""

    members: Annotated[list[Uscc], Field(max_length=500)] = Field(
        description="成员的统一社会信用代码，至多 500。The members' codes, at most 500; none dissolves the group."
    )
    reference: Text = Field(description="依据。What it rests on.")


class GroupAnswer(Answered):
    """集团成员。A group as the lender knows it."""

    lender: Name
    group_id: Name
    members: _Codes


class GroupActAnswer(GroupAnswer):
    """已登记。The registration, recorded."""

    record_id: Id
    recorded_at: Name
    state: Name
    joined: _Codes
    left: _Codes
    audit_record: PlaceShown


@router.get("/v1/groups/{lender}/{group_id}", response_model=GroupAnswer)
async def get_group(call: ThisCall, lender: Lender, group_id: Group) -> Response:
    """集团成员 Who belongs to a group

    机构登记的成员，以及申请中曾写明该集团的企业；授信上限合并计算。
    Who was registered, and who came with an application that named the group; the lender's cap counts them together.
    """
    _own(call, lender)
    members = await call.services.groups.members(lender, group_id)
    shown = {"lender": lender, "group_id": group_id, "members": list(members)}
    return Response(orjson.dumps(shown), media_type=JSON)


@router.post("/v1/groups/{lender}/{group_id}", status_code=201, response_model=GroupActAnswer)
async def register_group(
    call: ThisCall, lender: Lender, group_id: Group, sent: GroupRequest, idempotency_key: IdempotencyKey
) -> Response:
    """登记集团成员 Register a group's members

    所列即全部成员，记入该机构日志；其后的决策按此合并计算，申请未写明集团亦然。
    All members, on the lender's log; decisions count by it from then on, also for who leaves the group out.
    """
    _own(call, lender)

    def make(caller: Caller, document: bytes, key: str) -> Act:
        return GroupRegistered(
            lender=lender, subject=group_id, idempotency_key=key, document=document,
            members=tuple(dict.fromkeys(sent.members)), **by_caller(caller),
        )  # fmt: skip

    return await record_act(call, make)


def _own(call: Call, lender: str) -> None:
    if lender not in call.services.lenders or not call.caller.sees(lender):
        raise Problem("not-found")
