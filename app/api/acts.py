"""Acts over HTTP: what every operation that records one has in common.

Neighbours may rely on this: an act is answered only once it is durable, with 201 and the bytes that were recorded; the
same key and body get the same bytes again, with Idempotent-Replayed; what stands against it is a problem.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import Header
from starlette.responses import Response

from app.api.access import Caller
from app.api.calls import Call
from app.api.decisions import JSON, sent_key
from app.api.problems import Problem
from app.audit.canonical import canonical_bytes
from app.usecases.acts import Act
from app.usecases.obstacles import KeysChanged

_VERSION: Final = re.compile(rb'"([0-9]{1,9})"')

IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match", min_length=3, max_length=11, pattern=r'^"[0-9]{1,9}"$',
        description="可选：所见版本的 ETag；已变动则 412。Optional: the ETag last seen; 412 where it has changed.",
    ),
]  # fmt: skip


async def record_act(
    call: Call, make: Callable[[Caller, bytes, str], Act], *, etag: Callable[[bytes], str] | None = None
) -> Response:
    """This function will record the act that `make` makes of the caller, the canonical body and the Idempotency-Key;
    `etag` reads the version from the answer's bytes.
    """
    key, document = sent_key(call), canonical_bytes(call.document)
    while True:
        act = make(call.caller, document, key)
        try:
            answer = await call.services.desk.submit(act)
        except KeysChanged:
            # The batch knows whether keys have changed since the caller's was looked at; so it is looked at again.
            await call.sign_in()
            continue
        headers = {"Idempotent-Replayed": "true"} if answer.replayed else {}
        if etag is not None:
            headers["ETag"] = etag(answer.body)
        return Response(answer.body, 201, headers, JSON)


def by_caller(caller: Caller) -> dict[str, Any]:
    """This function will return what an act tells of who submits it: the person where a system names one, as two people
    are told apart by it, whether they come with a key of their own or through a system.
    """
    return {"submitted_by": caller.person, "keys_seen": caller.keys_seen}


def expected_version(call: Call) -> int | None:
    """This function will return the version that If-Match names, None where it names none. Raises Problem (400)."""
    sent = call.header_values(b"if-match")
    if not sent:
        return None
    found = _VERSION.fullmatch(sent[0]) if len(sent) == 1 else None
    if found is None:
        raise Problem("if-match-malformed")
    return int(found[1])
