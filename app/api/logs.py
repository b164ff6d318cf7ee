"""The audit logs over HTTP: the newest signed checkpoint, and the proof that an earlier log begins a later one.

Neighbours may rely on this: both hold hashes and sizes and no company; a lender that is not the caller's, or has
recorded nothing yet, is answered as one that does not exist.
"""

from __future__ import annotations

from typing import Annotated

import orjson
from fastapi import APIRouter, Path, Query
from starlette.responses import PlainTextResponse, Response

from app.api.answers import ConsistencyAnswer
from app.api.calls import Call, LeanRoute, ThisCall
from app.api.fields import Code
from app.api.problems import Problem, error
from app.api.schemas import ConsistencyQuery
from app.audit.strict_base64 import to_base64
from app.usecases.ports import SignedCheckpoint

router = APIRouter(route_class=LeanRoute, tags=["logs"])
Lender = Annotated[Code, Path(description="机构代码。Lender.")]


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
    newest = await _newest(call, lender)
    old_size, new_size = query.from_, newest.size if query.to is None else query.to
    if new_size > newest.size:
        zh, en = f"日志现有 {newest.size} 条记录，请勿超过", f"the log has {newest.size} records; ask for no more"
        raise Problem("invalid-request", errors=[error(zh, en, parameter="to")])
    if old_size > new_size:
        zh, en = f"至多为较新的大小 {new_size}", f"is at most the later size, {new_size}"
        raise Problem("invalid-request", errors=[error(zh, en, parameter="from")])
    hashes = await call.services.receipts.consistency(lender, old_size, new_size)
    body = {"from": old_size, "to": new_size, "hashes": [to_base64(held) for held in hashes]}
    return Response(orjson.dumps(body), media_type="application/json")


async def _newest(call: Call, lender: str) -> SignedCheckpoint:
    found = await call.services.decisions.newest_checkpoint(lender) if call.caller.sees(lender) else None
    if found is None:
        raise Problem("not-found")
    return found
