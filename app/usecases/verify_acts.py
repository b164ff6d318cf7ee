"""核验事项: what the list says of an act, held to its signed record.

Neighbours may rely on this: every column is made again from the record; a record of a release that did not yet hold its
idempotency key says nothing of that column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from app.audit.act_record import act_place, open_act
from app.audit.sm3 import sm3_in
from app.usecases.acts import act_fingerprint
from app.usecases.finding import Finding, differences
from app.usecases.log_trail import StoredLeaf
from app.usecases.recorded_row import RecordPlace

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MICROSECOND = datetime.resolution


def act_findings(leaf: StoredLeaf, place: RecordPlace) -> Iterator[tuple[str, Finding]]:
    """This function will name what does not hold between a record that is no decision's and its row: each finding with
    its kind.
    """
    try:
        due = _columns(leaf, place)
    except (ValueError, LookupError, TypeError):
        yield "act", Finding(
            f"record {leaf.index} is of no kind that is known here: it was changed, or a later release wrote it",
            f"第 {leaf.index} 条记录的种类无法识别：被改动过，或由更新的版本写成",
        )
        return
    if leaf.act is None:
        yield "unlisted", Finding(
            f"record {leaf.index} ({due['record_id']}) has no act in the list: it was removed from there",
            f"第 {leaf.index} 条记录（{due['record_id']}）在事项列表中没有对应项：已从列表中删除",
        )
        return
    for column, told, said in differences(leaf.act, due):
        yield "column", Finding(
            f"act {due['record_id']} (index {leaf.index}): its {column} says {told}, its record says {said}: the row "
            "was changed",
            f"事项 {due['record_id']}（序号 {leaf.index}）的 {column} 为 {told}，而记录为 {said}：该行被改动过",
        )


def _columns(leaf: StoredLeaf, place: RecordPlace) -> Mapping[str, Any]:
    opened = open_act(leaf.record)
    result = opened.result
    key = {} if opened.idempotency_key is None else {"idempotency_key": opened.idempotency_key}
    return key | {
        "record_id": result["record_id"],
        "lender": place.lender,
        "index": leaf.index,
        "format": opened.format,
        "fingerprint": act_fingerprint(opened.subject, opened.document),
        "subject": opened.subject,
        "state": result["state"],
        "recorded_at": (datetime.fromisoformat(result["recorded_at"]) - _EPOCH) // _MICROSECOND,
        "submitted_by": opened.submitted_by,
        "answer_from": opened.answer_from,
        "answer_until": opened.answer_until,
        "place": act_place(
            record_id=result["record_id"], origin=place.origin, index=leaf.index, leaf_hash=leaf.leaf_hash,
            sm3=sm3_in(leaf.record),
        ),
    }
