"""Sheets as the documentation shows them: what is sent as a file, with an example that works as it stands.

Neighbours may rely on this: the example's scores are of the day that the operation's own parameters tell.
"""

from __future__ import annotations

from typing import Any, Final

from app.api.bodies import LARGEST_SHEET_BYTES, SHEET_KINDS

_SCORES: Final = (
    "企业名称,统一社会信用代码,创新积分,评价日期\r\n示例净水科技有限公司,91999999MAD0000017,68.55,2026-09-30\r\n"
)
SHEETS: Final = {"import_score_sheet": _SCORES, "create_campaign_from_sheet": _SCORES}
"""By operation: a sheet in CSV."""


def sheet_content(operation: str) -> dict[str, Any]:
    """This function will return the media types of an operation that takes a sheet."""
    binary = {"type": "string", "format": "binary", "maxLength": LARGEST_SHEET_BYTES}
    content: dict[str, Any] = {kind: {"schema": binary} for kind in SHEET_KINDS if kind != "text/csv"}
    text = {"type": "string", "maxLength": LARGEST_SHEET_BYTES}
    shown = {"csv": {"summary": "CSV", "value": SHEETS[operation]}}
    return {"text/csv": {"schema": text, "examples": shown}, **content}
