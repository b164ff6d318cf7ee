"""The audit logs over HTTP: the newest signed checkpoint, the proof that an earlier log begins a later one, and the
operator's records.

Neighbours may rely on this: nothing here names a company; a lender that is not the caller's, or has recorded nothing
yet, is answered as one that does not exist. The operator's log is the whole installation's: to a key that is confined
to lenders it does not exist either.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Path, Query
from starlette.responses import PlainTextResponse, Response

from app.api.answers import ConsistencyAnswer, OperatorRecordPage
from app.api.calls import Call, LeanRoute, ThisCall
from app.api.cursor import read_cursor, write_cursor
from app.api.fields import Code
from app.api.problems import Problem, error
from app.api.schemas import ConsistencyQuery, OperatorRecordsQuery
from app.audit.operator_record import OPERATOR
from app.audit.strict_base64 import to_base64
from app.usecases.ports import SignedCheckpoint

_RECORDS: Final = {"list": "operator's records"}
# A record's place is its index alone.
_NO_INSTANT: Final = datetime(1970, 1, 1, tzinfo=UTC)

router = APIRouter(route_class=LeanRoute, tags=["logs"])
Lender = Annotated[Code, Path(description="机构代码。Lender.")]


# The operator's paths come first, or they would be taken for those of a lender.


@router.get("/v1/logs/operator/checkpoint", response_class=PlainTextResponse)
async def get_operator_checkpoint(call: ThisCall) -> Response:
    """操作日志的最新检查点 The newest checkpoint of the operator's log

    操作日志记录密钥、角色与目录的每次变更，与各机构的日志同样是 RFC 6962 树。
    The operator's log holds every change of keys, roles and catalogue, in an RFC 6962 tree like each lender's.
    """
    return PlainTextResponse((await _newest_of_operator(call)).note)


@router.get("/v1/logs/operator/consistency", response_model=ConsistencyAnswer)
async def get_operator_consistency(call: ThisCall, query: Annotated[ConsistencyQuery, Query()]) -> Response:
    """操作日志的一致性证明 The proof that an earlier operator's log is the beginning of a later one

    RFC 6962，同各机构日志的一致性证明。
    RFC 6962, as for a lender's log.
    """
    return await _consistency(call, await _newest_of_operator(call), query)


@router.get("/v1/logs/operator/records", response_model=OperatorRecordPage)
async def list_operator_records(call: ThisCall, query: Annotated[OperatorRecordsQuery, Query()]) -> Response:
    """操作记录，由新到旧 The operator's records, newest first

    谁在何时对密钥、角色、目录与日志做了什么。record 的规范字节即叶的内容，可用 leaf_hash 核对。
    Who did what to keys, roles, catalogue and logs, and when. The canonical bytes of `record` are the leaf's.
    """
    _see_all(call)
    key, scope = call.services.cursor_key, (OPERATOR,)
    before = None if query.cursor is None else int(read_cursor(key, query.cursor, scope, _RECORDS)[1])
    found = await call.services.operator_log.entries(before=before, limit=query.limit + 1)
    shown = found[: query.limit]
    following = None
    if len(found) > query.limit:
        following = write_cursor(key, (_NO_INSTANT, str(shown[-1].index)), scope, _RECORDS)
    items = [
        {"index": entry.index, "leaf_hash": entry.leaf_hash.hex(), "record": orjson.Fragment(entry.record)}
        for entry in shown
    ]
    return _json({"items": items, "next_cursor": following})


@router.get("/v1/logs/{lender}/checkpoint", response_class=PlainTextResponse)
async def get_checkpoint(call: ThisCall, lender: Lender) -> Response:
    """最新检查点 The newest checkpoint of a lender's log

    C2SP tlog-checkpoint：日志的大小与根，已签名。请保存在本安装之外：此后任何改动、删除或回退均可据以发现。
    A C2SP tlog-checkpoint: the log's size and root, signed. Keep it outside this installation: whatever is changed,
    removed or set back afterwards shows against it.
    """
    return PlainTextResponse((await _newest(call, lender)).note)


@router.get("/v1/logs/{lender}/consistency", response_model=ConsistencyAnswer)
async def get_consistency(call: ThisCall, lender: Lender, query: Annotated[ConsistencyQuery, Query()]) -> Response:
    """一致性证明 The proof that an earlier log is the beginning of a later one

    RFC 6962：凭两个检查点与此证明，任何人均可离线核验日志只增不改。
    RFC 6962: with two checkpoints and this proof anyone verifies offline that the log has only grown.
    """
    return await _consistency(call, await _newest(call, lender), query)


# ---- the parts -------------------------------------------------------------------------------------------------------


async def _consistency(call: Call, newest: SignedCheckpoint, query: ConsistencyQuery) -> Response:
    old_size, new_size = query.from_, newest.size if query.to is None else query.to
    if new_size > newest.size:
        zh, en = f"日志现有 {newest.size} 条记录，请勿超过", f"the log has {newest.size} records; ask for no more"
        raise Problem("invalid-request", errors=[error(zh, en, parameter="to")])
    if old_size > new_size:
        zh, en = f"至多为较新的大小 {new_size}", f"is at most the later size, {new_size}"
        raise Problem("invalid-request", errors=[error(zh, en, parameter="from")])
    hashes = await call.services.receipts.consistency(newest.lender, old_size, new_size)
    body = {"from": old_size, "to": new_size, "hashes": [to_base64(held) for held in hashes]}
    return _json(body)


def _json(document: Any) -> Response:
    return Response(orjson.dumps(document), media_type="application/json")


def _see_all(call: Call) -> None:
    if call.caller.lenders:
        raise Problem("not-found")


async def _newest_of_operator(call: Call) -> SignedCheckpoint:
    _see_all(call)
    return await _newest(call, OPERATOR)


async def _newest(call: Call, lender: str) -> SignedCheckpoint:
    found = await call.services.decisions.newest_checkpoint(lender) if call.caller.sees_some_of(lender) else None
    if found is None:
        raise Problem("not-found")
    return found
